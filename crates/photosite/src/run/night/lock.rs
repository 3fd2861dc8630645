//! One run at a time in a folder of products.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Keeps a second run out of the same folder, while it is held.
pub(super) struct Lock {
    path: PathBuf,
    _file: std::fs::File,
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::io(folder, "making the folder of products", e))?;
        let path = folder.join(".photosite.lock");
        loop {
            let Some(file) = Self::locked(&path)? else {
                return Err(Error::parameters(format!(
                    "another run is using {}; wait for it, or choose another folder with -o",
                    folder.display()
                )));
            };
            // A run that ended between opening and locking has removed the file, and what is locked
            // is seen by nobody. It is seen where it cannot be locked again.
            if Self::locked(&path)?.is_none() {
                return Ok(Self { path, _file: file });
            }
        }
    }

    /// The lock file, locked; `None` where it is locked already.
    fn locked(path: &Path) -> Result<Option<std::fs::File>> {
        let file = photosite_file::atomic::open_lock(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(Error::io(path, "locking the folder", e)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays is an empty file; a later run locks it just the same.
        let _ = std::fs::remove_file(&self.path);
    }
}
