//! Building a dark model of masters in files, band by band.

use std::path::PathBuf;
use std::sync::Mutex;

use photosite_pix::{CfaPattern, Header, MaskBits, Plane, Size};

use super::labels::contradicted_exposures;
use super::model::{DarkModel, Doubt, MODEL_SCHEMA};
use super::open::OpenMaster;
use crate::budget::FIXED_BYTES;
use crate::calibrate::dark::DOUBLING_C;
use crate::calibrate::dark::model::{
    Fitted, Grid, Known, MasterRows, PixelRows, Planes, Refused, Seen, Sums, Term, enough, look,
};
use crate::error::Reach;
use crate::provenance::{Input, Provenance};
use crate::work::{Context, for_each};
use crate::{Error, Result};

/// Bytes a pixel of a model's planes.
const MODEL_BYTES: u64 = 7 * 4 + 2;
/// Pixels on which masters are left out by turns.
const JUDGED_PIXELS: usize = 1 << 20;

impl DarkModel {
    /// Builds a model of master biases and darks in files, which must be of one set-up; on all threads,
    /// band by band.
    ///
    /// # Errors
    /// When a file cannot be read, masters differ in size or array, they prove too little for a model, or
    /// the memory allowed is too little.
    pub fn build(masters: &[PathBuf], context: &Context<'_>) -> Result<Self> {
        let mut opened: Vec<OpenMaster> =
            masters.iter().map(|p| OpenMaster::open(p)).collect::<Result<_>>()?;
        opened.sort_by(|a, b| {
            let key =
                |m: &OpenMaster| (m.term.exposure_s, m.term.temp_c.unwrap_or(f64::NEG_INFINITY));
            let ((s, c), (t, d)) = (key(a), key(b));
            s.total_cmp(&t).then(c.total_cmp(&d)).then(a.hash.cmp(&b.hash))
        });
        opened.dedup_by(|a, b| a.hash == b.hash);
        let terms: Vec<Term> = opened.iter().map(|m| m.term.clone()).collect();
        enough(&terms).map_err(Refused::error)?;
        let (size, cfa) = (opened[0].size, opened[0].cfa);
        if let Some(odd) = opened.iter().find(|m| m.size != size || m.cfa != cfa) {
            return Err(Error::mismatch(format!(
                "{} is {} pixels with {}, {} is {size} with {}",
                odd.path.display(),
                odd.size,
                named(odd.cfa),
                opened[0].path.display(),
                named(cfa)
            )));
        }
        let grid = Grid::new(size, cfa);
        let threads = threads_within(grid, opened.len(), context)?;
        let context = &Context { threads, ..*context };
        let warm = |t: &Term| t.exposure_s * (t.temp_c.unwrap_or(0.0) / DOUBLING_C).exp2();
        let strongest = (0..terms.len())
            .max_by(|a, b| warm(&terms[*a]).total_cmp(&warm(&terms[*b])))
            .unwrap_or(0);
        let saturation = Mutex::new(f64::INFINITY);
        let bands = on_bands(grid, &opened, context, |band, rows, _| {
            if let Some(low) = rows.1 {
                let mut all = saturation.lock().expect("no holder panics");
                *all = all.min(low);
            }
            look(grid, band, rows.0, strongest)
        })?;
        let frames: Vec<usize> = terms.iter().map(|t| t.frames).collect();
        let seen = Seen::of(grid, bands, &frames);
        let known = Known::of(&seen, terms).map_err(Refused::error)?;
        let fitted = Fitted::new(&known, &seen);
        let every = (size.pixels() / JUDGED_PIXELS).max(1);
        let parts = on_bands(grid, &opened, context, |band, rows, inner| {
            let cut = |v: &[f32]| v.get(inner.clone()).unwrap_or_default().to_vec();
            let inside = |m: &MasterRows| MasterRows {
                data: cut(&m.data),
                variance: cut(&m.variance),
                mask: m.mask.get(inner.clone()).unwrap_or_default().to_vec(),
            };
            let masters: Vec<MasterRows> = rows.0.iter().map(inside).collect();
            fitted.rows(grid.band(band).start, size.width, &masters, band % every == 0)
        })?;
        let mut sums = vec![Default::default(); opened.len()];
        let mut planes = PlaneRows::default();
        for (rows, left) in parts {
            planes.add(rows);
            sums.iter_mut().zip(left).for_each(|(all, one): (&mut Sums, _)| all.add(one));
        }
        let held_out = fitted.held_out(&sums);
        let mut doubts = contradicted_exposures(masters)?;
        doubts.extend(fitted.odd_levels().map(|(term, off_adu, error_adu)| {
            let side = if off_adu > 0.0 { "above" } else { "below" };
            let message = format!(
                "the level of {} lies {:.1} +- {error_adu:.1} ADU {side} what the other masters foretell: another \
                 offset, or light",
                term.name,
                off_adu.abs()
            );
            Doubt { master: term.name.clone(), message }
        }));
        let own = known.laws.doubling_c.is_some();
        let headers: Vec<&Header> = opened.iter().map(|m| &m.header).collect();
        let inputs = opened.iter().map(|m| {
            let role = if m.term.exposure_s > 0.0 { "master dark" } else { "master bias" };
            Input::new(role, &m.path, m.hash)
        });
        let provenance = Provenance::new(
            "dark model",
            inputs.collect(),
            serde_json::json!({ "schema": MODEL_SCHEMA }),
        );
        let saturation_adu = Some(saturation.into_inner().expect("no holder panics"));
        let mut model = Self {
            planes: planes.whole(size, own),
            held_out,
            doubts,
            saturation_adu: saturation_adu.filter(|v| v.is_finite()),
            cfa,
            header: crate::header::dark_model_header(&headers),
            provenance,
            known,
        };
        model.describe();
        Ok(model)
    }
}

