//! Whether samples agree with the colour filter array that a header names.

use std::path::Path;

use photosite_pix::debayer::{Greens, contradiction};
use photosite_pix::{CfaPattern, Plane};

use crate::Finding;
use crate::finding::Severity;

/// The code of what is told where samples contradict the array that headers name.
pub const PHASE_DOUBTFUL: &str = "cfa-phase-doubtful";

/// A Finding where the samples contradict the array that the header names.
pub fn doubtful_phase(path: &Path, data: &Plane<f32>, cfa: CfaPattern) -> Option<Finding> {
    let found = contradiction(data, cfa)?;
    let [a, b] = found.instead;
    Some(
        Finding::new(
            PHASE_DOUBTFUL,
            Severity::Warning,
            path.display().to_string(),
            format!(
                "with the array {} the two greens differ by {:.1} ADU, but red and blue by only \
                 {:.1}: the header gives the wrong array, or the frame was cropped at an odd row \
                 or column; {a} or {b} would agree with the samples",
                cfa, found.greens_differ, found.others_differ
            ),
        )
        .hint("Set BAYERPAT, or XBAYROFF and YBAYROFF, to match the frame.")
        .with("cfa", cfa.to_string())
        .with("greens_differ", found.greens_differ)
        .with("others_differ", found.others_differ),
    )
}

/// How the greens of a frame differ, where they do and its samples do not contradict the array; with
/// what is to be told of the one or the other.
pub fn greens(
    path: &Path,
    data: &Plane<f32>,
    cfa: CfaPattern,
) -> (Option<Greens>, Option<Finding>) {
    // Colours that are none are not made alike.
    if let Some(doubt) = doubtful_phase(path, data, cfa) {
        return (None, Some(doubt));
    }
    let greens = Greens::of(data, cfa);
    let worth_a_word = greens.filter(|greens| greens.difference().abs() >= WORTH_A_WORD);
    (greens, worth_a_word.map(|greens| equalised(path, greens)))
}

/// Greens that differ by less than this are made alike without a word: those of most sensors do.
const WORTH_A_WORD: f64 = 0.01;

fn equalised(path: &Path, greens: Greens) -> Finding {
    let percent = 100.0 * greens.difference();
    let (more, less) = if percent > 0.0 { ("red", "blue") } else { ("blue", "red") };
    Finding::new(
        "greens-equalised",
        Severity::Info,
        path.display().to_string(),
        format!(
            "greens beside {more} are {:.2} % brighter than those beside {less}; both are brought to \
             their mean",
            percent.abs()
        ),
    )
    .hint("No action needed; flats of the same light take the difference away.")
    .with("difference_percent", percent)
}
