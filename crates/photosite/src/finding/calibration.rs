//! The codes of findings about darks, flats and defect maps: what each means, and what to do.

use super::Severity::{Error, Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const CALIBRATION: &[Code] = &[
    code(
        "dark-content-assumed",
        Info,
        "The header does not say whether bias was subtracted from this dark; it is assumed to \
         include bias.",
        "If bias was subtracted, set BIASSUB = T in the header.",
    ),
    code("dark-is-bias", Info, "A dark of no exposure is a bias.", "No action needed."),
    code(
        "dark-scaling-unproven",
        Warning,
        "A dark is scaled without evidence that its signal grows linearly with exposure.",
        "Take darks at the lights' own exposure and temperature.",
    ),
    code(
        "defects-few-frames",
        Info,
        "A defect map is made of fewer darks and biases than tell which pixels change from frame to frame.",
        "Add darks: 20 tell of unstable pixels, 50 of their levels.",
    ),
    code(
        "defects-left-out",
        Warning,
        "Files named for a defect map are lights, or of another sensor or region; they are left out.",
        "Name the darks, flats and biases of one camera, binning and region.",
    ),
    code(
        "defects-lights-not-dithered",
        Warning,
        "Lights named for a defect map were not dithered: a star that stands still looks like a pixel that does.",
        "Name lights that were dithered by some pixels, or of several nights.",
    ),
    code(
        "defects-map-old",
        Warning,
        "The defect map that the library keeps of a camera and set-up was made of darks more than a year from the \
         lights: pixels that became hot since are not in it.",
        "Take 20 darks or more at the lights' temperature; the library keeps the map of them.",
    ),
    code(
        "defects-mapped",
        Info,
        "Lights are calibrated with a defect map of the darks that they take, or with one that the library keeps.",
        "No action needed; --defects none does without.",
    ),
    code(
        "defects-not-of-this-sensor",
        Warning,
        "A defect map that was named is of another size than a light, or the hot pixels of one that the library keeps stand \
         in none of the night's darks or lights; the light is calibrated without it.",
        "Name a map of the light's own camera, binning and region, or --defects none; take darks with the camera as it is \
         now.",
    ),
    code(
        "flat-by-bias",
        Warning,
        "No dark flat or dark matches the exposure of the flats: only bias is subtracted, and \
         their dark signal remains.",
        "Take dark flats of the flats' exposure.",
    ),
    code(
        "flat-colour-weak",
        Warning,
        "One colour of a master flat is so faint that dividing by it adds noise.",
        "Use a light source of more even colour, expose the flats longer, or take more.",
    ),
    code(
        "flat-content-assumed",
        Info,
        "The header does not say whether bias was subtracted from this flat; it is assumed that \
         it was.",
        "No action needed if the program that made it subtracts bias or dark flats.",
    ),
    code(
        "flat-dark-fitted",
        Info,
        "No dark flat or dark matches the exposure of long flats; a dark of another exposure was fitted to \
         their hot pixels and subtracted, with the factor and the signal that the message names.",
        "No action needed; dark flats of the flats' own exposure would add less noise.",
    ),
    code(
        "flat-faint",
        Warning,
        "A master flat holds so little light that dividing by it adds noise to every light alike.",
        "Take brighter flats (a third to a half of full scale), or more of them.",
    ),
    code(
        "flat-holds-bias",
        Warning,
        "A master flat was made of frames that hold their bias, without anything to subtract.",
        "Name a master bias, dark or dark flat for it.",
    ),
    code(
        "flat-without-bias",
        Error,
        "The flats still contain bias and nothing on hand removes it; no master flat is made.",
        "Take dark flats, or biases.",
    ),
    code(
        "flats-parted",
        Warning,
        "The flats of a night fall into sets that differ, as dust that moves, a camera that turns or another filter makes \
         them: a master is made of each, and each light gets the one that its own background shows.",
        "See whether one filter was named for two; take flats again whenever the camera was turned or dust moved.",
    ),
];
