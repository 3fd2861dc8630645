//! Stars of a frame, found on all threads.

use std::sync::Mutex;

use photosite_pix::stars::{
    Candidate, Criteria, FWHM_OF_SIGMA, Matched, Mesh, SHAPELY_SNR, Shape, Star, in_rows, measure,
    on_one_line,
};
use photosite_pix::stat::{median_in_place, median_scatter};
use photosite_pix::{CfaColor, CfaPattern, MaskBits, Plane, Size};
use serde::{Deserialize, Serialize};

use super::growth::Growth;
use crate::Result;
use crate::work::{Context, for_each, on_each};

/// The stars of a frame, the brightest first, and what they stand on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StarField {
    /// Stars by falling flux.
    #[serde(with = "rows_of_numbers")]
    pub stars: Vec<Star>,
    /// What passes for stars and is none, because it stands in a row as pieces of trails and blinks of aircraft do.
    #[serde(default)]
    pub in_rows: usize,
    /// The median full width at half maximum of the well measured stars in pixels; `None` without
    /// any.
    pub fwhm_px: Option<f64>,
    /// The median of their roundness.
    pub roundness: Option<f64>,
    /// The typical background, in the unit of the samples.
    pub background: f64,
    /// The typical noise of a sample, in the unit of the samples.
    pub noise: f64,
    /// The background everywhere.
    pub mesh: Mesh,
    /// The radius in pixels that fluxes are summed within.
    pub aperture_px: f64,
    /// How their light grows beyond it.
    #[serde(default)]
    pub growth: Growth,
}

/// Stars in a record: thousands of them, one a row.
mod rows_of_numbers {
    use photosite_pix::stars::Star;
    use photosite_pix::{Plane, Size};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const COLUMNS: usize = 9;

