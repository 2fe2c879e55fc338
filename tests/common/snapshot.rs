//! Text that a person has read once, kept beside the test. `BASCULE_BLESS=1` writes it anew, to be read again in the diff.

use std::path::Path;

/// Compares with the kept text, or keeps it.
pub fn assert_kept(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decide").join(name);
    if std::env::var_os("BASCULE_BLESS").is_some() {
        std::fs::write(&path, found).expect("the kept text can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).expect("there is a kept text");
    for (number, (kept, found)) in kept.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, kept, "{name}, line {}", number + 1);
    }
    assert_eq!(found.lines().count(), kept.lines().count(), "{name} has another number of lines");
}
