//! Stars: where light stands out of the sky, one colour holds over some pixels.

use std::ops::Range;

use multiversion::multiversion;

use super::taps::{Axis, Order, Taps};
use crate::warp::Window;
use crate::{CfaColor, CfaPattern, Size};

/// Pixels of a row that are looked at together.
const BLOCK: usize = 16;

/// Half of that: samples so far apart are compared.
const HALF: usize = BLOCK / 2;

/// Samples of one colour that differ by so many sigmas hold light, or a hole beside it: interpolated ones do
/// once in some thousands.
const LIT: f32 = 5.5;

/// Rows and columns beyond a block in which the sky of each colour is its lowest sample.
const SKY: (usize, usize) = (1, 8);

/// Sigmas by which the lowest of some twenty samples lies below their mean.
const LOWEST: f32 = 1.9;
const LOWEST_GREEN: f32 = 2.2;

/// Light below so many sigmas is taken for this: its logarithm says nothing.
const LEAST: f32 = 0.5;

/// What rules of either order err by on the logarithms of real stars, which are no parabolas quite.
const MODEL: [(Order, f32); 2] = [(Order::Second, 0.05), (Order::Fourth, 0.01)];

/// The error of a logarithm of light below [`LEAST`], squared: it may be anything less.
const UNKNOWN: f32 = 2.0;

/// Light of so many sigmas about a pixel tells half of its hue; below it interpolation stays.
const SHOWN: f32 = 2.0;

/// And so many sigmas keep a hue from what noise makes of it.
const SHRINK: f32 = 0.5;

/// Samples stand out by so many sigmas by chance.
const FLAT: f32 = 4.0;

/// Hues are used up to the first of these factors either way, and less and less up to the second: in light
/// of one colour alone, as nebulae have it, samples of another tell nothing of it.
const FURTHEST: (f32, f32) = (4.0, 6.0);

/// What one hue makes of a pixel counts where it differs from interpolation by more than so many sigmas.
const DIFFERS: f32 = 4.0;

/// A star of so many sigmas is half made anew, all of it alike. What interpolation makes of it has too much light in
/// its middle and too little around, and all of it together: to mend the middle alone, where a faint star stands out
/// of the noise, takes 2 to 8 % of its red and blue.
const HIGH: f32 = 300.0;

/// Less than this share of a star is not made anew: that of one of 16 sigmas.
const LEAST_SHARE: f32 = 0.003;

/// Rows beyond a block in which a star's height is looked for.
const STAR_ROWS: usize = 5;

/// The rules by which green is made in its logarithm, and what they err by.
pub(super) fn logarithms(cfa: CfaPattern) -> Option<Vec<(Taps, f32)>> {
    let rules = MODEL.into_iter().flat_map(|(order, error)| Axis::BOTH.map(|a| (a, order, error)));
    rules.map(|(axis, order, error)| Some((Taps::green(cfa, axis, order)?, error))).collect()
}

/// Sigmas under the sky below which nothing that is made lies.
const DEEPEST: f32 = 4.0;

/// Rows and columns beyond a pixel that its hue is taken from.
fn around(cfa: CfaPattern) -> usize {
    if cfa.period() == 2 { 2 } else { 3 }
}

/// Rows beyond a pixel that are looked at: those of the hue, of green there, of the sky there.
pub(super) fn reach(cfa: CfaPattern) -> usize {
    around(cfa) + GREEN + SKY.0
}

/// Rows and columns beyond a place that green is made of.
const GREEN: usize = 3;

