//! Lights registered to a reference: by stars, or by the world coordinates of their headers.

use std::collections::{BTreeMap, BTreeSet};

use photosite_pix::align::{
    Alignment, Point, Registration, Rules, Transform, coincident, follow, register,
};
use photosite_pix::wcs::{NoWcs, Wcs};
use photosite_pix::{Size, stat};

use super::doubled::is_doubled;
use super::scales::{of_one_scale, unlike_scales};
use super::uneven::{Covered, compare};
use crate::finding::Severity;
use crate::measure::{SurveyedLight, odd_parts};
use crate::work::{Context, on_each};
use crate::{Error, Finding, Result};

/// Lays each light over the reference; `None`, and a Finding, for those that cannot be.
///
/// # Errors
/// When lights are registered by world coordinates and the reference has none, or the work is
/// cancelled.
pub fn lay_over(
    lights: &[SurveyedLight],
    reference: &SurveyedLight,
    by: Alignment,
    context: &Context<'_>,
) -> Result<(Vec<Option<Registration>>, Vec<Finding>)> {
    let points: Vec<Vec<Point>> = lights.iter().map(SurveyedLight::points).collect();
    let fixed = reference.points();
    let sky = match by {
        Alignment::Stars => None,
        Alignment::Wcs => Some(Wcs::read(&reference.header).map_err(|no| {
            Error::mismatch(format!("{} cannot be the reference: {no}", reference.path().display()))
        })?),
    };
    let done = on_each(lights.len(), context, |i| {
        let (light, stars) = (&lights[i], &points[i]);
        if light.path() == reference.path() {
            return Ok((Some(itself(by, stars.len())), None));
        }
        Ok(match &sky {
            None => {
                let (found, still) = by_stars(&fixed, stars, reference.size());
                let told = still.map(|still| hot_pixels(light, reference, still));
                (found, told)
            }
            Some(sky) => match by_sky(sky, (reference, &fixed), (light, stars)) {
                Ok((found, doubt)) => (Some(found), doubt),
                Err(why) => (None, Some(*why)),
            },
        })
    })?;
    let mut findings = Vec::new();
    let mut placed = Vec::new();
    for one in done {
        let (found, finding) = one?;
        placed.push(found);
        findings.extend(finding);
    }
    if by == Alignment::Wcs {
        findings.extend(mirrored(lights, &placed));
        findings.extend(unlike_scales(lights, reference, &placed));
        return Ok((placed, findings));
    }
    let failed: Vec<usize> = (0..lights.len()).filter(|i| placed[*i].is_none()).collect();
    let bridges = bridges(lights, &placed);
    let bridged = on_each(failed.len(), context, |n| {
        let light = &lights[failed[n]];
        Ok(bridges.iter().find_map(|&bridge| {
            let first = placed[bridge].as_ref()?;
            let sizes = (reference.size(), light.size());
            let found = over(first, &points[bridge], (&fixed, &points[failed[n]]), sizes)?;
            Some((bridge, found))
        }))
    })?;
    let mut by_way = Vec::new();
    for (i, found) in failed.into_iter().zip(bridged) {
        match found? {
            Some((bridge, found)) => {
                findings.push(bridged_over(&lights[i], &lights[bridge], reference));
                by_way.push((i, found));
            }
            None => findings.push(not_registered(&lights[i], reference)),
        }
    }
    by_way.into_iter().for_each(|(i, found)| placed[i] = Some(found));
    findings.extend(mirrored(lights, &placed));
    findings.extend(unlike_scales(lights, reference, &placed));
    Ok((placed, findings))
}

/// A registration that moves no corner by more than this many pixels may be that of hot pixels, which
/// stand still to a hundredth; and the least by which stars have moved beside them.
const STILL_PX: f64 = 0.2;
const MOVED_PX: f64 = 1.0;
/// What stands still among stars that moved is so many times what chance brings.
const BEYOND_CHANCE: f64 = 5.0;
/// Residuals by which they have.
const BEYOND_ERRORS: f64 = 3.0;

