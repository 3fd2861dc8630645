//! Defective pixels made of their healthy neighbours.

use std::ops::Range;

use photosite_pix::{CfaColor, CfaPattern, Frame, MaskBits, Size, stat};

/// Steps of one colour to each side that a repair may take its neighbours from: the ring around a cluster of
/// 5 x 5 of one colour, or the healthy sides of five columns.
const FARTHEST: isize = 3;

/// Steps within which neighbours are taken where there are enough.
const NEAR: isize = 2;

/// Pixels to each side under an array whose colours stand in no grid.
const FARTHEST_X_TRANS: isize = 6;

/// The same where there are enough.
const NEAR_X_TRANS: isize = 4;

/// So many healthy neighbours are enough.
const ENOUGH: usize = 6;

/// Fewest healthy neighbours that make a value.
const FEWEST: usize = 3;

/// Fewest pairs of opposite neighbours that make a value by themselves.
const FEWEST_PAIRS: usize = 3;

/// The same-colour pixels around (x, y) up to `reach` steps away, itself left out.
pub(super) fn neighbours(
    size: Size,
    x: usize,
    y: usize,
    step: usize,
    reach: isize,
) -> impl Iterator<Item = (usize, usize)> {
    let at = move |v: usize, d: isize, limit: usize| {
        v.checked_add_signed(d * step as isize).filter(|p| *p < limit)
    };
    (-reach..=reach).filter_map(move |dy| at(y, dy, size.height)).flat_map(move |ny| {
        (-reach..=reach)
            .filter_map(move |dx| at(x, dx, size.width))
            .filter(move |nx| (*nx, ny) != (x, y))
            .map(move |nx| (nx, ny))
    })
}

/// Rows to each side that a repair may take its neighbours from.
pub fn reach(cfa: Option<CfaPattern>) -> usize {
    match cfa {
        Some(cfa) if cfa.period() > 2 => FARTHEST_X_TRANS.unsigned_abs(),
        cfa => FARTHEST.unsigned_abs() * cfa.map_or(1, CfaPattern::period),
    }
}

/// The rows that repairs of some rows of a frame may take their neighbours from; over an array they begin as the
/// frame does.
pub fn rows_around(rows: &Range<usize>, cfa: Option<CfaPattern>, height: usize) -> Range<usize> {
    let (cell, reach) = (cfa.map_or(1, CfaPattern::period), reach(cfa));
    rows.start.saturating_sub(reach) / cell * cell..(rows.end + reach).min(height)
}

/// The mask bits of a master that call for a repair in the light.
pub const CALLS_FOR_REPAIR: MaskBits =
    MaskBits::HOT.union(MaskBits::COLD).union(MaskBits::UNSTABLE).union(MaskBits::NO_DATA);

/// The bits of a defect that call for a repair: of a map, a response that bends as well.
pub const REPAIRED: MaskBits = CALLS_FOR_REPAIR.union(MaskBits::SUSPECT);

/// Neighbours that scatter by this many times their variance stand on structure: by chance one in a
/// thousand of 24.
const UNEVEN: f64 = 2.2;

/// So do they where the nearest are off the median by more sigmas than these.
const ALONE: f64 = 4.0;

/// By how many times what the nearest neighbours are off the median of all the pixel itself is, on
/// stars of 1.5 to 5 pixels (`tests/numbers`).
const CURVE: f64 = 1.5;

/// A pixel is on a star where those about it foretell another value than their median by so many sigmas.
const PEAK: f64 = 5.0;

/// A star that peaks in a pixel goes on falling beyond the corners about it by so many sigmas.
const FOOT: f64 = 2.0;

/// What the variance of a median of pairs grows by, for weights go by the samples (`tests/numbers`).
const OF_PAIRS: f64 = 1.15;

/// A star's light falls to no less than this share from one step to the next; sharper ones are not followed.
const LEAST_FALL: f64 = 0.3;

/// Of what curves along rows and along diagonals are apart, squared, those along rows are off by such a share.
const CURVED: f64 = 0.4;

