//! Which samples a colour is made of, place by place of the array.

use std::collections::BTreeMap;
use std::ops::Range;

use super::dense::{BLOCK, Dense, all_finite};
use crate::normal::Normal;
use crate::warp::Window;
use crate::{CfaColor, CfaPattern, Size};

/// Rows and columns beyond a pixel that the directional method looks at under Bayer's arrays.
pub(super) const REACH: usize = 5;

/// A sample, by its place relative to the first pixel of its block, and its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tap {
    dx: isize,
    dy: isize,
    pub weight: f32,
}

impl Tap {
    /// Where it lies from a pixel; `None` beyond the frame.
    pub(super) fn place(&self, (x, y): (usize, usize), size: Size) -> Option<(usize, usize)> {
        let (x, y) = (x.checked_add_signed(self.dx)?, y.checked_add_signed(self.dy)?);
        (x < size.width && y < size.height).then_some((x, y))
    }
}

/// Weights of one linear rule, for each place of the array and each colour.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    /// Pixels of the frame for one of the image, along each axis.
    step: usize,
    /// Pixels of the image after which the rule repeats.
    period: usize,
    lists: Vec<Vec<Tap>>,
}

/// Neighbours are looked for this far away at most: seven rows hold a period of six.
const FARTHEST: isize = 3;

impl Taps {
    fn build(
        step: usize,
        period: usize,
        mut of: impl FnMut(usize, usize, CfaColor) -> Vec<Tap>,
    ) -> Self {
        let places = (0..period * period).map(|i| (i % period, i / period));
        let lists = places.flat_map(|(x, y)| CfaColor::ALL.map(|c| of(x, y, c))).collect();
        Self { step, period, lists }
    }

    /// Each colour from its nearest samples, its own where there is one.
    pub(super) fn interpolating(cfa: CfaPattern) -> Self {
        Self::build(1, cfa.period(), |x, y, color| {
            if cfa.color(x, y) == color { vec![OWN] } else { nearest(cfa, (x, y), color) }
        })
    }

    /// Each colour as the mean of its samples in a block, the smallest that holds every colour
    /// wherever it lies.
    pub(super) fn blocks(cfa: CfaPattern) -> Self {
        let period = cfa.period();
        let of = |step: usize, x: usize, y: usize, color| -> Vec<Tap> {
            let inside = (0..step * step).map(|i| (i % step, i / step));
            let held = inside.filter(|(i, j)| cfa.color(x * step + i, y * step + j) == color);
            let places: Vec<_> = held.map(|(i, j)| (i as isize, j as isize)).collect();
            let weight = 1.0 / places.len() as f32;
            places.into_iter().map(|(dx, dy)| Tap { dx, dy, weight }).collect()
        };
        let holds_all = |step: usize| {
            let n = period / step;
            let mut blocks = (0..n * n).map(|i| (i % n, i / n));
            blocks.all(|(x, y)| CfaColor::ALL.iter().all(|c| !of(step, x, y, *c).is_empty()))
        };
        let step = [2, 3].into_iter().find(|s| period.is_multiple_of(*s) && holds_all(*s));
        let step = step.unwrap_or(period);
        Self::build(step, period / step, |x, y, color| of(step, x, y, color))
    }

    /// Green where another colour was measured, from what lies along one axis, or along it most;
    /// `None` where the directional method does not know the array.
    ///
    /// Under Bayer's, from the greens beside and the second difference of the pixel's own colour. Under
    /// X-Trans from a polynomial through the greens around, for which those along the axis count more.
    /// Polynomials up to `order` stay what they are.
    pub(super) fn green(cfa: CfaPattern, axis: Axis, order: Order) -> Option<Self> {
        let turned = |i: isize, j: isize| if axis == Axis::Across { (i, j) } else { (j, i) };
        let mut known = true;
        let taps = Self::build(1, cfa.period(), |x, y, color| {
            if color != CfaColor::Green {
                return Vec::new();
            }
            if cfa.color(x, y) == CfaColor::Green {
                return vec![OWN];
            }
            if cfa.is_bayer() {
                let (greens, own) = order.bayer();
                let sides = [(1, greens[0]), (2, -own), (3, greens[1])];
                let both = sides.into_iter().flat_map(|(i, w)| [(-i, w), (i, w)]);
                let all = both.chain([(0, 2.0 * own)]).filter(|(_, weight)| *weight != 0.0);
                let tap = |(i, weight)| {
                    let (dx, dy) = turned(i, 0);
                    Tap { dx, dy, weight }
                };
                return all.map(tap).collect();
            }
            let taps = match order {
                _ if !cfa.is_x_trans() => None,
                Order::Second => polynomial::<6>(cfa, (x, y), (2, 2), turned),
                Order::Fourth => polynomial::<15>(cfa, (x, y), (3, 4), turned),
            };
            known &= taps.is_some();
            taps.unwrap_or_default()
        });
        known.then_some(taps)
    }

