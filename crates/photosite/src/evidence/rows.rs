//! Whether frames lie the same way up, as their hot pixels and their fixed pattern show it.

use std::cell::OnceCell;

use super::glance::Glance;
use super::peaks::RUN;

/// A hot pixel of a dark stands out of its row by so many sigmas, in each of its frames.
const HOT_SIGMAS: f64 = 8.0;

/// The hottest pixels that are looked for, and how many at least can tell: a few only in several
/// lights, where each of them shows one way up, by this share of its strength at least, and none by
/// that the other; a star may lie where one would stand.
const HOTTEST: usize = 400;
const FEWEST: usize = 3;
const FEW: usize = 8;
const FEW_IN_ONE_LIGHT: usize = 20;
const SHOWS: f32 = 0.5;
const SHOWS_NOT: f32 = 0.3;

/// Of many, one in so many that speak loudest one way or the other has no say.
const LOUDEST: usize = 10;

/// Errors by which hot pixels show in lights, and how many times as strong they are one way up as the
/// other.
const CERTAIN: f64 = 8.0;
const TIMES: f64 = 5.0;

/// A star on a hot pixel counts for as much as so many times its strength.
const MOST: f32 = 2.0;

/// A sample of a pattern counts for at most so many sigmas, in lights and in what is laid on them.
const MOST_OF_LIGHT: f32 = 3.0;
const MOST_OF_PATTERN: f32 = 10.0;

/// The same where a pattern is looked for at other places: few hot pixels must be enough there.
const MOST_OF_HOT: f32 = 60.0;

/// How far the samples are apart that a pattern is told by: one colour of an array.
const APART: usize = 2;

/// What hot pixels or a fixed pattern say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsVerdict {
    /// Both lie the same way up.
    Alike,
    /// One of them lies upside down.
    TurnedOver,
    /// There are too few hot pixels, or they do not show.
    Unclear,
}

/// The row that takes the place of one when all are turned over: runs come in pairs.
fn mirrored(row: usize) -> usize {
    let (run, inside) = (row / RUN, row % RUN);
    (run ^ 1) * RUN + RUN - 1 - inside
}

/// The row so many further on in its run; runs do not touch.
fn further(row: usize, by: i64) -> Option<usize> {
    let inside = (row % RUN).checked_add_signed(by as isize).filter(|inside| *inside < RUN)?;
    Some(row / RUN * RUN + inside)
}

/// Whether a frame's samples are there.
fn told(frame: &Glance) -> bool {
    frame.rows().count() > 0
}

/// Calibration frames of one kind, and what is fixed in their pixels: found once, held against any
/// lights. Those whose samples are forgotten have no say.
pub struct Fixed<'a> {
    frames: Vec<&'a Glance>,
    lit: bool,
    hot: OnceCell<Vec<Hot>>,
    pattern: OnceCell<Vec<f32>>,
}

/// A hot pixel that all of some frames show.
struct Hot {
    excess_adu: f32,
    row: usize,
    x: usize,
}

