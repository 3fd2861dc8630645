//! The detector of a frame, from its header.

use photosite_pix::{Detector, Header, Metadata, Size};

/// The detector of a frame of `size` as its header tells; a raw sample saturates at the level that
/// the header names, else where its type ends.
pub fn detector_of(metadata: &Metadata, header: &Header, size: Size) -> Detector {
    let mut detector = Detector::of(metadata, size);
    let full = || full_scale_adu(header).map(|v| v as f32);
    detector.saturation_adu = detector.saturation_adu.or_else(full);
    detector
}

/// The largest sample the file's own type can hold in ADU, for 8- and 16-bit integers.
pub fn full_scale_adu(header: &Header) -> Option<f64> {
    let zero = header.get_f64("BZERO").unwrap_or(0.0);
    let scale = header.get_f64("BSCALE").unwrap_or(1.0);
    let largest = match header.get_i64("BITPIX")? {
        8 => 255.0,
        16 => 32767.0,
        _ => return None,
    };
    Some(zero + scale * largest)
}
