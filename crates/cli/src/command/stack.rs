//! `photosite stack`.

use photosite::params::{Drizzle, Weight};
use photosite::report::TrailReport;
use photosite::run::{IntegrationRequest, integrate};
use photosite_pix::FrameKind;
use photosite_pix::normalise::Normalise;

use crate::args::{Limits, NormalizeName, StackArgs, WeightName};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Stacks calibrated lights.
pub fn run(args: StackArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let files = resolve::files(&args.files, Some(FrameKind::Light), Some(&args.output))?;
    let mut request = IntegrationRequest::new(&files, &args.output);
    request.reference = args.reference.as_deref();
    request.defects = resolve::defects(args.defects.as_deref());
    let how = &mut request.how;
    how.register = args.register.then(|| args.align.into());
    how.recipe = resolve::recipe(&args.reject, args.sigma_low, args.sigma_high, args.combine)?;
    how.normalise = match args.normalize {
        NormalizeName::None => Normalise::None,
        NormalizeName::Additive => Normalise::Additive,
        NormalizeName::AdditiveScale | NormalizeName::Local => Normalise::AdditiveScaled,
        NormalizeName::Multiplicative => Normalise::Multiplicative,
        NormalizeName::MultiplicativeScale => Normalise::MultiplicativeScaled,
        NormalizeName::EqualisedFluxes => Normalise::EqualisedFluxes,
    };
    how.local = args.normalize == NormalizeName::Local;
    how.weight = match args.weight {
        WeightName::None => Weight::None,
        WeightName::Noise => Weight::Noise,
        WeightName::Snr => Weight::Snr,
        WeightName::Fwhm => Weight::Fwhm,
    };
    how.drizzle = drizzle(&args);
    (how.crop, how.maps) = (args.crop, args.maps);
    let done = integrate(&request, &context)?;
    show::findings(&done.findings);
    if args.json {
        show::json("stack", &done)?;
    } else {
        let used = done.lights.iter().filter(|l| l.used).count();
        // A stack full of holes shows no noise.
        let gain = match done.noise_gain {
            g if g.is_finite() => format!(" (1/{g:.2} of the reference's)"),
            _ => String::new(),
        };
        println!(
            "{} written: {used} of {} lights, rejection {} ({} low, {} high), noise {} \
             ADU{}, {} stars, FWHM {} px",
            done.path.display(),
            // A sequence that is named is as many lights.
            done.lights.len().max(files.len()),
            done.reject,
            done.rejected_low,
            done.rejected_high,
            show::number(done.noise_adu),
            gain,
            done.stars,
            show::number(done.fwhm_px.unwrap_or(f64::NAN)),
        );
        if let Some(masked) = TrailReport::count(&done.trails) {
            println!("{masked}");
        }
    }
    Ok(Done::of(&done.findings))
}

/// How samples are spread, where that was asked for.
fn drizzle(args: &StackArgs) -> Option<Drizzle> {
    let cfa = args.cfa_drizzle;
    if args.drizzle.is_none() && args.drop.is_none() && !cfa {
        return None;
    }
    let usual = if cfa { 1.0 } else { 0.7 };
    Some(Drizzle::new(args.drizzle.unwrap_or(1.0), args.drop.unwrap_or(usual), cfa))
}
