//! Rows and columns that stand out of their neighbours, steps between amplifiers, patterns.

use photosite_pix::debayer::contradiction;
use photosite_pix::spectrum::Spectrum;
use photosite_pix::{CfaPattern, Plane, Rect, Size, stat};

use super::{Against, Fault, Seen, Subject};
use crate::finding::Severity;

/// Rows to each side that a row is compared with.
const BESIDE: usize = 4;
/// Rows or columns that scatter by more than this share of the noise of a pixel are seen.
const SEEN: f64 = 0.15;
/// And by so many times what the noise of a pixel makes of them.
const TIMES: f64 = 3.0;

pub(super) fn look(subject: &Subject<'_>, against: &Against, seen: &Seen, faults: &mut Vec<Fault>) {
    let size = against.size;
    let step = against.cfa.map_or(1, CfaPattern::period);
    let noise = seen.noise_adu;
    let mut row = vec![0.0f32; size.width];
    let mut rows = Vec::with_capacity(size.height);
    for y in 0..size.height {
        subject.row(y, &mut row);
        rows.push(middle(&row, step));
    }
    // Of columns every few samples tell as much.
    let every = (size.height / 512).max(1) | 1;
    let column = |x| -> Vec<f32> {
        (0..size.height).step_by(every).map(|y| subject.data.get(x, y)).collect()
    };
    let columns: Vec<f64> = (0..size.width).map(|x| middle(&column(x), step)).collect();
    seam("columns", &columns, seen, faults);
    seam("rows", &rows, seen, faults);
    interference(subject, against, seen, faults);
    let sides = [
        ("row-noise", "rows", rows, size.width),
        ("column-noise", "columns", columns, size.height.div_ceil(every)),
    ];
    for (code, what, medians, samples) in sides {
        let own = scatter(&medians, step);
        // The scatter of a median of so many samples.
        let expected = (std::f64::consts::PI / 2.0 / samples.max(1) as f64).sqrt() * noise;
        if own > TIMES * expected && own > SEEN * noise {
            let excess = (own * own - expected * expected).sqrt();
            faults.push(Fault {
                code,
                severity: Severity::Warning,
                value: excess,
                error: None,
                unit: "adu",
                message: format!(
                    "{what} differ from their neighbours by {excess:.2} ADU RMS, the noise of a pixel is \
                     {noise:.2} ADU"
                ),
                hint: "More dark and bias frames help where it is fixed; where it changes from frame to \
                       frame, overscan or more lights do."
                    .to_owned(),
                region: None,
            });
        }
    }
}

/// Lines to each side of a border between amplifiers, near and far; even, because rows of two colours
/// alternate.
const BANKS: [usize; 2] = [4, 40];
/// A step there stands out so many times from those elsewhere, and is so large by the noise of a pixel.
const STEPS: f64 = 7.0;
const STEP: f64 = 0.1;
/// Near and far the step of an amplifier is the same to this share, noise aside.
const SAME: f64 = 0.5;
const NOISY: f64 = 3.0;

/// The step of lines at one place by the means of so many to each side, what the background does before and
/// behind taken off.
fn step_at(lines: &[f64], at: usize, bank: usize) -> f64 {
    let mean = |from: usize| {
        let known = lines[from..from + bank].iter().filter(|v| v.is_finite());
        let (sum, n) = known.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
        sum / n
    };
    let bend = |at: usize| mean(at) - mean(at - bank);
    bend(at) - 0.5 * (bend(at - bank) + bend(at + bank))
}

