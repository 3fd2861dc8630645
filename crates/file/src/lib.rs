//! Astronomical image files to samples and back.
//!
//! Every input is taken to be hostile: sizes are checked against the file before memory is asked
//! for, and what makes no sense is an [`Error`] that says whose fault it is.
//!
//! - [`probe`] reads headers only: for an inventory of ten thousand frames.
//! - [`probe_frames`] and [`open_image`] do so for files of many frames: sequences, videos.
//! - [`open`] gives a [`Source`]: rows on demand, from several threads.
//! - [`read_frame`] and [`fits::write_frame`] carry a whole frame with variance and mask.
//! - [`write_image`] writes one image in the format that its name chooses.
//! - [`verify`] compares a FITS file with the sums in its headers.
//! - [`fits::FitsWriter`] writes large products row range by row range.
//! - [`atomic`] puts any product in place whole or not at all; [`is_ours`] says what may be replaced.

pub mod atomic;
mod bytes;
mod cube;
mod error;
mod export;
mod finite;
pub mod fits;
mod frame;
pub mod ifd;
pub mod keyword;
mod magic;
mod ours;
mod platform;
mod plausible;
mod probe;
pub mod scratch;
mod ser;
mod source;
mod tiff;
pub mod xisf;

pub use error::{Error, ErrorKind, Result};
pub use export::{Export, Format, Range, sample_of, write_image};
pub use finite::{finite, make_finite};
pub use fits::verify;
pub use frame::{open_mask, read_frame, read_frames, read_image, read_masked, whole};
pub use magic::{is_camera_raw, is_image};
pub use ours::{KEY_KEYWORD, SCHEMA_PREFIX, SOFTWARE_PREFIX, is_ours};
pub use platform::{is_local_folder, settled_stamp};
pub use probe::{Probe, open, open_image, probe, probe_frames};
pub use source::{Access, RawSource, Source, changed, check_rows, planes_of};
