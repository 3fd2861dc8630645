//! Pixels that do not measure light: found in masters, repaired in lights.
//!
//! ```
//! use photosite::defects::{find, mark, repair};
//! use photosite_pix::{Frame, MaskBits, Plane, Size, Unit};
//!
//! // A dark with noise of about 2 ADU and one hot pixel.
//! let noise = |x: usize, y: usize| ((x * 7 + y * 13) % 5) as f32;
//! let mut dark = Plane::from_fn(Size::new(64, 64), noise);
//! dark.set(20, 30, 400.0);
//! let found = find(&dark, 0..64, None, 1.5);
//! let mut frame = Frame::new(dark, Unit::Adu);
//! assert_eq!(mark(&mut frame, &found), (1, 0));
//! assert!(frame.mask.get(20, 30).contains(MaskBits::HOT));
//! assert_eq!(repair(&mut frame, None, &[(20, 30)]), 1);
//! assert!(frame.data.get(20, 30) < 5.0);
//! ```

use std::ops::Range;

use multiversion::multiversion;
use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, Rect, Size, stat};

/// How far beyond its surroundings a pixel must stand, in sigmas.
pub const KAPPA: f32 = 8.0;

/// Side in pixels of the tiles in which the noise is measured.
const TILE: usize = 256;

/// Steps of one colour to each side that count as surroundings: a 5x5 neighbourhood.
const REACH: isize = 2;

/// A pixel that does not measure light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// HOT or COLD.
    pub bits: MaskBits,
}

/// Rows of one tile: what [`find`] is best asked for at a time.
pub fn bands(height: usize) -> impl Iterator<Item = Range<usize>> {
    (0..height).step_by(TILE).map(move |y0| y0..(y0 + TILE).min(height))
}

/// Finds, in `rows` of a master, pixels far above their surroundings (HOT) and far below (COLD).
///
/// A pixel is HOT when it is more than [`KAPPA`] sigma above the median of the 24 same-colour
/// pixels around it, COLD when it is as far below. Sigma is the noise of the master in the
/// pixel's tile of 256x256, per colour (`pix::stat::noise`), or `frame_noise`, the noise of one
/// frame, where that is larger: a pixel that a single light cannot tell from its neighbours needs
/// no repair, nor does one of a flat that dividing mends. Missing samples do not count. `rows` must be one of [`bands`].
pub fn find(
    data: &Plane<f32>,
    rows: Range<usize>,
    cfa: Option<CfaPattern>,
    frame_noise: f32,
) -> Vec<Defect> {
    let size = data.size();
    let step = cfa.map_or(1, CfaPattern::period);
    let tiles: Vec<[f32; 3]> = (0..size.width)
        .step_by(TILE)
        .map(|x0| {
            let tile = Rect::new(x0, rows.start, TILE, TILE).clipped(size);
            tile_reaches(data, tile, cfa, frame_noise)
        })
        .collect();
    let mut judge = Judge::new(size.width, step);
    let mut found = Vec::new();
    for y in rows {
        let reach = |x: usize| tiles[x / TILE][cfa.map_or(0, |c| c.color(x, y).channel())];
        for (x, side) in
            judge.row(data, y, reach).iter().enumerate().filter(|(_, side)| **side != 0)
        {
            let bits = if *side > 0 { MaskBits::HOT } else { MaskBits::COLD };
            found.push(Defect { x, y, bits });
        }
    }
    found
}

/// Enters defects into a frame's mask; returns the numbers of HOT and COLD pixels.
pub fn mark(frame: &mut Frame, defects: &[Defect]) -> (usize, usize) {
    for d in defects {
        frame.mask.row_mut(d.y)[d.x] |= d.bits;
    }
    let hot = defects.iter().filter(|d| d.bits.contains(MaskBits::HOT)).count();
    (hot, defects.len() - hot)
}

/// Rows of one colour that are looked at for a pixel.
const ROWS: usize = 2 * REACH.unsigned_abs() + 1;

/// Pixels that are judged side by side.
const TOGETHER: usize = 32;

