//! What was already done to a frame.

use photosite_pix::{Applied, Header, Metadata};

use super::{Note, Rule, writer};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "applied",
        field: "applied",
        about: "CALSTAT letters (B, D, F), IRAF's OVERSCAN, ZEROCOR, DARKCOR, FLATCOR and FIXPIX, \
                LCO's L1IDBIAS, L1IDDARK and L1IDFLAT, BIASSUB, DARKSUB and FLATNORM, and HISTORY \
                lines of MaxIm, AstroImageJ, CCDSoft and CCDOPS tell which steps were done.",
        read: applied,
    },
    Rule {
        name: "pedestal-to-add",
        field: "pedestal_adu",
        about: "PEDESTAL of MaxIm, SBIG and AstroImageJ is to be added to reach zero; its sign is \
                turned.",
        read: pedestal_to_add,
    },
    Rule {
        name: "pedestal-to-subtract",
        field: "pedestal_adu",
        about: "PEDESTAL of PixInsight, Siril and Photosite is to be subtracted to reach zero.",
        read: pedestal_to_subtract,
    },
];

fn applied(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let mut done = Applied::empty();
    if let Some(calstat) = header.get_text("CALSTAT") {
        for letter in calstat.to_uppercase().chars() {
            done |= match letter {
                'O' => Applied::OVERSCAN,
                'B' => Applied::BIAS,
                'D' => Applied::DARK,
                'F' => Applied::FLAT,
                'X' => Applied::DEFECTS,
                _ => Applied::empty(),
            };
        }
    }
    let keys = [
        ("OVERSCAN", Applied::OVERSCAN),
        ("ZEROCOR", Applied::BIAS),
        ("DARKCOR", Applied::DARK),
        ("FLATCOR", Applied::FLAT),
        ("FIXPIX", Applied::DEFECTS),
        ("L1IDBIAS", Applied::BIAS),
        ("L1IDDARK", Applied::DARK),
        ("L1IDFLAT", Applied::FLAT),
        ("BIASSUB", Applied::BIAS),
        ("DARKSUB", Applied::DARK),
        ("FLATNORM", Applied::FLAT),
    ];
    for (key, step) in keys {
        let Some(value) = header.get(key) else { continue };
        let denied = value.as_bool() == Some(false)
            || value.as_text().is_some_and(|t| {
                ["", "no", "n/a", "none", "false", "0", "omit"].contains(&t.to_lowercase().as_str())
            });
        let said = value.as_bool() == Some(true) || value.as_text().is_some();
        if said && !denied {
            done |= step;
        }
    }
    for line in header.history() {
        done |= from_history(&line);
    }
    m.applied = done;
    !done.is_empty()
}

/// The step that a HISTORY line reports.
fn from_history(line: &str) -> Applied {
    let line = line.to_lowercase();
    let starts = |words: &[&str]| words.iter().any(|w| line.trim_start().starts_with(w));
    // MaxIm: "Bias Subtraction (Bias 1, …", "Dark Subtraction (…", "Flat Field (…";
    // AstroImageJ: "Bias corrected with …"; CCDSoft and CCDOPS: "Dark Subtract", "AutoDark".
    if starts(&["bias subtract", "bias corrected", "zero subtract"]) {
        Applied::BIAS
    } else if starts(&[
        "dark subtract",
        "dark corrected",
        "auto dark",
        "autodark",
        "dark frame subtract",
    ]) {
        Applied::DARK
    } else if starts(&[
        "flat field (",
        "flat corrected",
        "flat fielded",
        "flat-field",
        "flat field correct",
    ]) {
        Applied::FLAT
    } else {
        Applied::empty()
    }
}

fn adds(header: &Header) -> Option<bool> {
    let comment = header.comment("PEDESTAL").to_lowercase();
    let writer = writer(header);
    let any = |words: &[&str]| words.iter().any(|w| writer.contains(w));
    if comment.contains("subtract") || any(&["pixinsight", "siril", "photosite"]) {
        return Some(false);
    }
    if comment.contains("to add") || any(&["maxim", "ccdsoft", "ccdops", "sbig", "astroimagej"]) {
        return Some(true);
    }
    // Nobody adds a negative constant to keep samples positive.
    header.get_f64("PEDESTAL").filter(|v| *v < 0.0).map(|_| true)
}

fn pedestal_to_add(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    if adds(header) == Some(true) {
        m.pedestal_adu = header.get_f64("PEDESTAL").filter(|v| v.is_finite()).map(|v| 0.0 - v);
    }
    m.pedestal_adu.is_some()
}

fn pedestal_to_subtract(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    let Some(value) = header.get_f64("PEDESTAL").filter(|v| v.is_finite()) else { return false };
    if adds(header).is_none() && value != 0.0 {
        notes.push(Note {
            code: "pedestal-sign",
            message: format!(
                "PEDESTAL = {value} does not say whether it is to be added or subtracted; it is \
                 taken as a constant to subtract"
            ),
        });
    }
    m.pedestal_adu = Some(value);
    true
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};
    use super::*;

    fn meta(lines: &[&str]) -> Metadata {
        read(&header(lines)).metadata
    }

    #[test]
    fn steps_already_done() {
        let done = |lines: &[&str]| meta(lines).applied;
        assert_eq!(done(&["CALSTAT = 'BDF'"]), Applied::BIAS | Applied::DARK | Applied::FLAT);
        assert_eq!(done(&["CALSTAT = 'M'"]), Applied::empty());
        assert_eq!(done(&["ZEROCOR = 'Jun  2 12:00 Zero level'"]), Applied::BIAS);
        assert_eq!(done(&["FLATCOR = 'no'"]), Applied::empty());
        assert_eq!(done(&["BIASSUB =                    T"]), Applied::BIAS);
        assert_eq!(done(&["BIASSUB =                    F"]), Applied::empty());
        assert_eq!(
            done(&[
                "HISTORY Bias corrected with mbias.fits",
                "HISTORY Dark corrected with mdark60.fits",
                "HISTORY Flat corrected with mflat.fits",
            ]),
            Applied::BIAS | Applied::DARK | Applied::FLAT
        );
        assert_eq!(done(&["HISTORY Dark Subtraction (Dark 12, 765 x 510, Bin1"]), Applied::DARK);
        assert_eq!(done(&["HISTORY AutoDark subtracted"]), Applied::DARK);
        assert_eq!(done(&["HISTORY no dark subtraction was done"]), Applied::empty());
    }

    #[test]
    fn pedestals_have_two_signs() {
        let pedestal = |lines: &[&str]| meta(lines).pedestal_adu;
        let maxim = "SWCREATE= 'MaxIm DL Version 6.50'";
        assert_eq!(
            pedestal(&[maxim, "PEDESTAL= -100 / Correction to add for zero-based ADU"]),
            Some(100.0)
        );
        assert_eq!(pedestal(&[maxim, "PEDESTAL= 0"]), Some(0.0));
        assert_eq!(pedestal(&["PROGRAM = 'PixInsight 1.8.9'", "PEDESTAL= 150"]), Some(150.0));
        assert_eq!(pedestal(&["PEDESTAL= -100"]), Some(100.0));
        let r = read(&header(&["PEDESTAL= 150"]));
        assert_eq!((r.metadata.pedestal_adu, r.notes[0].code), (Some(150.0), "pedestal-sign"));
    }
}
