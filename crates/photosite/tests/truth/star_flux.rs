//! No star loses flux to the default rejection, and what does not belong to the sky still goes.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::params::{Drizzle, RecipeChoice};
use photosite::run::{IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::reject::Reject;
use photosite_pix::{Card, Header, Plane, Size, stat};
use photosite_sim::{Purpose, Stream};
use tempfile::TempDir;

use crate::night::write_plane;

const SIZE: Size = Size::new(448, 336);
const SKY_ADU: f64 = 400.0;
const READ_NOISE_ADU: f64 = 6.0;
/// Cosmic rays a light, each on one to three pixels.
const RAYS: usize = 50;
/// What a colour is of a star's light, under an array.
const COLOURS: [f64; 3] = [0.6, 1.0, 0.4];

/// What is asked of a stack.
#[derive(Debug, Clone, Copy)]
struct Case {
    fwhm_px: f64,
    /// How much wider stars are under the worst seeing than under the best.
    seeing: f64,
    lights: usize,
    array: bool,
    /// Each colour drops for itself.
    drops: bool,
}

/// How a default stack did.
#[derive(Debug)]
struct Score {
    /// Its fluxes over those without rejection: the median and the tenth percentile, colour by
    /// colour.
    flux: Vec<(f64, f64)>,
    /// The share of cosmic rays away from stars that it still shows beyond 4 sigma, and the same
    /// without rejection.
    rays: (f64, f64),
}

struct Sky {
    stars: Vec<(f64, f64, f64)>,
}

impl Sky {
    fn new() -> Self {
        let mut random = Stream::new(31, 0, Purpose::Stars);
        let star = |_| {
            let x = random.uniform() * SIZE.width as f64;
            let y = random.uniform() * SIZE.height as f64;
            (x, y, 400.0 * (1.0 - random.uniform() * 0.9995).powf(-0.9))
        };
        Self { stars: (0..160).map(star).collect() }
    }

    /// The sky through seeing, moved; electrons and ADU are one.
    fn light(&self, fwhm_px: f64, (dx, dy): (f64, f64), array: bool) -> Plane<f32> {
        let mut data = Plane::filled(SIZE, SKY_ADU as f32);
        let sigma = fwhm_px / 2.354_82;
        // The share of a pixel's width under a Gaussian, along one axis.
        let edge = |v: f64| 0.5 * (1.0 + erf(v / (sigma * std::f64::consts::SQRT_2)));
        let share = |i: usize, c: f64| edge(i as f64 + 0.5 - c) - edge(i as f64 - 0.5 - c);
        let reach = 5.0 * sigma + 2.0;
        for &(x, y, flux) in &self.stars {
            let (x, y) = (x + dx, y + dy);
            let range = |c: f64, end: usize| {
                let cut = |v: f64| v.clamp(0.0, end as f64) as usize;
                cut(c - reach)..cut(c + reach + 1.0)
            };
            for j in range(y, SIZE.height) {
                for i in range(x, SIZE.width) {
                    let colour = match (array, i % 2 + j % 2) {
                        (true, sum) => COLOURS[sum],
                        _ => 1.0,
                    };
                    data.row_mut(j)[i] += (colour * flux * share(i, x) * share(j, y)) as f32;
                }
            }
        }
        data
    }
}

/// The error function, to 1e-7.
///
/// # Source
/// AS64, 7.1.26.
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let poly = series.iter().fold(0.0, |sum, c| sum * t + c) * t;
    (1.0 - poly * (-x * x).exp()).copysign(x)
}

fn seen(case: Case, i: usize) -> (f64, (f64, f64)) {
    let mut random = Stream::new(77, i as u64, Purpose::Dither);
    let fwhm = case.fwhm_px * (1.0 + (case.seeing - 1.0) * random.uniform());
    let (x, y) = random.in_disc();
    (fwhm, if i == 0 { (0.0, 0.0) } else { (6.0 * x, 6.0 * y) })
}

