//! Flats held against the background of the lights that are to be divided by them.

use std::collections::BTreeMap;

use photosite_pix::{FrameKind, stat};

use super::at_hand::cfa_of;
use super::lights::{SetKey, Sets, Work, these_lights};
use super::notes::Notes;
use crate::calibrate::flat_fit::{Blocks, FlatAnswer, FlatFit, Template};
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::{Severity, first_and_more};
use crate::library::Check;
use crate::plan::{LightId, MasterId};
use crate::product::{flat_template, light_blocks};
use crate::run::results::{FlatChoice, FlatChoices};
use crate::work::Context;
use crate::{Error, Finding, Result};

/// Lights that are calibrated alike and may have the same flats.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    without: SetKey,
    flats: Vec<MasterId>,
    group: &'a str,
}

/// Asks each light whether its flat fits, and decides for another, or none, where it certainly does not;
/// a finding for each group of lights tells what was seen and done.
///
/// A light whose own background is too faint goes by what all of its group say together.
pub(super) fn judge_flats(
    work: Work<'_>,
    out: &mut FlatChoices,
    (sets, notes): (&mut Sets, &mut Notes),
    context: &Context<'_>,
) -> Result<()> {
    let Work { planned, raw, masters, .. } = work;
    let mut groups: BTreeMap<Alike<'_>, Vec<LightId>> = BTreeMap::new();
    for (id, light) in planned.named_lights().filter(|(_, l)| raw[l.frame].is_some()) {
        let flats: Vec<MasterId> =
            light.flats().into_iter().filter(|f| masters[*f].is_some()).collect();
        let SetKey { masters: [bias, dark, _], fitted, mapped, needs_bias } = work.set_of(id);
        if light.flat.is_some_and(|own| flats.first() == Some(&own)) {
            let without = SetKey { masters: [bias, dark, None], fitted, mapped, needs_bias };
            groups.entry(Alike { without, flats, group: &light.group }).or_default().push(id);
        }
    }
    if groups.is_empty() {
        return Ok(());
    }
    let total = groups.values().map(|l| l.len() as u64).sum();
    context.observer.event(Event::Started { stage: Stage::Lights, total });
    let mut templates = Templates { work, known: BTreeMap::new() };
    for (alike, lights) in groups {
        sets.keep(&std::iter::once(alike.without).collect());
        let judged = judge(work, &alike, &lights, (&mut *sets, &mut templates), notes, context);
        match judged {
            Ok(choices) => {
                notes.extend(told(work, &alike, &choices), context);
                choices.into_iter().for_each(|(i, choice)| out[i] = Some(choice));
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            // Masters that cannot be read are told of where they are used.
            Err(_) => {}
        }
    }
    context.observer.event(Event::Finished);
    Ok(())
}

/// Flats ready to be held against lights, each made once.
struct Templates<'a> {
    work: Work<'a>,
    known: BTreeMap<MasterId, Template>,
}

impl Templates<'_> {
    fn get(&mut self, flat: MasterId, light: LightId) -> Result<&Template> {
        if !self.known.contains_key(&flat) {
            let made = self.work.masters[flat].as_ref();
            let made = made.ok_or_else(|| Error::bug("a flat that was not made was wanted"))?;
            let flat_file = (made.path.as_path(), made.key.as_deref());
            let cfa = cfa_of(self.work, &[light]);
            let template = flat_template(flat_file, cfa, self.work.kept)?;
            self.known.insert(flat, template);
        }
        Ok(&self.known[&flat])
    }
}

