//! One filter under the many names that programs and people give it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::Traits;
use crate::{Error, Result};

/// The name of the file in the folder of the library in which a person adds names.
pub const ALIASES_NAME: &str = "aliases.toml";

/// What frames without a filter are known as.
const NO_FILTER: &str = "nofilter";

/// A filter, and its other names without case, blanks and dashes.
///
/// `Clear` is not among them: wheels hold a clear glass beside a luminance filter.
const NAMES: &[(&str, &[&str])] = &[
    (NO_FILTER, &["none", "nofilter", "empty"]),
    ("L", &["lum", "luminance"]),
    ("R", &["red"]),
    // `[G0]` and its like are what some programs make of a colour's name.
    ("G", &["green", "g0"]),
    ("B", &["blue"]),
    ("ha", &["halpha", "hydrogenalpha"]),
    ("hb", &["hbeta", "hydrogenbeta"]),
    ("oiii", &["o3", "oxygeniii"]),
    ("sii", &["s2", "sulphurii", "sulfurii"]),
    ("nii", &["n2", "nitrogenii"]),
];

/// Systems whose bands are named by one letter, and whether they write it small.
const SYSTEMS: &[(&str, bool)] = &[
    ("sloan", true),
    ("sdss", true),
    ("johnsoncousins", false),
    ("johnson", false),
    ("cousins", false),
    ("bessell", false),
    ("bessel", false),
];

/// A filter's name reduced to what tells filters apart: blanks, dashes and the width of its band do
/// not, nor does case, save in single letters: `r` is Sloan's, `R` is Cousins's or a colour. Names of
/// two wheels, joined by `+`, are reduced each; an empty place in one of them does not count.
pub fn filter_key(filter: &str) -> String {
    let keys: Vec<String> = filter
        .split('+')
        .map(|one| one_filter(&split_band(one).0))
        .filter(|k| !k.is_empty() && k != NO_FILTER)
        .collect();
    if keys.is_empty() && !filter.trim().is_empty() { NO_FILTER.into() } else { keys.join("+") }
}

/// The width of the band that a filter's name gives, in nanometres: 7 for `Ha 7nm`.
pub fn band_nm(filter: &str) -> Option<f64> {
    filter.split('+').find_map(|one| split_band(one).1)
}

/// Widest band that a name can mean: `656nm` is a wavelength.
const WIDEST_NM: f64 = 100.0;

/// Parts a name into what is left without the width of the band, and the width.
fn split_band(name: &str) -> (String, Option<f64>) {
    for (at, unit) in name.match_indices(['n', 'N']).map(|(at, _)| (at, name.get(at..at + 2))) {
        if !unit.is_some_and(|u| u.eq_ignore_ascii_case("nm")) {
            continue;
        }
        let before = name[..at].trim_end();
        let kept = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let rest = format!("{kept} {}", &name[at + 2..]);
        let width = before[kept.len()..].parse::<f64>().ok();
        if let Some(width) = width.filter(|w| *w > 0.0 && *w < WIDEST_NM)
            && rest.chars().any(char::is_alphanumeric)
        {
            return (rest, Some(width));
        }
    }
    (name.to_owned(), None)
}

/// Letters and digits alone; in small letters unless it is a single one.
fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    if plain.chars().count() == 1 { plain } else { plain.to_lowercase() }
}

fn one_filter(filter: &str) -> String {
    let plain = plain(filter);
    // No system of filters has an `l` beside `L`.
    if plain == "l" {
        return "L".into();
    }
    for (system, small) in SYSTEMS {
        match plain.strip_prefix(system) {
            Some(letter) if letter.len() == 1 && *small => return letter.to_owned(),
            Some(letter) if letter.len() == 1 => return letter.to_uppercase(),
            _ => {}
        }
    }
    match NAMES.iter().find(|(_, others)| others.contains(&&*plain)) {
        Some((name, _)) => (*name).to_owned(),
        None => plain,
    }
}

/// What came of comparing the filters of two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    Same,
    Unknown,
    /// One filter by name, of two widths; a clear glass where the other has luminance; one name that says
    /// more than the other.
    Doubtful,
    Other,
}

/// What the filter of a frame is known as; `None` where its header names none.
fn key(t: &Traits) -> Option<String> {
    t.filter_as.clone().or_else(|| t.filter.as_deref().map(filter_key)).filter(|k| !k.is_empty())
}

