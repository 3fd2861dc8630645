//! The codes of findings about which master a light gets.

use super::Severity::{Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const MATCHING: &[Code] = &[
    code(
        "dark-missing",
        Warning,
        "No dark matches a light: hot pixels and amp glow remain.",
        "Take the darks that the hint names.",
    ),
    code(
        "flat-missing",
        Warning,
        "No flat matches a light: vignetting and dust remain.",
        "Take the flats that the hint names.",
    ),
    code(
        "flat-not-used",
        Warning,
        "No bias or dark can be subtracted from a light, so the flat is not applied: it would \
         divide the bias as well.",
        "Take biases of this gain and offset, or darks of this exposure.",
    ),
    code(
        "match-costly",
        Warning,
        "The best master on hand leaves a noticeable residual in the light.",
        "Take the frames that the hint names.",
    ),
    code(
        "match-doubtful",
        Warning,
        "A header speaks against the best master on hand, by a property that headers often get wrong; \
         it is used.",
        "Correct the keyword that the hint names, or take frames with the optics of the lights.",
    ),
    code(
        "match-unknown",
        Info,
        "A master matches as far as the headers say; some properties are not given in both \
         headers.",
        "Let the capture program write them.",
    ),
    code(
        "mixed-software",
        Warning,
        "The masters of a light were made by different programs, which may scale, flip and \
         normalise differently.",
        "Make all masters of one set-up with one program.",
    ),
    code(
        "row-order-differs",
        Warning,
        "A master that would fit was saved with its rows in the other order than the light, and is not used.",
        "Take both with one setting of the capture program, or turn one over and correct ROWORDER.",
    ),
];