    /// The directional method where both directions count the same: green by both ways, red and blue
    /// by their differences from green.
    pub(super) fn directional(cfa: CfaPattern, ways: &[Self; 2], plain: &Self) -> Self {
        let period = cfa.period() as isize;
        let place =
            |x: isize, y: isize| (x.rem_euclid(period) as usize, y.rem_euclid(period) as usize);
        Self::build(1, cfa.period(), |x, y, wanted| {
            if cfa.color(x, y) == wanted {
                return vec![OWN];
            }
            let mut sum = BTreeMap::<(isize, isize), f32>::new();
            let mut add = |i: isize, j: isize, w: f32| *sum.entry((j, i)).or_default() += w;
            let mut green = |i: isize, j: isize, part: f32| {
                for tap in
                    ways.iter().flat_map(|way| way.at(place(x as isize + i, y as isize + j), 1))
                {
                    add(i + tap.dx, j + tap.dy, 0.5 * part * tap.weight);
                }
            };
            green(0, 0, 1.0);
            if wanted != CfaColor::Green {
                let same = plain.at((x, y), wanted.channel());
                same.iter().for_each(|tap| green(tap.dx, tap.dy, -tap.weight));
                same.iter().for_each(|tap| add(tap.dx, tap.dy, tap.weight));
            }
            let taps = sum.into_iter().filter(|(_, w)| w.abs() > 1e-6);
            taps.map(|((dy, dx), weight)| Tap { dx, dy, weight }).collect()
        })
    }

    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// The weighted mean of the places of a colour's samples, relative to their block.
    pub(super) fn centre(&self, color: CfaColor) -> (f64, f64) {
        let blocks = self.lists.len() / 3;
        let taps = || self.lists.iter().skip(color.channel()).step_by(3).flatten();
        let mean = |of: fn(&Tap) -> isize| -> f64 {
            taps().map(|t| f64::from(t.weight) * of(t) as f64).sum::<f64>() / blocks as f64
        };
        (mean(|t| t.dx), mean(|t| t.dy))
    }

    /// Rows beyond an image's row that its samples lie at, outside its own block.
    pub(super) fn reach(&self) -> usize {
        let beyond = |t: &Tap| (-t.dy).max(t.dy - (self.step as isize - 1)).max(0) as usize;
        self.lists.iter().flatten().map(beyond).max().unwrap_or(0)
    }

    /// The samples of a colour of the image's pixel.
    pub(super) fn at(&self, (x, y): (usize, usize), channel: usize) -> &[Tap] {
        &self.lists[((y % self.period) * self.period + x % self.period) * 3 + channel]
    }

