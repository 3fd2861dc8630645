//! A calibrated light against the truth.

use photosite_pix::{CfaPattern, Frame, MaskBits};

use crate::FrameTruth;

/// What is left between a calibrated light and the truth, over pixels that nothing is known
/// against and no cosmic ray hit.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Residual {
    /// Pixels compared.
    pub n: usize,
    /// Mean of calibrated minus true, in ADU.
    pub mean_adu: f64,
    /// The standard error of that mean, in ADU.
    pub mean_error_adu: f64,
    /// Root mean square of calibrated minus true, in ADU.
    pub rms_adu: f64,
    /// The same as the variance plane predicts it, in ADU; NaN without one.
    pub predicted_adu: f64,
}

impl Residual {
    /// What was found over what was predicted: 1 where the variance plane is right.
    pub fn ratio(&self) -> f64 {
        self.rms_adu / self.predicted_adu
    }
}

/// How a truth in electrons becomes the ADU of a calibrated light.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Electrons per ADU.
    pub gain_e_per_adu: f64,
    /// The mean response of each colour that the flat was divided by; the first serves a
    /// monochrome sensor.
    pub response: [f64; 3],
    /// The colour filter array.
    pub cfa: Option<CfaPattern>,
}

/// Compares a calibrated light with the truth of its simulation.
///
/// Pixels with any mask bit are left out, and those that a cosmic ray hit: its charge never passed
/// the flat. `None` for a frame that is no light.
pub fn residual(frame: &Frame, truth: &FrameTruth, scale: Scale) -> Option<Residual> {
    let light = truth.light_e.as_ref()?;
    let (mut n, mut sum, mut squares, mut predicted) = (0usize, 0.0f64, 0.0f64, 0.0f64);
    for y in 0..frame.size().height {
        for x in 0..frame.size().width {
            let skipped = frame.mask.get(x, y) != MaskBits::empty();
            if skipped || truth.cosmic_e.get(x, y) > 0.0 {
                continue;
            }
            let response = scale.response[scale.cfa.map_or(0, |c| c.color(x, y).channel())];
            let expected = f64::from(light.get(x, y)) * response / scale.gain_e_per_adu;
            let d = f64::from(frame.data.get(x, y)) - expected;
            n += 1;
            sum += d;
            squares += d * d;
            predicted += frame.variance.as_ref().map_or(f64::NAN, |v| f64::from(v.get(x, y)));
        }
    }
    let count = n as f64;
    let mean_adu = sum / count;
    let sd = (squares / count - mean_adu * mean_adu).max(0.0).sqrt();
    Some(Residual {
        n,
        mean_adu,
        mean_error_adu: sd / count.sqrt(),
        rms_adu: (squares / count).sqrt(),
        predicted_adu: (predicted / count).sqrt(),
    })
}
