//! The masters of a night.

use std::path::Path;

use photosite_pix::FrameKind;

use super::{MasterResults, note, note_failure};
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::plan::{MasterPlan, Plan};
use crate::product::{
    AdditivePart, Known, MasterRequest, MasterResult, build_master, take_master, work_units,
};
use crate::raw::RawFrame;
use crate::work::Context;
use crate::{Finding, Result};

/// Builds the planned masters, or finds them built.
pub(super) fn build_masters(
    planned: &Plan,
    raw: &[Option<RawFrame>],
    known: &Known,
    folder: &Path,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<MasterResults> {
    let members = |m: &MasterPlan| -> Vec<&RawFrame> {
        m.frames.iter().filter_map(|&i| raw[i].as_ref()).collect()
    };
    let total = planned.masters.iter().map(|m| work_units(m.kind, &members(m))).sum();
    context.observer.event(Event::Started { stage: Stage::Masters, total });
    let mut results: MasterResults = Vec::with_capacity(planned.masters.len());
    for master in &planned.masters {
        context.cancel.check()?;
        let additive = match master.additive {
            None => AdditivePart::Keep,
            Some((i, by)) => match &results[i] {
                Some(r) => AdditivePart::Master(r.path.clone(), by),
                None => {
                    results.push(None);
                    continue;
                }
            },
        };
        let path = folder.join(&master.file_name);
        if let Some(ready) = &master.ready {
            // A master of the library that cannot be read is as if it were not there.
            match take_master(master.kind, &ready.path, &path, known, context) {
                Ok(result) => results.push(Some(result)),
                Err(e) if e.file().is_some_and(|f| f.path() == ready.path) => {
                    note_failure(&e, findings, context);
                    results.push(None);
                }
                Err(e) => return Err(e),
            }
            continue;
        }
        let request = MasterRequest {
            kind: master.kind,
            frames: members(master),
            additive,
            zero_adu: master.zero.and_then(|i| results[i].as_ref()).map(|r| r.stats.median),
            recipe: master.recipe,
            maps: false,
            path: &path,
            known,
        };
        if request.frames.is_empty() {
            results.push(None);
            continue;
        }
        let result = build_master(&request, context)?;
        for (_, e) in &result.left_out {
            note_failure(e, findings, context);
        }
        let more =
            [noise_finding(&result), black_level_finding(&request, &result), result.weak_colour()];
        more.into_iter().flatten().for_each(|f| note(f, findings, context));
        results.push(Some(result));
    }
    context.observer.event(Event::Finished);
    Ok(results)
}

/// How far below the bias a dark must lie to be called darker, in ADU: masters know their level
/// better than that.
const DARKER_ADU: f64 = 0.5;

/// A Finding where a dark is darker than the bias of its set-up.
fn black_level_finding(request: &MasterRequest<'_>, dark: &MasterResult) -> Option<Finding> {
    let bias_adu = request.zero_adu?;
    let dark_adu = dark.stats.median;
    (dark_adu < bias_adu - DARKER_ADU).then(|| {
        Finding::new(
            "black-level-corrected",
            Severity::Info,
            dark.path.display().to_string(),
            format!(
                "this dark ({dark_adu:.1} ADU) is darker than the bias ({bias_adu:.1} ADU): the \
                 sensor corrects its own black level, so its darks fit lights of their own \
                 exposure and temperature only"
            ),
        )
        .with("dark_adu", dark_adu)
        .with("bias_adu", bias_adu)
    })
}

/// Fewest frames whose scatter is trusted against a noise model.
const FEWEST_FOR_NOISE: usize = 5;

/// A Finding where the frames scatter otherwise than gain and read noise foretell.
fn noise_finding(master: &MasterResult) -> Option<Finding> {
    let noise = master.noise.filter(|n| !n.agrees())?;
    if master.inputs.len() < FEWEST_FOR_NOISE {
        return None;
    }
    let is_dark = matches!(master.kind, FrameKind::Dark | FrameKind::DarkFlat);
    let hint = if noise.ratio() > 1.0 && is_dark {
        "The sensor may correct its own black level and so hide dark electrons, light may leak in, \
         or the gain or read noise in the headers may be wrong."
    } else if noise.ratio() > 1.0 {
        "The level may drift from frame to frame, light may leak in, or the gain or read noise in \
         the headers may be wrong."
    } else {
        "The gain or read noise in the headers may be wrong, or the frames may have been smoothed."
    };
    Some(
        Finding::new(
            "noise-not-as-modelled",
            if is_dark { Severity::Info } else { Severity::Warning },
            master.path.display().to_string(),
            format!(
                "one frame scatters by {:.2} ADU, gain and read noise foretell {:.2} ADU",
                noise.scatter_adu, noise.model_adu
            ),
        )
        .hint(hint)
        .with("scatter_adu", noise.scatter_adu)
        .with("model_adu", noise.model_adu)
        .with("ratio", noise.ratio()),
    )
}
