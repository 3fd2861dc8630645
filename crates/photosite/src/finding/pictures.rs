//! The codes of findings about pictures that are made of several.

use super::Severity::{Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const PICTURES: &[Code] = &[
    code(
        "compose-by-order",
        Warning,
        "No header of the pictures of a colour picture names a filter; they are taken in the order of the \
         palette.",
        "Say what each is, R=FILE G=FILE B=FILE, or write FILTER into the headers.",
    ),
    code(
        "compose-unbalanced",
        Warning,
        "Too few unsaturated stars are in common to balance a channel of a colour picture by.",
        "Balance it in the program you stretch with, or give deeper pictures.",
    ),
    code(
        "compose-unlike-seeing",
        Warning,
        "Stars of the pictures of a colour picture are of unlike widths, and the luminance changed their colours.",
        "Compose it without the luminance where colours of stars matter, or keep the sharpest lights: --keep-best.",
    ),
    code(
        "rejection-ate-stars",
        Warning,
        "Stars hold less light in a stack than the same lights give without rejection, which takes their cores.",
        "Use the default rejection, or wider limits: --sigma-low 4 --sigma-high 4.",
    ),
    code(
        "kind-contradicts",
        Warning,
        "Frames that were named as one kind are of another by their own headers.",
        "Name the frames that were meant, or ignore this if their headers are wrong.",
    ),
    code(
        "same-samples",
        Warning,
        "A light holds the samples of another under another header; it counts once.",
        "Look at the program or the driver that wrote them.",
    ),
    code(
        "scales-differ",
        Info,
        "Lights of one stack have pixels of unlike sizes on the sky: it has those that most light was taken with, or finer \
         ones.",
        "Name another light with --reference to stack on its pixels, or stack them apart.",
    ),
    code(
        "stack-mixed",
        Warning,
        "Lights of several filters, targets, exposures or calibrations were named for one stack.",
        "Stack them apart; run does that by itself. Lights of several exposures may go together.",
    ),
    code(
        "stack-noise",
        Warning,
        "A stack has more noise than that of its lights foretells: something is common to them.",
        "Dither by 5 px or more, and look at flats and darks; a faint nebula everywhere looks alike.",
    ),
    code(
        "walking-noise",
        Warning,
        "Lights drift steadily without dithering, so that what calibration leaves on the sensor becomes streaks.",
        "Dither by 5 px or more in a random direction every light or two.",
    ),
    code(
        "stack-not-aligned",
        Warning,
        "Lights that do not lie on each other were stacked pixel by pixel: stars are doubled.",
        "Stack with --register.",
    ),
];
