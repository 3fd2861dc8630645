//! What was already done to a frame.

use photosite_pix::{Applied, Header, Metadata};

use super::{Note, Rule, writer};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "applied",
        field: "applied",
        about: "CALSTAT (O, B, D, F, X, or words), IRAF's OVERSCAN, ZEROCOR, DARKCOR, FLATCOR and \
                FIXPIX, LCO's L1IDBIAS, L1IDDARK and L1IDFLAT, BIASSUB, DARKSUB and FLATNORM, \
                SUBOSCAN, SUBBIAS and SUBDARK of ccdproc, DARK_CNT, FLAT_CNT and BIAS_CNT of ASTAP, \
                and HISTORY lines by their words tell which steps were done.",
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
    let mut done = header.get_text("CALSTAT").map_or(Applied::empty(), |t| from_calstat(&t));
    for (key, step) in KEYS {
        let Some(value) = header.get(key) else { continue };
        let denied = value.as_bool() == Some(false)
            || value.as_text().is_some_and(|t| {
                let no = ["", "no", "n/a", "none", "false", "0", "omit", "skipped", "perform"];
                no.contains(&t.to_lowercase().as_str())
            });
        let said = value.as_bool() == Some(true) || value.as_text().is_some();
        if said && !denied {
            done |= *step;
        }
    }
    for line in header.history() {
        done |= super::history::steps(&line);
    }
    m.applied = done;
    !done.is_empty()
}

/// Keywords that tell of one step: a date or a master's name, a count of frames, or T.
const KEYS: &[(&str, Applied)] = &[
    // IRAF.
    ("OVERSCAN", Applied::OVERSCAN),
    ("ZEROCOR", Applied::BIAS),
    ("DARKCOR", Applied::DARK),
    ("FLATCOR", Applied::FLAT),
    ("FIXPIX", Applied::DEFECTS),
    // LCO.
    ("L1IDBIAS", Applied::BIAS),
    ("L1IDDARK", Applied::DARK),
    ("L1IDFLAT", Applied::FLAT),
    ("BIASSUB", Applied::BIAS),
    ("DARKSUB", Applied::DARK),
    ("FLATNORM", Applied::FLAT),
    // ccdproc of Astropy, which shortens the names of its functions.
    ("SUBOSCAN", Applied::OVERSCAN),
    ("SUBBIAS", Applied::BIAS),
    ("SUBDARK", Applied::DARK),
    ("BIASCORR", Applied::BIAS),
    ("DARKCORR", Applied::DARK),
    ("FLATCORR", Applied::FLAT),
    // ASTAP: how many frames each master was made of.
    ("BIAS_CNT", Applied::BIAS),
    ("DARK_CNT", Applied::DARK),
    ("FLAT_CNT", Applied::FLAT),
];

/// CALSTAT: letters as MaxIm, ASTAP and AstroImageJ write them, else words.
fn from_calstat(text: &str) -> Applied {
    let letters = text.chars().filter(|c| c.is_ascii_alphabetic()).map(|c| c.to_ascii_uppercase());
    // M is a master, C a colour, S a stack; a word such as NONE or DONE has others.
    if letters.clone().all(|c| "OBDFXMCS".contains(c)) {
        let step = |c| match c {
            'O' => Applied::OVERSCAN,
            'B' => Applied::BIAS,
            'D' => Applied::DARK,
            'F' => Applied::FLAT,
            'X' => Applied::DEFECTS,
            _ => Applied::empty(),
        };
        return letters.map(step).fold(Applied::empty(), |all, step| all | step);
    }
    super::history::named(text)
}

fn adds(header: &Header) -> Option<bool> {
    let comment = header.comment("PEDESTAL").to_lowercase();
    let writer = writer(header);
    let any = |words: &[&str]| words.iter().any(|w| writer.contains(w));
    if comment.contains("subtract") || any(&["pixinsight", "siril", "photosite"]) {
        return Some(false);
    }
    if comment.contains("to add")
        || comment.contains("add to")
        || any(&["maxim", "ccdsoft", "ccdops", "sbig", "astroimagej"])
    {
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
        for (calstat, expected) in [
            ("O", Applied::OVERSCAN),
            ("OBDF", Applied::OVERSCAN | Applied::BIAS | Applied::DARK | Applied::FLAT),
            ("b,d,f", Applied::BIAS | Applied::DARK | Applied::FLAT),
            ("DFM", Applied::DARK | Applied::FLAT),
            ("NONE", Applied::empty()),
            ("DONE", Applied::empty()),
            ("OK", Applied::empty()),
            ("raw", Applied::empty()),
            ("bias, dark", Applied::BIAS | Applied::DARK),
            ("Dark Flat", Applied::DARK | Applied::FLAT),
        ] {
            assert_eq!(done(&[&format!("CALSTAT = '{calstat}'")]), expected, "{calstat}");
        }
        assert_eq!(done(&["SUBBIAS = 'ccd=<CCDData>, master=<CCDData>'"]), Applied::BIAS);
        assert_eq!(done(&["DARK_CNT= 20", "FLAT_CNT= 0"]), Applied::DARK);
        assert_eq!(done(&["DARKCORR= 'PERFORM'", "FLATCORR= 'COMPLETE'"]), Applied::FLAT);
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
