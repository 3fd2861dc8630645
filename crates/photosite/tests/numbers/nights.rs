//! Random bad nights: few stars, moonlight, cloud, gradients, nebulae, bad seeing, undersampled stars,
//! mixed exposures, binnings and focal lengths, each through registration, scales, weights, rejection and
//! stack as `run` does.
//!
//! The oracle is the sky that the lights were made of: the weighted mean of the same lights without noise,
//! cloud or cosmic rays, drawn on the pixels of the reference. What a stack differs from it by within the
//! aperture of a star is that star's error.

use std::path::{Path, PathBuf};

use photosite::params::Integration;
use photosite::register::{PlaceErrors, ScaleSource};
use photosite::run::{Integrated, IntegrationRequest, integrate, stars_of};
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::chance::normal_below;
use photosite_pix::stars::Star;
use photosite_pix::{Frame, Header, MaskBits, Plane, stat};

use crate::bad_night::{Night, SATURATED_ADU, SIGMA_OF_FWHM, Shot};
use crate::camera::{Bench, working, write};
use crate::{Effort, Row};

/// Interpolated stars are never narrower than this, however sharp they were.
const LEAST_APERTURE_PX: f64 = 4.0;

/// A star of a stack: its flux over its true one less 1, and the error of that; by what the stack's `ERR`
/// says, and by what `stars` says where it has found it.
#[derive(Debug, Clone, Copy)]
struct Measured {
    plane: usize,
    off: f64,
    error: f64,
    told: Option<f64>,
}

/// How a night went.
struct Score {
    night: Night,
    lights: usize,
    used: usize,
    scale_error: f64,
    reference: usize,
    excess: f64,
    stars: Vec<Measured>,
    /// Stars that `stars` should have found.
    missed: usize,
    weights: Vec<f64>,
    scales: Vec<f64>,
    /// What each scale rests on.
    sources: Vec<Option<ScaleSource>>,
    widths: Vec<f64>,
    findings: Vec<String>,
}

/// The light about a place, above what lies around it.
struct Within {
    /// What is beyond the truth.
    off: f64,
    /// The truth.
    flux: f64,
    /// By what the pixels' errors let expect it to be off.
    noise: f64,
}

/// The light within `radius` of a place of a stack, means of whose pixels scatter by `shared` more than their
/// errors say; `None` where a sample is missing.
fn within(
    frame: &Frame,
    truth: &Plane<f32>,
    (x, y): (f64, f64),
    (radius, shared): (f64, f64),
) -> Option<Within> {
    let variance = frame.variance.as_ref()?;
    let rim = 1.5 * radius + 8.0;
    let size = frame.size();
    let inside = |v: f64, end: usize| v > rim + 3.0 && v < end as f64 - rim - 4.0;
    if !inside(x, size.width) || !inside(y, size.height) {
        return None;
    }
    let (mut off, mut flux, mut area, mut squares) = (0.0, 0.0, 0.0, 0.0);
    let (mut beside, mut noise) = (Vec::new(), 0.0);
    for j in (y - rim) as usize..=(y + rim) as usize + 1 {
        for i in (x - rim) as usize..=(x + rim) as usize + 1 {
            let away = (i as f64 - x).hypot(j as f64 - y);
            let differs = f64::from(frame.data.get(i, j)) - f64::from(truth.get(i, j));
            let v = f64::from(variance.get(i, j));
            let share = (radius + 0.5 - away).clamp(0.0, 1.0);
            if share > 0.0 {
                let mask = frame.mask.get(i, j);
                if !v.is_finite() || mask.intersects(MaskBits::NO_DATA | MaskBits::SATURATED) {
                    return None;
                }
                off += share * differs;
                flux += share * f64::from(truth.get(i, j));
                squares += share * v;
                area += share;
            } else if away > radius + 1.0 && away < rim && v.is_finite() {
                beside.push(differs as f32);
                noise += v;
            }
        }
    }
    let ring = beside.len() as f64;
    let level = f64::from(stat::median_in_place(&mut beside));
    // A median of n knows pi / 2 less than their mean.
    let of_ring = 1.57 * noise / ring * area * area / ring;
    Some(Within { off: off - area * level, flux, noise: shared * (squares + of_ring).sqrt() })
}

fn stack(paths: &[PathBuf], output: &Path) -> photosite::Result<Integrated> {
    let mut request = IntegrationRequest::new(paths, output);
    request.how = Integration::default();
    working(|context| integrate(&request, context))
}

