//! The headers of products: what of the raw headers stays true, and what is new.

mod cards;
mod light;
mod master;
mod picture;
mod stack;

pub use cards::imagetyp;
pub use light::{light_header, registered_header};
pub use master::{MasterFacts, flat_colour_cards, flat_colours, master_header};
pub use picture::{picture_header, without_array};
pub use stack::{StackedHeader, stack_header};
