//! What can be asked for, decided once: doors map words to these, rooms below take nothing else.
//!
//! ```
//! use photosite::params::RecipeChoice;
//! use photosite_pix::FrameKind;
//! use photosite_pix::reject::Thresholds;
//!
//! let auto = RecipeChoice::new("auto", Thresholds::default(), None)?;
//! assert_eq!(auto.resolve(FrameKind::Dark, 20, None, None)?.reject.name(), "averaged-sigma");
//! let low = Thresholds { low: Some(f32::NAN), high: None };
//! assert!(RecipeChoice::new("sigma", low, None).is_err());
//! # Ok::<(), photosite::Error>(())
//! ```

mod dark;
mod format;
mod glob;
mod integration;
mod noise;
mod overscan;
mod recipe;
mod repair;
mod selection;
mod setting;

pub use dark::DarkScaling;
pub use format::{DEFAULT_PEDESTAL_ADU, Storage, sixteen_bits};
pub use glob::Glob;
pub use integration::{Drizzle, Integration, Weight};
pub use noise::noise_model;
pub use overscan::{OverscanChoice, masked_columns, method_name, sees_light};
pub use recipe::{RecipeChoice, default_recipe, reject_names};
pub use repair::Repair;
pub use selection::{Column, Expression, KeepBest, LeftOut, LightMeasures, Selection};
pub use setting::{Setting, SettingFrom};
