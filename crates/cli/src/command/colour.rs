//! `photosite debayer`, `photosite extract` and `photosite compose`.

use photosite::colour::{ColourProduct, debayer_file, extract};
use photosite::run::{ComposeRequest, compose};

use super::each_target;
use crate::args::{BalanceName, ComposeArgs, DebayerArgs, ExtractArgs, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Debayers a frame.
pub fn debayer(args: &DebayerArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let files = resolve::files(&args.files, None, Some(&args.output))?;
    let targets = resolve::targets(files, &args.output, ".fits")?;
    let (all, done) = each_target(targets, |file, target| {
        let made = debayer_file(file, target, args.method.method(), &context)?;
        show::findings(&made.findings);
        if !args.json {
            tell(&made);
        }
        Ok(made)
    })?;
    match &all[..] {
        _ if !args.json => {}
        [one] => show::json("debayer", one)?,
        all => show::json("debayer", &all)?,
    }
    Ok(done)
}

/// Takes lines out of a frame.
pub fn extract_lines(args: &ExtractArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let files = resolve::files(&args.files, None, Some(&args.output))?;
    let targets = resolve::targets(files, &args.output, ".fits")?;
    let (all, done) = each_target(targets, |file, target| {
        let made = extract(file, target, args.line.into(), &context)?;
        show::findings(&made[0].findings);
        if !args.json {
            made.iter().for_each(tell);
        }
        Ok(made)
    })?;
    if args.json {
        show::json("extract", &all.concat())?;
    }
    Ok(done)
}

/// Prints what was made.
fn tell(product: &ColourProduct) {
    let stands = if product.reused { "exists already" } else { "written" };
    println!(
        "{} {stands}: {}x{}, {} of {}",
        product.path.display(),
        product.width,
        product.height,
        product.method,
        product.cfa
    );
    for plane in &product.planes {
        println!(
            "  {:<6} median {}, noise {}",
            plane.plane,
            show::number(plane.summary.median),
            show::number(plane.summary.noise)
        );
    }
}

/// Makes one colour picture of several filters' pictures.
pub fn compose_picture(args: ComposeArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let mut request = ComposeRequest::new(&args.pictures, &args.output);
    request.palette = args.palette.map(Into::into);
    request.formulas = match (args.red, args.green, args.blue) {
        (Some(red), Some(green), Some(blue)) => Some([red, green, blue]),
        _ => None,
    };
    request.luminance = args.luminance;
    request.balance = args.balance == BalanceName::Stars;
    let made = compose(&request, &context)?;
    show::findings(&made.findings);
    if args.json {
        show::json("compose", &made)?;
        return Ok(Done::of(&made.findings));
    }
    let stands = if made.reused { "exists already" } else { "written" };
    println!(
        "{} {stands}: {}x{}, {}, background {} ADU",
        made.path.display(),
        made.width,
        made.height,
        made.palette,
        show::number(made.background_adu)
    );
    for part in &made.channels {
        let balance = part.balance.map_or_else(String::new, |b| {
            format!(", times {:.4} +- {:.4} by {} stars", b.scale, b.scale_error, b.stars)
        });
        println!(
            "  {:<9} {}: sky {} ADU{balance}",
            part.channel,
            part.formula,
            show::number(part.sky_adu)
        );
    }
    if let Some(png) = &made.preview {
        println!("{} for the eye", png.display());
    }
    Ok(Done::of(&made.findings))
}
