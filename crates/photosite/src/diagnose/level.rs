//! The level of a light: below nothing, or cut off.

use photosite_pix::stat;

use super::{Against, Fault, Seen, Subject};
use crate::calibrate::MasterDark;
use crate::finding::Severity;

/// A background so many noises of a pixel below nothing holds a level that was taken too much; its median is
/// known to a hundredth of that.
const BELOW: f64 = 0.3;
/// The share of samples that may share the lowest value.
const CUT: f64 = 0.005;
/// The share from which the whole background is: no border is as wide.
const MOST_CUT: f64 = 0.5;
/// Bias levels are known to lie so much above nothing that this share of one is no sky.
const OF_BIAS: f64 = 0.1;

pub(super) fn look(subject: &Subject<'_>, against: &Against, seen: &Seen, faults: &mut Vec<Fault>) {
    if let Some(gap) = against.dark.as_ref().and_then(|d| d.gap.as_ref()) {
        tell_gap(gap, faults);
    }
    let told = faults.iter().any(|f| matches!(f.code, "bias-twice" | "offset-mismatch"));
    if !told && seen.level_adu < -BELOW * seen.noise_adu {
        faults.push(below(seen, against));
    }
    faults.extend(cut_off(subject));
}

/// How far a dark lies above its bias, and how far its signal may lift it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    gap_adu: f64,
    most_adu: f64,
}

/// The share of its variance that read noise surely has, where headers give it, and how far their gain may be off.
const READ_KNOWN: f64 = 0.8;
const GAIN_KNOWN: f64 = 1.15;

/// How far levels of one offset lie apart, in ADU: sensors that correct their black level drift so.
const DRIFT_ADU: f64 = 8.0;

impl Gap {
    /// Of a dark that holds its bias and lies so far above it. Its signal is no more than what its noise has beyond the
    /// read noise, or all of it where that is not known; `None` where the noise of one of its frames is not known.
    ///
    /// # Source
    /// Janesick2001: shot noise in electrons is the root of the signal.
    pub fn of(
        dark: &MasterDark,
        gap_adu: f64,
        (gain_e_per_adu, read_noise_e): (f64, Option<f64>),
    ) -> Option<Self> {
        let variance = dark.frame.variance.as_ref()?;
        let of_mean = f64::from(stat::median_at_a_glance(variance.as_slice()));
        let of_frame = of_mean * dark.variance_factor?;
        let read_adu = read_noise_e.map_or(0.0, |e| e / gain_e_per_adu);
        let shot = (of_frame - READ_KNOWN * read_adu.powi(2)).max((1.0 - READ_KNOWN) * of_frame);
        let most_adu = shot * gain_e_per_adu * if read_adu > 0.0 { GAIN_KNOWN } else { 1.0 };
        Some(Self { gap_adu, most_adu })
    }

    /// Whether dark signal explains it; a sensor that corrects its black level may take the whole signal off.
    pub fn is_of_one_offset(&self) -> bool {
        self.gap_adu.abs() < self.most_adu + DRIFT_ADU
    }
}

fn tell_gap(gap: &Gap, faults: &mut Vec<Fault>) {
    let Gap { gap_adu, most_adu } = *gap;
    if gap.is_of_one_offset() {
        return;
    }
    // What the flat shows is the same, and less certain.
    faults.retain(|f| f.code != "offset-mismatch");
    let signal_adu = 0.5 * most_adu;
    let (over, above) = (gap_adu > 0.0, if gap_adu > 0.0 { "above" } else { "below" });
    let than = match over {
        true => format!("its noise allows a signal of {most_adu:.1} ADU at most"),
        false => format!("correcting the black level takes {most_adu:.1} ADU at most"),
    };
    faults.push(Fault {
        code: "offset-mismatch",
        severity: Severity::Error,
        value: signal_adu - gap_adu,
        error: Some(signal_adu.hypot(DRIFT_ADU) / 2.0),
        unit: "adu",
        message: format!(
            "the dark lies {:.1} ADU {above} the bias, and {than}: one of them is of another offset",
            gap_adu.abs()
        ),
        hint: "Take darks and biases with the light's own offset and gain.".to_owned(),
        region: None,
    });
}

fn below(seen: &Seen, against: &Against) -> Fault {
    let under = format!("the background is {:.1} ADU, less than nothing", seen.level_adu);
    let fault = |code, message, hint: &str| Fault {
        code,
        severity: Severity::Error,
        value: seen.level_adu,
        error: Some(seen.noise_adu / 100.0),
        unit: "adu",
        message,
        hint: hint.to_owned(),
        region: None,
    };
    match against.bias_adu {
        Some(b) if -seen.level_adu > OF_BIAS * b && -seen.level_adu < b => fault(
            "bias-twice",
            format!("{under}: the bias of {b:.1} ADU was subtracted twice"),
            "Subtract either a dark that holds the bias, or bias and a dark without it.",
        ),
        _ => fault(
            "offset-mismatch",
            format!("{under}: dark or bias of another offset was subtracted"),
            "Take darks and biases with the light's own offset and gain.",
        ),
    }
}

/// Samples that share the lowest value, though none of their neighbours in value does.
fn cut_off(subject: &Subject<'_>) -> Option<Fault> {
    let samples = subject.data.as_slice();
    let finite = samples.iter().copied().filter(|v| v.is_finite());
    let lowest = finite.clone().fold(f32::INFINITY, f32::min);
    // Borders of frames that were moved are zero without being cut off: they have neighbours that are, too.
    let width = subject.data.width();
    let (mut cut, mut count, mut all) = (0usize, 0usize, 0usize);
    for row in samples.chunks_exact(width.max(1)) {
        count += row.iter().filter(|v| v.is_finite()).count();
        all += row.iter().filter(|v| **v == lowest).count();
        let alone = row.windows(3).filter(|w| w[1] == lowest && (w[0] != lowest || w[2] != lowest));
        cut += alone.count();
    }
    // Where most are cut off few stand alone.
    if all as f64 > MOST_CUT * count as f64 {
        cut = all;
    }
    let above = finite.filter(|v| *v > lowest).fold(f32::INFINITY, f32::min);
    let next = samples.iter().filter(|v| **v == above).count();
    let share = cut as f64 / count.max(1) as f64;
    (share > CUT && cut > 4 * next).then(|| Fault {
        code: "background-clipped",
        severity: Severity::Error,
        value: share,
        error: None,
        unit: "share",
        message: format!(
            "{:.1} % of the samples were cut off at {lowest}: the background is no longer whole",
            100.0 * share
        ),
        hint:
            "Calibrate to floating point, or add a pedestal before writing integers (--pedestal)."
                .to_owned(),
        region: None,
    })
}