fn named(cfa: Option<CfaPattern>) -> String {
    cfa.map_or_else(|| "no colour filter array".to_owned(), |c| format!("the array {c}"))
}

/// Bytes that a worker holds: rows of all masters, and what becomes of them.
fn band_bytes(grid: Grid, masters: usize) -> u64 {
    let rows = grid.with_margin(&grid.band(0)).len() as u64;
    rows * grid.size.width as u64 * (2 * masters as u64 * (4 + 4 + 2) + MODEL_BYTES + 4)
}

/// How many threads the memory allows.
fn threads_within(grid: Grid, masters: usize, context: &Context<'_>) -> Result<usize> {
    // The planes, and once more what they are put together from.
    let planes = 2 * grid.size.pixels() as u64 * MODEL_BYTES + FIXED_BYTES;
    let each = band_bytes(grid, masters);
    let needed = planes + each;
    if needed > context.memory_bytes {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(Error::memory(format!(
            "a dark model of {masters} masters of {} pixels cannot be built in {} MiB; allow --memory \
             {}MiB or more",
            grid.size,
            mib(context.memory_bytes),
            mib(needed)
        ))
        .reaching(Reach::Product));
    }
    let affordable = (context.memory_bytes - planes) / each;
    Ok(context.threads.min(affordable as usize).max(1))
}

/// Does `work` for the rows of each band with their margin; in `inner` lie those of the band itself.
fn on_bands<T: Send>(
    grid: Grid,
    masters: &[OpenMaster],
    context: &Context<'_>,
    work: impl Fn(usize, (&[MasterRows], Option<f64>), std::ops::Range<usize>) -> T + Sync,
) -> Result<Vec<T>> {
    let slots: Vec<Mutex<Option<T>>> = (0..grid.bands()).map(|_| Mutex::new(None)).collect();
    let state = || (vec![MasterRows::default(); masters.len()], Vec::new());
    for_each(grid.bands(), context, state, |(rows, scratch), band| {
        let own = grid.band(band);
        let whole = grid.with_margin(&own);
        let mut saturated = None;
        for (master, rows) in masters.iter().zip(rows.iter_mut()) {
            let low = master.read(whole.clone(), scratch, rows)?;
            saturated = low.into_iter().chain(saturated).reduce(f64::min);
        }
        let width = grid.size.width;
        let inner = (own.start - whole.start) * width..(own.end - whole.start) * width;
        *slots[band].lock().expect("no holder panics") = Some(work(band, (rows, saturated), inner));
        Ok(())
    })?;
    let done = slots.into_iter().map(|s| s.into_inner().expect("no holder panics"));
    Ok(done.map(|d| d.expect("every band was visited")).collect())
}

/// Planes that grow row by row.
#[derive(Default)]
struct PlaneRows(PixelRows);

impl PlaneRows {
    fn add(&mut self, rows: PixelRows) {
        let all = &mut self.0;
        all.bias.extend(rows.bias);
        all.bias_error.extend(rows.bias_error);
        all.rate.extend(rows.rate);
        all.rate_error.extend(rows.rate_error);
        all.correlation.extend(rows.correlation);
        all.r2.extend(rows.r2);
        all.doubling_c.extend(rows.doubling_c);
        all.mask.extend(rows.mask);
    }

    fn whole(self, size: Size, own_doubling: bool) -> Planes {
        let rows = self.0;
        let plane =
            |v: Vec<f32>| Plane::from_vec(size, v).unwrap_or_else(|| Plane::filled(size, f32::NAN));
        let told = own_doubling && rows.doubling_c.iter().any(|v| v.is_finite());
        Planes {
            doubling_c: told.then(|| plane(rows.doubling_c)),
            bias: plane(rows.bias),
            bias_error: plane(rows.bias_error),
            rate: plane(rows.rate),
            rate_error: plane(rows.rate_error),
            correlation: plane(rows.correlation),
            r2: plane(rows.r2),
            mask: Plane::from_vec(size, rows.mask)
                .unwrap_or_else(|| Plane::filled(size, MaskBits::NO_DATA)),
        }
    }
}