/// What is foretold of how far a pixel on a star stands out is off by this share: stars are no Gaussians, and their
/// middles lie anywhere in a pixel.
const OFF: f64 = 0.1;

/// A place relative to a pixel, of its colour.
#[derive(Debug, Clone, Copy)]
struct Offset {
    dx: isize,
    dy: isize,
    /// The square of its distance in steps.
    d2: f32,
    /// It is near enough where there are enough.
    near: bool,
    /// The steps to it along the two ways of the grid of its colour; `None` of an array without a grid.
    steps: Option<(isize, isize)>,
}

/// The places of one colour around a pixel of each phase of an array, the nearest first.
struct Offsets {
    period: usize,
    phases: Vec<Vec<Offset>>,
}

impl Offsets {
    fn new(cfa: Option<CfaPattern>) -> Self {
        let irregular = cfa.filter(|c| c.period() > 2);
        let (period, reach, near) = match irregular {
            Some(c) => (c.period(), FARTHEST_X_TRANS, NEAR_X_TRANS),
            None => (cfa.map_or(1, CfaPattern::period), FARTHEST, NEAR),
        };
        let step = if irregular.is_some() { 1 } else { cfa.map_or(1, CfaPattern::period) as isize };
        let side = -reach..=reach;
        let all = || side.clone().flat_map(|dy| side.clone().map(move |dx| (dx, dy)));
        let phase = |px: usize, py: usize| -> Vec<Offset> {
            // Whole periods away, so that no coordinate is negative.
            let color = |dx: isize, dy: isize| {
                let at = |p: usize, d: isize| p.wrapping_add_signed(d + 6 * period as isize);
                irregular.map(|c| c.color(at(px, dx), at(py, dy)))
            };
            // Green is every second pixel of each row: its grid lies along the diagonals.
            let diagonal = cfa.is_some_and(|c| c.is_bayer() && c.color(px, py) == CfaColor::Green);
            let place = |dx: isize, dy: isize| match diagonal {
                true => (dx + dy, dy - dx),
                false => (dx * step, dy * step),
            };
            let mut out: Vec<Offset> = all()
                .filter(|d| *d != (0, 0))
                .filter(|&(dx, dy)| color(dx, dy) == color(0, 0))
                .map(|(u, v)| {
                    let (dx, dy) = place(u, v);
                    Offset {
                        dx,
                        dy,
                        d2: (u * u + v * v) as f32,
                        near: u.abs() <= near && v.abs() <= near,
                        steps: irregular.is_none().then_some((u, v)),
                    }
                })
                .collect();
            out.sort_by(|a, b| a.d2.total_cmp(&b.d2).then((a.dy, a.dx).cmp(&(b.dy, b.dx))));
            out
        };
        let phases = (0..period * period).map(|i| phase(i % period, i / period)).collect();
        Self { period, phases }
    }

    fn around(&self, x: usize, y: usize) -> &[Offset] {
        &self.phases[y % self.period * self.period + x % self.period]
    }
}

/// A healthy neighbour.
#[derive(Debug, Clone, Copy)]
struct Healthy {
    at: Offset,
    value: f32,
    variance: f32,
}

/// Something with a weight, for a median.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    value: f32,
    variance: f32,
    weight: f32,
}

/// The value at which half of the weight lies on each side, and the variance of that; between two, their
/// mean.
fn weighted_median(all: &mut [Weighted]) -> (f32, f64) {
    all.sort_by(|a, b| a.value.total_cmp(&b.value));
    let whole: f64 = all.iter().map(|w| f64::from(w.weight)).sum();
    let squares: f64 =
        all.iter().map(|w| f64::from(w.weight).powi(2) * f64::from(w.variance)).sum();
    let variance = std::f64::consts::FRAC_PI_2 * squares / (whole * whole);
    let mut sum = 0.0;
    for i in 0..all.len() {
        sum += f64::from(all[i].weight);
        if 2.0 * sum > whole {
            return (all[i].value, variance);
        }
        if 2.0 * sum == whole && i + 1 < all.len() {
            return (0.5 * (all[i].value + all[i + 1].value), variance);
        }
    }
    (f32::NAN, f64::NAN)
}

