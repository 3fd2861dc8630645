//! `photosite stack`.

use photosite::report::TrailReport;
use photosite::run::{IntegrationRequest, integrate};
use photosite_pix::FrameKind;

use crate::args::{Limits, StackArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Stacks calibrated lights.
pub fn run(args: StackArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let files = resolve::files(&args.files, Some(FrameKind::Light), Some(&args.output))?;
    let mut request = IntegrationRequest::new(&files, &args.output);
    request.reference = resolve::reference(&args.how);
    request.defects = resolve::defects(args.defects.as_deref());
    request.repair = args.repair.into();
    request.how = resolve::integration(&args.how)?;
    request.how.register = args.register.then(|| args.align.into());
    request.how.maps = args.maps;
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
