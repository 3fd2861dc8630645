//! What a frame was taken for: header against name.

use std::path::{Component, Path};

use photosite_file::keyword::kind_from_words;
use photosite_pix::FrameKind;
use serde::Serialize;

use crate::finding::{Finding, Severity};

/// What decided a frame's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KindSource {
    /// The header.
    Header,
    /// The file's or a folder's name.
    Name,
    /// A path given on the command line.
    Option,
    /// The pixels, where nothing else says it.
    Pixels,
}

/// Decides a frame's kind; a contradiction becomes a Finding.
///
/// The header decides unless it is silent, or says "Light" where a name says otherwise: SBIG
/// programs call flats "Light Frame", so the folder that a person put a frame into is believed.
/// What a header calls bias, dark or flat is that.
pub fn classify(
    header: Option<FrameKind>,
    object: Option<&str>,
    path: &Path,
    root: &Path,
    findings: &mut Vec<Finding>,
) -> Option<(FrameKind, KindSource)> {
    let named = kind_by_name(path, root, object);
    let (h, n) = match (header, named) {
        (Some(h), Some(n)) if h != n => (h, n),
        (Some(h), _) => return Some((h, KindSource::Header)),
        (None, Some(n)) => return Some((n, KindSource::Name)),
        (None, None) => return None,
    };
    // "Dark" in a folder of dark flats is the same thing said less exactly.
    if h == FrameKind::Dark && n == FrameKind::DarkFlat {
        return Some((n, KindSource::Name));
    }
    let (used, source) = match h {
        FrameKind::Light => (n, KindSource::Name),
        _ => (h, KindSource::Header),
    };
    // Flats and dark flats often lie among the lights that they belong to.
    if n != FrameKind::Light {
        let doubted = if used == h { n } else { h };
        let believed = if source == KindSource::Name { "name" } else { "header" };
        findings.push(
            Finding::new(
                "kind-contradicted",
                Severity::Warning,
                path.display().to_string(),
                format!("the header says {h}, the name says {n}; the {believed} is used"),
            )
            .hint(format!("If it really is a {doubted}, use --{}.", option_of(doubted)))
            .with("header", h.slug())
            .with("name", n.slug()),
        );
    }
    Some((used, source))
}

/// The option that names frames of a kind.
pub fn option_of(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Bias => "bias",
        FrameKind::Dark => "darks",
        FrameKind::DarkFlat => "dark-flats",
        FrameKind::Flat => "flats",
        FrameKind::Light => "lights",
    }
}

/// The kind that a file's name, or else the nearest folder's, begins or ends with.
fn kind_by_name(path: &Path, root: &Path, object: Option<&str>) -> Option<FrameKind> {
    let target: Vec<String> = words(object.unwrap_or_default());
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let by_file = kind_in_name(&stem, &target);
    // Folders above the one that was given are not the user's word about these frames, save the
    // given folder's own name.
    let above = root.parent().map_or(0, |p| p.components().count());
    let folders: Vec<String> = path
        .parent()?
        .components()
        .skip(above)
        .filter_map(|c| match c {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let by_folder = folders.iter().rev().find_map(|f| kind_in_name(f, &target));
    match (by_file, by_folder) {
        // A dark in a folder of dark flats.
        (Some(FrameKind::Dark), Some(FrameKind::DarkFlat)) => by_folder,
        _ => by_file.or(by_folder),
    }
}

/// The folder that names the kind of a frame whose own name does not.
pub fn naming_folder<'a>(path: &'a Path, object: Option<&str>) -> Option<&'a Path> {
    let target: Vec<String> = words(object.unwrap_or_default());
    let names = |name: &std::ffi::OsStr| kind_in_name(&name.to_string_lossy(), &target).is_some();
    if path.file_stem().is_some_and(names) {
        return None;
    }
    path.ancestors().skip(1).find(|folder| folder.file_name().is_some_and(names))
}

/// The words of a name: runs of letters, in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphabetic())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Words that make a target of a kind before them: the Dark Shark, the Dark Doodad.
const SKY_WORDS: &[&str] = &[
    "nebula", "nebulae", "nebel", "shark", "doodad", "horse", "river", "tower", "wolf", "rift",
    "cloud", "clouds", "globule", "lane", "galaxy", "matter", "ldn", "lbn", "barnard",
];

