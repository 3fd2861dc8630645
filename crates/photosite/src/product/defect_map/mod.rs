//! Defect maps of frames in files: built, written, read, drawn.

mod build;
mod file;
mod look;
mod made;
mod picture;
mod still;

pub use build::{FrameSet, build_defect_map};
pub use file::{LoadedMap, months_between, read_defect_map, write_defect_map};
pub use look::looking_bytes;
pub use made::defect_map_at;
pub use picture::draw_defects;
