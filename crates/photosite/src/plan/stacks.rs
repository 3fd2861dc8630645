//! Which lights make one picture.

use std::collections::BTreeMap;

use photosite_pix::{FrameKind, Metadata};

use super::{LightId, Plan};
use crate::inventory::{Id, Inventory};
use crate::library::{SAME_EXPOSURE, Traits, camera_key, filter_group, show_seconds};

/// Fewest lights that are worth a picture; fewer stay calibrated files.
pub const FEWEST_LIGHTS: usize = 2;

/// Lights of one target, camera set-up, filter and exposure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StackPlan {
    /// The target; `None` where no header names it.
    pub object: Option<String>,
    /// The filter as the first light writes it.
    pub filter: Option<String>,
    /// One light's exposure in seconds; `None` where they differ or are not known.
    pub exposure_s: Option<f64>,
    /// The shortest and the longest exposure in seconds, where they differ.
    pub exposures_s: Option<(f64, f64)>,
    /// The lights.
    pub lights: Vec<LightId>,
    /// What the picture is called, but for its exposures: `M31_Ha`.
    pub stem: String,
}

impl StackPlan {
    /// Target and filter, as people say them: `M31 L`.
    pub fn title(&self) -> String {
        let known = [self.object.as_deref(), self.filter.as_deref()].into_iter().flatten();
        let words: Vec<&str> = known.collect();
        if words.is_empty() { self.stem.clone() } else { words.join(" ") }
    }

    /// The picture's file name, when it is made of `count` lights: `M31_Ha_24x300s.fits`.
    pub fn file_name(&self, count: usize) -> String {
        let exposure = match (self.exposure_s, self.exposures_s) {
            (Some(s), _) => format!("x{}s", show_seconds(s)),
            (None, Some((from, to))) => format!("x{}-{}s", show_seconds(from), show_seconds(to)),
            (None, None) => "x".to_owned(),
        };
        format!("{}_{count}{exposure}.fits", self.stem)
    }
}

/// Puts lights together that make one picture each; the pictures of one target, which share a grid
/// of pixels, stand together.
///
/// Lights of several nights, and of both sides of the meridian, are one picture. Those of another
/// gain are not: a sample counts something else there. Those of other exposures are where exposures are
/// joined. `traits` are those of the inventory's frames.
pub fn stacks(
    plan: &Plan,
    inventory: &Inventory,
    traits: &[(FrameKind, Traits)],
    join_exposures: bool,
) -> Vec<Vec<StackPlan>> {
    let metadata = |light: LightId| &inventory[plan[light].frame].metadata;
    let mut targets: BTreeMap<String, BTreeMap<String, Vec<LightId>>> = BTreeMap::new();
    for (light, _) in plan.named_lights() {
        let m = metadata(light);
        targets
            .entry(target_key(m.object.as_deref().unwrap_or_default()))
            .or_default()
            .entry(set_up(m, &traits[plan[light].frame.place()].1))
            .or_default()
            .push(light);
    }
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    targets
        .into_values()
        .map(|set_ups| {
            let exposure_s = |i| metadata(i).exposure_s;
            let alike = set_ups.into_values().flat_map(|lights| {
                let parts = by_exposure(lights, exposure_s);
                if join_exposures {
                    vec![parts]
                } else {
                    parts.into_iter().map(|p| vec![p]).collect()
                }
            });
            let picture = |parts: Vec<Vec<LightId>>| {
                let known = parts.iter().filter_map(|part| exposure_s(part[0]));
                let (from, to) =
                    known.fold((f64::INFINITY, 0.0), |(a, b): (f64, f64), s| (a.min(s), b.max(s)));
                let exposures_s = (parts.len() > 1 && from < to).then_some((from, to));
                let mut lights = parts.concat();
                lights.sort();
                named(metadata(lights[0]), (lights, exposures_s), &mut used)
            };
            alike.map(picture).collect()
        })
        .collect()
}

/// A target's name reduced to what tells targets apart: case, blanks and dashes do not.
fn target_key(object: &str) -> String {
    let key: String = object.chars().filter(|c| c.is_alphanumeric() || *c == '+').collect();
    key.to_lowercase()
}

/// What must be equal in lights of one picture, as text.
fn set_up(m: &Metadata, traits: &Traits) -> String {
    let filter = filter_group(traits);
    let camera = m.camera.as_deref().map(camera_key);
    let gain = m.gain_setting.or(m.gain_written);
    format!("{filter} {:?} {gain:?} {} {camera:?}", m.binning, m.cfa.is_some())
}