/// Judges the pixels of a row by their neighbours.
///
/// The median of the neighbours lies below v − reach exactly when more of those that are known lie
/// below it than do not, so counting serves and nothing is sorted; many pixels side by side, so
/// that the compiler makes vectors of it.
struct Judge {
    width: usize,
    step: usize,
    floor: Vec<f32>,
    ceiling: Vec<f32>,
    /// 1 for a pixel far above its neighbours, -1 for one far below, else 0.
    sides: Vec<i8>,
    /// Rows from the last on, each in its place, NaN beyond both ends.
    about: Vec<Vec<f32>>,
    /// Rows below this one are in their places.
    ready: usize,
    none: Vec<f32>,
}

impl Judge {
    fn new(width: usize, step: usize) -> Self {
        let whole = width.next_multiple_of(TOGETHER);
        let none = vec![f32::NAN; whole + (ROWS - 1) * step];
        Self {
            width,
            step,
            floor: vec![f32::NAN; whole],
            ceiling: vec![f32::NAN; whole],
            sides: vec![0; whole],
            about: vec![none.clone(); (ROWS - 1) * step + 1],
            ready: 0,
            none,
        }
    }

    /// The sides of row `y`; rows come from the first to the last.
    fn row(&mut self, data: &Plane<f32>, y: usize, reach: impl Fn(usize) -> f32) -> &[i8] {
        let far = REACH.unsigned_abs() * self.step;
        let places = self.about.len();
        for ready in self.ready.max(y.saturating_sub(far))..(y + far + 1).min(data.height()) {
            let to = &mut self.about[ready % places][far..far + self.width];
            for (to, v) in to.iter_mut().zip(data.row(ready)) {
                *to = if v.is_finite() { *v } else { f32::NAN };
            }
            self.ready = ready + 1;
        }
        let bounds = self.floor.iter_mut().zip(&mut self.ceiling).enumerate();
        for ((x, (floor, ceiling)), v) in bounds.zip(data.row(y)) {
            // A reach of 0 belongs to a constant tile, in which nothing can be told.
            let reach = if reach(x) > 0.0 { reach(x) } else { f32::NAN };
            (*floor, *ceiling) = (v - reach, v + reach);
        }
        let rows = std::array::from_fn(|i| {
            let at = (y + i * self.step).checked_sub(far).filter(|at| *at < data.height());
            at.map_or(&self.none[..], |at| &self.about[at % places])
        });
        sides(rows, self.step, [&self.floor, &self.ceiling], &mut self.sides);
        &self.sides[..self.width]
    }
}

/// For each pixel: whether most of its known neighbours lie below its floor, or above its ceiling.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sides(rows: [&[f32]; ROWS], step: usize, [floor, ceiling]: [&[f32]; 2], out: &mut [i8]) {
    let blocks = out.as_chunks_mut::<TOGETHER>().0.iter_mut();
    let bounds = floor.as_chunks::<TOGETHER>().0.iter().zip(ceiling.as_chunks::<TOGETHER>().0);
    for (i, (out, (floor, ceiling))) in blocks.zip(bounds).enumerate() {
        let (mut low, mut high) = ([0i32; TOGETHER], [0i32; TOGETHER]);
        for (j, row) in rows.iter().enumerate() {
            for shift in (0..ROWS).filter(|shift| (*shift, j) != (ROWS / 2, ROWS / 2)) {
                let from = row[i * TOGETHER + shift * step..].first_chunk::<TOGETHER>();
                let Some(about) = from else { return };
                for k in 0..TOGETHER {
                    let v = about[k];
                    low[k] += i32::from(v < floor[k]) - i32::from(v >= floor[k]);
                    high[k] += i32::from(v > ceiling[k]) - i32::from(v <= ceiling[k]);
                }
            }
        }
        for k in 0..TOGETHER {
            out[k] = i8::from(low[k] > 0) - i8::from(high[k] > 0);
        }
    }
}

/// KAPPA sigma for each colour of a tile.
fn tile_reaches(
    data: &Plane<f32>,
    tile: Rect,
    cfa: Option<CfaPattern>,
    frame_noise: f32,
) -> [f32; 3] {
    let reach = |samples: &Plane<f32>, step| {
        let sigma = stat::noise(samples.as_slice(), samples.width(), step) as f32;
        KAPPA * if sigma >= frame_noise { sigma } else { frame_noise }
    };
    match cfa {
        None => [reach(&data.crop(tile), 1); 3],
        Some(cfa) => {
            let pattern = cfa.shifted(tile.x0, tile.y0);
            let step = cfa.period();
            [0, 1, 2].map(|channel| {
                let one_colour = Plane::from_fn(tile.size(), |x, y| {
                    if pattern.color(x, y).channel() == channel {
                        data.get(tile.x0 + x, tile.y0 + y)
                    } else {
                        f32::NAN
                    }
                });
                reach(&one_colour, step)
            })
        }
    }
}

