//! XISF, PixInsight's format: samples in rows from the file itself, keywords as FITS cards.
//!
//! - FITSKeyword elements become cards of their words. Properties of the instrument and the
//!   observation become cards `HIERARCH XISF <id>`, which rules of [`crate::keyword`] read where no
//!   keyword answers. A ColorFilterArray element becomes BAYERPAT, `imageType` IMAGETYP, `offset`
//!   PEDESTAL, each where the keyword is not there.
//! - Whole numbers are samples as they are. **Floating point with the bounds 0:1 and no BUNIT is
//!   taken to be ADU / 65535**, as PixInsight has it, and read as ADU; where a sample is the
//!   nearest number to a whole ADU / 65535, it is that whole ADU. Any other bounds: as they are.
//! - What is written is one block that is not packed, of 16-bit numbers or of 32-bit floating point
//!   in ADU as they are, with the bounds 0:65535 in every file (0:2 where BUNIT is blank: flats; 0:1
//!   where that range was asked for), whatever its samples are; those beyond are kept and counted; a pedestal is `offset` as well. Rows stay in the order of the source. There is no
//!   XISF:CreationTime, which the format asks for: the same inputs must give the same bytes.
//! - Rows run from the top, as the format has it.
//!
//! # Source
//! XISF1: XISF 1.0, sections 8 to 11.

mod cards;
mod file;
mod samples;
mod write;

pub(crate) use file::{open, probe};
pub use write::XisfWriter;
