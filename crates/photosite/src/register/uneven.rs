//! Lights of which a part saw less of the sky: half behind a dome, a tree, the edge of a cloud.

use std::collections::{BTreeMap, BTreeSet};

use photosite_pix::Applied;
use photosite_pix::align::{Point, Transform};
use photosite_pix::stars::Star;
use photosite_pix::stat::{median_f64, median_scatter};

use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;

/// A frame is compared in so many parts along either side.
const PARTS: usize = 3;

/// Fewest stars of a part that tell.
const FEWEST: usize = 4;

/// Stars count that stand so far out of the noise in the one light, and would in the other.
const SNR: f64 = 15.0;

/// A part that has less than this share of the light of the brightest part is obscured: no optics dims so much
/// from light to light.
const DIM: f64 = 0.67;

/// And by so many standard errors.
const SURE: f64 = 5.0;

/// Stars closer than so many widths may be found as one.
const ONE_STAR: f64 = 1.5;

/// A light and the star of it that each star of another is.
pub(super) type Known<'a> = (&'a SurveyedLight, &'a BTreeMap<usize, usize>);

/// Of stars in a part that is obscured at most such a share shine as they do elsewhere: what covers takes light from all
/// of them. Where others are missing beside them, those were never stars, or stood there twice.
const SHINING: f64 = 0.2;

/// Where a light has such a share of the missing stars' number at other places of the part, they are not hidden but
/// elsewhere.
const ELSEWHERE: f64 = 0.5;

/// Vignetting that no flat took off lies elsewhere on the sky where a light is turned by more than this.
pub(super) const TURNED_RAD: f64 = 0.1;

/// Two lights held against each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared {
    /// The share of clear stars of the one that the other should show and does not.
    pub missing: f64,
    /// What they differ by in a part.
    pub part: Option<Part>,
}

/// What two lights differ by in a part of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// One of them is obscured there.
    Obscured(Uneven),
    /// The stars of the one stand elsewhere there: the share of the frame's clear stars that do.
    Elsewhere(f64),
}

impl Part {
    /// Which of the two is covered there, where one is and it is known.
    pub fn covered(self) -> Option<Covered> {
        match self {
            Self::Obscured(uneven) => uneven.covered,
            Self::Elsewhere(_) => None,
        }
    }
}

impl Compared {
    /// What is obscured in part.
    pub fn obscured(self) -> Option<Uneven> {
        match self.part? {
            Part::Obscured(uneven) => Some(uneven),
            Part::Elsewhere(_) => None,
        }
    }
}

/// Two lights of which one is obscured in part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uneven {
    /// The share of their light that stars have in the darkest part of the one beside its brightest part, both held
    /// against the other.
    pub share: f64,
    /// Which of the two it is; `None` where neither their exposures nor their stars tell.
    pub covered: Option<Covered>,
}

/// Of two lights that are held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Covered {
    /// The one that is looked at.
    This,
    /// The one that it is held against.
    Other,
}

/// Where the one part has its whole light to this factor, and the other is this many times as far from that.
const WHOLE: f64 = 1.25;
const FARTHER: f64 = 1.5;

impl Covered {
    /// What covers a part takes light: stars have as much as elsewhere where nothing does, and less behind it; those that
    /// have more than in the other light are covered there. In the light that its exposure would give.
    fn of(low: f64, high: f64, exposures: f64) -> Option<Self> {
        let [low, high] = [low, high].map(|v| (v / exposures).ln().abs());
        let (near, far) = if low < high { (low, high) } else { (high, low) };
        let sure = near < WHOLE.ln() && far > FARTHER * near;
        sure.then_some(if low < high { Self::Other } else { Self::This })
    }
}

