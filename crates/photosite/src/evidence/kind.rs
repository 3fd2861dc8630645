//! What a frame is, as its pixels show it: stars, light, or neither.

use photosite_pix::FrameKind;

use super::glance::Glance;

/// Stars from which on a frame shows the sky, and from which on a frame that is said to be dark does.
pub(super) const STARS: usize = 3;
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
pub(super) const DARK_SIGMAS: f64 = 6.0;

/// Light from which a frame with a star or two may show the sky, in sigmas of one sample.
const SKY_SIGMAS: f64 = 2.0;

/// Light in a frame that is said to be dark, as a share of that of a usual light.
const SKY_SHARE: f64 = 0.5;

/// Light brings noise: a bias that saw some is so many times as noisy as a dark.
const LIGHTS_NOISE: f64 = 1.3;

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
    /// The camera's settings of gain and offset, where they are known.
    pub settings: [Option<f64>; 2],
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
    /// Its light above `zero_adu` in sigmas of one sample.
    pub(super) fn light_sigmas(&self, zero_adu: f64) -> f64 {
        (self.median_adu - zero_adu) / self.scatter_adu.max(0.5)
    }
}

/// The lowest level of a set-up's frames, if it is that of frames without light: within what offsets
/// may be, and below other frames.
pub(super) fn zero_adu(frames: &[Asked<'_>]) -> Option<f64> {
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

/// What a frame without label is by itself; `None` where its pixels do not tell. `zero_adu` is the
/// level of frames without light, where it is known.
pub(super) fn alone(frame: &Asked<'_>, zero_adu: Option<f64>) -> Option<KindSeen> {
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
#[derive(Debug, Clone, Default)]
pub struct Beside<'a> {
    /// The level of frames without light, in ADU.
    pub dark_adu: Option<f64>,
    /// The level and the scatter of darks, in ADU.
    pub of_dark: Option<(f64, f64)>,
    /// The level of a usual light, in ADU.
    pub light_adu: Option<f64>,
    /// Whether no light has a shorter exposure than the frame.
    pub as_long: bool,
    /// The stars of a usual light.
    pub stars: usize,
    /// Other frames of the same label.
    pub alike: Vec<&'a Glance>,
}

/// What contradicts a frame's label; `None` where nothing does.
///
/// What stands at the same pixels in another frame of the label is no star.
pub fn label_contradicted(frame: &Asked<'_>, beside: &Beside<'_>) -> Option<String> {
    let glance = frame.glance;
    match frame.kind? {
        FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat => {
            let level = glance.median_adu;
            let sky = beside.dark_adu.zip(beside.light_adu).map(|(dark, light)| light - dark);
            let sky = sky.filter(|sky| *sky > glance.scatter_adu);
            let lit = sky.zip(beside.dark_adu).map(|(sky, dark)| level - dark >= SKY_SHARE * sky);
            let others = beside.alike.iter().map(|other| {
                let company = glance.peaks.beside(&other.peaks);
                if company.moved { glance.stars() } else { company.stars_lacking }
            });
            // Under a sky what stands still may be stars of a guided night; without one, round spots
            // are left by particles.
            let stars = match lit {
                Some(true) => glance.stars(),
                Some(false) => 0,
                None => others.min().unwrap_or_else(|| glance.stars()),
            };
            if stars >= STARS_FOR_CERTAIN && 4 * stars >= beside.stars {
                return Some(format!("{stars} stars stand in the rows that were looked at"));
            }
            let lit_bias = |(dark, scatter): &(f64, f64)| {
                level - dark > ABOVE_SIGMAS * scatter && glance.scatter_adu > LIGHTS_NOISE * scatter
            };
            let of_bias = beside.of_dark.filter(|_| frame.kind == Some(FrameKind::Bias));
            if let Some((dark, _)) = of_bias.filter(lit_bias) {
                return Some(format!(
                    "its level of {level:.0} ADU lies above that of the darks ({dark:.0} ADU), and it \
                     is noisier than they are: it saw light"
                ));
            }
            let light = beside.light_adu.filter(|light| {
                beside.as_long && level - light > ABOVE_SIGMAS * glance.scatter_adu.max(0.5)
            })?;
            Some(format!(
                "its level of {level:.0} ADU lies above that of the lights ({light:.0} ADU), whose \
                 exposure is no shorter"
            ))
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
pub(super) mod tests {
    use photosite_pix::{CfaPattern, Size};

    use super::super::company::{KindVerdict, kinds_of};
    use super::super::glance::tests::{glance, noise};
    use super::*;

    /// A camera: offset, read noise and electrons' gain, where samples end, and its array.
    pub(in super::super) struct Camera {
        pub offset: f32,
        pub read: f32,
        gain: f32,
        pub full: f32,
        cfa: Option<&'static str>,
    }

    pub(in super::super) const CAMERAS: [Camera; 5] = [
        Camera { offset: 500.0, read: 3.0, gain: 0.25, full: 65_535.0, cfa: None },
        Camera { offset: 1000.0, read: 8.0, gain: 1.3, full: 65_535.0, cfa: None },
        Camera { offset: 2048.0, read: 6.0, gain: 0.3, full: 16_383.0, cfa: Some("RGGB") },
        Camera { offset: 200.0, read: 1.5, gain: 1.0, full: 4095.0, cfa: Some("GBRG") },
        Camera { offset: 30.0, read: 9.0, gain: 2.3, full: 65_535.0, cfa: None },
    ];

    impl Camera {
        /// A frame of light (ADU), stars, dark signal and hot pixels.
        pub fn frame(&self, seed: usize, light: f32, stars: f32, dark: f32) -> Glance {
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

    pub(in super::super) fn asked(
        kind: Option<FrameKind>,
        exposure_s: f64,
        full_adu: f64,
        glance: &Glance,
    ) -> Asked<'_> {
        Asked { kind, exposure_s: Some(exposure_s), settings: [None; 2], full_adu, glance }
    }

    /// Light above the level of darks, stars' heights in sigmas, their number and width in pixels,
    /// steps between frames in pixels, and clusters of hot pixels.
    #[derive(Clone, Copy, Default)]
    pub(in super::super) struct Scene {
        pub sky_sigmas: f32,
        pub height_sigmas: f32,
        pub stars: usize,
        pub fwhm: f32,
        pub step: f32,
        pub clusters: bool,
    }

    impl Camera {
        /// A frame of 60 s, or of none.
        pub fn exposed(&self, seed: usize, scene: Scene, exposed: bool) -> Glance {
            let cfa = self.cfa.and_then(CfaPattern::parse);
            let size = Size::new(400, 300);
            let places: Vec<(f32, f32, f32)> = (0..scene.stars)
                .map(|i| {
                    let at = |k: usize, of: f32| (noise(i * 37 + k, 5) / 3.47 + 0.5) * of;
                    let shift = scene.step * seed as f32;
                    (
                        10.0 + at(1, 370.0) + shift,
                        10.0 + at(2, 270.0) + 0.6 * shift,
                        0.2 + at(3, 0.8),
                    )
                })
                .collect();
            let read = self.read;
            let sky = scene.sky_sigmas * read;
            let of_stars = scene.height_sigmas * read;
            let spread = 2.0 * (scene.fwhm / 2.355).powi(2);
            let (gain, full) = (self.gain, self.full);
            glance(size, move |x, y| {
                let (fx, fy) = (x as f32 / 400.0 - 0.5, y as f32 / 300.0 - 0.5);
                let colour = cfa.map_or(1.0, |c| [0.6, 1.0, 0.8][c.color(x, y).channel()]);
                let mut signal = 0.0;
                if exposed {
                    let vignetting = 1.0 - 0.5 * (fx * fx + fy * fy);
                    let stars: f32 = places
                        .iter()
                        .map(|(cx, cy, h)| {
                            let r2 = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
                            if r2 < 60.0 { h * of_stars * (-r2 / spread).exp() } else { 0.0 }
                        })
                        .sum();
                    signal = (sky + stars) * vignetting * colour;
                    if (x * 1_000_003 + y * 7907) % 1987 == 3 {
                        signal += (30.0 + (x * 31 + y * 17) as f32 % 200.0) * read;
                    }
                    let (u, v) = (x % 50, y % 43);
                    if scene.clusters && (20..23).contains(&u) && (20..23).contains(&v) {
                        signal += (40.0 + ((x / 50) * 31 + (y / 43) * 17) as f32 % 100.0) * read;
                    }
                }
                let sigma = (read * read + signal.max(0.0) / gain).sqrt();
                (self.offset + signal + sigma * noise(x + 977 * seed, y)).round().clamp(0.0, full)
            })
        }
    }

    #[test]
    fn hot_clusters_and_particles_do_not_contradict_a_dark() {
        for camera in &CAMERAS {
            let full = f64::from(camera.full);
            let clusters = Scene { clusters: true, ..Scene::default() };
            let spots = Scene { height_sigmas: 90.0, stars: 40, fwhm: 2.0, step: 17.0, ..clusters };
            let lit = Scene { sky_sigmas: 4.0, height_sigmas: 1500.0, fwhm: 2.5, ..spots };
            let zero = camera.exposed(90, clusters, false);
            for (scene, wrong) in [(clusters, false), (spots, false), (lit, true)] {
                let frames: Vec<Glance> = (0..4).map(|i| camera.exposed(i, scene, true)).collect();
                let beside = Beside {
                    dark_adu: Some(zero.median_adu),
                    light_adu: Some(zero.median_adu + 5.0 * f64::from(camera.read)),
                    as_long: true,
                    of_dark: None,
                    stars: 40,
                    alike: frames[1..].iter().collect(),
                };
                let asked = asked(Some(FrameKind::Dark), 60.0, full, &frames[0]);
                let found = label_contradicted(&asked, &beside);
                assert_eq!(found.is_some(), wrong, "offset {}: {found:?}", camera.offset);
            }
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
                    settings: [None; 2],
                    full_adu: 65_535.0f64.min(f64::from(camera.full)),
                    glance,
                })
                .collect();
            let zero = zero_adu(&asked);
            for (((kind, ..), asked), verdict) in frames.iter().zip(&asked).zip(kinds_of(&asked)) {
                all += 1;
                match verdict {
                    KindVerdict::Seen(seen) if seen.kind == *kind => {
                        let said = Asked { kind: Some(*kind), ..*asked };
                        let beside = Beside { dark_adu: zero, stars: 50, ..Beside::default() };
                        assert_eq!(label_contradicted(&said, &beside), None, "{kind}");
                    }
                    KindVerdict::Seen(seen) => {
                        wrong += 1;
                        println!("{kind}: {seen:?} at {}", camera.offset);
                    }
                    KindVerdict::Unclear(why) => {
                        open += 1;
                        println!("{kind} undecided at {}: {why}", camera.offset);
                    }
                }
            }
        }
        assert!(wrong == 0 && open * 100 <= all, "{wrong} wrong, {open} open of {all}");
    }

    #[test]
    fn a_bias_that_saw_light_and_a_dark_brighter_than_lights_are_none() {
        for camera in &CAMERAS {
            let zero = camera.frame(1, 0.0, 0.0, 1.0);
            let full_adu = f64::from(camera.full);
            let sky = camera.frame(2, 20.0 * camera.read, 0.0, 1.0);
            let beside = Beside {
                dark_adu: Some(zero.median_adu),
                of_dark: Some((zero.median_adu, zero.scatter_adu)),
                light_adu: Some(sky.median_adu),
                as_long: true,
                ..Beside::default()
            };
            for (kind, light, wrong) in [
                (FrameKind::Bias, 0.0, false),
                (FrameKind::Bias, 15.0 * camera.read, true),
                (FrameKind::Dark, 0.0, false),
                (FrameKind::Dark, 2.0 * camera.read, false),
                (FrameKind::Dark, 200.0 * camera.read, true),
            ] {
                let glance = camera.frame(3, light, 0.0, 1.0);
                let asked = asked(Some(kind), 60.0, full_adu, &glance);
                let found = label_contradicted(&asked, &beside);
                // Where light brings no more noise than there is, a bias may have another offset.
                let shows = kind == FrameKind::Dark || glance.scatter_adu > 1.3 * zero.scatter_adu;
                assert_eq!(found.is_some(), wrong && shows, "{kind} {light}: {found:?}");
            }
        }
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
                let asked = asked(Some(kind), 60.0, full_adu, glance);
                let beside = Beside { dark_adu: zero, stars: 50, ..Beside::default() };
                assert_eq!(label_contradicted(&asked, &beside).is_some(), wrong, "{kind}");
                // Where no light has stars, none is left out for it.
                let beside = Beside { stars: 3, ..beside };
                let dark = wrong && kind != FrameKind::Light;
                assert_eq!(label_contradicted(&asked, &beside).is_some(), dark, "{kind}");
            }
        }
    }
}
