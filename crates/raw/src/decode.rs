//! Samples of the whole sensor, and the one border to `rawler`: what it panics over, or says in many
//! lines, ends here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Once};

use photosite_file::{Error, Result};
use photosite_pix::Size;
use rawler::decoders::{Decoder, FormatHint, RawDecodeParams};
use rawler::rawsource::RawSource;
use rawler::{RawImageData, RawlerError};

use crate::blocks::{self, Blocks};
use crate::nef;

/// Who reads the samples of a file, and what for.
pub(crate) enum Samples {
    /// Codes as they are: nothing is looked up.
    Rawler,
    /// Strips and tiles of a DNG.
    Dng(Blocks),
    /// Nikon's compression, with its curve.
    Nikon(nef::Compressed),
}

thread_local! {
    /// This thread is inside `rawler`.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics in `rawler` off the standard error, on this thread and on those of its own; all
/// others are told of as before.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let foreign =
                |file: &str| ["rawler-", "jxl-", "zune-"].iter().any(|c| file.contains(c));
            let ours = !DECODING.try_with(Cell::get).unwrap_or(false);
            if ours && !info.location().is_some_and(|at| foreign(at.file())) {
                before(info);
            }
        }));
    });
}

/// What `rawler` says, in one sentence of ours.
fn error(path: &Path, e: &RawlerError) -> Error {
    match e {
        RawlerError::Unsupported { what, make, model, .. } => {
            let message = format!("camera raw of {make} {model}, not read here: {what}");
            Error::unsupported(path, one_line(&message))
        }
        RawlerError::DecoderFailed(what) => {
            Error::damaged(path, one_line(&format!("the raw data cannot be decoded: {what}")))
        }
    }
}

/// The first line, at most two hundred letters of it.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

/// Lets `rawler` look at a file.
///
/// # Errors
/// When the format is not one of those read here, `rawler` fails, or it panics.
pub(crate) fn with_decoder<T>(
    path: &Path,
    bytes: &Arc<Vec<u8>>,
    look: impl FnOnce(&dyn Decoder, &RawSource, FormatHint) -> rawler::Result<T>,
) -> Result<T> {
    hush();
    let work = || {
        let source = RawSource::new_from_shared_vec(bytes.clone()).with_path(path);
        let decoder = rawler::get_decoder(&source)?;
        let format = decoder.format_hint();
        look(&*decoder, &source, format)
    };
    // Nothing that a panic could leave half done is used afterwards.
    DECODING.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    DECODING.set(false);
    match done {
        Ok(done) => done.map_err(|e| error(path, &e)),
        Err(_) => Err(Error::damaged(path, "the raw data broke the decoder")),
    }
}

/// Decodes the samples of the whole sensor.
///
/// # Errors
/// When they cannot be decoded, or are not as many as the file's directories say.
pub(crate) fn samples(
    path: &Path,
    bytes: &Arc<Vec<u8>>,
    size: Size,
    how: &Samples,
) -> Result<RawImageData> {
    let data = match how {
        Samples::Rawler => return by_rawler(path, bytes, size),
        Samples::Dng(blocks) => blocks::decode(path, bytes, blocks)?,
        Samples::Nikon(how) => nef::decode(path, bytes, how)?,
    };
    if data.len() != size.pixels() {
        let message = format!("{} samples were decoded; {size} was expected", data.len());
        return Err(Error::damaged(path, message));
    }
    Ok(RawImageData::Integer(data))
}

fn by_rawler(path: &Path, bytes: &Arc<Vec<u8>>, size: Size) -> Result<RawImageData> {
    let image = with_decoder(path, bytes, |decoder, source, _| {
        decoder.raw_image(source, &RawDecodeParams::default(), false)
    })?;
    let found = match &image.data {
        RawImageData::Integer(data) => data.len(),
        RawImageData::Float(data) => data.len(),
    };
    if (image.width, image.height, image.cpp) != (size.width, size.height, 1)
        || found != size.pixels()
    {
        let message = format!(
            "{found} samples of {}x{} pixels were decoded; {size} was expected",
            image.width, image.height
        );
        return Err(Error::damaged(path, message));
    }
    Ok(image.data)
}
