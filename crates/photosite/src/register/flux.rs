//! How much of the light came through: each light's flux scale, and what it rests on.

use std::collections::BTreeMap;

use photosite_pix::Size;
use photosite_pix::align::{Point, Registration, Rules, Transform, coincident, register};
use photosite_pix::normalise::{
    Asked, Flux, FluxRatio, Seen, all_light_ratio, flux_ratio, structure_ratio,
};
use photosite_pix::stars::{FWHM_OF_SIGMA, Star};
use photosite_pix::stat::median_f64;
use serde::{Deserialize, Serialize};

use super::crowded::{Sight, traded};
use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;

/// What a flux scale rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ScaleSource {
    /// It is the light at whose level the others are.
    Level,
    /// Stars that both lights have.
    Stars,
    /// All that both lights show, stars and what lies between: a cluster, under unlike seeing.
    AllLight,
    /// A nebula that both lights have.
    Structure,
    /// Exposure, airmass and gain of their headers.
    Headers,
    /// Nothing: equal light is assumed.
    Assumed,
}

/// What a light's samples above the sky are multiplied with to hold as much light as those of the
/// light at whose level they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FluxScale {
    /// The factor.
    pub scale: f64,
    /// One standard deviation of it; `None` where nothing measured tells it.
    pub error: Option<f64>,
    /// What it rests on.
    pub source: ScaleSource,
    /// Stars that it is taken from, where it is.
    pub stars: Option<usize>,
    /// The relative error that comes of this light alone.
    #[serde(skip)]
    pub(super) own_error: f64,
    /// The relative error that comes of the light at whose level they are.
    #[serde(skip)]
    pub(super) shared_error: f64,
}

impl FluxScale {
    /// That of the light at whose level the others are.
    pub(super) const LEVEL: Self = Self::told(1.0, Some(0.0), ScaleSource::Level);

    fn relative_error(&self) -> f64 {
        self.own_error.hypot(self.shared_error)
    }

    /// Whether light tells it.
    pub(super) fn is_measured(&self) -> bool {
        !matches!(self.source, ScaleSource::Headers | ScaleSource::Assumed)
    }

    const fn told(scale: f64, error: Option<f64>, source: ScaleSource) -> Self {
        Self { scale, error, source, stars: None, own_error: 0.0, shared_error: 0.0 }
    }

    fn measured(ratio: FluxRatio, source: ScaleSource) -> Self {
        Self {
            scale: ratio.scale,
            error: Some(ratio.scale * ratio.error()),
            source,
            stars: (source == ScaleSource::Stars).then_some(ratio.count),
            own_error: ratio.own_error,
            shared_error: ratio.shared_error,
        }
    }
}

/// A light and where it lies on the common grid.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub light: &'a SurveyedLight,
    /// `None` where it lies on the reference pixel by pixel.
    pub place: Option<&'a Registration>,
}

