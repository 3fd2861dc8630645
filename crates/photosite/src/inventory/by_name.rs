//! What a file's and its folders' names say where the header is silent: exposure, gain, filter,
//! target; and whether a file is another program's result.

use std::path::{Component, Path};

use photosite_file::keyword::kind_from_words;
use photosite_pix::{FrameKind, Metadata};

use super::master_name::{seconds, words};
use crate::finding::{Finding, Severity};

/// Fills what the header does not give from the names; each thing taken so becomes a Finding.
pub(super) fn fill(
    m: &mut Metadata,
    kind: FrameKind,
    path: &Path,
    root: &Path,
    findings: &mut Vec<Finding>,
) {
    let subject = path.display().to_string();
    let mut told = |code, message: String, card: &str| {
        let hint = format!("If that is wrong, write {card} into the header.");
        findings.push(Finding::new(code, Severity::Info, &subject, message).hint(hint));
    };
    let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let tokens: Vec<&str> = words(&stem).collect();
    if m.exposure_s.is_none() && kind != FrameKind::Bias {
        m.exposure_s = exposure(&tokens);
        if let Some(s) = m.exposure_s {
            let message = format!("no readable exposure in the header; {s} s by the file name");
            told("exposure-by-name", message, "EXPTIME");
        }
    }
    if m.gain_setting.is_none() && m.gain_written.is_none() && m.gain_e_per_adu.is_none() {
        m.gain_setting = gain(&tokens);
        if let Some(g) = m.gain_setting {
            let message = format!("no gain in the header; {g} by the file name");
            told("gain-by-name", message, "GAIN");
        }
    }
    let lit = matches!(kind, FrameKind::Flat | FrameKind::Light);
    let folders = folders(path, root);
    if lit && m.filter.is_none() {
        let target = m.object.as_deref().unwrap_or_default();
        let single = m.cfa.is_none();
        let by_folder = || folders.iter().find_map(|f| filter(f, target, single));
        m.filter = filter(&stem, target, single).or_else(by_folder);
        if let Some(f) = &m.filter {
            let message = format!("no filter in the header; {f} by the name of file or folder");
            told("filter-by-name", message, "FILTER");
        }
    }
    if kind == FrameKind::Light && m.object.is_none() {
        let below: Vec<String> = folders.iter().rev().skip(1).rev().cloned().collect();
        m.object = target(&below);
        if let Some(o) = &m.object {
            let message = format!("no target in the header; {o} by the name of the folder");
            told("target-by-folder", message, "OBJECT");
        }
    }
}