struct Night {
    folder: TempDir,
    drops: bool,
    clean: Vec<PathBuf>,
    struck: Vec<PathBuf>,
    /// The pixels of the stack that rays fell on.
    rays: Vec<(f64, f64)>,
}

impl Night {
    fn new(case: Case, sky: &Sky) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut clean, mut struck, mut rays) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..case.lights {
            let (fwhm, shift) = seen(case, i);
            let mut data = sky.light(fwhm, shift, case.array);
            let mut random = Stream::new(78, i as u64, Purpose::ReadNoise);
            for v in data.as_mut_slice() {
                let sigma = (f64::from(*v) + READ_NOISE_ADU * READ_NOISE_ADU).sqrt();
                *v += (sigma * random.gaussian()) as f32;
            }
            let mut header = Header::new();
            header.set(Card::real("EXPTIME", 60.0, ""));
            header.set(Card::real("EGAIN", 1.0, ""));
            if case.array {
                header.set(Card::string("BAYERPAT", "RGGB", ""));
            }
            let path = folder.path().join(format!("light_{i:02}.fits"));
            write_plane(&path, &data, Sample::F32, header.clone());
            clean.push(path);
            let mut random = Stream::new(79, i as u64, Purpose::Cosmic);
            for _ in 0..RAYS {
                let x = 8 + (random.uniform() * (SIZE.width - 16) as f64) as usize;
                let y = 8 + (random.uniform() * (SIZE.height - 16) as f64) as usize;
                let height = 300.0 * 30f64.powf(random.uniform());
                for along in 0..1 + (random.uniform() * 3.0) as usize {
                    data.row_mut(y)[x + along] += height as f32;
                }
                rays.push((x as f64 - shift.0, y as f64 - shift.1));
            }
            let path = folder.path().join(format!("struck_{i:02}.fits"));
            write_plane(&path, &data, Sample::F32, header);
            struck.push(path);
        }
        Self { folder, drops: case.drops, clean, struck, rays }
    }

    fn stack(&self, paths: &[PathBuf], recipe: RecipeChoice) -> Vec<Plane<f32>> {
        let cancel = Cancel::default();
        let context =
            Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
        let output = self.folder.path().join("stack.fits");
        let reference = Some(&*paths[0]);
        let mut request = IntegrationRequest::new(paths, &output);
        request.reference = reference;
        request.how.recipe = recipe;
        request.how.drizzle = self.drops.then(|| Drizzle::new(1.0, 1.0, true));
        let done = integrate(&request, &context).unwrap();
        assert!(done.lights.iter().all(|l| l.used), "{:?}", done.findings);
        let (frames, _) = read_frames(&output).unwrap();
        std::fs::remove_file(&output).unwrap();
        frames.into_iter().map(|f| f.data).collect()
    }
}

/// The light within 4 px of a place, above the sky.
fn flux(plane: &Plane<f32>, (x, y): (f64, f64), radius: f64) -> Option<f64> {
    let edge = radius + 8.0;
    let inside = |v: f64, end: usize| v > edge && v < end as f64 - edge;
    if !inside(x, SIZE.width) || !inside(y, SIZE.height) {
        return None;
    }
    let mut sum = 0.0;
    for j in (y - radius) as usize..=(y + radius) as usize + 1 {
        for i in (x - radius) as usize..=(x + radius) as usize + 1 {
            if (i as f64 - x).hypot(j as f64 - y) <= radius {
                sum += f64::from(plane.get(i, j)) - SKY_ADU;
            }
        }
    }
    Some(sum)
}

