//! Which steps a HISTORY line reports, whoever wrote it.
//!
//! Lines are folded: small letters, anything that is no letter or digit a blank, so that
//! `Auto-Dark Subtraction`, `AutoDark subtracted` and `DARK_SUBTRACTED` are one. A line counts that
//! names a step and then what was done with it, or what was done and then the steps; a line that
//! denies it, or speaks of another thing, does not.
//!
//! Known from headers of MaxIm DL, CCDOPS, CCDSoft, AstroImageJ and ccdproc; PixInsight: HISTORY of
//! ImageCalibration is `ImageCalibration.masterDark.enabled: true`.

use photosite_pix::Applied;

/// Words that take a line back.
const DENIALS: [&str; 13] = [
    "no", "not", "without", "false", "disabled", "skipped", "skip", "failed", "none", "never",
    "off", "before", "to",
];

/// Words that may stand between a step and what was done.
const BETWEEN: [&str; 23] = [
    "frame",
    "frames",
    "field",
    "image",
    "images",
    "auto",
    "master",
    "level",
    "current",
    "signal",
    "was",
    "were",
    "is",
    "has",
    "been",
    "scaled",
    "optimized",
    "optimised",
    "automatic",
    "region",
    "pixels",
    "and",
    "strip",
];

/// Words that a line may begin with before it comes to the point.
const BEFORE: [&str; 17] = [
    "image",
    "frame",
    "the",
    "a",
    "an",
    "auto",
    "automatic",
    "master",
    "was",
    "light",
    "lights",
    "step",
    "done",
    "siril",
    "maxim",
    "ccdproc",
    "process",
];

/// The steps that a line reports; none where it reports something else.
pub(super) fn steps(line: &str) -> Applied {
    let folded = fold(line);
    let words: Vec<&str> = folded.split(' ').filter(|w| !w.is_empty()).collect();
    if words.first() == Some(&"imagecalibration") {
        return pixinsight(&words);
    }
    if line.to_lowercase().trim_start().starts_with("flat field (") {
        // MaxIm: "Flat Field (Flat R 1, 765 x 510, ...".
        return Applied::FLAT;
    }
    let short = |w: &&&str| BEFORE.contains(*w) || w.bytes().all(|b| b.is_ascii_digit());
    let start = words.iter().take_while(short).count();
    let words = &words[start..];
    let Some(first) = words.first() else { return Applied::empty() };
    // What follows, up to where a line of a program goes on to name files.
    let reach = &words[..words.len().min(14)];
    if reach.iter().any(|w| DENIALS.contains(w)) {
        return Applied::empty();
    }
    if is_deed(first) {
        // "Calibrated with bias, dark and flat", "Subtracted master dark".
        return reach[1..].iter().fold(Applied::empty(), |all, w| all | step(w));
    }
    // "autodark" is a deed by itself.
    if *first == "autodark" || folded.starts_with("auto dark") {
        return Applied::DARK;
    }
    let mut named = step(first);
    if named.is_empty() || words.get(1) == Some(&"point") {
        return Applied::empty();
    }
    for word in &reach[1..] {
        if is_deed(word) || *word == "fielded" {
            return named;
        }
        let more = step(word);
        if more.is_empty() && !BETWEEN.contains(word) {
            break;
        }
        named |= more;
    }
    Applied::empty()
}

/// Every step that a text names, for cards that name nothing else.
pub(super) fn named(text: &str) -> Applied {
    let folded = fold(text);
    let words = || folded.split(' ');
    if words().any(|w| DENIALS.contains(&w)) {
        return Applied::empty();
    }
    words().fold(Applied::empty(), |all, w| all | step(w))
}

/// Small letters and digits; whatever lies between is one blank.
fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out
}

