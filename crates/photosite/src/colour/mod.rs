//! CFA frames debayered, lines and colours extracted from them, and pictures through several filters
//! made one colour picture.
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
//! use photosite::Workplace;
//! use photosite::colour::debayer_file;
//! use photosite_file::read_frames;
//!
//! # let (input, output) = (dir.path().join("light.fits"), dir.path().join("colour.fits"));
//! # write(&input, Size::new(16, 16), 500.0, &[Card::string("BAYERPAT", "RGGB", "")]);
//! let work = Workplace::new();
//! let made = debayer_file(&input, &output, None, &work.context())?;
//! assert_eq!((made.planes.len(), made.width, made.cfa.to_string()), (3, 16, "RGGB".to_owned()));
//! let (frames, _) = read_frames(&output)?;
//! assert_eq!(frames[2].data.get(8, 8), 500.0);
//! # Ok::<(), photosite::Error>(())
//! ```

pub mod compose;
mod mix;
mod mosaic;
mod picture;

pub use picture::{ColourProduct, Extract, PlaneSummary, debayer_file, extract};
