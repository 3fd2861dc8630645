//! The darks at hand for lights that none matches.

use std::path::Path;

use photosite_pix::{CfaPattern, FrameKind};

use super::lights::Work;
use crate::Result;
use crate::library::{DOUBLING_C, Field, contradictions};
use crate::plan::{LightId, MasterId, Plan};
use crate::product::{BiasChoice, FittedDark, load_master};
use crate::run::results::MasterResults;

/// Where a master lies that was made.
pub(super) fn path_of(masters: &MasterResults, id: MasterId) -> Result<&Path> {
    let made = masters[id].as_ref().map(|made| made.path.as_path());
    made.ok_or_else(|| crate::Error::bug("a dark that was not made was to be fitted"))
}

/// The dark of a file with its hot pixels found, its bias known.
pub(super) fn fitted_dark(
    work: Work<'_>,
    dark: &Path,
    bias: MasterId,
    lights: &[LightId],
) -> Result<FittedDark> {
    let bias = BiasChoice::Master(Box::new(load_master(path_of(work.masters, bias)?)?));
    FittedDark::new(load_master(dark)?, bias, cfa_of(work, lights), DOUBLING_C)
}

/// The array over the part of the sensor that lights of one set-up use; `None` where it has none.
pub(super) fn cfa_of(work: Work<'_>, lights: &[LightId]) -> Option<CfaPattern> {
    let frame = lights.iter().find_map(|i| work.raw[work.planned[*i].frame].as_ref())?;
    let region = frame.region();
    frame.metadata.cfa.map(|c| c.shifted(region.x0, region.y0))
}

/// Darks of the same set-up and of another exposure, or, unless they are to lie `within` so many degrees,
/// of another temperature.
pub(super) fn other_darks(
    planned: &Plan,
    masters: &MasterResults,
    dark: MasterId,
    within: Option<f64>,
) -> Vec<MasterId> {
    let own = &planned[dark].traits;
    let differs = |id: MasterId| {
        let other = &planned[id].traits;
        let against = contradictions(FrameKind::Dark, own, other);
        let warmth = own.temp_c.zip(other.temp_c);
        planned[id].kind == FrameKind::Dark
            && masters[id].is_some()
            && id != dark
            && match within {
                Some(within) => {
                    against.iter().all(|c| c.field == Field::Exposure)
                        && !against.is_empty()
                        && warmth.is_some_and(|(a, b)| (a - b).abs() <= within)
                }
                None => {
                    let free = |f| matches!(f, Field::Exposure | Field::Temperature);
                    against.iter().all(|c| free(c.field)) && warmth.is_some()
                }
            }
    };
    planned.named_masters().map(|(id, _)| id).filter(|id| differs(*id)).collect()
}