/// The same-colour pixels around (x, y), itself left out.
fn neighbours(size: Size, x: usize, y: usize, step: usize) -> impl Iterator<Item = (usize, usize)> {
    let at = move |v: usize, d: isize, limit: usize| {
        v.checked_add_signed(d * step as isize).filter(|p| *p < limit)
    };
    (-REACH..=REACH).filter_map(move |dy| at(y, dy, size.height)).flat_map(move |ny| {
        (-REACH..=REACH)
            .filter_map(move |dx| at(x, dx, size.width))
            .filter(move |nx| (*nx, ny) != (x, y))
            .map(move |nx| (nx, ny))
    })
}

/// Rows to each side that a repair may take its neighbours from.
pub fn reach(cfa: Option<CfaPattern>) -> usize {
    REACH.unsigned_abs() * cfa.map_or(1, CfaPattern::period)
}

/// The mask bits of a master that call for a repair in the light.
pub const CALLS_FOR_REPAIR: MaskBits =
    MaskBits::HOT.union(MaskBits::COLD).union(MaskBits::UNSTABLE).union(MaskBits::NO_DATA);

/// Neighbours that scatter by this many times their variance stand on structure: by chance one in a
/// thousand of 24.
const UNEVEN: f64 = 2.2;

/// So do they where the nearest are off the median by more sigmas than these.
const ALONE: f64 = 4.0;

/// By how many times what the nearest neighbours are off the median of all the pixel itself is, on
/// stars of 1.5 to 5 pixels (`tests/numbers`).
const CURVE: f64 = 1.5;

