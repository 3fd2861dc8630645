//! A step in the middle of a frame, where sensors that are read out by two or four amplifiers are parted.

use std::ops::Range;

use photosite_pix::normal::Normal;
use photosite_pix::stat;

/// Samples to each side of a border between amplifiers, near and far; even, because two colours alternate.
/// Noise hides a step that few show, nebulae one that many do.
const BANKS: [usize; 4] = [4, 12, 20, 40];
const FAR: usize = BANKS[3];
/// A step there stands out so many times from those elsewhere, and is so large by the noise of a pixel.
const STEPS: f64 = 6.0;
const STEP: f64 = 0.1;
/// Along half of the border alone it is a galaxy's edge, unless it is so many times that noise: an output that failed.
const FAILED: f64 = 3.0;
/// It is larger so many times than the largest one elsewhere.
const MOST: f64 = 1.5;
/// Near and far the step of an amplifier is the same to this share, noise aside.
const SAME: f64 = 0.2;
const NOISY: f64 = 3.0;
/// Parts of the border, whose steps but one's agree to this share, noise aside: their chi-square stays below this but
/// in one of a thousand.
const PARTS: usize = 4;
const ALIKE: f64 = 0.2;
const UNLIKE: f64 = 16.3;
/// Lines whose steps are averaged before what is unlike the others is left out.
const TOGETHER: usize = 16;
/// Places whose steps are more than so many times the usual ones do not tell what banks share.
const SHARED: f64 = 4.0;
/// Places elsewhere that are looked at, at most.
const PLACES: usize = 128;

/// Samples so many sigmas above those around them are stars.
const STARS: f32 = 4.0;
/// Runs of samples that a background is found of, by so many of one colour at most.
const RUN: usize = 64;
const OF_RUN: usize = 16;
/// Banks with fewer of their samples than this share tell nothing.
const ENOUGH: f64 = 0.5;

/// Lines of a frame, of one length, one after the other; samples that do not count are NaN.
pub(super) struct Lines {
    pub samples: Vec<f32>,
    pub length: usize,
}

/// The step of lines at one place.
struct Step {
    adu: f64,
    /// Of the lines in [`PARTS`].
    parts: Vec<f64>,
    usual: f64,
    most: f64,
}

impl Step {
    fn stands_out(&self) -> bool {
        self.adu.abs() > STEPS * self.usual && self.adu.abs() > MOST * self.most
    }

    /// An amplifier is off along all of its border, a galaxy that lies there along a part of it: one may lie beside it.
    fn is_everywhere(&self) -> bool {
        let variance = PARTS as f64 * self.usual.powi(2) + (ALIKE * self.adu).powi(2);
        let known = self.parts.iter().filter(|v| v.is_finite());
        let mut off: Vec<f64> = known.map(|v| (v - self.adu).powi(2)).collect();
        off.sort_by(f64::total_cmp);
        off.truncate(PARTS - 1);
        off.iter().sum::<f64>() < UNLIKE * variance
    }

    /// The step of one half of the border, where it is the larger one: of four amplifiers one may have failed.
    fn of_half(&self) -> Self {
        let half = |parts: &[f64]| {
            let known: Vec<f64> = parts.iter().copied().filter(|v| v.is_finite()).collect();
            let adu = known.iter().sum::<f64>() / known.len() as f64;
            Self { adu, parts: parts.to_vec(), ..*self }
        };
        let (one, other) = self.parts.split_at(self.parts.len() / 2);
        let (one, other) = (half(one), half(other));
        if other.adu.abs() > one.adu.abs() { other } else { one }
    }
}

/// The steps of all lines by means of so many samples to each side.
struct Bank {
    adu: f64,
    parts: Vec<f64>,
    /// Those at other places; NaN where there is none.
    elsewhere: Vec<f64>,
    /// The least that noise alone makes of them.
    least: f64,
}

impl Bank {
    fn step(&self) -> Step {
        let known: Vec<f64> = self.elsewhere.iter().copied().filter(|v| v.is_finite()).collect();
        let usual = stat::median_scatter(&known).1.max(self.least);
        let most = known.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        Step { adu: self.adu, parts: self.parts.clone(), usual, most }
    }

