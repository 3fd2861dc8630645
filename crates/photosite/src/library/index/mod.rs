//! The index: a database over frames and masters, wherever they lie.
//!
//! The files are the record, the database is only an index: every row can be made again from them.
//! What no file holds, the life of masters, lies beside it in a file of its own.

mod change;
mod query;
mod rows;
mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use photosite_file::is_local_folder;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{ALIASES_NAME, Aliases, Lives};
use crate::{Error, Result};

pub use change::{Added, Pruned};
pub use query::{Entry, Known, Missing, Verified};
pub use schema::SCHEMA_VERSION;

/// The name of the database in the folder of the library.
pub const INDEX_NAME: &str = "index.sqlite";
/// The name of the file with the lives of masters.
pub const LIFE_NAME: &str = "life.json";
/// The folder of masters that Photosite made.
pub const MASTERS_NAME: &str = "masters";
/// How the names of damaged databases that were put aside begin.
const ASIDE: &str = "index.sqlite.damaged";

/// How long to wait for another process's change.
const PATIENCE: Duration = Duration::from_secs(60);

/// A library of calibration frames and masters: a folder with an index.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    db: Connection,
    lives: Lives,
    aliases: Aliases,
}

impl Library {
    /// Opens the library in `folder`, and makes it where there is none.
    ///
    /// # Errors
    /// When the folder cannot be made or written to; when `aliases.toml` is wrong; when the database is
    /// newer than this program;
    /// when it is damaged: then it is put aside, and stays missing until `library rebuild`; when it
    /// is missing beside masters.
    pub fn open(folder: &Path) -> Result<Self> {
        let index = folder.join(INDEX_NAME);
        if !index.exists() {
            if let Some(aside) = put_aside(folder) {
                return Err(damaged(&index, &aside));
            }
            if holds_masters(&folder.join(MASTERS_NAME)) {
                return Err(Error::library(format!(
                    "the index {} is missing, but there are masters. No frame is lost: the files \
                     are the record. {REBUILD}",
                    index.display()
                )));
            }
        }
        Self::open_as_is(folder)
    }

    /// Opens the library to rebuild its index: one that is damaged is moved aside, one that is
    /// missing is made.
    ///
    /// # Errors
    /// As [`Library::open`], save for those.
    pub fn open_for_rebuild(folder: &Path) -> Result<Self> {
        let index = folder.join(INDEX_NAME);
        let library = match Self::open_as_is(folder) {
            Ok(library) => library,
            Err(_) if !index.exists() => return Self::open_as_is(folder),
            Err(e) => return Err(e),
        };
        if library.check_index().is_ok_and(|problems| problems.is_empty()) {
            return Ok(library);
        }
        drop(library);
        if index.exists() {
            set_aside(&index).map_err(|e| Error::io(&index, "moving the index aside", e))?;
        }
        Self::open_as_is(folder)
    }

    fn open_as_is(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder.join(MASTERS_NAME))
            .map_err(|e| Error::io(folder, "making the folder of the library", e))?;
        // The index holds whole paths, its own masters' too.
        let folder = &folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let path = folder.join(INDEX_NAME);
        let db = connect(&path).map_err(|e| explain(&path, "opening the index", &e))?;
        let aliases = Aliases::read(&folder.join(ALIASES_NAME))?;
        let mut library = Self { folder: folder.to_owned(), db, lives: Lives::default(), aliases };
        library.migrate(schema::MIGRATIONS)?;
        library.lives = Lives::read(&folder.join(LIFE_NAME))?;
        Ok(library)
    }

    /// The folder of the library.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of filters that a person added.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// The folder of masters that Photosite made.
    pub fn masters_folder(&self) -> PathBuf {
        self.folder.join(MASTERS_NAME)
    }

    /// Brings the schema forward, one version after the other, each whole or not at all.
    fn migrate(&mut self, migrations: &[&str]) -> Result<()> {
        let path = self.index_path();
        let told = |e: rusqlite::Error| explain(&path, "upgrading the index", &e);
        if schema::version(&self.db).map_err(told)? == migrations.len() {
            return Ok(());
        }
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
        // Another process may have been faster.
        let found = schema::version(&tx).map_err(told)?;
        if found > migrations.len() {
            return Err(Error::library(format!(
                "the library in {} was written by a newer Photosite (its schema is {found}, this \
                 version knows {}); use that one, or choose another library with --library",
                self.folder.display(),
                migrations.len()
            )));
        }
        for (version, sql) in migrations.iter().enumerate().skip(found) {
            tx.execute_batch(sql).map_err(told)?;
            tx.pragma_update(None, "user_version", (version + 1) as i64).map_err(told)?;
        }
        if (1..3).contains(&found) {
            rows::name_batches(&tx).map_err(told)?;
            rows::fill_batches(&tx).map_err(told)?;
        }
        tx.commit().map_err(told)
    }

    fn index_path(&self) -> PathBuf {
        self.folder.join(INDEX_NAME)
    }

    /// What the database said, as an error that tells what to do.
    fn told(&self, what: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.index_path();
        move |e| explain(&path, what, &e)
    }
}

/// Times that others may come in between when the journal is to be changed.
const JOURNAL_TURNS: usize = 100;