fn score(night: Night) -> Option<Score> {
    let bench = Bench::new();
    let paths: Vec<PathBuf> = (0..night.shots.len())
        .map(|i| {
            let path = bench.path("light");
            write(&path, &night.light(i), Sample::F32, night.header(i));
            path
        })
        .collect();
    let output = bench.path("stack");
    let done = match stack(&paths, &output) {
        Ok(done) => done,
        Err(e) => {
            println!("night {}: {}: {e}", night.key, night.what);
            return None;
        }
    };
    let reference = paths.iter().position(|p| *p == done.reference).unwrap();
    let weights: Vec<f64> = done.lights.iter().map(|l| l.weight).collect();
    let used = done.lights.iter().filter(|l| l.used).count();
    let found = working(|context| stars_of(&output, None, 5.5, context)).unwrap();
    let (frames, header) = read_frames(&output).unwrap();
    let of = night.shots[reference];
    let radius = found.aperture_px.max(LEAST_APERTURE_PX);
    let scale_error = header.get_f64("PSFLXERR").unwrap_or(0.0);
    let by_place = PlaceErrors::read(&header);
    let (mut stars, mut missed) = (Vec::new(), 0);
    for (plane, frame) in frames.iter().enumerate() {
        let truth = night.truth(reference, &weights, plane);
        let key =
            if frames.len() == 1 { "PSCORR" } else { ["PSCORRR", "PSCORRG", "PSCORRB"][plane] };
        let shared = header.get_f64(key).unwrap_or(1.0);
        for star in &night.stars {
            let at = of.place((star.x, star.y), night.field);
            // Every light that is used has all of it, and none is clipped.
            let whole =
                night.shots.iter().zip(&weights).filter(|(_, w)| **w > 0.0).all(|(shot, _)| {
                    let (x, y) = shot.place((star.x, star.y), night.field);
                    let rim = (1.5 * radius + 8.0) * of.step / shot.step;
                    let within = |v: f64, end: usize| v > rim + 5.0 && v < end as f64 - rim - 6.0;
                    let sigma = (shot.fwhm_px * SIGMA_OF_FWHM / shot.step).max(0.4);
                    let peak = star.flux_e * shot.worth() / (std::f64::consts::TAU * sigma * sigma);
                    within(x, shot.size.width)
                        && within(y, shot.size.height)
                        && peak + shot.sky_variance(0.0) < 0.8 * SATURATED_ADU
                });
            if !whole || frame.variance.is_none() {
                continue;
            }
            let Some(seen) = within(frame, &truth, at, (radius, shared)) else { continue };
            let alone =
                within(frame, &truth, at, (found.aperture_px, shared)).map_or(0.0, |s| s.noise);
            let Within { off, flux, noise } = seen;
            if flux < 10.0 * noise {
                continue;
            }
            let error = noise.hypot(scale_error.hypot(by_place.of_plane(plane)) * flux);
            let near = |s: &&Star| (s.x - at.0).hypot(s.y - at.1) < 0.5 + 0.2 * radius;
            let told = found.stars.iter().find(near).filter(|_| plane == frames.len() / 2);
            missed += usize::from(told.is_none() && plane == frames.len() / 2);
            // What its own aperture does not hold.
            let beyond = (noise * noise - alone * alone).max(0.0).sqrt();
            let told = told.map(|s| s.flux_error.hypot(beyond) / flux);
            stars.push(Measured { plane, off: off / flux, error: error / flux, told });
        }
    }
    let mut findings: Vec<String> = done.findings.iter().map(|f| f.code.to_string()).collect();
    findings.sort();
    findings.dedup();
    let excess = night.excess(&weights);
    let scales = done
        .lights
        .iter()
        .zip(&night.shots)
        .map(|(l, shot)| {
            let right = of.worth() / shot.worth() * (shot.step / of.step).powi(-2);
            l.flux_scale.map_or(f64::NAN, |s| s.scale / right)
        })
        .collect();
    let sources = done.lights.iter().map(|l| l.flux_scale.map(|s| s.source)).collect();
    let widths = done.lights.iter().map(|l| l.fwhm_px.unwrap_or(f64::NAN)).collect();
    Some(Score {
        widths,
        lights: night.shots.len(),
        night,
        used,
        scale_error,
        reference,
        excess,
        stars,
        missed,
        weights,
        scales,
        sources,
        findings,
    })
}

