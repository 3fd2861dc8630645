//! Darks that a model makes for lights that no dark matches, where several darks are at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_pix::FrameKind;

use super::at_hand::{fitted_dark, other_darks};
use super::lights::Work;
use super::notes::Notes;
use crate::calibrate::dark::model::{Term, enough};
use crate::calibrate::dark::{DarkShare, DarkSource, DarkWay};
use crate::error::Reach;
use crate::plan::{LightId, MasterId};
use crate::product::{DarkModel, MasterResult, found_master};
use crate::run::results::DarkChoices;
use crate::work::Context;
use crate::{Error, Finding, Result};

/// A dark that a model made, and the lights that take it.
pub(super) struct Made {
    pub master: MasterResult,
    pub lights: Vec<LightId>,
}

/// Temperatures of lights are held apart in steps of this, in degrees: thermometers read no finer.
const TEMP_STEP_C: f64 = 0.5;
/// A made dark is refuted where the light's hot pixels call for another factor by so many errors, and by
/// such a share.
const REFUTED: (f64, f64) = (4.0, 0.05);

/// Makes a model of the darks at hand and takes its darks for those lights for which they are predicted to
/// leave less than what was chosen, and whose hot pixels do not refute them.
pub(super) fn model_darks(
    work: Work<'_>,
    (dark, bias): (MasterId, MasterId),
    lights: &[LightId],
    choices: &mut DarkChoices,
    (masters_dir, notes): (&Path, &mut Notes),
    context: &Context<'_>,
) -> Result<Vec<Made>> {
    let Work { planned, raw, masters, .. } = work;
    let mut inputs = vec![bias, dark];
    inputs.extend(other_darks(planned, masters, dark, None));
    let term = |id: &MasterId| Term {
        name: String::new(),
        exposure_s: match planned[*id].kind {
            FrameKind::Bias => 0.0,
            _ => planned[*id].traits.exposure_s.unwrap_or(0.0),
        },
        temp_c: planned[*id].traits.temp_c,
        frames: planned[*id].count(),
    };
    if inputs.iter().any(|id| planned[*id].traits.bias_removed) {
        return Ok(Vec::new());
    }
    let made = |id: &MasterId| Some((masters[*id].as_ref()?.path.clone(), term(id)));
    let sets: Vec<(PathBuf, Term)> = inputs.iter().filter_map(made).collect();
    let stem = planned[dark].file_name.trim_end_matches(".fits");
    let path = masters_dir.join(format!("model_of_{stem}.fits"));
    let model = match undoubted(sets, &path, notes, context) {
        Ok(Some(model)) => model,
        Ok(None) => return Ok(Vec::new()),
        Err(e) if e.reach() == Reach::Run => return Err(e),
        Err(e) => {
            notes.extend(Some(no_model(&planned[dark].file_name, &e)), context);
            return Ok(Vec::new());
        }
    };
    let mut wanted: BTreeMap<(u64, i64), Vec<LightId>> = BTreeMap::new();
    for light in lights.iter().filter(|i| choices[**i].is_some()) {
        let Some(frame) = &raw[planned[*light].frame] else { continue };
        let temp_c = frame.metadata.temp_c.or(frame.metadata.set_temp_c);
        if let Some((t, c)) = frame.metadata.exposure_s.zip(temp_c) {
            let step = (c / TEMP_STEP_C).round() as i64;
            wanted.entry((t.to_bits(), step)).or_default().push(*light);
        }
    }
    let (mut made, mut beyond) = (Vec::new(), None);
    for ((bits, step), lights) in wanted {
        let (t, c) = (f64::from_bits(bits), step as f64 * TEMP_STEP_C);
        if let Err(why) = model.known.covers(t, c) {
            beyond = Some(why.error());
            continue;
        }
        let to = masters_dir.join(format!("dark_{t}s_{c:.1}C_of_{}", path_name(&path)));
        let synthesized = match model.synthesize(&path, (t, c), &to) {
            Ok(synthesized) => synthesized,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                notes.failure(&e, &to, context);
                continue;
            }
        };
        let fitted = fitted_dark(work, &to, bias, &lights)?;
        let signal = fitted.signal();
        let done = work.on_raws(&lights, context, |_, raw, buffers| fitted.look(raw, buffers))?;
        let mut takers = Vec::new();
        for (light, fit) in lights.into_iter().zip(done) {
            let (Some(choice), Ok(fit)) = (&mut choices[light], fit) else { continue };
            let off = fit.k.map(|k| k - 1.0).filter(|_| fit.declined.is_none());
            let refuted = off.is_some_and(|o| o.abs() > (REFUTED.0 * fit.error).max(REFUTED.1));
            // Of the light's own hot pixels it leaves what they are off by.
            let left = off.map_or(0.0, |o| o.abs().min(fit.error) * signal.hot_adu);
            let residual = left.hypot(synthesized.error_adu);
            let source = DarkSource::Model;
            choice.ways.push(DarkWay { source, k: 1.0, residual, allowed: !refuted });
            let taken = choice.ways.iter().find(|w| w.source == choice.share.source);
            let other = taken.map_or(f64::NAN, |w| w.residual);
            if !refuted && (other.is_nan() || residual < other) {
                choice.share = DarkShare { k: 1.0, error: None, source };
                takers.push(light);
            }
        }
        if !takers.is_empty() {
            let master = found_master(FrameKind::Dark, &to, context)?;
            made.push(Made { master, lights: takers });
        }
    }
    if let Some(why) = beyond {
        notes.extend(Some(no_model(&planned[dark].file_name, &why)), context);
    }
    Ok(made)
}