impl<'a> Fixed<'a> {
    /// These frames; they are `lit`, or hold hot pixels.
    pub fn of(frames: &[&'a Glance], lit: bool) -> Self {
        let frames = frames.iter().copied().filter(|f| told(f)).collect();
        Self { frames, lit, hot: OnceCell::new(), pattern: OnceCell::new() }
    }

    /// Whether they lie the same way up as lights: by hot pixels, else by their fixed pattern, which
    /// lights share.
    pub fn lie(&self, lights: &[&Glance]) -> RowsVerdict {
        let lights = self.alike(lights);
        if lights.is_empty() || lights[0].rows().count() < 2 * RUN {
            return RowsVerdict::Unclear;
        }
        let by_hot = if self.lit { RowsVerdict::Unclear } else { self.by_hot(&lights) };
        match by_hot {
            RowsVerdict::Unclear => self.by_pattern(&lights),
            told => told,
        }
    }

    /// Where their fixed pattern stands in `lights`, which is not where it should be; whichever way up they
    /// lie. `None` where it stands at its place or is not found.
    pub fn displaced(&self, lights: &[&Glance]) -> Option<Displaced> {
        let lights = self.alike(lights);
        if lights.is_empty() {
            return None;
        }
        let fixed = mean_pattern(&self.frames, MOST_OF_HOT);
        let patterns = Patterns::of(&fixed, &lights);
        let orders: [&dyn Fn(usize) -> Option<usize>; 2] = [&Some, &|row| Some(mirrored(row))];
        let at_place = orders.map(|place| patterns.correlation(0, place));
        // Beside its place a pattern is dark.
        let here = at_place.into_iter().fold(0.0, f64::max);
        // And beside one that was taken off twice, or divided by already, it is bright.
        let inverse = -at_place.into_iter().fold(0.0, f64::min);
        let mut best = (0.0, None);
        for columns in (-MOST_COLUMNS..=MOST_COLUMNS).filter(|columns| *columns != 0) {
            for place in orders {
                let found = patterns.correlation(columns, place);
                if found > best.0 {
                    best = (found, Some(Displaced::Columns(columns)));
                }
            }
        }
        for rows in (1 - RUN as i64..RUN as i64).filter(|rows| *rows != 0) {
            for place in orders {
                let found = patterns.correlation(0, &|row| further(place(row)?, rows));
                if found > best.0 {
                    best = (found, Some(Displaced::Rows(rows)));
                }
            }
        }
        let mut turned = fixed.clone();
        turned.chunks_exact_mut(lights[0].size.width).for_each(<[f32]>::reverse);
        let patterns = Patterns { fixed: &turned, ..patterns };
        for place in orders {
            let found = patterns.correlation(0, place);
            if found > best.0 {
                best = (found, Some(Displaced::Mirrored));
            }
        }
        best.1.filter(|_| patterns.clear(best.0, here) && best.0 > inverse)
    }

    /// The lights that can be held against the frames, all of one size; none where that is not so.
    fn alike<'b>(&self, lights: &[&'b Glance]) -> Vec<&'b Glance> {
        let Some(size) = self.frames.first().map(|f| f.size) else { return Vec::new() };
        if self.frames.iter().any(|f| f.size != size) {
            return Vec::new();
        }
        lights.iter().copied().filter(|l| told(l) && l.size == size).collect()
    }

    /// The hottest pixels, hottest first.
    fn hottest(&self) -> Vec<Hot> {
        let first = self.frames[0];
        let reach_adu = (HOT_SIGMAS * first.scatter_adu) as f32;
        let from = first.median_adu as f32 + reach_adu;
        let mut hot = Vec::new();
        for row in 0..first.rows().count() {
            let samples = first.rows().row(row).iter().enumerate();
            for (x, _) in samples.filter(|(_, v)| **v > from) {
                // A cosmic ray strikes one frame.
                let all = self.frames.iter().map(|d| d.rows().stands_out(row, x));
                let excess_adu = all.fold(f32::INFINITY, f32::min);
                if excess_adu > reach_adu {
                    hot.push(Hot { excess_adu, row, x });
                }
            }
        }
        let place = |h: &Hot| (h.row, h.x);
        hot.sort_by(|a, b| b.excess_adu.total_cmp(&a.excess_adu).then(place(a).cmp(&place(b))));
        hot.truncate(HOTTEST);
        hot
    }

    /// Whether hot pixels of frames without light stand in lights, and which way up.
    fn by_hot(&self, lights: &[&Glance]) -> RowsVerdict {
        let hot = self.hot.get_or_init(|| self.hottest());
        if hot.len() < FEWEST {
            return RowsVerdict::Unclear;
        }
        // How strong they are in the lights, as a share of their strength in the darks.
        let mut seen = Vec::with_capacity(lights.len());
        let mut strength = |place: &dyn Fn(usize) -> usize| {
            let mut each: Vec<(f64, f64)> = Vec::with_capacity(hot.len());
            let (mut show, mut show_not) = (0, 0);
            for Hot { excess_adu: excess, row, x } in hot {
                seen.clear();
                seen.extend(lights.iter().map(|l| l.rows().stands_out(place(*row), *x)));
                let at = seen.len() / 2;
                let middle = *seen.select_nth_unstable_by(at, f32::total_cmp).1;
                let bound = MOST * excess;
                let share = excess * middle.clamp(-bound, bound);
                each.push((f64::from(share), f64::from(excess * excess)));
                show += usize::from(middle > SHOWS * excess && middle < bound);
                show_not += usize::from(middle < SHOWS_NOT * excess);
            }
            each.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
            let loudest = if each.len() < FEW { 0 } else { each.len().div_ceil(LOUDEST) };
            let rest = &each[loudest..each.len() - loudest];
            let (sum, squares) = rest.iter().fold((0.0, 0.0), |(s, q), (a, b)| (s + a, q + b));
            (sum / squares, squares.sqrt(), show, show_not)
        };
        let (alike, unit, shown, not_shown) = strength(&|row| row);
        let (turned, unit_turned, shown_turned, not_turned) = strength(&mirrored);
        let unit = unit.min(unit_turned);
        let scatter = lights.iter().map(|l| l.scatter_adu).fold(0.0, f64::max).max(0.5);
        let error = 1.5 * scatter / (lights.len() as f64).sqrt() / unit;
        let clear = |this: f64, other: f64, shown: usize, not_shown: usize| {
            let each = shown == hot.len() && not_shown == hot.len();
            let enough = match lights.len() {
                1 => hot.len() >= FEW_IN_ONE_LIGHT,
                _ => hot.len() >= FEW || each,
            };
            this > CERTAIN * error && this > TIMES * other.abs() && enough
        };
        match (
            clear(alike, turned, shown, not_turned),
            clear(turned, alike, shown_turned, not_shown),
        ) {
            (true, _) => RowsVerdict::Alike,
            (_, true) => RowsVerdict::TurnedOver,
            _ => RowsVerdict::Unclear,
        }
    }

    /// Whether what is fixed in frames, the response of pixels or their level in the dark, stands in
    /// lights, and which way up: the correlation of what distinguishes each sample from four about it.
    fn by_pattern(&self, lights: &[&Glance]) -> RowsVerdict {
        let fixed = self.pattern.get_or_init(|| mean_pattern(&self.frames, MOST_OF_PATTERN));
        let patterns = Patterns::of(fixed, lights);
        let alike = patterns.correlation(0, &Some);
        let turned = patterns.correlation(0, &|row| Some(mirrored(row)));
        match (patterns.clear(alike, turned), patterns.clear(turned, alike)) {
            (true, _) => RowsVerdict::Alike,
            (_, true) => RowsVerdict::TurnedOver,
            _ => RowsVerdict::Unclear,
        }
    }
}