/// Registers a frame by its stars; also how many of what passes for stars are none but hot pixels, or a landscape, which
/// stand still while the others moved together: one transform through both bends from one to the other.
fn by_stars(
    reference: &[Point],
    frame: &[Point],
    size: Size,
) -> (Option<Registration>, Option<usize>) {
    let found = register(reference, frame, Rules::default());
    let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
        .map(|(x, y)| Point::new(x * size.width as f64, y * size.height as f64));
    let moves_px = |by: &Registration| {
        corners.map(|p| by.transform.apply(p).distance(p)).into_iter().fold(0.0, f64::max)
    };
    let mut still = coincident(&Transform::IDENTITY, reference, frame);
    let at_rest = found.as_ref().is_some_and(|by| moves_px(by) < STILL_PX);
    if !at_rest {
        // Of stars that moved some come to lie where others were.
        still.retain(|&(r, f)| reference[r].distance(frame[f]) < BESIDE_PX);
        let chance =
            (reference.len() * frame.len()) as f64 * std::f64::consts::PI * BESIDE_PX.powi(2)
                / size.pixels() as f64;
        if still.len() < TELLING_STARS || (still.len() as f64) < BEYOND_CHANCE * chance {
            return (found, None);
        }
    }
    let rest = |of: &[Point], taken: Vec<usize>| -> (Vec<usize>, Vec<Point>) {
        let taken: BTreeSet<usize> = taken.into_iter().collect();
        let left = of.iter().copied().enumerate().filter(|(i, _)| !taken.contains(i));
        left.unzip()
    };
    let (of_reference, moved_from) = rest(reference, still.iter().map(|p| p.0).collect());
    let (of_frame, moved_to) = rest(frame, still.iter().map(|p| p.1).collect());
    // The stars themselves must have moved: faint ones that stand still, a little apart by their noise, show a
    // turn at the corners.
    let moved_px = |by: &Registration| {
        let moves = by.pairs.iter().map(|&(r, f)| moved_from[r].distance(moved_to[f]) as f32);
        f64::from(stat::median_in_place(&mut moves.collect::<Vec<_>>()))
    };
    // About the pole of a turn stars stand still as well: they lie where the others put them.
    let stand_apart = |by: &Registration| {
        let apart = |&&(r, f): &&(usize, usize)| {
            by.transform.apply(reference[r]).distance(frame[f]) > MOVED_PX
        };
        at_rest || 2 * still.iter().filter(apart).count() > still.len()
    };
    match register(&moved_from, &moved_to, Rules::default()) {
        Some(by)
            if moved_px(&by) > MOVED_PX.max(BEYOND_ERRORS * by.residual_px) && stand_apart(&by) =>
        {
            let pairs = by.pairs.iter().map(|&(r, f)| (of_reference[r], of_frame[f])).collect();
            (Some(Registration { pairs, ..by }), Some(still.len()))
        }
        _ => (found, None),
    }
}

/// That what passes for stars in a light are none.
fn hot_pixels(light: &SurveyedLight, reference: &SurveyedLight, still: usize) -> Finding {
    let message = format!(
        "{still} of its {} stars stand on the same pixels as in {} while the others moved together: they \
         are hot pixels, or a landscape, and it is registered by the others",
        light.field.stars.len(),
        reference.path().display()
    );
    let subject = light.path().display().to_string();
    Finding::new("hot-pixels-like-stars", Severity::Warning, subject, message)
        .hint(
            "Take darks, so that hot pixels are gone before stars are looked for; behind a landscape this is right.",
        )
        .with("still", still)
}

/// A camera by its name, and the columns and rows of its frames.
type Camera<'a> = (Option<&'a str>, usize, usize);

/// Lights of one camera that show the sky mirrored where most do not: one of them was turned over
/// before it came here, and masters fit the others only.
fn mirrored(lights: &[SurveyedLight], placed: &[Option<Registration>]) -> Vec<Finding> {
    let mut cameras: BTreeMap<Camera<'_>, [Vec<usize>; 2]> = BTreeMap::new();
    for (i, found) in placed.iter().enumerate() {
        let light = &lights[i];
        let (Some(found), Some(_)) = (found, &light.calibrated) else { continue };
        let size = light.size();
        let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
        let camera = (light.metadata.camera.as_deref(), size.width, size.height);
        let side = usize::from(found.transform.is_mirrored(middle));
        cameras.entry(camera).or_default()[side].push(i);
    }
    let told = cameras.into_values().filter(|sides| sides.iter().all(|side| !side.is_empty()));
    let fewer = |[plain, mirrored]: [Vec<usize>; 2]| {
        let (few, many) =
            if plain.len() < mirrored.len() { (plain, mirrored) } else { (mirrored, plain) };
        few.into_iter().map(|i| mirror_doubt(&lights[i], many.len())).collect::<Vec<Finding>>()
    };
    told.flat_map(fewer).collect()
}