/// Decides for lights that are calibrated alike.
fn judge(
    work: Work<'_>,
    alike: &Alike<'_>,
    lights: &[LightId],
    (sets, templates): (&mut Sets, &mut Templates<'_>),
    notes: &mut Notes,
    context: &Context<'_>,
) -> Result<Vec<(LightId, FlatChoice)>> {
    let set = sets.get(alike.without, work.masters, context)?;
    let own = templates.get(alike.flats[0], lights[0])?;
    let looked = work.on_raws(lights, context, |light, raw, buffers| {
        let blocks = light_blocks(raw, &set, work.share_of(light), (work.kept, buffers))?;
        context.observer.event(Event::Advanced { by: 1, what: "holding flats against lights" });
        let fit = own.fit(&blocks);
        Ok((blocks, fit))
    })?;
    let mut seen: Vec<(LightId, Blocks, FlatFit)> = Vec::new();
    for (i, looked) in lights.iter().zip(looked) {
        match looked {
            Ok((blocks, fit)) => seen.push((*i, blocks, fit)),
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => notes.failure(&e, work.path(*i), context),
        }
    }
    let faint: Vec<&Blocks> = seen
        .iter()
        .filter(|(_, _, f)| f.answer == FlatAnswer::CannotBeTold)
        .map(|s| &s.1)
        .collect();
    let joined = Blocks::joined(&faint);
    let of_all = match &joined {
        Some(joined) => Some(decided(joined, None, alike, lights[0], templates)?),
        None => None,
    };
    let mut out = Vec::new();
    for (i, blocks, fit) in &seen {
        let choice = match (&of_all, fit.answer) {
            (Some(all), FlatAnswer::CannotBeTold) => {
                let fit = match all.flat {
                    Some(flat) => templates.get(flat, *i)?.fit(blocks),
                    None => *fit,
                };
                FlatChoice { fit, ..*all }
            }
            _ => decided(blocks, Some(*fit), alike, *i, templates)?,
        };
        out.push((*i, choice));
    }
    Ok(out)
}

/// The flat for a light, or for several together: the planned one unless it certainly does not fit; then
/// the first other that does; none where dividing by it leaves more than it takes.
fn decided(
    blocks: &Blocks,
    fit: Option<FlatFit>,
    alike: &Alike<'_>,
    light: LightId,
    templates: &mut Templates<'_>,
) -> Result<FlatChoice> {
    let own = alike.flats[0];
    let fit = match fit {
        Some(fit) => fit,
        None => templates.get(own, light)?.fit(blocks),
    };
    let refuted = matches!(fit.answer, FlatAnswer::DoesNotFit | FlatAnswer::Turned);
    if refuted {
        for other in &alike.flats[1..] {
            let instead = templates.get(*other, light)?.fit(blocks);
            if instead.is_better_than(&fit) {
                return Ok(FlatChoice { flat: Some(*other), fit: instead, by: instead });
            }
        }
    }
    let flat = Some(own).filter(|_| !fit.is_worse_than_none());
    Ok(FlatChoice { flat, fit, by: fit })
}

/// What is to be said of lights that are calibrated alike.
fn told(work: Work<'_>, alike: &Alike<'_>, all: &[(LightId, FlatChoice)]) -> Vec<Finding> {
    type Kind = (FlatAnswer, Option<MasterId>, Option<i64>);
    let mut kinds: BTreeMap<Kind, Vec<&(LightId, FlatChoice)>> = BTreeMap::new();
    for one in all {
        let (_, FlatChoice { flat, by, .. }) = one;
        // Turns that differ by some degrees are several.
        let turn = by.angle_deg.map(|a| (a / 2.0).round() as i64);
        kinds.entry((by.answer, *flat, turn)).or_default().push(one);
    }
    kinds.into_values().filter_map(|those| finding(work, alike, &those)).collect()
}

fn finding(work: Work<'_>, alike: &Alike<'_>, those: &[&(LightId, FlatChoice)]) -> Option<Finding> {
    let planned = work.planned;
    let (first, choice) = those[0];
    let subject = first_and_more(work.path(*first).display(), those.len());
    let who = these_lights(those.len());
    let name = |id: MasterId| planned[id].file_name.as_str();
    let own = name(alike.flats[0]);
    let numbers = seen(those);
    let explained = planned[*first].choice_of(FrameKind::Flat);
    let doubts: Vec<&Check> = explained.into_iter().flat_map(|e| e.choice.doubts()).collect();
    let what = match (choice.by.slope, choice.by.dust) {
        (Some(slope), Some(_)) if (slope - 1.0).abs() <= SAME_SLOPE => {
            format!("the dust that {who} show is not that of {own}")
        }
        _ => format!("the background of {who} does not follow {own}"),
    };
    let (code, severity, message, hint) = match (choice.by.answer, choice.flat) {
        (_, Some(flat)) if flat != alike.flats[0] => (
            "flat-changed",
            Severity::Warning,
            format!(
                "headers speak for {own}, but the background of {who} does not follow it; {} fits \
                 ({numbers}) and is used",
                name(flat)
            ),
            Some("Check telescope, focal length, rotator and filter in the headers of both flats."),
        ),
        (FlatAnswer::Fits, _) if !doubts.is_empty() => {
            let doubts: Vec<&str> = doubts.iter().map(|c| c.field.name()).collect();
            (
                "flat-fits-doubt",
                Severity::Info,
                format!(
                    "{own} fits {who} whatever the headers say of {}: {numbers}",
                    doubts.join(" and ")
                ),
                None,
            )
        }
        (FlatAnswer::Turned, _) => (
            "flat-turned",
            Severity::Warning,
            format!(
                "{who} show the dust of {own} turned by {:.1} degrees ({numbers}); the flat is used as \
                 it is, so that vignetting goes and shadows of dust are left twice",
                choice.by.angle_deg.unwrap_or(0.0)
            ),
            Some("Take flats at the rotation of the lights."),
        ),
        (FlatAnswer::DoesNotFit, Some(_)) => (
            "flat-does-not-fit",
            Severity::Warning,
            match shutter(work, alike, *first, choice.by) {
                Some(likely) => format!("{what}: {numbers}; {likely}, and it is used"),
                None => format!("{what}: {numbers}; no other flat at hand fits, and it is used"),
            },
            Some(HINT),
        ),
        (FlatAnswer::DoesNotFit, None) => (
            "flat-does-not-fit",
            Severity::Warning,
            format!(
                "{what}: {numbers}; dividing by it would leave \
                 more than it takes, and no flat is used"
            ),
            Some(HINT),
        ),
        _ => return None,
    };
    // One light shows, these lights show.
    let message = match those.len() {
        1 => message.replace("this light show ", "this light shows "),
        _ => message,
    };
    let found = Finding::new(code, severity, subject, message);
    let found = match hint {
        Some(hint) => found.hint(hint),
        None => found,
    };
    let fit = choice.by;
    Some(
        found
            .with("group", alike.group)
            .with("lights", those.len())
            .with("flat", own)
            .with("used", choice.flat.map(name))
            .with("slope", fit.slope)
            .with("slope_error", fit.slope_error)
            .with("dust", fit.dust)
            .with("dust_error", fit.dust_error)
            .with("angle_deg", fit.angle_deg),
    )
}

/// A slope so near to 1 is not what speaks against a flat.
const SAME_SLOPE: f64 = 0.2;

/// Exposures in seconds below which a mechanical shutter is seen, and how far those of light and flat are apart
/// where it is not the same in both.
const OF_SHUTTER_S: f64 = 1.0;
const APART: f64 = 2.0;

/// That a shutter's way over the sensor is the likely reason why a background does not follow a flat whose dust it
/// shows; `None` where it is not.
fn shutter(work: Work<'_>, alike: &Alike<'_>, light: LightId, fit: FlatFit) -> Option<String> {
    let light_s = work.raw[work.planned[light].frame].as_ref()?.metadata.exposure_s?;
    let flat_s = work.planned[alike.flats[0]].traits.exposure_max_s?;
    let (short, long) = (light_s.min(flat_s), light_s.max(flat_s));
    let dusty = fit.dust.zip(fit.dust_error);
    let of_large_scales = fit.slope.is_some_and(|s| (s - 1.0).abs() > SAME_SLOPE)
        && dusty.is_none_or(|(d, e)| (d - 1.0).abs() <= SAME_SLOPE.hypot(3.0 * e));
    let likely = of_large_scales && short > 0.0 && short < OF_SHUTTER_S && long >= APART * short;
    likely.then(|| {
        format!(
            "lights of {light_s} s and flats of {flat_s} s are likely to hold the pattern of a mechanical \
             shutter that opens and closes in a good part of the shorter of them; no other flat at hand fits"
        )
    })
}

/// What can make a flat not fit.
const HINT: &str = "Look for light that reached the sensor past the optics, a bias or dark that is not \
                    these lights', a flat of another filter or rotation, dust that moved, or a mechanical \
                    shutter in exposures below 1 s; take flats with the optics as the lights had them.";

/// The numbers of some lights in words, each the middle one of all.
fn seen(those: &[&(LightId, FlatChoice)]) -> String {
    let middle = |of: fn(&FlatFit) -> Option<f64>| {
        let all: Vec<f64> = those.iter().filter_map(|(_, c)| of(&c.by)).collect();
        Some(stat::median_f64(&all)).filter(|m| m.is_finite())
    };
    let slope = middle(|f| f.slope).zip(middle(|f| f.slope_error));
    let dust = middle(|f| f.dust).zip(middle(|f| f.dust_error));
    let mut parts = Vec::new();
    parts.extend(slope.map(|(s, e)| format!("its slope on the flat is {s:.2} +- {e:.2}")));
    parts.extend(dust.map(|(d, e)| format!("it shows {d:.2} +- {e:.2} of the flat's dust")));
    format!("{}, where 1 would fit", parts.join(" and "))
}
