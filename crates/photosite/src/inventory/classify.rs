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
}

/// Decides a frame's kind; a contradiction becomes a Finding.
///
/// The header decides unless it is silent or a name contradicts it: SBIG programs call flats
/// "Light Frame", so the folder that a person put a frame into is believed.
pub fn classify(
    header: Option<FrameKind>,
    object: Option<&str>,
    path: &Path,
    root: &Path,
    findings: &mut Vec<Finding>,
) -> Option<(FrameKind, KindSource)> {
    let named = kind_by_name(path, root, object);
    match (header, named) {
        (Some(h), Some(n)) if h != n => {
            // "Dark" in a folder of dark flats is the same thing said less exactly.
            let refined = h == FrameKind::Dark && n == FrameKind::DarkFlat;
            if !refined {
                findings.push(
                    Finding::new(
                        "kind-contradicted",
                        Severity::Warning,
                        path.display().to_string(),
                        format!("the header says {h}, the name says {n}; the name is used"),
                    )
                    .hint(format!("If it really is a {h}, use --{}.", option_of(h)))
                    .with("header", h.slug())
                    .with("name", n.slug()),
                );
            }
            Some((n, KindSource::Name))
        }
        (Some(h), _) => Some((h, KindSource::Header)),
        (None, Some(n)) => Some((n, KindSource::Name)),
        (None, None) => None,
    }
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

/// The words of a name: runs of letters, in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphabetic())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The kind that a name's first words, or its last one, name; words of the target do not count
/// ("Dark Shark" is a nebula).
fn kind_in_name(name: &str, target: &[String]) -> Option<FrameKind> {
    let words: Vec<String> = words(name).into_iter().filter(|w| !target.contains(w)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|w| *w != "master").collect();
    let pair = |a: &str, b: &str| kind_from_words(&format!("{a}{b}"));
    let first = match words[..] {
        [a, b, ..] => pair(a, b).or_else(|| kind_from_words(a)),
        [a] => kind_from_words(a),
        [] => None,
    };
    first.or_else(|| words.last().and_then(|w| kind_from_words(w))).or_else(|| {
        // "darks-before", "DarkBefore": a kind run together with more words.
        let joined = split_camel(name);
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