/// A model of those sets that are not doubted, written to `path`; `None` where too few are left. What hot pixels say
/// of exposures goes before what other sets foretell: one wrong set makes others doubtful.
fn undoubted(
    mut sets: Vec<(PathBuf, Term)>,
    path: &Path,
    notes: &mut Notes,
    context: &Context<'_>,
) -> Result<Option<DarkModel>> {
    loop {
        let terms: Vec<Term> = sets.iter().map(|(_, term)| term.clone()).collect();
        if enough(&terms).is_err() {
            return Ok(None);
        }
        let paths: Vec<PathBuf> = sets.iter().map(|(path, _)| path.clone()).collect();
        let model = DarkModel::build(&paths, context)?;
        let ratio = |f: &Finding| {
            let of = |key: &str| f.evidence.get(key).and_then(serde_json::Value::as_f64);
            of("rms_adu").zip(of("expected_adu")).map(|(rms, expected)| rms / expected)
        };
        let (foretold, mut doubts): (Vec<Finding>, Vec<Finding>) =
            model.findings(path).into_iter().partition(|f| ratio(f).is_some());
        if doubts.is_empty() {
            doubts.extend(foretold.into_iter().max_by(|a, b| {
                let of = |f| ratio(f).unwrap_or(f64::NAN);
                of(a).total_cmp(&of(b))
            }));
        }
        let doubted: Vec<String> = doubts
            .iter()
            .filter_map(|f| f.evidence.get("master")?.as_str().map(str::to_owned))
            .collect();
        let before = sets.len();
        // Without biases there would be no model.
        sets.retain(|(p, term)| term.exposure_s == 0.0 || !doubted.contains(&path_name(p)));
        let left_out = sets.len() < before;
        notes.extend(
            doubts.into_iter().map(|mut f| {
                if left_out {
                    f.message.push_str("; the model is made without it");
                }
                f
            }),
            context,
        );
        if !left_out {
            model.write(path)?;
            return Ok(Some(model));
        }
    }
}

fn path_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// That darks at hand make no dark for lights, and why.
fn no_model(dark: &str, why: &Error) -> Finding {
    let message =
        format!("{dark} and the other darks of its set-up make no dark for lights: {why}");
    Finding::new("dark-model-none", crate::finding::Severity::Info, dark, message)
        .hint("Take darks at the lights' own exposure and temperature, or what the message names.")
}
