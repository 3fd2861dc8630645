//! `photosite convert`.

use std::path::Path;

use anyhow::bail;
use photosite::open;
use photosite::open::read_frames;
use photosite_file::atomic::Existing;
use photosite_file::fits::{Sample, write_for_astropy};
use photosite_file::{Export, Format, Range, sample_of, write_image};
use serde_json::{Value, json};

use super::each_target;
use crate::args::{ConvertArgs, ExtensionsName, Format as SampleFormat, RangeName};
use crate::{Done, resolve, show};

/// Writes images in another format.
pub fn run(args: &ConvertArgs) -> anyhow::Result<Done> {
    let files = resolve::files(&args.files, None, Some(&args.output))?;
    let targets = resolve::targets(files, &args.output, args.to.ending())?;
    let (all, done) = each_target(targets, |file, target| match args.extensions {
        Some(ExtensionsName::Astropy) => for_astropy(file, target, args),
        None => convert(file, target, args),
    })?;
    match &all[..] {
        _ if !args.json => {}
        [one] => show::json("convert", one)?,
        all => show::json("convert", &all)?,
    }
    Ok(done)
}

/// Writes a frame as astropy's CCDData has it.
fn for_astropy(file: &Path, output: &Path, args: &ConvertArgs) -> anyhow::Result<Value> {
    if Format::of_name(output) != Some(Format::Fits) {
        bail!("{}: only FITS has extensions; name it .fits", output.display());
    }
    let (frames, header) = read_frames(file)?;
    let frames: Vec<_> = frames.iter().collect();
    let uncertain = frames.iter().all(|f| f.variance.is_some());
    write_for_astropy(output, &frames, &header, Existing::Refuse)?;
    let extensions = if uncertain { vec!["MASK", "UNCERT"] } else { vec!["MASK"] };
    if !args.json {
        println!(
            "{} written: {}, f32, {}",
            output.display(),
            frames[0].size(),
            extensions.join(", ")
        );
    }
    Ok(json!({ "path": file, "output": output, "samples": "f32", "extensions": extensions }))
}

/// Writes an image in the format that the name says.
fn convert(file: &Path, output: &Path, args: &ConvertArgs) -> anyhow::Result<Value> {
    let probe = open::probe(file)?;
    let target = Format::of_name(output);
    let from_fits = probe.format.starts_with("FITS");
    if target == Some(Format::Fits) && from_fits && !args.image_only {
        bail!(
            "{}: is FITS already; copy the file to keep everything in it, or use --image-only",
            file.display()
        );
    }
    let sample = match (args.format, args.pedestal) {
        (None, _) => sample_of(&probe.header),
        (Some(SampleFormat::F32), None) => Sample::F32,
        (Some(SampleFormat::F32), Some(_)) => bail!("--pedestal is for --format u16"),
        (Some(SampleFormat::U16), p) => Sample::U16 { pedestal_adu: p.unwrap_or(0.0) },
    };
    let beside: Vec<&str> = probe
        .hdus
        .iter()
        .filter(|h| h.index != probe.image)
        .filter_map(|h| h.name.as_deref())
        .collect();
    let mut header = probe.header.clone();
    if from_fits && !beside.is_empty() {
        header.push_history(&format!("image only; not copied: {}", beside.join(", ")));
    }
    let range = match args.range {
        RangeName::AsIs => Range::AsIs,
        RangeName::Adu16 => Range::Adu16,
    };
    // A pedestal stays in the samples as its card stays in the header.
    let source = open::open_stored(file)?;
    let export = Export { sample, range, existing: Existing::Refuse };
    let clipped = write_image(output, &*source, &header, export)?;
    let samples = if sample == Sample::F32 { "f32" } else { "u16" };
    let account = json!({
        "path": file,
        "output": output,
        "samples": samples,
        "clipped_below": clipped.below,
        "clipped_above": clipped.above,
        "blank": clipped.blank,
        "beyond_bounds": clipped.beyond,
        "left_behind": beside,
    });
    if args.json {
        return Ok(account);
    }
    println!("{} written: {}, {samples}", output.display(), probe.size);
    let lost = clipped.below + clipped.above + clipped.blank;
    if lost > 0 {
        println!(
            "lost in 16 bits: {} samples below 0, {} above 65535, {} without a value",
            clipped.below, clipped.above, clipped.blank
        );
    }
    if clipped.beyond > 0 {
        println!(
            "{} samples are outside the bounds of the scale; they are kept, but programs that \
             respect the bounds clip them",
            clipped.beyond
        );
    }
    if !beside.is_empty() {
        println!("not copied from {}: {}", file.display(), beside.join(", "));
    }
    Ok(account)
}
