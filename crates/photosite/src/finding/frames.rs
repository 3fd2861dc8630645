//! The codes of findings about what the samples of raw frames and of their sets show: what each means, and
//! what to do.

use super::Severity::{Error, Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const FRAMES: &[Code] = &[
    code(
        "bias-gone",
        Warning,
        "Frames lie at a level where no frame of their camera begins: a program took the bias off them without a \
         word. It is not taken off again.",
        "Use the frames as the camera wrote them, or write into their headers what was done.",
    ),
    code(
        "black-level-corrected",
        Info,
        "A master dark is darker than the bias: the sensor corrects its own black level, so its \
         darks match only lights of the same exposure and temperature.",
        "No action needed; do not scale these darks.",
    ),
    code(
        "cameras-told-apart",
        Warning,
        "Frames that name one camera have the hot pixels of several; each camera's lights get its own masters.",
        "Give each camera a name of its own in the capture program.",
    ),
    code(
        "cfa-not-named",
        Warning,
        "Headers name no colour filter array, but flats look as if there were one; the frames get that \
         of their set-up's other headers, or are treated as monochrome.",
        "If the sensor is a colour one, write BAYERPAT into the headers.",
    ),
    code(
        "cfa-not-seen",
        Warning,
        "The headers name a colour filter array, but all samples are of one colour: the sensor is \
         monochrome, or the array was binned away.",
        "Remove BAYERPAT from the headers, or have the capture program write none.",
    ),
    code(
        "cfa-phase-doubtful",
        Warning,
        "The samples contradict the colour filter array that the header names.",
        "Set BAYERPAT, or XBAYROFF and YBAYROFF, to match the frame.",
    ),
    code(
        "cfa-unnamed",
        Info,
        "The header indicates a colour sensor but gives no CFA pattern; the frame is treated as \
         monochrome.",
        "Write BAYERPAT into the headers if the sensor has a filter array.",
    ),
    code(
        "clipped",
        Warning,
        "Samples of a 16-bit product lay outside 0 to 65535 and were clipped.",
        "Use --format f32, or the --pedestal that the message names.",
    ),
    code(
        "cropped-to-lights",
        Info,
        "Calibration frames are larger than the lights: of the whole sensor, or with another margin. The part of \
         them that is the lights' own is used.",
        "No action needed; frames read out like the lights are as good and smaller.",
    ),
    code(
        "flags-of-another-program",
        Info,
        "A raw frame has an extension MASK or DQ: what it says is not to be used is not, unless that is most of the frame; \
         flags of unknown meaning are told.",
        "Write the pixels that are not to be used into an extension MASK.",
    ),
    code(
        "flat-holds-stars",
        Warning,
        "Stars stand at one place in the flats, so that rejection cannot take them out; where they stand \
         the master flat is made of its surroundings and is marked INTERPOLATED.",
        "Take twilight flats with tracking off, or move the telescope between them.",
    ),
    code(
        "flats-joined",
        Warning,
        "A master flat was made of flats of several nights, too few in one of them to stand alone.",
        "Take flats every night, 3 or more a filter; look for dust that moved.",
    ),
    code(
        "flats-unusable",
        Error,
        "None of the flats of a set can be used: each is saturated or without light; no master \
         flat is made.",
        "Take flats at about half of full scale.",
    ),
    code(
        "frame-odd",
        Error,
        "A frame contradicts the other frames of its set, in level, noise, shape, rows or hot \
         pixels; it is left out of the master.",
        "Inspect it. If it is sound, the others may be of another exposure, gain or filter than \
         their headers say.",
    ),
    code(
        "frame-without-signal",
        Warning,
        "Every sample of a raw frame has one value, without the noise that any sensor has: a driver or a \
         program wrote it, no exposure did. It is left out.",
        "Take the frame again; look whether the camera's driver writes empty frames.",
    ),
    code(
        "greens-equalised",
        Info,
        "The two greens of the filter array differ in response; each is brought to the mean of both, so \
         that no maze is drawn of it.",
        "No action needed; flats of the same light take the difference away.",
    ),
    code(
        "hot-pixels-like-stars",
        Warning,
        "Much of what looks like stars stands on the same pixels in light after light while the rest moved \
         together: hot pixels, or a landscape. Lights are registered by the rest.",
        "Take darks, so that hot pixels are gone before stars are looked for; behind a landscape this is right.",
    ),
    code(
        "kind-by-pixels",
        Warning,
        "No header, name or folder says what frames are; their pixels do.",
        "If that is wrong, put them in a folder named for their kind, or use the option for it.",
    ),
    code(
        "label-contradicted",
        Warning,
        "Pixels contradict what a frame is said to be: stars in a dark, a light taken with the cap \
         on; it is left out.",
        "If the label is right, use the option for its kind.",
    ),
    code(
        "light-below-zero",
        Warning,
        "After bias and dark the sky of a light lies below zero by more than its noise: it was calibrated \
         before, or its masters are of another offset.",
        "Use the raw light, or masters taken with its own offset and gain.",
    ),
    code(
        "light-mirrored",
        Warning,
        "A light shows the sky mirrored beside the others of its camera; the same masters cannot fit \
         both.",
        "Use the files as the camera wrote them, or masters of frames turned over in the same way.",
    ),
    code(
        "noise-not-as-modelled",
        Warning,
        "The scatter of the frames is not what gain and read noise predict.",
        "The hint names the likely causes.",
    ),
    code(
        "pattern-elsewhere",
        Error,
        "What is fixed in the pixels of calibration frames stands at other columns of the lights, or \
         mirrored; they are left out where they would do harm.",
        "Use the files as the camera wrote them, read out like the lights.",
    ),
    code(
        "rows-turned",
        Warning,
        "Calibration frames lie upside down beside the lights, by ROWORDER or by their hot pixels; \
         they are turned over, unless pixels contradict ROWORDER.",
        "Save all frames with one setting of the capture program.",
    ),
    code(
        "saturation-doubtful",
        Warning,
        "Samples contradict the level of saturation in the headers; it is ignored.",
        "Remove the card, or write the true level into SATURATE.",
    ),
    code(
        "saturation-seen",
        Info,
        "The highest samples all stand at one level below the one that the headers give; they count \
         as saturated.",
        "No action needed.",
    ),
    code(
        "set-contradicts",
        Error,
        "The frames of a set contradict each other and neither part is a clear majority; no \
         master is made of them.",
        "Inspect the frames that the message names, and keep those that belong together.",
    ),
    code(
        "set-drifts",
        Warning,
        "The level of the frames of a set rises or falls from the first to the last, and no change of \
         temperature does that: their hot pixels stay as strong as they were.",
        "If it is light that leaks in, cover the camera and take the frames again; if the level of the \
         camera drifts, let it settle first, and take darks and biases close to the lights.",
    ),
    code(
        "set-parted",
        Warning,
        "The frames of a set fall into parts that differ by more than the frames of a part do among \
         each other, though by little; the master lies between them.",
        "Inspect the frames; keep those of two nights, trains or filters in folders of their own.",
    ),
    code(
        "trails-too-many",
        Warning,
        "Lines cover so much of a light that none is masked as a trail.",
        "Inspect it: aircraft, lamps or reflections.",
    ),
    code(
        "unit-contradicted",
        Warning,
        "BUNIT of some frames says electrons, or counts of a second, and their samples say ADU, which they are taken as.",
        "Correct BUNIT, or remove it.",
    ),
    code(
        "unit-converted",
        Info,
        "Frames in electrons, or in counts of a second (BUNIT), are brought to ADU by gain and exposure as they are read.",
        "Nothing need be done if the levels come out right.",
    ),
    code(
        "unit-gain-found",
        Warning,
        "Frames in electrons name no gain; that of other frames of their camera is taken, or the step of their samples.",
        "Write EGAIN into the headers.",
    ),
    code(
        "unit-not-known",
        Error,
        "Frames in electrons, or in counts of a second, name no gain or exposure that would bring them to ADU; they are left out.",
        "Write EGAIN and EXPTIME into the headers, or use the frames as the camera wrote them.",
    ),
];
