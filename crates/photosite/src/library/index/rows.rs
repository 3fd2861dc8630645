//! Rows: traits as columns, and batches of raw frames.

use photosite_pix::{CfaPattern, FrameKind, RowOrder, Size};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::library::group::exact_key;
use crate::library::{Field, Level, Record, Traits, show_seconds};

/// The columns of [`Traits`], in the order of [`traits_values`].
pub(super) const TRAITS_COLUMNS: &str = "width, height, binning_x, binning_y, origin_x, origin_y, \
     camera, gain_setting, offset_setting, readout_mode, cfa, temp_c, exposure_s, exposure_max_s, \
     filter, telescope, focal_length_mm, rotator_deg, set_temp_c, date_obs, gain_e_per_adu, \
     read_noise_e, bias_removed, gain_written, camera_id, row_order";

/// How many columns [`TRAITS_COLUMNS`] names.
const TRAITS_COUNT: usize = 26;

fn traits_values(t: &Traits) -> [Value; TRAITS_COUNT] {
    let pair = |p: Option<(u32, u32)>| p.map(|(x, y)| (i64::from(x), i64::from(y)));
    let (binning, origin) = (pair(t.binning), t.origin);
    let text = |t: &Option<String>| Value::from(t.clone());
    [
        Value::from(t.size.width as i64),
        Value::from(t.size.height as i64),
        Value::from(binning.map(|b| b.0)),
        Value::from(binning.map(|b| b.1)),
        Value::from(origin.map(|o| o.0)),
        Value::from(origin.map(|o| o.1)),
        text(&t.camera),
        Value::from(t.gain_setting),
        Value::from(t.offset_setting),
        text(&t.readout_mode),
        Value::from(t.cfa.map(|c| c.to_string())),
        Value::from(t.temp_c),
        Value::from(t.exposure_s),
        Value::from(t.exposure_max_s),
        text(&t.filter),
        text(&t.telescope),
        Value::from(t.focal_length_mm),
        Value::from(t.rotator_deg),
        Value::from(t.set_temp_c),
        text(&t.date_obs),
        Value::from(t.gain_e_per_adu),
        Value::from(t.read_noise_e),
        Value::from(i64::from(t.bias_removed)),
        Value::from(t.gain_written),
        text(&t.camera_id),
        Value::from(t.show(Field::RowOrder)),
    ]
}

/// The traits in a row, from column `at` on.
pub(super) fn traits_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Traits> {
    let pair = |a: Option<i64>, b: Option<i64>| a.zip(b);
    let size = |n: i64| usize::try_from(n).unwrap_or(0);
    let binning = pair(row.get(at + 2)?, row.get(at + 3)?);
    Ok(Traits {
        size: Size::new(size(row.get(at)?), size(row.get(at + 1)?)),
        binning: binning.and_then(|(x, y)| Some((u32::try_from(x).ok()?, u32::try_from(y).ok()?))),
        origin: pair(row.get(at + 4)?, row.get(at + 5)?),
        camera: row.get(at + 6)?,
        gain_setting: row.get(at + 7)?,
        offset_setting: row.get(at + 8)?,
        readout_mode: row.get(at + 9)?,
        cfa: row.get::<_, Option<String>>(at + 10)?.and_then(|c| CfaPattern::parse(&c)),
        temp_c: row.get(at + 11)?,
        exposure_s: row.get(at + 12)?,
        exposure_max_s: row.get(at + 13)?,
        filter: row.get(at + 14)?,
        filter_as: None,
        telescope: row.get(at + 15)?,
        focal_length_mm: row.get(at + 16)?,
        rotator_deg: row.get(at + 17)?,
        set_temp_c: row.get(at + 18)?,
        date_obs: row.get(at + 19)?,
        gain_e_per_adu: row.get(at + 20)?,
        read_noise_e: row.get(at + 21)?,
        bias_removed: row.get::<_, i64>(at + 22)? != 0,
        gain_written: row.get(at + 23)?,
        camera_id: row.get(at + 24)?,
        row_order: match row.get::<_, Option<String>>(at + 25)?.as_deref() {
            Some("TOP-DOWN") => Some(RowOrder::TopDown),
            Some("BOTTOM-UP") => Some(RowOrder::BottomUp),
            _ => None,
        },
    })
}

/// The kind that a column names.
///
/// # Errors
/// When no kind has that name: a row that no version known here wrote is never taken for another.
pub(super) fn kind_of(name: &str) -> rusqlite::Result<FrameKind> {
    FrameKind::ALL.into_iter().find(|k| k.slug() == name).ok_or_else(|| {
        let told = format!("{name:?} is not a frame kind known to this version");
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, told.into())
    })
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    /// A frame that is known, under another name.
    NewPath,
    Known,
}

/// A record that was entered.
pub(super) struct Entered {
    pub what: Inserted,
    /// Another frame lay at this path before.
    pub displaced: bool,
}