/// Where the fixed pattern of frames stands in lights, if not at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Displaced {
    /// So many columns to the right.
    Columns(i64),
    /// So many rows further on.
    Rows(i64),
    /// Left and right change places.
    Mirrored,
}

/// Columns by which a pattern is looked for beside its place.
const MOST_COLUMNS: i64 = 16;

/// What frames have in common, and what lights have, laid on each other.
struct Patterns<'a> {
    fixed: &'a [f32],
    seen: Vec<f32>,
    width: usize,
    unit: f64,
}

impl<'a> Patterns<'a> {
    fn of(fixed: &'a [f32], lights: &[&Glance]) -> Self {
        let seen = mean_pattern(lights, MOST_OF_LIGHT);
        let power = |of: &[f32]| of.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let unit = (power(fixed) * power(&seen)).sqrt();
        Self { fixed, seen, width: lights[0].size.width, unit }
    }

    /// How alike the frames are to what stands so many columns to the right in the lights, in the rows
    /// that `place` names; a row without one says nothing.
    fn correlation(&self, columns: i64, place: &dyn Fn(usize) -> Option<usize>) -> f64 {
        let away = (columns.unsigned_abs() as usize).min(self.width);
        let (of_fixed, of_seen) = if columns < 0 { (away, 0) } else { (0, away) };
        let rows = self.fixed.chunks_exact(self.width).enumerate();
        let sum: f64 = rows
            .filter_map(|(row, fixed)| {
                let from = place(row)? * self.width;
                let seen = self.seen.get(from..from + self.width)?;
                let pairs = fixed[of_fixed..].iter().zip(&seen[of_seen..]);
                Some(pairs.map(|(a, b)| f64::from(a * b)).sum::<f64>())
            })
            .sum();
        sum / self.unit
    }

    /// Whether one place is that of the pattern and another is not.
    fn clear(&self, this: f64, other: f64) -> bool {
        // Samples share what they are compared with.
        let error = 2.0 / (self.fixed.len() as f64).sqrt();
        this > CERTAIN * error && this > TIMES * other.abs()
    }
}

