//! Calibration of astronomical frames.
//!
//! A night is a folder of frames. [`inventory`] reads every header once; [`library`] and [`plan`]
//! decide what belongs to what and say why, without reading a pixel; [`run`] does the work, and is
//! the only room with threads. Pixel arithmetic ([`stack`], [`master`], [`calibrate`],
//! [`defects`]) is kept apart from all of them.

pub mod budget;
pub mod calibrate;
pub mod debayer;
pub mod defects;
pub mod env;
mod error;
pub mod event;
pub mod finding;
pub mod header;
pub mod inventory;
pub mod library;
pub mod master;
pub mod open;
pub mod plan;
pub mod preview;
pub mod provenance;
pub mod raw;
pub mod report;
pub mod run;
pub mod stack;
pub mod succession;

pub use error::{Error, ErrorKind, Result};
pub use finding::Finding;
