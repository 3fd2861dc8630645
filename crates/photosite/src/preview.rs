//! Stretched PNGs for viewing. The data are not changed.
//!
//! ```
//! use photosite::preview::{Linked, write_preview};
//! use photosite_pix::{Plane, Size};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let png = dir.path().join("light.png");
//! let sky = Plane::from_fn(Size::new(400, 300), |x, y| 100.0 + ((x * 7 + y * 13) % 11) as f32);
//! write_preview(&[&sky], true, &png, Some(200), Linked::No)?;
//! // A grey picture of half the size.
//! let bytes = std::fs::read(&png).unwrap();
//! assert_eq!((&bytes[1..4], &bytes[16..24]), (&b"PNG"[..], &[0, 0, 0, 200, 0, 0, 0, 150][..]));
//! # Ok::<(), photosite::Error>(())
//! ```

use std::fs::File;
use std::io::Read;
use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::is_ours;
use photosite_file::{keyword, planes_of};
use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::stretch::Stretch;
use photosite_pix::warp::Window;
use photosite_pix::{CfaPattern, Plane, RowOrder, Size};

use crate::open::{open, probe};
use crate::provenance::{self, SOFTWARE};
use crate::{Error, Result};

/// Default width of a preview.
const DEFAULT_WIDTH: usize = 1600;

/// Whether the colours share one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Linked {
    /// Each colour has its own: the background comes out grey, whatever its colour was.
    #[default]
    No,
    /// One for all: colours keep their proportions.
    Yes,
}

/// Whether a PNG can be read to its end.
pub fn is_whole(png: &Path) -> bool {
    let Ok(file) = std::fs::File::open(png) else { return false };
    let Ok(mut reader) = png::Decoder::new(std::io::BufReader::new(file)).read_info() else {
        return false;
    };
    while let Ok(row) = reader.next_row() {
        if row.is_none() {
            return reader.finish().is_ok();
        }
    }
    false
}

/// Writes a stretched PNG of a file, at most `width` columns wide.
///
/// Three planes, or a colour filter array, make a colour preview, each colour stretched by itself
/// unless they are linked; of any other number of planes the first is shown.
///
/// # Errors
/// When the file cannot be read, or as [`write_preview`].
pub fn preview_file(path: &Path, png: &Path, width: Option<usize>, linked: Linked) -> Result<()> {
    let found = probe(path)?;
    let metadata = keyword::read(&found.header).metadata;
    let source = open(path)?;
    let planes = match (found.planes, metadata.cfa) {
        (3, _) => planes_of(&*source)?,
        (planes, cfa) => {
            let size = source.size();
            let mut samples = vec![0.0f32; size.pixels()];
            source.read_rows(0, 0..size.height, &mut Vec::new(), &mut samples)?;
            let first = Plane::from_vec(size, samples).expect("as many samples as pixels");
            match cfa {
                Some(cfa) if planes == 1 => superpixels(first, cfa),
                _ => vec![first],
            }
        }
    };
    let planes: Vec<&Plane<f32>> = planes.iter().collect();
    // FITS counts rows from the bottom unless the header says otherwise.
    let top_down = metadata.row_order == Some(RowOrder::TopDown);
    write_preview(&planes, top_down, png, width, linked)
}

/// Writes a stretched PNG of one plane, or of red, green and blue of one size, at most `width`
/// columns wide, 1600 by default.
///
/// Samples that are not finite are black; the background is not. A PNG that Photosite made is
/// replaced.
///
/// # Errors
/// When there are neither one nor three planes, or their sizes differ; when a file stands there that
/// Photosite did not make, or the operating system refuses.
pub fn write_preview(
    planes: &[&Plane<f32>],
    top_down: bool,
    png: &Path,
    width: Option<usize>,
    linked: Linked,
) -> Result<()> {
    let even = planes.windows(2).all(|p| p[0].size() == p[1].size());
    if !matches!(planes.len(), 1 | 3) || !even {
        let message = "a preview needs one plane, or three of equal size";
        return Err(Error::mismatch(format!("{}: {message}", png.display())));
    }
    let existing = room_for_preview(png)?;
    let limit = width.unwrap_or(DEFAULT_WIDTH).max(1);
    let channels: Vec<Plane<f32>> = planes.iter().map(|p| shrink(p, limit)).collect();
    let samples: Vec<&[f32]> = channels.iter().map(Plane::as_slice).collect();
    let stretches: Vec<Stretch> = match linked {
        Linked::No => samples.iter().map(|s| Stretch::of(s)).collect(),
        Linked::Yes => vec![Stretch::linked(&samples); channels.len()],
    };
    let size = channels[0].size();
    let mut bytes = Vec::with_capacity(size.pixels() * channels.len());
    for row in 0..size.height {
        let y = if top_down { row } else { size.height - 1 - row };
        for x in 0..size.width {
            for (channel, stretch) in channels.iter().zip(&stretches) {
                bytes.push((stretch.apply(channel.get(x, y)) * 255.0).round() as u8);
            }
        }
    }
    let file = encode(size, channels.len() == 3, &bytes)
        .map_err(|e| Error::bug(format!("{}: {e}", png.display())))?;
    write_bytes(png, &file, existing)?;
    Ok(())
}