fn score(case: Case) -> Score {
    let sky = Sky::new();
    let night = Night::new(case, &sky);
    let none = || RecipeChoice::of(Reject::None);
    let without = night.stack(&night.clean, none());
    let with = night.stack(&night.clean, RecipeChoice::default());
    let radius = 1.2 * case.fwhm_px * case.seeing + 1.0;
    let flux = without
        .iter()
        .zip(&with)
        .map(|(without, with)| {
            let bright = sky.stars.iter().filter(|star| star.2 > 1500.0);
            let mut ratios: Vec<f64> = bright
                .filter_map(|&(x, y, _)| {
                    Some(flux(with, (x, y), radius)? / flux(without, (x, y), radius)?)
                })
                .collect();
            ratios.sort_by(f64::total_cmp);
            (ratios[ratios.len() / 2], ratios[ratios.len() / 10])
        })
        .collect();
    let middle = without.len() / 2;
    let sigma = f64::from(stat::median_mad(without[middle].as_slice()).1) * stat::MAD_TO_SIGMA;
    let left = |struck: &[Plane<f32>], clean: &[Plane<f32>]| {
        let away = night.rays.iter().filter(|(x, y)| {
            let near = |s: &&(f64, f64, f64)| (s.0 - x).hypot(s.1 - y) < radius + 4.0;
            let inside = |v: f64, end: usize| v > 12.0 && v < end as f64 - 13.0;
            inside(*x, SIZE.width) && inside(*y, SIZE.height) && !sky.stars.iter().any(|s| near(&s))
        });
        let (mut shown, mut all) = (0, 0);
        for (x, y) in away {
            let (x, y) = (x.round() as usize, y.round() as usize);
            let more = f64::from(struck[middle].get(x, y) - clean[middle].get(x, y));
            all += 1;
            shown += usize::from(more > 4.0 * sigma);
        }
        f64::from(shown as u32) / f64::from(all)
    };
    let rays = (
        left(&night.stack(&night.struck, RecipeChoice::default()), &with),
        left(&night.stack(&night.struck, none()), &without),
    );
    Score { flux, rays }
}

fn row(case: Case, score: &Score) -> String {
    let flux: Vec<String> =
        score.flux.iter().map(|(median, low)| format!("{median:.4} / {low:.4}")).collect();
    format!(
        "| {} | {} | {} | {} | {} | {:.1} % of {:.0} % |",
        case.fwhm_px,
        case.seeing,
        case.lights,
        match (case.array, case.drops) {
            (_, true) => "drops by colour",
            (true, _) => "colour",
            _ => "mono",
        },
        flux.join(", "),
        100.0 * score.rays.0,
        100.0 * score.rays.1
    )
}

fn check(case: Case) {
    let score = score(case);
    println!("{}", row(case, &score));
    for (median, low) in &score.flux {
        assert!(*median >= 0.998 && *low >= 0.99, "{case:?} {score:?}");
    }
    assert!(case.lights < 4 || score.rays.0 < 0.02, "{case:?} {score:?}");
}

#[test]
fn no_star_loses_flux() {
    for (fwhm_px, lights, array) in
        [(1.5, 4, false), (3.0, 8, false), (5.0, 6, false), (2.5, 6, true)]
    {
        check(Case { fwhm_px, seeing: 1.5, lights, array, drops: false });
    }
}

#[test]
fn no_star_loses_flux_where_each_colour_drops_for_itself() {
    for (fwhm_px, seeing, lights) in [(1.8, 1.0, 12), (2.2, 1.2, 20), (3.0, 1.5, 12)] {
        check(Case { fwhm_px, seeing, lights, array: true, drops: true });
    }
}

/// Prints the table of `docs/rejection.md`.
#[test]
#[ignore = "minutes"]
fn no_star_loses_flux_in_any_seeing() {
    for (array, drops) in [(false, false), (true, false), (true, true)] {
        for seeing in [1.0, 1.5] {
            for fwhm_px in [1.5, 2.0, 3.0, 5.0] {
                for lights in [3, 4, 5, 6, 10, 20, 30] {
                    let case = Case { fwhm_px, seeing, lights, array, drops };
                    println!("{}", row(case, &score(case)));
                }
            }
        }
    }
}