    /// The samples of a colour that are there: their places and weights.
    fn present<'a>(
        &'a self,
        frame: Window<'a>,
        size: Size,
        at: (usize, usize),
        channel: usize,
    ) -> impl Iterator<Item = ((usize, usize), f32)> + 'a {
        let (x, y) = ((at.0 * self.step) as isize, (at.1 * self.step) as isize);
        self.at(at, channel).iter().filter_map(move |t| {
            let place = (usize::try_from(x + t.dx).ok()?, usize::try_from(y + t.dy).ok()?);
            let inside = place.0 < size.width && place.1 < size.height;
            (inside && frame.at(place.0, place.1).is_finite()).then_some((place, t.weight))
        })
    }

    pub(super) fn all_there(
        &self,
        frame: Window,
        size: Size,
        at: (usize, usize),
        channel: usize,
    ) -> bool {
        self.present(frame, size, at, channel).count() == self.at(at, channel).len()
    }

    /// Calls `take` with the samples that are there and their parts in the colour.
    pub(super) fn parts(
        &self,
        frame: Window,
        size: Size,
        at: (usize, usize),
        channel: usize,
        mut take: impl FnMut((usize, usize), f32),
    ) {
        let total: f32 = self.present(frame, size, at, channel).map(|(_, w)| w).sum();
        for (place, w) in self.present(frame, size, at, channel) {
            take(place, w / total);
        }
    }

    /// A colour from the samples that are there; NaN where none is.
    pub(super) fn value(
        &self,
        frame: Window,
        size: Size,
        at: (usize, usize),
        channel: usize,
    ) -> f32 {
        let (mut sum, mut total) = (0.0f32, 0.0f32);
        for ((x, y), w) in self.present(frame, size, at, channel) {
            if self.at(at, channel) == [OWN] {
                return frame.at(x, y);
            }
            sum += w * frame.at(x, y);
            total += w;
        }
        // 0 / 0 is NaN: nothing was there.
        sum / total
    }

    /// What a colour of the pixels of row `y` is made of, as offsets into a frame `width` wide.
    pub(super) fn lines(&self, y: usize, width: usize, channel: usize) -> Lines {
        let flat = |t: &Tap| (t.dy * width as isize + t.dx, t.weight);
        let line = |x| self.at((x, y), channel).iter().map(flat).collect();
        Lines((0..self.period).map(line).collect())
    }

    /// Fills rows of the image.
    pub(super) fn fill(
        &self,
        frame: Window,
        size: Size,
        rows: Range<usize>,
        out: &mut [&mut [f32]; 3],
    ) {
        let width = size.width / self.step;
        let margin = FARTHEST as usize;
        // Columns whose samples all lie inside the frame, by a margin that is wide enough for all.
        let inner = margin..width.saturating_sub(margin).max(margin);
        let aligned = margin.next_multiple_of(self.period);
        for (channel, out) in out.iter_mut().enumerate() {
            for (y, row) in rows.clone().zip(out.chunks_exact_mut(width.max(1))) {
                row.fill(f32::NAN);
                let top = y * self.step;
                if top >= margin && top + self.step + margin <= size.height {
                    let lines = self.lines(y, size.width, channel);
                    let first = (top - frame.first_row) * size.width;
                    // Weights of a list have a sum of 1; what is missing makes a pixel NaN.
                    let single = |x: usize| {
                        let base = (first + x * self.step) as isize;
                        lines.at(x).iter().fold(0.0, |sum, &(offset, w)| {
                            sum + w * frame.samples[(base + offset) as usize]
                        })
                    };
                    let mut x = inner.start;
                    if self.step == 1 {
                        let dense = lines.dense();
                        while x < aligned.min(inner.end) {
                            row[x] = single(x);
                            x += 1;
                        }
                        while x + BLOCK <= inner.end {
                            let block = (&mut row[x..x + BLOCK]).try_into().expect("one block");
                            dense.block(frame.samples, first + x, block);
                            x += BLOCK;
                        }
                    }
                    (x..inner.end).for_each(|x| row[x] = single(x));
                }
                self.mend((frame, size), (y, channel), row);
            }
        }
    }

    /// Makes the pixels of a row anew that lack a sample: at the frame's ends always, elsewhere where
    /// there are any.
    pub(super) fn mend(
        &self,
        (frame, size): (Window, Size),
        (y, channel): (usize, usize),
        row: &mut [f32],
    ) {
        let width = row.len();
        let end = REACH.min(width);
        let middle = end..width.saturating_sub(REACH).max(end);
        let gaps = if all_finite(&row[middle.clone()]) { 0..0 } else { middle.clone() };
        for x in (0..middle.start).chain(gaps).chain(middle.end..width) {
            if !row[x].is_finite() {
                row[x] = self.value(frame, size, (x, y), channel);
            }
        }
    }
}

/// Offsets and weights, one list a column of the period.
pub(super) struct Lines(Vec<Vec<(isize, f32)>>);

impl Lines {
    pub(super) fn at(&self, x: usize) -> &[(isize, f32)] {
        &self.0[x % self.0.len()]
    }

    pub(super) fn dense(&self) -> Dense {
        Dense::new(&self.0)
    }
}

/// The pixel's own sample.
const OWN: Tap = Tap { dx: 0, dy: 0, weight: 1.0 };

/// Weights over the nearest samples of a colour that keep an even slope even, none of them
/// negative: the smallest window in which there are such.
fn nearest(cfa: CfaPattern, (x, y): (usize, usize), color: CfaColor) -> Vec<Tap> {
    let period = cfa.period() as isize;
    let mut places = Vec::new();
    for reach in 1..=FARTHEST {
        let window = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)));
        let turned = |v: usize, d: isize| (v as isize + d + period * FARTHEST) as usize;
        places =
            window.filter(|(dx, dy)| cfa.color(turned(x, *dx), turned(y, *dy)) == color).collect();
        if let Some(taps) = even(&places) {
            return taps;
        }
    }
    // No array in use comes here: a header may say anything.
    let total: f64 = places.iter().map(|p| closeness(*p)).sum();
    let tap = |(dx, dy)| Tap { dx, dy, weight: (closeness((dx, dy)) / total) as f32 };
    places.into_iter().map(tap).collect()
}

