//! Darks of another exposure or temperature, by their labels or by what the lights show, fitted to the
//! lights that no dark matches.

use std::collections::BTreeMap;
use std::path::Path;

use super::at_hand::{fitted_dark, other_darks, path_of};
use super::lights::{Work, these_lights};
use super::modelled::{Made, model_darks};
use super::notes::Notes;
use super::own_darks::{Contradicted, misfits, vouches};
use crate::calibrate::dark::{
    DarkChoice, DarkFit, DarkLaw, DarkSource, Declined, agree, follow, one_glow,
};
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::{Severity, first_and_more};
use crate::inventory::Inventory;
use crate::plan::{LightId, MasterId, Plan};
use crate::product::{FittedDark, load_master};
use crate::run::results::DarkChoices;
use crate::work::Context;
use crate::{Finding, Result};

/// Dark signal of less than this share of a light's noise from pixel to pixel is not seen.
const SEEN: f64 = 0.1;

/// How far two darks may differ in temperature to tell of their growth with time, in degrees.
const SAME_TEMP_C: f64 = 1.0;

/// Fits darks to the lights that need it, and decides for each what is taken from it; a finding for
/// each group of lights tells what was done.
pub(super) fn fit_darks(
    work: Work<'_>,
    out: &mut DarkChoices,
    (contradicted, masters_dir, notes): (Vec<Contradicted>, &Path, &mut Notes),
    context: &Context<'_>,
) -> Result<Vec<Made>> {
    let Work { planned, raw, masters, .. } = work;
    let mut wanted: BTreeMap<(MasterId, MasterId), Vec<LightId>> = BTreeMap::new();
    for (id, light) in planned.named_lights().filter(|(_, l)| l.scaled.is_some()) {
        let pair = light.dark.zip(light.bias);
        let made = pair.filter(|(d, b)| masters[*d].is_some() && masters[*b].is_some());
        if let Some(pair) = made.filter(|_| raw[light.frame].is_some()) {
            wanted.entry(pair).or_default().push(id);
        }
    }
    for own in &contradicted {
        if let Some(bias) = own.bias {
            wanted.entry((own.dark, bias)).or_default().extend(&own.lights);
        }
    }
    let mut made = Vec::new();
    if !wanted.is_empty() {
        made = fitted(work, wanted, out, (masters_dir, &mut *notes), context)?;
    }
    for mut own in contradicted {
        // Of a group those that keep the dark are not meant.
        own.lights.retain(|i| own.bias.is_none() || out[*i].is_some());
        notes.extend(own.finding(work), context);
    }
    Ok(made)
}

/// Fits each dark to the lights that want it.
fn fitted(
    work: Work<'_>,
    wanted: BTreeMap<(MasterId, MasterId), Vec<LightId>>,
    out: &mut DarkChoices,
    (masters_dir, notes): (&Path, &mut Notes),
    context: &Context<'_>,
) -> Result<Vec<Made>> {
    let Work { planned, raw, .. } = work;
    let mut made = Vec::new();
    let total = wanted.values().map(|l| l.len() as u64).sum();
    context.observer.event(Event::Started { stage: Stage::Lights, total });
    for ((dark, bias), lights) in wanted {
        let fitted = match ready(work, (dark, bias), &lights) {
            Ok(fitted) => fitted,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                lights.iter().for_each(|i| notes.failure(&e, work.path(*i), context));
                continue;
            }
        };
        let looked = work.on_raws(&lights, context, |_, raw, buffers| {
            let fit = fitted.look(raw, buffers);
            context.observer.event(Event::Advanced { by: 1, what: "fitting darks" });
            fit
        })?;
        let mut fits: Vec<(LightId, DarkFit)> = Vec::new();
        for (i, looked) in lights.iter().zip(looked) {
            match looked {
                Ok(fit) => fits.push((*i, fit)),
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => notes.failure(&e, work.path(*i), context),
            }
        }
        for mut sequence in sequences(work, &mut fits) {
            agree(&mut sequence);
            one_glow(&mut sequence);
        }
        // Of labels that pixels contradict; where none matches each light decides for itself.
        let own = |id: &LightId| planned[*id].scaled.is_none();
        let (mut own, others): (Vec<_>, Vec<_>) = fits.into_iter().partition(|(id, _)| own(id));
        for mut sequence in sequences(work, &mut own) {
            follow(&mut sequence);
        }
        own.extend(others);
        let fits = own;
        for (i, fit) in fits {
            let choice = raw[planned[i].frame].as_ref().map(|raw| fitted.choose(fit, raw));
            // A light whose own hot pixels agree with its dark keeps it, whatever others of its group say.
            let changed =
                |c: &DarkChoice| planned[i].scaled.is_some() || misfits(&c.fit) || !vouches(&c.fit);
            out[i] = choice.filter(changed);
        }
        let into = (masters_dir, &mut *notes);
        made.extend(model_darks(work, (dark, bias), &lights, out, into, context)?);
        let name = &planned[dark].file_name;
        notes.extend(law_finding(name, fitted.law()), context);
        let mut groups: BTreeMap<&str, Vec<LightId>> = BTreeMap::new();
        for i in lights {
            groups.entry(&planned[i].group).or_default().push(i);
        }
        for members in groups.into_values() {
            notes.extend(told(work, &members, out, name), context);
        }
    }
    context.observer.event(Event::Finished);
    Ok(made)
}

