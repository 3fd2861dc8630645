//! How a trail's middle runs through a band, and what is known along it.

use std::ops::Range;

use super::band::{Band, SECTION_PX, Sum};
use crate::stat::{MAD_TO_SIGMA, median, median_mad};

/// Signal over noise that makes a line a trail: of two thousand frames of noise and stars, a third of
/// them crowded, one had one, two bright stars in contact.
pub(super) const LEAST_SNR: f64 = 9.0;

/// The same of the median of its sections.
const LEAST_STEADINESS: f64 = 6.0;

/// A trail shorter than this share of a frame's shorter side must stand out the more: a few faint
/// stars make a short line.
const SHORT: f64 = 0.5;

/// How much more.
const FOR_SHORT: f64 = 2.0;

/// And it must be so bright along its middle, in sigmas of a sample.
const SHORT_PEAK: f64 = 1.0;

/// Standard error of a median over that of a mean: sqrt(pi / 2).
const MEDIAN_ERROR: f64 = 1.2533;

/// Sections of strips beside a trail that tell its noise.
const FEWEST_STRIPS: f64 = 8.0;

/// A side darker than its surroundings by this share of what a line is brighter makes it an edge.
const DARK_SIDE: f64 = 0.4;

/// A section is part of a trail where it is brighter than this share of its mean.
const LIT: f64 = 0.25;

/// A trail that comes so near to the edge of a frame, in sections or as a share of all, goes on to
/// it: what is lost is little, what would be left is seen.
const TO_THE_EDGE: (usize, f64) = (3, 0.05);

/// Periods of a dashed trail that may pass unseen at its end.
const UNSEEN_DASHES: usize = 2;

/// A trail's wings end where they bring less than this share of the noise of one frame: 0.02 sigma
/// of a stack of six, in one of whose frames they are.
const DARK_SIGMA: f64 = 0.05;

/// Standard errors below which wings cannot be told from nothing.
const DARK_ERRORS: f64 = 1.5;

/// How a trail's middle runs through a band.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub sections: Range<usize>,
    /// Offsets at the beginning and the end of the sections, and how far the middle is bowed.
    pub ends: [f64; 2],
    pub bow: f64,
    /// Half the width of its strip.
    pub half: i64,
}

impl Course {
    fn share(&self, section: usize) -> f64 {
        (section as f64 + 0.5 - self.sections.start as f64) / self.sections.len().max(1) as f64
    }

    pub(super) fn offset(&self, share: f64) -> f64 {
        let [start, end] = self.ends;
        start + (end - start) * share + 4.0 * self.bow * share * (1.0 - share)
    }

    /// The pixel of a section that its middle runs through.
    fn middle(&self, section: usize) -> i64 {
        (self.offset(self.share(section)) + 0.5).floor() as i64
    }

    /// What lies in its strip of a section.
    fn inside(&self, band: &Band, section: usize) -> Sum {
        let middle = self.middle(section);
        band.sum(section, middle - self.half, middle + self.half)
    }

    fn total(&self, of: impl Fn(usize) -> Sum) -> Sum {
        let mut total = Sum::default();
        self.sections.clone().for_each(|s| total += of(s));
        total
    }

    /// What lies in its strip, and in the rest of the band.
    fn inside_and_beside(&self, band: &Band) -> (Sum, Sum) {
        let (mut inside, mut beside) = (Sum::default(), Sum::default());
        for section in self.sections.clone() {
            let strip = self.inside(band, section);
            inside += strip;
            beside += band.section(section) - strip;
        }
        (inside, beside)
    }

    /// How far it stands out of what lies beside it, in units of independent noise.
    pub(super) fn score(&self, band: &Band) -> f64 {
        let (inside, beside) = self.inside_and_beside(band);
        if inside.count < 1.0 || beside.count < 1.0 {
            return 0.0;
        }
        (inside.mean() - beside.mean()) / (1.0 / inside.count + 1.0 / beside.count).sqrt()
    }

    /// The best course near this one: its ends move by up to so many steps of so many pixels, its
    /// bow by so many; of these half widths of its strip.
    pub(super) fn best(
        &self,
        band: &Band,
        halves: &[i64],
        (steps, step_px): (i32, f64),
        bows: (i32, f64),
    ) -> Self {
        let mut best = (f64::NEG_INFINITY, self.clone());
        let moves = |(n, px): (i32, f64)| (-n..=n).map(move |i| f64::from(i) * px);
        for &half in halves.iter().filter(|h| **h * 3 < band.reach as i64) {
            for bow in moves(bows) {
                for start in moves((steps, step_px)) {
                    for end in moves((steps, step_px)) {
                        let ends = [self.ends[0] + start, self.ends[1] + end];
                        let bow = self.bow + bow;
                        let course = Self { ends, bow, half, ..self.clone() };
                        let score = course.score(band);
                        if score > best.0 {
                            best = (score, course);
                        }
                    }
                }
            }
        }
        best.1
    }

