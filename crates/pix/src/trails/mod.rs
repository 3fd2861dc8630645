//! Trails of satellites and aircraft: lines that are found however faint, because they are long.
//!
//! The background of a frame is summed into bins, each compared with those around it, and bins into
//! all digital lines and their parts. The line that stands out most is looked at on the frame
//! itself: its course, how far it goes, and how far its wings reach. Then its bins are left out, and
//! the next is looked for. A trail of a tenth of the noise a pixel is found where it crosses a whole
//! frame; sample by sample none below four times the noise is.

mod band;
mod bins;
mod course;
mod fit;
mod radon;
mod trail;

pub use bins::Bins;
pub use trail::Trail;

use self::band::View;
use self::bins::{Measured, STEPS};
use self::radon::Line;
use crate::stars::{Mesh, Star};
use crate::{MaskBits, Plane};

/// Sigmas from which a line of bins is looked at on the frame; noise gets there in one frame of
/// three.
const LEAST_LINE_SNR: f64 = 5.0;

/// Lines that are looked at, at most.
const MOST_LINES: usize = 16;

/// The width of a star in pixels where none is known.
const USUAL_FWHM_PX: f64 = 3.0;

/// The trails of a frame, the strongest first, and its background in bins.
///
/// Stars bright enough to be told from pieces of a trail are left out, masked and non-finite samples
/// do not count; a saturated one is light like another. A line that is as bright on one side is an
/// edge, one that few of its parts light is none. Whatever stands in every frame (spikes, columns,
/// galaxies seen from the side) is found like a trail: [`Bins::along`] tells.
///
/// # Source
/// Brady1998; GoetzDruck1996.
pub fn find(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    mesh: &Mesh,
    stars: &[Star],
    fwhm_px: Option<f64>,
) -> (Vec<Trail>, Bins) {
    let fwhm_px = fwhm_px.unwrap_or(USUAL_FWHM_PX);
    let mut measured = Measured::of(data, mask, mesh, stars, fwhm_px);
    let bins = measured.compared();
    let mut trails = Vec::new();
    let mut left = bins.clone();
    for _ in 0..MOST_LINES {
        let Some(line) = radon::strongest(left.values(), STEPS) else { break };
        if line.snr < LEAST_LINE_SNR {
            break;
        }
        let place = |(i, j): (i64, i64)| bins.middle(i as f64, j as f64);
        let view = View { data, mask, mesh, bins: &measured };
        let ends = (place(line.from), place(line.to));
        match fit::trail(view, ends, fwhm_px) {
            Some(trail) => {
                leave_out_trail(&mut measured, &trail);
                trails.push(trail);
            }
            None => leave_out_line(&mut measured, &line),
        }
        left = measured.compared();
    }
    trails.sort_by(|a, b| b.snr.total_cmp(&a.snr));
    (trails, bins)
}

/// Leaves out every bin that a trail touches.
fn leave_out_trail(measured: &mut Measured, trail: &Trail) {
    let (size, side) = (measured.size(), measured.side());
    let wider = Trail { half_width_px: trail.half_width_px + side as f64, ..*trail };
    let middle = side / 2;
    let mut touched = Vec::new();
    wider.spans(0..size.height * side, size.width * side, |y, columns| {
        if y % side == middle {
            touched
                .extend((columns.start / side..columns.end.div_ceil(side)).map(|i| (i, y / side)));
        }
    });
    touched.into_iter().for_each(|(i, j)| measured.leave_out(i, j));
}

/// Leaves out the bins along a line that is no trail.
fn leave_out_line(measured: &mut Measured, line: &Line) {
    let size = measured.size();
    let (dx, dy) = (line.to.0 - line.from.0, line.to.1 - line.from.1);
    let steps = dx.abs().max(dy.abs()).max(1);
    for step in 0..=steps {
        let on = |from: i64, run: i64| from + (run * step + steps / 2).div_euclid(steps);
        let (x, y) = (on(line.from.0, dx), on(line.from.1, dy));
        for (i, j) in [(x, y), (x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)] {
            match (usize::try_from(i), usize::try_from(j)) {
                (Ok(i), Ok(j)) if i < size.width && j < size.height => measured.leave_out(i, j),
                _ => {}
            }
        }
    }
}
