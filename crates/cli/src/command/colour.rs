//! `photosite debayer` and `photosite extract`.

use photosite::colour::{ColourProduct, debayer_file, extract};

use crate::args::{DebayerArgs, ExtractArgs, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Debayers a frame.
pub fn debayer(args: &DebayerArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let made = debayer_file(&args.file, &args.output, args.method.method(), &context)?;
    show::findings(&made.findings);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&made)?);
    } else {
        tell(&made);
    }
    Ok(Done::Well)
}

/// Takes lines out of a frame.
pub fn extract_lines(args: &ExtractArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let made = extract(&args.file, &args.output, args.line.into(), &context)?;
    show::findings(&made[0].findings);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&made)?);
    } else {
        made.iter().for_each(tell);
    }
    Ok(Done::Well)
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