/// Replaces each pixel of `which` by the median of its healthy same-colour neighbours and marks it
/// INTERPOLATED; the bits of the defect stay.
///
/// The neighbourhood is 5x5 of one colour; at least 3 healthy pixels must stand in it, else the
/// pixel becomes NaN and NO_DATA. The variance of the median of n neighbours of mean variance v is
/// taken as π v / 2n; where neighbours differ by more than their noise, as on stars, what the nearest
/// of them are off that median is added, for the pixel itself is off by about as much. Returns the
/// number of pixels repaired.
pub fn repair(frame: &mut Frame, cfa: Option<CfaPattern>, which: &[(usize, usize)]) -> usize {
    let step = cfa.map_or(1, CfaPattern::period);
    let size = frame.size();
    // Every new value is made of old ones, so that the order of repairs does not matter, be they
    // made in one call or in several.
    let values: Vec<(f32, f32)> = which
        .iter()
        .map(|&(x, y)| {
            let (mut samples, mut variances) = ([0.0f32; ROWS * ROWS], 0.0f64);
            let (mut next, mut beside) = (0.0f64, 0.0f64);
            let mut n = 0;
            for (nx, ny) in neighbours(size, x, y, step) {
                let v = frame.data.get(nx, ny);
                let mask = frame.mask.get(nx, ny);
                let repaired = mask.contains(MaskBits::INTERPOLATED);
                if repaired || !mask.is_good() || !v.is_finite() {
                    continue;
                }
                samples[n] = v;
                n += 1;
                if nx.abs_diff(x) + ny.abs_diff(y) == step {
                    next += f64::from(v);
                    beside += 1.0;
                }
                variances += frame.variance.as_ref().map_or(f64::NAN, |v| f64::from(v.get(nx, ny)));
            }
            if n < 3 {
                return (f32::NAN, f32::NAN);
            }
            if frame.variance.is_none() {
                return (stat::median_in_place(&mut samples[..n]), f32::NAN);
            }
            let noise = std::f64::consts::FRAC_PI_2 * variances / (n * n) as f64;
            let own = variances / n as f64;
            let scatter = stat::moments(&samples[..n]).sd.powi(2);
            let value = stat::median_in_place(&mut samples[..n]);
            let curve = if beside > 0.0 { next / beside - f64::from(value) } else { 0.0 };
            let of_curve = own / beside.max(1.0) + noise;
            let structure = scatter > UNEVEN * own || curve * curve > ALONE * ALONE * of_curve;
            let shape = if structure { (CURVE * curve).powi(2) } else { 0.0 };
            (value, (noise + shape) as f32)
        })
        .collect();
    let mut repaired = 0;
    for (&(x, y), &(value, variance)) in which.iter().zip(&values) {
        frame.data.set(x, y, value);
        if let Some(v) = &mut frame.variance {
            v.set(x, y, variance);
        }
        let mask = &mut frame.mask.row_mut(y)[x];
        if value.is_finite() {
            *mask |= MaskBits::INTERPOLATED;
            mask.remove(MaskBits::NO_DATA);
            repaired += 1;
        } else {
            *mask |= MaskBits::NO_DATA;
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use photosite_pix::Unit;

    use super::*;

    /// A plane of level 1000 and sigma 2 with a slope, from a small generator.
    fn noisy(size: Size) -> Plane<f32> {
        let mut state = 7u64;
        Plane::from_fn(size, |x, y| {
            let mut sum = -6.0f32;
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                sum += (state >> 40) as f32 / (1u64 << 24) as f32;
            }
            1000.0 + 2.0 * sum + 0.05 * x as f32 + 0.1 * y as f32
        })
    }

    fn mark_all(frame: &mut Frame, cfa: Option<CfaPattern>, frame_noise: f32) -> (usize, usize) {
        let found: Vec<Defect> = bands(frame.size().height)
            .flat_map(|rows| find(&frame.data, rows, cfa, frame_noise))
            .collect();
        mark(frame, &found)
    }

    #[test]
    fn hot_and_cold_pixels_are_found_and_nothing_else() {
        let mut data = noisy(Size::new(300, 280));
        for (x, y, add) in [(0, 0, 60.0), (150, 100, 60.0), (151, 100, 40.0), (299, 279, 500.0)] {
            data.set(x, y, data.get(x, y) + add);
        }
        data.set(20, 30, 0.0);
        data.set(40, 40, f32::NAN);
        let mut frame = Frame::new(data, Unit::Adu);
        assert_eq!(mark_all(&mut frame, None, 0.0), (4, 1));
        assert!(frame.mask.get(20, 30).contains(MaskBits::COLD));
        assert!(frame.mask.get(151, 100).contains(MaskBits::HOT));
        // Against a frame noise of 10 ADU, 60 ADU are no defect any more.
        let mut again = Frame::new(frame.data.clone(), Unit::Adu);
        assert_eq!(mark_all(&mut again, None, 10.0), (1, 1));
    }

    #[test]
    fn a_bayer_grid_is_no_defect() {
        let cfa = CfaPattern::parse("RGGB").unwrap();
        let mut data = noisy(Size::new(128, 128));
        for y in 0..128 {
            for x in 0..128 {
                let factor = [0.5, 1.0, 0.3][cfa.color(x, y).channel()];
                data.set(x, y, data.get(x, y) * factor);
            }
        }
        data.set(64, 64, data.get(64, 64) + 60.0);
        let mut frame = Frame::new(data, Unit::Adu);
        assert_eq!(mark_all(&mut frame, Some(cfa), 0.0), (1, 0));
        assert_eq!(repair(&mut frame, Some(cfa), &[(64, 64)]), 1);
        // The repaired value is that of red neighbours, about 500 + slope, not of green ones.
        assert!((frame.data.get(64, 64) - 505.0).abs() < 5.0, "{}", frame.data.get(64, 64));
        let mask = frame.mask.get(64, 64);
        assert!(mask.contains(MaskBits::INTERPOLATED | MaskBits::HOT));
    }

    #[test]
    fn a_defect_without_healthy_neighbours_stays_unknown() {
        let mut frame = Frame::new(Plane::filled(Size::new(3, 1), f32::NAN), Unit::Adu);
        assert_eq!(repair(&mut frame, None, &[(1, 0)]), 0);
        assert!(frame.mask.get(1, 0).contains(MaskBits::NO_DATA));
    }
}