impl Score {
    /// The weighted mean of what fluxes of a plane are off by, and its error.
    fn bias(&self, plane: usize) -> Option<(f64, f64)> {
        let (mut sum, mut weights, mut count) = (0.0, 0.0, 0);
        for star in self.stars.iter().filter(|s| s.plane == plane) {
            let error = star.error;
            let weight = 1.0 / (error * error - self.scale_error.powi(2)).max(1e-6);
            sum += weight * star.off;
            weights += weight;
            count += 1;
        }
        (count > 0).then(|| (sum / weights, weights.powf(-0.5).hypot(self.scale_error)))
    }

    /// The plane that scales and stars are of.
    fn middle(&self) -> usize {
        usize::from(self.night.array.is_some())
    }

    /// Whether the fluxes of some planes are right to 1 % or 2 sigma.
    fn right(&self, planes: &[usize]) -> bool {
        let of = planes.iter().filter_map(|plane| self.bias(*plane));
        of.fold(true, |right, (off, error)| right && off.abs() < f64::max(0.01, 2.0 * error))
    }

    fn line(&self) -> String {
        let mut out = format!(
            "night {}: {}\n   {} of {} lights on {}, weights cost {:.3}, {} missed",
            self.night.key,
            self.night.what,
            self.used,
            self.lights,
            self.reference,
            self.excess,
            self.missed
        );
        for plane in 0..3 {
            if let Some((off, error)) = self.bias(plane) {
                let of: Vec<&Measured> = self.stars.iter().filter(|s| s.plane == plane).collect();
                let within = of.iter().filter(|s| s.off.abs() < 1.96 * s.error).count();
                let told: Vec<f64> = of.iter().filter_map(|s| Some(s.off / s.told?)).collect();
                let within_told = told.iter().filter(|p| p.abs() < 1.96).count();
                out += &format!(
                    "; plane {plane}: {:+.2} +- {:.2} %, ERR {within}/{}, stars {within_told}/{}",
                    100.0 * off,
                    100.0 * error,
                    of.len(),
                    told.len()
                );
            }
        }
        let show = |v: &[f64]| v.iter().map(|v| format!("{v:.3}")).collect::<Vec<_>>().join(" ");
        out + &format!(
            "\n   scales over right {}\n   by {}\n   weights {}\n   widths {}\n   {:?}",
            show(&self.scales),
            self.sources
                .iter()
                .map(|s| s.map_or_else(|| "none".to_owned(), |s| format!("{s:?}").to_lowercase()))
                .collect::<Vec<_>>()
                .join(" "),
            show(&self.weights),
            show(&self.widths),
            self.findings
        )
    }
}

/// The share of some, in percent, with its error; counts of 0 and of all know theirs as well.
fn share(of: impl Iterator<Item = bool>) -> (f64, f64) {
    let (yes, all) =
        of.fold((0.0, 0.0), |(yes, all), is| (yes + f64::from(u8::from(is)), all + 1.0));
    let likely = (yes + 1.0) / (all + 2.0);
    (100.0 * yes / all, 100.0 * f64::sqrt(likely * (1.0 - likely) / all))
}

