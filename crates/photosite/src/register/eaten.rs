//! Whether stars keep the light in a picture that they have in its lights.

use photosite_pix::align::{Point, Transform};
use photosite_pix::stars::Star;
use photosite_pix::{Rect, stat};
use serde::{Deserialize, Serialize};

use super::part::LightPart;
use crate::measure::{StarField, SurveyedLight};

/// Stars that are compared, the brightest: more tell no more.
const MOST: usize = 300;
/// Fewer tell nothing.
pub(super) const LEAST: usize = 10;
/// Their signal over noise in a light is at least this.
pub(super) const SNR: f64 = 30.0;
/// A star lies where it is expected within so many pixels.
const NEAR_PX: f64 = 1.5;
/// Of so many of the lights it must be known.
const OF_LIGHTS: f64 = 0.7;
/// Widths of stars beyond this factor are of lights that defocus or a change of focus took apart.
const ALIKE: f64 = 2.0;
/// The others are to have less than the rest of the weight, or nothing is told.
const ALL_ALIKE: f64 = 0.9;
/// Flux that is lost by this share, and by so many of its errors, is a fault.
const LOST: f64 = 0.03;
/// Of lights under a filter array: their stars are those of a plainly interpolated green, wider than the
/// picture's, and wings beyond apertures differ.
const LOST_UNDER_ARRAY: f64 = 0.08;
pub(super) const ERRORS: f64 = 5.0;

/// The light of stars in a picture over that in its lights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StarsKept {
    /// The median ratio of fluxes: 1 where stars keep their light.
    pub ratio: f64,
    /// Its standard error.
    pub error: f64,
    /// Stars compared.
    pub stars: usize,
    /// The lights were under a filter array.
    #[serde(skip)]
    under_array: bool,
}

impl StarsKept {
    /// Compares stars of the picture with the weighted means of their fluxes in the lights; `part` of the
    /// reference's pixels is the picture. `None` where too few stars are in both.
    pub(crate) fn of(
        used: &[(&SurveyedLight, &LightPart)],
        picture: &StarField,
        part: Option<Rect>,
    ) -> Option<Self> {
        let (x0, y0) = part.map_or((0.0, 0.0), |p| (p.x0 as f64, p.y0 as f64));
        // Apertures follow the width of stars: fluxes of very other ones are of another share of their light.
        let width = |(light, part): &(&SurveyedLight, &LightPart)| {
            let registration = part.registration.as_ref()?;
            let scale = registration.transform.magnification(Point::new(x0, y0));
            light.field.fwhm_px.map(|fwhm| fwhm / scale)
        };
        let best = used.iter().max_by(|a, b| a.1.weight.total_cmp(&b.1.weight))?;
        let usual = width(best)?;
        let alike = |one: &&(&SurveyedLight, &LightPart)| {
            width(one).is_some_and(|width| (width / usual).ln().abs() < ALIKE.ln())
        };
        let lights: Vec<Catalogue<'_>> = used
            .iter()
            .filter(alike)
            .filter_map(|(light, part)| Catalogue::of(light, part))
            .collect();
        let whole: f64 = lights.iter().map(|l| l.weight).sum();
        if whole < ALL_ALIKE * used.iter().map(|(_, part)| part.weight).sum::<f64>() {
            return None;
        }
        let one = |star: &&Star| -> Option<f64> {
            let at = Point::new(star.x + x0, star.y + y0);
            let (mut flux, mut weight) = (0.0, 0.0);
            for light in &lights {
                if let Some(own) = light.at(light.transform.apply(at)) {
                    // A pixel of the picture holds what several of a finer light hold.
                    let area = light.transform.magnification(at).powi(2);
                    flux += light.weight * light.scale * own.flux / area;
                    weight += light.weight;
                }
            }
            (weight >= OF_LIGHTS * whole).then(|| star.flux * weight / flux)
        };
        let ratios: Vec<f64> = picture
            .stars
            .iter()
            .filter(|star| star.snr > SNR)
            .take(MOST)
            .filter_map(|star| one(&star))
            .filter(|r| r.is_finite())
            .collect();
        if ratios.len() < LEAST {
            return None;
        }
        let (ratio, scatter) = stat::median_scatter(&ratios);
        let error = 1.25 * scatter / (ratios.len() as f64).sqrt();
        let under_array = used.iter().any(|(light, _)| light.mosaic().is_some());
        Some(Self { ratio, error, stars: ratios.len(), under_array })
    }

    /// Stars hold less light than foretold: by rejection, or because apertures and scales differ.
    pub(crate) fn lost_some(self) -> bool {
        let lost = 1.0 - self.ratio;
        let least = if self.under_array { LOST_UNDER_ARRAY } else { LOST };
        lost >= least && lost >= ERRORS * self.error
    }
}

/// The stars of a light that are bright enough, by rising column.
struct Catalogue<'a> {
    transform: Transform,
    weight: f64,
    scale: f64,
    stars: Vec<&'a Star>,
}

impl<'a> Catalogue<'a> {
    fn of(light: &'a SurveyedLight, part: &LightPart) -> Option<Self> {
        let transform = part.registration.as_ref()?.transform;
        let scale = part.flux_scale.map_or(1.0, |s| s.scale);
        let mut stars: Vec<&Star> = light.field.stars.iter().filter(|s| s.snr > SNR).collect();
        stars.sort_by(|a, b| a.x.total_cmp(&b.x));
        Some(Self { transform, weight: part.weight, scale, stars })
    }

    /// The star nearest to a place of the light.
    fn at(&self, place: Point) -> Option<&Star> {
        let from = self.stars.partition_point(|s| s.x < place.x - NEAR_PX);
        let apart = |s: &Star| (s.x - place.x).hypot(s.y - place.y);
        let near = self.stars[from..].iter().take_while(|s| s.x <= place.x + NEAR_PX);
        let near = near.filter(|s| apart(s) <= NEAR_PX);
        near.copied().min_by(|a, b| apart(a).total_cmp(&apart(b)))
    }
}
