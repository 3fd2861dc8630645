//! How lights become one picture.

use photosite_pix::Size;
use photosite_pix::align::Alignment;
use photosite_pix::combine::Combine;
use photosite_pix::normalise::Normalise;
use photosite_pix::reject::Reject;
use serde::Serialize;

/// What a light's part in the mean goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// All count the same.
    None,
    /// The inverse variance of its noise, after normalisation.
    Noise,
    /// The square of its stars' typical signal over noise.
    Snr,
    /// The inverse variance of its noise over the square of its stars' width.
    Fwhm,
}

/// How lights become one picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Integration {
    /// What lights are laid over each other by; `None` where they are taken pixel by pixel.
    pub register: Option<Alignment>,
    /// How samples are rejected; by the number of lights where nothing is said.
    pub reject: Option<Reject>,
    /// How the kept ones are combined where weights do not say it.
    pub combine: Option<Combine>,
    /// How lights are brought to one level.
    pub normalise: Normalise,
    /// Their backgrounds are brought to the reference's everywhere, not only as a whole.
    pub local: bool,
    /// What their part in the mean goes by.
    pub weight: Weight,
    /// Samples are spread by drops instead of being interpolated.
    pub drizzle: Option<Drizzle>,
    /// The picture is cut to what every light covers.
    pub crop: bool,
    /// Counts of kept and rejected samples are kept for each pixel.
    pub maps: bool,
}

/// How samples are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drizzle {
    /// Pixels of the picture along one of the reference's.
    pub scale: f64,
    /// The side of a drop in pixels of a light.
    pub drop: f64,
    /// The colours of a filter array drop each for itself; nothing is interpolated between them.
    pub cfa: bool,
}

impl Integration {
    /// Pixels of the picture along one of the reference's.
    pub fn scale(&self) -> f64 {
        self.drizzle.map_or(1.0, |d| d.scale)
    }

    /// The size of the picture on the grid of a reference of `size`.
    pub fn picture_size(&self, size: Size) -> Size {
        let along = |n: usize| (n as f64 * self.scale()).round() as usize;
        Size::new(along(size.width), along(size.height))
    }
}

impl Default for Integration {
    /// Registered, brought to one level and scale, weighted by noise.
    fn default() -> Self {
        Self {
            register: Some(Alignment::Stars),
            reject: None,
            combine: None,
            normalise: Normalise::AdditiveScaled,
            local: false,
            weight: Weight::Noise,
            drizzle: None,
            crop: false,
            maps: false,
        }
    }
}