/// The table of some nights; those that miss are told.
fn table(nights: impl Iterator<Item = Night>, tell_all: bool) -> Vec<Row> {
    let told = |score: &Score| {
        let right = score.right(&[score.middle()]) && score.right(&[0, 1, 2]);
        if tell_all || !right || score.excess >= 1.1 {
            println!("{}", score.line());
        }
    };
    let scores: Vec<Score> = nights.filter_map(score).inspect(told).collect();
    let told: Vec<&Score> = scores.iter().filter(|s| !s.stars.is_empty()).collect();
    println!(
        "{} of {} nights have a picture of two lights and more with stars",
        told.len(),
        scores.len()
    );
    let lights: usize = scores.iter().map(|s| s.lights).sum();
    let used: usize = scores.iter().map(|s| s.used).sum();
    println!("{used} of {lights} lights were used; others are told as not registered, or obscured");
    let mut rows = Vec::new();
    for (name, sampled) in [("", true), ("array, FWHM below 1.8 px: ", false)] {
        let these: Vec<&Score> =
            told.iter().filter(|s| s.night.sampled() == sampled).copied().collect();
        let mut row = |what: &str, value: (f64, f64), bar| {
            if value.0.is_finite() {
                rows.push(Row::new("N", format!("{name}{what}"), value, bar));
            }
        };
        let right = |of: &dyn Fn(&Score) -> bool| share(these.iter().map(|s| of(s)));
        row(
            &format!("{} nights, fluxes right to 1 % or 2 sigma: %", these.len()),
            right(&|s| s.right(&[s.middle()])),
            (99.0, 100.0),
        );
        // Were errors exact and nothing off, so many would be.
        let chance: Vec<f64> = these
            .iter()
            .filter_map(|s| {
                Some(1.0 - 2.0 * normal_below(-f64::max(2.0, 0.01 / s.bias(s.middle())?.1)))
            })
            .collect();
        println!(
            "{name}of nights with these errors and no bias {:.1} % would be right",
            100.0 * chance.iter().sum::<f64>() / chance.len() as f64
        );
        let colour = these.iter().filter(|s| s.night.array.is_some());
        let colour = share(colour.map(|s| s.right(&[0, 2])));
        row("the same of reds and blues: %", colour, (99.0, 100.0));
        row(
            "weights cost less than 10 % of variance: %",
            right(&|s| s.excess < 1.1),
            (99.0, 100.0),
        );
        let stars = |s: &Score| -> Vec<Measured> {
            s.stars.iter().filter(|star| star.plane == s.middle()).copied().collect()
        };
        let within = |off: f64, error: f64| off.abs() < 1.96 * error;
        let middle: Vec<Measured> = these.iter().flat_map(|s| stars(s)).collect();
        let by_stars = middle.iter().filter_map(|s| Some(within(s.off, s.told?)));
        row("fluxes within 1.96 of the errors that `stars` says: %", share(by_stars), (93.0, 97.0));
        let by_err = middle.iter().map(|s| within(s.off, s.error));
        row("fluxes within 1.96 of what ERR adds up to: %", share(by_err), (93.0, 100.0));
    }
    rows
}

/// The nights that `PHOTOSITE_NIGHTS` names.
#[expect(clippy::disallowed_methods, reason = "tests that are run by hand")]
fn asked() -> Option<std::ops::Range<u64>> {
    let asked = std::env::var("PHOTOSITE_NIGHTS").ok()?;
    let (a, b) = asked.split_once("..")?;
    Some(a.parse().ok()?..b.parse().ok()?)
}

/// Random bad nights: of the long form those that the table in docs/numbers.md is of, or those that
/// `PHOTOSITE_NIGHTS` names (`20..40`), each told; of the quick one some whose stars are sampled.
pub fn bad_nights(effort: Effort) -> Vec<Row> {
    let asked = asked();
    let night = |key| Night::new(key, effort);
    match effort {
        Effort::Quick => table((0..).map(night).filter(Night::sampled).take(6), false),
        Effort::Long => table(asked.clone().unwrap_or(0..500u64).map(night), asked.is_some()),
    }
}

/// Writes the first twenty nights of one scale and without an array, or those that `PHOTOSITE_NIGHTS` names, into the
/// folder `PHOTOSITE_NIGHTS_IN`: the lights,
/// where each star lies in each of them, and the mean of all on its pixels and at its level, without noise and sky.
#[expect(clippy::disallowed_methods, reason = "a test that is run by hand")]
pub fn as_files() {
    let folder =
        std::env::var_os("PHOTOSITE_NIGHTS_IN").expect("PHOTOSITE_NIGHTS_IN names a folder");
    let folder = PathBuf::from(folder);
    let plain = |night: &Night| night.array.is_none() && night.shots.iter().all(|s| s.step == 1.0);
    let night = |key| Night::new(key, Effort::Long);
    let nights: Vec<Night> = match asked() {
        Some(asked) => asked.map(night).collect(),
        None => (0..).map(night).filter(plain).take(20).collect(),
    };
    for night in nights {
        let folder = folder.join(format!("{:03}", night.key));
        std::fs::create_dir_all(&folder).unwrap();
        let mut lights = Vec::new();
        for (i, shot) in night.shots.iter().enumerate() {
            let name = format!("light_{i:02}.fits");
            write(&folder.join(&name), &night.light(i), Sample::F32, night.header(i));
            let truth = night.truth(i, &vec![1.0; night.shots.len()], 0);
            write(&folder.join(format!("truth_{i:02}.fits")), &truth, Sample::F32, Header::new());
            let stars = night.stars.iter().map(|star| {
                let (x, y) = shot.place((star.x, star.y), night.field);
                [x, y]
            });
            let stars: Vec<[f64; 2]> = stars.collect();
            lights.push(serde_json::json!({"name": name, "fwhm_px": shot.fwhm_px, "stars": stars}));
        }
        let truth = serde_json::json!({"what": night.what, "lights": lights});
        std::fs::write(folder.join("truth.json"), truth.to_string()).unwrap();
    }
}

