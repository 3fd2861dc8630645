//! Astronomical image files to samples and back.
//!
//! Every input is taken to be hostile: sizes are checked against the file before memory is asked
//! for, and what makes no sense is an [`Error`] that says whose fault it is.

mod error;
pub mod keyword;
mod source;

pub use error::{Error, ErrorKind, Result};
pub use source::{Access, Source};