/// Enters a record: a row for the frame unless it is known, and one for its path.
pub(super) fn insert(db: &Connection, record: &Record, path: &str) -> rusqlite::Result<Entered> {
    let hash = record.hash.as_bytes();
    let mut find = db.prepare_cached("SELECT id FROM frame WHERE hash = ?1")?;
    let known: Option<i64> = find.query_row([hash], |r| r.get(0)).optional()?;
    let frame = match known {
        Some(id) => id,
        None => insert_frame(db, record)?,
    };
    let mut before = db.prepare_cached("SELECT frame FROM path WHERE path = ?1")?;
    let before: Option<i64> = before.query_row([path], |r| r.get(0)).optional()?;
    let mut place = db.prepare_cached(
        "INSERT INTO path (path, frame, file_bytes, modified_ns) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (path) DO UPDATE SET frame = ?2, file_bytes = ?3, modified_ns = ?4
         WHERE frame != ?2 OR file_bytes != ?3 OR modified_ns != ?4",
    )?;
    let bytes = i64::try_from(record.mark.file_bytes).unwrap_or(i64::MAX);
    let changed = place.execute(params![path, frame, bytes, record.mark.modified_ns])?;
    let what = match (known, changed) {
        (None, _) => Inserted::New,
        (Some(_), 0) => Inserted::Known,
        (Some(_), _) => Inserted::NewPath,
    };
    Ok(Entered { what, displaced: before.is_some_and(|old| old != frame) })
}

fn insert_frame(db: &Connection, record: &Record) -> rusqlite::Result<i64> {
    let batch = (!record.is_master).then(|| batch_name(record.kind, &record.traits));
    let mut values: Vec<Value> = vec![
        Value::from(record.hash.as_bytes().to_vec()),
        Value::from(record.kind.slug().to_owned()),
        Value::from(i64::from(record.is_master)),
        Value::from(record.frames as i64),
        Value::from(record.software.clone()),
        Value::from(record.key.clone()),
        Value::from(record.level.map(|l| l.median_adu)),
        Value::from(record.level.map(|l| l.hot_adu)),
        Value::from(record.flat_level_adu),
        Value::from(batch.clone()),
    ];
    values.extend(traits_values(&record.traits));
    let mut insert = db.prepare_cached(&format!(
        "INSERT INTO frame (hash, kind, is_master, frames, software, product_key, median_adu, \
         hot_adu, flat_level_adu, batch, {TRAITS_COLUMNS}) VALUES (?{})",
        ", ?".repeat(values.len() - 1)
    ))?;
    let id = insert.insert(rusqlite::params_from_iter(values))?;
    if let Some(batch) = batch {
        let temp_c = record.traits.temp_c;
        let mut count = db.prepare_cached(
            "INSERT INTO batch (name, sample, frames, temp_sum, temps) VALUES (?1, ?2, 1, ?3, ?4)
             ON CONFLICT (name) DO UPDATE
             SET frames = frames + 1, temp_sum = temp_sum + ?3, temps = temps + ?4",
        )?;
        count.execute(params![batch, id, temp_c.unwrap_or(0.0), i64::from(temp_c.is_some())])?;
    }
    Ok(id)
}

/// The batch that a raw frame belongs to: all that must be equal, exposure, temperature to the
/// degree, and the time: the night for flats, for dust moves; the month for the rest.
pub(super) fn batch_name(kind: FrameKind, t: &Traits) -> String {
    let dash = || "-".to_owned();
    let number = |v: Option<f64>| v.map_or_else(dash, show_seconds);
    let (exposure, temp, optics, time) = match kind {
        FrameKind::Flat | FrameKind::Light => {
            let whole = |v: Option<f64>| v.map_or_else(dash, |v| v.round().to_string());
            let optics = format!("{} {}", whole(t.focal_length_mm), whole(t.rotator_deg));
            // A night ends at noon.
            let night = t.day().map_or_else(dash, |d| (d - 0.5).floor().to_string());
            (dash(), dash(), optics, night)
        }
        FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat => {
            let exposure = if kind == FrameKind::Bias { dash() } else { number(t.exposure_s) };
            let temp = t.temp_c.map_or_else(dash, |c| (c.round() + 0.0).to_string());
            let month = t.date_obs.as_deref().and_then(|d| d.get(..7)).unwrap_or("-");
            (exposure, temp, String::new(), month.to_owned())
        }
    };
    format!("{} {} {exposure} {temp} {optics} {time}", kind.slug(), exact_key(kind, t))
}

/// Gives every raw frame that has none the name of its batch.
pub(super) fn name_batches(db: &Connection) -> rusqlite::Result<()> {
    let mut frames = db.prepare(&format!(
        "SELECT id, kind, {TRAITS_COLUMNS} FROM frame WHERE NOT is_master AND batch IS NULL"
    ))?;
    let named = frames.query_map([], |row| {
        let kind = kind_of(&row.get::<_, String>(1)?).unwrap_or(FrameKind::Dark);
        Ok((row.get::<_, i64>(0)?, batch_name(kind, &traits_of(row, 2)?)))
    })?;
    let named: Vec<(i64, String)> = named.collect::<rusqlite::Result<_>>()?;
    let mut set = db.prepare("UPDATE frame SET batch = ?2 WHERE id = ?1")?;
    for (id, name) in named {
        set.execute(params![id, name])?;
    }
    Ok(())
}

/// Counts all batches again.
pub(super) fn fill_batches(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "DELETE FROM batch;
         INSERT INTO batch (name, sample, frames, temp_sum, temps)
         SELECT batch, MIN(id), COUNT(*), COALESCE(SUM(temp_c), 0.0), COUNT(temp_c)
         FROM frame WHERE batch IS NOT NULL GROUP BY batch;",
    )
}

/// The level in a row, from column `at` on.
pub(super) fn level_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Level>> {
    let median: Option<f64> = row.get(at)?;
    let hot: Option<f64> = row.get(at + 1)?;
    Ok(median.zip(hot).map(|(median_adu, hot_adu)| Level { median_adu, hot_adu }))
}
