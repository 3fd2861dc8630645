//! Rows and columns that stand out of their neighbours, steps between amplifiers, patterns.

use std::ops::Range;

use photosite_pix::debayer::contradiction;
use photosite_pix::spectrum::{Spectrum, Tone};
use photosite_pix::{CfaPattern, Plane, Rect, Size, stat};
use serde::{Deserialize, Serialize};

use super::seam::{Lines, seam};
use super::{Against, Fault, Subject};
use crate::finding::Severity;

/// Rows to each side that a row is compared with.
const BESIDE: usize = 2;
/// Rows or columns that scatter by more than this share of the noise of a pixel are seen.
const SEEN: f64 = 0.15;
/// And by so many times what the noise of a pixel makes of them.
const TIMES: f64 = 3.0;

/// Samples of a row that are looked at, in runs of neighbours, and rows of a column: more tell no more of
/// what would be seen.
const OF_ROW: usize = 512;
const RUN: usize = 64;
const OF_COLUMN: usize = 256;

/// What the background of a light shows of the electronics that read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// A step in the middle, between amplifiers.
    AmplifierSeam,
    /// A tone that repeats all over it.
    Interference,
    /// Rows that stand out of their neighbours.
    RowNoise,
    /// Columns that do.
    ColumnNoise,
}

impl Pattern {
    /// All of them, the cause of most first.
    pub const ALL: [Self; 4] =
        [Self::AmplifierSeam, Self::Interference, Self::ColumnNoise, Self::RowNoise];

    /// Its code among findings.
    pub fn code(self) -> &'static str {
        match self {
            Self::AmplifierSeam => "amplifier-seam",
            Self::Interference => "interference",
            Self::RowNoise => "row-noise",
            Self::ColumnNoise => "column-noise",
        }
    }

    /// What mends it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::AmplifierSeam => {
                "Take overscan off each amplifier, or biases and darks of the same night."
            }
            Self::Interference => {
                "Something near the camera radiates: move power supplies, dew heaters and USB cables. It \
                 changes from frame to frame, so that only more lights average it."
            }
            Self::RowNoise | Self::ColumnNoise => {
                "More dark and bias frames help where it is fixed; where it changes from frame to frame, \
                 overscan or more lights do."
            }
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::AmplifierSeam => Severity::Error,
            _ => Severity::Warning,
        }
    }

    fn fault(self, adu: f64, error: Option<f64>, message: String) -> Fault {
        Fault {
            code: self.code(),
            severity: self.severity(),
            value: adu,
            error,
            unit: "adu",
            message,
            hint: self.hint().to_owned(),
            region: None,
        }
    }
}

/// A pattern that was seen in a light.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatternSeen {
    /// Which.
    pub code: Pattern,
    /// How strong: the step, the amplitude, the scatter of lines.
    pub adu: f64,
}

impl PatternSeen {
    /// A light that shows it is not what its masters could have made of it.
    pub fn is_wrong(self) -> bool {
        self.code.severity() == Severity::Error
    }
}

/// The patterns that the background of a light shows; `noise_adu` is the noise of its pixels.
pub fn patterns(
    subject: &Subject<'_>,
    cfa: Option<CfaPattern>,
    noise_adu: f64,
) -> Vec<PatternSeen> {
    let mut faults = Vec::new();
    look(subject, cfa, noise_adu, &mut faults);
    let of = |code: Pattern| {
        let fault = faults.iter().find(|f| f.code == code.code())?;
        Some(PatternSeen { code, adu: fault.value })
    };
    Pattern::ALL.into_iter().filter_map(of).collect()
}

/// What repeats over a frame or steps in it, by samples whose noise from pixel to pixel is `noise_adu`.
pub(super) fn look(
    subject: &Subject<'_>,
    cfa: Option<CfaPattern>,
    noise_adu: f64,
    faults: &mut Vec<Fault>,
) {
    if noise_adu < COARSE_ADU {
        return;
    }
    let step = cfa.map_or(1, CfaPattern::period);
    let (of_rows, rows) = Lines::of(subject, step);
    let (of_columns, columns) = (of_rows.turned(), rows.turned());
    let mut parted = |what: &str, along: Lines| {
        let middle = along.length / 2;
        let Some((adu, error)) = seam(along, (step, noise_adu)) else { return };
        let message = format!(
            "the background steps by {adu:.2} ADU between {what} {} and {middle}: the amplifiers of the sensor are not \
             at one level",
            middle - 1
        );
        faults.push(Pattern::AmplifierSeam.fault(adu, Some(error), message));
    };
    // Columns are parted along rows, and the other way round.
    parted("columns", rows);
    let apart = [
        (Pattern::RowNoise, "rows", of_rows.apart(step), of_rows.length),
        (Pattern::ColumnNoise, "columns", columns.apart(step), columns.length),
    ];
    parted("rows", of_columns);
    interference(subject, step, noise_adu, faults);
    for (pattern, what, own, samples) in apart {
        // The scatter of a median of so many samples, each less the mean of four beside it.
        let with_beside = 1.0 + 0.5 / BESIDE as f64;
        let expected =
            (std::f64::consts::PI / 2.0 * with_beside / samples.max(1) as f64).sqrt() * noise_adu;
        if own > TIMES * expected && own > SEEN * noise_adu {
            let excess = ((own * own - expected * expected) / with_beside).sqrt();
            let message = format!(
                "{what} differ from their neighbours by {excess:.2} ADU RMS, the noise of a pixel is \
                 {noise_adu:.2} ADU"
            );
            faults.push(pattern.fault(excess, None, message));
        }
    }
}