/// Makes pixels of rows of the image anew, where light stands out of a sky whose samples have the
/// noise `noise`: from the pixel's own sample and the colours that its surroundings have in common.
///
/// There the mosaic, each colour scaled to green, is a whole picture of the star: nothing that is
/// sharper than the array is missed, overshoots or takes a colour. The scales are ratios of sums over
/// some pixels, of green at the places of red or blue to red or blue; green there is interpolated in
/// its logarithm, which of a star is a parabola however sharp it is. Both are above the lowest samples around,
/// so that the level of the sky does not matter.
///
/// # Source
/// Cok1987 for the constancy of hue; everything that noise asks for is our own.
pub(super) fn fill(
    cfa: CfaPattern,
    rules: &[(Taps, f32)],
    noise: f32,
    (frame, size): (Window, Size),
    rows: Range<usize>,
    out: &mut [&mut [f32]; 3],
) {
    let mut light = Light::new(cfa, rules, noise, (frame, size), &rows);
    let mut lit = vec![false; size.width.div_ceil(HALF) + 1];
    for y in rows.clone() {
        let start = (y - rows.start) * size.width;
        lit.fill(false);
        for plane in out.iter() {
            differing(&plane[start..start + size.width], LIT * noise, &mut lit);
        }
        for x0 in (0..size.width).step_by(BLOCK) {
            let half = x0 / HALF;
            // Light as far beyond the block as interpolation reaches, and what it is compared with.
            let seen = half.saturating_sub(2)..(half + 3).min(lit.len());
            if !lit[seen].contains(&true) {
                continue;
            }
            let columns = x0..(x0 + BLOCK).min(size.width);
            let sky = light.sky(x0, y);
            let high = (light.height(x0, y) - FLAT * noise).max(0.0);
            let square = high * high;
            let star = square / (square + (HIGH * noise).powi(2));
            if star < LEAST_SHARE {
                continue;
            }
            for x in columns {
                let own = cfa.color(x, y).channel();
                let sample = frame.at(x, y) - sky[own];
                if !sample.is_finite() {
                    continue;
                }
                let apart = light.skies_apart(x, y);
                if apart > APART.0 * noise + APART.1 * sample.abs() {
                    continue;
                }
                let hues = light.hues(x, y);
                for (c, out) in out.iter_mut().enumerate().filter(|(c, _)| *c != own) {
                    let to = hues[own].to_green / hues[c].to_green;
                    let told = star * hues[own].told * hues[c].told;
                    let mut made = out[start + x];
                    let alone = alone(cfa, c, (x, y), (frame, size));
                    if alone.is_finite() {
                        made += star * (alone - made);
                    }
                    let away = sample * to + sky[c] - made;
                    if away.is_finite() {
                        let sure = away * away + square;
                        let skies = (apart - ALIKE * noise).max(0.0);
                        let noises = noise * noise + skies * skies;
                        let chance = (DIFFERS * to.max(1.0)).powi(2) * noises;
                        made += told * away * (sure / (sure + chance));
                    }
                    out[start + x] = made.max(sky[c] - DEEPEST * noise);
                }
            }
        }
    }
}

/// A colour at a pixel that measured another, of its nearest samples alone.
fn alone(cfa: CfaPattern, c: usize, (x, y): (usize, usize), (frame, size): (Window, Size)) -> f32 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for j in y.saturating_sub(1)..(y + 2).min(size.height) {
        for i in x.saturating_sub(1)..(x + 2).min(size.width) {
            if cfa.color(i, j).channel() == c {
                let weight = ((2 - j.abs_diff(y)) * (2 - i.abs_diff(x))) as f32;
                sum += weight * frame.at(i, j);
                weights += weight;
            }
        }
    }
    sum / weights
}

/// Skies that lie so many sigmas apart are alike: each is the lowest of some samples.
const ALIKE: f32 = 2.0;

/// Light above skies that lie further apart than so many sigmas, and such a share of it, has no one hue: it
/// is the edge of something.
const APART: (f32, f32) = (6.0, 0.02);

/// How much a hue is to be believed.
fn told(hue: f32) -> f32 {
    let factor = hue.max(1.0 / hue);
    ((FURTHEST.1 - factor) / (FURTHEST.1 - FURTHEST.0)).clamp(0.0, 1.0)
}

/// Pixels of a row above the sky, made where they are asked for.
struct Part {
    /// Of each colour; infinite where there is no sample.
    sky: [f32; 3],
    light: [f32; BLOCK],
    /// Its logarithm, and the square of that one's error.
    log: [f32; BLOCK],
    chance: [f32; BLOCK],
    /// 0 where nobody asked, NaN beside a hole.
    green: [f32; BLOCK],
}

/// The parts of some rows that somebody asked for.
struct Light<'a> {
    cfa: CfaPattern,
    rules: &'a [(Taps, f32)],
    noise: f32,
    frame: Window<'a>,
    size: Size,
    first_row: usize,
    blocks: usize,
    /// Where each block's part is, counted from 1.
    places: Vec<u32>,
    parts: Vec<Part>,
}