    /// What all banks tell together: the widest, less what it elsewhere shares with their differences, of which a
    /// step has none.
    fn of_all(banks: &[Self], steps: &[Step]) -> Option<Self> {
        let (widest, others) = banks.split_last()?;
        let apart = |of: &dyn Fn(&Self) -> f64| -> [f64; BANKS.len() - 1] {
            std::array::from_fn(|i| of(widest) - of(&others[i]))
        };
        let mut shared = Normal::<{ BANKS.len() - 1 }, 1>::default();
        for p in 0..widest.elsewhere.len() {
            // NaN is no place; a bright one tells nothing of the others.
            if banks.iter().zip(steps).all(|(b, s)| b.elsewhere[p].abs() < SHARED * s.usual) {
                shared.add(apart(&|b| b.elsewhere[p]), [widest.elsewhere[p]], 1.0);
            }
        }
        let shares = shared.solve()?;
        let all = |of: &dyn Fn(&Self) -> f64| {
            let taken = apart(of).iter().zip(&shares).map(|(v, [share])| v * share).sum::<f64>();
            of(widest) - taken
        };
        Some(Self {
            adu: all(&|b| b.adu),
            parts: (0..widest.parts.len()).map(|i| all(&|b| b.parts[i])).collect(),
            elsewhere: (0..widest.elsewhere.len()).map(|p| all(&|b| b.elsewhere[p])).collect(),
            least: widest.least,
        })
    }
}

/// The step in the middle of lines under an array of period `step`, in ADU, with its error; `None` where there is none.
pub(super) fn seam(mut across: Lines, (step, noise_adu): (usize, f64)) -> Option<(f64, f64)> {
    let length = across.length;
    if length < 10 * FAR {
        return None;
    }
    let middle = length / 2;
    // Elsewhere is where the step is in none of the banks.
    let stride = (length / PLACES).next_multiple_of(2).max(2);
    let from = middle % stride;
    let beside = (from + 2 * FAR..length - 2 * FAR).step_by(stride);
    let elsewhere: Vec<usize> = beside.filter(|at| at.abs_diff(middle) > 2 * FAR).collect();
    let places: Vec<usize> = [middle].into_iter().chain(elsewhere).collect();

    let lines = across.samples.len() / length;
    let mut steps = vec![f32::NAN; BANKS.len() * places.len() * lines];
    let mut sums = Sums::default();
    for (n, line) in across.samples.chunks_exact_mut(length).enumerate() {
        without_stars(line, step, STARS * noise_adu as f32);
        sums.of(line);
        for (b, bank) in BANKS.into_iter().enumerate() {
            for (p, at) in places.iter().enumerate() {
                steps[(b * places.len() + p) * lines + n] = sums.step(*at, bank) as f32;
            }
        }
    }
    let mut all = steps.chunks_exact(lines);
    let banks: Vec<Bank> = BANKS
        .map(|bank| {
            let here = all.next().unwrap_or_default();
            // Few places may scatter by less than the noise of their samples makes them; the step is of four
            // means, of which the inner ones count one and a half times, the outer ones half.
            let least = noise_adu * (5.0 / (bank * lines) as f64).sqrt();
            Bank {
                adu: typical(here),
                parts: here.chunks(lines.div_ceil(PARTS)).map(typical).collect(),
                elsewhere: all.by_ref().take(places.len() - 1).map(typical).collect(),
                least,
            }
        })
        .into();
    let mut steps: Vec<Step> = banks.iter().map(Bank::step).collect();
    steps.extend(Bank::of_all(&banks, &steps).map(|b| b.step()));
    let halves: Vec<Step> = steps.iter().map(Step::of_half).collect();
    [(steps, STEP), (halves, FAILED)].iter().find_map(|(steps, least)| {
        // A slope is smooth where a seam is sharp: near and far it is the same.
        let lasts = |here: &Step| {
            let differs =
                |s: &Step| (s.adu - here.adu).abs() > SAME * here.adu.abs() + NOISY * s.usual;
            !steps.iter().any(differs)
        };
        // The widest bank that shows it knows it best.
        let shows = |s: &&Step| {
            s.stands_out() && s.is_everywhere() && lasts(s) && s.adu.abs() > least * noise_adu
        };
        let found = steps.iter().rev().find(shows)?;
        Some((found.adu, found.usual))
    })
}

