//! Astronomical image files to samples and back.
//!
//! Every input is taken to be hostile: sizes are checked against the file before memory is asked
//! for, and what makes no sense is an [`Error`] that says whose fault it is.
//!
//! - [`probe`] reads headers only: for an inventory of ten thousand frames.
//! - [`open`] gives a [`Source`]: rows on demand, from several threads.
//! - [`fits::read_frame`] and [`fits::write_frame`] carry a whole frame with variance and mask.
//! - [`fits::FitsWriter`] writes large products row range by row range.
//! - [`atomic`] puts any product in place whole or not at all.

pub mod atomic;
mod error;
pub mod fits;
pub mod keyword;
mod magic;
mod platform;
mod probe;
pub mod scratch;
mod source;

pub use error::{Error, ErrorKind, Result};
pub use platform::is_local_folder;
pub use probe::{Probe, open, probe};
pub use source::{Access, Source};
