//! What a frame is, as its pixels show it: stars, light, or neither.

use photosite_pix::FrameKind;

use super::glance::{Glance, Places, RUN};

/// A sample that stands out of its row by so many sigmas is a star's, if the four beside it do by so
/// many and by so much of its height, and three of those at its corners: hot pixels stand alone, and
/// tracks of particles are sharp on two sides. Of a million samples of real darks one passes at most,
/// of lights from 8 (a slit spectrum) to some hundred.
const PEAK_SIGMAS: f32 = 10.0;
const BESIDE_SIGMAS: f32 = 3.0;
const BESIDE_SHARE: f32 = 0.12;
const CORNERS: usize = 3;

/// Stars from which on a frame shows the sky, and from which on a frame that is said to be dark does.
const STARS: usize = 3;
const STARS_FOR_CERTAIN: usize = 15;

/// Stars of a usual light from which on one without is odd.
const USUAL_STARS: usize = 5;

/// A frame without stars is lit evenly where its light is so many times the scatter, or this share of
/// the whole range.
const LIT_SIGMAS: f64 = 40.0;
const LIT_SHARE: f64 = 0.08;

/// Frames without light lie below this share of the whole range: offsets of cameras do.
const OFFSET_SHARE: f64 = 0.15;

/// Some frame must stand above the lowest by so many sigmas, so that the lowest is one without light.
const ABOVE_SIGMAS: f64 = 5.0;

/// A frame with less light than so many sigmas of one sample has none.
const DARK_SIGMAS: f64 = 6.0;

/// Light from which a frame with a star or two may show the sky, in sigmas of one sample.
const SKY_SIGMAS: f64 = 2.0;

/// Exposures up to this one are those of biases, in seconds.
const BIAS_S: f64 = 0.01;

/// The level of frames without light in a light that saw none, in sigmas of one sample.
const CAP_SIGMAS: f64 = 0.5;

/// A frame whose kind is asked for, or that others are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What its label says; `None` where there is none.
    pub kind: Option<FrameKind>,
    /// Exposure in seconds, where it is known.
    pub exposure_s: Option<f64>,
    /// Where its samples end, in ADU.
    pub full_adu: f64,
    /// Its pixels.
    pub glance: &'a Glance,
}

/// What a frame is, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct KindSeen {
    /// Its kind.
    pub kind: FrameKind,
    /// Half a sentence on its pixels.
    pub why: String,
}

impl Glance {
    /// Peaks that are neither single pixels nor tracks.
    pub fn stars(&self) -> usize {
        if let Some(told) = &self.told {
            return told.stars;
        }
        if !self.median_adu.is_finite() {
            return 0;
        }
        let sigma = self.scatter_adu.max(0.5) as f32;
        let width = self.size.width;
        let from = self.median_adu as f32 + PEAK_SIGMAS * sigma;
        let beside = BESIDE_SIGMAS * sigma;
        let mut stars = 0;
        // The first and last row of a run have no neighbours on one side.
        let inner = (0..self.row_count()).filter(|y| (1..RUN - 1).contains(&(y % RUN)));
        for y in inner {
            for x in 1..width.saturating_sub(1) {
                // A slope may lift all of a part; what stands out of it is what counts.
                if self.row(y)[x] < from || self.stands_out(y, x) < PEAK_SIGMAS * sigma {
                    continue;
                }
                let out = |dx: usize, dy: usize| self.stands_out(y + dy - 1, x + dx - 1);
                let v = self.row(y)[x];
                let least = beside.max(BESIDE_SHARE * self.stands_out(y, x));
                let four = [(0, 1), (2, 1), (1, 0), (1, 2)];
                let corners = [(0, 0), (2, 0), (0, 2), (2, 2)];
                let lit = four.iter().all(|(dx, dy)| out(*dx, *dy) > least)
                    && corners.iter().filter(|(dx, dy)| out(*dx, *dy) > beside).count() >= CORNERS;
                // Of one star the highest sample counts.
                let at = |dx: usize, dy: usize| self.row(y + dy - 1)[x + dx - 1];
                let highest = at(0, 1) <= v && at(2, 1) < v && at(1, 0) <= v && at(1, 2) < v;
                stars += usize::from(lit && highest);
            }
        }
        stars
    }

    /// The same without its samples, which take megabytes: it still knows its stars, its levels and
    /// its highest samples, but not which way up it lies.
    pub fn forgetting(self) -> Self {
        let (stars, places) = (self.stars(), Places::of(&self));
        self.telling(stars, places)
    }

    /// Its light above `zero_adu` in sigmas of one sample.
    fn light_sigmas(&self, zero_adu: f64) -> f64 {
        (self.median_adu - zero_adu) / self.scatter_adu.max(0.5)
    }
}

