//! The detector of a frame, from its header.
//!
//! ```
//! use photosite::detector::{detector_of, full_scale_adu};
//! use photosite_pix::{Card, Header, Metadata, Size};
//!
//! // What a camera of 16 bits writes.
//! let cards = vec![Card::integer("BITPIX", 16, ""), Card::integer("BZERO", 32_768, "")];
//! let header = Header::from_cards(cards);
//! assert_eq!(full_scale_adu(&header), Some(65_535.0));
//! let detector = detector_of(&Metadata::default(), &header, Size::new(4656, 3520));
//! assert_eq!(detector.saturation_adu, Some(65_535.0));
//! assert_eq!(detector.active.size(), Size::new(4656, 3520));
//! ```

mod linearity;
mod parts;

pub use linearity::{BEYOND, LINEARITY_SCHEMA, Linearity};
pub use parts::{OverscanRecord, Part, Parts, overscans_at_a_glance};

use photosite_file::keyword::adu_per_sample;
use photosite_pix::{Detector, Frame, Header, MaskBits, Metadata, Size, Unit};

/// The detector of a frame of `size` as its header tells; a raw sample saturates at the level that
/// the header names, else where its type ends.
pub fn detector_of(metadata: &Metadata, header: &Header, size: Size) -> Detector {
    let mut detector = Detector::of(metadata, size);
    let full = || full_scale_adu(header).map(|v| v as f32);
    detector.saturation_adu = detector.saturation_adu.or_else(full);
    detector
}

/// Marks the saturated samples of a frame as the camera wrote it, of which no mask tells yet, and what of
/// it sees no light (EDGE); one that was calibrated is left alone.
///
/// A level in the header that samples exceed is not believed: then the file's own type tells.
pub fn mark_raw(frame: &mut Frame, metadata: &Metadata, header: &Header) {
    if !metadata.applied.is_empty() || frame.unit != Unit::Adu {
        return;
    }
    let detector = detector_of(metadata, header, frame.size());
    if detector.is_trimmed() {
        let active = detector.active;
        for y in 0..frame.size().height {
            let dark = |x: usize| {
                !(active.x0..active.x1).contains(&x) || !(active.y0..active.y1).contains(&y)
            };
            let row = frame.mask.row_mut(y).iter_mut().enumerate();
            row.filter(|(x, _)| dark(*x)).for_each(|(_, m)| *m |= MaskBits::EDGE);
        }
    }
    let Some(level) = detector.saturation_adu else { return };
    let samples = frame.data.as_slice();
    let highest = samples.iter().copied().filter(|v| v.is_finite()).fold(f32::MIN, f32::max);
    let full = full_scale_adu(header).map(|v| v as f32);
    let Some(level) = Some(level).filter(|level| highest <= *level).or(full) else { return };
    if highest < level {
        return;
    }
    let samples = samples.iter().zip(frame.mask.as_mut_slice());
    samples.filter(|(v, _)| **v >= level).for_each(|(_, m)| *m |= MaskBits::SATURATED);
}

/// The largest sample the file's own type can hold in ADU, for 8- and 16-bit integers; electrons and counts of a
/// second are brought to ADU where the header tells how.
pub fn full_scale_adu(header: &Header) -> Option<f64> {
    let zero = header.get_f64("BZERO").unwrap_or(0.0);
    let scale = header.get_f64("BSCALE").unwrap_or(1.0);
    let largest = match header.get_i64("BITPIX")? {
        8 => 255.0,
        16 => 32767.0,
        _ => return None,
    };
    Some((zero + scale * largest) * adu_per_sample(header).unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Card, Plane};

    use super::*;

    #[test]
    fn what_sees_no_light_is_edge() {
        let cards = [
            Card::string("BIASSEC", "[7:8,1:4]", ""),
            Card::string("TRIMSEC", "[1:6,2:4]", ""),
            Card::integer("NAXIS1", 8, ""),
            Card::integer("NAXIS2", 4, ""),
            Card::integer("SATURATE", 900, ""),
        ];
        let header = Header::from_cards(cards.to_vec());
        let metadata = photosite_file::keyword::read(&header).metadata;
        let mut frame = Frame::new(Plane::filled(Size::new(8, 4), 500.0), Unit::Adu);
        frame.data.set(2, 2, 900.0);
        mark_raw(&mut frame, &metadata, &header);
        let bits = |x, y| frame.mask.get(x, y);
        assert_eq!((bits(2, 2), bits(3, 2)), (MaskBits::SATURATED, MaskBits::empty()));
        assert_eq!((bits(6, 2), bits(0, 0)), (MaskBits::EDGE, MaskBits::EDGE));
        assert!(bits(6, 2).is_hole());
        let dark = frame.mask.as_slice().iter().filter(|m| m.contains(MaskBits::EDGE)).count();
        assert_eq!(dark, 32 - 18);
    }
}
