//! A frame under its colour filter array as a source of three planes.
//!
//! ```
//! # use photosite_file::{atomic::Existing, fits::{FrameSpec, Sample, write_frame}};
//! # use photosite_pix::{Card, Frame, Header, Plane, Size, Unit};
//! # let write = |path: &std::path::Path, size: Size, adu: f32, cards: &[Card]| {
//! #     let header = Header::from_cards(cards.to_vec());
//! #     let frame = Frame::new(Plane::filled(size, adu), Unit::Adu);
//! #     let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
//! #     write_frame(path, &[&frame], spec, Existing::Refuse).unwrap();
//! # };
//! # let dir = tempfile::tempdir().unwrap();
//! use photosite::debayer::Debayered;
//! use photosite_file::Source;
//! use photosite_pix::CfaPattern;
//! use photosite_pix::debayer::Method;
//!
//! # let path = dir.path().join("light.fits");
//! # write(&path, Size::new(16, 16), 500.0, &[]);
//! let cfa = CfaPattern::parse("RGGB").unwrap();
//! let colours = Debayered::new(photosite::open::open(&path)?, cfa, Method::Bilinear).unwrap();
//! assert_eq!((colours.size(), colours.planes()), (Size::new(16, 16), 3));
//! let mut green = vec![0.0; 4 * 16];
//! colours.read_rows(1, 6..10, &mut Vec::new(), &mut green)?;
//! assert_eq!(green[20], 500.0);
//! # Ok::<(), photosite::Error>(())
//! ```

use std::ops::Range;
use std::path::Path;

use photosite_file::{Access, Result, Source, changed, check_rows};
use photosite_pix::debayer::{Debayer, Greens, Method, UnknownArray};
use photosite_pix::warp::Window;
use photosite_pix::{CfaPattern, Size};

/// A source over another: its frame debayered, red, green and blue.
///
/// Any range of rows has the same bytes whichever way it is asked for. Samples that are not finite
/// (those of a [`Masked`](crate::stack::Masked) source's holes among them) are missing: they are NaN
/// in the plane of their own colour and serve no neighbour.
pub struct Debayered {
    source: Box<dyn Source>,
    debayer: Debayer,
    /// Runs of clipped samples, by row.
    clipped: Vec<(usize, Range<usize>)>,
}

/// What errors of a wrong request speak of: the source below names its file itself.
const NAME: &str = "debayered frame";

impl Debayered {
    /// The frame of `source`, of one plane, whose filter array is `cfa`.
    ///
    /// # Errors
    /// When the method cannot be used with the array.
    pub fn new(
        source: Box<dyn Source>,
        cfa: CfaPattern,
        method: Method,
    ) -> std::result::Result<Self, UnknownArray> {
        Ok(Self { source, debayer: Debayer::new(cfa, method)?, clipped: Vec::new() })
    }

    /// The same, told which samples are clipped, as runs along rows, the first row first: what lies
    /// beside them is [bounded](Debayer::bound) by its neighbours.
    #[must_use]
    pub fn bounded(self, clipped: Vec<(usize, Range<usize>)>) -> Self {
        Self { clipped, ..self }
    }

    /// The same over a sky whose samples have this noise: [`Debayer::over_noise`].
    #[must_use]
    pub fn over_noise(self, noise: f64) -> Self {
        Self { debayer: self.debayer.over_noise(noise), ..self }
    }

    /// Fills three planes, one after the other.
    fn fill(&self, rows: Range<usize>, scratch: &mut Vec<u8>, out: &mut [f32]) -> Result<()> {
        let size = self.source.size();
        let needed = self.debayer.rows_needed(&rows, size);
        let mut samples = vec![0.0; needed.len() * size.width];
        self.source.read_rows(0, needed.clone(), scratch, &mut samples)?;
        let window = Window { samples: &samples, first_row: needed.start, width: size.width };
        let (red, rest) = out.split_at_mut(out.len() / 3);
        let (green, blue) = rest.split_at_mut(rest.len() / 2);
        self.debayer.fill(window, size, rows.clone(), [&mut *red, &mut *green, &mut *blue]);
        self.debayer.bound((window, size), rows, &self.clipped, [red, green, blue]);
        Ok(())
    }
}

