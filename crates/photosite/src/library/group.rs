//! Frames that make one master.

use photosite_pix::FrameKind;

use super::{Field, Traits, filter_key, rules};
use crate::library::rules::Tolerance;

/// Frames of one kind and one set-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What the frames are.
    pub kind: FrameKind,
    /// What they have in common; temperature is their mean, exposures their range.
    pub traits: Traits,
    /// Their indices in the list that was given.
    pub members: Vec<usize>,
}

/// Sorts frames into groups; the groups' order, and that of their members, follows from the
/// frames alone.
///
/// The properties that must be equal are equal to the letter within a group: unknown is a value of
/// its own here. Temperatures and exposures are cut where a frame would lie further from its
/// group's first than the kind's rule allows.
pub fn groups(frames: &[(FrameKind, Traits)]) -> Vec<Group> {
    let mut order: Vec<usize> = (0..frames.len()).collect();
    let keys: Vec<String> = frames.iter().map(|(k, t)| exact_key(*k, t)).collect();
    let number = |v: Option<f64>| v.unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|&i, &j| {
        let (a, b) = (&frames[i].1, &frames[j].1);
        (frames[i].0.cmp(&frames[j].0))
            .then_with(|| keys[i].cmp(&keys[j]))
            .then_with(|| number(a.exposure_s).total_cmp(&number(b.exposure_s)))
            .then_with(|| number(a.temp_c).total_cmp(&number(b.temp_c)))
            .then(i.cmp(&j))
    });
    // First by what must be equal, then by exposure, then by temperature within that.
    let same_key = split(&order, |&i, &j| frames[i].0 == frames[j].0 && keys[i] == keys[j]);
    let mut out = Vec::new();
    for alike in same_key {
        let kind = frames[alike[0]].0;
        let by_exposure = cut(&alike, reach(kind, Field::Exposure), |i| frames[i].1.exposure_s);
        for mut same_exposure in by_exposure {
            same_exposure.sort_by(|&i, &j| {
                number(frames[i].1.temp_c).total_cmp(&number(frames[j].1.temp_c)).then(i.cmp(&j))
            });
            let temperature = reach(kind, Field::Temperature);
            for mut members in cut(&same_exposure, temperature, |i| frames[i].1.temp_c) {
                members.sort_unstable();
                out.push(Group { kind, traits: common(frames, &members), members });
            }
        }
    }
    out
}

/// The properties that must be equal, as text.
fn exact_key(kind: FrameKind, t: &Traits) -> String {
    let mut key = format!(
        "{} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        t.bias_removed,
        t.size,
        t.binning,
        t.origin,
        t.camera,
        t.gain_setting,
        t.offset_setting,
        t.readout_mode,
        t.cfa
    );
    if matches!(kind, FrameKind::Flat | FrameKind::Light) {
        key.push_str(&format!(" {:?}", t.filter.as_deref().map(filter_key)));
    }
    key
}

/// How far exposures of one group may differ: less than a dark may differ from its light, for
/// 0.1 s and 0.5 s are two exposures, of which the nearer is to be chosen.
const SAME_EXPOSURE: (f64, f64) = (0.001, 0.02);

/// How far a member may lie from its group's first: the rule for matching, or 2 C for a bias,
/// or nothing at all where the kind's rules do not look at the field.
fn reach(kind: FrameKind, field: Field) -> Option<(f64, f64)> {
    let rule = rules(kind).iter().any(|r| r.field == field);
    if field == Field::Exposure {
        return rule.then_some(SAME_EXPOSURE);
    }
    rules(kind).iter().find(|r| r.field == field).map(|r| match r.tolerance {
        Tolerance::Within { absolute, relative } => (absolute, relative),
        Tolerance::Exact | Tolerance::Nearest => (2.0, 0.0),
    })
}

fn split(order: &[usize], same: impl Fn(&usize, &usize) -> bool) -> Vec<Vec<usize>> {
    order.chunk_by(|a, b| same(a, b)).map(<[usize]>::to_vec).collect()
}

/// Cuts a list sorted by `value` where it leaves the reach of the piece's first; unknown values
/// make a piece of their own.
fn cut(
    sorted: &[usize],
    reach: Option<(f64, f64)>,
    value: impl Fn(usize) -> Option<f64>,
) -> Vec<Vec<usize>> {
    let Some((absolute, relative)) = reach else { return vec![sorted.to_vec()] };
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut first: Option<Option<f64>> = None;
    for &i in sorted {
        let v = value(i);
        let joins = match (first, v) {
            (Some(Some(a)), Some(b)) => b - a <= absolute.max(relative * a.abs()) + 1e-9,
            (Some(None), None) => true,
            _ => false,
        };
        if joins {
            pieces.last_mut().expect("a first was set").push(i);
        } else {
            first = Some(v);
            pieces.push(vec![i]);
        }
    }
    pieces
}

fn common(frames: &[(FrameKind, Traits)], members: &[usize]) -> Traits {
    let mut traits = frames[members[0]].1.clone();
    let known =
        |f: fn(&Traits) -> Option<f64>| members.iter().filter_map(move |&i| f(&frames[i].1));
    let temps: Vec<f64> = known(|t| t.temp_c).collect();
    traits.temp_c = (!temps.is_empty()).then(|| temps.iter().sum::<f64>() / temps.len() as f64);
    traits.exposure_s = known(|t| t.exposure_s).reduce(f64::min);
    traits.exposure_max_s = known(|t| t.exposure_max_s).reduce(f64::max);
    traits
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Metadata, Size};

    use super::*;

    fn frame(kind: FrameKind, exposure_s: f64, temp_c: f64, filter: &str) -> (FrameKind, Traits) {
        let m = Metadata {
            exposure_s: Some(exposure_s),
            temp_c: Some(temp_c),
            filter: Some(filter.to_owned()),
            ..Metadata::default()
        };
        (kind, Traits::of(&m, Size::new(10, 10)))
    }

    #[test]
    fn darks_part_by_exposure_and_temperature_flats_by_filter() {
        let frames = [
            frame(FrameKind::Dark, 60.0, -5.2, "V"),
            frame(FrameKind::Dark, 60.0, -4.8, "R"),
            frame(FrameKind::Dark, 60.0, -10.2, "V"),
            frame(FrameKind::Dark, 10.0, -5.2, "V"),
            frame(FrameKind::Flat, 23.0, -5.2, "V"),
            frame(FrameKind::Flat, 40.0, -1.0, "v"),
            frame(FrameKind::Flat, 23.0, -5.2, "R"),
            frame(FrameKind::Bias, 0.0, -5.2, "V"),
        ];
        let got: Vec<(FrameKind, Vec<usize>)> =
            groups(&frames).into_iter().map(|g| (g.kind, g.members)).collect();
        assert_eq!(
            got,
            [
                (FrameKind::Bias, vec![7]),
                (FrameKind::Dark, vec![3]),
                (FrameKind::Dark, vec![2]),
                (FrameKind::Dark, vec![0, 1]),
                (FrameKind::Flat, vec![6]),
                (FrameKind::Flat, vec![4, 5]),
            ]
        );
    }

    #[test]
    fn neighbouring_temperatures_do_not_chain() {
        let frames: Vec<_> =
            (0..9).map(|i| frame(FrameKind::Dark, 60.0, f64::from(i), "")).collect();
        for g in groups(&frames) {
            assert!(g.members.len() <= 3, "{g:?}");
        }
    }
}
