//! The codes of what is wrong with calibrated lights: what each means, and what to do.

use super::Severity::{Error, Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const VERDICT: &[Code] = &[
    code(
        "amplifier-seam",
        Error,
        "The background of a calibrated light steps in the middle of the sensor, where its amplifiers meet.",
        "Take overscan off each amplifier, or biases and darks of the same night.",
    ),
    code(
        "background-clipped",
        Error,
        "Many samples of a calibrated light share its lowest value: the background was cut off.",
        "Calibrate to floating point, or add a pedestal before writing integers.",
    ),
    code(
        "bias-twice",
        Error,
        "More was subtracted from a light than there was, by about the level of the bias.",
        "Subtract either a dark that holds the bias, or bias and a dark without it.",
    ),
    code(
        "cfa-phase",
        Error,
        "A calibrated light contradicts its colour filter array: the array is wrong, or the light was cropped \
         at an odd row or column before it was calibrated.",
        "Set BAYERPAT, or XBAYROFF and YBAYROFF, to match the frame, and calibrate it anew.",
    ),
    code(
        "column-noise",
        Warning,
        "Columns of a calibrated light differ from their neighbours by more than noise.",
        "Take more darks or biases; use overscan where the camera has it.",
    ),
    code(
        "dark-other-region",
        Error,
        "The dark of a light is of another region of the sensor: its hot pixels are holes beside the light's \
         own.",
        "Take darks of the light's own region, or cut both to what they share.",
    ),
    code(
        "flat-additive",
        Error,
        "A level that is no light was in a light or in its flat when one was divided by the other.",
        "Subtract bias or dark before the flat, and dark flats from the flats.",
    ),
    code(
        "flat-dust-moved",
        Error,
        "Dust of the flat is not in the light, so that dividing left its mirror image.",
        "Take flats on the night of the lights, before the train is opened.",
    ),
    code(
        "flat-nonlinear",
        Error,
        "The flat of a light divides too little, and was exposed to where sensors bend.",
        "Take flats at a third to half of saturation.",
    ),
    code(
        "flat-not-applied",
        Error,
        "A light shows the flat's vignetting and dust as a light does that was not divided by it.",
        "Divide by the flat.",
    ),
    code(
        "flat-not-measured",
        Info,
        "Neither vignetting nor dust of the flat can be measured in a light.",
        "Lights of a brighter sky tell, and those whose background was not taken off.",
    ),
    code(
        "flat-other-filter",
        Error,
        "Neither vignetting nor dust of the flat are those of the light.",
        "Take flats with the light's own filter and focus.",
    ),
    code(
        "flat-rotated",
        Error,
        "The light shows the dust of the flat turned by an angle.",
        "Take flats at the rotation of the lights.",
    ),
    code(
        "flat-stray-light",
        Warning,
        "A light holds the flat's dust, but not its vignetting: one of both holds light that the optics did \
         not image.",
        "Take flats without light from beside the panel, and shield the light from stray light.",
    ),
    code(
        "flat-twice",
        Error,
        "A light shows the flat's vignetting and dust turned over as a whole: it was divided by it twice.",
        "Divide by the flat once.",
    ),
    code(
        "gain-mismatch",
        Error,
        "The dark or bias of a light was taken at another gain.",
        "Take darks and biases with the light's own gain.",
    ),
    code(
        "glow-left",
        Warning,
        "Amp glow of the dark is left in a light, or was taken too much.",
        "Take darks at the light's own exposure and temperature.",
    ),
    code(
        "interference",
        Warning,
        "A periodic pattern lies over the background of a light.",
        "Move what radiates near the camera; the pattern changes from frame to frame.",
    ),
    code(
        "light-not-linear",
        Warning,
        "A light is quieter than its camera: it was stretched, smoothed or put on another scale, and cannot be judged.",
        "Diagnose lights as calibration left them.",
    ),
    code(
        "offset-mismatch",
        Error,
        "A level was left in a light, or taken too much, that is no bias: another offset.",
        "Take darks and biases with the light's own offset.",
    ),
    code(
        "light-leak",
        Error,
        "What lies smoothly over the dark is not in the light though its hot pixels are: light reached the darks.",
        "Take darks again in full darkness, the camera capped and covered.",
    ),
    code(
        "row-noise",
        Warning,
        "Rows of a calibrated light differ from their neighbours by more than noise.",
        "Stack more lights; use overscan where the camera has it.",
    ),
    code(
        "row-order",
        Error,
        "The dark of a light was subtracted upside down.",
        "Turn the dark over, and correct ROWORDER.",
    ),
    code(
        "thermal-over",
        Error,
        "More of the dark was taken than the light held: dark holes where it has hot pixels.",
        "Take darks at the light's own exposure and temperature, or fit the dark to the light.",
    ),
    code(
        "thermal-under",
        Error,
        "Some of the dark is left in a light: light specks where it has hot pixels.",
        "Take darks at the light's own exposure and temperature, or fit the dark to the light.",
    ),
    code(
        "verdict-without-masters",
        Warning,
        "A light was to be diagnosed without dark and flat: neither was named, or found by what it says of its \
         making.",
        "Name them with --dark and --flat.",
    ),
];
