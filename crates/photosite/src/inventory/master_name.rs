//! The names that other programs give to masters, and what they contain.

use std::path::Path;

use photosite_file::keyword;
use photosite_pix::{FrameKind, Metadata};

/// What a file's name says about another program's master.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MasterName {
    /// It is one.
    pub is_master: bool,
    /// What it is.
    pub kind: Option<FrameKind>,
    /// The program that names masters so.
    pub program: Option<&'static str>,
    exposure_s: Option<f64>,
    temp_c: Option<f64>,
    gain_setting: Option<f64>,
    binning: Option<(u32, u32)>,
    count: Option<u32>,
    filter: Option<String>,
}

impl MasterName {
    /// Reads the name of the file at `path`: those that PixInsight, ASIAIR, DeepSkyStacker, ASTAP
    /// and Siril give, and people.
    pub fn of(path: &Path) -> Self {
        let stem = path.file_stem().map_or_else(Default::default, |s| s.to_string_lossy());
        let stem = stem.as_ref();
        let lower = stem.to_lowercase();
        let mut out = Self::default();
        for token in stem.split('_') {
            out.read(token);
        }
        let rest = lower.strip_prefix("master");
        let siril = lower.strip_suffix("_stacked");
        let Some(body) = rest.map(|r| r.trim_start_matches(['_', '-', ' '])).or(siril) else {
            return out;
        };
        let mut words = body.trim_start_matches("pp_").split(['_', ' ']);
        let letters = |w: &str| w.chars().take_while(|c| c.is_alphabetic()).collect::<String>();
        let (first, second) = (letters(words.next().unwrap_or("")), words.next().unwrap_or(""));
        out.kind = keyword::kind_from_words(&format!("{first}{second}"))
            .or_else(|| keyword::kind_from_words(&first));
        out.is_master = out.kind.is_some();
        out.program = match () {
            () if !out.is_master => None,
            () if siril.is_some() => Some("Siril"),
            () if lower.contains("_bin-") => Some("PixInsight"),
            () if lower.contains("_stack") => Some("ASIAIR"),
            () if lower.starts_with("master_") => Some("ASTAP"),
            () if stem.starts_with("Master") => Some("DeepSkyStacker"),
            () => None,
        };
        out
    }

    /// Reads a part of a name as a whole, else its words: a filter's name may hold a blank, a temperature
    /// a dash.
    fn read(&mut self, part: &str) {
        if self.read_token(part) {
            return;
        }
        for word in words(part).filter(|w| *w != part) {
            self.read_token(word);
        }
    }

    /// Reads `300.00s`, `EXPOSURE-300.00s`, `20x300s`, `50.0ms`, `-10.0C`, `gain100`, `ISO800`,
    /// `BIN-1`, `Bin2`, `Stack20`, `FILTER-Ha` and their like; `false` where it is none of these.
    fn read_token(&mut self, token: &str) -> bool {
        let lower = token.to_lowercase();
        let after = |words: &[&str]| {
            let word = words.iter().find(|w| lower.starts_with(**w))?;
            Some(lower[word.len()..].trim_start_matches(['-', '=']))
        };
        let set = |field: &mut Option<f64>, value: Option<f64>| {
            *field = value.or(*field);
            value.is_some()
        };
        if let Some(text) = after(&["exposure", "exptime"]) {
            set(&mut self.exposure_s, seconds(text))
        } else if let Some(text) = after(&["gain", "iso"]) {
            set(&mut self.gain_setting, number(text))
        } else if let Some(text) = after(&["bin", "binning"]) {
            let (x, y) = text.split_once('x').unwrap_or((text, text));
            let binning = x.parse().ok().zip(y.parse().ok());
            self.binning = binning.or(self.binning);
            binning.is_some()
        } else if let Some(text) = after(&["stack"]) {
            let count = text.parse().ok();
            self.count = count.or(self.count);
            count.is_some()
        } else if after(&["filter"]).is_some() {
            let filter = token["filter".len()..].trim_start_matches(['-', '=']);
            let named = !filter.is_empty() && !filter.starts_with(' ');
            if named {
                self.filter = Some(filter.to_owned());
            }
            named
        } else if let Some((count, exposure)) = lower.split_once('x')
            && let (Ok(count), Some(s)) = (count.parse(), seconds(exposure))
        {
            (self.count, self.exposure_s) = (Some(count), Some(s));
            true
        } else if let Some(s) = seconds(&lower) {
            set(&mut self.exposure_s, Some(s))
        } else {
            set(&mut self.temp_c, lower.strip_suffix('c').and_then(number))
        }
    }