fn mirror_doubt(light: &SurveyedLight, others: usize) -> Finding {
    let subject = light.path().display().to_string();
    let message = format!(
        "it shows the sky mirrored beside the {others} other lights of its camera: it was turned over \
         before it came here, or they were, and the same masters do not fit both"
    );
    Finding::new("light-mirrored", Severity::Warning, subject, message).hint(
        "Use the files as the camera wrote them, or masters of frames that were turned over in the \
         same way.",
    )
}

/// Lights that others may be registered through if the reference does not match, at most.
const BRIDGES: usize = 5;

/// The registered lights that others are best registered through, the best first.
fn bridges(lights: &[SurveyedLight], placed: &[Option<Registration>]) -> Vec<usize> {
    let mut out: Vec<usize> = (0..lights.len()).filter(|i| placed[*i].is_some()).collect();
    out.sort_by(|a, b| lights[*b].quality().total_cmp(&lights[*a].quality()).then(a.cmp(b)));
    out.truncate(BRIDGES);
    out
}

/// A light registered to the reference through another, whose own registration is `first`.
fn over(
    first: &Registration,
    between: &[Point],
    (fixed, stars): (&[Point], &[Point]),
    (from, to): (Size, Size),
) -> Option<Registration> {
    let second = register(between, stars, Rules::default())?;
    let map = |p: Point| Some(second.transform.apply(first.transform.apply(p)));
    let (transform, misfit_px) = follow(map, from, to)?;
    let pairs = coincident(&transform, fixed, stars);
    // Errors of both, and of following them, as pixels of the light.
    let residual_px = first.residual_px.hypot(second.residual_px).hypot(misfit_px);
    let (by, matched) = (Alignment::Stars, second.matched);
    Some(Registration { transform, by, matched, residual_px, pairs })
}

/// The reference over itself.
pub(super) fn itself(by: Alignment, stars: usize) -> Registration {
    let pairs = (0..stars).map(|star| (star, star)).collect();
    Registration { transform: Transform::IDENTITY, by, matched: stars, residual_px: 0.0, pairs }
}

/// Whether a light can be registered to others, or they to it.
fn can_be_laid(light: &SurveyedLight, by: Alignment) -> bool {
    by == Alignment::Stars || Wcs::read(&light.header).is_ok()
}

/// Other lights that a reference is tried with, the best ones.
const TRIED_WITH: usize = 6;

/// Where so many of a light's clear stars are missing in others, they are none: snow, noise, each of them twice.
const STRANGE: f64 = 0.3;

/// What others say of a light that may be the reference.
#[derive(Debug, Default)]
struct Said {
    tried: usize,
    laid: usize,
    /// They lack many of its stars.
    strange: usize,
    /// Its stars, or theirs, are obscured in a part.
    apart: usize,
    covered: usize,
    /// They show the sky mirrored, or the other way round.
    mirrored: usize,
    turned: usize,
}

impl Said {
    fn speaks_for_it(&self) -> bool {
        let laid = self.laid;
        2 * laid >= self.tried
            && 2 * self.strange <= laid
            && 2 * self.apart <= laid
            && 4 * self.covered < laid.max(1)
            && 2 * self.mirrored <= laid
            && 4 * self.turned <= 3 * laid
    }
}

