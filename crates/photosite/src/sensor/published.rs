//! What others published of common cameras: a measured value far from theirs is told, and nothing more.

use serde::Deserialize;

use super::measure::{Measure, significant};
use super::profile::{Profile, ProfileValue, plain_name};
use crate::Finding;
use crate::finding::Severity;

/// The files, by maker.
const FILES: [&str; 6] = [
    include_str!("../../../../data/cameras/canon.toml"),
    include_str!("../../../../data/cameras/nikon.toml"),
    include_str!("../../../../data/cameras/qhy.toml"),
    include_str!("../../../../data/cameras/sbig.toml"),
    include_str!("../../../../data/cameras/sony.toml"),
    include_str!("../../../../data/cameras/zwo.toml"),
];

/// The schema of a file.
const SCHEMA: &str = "photosite.published/1";

/// What is compared, and from which factor on two values are far apart: published ones are rounded, and read
/// noise and full well depend on how they are taken.
const COMPARED: [(&str, &str, f64); 4] = [
    ("gain", "e-/ADU", 1.15),
    ("read_noise", "e-", 1.4),
    ("full_well", "e-", 1.5),
    ("saturation", "e-", 1.5),
];

/// What follows the name of a model where it is sold with and without colour.
const VARIANTS: [&str; 7] = ["", "m", "c", "mm", "mc", "mmpro", "mcpro"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    profile: Vec<Profile>,
}

/// All published profiles.
fn published() -> Vec<Profile> {
    let read = |text: &&str| toml::from_str::<File>(text).ok().filter(|f| f.schema == SCHEMA);
    FILES.iter().filter_map(read).flat_map(|f| f.profile).collect()
}

/// Whether a camera as headers name it is of a published model: all words of the model are among its own.
fn is_of(camera: &str, model: &str) -> bool {
    let words =
        |text: &str| -> Vec<String> { plain_name(text).split('-').map(str::to_owned).collect() };
    let (own, model) = (words(camera), words(model));
    // The maker is often left out.
    let wanted = model.get(1..).unwrap_or_default();
    !wanted.is_empty()
        && wanted.iter().all(|w| {
            own.iter()
                .any(|o| o.strip_prefix(w.as_str()).is_some_and(|rest| VARIANTS.contains(&rest)))
        })
}

/// Measures that lie far from what was published of the camera and its settings; `step` is how far apart the
/// numbers lie that samples take, since a published gain is that of a step of the converter.
pub fn far_from_published(
    (camera, set_up): (Option<&str>, &std::collections::BTreeMap<String, String>),
    measures: &[Measure],
    step: f64,
) -> Vec<Finding> {
    let Some(camera) = camera else { return Vec::new() };
    let binned = set_up.get("binning").is_some_and(|b| b != "1x1");
    let of = |p: &Profile| {
        !binned
            && p.camera.as_deref().is_some_and(|model| is_of(camera, model))
            && p.set_up.iter().all(|(k, v)| set_up.get(k) == Some(v))
    };
    let mut out = Vec::new();
    for profile in published().into_iter().filter(of) {
        for value in &profile.values {
            out.extend(far(camera, measures, value, step));
        }
    }
    out
}

fn far(camera: &str, measures: &[Measure], value: &ProfileValue, step: f64) -> Option<Finding> {
    let (name, unit, factor) = COMPARED.into_iter().find(|(name, ..)| *name == value.name)?;
    let own = |m: &&Measure| m.name == name && m.unit == unit && m.valid && m.is_of_all();
    let measured = measures.iter().find(own)?.value?;
    let measured = if name == "gain" { measured * step } else { measured };
    let apart = (measured / value.value).max(value.value / measured);
    if apart.is_nan() || apart <= factor {
        return None;
    }
    let words = name.replace('_', " ");
    let message = format!(
        "the {words} measured is {} {unit}{}, published of this camera were {} {unit} ({})",
        significant(measured),
        if name == "gain" && step > 1.0 { " a step of the converter" } else { "" },
        significant(value.value),
        value.source.as_deref().unwrap_or("no source")
    );
    Some(
        Finding::new("sensor-not-as-published", Severity::Info, camera, message)
            .hint("Look whether gain setting, read-out mode and binning are those meant; the measured value is used.")
            .with("measured", measured)
            .with("published", value.value),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Estimate;
    use super::*;

    #[test]
    fn every_file_is_read_and_every_value_has_a_source() {
        for text in FILES {
            let file: File = toml::from_str(text).unwrap();
            assert_eq!(file.schema, SCHEMA);
            for profile in &file.profile {
                let text = profile.text().unwrap();
                assert_eq!(Profile::parse(&text).unwrap(), *profile);
                assert!(profile.camera.is_some() && !profile.values.is_empty());
                for value in &profile.values {
                    assert!(value.source.as_ref().is_some_and(|s| s.len() > 10), "{value:?}");
                    assert!(value.value > 0.0 && value.method == "published", "{value:?}");
                }
            }
        }
        let cameras: std::collections::BTreeSet<_> =
            published().into_iter().filter_map(|p| p.camera).collect();
        assert!(cameras.len() >= 20, "{cameras:?}");
    }

    #[test]
    fn a_camera_is_told_from_its_like() {
        for (camera, model, wanted) in [
            ("ZWO ASI1600MM-Cool", "ZWO ASI1600", true),
            ("ZWO ASI2600MC Pro", "ZWO ASI2600", true),
            ("ASI294MC Pro", "ZWO ASI294MC", true),
            ("ZWO ASI294MM Pro", "ZWO ASI294MC", false),
            ("NIKON D300", "Nikon D3", false),
            ("NIKON CORPORATION NIKON D3", "Nikon D3", true),
            ("Canon EOS 5D Mark III", "Canon EOS 5D Mark III", true),
            ("Canon EOS 5D Mark II", "Canon EOS 5D Mark III", false),
            ("SBIG ST-8XE", "SBIG ST-7XE", false),
            ("SBIG STL-1001E", "SBIG STL-1001E", true),
        ] {
            assert_eq!(is_of(camera, model), wanted, "{camera}, {model}");
        }
    }

    #[test]
    fn a_gain_far_from_the_published_one_is_told() {
        let gain = |g: f64| vec![Measure::of("gain", Estimate::known(g, 0.01), "e-/ADU", "flats")];
        let set_up: BTreeMap<String, String> =
            [("gain setting".to_owned(), "139".to_owned())].into();
        let camera = (Some("ZWO ASI1600MM Pro"), &set_up);
        // Twelve bits in a file of sixteen: steps of 16.
        assert!(far_from_published(camera, &gain(1.02 / 16.0), 16.0).is_empty());
        let told = far_from_published(camera, &gain(0.5), 1.0);
        assert_eq!(told.len(), 1);
        assert!(told[0].message.contains("bbs.zwoastro.com"), "{told:?}");
    }
}