/// The lowest level of a set-up's frames, if it is that of frames without light: within what offsets
/// may be, and below other frames.
pub fn zero_adu(frames: &[Asked<'_>]) -> Option<f64> {
    let low = |f: &&Asked<'_>| f.glance.median_adu < OFFSET_SHARE * f.full_adu;
    let lowest = frames.iter().filter(low).map(|f| f.glance);
    let lowest = lowest.min_by(|a, b| a.median_adu.total_cmp(&b.median_adu))?;
    let zero = lowest.median_adu;
    let above = |f: &Asked<'_>| {
        let of_lowest = lowest.scatter_adu.max(0.5);
        f.glance.median_adu - zero > ABOVE_SIGMAS * of_lowest
    };
    frames.iter().any(above).then_some(zero)
}

/// What a frame without label is; `None` where its pixels do not tell. `zero_adu` is the level of
/// frames without light, where it is known.
pub fn kind_of(frame: &Asked<'_>, zero_adu: Option<f64>) -> Option<KindSeen> {
    let glance = frame.glance;
    let level = glance.median_adu;
    let seen = |kind, why| Some(KindSeen { kind, why });
    let stars = glance.stars();
    if stars >= STARS {
        return seen(FrameKind::Light, format!("{stars} stars in the rows that were looked at"));
    }
    let offset = zero_adu.unwrap_or(0.0);
    let (sigmas, share) = (glance.light_sigmas(offset), (level - offset) / frame.full_adu);
    let lit = match zero_adu {
        Some(_) => sigmas >= LIT_SIGMAS || share >= LIT_SHARE,
        None => level >= OFFSET_SHARE * frame.full_adu,
    };
    if lit {
        return seen(FrameKind::Flat, format!("evenly lit to {level:.0} ADU, and no stars"));
    }
    if frame.exposure_s.is_some_and(|s| s <= BIAS_S) {
        return seen(FrameKind::Bias, "no stars, and no exposure".to_owned());
    }
    // Without an exposure a dark and a bias are told apart by nothing; a star or two over some light
    // may be the sky.
    let perhaps_sky = stars > 0 && sigmas > SKY_SIGMAS;
    zero_adu.filter(|_| sigmas < DARK_SIGMAS && frame.exposure_s.is_some() && !perhaps_sky)?;
    let above = level - offset;
    seen(FrameKind::Dark, format!("no stars, {above:.0} ADU above the lowest level"))
}

/// What is known of the frames beside one whose label is doubted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside {
    /// The level of darks and biases, in ADU.
    pub dark_adu: Option<f64>,
    /// The stars of a usual light.
    pub stars: usize,
}

