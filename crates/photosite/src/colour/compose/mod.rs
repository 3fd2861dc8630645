//! Pictures through several filters made one colour picture: neutral background, channels balanced
//! by stars, luminance from a picture of its own; linear in the light, with its variance and mask.
//!
//! ```
//! use photosite::colour::compose::{Formula, Palette};
//!
//! assert_eq!(Palette::of(&["L", "R", "G", "B"]), Some(Palette::Lrgb));
//! let green: Formula = "0.4 Ha + 0.6*OIII".parse().unwrap();
//! assert_eq!(green.terms(), [(0.4, "Ha".to_owned()), (0.6, "OIII".to_owned())]);
//! ```

mod balance;
mod formula;
mod laid;
mod luminance;
mod sky;

use photosite_pix::{Frame, MaskBits};
use serde::Serialize;

pub use balance::{Balance, Channel, balance, recoloured};
pub use formula::Formula;
pub use laid::lay;
pub use luminance::with_luminance;
pub use sky::common_sky;

/// What pictures through several filters become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Palette {
    /// Luminance with the colours of red, green and blue.
    Lrgb,
    /// Red, green and blue.
    Rgb,
    /// Hydrogen alpha as red, doubly ionised oxygen as green and blue.
    Hoo,
    /// Ionised sulphur as red, hydrogen alpha as green, doubly ionised oxygen as blue.
    Sho,
}

impl Palette {
    /// Every palette; of two with as many filters the commoner one first.
    pub const ALL: [Self; 4] = [Self::Lrgb, Self::Rgb, Self::Sho, Self::Hoo];

    /// The name as pictures are known by it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lrgb => "LRGB",
            Self::Rgb => "RGB",
            Self::Hoo => "HOO",
            Self::Sho => "SHO",
        }
    }

    /// The filters it is made of, in the order in which people name them.
    pub fn filters(self) -> &'static [&'static str] {
        match self {
            Self::Lrgb => &["L", "R", "G", "B"],
            Self::Rgb => &["R", "G", "B"],
            Self::Hoo => &["Ha", "OIII"],
            Self::Sho => &["SII", "Ha", "OIII"],
        }
    }

    /// The filter of red, green and blue, and of luminance.
    pub fn channels(self) -> ([&'static str; 3], Option<&'static str>) {
        match self {
            Self::Lrgb => (["R", "G", "B"], Some("L")),
            Self::Rgb => (["R", "G", "B"], None),
            Self::Hoo => (["Ha", "OIII", "OIII"], None),
            Self::Sho => (["SII", "Ha", "OIII"], None),
        }
    }

    /// The palette that just these filters make.
    pub fn of(names: &[&str]) -> Option<Self> {
        let same = |p: &Self| {
            p.filters().len() == names.len() && p.filters().iter().all(|f| names.contains(f))
        };
        Self::ALL.into_iter().find(same)
    }
}

/// Frames of one size in given parts, one part each: a channel. Where one of them has no sample the
/// channel has none; masks join, variances add by the square of the part.
///
/// # Panics
/// When there are no parts.
pub fn mixed(parts: &[(f64, &Frame)]) -> Frame {
    let mut out = parts[0].1.clone();
    let known = parts.iter().all(|(_, f)| f.variance.is_some());
    for i in 0..out.size().pixels() {
        let (mut sum, mut variance, mut bits) = (0.0, 0.0, MaskBits::empty());
        for (part, frame) in parts {
            sum += part * f64::from(frame.data.as_slice()[i]);
            bits |= frame.mask.as_slice()[i];
            let own = frame.variance.as_ref().map_or(0.0, |v| f64::from(v.as_slice()[i]));
            variance += part * part * own;
        }
        out.data.as_mut_slice()[i] = sum as f32;
        out.mask.as_mut_slice()[i] = bits;
        if let Some(v) = &mut out.variance {
            v.as_mut_slice()[i] = variance as f32;
        }
    }
    out.variance = out.variance.filter(|_| known);
    out
}
