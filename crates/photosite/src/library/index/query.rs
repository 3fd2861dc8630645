//! Questions to the index.

use std::path::{Path, PathBuf};

use photosite_pix::FrameKind;
use rusqlite::params_from_iter;
use serde::Serialize;

use super::Library;
use super::rows::{TRAITS_COLUMNS, kind_of, level_of, traits_of};
use crate::library::record::ID_DIGITS;
use crate::library::{Level, Life, Shelf, Shelved, Traits};
use crate::provenance::FileMark;
use crate::{Error, Result};

/// One frame or master of the library.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The first digits of the hash.
    pub id: String,
    /// What it holds, as a hash.
    pub hash: String,
    /// What it is.
    pub kind: FrameKind,
    /// It is a master.
    pub is_master: bool,
    /// The state of a master: proposed, certified or retired.
    pub life: Life,
    /// How many frames it was made of.
    pub frames: usize,
    /// The program that made it.
    pub software: Option<String>,
    /// The key of inputs and parameters, for masters of Photosite's.
    pub key: Option<String>,
    /// The level of a master's samples.
    pub level: Option<Level>,
    /// How far a flat's frames stood above the bias, in ADU.
    pub flat_level_adu: Option<f64>,
    /// Where it lies.
    pub paths: Vec<PathBuf>,
    /// What matching looks at.
    pub traits: Traits,
}

/// A file that the index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The file.
    pub path: PathBuf,
    /// What shows that it has changed.
    pub mark: FileMark,
    /// What it held, as a hash.
    pub hash: String,
    /// What it was.
    pub kind: FrameKind,
    /// It was a master.
    pub is_master: bool,
}

/// A file that is not what the index says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its name in the library.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
}

/// What came of looking at all files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files looked at.
    pub files: usize,
    /// Files that were read through.
    pub read: usize,
    /// What is wrong.
    pub problems: Vec<Missing>,
    /// What the database says of its own state; empty when all is well.
    pub index: Vec<String>,
}

const ENTRY_COLUMNS: &str = "id, hash, kind, is_master, frames, software, product_key, median_adu, \
     hot_adu, flat_level_adu";
/// How many columns [`ENTRY_COLUMNS`] names.
const ENTRY_COUNT: usize = 10;

