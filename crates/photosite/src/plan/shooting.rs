//! The shooting list: which calibration frames are missing or too few, how many, and in which order.

use std::fmt::Write;

use photosite_pix::FrameKind;
use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::library::{
    Candidate, Check, DarkCurrent, FEW_REFUSALS, Group, Shelf, Shelved, Traits, choose, groups,
    show_seconds,
};

/// How much a master may add to the noise of one light.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share(f64);

impl Default for Share {
    /// 5 %.
    fn default() -> Self {
        Self(0.05)
    }
}

impl Share {
    /// A share between 0 and 1, both excluded.
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share < 1.0).then_some(Self(share))
    }

    /// As a number below 1.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Frames that a master needs so that a light's noise sigma becomes at most (1 + share) sigma,
    /// where the variance of one frame is `ratio` times that of the light.
    ///
    /// # Source
    /// Janesick2001: independent variances add, and that of a mean of N is 1/N of one.
    fn frames(self, ratio: f64) -> usize {
        let allowed = (1.0 + self.0) * (1.0 + self.0) - 1.0;
        ((ratio / allowed).ceil() as usize).max(FEWEST)
    }
}

/// Fewest frames from which outliers are rejected (ARCHITECTURE.md: `auto` begins at 4).
const FEWEST: usize = 4;

/// The customary numbers, as tutorials of the field hand them on; dark flats as flats.
fn folk(kind: FrameKind) -> [usize; 2] {
    match kind {
        FrameKind::Bias => [40, 100],
        FrameKind::Dark => [10, 50],
        FrameKind::DarkFlat | FrameKind::Flat | FrameKind::Light => [20, 30],
    }
}

/// Where the level of flats is customarily put, as shares of full scale: well above the noise, well
/// below where sensors bend.
const FLAT_AIM: [f64; 2] = [0.30, 0.35];

/// The level of flats against what it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FlatLevel {
    /// The level to aim for, in ADU above the bias, lowest and highest.
    pub aim_adu: [f64; 2],
    /// Full scale in ADU.
    pub full_scale_adu: f64,
    /// The level of the flats at hand, in ADU above the bias, where a master tells it.
    pub have_adu: Option<f64>,
    /// The same as a share of full scale.
    pub have_share: Option<f64>,
    /// Up to which level the sensor was measured to be linear, in ADU; `None` where nobody did.
    pub linear_to_adu: Option<f64>,
}

/// Frames of one kind and set-up: those at hand, and those to take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Shot {
    /// Its place in the order of taking, from 1; 0 where nothing is to be taken.
    pub order: usize,
    /// What to take.
    pub kind: FrameKind,
    /// The camera.
    pub camera: Option<String>,
    /// The gain register.
    pub gain_setting: Option<f64>,
    /// The offset register.
    pub offset_setting: Option<f64>,
    /// The read-out mode.
    pub readout_mode: Option<String>,
    /// Sensor pixels summed into one.
    pub binning: Option<(u32, u32)>,
    /// Width and height in pixels.
    pub size: String,
    /// The temperature in degrees Celsius: the set point where there is one; `None` for flats.
    pub temp_c: Option<f64>,
    /// The exposure in seconds; `None` for biases (the shortest) and for flats (by their level).
    pub exposure_s: Option<f64>,
    /// The filter, for flats and their darks.
    pub filter: Option<String>,
    /// Frames at hand that fit.
    pub have: usize,
    /// Where those are: the master's or the frames' name.
    pub have_name: Option<String>,
    /// Frames that the noise budget asks for.
    pub need: usize,
    /// Frames to take.
    pub count: usize,
    /// Seconds that these take, without reading them out; `None` where the exposure is not known.
    pub total_s: Option<f64>,
    /// The customary numbers, lowest and highest.
    pub folk: [usize; 2],
    /// Lights that wait for them.
    pub lights: usize,
    /// They may be left out: others serve as well.
    pub optional: bool,
    /// Why.
    pub why: String,
    /// For flats: their level.
    pub flat_level: Option<FlatLevel>,
}

impl Shot {
    /// What it is for and why, in one sentence.
    pub fn note(&self) -> String {
        let lights =
            if self.lights == 1 { "1 light".to_owned() } else { format!("{} lights", self.lights) };
        let mut note = format!("{} for {lights}: {}", self.kind, self.why);
        if let Some(level) = &self.flat_level {
            let _ = write!(
                note,
                "; aim for {:.0} to {:.0} ADU above the bias (30 to 35 % of {:.0})",
                level.aim_adu[0], level.aim_adu[1], level.full_scale_adu
            );
            if let Some(share) = level.have_share {
                let _ = write!(note, ", those on hand are at {:.0} %", share * 100.0);
            }
        }
        note
    }
}