/// A frame under a Bayer array, of one plane, with its greens brought to one response.
pub fn equalised(source: Box<dyn Source>, greens: Greens) -> Box<dyn Source> {
    let width = source.size().width;
    changed(source, move |rows, out| greens.equalise(out, rows.start, width))
}

impl Source for Debayered {
    fn size(&self) -> Size {
        self.debayer.picture_size(self.source.size())
    }

    fn planes(&self) -> usize {
        3
    }

    fn access(&self) -> Access {
        self.source.access()
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        check_rows(Path::new(NAME), (self.size(), 3), plane, &rows, out.len())?;
        let part = out.len();
        let mut all = vec![0.0; 3 * part];
        self.fill(rows, scratch, &mut all)?;
        out.copy_from_slice(&all[plane * part..(plane + 1) * part]);
        Ok(())
    }

    fn read_planes(
        &self,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        // Three planes of room, or none that fits.
        let part = if out.len().is_multiple_of(3) { out.len() / 3 } else { usize::MAX };
        check_rows(Path::new(NAME), (self.size(), 3), 0, &rows, part)?;
        self.fill(rows, scratch, out)
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::MaskBits;

    use super::*;
    use crate::stack::Masked;

    /// Samples in memory.
    struct Memory(Size, Vec<f32>);

    impl Source for Memory {
        fn size(&self) -> Size {
            self.0
        }

        fn planes(&self) -> usize {
            1
        }

        fn access(&self) -> Access {
            Access::Rows
        }

        fn read_rows(
            &self,
            _: usize,
            rows: Range<usize>,
            _: &mut Vec<u8>,
            out: &mut [f32],
        ) -> Result<()> {
            out.copy_from_slice(&self.1[rows.start * self.0.width..rows.end * self.0.width]);
            Ok(())
        }
    }

    #[test]
    fn any_rows_are_those_of_the_whole_and_masked_samples_are_holes() {
        let size = Size::new(29, 23);
        let samples: Vec<f32> = (0..size.pixels()).map(|i| ((i * 7919) % 101) as f32).collect();
        let mut mask = vec![0.0; size.pixels()];
        // The red pixel at (8, 10): hot. The blue one at (9, 11): hot and repaired.
        let (hot, repaired) = (10 * 29 + 8, 11 * 29 + 9);
        mask[hot] = f32::from(MaskBits::HOT.bits());
        mask[repaired] = f32::from((MaskBits::HOT | MaskBits::INTERPOLATED).bits());
        for method in Method::ALL {
            let cfa = CfaPattern::parse("RGGB").unwrap();
            let source = Box::new(Memory(size, samples.clone()));
            let mask = Box::new(Memory(size, mask.clone()));
            let picture = Debayered::new(Box::new(Masked { source, mask }), cfa, method).unwrap();
            let (size, mut raw) = (picture.size(), Vec::new());
            let mut whole = vec![0.0; 3 * size.pixels()];
            picture.read_planes(0..size.height, &mut raw, &mut whole).unwrap();
            for (y0, y1) in [(0, 1), (3, 9), (size.height - 2, size.height), (5, 5)] {
                let part = (y1 - y0) * size.width;
                let mut planes = vec![0.0; 3 * part];
                picture.read_planes(y0..y1, &mut raw, &mut planes).unwrap();
                for plane in 0..3 {
                    let start = plane * size.pixels() + y0 * size.width;
                    let mut one = vec![0.0; part];
                    picture.read_rows(plane, y0..y1, &mut raw, &mut one).unwrap();
                    let bits = |s: &[f32]| s.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&one), bits(&whole[start..start + part]));
                    assert_eq!(bits(&one), bits(&planes[plane * part..(plane + 1) * part]));
                }
            }
            let holes = whole.iter().filter(|v| v.is_nan()).count();
            assert_eq!(holes, 1, "{}", method.name());
            if method != Method::Superpixel {
                assert!(whole[hot].is_nan());
                assert_eq!(whole[2 * size.pixels() + repaired], samples[repaired]);
            }
            let mut room = vec![0.0; 5];
            assert!(picture.read_rows(3, 0..1, &mut raw, &mut room).is_err());
            assert!(picture.read_planes(0..size.height + 1, &mut raw, &mut room).is_err());
        }
    }
}