/// The folders of a file, the nearest first, the given one last.
fn folders(path: &Path, root: &Path) -> Vec<String> {
    let above = root.parent().map_or(0, |p| p.components().count());
    let Some(parent) = path.parent() else { return Vec::new() };
    let names = parent.components().skip(above).filter_map(|c| match c {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    let mut names: Vec<String> = names.collect();
    names.reverse();
    names
}

/// `60s`, `15000ms`, `300.00s`, and DWARF's `EXP_15`.
fn exposure(tokens: &[&str]) -> Option<f64> {
    let plain = |t: &&str| seconds(&t.to_lowercase());
    tokens.iter().find_map(plain).or_else(|| after(tokens, "exp"))
}

/// `gain100`, `ISO800`, and DWARF's `GAIN_60`.
fn gain(tokens: &[&str]) -> Option<f64> {
    let joined = |t: &&str| {
        let t = t.to_lowercase();
        let number = t.strip_prefix("gain").or_else(|| t.strip_prefix("iso"))?;
        digits(number.trim_start_matches(['-', '=']))
    };
    tokens.iter().find_map(joined).or_else(|| after(tokens, "gain"))
}

/// The number in the token after `word`.
fn after(tokens: &[&str], word: &str) -> Option<f64> {
    let pair = tokens.windows(2).find(|p| p[0].eq_ignore_ascii_case(word))?;
    digits(pair[1])
}

/// A number of digits and a point, nothing else.
fn digits(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|_| plain)
}

/// Names of filters that are no other word, without blanks and dashes.
const FILTERS: &[&str] = &[
    "ha",
    "halpha",
    "hydrogenalpha",
    "oiii",
    "o3",
    "sii",
    "s2",
    "hb",
    "hbeta",
    "nii",
    "lum",
    "luminance",
    "red",
    "green",
    "blue",
    "uvir",
    "ircut",
    "lpro",
    "lextreme",
    "lenhance",
    "lultimate",
    "duoband",
    "dualband",
    "irpass",
];

/// Filters of one letter, as capture programs and people write them.
const LETTERS: &[&str] = &["L", "R", "G", "B", "V", "I", "U"];

/// The filter that a name's words name; words of the target do not count, and letters only where
/// `single`.
fn filter(name: &str, target: &str, single: bool) -> Option<String> {
    let split = |c: char| matches!(c, '_' | '-' | '.' | ' ' | '(' | ')');
    let target: Vec<String> = target.split(split).map(str::to_lowercase).collect();
    let words: Vec<&str> = name.split(split).filter(|w| !w.is_empty()).collect();
    let known = |w: &str| FILTERS.contains(&w.to_lowercase().as_str());
    let counts = |w: &str| !target.contains(&w.to_lowercase());
    // "H-alpha", "L-eXtreme" are two words.
    let pair = words.windows(2).find(|p| p[0].len() == 1 && known(&p.concat()));
    pair.map(|p| p.join("-"))
        .or_else(|| words.iter().find(|w| known(w) && counts(w)).map(|w| (*w).to_owned()))
        .or_else(|| {
            let letter = |w: &&&str| single && LETTERS.contains(*w) && counts(w);
            words.iter().find(letter).map(|w| (*w).to_owned())
        })
}

/// Words of folders that name no target.
const NO_TARGET: &[&str] = &[
    "night",
    "nights",
    "session",
    "sessions",
    "date",
    "day",
    "raw",
    "raws",
    "autorun",
    "plan",
    "live",
    "preview",
    "process",
    "calibrated",
    "data",
    "images",
    "image",
    "fits",
    "fit",
    "frames",
    "filter",
    "subs",
    "sub",
    "mosaic",
    "panel",
    "camera",
    "capture",
    "captures",
    "part",
    "run",
    "set",
    "bin",
    "gain",
    "temp",
    "left",
    "right",
    "east",
    "west",
    "before",
    "after",
    "flip",
    "asi",
    "seq",
    "sequence",
    "exp",
    "exposure",
    "new",
    "old",
    "test",
    "good",
    "bad",
    "all",
];

/// The nearest folder that names a target: `M 31/Light`, `Light/M 31`.
fn target(folders: &[String]) -> Option<String> {
    let names = |folder: &&String| {
        let words: Vec<String> = folder
            .split(|c: char| !c.is_alphabetic())
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect();
        let other = |w: &String| {
            NO_TARGET.contains(&w.as_str())
                || kind_from_words(w).is_some()
                || FILTERS.contains(&w.as_str())
                || w == "s"
                || w == "ms"
        };
        let long = words.iter().any(|w| w.len() > 1);
        let catalogued = words.len() == 1
            && ["m", "c", "b"].contains(&words[0].as_str())
            && folder.chars().any(|c| c.is_ascii_digit());
        (long || catalogued) && !words.iter().any(other) && filter(folder, "", true).is_none()
    };
    folders.iter().find(names).map(|f| f.trim().to_owned())
}

/// What tells that a file is another program's result and no raw frame, in words.
pub(super) fn result_of_another(path: &Path) -> Option<&'static str> {
    let stem = path.file_stem()?.to_string_lossy().to_lowercase();
    let stem = stem.strip_suffix(".fits").or(stem.strip_suffix(".fit")).unwrap_or(&stem);
    // Siril puts the steps before the name, PixInsight behind it.
    let prefixed = |p: &&&str| stem.starts_with(**p);
    let siril = ["pp_", "r_pp_", "bkg_pp_", "r_bkg_pp_", "r_light_", "cc_pp_", "s_pp_"];
    if siril.iter().find(prefixed).is_some() {
        return Some("calibrated or registered by Siril");
    }
    if stem.ends_with("_stacked") || stem.starts_with("stacked_") {
        return Some("a stack");
    }
    let steps = ["_c_cc", "_c_d", "_c_r", "_c_cc_d", "_c_cc_d_r", "_c_d_r", "_c_cc_r"];
    steps.iter().any(|s| stem.ends_with(s)).then_some("calibrated by PixInsight")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(stem: &str) -> Vec<&str> {
        words(stem).collect()
    }

    #[test]
    fn exposures_and_gains_in_names() {
        for (stem, exposure_s, gain_set) in [
            ("light_R_15000ms_9", Some(15.0), None),
            ("M31_60s_0001", Some(60.0), None),
            ("Light_M31_300.00s_Bin1_gain100_0001", Some(300.0), Some(100.0)),
            ("DWARF_RAW_M 31_EXP_15_GAIN_60_2024", Some(15.0), Some(60.0)),
            ("Light_M 31_10.0s_IRCUT_20240101-200000", Some(10.0), None),
            ("DSC_0001_ISO800", None, Some(800.0)),
            ("M 31 (30s, ISO-800)", Some(30.0), Some(800.0)),
            ("M31-30s-gain-120-0001", Some(30.0), Some(120.0)),
            ("NGC_7000_001", None, None),
        ] {
            assert_eq!(exposure(&tokens(stem)), exposure_s, "{stem}");
            assert_eq!(gain(&tokens(stem)), gain_set, "{stem}");
        }
    }

    #[test]
    fn filters_in_names() {
        for (name, target, want) in [
            ("light_R_15000ms_9", "", Some("R")),
            ("L_12", "", Some("L")),
            ("M31_Ha_001", "M31", Some("Ha")),
            ("M31 H-alpha 001", "M31", Some("H-alpha")),
            ("Light_M 31_10.0s_IRCUT_20240101-200000", "M 31", Some("IRCUT")),
            ("OIII", "", Some("OIII")),
            ("Red Rectangle_001", "Red Rectangle", None),
            ("B 33_001", "B 33", None),
            ("l_0_0", "", None),
            ("lights", "", None),
        ] {
            assert_eq!(filter(name, target, true).as_deref(), want, "{name}");
        }
        assert_eq!(filter("light_R_15000ms_9", "", false), None, "of a colour camera");
    }

    #[test]
    fn targets_of_folders() {
        let of =
            |folders: &[&str]| target(&folders.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["Light", "M 31"]).as_deref(), Some("M 31"));
        assert_eq!(of(&["Ha", "lights", "NGC 7000"]).as_deref(), Some("NGC 7000"));
        assert_eq!(of(&["Rosette", "Light"]).as_deref(), Some("Rosette"));
        for folders in [&["lights", "night1"][..], &["light", "2026-01-15"], &["lights_R"]] {
            assert_eq!(of(folders), None, "{folders:?}");
        }
    }

    #[test]
    fn results_of_other_programs() {
        for name in ["pp_light_00001.fit", "r_pp_light_00001.fit", "M31_stacked.fit", "a_c_cc.xisf"]
        {
            assert!(result_of_another(Path::new(name)).is_some(), "{name}");
        }
        for name in ["light_00001.fit", "ppm_1.fit", "M31_c.fit", "a.fits.gz"] {
            assert!(result_of_another(Path::new(name)).is_none(), "{name}");
        }
    }
}
