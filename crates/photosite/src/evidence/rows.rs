//! Whether frames lie the same way up, as their hot pixels show it.

use super::glance::{Glance, RUN};

/// A hot pixel of a dark stands out of its row by so many sigmas, in each of its frames.
const HOT_SIGMAS: f64 = 8.0;

/// The hottest pixels that are looked for, and how many at least can tell.
const HOTTEST: usize = 400;
const FEWEST: usize = 8;

/// Errors by which hot pixels show in lights, and how many times as strong they are one way up as the
/// other.
const CERTAIN: f64 = 8.0;
const TIMES: f64 = 5.0;

/// A star on a hot pixel counts for as much as so many times its strength.
const MOST: f32 = 2.0;

/// Neighbours in the row that a pixel stands out of, on each side: of its own colour, whether there is
/// an array or not.
const BESIDE: [usize; 4] = [2, 4, 6, 8];

/// What hot pixels say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsVerdict {
    /// Both lie the same way up.
    Alike,
    /// One of them lies upside down.
    TurnedOver,
    /// There are too few hot pixels, or they do not show.
    Unclear,
}

impl Glance {
    /// How far a sample stands out of its row, in ADU; `row` counts those that were looked at.
    pub(super) fn stands_out(&self, row: usize, x: usize) -> f32 {
        let samples = self.row(row);
        let mut beside = [0.0f32; 8];
        let mut n = 0;
        for d in BESIDE {
            for at in [x.checked_sub(d), Some(x + d)].into_iter().flatten() {
                if let Some(v) = samples.get(at) {
                    beside[n] = *v;
                    n += 1;
                }
            }
        }
        let beside = &mut beside[..n];
        if beside.is_empty() {
            return 0.0;
        }
        let at = n / 2;
        samples[x] - *beside.select_nth_unstable_by(at, f32::total_cmp).1
    }
}

/// The row that takes the place of one when all are turned over: runs come in pairs.
fn mirrored(row: usize) -> usize {
    let (run, inside) = (row / RUN, row % RUN);
    (run ^ 1) * RUN + RUN - 1 - inside
}

/// Whether frames without light lie the same way up as lights; those whose samples are forgotten
/// have no say.
pub fn rows(dark: &[&Glance], lights: &[&Glance]) -> RowsVerdict {
    let told = |f: &&Glance| f.row_count() > 0;
    let dark: Vec<&Glance> = dark.iter().copied().filter(told).collect();
    let lights: Vec<&Glance> = lights.iter().copied().filter(told).collect();
    let Some(first) = dark.first() else { return RowsVerdict::Unclear };
    let count = first.row_count();
    let lights: Vec<&Glance> = lights.into_iter().filter(|l| l.size == first.size).collect();
    if lights.is_empty() || count < 2 * RUN || dark.iter().any(|d| d.size != first.size) {
        return RowsVerdict::Unclear;
    }
    let reach = (HOT_SIGMAS * first.scatter_adu) as f32;
    let mut hot: Vec<(f32, usize, usize)> = Vec::new();
    for row in 0..count {
        let from = first.median_adu as f32 + reach;
        for (x, _) in first.row(row).iter().enumerate().filter(|(_, v)| **v > from) {
            // A cosmic ray strikes one frame.
            let least = dark.iter().map(|d| d.stands_out(row, x)).fold(f32::INFINITY, f32::min);
            if least > reach {
                hot.push((least, row, x));
            }
        }
    }
    hot.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    hot.truncate(HOTTEST);
    if hot.len() < FEWEST {
        return RowsVerdict::Unclear;
    }
    // How strong they are in the lights, as a share of their strength in the darks.
    let mut seen = Vec::with_capacity(lights.len());
    let mut strength = |place: &dyn Fn(usize) -> usize| {
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for (excess, row, x) in &hot {
            seen.clear();
            seen.extend(lights.iter().map(|l| l.stands_out(place(*row), *x)));
            let at = seen.len() / 2;
            let middle = *seen.select_nth_unstable_by(at, f32::total_cmp).1;
            let bound = MOST * excess;
            sum += f64::from(excess * middle.clamp(-bound, bound));
            squares += f64::from(excess * excess);
        }
        (sum / squares, squares.sqrt())
    };
    let (alike, unit) = strength(&|row| row);
    let (turned, _) = strength(&mirrored);
    let scatter = lights.iter().map(|l| l.scatter_adu).fold(0.0, f64::max).max(0.5);
    let error = 1.5 * scatter / (lights.len() as f64).sqrt() / unit;
    let clear = |this: f64, other: f64| this > CERTAIN * error && this > TIMES * other.abs();
    match (clear(alike, turned), clear(turned, alike)) {
        (true, _) => RowsVerdict::Alike,
        (_, true) => RowsVerdict::TurnedOver,
        _ => RowsVerdict::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::super::glance::tests::{glance, noise};
    use super::*;

    #[test]
    fn hot_pixels_tell_which_way_up_a_frame_lies() {
        for size in [Size::new(320, 240), Size::new(321, 241), Size::new(2000, 1500)] {
            let frame = |seed: usize, sky: f32, hot: f32, turned: bool| {
                glance(size, move |x, y| {
                    let y = if turned { size.height - 1 - y } else { y };
                    let is_hot = (x * 1_000_003 + y * 7907) % 1987 == 3;
                    let star = ((x + seed) / 5 + (y / 5) * 331).is_multiple_of(797);
                    500.0
                        + sky
                        + 5.0 * noise(x + seed, y)
                        + if is_hot { hot } else { 0.0 }
                        + if star && sky > 0.0 { 2000.0 } else { 0.0 }
                })
            };
            let darks = [frame(1000, 0.0, 400.0, false), frame(2000, 0.0, 400.0, false)];
            let darks: Vec<&Glance> = darks.iter().collect();
            for (hot, turned, expected) in [
                (400.0, false, RowsVerdict::Alike),
                (400.0, true, RowsVerdict::TurnedOver),
                (0.0, true, RowsVerdict::Unclear),
                (30.0, false, RowsVerdict::Alike),
            ] {
                let lights = [frame(10, 300.0, hot, turned), frame(37, 310.0, hot, turned)];
                let lights: Vec<&Glance> = lights.iter().collect();
                assert_eq!(rows(&darks, &lights), expected, "{size} {hot} {turned}");
            }
            assert_eq!(rows(&darks, &[]), RowsVerdict::Unclear);
        }
    }
}
