//! The one table of finding codes: what each means, and what mends it.

use std::fmt::Write;

use super::Severity::{self, Error, Info, Warning};

/// One kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The short stable name that scripts ask for.
    pub name: &'static str,
    /// The severity it usually has.
    pub severity: Severity,
    /// What was seen, in one sentence.
    pub meaning: &'static str,
    /// What a person can do about it.
    pub remedy: &'static str,
}

const fn code(
    name: &'static str,
    severity: Severity,
    meaning: &'static str,
    remedy: &'static str,
) -> Code {
    Code { name, severity, meaning, remedy }
}

/// Every code, by name.
pub const CODES: &[Code] = &[
    code(
        "already-a-product",
        Info,
        "The file was made by Photosite; it is no raw frame and is left out.",
        "Give the folder of raw frames only, or move products elsewhere.",
    ),
    code(
        "already-calibrated",
        Error,
        "The header says that dark and flat were applied; a second pass would apply them twice.",
        "Give the raw frame.",
    ),
    code(
        "black-level-corrected",
        Info,
        "A master dark is darker than the bias: the sensor corrects its own black level, so its \
         darks fit lights of their own exposure and temperature only.",
        "Nothing need be done; do not scale these darks.",
    ),
    code(
        "cfa-phase-doubtful",
        Warning,
        "The samples contradict the colour filter array that the header names.",
        "Set BAYERPAT, or XBAYROFF and YBAYROFF, to what the frame is.",
    ),
    code(
        "cfa-unnamed",
        Info,
        "The header speaks of a colour sensor but names no pattern; the frame is treated as \
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
        "dark-content-assumed",
        Info,
        "The header does not say whether the bias was taken out of this dark; it is taken to be \
         in it.",
        "Write BIASSUB = T into the header if it was taken out.",
    ),
    code(
        "dark-missing",
        Warning,
        "No dark fits a light: hot pixels and amp glow remain.",
        "Shoot the darks that the hint names.",
    ),
    code(
        "dark-scaling-unproven",
        Warning,
        "A dark is scaled without proof that its signal grows evenly with time.",
        "Take darks of the lights' own exposure and temperature.",
    ),
    code(
        "date-unreadable",
        Info,
        "DATE-OBS holds no date; the date is not known.",
        "Write it as 2026-11-20T21:30:00.",
    ),
    code(
        "date-zone-unknown",
        Info,
        "The date is by the camera's clock and is taken as UTC.",
        "Nothing need be done unless the time of the exposure matters.",
    ),
    code(
        "duplicate",
        Info,
        "A file holds the same bytes as another; it counts once.",
        "Delete one of the two.",
    ),
    code(
        "exposure-negative",
        Info,
        "The header names a negative exposure; it is taken as not known.",
        "Write the exposure into EXPTIME.",
    ),
    code(
        "files-passed-over",
        Warning,
        "Files that look like frames are of a kind that is not read; they are passed over.",
        "Unpack them, or convert them to FITS.",
    ),
    code(
        "flat-by-bias",
        Warning,
        "Neither a dark flat nor a dark has the flats' exposure: the bias is subtracted, and their \
         dark signal remains.",
        "Take dark flats of the flats' exposure.",
    ),
    code(
        "flat-colour-weak",
        Warning,
        "One colour of a master flat is so faint that dividing by it adds noise.",
        "Light the flats more evenly in colour, expose them longer, or take more.",
    ),
    code(
        "flat-content-assumed",
        Info,
        "The header does not say whether the bias was taken out of this flat; it is taken to be \
         gone.",
        "Nothing need be done if the program that made it subtracts bias or dark flats.",
    ),
    code(
        "flat-missing",
        Warning,
        "No flat fits a light: vignetting and dust remain.",
        "Shoot the flats that the hint names.",
    ),
    code(
        "flat-not-used",
        Warning,
        "Nothing takes the bias off a light, so it is not divided by the flat: that would divide \
         the bias too.",
        "Take biases of this gain and offset, or darks of this exposure.",
    ),
    code(
        "flat-without-bias",
        Error,
        "Flats still hold the bias and nothing at hand takes it out; no master flat is made.",
        "Take dark flats, or biases.",
    ),
    code(
        "folder-unreadable",
        Error,
        "A folder cannot be looked into.",
        "Mend its permissions, if it holds frames of this night.",
    ),
    code(
        "foreign-file",
        Error,
        "A file that Photosite did not make stands where a product goes; it is left alone.",
        "Name another place with -o, or move the file.",
    ),
    code(
        "format-unsupported",
        Error,
        "The file is of a kind that is not read here.",
        "Convert it to FITS, or leave it out.",
    ),
    code(
        "frame-changed",
        Error,
        "A frame changed while it was being read; nothing that was made of it is kept.",
        "Wait until the camera or the copy has finished, and run again.",
    ),
    code(
        "frame-damaged",
        Error,
        "The file breaks its own format or ends early; it is left out.",
        "Copy it anew from the camera, or delete it.",
    ),
    code(
        "frame-unreadable",
        Error,
        "The operating system does not let the file be read; it is left out.",
        "Look at the file's permissions and the disk.",
    ),
    code(
        "frames-do-not-fit",
        Error,
        "Frames or masters do not fit each other; what would be made of them is left out.",
        "The message names both and what differs.",
    ),
    code(
        "gain-ambiguous",
        Info,
        "GAIN may be a setting or e-/ADU; it is used as neither.",
        "A comment on the card, or EGAIN, tells.",
    ),
    code(
        "internal-fault",
        Error,
        "Photosite met a state that cannot be.",
        "Please report it, with the message.",
    ),
    code(
        "interrupted",
        Error,
        "The run was stopped; what is whole is kept.",
        "The same command goes on from there.",
    ),
    code(
        "kind-contradicted",
        Warning,
        "Header and name disagree on what a frame is.",
        "Name it with --bias, --darks, --flats, --dark-flats or --lights.",
    ),
    code(
        "kind-not-known",
        Error,
        "Neither header, file name nor folder says what a frame is; it is left out.",
        "Put it in a folder named bias, darks, flats, darkflats or lights, or name it by option.",
    ),
    code(
        "kind-unknown",
        Info,
        "The header calls the frame by a word that names no kind known here.",
        "Nothing need be done where name or folder tell the kind.",
    ),
    code(
        "library-frame-gone",
        Warning,
        "A file that the library knows is not there any more.",
        "When it is back, add it again.",
    ),
    code(
        "library-unreadable",
        Warning,
        "The library cannot be read.",
        "photosite library rebuild makes its index anew.",
    ),
    code(
        "library-unusable",
        Warning,
        "The library cannot be used; the night is calibrated without it.",
        "Use --no-library to do without it, or --library PATH for another.",
    ),
    code(
        "light-not-kept",
        Info,
        "A light; the library keeps calibration frames and masters.",
        "Nothing need be done.",
    ),
    code(
        "light-unfit",
        Error,
        "A light cannot be calibrated or stacked with the others; it is left out.",
        "The message says why.",
    ),
    code(
        "master-by-name",
        Info,
        "Some properties of another program's master are told by its file name alone.",
        "Nothing need be done if the name is right.",
    ),
    code(
        "master-changed",
        Warning,
        "A new master differs from the one it follows by more than the noise.",
        "Look at both; then retire the one that is wrong: photosite library retire ID.",
    ),
    code(
        "master-content-assumed",
        Info,
        "Nothing says that the bias was taken out of a dark; it is taken to hold it.",
        "If it was taken out, write BIASSUB = T into its header.",
    ),
    code(
        "master-converted",
        Info,
        "Another program's master was brought to ADU, or to a mean of 1; a converted copy is kept.",
        "Nothing need be done.",
    ),
    code(
        "master-not-adopted",
        Error,
        "A master lies among the raw frames; it is not stacked with them.",
        "Put it into the library: photosite library add FILE. Or use photosite calibrate.",
    ),
    code(
        "master-not-made",
        Error,
        "A master could not be made, and lights that were to be calibrated with it go without.",
        "Another finding says what was wrong with its frames.",
    ),
    code(
        "master-not-one-plane",
        Error,
        "A master has several planes; one of a sensor's own grid has one.",
        "Make it from raw frames that were not made into colour pictures.",
    ),
    code(
        "master-retired",
        Warning,
        "A master that was retired in the library is made again by the night's own frames.",
        "Leave those frames out of the night, or certify the master again.",
    ),
    code(
        "match-costly",
        Warning,
        "The best master at hand leaves a residual that is seen in the light.",
        "Shoot the frames that the hint names.",
    ),
    code(
        "match-unknown",
        Info,
        "A master fits as far as headers tell; some properties are known on neither side.",
        "Have the capture program write them.",
    ),
    code(
        "memory-too-small",
        Error,
        "The memory allowed is too little for a product.",
        "Allow what the message names with --memory.",
    ),
    code(
        "mixed-software",
        Warning,
        "The masters of a light were made by different programs, which may scale, flip and \
         normalise differently.",
        "Make all masters of one set-up with one program.",
    ),
    code(
        "name-not-unicode",
        Error,
        "A file name is no Unicode, which the index cannot hold.",
        "Rename the file.",
    ),
    code(
        "noise-not-as-modelled",
        Warning,
        "Frames scatter otherwise than gain and read noise predict.",
        "The hint names the likely causes.",
    ),
    code(
        "normalisation-failed",
        Error,
        "A light cannot be brought to the reference's level; it is left out.",
        "The message says which number stands in the way.",
    ),
    code(
        "not-one-plane",
        Error,
        "The image has several planes; a raw frame has one.",
        "Calibrate the raw frames before they are made into colour pictures.",
    ),
    code(
        "parameters-meaningless",
        Error,
        "What was asked for contradicts itself or means nothing.",
        "The message says what would do.",
    ),
    code(
        "pedestal-sign",
        Info,
        "PEDESTAL does not say whether it is to be added or subtracted; it is subtracted.",
        "Nothing need be done if the levels come out right.",
    ),
    code(
        "product-damaged",
        Warning,
        "A product that stood there is damaged or cut; it is made anew.",
        "Nothing need be done; if it happens again, look at the disk.",
    ),
    code(
        "registration-bridged",
        Info,
        "A light was registered through another one, because no match with the reference was \
         found.",
        "Nothing need be done.",
    ),
    code(
        "registration-failed",
        Error,
        "A light's stars could not be matched with the reference's; it is left out.",
        "Look at it: clouds, trailing or another field; or name another reference.",
    ),
    code(
        "simulated-truth",
        Info,
        "The file is the truth of a simulated night; it is no raw frame.",
        "Nothing need be done.",
    ),
    code(
        "stack-not-made",
        Error,
        "A stack could not be made; its lights are kept as calibrated files.",
        "The message says why.",
    ),
    code(
        "stack-outdated",
        Info,
        "An older stack of the same target and filter stands beside the new one.",
        "Delete the old one if it is not wanted.",
    ),
    code(
        "temperature-unreadable",
        Info,
        "The header's temperature is none that a sensor can have.",
        "Nothing need be done where the set point is known.",
    ),
    code(
        "trails-too-many",
        Warning,
        "Lines cover so much of a light that none is masked as a trail.",
        "Look at it: aircraft, lamps or reflections.",
    ),
    code(
        "wcs-apart",
        Error,
        "By its header a light shows another field than the reference; it is left out.",
        "Another field, or a header that is wrong: align by stars.",
    ),
    code(
        "wcs-missing",
        Error,
        "A light's header has no world coordinates; it is left out.",
        "Solve it (ASTAP, astrometry.net), or align by stars.",
    ),
    code(
        "wcs-not-understood",
        Error,
        "A light's world coordinates are of a kind that is not read; it is left out.",
        "Solve it anew as TAN, TAN-SIP or TPV, or align by stars.",
    ),
    code(
        "wcs-rough",
        Warning,
        "A light's world coordinates are good to a fraction of a pixel only.",
        "Align by stars, or solve it anew.",
    ),
];

/// The code of this name.
pub fn named(name: &str) -> Option<&'static Code> {
    CODES.binary_search_by(|c| c.name.cmp(name)).ok().map(|i| &CODES[i])
}

/// The table as `docs/findings.md` has it.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Findings\n\nEverything that `run.json` and the command line may report, by its code. An \
         *error* leaves a frame or a product out, a *warning* wants a look, an *info* is worth \
         knowing. Made from `photosite::finding::CODES`; a test compares.\n\n| code | severity | \
         what was seen | what to do |\n|---|---|---|---|\n",
    );
    for c in CODES {
        let row = (c.name, c.severity.name(), c.meaning, c.remedy);
        let _ = writeln!(out, "| `{}` | {} | {} | {} |", row.0, row.1, row.2, row.3);
    }
    out
}