impl Placed<'_> {
    fn transform(&self) -> Transform {
        self.place.map_or(Transform::IDENTITY, |r| r.transform)
    }

    /// Its pixels along one of the common grid, in the middle of that.
    fn step(&self, size: Size) -> f64 {
        let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
        self.transform().magnification(middle)
    }

    /// The width of its stars on the common grid.
    fn fwhm(&self, size: Size) -> Option<f64> {
        Some(self.light.field.fwhm_px? / self.step(size))
    }

    fn seen<'b>(&'b self, place: &'b Transform) -> Seen<'b> {
        Seen { structure: &self.light.structure, place, noise: self.light.block_noise }
    }

    /// Its stars by what they are among the reference's; its own where it has no place.
    fn by_reference(&self) -> BTreeMap<usize, usize> {
        self.place.map_or_else(BTreeMap::new, |r| r.pairs.iter().copied().collect())
    }

    /// Its stars, and where they lie on the common grid.
    fn on_the_grid(&self) -> (Vec<usize>, Vec<Point>) {
        let transform = self.transform();
        let on = |(i, at): (usize, Point)| Some((i, transform.invert(at)?));
        self.light.points().into_iter().enumerate().filter_map(on).unzip()
    }

    /// Whether the aperture of a star lies within the light.
    fn shows_whole(&self, star: usize) -> bool {
        let (Star { x, y, .. }, radius) =
            (self.light.field.stars[star], self.light.field.aperture_px);
        let within = |v: f64, end: usize| v >= radius && v + radius + 1.0 <= end as f64;
        within(x, self.light.size().width) && within(y, self.light.size().height)
    }

    /// A star's flux on the common grid: of a light that is interpolated to smaller pixels each
    /// holds as much as one of its own.
    fn flux(&self, star: usize, transform: &Transform) -> Flux {
        let Star { x, y, flux, flux_error, .. } = self.light.field.stars[star];
        let area = match transform.invert(Point::new(x, y)) {
            Some(_) if *transform == Transform::IDENTITY => 1.0,
            Some(at) => transform.magnification(at).powi(2),
            None => f64::NAN,
        };
        // Without a gain the sky tells how much electrons are worth, at the least.
        let noise = self.light.field.noise;
        let unknown = self.light.metadata.gain_e_per_adu.is_none();
        let worth = noise * noise / self.light.field.background.max(noise);
        let own = if unknown { flux.max(0.0) * worth } else { 0.0 };
        Flux { value: flux / area, error: (flux_error * flux_error + own).sqrt() / area }
    }
}

/// A ratio with a larger relative error is not taken.
const MOST_ERROR: f64 = 0.1;

/// A ratio of stars as good as this is taken without asking a nebula.
const GOOD_ERROR: f64 = 0.01;

/// What is asked of stars of lights of which nothing better is known.
const FAINT: Asked = Asked { fewest: 2, least_snr: 2.0, most_scatter: 2.0 };

/// What is asked of stars too sharp for their filter array, half of whose light or twice as much is seen, by where
/// they fall on it: fainter ones are found where they fall well.
const UNDERSAMPLED: Asked = Asked { fewest: 3, least_snr: 15.0, most_scatter: 1.0 };

/// Sigmas by which a ratio of stars that contradicts a nebula is none: knots were taken for stars.
const CONTRADICTS: f64 = 4.0;

/// So many stars that agree are stars, whatever structure says: that of a field full of stars too faint to be found, or
/// too sharp for their array, is no nebula's.
const MANY: usize = 25;

/// Knots of a nebula that were taken for stars are off by less, as seeing changes; a nebula that says more is the sky's
/// own unevenness.
const KNOTS: f64 = 1.5;

/// A nebula must be this much better known to be asked instead of stars.
const BETTER: f64 = 3.0;

/// Where nothing else tells, stars do that are fewer, fainter or at odds, with so large an error at most.
const FAINT_ERROR: f64 = 0.5;

/// What headers say is believed where such stars do not contradict it by so many of their errors.
const AGREES: f64 = 2.0;

