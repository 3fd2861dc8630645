//! Where test data lie, and what a test does without them.

use std::path::{Path, PathBuf};

pub mod skip;

/// The small committed files.
#[allow(dead_code)]
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The real frames, which are not committed: beside the repository, or where PHOTOSITE_DATA says.
/// Without them a test says so aloud and passes.
#[track_caller]
#[allow(dead_code, clippy::disallowed_methods)] // Tests may ask the environment.
pub fn real(what: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let named = std::env::var_os("PHOTOSITE_DATA").map(PathBuf::from);
    let found = named.into_iter().chain([beside]).find(|p| p.join("odd").is_dir());
    if found.is_none() {
        skip::skip(
            "data",
            format!("{what}: not found; set PHOTOSITE_DATA to the folder of real frames"),
        );
    }
    found
}

/// Every file under `folder` that an image might be in, in order.
#[allow(dead_code)]
pub fn image_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
            if path.is_dir() {
                folders.push(path);
            } else if [".fits", ".fit", ".fz", ".gz", ".xisf", ".tif"]
                .iter()
                .any(|e| name.ends_with(e))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A reader's view of the FITS checksum: the ones'-complement sum of a whole unit.
#[allow(dead_code)]
fn ones_complement(bytes: &[u8]) -> u32 {
    let mut sum = 0u64;
    for word in bytes.chunks_exact(4) {
        sum += u64::from(u32::from_be_bytes(word.try_into().unwrap()));
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as u32
}

/// Every unit of `path` sums up to minus zero, and the file is whole blocks.
#[allow(dead_code)]
pub fn assert_checksums(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.len() % 2880, 0);
    let units = photosite_file::probe(path).unwrap().hdus;
    let mut at = 0;
    for unit in &units {
        let mut end = at;
        while !bytes[end..end + 2880].chunks(80).any(|c| c.starts_with(b"END  ")) {
            end += 2880;
        }
        end += 2880 + (unit.data_bytes as usize).next_multiple_of(2880);
        assert_eq!(ones_complement(&bytes[at..end]), u32::MAX, "unit {}", unit.index);
        at = end;
    }
    assert_eq!(at, bytes.len());
}