/// The fits of each sequence: of lights of one group and one exposure.
fn sequences<'a>(
    work: Work<'a>,
    fits: &'a mut [(LightId, DarkFit)],
) -> impl Iterator<Item = Vec<&'a mut DarkFit>> {
    let mut out: BTreeMap<(&str, Option<u64>), Vec<&mut DarkFit>> = BTreeMap::new();
    for (i, fit) in fits {
        let frame = work.raw[work.planned[*i].frame].as_ref();
        let exposure_s = frame.and_then(|frame| frame.metadata.exposure_s);
        let key = (work.planned[*i].group.as_str(), exposure_s.map(f64::to_bits));
        out.entry(key).or_default().push(fit);
    }
    out.into_values()
}

/// A dark with its hot pixels found, held against other darks of its set-up.
fn ready(
    work: Work<'_>,
    (dark, bias): (MasterId, MasterId),
    lights: &[LightId],
) -> Result<FittedDark> {
    let Work { planned, masters, .. } = work;
    let mut fitted = fitted_dark(work, path_of(masters, dark)?, bias, lights)?;
    for other in other_darks(planned, masters, dark, Some(SAME_TEMP_C)) {
        fitted.compare(load_master(path_of(masters, other)?)?)?;
    }
    Ok(fitted)
}

/// What darks at hand forbid.
fn law_finding(dark: &str, law: DarkLaw) -> Option<Finding> {
    let DarkLaw::Not(why) = law else { return None };
    let (code, hint) = match why {
        // Said of the master already.
        Declined::BlackLevel { .. } => return None,
        Declined::LevelFalls { .. } => {
            ("dark-level-falls", "Take darks at the lights' own exposure and temperature.")
        }
        _ => ("dark-not-linear", "Take darks at the lights' own exposure and temperature."),
    };
    let message = format!("{why}; no dark of this set-up is scaled");
    Some(
        Finding::new(code, Severity::Warning, dark, message)
            .hint(hint)
            .with("why", serde_json::json!(why)),
    )
}

/// What was done for the lights of one group.
fn told(work: Work<'_>, lights: &[LightId], choices: &DarkChoices, dark: &str) -> Vec<Finding> {
    let mut by_source: BTreeMap<&str, Vec<(LightId, &DarkChoice)>> = BTreeMap::new();
    for i in lights {
        if let Some(choice) = &choices[*i] {
            by_source.entry(choice.share.source.name()).or_default().push((*i, choice));
        }
    }
    by_source.into_values().map(|alike| finding(work, &alike, dark)).collect()
}