/// A step in the middle of a frame, where sensors that are read out by two or four amplifiers are parted.
fn seam(what: &str, lines: &[f64], seen: &Seen, faults: &mut Vec<Fault>) {
    let [near, far] = BANKS;
    let middle = lines.len() / 2;
    // Elsewhere is where the step is in none of the four banks.
    if lines.len() < 10 * far {
        return;
    }
    let here = step_at(lines, middle, far);
    let of = |bank: usize| -> Vec<f64> {
        (2 * far..lines.len() - 2 * far)
            .step_by(2)
            .filter(|at| at.abs_diff(middle) > 2 * far)
            .map(|at| step_at(lines, at, bank))
            .filter(|v| v.is_finite())
            .collect()
    };
    let elsewhere = of(far);
    let (_, usual) = stat::median_scatter(&elsewhere);
    // A slope is smooth where a seam is sharp.
    let (_, usual_near) = stat::median_scatter(&of(near));
    let most = elsewhere.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let stands_out = here.abs() > STEPS * usual && here.abs() > 1.5 * most;
    let lasts =
        (step_at(lines, middle, near) - here).abs() < SAME * here.abs() + NOISY * usual_near;
    if !(stands_out && lasts && here.abs() > STEP * seen.noise_adu) {
        return;
    }
    faults.push(Fault {
        code: "amplifier-seam",
        severity: Severity::Error,
        value: here,
        error: Some(usual),
        unit: "adu",
        message: format!(
            "the background steps by {here:.2} ADU between {what} {} and {}: the amplifiers of the sensor are \
             not at one level",
            middle - 1,
            middle
        ),
        hint: "Take overscan off each amplifier, or biases and darks of the same night.".to_owned(),
        region: None,
    });
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
const TILE: usize = 512;
/// Chance by which noise alone shows a pattern.
const CHANCE: f64 = 1e-7;
/// A pattern of so much of the noise of a pixel is seen.
const PATTERN: f64 = 0.1;
/// Samples so many sigmas off are stars.
const STARS: f32 = 4.0;

/// A periodic pattern all over the background.
fn interference(subject: &Subject<'_>, against: &Against, seen: &Seen, faults: &mut Vec<Fault>) {
    let size = against.size;
    let step = against.cfa.map_or(1, CfaPattern::period);
    let tile = Size::new(TILE.min(size.width), TILE.min(size.height));
    let mut spectrum = Spectrum::new(tile);
    let starts = |whole: usize, part: usize| -> Vec<usize> {
        let last = (whole - part) / step * step;
        if last >= part { vec![0, last] } else { vec![last / 2 / step * step] }
    };
    for y0 in starts(size.height, tile.height) {
        for x0 in starts(size.width, tile.width) {
            let mut part = subject.data.crop(Rect::new(x0, y0, tile.width, tile.height));
            flatten(&mut part, step, seen);
            spectrum.add(&part);
        }
    }
    // What repeats with the array is its colours'.
    let of_array =
        |f: f64| (f * step as f64 - (f * step as f64).round()).abs() < 2.0 / tile.width as f64;
    let tones = spectrum.tones(CHANCE, 8);
    let Some(tone) =
        tones.into_iter().find(|t| !(step > 1 && of_array(t.x_per_px) && of_array(t.y_per_px)))
    else {
        return;
    };
    if tone.amplitude < PATTERN * seen.noise_adu {
        return;
    }
    faults.push(Fault {
        code: "interference",
        severity: Severity::Warning,
        value: tone.amplitude,
        error: Some(0.1 * tone.amplitude),
        unit: "adu",
        message: format!(
            "a pattern of {:.2} ADU repeats over the background every {:.2} pixels ({:.4} cycles a pixel along x, \
             {:.4} along y); the noise of a pixel is {:.2} ADU",
            tone.amplitude,
            1.0 / tone.x_per_px.hypot(tone.y_per_px),
            tone.x_per_px,
            tone.y_per_px,
            seen.noise_adu
        ),
        hint: "Something near the camera radiates: move power supplies, dew heaters and USB cables. It changes \
               from frame to frame, so that only more lights average it."
            .to_owned(),
        region: None,
    });
}

/// Takes rows and columns of blocks, colours and stars out of a tile, so that only what repeats is left.
fn flatten(part: &mut Plane<f32>, step: usize, seen: &Seen) {
    const BLOCK: usize = 32;
    let Size { width, height } = part.size();
    let limit = STARS * seen.noise_adu as f32;
    for y0 in (0..height).step_by(BLOCK) {
        for x0 in (0..width).step_by(BLOCK) {
            let (x1, y1) = ((x0 + BLOCK).min(width), (y0 + BLOCK).min(height));
            for phase in 0..step * step {
                let own = |y0: usize, x0: usize| {
                    (y0 + phase / step..y1).step_by(step).flat_map(move |y| {
                        (x0 + phase % step..x1).step_by(step).map(move |x| (x, y))
                    })
                };
                let mut values: Vec<f32> =
                    own(y0, x0).map(|(x, y)| part.get(x, y)).filter(|v| v.is_finite()).collect();
                let level = stat::median_in_place(&mut values);
                for (x, y) in own(y0, x0) {
                    let v = part.get(x, y) - level;
                    part.set(x, y, if v.abs() < limit { v } else { f32::NAN });
                }
            }
        }
    }
}

/// The mean of the medians of each colour of a line.
fn middle(line: &[f32], step: usize) -> f64 {
    let of_phase = |phase: usize| {
        let own = line[phase..].iter().step_by(step).copied();
        let mut known: Vec<f32> = own.filter(|v| v.is_finite()).collect();
        f64::from(stat::median_in_place(&mut known))
    };
    (0..step).map(of_phase).sum::<f64>() / step as f64
}

/// How far lines differ from the median of those of their colour beside them.
fn scatter(lines: &[f64], step: usize) -> f64 {
    let mut apart = Vec::with_capacity(lines.len());
    for i in 0..lines.len() {
        let from = i.saturating_sub(BESIDE * step);
        let offset = (i - from) % step;
        let beside: Vec<f64> = (from + offset..(i + BESIDE * step + 1).min(lines.len()))
            .step_by(step)
            .filter(|j| *j != i)
            .map(|j| lines[j])
            .filter(|v| v.is_finite())
            .collect();
        if !beside.is_empty() && lines[i].is_finite() {
            apart.push(lines[i] - stat::median_f64(&beside));
        }
    }
    stat::median_scatter(&apart).1
}
