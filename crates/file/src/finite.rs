//! Infinite samples at the border where frames come in.

use photosite_pix::{Frame, MaskBits};

use crate::Source;
use crate::source::changed;

/// The same image with NaN in place of infinite samples: what has no value is NaN everywhere else.
///
/// Images of whole numbers come back as they are, for they hold none.
pub fn finite(source: Box<dyn Source>) -> Box<dyn Source> {
    if source.raw().is_some() {
        return source;
    }
    changed(source, |_, out| {
        for v in out {
            // Without a branch: NaN is what no comparison holds for.
            *v = if v.abs() < f32::INFINITY { *v } else { f32::NAN };
        }
    })
}

/// Makes infinite samples NaN, and marks what has no value with NO_DATA; says how many were infinite.
pub fn make_finite(frame: &mut Frame) -> usize {
    let mut infinite = 0;
    let both = frame.data.as_mut_slice().iter_mut().zip(frame.mask.as_mut_slice());
    for (v, bits) in both.filter(|(v, _)| v.is_infinite()) {
        *v = f32::NAN;
        *bits |= MaskBits::NO_DATA;
        infinite += 1;
    }
    infinite
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Plane, Size, Unit};

    use super::*;
    use crate::atomic::Existing;
    use crate::fits::{FrameSpec, Sample, write_frame};

    #[test]
    fn what_has_no_value_is_nan() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.fits");
        let samples = [1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, -0.0];
        let plane = Plane::from_vec(Size::new(6, 1), samples.to_vec()).unwrap();
        let mut frame = Frame::new(plane, Unit::Adu);
        let header = photosite_pix::Header::new();
        let spec =
            FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
        write_frame(&path, &[&frame], spec, Existing::Refuse).unwrap();
        let source = finite(crate::open(&path).unwrap());
        let mut out = [0.0; 6];
        source.read_rows(0, 0..1, &mut Vec::new(), &mut out).unwrap();
        let expected = [1.0, f32::NAN, f32::NAN, f32::NAN, f32::MAX, 0.0];
        assert!(out.iter().zip(expected).all(|(a, b)| *a == b || (a.is_nan() && b.is_nan())));
        frame.mask = Plane::filled(frame.size(), MaskBits::empty());
        assert_eq!(make_finite(&mut frame), 2);
        assert!(frame.data.get(1, 0).is_nan() && frame.data.get(2, 0).is_nan());
        assert_eq!(frame.mask.get(1, 0), MaskBits::NO_DATA);
        assert_eq!(frame.mask.get(0, 0), MaskBits::empty());
    }
}
