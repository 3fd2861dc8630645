//! Frames that make one master.

use std::collections::BTreeSet;

use photosite_pix::FrameKind;

use super::rules::{Outcome, Tolerance, compare, key_of, rules};
use super::{DarkCurrent, Field, Traits, cost};

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
/// its own here. Where a rule allows a difference, a group is cut where a frame would lie further
/// from its first than that.
pub fn groups(frames: &[(FrameKind, Traits)]) -> Vec<Group> {
    let mut order: Vec<usize> = (0..frames.len()).collect();
    let keys: Vec<String> = frames.iter().map(|(k, t)| exact_key(*k, t)).collect();
    let by_key = |&i: &usize, &j: &usize| frames[i].0.cmp(&frames[j].0).then(keys[i].cmp(&keys[j]));
    order.sort_by(|i, j| by_key(i, j).then(i.cmp(j)));
    let lights = frames.iter().filter(|(kind, _)| *kind == FrameKind::Light);
    let lights: Vec<f64> = lights.filter_map(|(_, t)| t.day()).collect();
    let mut out = Vec::new();
    for alike in order.chunk_by(|i, j| by_key(i, j).is_eq()) {
        let kind = frames[alike[0]].0;
        let mut pieces = vec![alike.to_vec()];
        for (field, value) in CUTS {
            let Some(reach) = reach(kind, *field) else { continue };
            let cut_piece = |piece: Vec<usize>| cut(piece, reach, |i| value(&frames[i].1));
            pieces = pieces.into_iter().flat_map(cut_piece).collect();
        }
        if kind == FrameKind::Flat {
            let by_night = |piece: Vec<usize>| nights(&piece, |i| frames[i].1.day(), &lights);
            pieces = pieces.into_iter().flat_map(by_night).collect();
        }
        for mut members in pieces {
            members.sort_unstable();
            out.push(Group { kind, traits: common(frames, &members), members });
        }
    }
    out
}

/// A number of a frame.
type Value = fn(&Traits) -> Option<f64>;

/// The fields by which groups are cut, coarsest first, and their values.
const CUTS: &[(Field, Value)] = &[
    (Field::FocalLength, |t| t.focal_length_mm),
    // An angle from half a turn before 0 to half a turn after: 359.5 and 0.5 are neighbours.
    (Field::Rotator, |t| t.rotator_deg.map(|d| (d + 180.0).rem_euclid(360.0))),
    (Field::Exposure, |t| t.exposure_s),
    (Field::Temperature, |t| t.temp_c),
];

/// The properties that must be equal, as text.
pub(super) fn exact_key(kind: FrameKind, t: &Traits) -> String {
    let exact = rules(kind).iter().filter(|r| r.tolerance == Tolerance::Exact);
    exact.fold(t.bias_removed.to_string(), |key, r| key + " " + &key_of(r.field, t))
}

/// How far exposures of one group may differ: less than a dark may differ from its light, for
/// 0.1 s and 0.5 s are two exposures, of which the nearer is to be chosen.
pub(crate) const SAME_EXPOSURE: (f64, f64) = (0.001, 0.02);

/// How far focal lengths of one master's flats may differ, in millimetres and as a share: flats hold
/// nominal values, which do not scatter, so 480 and 528 mm are two set-ups.
const SAME_FOCAL: (f64, f64) = (1.0, 0.01);

/// How far temperatures of one master's biases may differ, in degrees: as for darks.
const SAME_BIAS_TEMP: (f64, f64) = (2.0, 0.0);

/// How far a member may lie from its group's first; `None` where the kind's rules do not look at
/// the field.
fn reach(kind: FrameKind, field: Field) -> Option<(f64, f64)> {
    let rule = rules(kind).iter().find(|r| r.field == field)?;
    Some(match rule.tolerance {
        _ if field == Field::Exposure => SAME_EXPOSURE,
        _ if field == Field::FocalLength => SAME_FOCAL,
        Tolerance::Within { absolute, relative } => (absolute, relative),
        Tolerance::Angle { degrees } => (degrees, 0.0),
        Tolerance::Nearest => SAME_BIAS_TEMP,
        Tolerance::Exact => (0.0, 0.0),
    })
}

