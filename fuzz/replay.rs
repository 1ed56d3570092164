//! Feeds a fuzz target what is checked in for it: its seeds, and whatever it once failed on. The
//! tests of the crates that are fuzzed include this file.

use std::path::Path;

/// Feeds `target` each of its files; at least one must be there.
pub(super) fn replay(target: &str, feed: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut fed = 0;
    for kind in ["seeds", "regressions"] {
        // A target that never failed has no regressions.
        let Ok(files) = root.join(kind).join(target).read_dir() else { continue };
        for file in files {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("a readable file");
            // Shown only if it fails.
            println!("{}", path.display());
            feed(&bytes);
            fed += 1;
        }
    }
    assert!(fed > 0, "no seeds in {}/seeds/{target}", root.display());
}
