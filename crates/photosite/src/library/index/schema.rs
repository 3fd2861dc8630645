//! The tables, and how older ones become newer ones.

use rusqlite::Connection;

/// Each entry makes the next version of the schema from the one before it; none is ever changed.
pub(super) const MIGRATIONS: &[&str] = &[
    // 1: a row a frame, known by what it holds, and a row a path where it lies.
    "CREATE TABLE frame (
         id INTEGER PRIMARY KEY,
         hash BLOB NOT NULL UNIQUE,
         kind TEXT NOT NULL,
         is_master INTEGER NOT NULL,
         frames INTEGER NOT NULL,
         software TEXT,
         product_key TEXT,
         median_adu REAL,
         hot_adu REAL,
         flat_level_adu REAL,
         width INTEGER NOT NULL,
         height INTEGER NOT NULL,
         binning_x INTEGER,
         binning_y INTEGER,
         origin_x INTEGER,
         origin_y INTEGER,
         camera TEXT,
         gain_setting REAL,
         offset_setting REAL,
         readout_mode TEXT,
         cfa TEXT,
         temp_c REAL,
         exposure_s REAL,
         exposure_max_s REAL,
         filter TEXT,
         telescope TEXT,
         focal_length_mm REAL,
         rotator_deg REAL,
         set_temp_c REAL,
         date_obs TEXT,
         gain_e_per_adu REAL,
         read_noise_e REAL,
         bias_removed INTEGER NOT NULL
     );
     CREATE TABLE path (
         path TEXT PRIMARY KEY,
         frame INTEGER NOT NULL REFERENCES frame (id),
         file_bytes INTEGER NOT NULL,
         modified_ns INTEGER NOT NULL
     ) WITHOUT ROWID;
     CREATE INDEX path_frame ON path (frame);
     CREATE INDEX frame_key ON frame (product_key) WHERE product_key IS NOT NULL;
     CREATE INDEX frame_master ON frame (kind) WHERE is_master;",
    // 2: raw frames of one set-up, temperature and time, counted, so that a hundred thousand frames
    // are some thousand candidates. It follows from the rows and is filled in by `fill_batches`.
    "ALTER TABLE frame ADD COLUMN batch TEXT;
     CREATE INDEX frame_batch ON frame (batch) WHERE batch IS NOT NULL;
     CREATE TABLE batch (
         name TEXT PRIMARY KEY,
         sample INTEGER NOT NULL,
         frames INTEGER NOT NULL,
         temp_sum REAL NOT NULL,
         temps INTEGER NOT NULL
     ) WITHOUT ROWID;",
    // 3: what parts gains, cameras of one model, and frames saved upside down. Batches are named anew.
    "ALTER TABLE frame ADD COLUMN gain_written REAL;
     ALTER TABLE frame ADD COLUMN camera_id TEXT;
     ALTER TABLE frame ADD COLUMN row_order TEXT;
     UPDATE frame SET batch = NULL;",
];

/// The version of this program's schema.
pub const SCHEMA_VERSION: usize = MIGRATIONS.len();

/// The version of a database.
pub(super) fn version(db: &Connection) -> rusqlite::Result<usize> {
    db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        .map(|v| usize::try_from(v).unwrap_or(usize::MAX))
}