/// Holds a light against another: how many of the other's clear stars it lacks, and whether one of them is obscured in
/// part, where stars have far less light in one part of `light` than in another, both held against `other`. `place` takes
/// places of `other` to those of `light`. `None` where no star tells.
pub(super) fn compare(
    other: &SurveyedLight,
    place: impl Fn(Point) -> Option<Point>,
    (light, pairs): Known<'_>,
) -> Option<Compared> {
    let size = light.size();
    let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
    let part = |at: Point| {
        let along = |v: f64, end: usize| {
            let share = (v + 0.5) / end as f64;
            (0.0..1.0).contains(&share).then_some((share * PARTS as f64) as usize)
        };
        Some(along(at.y, size.height)? * PARTS + along(at.x, size.width)?)
    };
    let mut parts = vec![Vec::new(); PARTS * PARTS];
    let mut missing = Vec::new();
    for (i, star) in other.field.stars.iter().enumerate() {
        let sound = star.snr >= SNR && star.flux > 0.0;
        let Some(at) = place(Point::new(star.x, star.y)).and_then(part).filter(|_| sound) else {
            continue;
        };
        match pairs.get(&i).map(|own| light.field.stars[*own]) {
            Some(own) => parts[at].push(own.flux / star.flux),
            None => missing.push((at, *star)),
        }
    }
    let brightest = |parts: &[Vec<f64>]| {
        let told = parts.iter().filter(|part| part.len() >= FEWEST);
        told.map(|part| median_f64(part)).fold(f64::NAN, f64::max)
    };
    // What would be seen in the brightest part and is not there is hidden.
    let faint = light.field.stars.iter().filter(|s| s.snr < 2.0 * SNR);
    let noise = median_f64(&faint.map(|s| s.flux / s.snr).collect::<Vec<f64>>());
    let bright = brightest(&parts);
    // A star brighter than all that it has may be saturated.
    let most = light.field.stars.iter().map(|s| s.flux).fold(0.0, f64::max);
    let seen = |flux: f64| (SNR * noise..0.5 * most).contains(&(bright * flux));
    // What is missing beside a star may be one with it.
    let width = light.field.fwhm_px.unwrap_or(0.0);
    let beside = |star: &Star| {
        place(Point::new(star.x, star.y)).is_some_and(|at| {
            // Thousands of stars are asked for each; a root for every pair would be a fifth of a stack's time.
            let square = |own: &Star| (own.x - at.x).powi(2) + (own.y - at.y).powi(2);
            let near = |own: &Star| square(own) < (ONE_STAR * width).powi(2);
            light.field.stars.iter().any(near)
        })
    };
    let mut hidden = [0; PARTS * PARTS];
    for (at, _) in missing.into_iter().filter(|(_, star)| seen(star.flux) && !beside(star)) {
        parts[at].push(0.0);
        hidden[at] += 1;
    }
    let all: usize = parts.iter().map(Vec::len).sum();
    // Without flats the corners of one lie on other places of the other.
    let flat = |l: &SurveyedLight| l.metadata.applied.contains(Applied::FLAT);
    let [at, right] = [middle, Point::new(middle.x + 100.0, middle.y)].map(&place);
    let turned = at
        .zip(right)
        .is_none_or(|(at, right)| (right.y - at.y).atan2(right.x - at.x).abs() > TURNED_RAD);
    let alike = (flat(light) && flat(other)) || !turned;
    let lacking = Some(hidden.iter().sum::<usize>()).filter(|n| *n >= FEWEST).unwrap_or(0);
    let lacking = lacking as f64 / all as f64;
    let part = obscured_part(&parts, (light, other)).filter(|_| alike).map(|(at, uneven)| {
        let taken: BTreeSet<usize> = pairs.values().copied().collect();
        let own = light.field.stars.iter().enumerate();
        let elsewhere = own.filter(|(i, star)| {
            let there = part(Point::new(star.x, star.y)) == Some(at);
            there && !taken.contains(i) && star.snr >= SNR
        });
        match elsewhere.count() as f64 > ELSEWHERE * hidden[at].max(FEWEST) as f64 {
            true => Part::Elsewhere(lacking),
            false => Part::Obscured(uneven),
        }
    });
    (all > 0).then_some(Compared { missing: lacking, part })
}

