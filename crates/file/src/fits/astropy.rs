//! Frames as astropy's `CCDData` has them.

use std::path::Path;

use photosite_pix::{Card, Frame, Header, MaskBits, Plane};

use super::write::{Clipped, FitsWriter, ImageSpec, Sample};
use crate::atomic::Existing;
use crate::{Error, Result};

/// Writes frames as the planes of one image, with the extensions that `CCDData.read(path)` takes by itself:
/// MASK, 1 where a sample is not to be used (no light measured, or saturated), and where the variance is
/// known UNCERT, one standard deviation.
///
/// Samples are 32-bit floating point, NaN where nothing is known.
///
/// # Errors
/// When there is no frame, they differ in size, only some have a variance, the file exists and
/// `existing` refuses, or the disk is full.
///
/// # Source
/// AstropyNddata.
pub fn write_for_astropy(
    path: &Path,
    frames: &[&Frame],
    header: &Header,
    existing: Existing,
) -> Result<Clipped> {
    let Some(first) = frames.first() else {
        return Err(Error::request(path, "no frame was given to be written"));
    };
    let (size, known) = (first.size(), first.variance.is_some());
    if frames.iter().any(|f| f.size() != size || f.variance.is_some() != known) {
        return Err(Error::request(path, "the planes of one image must be of one size and kind"));
    }
    let image = |name: Option<&str>, sample, header| ImageSpec {
        name: name.map(str::to_owned),
        size,
        planes: frames.len(),
        sample,
        header,
    };
    let mut main = header.clone();
    main.set(Card::string("BUNIT", first.unit.bunit(), "unit of the samples"));
    let mut specs =
        vec![image(None, Sample::F32, main), image(Some("MASK"), Sample::Mask, Header::new())];
    if known {
        let mut header = Header::new();
        header.push(Card::string("BUNIT", first.unit.bunit(), "one standard deviation"));
        header.push(Card::string("UTYPE", "StdDevUncertainty", "kind of uncertainty"));
        specs.push(image(Some("UNCERT"), Sample::F32, header));
    }
    let writer = FitsWriter::create(path, specs, Vec::new(), existing)?;
    let no_use = |m: &MaskBits| m.is_hole() || m.contains(MaskBits::SATURATED);
    for (plane, frame) in frames.iter().enumerate() {
        let mask = Plane::from_vec(
            size,
            frame
                .mask
                .as_slice()
                .iter()
                .map(|m| MaskBits::from_bits_retain(no_use(m).into()))
                .collect(),
        );
        let mask = mask.expect("one entry a sample");
        for y in 0..size.height {
            writer.write_rows(0, plane, y, frame.data.rows(y, y + 1))?;
            writer.write_mask_rows(1, plane, y, mask.rows(y, y + 1))?;
            if let Some(variance) = &frame.variance {
                let sigma: Vec<f32> = variance.rows(y, y + 1).iter().map(|v| v.sqrt()).collect();
                writer.write_rows(2, plane, y, &sigma)?;
            }
        }
    }
    Ok(writer.finish()?[0])
}