/// The inverse square of the distance.
fn closeness((dx, dy): (isize, isize)) -> f64 {
    1.0 / (dx * dx + dy * dy) as f64
}

/// Weights w = p (a + b dx + c dy), p the closeness, with a sum of 1 and first moments of 0: a
/// plane fitted by weighted least squares, read at the centre. `None` where the places do not
/// determine one, or a weight is negative.
fn even(places: &[(isize, isize)]) -> Option<Vec<Tap>> {
    if places.is_empty() {
        return None;
    }
    let moment = |i: i32, j: i32| -> f64 {
        let of = |p: &(isize, isize)| closeness(*p) * (p.0 as f64).powi(i) * (p.1 as f64).powi(j);
        places.iter().map(of).sum()
    };
    let (s, sx, sy) = (moment(0, 0), moment(1, 0), moment(0, 1));
    let (a, b, c) = if sx == 0.0 && sy == 0.0 {
        (1.0 / s, 0.0, 0.0)
    } else {
        let (sxx, sxy, syy) = (moment(2, 0), moment(1, 1), moment(0, 2));
        // Cramer's rule on the moments' matrix, the right side being (1, 0, 0).
        let (ca, cb, cc) = (sxx * syy - sxy * sxy, sxy * sy - sx * syy, sx * sxy - sxx * sy);
        let determinant = s * ca + sx * cb + sy * cc;
        if determinant.abs() < 1e-9 {
            return None;
        }
        (ca / determinant, cb / determinant, cc / determinant)
    };
    let weight = |p: &(isize, isize)| closeness(*p) * (a + b * p.0 as f64 + c * p.1 as f64);
    let taps: Vec<Tap> = places
        .iter()
        .map(|p| Tap { dx: p.0, dy: p.1, weight: weight(p) as f32 })
        .filter(|t| t.weight.abs() > 1e-6)
        .collect();
    taps.iter().all(|t| t.weight > 0.0).then_some(taps)
}

/// The axis along which something is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Across,
    Along,
}

impl Axis {
    pub(super) const BOTH: [Self; 2] = [Self::Across, Self::Along];
}

/// Up to which order polynomials stay what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Second,
    Fourth,
}

impl Order {
    /// Under Bayer's arrays, what greens one and three pixels to either side are multiplied with, and
    /// the second difference of the pixel's own colour.
    pub(super) const fn bayer(self) -> ([f32; 2], f32) {
        match self {
            Self::Second => ([0.5, 0.0], 1.0 / 8.0),
            Self::Fourth => ([15.0 / 32.0, 1.0 / 32.0], 3.0 / 16.0),
        }
    }
}

/// Across the direction distances count so many times, squared.
const ASIDE: isize = 4;

/// Greens within three pixels at most.
const GREENS: usize = 49;

/// Weights over the greens within `reach` of a place that keep any polynomial of `order`, of `N` terms,
/// what it is, the nearest and those along the first axis that `turned` names counting most; `None`
/// where they do not determine one.
fn polynomial<const N: usize>(
    cfa: CfaPattern,
    (x, y): (usize, usize),
    (reach, order): (isize, i32),
    turned: impl Fn(isize, isize) -> (isize, isize),
) -> Option<Vec<Tap>> {
    let period = cfa.period() as isize;
    let place = |v: usize, d: isize| (v as isize + d).rem_euclid(period) as usize;
    let window = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)));
    let greens: Vec<(isize, isize)> = window
        .filter(|(dx, dy)| cfa.color(place(x, *dx), place(y, *dy)) == CfaColor::Green)
        .collect();
    let closeness = |(dx, dy): (isize, isize)| {
        let (along, aside) = turned(dx, dy);
        ((along * along + ASIDE * aside * aside) as f64).powf(-1.5)
    };
    let terms: Vec<(i32, i32)> =
        (0..=order).flat_map(|n| (0..=n).map(move |i| (n - i, i))).collect();
    let row = |(dx, dy): (isize, isize)| {
        std::array::from_fn(|i| (dx as f64).powi(terms[i].0) * (dy as f64).powi(terms[i].1))
    };
    // Right side k is a picture in which green k alone is 1: what the polynomial is at the place then.
    let mut normal = Normal::<N, GREENS>::default();
    for (k, green) in greens.iter().enumerate() {
        let mut alone = [0.0; GREENS];
        alone[k] = 1.0;
        normal.add(row(*green), alone, closeness(*green));
    }
    let solved = normal.solve()?;
    let taps = greens.into_iter().zip(solved[0]);
    Some(taps.map(|((dx, dy), weight)| Tap { dx, dy, weight: weight as f32 }).collect())
}