    /// The same course over those sections, of all, that are lit.
    pub(super) fn lit(&self, band: &Band) -> Self {
        let (inside, beside) = self.inside_and_beside(band);
        let (base, bright) = (beside.mean(), inside.mean() - beside.mean());
        let gain = |s: usize| {
            let Sum { sum, count } = self.inside(band, s);
            sum - (base + LIT * bright) * count
        };
        // The run of sections with the greatest sum.
        let (mut best, mut run) = ((0.0, self.sections.clone()), (0.0, 0));
        let filled = band.filled();
        for s in filled.clone() {
            if run.0 <= 0.0 {
                run = (0.0, s);
            }
            run.0 += gain(s);
            if run.0 > best.0 {
                best = (run.0, run.1..s + 1);
            }
        }
        let mut lit = best.1;
        let (sections, share) = TO_THE_EDGE;
        let near = sections.max((share * filled.len() as f64) as usize);
        if lit.start.saturating_sub(filled.start) <= near {
            lit.start = filled.start.min(lit.start);
        }
        if filled.end.saturating_sub(lit.end) <= near {
            lit.end = filled.end.max(lit.end);
        }
        let share =
            |s: usize| (s as f64 - self.sections.start as f64) / self.sections.len().max(1) as f64;
        let (from, to) = (share(lit.start), share(lit.end));
        let bow = self.bow * (to - from).powi(2);
        Self { ends: [self.offset(from), self.offset(to)], bow, sections: lit, half: self.half }
    }

    /// Whether it goes on to where its strip leaves the frame, before its first and after its last
    /// section.
    ///
    /// A light that goes out and on again, as those of tumbling satellites and of aircraft do, is dark
    /// as long as its longest gap; and a dash beside a star is left out with the star. One without gaps
    /// ends where it ends.
    pub(super) fn goes_on(&self, band: &Band) -> [bool; 2] {
        let beside = self.inside_and_beside(band).1.mean();
        let least = LIT * (self.total(|s| self.inside(band, s)).mean() - beside);
        let Range { start, end } = self.sections.clone();
        let (mut gap, mut longest) = (0, 0);
        for s in start..end {
            let strip = self.inside(band, s);
            let dark = strip.count < 1.0 || strip.mean() - beside < least;
            gap = if dark { gap + 1 } else { 0 };
            longest = longest.max(gap);
        }
        let period = if longest > 0 { longest + 1 } else { 0 };
        let unseen = (UNSEEN_DASHES * period).min((end - start) / 4);
        let there = |s: &usize| self.inside(band, *s).count > 0.0;
        let before = (0..start).find(there).map_or(0, |first| start - first);
        let after = (end..band.sections).rev().find(there).map_or(0, |last| last + 1 - end);
        [before <= unseen, after <= unseen]
    }

    /// What lies between two distances from its middle.
    fn between(&self, band: &Band, low: i64, high: i64) -> Sum {
        self.total(|s| {
            let middle = self.middle(s);
            band.sum(s, middle + low, middle + high)
        })
    }

    /// The strip of a section that lies so many widths aside; empty where it leaves the band.
    fn strip(&self, band: &Band, section: usize, aside: i64) -> Sum {
        let middle = self.middle(section) + aside * (2 * self.half + 1);
        let inside = middle.abs() + self.half <= band.reach as i64;
        if inside {
            band.sum(section, middle - self.half, middle + self.half)
        } else {
            Sum::default()
        }
    }

    /// How many widths aside the strips lie that it is compared with: not the next ones, which
    /// wings reach.
    fn asides(&self, band: &Band) -> impl Iterator<Item = i64> + use<> {
        let most = (band.reach as i64 - self.half) / (2 * self.half + 1);
        (-most..=most).filter(|aside| aside.abs() >= 2)
    }

    /// The noise of a strip like this one over that of as many independent samples: what sections
    /// of the strips beside it scatter by. Stars make it more than 1, and interpolation.
    fn noise(&self, band: &Band) -> f64 {
        let (mut squares, mut count) = (0.0, 0.0);
        for aside in self.asides(band) {
            let mean = self.total(|s| self.strip(band, s, aside)).mean();
            let sections = self.sections.clone().map(|s| self.strip(band, s, aside));
            for Sum { sum, count: n } in sections.filter(|s| s.count > 0.0) {
                squares += (sum - n * mean).powi(2) / n;
                count += 1.0;
            }
            // The mean is that of these sections.
            count -= 1.0;
        }
        if count >= FEWEST_STRIPS { (squares / count).sqrt() } else { 1.0 }
    }

