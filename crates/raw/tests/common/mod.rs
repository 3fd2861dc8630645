//! Where test data lie.

use std::path::{Path, PathBuf};

/// The real frames; without them a test says so aloud and passes.
#[allow(clippy::disallowed_methods)] // Tests may ask the environment.
pub fn data(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let named = std::env::var_os("PHOTOSITE_DATA").map(PathBuf::from);
    let found = named.into_iter().chain([beside]).find(|p| p.join("raw").is_dir());
    if found.is_none() {
        println!("SKIPPED: {test}: real frames not found; set PHOTOSITE_DATA to their folder");
    }
    found
}

pub fn write(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}
