//! Tile-compressed images (`.fz`): the frame around the tiles.
//!
//! The header is hostile and what decodes tiles is not ours, so everything it is told is made here
//! from checked numbers: it gets one tile's bytes and the number of pixels, never a header.
//!
//! # Source
//! FITS standard 4.0, section 10 (FITS4); tile order, fallback columns and dithering as in
//! CFITSIO's `imcompress.c`.

mod codec;
mod quantize;
mod spec;

use std::panic::{AssertUnwindSafe, catch_unwind};

use codec::{Decoder, Stored};
use spec::{Payload, Tiled};

use super::file::Decoded;
use super::layout::Hdu;
use crate::bytes::Bytes;
use crate::{Error, Result};

/// Decodes the image of `hdu` as a whole.
///
/// # Errors
/// Unsupported for a compression not read here, Damaged where the tiles do not make the image.
pub(crate) fn decode(bytes: &Bytes, hdu: &Hdu) -> Result<Decoded> {
    let path = bytes.path();
    let mut owned = Vec::new();
    let len = usize::try_from(hdu.data_bytes).unwrap_or(usize::MAX);
    let data = match bytes.slice(hdu.data_offset, len) {
        Some(slice) => slice,
        None => {
            // The scan has seen that the file holds as many.
            owned.resize(len, 0);
            bytes.read_exact_at(hdu.data_offset, &mut owned)?;
            &owned
        }
    };
    let tiled = Tiled::read(path, hdu)?;
    let damaged = |what: String| Error::damaged(path, format!("{}: {what}", hdu.label()));
    tiled.check_tiles(data).map_err(damaged)?;
    let mut out = vec![0f32; tiled.pixels()];
    // A panic in the foreign decoder must cost one frame, not the night. Nothing it could leave
    // half done is used afterwards.
    let run = catch_unwind(AssertUnwindSafe(|| fill(&tiled, data, &mut out)));
    match run {
        Ok(Ok(())) => Ok(Decoded::new(path, tiled.size, tiled.planes, out)),
        Ok(Err(what)) => Err(damaged(what)),
        Err(_) => Err(damaged("the decoder failed on the compressed data".to_owned())),
    }
}

/// Decodes every tile to where it belongs in `out`.
fn fill(tiled: &Tiled, data: &[u8], out: &mut [f32]) -> std::result::Result<(), String> {
    let mut decoder = Decoder::new(tiled);
    let mut samples = Vec::new();
    for index in 0..tiled.tiles() {
        let place = tiled.place(index);
        let n = place.pixels();
        // Usually a tile is a run of whole rows: then it is decoded where it belongs.
        let run = (place.extent[0] == tiled.size.width
            && (place.extent[1] == tiled.size.height || place.extent[2] == 1))
            .then(|| tiled.offset(place.origin));
        let target = match run {
            Some(start) => &mut out[start..start + n],
            None => {
                samples.resize(n, 0.0);
                &mut samples[..n]
            }
        };
        tile(tiled, &mut decoder, data, index, target)
            .map_err(|e| format!("tile {} of {}: {e}", index + 1, tiled.tiles()))?;
        if run.is_none() {
            for (i, row) in samples[..n].chunks_exact(place.extent[0]).enumerate() {
                let y = place.origin[1] + i % place.extent[1];
                let z = place.origin[2] + i / place.extent[1];
                let start = tiled.offset([place.origin[0], y, z]);
                out[start..start + row.len()].copy_from_slice(row);
            }
        }
    }
    Ok(())
}

/// Decodes one tile into physical values.
fn tile(
    tiled: &Tiled,
    decoder: &mut Decoder,
    data: &[u8],
    index: usize,
    out: &mut [f32],
) -> std::result::Result<(), String> {
    let stored = match tiled.payload(data, index)? {
        Payload::Coded(bytes) => decoder.coded(bytes, out.len())?,
        Payload::Gzip(bytes) => decoder.gzipped(bytes, out.len())?,
        Payload::Plain(bytes) => decoder.plain(bytes, out.len())?,
    };
    match stored {
        // Fallback tiles hold the floats themselves.
        Stored::Samples(raw) => tiled.encoding_of(data, index).decode(raw, out),
        // The usual case by itself: a virtual call a pixel would cost a tenth of the time.
        Stored::Whole(v) => physical(tiled, data, index, v.into_iter().map(i64::from), out),
        other => physical(tiled, data, index, other.whole(), out),
    }
    Ok(())
}

/// Physical values of a tile's stored whole numbers.
fn physical(
    tiled: &Tiled,
    data: &[u8],
    index: usize,
    stored: impl Iterator<Item = i64>,
    out: &mut [f32],
) {
    let encoding = tiled.encoding_of(data, index);
    let Some(quantized) = &tiled.quantized else {
        encoding.whole_into(stored, out);
        return;
    };
    let (scale, zero, blank) = tiled.quanta(data, index);
    quantized.dither.undo(index, (scale, zero), blank, stored, out);
    if encoding.bscale != 1.0 || encoding.bzero != 0.0 {
        for v in out {
            *v = (encoding.bzero + encoding.bscale * f64::from(*v)) as f32;
        }
    }
}