/// Compares the filters of two frames.
pub(super) fn compare(a: &Traits, b: &Traits) -> Likeness {
    let band = |t: &Traits| t.filter.as_deref().and_then(band_nm);
    let clear = |a: &str, b: &str| a == "clear" && b == "L";
    match (key(a), key(b)) {
        (Some(a_key), Some(b_key)) if a_key == b_key => match (band(a), band(b)) {
            (Some(x), Some(y)) if (x - y).abs() > 1e-6 => Likeness::Doubtful,
            _ => Likeness::Same,
        },
        (Some(a), Some(b)) if clear(&a, &b) || clear(&b, &a) => Likeness::Doubtful,
        (Some(_), Some(_))
            if a.filter.as_deref().zip(b.filter.as_deref()).is_some_and(says_more) =>
        {
            Likeness::Doubtful
        }
        (Some(_), Some(_)) => Likeness::Other,
        // A colour sensor's frames often name no filter; two frames that both name none agree, one
        // that does and one that does not are not known to.
        (None, None) => Likeness::Same,
        (Some(one), None) | (None, Some(one)) if one == NO_FILTER => Likeness::Same,
        _ => Likeness::Unknown,
    }
}

/// Words beside a filter's name that make no other filter of it: makers, places in the wheel, sizes.
const BESIDE: &[&str] = &[
    "altair",
    "antlia",
    "astrodon",
    "astronomik",
    "baader",
    "bandpass",
    "chroma",
    "edge",
    "filter",
    "highspeed",
    "hs",
    "idas",
    "mm",
    "narrowband",
    "omegon",
    "optolong",
    "player",
    "one",
    "pos",
    "position",
    "pro",
    "slot",
    "svbony",
    "touptek",
    "ultra",
    "wheel",
    "zwo",
];

fn says_nothing(word: &str) -> bool {
    BESIDE.contains(&word.to_lowercase().as_str()) || word.chars().all(|c| c.is_ascii_digit())
}

/// The words of a name without the width of its band.
fn words(name: &str) -> Vec<String> {
    let name = split_band(name).0;
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_owned).collect()
}

/// Those that say which filter it is, each once.
fn telling(name: &str) -> Vec<String> {
    let words = words(name).into_iter().filter(|w| !says_nothing(w));
    let mut telling: Vec<String> = words.map(|w| one_filter(&w)).collect();
    telling.dedup();
    telling
}

/// Whether one of two names holds the other, and beside it words that say nothing of the filter; or both hold one.
fn says_more((a, b): (&str, &str)) -> bool {
    let told = telling(a);
    if !told.is_empty() && told == telling(b) {
        return true;
    }
    let holds = |long: &str, short: &str| {
        let (words, short) = (words(long), plain(&split_band(short).0));
        (0..words.len()).any(|from| {
            (from + 1..=words.len()).any(|to| {
                let (before, after) = (&words[..from], &words[to..]);
                to - from < words.len()
                    && plain(&words[from..to].concat()) == short
                    && before.iter().chain(after).all(|word| says_nothing(word))
            })
        })
    };
    holds(a, b) || holds(b, a)
}

/// The filter of frames that make one master or one picture, as text.
pub(crate) fn filter_group(t: &Traits) -> String {
    let band = t.filter.as_deref().and_then(band_nm);
    format!("{:?} {band:?}", key(t).filter(|k| k != NO_FILTER))
}

/// Names of filters that a person added to those that are built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The filter's key, by the added name.
    filters: BTreeMap<String, String>,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFile {
    #[serde(default)]
    filters: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
}

/// The largest file that is read, in bytes: some thousand names.
const MOST_BYTES: u64 = 1 << 16;