/// The part in which one of two lights is obscured, by the ratios of their stars' light part by part.
fn obscured_part(
    parts: &[Vec<f64>],
    (light, other): (&SurveyedLight, &SurveyedLight),
) -> Option<(usize, Uneven)> {
    struct Told {
        at: usize,
        middle: f64,
        scatter: f64,
        root: f64,
    }
    let told: Vec<Told> = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.len() >= FEWEST)
        .map(|(at, part)| {
            let (middle, scatter) = median_scatter(part);
            Told { at, middle, scatter, root: (part.len() as f64).sqrt() }
        })
        .collect();
    let low = told.iter().min_by(|a, b| a.middle.total_cmp(&b.middle))?;
    let high = told.iter().max_by(|a, b| a.middle.total_cmp(&b.middle))?;
    // Few stars tell little of their own scatter; those of all parts do.
    let relative = |part: &Told| part.scatter / part.middle.max(f64::MIN_POSITIVE);
    let usual = median_f64(&told.iter().map(relative).collect::<Vec<f64>>());
    let error = |part: &Told| 1.25 * part.scatter.max(usual.min(1.0) * part.middle) / part.root;
    let apart = high.middle - low.middle;
    let dim = DIM * high.middle;
    let shining = parts[low.at].iter().filter(|ratio| **ratio > dim).count();
    if !(low.middle < dim && apart > SURE * error(low).hypot(error(high)))
        || shining as f64 > SHINING * parts[low.at].len() as f64
    {
        return None;
    }
    let exposures = light.metadata.exposure_s.zip(other.metadata.exposure_s);
    let exposures = exposures.map(|(own, other)| own / other).filter(|v| *v > 0.0);
    let covered = exposures.and_then(|e| Covered::of(low.middle, high.middle, e));
    Some((low.at, Uneven { share: low.middle / high.middle, covered }))
}

/// How places of one light become those of another, both laid on a common grid.
pub(super) fn between(from: &Transform, to: &Transform) -> impl Fn(Point) -> Option<Point> + use<> {
    let (from, to) = (*from, *to);
    move |at| Some(to.apply(from.invert(at)?))
}

/// That a light is left out.
pub(super) fn obscured(light: &SurveyedLight, level: &SurveyedLight, share: f64) -> Finding {
    Finding::new(
        "light-obscured",
        Severity::Error,
        light.path().display().to_string(),
        format!(
            "left out: beside {}, stars in a part of it have {share:.2} of the light that they have in the rest",
            level.name()
        ),
    )
    .hint("Look at it: a dome, a tree, the edge of a cloud. No one flux scale fits such a light.")
    .with("share", share)
}

/// That a light is left out whose stars lie elsewhere in a part.
pub(super) fn torn(light: &SurveyedLight, level: &SurveyedLight, share: f64) -> Finding {
    Finding::new(
        "light-torn",
        Severity::Error,
        light.path().display().to_string(),
        format!(
            "left out: {:.0} % of the stars that it should have beside {} lie elsewhere in it, all of them in one part: \
             rows or columns moved",
            100.0 * share,
            level.name()
        ),
    )
    .hint("Copy it again from the camera; if it looks the same there, the transfer was disturbed when it was taken.")
    .with("share", share)
}

/// That a light is left out of which a part has no sky.
pub(super) fn without_sky(light: &SurveyedLight, share: f64) -> Finding {
    Finding::new(
        "light-obscured",
        Severity::Error,
        light.path().display().to_string(),
        format!(
            "left out: {:.0} % of it is dark where other lights show the sky",
            100.0 * share
        ),
    )
    .hint("Look at it: a tree or a roof before it, an output of the sensor that failed, a file that broke off.")
    .with("share", share)
}

/// That a part of a light is lit.
pub(super) fn lit(light: &SurveyedLight, share: f64) -> Finding {
    Finding::new(
        "light-outlier",
        Severity::Warning,
        light.path().display().to_string(),
        format!(
            "{:.0} % of it is bright where most other lights are dark: a lamp lit what stands before the sky",
            100.0 * share
        ),
    )
    .hint("Look at it; leave it out with --exclude if its foreground is not wanted.")
    .with("share", share)
}

#[cfg(test)]
mod tests {
    use super::Covered;

    #[test]
    fn what_covers_takes_light() {
        assert_eq!(Covered::of(0.5, 1.0, 1.0), Some(Covered::This));
        assert_eq!(Covered::of(1.0, 2.0, 1.0), Some(Covered::Other));
        // Of twice the exposure.
        assert_eq!(Covered::of(1.0, 2.0, 2.0), Some(Covered::This));
        // A veil over all of it as well.
        assert_eq!(Covered::of(0.7, 1.4, 1.0), None);
    }
}