/// The index of the light that is the best reference; of equal ones the first. One that most of the best
/// others cannot be laid over is of another field, and is none; nor is one that is dark in a part or lit, obscured
/// beside most of them, full of what others do not show, turned over, or showing its stars twice; nor one whose pixels
/// are larger than those that most light was taken with.
pub fn best_reference<'a>(lights: impl Iterator<Item = &'a SurveyedLight>, by: Alignment) -> usize {
    let lights: Vec<&SurveyedLight> = lights.collect();
    let odd = odd_parts(&lights.iter().map(|l| &l.field.mesh).collect::<Vec<_>>());
    let is_odd = |i: &usize| odd.dark[*i] > 0.0 || odd.lit[*i] > 0.0;
    let mut order: Vec<usize> = (0..lights.len()).filter(|i| can_be_laid(lights[*i], by)).collect();
    if !order.iter().all(is_odd) {
        order.retain(|i| !is_odd(i));
    }
    // One by itself is told by its own stars: of the faint half of each others lack too few.
    let doubled = |i: &usize| is_doubled(&lights[*i].points());
    if by == Alignment::Stars && !order.iter().all(doubled) {
        order.retain(|i| !doubled(i));
    }
    order.sort_by(|a, b| lights[*b].quality().total_cmp(&lights[*a].quality()).then(a.cmp(b)));
    let Some(&first) = order.first() else { return 0 };
    if by != Alignment::Stars {
        return first;
    }
    let order = of_one_scale(&lights, order);
    let first = order.first().copied().unwrap_or(first);
    let asked = |reference: usize| {
        let fixed = lights[reference].points();
        let size = lights[reference].size();
        let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
        let mut said = Said::default();
        for other in order.iter().filter(|i| **i != reference).take(TRIED_WITH) {
            said.tried += 1;
            let Some(found) = register(&fixed, &lights[*other].points(), Rules::default()) else {
                continue;
            };
            said.laid += 1;
            let place = found.transform;
            said.mirrored += usize::from(place.is_mirrored(middle));
            said.turned += usize::from(place.rotation_deg(middle).abs() > 90.0);
            let seen = (lights[*other], &found.pairs.into_iter().collect());
            let Some(seen) = compare(lights[reference], |p| Some(place.apply(p)), seen) else {
                continue;
            };
            said.strange += usize::from(seen.missing > STRANGE);
            match seen.obscured().map(|u| u.covered) {
                Some(Some(Covered::Other)) => said.covered += 1,
                Some(None) => said.apart += 1,
                Some(Some(Covered::This)) | None => (),
            }
        }
        said
    };
    order.iter().copied().find(|i| asked(*i).speaks_for_it()).unwrap_or(first)
}

/// A transform that misses the header's coordinates by more than this many pixels is reported.
const ROUGH_PX: f64 = 0.1;

/// Stars that are offset from the reference's by more than this many pixels are reported.
const BESIDE_PX: f64 = 0.5;

/// Fewest stars that show an offset.
const TELLING_STARS: usize = 10;

/// The registration by the light's header; and a doubt, where there is one.
fn by_sky(
    sky: &Wcs,
    (reference, fixed): (&SurveyedLight, &[Point]),
    (light, stars): (&SurveyedLight, &[Point]),
) -> std::result::Result<(Registration, Option<Finding>), Box<Finding>> {
    let own = Wcs::read(&light.header).map_err(|no| Box::new(no_wcs(light, &no)))?;
    if (own.equinox - sky.equinox).abs() > 1e-3 {
        let what = format!("equinox {}, that of the reference {}", own.equinox, sky.equinox);
        return Err(Box::new(no_wcs(light, &NoWcs::NotUnderstood(what))));
    }
    let map = |p: Point| own.to_pixel(sky.to_sky(p));
    let Some((transform, residual_px)) = follow(map, reference.size(), light.size()) else {
        let message =
            format!("left out: by its header it does not overlap {}", reference.path().display());
        let subject = light.path().display().to_string();
        let apart = Finding::new("wcs-apart", Severity::Error, subject, message)
            .hint("Either another field or a wrong header; leave it out or align by stars.");
        return Err(Box::new(apart));
    };
    let pairs = coincident(&transform, fixed, stars);
    let doubt = beside(&transform, &pairs, fixed, stars)
        .or_else(|| far_off(&transform, &pairs, (fixed, stars), light.size()))
        .map(|away_px| {
            doubt(
                light,
                format!(
                    "its stars are offset by {away_px:.2} px from those of the \
                                  reference"
                ),
            )
            .with("away_px", away_px)
        })
        .or_else(|| {
            (residual_px > ROUGH_PX).then(|| {
                let message = format!("its distortion is fitted to {residual_px:.2} px only");
                doubt(light, message).with("residual_px", residual_px)
            })
        });
    let by = Alignment::Wcs;
    Ok((Registration { transform, by, matched: pairs.len(), residual_px, pairs }, doubt))
}

