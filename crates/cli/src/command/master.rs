//! `photosite master`.

use photosite::calibrate::RemovedBy;
use photosite::product::AdditivePart;
use photosite::run::{NamedBias, NamedMaster, dark_of_flats, master_of_named};
use photosite_pix::FrameKind;
use serde_json::json;

use crate::args::{Limits, MasterArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Builds one master.
pub fn run(args: MasterArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let kind = FrameKind::from(args.kind);
    let additive = match (&args.dark, args.bias.as_deref().map(resolve::bias)) {
        (Some(dark), _) => dark_of_flats(dark)?,
        (None, None) => AdditivePart::Keep,
        (None, Some(NamedBias::Level(l))) => AdditivePart::Level(l as f32),
        (None, Some(NamedBias::File(path))) => AdditivePart::Master(path, RemovedBy::Bias),
    };
    let files = resolve::files(&args.files, Some(kind), Some(&args.output))?;
    let mut asked = NamedMaster::new(kind, &files, &args.output);
    asked.additive = additive;
    asked.recipe = resolve::recipe(&args.reject, args.sigma_low, args.sigma_high, args.combine)?;
    asked.maps = args.maps;
    resolve::by_hand(&args.raw, &mut asked.by_hand)?;
    let (result, recipe, findings) = master_of_named(&asked, &context)?;
    show::findings(&findings);
    if args.json {
        let report = json!({
            "path": result.path,
            "kind": kind,
            "inputs": result.inputs,
            "combine": recipe.combine.name(),
            "reject": recipe.reject.name(),
            "rejected_low": result.rejected.low,
            "rejected_high": result.rejected.high,
            "hot": result.hot,
            "cold": result.cold,
            "no_data": result.no_data,
            "stats": result.stats,
            "noise": result.noise,
            "colours": result.colours,
            "reused": result.reused,
            "findings": findings,
        });
        show::json("master", &report)?;
    } else {
        let verb = if result.reused { "exists already" } else { "written" };
        println!(
            "{} {verb}: {} of {} frames, {}, rejection {} ({} low, {} high), median {}, noise {}",
            result.path.display(),
            photosite::provenance::master_name(kind),
            result.inputs.len(),
            recipe.combine.name(),
            recipe.reject.name(),
            result.rejected.low,
            result.rejected.high,
            show::number(result.stats.median),
            show::number(result.stats.noise),
        );
    }
    Ok(Done::of(&findings))
}
