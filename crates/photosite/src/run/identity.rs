//! What files hold, remembered from one run into a folder to the next.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use photosite_file::settled_stamp;

use crate::Result;
use crate::env;
use crate::open::image_of_file;
use crate::product::Kept;
use crate::provenance::ContentHash;
use crate::raw::hash_and_damage;

/// What the record is of.
const FILES: &str = "files";

/// What is remembered of a file: its hash, and what its data contradict of the sums in its headers.
type Held = ([u8; 32], Option<String>);

/// The same by what the file system notes of a file; where it lies does not matter.
type Files = BTreeMap<[u64; 5], Held>;

/// Files that an earlier run read through, so that they need not be read again for their hashes.
#[derive(Debug)]
pub(super) struct Remembered {
    earlier: Files,
    now: Mutex<Files>,
}

impl Remembered {
    /// As an earlier run left it among its records.
    pub fn of(kept: &Kept) -> Self {
        Self { earlier: kept.find(FILES, "").unwrap_or_default(), now: Mutex::default() }
    }

    /// What a file holds; read through where it is not known to be as it was.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn hash_and_damage(&self, path: &Path) -> Result<(ContentHash, Option<String>)> {
        // The stamp comes first: what changes while the file is hashed has another one later.
        let stamp =
            if image_of_file(path).is_some() { None } else { settled_stamp(path, env::now()) };
        let Some(stamp) = stamp else { return hash_and_damage(path) };
        let (hash, damage) = match self.earlier.get(&stamp) {
            Some((hash, damage)) => (ContentHash::from_bytes(*hash), damage.clone()),
            None => hash_and_damage(path)?,
        };
        let held = (*hash.as_bytes(), damage.clone());
        self.now.lock().expect("no holder panics").insert(stamp, held);
        Ok((hash, damage))
    }

    /// Leaves what is known now for the next run.
    pub fn keep(self, kept: &Kept) {
        let now = self.now.into_inner().expect("no holder panics");
        if now != self.earlier {
            kept.keep(FILES, "", &now);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use photosite_file::atomic::{Existing, write_bytes};
    use photosite_file::is_local_folder;

    use super::*;

    #[test]
    fn a_file_that_lies_as_it_did_is_remembered_and_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bias.fits");
        write_bytes(&path, b"no image, but bytes", Existing::Replace).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3200));
        let kept = Kept::new(&dir.path().join("records"));
        let first = Remembered::of(&kept);
        let (hash, _) = first.hash_and_damage(&path).unwrap();
        assert_eq!(hash, ContentHash::of_file(&path).unwrap());
        first.keep(&kept);
        // Where what was kept comes from shows when it is another than what the file holds.
        let mut second = Remembered::of(&kept);
        second.earlier.values_mut().for_each(|held| held.0 = [7; 32]);
        let known = is_local_folder(dir.path());
        let (again, _) = second.hash_and_damage(&path).unwrap();
        assert_eq!(again == ContentHash::from_bytes([7; 32]), known);
        write_bytes(&path, b"no image, and others", Existing::Replace).unwrap();
        let (other, _) = Remembered::of(&kept).hash_and_damage(&path).unwrap();
        assert_eq!(other, ContentHash::of_file(&path).unwrap());
    }
}