/// Replaces each pixel of `which` by the distance-weighted median of its healthy same-colour neighbours and
/// marks it INTERPOLATED; the bits of the defect stay.
///
/// Neighbours opposite to each other count as pairs, by their mean, in which gradients cancel; a pair counts
/// less the more its two differ beside the others, so that the value follows an edge or a star's flank
/// instead of crossing it. Where less than three pairs are whole, neighbours count one by one. They are taken
/// from 5x5 of one colour, from 7x7 where those are defective too (of green along the diagonals; of an array without a
/// grid, such as X-Trans, from 9x9 and 13x13 pixels); less than 3 make no value: the pixel becomes NaN and NO_DATA. So
/// columns up to five wide and clusters up to 5x5 of one colour are mended, larger ones stay holes.
///
/// Where all of 5x5 are healthy and the four nearest stand out of those at the corners by more than noise, a star
/// peaks there, and the value is what the rings about it foretell of a Gaussian; where rows and columns through the
/// pixel, as curves of third degree, tell another value by more than noise, it stands on a flank, and theirs is taken.
///
/// The variance is that of the weighted median, or of what is foretold; where neighbours differ by more than their noise, as on
/// stars, what the pixel itself is off by, judged by what the nearest are off, is added. Returns the number
/// of pixels repaired.
pub fn repair(frame: &mut Frame, cfa: Option<CfaPattern>, which: &[(usize, usize)]) -> usize {
    if which.is_empty() {
        return 0;
    }
    let offsets = Offsets::new(cfa);
    // Every new value is made of old ones, so that the order of repairs does not matter, be they
    // made in one call or in several.
    let values: Vec<(f32, f32)> = which
        .iter()
        .map(|&(x, y)| {
            value_of(frame, offsets.around(x, y), (x, y)).unwrap_or((f32::NAN, f32::NAN))
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

/// Leaves each pixel of `which` without a sample: NaN, NO_DATA.
pub fn leave_holes(frame: &mut Frame, which: &[(usize, usize)]) {
    for &(x, y) in which {
        frame.data.set(x, y, f32::NAN);
        if let Some(v) = &mut frame.variance {
            v.set(x, y, f32::NAN);
        }
        frame.mask.row_mut(y)[x] |= MaskBits::NO_DATA;
    }
}

/// The value of a pixel by its neighbours, and its variance; NaN where the frame has none.
fn value_of(frame: &Frame, around: &[Offset], (x, y): (usize, usize)) -> Option<(f32, f32)> {
    let size = frame.size();
    let mut healthy = vec![None::<Healthy>; around.len() + 1];
    let mut count = 0;
    let of = |at: &Offset| -> Option<Healthy> {
        let nx = x.checked_add_signed(at.dx).filter(|v| *v < size.width)?;
        let ny = y.checked_add_signed(at.dy).filter(|v| *v < size.height)?;
        let (value, mask) = (frame.data.get(nx, ny), frame.mask.get(nx, ny));
        let repaired = mask.contains(MaskBits::INTERPOLATED);
        if repaired || !mask.is_good() || mask.contains(MaskBits::SUSPECT) || !value.is_finite() {
            return None;
        }
        let variance = frame.variance.as_ref().map_or(f32::NAN, |v| v.get(nx, ny));
        Some(Healthy { at: *at, value, variance })
    };
    for at in around.iter().filter(|at| at.near) {
        healthy[count] = of(at);
        count += usize::from(healthy[count].is_some());
    }
    if count < ENOUGH {
        for at in around.iter().filter(|at| !at.near) {
            healthy[count] = of(at);
            count += usize::from(healthy[count].is_some());
        }
    }
    if count < FEWEST {
        return None;
    }
    let healthy: Vec<Healthy> = healthy[..count].iter().flatten().copied().collect();
    let own = healthy.iter().map(|h| f64::from(h.variance)).sum::<f64>() / healthy.len() as f64;
    let patch = Patch::of(&healthy);
    let of_star = |star: Foretold| {
        let variance = star.noise * own + (OFF * star.rise).powi(2) + star.shape;
        Some((star.value as f32, variance as f32))
    };
    if let Some(star) = patch.as_ref().and_then(Patch::peak) {
        return of_star(star);
    }
    let mut pairs: Vec<(Weighted, f32)> = Vec::with_capacity(count / 2);
    for (i, a) in healthy.iter().enumerate() {
        let opposite = |b: &&Healthy| (b.at.dx, b.at.dy) == (-a.at.dx, -a.at.dy);
        if let Some(b) = healthy[i + 1..].iter().find(opposite) {
            let mean = Weighted {
                value: 0.5 * (a.value + b.value),
                variance: 0.25 * (a.variance + b.variance),
                weight: 1.0 / a.at.d2,
            };
            pairs.push((mean, (a.value - b.value).powi(2)));
        }
    }
    let (value, noise) = if pairs.len() >= FEWEST_PAIRS {
        let mut differences: Vec<f32> = pairs.iter().map(|p| p.1).collect();
        let typical = stat::median_in_place(&mut differences);
        let mut agreeing: Vec<Weighted> = pairs
            .iter()
            .map(|(mean, difference)| {
                let off = if typical > 0.0 { difference / typical } else { 0.0 };
                Weighted { weight: mean.weight / (1.0 + off * off), ..*mean }
            })
            .collect();
        let (value, noise) = weighted_median(&mut agreeing);
        (value, OF_PAIRS * noise)
    } else {
        let single =
            |h: &Healthy| Weighted { value: h.value, variance: h.variance, weight: 1.0 / h.at.d2 };
        weighted_median(&mut healthy.iter().map(single).collect::<Vec<_>>())
    };
    let by_lines = patch.as_ref().map(|patch| patch.by_lines(f64::from(value), own));
    if let Some((patch, star)) = patch.zip(by_lines)
        && patch.shows(star.rise)
    {
        return of_star(star);
    }
    if frame.variance.is_none() {
        return Some((value, f32::NAN));
    }
    let n = healthy.len() as f64;
    let mut samples: Vec<f32> = healthy.iter().map(|h| h.value).collect();
    let scatter = stat::moments(&samples).sd.powi(2);
    let median = f64::from(stat::median_in_place(&mut samples));
    let nearest = healthy[0].at.d2;
    let beside: Vec<f64> = healthy
        .iter()
        .filter(|h| h.at.d2 == nearest && nearest <= 2.0)
        .map(|h| f64::from(h.value))
        .collect();
    let count = beside.len() as f64;
    let curve = if count > 0.0 { beside.iter().sum::<f64>() / count - median } else { 0.0 };
    let of_curve = own / count.max(1.0) + std::f64::consts::FRAC_PI_2 * own / n;
    let structure = scatter > UNEVEN * own || curve * curve > ALONE * ALONE * of_curve;
    // What is left between the pixel, as lines or the nearest foretell it, and its value, and what that is off by.
    let by_nearest = CURVE * curve - (f64::from(value) - median);
    let (left, off) = by_lines.map_or((by_nearest, curve * curve), |by| (by.rise, by.shape));
    let shape = if structure { left * left + off } else { 0.0 };
    Some((value, (noise + shape) as f32))
}

/// The samples about a pixel, all of 5x5 of one colour, by steps from it.
struct Patch([[f64; 5]; 5]);

impl Patch {
    /// `None` where one of the 24 is not healthy, or the array has no grid.
    fn of(healthy: &[Healthy]) -> Option<Self> {
        let (mut out, mut count) = ([[0.0; 5]; 5], 0);
        for h in healthy {
            let (dx, dy) = h.at.steps?;
            let place = |d: isize| usize::try_from(d + 2).ok();
            *out.get_mut(place(dy)?)?.get_mut(place(dx)?)? = f64::from(h.value);
            count += 1;
        }
        (count == 24).then_some(Self(out))
    }

    fn at(&self, dx: isize, dy: isize) -> f64 {
        self.0[(dy + 2) as usize][(dx + 2) as usize]
    }

    /// The mean of a ring of four.
    fn ring(&self, dx: isize, dy: isize) -> f64 {
        let turned = [(dx, dy), (-dy, dx), (-dx, -dy), (dy, -dx)];
        turned.iter().map(|(dx, dy)| self.at(*dx, *dy)).sum::<f64>() / 4.0
    }

    /// The noise of a sample: what opposite ones differ by and no surface of third degree explains, squared.
    fn noise(&self) -> f64 {
        let across = |dx: isize, dy: isize| self.at(dx, dy) - self.at(-dx, -dy);
        let down = |dy: isize, dx: isize| across(dx, dy);
        let off = |d: &dyn Fn(isize, isize) -> f64| {
            // a + b, a + b + c, a + b + 4c, 2a + 8b, 2a + 8b + 2c, 2a + 8b + 8c of ax + bx^3 + cxy^2.
            let on = |dx| 0.5 * d(dx, 0);
            let beside = |dx, dy| 0.25 * (d(dx, dy) + d(dx, -dy));
            let first = beside(1, 2) - 4.0 * beside(1, 1) + 3.0 * on(1);
            let second = beside(2, 2) - 4.0 * beside(2, 1) + 3.0 * on(2);
            let both = beside(2, 1) - on(2) - 2.0 * (beside(1, 1) - on(1));
            (first * first + second * second) / 8.75 + both * both / 3.75
        };
        (off(&across) + off(&down)) / 6.0
    }

    /// What the pixel in the middle holds where a star peaks there, and by how much that is above the nearest;
    /// `None` where none does.
    ///
    /// A Gaussian of height c on a level B is B + c q^(d²) at the distance d from its middle: three rings tell all
    /// three. Where the third says nothing, q = 1 makes it the surface of second degree.
    fn peak(&self) -> Option<Foretold> {
        let (nearest, corners, third) = (self.ring(1, 0), self.ring(1, 1), self.ring(2, 0));
        let fall = nearest - corners;
        let outer = (third + 2.0 * self.ring(2, 1) + self.ring(2, 2)) / 4.0;
        let foot = FOOT * (self.noise() * (1.0 / 4.0 + 1.0 / 16.0)).sqrt();
        if fall <= 0.0 || !self.shows(fall) || corners - outer < foot {
            return None;
        }
        let ratio = ((corners - third) / fall).max(0.0);
        let q = 0.5 * ((1.0 + 4.0 * ratio).sqrt() - 1.0);
        let q = if q > 0.0 { q.clamp(LEAST_FALL, 1.0) } else { 1.0 };
        let noise = 0.25 * ((1.0 + 1.0 / q).powi(2) + (1.0 / q).powi(2));
        Some(Foretold { value: nearest + fall / q, rise: fall / q, noise, shape: 0.0 })
    }

    /// What the pixel holds by the row and the column through it, each of third degree, beside another value, where a
    /// sample has the variance `own`. What such curves are off by, those of the diagonals tell: they are off by other
    /// than that.
    fn by_lines(&self, otherwise: f64, own: f64) -> Foretold {
        let by = |dx, dy| (4.0 * self.ring(dx, dy) - self.ring(2 * dx, 2 * dy)) / 3.0;
        let (value, noise) = (by(1, 0), 17.0 / 36.0);
        let apart = (by(1, 1) - value).powi(2) - 2.0 * noise * own;
        Foretold { value, rise: value - otherwise, noise, shape: CURVED * apart.max(0.0) }
    }

    /// Whether a difference of means is more than noise.
    fn shows(&self, difference: f64) -> bool {
        difference * difference > PEAK * PEAK * 0.5 * self.noise()
    }
}

/// What a pixel on a star holds by those about it.
#[derive(Clone, Copy)]
struct Foretold {
    value: f64,
    /// How far it is above what it would be held for otherwise.
    rise: f64,
    /// The variance of the value over that of a sample.
    noise: f64,
    /// What the shape of a star adds to that, in the square of the samples' unit.
    shape: f64,
}
