//! Changes: frames added, masters certified and retired, missing files removed.

use std::path::{Path, PathBuf};

use rusqlite::TransactionBehavior;
use serde::Serialize;

use super::rows::{self, Inserted};
use super::{LIFE_NAME, Library};
use crate::library::{Entry, Life, Lives, Record};
use crate::{Error, Result};

/// What came of adding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Frames that were not known.
    pub new: usize,
    /// Known frames that were found under another name, or changed only outside.
    pub renamed: usize,
    /// Frames that were known as they are.
    pub known: usize,
}

/// What forgetting would remove, or removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Paths whose file is not there.
    pub missing: Vec<PathBuf>,
    /// Masters in the library's folder that were retired: their files are deleted.
    pub retired: Vec<PathBuf>,
    /// Unfinished files in the library's folder.
    pub unfinished: usize,
}

impl Library {
    /// Adds records, all or none of them.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn add(&mut self, records: &[Record]) -> Result<Added> {
        let told = self.told("adding frames");
        let tx =
            self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&told)?;
        let (added, displaced) = insert_all(&tx, records, &told)?;
        // A file that was changed is another frame now, and the one before may be nowhere.
        if displaced {
            drop_orphans(&tx).map_err(&told)?;
        }
        tx.commit().map_err(&told)?;
        Ok(added)
    }

    /// Puts these records in place of all rows.
    ///
    /// # Errors
    /// When the database cannot be written; then it is as it was.
    pub fn replace_all(&mut self, records: &[Record]) -> Result<Added> {
        let told = self.told("rebuilding the index");
        let tx =
            self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&told)?;
        tx.execute_batch("DELETE FROM path; DELETE FROM frame; DELETE FROM batch;")
            .map_err(&told)?;
        let (added, _) = insert_all(&tx, records, &told)?;
        tx.commit().map_err(&told)?;
        Ok(added)
    }

    /// Sets the life of a master; returns what it was.
    ///
    /// # Errors
    /// When the entry is no master, or the file of lives cannot be read or written.
    pub fn set_life(&mut self, entry: &Entry, life: Life) -> Result<Life> {
        if !entry.is_master {
            return Err(Error::library(format!(
                "{} is a raw {}; only masters can be certified or retired",
                entry.id, entry.kind
            )));
        }
        let path = self.folder.join(LIFE_NAME);
        let told = self.told("locking the library");
        // The database's lock keeps two processes from writing the file at once.
        let tx =
            self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&told)?;
        let mut lives = Lives::read(&path)?;
        let before = lives.of(&entry.hash).clone();
        lives.set(entry.hash.clone(), life);
        lives.write(&path)?;
        tx.commit().map_err(&told)?;
        self.lives = lives;
        Ok(before)
    }

    /// Forgets paths whose file is not there, and deletes retired masters of Photosite's and
    /// unfinished files in the library's own folder; another program's master is left where it is; a `dry_run` only says what it would do.
    ///
    /// # Errors
    /// When the database cannot be written or a file cannot be deleted.
    pub fn prune(&mut self, dry_run: bool) -> Result<Pruned> {
        let masters = self.masters_folder();
        let mut pruned = Pruned::default();
        for entry in self.list(None)? {
            let retired = entry.life == Life::Retired;
            for path in entry.paths {
                if !path.exists() {
                    pruned.missing.push(path);
                } else if retired && path.starts_with(&masters) && entry.key.is_some() {
                    pruned.retired.push(path);
                }
            }
        }
        pruned.unfinished = photosite_file::atomic::leftovers(&masters)?.len();
        if dry_run {
            return Ok(pruned);
        }
        let told = self.told("removing missing files from the index");
        let tx =
            self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&told)?;
        for path in pruned.missing.iter().chain(&pruned.retired) {
            tx.execute("DELETE FROM path WHERE path = ?1", [path_text(path)?]).map_err(&told)?;
        }
        drop_orphans(&tx).map_err(&told)?;
        rows::fill_batches(&tx).map_err(&told)?;
        tx.commit().map_err(&told)?;
        for path in &pruned.retired {
            std::fs::remove_file(path)
                .map_err(|e| Error::io(path, "deleting the retired master", e))?;
        }
        photosite_file::atomic::remove_leftovers(&masters)?;
        Ok(pruned)
    }
}

/// Enters records; returns what became of them, and whether any took the path of another frame.
fn insert_all(
    db: &rusqlite::Connection,
    records: &[Record],
    told: &impl Fn(rusqlite::Error) -> Error,
) -> Result<(Added, bool)> {
    let (mut added, mut displaced) = (Added::default(), false);
    for record in records {
        let entered = rows::insert(db, record, path_text(&record.path)?).map_err(told)?;
        match entered.what {
            Inserted::New => added.new += 1,
            Inserted::NewPath => added.renamed += 1,
            Inserted::Known => added.known += 1,
        }
        displaced |= entered.displaced;
    }
    Ok((added, displaced))
}

/// Removes frames that lie nowhere.
fn drop_orphans(db: &rusqlite::Connection) -> rusqlite::Result<()> {
    let gone = db.execute(
        "DELETE FROM frame WHERE NOT EXISTS (SELECT 1 FROM path WHERE path.frame = frame.id)",
        [],
    )?;
    if gone > 0 { rows::fill_batches(db) } else { Ok(()) }
}

/// A path as the database holds it.
pub(super) fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::library(format!(
            "{} has a name that is not valid Unicode, which the index cannot store; rename it",
            path.display()
        ))
    })
}