/// Parts lights whose exposures differ by more than a clock does.
fn by_exposure(
    mut lights: Vec<LightId>,
    exposure_s: impl Fn(LightId) -> Option<f64>,
) -> Vec<Vec<LightId>> {
    let number = |i: LightId| exposure_s(i).unwrap_or(-1.0);
    lights.sort_by(|&i, &j| number(i).total_cmp(&number(j)).then(i.cmp(&j)));
    let (absolute, relative) = SAME_EXPOSURE;
    let mut out: Vec<Vec<LightId>> = Vec::new();
    for light in lights {
        let near = |first: f64| number(light) - first <= absolute.max(relative * first);
        match out.last_mut().filter(|l| near(number(l[0]))) {
            Some(alike) => alike.push(light),
            None => out.push(vec![light]),
        }
    }
    out
}

fn named(
    m: &Metadata,
    (lights, exposures_s): (Vec<LightId>, Option<(f64, f64)>),
    used: &mut BTreeMap<String, usize>,
) -> StackPlan {
    let object = m.object.as_deref().map(str::trim).filter(|o| !o.is_empty());
    let stand_in = if m.cfa.is_some() { "colour" } else { "nofilter" };
    let filter = m.filter.as_deref().map(str::trim).filter(|f| !f.is_empty());
    let mut stem = format!("{}_{}", safe(object, "light"), safe(filter, stand_in));
    // Pictures of other exposures, gains or binnings may share the name.
    let exposure_s = m.exposure_s.filter(|_| exposures_s.is_none());
    let exposure = exposure_s.map(show_seconds);
    let count = used
        .entry(format!("{stem}_{exposure:?}_{exposures_s:?}").to_lowercase())
        .and_modify(|n| *n += 1)
        .or_insert(1);
    if *count > 1 {
        stem = format!("{stem}-{count}");
    }
    let (object, filter) = (object.map(str::to_owned), filter.map(str::to_owned));
    StackPlan { object, filter, exposure_s, exposures_s, lights, stem }
}

/// The longest part of a file name in characters: file systems end at 255 bytes for all of it.
const LONGEST: usize = 60;

/// A name as file names may hold it.
fn safe(name: Option<&str>, stand_in: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '+' | '.');
    let safe: String = name.unwrap_or_default().chars().filter(kept).take(LONGEST).collect();
    match safe.trim_matches('.') {
        "" => stand_in.to_owned(),
        safe => safe.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Id;

    #[test]
    fn one_target_has_many_spellings() {
        for (a, b) in [("M 31", "m31"), ("M31 ", "M-31"), ("NGC_7000", "ngc 7000")] {
            assert_eq!(target_key(a), target_key(b));
        }
        for (a, b) in [("M 31", "M 33"), ("PSR 1257+12", "PSR 1257-12"), ("NGC 1", "IC 1")] {
            assert_ne!(target_key(a), target_key(b));
        }
    }

    #[test]
    fn names_are_safe_and_exposures_part() {
        assert_eq!(safe(Some("NGC 7000"), "light"), "NGC7000");
        assert_eq!(safe(Some("../../etc"), "light"), "etc");
        assert_eq!(safe(Some(" / "), "light"), "light");
        assert_eq!(safe(Some(&"é".repeat(250)), "light").chars().count(), LONGEST);
        let exposures = [Some(60.0), Some(30.0), Some(60.01), None];
        let ids = |all: &[usize]| all.iter().map(|i| LightId::at(*i)).collect::<Vec<_>>();
        let parts = by_exposure(ids(&[0, 1, 2, 3]), |id| exposures[id.place()]);
        assert_eq!(parts, [ids(&[3]), ids(&[1]), ids(&[0, 2])]);
        let mut used = BTreeMap::new();
        let m = Metadata {
            object: Some("M 31".into()),
            exposure_s: Some(300.0),
            ..Metadata::default()
        };
        let first = named(&m, (ids(&[0, 1]), None), &mut used);
        assert_eq!(first.file_name(2), "M31_nofilter_2x300s.fits");
        let second = named(&m, (ids(&[2]), None), &mut used);
        assert_eq!(second.file_name(1), "M31_nofilter-2_1x300s.fits");
        let joined = named(&m, (ids(&[3, 4]), Some((60.0, 300.0))), &mut used);
        assert_eq!(joined.file_name(2), "M31_nofilter_2x60-300s.fits");
    }
}
