//! `photosite convert`.

use anyhow::bail;
use photosite::open;
use photosite_file::atomic::Existing;
use photosite_file::fits::Sample;
use photosite_file::{Export, Format, Range, sample_of, write_image};
use serde_json::json;

use crate::Done;
use crate::args::{ConvertArgs, Format as SampleFormat, RangeName};

/// Writes an image in another format.
pub fn run(args: &ConvertArgs) -> anyhow::Result<Done> {
    let probe = open::probe(&args.file)?;
    let target = Format::of_name(&args.output);
    let from_fits = probe.format.starts_with("FITS");
    if target == Some(Format::Fits) && from_fits && !args.image_only {
        bail!(
            "{}: is FITS already; copy the file to keep everything in it, or use --image-only",
            args.file.display()
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
    let source = open::open(&args.file)?;
    let export = Export { sample, range, existing: Existing::Refuse };
    let clipped = write_image(&args.output, &*source, &header, export)?;
    let samples = if sample == Sample::F32 { "f32" } else { "u16" };
    if args.json {
        let account = json!({
            "path": args.file,
            "output": args.output,
            "samples": samples,
            "clipped_below": clipped.below,
            "clipped_above": clipped.above,
            "blank": clipped.blank,
            "beyond_bounds": clipped.beyond,
            "left_behind": beside,
        });
        println!("{}", serde_json::to_string_pretty(&account)?);
        return Ok(Done::Well);
    }
    println!("{} written: {}, {samples}", args.output.display(), probe.size);
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
        println!("not copied from {}: {}", args.file.display(), beside.join(", "));
    }
    Ok(Done::Well)
}
