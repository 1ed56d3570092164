//! `docs/measurements.md`: tables between markers, which a bench makes anew, in prose, which it keeps.
//!
//! ```text
//! <!-- bench store -->
//! | what | value | floor | reached |
//! …
//! <!-- end of bench store -->
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

/// A document with a place for each table.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Reads the document; there must be one place for each of these benches.
    pub(super) fn open(path: &Path, benches: &[String]) -> Result<Document> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        for bench in benches {
            place(&text, bench).with_context(|| path.display().to_string())?;
        }
        Ok(Document { path: path.to_owned(), text })
    }

    /// Puts a table where the last one of this bench stands, and writes the document: what was measured
    /// is kept, whatever comes of the next bench.
    pub(super) fn replace(&mut self, bench: &str, table: &str) -> Result<()> {
        let place = place(&self.text, bench)?;
        self.text.replace_range(place, &format!("\n{}\n", table.trim()));
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(self.text.as_bytes())?;
        // The new file is its owner's alone until it is told otherwise.
        file.as_file().set_permissions(fs::metadata(&self.path)?.permissions())?;
        file.persist(&self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(())
    }
}

/// What lies between the markers of a bench.
fn place(text: &str, bench: &str) -> Result<std::ops::Range<usize>> {
    let (begin, end) =
        (format!("<!-- bench {bench} -->"), format!("<!-- end of bench {bench} -->"));
    let at = |marker: &str| {
        let mut found = text.match_indices(marker).map(|(at, _)| at);
        let first = found.next();
        ensure!(
            first.is_some() && found.next().is_none(),
            "the markers `{begin}` and `{end}` have to stand there once each, on lines of their own: \
             between them goes the table of `testbed bench {bench}`"
        );
        Ok(first.unwrap_or_default())
    };
    let (first, last) = (at(&begin)? + begin.len(), at(&end)?);
    ensure!(first <= last, "`{end}` stands before `{begin}`");
    Ok(first..last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# M\n\nBefore.\n\n<!-- bench a -->\nold\n<!-- end of bench a -->\n\nBetween.\n\n\
                        <!-- bench b -->\n<!-- end of bench b -->\nAfter.\n";

    fn document(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.md");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn tables_are_made_anew_and_prose_is_kept() {
        let (_dir, path) = document(TEXT);
        let mut document = Document::open(&path, &["a".into(), "b".into()]).unwrap();
        document.replace("a", "\n| 1 |\n").unwrap();
        document.replace("b", "| 2 |").unwrap();
        document.replace("a", "| 3 |").unwrap();
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(
            written,
            "# M\n\nBefore.\n\n<!-- bench a -->\n| 3 |\n<!-- end of bench a -->\n\nBetween.\n\n\
             <!-- bench b -->\n| 2 |\n<!-- end of bench b -->\nAfter.\n"
        );
    }

    #[test]
    fn without_a_place_for_a_table_nothing_is_measured() {
        let twice = TEXT.replace("bench b", "bench a");
        for (text, bench) in [(TEXT, "c"), (twice.as_str(), "a")] {
            let (_dir, path) = document(text);
            let error = Document::open(&path, &[bench.into()]).unwrap_err();
            let told = format!("{error:#}");
            assert!(told.contains("m.md") && told.contains(&format!("bench {bench}")), "{told}");
        }
        let backwards = "<!-- end of bench a --><!-- bench a -->";
        let (_dir, path) = document(backwards);
        assert!(Document::open(&path, &["a".into()]).is_err());
    }
}
