//! What a header says of the detector: the part that sees light, and where samples end.

use photosite_pix::{Header, Metadata, Rect, Size};

/// The part of a frame that is used: the area that sees light where the header names one, else all
/// of it. An overscan that is not inside the frame makes both doubtful.
pub fn used_region(metadata: &Metadata, size: Size) -> Rect {
    match (metadata.overscan, metadata.active_area) {
        (None, Some(a)) if a.fits(size) => a,
        (Some(o), Some(a)) if a.fits(size) && o.fits(size) => a,
        _ => size.rect(),
    }
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