/// All that is to be taken, in order, and all that is there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Shooting {
    /// The name of the schema.
    pub schema: &'static str,
    /// How much a master may add to one light's noise.
    pub share: Share,
    /// Lights looked at.
    pub lights: usize,
    /// What is to be taken, in order.
    pub shots: Vec<Shot>,
    /// What is there in sufficient number.
    pub have: Vec<Shot>,
    /// Seconds that all of it takes, optional frames left out, as far as exposures are known.
    pub total_s: f64,
}

/// Makes the shooting list for the lights of an inventory, whose calibration frames count as taken.
pub fn shooting_list(inventory: &Inventory, shelf: Option<&Shelf<'_>>, share: Share) -> Shooting {
    let frames = super::traits_of(inventory, shelf);
    let lights: Vec<usize> =
        (0..frames.len()).filter(|&i| frames[i].0 == FrameKind::Light).collect();
    let night: Vec<Group> =
        groups(&frames).into_iter().filter(|g| g.kind != FrameKind::Light).collect();
    let desk = Desk { inventory, night: &night, shelf, share };
    // Lights that want one master are those that would be stacked into one, were they of its kind.
    let wanting = |kind: FrameKind| -> Vec<Group> {
        let as_kind: Vec<(FrameKind, Traits)> =
            lights.iter().map(|&i| (kind, frames[i].1.clone())).collect();
        groups(&as_kind)
    };
    let mut all = Vec::new();
    for group in wanting(FrameKind::Flat) {
        let (flat, exposures) = desk.flat(&group, &lights);
        let dark_flats: Vec<Shot> =
            exposures.iter().map(|t| desk.dark_flat(t, &group, &flat)).collect();
        all.push(flat);
        all.extend(dark_flats);
    }
    let darks: Vec<Shot> = wanting(FrameKind::Dark).iter().map(|g| desk.dark(g)).collect();
    let no_dark_flats = all.iter().any(|s| s.kind == FrameKind::DarkFlat && s.have == 0);
    let biases = wanting(FrameKind::Bias).into_iter().map(|g| desk.bias(&g, no_dark_flats));
    let biases: Vec<Shot> = biases.collect();
    all.extend(darks);
    all.extend(biases);
    merge_equal(&mut all);
    let (mut shots, have): (Vec<Shot>, Vec<Shot>) = all.into_iter().partition(|s| s.count > 0);
    // Flats before the optics are touched, their darks at once; the rest can wait for clouds, each
    // temperature in one go.
    let rank = |s: &Shot| match s.kind {
        FrameKind::Flat => 0,
        FrameKind::DarkFlat => 1,
        _ => 2,
    };
    let number = |v: Option<f64>| v.unwrap_or(f64::NEG_INFINITY);
    shots.sort_by(|a, b| {
        (rank(a).cmp(&rank(b)))
            .then(number(a.temp_c).total_cmp(&number(b.temp_c)))
            .then(a.optional.cmp(&b.optional))
            .then(b.kind.cmp(&a.kind))
            .then(number(a.exposure_s).total_cmp(&number(b.exposure_s)))
    });
    for (i, shot) in shots.iter_mut().enumerate() {
        shot.order = i + 1;
    }
    let times = shots.iter().filter(|s| !s.optional).filter_map(|s| s.total_s);
    let total_s = times.fold(0.0, |sum, s| sum + s);
    Shooting { schema: "photosite.plan/1", share, lights: lights.len(), shots, have, total_s }
}

/// What the list is made at.
struct Desk<'a> {
    inventory: &'a Inventory,
    night: &'a [Group],
    shelf: Option<&'a Shelf<'a>>,
    share: Share,
}

/// The best of what is at hand.
#[derive(Default)]
struct AtHand<'a> {
    frames: usize,
    name: Option<String>,
    /// Its frames can be joined by others.
    is_raw: bool,
    traits: Option<&'a Traits>,
    shelved: Option<&'a Shelved>,
    nearest: Option<String>,
}