/// Brings the colours of a line to one level and takes what stands above its surroundings out of it.
fn without_stars(line: &mut [f32], step: usize, limit: f32) {
    let mut some = Vec::with_capacity(OF_RUN);
    let mut middle_of = |line: &[f32], run: Range<usize>, phase: usize| {
        let every = (run.len() / step / OF_RUN).max(1) * step;
        some.clear();
        some.extend(line[run].iter().skip(phase).step_by(every).filter(|v| v.is_finite()));
        stat::median_in_place(&mut some)
    };
    let length = line.len();
    let run = RUN.next_multiple_of(step);
    for phase in 0..step {
        let level = middle_of(line, 0..length, phase);
        line[phase..].iter_mut().step_by(step).for_each(|v| *v -= level);
    }
    for from in (0..length).step_by(run) {
        let to = (from + run).min(length);
        let level = middle_of(line, from..to, 0);
        line[from..to].iter_mut().filter(|v| **v - level > limit).for_each(|v| *v = f32::NAN);
    }
}

/// Sums of a line's samples, and how many they are, up to each place.
#[derive(Default)]
struct Sums {
    up_to: Vec<(f64, f64)>,
}

impl Sums {
    fn of(&mut self, line: &[f32]) {
        self.up_to.clear();
        self.up_to.push((0.0, 0.0));
        let mut sum = (0.0, 0.0);
        self.up_to.extend(line.iter().map(|v| {
            if v.is_finite() {
                sum = (sum.0 + f64::from(*v), sum.1 + 1.0);
            }
            sum
        }));
    }

    fn mean(&self, from: usize, bank: usize) -> f64 {
        let ((a, n), (b, m)) = (self.up_to[from], self.up_to[from + bank]);
        if m - n < ENOUGH * bank as f64 { f64::NAN } else { (b - a) / (m - n) }
    }

    /// The step at a place by the means of so many samples to each side, what the background does before and
    /// behind taken off.
    fn step(&self, at: usize, bank: usize) -> f64 {
        let bend = |at: usize| self.mean(at, bank) - self.mean(at - bank, bank);
        bend(at) - 0.5 * (bend(at - bank) + bend(at + bank))
    }
}

/// The mean of what lies within three robust sigmas of the median, of lines first and then of those means: what
/// lies along some of them is seen once noise is averaged out. NaN of nothing.
fn typical(values: &[f32]) -> f64 {
    let means = values.chunks(TOGETHER).map(|lines| stat::robust_mean(lines, 3.0) as f32);
    stat::robust_mean(&means.filter(|v| v.is_finite()).collect::<Vec<f32>>(), 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of noise over a slope, with stars, and a step in the middle.
    fn across(length: usize, lines: usize, step_adu: f32, colours: f32) -> Lines {
        let mut state = 17u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let samples = (0..lines * length).map(|i| {
            let (x, line) = (i % length, i / length);
            // A sum of twelve has a scatter of 1.
            let noise = (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
            let star = if (x * 7 + line * 13) % 97 < 2 { 60.0 } else { 0.0 };
            let stepped = if x >= length / 2 { step_adu } else { 0.0 };
            let own = if (x + line) % 2 == 0 { colours } else { 0.0 };
            100.0 + 0.01 * x as f32 + 10.0 * noise + star + stepped + own
        });
        Lines { samples: samples.collect(), length }
    }

    #[test]
    fn a_galaxy_beside_the_middle_is_no_step() {
        let mut frame = across(512, 384, 0.0, 0.0);
        for (line, row) in frame.samples.chunks_exact_mut(512).enumerate() {
            let along = (-(line as f32 - 150.0).powi(2) / (2.0 * 60.0f32.powi(2))).exp();
            let far = |x: usize| (x as f32 - 259.0).abs() / 8.0;
            row.iter_mut().enumerate().for_each(|(x, v)| *v += 60.0 * along * (-far(x)).exp());
        }
        assert_eq!(seam(frame, (1, 10.0)), None);
    }

    #[test]
    fn one_amplifier_of_four_is_told() {
        let mut frame = across(512, 384, 0.0, 0.0);
        for row in frame.samples.chunks_exact_mut(512).take(192) {
            row[256..].iter_mut().for_each(|v| *v -= 40.0);
        }
        let (adu, _) = seam(frame, (1, 10.0)).unwrap();
        assert!((adu + 40.0).abs() < 2.0, "{adu}");
    }

    #[test]
    fn a_step_of_a_fifth_of_the_noise_is_found_and_none_where_none_is() {
        for (colours, step) in [(0.0, 1), (50.0, 2)] {
            for (step_adu, found) in [(0.0, false), (2.0, true), (-2.0, true)] {
                let told = seam(across(512, 384, step_adu, colours), (step, 10.0));
                assert_eq!(told.is_some(), found, "{step_adu} ADU, {colours}");
                let off = told.map_or(0.0, |(adu, _)| adu - f64::from(step_adu));
                assert!(off.abs() < 0.6, "{off}");
            }
        }
    }
}