/// What begins every PNG.
const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Looks at what stands where a picture for the eye is to go: nothing, or an older one of Photosite's.
///
/// # Errors
/// When a file stands there that Photosite did not make, or a product that is no picture for the eye.
pub fn room_for_preview(png: &Path) -> Result<Existing> {
    if !png.exists() {
        return Ok(Existing::Refuse);
    }
    if !is_ours(png)? {
        return Err(Error::foreign(png));
    }
    let mut head = Vec::new();
    let read = File::open(png).and_then(|file| file.take(8).read_to_end(&mut head));
    read.map_err(|e| Error::io(png, "reading", e))?;
    // A power cut leaves an empty file.
    if head.is_empty() || head == MAGIC {
        return Ok(Existing::Replace);
    }
    let there = provenance::read(png).map_or_else(|_| "product".to_owned(), |told| told.product);
    Err(Error::other_product(png, &there, "picture for the eye"))
}

/// Writes a PNG of red, green and blue bytes, row after row from the top.
///
/// # Errors
/// When a file stands there that Photosite did not make, or the operating system refuses.
pub fn write_colours(size: Size, bytes: &[u8], png: &Path) -> Result<()> {
    let existing = room_for_preview(png)?;
    let file =
        encode(size, true, bytes).map_err(|e| Error::bug(format!("{}: {e}", png.display())))?;
    write_bytes(png, &file, existing)?;
    Ok(())
}

/// How far the response of a pixel is from the mean where its colour is full.
const FULL: f32 = 0.3;

/// Writes the responses of a flat of mean 1 as colours, at most `width` columns wide: white at the mean, blue
/// below it, red above it. Pixels without a response are black.
///
/// # Errors
/// As [`write_colours`].
pub(crate) fn write_response(
    flat: &Plane<f32>,
    top_down: bool,
    png: &Path,
    width: usize,
) -> Result<()> {
    let shown = shrink(flat, width.max(1));
    let colour = |v: f32| -> [u8; 3] {
        if !v.is_finite() {
            return [0; 3];
        }
        let from_mean = ((v - 1.0) / FULL).clamp(-1.0, 1.0);
        let full = if from_mean < 0.0 { [25.0, 75.0, 160.0] } else { [190.0, 30.0, 35.0] };
        full.map(|c: f32| (255.0 + (c - 255.0) * from_mean.abs()).round() as u8)
    };
    let height = shown.height();
    let rows = (0..height).map(|y| shown.row(if top_down { y } else { height - 1 - y }));
    let bytes: Vec<u8> = rows.flatten().flat_map(|v| colour(*v)).collect();
    write_colours(shown.size(), &bytes, png)
}

/// The bytes of a PNG that says who made it.
fn encode(
    size: Size,
    colour: bool,
    bytes: &[u8],
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, side(size.width), side(size.height));
    encoder.set_color(if colour { png::ColorType::Rgb } else { png::ColorType::Grayscale });
    encoder.set_depth(png::BitDepth::Eight);
    // Noise does not shrink, however long one tries.
    encoder.set_compression(png::Compression::Fast);
    encoder.add_text_chunk("Software".to_owned(), SOFTWARE.to_owned())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(file)
}