impl<'a> Desk<'a> {
    fn at_hand(&self, kind: FrameKind, wanted: &Traits) -> AtHand<'a> {
        let night: Vec<&Group> = self.night.iter().filter(|g| g.kind == kind).collect();
        let shelved: &[Shelved] = self.shelf.map_or(&[], |s| s.of_kind(kind));
        let current = self.current(wanted);
        let mut pool: Vec<Candidate<'_>> =
            night.iter().map(|g| Candidate::new(&g.traits, g.members.len())).collect();
        let mut choice = choose(kind, wanted, &pool, &current, FEW_REFUSALS);
        if !choice.is_settled() {
            pool.extend(shelved.iter().map(|s| s.candidate(true)));
            choice = choose(kind, wanted, &pool, &current, FEW_REFUSALS);
        }
        let told = |checks: Vec<&Check>| {
            let told = checks.into_iter().map(|c| {
                let show = |v: &Option<String>| v.clone().unwrap_or_else(|| "not known".into());
                format!("{} {} instead of {}", c.field.name(), show(&c.found), show(&c.wanted))
            });
            told.collect::<Vec<_>>().join(" and ")
        };
        // What would be used in doubt is no reason not to take frames that fit.
        let chosen = choice.chosen().filter(|_| choice.is_settled());
        let nearest = match choice.chosen() {
            Some(_) => Some(told(choice.doubts().collect())),
            None => choice.refused.first().map(|r| told(r.differs.iter().collect())),
        };
        let mut out = AtHand { nearest, ..AtHand::default() };
        match chosen.map(|i| (i, night.get(i))) {
            Some((_, Some(group))) => {
                out.frames = group.members.len();
                let first = &self.inventory.frames[group.members[0]].path;
                out.name = first.file_name().map(|n| n.to_string_lossy().into_owned());
                (out.is_raw, out.traits) = (true, Some(&group.traits));
            }
            Some((i, None)) => {
                let s = &shelved[i - night.len()];
                out.frames = s.frames;
                out.name = Some(s.name.clone());
                (out.is_raw, out.traits, out.shelved) = (!s.is_master, Some(&s.traits), Some(s));
            }
            None => {}
        }