    /// Signal over noise against the brighter of both sides: an edge has but one darker side.
    pub(super) fn snr(&self, band: &Band) -> f64 {
        let inside = self.total(|s| self.inside(band, s));
        let (gap, far) = (self.half + self.half / 2 + 2, band.reach as i64);
        let side = |sign: i64| {
            let of = |s: usize| {
                let middle = self.middle(s);
                let (a, b) = (middle + sign * gap, sign * far);
                if (b - a) * sign < 1 { Sum::default() } else { band.sum(s, a.min(b), a.max(b)) }
            };
            self.total(of)
        };
        let (left, right) = (side(-1), side(1));
        if inside.count < 1.0 || left.count < 1.0 || right.count < 1.0 {
            return 0.0;
        }
        let brighter = if left.mean() > right.mean() { left } else { right };
        let error = (1.0 / inside.count + 1.0 / brighter.count).sqrt();
        (inside.mean() - brighter.mean()) / (error * self.noise(band))
    }

    /// Whether it is brighter than the noise of a sample.
    pub(super) fn is_bright(&self, band: &Band) -> bool {
        let (inside, beside) = self.inside_and_beside(band);
        inside.mean() - beside.mean() > 1.0
    }

    /// How far its sections stand out as a whole: their median, over the error of a median of the
    /// strips beside it. A few stars on a line lift its mean, not this. NaN where little lies
    /// beside.
    fn steadiness(&self, band: &Band) -> f64 {
        let full = SECTION_PX * (2 * self.half + 1) as f64;
        let means = |aside: i64| {
            let strips = self.sections.clone().map(move |s| self.strip(band, s, aside));
            strips.filter(move |s| 2.0 * s.count >= full).map(|s| s.mean() as f32)
        };
        let own: Vec<f32> = means(0).collect();
        let beside: Vec<f32> = self.asides(band).flat_map(means).collect();
        let (level, mad) = median_mad(&beside);
        let error = MEDIAN_ERROR * MAD_TO_SIGMA * f64::from(mad) / (own.len() as f64).sqrt();
        f64::from(median(&own) - level) / error
    }

    /// Whether the light is that of an edge: what is darker than the background beside it, as the
    /// background is smooth, cannot be the side of a trail.
    fn is_edge(&self, band: &Band) -> bool {
        let (gap, wide) = (self.half + self.half / 2 + 2, 2 * (2 * self.half + 1));
        let far = band.reach as i64;
        let strip = |low, high| self.between(band, low, high);
        let mut base = strip(-far, -far * 3 / 4);
        base += strip(far * 3 / 4, far);
        let bright = strip(-self.half, self.half).mean() - base.mean();
        let sides = [strip(-gap - wide, -gap), strip(gap, gap + wide)];
        sides.iter().any(|side| side.mean() - base.mean() < -DARK_SIDE * bright)
    }

    /// Whether it is a trail, of a frame whose shorter side is so long.
    pub(super) fn stands_out(&self, band: &Band, side_px: usize) -> bool {
        let length_px = self.sections.len() as f64 * SECTION_PX;
        let is_short = length_px < SHORT * side_px as f64;
        if (is_short && self.peak(band) < SHORT_PEAK) || self.is_edge(band) {
            return false;
        }
        let times = if is_short { FOR_SHORT } else { 1.0 };
        self.snr(band) >= times * LEAST_SNR && self.steadiness(band) >= times * LEAST_STEADINESS
    }

    /// How far to either side of its middle it is brighter than what lies far beside it, in
    /// pixels.
    pub(super) fn half_width(&self, band: &Band) -> f64 {
        let noise = self.noise(band);
        let far = band.reach as i64;
        let strip = |low, high| self.between(band, low, high);
        let ends = [-1, 1].map(|sign: i64| {
            let of = |sign: i64, a: i64, b: i64| if sign > 0 { strip(a, b) } else { strip(-b, -a) };
            let mut base = of(sign, far * 3 / 4, far);
            if base.count < 1.0 {
                // In a corner there may be nothing so far out.
                base = of(-sign, far * 3 / 4, far);
            }
            let dark = |r: &i64| {
                let sum = of(sign, *r, *r + (*r / 3).max(1));
                let error = noise / sum.count.max(1.0).sqrt();
                let bright = sum.mean() - base.mean();
                sum.count < 1.0 || bright <= DARK_SIGMA.max(DARK_ERRORS * error)
            };
            (1..far * 3 / 4).find(dark).unwrap_or(far * 3 / 4)
        });
        ends[0].max(ends[1]).max(self.half) as f64
    }

    /// What it adds to samples on its middle: of its sections the median.
    pub(super) fn peak(&self, band: &Band) -> f64 {
        let base = self.inside_and_beside(band).1.mean();
        let means = self.sections.clone().filter_map(|s| {
            let middle = self.middle(s);
            band.whole_mean(s, middle, middle)
        });
        f64::from(median(&means.map(|v| v as f32).collect::<Vec<_>>())) - base
    }
}
