//! Frames of the inventory, made ready for work.

use crate::Result;
use crate::inventory::{Frame, used_region};
use crate::provenance::ContentHash;
use crate::raw::RawFrame;

/// A frame of the inventory, ready to take part.
///
/// # Errors
/// When the file cannot be read for its hash.
pub fn raw_frame(frame: &Frame) -> Result<RawFrame> {
    let region = used_region(frame);
    let trimmed = region != frame.size.rect();
    Ok(RawFrame {
        path: frame.path.clone(),
        hash: ContentHash::of_file(&frame.path)?,
        size: frame.size,
        access: frame.access,
        region,
        overscan: frame.metadata.overscan.filter(|_| trimmed),
        saturation_adu: frame.saturation_adu.map(|v| v as f32),
        header: frame.header.clone(),
        metadata: frame.metadata.clone(),
    })
}