/// One colour pixel a cell of the array, or the frame itself where it holds no cell.
pub(crate) fn superpixels(frame: Plane<f32>, cfa: CfaPattern) -> Vec<Plane<f32>> {
    let Ok(debayer) = Debayer::new(cfa, Method::Superpixel) else { return vec![frame] };
    let size = debayer.picture_size(frame.size());
    if size.pixels() == 0 {
        return vec![frame];
    }
    let mut planes = [0; 3].map(|_| Plane::filled(size, 0.0f32));
    let window = Window { samples: frame.as_slice(), first_row: 0, width: frame.width() };
    let out = planes.each_mut().map(Plane::as_mut_slice);
    debayer.fill(window, frame.size(), 0..size.height, out);
    planes.into()
}

/// How many pixels along each side become one, so that at most `limit` columns are left.
fn factor_of(width: usize, limit: usize) -> usize {
    width.div_ceil(limit).max(1)
}

/// The size of a preview of an image of `size`, of the usual width.
pub fn preview_size(size: Size) -> Size {
    let factor = factor_of(size.width, DEFAULT_WIDTH);
    Size::new(size.width / factor, (size.height / factor).max(1))
}

/// Memory that writing a preview of an image takes, in bytes, besides the image: all planes shrunk,
/// and the samples of one in order.
pub fn preview_bytes(size: Size, planes: usize) -> u64 {
    preview_size(size).pixels() as u64 * 4 * (planes as u64 + 2)
}

/// The image averaged down by a whole factor until it is at most `limit` columns wide.
fn shrink(data: &Plane<f32>, limit: usize) -> Plane<f32> {
    let factor = factor_of(data.width(), limit);
    if factor == 1 {
        return data.clone();
    }
    let size = Size::new(data.width() / factor, (data.height() / factor).max(1));
    let mut out = Plane::zeroed(size);
    let mut sums = vec![(0u32, 0.0f64); size.width];
    for y in 0..size.height {
        sums.fill((0, 0.0));
        for row in (y * factor..((y + 1) * factor).min(data.height())).map(|y| data.row(y)) {
            for ((n, sum), block) in sums.iter_mut().zip(row.chunks_exact(factor)) {
                for v in block {
                    *n += u32::from(v.is_finite());
                    *sum += if v.is_finite() { f64::from(*v) } else { 0.0 };
                }
            }
        }
        let mean = |(n, sum): &(u32, f64)| match n {
            0 => f32::NAN,
            n => (sum / f64::from(*n)) as f32,
        };
        out.row_mut(y).iter_mut().zip(&sums).for_each(|(v, block)| *v = mean(block));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a PNG, and whether it is in colour.
    fn decoded(path: &Path) -> (Vec<u8>, bool) {
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        (bytes, info.color_type == png::ColorType::Rgb)
    }

    #[test]
    fn no_background_is_black_and_no_picture_of_others_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let mut state = 3u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1u64 << 24) as f64
        };
        // A slope three times as long as the noise is wide, each colour at its own level.
        let planes = [50.0, 400.0, -10.0].map(|level| {
            Plane::from_fn(Size::new(400, 300), |x, _| {
                let noise: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                (level + 10.0 * noise + 0.08 * x as f64) as f32
            })
        });
        let all: Vec<&Plane<f32>> = planes.iter().collect();
        for (planes, linked) in
            [(&all[..], Linked::No), (&all, Linked::Yes), (&all[..1], Linked::No)]
        {
            write_preview(planes, true, &path, None, linked).unwrap();
            let (bytes, colour) = decoded(&path);
            assert_eq!((colour, bytes.len()), (planes.len() == 3, 120_000 * planes.len()));
            let black = bytes.iter().filter(|v| **v == 0).count();
            assert!(black * 1000 < bytes.len(), "{black} of {}", bytes.len());
            // Neither is it white: a colour far above the others may be bright.
            let bright = bytes.iter().filter(|v| **v == 255).count();
            assert!(bright * 100 < bytes.len(), "{bright} of {}", bytes.len());
        }
        assert!(write_preview(&all[..2], true, &path, None, Linked::No).is_err());
        let foreign = dir.path().join("holiday.png");
        std::fs::copy(&path, &foreign).unwrap();
        let mut bytes = std::fs::read(&foreign).unwrap();
        let at = bytes.windows(9).position(|w| w == b"Photosite").unwrap();
        bytes[at] = b'G';
        write_bytes(&foreign, &bytes, Existing::Replace).unwrap();
        assert!(write_preview(&all, true, &foreign, None, Linked::No).is_err());
        assert_eq!(std::fs::read(&foreign).unwrap(), bytes);
    }
}