impl Lines {
    /// Parts of every row, and some rows as a whole.
    fn of(subject: &Subject<'_>, step: usize) -> (Self, Self) {
        let Size { width, height } = subject.data.size();
        let runs = runs(width, step);
        let length = runs.iter().map(ExactSizeIterator::len).sum();
        let mut parts = vec![0.0f32; length * height];
        for (y, row) in parts.chunks_exact_mut(length).enumerate() {
            let mut rest = row;
            for run in &runs {
                let (part, after) = rest.split_at_mut(run.len());
                subject.part_of_row(y, run.start, part);
                rest = after;
            }
        }
        let every = (height / OF_COLUMN).max(1) | 1;
        let mut some = vec![0.0f32; height.div_ceil(every) * width];
        for (n, row) in some.chunks_exact_mut(width).enumerate() {
            subject.row(n * every, row);
        }
        (Self { samples: parts, length }, Self { samples: some, length: width })
    }

    /// The same samples with lines and places exchanged.
    fn turned(&self) -> Self {
        Self {
            samples: turned(&self.samples, self.length),
            length: self.samples.len() / self.length,
        }
    }

    /// How far lines stand out of those of their colour beside them: the scatter of medians over what each sample
    /// differs by, so that what the sky does along lines is in none of them.
    fn apart(&self, step: usize) -> f64 {
        let lines: Vec<&[f32]> = self.samples.chunks_exact(self.length).collect();
        let far = BESIDE * step;
        let mut room = vec![0.0f32; self.length];
        let medians: Vec<f64> = (far..lines.len().saturating_sub(far))
            .filter_map(|i| {
                let beside: Vec<&[f32]> =
                    (1..=BESIDE).flat_map(|k| [lines[i - k * step], lines[i + k * step]]).collect();
                room.resize(self.length, 0.0);
                for (x, to) in room.iter_mut().enumerate() {
                    let sum: f32 = beside.iter().map(|line| line[x]).sum();
                    *to = lines[i][x] - sum / beside.len() as f32;
                }
                room.retain(|v| v.is_finite());
                (!room.is_empty()).then(|| f64::from(stat::median_in_place(&mut room)))
            })
            .collect();
        stat::median_scatter(&medians).1
    }
}

/// Rows of `width` samples as columns, one after the other.
fn turned(rows: &[f32], width: usize) -> Vec<f32> {
    /// Rows that are turned at a time, so that the nearest memory holds them.
    const ROWS: usize = 32;
    let height = rows.len() / width;
    let mut out = vec![0.0; rows.len()];
    for (n, block) in rows.chunks(ROWS * width).enumerate() {
        for (x, column) in out.chunks_exact_mut(height).enumerate() {
            let part = column[n * ROWS..].iter_mut().zip(block[x..].iter().step_by(width));
            part.for_each(|(to, v)| *to = *v);
        }
    }
    out
}

/// The parts of a row that are looked at; each begins and ends with a cell of the array.
fn runs(width: usize, step: usize) -> Vec<Range<usize>> {
    let run = RUN.next_multiple_of(step);
    let count = OF_ROW / RUN;
    if width < 2 * count * run {
        return std::iter::once(0..width).collect();
    }
    let start = |k: usize| (k * (width - run) / (count - 1)) / step * step;
    (0..count).map(|k| start(k)..start(k) + run).collect()
}

/// That the samples contradict the array that they are said to lie under: what was divided by the flat of
/// another colour shows it everywhere.
pub(super) fn other_array(subject: &Subject<'_>, against: &Against) -> Option<Fault> {
    let cfa = against.cfa?;
    let found = contradiction(subject.data, cfa)?;
    let [a, b] = found.instead;
    Some(Fault {
        code: "cfa-phase",
        severity: Severity::Error,
        value: found.greens_differ,
        error: None,
        unit: "adu",
        message: format!(
            "under the array {cfa} the two greens differ by {:.1} ADU, red and blue by {:.1} only: {a} or {b} would \
             agree with the samples",
            found.greens_differ, found.others_differ
        ),
        hint: "Set BAYERPAT, or XBAYROFF and YBAYROFF, to match the frame, and calibrate it anew."
            .to_owned(),
        region: None,
    })
}