/// The flux scale of a light against that of `level`: by stars in common, by a nebula in common, by
/// what headers say, or 1; `size` is that of the common grid.
pub(super) fn flux_scale(light: Placed<'_>, level: Placed<'_>, size: Size) -> FluxScale {
    let sound = |ratio: &FluxRatio| ratio.error() <= MOST_ERROR;
    let all = in_common(light, level);
    let whole =
        |(there, here): &&(usize, usize)| level.shows_whole(*there) && light.shows_whole(*here);
    let common: Vec<(usize, usize)> = all.iter().filter(whole).copied().collect();
    let (grown, unsure) = beyond_apertures(light, level, size, &common);
    let pairs = pairs(light, level, &common, grown);
    let crowded = by_neighbours(light, level, size, &common);
    // Neighbours trade light alike in all lights that are wider than the level.
    let sure = |r: FluxRatio| FluxRatio {
        own_error: r.own_error.hypot(unsure),
        shared_error: r.shared_error.hypot(crowded),
        ..r
    };
    let stars = flux_ratio(&pairs, Asked::USUAL).map(sure).filter(sound);
    if let Some(ratio) = stars.filter(|_| crowded > UNCROWDED)
        && let Some(all) = of_all_light(light, level, size, ratio)
    {
        return FluxScale::measured(all, ScaleSource::AllLight);
    }
    if let Some(ratio) = stars.filter(|ratio| ratio.error() <= GOOD_ERROR) {
        return FluxScale::measured(ratio, ScaleSource::Stars);
    }
    // What an array makes of stars that are too sharp for it, and too faint to be found, is no nebula either.
    let coarse = light.light.undersampled() || level.light.undersampled();
    let sharp = || flux_ratio(&pairs, UNDERSAMPLED).map(sure).filter(sound);
    if let Some(ratio) = if coarse { stars.or_else(sharp) } else { None } {
        return FluxScale::measured(ratio, ScaleSource::Stars);
    }
    let (own, wanted) = (light.transform(), level.transform());
    let (there, here) = (level.seen(&wanted), light.seen(&own));
    let structure = structure_ratio(there, here, size).filter(|found| {
        // What fits better in the same place of the sensor is none of the sky's.
        let fixed = structure_ratio(there, light.seen(&wanted), size);
        own == wanted || fixed.is_none_or(|fixed| fixed.rest > found.rest)
    });
    let structure = structure.map(|found| found.ratio).filter(sound);
    let instead = |stars: &FluxRatio, nebula: &FluxRatio| {
        let apart = (stars.scale / nebula.scale).ln().abs();
        if stars.count >= MANY || apart > KNOTS.ln() {
            return false;
        }
        // Well-known stars are none of its knots: faint structure may be the sensor's, or chance.
        nebula.error() < stars.error() && apart > CONTRADICTS * stars.error().hypot(nebula.error())
            || stars.error() > BETTER * nebula.error()
    };
    match (stars, structure) {
        (Some(ratio), Some(nebula)) if instead(&ratio, &nebula) => {
            FluxScale::measured(nebula, ScaleSource::Structure)
        }
        (Some(ratio), _) => FluxScale::measured(ratio, ScaleSource::Stars),
        (None, structure) => {
            let asked = if coarse { UNDERSAMPLED } else { FAINT };
            // Stars that a rim cuts tell more than nothing does.
            let cut = || flux_ratio(&self::pairs(light, level, &all, grown), FAINT);
            let faint = flux_ratio(&pairs, asked).or_else(cut);
            let faint = faint.filter(|ratio| ratio.error() <= FAINT_ERROR);
            // A sky's own unevenness is no nebula, and faint stars tell it from one.
            let apart = |nebula: &FluxRatio, stars: &FluxRatio| {
                (stars.scale / nebula.scale).ln().abs()
                    > KNOTS.ln().max(CONTRADICTS * stars.error())
            };
            match structure.filter(|nebula| !faint.is_some_and(|stars| apart(nebula, &stars))) {
                Some(nebula) => FluxScale::measured(nebula, ScaleSource::Structure),
                None => by_faint_stars(faint, by_headers(light, level, size)),
            }
        }
    }
}

/// The best lights by way of which a flux scale is looked for.
const WAYS: usize = 8;

