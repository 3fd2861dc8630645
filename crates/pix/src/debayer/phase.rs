//! Whether the samples of a frame agree with the array that its header names.

use crate::stat::{MAD_TO_SIGMA, median_mad};
use crate::{CfaColor, CfaPattern, Plane};

/// Samples of a place that its level is taken from, about.
const SAMPLES: usize = 1 << 18;

/// A difference between levels counts from this many of its standard errors.
const SIGNIFICANT: f64 = 10.0;

/// Of the range of the four levels: greens that lie this far apart are none, others that lie within
/// this of what the greens differ by are greens. A choice: real greens differ by a percent or two of
/// their level, red and green by tens.
const APART: f64 = 0.2;

/// Samples that contradict a Bayer array: what it calls green differs, what it calls red and blue
/// is alike. The array lies a row or a column off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradiction {
    /// The difference of the two greens' levels, in the unit of the samples.
    pub greens_differ: f64,
    /// The difference of red's and blue's levels.
    pub others_differ: f64,
    /// The arrays that the samples agree with; which of them, levels do not tell.
    pub instead: [CfaPattern; 2],
}

/// Looks whether samples contradict their array; `None` where they agree, where there is too little
/// colour to tell, and for arrays other than Bayer's.
///
/// Samples that are not finite do not count.
pub fn contradiction(frame: &Plane<f32>, cfa: CfaPattern) -> Option<Contradiction> {
    if !cfa.is_bayer() || frame.width() < 2 || frame.height() < 2 {
        return None;
    }
    let pairs = frame.height() / 2;
    let every = (frame.size().pixels() / 4).div_ceil(SAMPLES).clamp(1, pairs);
    // Level and its standard error at each place of the cell.
    let place = |x: usize, y: usize| {
        let rows = (0..pairs).step_by(every).map(|pair| frame.row(2 * pair + y));
        let samples: Vec<f32> = rows.flat_map(|r| r.iter().skip(x).step_by(2)).copied().collect();
        let count = samples.iter().filter(|v| v.is_finite()).count();
        let (median, mad) = median_mad(&samples);
        // The median of normal samples scatters by 1.2533 times their mean's error.
        let error = 1.2533 * MAD_TO_SIGMA * f64::from(mad) / (count as f64).sqrt();
        (cfa.color(x, y), f64::from(median), error)
    };
    let places = [place(0, 0), place(1, 0), place(0, 1), place(1, 1)];
    let differ = |green: bool| {
        let mut pair = places.iter().filter(|(c, ..)| (*c == CfaColor::Green) == green);
        let (a, b) = (pair.next()?, pair.next()?);
        Some(((a.1 - b.1).abs(), a.2.hypot(b.2)))
    };
    let ((greens, error), (others, _)) = (differ(true)?, differ(false)?);
    let levels = || places.iter().map(|(_, level, _)| *level);
    let range = levels().fold(f64::MIN, f64::max) - levels().fold(f64::MAX, f64::min);
    let told = greens > SIGNIFICANT * error && greens > APART * range && others < APART * greens;
    told.then(|| Contradiction {
        greens_differ: greens,
        others_differ: others,
        instead: [cfa.shifted(1, 0), cfa.shifted(0, 1)],
    })
}
