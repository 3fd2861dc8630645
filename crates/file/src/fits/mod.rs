//! FITS: headers verbatim, pixels on demand, products whole or not at all.
//!
//! The 1-based positions and the axis order of FITS stay inside this room.

mod amplifiers;
mod astropy;
mod carry;
mod checksum;
mod file;
mod flags;
mod frame;
mod layout;
mod pixels;
mod plain;
mod table;
mod tiled;
mod unzip;
mod verify;
mod write;

pub use astropy::write_for_astropy;
pub(crate) use carry::carried;
pub use carry::header_of;
pub use file::{layout, read_table};
pub(crate) use file::{open, probe, probe_frames};
pub use flags::{Flags, open_flags};
pub use frame::{
    FrameSpec, FrameWriter, mask_bits, read_frame, read_frames, read_image, write_frame,
};
pub(crate) use frame::{open_mask, read_masked};
pub use layout::{Hdu, HduKind, HduSummary, Layout};
pub use plain::FitsSource;
pub use table::{Column, Table};
pub use verify::{DataSums, Verified, verify};
pub(crate) use write::as_u16;
pub use write::{Clipped, FitsWriter, ImageSpec, Sample};