/// The kind that a name's first words, or its last one, name; words of the target do not count
/// ("Dark Shark" is a nebula), and a name of two kinds ("Darks and Flats") names none.
fn kind_in_name(name: &str, target: &[String]) -> Option<FrameKind> {
    let words: Vec<String> = words(name).into_iter().filter(|w| !target.contains(w)).collect();
    if words.iter().any(|w| SKY_WORDS.contains(&w.as_str())) {
        return None;
    }
    let both = words.iter().position(|w| ["and", "und", "et", "y"].contains(&w.as_str()));
    if both.is_some_and(|i| i > 0 && i + 1 < words.len()) {
        let kinds = words.iter().filter_map(|w| kind_from_words(w)).collect::<Vec<_>>();
        if kinds.windows(2).any(|k| k[0] != k[1]) {
            return None;
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|w| *w != "master").collect();
    let pair = |a: &str, b: &str| kind_from_words(&format!("{a}{b}"));
    let first = match words[..] {
        [a, b, ..] => pair(a, b).or_else(|| kind_from_words(a)),
        [a] => kind_from_words(a),
        [] => None,
    };
    first.or_else(|| words.last().and_then(|w| kind_from_words(w))).or_else(|| {
        // "darks-before", "DarkBefore": a kind run together with more words, unless the target is called so.
        let named_for_target = |w: &str| target.contains(&w.to_lowercase());
        let own = name.split(|c: char| !c.is_alphabetic()).filter(|w| !named_for_target(w));
        let joined = split_camel(&own.collect::<Vec<_>>().join(" "));
        joined.first().filter(|w| !target.contains(w)).and_then(|w| kind_from_words(w))
    })
}

/// "DarkBefore" as "dark", "before".
fn split_camel(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphabetic() {
            lower_before = false;
            out.push(String::new());
            continue;
        }
        if out.is_empty() || (c.is_uppercase() && lower_before) {
            out.push(String::new());
        }
        lower_before = c.is_lowercase();
        out.last_mut().expect("pushed above").extend(c.to_lowercase());
    }
    out.retain(|w| !w.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_name(path: &str) -> Option<FrameKind> {
        kind_by_name(Path::new(path), Path::new("/data/night"), None)
    }

    #[test]
    fn names_that_name_a_kind() {
        for (path, kind) in [
            ("/data/night/flat/flat-expos23s-Neg5-Vis.00000000.FIT", FrameKind::Flat),
            ("/data/night/x/darks-expos1-Neg5-Vis.00000000.DARK.FIT", FrameKind::Dark),
            ("/data/night/bias_m05/b001.fit", FrameKind::Bias),
            ("/data/night/dark/DarkBefore-001D120s.fit", FrameKind::Dark),
            ("/data/night/x/DarkBefore-001D120s.fit", FrameKind::Dark),
            ("/data/night/domeflat_z_001.fits", FrameKind::Flat),
            ("/data/night/dark flats/f1.fits", FrameKind::DarkFlat),
            ("/data/night/darkflats/dark_001.fits", FrameKind::DarkFlat),
            ("/data/night/FlatDark_0.5s_0001.fits", FrameKind::DarkFlat),
            ("/data/night/LIGHT/M31_300s_0001.fits", FrameKind::Light),
            ("/data/night/Light_M31_300.0s_Bin1_gain100_-10.0C_0001.fit", FrameKind::Light),
            ("/data/night/lights/sub/a.fits", FrameKind::Light),
        ] {
            assert_eq!(by_name(path), Some(kind), "{path}");
        }
        for path in [
            "/data/night/XO1-b_z_2025.fits",
            "/dark/night/a.fits",
            "/data/night/offsetguide/a.fits",
        ] {
            // "/dark" lies above the given folder.
            let root = if path.starts_with("/dark") { "/dark/night" } else { "/data/night" };
            assert_eq!(kind_by_name(Path::new(path), Path::new(root), None), None, "{path}");
        }
    }

    #[test]
    fn a_target_is_no_kind() {
        let path = Path::new("/n/Dark Shark_300s_001.fits");
        assert_eq!(kind_by_name(path, Path::new("/n"), Some("Dark Shark")), None);
    }

    #[test]
    fn words_of_the_sky_and_two_kinds_name_none() {
        for folder in [
            "Dark Nebula LDN 1251",
            "Dark Shark",
            "dark_doodad_nebula",
            "Darks and Flats",
            "bias und darks",
        ] {
            assert_eq!(by_name(&format!("/data/night/{folder}/a_1.fits")), None, "{folder}");
        }
    }

    #[test]
    fn an_explicit_header_is_never_overruled() {
        for (header, path, used, told) in [
            (FrameKind::Flat, "/n/darks/c_1.fits", FrameKind::Flat, true),
            (FrameKind::Dark, "/n/flat/c_1.fits", FrameKind::Dark, true),
            (FrameKind::Bias, "/n/dark/c_1.fits", FrameKind::Bias, true),
            (FrameKind::Dark, "/n/lights/c_1.fits", FrameKind::Dark, false),
            (FrameKind::Light, "/n/dark/c_1.fits", FrameKind::Dark, true),
        ] {
            let mut findings = Vec::new();
            let path = Path::new(path);
            let got = classify(Some(header), None, path, Path::new("/n"), &mut findings);
            assert_eq!(got.map(|g| g.0), Some(used), "{}", path.display());
            assert_eq!(!findings.is_empty(), told, "{}", path.display());
        }
    }

    #[test]
    fn the_name_decides_and_a_finding_says_so() {
        let mut findings = Vec::new();
        let path = Path::new("/n/flat/f1.fits");
        let got = classify(Some(FrameKind::Light), None, path, Path::new("/n"), &mut findings);
        assert_eq!(got, Some((FrameKind::Flat, KindSource::Name)));
        assert_eq!(findings[0].code, "kind-contradicted");
        findings.clear();
        let path = Path::new("/n/darkflats/f1.fits");
        let got = classify(Some(FrameKind::Dark), None, path, Path::new("/n"), &mut findings);
        assert_eq!(got, Some((FrameKind::DarkFlat, KindSource::Name)));
        assert!(findings.is_empty());
    }
}
