//! The codes of findings of the sensor laboratory.

use super::Severity::{Error, Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const SENSOR: &[Code] = &[
    code(
        "amplifier-gain-missing",
        Warning,
        "Some outputs of a sensor name a gain and others none: without a flat their brightness steps where they \
         meet.",
        "Write the gain of each output into the headers, or calibrate with a flat.",
    ),
    code(
        "amplifiers-differ",
        Error,
        "Frames were read through other outputs than most lights of their camera; they are left out.",
        "Use calibration frames that were read out like the lights.",
    ),
    code(
        "optical-black-rows",
        Info,
        "Rows wander from frame to frame together with the masked columns beside them, which are not used unless \
         that is asked for.",
        "--overscan optical-black takes their level off all frames alike.",
    ),
    code(
        "overscan-brightens",
        Warning,
        "The overscan rises with the light: light or charge reaches it, or the header names pixels that see light. \
         It is not used.",
        "Correct BIASSEC, or name columns further from the light by --overscan.",
    ),
    code(
        "linearity-by-profile",
        Info,
        "The profile of a camera says how its response bends; samples are straightened.",
        "Measure it again where lights of bright stars disagree: photosite sensor measure.",
    ),
    code(
        "linearity-not-used",
        Warning,
        "No curve of a linearity that was named is for a colour and an output that the lights have.",
        "Name the linearity of this camera, as photosite sensor measure -o writes it, or none.",
    ),
    code(
        "gain-contradicted",
        Warning,
        "Pairs of flats and biases show another gain than the headers give; theirs is used.",
        "Look at the flats' level against the biases', or give --gain.",
    ),
    code(
        "noise-by-master",
        Info,
        "Headers give no gain and read noise; those that a master in the library holds are used.",
        "No action needed; photosite sensor measures them better, --gain and --read-noise overrule them.",
    ),
    code(
        "noise-by-pairs",
        Info,
        "Headers give no gain and read noise; those that pairs of the night's biases and flats show are used.",
        "No action needed; photosite sensor measures them better, --gain and --read-noise overrule them.",
    ),
    code(
        "noise-by-profile",
        Info,
        "Headers give no gain and read noise; those of the camera's profile in the library are used.",
        "No action needed; --gain and --read-noise overrule a profile.",
    ),
    code(
        "noise-by-settings",
        Info,
        "Headers give no gain and read noise; those that photosite.toml holds for the camera are used.",
        "No action needed; --gain and --read-noise overrule them.",
    ),
    code(
        "noise-not-known",
        Info,
        "Gain or read noise of lights is not known: they are calibrated without ERR.",
        "Add two biases and two flats of the same gain, or give --gain and --read-noise.",
    ),
    code(
        "profile-unreadable",
        Warning,
        "A camera's profile in the library cannot be read; it is not used.",
        "Correct the file, or delete it and measure the sensor again.",
    ),
    code(
        "sensor-clipped",
        Warning,
        "Biases or darks clip at zero, or darks fill the pixels or the converter: their noise is too small.",
        "Raise the offset, or take shorter darks.",
    ),
    code(
        "sensor-exposure-doubted",
        Warning,
        "Flats of one exposure hold unlike levels: a header is wrong, or the light changed. Linearity is measured without \
         them.",
        "Look at the exposures in the headers, or take these flats anew under a steady lamp.",
    ),
    code(
        "sensor-gain-by-header",
        Info,
        "No flats tell the gain; electrons of a sensor's report are by the gain in the headers.",
        "Add two flats of one exposure.",
    ),
    code(
        "sensor-gain-differs",
        Warning,
        "The gain that flats tell is not the one in the headers.",
        "Use the measured gain: --gain and --read-noise, or the camera's profile.",
    ),
    code(
        "sensor-glow",
        Info,
        "A part of the sensor is brighter in long darks than the rest: amplifiers glow.",
        "Take darks of the lights' own exposure: glow need not grow as dark current does.",
    ),
    code(
        "sensor-interference",
        Warning,
        "Biases hold a periodic pattern that differs from frame to frame.",
        "Move power supplies, dew heaters and USB cables, or put ferrites on them, and measure again.",
    ),
    code(
        "sensor-lamp-drift",
        Warning,
        "The light changed between two flats of one exposure, or drifted over a series of flats.",
        "Take flats with a steady lamp, each exposure twice, in the order short, long, long, short.",
    ),
    code(
        "sensor-left-out",
        Warning,
        "Frames took no part in measuring a sensor: they are of another set-up, no calibration frames, or \
         lack an exposure.",
        "Name the biases, darks and flats of one camera, gain, offset, binning and region.",
    ),
    code(
        "sensor-level-held",
        Info,
        "The level of darks does not follow their dark current: the sensor corrects its own black level.",
        "Believe dark current by noise; take darks of the lights' own exposure and temperature.",
    ),
    code(
        "sensor-level-step",
        Warning,
        "Darks of no exposure would lie beside the biases: the bias drifts, or the level depends on the \
         exposure.",
        "Believe the slope of dark current; match darks with lights of the same exposure.",
    ),
    code(
        "sensor-no-maps",
        Info,
        "Maps of single pixels would take more memory than is allowed; there are none.",
        "Allow more with --memory.",
    ),
    code(
        "sensor-not-as-published",
        Info,
        "A measured value is far from the one that was published of the camera and its settings.",
        "Look whether gain setting, read-out mode and binning are those meant; the measured value is used.",
    ),
    code(
        "sensor-pair-not-gaussian",
        Info,
        "The difference of two flats is not Gaussian: something else than photons and read noise parts them.",
        "Look at one of the flats less the other: clouds, a lamp that flickers, pixels near saturation.",
    ),
    code(
        "sensor-persistence",
        Info,
        "Pixels that were saturated still hold a signal in the darks that follow.",
        "Take darks before flats, or wait; dither lights.",
    ),
    code(
        "sensor-shutter-uneven",
        Warning,
        "The shutter exposes one part of the sensor longer than another, by more than 0.5 % of the shortest flat \
         or light.",
        "Expose flats for as long as the message says: a dimmer lamp, a later twilight.",
    ),
];
