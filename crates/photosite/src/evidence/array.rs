//! Whether there is a colour filter array over the pixels, as levels of the four places of its cell
//! show it.

use photosite_pix::{CfaColor, CfaPattern, FrameKind};

use super::glance::{Glance, Places, rank};
use super::peaks::RUN;

/// About as many differences as each level is taken from.
const ENOUGH: usize = 1 << 15;

/// Shares of the light by which the four places differ, at most where there is no array: no filter
/// passes and no lamp or sky gives red, green and blue as alike as that.
const ALIKE: f64 = 0.003;

/// A light's four places may be alike within the error of their levels, where that is a smaller share
/// of the sky than this.
const SKY_KNOWN: f64 = 0.01;

/// Sigmas of one sample by which electronics make rows or columns of a light differ: an ADU or so of
/// 15 in a real CCD.
const ELECTRONICS: f64 = 0.2;

/// Errors by which places differ for certain.
const CERTAIN: f64 = 6.0;

/// A cell is a star's if all of its places stand so many sigmas above the sky; so many cells say what
/// colours stars have, and a star covers about so many.
const STAR_SIGMAS: f32 = 10.0;
const STAR_CELLS: usize = 24;
const CELLS_OF_A_STAR: f64 = 4.0;

/// Shares by which places differ under stars of several colours, at least.
const STAR_COLOURS: f64 = 0.1;

/// Errors by which stars likely have colours: then the headers stand.
const LIKELY: f64 = 3.0;

/// A share of the light by which red or blue differs from green, and by which greens do at most,
/// under an array that nothing names.
const COLOURED: f64 = 0.05;
const GREENS: f64 = 0.01;

/// What the places of a set-up's frames say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArrayVerdict {
    /// One colour everywhere: flats say so, and no light contradicts. The largest difference as a
    /// share of the light.
    OneColour(f64),
    /// Perhaps one colour: lights say so, and no flats can.
    PerhapsOneColour(f64),
    /// Two equal places on a diagonal and others: an array. The largest difference as a share.
    Array(f64),
    /// Nothing for certain.
    Unclear,
}

impl Places {
    /// The places' levels in a frame; slopes cancel. `None` where the frame is too small.
    pub fn of(glance: &Glance) -> Option<Self> {
        if let Some(told) = &glance.told {
            return told.places;
        }
        let width = glance.size.width;
        if glance.size.height < RUN || width < 4 {
            return None;
        }
        // Of right beside left in even and odd rows, of lower beside upper in even columns.
        let mut contrasts: [Vec<f32>; 3] = Default::default();
        let step = (glance.rows().count() * width / RUN).div_ceil(ENOUGH).max(1);
        for run in glance.runs().step_by(step) {
            let row = |y: usize| &run[y * width..][..width];
            for (y, contrasts) in contrasts.iter_mut().take(2).enumerate() {
                for part in row(y).windows(3).step_by(2) {
                    contrasts.push(part[1] - (part[0] + part[2]) / 2.0);
                }
            }
            let middle = row(1).iter().zip(row(0).iter().zip(row(2)));
            contrasts[2].extend(middle.step_by(2).map(|(b, (a, c))| b - (a + c) / 2.0));
        }
        let mut errors = 0.0f64;
        let [upper, lower, left] = contrasts.map(|values| {
            let middle = rank(values.iter().copied(), 0.5);
            let apart = values.iter().map(|v| (v - middle as f32).abs());
            let scatter = rank(apart, 0.682_7);
            // A median of whole numbers is one; the mean of what lies about it knows fractions.
            let near = values.iter().map(|v| f64::from(*v) - middle);
            let near = near.filter(|d| d.abs() <= (3.0 * scatter).max(1.0));
            let (count, sum) = near.fold((0usize, 0.0), |(n, sum), d| (n + 1, sum + d));
            errors = errors.max(scatter / (count.max(1) as f64).sqrt());
            middle + sum / count.max(1) as f64
        });
        let levels = [0.0, upper, left, left + lower];
        let mean = levels.iter().sum::<f64>() / 4.0;
        // Frames without noise know their levels to a step of the converter at best.
        let error_adu = errors.max(1e-3);
        mean.is_finite().then(|| Self {
            beside_adu: levels.map(|l| l - mean),
            error_adu,
            scatter_adu: glance.scatter_adu,
            in_stars: in_stars(glance),
        })
    }

    /// The largest difference of two places.
    fn apart_adu(&self) -> f64 {
        let most = self.beside_adu.iter().copied().fold(f64::MIN, f64::max);
        most - self.beside_adu.iter().copied().fold(f64::MAX, f64::min)
    }

    /// By how much the two places on the falling diagonal differ, and the two on the rising one, in ADU.
    fn along_diagonals(&self) -> [f64; 2] {
        let [a, b, c, d] = self.beside_adu;
        [(a - d).abs(), (b - c).abs()]
    }