impl<'a> Light<'a> {
    fn new(
        cfa: CfaPattern,
        rules: &'a [(Taps, f32)],
        noise: f32,
        (frame, size): (Window<'a>, Size),
        rows: &Range<usize>,
    ) -> Self {
        let beyond = around(cfa) + GREEN;
        let first_row = rows.start.saturating_sub(beyond);
        let count = (rows.end + beyond).min(size.height) - first_row;
        let blocks = size.width.div_ceil(BLOCK);
        let places = vec![0; count * blocks];
        Self { cfa, rules, noise, frame, size, first_row, blocks, places, parts: Vec::new() }
    }

    /// The part that a pixel lies in, and where in it.
    fn part(&mut self, x: usize, y: usize) -> (usize, usize) {
        let (block, k) = (x / BLOCK, x % BLOCK);
        let place = (y - self.first_row) * self.blocks + block;
        if self.places[place] == 0 {
            let part = self.made_part(block, y);
            self.parts.push(part);
            self.places[place] = self.parts.len() as u32;
        }
        (self.places[place] as usize - 1, k)
    }

    fn made_part(&self, block: usize, y: usize) -> Part {
        let Self { cfa, noise, frame, size, .. } = *self;
        let period = cfa.period();
        let x0 = (block * BLOCK).saturating_sub(SKY.1);
        let x1 = ((block + 1) * BLOCK + SKY.1).min(size.width);
        let mut sky = [f32::INFINITY; 3];
        for j in y.saturating_sub(SKY.0)..(y + SKY.0 + 1).min(size.height) {
            let start = (j - frame.first_row) * frame.width;
            let row = &frame.samples[start + x0..start + x1];
            for i in 0..period.min(row.len()) {
                let color = cfa.color(x0 + i, j).channel();
                let samples = row[i..].iter().step_by(period);
                sky[color] = samples.fold(sky[color], |low, v| low.min(*v));
            }
        }
        let lowest = [LOWEST, LOWEST_GREEN, LOWEST];
        let sky = [0, 1, 2].map(|c| sky[c] + lowest[c] * noise);
        let none = [0.0; BLOCK];
        let mut part = Part { sky, light: none, log: none, chance: none, green: none };
        let least = LEAST * noise;
        for (k, x) in (block * BLOCK..size.width.min((block + 1) * BLOCK)).enumerate() {
            let light = frame.at(x, y) - sky[cfa.color(x, y).channel()];
            let shown = light.max(least);
            let weak = (least / shown).powi(2);
            part.light[k] = light;
            part.log[k] = shown.ln();
            part.chance[k] = weak * (1.0 / (LEAST * LEAST) + UNKNOWN * weak);
        }
        part
    }

    fn sky(&mut self, x: usize, y: usize) -> [f32; 3] {
        let (part, _) = self.part(x, y);
        self.parts[part].sky
    }

    /// Green above the sky at a place that measured another colour; NaN beside a hole.
    fn green(&mut self, x: usize, y: usize) -> f32 {
        let (part, k) = self.part(x, y);
        if self.parts[part].green[k] == 0.0 {
            self.parts[part].green[k] = self.made_green(x, y);
        }
        self.parts[part].green[k]
    }

    fn made_green(&mut self, x: usize, y: usize) -> f32 {
        let (mut plain, mut sum, mut sure) = (0.0, 0.0, 0.0);
        let rules = self.rules;
        for (rule, model) in rules {
            let (mut mean, mut log, mut error) = (0.0, 0.0, model * model);
            for tap in rule.at((x, y), 1) {
                let Some((i, j)) = tap.place((x, y), self.size) else { return f32::NAN };
                let (part, k) = self.part(i, j);
                let part = &self.parts[part];
                mean += tap.weight * part.light[k];
                log += tap.weight * part.log[k];
                error += tap.weight * tap.weight * part.chance[k];
            }
            plain += mean / rules.len() as f32;
            sum += log / error;
            sure += 1.0 / error;
        }
        let star = (sum / sure).exp();
        let (away, chance) = (star - plain, star * star / sure);
        plain + away * (away * away / (away * away + chance))
    }

    /// How far skies lie apart where the hue of a pixel is taken from.
    fn skies_apart(&mut self, x: usize, y: usize) -> f32 {
        let reach = around(self.cfa) + GREEN;
        let here = self.sky(x, y);
        let columns = [x.saturating_sub(reach), x, (x + reach).min(self.size.width - 1)];
        let rows = [y.saturating_sub(reach), y, (y + reach).min(self.size.height - 1)];
        let mut apart = 0.0f32;
        for (i, j) in rows.iter().flat_map(|j| columns.map(|i| (i, *j))) {
            let there = self.sky(i, j);
            apart = here.iter().zip(&there).fold(apart, |most, (a, b)| most.max((a - b).abs()));
        }
        apart
    }

    /// The most light about a block of a row.
    fn height(&mut self, x0: usize, y: usize) -> f32 {
        let columns = x0.saturating_sub(HALF)..(x0 + BLOCK + HALF).min(self.size.width);
        let mut high = 0.0f32;
        for j in y.saturating_sub(STAR_ROWS)..(y + STAR_ROWS + 1).min(self.size.height) {
            for i in columns.clone().step_by(HALF) {
                let (part, k) = self.part(i, j);
                let of = k..(k + HALF).min(BLOCK);
                high = self.parts[part].light[of].iter().fold(high, |high, v| high.max(*v));
            }
        }
        high
    }

    /// How each colour becomes green about a pixel.
    fn hues(&mut self, x: usize, y: usize) -> [Hue; 3] {
        let reach = around(self.cfa);
        let (mut green, mut own, mut squares) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        for j in y.saturating_sub(reach)..(y + reach + 1).min(self.size.height) {
            for i in x.saturating_sub(reach)..(x + reach + 1).min(self.size.width) {
                let color = self.cfa.color(i, j);
                if color == CfaColor::Green {
                    continue;
                }
                let color = color.channel();
                let weight = ((reach + 1 - j.abs_diff(y)) * (reach + 1 - i.abs_diff(x))) as f32;
                let (part, k) = self.part(i, j);
                let light = self.parts[part].light[k];
                let there = self.green(i, j);
                if light.is_finite() && there.is_finite() {
                    green[color] += weight * there;
                    own[color] += weight * light;
                    squares[color] += weight * weight;
                }
            }
        }
        let mut hues = [Hue { to_green: 1.0, told: 1.0 }; 3];
        for c in [CfaColor::Red.channel(), CfaColor::Blue.channel()] {
            hues[c] = Hue::of(green[c], own[c], self.noise * f32::sqrt(squares[c]));
        }
        hues
    }
}

/// By what a colour is multiplied to be green, and how much that is to be believed.
#[derive(Clone, Copy)]
struct Hue {
    to_green: f32,
    told: f32,
}

impl Hue {
    /// Of sums of light with noise.
    fn of(green: f32, own: f32, noise: f32) -> Self {
        let more = SHRINK * noise;
        let to_green = (green.max(0.0) + more) / (own.max(0.0) + more);
        if !(to_green > 0.0 && to_green.is_finite()) {
            return Self { to_green: 1.0, told: 0.0 };
        }
        let shown = |light: f32| light * light / (light * light + (SHOWN * noise).powi(2));
        Self { to_green, told: told(to_green) * shown(green) * shown(own) }
    }
}

/// Marks each half block of which a sample differs from the one half a block on by more than `most`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn differing(row: &[f32], most: f32, marks: &mut [bool]) {
    let (halves, _) = row.as_chunks::<HALF>();
    for ((a, b), mark) in halves.iter().zip(halves.iter().skip(1)).zip(marks.iter_mut()) {
        let mut any = 0u32;
        for k in 0..HALF {
            any |= u32::from((a[k] - b[k]).abs() > most);
        }
        *mark |= any != 0;
    }
    // The last columns of a row that is no whole number of halves.
    if row.len() > HALF {
        let last = row.len() - HALF..row.len();
        let before = row.len().saturating_sub(2 * HALF)..row.len() - HALF;
        let pairs = row[before].iter().zip(&row[last]);
        marks[row.len() / HALF - 1] |= pairs.into_iter().any(|(a, b)| (a - b).abs() > most);
    }
}
