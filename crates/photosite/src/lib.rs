//! Calibration of astronomical frames.
//!
//! A night is a folder of frames. [`inventory`] reads every header once; [`library`] and [`plan`]
//! decide what belongs together and say why, without reading a pixel; [`run`] does the work in
//! order. Pixel arithmetic ([`stack`], [`master`], [`calibrate`], [`defects`]) is separate from all
//! of them, and so are measurements of lights ([`measure`]), registration ([`register`]) and
//! products on disk ([`product`]). Threads are started in [`work`] alone.

pub mod budget;
pub mod calibrate;
pub mod colour;
pub mod correlation;
pub mod debayer;
pub mod defects;
pub mod detector;
pub mod diagnose;
pub mod env;
pub mod error;
pub mod event;
pub mod evidence;
pub mod finding;
pub mod header;
pub mod html;
pub mod inventory;
pub mod library;
pub mod master;
pub mod measure;
pub mod open;
pub mod params;
pub mod plan;
pub mod preview;
pub mod product;
pub mod provenance;
pub mod raw;
pub mod register;
pub mod report;
pub mod run;
pub mod sensor;
mod shown;
pub mod stack;
pub mod succession;
pub mod work;

pub use error::{Error, ErrorKind, Reach, Result};
pub use finding::Finding;
pub use params::{DarkScaling, RecipeChoice};
pub use product::{CalibratedFrame, Calibration};
pub use raw::RawFrame;
pub use work::Workplace;
