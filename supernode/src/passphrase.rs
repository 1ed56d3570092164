//! The passphrase of an overlay that is not open to everybody: where it is read from, and what can be
//! one. It comes from a file or a variable, never from the command line, which everybody on the machine
//! can read.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The variable that holds the passphrase itself.
pub const VARIABLE: &str = "SUPERNODE_PASSPHRASE";

/// Fewest bytes: what is shorter is guessed soon.
const LEN_MIN: usize = 8;
/// Most bytes: nobody types as much, and no file of words is longer.
const LEN_MAX: usize = 1024;

/// What those share who may use an overlay. Compared byte by byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// Why a text cannot be a passphrase. None of them repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPassphrase {
    /// It can be guessed.
    #[error(
        "has {given} bytes; a passphrase has at least {LEN_MIN}, and five random words are better"
    )]
    TooShort {
        /// Its bytes.
        given: usize,
    },
    /// It is something else.
    #[error("has more than {LEN_MAX} bytes; a passphrase has at most so many")]
    TooLong,
    /// It is something else.
    #[error("is not UTF-8")]
    NotUtf8,
    /// It cannot be typed, or sent by HTTP.
    #[error(
        "has a line break or another control character in it; a passphrase is one line of text"
    )]
    Control,
}

/// A passphrase's file, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassphraseFile {
    /// What is in it, all but what is too much anyway.
    pub content: Vec<u8>,
    /// Whether users other than its owner may read it.
    pub is_open: bool,
}

impl Passphrase {
    /// A passphrase of this text.
    ///
    /// # Errors
    /// [`NotAPassphrase`].
    pub fn new(text: &str) -> Result<Passphrase, NotAPassphrase> {
        match text.len() {
            given @ ..LEN_MIN => Err(NotAPassphrase::TooShort { given }),
            LEN_MIN..=LEN_MAX if text.contains(char::is_control) => Err(NotAPassphrase::Control),
            LEN_MIN..=LEN_MAX => Ok(Passphrase(text.to_owned())),
            _ => Err(NotAPassphrase::TooLong),
        }
    }

    /// The passphrase a variable holds.
    ///
    /// # Errors
    /// [`NotAPassphrase`].
    pub fn from_variable(value: &OsStr) -> Result<Passphrase, NotAPassphrase> {
        Passphrase::new(value.to_str().ok_or(NotAPassphrase::NotUtf8)?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: it ends up in logs.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl PassphraseFile {
    /// Reads a file, no further than a passphrase can be long.
    ///
    /// # Errors
    /// The system's.
    pub fn read(path: &Path) -> io::Result<PassphraseFile> {
        let file = File::open(path)?;
        let is_open = file.metadata()?.permissions().mode() & 0o044 != 0;
        let mut content = Vec::new();
        file.take(LEN_MAX as u64 + 3).read_to_end(&mut content)?;
        Ok(PassphraseFile { content, is_open })
    }

    /// The passphrase in it: all but the end of the line.
    ///
    /// # Errors
    /// [`NotAPassphrase`].
    pub fn passphrase(&self) -> Result<Passphrase, NotAPassphrase> {
        let text = str::from_utf8(&self.content).map_err(|error| match error.error_len() {
            // Cut off within a letter.
            None if self.content.len() > LEN_MAX => NotAPassphrase::TooLong,
            _ => NotAPassphrase::NotUtf8,
        })?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        Passphrase::new(line.strip_suffix('\r').unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<String, NotAPassphrase> {
        let file = PassphraseFile { content: content.to_vec(), is_open: false };
        file.passphrase().map(|passphrase| passphrase.as_str().to_owned())
    }

    #[test]
    fn a_files_line_is_the_passphrase_without_its_end() {
        for content in ["correct horse", "correct horse\n", "correct horse\r\n"] {
            assert_eq!(read(content.as_bytes()).as_deref(), Ok("correct horse"));
        }
        assert_eq!(read(" spaces count \n".as_bytes()).as_deref(), Ok(" spaces count "));
        assert_eq!(read("süß und lang".as_bytes()).as_deref(), Ok("süß und lang"));
    }

    #[test]
    fn what_cannot_be_one_is_told_why() {
        assert_eq!(read(b""), Err(NotAPassphrase::TooShort { given: 0 }));
        assert_eq!(read(b"7 bytes\n"), Err(NotAPassphrase::TooShort { given: 7 }));
        assert!(read(&[b'x'; LEN_MAX]).is_ok());
        assert_eq!(read(&[b'x'; LEN_MAX + 1]), Err(NotAPassphrase::TooLong));
        assert_eq!(read("é".repeat(514).as_bytes()), Err(NotAPassphrase::TooLong));
        assert_eq!(read(b"two lines\nof text\n"), Err(NotAPassphrase::Control));
        assert_eq!(read(b"not text \xff\xff"), Err(NotAPassphrase::NotUtf8));
    }

    #[test]
    fn a_file_says_whether_others_may_read_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "correct horse\n").unwrap();
        for (mode, is_open) in [(0o600, false), (0o640, true), (0o604, true), (0o400, false)] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            let read = PassphraseFile::read(file.path()).unwrap();
            assert_eq!((read.is_open, read.content.as_slice()), (is_open, &b"correct horse\n"[..]));
        }
        assert!(PassphraseFile::read("/nonexistent/passphrase".as_ref()).is_err());
    }

    #[test]
    fn a_passphrase_does_not_show_in_logs() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(…)");
    }
}