/// The step that a word names: `dark`, `masterdark`, `mbias`, `superflat`.
fn step(word: &str) -> Applied {
    let bare =
        ["master", "super", "auto"].iter().find_map(|p| word.strip_prefix(p)).unwrap_or(word);
    match bare {
        "bias" | "biases" | "zero" | "zeros" | "offset" | "offsets" => Applied::BIAS,
        "dark" | "darks" | "darkframe" => Applied::DARK,
        "flat" | "flats" | "flatfield" | "flatfields" | "flatframe" => Applied::FLAT,
        "overscan" => Applied::OVERSCAN,
        _ => Applied::empty(),
    }
}

/// Whether a word says that something was done to the samples.
fn is_deed(word: &str) -> bool {
    word == "sub"
        || ["subtract", "substract", "correct", "remov", "divid", "division", "appl", "calibrat"]
            .iter()
            .any(|stem| word.starts_with(stem))
}

/// `imagecalibration masterdark enabled true`.
fn pixinsight(words: &[&str]) -> Applied {
    match words {
        [_, what, "enabled", "true", ..] => step(what),
        _ => Applied::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: Applied = Applied::BIAS;
    const D: Applied = Applied::DARK;
    const F: Applied = Applied::FLAT;
    const O: Applied = Applied::OVERSCAN;

    #[test]
    fn what_programs_write() {
        for (line, expected) in [
            // MaxIm DL
            ("Bias Subtraction (Bias 1, 765 x 510, Bin1 x 1, Temp -20C,", B),
            ("Dark Subtraction (Dark 12, 765 x 510, Bin1 x 1, Temp -20C, Exp Time 60s)", D),
            ("Flat Field (Flat R 1, 765 x 510, Bin1 x 1, Temp -20C,", F),
            // CCDOPS, CCDSoft, SBIG
            ("Dark Subtract", D),
            ("Dark-Subtracted", D),
            ("AutoDark subtracted", D),
            ("Auto-Dark Subtraction", D),
            ("AUTO DARK", D),
            ("Dark frame subtracted", D),
            ("Flat Field Corrected", F),
            ("flat-fielded", F),
            // AstroImageJ
            ("Bias corrected with mbias.fits", B),
            ("Dark corrected with mdark60.fits", D),
            ("Flat corrected with mflat.fits", F),
            // IRAF and ccdproc
            ("Jun  2 12:00 Zero level correction image is Zero", Applied::empty()),
            ("Zero level correction image is Zero.fits", B),
            ("Overscan subtracted", O),
            ("overscan region subtracted", O),
            ("subtract_bias: master bias", B),
            ("flat_correct", F),
            // PixInsight
            ("ImageCalibration.masterDark.enabled: true", D),
            ("ImageCalibration.masterBias.enabled: true", B),
            ("ImageCalibration.masterFlat.enabled: true", F),
            ("ImageCalibration.overscan.enabled: true", O),
            ("ImageCalibration.masterFlat.enabled: false", Applied::empty()),
            ("ImageCalibration.outputPedestal: 100", Applied::empty()),
            // Siril, DSS, ASTAP, APP and people
            ("Calibrated with master bias, dark and flat", B | D | F),
            ("Calibrated with dark: dark_stacked.fit", D),
            ("Applied master flat", F),
            ("Divided by flat field", F),
            ("Master dark subtracted", D),
            ("1 Dark and flat applied", D | F),
            ("Offset removed", B),
            ("substracted dark", D),
        ] {
            assert_eq!(steps(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_something_else() {
        for line in [
            "no dark subtraction was done",
            "Dark not subtracted",
            "Dark subtraction: off",
            "dark subtraction skipped",
            "Without flat correction",
            "zero point corrected",
            "Flat Field exposure of the twilight sky",
            "Dark Nebula LDN 1622, corrected coordinates",
            "pixel offset applied for registration",
            "Bias voltage set",
            "WCS added by PinPoint 7.0.0",
            "Calibration with ImageCalibration process",
            "darkness corrected",
            "Stacked 20 frames",
            "",
            "12 34",
        ] {
            assert_eq!(steps(line), Applied::empty(), "{line}");
        }
    }
}