fn of_long(key: u64) -> Score {
    score(Night::new(key, Effort::Long)).unwrap()
}

/// Lights of unlike noise, seeing and pixels: the sharpest are not wrong on stars, nor are the coarsest.
pub fn fluxes_in_mixed_seeing() {
    for key in [59, 83, 137, 227, 271] {
        let score = of_long(key);
        assert!(score.right(&[0]), "{}", score.line());
    }
}

/// Lights under cloud whose few stars are faint, cut by the rim, or none that the reference has.
pub fn scales_of_lights_that_share_little() {
    for key in [370, 381, 410] {
        let score = of_long(key);
        assert!(score.excess < 1.1 && score.right(&[0]), "{}", score.line());
    }
}

/// Three to five stars before a nebula, the knots of which are no stars out of focus.
pub fn few_stars_before_a_nebula() {
    for key in [232, 384] {
        let score = of_long(key);
        let sharp = |(found, shot): (&f64, &Shot)| (found / shot.fwhm_px - 1.0).abs() < 0.25;
        assert!(score.widths.iter().zip(&score.night.shots).all(sharp), "{}", score.line());
        assert!(score.excess < 1.05 && score.right(&[0]), "{}", score.line());
    }
}

/// Nebulae and crowded stars raise the noise of larger pixels by more than that of smaller ones, and sharp stars are
/// drawn out by them.
pub fn weights_of_unlike_pixels() {
    for key in [125, 166, 214, 226] {
        let score = of_long(key);
        assert!(score.excess < 1.1, "{}", score.line());
    }
}

/// Arrays too coarse for their stars do not tell how wide they are.
pub fn weights_of_undersampled_arrays() {
    for key in [68, 106, 182, 210] {
        let score = of_long(key);
        assert!(score.excess < 1.1, "{}", score.line());
    }
}

/// Steep gradients, and stars that stand near the rim.
pub fn fluxes_under_gradients() {
    for key in [109, 452, 491] {
        let score = of_long(key);
        let (off, error) = score.bias(0).unwrap();
        assert!(off.abs() < f64::max(0.01, 3.0 * error), "{}", score.line());
    }
}

/// Stars make neighbours alike, as smoothing does, and the more the less cloud there is.
pub fn weights_where_wide_stars_crowd() {
    for key in [78, 296, 346] {
        let score = of_long(key);
        assert!(score.excess < 1.1, "{}", score.line());
    }
}

/// The first of equal lights is smoothed by boxes of 3 x 3 pixels, whose means tell no more than before.
pub fn weight_of_a_smoothed_light() {
    let key = 153;
    for told in [true, false] {
        let bench = Bench::new();
        let night = Night::new(key, Effort::Long);
        let paths: Vec<PathBuf> = (0..night.shots.len())
            .map(|i| {
                let path = bench.path("light");
                let light = night.light(i);
                let about = |x: usize, y: usize| {
                    let near = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
                    let rows = near(y, light.height());
                    let of: Vec<f32> =
                        rows.flat_map(|y| light.row(y)[near(x, light.width())].to_vec()).collect();
                    of.iter().sum::<f32>() / of.len() as f32
                };
                let plane =
                    if i == 0 { Plane::from_fn(light.size(), about) } else { light.clone() };
                let mut header = night.header(i);
                if !told {
                    header.remove("EGAIN");
                }
                write(&path, &plane, Sample::F32, header);
                path
            })
            .collect();
        let done = stack(&paths, &bench.path("stack")).unwrap();
        let mut weights: Vec<f64> = done.lights.iter().map(|l| l.weight).collect();
        let first = weights.remove(0);
        let others = weights.iter().sum::<f64>() / weights.len() as f64;
        assert!((0.7..1.25).contains(&(first / others)), "{key}: {first} beside {others}");
    }
}