/// Side of the tiles in which patterns are looked for, in pixels.
const TILE: usize = 256;
/// Chance by which noise alone shows a pattern.
const CHANCE: f64 = 1e-7;
/// A pattern of so much of the noise of a pixel is seen.
const PATTERN: f64 = 0.05;
/// Below so much noise the steps of the converter are what is seen.
const COARSE_ADU: f64 = 0.5;
/// The share of what stands above noise around a tone that must be its own: waves of nebulae bend.
const SHARP: f64 = 0.6;
/// Samples so many sigmas off are stars.
const STARS: f32 = 4.0;

/// A periodic pattern all over the background.
fn interference(subject: &Subject<'_>, step: usize, noise_adu: f64, faults: &mut Vec<Fault>) {
    let size = subject.data.size();
    let tile = Size::new(TILE.min(size.width), TILE.min(size.height));
    let mut spectrum = Spectrum::new(tile);
    let starts = |whole: usize, part: usize| -> Vec<usize> {
        let last = (whole - part) / step * step;
        if last >= part { vec![0, last] } else { vec![last / 2 / step * step] }
    };
    for y0 in starts(size.height, tile.height) {
        for x0 in starts(size.width, tile.width) {
            let mut part = subject.data.crop(Rect::new(x0, y0, tile.width, tile.height));
            flatten(&mut part, step, noise_adu);
            spectrum.add(&part);
        }
    }
    // What repeats with the array is its colours', and so is what repeats with every second pixel where no
    // header names an array; odd and even lines that differ are seen as lines.
    let cell = step.max(2) as f64;
    // Of colours that change over the sky blocks leave what is longer than a third of a block beside them.
    let beside = if step > 1 { 3.0 / BLOCK as f64 } else { 1.0 / tile.width as f64 };
    let of_array = |f: f64| (f * cell - (f * cell).round()).abs() < beside * cell;
    // What is longer than half a block is the sky's own shape, of which blocks leave some.
    let is_pattern = |t: &Tone| {
        let of_colours = of_array(t.x_per_px) && of_array(t.y_per_px);
        let is_short = t.x_per_px.hypot(t.y_per_px) * BLOCK as f64 > 2.0;
        !of_colours && is_short && t.sharpness > SHARP
    };
    let Some(tone) = spectrum.tones(CHANCE, 8).into_iter().find(is_pattern) else { return };
    if tone.amplitude < PATTERN * noise_adu {
        return;
    }
    let message = format!(
        "a pattern of {:.2} ADU repeats over the background every {:.2} pixels ({:.4} cycles a pixel along x, \
         {:.4} along y); the noise of a pixel is {noise_adu:.2} ADU",
        tone.amplitude,
        1.0 / tone.x_per_px.hypot(tone.y_per_px),
        tone.x_per_px,
        tone.y_per_px,
    );
    let error = Some(0.1 * tone.amplitude);
    faults.push(Pattern::Interference.fault(tone.amplitude, error, message));
}

/// Side of the blocks whose medians are the background of a tile, in pixels.
const BLOCK: usize = 32;

/// Takes background, colours and stars out of a tile, so that only what repeats is left. The background runs
/// smoothly from the middle of one block to that of the next: steps between blocks would repeat as well.
fn flatten(part: &mut Plane<f32>, step: usize, noise_adu: f64) {
    let Size { width, height } = part.size();
    let limit = STARS * noise_adu as f32;
    // Whole cells of the array in each.
    let side = BLOCK.next_multiple_of(step);
    let [across, down] = [width, height].map(|n| n.div_ceil(side));
    let mut values: Vec<f32> = Vec::with_capacity(side * side);
    // Of each colour, those of all blocks.
    let mut medians = vec![0.0f32; step * step * across * down];
    for (at, median) in medians.iter_mut().enumerate() {
        let (phase, block) = (at / (across * down), at % (across * down));
        let (x0, y0) = (block % across * side, block / across * side);
        values.clear();
        for y in (y0 + phase / step..(y0 + side).min(height)).step_by(step) {
            let row = &part.row(y)[..(x0 + side).min(width)];
            let own = row.iter().skip(x0 + phase % step).step_by(step);
            values.extend(own.filter(|v| v.is_finite()));
        }
        *median = stat::median_in_place(&mut values);
    }
    let between = |at: usize, count: usize| {
        let place = (at as f32 + 0.5) / side as f32 - 0.5;
        let first = (place.max(0.0) as usize).min(count - 1);
        (first, (first + 1).min(count - 1), (place - first as f32).clamp(0.0, 1.0))
    };
    for y in 0..height {
        let (up, low, v) = between(y, down);
        for (x, sample) in part.row_mut(y).iter_mut().enumerate() {
            let (left, right, u) = between(x, across);
            let phase = y % step * step + x % step;
            let of = &medians[phase * across * down..][..across * down];
            let along =
                |row: usize| of[row * across + left] * (1.0 - u) + of[row * across + right] * u;
            let rest = *sample - (along(up) * (1.0 - v) + along(low) * v);
            *sample = if rest.abs() < limit { rest } else { f32::NAN };
        }
    }
}
