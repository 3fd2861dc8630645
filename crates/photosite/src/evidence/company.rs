//! What frames without a label are, by their pixels and by those of the frames beside them.

use photosite_pix::FrameKind;

use super::kind::{Asked, DARK_SIGMAS, KindSeen, STARS, alone, zero_adu};
use super::peaks::Company;

/// Frames whose exposures differ by no more than this share have one exposure.
const SAME_EXPOSURE: f64 = 0.01;

/// A dark lies above the lowest of its exposure by no more than so many sigmas of one sample, unless
/// its hot pixels are hotter by this share.
const SAME_LEVEL_SIGMAS: f64 = 0.5;
const HOTTER: f64 = 0.03;

/// Particles that leave marks in what is looked at of a dark: so many, and one more a minute.
const PARTICLES: f64 = 5.0;

/// Fewer than one in so many hot pixels comes or goes between two darks.
const TENTH: usize = 10;

/// Darks that are believed among frames that perhaps are none.
const DARKS_FOR_CERTAIN: usize = 3;

/// Frames in which what looks like stars stands still, so that it is none.
const STILL: usize = 2;

/// Lights of an exposure lie above its darks by so many sigmas of one sample.
const SKY_SIGMAS: f64 = 0.25;

/// What is no dark lies above them by so many times their own spread.
const APART: f64 = 2.0;

/// What is said of a frame without a label.
#[derive(Debug, Clone, PartialEq)]
pub enum KindVerdict {
    /// Its kind.
    Seen(KindSeen),
    /// Its pixels do not tell: half a sentence on why.
    Unclear(String),
}

/// What the frames of a set-up that have no label are, in the order of `frames`; for those that have
/// one, what the label says.
///
/// A frame is a dark only beside another of its exposure that is like it in what stands out of it,
/// and at the lowest level of that exposure: a clouded light has no stars either.
pub fn kinds_of(frames: &[Asked<'_>]) -> Vec<KindVerdict> {
    let zero = zero_adu(frames);
    let first: Vec<Option<KindSeen>> = frames
        .iter()
        .map(|f| match f.kind {
            Some(kind) => Some(KindSeen { kind, why: "its label says so".to_owned() }),
            None => alone(f, zero),
        })
        .collect();
    let mut out: Vec<Result<KindSeen, String>> = (0..frames.len())
        .map(|i| {
            let dim = || zero.is_some_and(|zero| frames[i].glance.light_sigmas(zero) < DARK_SIGMAS);
            match first[i].clone() {
                Some(seen) if frames[i].kind.is_some() => Ok(seen),
                Some(seen) if seen.kind == FrameKind::Dark => among_darks(i, seen, frames, &first),
                Some(seen) if seen.kind == FrameKind::Light && dim() => {
                    moving(i, frames, &first).map(|()| seen)
                }
                Some(seen) => Ok(seen),
                None => Err("neither its level nor what stands out of it tells".to_owned()),
            }
        })
        .collect();
    few_darks(frames, &first, &mut out);
    without_lights(frames, &first, &mut out);
    let verdict = |out: Result<_, _>| out.map_or_else(KindVerdict::Unclear, KindVerdict::Seen);
    out.into_iter().map(verdict).collect()
}

/// Whether two frames have one exposure, and no setting that is known to differ.
fn alike(a: &Asked<'_>, b: &Asked<'_>) -> bool {
    let exposure = match (a.exposure_s, b.exposure_s) {
        (Some(a), Some(b)) => (a - b).abs() <= SAME_EXPOSURE * a.max(b),
        _ => false,
    };
    let mut settings = a.settings.iter().zip(&b.settings);
    exposure && settings.all(|(a, b)| a.zip(*b).is_none_or(|(a, b)| a == b))
}

fn is_dark(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Dark | FrameKind::DarkFlat)
}

