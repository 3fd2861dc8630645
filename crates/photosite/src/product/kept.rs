//! What was seen in lights, kept so that another run does not look again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::atomic::{Existing, write_passing};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;

/// Raised whenever records look otherwise, or other things are seen in the same pixels; what other pixels would
/// say is `ALGORITHM_VERSION`'s, which is in every key.
const RECORDS: u32 = 3;

/// How the name of a record ends.
const SUFFIX: &str = "seen";

/// Bytes of the hash that a record begins with.
const HASH_BYTES: usize = 32;

/// A folder of records: what was seen in a light, by a key of everything that decides it.
///
/// A record is a memory and no product: one that is damaged, of another version or gone is made again, and
/// one that cannot be written costs the next run its time.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    /// Names of records that were asked for.
    asked: Mutex<BTreeSet<String>>,
}

impl Kept {
    /// Records in `folder`, which the first of them makes.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), asked: Mutex::default() }
    }

    /// Where the records lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The record of `what` (a word that its file's name begins with) by its key, or what `look` sees, which is then kept.
    ///
    /// # Errors
    /// Those of `look`.
    pub fn find_or<T: Serialize + DeserializeOwned>(
        &self,
        what: &str,
        key: &str,
        look: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if let Some(kept) = self.find(what, key) {
            return Ok(kept);
        }
        let seen = look()?;
        self.keep(what, key, &seen);
        Ok(seen)
    }

    /// The record of `what` by its key; `None` where there is none, or a damaged one.
    pub fn find<T: DeserializeOwned>(&self, what: &str, key: &str) -> Option<T> {
        let record = std::fs::read(self.place(what, key)).ok()?;
        let (hash, rest) = record.split_first_chunk::<HASH_BYTES>()?;
        let whole = blake3::hash(rest) == *hash;
        whole.then(|| ciborium::from_reader(rest).ok()).flatten()
    }

    /// Keeps a record of `what`.
    pub fn keep<T: Serialize>(&self, what: &str, key: &str, seen: &T) {
        let path = self.place(what, key);
        let mut record = vec![0; HASH_BYTES];
        if ciborium::into_writer(seen, &mut record).is_ok() {
            let hash = blake3::hash(&record[HASH_BYTES..]);
            record[..HASH_BYTES].copy_from_slice(hash.as_bytes());
            let _ = write_passing(&path, &record, Existing::Replace);
        }
    }

    /// Where a record lies that is asked for now.
    fn place(&self, what: &str, key: &str) -> PathBuf {
        // Samples are kept as this machine holds them.
        let order = cfg!(target_endian = "big");
        let hash = blake3::hash(format!("{RECORDS} {order} {what} {key}").as_bytes());
        let name = format!("{what}-{}.{SUFFIX}", &hash.to_hex()[..32]);
        let path = self.folder.join(&name);
        self.asked.lock().expect("no holder panics").insert(name);
        path
    }

    /// Removes the records that nobody asked for.
    pub fn forget_others(&self) {
        let asked = self.asked.lock().expect("no holder panics");
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let ours = path.extension().is_some_and(|x| x == SUFFIX);
            if ours && !asked.contains(&*name) {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Plane, Size};

    use super::*;

    /// What is kept of a plane that holds what is no number.
    fn look(kept: &Kept, key: &str, value: f32) -> (Plane<f32>, bool) {
        let mut looked = false;
        let seen = kept.find_or("plane", key, || {
            looked = true;
            Ok(Plane::from_fn(Size::new(3, 2), |x, _| if x == 1 { f32::NAN } else { value }))
        });
        (seen.unwrap(), looked)
    }

    #[test]
    fn a_record_is_found_whole_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("records");
        let kept = Kept::new(&folder);
        let (first, looked) = look(&kept, "a", 0.1);
        assert!(looked && first.get(1, 0).is_nan());
        let (again, looked) = look(&kept, "a", 7.0);
        assert!(!looked && again.get(0, 1) == 0.1 && again.get(1, 0).is_nan(), "{again:?}");
        assert!(look(&kept, "b", 2.0).1, "another key is another record");

        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let whole = std::fs::read(&file).unwrap();
        for (what, bytes) in [("cut", &whole[..whole.len() - 3]), ("empty", &[][..])] {
            std::fs::File::create(&file).unwrap().set_len(0).unwrap();
            write_passing(&file, bytes, Existing::Replace).unwrap();
            let made = [look(&kept, "a", 0.1).1, look(&kept, "b", 2.0).1];
            assert_eq!(made.iter().filter(|m| **m).count(), 1, "{what}");
        }
        for at in [0, HASH_BYTES, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            write_passing(&file, &flipped, Existing::Replace).unwrap();
            let made = [look(&kept, "a", 0.1).1, look(&kept, "b", 2.0).1];
            assert_eq!(made.iter().filter(|m| **m).count(), 1, "byte {at}");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_forgotten_and_foreign_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let before = Kept::new(dir.path());
        look(&before, "a", 1.0);
        look(&before, "b", 1.0);
        write_passing(&dir.path().join("notes.txt"), b"mine", Existing::Refuse).unwrap();
        let now = Kept::new(dir.path());
        assert!(!look(&now, "b", 2.0).1);
        now.forget_others();
        assert!(!look(&now, "b", 2.0).1 && look(&now, "a", 2.0).1);
        assert!(dir.path().join("notes.txt").exists());
    }
}
