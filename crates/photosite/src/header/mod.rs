//! The headers of products: what of the raw headers stays true, and what is new.
//!
//! ```
//! use photosite::header::{flat_colour_cards, flat_colours, imagetyp};
//! use photosite::master::FlatColour;
//! use photosite_pix::{FrameKind, Header};
//!
//! assert_eq!(imagetyp(FrameKind::DarkFlat), "Master DarkFlat");
//! let levels = [(21_000.0, 0.002), (32_000.0, 0.001), (15_000.0, 0.003)];
//! let colours = levels.map(|(level_adu, noise)| FlatColour { level_adu, noise });
//! let mut header = Header::new();
//! flat_colour_cards(&mut header, &colours);
//! assert_eq!(header.get_f64("PSLEVELG"), Some(32_000.0));
//! assert_eq!(flat_colours(&header), Some(colours));
//! ```

mod cards;
mod composed;
mod dark_model;
mod light;
mod master;
mod picture;
mod rows;
mod stack;

pub use cards::imagetyp;
pub(crate) use cards::round;
pub use composed::{ComposedChannel, composed_header};
pub use dark_model::{
    DARK_MODEL, DEFECT_MAP, SynthesizedFacts, common_header, dark_model_header, synthesized_header,
};
pub use light::{light_header, registered_header};
pub use master::{MasterFacts, flat_colour_cards, flat_colours, master_header};
pub use picture::{of_means, picture_header, without_array};
pub use rows::{Relaid, relabel_rows};
pub use stack::{SCALE_ERROR, StackedHeader, days, moment, stack_header};
