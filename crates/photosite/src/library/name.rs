//! Names of groups and masters: what distinguishes them for a person.

use std::collections::BTreeMap;

use photosite_pix::FrameKind;

use super::{Traits, filter_key, show_seconds};

/// A name for a group that is not among those `used` for others.
pub fn group_name(kind: FrameKind, t: &Traits, used: &mut BTreeMap<String, usize>) -> String {
    let mut parts = vec![kind.slug().to_owned()];
    let lit = matches!(kind, FrameKind::Flat | FrameKind::Light);
    if lit {
        parts.extend(t.filter.as_deref().map(safe_name));
    } else if kind != FrameKind::Bias {
        parts.extend(t.exposure_s.map(|s| format!("{}s", show_seconds(s))));
    }
    if !lit {
        parts.extend(t.temp_c.map(|c| format!("{c:.1}C").replace("-0.0C", "0.0C")));
    }
    parts.extend(t.gain_setting.map(|g| format!("gain{g}")));
    parts.extend(t.offset_setting.map(|o| format!("offset{o}")));
    parts.extend(t.binning.map(|(x, y)| format!("bin{x}x{y}")));
    let stem = parts.join("_");
    // Some file systems fold case: `flat_R` and `flat_r` are one file there.
    let count = used.entry(stem.to_lowercase()).and_modify(|n| *n += 1).or_insert(1);
    if *count == 1 { stem } else { format!("{stem}_{count}") }
}

fn safe_name(filter: &str) -> String {
    let key = filter_key(filter);
    let safe: String = filter.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    if safe.is_empty() { key.chars().filter(char::is_ascii_alphanumeric).collect() } else { safe }
}

/// A name for a master's file in the library: what it is, and its key's first digits.
pub fn master_file_name(kind: FrameKind, t: &Traits, key: &str) -> String {
    let name = group_name(kind, t, &mut BTreeMap::new());
    format!("{name}_{}.fits", key.get(..12).unwrap_or(key))
}
