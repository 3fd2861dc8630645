//! The sensor laboratory: gain, read noise, dark current, linearity and what follows from them, measured
//! from biases, darks and flats.
//!
//! Frames are looked at in blocks ([`Grid`]): levels, and noise by differences of two frames, so that what
//! is fixed on the sensor does not count as noise. Every value has the interval that holds the truth in 95
//! of 100 cases, from how it changes without each part of the blocks, and from how levels scatter from
//! frame to frame.
//!
//! ```
//! use photosite::sensor::{Estimate, Measure};
//!
//! // A gain of 1.93 e-/ADU with a standard error of 0.01, of 40 parts.
//! let gain = Estimate { value: 1.93, error: 0.01, freedom: 39.0 };
//! let measure = Measure::of("gain", gain, "e-/ADU", "photon transfer");
//! assert!(measure.valid);
//! assert!((measure.low.unwrap() - 1.91).abs() < 5e-4);
//! ```

mod advice;
mod afterglow;
mod amplifiers;
mod bias;
mod campaign;
mod cell;
mod codes;
mod dark_current;
mod dsnu;
mod estimate;
mod flats;
mod grid;
mod holding;
mod hot;
mod interference;
mod lamp;
mod linearity;
mod looks;
mod maps;
mod measure;
mod neighbours;
mod normality;
mod page;
mod persistence;
mod pixel_maps;
mod pixels;
mod plot;
mod profile;
mod profiles;
mod published;
mod report;
mod set;
mod shape;
mod shutter;
mod temperature;
mod transfer;

pub use afterglow::{Afterglow, see_afterglow};
pub use bias::read_noise_adu;
pub use campaign::{Campaign, LevelScatter, SAME_TEMP_C};
pub use cell::Cell;
pub use codes::Codes;
pub use estimate::{Estimate, Line, line};
pub use flats::{FEW_FLATS, FlatPixels, Zero};
pub use grid::{Grid, Parts};
pub use holding::{FEW_OTHERS, see_holding};
pub use hot::HotPixels;
pub use interference::{CHANCE, MOST_TONES};
pub use maps::{MapKind, PixelMap, StripMaps};
pub use measure::{Measure, MissingFrames, SENSOR_SCHEMA, SensorReport, Series, significant};
pub use normality::is_of_photons;
pub use page::page;
pub use pixels::{FEW_FRAMES, PixelCounts};
pub use profile::{Difference, PROFILE_SCHEMA, Profile, ProfileValue, difference, plain_name};
pub use report::{Question, measure, noise_of_pairs};
pub use set::{
    Asked, FrameSet, LineNoise, Pair, SensorFrame, SignedSum, StripSeen, gather_set, see_strip,
    spectrum_region,
};
pub use shape::Shape;
pub use transfer::transfer;
