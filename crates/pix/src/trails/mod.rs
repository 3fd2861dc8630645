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
    let mut measured = Measured::of(data, mesh, stars, fwhm_px);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    fn look(data: &Plane<f32>, mask: &Plane<MaskBits>) -> (Vec<Trail>, Bins) {
        find(data, mask, &Mesh::of(data, mask), &[], None)
    }

    /// Whole numbers about 0 whose scatter is about 10.
    fn noise(size: Size) -> Plane<f32> {
        let mut state = 5u64;
        Plane::from_fn(size, |_, _| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (0..4).map(|i| ((state >> (24 + 10 * i)) & 1023) as f32 / 1023.0 - 0.5).sum::<f32>()
                * 17.3
        })
    }

    #[test]
    fn frames_without_a_sky_have_no_trails() {
        for (width, height) in [(1, 1), (1, 900), (3, 2), (70, 5), (64, 64), (300, 20)] {
            let size = Size::new(width, height);
            let mask = Plane::zeroed(size);
            for value in [0.0, f32::NAN, f32::INFINITY, f32::MAX, f32::MIN, 1e-42] {
                assert!(look(&Plane::filled(size, value), &mask).0.is_empty(), "{size} {value}");
            }
            let wild = Plane::from_fn(size, |x, y| match (x * 31 + y * 17) % 7 {
                0 => f32::NAN,
                1 => f32::MAX,
                2 => f32::NEG_INFINITY,
                3 => -1e30,
                n => n as f32,
            });
            look(&wild, &mask);
        }
    }

    /// Edges, slopes and masked columns are none; a line on the same frame is one, whether its
    /// middle is masked or not.
    #[test]
    fn a_line_is_told_from_edges_slopes_and_masked_columns() {
        let size = Size::new(700, 500);
        let mut mask = Plane::zeroed(size);
        let mut data = noise(size);
        for y in 0..size.height {
            for (x, v) in data.row_mut(y).iter_mut().enumerate() {
                *v += 0.1 * x as f32 + if x + y > 640 { 15.0 } else { 0.0 };
            }
            data.row_mut(y)[300] += 2000.0;
            mask.row_mut(y)[300] = MaskBits::HOT;
        }
        assert!(look(&data, &mask).0.is_empty());
        for y in 0..size.height {
            for (x, v) in data.row_mut(y).iter_mut().enumerate() {
                let aside = (y as f32 - 60.0 - 0.3 * x as f32) / 1.6;
                *v += 20.0 * (-0.5 * aside * aside).exp();
                if aside.abs() < 0.5 && x % 3 != 0 {
                    mask.row_mut(y)[x] = MaskBits::SATURATED;
                }
            }
        }
        let (found, bins) = look(&data, &mask);
        assert_eq!(found.len(), 1, "{found:?}");
        let trail = found[0];
        for share in [0.05, 0.5, 0.95] {
            let at = trail.at(share);
            assert!((at.y - 60.0 - 0.3 * at.x).abs() < 1.5, "{trail:?}");
        }
        assert!(trail.length_px() > 700.0 && trail.half_width_px < 10.0, "{trail:?}");
        assert!((trail.peak_sigma - 2.0).abs() < 0.4, "{trail:?}");
        let path = |aside: f64| {
            let on = move |i| {
                let at = trail.at(f64::from(i) / 400.0);
                crate::align::Point::new(at.x, at.y + aside)
            };
            bins.along((0..=400).map(on))
        };
        let (on, beside) = (path(0.0).unwrap(), path(40.0).unwrap());
        assert!(on > 10.0 && beside.abs() < 4.0, "{on} {beside}");
        assert_eq!(path(1e9), None);
    }
}