/// Sorts a list by `value` and cuts it where it leaves the reach of the piece's first; unknown
/// values make a piece of their own, the first.
fn cut(
    mut list: Vec<usize>,
    (absolute, relative): (f64, f64),
    value: impl Fn(usize) -> Option<f64>,
) -> Vec<Vec<usize>> {
    let number = |i: usize| value(i).unwrap_or(f64::NEG_INFINITY);
    list.sort_by(|&i, &j| number(i).total_cmp(&number(j)).then(i.cmp(&j)));
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut first: Option<Option<f64>> = None;
    for i in list {
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

/// Days without a flat that part the flats of two nights: dust moves from one to the next.
const NIGHT_GAP_DAYS: f64 = 16.0 / 24.0;

/// Fewest flats of a night that make a master of their own: an outlier among two cannot be told.
const FEWEST_FLATS: usize = 3;

/// Days between the flats of a dawn and those of the next dusk: with lights before and after and none
/// between, they are of two nights.
const DAY_GAP_DAYS: f64 = 3.0 / 24.0;

/// Parts flats by nights, where each night has enough of them; those without a date are taken to
/// be of the first. `lights` are the days of the lights beside them.
fn nights(flats: &[usize], day: impl Fn(usize) -> Option<f64>, lights: &[f64]) -> Vec<Vec<usize>> {
    let number = |i: usize| day(i).unwrap_or(f64::NEG_INFINITY);
    let mut order = flats.to_vec();
    order.sort_by(|&i, &j| number(i).total_cmp(&number(j)).then(i.cmp(&j)));
    let by_day = |a: f64, b: f64| {
        let between = lights.iter().any(|l| (a..=b).contains(l));
        b - a > DAY_GAP_DAYS
            && !between
            && lights.iter().any(|l| *l < a)
            && lights.iter().any(|l| *l > b)
    };
    let same = |&i: &usize, &j: &usize| {
        day(i).zip(day(j)).is_none_or(|(a, b)| b - a <= NIGHT_GAP_DAYS && !by_day(a, b))
    };
    let parts: Vec<Vec<usize>> = order.chunk_by(same).map(<[usize]>::to_vec).collect();
    if parts.iter().all(|p| p.len() >= FEWEST_FLATS) { parts } else { vec![order] }
}

/// How many nights the flats of one master were taken in.
pub(crate) fn count_nights<'a>(flats: impl Iterator<Item = &'a Traits>) -> usize {
    let mut days: Vec<f64> = flats.filter_map(Traits::day).collect();
    days.sort_by(f64::total_cmp);
    days.chunk_by(|a, b| b - a <= NIGHT_GAP_DAYS).count()
}

fn common(frames: &[(FrameKind, Traits)], members: &[usize]) -> Traits {
    let mut traits = frames[members[0]].1.clone();
    let known =
        |f: fn(&Traits) -> Option<f64>| members.iter().filter_map(move |&i| f(&frames[i].1));
    let temps: Vec<f64> = known(|t| t.temp_c).collect();
    traits.temp_c = (!temps.is_empty()).then(|| temps.iter().sum::<f64>() / temps.len() as f64);
    traits.exposure_s = known(|t| t.exposure_s).reduce(f64::min);
    traits.exposure_max_s = known(|t| t.exposure_max_s).reduce(f64::max);
    let mut dates: Vec<&String> =
        members.iter().filter_map(|&i| frames[i].1.date_obs.as_ref()).collect();
    dates.sort();
    traits.date_obs = dates.get(dates.len() / 2).map(|d| (*d).clone());
    traits
}

/// Degrees that darks without a cooler must span to be stacked for each light anew.
///
/// Thermometers of such cameras read whole degrees, so less is one temperature.
const SPREAD_C: f64 = 1.5;

/// Puts in place of the darks of an uncooled camera, spread over temperatures, the darks nearest in
/// temperature to each light: as many as leave the least residual and noise together.
///
/// `frames` are those that `groups` were made of, lights among them. Darks that are of one
/// temperature, or of a camera with a set point, stay as they are.
pub fn stack_for_each_light(
    groups: Vec<Group>,
    frames: &[(FrameKind, Traits)],
    current: &DarkCurrent,
) -> Vec<Group> {
    let lights: Vec<&Traits> =
        frames.iter().filter(|(k, _)| *k == FrameKind::Light).map(|(_, t)| t).collect();
    let mut out: Vec<Group> = Vec::with_capacity(groups.len());
    for family in groups.chunk_by(same_family) {
        let members: Vec<usize> = family.iter().flat_map(|g| g.members.iter().copied()).collect();
        let temps = || members.iter().filter_map(|&i| frames[i].1.temp_c);
        let span =
            temps().fold(f64::NEG_INFINITY, f64::max) - temps().fold(f64::INFINITY, f64::min);
        let drifts = family[0].kind == FrameKind::Dark && span > SPREAD_C;
        let mut windows: BTreeSet<Vec<usize>> = BTreeSet::new();
        if drifts {
            let mut done: BTreeSet<i64> = BTreeSet::new();
            for light in &lights {
                let Some(temp_c) = light.temp_c else { continue };
                // A tenth of a degree is finer than any such thermometer.
                if belongs(light, &family[0].traits) && done.insert((temp_c * 10.0) as i64) {
                    let window = nearest_in_temperature(light, &members, frames, current);
                    // Where even the nearest are too far, nothing is stacked for it.
                    if near_enough(light, &common(frames, &window)) {
                        windows.insert(window);
                    }
                }
            }
        }
        if windows.is_empty() {
            out.extend(family.iter().cloned());
        } else {
            out.extend(windows.into_iter().map(|members| Group {
                kind: FrameKind::Dark,
                traits: common(frames, &members),
                members,
            }));
        }
    }
    out
}

/// Darks of one set-up and exposure, without a cooler, of known temperatures.
fn same_family(a: &Group, b: &Group) -> bool {
    let uncooled = |g: &Group| g.traits.set_temp_c.is_none() && g.traits.temp_c.is_some();
    let exposure = |g: &Group| g.traits.exposure_s.unwrap_or(0.0);
    let (low, high) = (exposure(a).min(exposure(b)), exposure(a).max(exposure(b)));
    let (absolute, relative) = SAME_EXPOSURE;
    a.kind == FrameKind::Dark
        && b.kind == FrameKind::Dark
        && uncooled(a)
        && uncooled(b)
        && high - low <= absolute.max(relative * low) + 1e-9
        && exact_key(a.kind, &a.traits) == exact_key(b.kind, &b.traits)
}

/// Whether darks with these traits would do for a light but for their temperature.
fn belongs(light: &Traits, dark: &Traits) -> bool {
    agree(light, dark, |field| field != Field::Temperature)
}

/// Whether darks with these traits are near enough in temperature.
fn near_enough(light: &Traits, dark: &Traits) -> bool {
    agree(light, dark, |field| field == Field::Temperature)
}

/// Whether those rules of a dark hold that are asked for.
fn agree(light: &Traits, dark: &Traits, asked: impl Fn(Field) -> bool) -> bool {
    let rules = rules(FrameKind::Dark).iter().filter(|r| asked(r.field));
    rules.into_iter().all(|r| compare(*r, light, dark).0 != Outcome::Differs)
}

/// The darks nearest in temperature to a light, as many as make the best master for it.
fn nearest_in_temperature(
    light: &Traits,
    members: &[usize],
    frames: &[(FrameKind, Traits)],
    current: &DarkCurrent,
) -> Vec<usize> {
    let distance = |i: usize| {
        frames[i].1.temp_c.zip(light.temp_c).map_or(f64::INFINITY, |(a, b)| (a - b).abs())
    };
    let mut order: Vec<usize> = members.to_vec();
    order.sort_by(|&i, &j| distance(i).total_cmp(&distance(j)).then(i.cmp(&j)));
    let mut best = (f64::INFINITY, 1);
    let mut sum_c = 0.0;
    for (n, &i) in order.iter().enumerate() {
        sum_c += frames[i].1.temp_c.unwrap_or(0.0);
        // Frames of one distance come together, or the first by name would be preferred.
        if order.get(n + 1).is_some_and(|&next| distance(next) <= distance(i) + 1e-9) {
            continue;
        }
        let mean = Traits { temp_c: Some(sum_c / (n + 1) as f64), ..frames[i].1.clone() };
        let rank = cost(FrameKind::Dark, light, &mean, n + 1, current).rank();
        if rank < best.0 {
            best = (rank, n + 1);
        }
    }
    order.truncate(best.1);
    order.sort_unstable();
    order
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
            frame(FrameKind::Flat, 40.0, -1.0, " V"),
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
    fn flats_part_by_night_where_each_has_enough() {
        let flats = |dates: &[&str]| -> Vec<(FrameKind, Traits)> {
            let frame = |date: &&str| {
                let (kind, traits) = frame(FrameKind::Flat, 1.0, -5.0, "R");
                (kind, Traits { date_obs: Some((*date).to_owned()), ..traits })
            };
            dates.iter().map(frame).collect()
        };
        let evening = ["2026-01-15T18:00:00", "2026-01-15T18:01:00", "2026-01-15T18:02:00"];
        let dawn = ["2026-01-16T06:00:00", "2026-01-16T06:01:00", "2026-01-16T06:02:00"];
        let later = ["2026-01-18T18:00:00", "2026-01-18T18:01:00", "2026-01-18T18:02:00"];
        for (dates, masters, nights) in [
            ([&evening[..], &later[..]].concat(), 2, 1),
            ([&evening[..], &dawn[..]].concat(), 1, 1),
            ([&evening[..], &later[..2]].concat(), 1, 2),
        ] {
            let frames = flats(&dates);
            let got = groups(&frames);
            assert_eq!(got.len(), masters, "{dates:?}");
            let members = got[0].members.iter().map(|&i| &frames[i].1);
            assert_eq!(count_nights(members), nights, "{dates:?}");
        }
    }

    #[test]
    fn flats_of_a_dawn_and_the_next_dusk_part_where_lights_tell_of_two_nights() {
        let of = |kind: FrameKind, dates: &[&str]| -> Vec<(FrameKind, Traits)> {
            let (_, traits) = frame(kind, 1.0, -5.0, "R");
            let dated = |d: &&str| Traits { date_obs: Some((*d).to_owned()), ..traits.clone() };
            dates.iter().map(|d| (kind, dated(d))).collect()
        };
        let dawn = ["2026-01-16T06:30:00", "2026-01-16T06:31:00", "2026-01-16T06:32:00"];
        let dusk = ["2026-01-16T17:30:00", "2026-01-16T17:31:00", "2026-01-16T17:32:00"];
        let flats = || of(FrameKind::Flat, &[&dawn[..], &dusk[..]].concat());
        for (lights, masters) in [
            (&["2026-01-15T22:00:00", "2026-01-17T01:00:00"][..], 2),
            (&["2026-01-15T22:00:00"], 1),
            (&["2026-01-15T22:00:00", "2026-01-16T12:00:00", "2026-01-17T01:00:00"], 1),
        ] {
            let frames = [flats(), of(FrameKind::Light, lights)].concat();
            let flats = groups(&frames).into_iter().filter(|g| g.kind == FrameKind::Flat);
            assert_eq!(flats.count(), masters, "{lights:?}");
        }
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