    /// Whether two places on a diagonal are alike and one of the others is not, `light_adu` being
    /// the light they have.
    fn array(&self, light_adu: f64) -> bool {
        let [a, b, c, d] = self.beside_adu;
        let error = CERTAIN * self.error_adu;
        [(b, c, a, d), (a, d, b, c)].iter().any(|(g1, g2, r, b)| {
            let green = (g1 + g2) / 2.0;
            let other = (r - green).abs().max((b - green).abs());
            (g1 - g2).abs() < (GREENS * light_adu).max(error)
                && other > (COLOURED * light_adu).max(error)
        })
    }
}

/// By which shares of the light the two places that a Bayer array calls green differ in flats, and the other two, where
/// it is those that are alike: the array lies one column or row beside where it is said to.
pub fn greens_elsewhere(
    frames: &[(FrameKind, &Glance)],
    zero_adu: Option<f64>,
    cfa: CfaPattern,
) -> Option<(f64, f64)> {
    if !cfa.is_bayer() {
        return None;
    }
    let falling = cfa.color(0, 0) == CfaColor::Green;
    let mut most = (0.0f64, 0.0f64);
    let mut any = false;
    for (_, glance) in frames.iter().filter(|(kind, _)| *kind == FrameKind::Flat) {
        let places = Places::of(glance)?;
        let light = glance.median_adu - zero_adu.unwrap_or(0.0);
        let [a, b] = places.along_diagonals();
        let (named, others) = if falling { (a, b) } else { (b, a) };
        let error = CERTAIN * places.error_adu;
        if named <= (COLOURED * light).max(error) || others >= (GREENS * light).max(error) {
            return None;
        }
        most = (most.0.max(named / light), most.1.max(others / light));
        any = true;
    }
    any.then_some(most)
}

/// How places of the 2x2 cells that stars cover differ, as a share of their mean, with the error.
///
/// A cell counts if all of its places stand far above the sky. Slopes of stars go both ways, and
/// cancel in the median; the colours of an array do not.
fn in_stars(glance: &Glance) -> Option<(f64, f64)> {
    let width = glance.size.width;
    let sky = glance.median_adu as f32;
    let from = STAR_SIGMAS * glance.scatter_adu.max(0.5) as f32;
    let mut shares: [Vec<f32>; 4] = Default::default();
    for pair in glance.runs().flat_map(|run| run.chunks_exact(2 * width)) {
        let (upper, lower) = pair.split_at(width);
        for (a, b) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
            let cell = [a[0], a[1], b[0], b[1]].map(|v| v - sky);
            if cell.iter().all(|v| *v > from && *v < f32::INFINITY) {
                let mean = cell.iter().sum::<f32>() / 4.0;
                shares.iter_mut().zip(cell).for_each(|(of, v)| of.push(v / mean));
            }
        }
    }
    let count = shares[0].len();
    if count < STAR_CELLS {
        return None;
    }
    let middles = shares.each_ref().map(|of| rank(of.iter().copied(), 0.5));
    let scatter = shares
        .iter()
        .zip(middles)
        .map(|(of, middle)| rank(of.iter().map(|v| (v - middle as f32).abs()), 0.682_7));
    // A star covers some cells, whose slopes go together.
    let error = scatter.fold(0.0, f64::max) / (count as f64 / CELLS_OF_A_STAR).sqrt();
    let most = middles.iter().copied().fold(f64::MIN, f64::max);
    Some((most - middles.iter().copied().fold(f64::MAX, f64::min), error))
}

