//! The codes of findings about which master a light gets.

use super::Severity::{Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const MATCHING: &[Code] = &[
    code(
        "dark-changed",
        Warning,
        "Hot pixels contradict the dark of the library that headers speak for, or its level is of another offset; the \
         library's next dark fits, and is used.",
        "Retire the dark that is wrong (photosite library retire), or correct its labels.",
    ),
    code(
        "dark-contradicted",
        Warning,
        "A dark is the lights' own by its labels, but their hot pixels hold more or less than it does; it is \
         fitted to them where a bias allows.",
        "Take darks with the lights' own settings, or correct the labels.",
    ),
    code(
        "dark-fitted",
        Info,
        "No dark matches a group of lights; one of another exposure or temperature was fitted to the \
         hot pixels of each, with the factor and the residual that the message names.",
        "No action needed; darks of the lights' own exposure and temperature would add less noise.",
    ),
    code(
        "dark-level-moved",
        Warning,
        "The biases that were taken with a dark of the library lie at another level than the night's own; the dark was \
         moved by the difference.",
        "Take darks anew: what moved an offset may have changed more.",
    ),
    code(
        "dark-level-falls",
        Warning,
        "The level of darks falls as their exposure grows: the sensor corrects its black level, so none of \
         its darks is scaled.",
        "Take darks at the lights' own exposure and temperature.",
    ),
    code(
        "dark-missing",
        Warning,
        "No dark matches a light: hot pixels and amp glow remain.",
        "Take the darks that the hint names.",
    ),
    code(
        "dark-model-doubtful",
        Warning,
        "A master of a dark model is not what the other masters foretell; the message says by how much.",
        "Look at its frames: light, another temperature, or a wrong label; build the model again without it.",
    ),
    code(
        "dark-model-left-out",
        Warning,
        "Files named for a dark model are of another kind or set-up, or lack exposure or temperature; they \
         are left out.",
        "Name only the darks and biases of one camera, gain, offset, binning and region.",
    ),
    code(
        "dark-model-none",
        Info,
        "Darks of several exposures or temperatures are at hand and make no dark for lights that none \
         matches; the message says why.",
        "Take darks at the lights' own exposure and temperature, or what the message names.",
    ),
    code(
        "dark-modelled",
        Info,
        "No dark matches a group of lights; a model of the darks at hand made one, with the residual that \
         the message names.",
        "No action needed; darks of the lights' own exposure and temperature prove more.",
    ),
    code(
        "dark-not-fitted",
        Warning,
        "No dark matches a group of lights, and the one at hand must not be scaled; the message says why, \
         what was done instead and what that is predicted to leave.",
        "Take darks at the lights' own exposure and temperature.",
    ),
    code(
        "dark-not-linear",
        Warning,
        "Darks of two exposures show a dark signal or amp glow that does not grow linearly with time; none \
         of them is scaled.",
        "Take darks at the lights' own exposure and temperature.",
    ),
    code(
        "dark-to-fit",
        Info,
        "No dark matches a group of lights; one of another exposure or temperature will be fitted to the \
         hot pixels of each.",
        "No action needed; darks of the lights' own exposure and temperature would add less noise.",
    ),
    code(
        "flat-changed",
        Warning,
        "Headers speak for one flat, but the lights' own background and dust follow another, which is used.",
        "Check telescope, focal length, rotator and filter in the headers of both flats.",
    ),
    code(
        "flat-does-not-fit",
        Warning,
        "The lights' own background, or the dust seen in it, does not follow their flat, and no other \
         flat at hand fits; the message has the numbers, and says whether the flat is used.",
        "Look for stray light, a wrong bias or dark, another filter or moved dust; take flats with the \
         optics as the lights had them.",
    ),
    code(
        "flat-fits-doubt",
        Info,
        "A header speaks against a flat, but the lights' own background and dust follow it.",
        "No action needed; correct the keyword that the message names.",
    ),
    code(
        "flat-freed",
        Warning,
        "A master flat of another program holds its bias still, as vignetting and dust in the lights show: the bias was \
         subtracted from it.",
        "Make the master flat with bias or dark flats.",
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
        "flat-turned",
        Warning,
        "The lights show the flat's dust turned by the angle that the message names; the flat is used, so \
         that vignetting goes, but shadows of dust are left twice.",
        "Take flats at the rotation of the lights.",
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
