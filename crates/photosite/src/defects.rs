//! Pixels that do not measure light: found in masters, repaired in lights.

use std::ops::Range;

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
/// A pixel is HOT when it stands more than [`KAPPA`] sigma above the median of the 24 same-colour
/// pixels around it, COLD when it stands as far below. Sigma is the noise of the master in the
/// pixel's tile of 256x256, per colour (`pix::stat::noise`), or `frame_noise`, the noise of one
/// frame, where that is larger: a pixel that a single light cannot tell from its neighbours needs
/// no repair. Missing samples do not count. `rows` must be one of [`bands`].
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
    let mut counts = RowCounts::default();
    let mut found = Vec::new();
    for y in rows {
        let reach = |x: usize| tiles[x / TILE][cfa.map_or(0, |c| c.color(x, y).channel())];
        counts.count(data, y, step, reach);
        for x in 0..size.width {
            if 2 * counts.lower[x] > counts.valid[x] {
                found.push(Defect { x, y, bits: MaskBits::HOT });
            } else if 2 * counts.higher[x] > counts.valid[x] {
                found.push(Defect { x, y, bits: MaskBits::COLD });
            }
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

/// For each pixel of a row: how many of its neighbours are known, lie more than its reach below
/// it, and lie more than its reach above it.
///
/// The median of the neighbours lies below v − reach exactly when more than half of them do, so
/// counting serves and nothing is sorted; a neighbour at a time over the whole row, so that the
/// compiler makes vectors of it.
#[derive(Default)]
struct RowCounts {
    floor: Vec<f32>,
    ceiling: Vec<f32>,
    valid: Vec<u8>,
    lower: Vec<u8>,
    higher: Vec<u8>,
}

impl RowCounts {
    fn count(&mut self, data: &Plane<f32>, y: usize, step: usize, reach: impl Fn(usize) -> f32) {
        let width = data.width();
        self.floor.clear();
        self.ceiling.clear();
        for (x, v) in data.row(y).iter().enumerate() {
            // A reach of 0 belongs to a constant tile, in which nothing can be told.
            let reach = if reach(x) > 0.0 { reach(x) } else { f32::NAN };
            self.floor.push(v - reach);
            self.ceiling.push(v + reach);
        }
        for counter in [&mut self.valid, &mut self.lower, &mut self.higher] {
            counter.clear();
            counter.resize(width, 0);
        }
        for dy in -REACH..=REACH {
            let Some(ny) = y.checked_add_signed(dy * step as isize) else { continue };
            if ny >= data.height() {
                continue;
            }
            for dx in -REACH..=REACH {
                if (dx, dy) != (0, 0) {
                    self.add(data.row(ny), dx * step as isize);
                }
            }
        }
    }

    /// Counts the neighbours `shift` pixels along x in `row`.
    fn add(&mut self, row: &[f32], shift: isize) {
        let far = shift.unsigned_abs();
        let Some(n) = row.len().checked_sub(far) else { return };
        let (at, from) = if shift < 0 { (far, 0) } else { (0, far) };
        let floor = &self.floor[at..at + n];
        let ceiling = &self.ceiling[at..at + n];
        let valid = &mut self.valid[at..at + n];
        let lower = &mut self.lower[at..at + n];
        let higher = &mut self.higher[at..at + n];
        for (i, v) in row[from..from + n].iter().enumerate() {
            valid[i] += u8::from(v.is_finite());
            lower[i] += u8::from(*v < floor[i]);
            higher[i] += u8::from(*v > ceiling[i]);
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

/// Replaces each pixel of `which` by the median of its healthy same-colour neighbours and marks it
/// INTERPOLATED; the bits that told of the defect stay.
///
/// The neighbourhood is 5x5 of one colour; at least 3 healthy pixels must stand in it, else the
/// pixel becomes NaN and NO_DATA. The variance of the median of n neighbours of mean variance v is
/// taken as π v / 2n. Returns the number of pixels repaired.
pub fn repair(frame: &mut Frame, cfa: Option<CfaPattern>, which: &[(usize, usize)]) -> usize {
    let step = cfa.map_or(1, CfaPattern::period);
    let size = frame.size();
    // Every new value is made of old ones, so that the order of repairs does not matter.
    let values: Vec<(f32, f32)> = which
        .iter()
        .map(|&(x, y)| {
            let healthy: Vec<(usize, usize)> = neighbours(size, x, y, step)
                .filter(|&(nx, ny)| {
                    frame.mask.get(nx, ny).is_good() && frame.data.get(nx, ny).is_finite()
                })
                .collect();
            if healthy.len() < 3 {
                return (f32::NAN, f32::NAN);
            }
            let mut samples: Vec<f32> =
                healthy.iter().map(|&(nx, ny)| frame.data.get(nx, ny)).collect();
            let variance = frame.variance.as_ref().map_or(f32::NAN, |v| {
                let sum: f64 = healthy.iter().map(|&(nx, ny)| f64::from(v.get(nx, ny))).sum();
                let n = healthy.len() as f64;
                (std::f64::consts::FRAC_PI_2 * sum / n / n) as f32
            });
            (stat::median_in_place(&mut samples), variance)
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
