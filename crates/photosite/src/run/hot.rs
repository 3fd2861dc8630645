//! The pixels that are left out of everything that is measured of a sensor.

use std::sync::Mutex;

use photosite_pix::FrameKind;

use crate::Result;
use crate::error::Reach;
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Grid, HotPixels};
use crate::stack::{Prepared, ReadBuffers};
use crate::work::{Context, for_each};

/// Degrees that double dark current, nearly enough to tell which darks are the warmest.
const DOUBLING_C: f64 = 6.5;
/// With more hot pixels than this share it is something else that was found.
const MOST_HOT: f64 = 0.02;

/// The pixels that are hot in two of the warmest darks.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn hot_pixels(
    grid: &Grid,
    sets: &[(FrameKind, Vec<RawFrame>)],
    handling: Handling<'_>,
    context: &Context<'_>,
) -> Result<HotPixels> {
    let warmth = |members: &[RawFrame]| {
        let first = &members[0];
        first.exposure_s() * (first.temp_c().unwrap_or(0.0) / DOUBLING_C).exp2()
    };
    let darks = sets.iter().filter(|(kind, _)| *kind == FrameKind::Dark).map(|(_, m)| &m[..]);
    let warmest = darks.max_by(|a, b| {
        // Of one frame a hit cannot be told from a hot pixel.
        (a.len() > 1).cmp(&(b.len() > 1)).then(warmth(a).total_cmp(&warmth(b)))
    });
    let Some(members) = warmest else { return Ok(HotPixels::default()) };
    let two = [members.first(), members.get(1).or(members.first())];
    let opened: Result<Vec<Prepared>> =
        two.into_iter().flatten().map(|raw| raw.open(handling)).collect();
    let opened = match opened {
        Ok(opened) => opened,
        Err(e) if e.reach() == Reach::Run => return Err(e),
        // What cannot be read is told where its set is looked at.
        Err(_) => return Ok(HotPixels::default()),
    };
    let slots: Vec<Mutex<HotPixels>> = (0..grid.down).map(|_| Mutex::default()).collect();
    let room = || (ReadBuffers::default(), [Vec::new(), Vec::new()]);
    for_each(grid.down, context, room, |(buffers, rows), strip| {
        let range = grid.rows(strip);
        for (source, out) in opened.iter().zip(rows.iter_mut()) {
            out.resize(range.len() * grid.size.width, 0.0);
            source.read(range.clone(), 0..grid.size.width, buffers, out)?;
        }
        let seen = HotPixels::see_strip((grid, strip), &rows[0], &rows[1]);
        *slots[strip].lock().expect("no holder panics") = seen;
        Ok(())
    })?;
    let mut hot = HotPixels::default();
    slots.into_iter().for_each(|s| hot.join(s.into_inner().expect("no holder panics")));
    let share = hot.count() as f64 / grid.size.pixels() as f64;
    Ok(if share > MOST_HOT { HotPixels::default() } else { hot })
}
