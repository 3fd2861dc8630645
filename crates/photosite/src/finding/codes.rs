//! The codes of findings about files, headers and products: what each means, and what to do.
//! Those of matching have a table of their own.

use super::Severity::{Error, Info, Warning};
use super::code::{Code, code};

/// By name.
pub(super) const CODES: &[Code] = &[
    code(
        "already-a-product",
        Info,
        "The file was made by Photosite; it is not a raw frame and is left out.",
        "Give the folder of raw frames only, or move products elsewhere.",
    ),
    code(
        "already-calibrated",
        Error,
        "The header says that dark and flat were applied; once more would apply them twice.",
        "Give the raw frame.",
    ),
    code(
        "bias-from-dark",
        Info,
        "No bias fits, so that the level of the shortest dark stands in for it.",
        "Take 20 or more biases, or dark flats and darks of the lights' own exposure.",
    ),
    code(
        "card-unreadable",
        Warning,
        "A header card holds something else than its keyword promises; its value is treated as unknown.",
        "Correct the card; the message names it and the text found.",
    ),
    code(
        "date-unreadable",
        Info,
        "DATE-OBS is not a valid date; the date is unknown.",
        "Write it as 2026-11-20T21:30:00.",
    ),
    code(
        "date-zone-unknown",
        Info,
        "The date comes from the camera's clock and is assumed to be UTC.",
        "No action needed unless the time of the exposure matters.",
    ),
    code(
        "duplicate",
        Info,
        "Two files are identical; they are counted once.",
        "Delete one of the two.",
    ),
    code(
        "exposure-beyond-days",
        Info,
        "The exposure in the header is longer than a day: it is taken as microseconds where nothing else \
         is possible, as not known otherwise.",
        "Write the exposure in seconds as EXPTIME into the header.",
    ),
    code(
        "exposure-by-name",
        Info,
        "The header gives no exposure; it is taken from the file name.",
        "If the name is wrong, write EXPTIME into the header.",
    ),
    code(
        "exposure-negative",
        Info,
        "The header gives a negative exposure; the exposure is treated as unknown.",
        "Correct EXPTIME in the header.",
    ),
    code(
        "exposure-not-known",
        Warning,
        "Neither header nor name gives the exposure of frames; they are matched with nothing by guess.",
        "Write EXPTIME into their headers, or into their names, as in dark_60s_001.fits.",
    ),
    code(
        "file-cut",
        Error,
        "A file of several frames breaks off; the frames before that are used.",
        "Copy the file again from its source.",
    ),
    code(
        "files-passed-over",
        Warning,
        "Files that look like frames are of a type that is not read; they are skipped.",
        "Unpack them, or convert them to FITS.",
    ),
    code(
        "filter-by-name",
        Info,
        "The header gives no filter; it is taken from the name of file or folder.",
        "If the name is wrong, write FILTER into the header.",
    ),
    code(
        "flux-scale-assumed",
        Warning,
        "No stars and no nebula in common tell how much light came through for some lights; exposure, \
         airmass and gain are taken for it.",
        "Inspect those lights: under cloud they dim the stack.",
    ),
    code(
        "folder-unreadable",
        Error,
        "A folder cannot be read.",
        "Fix its permissions if it holds frames of this night.",
    ),
    code(
        "foreign-file",
        Error,
        "A file that Photosite did not make is where a product would be written; it is left \
         alone.",
        "Choose another location with -o, or move the file.",
    ),
    code(
        "format-unsupported",
        Error,
        "The file is of a type that is not read.",
        "Convert it to FITS, or leave it out.",
    ),
    code(
        "frame-changed",
        Error,
        "A frame changed while it was being read; nothing made from it is kept.",
        "Wait until capture or copying has finished, then run again.",
    ),
    code(
        "frame-damaged",
        Error,
        "The file is corrupt or truncated; it is left out.",
        "Copy it again from the camera, or delete it.",
    ),
    code(
        "frame-unreadable",
        Error,
        "The operating system refused to read the file; it is left out.",
        "Check the file's permissions and the disk.",
    ),
    code(
        "frames-do-not-fit",
        Error,
        "Frames or masters do not match each other; whatever depends on them is left out.",
        "The message names both and what differs.",
    ),
    code(
        "gain-ambiguous",
        Info,
        "GAIN may be a setting or e-/ADU; it is used as neither.",
        "Add EGAIN, or give the unit in the comment of the card.",
    ),
    code(
        "gain-by-name",
        Info,
        "The header gives no gain; it is taken from the file name.",
        "If the name is wrong, write GAIN into the header.",
    ),
    code(
        "images-of-one-file",
        Info,
        "A file holds a sequence of images; each is a frame.",
        "No action needed.",
    ),
    code(
        "images-passed-over",
        Warning,
        "A file holds images that are not used: several of one size that are no sequence (sensors, \
         amplifiers, a video), or some of another size beside a sequence.",
        "Write each image into a file of its own.",
    ),
    code(
        "internal-fault",
        Error,
        "Photosite reached a state that should be impossible.",
        "Please report it, with the message.",
    ),
    code(
        "interrupted",
        Error,
        "The run was stopped; finished products are kept.",
        "The same command continues from there.",
    ),
    code(
        "kind-contradicted",
        Warning,
        "Header and file name disagree on what a frame is.",
        "Set it with --bias, --darks, --flats, --dark-flats or --lights.",
    ),
    code(
        "kind-not-known",
        Error,
        "Neither header, file name nor folder says what a frame is; it is left out.",
        "Put it in a folder named bias, darks, flats, darkflats or lights, or use the option for \
         its kind.",
    ),
    code(
        "kind-unknown",
        Info,
        "The header gives a frame type that is not recognised.",
        "No action needed if file name or folder give the kind.",
    ),
    code(
        "library-frame-gone",
        Warning,
        "A file listed in the library no longer exists.",
        "Add it again when it is back.",
    ),
    code(
        "library-unreadable",
        Warning,
        "The library cannot be read.",
        "Rebuild its index with photosite library rebuild.",
    ),
    code(
        "library-unusable",
        Warning,
        "The library cannot be used; the night is calibrated without it.",
        "Use --no-library to work without it, or --library PATH for another.",
    ),
    code(
        "light-not-kept",
        Info,
        "A light; the library keeps only calibration frames and masters.",
        "No action needed.",
    ),
    code(
        "light-obscured",
        Error,
        "Stars in a part of a light have far less light than in the rest of it; it is left out.",
        "Look at it: a dome, a tree, the edge of a cloud.",
    ),
    code(
        "light-unfit",
        Error,
        "A light cannot be calibrated or stacked with the others; it is left out.",
        "The message says why.",
    ),
    code(
        "master-among-frames",
        Info,
        "A master of another program lies among the frames; it serves where no raw frames fit.",
        "No action needed.",
    ),
    code(
        "master-by-name",
        Info,
        "Some properties of another program's master are known only from its file name.",
        "No action needed if the name is correct.",
    ),
    code(
        "master-changed",
        Warning,
        "A new master differs from its predecessor by more than the noise.",
        "Inspect both, then retire the wrong one: photosite library retire ID.",
    ),
    code(
        "master-content-assumed",
        Info,
        "Nothing says whether bias was subtracted from a dark; it is assumed to include bias.",
        "If bias was subtracted, set BIASSUB = T in its header.",
    ),
    code(
        "master-contradicts",
        Warning,
        "A master that was named by hand contradicts the light.",
        "Name the master that belongs to the light, or ignore this if the header is wrong.",
    ),
    code(
        "master-converted",
        Info,
        "Another program's master was converted to ADU, or to a mean of 1, or is known by its samples to hold no \
         bias.",
        "No action needed.",
    ),
    code(
        "master-not-adopted",
        Error,
        "A master is among the raw frames, where only these are wanted.",
        "Add it to the library: photosite library add FILE. Or use photosite calibrate.",
    ),
    code(
        "master-not-made",
        Error,
        "A master could not be made; lights that need it are calibrated without it.",
        "Another finding says what is wrong with its frames.",
    ),
    code(
        "master-not-one-plane",
        Error,
        "A master has several planes; a master on the sensor's own grid has one.",
        "Make it from raw frames that were not debayered.",
    ),
    code(
        "master-retired",
        Warning,
        "A master that was retired in the library was made again from the night's own frames.",
        "Leave those frames out of the night, or certify the master again.",
    ),
    code(
        "memory-too-small",
        Error,
        "The memory limit is too small for a product.",
        "Raise --memory to the size in the message.",
    ),
    code(
        "name-not-unicode",
        Error,
        "A file name is not valid Unicode, so the index cannot store it.",
        "Rename the file.",
    ),
    code(
        "normalisation-failed",
        Error,
        "A light cannot be normalised to the reference; it is left out.",
        "The message says which value prevents it.",
    ),
    code(
        "not-one-plane",
        Error,
        "The image has several planes; a raw frame has one.",
        "Calibrate the raw frames before debayering.",
    ),
    code(
        "overscan-done",
        Info,
        "The header says that the overscan was subtracted before; it is not subtracted again.",
        "Nothing need be done if that is so.",
    ),
    code(
        "overscan-outside",
        Error,
        "The overscan that was given does not fit a frame, or leaves pixels without a level.",
        "Correct --overscan, or give these frames apart.",
    ),
    code(
        "parameters-meaningless",
        Error,
        "The request is contradictory or meaningless.",
        "The message says what is accepted.",
    ),
    code(
        "pedestal-sign",
        Info,
        "PEDESTAL does not say whether it is to be added or subtracted; it is subtracted.",
        "No action needed if the levels come out correct.",
    ),
    code(
        "product-changed",
        Warning,
        "A stack was changed after it was written, by a plate solver for one; it is kept beside the new one, \
         with .changed at the end of its name.",
        "Give what you work on a name of your own; delete what is no longer wanted.",
    ),
    code(
        "product-damaged",
        Warning,
        "An existing product is damaged or truncated; it is made again.",
        "No action needed; if it happens again, check the disk.",
    ),
    code(
        "registration-bridged",
        Info,
        "A light was registered through another one, because no match with the reference was \
         found.",
        "No action needed.",
    ),
    code(
        "registration-failed",
        Error,
        "A light's stars could not be matched with the reference's; it is left out.",
        "Inspect it: clouds, trailing or another field; or choose another reference.",
    ),
    code(
        "result-of-another-program",
        Warning,
        "A file is another program's calibrated, registered or stacked result; it is left out.",
        "Give the folder of raw frames only.",
    ),
    code(
        "same-exposure",
        Warning,
        "Two files hold one exposure, by camera and time of start; it is counted once.",
        "Delete one of the two.",
    ),
    code(
        "samples-from-zero-to-one",
        Info,
        "A frame's samples run from 0 to 1, as the program that wrote it does; 1 is read as 65535 ADU.",
        "Nothing need be done if the levels come out right.",
    ),
    code(
        "section-binned",
        Info,
        "BIASSEC or TRIMSEC counts unbinned pixels of a binned frame; it was scaled.",
        "Nothing need be done if the frame is trimmed rightly.",
    ),
    code(
        "section-outside",
        Warning,
        "BIASSEC or TRIMSEC lies outside the frame; overscan and trim are not used.",
        "Correct the keywords, or have the capture program write them.",
    ),
    code(
        "simulated-truth",
        Info,
        "The file is the truth of a simulated night; it is not a raw frame.",
        "No action needed.",
    ),
    code(
        "stack-holes",
        Warning,
        "No light has a sample in a part of a stack; it was filled with the background.",
        "Drizzle with larger drops or on a coarser grid, or cut the stack with --crop.",
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
        "An older stack of the same target and filter is still beside the new one.",
        "Delete the old one if it is no longer wanted.",
    ),
    code(
        "sum-contradicted",
        Warning,
        "The data of a raw file are not those that its DATASUM promises: the file was damaged after it was \
         written, or a program kept the sum of other data.",
        "Copy the file again from its source; if it is the same there, look at it, or leave it out.",
    ),
    code(
        "target-by-folder",
        Info,
        "The header names no target; the folder does.",
        "If that is wrong, write OBJECT into the header.",
    ),
    code(
        "temperature-unreadable",
        Info,
        "The temperature in the header is impossible for a sensor.",
        "No action needed if the set point is known.",
    ),
    code(
        "wcs-apart",
        Error,
        "By its header, a light shows a different field from the reference; it is left out.",
        "Either another field or a wrong header: align by stars.",
    ),
    code(
        "wcs-missing",
        Error,
        "A light's header has no world coordinates; it is left out.",
        "Plate-solve it (ASTAP, astrometry.net), or align by stars.",
    ),
    code(
        "wcs-not-understood",
        Error,
        "A light's world coordinates are of a type that is not read; it is left out.",
        "Solve it again as TAN, TAN-SIP or TPV, or align by stars.",
    ),
    code(
        "wcs-rough",
        Warning,
        "A light's world coordinates are accurate to a fraction of a pixel only.",
        "Align by stars, or solve it again.",
    ),
];
