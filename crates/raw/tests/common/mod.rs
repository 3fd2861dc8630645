//! Where test data lie.

use std::path::{Path, PathBuf};

#[path = "../../../file/tests/common/skip.rs"]
pub mod skip;

/// The real frames; without them a test says so aloud and passes.
#[track_caller]
#[allow(clippy::disallowed_methods)] // Tests may ask the environment.
pub fn data(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let named = std::env::var_os("PHOTOSITE_DATA").map(PathBuf::from);
    let found = named.into_iter().chain([beside]).find(|p| p.join("raw").is_dir());
    if found.is_none() {
        skip::skip(
            "data",
            format!("{test}: not found; set PHOTOSITE_DATA to the folder of real frames"),
        );
    }
    found
}

pub fn write(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}
