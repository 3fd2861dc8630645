//! Pure pixel numerics for astronomical calibration.
//!
//! Nothing here touches a file, a clock, a thread or a log: values in, values out, the same bytes
//! every time. Positions are (x, y), x fastest, 0-based, with the pixel centre at whole numbers.
//! Samples are `f32`, signed, and never clipped; a sample that is not known is NaN.

pub mod align;
pub mod border;
pub mod cfa;
pub mod chance;
pub mod combine;
pub mod debayer;
pub mod detector;
pub mod drizzle;
pub mod frame;
pub mod geom;
pub mod header;
pub mod linearity;
pub mod mask;
pub mod meta;
pub mod normal;
pub mod normalise;
pub mod overscan;
pub mod plane;
pub mod reject;
pub mod relief;
pub mod select;
pub mod slope;
pub mod spectrum;
pub mod stars;
pub mod stat;
pub mod stretch;
pub mod trails;
pub mod unit;
pub mod warp;
pub mod wcs;

pub use cfa::{CFA_LINE, CfaColor, CfaPattern};
pub use detector::{Amplifier, Detector, Overscan};
pub use frame::{Applied, Frame};
pub use geom::{Rect, Size};
pub use header::{Card, Header, Value};
pub use mask::MaskBits;
pub use meta::{FrameKind, Metadata, RowOrder, Unread};
pub use plane::Plane;
pub use unit::{Gain, NoiseModel, Unit};