impl Aliases {
    /// Reads the file; one that does not exist adds nothing.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is not as `docs/matching.md` says; the line is named.
    pub fn read(path: &Path) -> Result<Self> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::io(path, "reading the names of filters", e)),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::io(path, "reading the names of filters", e))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::library(format!(
                "{} is larger than {MOST_BYTES} bytes, so it is no list of filter names; remove what \
                 does not belong there",
                path.display()
            )));
        }
        Self::parse(&bytes).map_err(|(at, what)| {
            let line = 1 + bytes.iter().take(at).filter(|b| **b == b'\n').count();
            Error::library(format!(
                "{}, line {line}: {what}. It should hold lines such as Ha = [\"my H-alpha\", \"656\"] \
                 below [filters]; correct it, or move it away",
                path.display()
            ))
        })
    }

    /// The names in a file, or where it is wrong and how.
    fn parse(bytes: &[u8]) -> std::result::Result<Self, (usize, String)> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| (e.valid_up_to(), "this is not UTF-8 text".to_owned()))?;
        let file: AliasFile = toml::from_str(text).map_err(|e| {
            (e.span().map_or(0, |s| s.start), e.message().trim().replace('\n', ", "))
        })?;
        let mut filters: BTreeMap<String, String> = BTreeMap::new();
        for (name, others) in file.filters {
            let known_as = filter_key(name.get_ref());
            if known_as.is_empty() {
                return Err((name.span().start, format!("{:?} names no filter", name.get_ref())));
            }
            for other in others {
                let (at, other) = (other.span().start, other.into_inner());
                let added = plain(&other);
                if added.is_empty() {
                    return Err((at, format!("{other:?} has no letter or digit to be known by")));
                }
                if let Some(before) = filters.insert(added, known_as.clone())
                    && before != known_as
                {
                    return Err((at, format!("{other:?} is given to two filters")));
                }
            }
        }
        Ok(Self { filters })
    }

    /// Notes what a person calls the filter of a frame.
    pub fn name(&self, traits: &mut Traits) {
        let Some(filter) = &traits.filter else { return };
        let known_as = self.filters.get(&plain(filter)).or_else(|| {
            // With or without the width of the band.
            self.filters.get(&plain(&split_band(filter).0))
        });
        traits.filter_as = known_as.cloned();
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Metadata, Size};

    use super::*;

    fn frame(filter: Option<&str>) -> Traits {
        let m = Metadata { filter: filter.map(str::to_owned), ..Metadata::default() };
        Traits::of(&m, Size::new(10, 10))
    }

    #[test]
    fn names_of_one_filter() {
        for names in [
            &[
                "Ha",
                "HA",
                "H-alpha",
                "H_Alpha",
                "H Alpha",
                "Hydrogen Alpha",
                "Halpha 7nm",
                "Ha 3 nm",
            ][..],
            &["SII", "S2", "S II", "s-ii", "SII 6.5nm", "S2 7nm", "Sulphur II"],
            &["OIII", "O3", "O III", "oiii_3NM", "O3 6nm"],
            &["L", "l", "Lum", "Luminance"],
            &["R", "Red"],
            &["G", "Green", "[G0]", "Johnson G"],
            &["B", "Blue", "Bessell B"],
            &["g", "sdss_g", "g'", "Sloan g", "SDSS-G"],
            &["r", "sdss_r", "r'", "Sloan r"],
            &["V", "Johnson V", "Bessell V"],
            &["NoFilter", "none", "No Filter", "Empty", "empty + none"],
            &["Ha + OIII", "ha+o3", "Empty + Ha + O3"],
        ] {
            for name in names {
                assert_eq!(filter_key(name), filter_key(names[0]), "{name} is {}", names[0]);
            }
        }
        for (a, b) in [
            ("R", "r"),
            ("I", "i"),
            ("G", "g"),
            ("U", "u"),
            ("Z", "z"),
            ("Sloan r", "R"),
            ("Green", "g"),
            ("Ha", "Hb"),
            ("SII", "OIII"),
            ("L", "NoFilter"),
            ("L-eXtreme", "L"),
            ("B+Polar", "V+Polar"),
            ("656nm", "672nm"),
        ] {
            assert_ne!(filter_key(a), filter_key(b), "{a} is not {b}");
        }
    }

    #[test]
    fn widths_of_bands() {
        for (name, width_nm) in [
            ("Ha 7nm", Some(7.0)),
            ("Halpha_3 nm", Some(3.0)),
            ("O3 6.5NM", Some(6.5)),
            ("3nm Ha", Some(3.0)),
            ("Ha + none 3nm", Some(3.0)),
            ("Ha 656nm", None),
            ("7nm", None),
            ("Ha", None),
            ("Hα nm", None),
            ("nm", None),
            ("\u{e4}n", None),
        ] {
            assert_eq!(band_nm(name), width_nm, "{name}");
        }
    }

    #[test]
    fn likeness_of_two_frames() {
        use Likeness::{Doubtful, Other, Same, Unknown};
        for (a, b, likeness) in [
            (Some("Ha"), Some("H-alpha"), Same),
            (Some("Ha 7nm"), Some("Ha"), Same),
            (Some("Ha 7nm"), Some("Halpha 7.0 nm"), Same),
            (Some("Ha 7nm"), Some("Halpha 3nm"), Doubtful),
            (Some("Clear"), Some("Lum"), Doubtful),
            (Some("Slot 1"), Some("1"), Doubtful),
            (Some("Ha"), Some("Ha_Antlia_3nm"), Doubtful),
            (Some("Ha 3nm Antlia"), Some("Antlia Ha 3nm"), Doubtful),
            (Some("OIII/O3"), Some("OIII"), Doubtful),
            (Some("Antlia 1"), Some("Antlia 2"), Other),
            (Some("LeXtreme"), Some("Optolong L-eXtreme"), Doubtful),
            (Some("L-Pro"), Some("L"), Doubtful),
            (Some("Ha OIII"), Some("Ha"), Other),
            (Some("Ha continuum"), Some("Ha"), Other),
            (Some("OIII off-band"), Some("OIII"), Other),
            (Some("UV IR Cut"), Some("IR"), Other),
            (Some("L-eXtreme"), Some("L"), Other),
            (Some("R"), Some("R G"), Other),
            (Some("L"), Some("UV/IR Cut"), Other),
            (Some("Clear"), Some("clear"), Same),
            (Some("Clear"), Some("NoFilter"), Other),
            (Some("R"), Some("r"), Other),
            (Some("Ha"), Some("OIII"), Other),
            (None, None, Same),
            (None, Some("NoFilter"), Same),
            (Some(" "), Some("Empty"), Same),
            (None, Some("Ha"), Unknown),
            (Some("none"), Some("Ha"), Other),
        ] {
            let (one, other) = (frame(a), frame(b));
            assert_eq!(compare(&one, &other), likeness, "{a:?} and {b:?}");
            assert_eq!(compare(&other, &one), likeness, "{b:?} and {a:?}");
        }
    }

    #[test]
    fn a_person_adds_names() {
        let text = "# mine\n[filters]\nHa = [\"Rot 656\", \"656\"]\nL = [\"Clear\"]\n\"my blue\" = [\"x\"]";
        let aliases = Aliases::parse(text.as_bytes()).unwrap();
        let named = |filter: &str| {
            let mut frame = frame(Some(filter));
            aliases.name(&mut frame);
            frame
        };
        for (a, b) in
            [("rot-656", "H-alpha"), ("656", "Ha 7nm"), ("clear", "Lum"), ("x", "My Blue")]
        {
            assert_eq!(compare(&named(a), &named(b)), Likeness::Same, "{a} is {b}");
            assert_eq!(compare(&named(a), &named("V")), Likeness::Other);
        }
        assert_eq!(compare(&named("Rot 656 3nm"), &named("Ha 7nm")), Likeness::Doubtful);
        // Single letters keep their case here too.
        assert_eq!(compare(&named("X"), &named("My Blue")), Likeness::Other);
    }

    #[test]
    fn errors_name_their_line() {
        for (text, line, word) in [
            ("[filters]\nHa = \"Rot\"\n", 2, "sequence"),
            ("[filters]\n\nHa = [\"Rot\"\nL = 3", 4, "array"),
            ("[filters]\nHa = [\"Rot\"]\nOIII = [\n\"rot\"]", 4, "two filters"),
            ("[filters]\nHa = [\"--\"]", 2, "no letter"),
            ("[filters]\n\" \" = [\"a\"]", 2, "names no filter"),
            ("# cameras\n[cameras]\n", 2, "unknown field"),
            ("[filters]\nHa = [\"a\"]\nHa = [\"b\"]", 3, "duplicate"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(ALIASES_NAME);
            let existing = photosite_file::atomic::Existing::Refuse;
            photosite_file::atomic::write_bytes(&path, text.as_bytes(), existing).unwrap();
            let told = Aliases::read(&path).unwrap_err().to_string();
            assert!(told.contains(&format!("line {line}:")), "{text}: {told}");
            assert!(told.contains(word), "{text}: {told}");
        }
    }

    #[test]
    fn hostile_files_are_refused_in_bounded_time() {
        let dir = tempfile::tempdir().unwrap();
        let nested = format!("a = {}", "[".repeat(60_000));
        let tables = format!("{}x = 1", "[a]\n".repeat(10_000));
        let long = format!("[filters]\n{} = []", "a".repeat(70_000));
        let dotted = format!("{}z = 1", "a.".repeat(30_000));
        let all: [&[u8]; 6] = [
            nested.as_bytes(),
            tables.as_bytes(),
            long.as_bytes(),
            dotted.as_bytes(),
            b"[filters]\nHa = [\"\xff\"]",
            &[0; 100],
        ];
        for (n, bytes) in all.into_iter().enumerate() {
            let path = dir.path().join(format!("{n}.toml"));
            let existing = photosite_file::atomic::Existing::Refuse;
            photosite_file::atomic::write_bytes(&path, bytes, existing).unwrap();
            assert!(Aliases::read(&path).is_err(), "{n}");
        }
        // A folder of that name, and none at all.
        assert!(Aliases::read(dir.path()).is_err());
        assert_eq!(Aliases::read(&dir.path().join("none")).unwrap(), Aliases::default());
    }
}