    pub(super) fn serialize<S: Serializer>(stars: &[Star], to: S) -> Result<S::Ok, S::Error> {
        let rows = |x: usize, y: usize| {
            let Star { x: column, y: row, flux, flux_error, snr, peak, .. } = stars[y];
            let Star { background, fwhm_px, roundness, .. } = stars[y];
            [column, row, flux, flux_error, snr, peak, background, fwhm_px, roundness][x]
        };
        Plane::from_fn(Size::new(COLUMNS, stars.len()), rows).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Star>, D::Error> {
        let rows = Plane::<f64>::deserialize(from)?;
        let star = |row: &[f64; COLUMNS]| {
            let [x, y, flux, flux_error, snr, peak, background, fwhm_px, roundness] = *row;
            Star { x, y, flux, flux_error, snr, peak, background, fwhm_px, roundness }
        };
        Ok(rows.as_slice().as_chunks::<COLUMNS>().0.iter().map(star).collect())
    }
}

impl StarField {
    /// Makes the background's part of the errors of fluxes what it is where neighbours share samples: the
    /// noise of means over pixels is `shared` times that of independent ones, and each flux has the
    /// `relative` error beside. Where stars' own noise is
    /// not in them, because no gain is known, the errors of the samples tell both.
    ///
    /// Those are not taken elsewhere: on sharp stars a stack's samples scatter by how each light's pixels
    /// cut them, which their sum does not.
    pub fn know_errors(
        &mut self,
        variance: Option<&Plane<f32>>,
        gain_known: bool,
        (shared, relative): (f64, f64),
    ) {
        let area = std::f64::consts::PI * self.aperture_px * self.aperture_px;
        for star in &mut self.stars {
            let samples = variance.filter(|_| !gain_known);
            let own = samples.and_then(|v| within(v, star, self.aperture_px));
            let noise = self.mesh.sigma_at(star.x, star.y);
            let more = (shared * shared - 1.0) * area * noise * noise;
            let without = star.flux_error * star.flux_error + more;
            let alone = own.map_or(without, |own| shared * shared * own).max(0.0);
            star.flux_error = (alone + (relative * star.flux).powi(2)).sqrt();
        }
    }
}

/// The variance of what lies within an aperture about a star; `None` where less than half of it is known.
fn within(variance: &Plane<f32>, star: &Star, radius: f64) -> Option<f64> {
    let (mut sum, mut area) = (0.0, 0.0);
    for (x, y, away) in pixels_about(star, radius, variance.size()) {
        let share = (radius + 0.5 - away).clamp(0.0, 1.0);
        let v = f64::from(variance.get(x, y));
        if v.is_finite() {
            sum += share * v;
            area += share;
        }
    }
    let whole = std::f64::consts::PI * radius * radius;
    (area > 0.5 * whole).then(|| sum * whole / area)
}

/// The pixels in the square of a radius about a star, row after row, and how far each is from it.
pub fn pixels_about(
    star: &Star,
    radius: f64,
    size: Size,
) -> impl Iterator<Item = (usize, usize, f64)> + use<> {
    let range = |c: f64, end: usize| {
        (c - radius).floor().max(0.0) as usize..((c + radius + 2.0).max(0.0) as usize).min(end)
    };
    let (columns, rows) = (range(star.x, size.width), range(star.y, size.height));
    let (x0, y0) = (star.x, star.y);
    rows.flat_map(move |y| columns.clone().map(move |x| (x, y)))
        .map(move |(x, y)| (x, y, (x as f64 - x0).hypot(y as f64 - y0)))
}

/// Rows in which one call looks for stars.
const BAND: usize = 128;

/// The profile that a first look is made with, one sigma in pixels: a star of 3 pixels' width.
const FIRST_SIGMA_PX: f64 = 1.27;

/// The profile of undersampled stars, one sigma in pixels: by that of a usual star they are no wider
/// than hot pixels. It is tried where a first look finds fewer stars than a registration needs, or pieces of one
/// trail, and believed where it finds so many: particles pass for them now and then.
const NARROW_SIGMA_PX: f64 = 0.55;
const FEW: usize = 3;
const MANY: usize = 10;

/// So many of the stars that a look finds tell whether they are pieces of a trail.
const OF_A_TRAIL: usize = 50;

/// A first look wants stars that stand this far out of the noise: they show the profile.
const FIRST_SNR: f64 = 15.0;

/// Widths are taken from this many of the brightest stars.
const WIDTHS: usize = 200;

/// A profile this much off is looked for again with the right one.
const OFF: f64 = 0.12;

/// Looks at most; each comes nearer to the profile's width.
const LOOKS: usize = 4;

/// A first look goes through one band of so many, if it shows enough stars.
const FIRST_BANDS: usize = 8;

/// Stars that show the profile.
const ENOUGH: usize = 50;

/// Brightest candidates of a band that a first look measures.
const MOST_A_BAND: usize = 200;

/// Stars that a mount or a lens has drawn out are at least so round; they are taken for stars where most of
/// what is found is as long as each other: tracks and trails are of all lengths.
const DRAWN_OUT: f64 = 0.15;
const MOST: usize = 3;
const ALIKE: f64 = 0.1;

/// Where stars are drawn out, what is less round than this share of what is usual is none.
const ROUNDER: f64 = 0.6;

/// Times the typical width beyond which nothing is a star, noise of faint ones' widths included.
const WIDEST: f64 = 2.5;

/// Finds the stars of a frame.
///
/// The width of the profile is found first, from bright stars; then all stars are looked for with
/// it. `gain_e` is electrons per unit of the samples, for the errors of fluxes.
///
/// # Errors
/// When the work is cancelled.
pub fn find_stars(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    gain_e: Option<f64>,
    criteria: Criteria,
    context: &Context<'_>,
) -> Result<StarField> {
    find_stars_over(data, mask, background(data, mask, context)?, (gain_e, criteria), context)
}

/// The same of a frame under a filter array: level and noise of the sky are those of each colour by itself. The
/// samples are brought to one level of the sky, their mean; the light of stars stays what it is.
///
/// # Errors
/// When the work is cancelled.
pub fn find_stars_of_mosaic(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    cfa: CfaPattern,
    (gain_e, criteria): (Option<f64>, Criteria),
    context: &Context<'_>,
) -> Result<StarField> {
    let size = data.size();
    let of = |colour| mesh_of(data, mask, Some((cfa, colour)), context);
    let [red, green, blue] = CfaColor::ALL;
    let colours = [of(red)?, of(green)?, of(blue)?];
    let mesh = Mesh::of_colours(&colours, cfa);
    let mut level = data.clone();
    let mut rows = [0; 4].map(|_| vec![0.0; size.width]);
    for y in 0..size.height {
        for (row, mesh) in rows.iter_mut().zip(colours.iter().chain([&mesh])) {
            mesh.level_row(y, row);
        }
        for (x, v) in level.row_mut(y).iter_mut().enumerate() {
            *v += rows[3][x] - rows[cfa.color(x, y).channel()][x];
        }
    }
    find_stars_over(&level, mask, mesh, (gain_e, criteria), context)
}

fn find_stars_over(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    mesh: Mesh,
    (gain_e, criteria): (Option<f64>, Criteria),
    context: &Context<'_>,
) -> Result<StarField> {
    let size = data.size();
    let count = size.height.div_ceil(BAND);
    let shape_of = |(sigma_px, hollow): (f64, bool)| {
        let matched = Matched::new(sigma_px).of_shared_noise(criteria.shared);
        let (sigma_px, match_gain) = (matched.sigma_px(), matched.gain());
        (matched, Shape { sigma_px, match_gain, gain_e, hollow })
    };
    let look_for = |profile: (f64, bool), criteria: Criteria, bands: &[usize], most: usize| {
        let (matched, shape) = shape_of(profile);
        let found: Vec<Mutex<Vec<Star>>> = bands.iter().map(|_| Mutex::default()).collect();
        for_each(
            bands.len(),
            context,
            || (),
            |(), i| {
                let rows = bands[i] * BAND..((bands[i] + 1) * BAND).min(size.height);
                let least = criteria.snr as f32;
                let mut candidates = matched.candidates(data, mask, &mesh, rows, least);
                if candidates.len() > most {
                    candidates.sort_by(|a, b| b.snr.total_cmp(&a.snr));
                    candidates.truncate(most);
                }
                let stars = candidates
                    .into_iter()
                    .filter_map(|c: Candidate| measure(data, mask, &mesh, c, shape, criteria));
                *found[i].lock().expect("no holder panics") = stars.collect();
                Ok(())
            },
        )?;
        let found = found.into_iter().flat_map(|f| f.into_inner().expect("no holder panics"));
        let mut stars = once_each(found.collect(), matched.sigma_px());
        // Some bands say nothing of what is in a row.
        let in_row = if bands.len() == count { in_rows(&stars, size) } else { Vec::new() };
        let mut in_row = in_row.into_iter();
        let all = stars.len();
        stars.retain(|_| !in_row.next().unwrap_or(false));
        Ok::<_, crate::Error>((all - stars.len(), stars))
    };
    let look = |sigma_px: f64, criteria: Criteria, bands: &[usize], most: usize| {
        look_for((sigma_px, false), criteria, bands, most).map(|(_, stars)| stars)
    };
    let all: Vec<usize> = (0..count).collect();
    let some: Vec<usize> = (FIRST_BANDS / 2..count).step_by(FIRST_BANDS).collect();
    let mut sigma_px = FIRST_SIGMA_PX;
    let mut criteria = criteria;
    let mut known = 0;
    for turn in 0..LOOKS {
        let first = Criteria { snr: FIRST_SNR.max(criteria.snr), ..criteria };
        let mut bright = look(sigma_px, first, &some, MOST_A_BAND)?;
        if bright.len() < ENOUGH {
            bright = look(sigma_px, first, &all, MOST_A_BAND)?;
            if turn == 0 {
                let long = Criteria { roundness: DRAWN_OUT.min(criteria.roundness), ..first };
                let drawn = look(sigma_px, long, &all, MOST_A_BAND)?;
                if let Some(usual) = drawn_out(&drawn, &bright) {
                    criteria.roundness = criteria.roundness.min(ROUNDER * usual);
                    bright = drawn;
                }
            }
        }
        let few = bright.len() < FEW || of_a_trail(&bright);
        if few && sigma_px == FIRST_SIGMA_PX {
            let narrow = look(NARROW_SIGMA_PX, first, &all, MOST_A_BAND)?;
            if narrow.len() >= MANY && !of_a_trail(&narrow) {
                (bright, sigma_px) = (narrow, NARROW_SIGMA_PX);
            }
        }
        known = bright.iter().filter(|s| s.fwhm_px > 0.0).count();
        let Some(fwhm) = usual_width(&bright) else { break };
        let before = std::mem::replace(&mut sigma_px, fwhm / FWHM_OF_SIGMA);
        if (sigma_px / before - 1.0).abs() < OFF {
            break;
        }
    }
    let first = Criteria { snr: FIRST_SNR.max(criteria.snr), ..criteria };
    let hollow = if known < MANY {
        rings(data, known, |sigma_px| {
            let window_px = shape_of((sigma_px, true)).1.window_px();
            Ok((look_for((sigma_px, true), first, &all, MOST_A_BAND)?.1, window_px))
        })?
    } else {
        None
    };
    let mut profile = (hollow.unwrap_or(sigma_px), hollow.is_some());
    let (mut in_rows, mut stars) = look_for(profile, criteria, &all, usize::MAX)?;
    let mut fwhm_px = usual_width(&stars);
    // A trail may have told the first width.
    if let Some(own) = fwhm_px.map(|f| f / FWHM_OF_SIGMA).filter(|_| in_rows > 0 && !profile.1)
        && (own / profile.0 - 1.0).abs() > OFF
    {
        profile.0 = own;
        (in_rows, stars) = look_for(profile, criteria, &all, usize::MAX)?;
        fwhm_px = usual_width(&stars);
    }
    // Slopes of the background and nebulae match a little as well; they are much wider.
    if let Some(widest) = fwhm_px.map(|f| WIDEST * f) {
        stars.retain(|s| s.fwhm_px.is_nan() || s.fwhm_px <= widest);
    }
    let (background, noise) = mesh.typical();
    let roundness = typical(&stars, |s| s.roundness);
    let (_, shape) = shape_of(profile);
    let aperture_px = shape.aperture_px();
    let growth = Growth::of(data, mask, &mesh, (&stars, aperture_px));
    Ok(StarField {
        stars,
        in_rows,
        fwhm_px,
        roundness,
        background,
        noise,
        mesh,
        aperture_px,
        growth,
    })
}

/// Profiles that rings are looked for with, one sigma in pixels: the middle of a ring stands out where the profile
/// reaches it.
const RING_SIGMAS_PX: [f64; 3] = [8.0, 4.5, 2.5];

/// Rings of one frame have widths that scatter by less than this share.
const RINGS_ALIKE: f64 = 0.15;

/// The profile of stars that are rings, as a telescope out of focus shows them, one sigma in pixels; `None` where
/// there are not more of them than the stars that are `known` and enough for a registration. `look` finds stars by a
/// profile, and says under what window.
fn rings(
    data: &Plane<f32>,
    known: usize,
    look: impl Fn(f64) -> Result<(Vec<Star>, f64)>,
) -> Result<Option<f64>> {
    let mut best: Option<(usize, f64)> = None;
    for sigma_px in RING_SIGMAS_PX {
        let (bright, window_px) = look(sigma_px)?;
        // The root of the mean square distance of a star's light from its middle, as the window shows it.
        let radius =
            |s: &Star| (2.0 / ((FWHM_OF_SIGMA / s.fwhm_px).powi(2) + window_px.powi(-2))).sqrt();
        let wide = bright.iter().filter(|s| s.fwhm_px > 0.0);
        let hollow: Vec<f64> = wide.filter(|s| is_ring(data, s, radius(s))).map(radius).collect();
        let (usual, scatter) = median_scatter(&hollow);
        let many = hollow.len() >= FEW.max(known + 1) && 2 * hollow.len() >= bright.len();
        if many && scatter < RINGS_ALIKE * usual && best.is_none_or(|(n, _)| hollow.len() > n) {
            best = Some((hollow.len(), usual));
        }
    }
    Ok(best.map(|(_, sigma_px)| sigma_px))
}

/// Whether most of what was found are pieces of one trail.
fn of_a_trail(stars: &[Star]) -> bool {
    let step = stars.len().div_ceil(OF_A_TRAIL).max(1);
    on_one_line(&stars.iter().step_by(step).copied().collect::<Vec<Star>>())
}

/// Whether a star is as bright at a distance from its middle as there, and ends beyond: a star in focus would be half as
/// bright, and a wide knot of a nebula does not end.
fn is_ring(data: &Plane<f32>, star: &Star, radius_px: f64) -> bool {
    const AS_BRIGHT: f64 = 0.8;
    const ENDS: f64 = 0.4;
    let mean = |from: f64, to: f64| {
        let about = pixels_about(star, to * radius_px, data.size());
        let (mut sum, mut count) = (0.0, 0usize);
        for (x, y, away) in about {
            let v = f64::from(data.get(x, y)) - star.background;
            if (from..to).contains(&(away / radius_px)) && v.is_finite() {
                sum += v;
                count += 1;
            }
        }
        sum / count as f64
    };
    let ring = mean(0.8, 1.2);
    ring > AS_BRIGHT * mean(0.0, 0.4).max(0.0) && mean(1.7, 2.1) < ENDS * ring
}

/// The background of a frame everywhere, on all threads.
///
/// # Errors
/// When the work is cancelled.
pub fn background(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    context: &Context<'_>,
) -> Result<Mesh> {
    mesh_of(data, mask, None, context)
}

/// The background of a frame, or of one colour of it under a filter array.
fn mesh_of(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    colour: Option<(CfaPattern, CfaColor)>,
    context: &Context<'_>,
) -> Result<Mesh> {
    Mesh::measured(data, mask, colour, |rows, row| {
        on_each(rows, context, |i| Ok(row(i)))?.into_iter().collect()
    })
}

/// Widths within this factor of the most frequent one are those of stars.
const SPREAD: f64 = 1.3;

/// The median of the widths that crowd most, of the brightest stars that are well measured: what noise
/// makes of a nebula, dust and halos have widths of all kinds.
///
/// # Source
/// Bickel2006, the half-sample mode.
fn usual_width(stars: &[Star]) -> Option<f64> {
    let good = stars.iter().filter(|s| s.snr >= FIRST_SNR && s.fwhm_px > 0.0);
    let mut widths: Vec<f64> = good.map(|s| s.fwhm_px).take(WIDTHS).collect();
    widths.sort_by(f64::total_cmp);
    let mut densest = &widths[..];
    while densest.len() > 3 {
        let half = densest.len().div_ceil(2);
        let parts = densest.windows(half);
        let by_factor =
            |a: &&[f64], b: &&[f64]| (a[half - 1] / a[0]).total_cmp(&(b[half - 1] / b[0]));
        densest = parts.min_by(by_factor)?;
    }
    let mode = *densest.get(densest.len() / 2)?;
    let near = widths.iter().filter(|w| **w < SPREAD * mode && **w * SPREAD > mode);
    let mut near: Vec<f32> = near.map(|w| *w as f32).collect();
    Some(f64::from(median_in_place(&mut near)))
}

/// The usual roundness of stars that are drawn out, where few of them are `round`; `None` where they are
/// not. Only those count whose shape says something.
fn drawn_out(stars: &[Star], round: &[Star]) -> Option<f64> {
    let shapely = |stars: &[Star]| -> Vec<f64> {
        stars.iter().filter(|s| s.snr >= SHAPELY_SNR).map(|s| s.roundness).collect()
    };
    let (all, round) = (shapely(stars), shapely(round));
    if all.len() < MANY.max(MOST * round.len()) {
        return None;
    }
    let (usual, scatter) = median_scatter(&all);
    (scatter < ALIKE).then_some(usual)
}

/// The median over the brightest stars that are well measured.
fn typical(stars: &[Star], of: impl Fn(&Star) -> f64) -> Option<f64> {
    let good = stars.iter().filter(|s| s.snr >= FIRST_SNR).map(|s| of(s) as f32);
    let mut some: Vec<f32> = good.filter(|v| v.is_finite()).take(WIDTHS).collect();
    (!some.is_empty()).then(|| f64::from(median_in_place(&mut some)))
}

/// The stars by falling flux, of two in one place the one that matches better.
///
/// Two maxima of the match may lead to one centre.
fn once_each(mut stars: Vec<Star>, sigma_px: f64) -> Vec<Star> {
    stars.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x.total_cmp(&b.x)));
    let mut stays = vec![true; stars.len()];
    for i in 0..stars.len() {
        for j in i + 1..stars.len() {
            let (dx, dy) = (stars[j].x - stars[i].x, stars[j].y - stars[i].y);
            if dy > sigma_px {
                break;
            }
            if dx * dx + dy * dy < sigma_px * sigma_px {
                let loser = if stars[j].snr > stars[i].snr { i } else { j };
                stays[loser] = false;
            }
        }
    }
    let mut kept = stays.into_iter();
    stars.retain(|_| kept.next().unwrap_or(true));
    stars.sort_by(|a, b| {
        b.flux.total_cmp(&a.flux).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x))
    });
    stars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_and_discs_are_rings_and_what_is_bright_in_the_middle_is_none() {
        let star = Star {
            x: 50.0,
            y: 50.0,
            flux: 1.0,
            flux_error: 0.1,
            snr: 100.0,
            peak: 1.0,
            background: 10.0,
            fwhm_px: 10.0,
            roundness: 1.0,
        };
        let is = |of: &dyn Fn(f64) -> f64, radius_px: f64| {
            let away = |x: usize, y: usize| (x as f64 - 50.0).hypot(y as f64 - 50.0);
            let data = Plane::from_fn(Size::new(101, 101), |x, y| 10.0 + of(away(x, y)) as f32);
            is_ring(&data, &star, radius_px)
        };
        let ring = |r: f64| if (4.0..10.0).contains(&r) { 100.0 } else { 0.0 };
        let disc = |r: f64| if r < 10.0 { 100.0 } else { 0.0 };
        // Radii as moments have them: the root of half the mean square, times the root of two.
        assert!(is(&ring, 7.6) && is(&disc, 7.1));
        for sigma_px in [2.0, 5.0, 9.0] {
            let peak = |r: f64| 100.0 * (-0.5 * r * r / (sigma_px * sigma_px)).exp();
            assert!(!is(&peak, std::f64::consts::SQRT_2 * sigma_px), "{sigma_px}");
        }
    }
}