fn is_busy(e: &rusqlite::Error) -> bool {
    e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// Opens the database with the journal that is safe where it lies.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    // A write-ahead log needs memory that all processes share, which network file systems do not
    // give. SQLite's documentation, "Write-Ahead Logging".
    let local = path.parent().is_some_and(is_local_folder);
    let wanted = if local { "wal" } else { "delete" };
    let found = || db.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    let change = || db.query_row(&format!("PRAGMA journal_mode = {wanted}"), [], |_| Ok(()));
    let mut turns = 0..JOURNAL_TURNS;
    while found()? != wanted {
        match change() {
            // A change of the journal does not wait for others, be there never so much patience; a
            // transaction does, and perhaps they make the change meanwhile.
            Err(e) if is_busy(&e) && turns.next().is_some() => {
                db.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            changed => {
                changed?;
                break;
            }
        }
    }
    // Every row can be made again; with a log, NORMAL loses at most the last change on power loss.
    db.pragma_update(None, "synchronous", if local { "NORMAL" } else { "FULL" })?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// The last damaged index that was put aside in `folder`.
fn put_aside(folder: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path());
    names
        .filter(|p| {
            let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(ASIDE) && !name.ends_with("-wal") && !name.ends_with("-shm")
        })
        .max()
}

fn damaged(index: &Path, aside: &Path) -> Error {
    Error::library(format!(
        "the index {} is damaged. It was moved to {}, and no frame is lost: the files are the \
         record. {REBUILD}",
        index.display(),
        aside.display()
    ))
}

/// What repairs an index.
const REBUILD: &str = "`photosite library rebuild PATH...` with the folders of your calibration \
                       frames rebuilds the index";

fn holds_masters(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|e| e.path().extension().is_some_and(|x| x == "fits"))
}

/// Puts a damaged index aside, its log with it; returns where the first part went.
fn set_aside(index: &Path) -> std::io::Result<PathBuf> {
    let folder = index.parent().unwrap_or(Path::new("."));
    let free = |n: &u32| !folder.join(format!("{ASIDE}-{n}")).exists();
    let number = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
    let aside = folder.join(format!("{ASIDE}-{number}"));
    std::fs::rename(index, &aside)?;
    for part in ["-wal", "-shm"] {
        let from = folder.join(format!("{INDEX_NAME}{part}"));
        if from.exists() {
            std::fs::rename(from, folder.join(format!("{ASIDE}-{number}{part}")))?;
        }
    }
    Ok(aside)
}

/// What a database error means, and what to do; a damaged file is put aside on the way.
fn explain(path: &Path, what: &str, e: &rusqlite::Error) -> Error {
    let code = e.sqlite_error_code();
    if matches!(code, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) {
        return match set_aside(path) {
            Ok(aside) => damaged(path, &aside),
            // Another process has put it aside already, or the system does not let go of it.
            Err(refusal) => match put_aside(path.parent().unwrap_or(path)) {
                Some(aside) if !path.exists() => damaged(path, &aside),
                _ => Error::library(format!(
                    "the index {} is damaged and could not be moved ({refusal}): move it away. No \
                     frame is lost. {REBUILD}",
                    path.display()
                )),
            },
        };
    }
    let advice = match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another process holds the library: wait for it and try again"
        }
        Some(ErrorCode::DiskFull) => "; the disk is full: free space and try again",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; the folder must exist and be writable: choose another with --library"
        }
        // No refusal of the database's: a row holds what no row of ours does.
        None => {
            return Error::library(format!("{}: {what} failed: {e}. {REBUILD}", path.display()));
        }
        _ => "",
    };
    Error::library(format!("{}: {what} failed: {e}{advice}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_schema_comes_forward_and_a_newer_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(MASTERS_NAME)).unwrap();
        let path = dir.path().join(INDEX_NAME);
        let db = connect(&path).unwrap();
        let (lives, aliases) = (Lives::default(), Aliases::default());
        let mut old = Library { folder: dir.path().to_owned(), db, lives, aliases };
        old.migrate(&schema::MIGRATIONS[..1]).unwrap();
        let insert = "INSERT INTO frame (hash, kind, is_master, frames, width, height, temp_c, \
                      bias_removed) VALUES (?1, 'dark', 0, 1, 10, 8, -10.0, 0)";
        for n in 0..3u8 {
            old.db.execute(insert, [[n; 32]]).unwrap();
        }
        drop(old);
        let library = Library::open(dir.path()).unwrap();
        let shelf = library.shelf().unwrap();
        let darks = shelf.of_kind(photosite_pix::FrameKind::Dark);
        assert_eq!((darks.len(), darks[0].frames), (1, 3));
        library.db.pragma_update(None, "user_version", (SCHEMA_VERSION + 1) as i64).unwrap();
        drop(shelf);
        drop(library);
        let message = Library::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains("newer Photosite"), "{message}");
    }

    #[test]
    fn a_damaged_index_is_put_aside_and_asks_to_be_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        drop(Library::open(dir.path()).unwrap());
        let path = dir.path().join(INDEX_NAME);
        let garbage = b"this is no database, however long one looks at it".repeat(100);
        photosite_file::atomic::write_bytes(
            &path,
            &garbage,
            photosite_file::atomic::Existing::Replace,
        )
        .unwrap();
        for _ in 0..2 {
            let message = Library::open(dir.path()).unwrap_err().to_string();
            assert!(message.contains("rebuild") && message.contains("damaged-1"), "{message}");
        }
        assert_eq!(std::fs::read(dir.path().join("index.sqlite.damaged-1")).unwrap(), garbage);
        drop(Library::open_for_rebuild(dir.path()).unwrap());
        Library::open(dir.path()).unwrap();
    }
}