/// The flux scale of a light that shares too little with the one at whose level they are, by way of one that has
/// enough in common with both, of those whose scale is known; `None` where none tells it better than `known`.
pub(super) fn by_way(
    light: Placed<'_>,
    ways: &[(Placed<'_>, FluxScale)],
    (size, known): (Size, FluxScale),
) -> Option<FluxScale> {
    let mut ways: Vec<_> = ways.iter().filter(|(_, way)| way.is_measured()).collect();
    ways.sort_by(|(_, a), (_, b)| a.relative_error().total_cmp(&b.relative_error()));
    let over = |(way, told): &&(Placed<'_>, FluxScale)| {
        let found = flux_scale(light, *way, size);
        let scale = found.scale * told.scale;
        let own_error = found.relative_error().hypot(told.own_error);
        let whole = own_error.hypot(told.shared_error);
        let told = FluxScale {
            scale,
            error: Some(scale * whole),
            own_error,
            shared_error: told.shared_error,
            ..found
        };
        // What passes for a nebula may be the sky's own unevenness, and there are stars to tell.
        let by_stars = matches!(found.source, ScaleSource::Stars | ScaleSource::AllLight);
        (by_stars && whole < FAINT_ERROR).then_some(told)
    };
    let found = ways.iter().copied().take(WAYS).filter_map(|way| over(&way));
    let best = found.min_by(|a, b| a.relative_error().total_cmp(&b.relative_error()))?;
    (known.error.is_none() || best.relative_error() < known.relative_error()).then_some(best)
}

/// What headers say, unless the few or faint stars in common contradict it; with the error that those have.
fn by_faint_stars(faint: Option<FluxRatio>, headers: FluxScale) -> FluxScale {
    let Some(ratio) = faint else { return headers };
    let stars = FluxScale::measured(ratio, ScaleSource::Stars);
    match (ratio.scale / headers.scale).ln().abs() < AGREES * ratio.error() {
        true => FluxScale { scale: headers.scale, source: headers.source, stars: None, ..stars },
        false => stars,
    }
}

/// The stars that two lights have in common, the level's first.
fn in_common(light: Placed<'_>, level: Placed<'_>) -> Vec<(usize, usize)> {
    match light.place {
        Some(_) if level.transform() == Transform::IDENTITY => {
            let there = level.by_reference();
            let here = light.by_reference();
            here.iter().filter_map(|(star, here)| Some((*there.get(star)?, *here))).collect()
        }
        // Two lights may share stars that the reference does not show.
        Some(_) => {
            let ((stars, there), (own, here)) = (level.on_the_grid(), light.on_the_grid());
            let pairs = coincident(&Transform::IDENTITY, &there, &here).into_iter();
            pairs.map(|(there, here)| (stars[there], own[here])).collect()
        }
        // Stacked pixel by pixel, lights may be a little beside each other all the same.
        None => {
            let (there, here) = (level.light.points(), light.light.points());
            match register(&there, &here, Rules::default()) {
                Some(found) => found.pairs,
                None => coincident(&Transform::IDENTITY, &there, &here),
            }
        }
    }
}

/// The fluxes of stars in common: wanted, and own, which is multiplied with `grown`.
fn pairs(
    light: Placed<'_>,
    level: Placed<'_>,
    common: &[(usize, usize)],
    grown: f64,
) -> Vec<(Flux, Flux)> {
    let (own, wanted) = (light.transform(), level.transform());
    let larger = |flux: Flux| Flux { value: grown * flux.value, error: grown * flux.error };
    let fluxes = |&(there, here): &(usize, usize)| {
        (level.flux(there, &wanted), larger(light.flux(here, &own)))
    };
    common.iter().map(fluxes).collect()
}

/// What neighbours make of fluxes does not matter below this.
const UNCROWDED: f64 = 0.001;

/// Windows that all light is compared in are so many times as wide as the wider stars.
const WINDOW: f64 = 12.0;

/// The ratio of all light, stars and what lies between them, which no seeing changes over windows far wider than stars;
/// `None` where it is known no better than that of stars, or contradicts it.
fn of_all_light(
    light: Placed<'_>,
    level: Placed<'_>,
    size: Size,
    stars: FluxRatio,
) -> Option<FluxRatio> {
    let window_px = WINDOW * light.fwhm(size)?.max(level.fwhm(size)?);
    let (own, wanted) = (light.transform(), level.transform());
    let found = all_light_ratio(
        (&level.light.all_light, &wanted),
        (&light.light.all_light, &own),
        (size, window_px, stars.scale),
    )?;
    let apart = (found.scale / stars.scale).ln().abs();
    let better = found.error() < stars.error();
    (better && apart < CONTRADICTS * found.error().hypot(stars.error())).then_some(found)
}

/// What neighbours make of fluxes where seeing differs, in shares of the light that they trade: sky and wings take
/// some of it back.
const NEIGHBOURS: f64 = 0.5;

/// Widths that differ by a smaller share trade nothing.
const ALIKE: f64 = 0.03;

/// Stars that tell it, the brightest.
const MOST_STARS: usize = 10_000;

/// The relative error that neighbours make of the fluxes of stars in common, as the sharper of two lights shows them.
fn by_neighbours(
    light: Placed<'_>,
    level: Placed<'_>,
    size: Size,
    common: &[(usize, usize)],
) -> f64 {
    let Some((there, here)) = level.fwhm(size).zip(light.fwhm(size)) else { return 0.0 };
    if (there / here).ln().abs() < ALIKE {
        return 0.0;
    }
    let sharper = if there <= here { level } else { light };
    let sight = |of: &Placed<'_>, fwhm: f64| Sight {
        aperture_px: of.light.field.aperture_px / of.step(size) * sharper.step(size),
        sigma_px: fwhm / FWHM_OF_SIGMA * sharper.step(size),
    };
    let stars = &sharper.light.field.stars;
    let stars = &stars[..stars.len().min(MOST_STARS)];
    let traded = traded(stars, [sight(&level, there), sight(&light, here)]);
    let index = |&(level, light): &(usize, usize)| if there <= here { level } else { light };
    let of_common: Vec<f64> =
        common.iter().filter_map(|pair| traded.get(index(pair)).copied()).collect();
    if of_common.is_empty() { 0.0 } else { NEIGHBOURS * median_f64(&of_common) }
}

/// Wings beyond apertures are known to such a share: some reach beyond where the sky is taken.
const UNSURE: f64 = 0.3;

/// The radius, in the larger of two apertures, within which two lights are compared.
const COMMON: f64 = 1.5;

/// What the fluxes of a light are multiplied with to hold the same share of their stars' light as those of the level,
/// and its relative error: each is of an aperture that goes by the light's own width, and wings may not.
fn beyond_apertures(
    light: Placed<'_>,
    level: Placed<'_>,
    size: Size,
    common: &[(usize, usize)],
) -> (f64, f64) {
    let aperture = |of: &Placed<'_>| of.light.field.aperture_px / of.step(size);
    let radius = COMMON * aperture(&light).max(aperture(&level));
    let [own, wanted] = [&light, &level].map(|of| (&of.light.field.growth, radius * of.step(size)));
    let (grown, error) = own.0.over(own.1, wanted, common).unwrap_or((1.0, 0.0));
    (grown, error.hypot(UNSURE * grown.ln()))
}

/// Extinction in magnitudes an airmass: that of a clear sky at sea level, in the middle of the visible.
///
/// # Source
/// Hayes1975.
const EXTINCTION_MAG: f64 = 0.2;

/// What headers say of the light that came in: exposure over exposure, the airmass's extinction, gains
/// and the pixel's share of the sky.
fn by_headers(light: Placed<'_>, level: Placed<'_>, size: Size) -> FluxScale {
    let area = |of: &Placed<'_>| of.step(size).powi(2);
    let share = area(&light) / area(&level);
    let share = if share.is_finite() && share > 0.0 { share } else { 1.0 };
    let exposure = |of: &Placed<'_>| of.light.metadata.exposure_s.filter(|t| *t > 0.0);
    let Some((own_s, wanted_s)) = exposure(&light).zip(exposure(&level)) else {
        return FluxScale::told(share, None, ScaleSource::Assumed);
    };
    let airmass =
        |of: &Placed<'_>| of.light.header.get_f64("AIRMASS").filter(|x| (1.0..=20.0).contains(x));
    let longer = airmass(&light).zip(airmass(&level)).map_or(0.0, |(own, wanted)| own - wanted);
    let gain = |of: &Placed<'_>| of.light.metadata.gain_e_per_adu.map(|g| g.e_per_adu());
    let gains = gain(&light).zip(gain(&level)).map_or(1.0, |(own, wanted)| own / wanted);
    let scale = wanted_s / own_s * 10f64.powf(0.4 * EXTINCTION_MAG * longer) * gains * share;
    FluxScale::told(scale, None, ScaleSource::Headers)
}

/// Names that a finding lists.
const LISTED: usize = 5;

/// No air lets through so many times the light that it lets through in the light in the middle of all.
const BRIGHTER: f64 = 3.0;

/// Which lights hold so many times the light that headers let expect, beside the others, of each light's scale over that
/// by headers.
fn brighter(over_headers: &[f64]) -> Vec<(usize, f64)> {
    let usual = median_f64(over_headers);
    let times = over_headers.iter().map(|scale| usual / scale).enumerate();
    times.filter(|(_, times)| *times > BRIGHTER).collect()
}

/// Pixels of another size than that are of another telescope, which may catch more light.
const OF_ONE_TELESCOPE: std::ops::Range<f64> = 0.87..1.15;

/// Tells of lights whose stars have far more light than exposure, airmass and gain let expect.
pub(super) fn too_bright(
    told: &[(Placed<'_>, FluxScale)],
    level: Placed<'_>,
    size: Size,
) -> Vec<Finding> {
    let known = told.iter().filter_map(|(light, told)| {
        let expected = by_headers(*light, level, size);
        let alike = OF_ONE_TELESCOPE.contains(&(light.step(size) / level.step(size)));
        let both = alike && told.is_measured() && expected.source == ScaleSource::Headers;
        both.then_some((light.light, told.scale / expected.scale))
    });
    let (lights, over): (Vec<&SurveyedLight>, Vec<f64>) = known.unzip();
    let finding = |(i, times): (usize, f64)| {
        let message = format!(
            "what was taken for its stars has {times:.1} times the light that exposure, airmass and gain let expect beside \
             the other lights: its header is wrong, or these are no stars, as knots of a nebula"
        );
        let subject = lights[i].path().display().to_string();
        Finding::new("light-outlier", Severity::Warning, subject, message)
            .hint("Look at its stars in the stack; leave it out with --exclude if they lie elsewhere.")
            .with("times", times)
    };
    brighter(&over).into_iter().map(finding).collect()
}

/// That some lights' flux scales rest on no light; `None` where all do.
pub(super) fn not_measured(
    told: &[(&SurveyedLight, FluxScale)],
    level: &SurveyedLight,
) -> Option<Finding> {
    let lights: Vec<_> = told.iter().filter(|(_, told)| !told.is_measured()).collect();
    let (first, _) = lights.first()?;
    let mut names: Vec<String> =
        lights.iter().take(LISTED).map(|(light, _)| light.name()).collect();
    if lights.len() > LISTED {
        names.push(format!("{} more", lights.len() - LISTED));
    }
    let assumed = lights.iter().filter(|(_, told)| told.source == ScaleSource::Assumed).count();
    let taken = match assumed {
        0 => "it is taken from exposure, airmass and gain".to_owned(),
        n if n == lights.len() => "it is taken to be equal".to_owned(),
        n => format!(
            "it is taken from exposure, airmass and gain, for {n} without those to be equal"
        ),
    };
    let message = format!(
        "how much light came through is not measured against {} (fewer than three stars in common, \
         no nebula that stands out of the noise); {taken}: {}",
        level.name(),
        names.join(", ")
    );
    let subject = first.path().display().to_string();
    let finding = Finding::new("flux-scale-assumed", Severity::Warning, subject, message)
        .hint("Inspect them: under cloud they dim the stack; leave out those that show little.")
        .with("lights", lights.len());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lights_are_too_bright_beside_most_of_the_others() {
        // Under cloud scales are larger, and the level may be any of them.
        assert!(brighter(&[1.0, 1.1, 4.0, 12.0, 0.9]).is_empty());
        assert_eq!(brighter(&[1.0, 1.0, 0.025, 1.0, 1.0]), vec![(2, 40.0)]);
        assert!(brighter(&[1.0, 0.04, 0.04, 0.04]).iter().all(|(i, _)| *i != 0));
        assert!(brighter(&[]).is_empty());
    }
}
