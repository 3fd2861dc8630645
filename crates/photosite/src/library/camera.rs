//! One camera under the many names that programs give it.

use std::borrow::Cow;

/// Words that say who made or drives a camera and not which one it is.
const EMPTY_WORDS: &[&str] = &[
    "zwo",
    "ccd",
    "camera",
    "cameras",
    "cmos",
    "qhyccd",
    "nikon",
    "corporation",
    "canon",
    "sony",
    "fujifilm",
    "pentax",
    "olympus",
    "the",
    "imaging",
    "company",
    "touptek",
    "toupcam",
    "player",
    "one",
    "astronomy",
    "ascom",
    "indi",
    "native",
    "driver",
];

/// Names that rules cannot bring together, and the name both stand for.
///
/// Canon sells one body under a name for each continent; the pairs are those of its own manuals.
const ALIASES: &[(&str, &str)] = &[
    ("eosdigitalrebelxt", "eos350d"),
    ("eosdigitalrebelxti", "eos400d"),
    ("eosrebelxsi", "eos450d"),
    ("eosdigitalrebelxsi", "eos450d"),
    ("eosrebelt1i", "eos500d"),
    ("eosrebelt2i", "eos550d"),
    ("eosrebelt3i", "eos600d"),
    ("eosrebelt4i", "eos650d"),
    ("eosrebelt5i", "eos700d"),
    ("eosrebelt6i", "eos750d"),
    ("eosrebelt7i", "eos800d"),
    ("eosrebelsl1", "eos100d"),
    ("eosrebelsl2", "eos200d"),
    ("eosrebelt3", "eos1100d"),
    ("eosrebelt5", "eos1200d"),
    ("eosrebelt6", "eos1300d"),
    ("eosrebelt7", "eos2000d"),
];

/// A camera's name reduced to what tells cameras apart: maker, driver, case, blanks and dashes do
/// not; a serial number behind the last dash or in brackets does not either.
///
/// `ZWO ASI2600MM Pro`, `ZWO CCD ASI2600MM Pro` and `ASI2600MM-Pro` are one; `ASI2600MC Pro` is
/// another.
pub fn camera_key(name: &str) -> String {
    let name = without_serial(name);
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let lower: Vec<String> = words.map(str::to_lowercase).collect();
    let telling: String =
        lower.iter().filter(|w| !EMPTY_WORDS.contains(&w.as_str())).map(String::as_str).collect();
    // A name of nothing but such words is all there is.
    let plain = if telling.is_empty() { lower.concat() } else { telling };
    match ALIASES.iter().find(|(alias, _)| *alias == plain) {
        Some((_, name)) => (*name).to_owned(),
        None => plain,
    }
}

/// Takes off `(3)` and QHY's `-b1234abcd56789`: sixteen hexadecimal digits or so, no model.
fn without_serial(name: &str) -> Cow<'_, str> {
    let name = name.trim();
    let name = match name.rfind('(') {
        Some(at) if at > 0 && name.ends_with(')') => name[..at].trim_end(),
        _ => name,
    };
    match name.rsplit_once('-') {
        Some((model, serial))
            if serial.len() >= 8
                && serial.chars().all(|c| c.is_ascii_hexdigit())
                && serial.chars().any(|c| c.is_ascii_digit()) =>
        {
            Cow::Owned(model.to_owned())
        }
        _ => Cow::Borrowed(name),
    }
}

/// Whether two names are one camera's.
pub fn same_camera(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || camera_key(a) == camera_key(b)
}

/// Makers whose drivers name themselves and not the camera.
const MAKERS: &[&str] =
    &["asi", "atik", "fli", "moravian", "qhy", "qsi", "sbig", "starlight", "svbony"];

/// What some drivers add to the name of a model, and others do not.
const ADDED: &[&str] = &["pro", "cool", "cooled", "usb", "usb3"];

/// Whether two names that are not one camera's may be all the same: one of them is the other and a word that
/// drivers leave out, or the maker's alone.
pub(super) fn may_be_one_camera(a: &str, b: &str) -> bool {
    let (a, b) = (camera_key(a), camera_key(b));
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    long.strip_prefix(short.as_str()).is_some_and(|more| {
        MAKERS.contains(&short.as_str()) || (!short.is_empty() && ADDED.contains(&more))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_camera_has_many_names_and_two_cameras_do_not_share_one() {
        for (a, b) in [
            ("ZWO ASI2600MM Pro", "ZWO CCD ASI2600MM Pro"),
            ("ZWO ASI2600MM Pro", "asi2600mm-pro"),
            ("ZWO ASI294MC Pro(1)", "ZWO ASI294MC Pro"),
            ("QHY268M-b7c1a2d3e4f50617", "QHYCCD QHY268M"),
            ("Canon EOS 6D", "EOS 6D"),
            ("NIKON CORPORATION NIKON D810A", "Nikon D810A"),
            ("Canon EOS REBEL T3i", "Canon EOS 600D"),
        ] {
            assert!(same_camera(a, b), "{a} is {b}: {} {}", camera_key(a), camera_key(b));
        }
        for (a, b) in [
            ("ZWO ASI2600MM Pro", "ZWO ASI2600MC Pro"),
            ("ZWO ASI2600MM Pro", "ZWO ASI6200MM Pro"),
            ("QHY268M", "QHY268C"),
            ("Canon EOS 6D", "Canon EOS 6D Mark II"),
            ("ST-7", "ST-8"),
            ("CCD Camera", "Camera"),
            ("dcam-spare", "dcam"),
        ] {
            assert!(!same_camera(a, b), "{a} is not {b}");
        }
    }

    #[test]
    fn a_name_that_says_less_is_a_doubt() {
        for (a, b) in [("ASI Camera (1)", "ZWO ASI2600MM Pro"), ("ASI2600MM", "ZWO ASI2600MM Pro")]
        {
            assert!(may_be_one_camera(a, b) && may_be_one_camera(b, a), "{a} may be {b}");
        }
        for (a, b) in [
            ("ZWO ASI2600MM Pro", "ZWO ASI2600MC Pro"),
            ("Canon EOS 6D", "Canon EOS 6D Mark II"),
            ("ST-7", "ST-8"),
            ("Canon EOS 60D", "Canon EOS 600D"),
            ("QHY268M", "ASI2600MM"),
            ("EOS R", "EOS R5"),
            ("ILCE-7", "ILCE-7S"),
            ("NIKON D810", "NIKON D810A"),
        ] {
            assert!(!may_be_one_camera(a, b), "{a} is not {b}");
        }
    }
}