/// The offset of a light's stars from the reference's as a whole, where it is large.
fn beside(
    transform: &Transform,
    pairs: &[(usize, usize)],
    fixed: &[Point],
    stars: &[Point],
) -> Option<f64> {
    let apart = pairs.iter().map(|&(there, here)| (transform.apply(fixed[there]), stars[here]));
    let (mut dx, mut dy): (Vec<f32>, Vec<f32>) =
        apart.map(|(a, b)| ((b.x - a.x) as f32, (b.y - a.y) as f32)).unzip();
    let middle = |v: &mut Vec<f32>| f64::from(stat::median_in_place(v));
    let away_px = middle(&mut dx).hypot(middle(&mut dy));
    (pairs.len() >= TELLING_STARS && away_px > BESIDE_PX).then_some(away_px)
}

/// How far the stars of a light lie from where its header puts them, where most of them are not there at all and a
/// registration by stars knows where they are.
fn far_off(
    transform: &Transform,
    pairs: &[(usize, usize)],
    (fixed, stars): (&[Point], &[Point]),
    size: Size,
) -> Option<f64> {
    let fewer = fixed.len().min(stars.len());
    if fewer < TELLING_STARS || 3 * pairs.len() > fewer {
        return None;
    }
    let by_stars = register(fixed, stars, Rules::default())?.transform;
    let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
    let there = transform.invert(middle)?;
    let away_px = by_stars.apply(there).distance(middle);
    (away_px > BESIDE_PX).then_some(away_px)
}

fn doubt(light: &SurveyedLight, message: String) -> Finding {
    let subject = light.path().display().to_string();
    Finding::new("wcs-rough", Severity::Warning, subject, message)
        .hint("Align by stars, or plate-solve it again.")
}

/// That a light does not say where it lies.
pub fn no_wcs(light: &SurveyedLight, no: &NoWcs) -> Finding {
    let code = match no {
        NoWcs::Missing => "wcs-missing",
        NoWcs::NotUnderstood(_) => "wcs-not-understood",
    };
    let subject = light.path().display().to_string();
    Finding::new(code, Severity::Error, subject, format!("left out: {no}"))
        .hint("Plate-solve it (ASTAP, astrometry.net), or align by stars.")
}

/// That a light was registered through another.
fn bridged_over(
    light: &SurveyedLight,
    bridge: &SurveyedLight,
    reference: &SurveyedLight,
) -> Finding {
    Finding::new(
        "registration-bridged",
        Severity::Info,
        light.path().display().to_string(),
        format!(
            "no match with {} was found; registered through {}",
            reference.path().display(),
            bridge.path().display()
        ),
    )
    .with("bridge", bridge.path().display().to_string())
}

