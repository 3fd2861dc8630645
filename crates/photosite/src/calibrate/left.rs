//! What is left of a dark in a light that it calibrated, by the hot pixels of a strip of both.

use std::ops::Range;
use std::sync::Arc;

use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, Size};
use serde::{Deserialize, Serialize};

use super::dark::HotSites;
use super::masters::{Bias, MasterDark};

/// How much of a dark is left in a light: 0 where it fitted, less where too much was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Left {
    /// As a share of the dark.
    pub share: f64,
    /// Its standard error.
    pub error: f64,
}

/// Pixels of the strip: hundreds of hot ones, at no cost that is felt.
pub const STRIP_PIXELS: usize = 1 << 21;

/// The rows of a strip through the middle of a frame; the first is of the phase that the array begins with.
pub fn strip_rows(size: Size, cfa: Option<CfaPattern>) -> Range<usize> {
    let count = (STRIP_PIXELS / size.width.max(1)).clamp(1, size.height.max(1));
    let first = size.height.saturating_sub(count) / 2;
    let first = first - first % cfa.map_or(1, CfaPattern::period);
    first..(first + count).min(size.height)
}

/// Standard errors and shares of a dark from which something left is seen, and is wrong: half a degree, two
/// degrees.
const SIGMAS: f64 = 4.0;
const SEEN: f64 = 0.05;
const WRONG: f64 = 0.15;

impl Left {
    /// It is seen by its error and size.
    pub fn is_seen(self) -> bool {
        self.share.abs() > (SIGMAS * self.error).max(SEEN)
    }

    /// It is seen, and more than two degrees make.
    pub fn is_wrong(self) -> bool {
        self.is_seen() && self.share.abs() > WRONG
    }
}

/// The strip of a dark.
#[derive(Debug, Clone)]
pub(super) struct LeftOfDark {
    sites: HotSites,
    first_row: usize,
}

impl LeftOfDark {
    /// The strip through the middle of a dark; `None` where it cannot be told from its bias.
    pub fn new(dark: &MasterDark, bias: Option<&Bias>, cfa: Option<CfaPattern>) -> Option<Self> {
        let rows = strip_rows(dark.frame.size(), cfa);
        let bias = match bias {
            Some(Bias::Master(frame)) => Bias::Master(Arc::new(strip(frame, &rows)?)),
            Some(level) => level.clone(),
            None => Bias::Level(0.0),
        };
        let frame = Arc::new(strip(&dark.frame, &rows)?);
        let dark = MasterDark { frame, ..dark.clone() };
        let sites = HotSites::of(&dark, Some(&bias), cfa).ok()?;
        Some(Self { sites, first_row: rows.start })
    }

    /// How much of it is in a calibrated light, of which repairs `replaced` these columns, rows and samples; `flat`
    /// is what that was divided by.
    ///
    /// The hottest pixels, which are repaired, tell it best: what is faint was often hot in the dark alone.
    pub fn in_light(
        &self,
        (frame, replaced): (&Frame, &[(usize, usize, f32)]),
        flat: Option<&Frame>,
    ) -> Option<Left> {
        const MENDED: MaskBits = MaskBits::INTERPOLATED.union(MaskBits::NO_DATA);
        let own = |x: usize, y: usize| {
            let mask = frame.mask.get(x, y);
            if mask.contains(MaskBits::SATURATED) {
                return f32::NAN;
            }
            if !mask.intersects(MENDED) {
                return frame.data.get(x, y);
            }
            let found = replaced.binary_search_by_key(&(y, x), |&(x, y, _)| (y, x));
            found.map_or(f32::NAN, |i| replaced[i].2)
        };
        let fit = self.sites.fit(&self.sites.look_at(|x, y| {
            let y = self.first_row + y;
            // What was divided is as large as the dark again.
            own(x, y) * flat.map_or(1.0, |f| f.data.get(x, y))
        }));
        // What was hot in the dark alone does not speak for what is hot in both.
        let share = fit.k.filter(|_| !fit.holds(0.0))?;
        Some(Left { share, error: fit.error })
    }
}

/// Some rows of a frame.
fn strip(frame: &Frame, rows: &Range<usize>) -> Option<Frame> {
    let size = Size::new(frame.size().width, rows.len());
    let of = |plane: &Plane<f32>| Plane::from_vec(size, plane.rows(rows.start, rows.end).to_vec());
    let mut out = Frame::new(of(&frame.data)?, frame.unit);
    out.mask = Plane::from_vec(size, frame.mask.rows(rows.start, rows.end).to_vec())?;
    if let Some(variance) = &frame.variance {
        out.variance = Some(of(variance)?);
    }
    Some(out)
}
