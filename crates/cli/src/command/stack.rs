//! `photosite stack`.

use anstream::println;
use anyhow::Context as _;
use photosite::finding::Severity;
use photosite::params::{Drizzle, Integration, Weight};
use photosite::report::TrailReport;
use photosite::run::{IntegrationRequest, integrate};
use photosite_pix::combine::Combine;
use photosite_pix::normalise::Normalise;
use photosite_pix::reject::{Reject, Thresholds};
use serde_json::json;

use crate::args::{CombineName, Limits, NormalizeName, StackArgs, WeightName};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Stacks calibrated lights.
pub fn run(args: StackArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let asked = Thresholds { low: args.sigma_low, high: args.sigma_high };
    let named = |name: &str| {
        Reject::named(name, asked).with_context(|| format!("no rejection is called {name:?}"))
    };
    let reject = match args.reject.as_str() {
        "auto" if asked == Thresholds::default() => None,
        "auto" => Some(Reject::auto(args.files.len(), asked)),
        name => Some(named(name)?),
    };
    let how = Integration {
        register: args.register.then(|| args.align.into()),
        reject,
        combine: args.combine.map(|c| match c {
            CombineName::Mean => Combine::Mean,
            CombineName::Median => Combine::Median,
        }),
        normalise: match args.normalize {
            NormalizeName::None => Normalise::None,
            NormalizeName::Additive => Normalise::Additive,
            NormalizeName::AdditiveScale | NormalizeName::Local => Normalise::AdditiveScaled,
            NormalizeName::Multiplicative => Normalise::Multiplicative,
            NormalizeName::MultiplicativeScale => Normalise::MultiplicativeScaled,
            NormalizeName::EqualisedFluxes => Normalise::EqualisedFluxes,
        },
        local: args.normalize == NormalizeName::Local,
        weight: match args.weight {
            WeightName::None => Weight::None,
            WeightName::Noise => Weight::Noise,
            WeightName::Snr => Weight::Snr,
            WeightName::Fwhm => Weight::Fwhm,
        },
        drizzle: drizzle(&args),
        crop: args.crop,
        maps: args.maps,
    };
    let request = IntegrationRequest {
        paths: &args.files,
        output: &args.output,
        reference: args.reference.as_deref(),
        how,
    };
    let done = integrate(&request, &context)?;
    show::findings(&done.findings);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json!(done))?);
    } else {
        let used = done.lights.iter().filter(|l| l.used).count();
        println!(
            "{} written: {used} of {} lights, rejection {} ({} low, {} high), noise {} ADU \
             (1/{:.2} of the reference's), {} stars, FWHM {} px",
            done.path.display(),
            args.files.len(),
            done.reject,
            done.rejected_low,
            done.rejected_high,
            show::number(done.noise_adu),
            done.noise_gain,
            done.stars,
            show::number(done.fwhm_px.unwrap_or(f64::NAN)),
        );
        if let Some(masked) = TrailReport::count(&done.trails) {
            println!("{masked}");
        }
    }
    let severe = done.findings.iter().any(|f| f.severity == Severity::Error);
    Ok(if severe { Done::WithFindings } else { Done::Well })
}

/// How samples are spread, where that was asked for.
fn drizzle(args: &StackArgs) -> Option<Drizzle> {
    let cfa = args.cfa_drizzle;
    if args.drizzle.is_none() && args.drop.is_none() && !cfa {
        return None;
    }
    let usual = if cfa { 1.0 } else { 0.7 };
    Some(Drizzle { scale: args.drizzle.unwrap_or(1.0), drop: args.drop.unwrap_or(usual), cfa })
}