    /// Fills what the header does not give; returns what was filled.
    pub fn fill(&self, mut m: Metadata) -> (Metadata, Vec<&'static str>) {
        let mut filled = Vec::new();
        let mut note = |missing: bool, name| {
            if missing {
                filled.push(name);
            }
            missing
        };
        if note(m.exposure_s.is_none() && self.exposure_s.is_some(), "the exposure") {
            m.exposure_s = self.exposure_s;
        }
        let no_temp = m.temp_c.is_none() && m.set_temp_c.is_none();
        if note(no_temp && self.temp_c.is_some(), "the temperature") {
            m.temp_c = self.temp_c;
        }
        if note(m.gain_setting.is_none() && self.gain_setting.is_some(), "the gain setting") {
            m.gain_setting = self.gain_setting;
        }
        if note(m.binning.is_none() && self.binning.is_some(), "the binning") {
            m.binning = self.binning;
        }
        if note(m.combined_count.is_none() && self.count.is_some(), "the number of frames") {
            m.combined_count = self.count;
        }
        if note(m.filter.is_none() && self.filter.is_some(), "the filter") {
            m.filter.clone_from(&self.filter);
        }
        (m, filled)
    }
}

/// The words of a name, and the parts that dashes join in one.
pub(super) fn words(name: &str) -> impl Iterator<Item = &str> {
    let words = name.split(['_', ' ', '(', ')', '[', ']', ',', ';']).filter(|w| !w.is_empty());
    words.flat_map(|w| {
        // The dash of "-10C" is its sign.
        let joined = w.trim_start_matches('-').contains('-');
        std::iter::once(w).chain(w.split('-').filter(move |part| joined && !part.is_empty()))
    })
}

/// A plain number; not `nan` or `inf`, which are names too.
fn number(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    text.parse().ok().filter(|_| plain)
}

/// `300.00s`, `50.0ms`, `120sec`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let value = match text.strip_suffix("ms") {
        Some(ms) => number(ms)? / 1000.0,
        None => number(text.strip_suffix("sec").or_else(|| text.strip_suffix('s'))?)?,
    };
    (value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(stem: &str) -> std::path::PathBuf {
        format!("/night/{stem}.fits").into()
    }

    #[test]
    fn names_of_other_programs_masters() {
        let dark = Some(FrameKind::Dark);
        for (name, want) in [
            (
                "masterDark_BIN-1_6248x4176_EXPOSURE-300.00s",
                MasterName {
                    kind: dark,
                    program: Some("PixInsight"),
                    exposure_s: Some(300.0),
                    binning: Some((1, 1)),
                    ..MasterName::default()
                },
            ),
            (
                "masterFlat_BIN-2_FILTER-Ha_mono",
                MasterName {
                    kind: Some(FrameKind::Flat),
                    program: Some("PixInsight"),
                    binning: Some((2, 2)),
                    filter: Some("Ha".into()),
                    ..MasterName::default()
                },
            ),
            (
                "MasterFlat_Stack20_50.0ms_Bin1_2600MC_gain100_20260101-220000_-10.0C",
                MasterName {
                    kind: Some(FrameKind::Flat),
                    program: Some("ASIAIR"),
                    exposure_s: Some(0.05),
                    temp_c: Some(-10.0),
                    gain_setting: Some(100.0),
                    binning: Some((1, 1)),
                    count: Some(20),
                    ..MasterName::default()
                },
            ),
            (
                "MasterDark_ISO800_300s",
                MasterName {
                    kind: dark,
                    program: Some("DeepSkyStacker"),
                    exposure_s: Some(300.0),
                    gain_setting: Some(800.0),
                    ..MasterName::default()
                },
            ),
            (
                "master_dark_20x300.0s_at_-10C_2026-01-01",
                MasterName {
                    kind: dark,
                    program: Some("ASTAP"),
                    exposure_s: Some(300.0),
                    temp_c: Some(-10.0),
                    count: Some(20),
                    ..MasterName::default()
                },
            ),
            (
                "pp_flat_stacked",
                MasterName {
                    kind: Some(FrameKind::Flat),
                    program: Some("Siril"),
                    ..MasterName::default()
                },
            ),
            (
                "bias_stacked",
                MasterName {
                    kind: Some(FrameKind::Bias),
                    program: Some("Siril"),
                    ..MasterName::default()
                },
            ),
            (
                "masterFlat_BIN-1_FILTER-Ha 5nm_mono",
                MasterName {
                    kind: Some(FrameKind::Flat),
                    program: Some("PixInsight"),
                    binning: Some((1, 1)),
                    filter: Some("Ha 5nm".into()),
                    ..MasterName::default()
                },
            ),
        ] {
            assert_eq!(
                MasterName::of(&file(name)),
                MasterName { is_master: true, ..want },
                "{name}"
            );
        }
        for name in [
            "Master Dark 30s -10C",
            "master-dark-30s",
            "Master Dark (30s -10C)",
            "Master Dark [-10C, 20x30s, gain 100]",
            "30s master-dark",
            "Darks-30s-bin1",
        ] {
            let said = MasterName::of(&file(name));
            assert_eq!(said.exposure_s, Some(30.0), "{name}");
            assert_eq!(said.is_master, name.starts_with(['M', 'm']), "{name}");
            assert!(said.temp_c.is_none_or(|c| c == -10.0), "{name}: {:?}", said.temp_c);
        }
        for name in ["Dark_300s_0001", "mastery of the dark", "M31_stacked", "masterpiece_dark"] {
            assert!(!MasterName::of(&file(name)).is_master, "{name}");
        }
    }
}