/// What a frame is that is a dark by itself, by others of its exposure.
fn among_darks(
    i: usize,
    seen: KindSeen,
    frames: &[Asked<'_>],
    first: &[Option<KindSeen>],
) -> Result<KindSeen, String> {
    let me = &frames[i];
    let dark = |j: &usize| first[*j].as_ref().is_some_and(|seen| is_dark(seen.kind));
    let others: Vec<usize> = (0..frames.len())
        .filter(|j| *j != i && alike(me, &frames[*j]))
        .filter(|j| dark(j) || first[*j].as_ref().is_none_or(|s| s.kind == FrameKind::Light))
        .collect();
    if !others.iter().any(dark) {
        return Err("alone of its exposure it may be a dark or a light without stars".to_owned());
    }
    let lowest = others
        .iter()
        .copied()
        .filter(dark)
        .min_by(|a, b| frames[*a].glance.median_adu.total_cmp(&frames[*b].glance.median_adu));
    if let Some(lowest) = lowest.map(|j| &frames[j]) {
        let above_adu = me.glance.median_adu - lowest.glance.median_adu;
        // Light brings noise of its own.
        let above = above_adu / lowest.glance.scatter_adu.max(0.5);
        if above > SAME_LEVEL_SIGMAS {
            // Of a warmer sensor the hot pixels are hotter too; the sky lifts the level alone.
            let ratio = me.glance.peaks.beside(&lowest.glance.peaks).ratio;
            let off = |(times, error): (f64, f64)| (times - 1.0) / HOTTER.max(3.0 * error);
            let why =
                format!("its level lies {above_adu:.1} ADU above that of a dark of its exposure");
            match ratio.map(off) {
                Some(off) if off > 1.0 => {}
                Some(off) if off > -1.0 => {
                    let why = format!("{why}, and its hot pixels are no hotter: the sky");
                    return Ok(KindSeen { kind: FrameKind::Light, why });
                }
                _ => return Err(format!("it has no stars, but {why}")),
            }
        }
    }
    let minutes = me.exposure_s.unwrap_or(0.0) / 60.0;
    let strange = |c: &Company| {
        c.spread_lacking as f64 > PARTICLES + minutes
            || (c.lacking as f64 > 2.0 * PARTICLES + minutes && TENTH * c.lacking > c.compared)
    };
    let company =
        others.iter().filter(|j| dark(j)).map(|j| me.glance.peaks.beside(&frames[*j].glance.peaks));
    let Some(least) = company.min_by_key(|c| (c.spread_lacking, c.lacking)) else {
        return Ok(seen);
    };
    if least.moved {
        return Err("what stands out of it moved against other frames of its exposure".to_owned());
    }
    if strange(&least) {
        return Err(format!(
            "{} of {} samples that stand out of it do so in no other frame of its exposure: faint \
             stars, perhaps",
            least.lacking, least.compared
        ));
    }
    Ok(seen)
}

/// Whether a frame that has stars at the level of darks has them elsewhere than others of its
/// exposure: clusters of hot pixels stay where they are.
fn moving(i: usize, frames: &[Asked<'_>], first: &[Option<KindSeen>]) -> Result<(), String> {
    let me = &frames[i];
    let others = (0..frames.len()).filter(|j| *j != i && alike(me, &frames[*j]));
    let others = others.filter(|j| {
        first[*j].as_ref().is_none_or(|s| is_dark(s.kind) || s.kind == FrameKind::Light)
    });
    let fixed = |j: usize| {
        let company = me.glance.peaks.beside(&frames[j].glance.peaks);
        company.stars_lacking < STARS && !company.moved
    };
    let company: Vec<bool> = others.map(fixed).collect();
    let still = company.iter().filter(|fixed| **fixed).count();
    if still >= STILL.min(company.len()) && still > 0 {
        return Err("what looks like its stars stands at the same pixels in other frames of its \
             exposure, as clusters of hot pixels do"
            .to_owned());
    }
    Ok(())
}

/// Where frames of an exposure that were like darks turned out to be none, the others are believed
/// only where they are several, or one has a label.
fn few_darks(
    frames: &[Asked<'_>],
    first: &[Option<KindSeen>],
    out: &mut [Result<KindSeen, String>],
) {
    let dark = |seen: &KindSeen| is_dark(seen.kind);
    let remains: Vec<bool> = out.iter().map(|v| v.as_ref().is_ok_and(dark)).collect();
    let lit: Vec<bool> = out.iter().map(|v| v.as_ref().is_ok_and(|seen| !dark(seen))).collect();
    for i in (0..frames.len()).filter(|i| remains[*i] && frames[*i].kind.is_none()) {
        let beside = || (0..frames.len()).filter(|j| alike(&frames[i], &frames[*j]));
        let was = |j: &usize| first[*j].as_ref().is_some_and(dark);
        let level = |j: usize| frames[j].glance.median_adu;
        if beside().any(|j| frames[j].kind.is_some_and(is_dark)) {
            continue;
        }
        let lights = beside().filter(|j| lit[*j] && frames[*j].kind.is_none()).map(level);
        let sky = lights.reduce(f64::min).map(|light| light - level(i));
        if sky.is_some_and(|sky| sky < SKY_SIGMAS * frames[i].glance.scatter_adu.max(0.5)) {
            out[i] =
                Err("it is like a dark, but lights of its exposure are no brighter".to_owned());
            continue;
        }
        let none: Vec<usize> = beside().filter(|j| was(j) && !remains[*j]).collect();
        if none.is_empty() {
            continue;
        }
        let darks: Vec<f64> = beside().filter(|j| remains[*j]).map(level).collect();
        let low = darks.iter().copied().fold(f64::INFINITY, f64::min);
        let high = darks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Levels of darks lie together, and those of lights spread up from the lowest.
        let dimmest = none.iter().filter(|j| lit[**j]).map(|j| level(*j)).reduce(f64::min);
        let apart = dimmest.is_none_or(|light| (light - high).abs() > APART * (high - low));
        if darks.len() < DARKS_FOR_CERTAIN || !apart {
            out[i] = Err(
                "it is like a dark, and so are frames of its exposure that are none".to_owned()
            );
        }
    }
}

/// Where no frame is a light, what is like a dark may be the lights: under clouds, or of a faint field.
fn without_lights(
    frames: &[Asked<'_>],
    first: &[Option<KindSeen>],
    out: &mut [Result<KindSeen, String>],
) {
    let light = |seen: &KindSeen| seen.kind == FrameKind::Light;
    let perhaps = |(v, first): (&Result<KindSeen, String>, &Option<KindSeen>)| {
        v.is_err() && first.as_ref().is_some_and(|seen| is_dark(seen.kind))
    };
    let one = out.iter().any(|v| v.as_ref().is_ok_and(light));
    if one || out.iter().zip(first).any(perhaps) {
        return;
    }
    for (frame, verdict) in frames.iter().zip(out) {
        let dark = verdict.as_ref().is_ok_and(|seen| is_dark(seen.kind));
        if dark && frame.kind.is_none() {
            let why = "it is like a dark, but no frame beside it is a light: it may be one without \
                       stars";
            *verdict = Err(why.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::glance::Glance;
    use super::super::kind::tests::{CAMERAS, Scene, asked};
    use super::*;

    #[test]
    fn lights_that_look_like_darks_enter_no_dark() {
        let usual = Scene { fwhm: 2.5, ..Scene::default() };
        let scenes = [
            (
                "undersampled",
                Scene {
                    sky_sigmas: 2.0,
                    height_sigmas: 800.0,
                    stars: 60,
                    fwhm: 1.1,
                    step: 1.3,
                    ..usual
                },
            ),
            (
                "undersampled, dark sky",
                Scene {
                    sky_sigmas: 0.2,
                    height_sigmas: 800.0,
                    stars: 60,
                    fwhm: 1.2,
                    step: 1.3,
                    ..usual
                },
            ),
            (
                "narrow band, guided",
                Scene { sky_sigmas: 1.2, height_sigmas: 40.0, stars: 6, step: 0.2, ..usual },
            ),
            ("clouded", Scene { sky_sigmas: 0.9, ..usual }),
            ("clouded, moonlit", Scene { sky_sigmas: 4.0, ..usual }),
        ];
        for camera in &CAMERAS {
            for (name, scene) in scenes {
                for clusters in [false, true] {
                    let scene = Scene { clusters, ..scene };
                    let dark = Scene { clusters, ..Scene::default() };
                    let bias: Vec<Glance> =
                        (0..3).map(|i| camera.exposed(100 + i, dark, false)).collect();
                    let darks: Vec<Glance> =
                        (0..5).map(|i| camera.exposed(200 + i, dark, true)).collect();
                    // Clouds pass: no two lights have one level.
                    let light = |i: usize| {
                        let sky_sigmas = scene.sky_sigmas * (1.0 + 0.15 * i as f32);
                        camera.exposed(i, Scene { sky_sigmas, ..scene }, true)
                    };
                    let lights: Vec<Glance> = (0..6).map(light).collect();
                    let flat = camera.frame(300, 0.3 * (camera.full - camera.offset), 0.0, 0.0);
                    for (with_darks, labelled) in [(true, false), (true, true), (false, false)] {
                        let full = f64::from(camera.full);
                        let of_darks = labelled.then_some(FrameKind::Dark);
                        let mut frames: Vec<Asked<'_>> = vec![asked(None, 1.0, full, &flat)];
                        frames.extend(bias.iter().map(|g| asked(None, 0.0, full, g)));
                        let from = frames.len();
                        if with_darks {
                            frames.extend(darks.iter().map(|g| asked(of_darks, 60.0, full, g)));
                        }
                        let to = frames.len();
                        frames.extend(lights.iter().map(|g| asked(None, 60.0, full, g)));
                        let verdicts = kinds_of(&frames);
                        let told = format!(
                            "{name}, offset {}, clusters {clusters}, darks {with_darks}: {:?}",
                            camera.offset,
                            &verdicts[from..]
                        );
                        let dark =
                            |v: &KindVerdict| matches!(v, KindVerdict::Seen(s) if is_dark(s.kind));
                        assert_eq!(verdicts[to..].iter().filter(|v| dark(v)).count(), 0, "{told}");
                        let light = |v: &KindVerdict| matches!(v, KindVerdict::Seen(s) if s.kind == FrameKind::Light);
                        assert!(!verdicts[from..to].iter().any(light), "{told}");
                        // Unlabelled clusters of hot pixels may be stars that stand still.
                        if !clusters {
                            assert!(verdicts[from..to].iter().all(dark), "{told}");
                        }
                    }
                }
            }
        }
    }
}