impl Library {
    /// All entries, masters first, then by kind and identity; of one kind where it is named.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self, kind: Option<FrameKind>) -> Result<Vec<Entry>> {
        let filter = if kind.is_some() { "WHERE kind = ?1" } else { "" };
        let order = "ORDER BY is_master DESC, kind, exposure_s, temp_c, hash";
        self.entries(&format!("{filter} {order}"), kind.map(FrameKind::slug).as_slice())
    }

    /// The entry whose hash begins with `id`.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn show(&self, id: &str) -> Result<Entry> {
        let plain = id.to_lowercase();
        if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Error::library(format!(
                "{id:?} is not an ID; an ID is the first digits of a content hash, as shown by \
                 `library list`"
            )));
        }
        let found = self.entries(
            "WHERE hex(hash) LIKE ?1 ORDER BY hash LIMIT 2",
            &[format!("{}%", plain.to_uppercase()).as_str()],
        )?;
        match <[Entry; 1]>::try_from(found) {
            Ok([entry]) => Ok(entry),
            Err(found) if found.is_empty() => Err(Error::library(format!(
                "nothing in the library {} has an ID that begins with {id}",
                self.folder.display()
            ))),
            Err(_) => Err(Error::library(format!("several IDs begin with {id}; give more digits"))),
        }
    }

    fn entries(&self, clause: &str, values: &[&str]) -> Result<Vec<Entry>> {
        let told = self.told("reading the index");
        let mut frames = self
            .db
            .prepare(&format!("SELECT {ENTRY_COLUMNS}, {TRAITS_COLUMNS} FROM frame {clause}"))
            .map_err(&told)?;
        let mut paths = self
            .db
            .prepare("SELECT path FROM path WHERE frame = ?1 ORDER BY path")
            .map_err(&told)?;
        let rows = frames
            .query_map(params_from_iter(values), |row| {
                let id: i64 = row.get(0)?;
                let hash: Vec<u8> = row.get(1)?;
                let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
                let paths = paths.query_map([id], |r| r.get::<_, String>(0))?;
                let paths: Vec<String> = paths.collect::<rusqlite::Result<_>>()?;
                Ok(Entry {
                    id: hash.get(..ID_DIGITS).unwrap_or(&hash).to_owned(),
                    kind: kind_of(&row.get::<_, String>(2)?)?,
                    is_master: row.get::<_, i64>(3)? != 0,
                    life: self.lives.of(&hash).clone(),
                    frames: usize::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                    software: row.get(5)?,
                    key: row.get(6)?,
                    level: level_of(row, 7)?,
                    flat_level_adu: row.get(9)?,
                    paths: paths.into_iter().map(PathBuf::from).collect(),
                    traits: traits_of(row, ENTRY_COUNT)?,
                    hash,
                })
            })
            .map_err(&told)?;
        rows.collect::<rusqlite::Result<Vec<Entry>>>().map_err(&told)
    }

    /// All that may be chosen from: every master, and every batch of raw frames.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn shelf(&self) -> Result<Shelf<'_>> {
        Ok(Shelf::new(Some(self), self.shelved()?))
    }

    /// The same, in the order of kinds.
    pub(in crate::library) fn shelved(&self) -> Result<Vec<Shelved>> {
        let mut all = Vec::new();
        let masters = "WHERE is_master ORDER BY kind, hash";
        for entry in self.entries(masters, &[])? {
            // The file may lie in several places, of which one will do.
            let there = entry.paths.iter().find(|p| p.exists()).cloned();
            let path = there.clone().or_else(|| entry.paths.first().cloned());
            let name = path.as_deref().and_then(Path::file_name);
            all.push(Shelved {
                name: name.map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
                id: entry.id,
                kind: entry.kind,
                is_master: true,
                frames: entry.frames,
                traits: entry.traits,
                life: entry.life,
                there: there.is_some(),
                path,
                software: entry.software,
                key: entry.key,
                level: entry.level,
                flat_level_adu: entry.flat_level_adu,
                relaid: None,
                per_adu: None,
                batch: String::new(),
            });
        }
        let told = self.told("reading the index");
        let mut batches = self
            .db
            .prepare(&format!(
                "SELECT b.name, b.frames, b.temp_sum, b.temps, hash, kind, {TRAITS_COLUMNS} \
                 FROM batch AS b JOIN frame ON frame.id = b.sample ORDER BY hash"
            ))
            .map_err(&told)?;
        let rows = batches
            .query_map([], |row| {
                let batch: String = row.get(0)?;
                let frames = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                let (sum_c, temps): (f64, i64) = (row.get(2)?, row.get(3)?);
                let hash: Vec<u8> = row.get(4)?;
                let kind = kind_of(&row.get::<_, String>(5)?)?;
                let mut traits = traits_of(row, 6)?;
                traits.temp_c = (temps > 0).then(|| sum_c / temps as f64);
                let id: String =
                    hash.iter().take(ID_DIGITS / 2).map(|b| format!("{b:02x}")).collect();
                Ok(Shelved {
                    name: format!("{frames} raw frames of {id}"),
                    id,
                    kind,
                    is_master: false,
                    frames,
                    traits,
                    life: Life::Proposed,
                    there: true,
                    path: None,
                    software: None,
                    key: None,
                    level: None,
                    flat_level_adu: None,
                    relaid: None,
                    per_adu: None,
                    batch,
                })
            })
            .map_err(&told)?;
        for row in rows {
            all.push(row.map_err(&told)?);
        }
        Ok(all)
    }

    /// The files of a batch of raw frames, one a frame, with what shows that they have changed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn batch_files(&self, batch: &str) -> Result<Vec<(PathBuf, FileMark)>> {
        let told = self.told("reading the index");
        let mut files = self
            .db
            .prepare_cached(
                "SELECT MIN(path), file_bytes, modified_ns FROM path JOIN frame ON frame = id \
                 WHERE batch = ?1 GROUP BY id ORDER BY 1",
            )
            .map_err(&told)?;
        let rows = files
            .query_map([batch], |row| {
                let file_bytes = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                let mark = FileMark { file_bytes, modified_ns: row.get(2)? };
                Ok((PathBuf::from(row.get::<_, String>(0)?), mark))
            })
            .map_err(&told)?;
        rows.collect::<rusqlite::Result<Vec<_>>>().map_err(&told)
    }

    /// The master made by this key, where its file is there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn master_by_key(&self, key: &str) -> Result<Option<PathBuf>> {
        let found = self.entries("WHERE product_key = ?1 ORDER BY hash", &[key])?;
        let in_use = found.into_iter().filter(|e| e.life != Life::Retired);
        Ok(in_use.flat_map(|e| e.paths).find(|p| p.exists()))
    }

    /// Every file that is known, by its path.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn files(&self) -> Result<Vec<Known>> {
        let told = self.told("reading the index");
        let mut paths = self
            .db
            .prepare(
                "SELECT path, file_bytes, modified_ns, lower(hex(hash)), kind, is_master \
                 FROM path JOIN frame ON frame = id ORDER BY path",
            )
            .map_err(&told)?;
        let rows = paths
            .query_map([], |row| {
                let file_bytes = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                Ok(Known {
                    path: PathBuf::from(row.get::<_, String>(0)?),
                    mark: FileMark { file_bytes, modified_ns: row.get(2)? },
                    hash: row.get(3)?,
                    kind: kind_of(&row.get::<_, String>(4)?)?,
                    is_master: row.get::<_, i64>(5)? != 0,
                })
            })
            .map_err(&told)?;
        rows.collect::<rusqlite::Result<Vec<_>>>().map_err(&told)
    }

    /// What the database says of its own state; empty when all is well.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub fn check_index(&self) -> Result<Vec<String>> {
        let told = self.told("checking the index");
        let mut check = self.db.prepare("PRAGMA integrity_check").map_err(&told)?;
        let lines = check.query_map([], |r| r.get::<_, String>(0)).map_err(&told)?;
        let mut lines: Vec<String> = lines.collect::<rusqlite::Result<_>>().map_err(&told)?;
        lines.retain(|l| l != "ok");
        let wrong: i64 = self
            .db
            .query_row(
                "SELECT COUNT(*) FROM (SELECT batch, COUNT(*) AS n FROM frame \
                 WHERE batch IS NOT NULL GROUP BY batch) AS real \
                 FULL JOIN batch ON name = real.batch WHERE n IS NOT batch.frames",
                [],
                |r| r.get(0),
            )
            .map_err(&told)?;
        if wrong > 0 {
            lines.push(format!("{wrong} batches of frames have a wrong count"));
        }
        Ok(lines)
    }
}