/// What the samples of frames have in common: how far each lies from those beside it, less the same
/// of another row, so that columns and rows that stand out cancel.
fn mean_pattern(frames: &[&Glance], most_sigmas: f32) -> Vec<f32> {
    // Whole runs alone have partners.
    let (width, count) = (frames[0].size.width, frames[0].rows().count() / RUN * RUN);
    let mut sum = vec![0.0f32; width * count];
    for frame in frames {
        let most = most_sigmas * frame.scatter_adu.max(0.5) as f32;
        for (row, sum) in sum.chunks_exact_mut(width).enumerate() {
            let samples = frame.rows().row(row);
            let middles = samples.windows(2 * APART + 1);
            for (sum, beside) in sum.iter_mut().skip(APART).zip(middles) {
                let off = beside[APART] - (beside[0] + beside[2 * APART]) / 2.0;
                // A sample that is none says nothing.
                let off = if off.is_finite() { off } else { 0.0 };
                *sum += (off / most).clamp(-1.0, 1.0);
            }
        }
    }
    let mut out = vec![0.0f32; width * count];
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        let partner = row / RUN * RUN + (row % RUN + APART) % RUN;
        let (this, other) = (&sum[row * width..][..width], &sum[partner * width..][..width]);
        out.iter_mut().zip(this.iter().zip(other)).for_each(|(out, (a, b))| *out = a - b);
    }
    out
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
                assert_eq!(
                    Fixed::of(&darks, false).lie(&lights),
                    expected,
                    "{size} {hot} {turned}"
                );
            }
            assert_eq!(Fixed::of(&darks, false).lie(&[]), RowsVerdict::Unclear);
        }
    }

    #[test]
    fn hot_pixels_beside_their_place_and_mirrored_ones_are_found() {
        let size = Size::new(640, 480);
        type Columns = &'static dyn Fn(usize) -> usize;
        let frame = |seed: usize, sky: f32, place: Columns| {
            glance(size, move |x, y| {
                let is_hot = (place(x + 9) * 1_000_003 + y * 7907) % 1987 == 3;
                500.0 + sky + 5.0 * noise(x + seed, y) + if is_hot { 300.0 } else { 0.0 }
            })
        };
        let lights = [10, 37, 91].map(|seed| frame(seed, 300.0, &|x| x));
        let lights: Vec<&Glance> = lights.iter().collect();
        let cases: [(Columns, Option<Displaced>); 4] = [
            (&|x| x, None),
            (&|x| x + 2, Some(Displaced::Columns(2))),
            (&|x| x - 5, Some(Displaced::Columns(-5))),
            (&|x| 639 + 18 - x, Some(Displaced::Mirrored)),
        ];
        for (place, expected) in cases {
            let darks = [1000, 2000].map(|seed| frame(seed, 0.0, place));
            assert_eq!(
                Fixed::of(&darks.iter().collect::<Vec<_>>(), false).displaced(&lights),
                expected
            );
        }
    }

    #[test]
    fn few_and_very_many_hot_pixels_tell_too() {
        let size = Size::new(320, 240);
        let frame = |seed: usize, sky: f32, share: usize, turned: bool| {
            glance(size, move |x, y| {
                let y = if turned { size.height - 1 - y } else { y };
                let at = x * 1_000_003 + y * 7907;
                let is_hot = at % share == 3;
                let hot = 300.0 + (at / 7 % 2000) as f32;
                500.0 + sky + 5.0 * noise(x + seed, y) + if is_hot { hot } else { 0.0 }
            })
        };
        // Five hot pixels, some hundred, a quarter of all.
        for share in [15_013, 211, 4] {
            let darks = [frame(1000, 0.0, share, false), frame(2000, 0.0, share, false)];
            let darks: Vec<&Glance> = darks.iter().collect();
            for (turned, expected) in [(false, RowsVerdict::Alike), (true, RowsVerdict::TurnedOver)]
            {
                let lights = [frame(10, 300.0, share, turned), frame(37, 310.0, share, turned)];
                let lights: Vec<&Glance> = lights.iter().collect();
                assert_eq!(Fixed::of(&darks, false).lie(&lights), expected, "{share} {turned}");
                // One light tells by itself, of many hot pixels.
                let one = if share > 1000 { RowsVerdict::Unclear } else { expected };
                assert_eq!(Fixed::of(&darks, false).lie(&lights[..1]), one, "{share} {turned}");
            }
        }
    }

    #[test]
    fn the_response_of_pixels_tells_which_way_up_a_flat_lies() {
        let size = Size::new(640, 480);
        let frame = |seed: usize, light: f32, turned: bool, columns: f32| {
            glance(size, move |x, y| {
                let y = if turned { size.height - 1 - y } else { y };
                let response = 1.0 + 0.01 * noise(x * 3 + 1, y * 5 + 7);
                let column = columns * (x % 3) as f32;
                let colour = [0.5, 1.0][(x + y) % 2];
                let star = if light < 1000.0 && (x / 4 + y / 4 * 151 + seed).is_multiple_of(97) {
                    900.0
                } else {
                    0.0
                };
                let signal = (light + star) * response * colour;
                500.0 + column + signal + (25.0 + signal).sqrt() * noise(x + 977 * seed, y)
            })
        };
        for columns in [0.0, 40.0] {
            let flats = [1, 2].map(|seed| frame(seed, 20_000.0, false, columns));
            let flats: Vec<&Glance> = flats.iter().collect();
            for (turned, expected) in [(false, RowsVerdict::Alike), (true, RowsVerdict::TurnedOver)]
            {
                let lights = [11, 12, 13].map(|seed| frame(seed, 400.0, turned, columns));
                let lights: Vec<&Glance> = lights.iter().collect();
                assert_eq!(Fixed::of(&flats, true).lie(&lights), expected, "{columns} {turned}");
            }
            // Too little light to show the response.
            let lights = [11, 12, 13].map(|seed| frame(seed, 0.0, true, columns));
            let lights: Vec<&Glance> = lights.iter().collect();
            assert_eq!(Fixed::of(&flats, true).lie(&lights), RowsVerdict::Unclear, "{columns}");
        }
    }
}