/// What flats and lights of a set-up say of an array over it; `zero_adu` is the level of its frames
/// without light, where they are known.
pub fn array(frames: &[(FrameKind, &Glance)], zero_adu: Option<f64>) -> ArrayVerdict {
    let of = |wanted: FrameKind| -> Vec<(Places, f64)> {
        let frames = frames.iter().filter(|(kind, _)| *kind == wanted);
        let seen = frames.filter_map(|(_, g)| Some((Places::of(g)?, g.median_adu)));
        seen.map(|(p, level)| (p, level - zero_adu.unwrap_or(0.0))).collect()
    };
    let (flats, lights) = (of(FrameKind::Flat), of(FrameKind::Light));
    let share = |seen: &[(Places, f64)]| {
        seen.iter().map(|(p, light)| p.apart_adu() / light).fold(0.0, f64::max)
    };
    let certain = |(p, light): &(Places, f64)| {
        *light > 0.0 && p.apart_adu() > (CERTAIN * p.error_adu).max(ALIKE * light)
    };
    let coloured = |(p, light): &(Places, f64)| {
        let least = (CERTAIN * p.error_adu).max(SKY_KNOWN * light);
        *light > 0.0 && p.apart_adu() > least.max(ELECTRONICS * p.scatter_adu)
    };
    if !flats.is_empty() && flats.iter().all(|(p, light)| *light > 0.0 && p.array(*light)) {
        return ArrayVerdict::Array(share(&flats));
    }
    let alike = |(p, light): &(Places, f64)| {
        *light > 0.0 && p.apart_adu() + 2.0 * p.error_adu < ALIKE * light
    };
    let known = |(p, light): &(Places, f64)| {
        *light > 0.0 && CERTAIN * p.error_adu < SKY_KNOWN * light && !certain(&(*p, *light))
    };
    // A flat through three filters can be balanced, and the sky grey: stars are neither.
    let stars_coloured = |(p, _): &(Places, f64)| {
        p.in_stars.is_some_and(|(apart, error)| apart > STAR_COLOURS.max(LIKELY * error))
    };
    if lights.iter().any(|l| coloured(l) || stars_coloured(l)) {
        return ArrayVerdict::Unclear;
    }
    match zero_adu {
        Some(_) if !flats.is_empty() && flats.iter().all(alike) => {
            ArrayVerdict::OneColour(share(&flats))
        }
        _ if flats.is_empty() && !lights.is_empty() && lights.iter().all(known) => {
            ArrayVerdict::PerhapsOneColour(share(&lights))
        }
        _ => ArrayVerdict::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{CfaPattern, Size};

    use super::super::glance::tests::{glance, noise};
    use super::*;

    #[test]
    fn stars_of_a_colour_speak_for_an_array_and_plain_ones_do_not() {
        let cfa = CfaPattern::parse("RGGB").unwrap();
        let light = |colours: [f32; 3], width: f32| {
            glance(Size::new(320, 240), move |x, y| {
                // A star in each field of 23 x 19 pixels, at another place of each.
                let (i, j) = (x / 23, y / 19);
                let cx = (i * 23) as f32 + 8.0 + ((i * 7 + j * 3) % 10) as f32 * 0.61;
                let cy = (j * 19) as f32 + 7.0 + ((i * 3 + j * 5) % 10) as f32 * 0.53;
                let r2 = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
                let star = 6000.0 * (-r2 / (2.0 * width * width)).exp();
                500.0 + 20.0 * noise(x, y) + star * colours[cfa.color(x, y).channel()]
            })
        };
        let flat = glance(Size::new(320, 240), |x, y| 20_500.0 + 140.0 * noise(x, y));
        for (colours, mono) in [
            ([1.0, 1.0, 1.0], true),
            ([0.5, 1.0, 0.6], false),
            ([1.0, 0.15, 0.1], false),
            ([0.8, 1.0, 0.7], false),
        ] {
            for width in [0.8, 1.2, 2.5] {
                let light = light(colours, width);
                let frames = [(FrameKind::Flat, &flat), (FrameKind::Light, &light)];
                let found = array(&frames, Some(500.0));
                let one = matches!(found, ArrayVerdict::OneColour(_));
                // Sharp stars cover too few cells to tell.
                let told = Places::of(&light).unwrap().in_stars.is_some();
                assert!(one == mono || !told, "{colours:?} {width}: {found:?}");
                assert!(told || width < 1.0, "{colours:?} {width}");
            }
        }
    }

    #[test]
    fn flats_and_lights_say_whether_there_is_an_array() {
        use ArrayVerdict::{Array, OneColour, PerhapsOneColour, Unclear};
        let cfa = CfaPattern::parse("GRBG").unwrap();
        let frame = |level: f32, colours: [f32; 3], sigma: f32| {
            glance(Size::new(320, 240), move |x, y| {
                let slope = 1.0 - 0.4 * x as f32 / 320.0 - 0.1 * y as f32 / 240.0;
                let colour = colours[cfa.color(x, y).channel()];
                500.0 + level * slope * colour + sigma * noise(x, y)
            })
        };
        let white = [1.0; 3];
        let (flat, light) = (FrameKind::Flat, FrameKind::Light);
        for (name, frames, zero, expected) in [
            (
                "mono",
                vec![(flat, 20_000.0, white, 140.0), (light, 400.0, white, 20.0)],
                Some(500.0),
                OneColour(0.0),
            ),
            ("mono, no dark", vec![(flat, 20_000.0, white, 140.0)], None, Unclear),
            ("mono lights only", vec![(light, 4000.0, white, 20.0)], None, PerhapsOneColour(0.0)),
            ("colour", vec![(flat, 20_000.0, [0.6, 1.0, 0.7], 140.0)], Some(500.0), Array(0.0)),
            (
                "colour under H-alpha",
                vec![(flat, 20_000.0, [1.0, 0.08, 0.05], 100.0)],
                Some(500.0),
                Array(0.0),
            ),
            (
                "balanced panel, other sky",
                vec![(flat, 20_000.0, white, 100.0), (light, 800.0, [0.8, 1.0, 0.7], 20.0)],
                Some(500.0),
                Unclear,
            ),
            (
                "nearly balanced panel",
                vec![(flat, 20_000.0, [0.99, 1.0, 1.01], 100.0)],
                Some(500.0),
                Unclear,
            ),
            (
                "faint light of colours",
                vec![(light, 30.0, [0.8, 1.0, 0.9], 20.0)],
                Some(500.0),
                Unclear,
            ),
        ] {
            let frames: Vec<(FrameKind, Glance)> =
                frames.into_iter().map(|(k, l, c, s)| (k, frame(l, c, s))).collect();
            let frames: Vec<(FrameKind, &Glance)> = frames.iter().map(|(k, g)| (*k, g)).collect();
            let found = array(&frames, zero);
            let same = std::mem::discriminant(&found) == std::mem::discriminant(&expected);
            assert!(same, "{name}: {found:?}");
        }
    }
}
