//! `photosite preview`.

use std::path::Path;

use anstream::println;
use anyhow::Context as _;
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::keyword;
use photosite_pix::stretch::Stretch;
use photosite_pix::{CfaPattern, Plane, RowOrder, Size};

use crate::Done;
use crate::args::PreviewArgs;

/// Columns of a picture when nobody says.
const DEFAULT_WIDTH: usize = 1600;

/// Writes a picture.
pub fn run(args: PreviewArgs) -> anyhow::Result<Done> {
    write(&args.file, &args.output, args.width.map(|w| w as usize))?;
    println!("{}", args.output.display());
    Ok(Done::Well)
}

/// Writes a stretched picture of a file, at most `width` columns wide.
///
/// Three planes, or a colour filter array, make a colour picture, each colour stretched by itself.
pub fn write(path: &Path, png: &Path, width: Option<usize>) -> anyhow::Result<()> {
    let probe = photosite::open::probe(path)?;
    let metadata = keyword::read(&probe.header).metadata;
    let first = super::read_plane(path, 0)?;
    let mut channels = match metadata.cfa {
        Some(cfa) if probe.planes == 1 => superpixels(&first, cfa),
        _ if probe.planes == 3 => {
            vec![first, super::read_plane(path, 1)?, super::read_plane(path, 2)?]
        }
        _ => vec![first],
    };
    let limit = width.unwrap_or(DEFAULT_WIDTH).max(1);
    for channel in &mut channels {
        *channel = shrink(channel, limit);
    }
    let size = channels[0].size();
    let stretches: Vec<Stretch> = channels.iter().map(|c| Stretch::of(c.as_slice())).collect();
    // FITS counts rows from the bottom unless the header says otherwise.
    let top_down = metadata.row_order == Some(RowOrder::TopDown);
    let mut bytes = Vec::with_capacity(size.pixels() * channels.len());
    for row in 0..size.height {
        let y = if top_down { row } else { size.height - 1 - row };
        for x in 0..size.width {
            for (channel, stretch) in channels.iter().zip(&stretches) {
                bytes.push((stretch.apply(channel.get(x, y)) * 255.0).round() as u8);
            }
        }
    }
    let mut file = Vec::new();
    let (w, h) = (u32::try_from(size.width)?, u32::try_from(size.height)?);
    let mut encoder = png::Encoder::new(&mut file, w, h);
    encoder.set_color(if channels.len() == 3 {
        png::ColorType::Rgb
    } else {
        png::ColorType::Grayscale
    });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().context("writing the picture")?;
    writer.write_image_data(&bytes).context("writing the picture")?;
    writer.finish().context("writing the picture")?;
    write_bytes(png, &file, Existing::Replace)?;
    Ok(())
}

/// One colour pixel a cell of the array: the mean of each colour's samples.
fn superpixels(data: &Plane<f32>, cfa: CfaPattern) -> Vec<Plane<f32>> {
    let period = cfa.period();
    let size = Size::new((data.width() / period).max(1), (data.height() / period).max(1));
    (0..3)
        .map(|channel| {
            Plane::from_fn(size, |x, y| {
                let cell = (0..period * period)
                    .map(|i| (x * period + i % period, y * period + i / period));
                mean(
                    cell.filter(|&(cx, cy)| {
                        cx < data.width()
                            && cy < data.height()
                            && cfa.color(cx, cy).channel() == channel
                    })
                    .map(|(cx, cy)| data.get(cx, cy)),
                )
            })
        })
        .collect()
}

/// The picture averaged down by a whole factor until it is at most `limit` columns wide.
fn shrink(data: &Plane<f32>, limit: usize) -> Plane<f32> {
    let factor = data.width().div_ceil(limit);
    if factor <= 1 {
        return data.clone();
    }
    let size = Size::new(data.width() / factor, (data.height() / factor).max(1));
    Plane::from_fn(size, |x, y| {
        let block =
            (0..factor * factor).map(|i| (x * factor + i % factor, y * factor + i / factor));
        mean(
            block
                .filter(|&(bx, by)| bx < data.width() && by < data.height())
                .map(|(bx, by)| data.get(bx, by)),
        )
    })
}

/// The mean of the finite samples.
fn mean(samples: impl Iterator<Item = f32>) -> f32 {
    let (mut n, mut sum) = (0u32, 0.0f64);
    for v in samples.filter(|v| v.is_finite()) {
        n += 1;
        sum += f64::from(v);
    }
    if n == 0 { f32::NAN } else { (sum / f64::from(n)) as f32 }
}