/// That a light could not be registered.
fn not_registered(light: &SurveyedLight, reference: &SurveyedLight) -> Finding {
    let stars = light.field.stars.len();
    Finding::new(
        "registration-failed",
        Severity::Error,
        light.path().display().to_string(),
        format!(
            "left out: its {stars} stars could not be matched with the {} of {}",
            reference.field.stars.len(),
            reference.path().display()
        ),
    )
    .hint(
        "Inspect it: clouds, trailing, another field, or far out of focus (stars wider than 30 px are not found; \
         --align wcs needs none); or choose another reference.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places strewn over a frame, the same for the same seed.
    fn strewn(count: usize, seed: u64) -> Vec<Point> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |most: f64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            most * (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..count).map(|_| Point::new(next(3000.0), next(2000.0))).collect()
    }

    #[test]
    fn faint_stars_of_a_guided_night_do_not_move() {
        let (bright, faint) = (strewn(45, 1), strewn(6, 2));
        let noisy = |seed| -> Vec<Point> {
            let errors = strewn(faint.len(), seed);
            let faint = faint.iter().zip(errors);
            let off = |p: &Point, e: Point| Point::new(p.x + e.x / 2e3, p.y + e.y / 2e3);
            bright.iter().copied().chain(faint.map(|(p, e)| off(p, e))).collect()
        };
        for seed in 3..40 {
            let (found, still) = by_stars(&noisy(seed), &noisy(100 + seed), Size::new(3000, 2000));
            assert_eq!((found.unwrap().matched >= 45, still), (true, None), "{seed}");
        }
    }

    #[test]
    fn hot_pixels_that_stand_still_are_no_stars() {
        let size = Size::new(3000, 2000);
        // Hot pixels are the brightest.
        let mixed = |hot: &[Point], stars: &[Point], by: f64| -> Vec<Point> {
            let moved = stars.iter().map(|p| Point::new(p.x + by, p.y + 0.6 * by));
            hot.iter().copied().chain(moved).collect()
        };
        for (hot, stars, moved_px) in
            [(400, 60, 9.3), (150, 150, 31.0), (0, 80, 9.3), (300, 40, 0.0)]
        {
            let (hot, stars) = (strewn(hot, 1), strewn(stars, 2));
            let reference = mixed(&hot, &stars, 0.0);
            let frame = mixed(&hot, &stars, moved_px);
            let (found, still) = by_stars(&reference, &frame, size);
            let at = found.unwrap().transform.apply(Point::new(100.0, 100.0));
            let away = at.distance(Point::new(100.0 + moved_px, 100.0 + 0.6 * moved_px));
            assert!(away < 0.01, "{} {} {moved_px}: {at:?}", hot.len(), stars.len());
            let known = !hot.is_empty() && moved_px > 0.0;
            assert_eq!(still, known.then_some(hot.len()));
        }
    }

    #[test]
    fn a_landscape_that_stands_before_stars_that_turn_bends_no_transform() {
        let size = Size::new(3000, 2000);
        let turned = |p: &Point, by_deg: f64, shift: f64| {
            let (sin, cos) = by_deg.to_radians().sin_cos();
            let (x, y) = (p.x - 1500.0, p.y + 900.0);
            Point::new(1500.0 + cos * x - sin * y + shift, -900.0 + sin * x + cos * y + 0.4 * shift)
        };
        for (landscape, by_deg, shift, apart) in [
            (80, 0.25, 3.0, true),
            (120, 1.0, 12.0, true),
            (0, 0.3, 3.0, false),
            (90, 0.0, 0.0, false),
        ] {
            // It stands in the lower third, the stars above it.
            let stands: Vec<Point> = strewn(landscape, 1);
            let stands = stands.iter().map(|p| Point::new(p.x, 1350.0 + 0.32 * p.y));
            let stars: Vec<Point> =
                strewn(120, 2).iter().map(|p| Point::new(p.x, 0.65 * p.y)).collect();
            let with = |moved: &dyn Fn(&Point) -> Point| -> Vec<Point> {
                stands.clone().chain(stars.iter().map(moved)).collect()
            };
            let frame = with(&|p| turned(p, by_deg, shift));
            let (found, still) = by_stars(&with(&|p| *p), &frame, size);
            let found = found.unwrap();
            for at in [Point::new(50.0, 50.0), Point::new(2900.0, 60.0), Point::new(1500.0, 1200.0)]
            {
                let away = found.transform.apply(at).distance(turned(&at, by_deg, shift));
                assert!(away < 0.05, "{landscape} {by_deg}: {away}");
            }
            assert_eq!(still.is_some(), apart, "{landscape} {by_deg}");
        }
        // Stars about the pole of a turn stand still and are stars.
        let stars = strewn(300, 5);
        let about = |p: &Point| {
            let (sin, cos) = 0.2f64.to_radians().sin_cos();
            let (x, y) = (p.x - 700.0, p.y - 900.0);
            Point::new(700.0 + cos * x - sin * y, 900.0 + sin * x + cos * y)
        };
        let frame: Vec<Point> = stars.iter().map(about).collect();
        let (found, still) = by_stars(&stars, &frame, size);
        assert!(found.unwrap().matched >= 290 && still.is_none(), "{still:?}");
    }
}