fn finding(work: Work<'_>, alike: &[(LightId, &DarkChoice)], dark: &str) -> Finding {
    let (first, choice) = alike[0];
    let subject = first_and_more(work.path(first).display(), alike.len());
    let who = these_lights(alike.len());
    let none = match work.planned[first].scaled {
        Some(_) => format!("no dark matches {who}"),
        None => format!("{dark} does not match {who} in their pixels"),
    };
    let residual = |source: DarkSource| {
        let of = |c: &DarkChoice| {
            c.ways.iter().find(|w| w.source == source).map(|w| w.residual).filter(|r| r.is_finite())
        };
        let all: Vec<f64> = alike.iter().filter_map(|(_, c)| of(c)).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    };
    let noise_adu = choice.fit.noise_adu;
    let severity = |source| match residual(source).is_some_and(|left| left < SEEN * noise_adu) {
        true => Severity::Info,
        false => Severity::Warning,
    };
    let adu = |v: Option<f64>| v.map_or_else(|| "not known".to_owned(), |v| format!("{v:.2} ADU"));
    let source = choice.share.source;
    let (left, alone) = (adu(residual(source)), adu(residual(DarkSource::None)));
    let ks = || alike.iter().map(|(_, c)| c.share.k);
    let (low, high) = (ks().fold(f64::INFINITY, f64::min), ks().fold(0.0, f64::max));
    let error = alike.iter().filter_map(|(_, c)| c.share.error).fold(0.0, f64::max);
    let factor = match alike.len() {
        1 => format!("{low:.4} +- {error:.4}"),
        _ => format!("{low:.4} to {high:.4}, each +- {error:.4} or less"),
    };
    let why = choice.declined.map_or_else(
        || "would add more noise than it takes signal".to_owned(),
        |why| format!("must not be scaled: {why}"),
    );
    let (code, severity, message) = match source {
        DarkSource::Fitted => (
            "dark-fitted",
            Severity::Info,
            format!(
                "{none}; {dark} was fitted to the light's own hot pixels, factor \
                 {factor}; it is predicted to leave {left} RMS, bias alone {alone}"
            ),
        ),
        DarkSource::Exposure => (
            "dark-not-fitted",
            Severity::Warning,
            format!(
                "{none} and {dark} could not be fitted ({why}); it was scaled by the \
                 exposures, {low:.4}, as darks at hand prove; it is predicted to leave {left} RMS, \
                 bias alone {alone}"
            ),
        ),
        DarkSource::Model => (
            "dark-modelled",
            Severity::Info,
            format!(
                "{none}; a model of {dark} and the other darks of its set-up made one; it \
                 is predicted to leave {left} RMS, {dark} as it is {}, bias alone {alone}",
                adu(residual(DarkSource::Nearest))
            ),
        ),
        DarkSource::Nearest if alike.iter().all(|(_, c)| vouches(&c.fit)) => (
            "dark-not-fitted",
            severity(source),
            format!(
                "{none} by its labels, but hot pixels show {:.2} times the dark signal of {dark}: it is \
                 their own, and was subtracted as it is; predicted to leave {left} RMS, bias alone {alone}",
                choice.fit.k.unwrap_or(f64::NAN)
            ),
        ),
        DarkSource::Nearest => (
            "dark-not-fitted",
            severity(source),
            format!(
                "{none} and {dark} {why}; it was subtracted as it is: \
                 predicted to leave {left} RMS, bias alone {alone}"
            ),
        ),
        _ => (
            "dark-not-fitted",
            if choice.declined.is_some() { severity(DarkSource::None) } else { Severity::Info },
            format!(
                "{none} and {dark} {why}; only bias is subtracted \
                 and hot pixels are replaced from their neighbours; \
                 predicted to leave {alone} RMS of hot pixels and amp glow; the dark as it is {}",
                adu(residual(DarkSource::Nearest))
            ),
        ),
    };
    let light = &work.planned[first];
    let unproven = alike.iter().filter_map(|(_, c)| c.glow_unproven_adu).fold(0.0, f64::max);
    let (severity, message) = match unproven > 0.0 {
        false => (severity, message),
        true => (
            Severity::Warning,
            format!(
                "{message}; the dark's amp glow was taken by the same factor, which no dark of another \
                 exposure proves: {unproven:.2} ADU RMS of it may be left, or a dent where it was"
            ),
        ),
    };
    let found = Finding::new(code, severity, subject, message);
    let found = match code {
        "dark-fitted" | "dark-modelled" if unproven == 0.0 => found,
        _ => found.hint("Take 10 or more darks at these lights' own exposure and temperature."),
    };
    found
        .with("group", light.group.clone())
        .with("lights", alike.len())
        .with("dark", dark)
        .with("source", source.name())
        .with("k", low)
        .with("error", choice.share.error)
        .with("residual_adu", residual(source))
        .with("glow_unproven_adu", unproven)
        .with("why", serde_json::json!(choice.declined))
}

/// What a dry run says of lights that no dark matches, group by group.
pub(super) fn planned_findings(planned: &Plan, inventory: &Inventory) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, &str), Vec<LightId>> = BTreeMap::new();
    for (id, light) in planned.named_lights() {
        if let Some(scaled) = &light.scaled {
            groups.entry((&light.group, &scaled.dark)).or_default().push(id);
        }
    }
    let finding = |((group, dark), lights): ((&str, &str), Vec<LightId>)| {
        let first = inventory[planned[lights[0]].frame].path.display();
        let subject = first_and_more(first, lights.len());
        let who = if lights.len() == 1 { "this light" } else { "these lights" };
        let message = format!(
            "no dark matches {who}; {dark} will be fitted to the light's own hot pixels, or left out \
             where that fails"
        );
        Finding::new("dark-to-fit", Severity::Info, subject, message)
            .with("group", group)
            .with("lights", lights.len())
    };
    groups.into_iter().map(finding).collect()
}