/// What contradicts a frame's label; `None` where nothing does.
pub fn label_contradicted(frame: &Asked<'_>, beside: Beside) -> Option<String> {
    let glance = frame.glance;
    match frame.kind? {
        FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat => {
            let stars = glance.stars();
            (stars >= STARS_FOR_CERTAIN && 4 * stars >= beside.stars)
                .then(|| format!("{stars} stars stand in the rows that were looked at"))
        }
        FrameKind::Light => {
            // Lights that all have few stars may well be narrow-band ones.
            let dark_adu = beside.dark_adu.filter(|_| beside.stars >= USUAL_STARS)?;
            let above = glance.light_sigmas(dark_adu);
            (above.abs() < CAP_SIGMAS && glance.stars() == 0).then(|| {
                format!(
                    "its level of {:.0} ADU is that of frames without light ({dark_adu:.0} ADU), \
                     and it shows no star where others show {}",
                    glance.median_adu, beside.stars
                )
            })
        }
        // A flat without light is found among its set.
        FrameKind::Flat => None,
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{CfaPattern, Size};

    use super::super::glance::tests::{glance, noise};
    use super::*;

    /// A camera: offset, read noise and electrons' gain, where samples end, and its array.
    struct Camera {
        offset: f32,
        read: f32,
        gain: f32,
        full: f32,
        cfa: Option<&'static str>,
    }

    const CAMERAS: [Camera; 5] = [
        Camera { offset: 500.0, read: 3.0, gain: 0.25, full: 65_535.0, cfa: None },
        Camera { offset: 1000.0, read: 8.0, gain: 1.3, full: 65_535.0, cfa: None },
        Camera { offset: 2048.0, read: 6.0, gain: 0.3, full: 16_383.0, cfa: Some("RGGB") },
        Camera { offset: 200.0, read: 1.5, gain: 1.0, full: 4095.0, cfa: Some("GBRG") },
        Camera { offset: 30.0, read: 9.0, gain: 2.3, full: 65_535.0, cfa: None },
    ];

    impl Camera {
        /// A frame of light (ADU), stars, dark signal and hot pixels.
        fn frame(&self, seed: usize, light: f32, stars: f32, dark: f32) -> Glance {
            let cfa = self.cfa.and_then(CfaPattern::parse);
            let size = Size::new(400, 300);
            let (gain, full) = (self.gain, self.full);
            glance(size, move |x, y| {
                let (fx, fy) = (x as f32 / 400.0 - 0.5, y as f32 / 300.0 - 0.5);
                let colour = cfa.map_or(1.0, |c| [0.6, 1.0, 0.8][c.color(x, y).channel()]);
                let mut signal = light * (1.0 - 0.5 * (fx * fx + fy * fy)) * colour + dark;
                if stars > 0.0 {
                    let (cx, cy) = ((x + 7 * seed) % 40, (y + 3 * seed) % 37);
                    let r2 = (cx as f32 - 20.3).powi(2) + (cy as f32 - 18.4).powi(2);
                    signal += stars * colour * (-r2 / 4.0).exp();
                }
                if (x * 1_000_003 + y * 7907) % 1987 == 3 {
                    signal += 20.0 * dark;
                }
                let sigma = (self.read * self.read + signal.max(0.0) / gain).sqrt();
                (self.offset + signal + sigma * noise(x + 977 * seed, y)).round().clamp(0.0, full)
            })
        }
    }

    #[test]
    fn frames_of_mixed_nights_are_told_apart_at_five_cameras_levels() {
        let (mut all, mut wrong, mut open) = (0, 0, 0);
        for camera in &CAMERAS {
            let mut frames: Vec<(FrameKind, f64, Glance)> = Vec::new();
            for i in 0..20usize {
                let step = 1.0 + 0.1 * i as f32;
                let range = camera.full - camera.offset;
                frames.push((FrameKind::Bias, 0.0, camera.frame(i, 0.0, 0.0, 0.0)));
                frames.push((FrameKind::Dark, 120.0, camera.frame(i + 20, 0.0, 0.0, 2.0 * step)));
                let flat = (0.2 + 0.02 * i as f32) * range;
                frames.push((FrameKind::Flat, 1.5, camera.frame(i + 40, flat, 0.0, 0.0)));
                let sky = 0.002 * range * step * step;
                let stars = 60.0 * (camera.read + (sky / camera.gain).sqrt());
                frames.push((FrameKind::Light, 120.0, camera.frame(i + 60, sky, stars, 2.0)));
            }
            let asked: Vec<Asked<'_>> = frames
                .iter()
                .map(|(_, exposure_s, glance)| Asked {
                    kind: None,
                    exposure_s: Some(*exposure_s),
                    full_adu: 65_535.0f64.min(f64::from(camera.full)),
                    glance,
                })
                .collect();
            let zero = zero_adu(&asked);
            for ((kind, ..), asked) in frames.iter().zip(&asked) {
                all += 1;
                match kind_of(asked, zero) {
                    Some(seen) if seen.kind == *kind => {
                        let said = Asked { kind: Some(*kind), ..*asked };
                        let beside = Beside { dark_adu: zero, stars: 50 };
                        assert_eq!(label_contradicted(&said, beside), None, "{kind}");
                    }
                    Some(seen) => {
                        wrong += 1;
                        println!("{kind}: {seen:?} at {}", camera.offset);
                    }
                    None => {
                        open += 1;
                        println!("{kind} undecided at {}", camera.offset);
                    }
                }
            }
        }
        assert!(wrong == 0 && open * 100 <= all, "{wrong} wrong, {open} open of {all}");
    }

    #[test]
    fn labels_that_pixels_contradict() {
        for camera in &CAMERAS {
            let sky = camera.frame(1, 0.01 * camera.full, 0.2 * camera.full, 1.0);
            let capped = camera.frame(2, 0.0, 0.0, 1.0);
            let clouded = camera.frame(3, 0.02 * camera.full, 0.0, 1.0);
            let zero = Some(camera.frame(4, 0.0, 0.0, 1.0).median_adu);
            for (kind, glance, wrong) in [
                (FrameKind::Dark, &sky, true),
                (FrameKind::Bias, &sky, true),
                (FrameKind::Dark, &capped, false),
                (FrameKind::Light, &sky, false),
                (FrameKind::Light, &capped, true),
                (FrameKind::Light, &clouded, false),
            ] {
                let full_adu = f64::from(camera.full);
                let asked = Asked { kind: Some(kind), exposure_s: Some(60.0), full_adu, glance };
                let beside = Beside { dark_adu: zero, stars: 50 };
                assert_eq!(label_contradicted(&asked, beside).is_some(), wrong, "{kind}");
                // Where no light has stars, none is left out for it.
                let beside = Beside { stars: 3, ..beside };
                let dark = wrong && kind != FrameKind::Light;
                assert_eq!(label_contradicted(&asked, beside).is_some(), dark, "{kind}");
            }
        }
    }
}