        out
    }

    fn current(&self, wanted: &Traits) -> DarkCurrent {
        self.shelf.map_or_else(DarkCurrent::default, |s| s.dark_current(wanted))
    }

    fn shot(
        &self,
        kind: FrameKind,
        t: &Traits,
        lights: usize,
        need: usize,
        at: &AtHand<'_>,
    ) -> Shot {
        // A master cannot be added to; its frames would have to be taken anew.
        let count = match at.frames {
            n if n >= need => 0,
            n if at.is_raw => need - n,
            _ => need,
        };
        let why = match (at.frames, count, &at.nearest) {
            (_, 0, _) => "enough on hand".to_owned(),
            (0, _, Some(nearest)) => format!("none matches: the nearest has {nearest}"),
            (0, _, None) => format!("there is no {kind}"),
            (n, ..) if at.is_raw => format!("only {n} on hand"),
            (n, ..) => format!("the master on hand is made of {n} frames and cannot be extended"),
        };
        let lit = kind == FrameKind::Flat;
        let exposure_s = if lit || kind == FrameKind::Bias { None } else { t.exposure_s };
        let seconds = if kind == FrameKind::Bias { Some(0.0) } else { exposure_s };
        Shot {
            order: 0,
            kind,
            camera: t.camera.clone(),
            gain_setting: t.gain_setting,
            offset_setting: t.offset_setting,
            readout_mode: t.readout_mode.clone(),
            binning: t.binning,
            size: t.size.to_string(),
            temp_c: t.set_temp_c.or(t.temp_c).filter(|_| !lit),
            exposure_s,
            filter: t.filter.clone().filter(|_| lit),
            have: at.frames,
            have_name: at.name.clone(),
            need,
            count,
            total_s: seconds.map(|s| s * count as f64),
            folk: folk(kind),
            lights,
            optional: false,
            why,
            flat_level: None,
        }
    }

    fn dark(&self, group: &Group) -> Shot {
        // A dark has the light's read noise and dark signal; the sky is not known by the header,
        // and without it the light is quietest and asks for the most.
        let need = self.share.frames(1.0);
        let at = self.at_hand(FrameKind::Dark, &group.traits);
        self.shot(FrameKind::Dark, &group.traits, group.members.len(), need, &at)
    }

    fn bias(&self, group: &Group, needed: bool) -> Shot {
        let t = &group.traits;
        let signal = t
            .exposure_s
            .zip(t.temp_c)
            .and_then(|(s, c)| self.current(t).signal_e(s, c, t.gain_e_per_adu));
        let ratio = t.read_noise_e.zip(signal).map_or(1.0, |(r, d)| r * r / (r * r + d));
        let at = self.at_hand(FrameKind::Bias, t);
        let mut shot =
            self.shot(FrameKind::Bias, t, group.members.len(), self.share.frames(ratio), &at);
        if shot.count > 0 {
            shot.optional = !needed;
            let serves = if needed {
                "they calibrate flats without dark flats, and measure the dark current"
            } else {
                "not needed with darks and dark flats; they help to measure the dark current"
            };
            shot.why = format!("{}; {serves}", shot.why);
        }
        shot
    }

    /// The flats of lights, and the traits of flats of which darks are wanted.
    fn flat(&self, group: &Group, lights: &[usize]) -> (Shot, Vec<Traits>) {
        let t = &group.traits;
        // Where a light is as bright as the flat was, the flat of N frames brings 1/N of its
        // variance; darker parts ask for less.
        let need = self.share.frames(1.0);
        let at = self.at_hand(FrameKind::Flat, t);
        let mut shot = self.shot(FrameKind::Flat, t, group.members.len(), need, &at);
        let full = group
            .members
            .iter()
            .find_map(|&m| self.inventory.frames[lights[m]].detector.saturation_adu)
            .map(f64::from)
            .filter(|v| *v > 0.0);
        let have_adu = at.shelved.and_then(|s| s.flat_level_adu);
        shot.flat_level = full.map(|full_scale_adu| FlatLevel {
            aim_adu: FLAT_AIM.map(|share| (share * full_scale_adu).round()),
            full_scale_adu,
            have_adu,
            have_share: have_adu.map(|adu| adu / full_scale_adu),
            linear_to_adu: None,
        });
        // A master flat has had its dark taken off already.
        let raw = at.traits.filter(|_| at.is_raw).cloned();
        let wanted = match (raw, shot.count) {
            (Some(raw), _) => vec![raw],
            (None, 0) => Vec::new(),
            (None, _) => vec![Traits { exposure_s: None, exposure_max_s: None, ..t.clone() }],
        };
        (shot, wanted)
    }

    fn dark_flat(&self, wanted: &Traits, group: &Group, flat: &Shot) -> Shot {
        let lights = group.members.len();
        // A flat at a third of full scale has thousands of electrons of noise squared, a dark flat
        // the read noise's few: the fewest do where both are known.
        let full_e = flat.flat_level.as_ref().map(|l| l.aim_adu[0]).zip(wanted.gain_e_per_adu);
        let ratio = full_e.zip(wanted.read_noise_e).map(|((adu, gain), r)| r * r / (adu * gain));
        let need = self.share.frames(ratio.unwrap_or(1.0));
        let (at, exposure_known) = match wanted.exposure_s {
            Some(_) => (self.at_hand(FrameKind::DarkFlat, wanted), true),
            None => (AtHand::default(), false),
        };
        let mut shot = self.shot(FrameKind::DarkFlat, wanted, lights, need, &at);
        shot.filter.clone_from(&wanted.filter);
        if !exposure_known {
            shot.why = "exposure, gain, offset and temperature of the flats to be taken".into();
        } else if let (Some(low), Some(high)) = (wanted.exposure_s, wanted.exposure_max_s)
            && high > low
        {
            shot.why = format!(
                "{}; for flats of {} to {} s",
                shot.why,
                show_seconds(low),
                show_seconds(high)
            );
        }
        shot
    }
}

/// Joins shots that are one: dark flats of several filters with one exposure.
fn merge_equal(shots: &mut Vec<Shot>) {
    let mut out: Vec<Shot> = Vec::with_capacity(shots.len());
    for shot in shots.drain(..) {
        let twin = out.iter_mut().find(|s| {
            let bare = |s: &Shot| {
                let Shot { kind, exposure_s, temp_c, gain_setting, offset_setting, .. } = s;
                (*kind, *exposure_s, *temp_c, *gain_setting, *offset_setting)
            };
            let same = s.size == shot.size
                && s.binning == shot.binning
                && s.camera == shot.camera
                && s.readout_mode == shot.readout_mode;
            shot.kind == FrameKind::DarkFlat
                && shot.exposure_s.is_some()
                && same
                && bare(s) == bare(&shot)
        });
        match twin {
            Some(twin) => {
                twin.lights += shot.lights;
                if let (Some(a), Some(b)) = (&twin.filter, &shot.filter)
                    && !a.split(", ").any(|f| f == b)
                {
                    twin.filter = Some(format!("{a}, {b}"));
                }
            }
            None => out.push(shot),
        }
    }
    *shots = out;
}
