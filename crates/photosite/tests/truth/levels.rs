//! How much light came through, and what lights weigh, against what was put into them: few stars, moon,
//! cloud, gradients, nebulae, mixed exposures, in grey and under a filter array.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::register::ScaleSource;
use photosite::run::{Integrated, IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::align::Alignment;
use photosite_pix::{Card, Header, Plane, Size, stat};
use photosite_sim::{Purpose, Stream};

use crate::night::write_plane;

const SIZE: Size = Size::new(512, 384);
const READ_NOISE_E: f64 = 5.0;
const FWHM_PX: f64 = 3.0;

/// What is wrong with every second light.
#[derive(Debug, Clone, Copy)]
struct Odd {
    /// The share of the light that comes through.
    transparency: f64,
    /// Electrons of sky beside the 400 of the others.
    moon_e: f64,
    /// Electrons that rise across the frame.
    gradient_e: f64,
    /// Times as long an exposure.
    longer: f64,
}

const NOTHING: Odd = Odd { transparency: 1.0, moon_e: 0.0, gradient_e: 0.0, longer: 1.0 };

/// A night.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    stars: usize,
    nebula_e: f64,
    odd: Odd,
    register: bool,
    array: bool,
    /// What the scale of the odd lights must rest on.
    source: ScaleSource,
}

const LIGHTS: usize = 8;

fn stars(case: Case) -> Vec<(f64, f64, f64)> {
    let mut random = Stream::new(91, case.stars as u64, Purpose::Stars);
    let place = |random: &mut Stream, n: usize| random.between(40.0, n as f64 - 40.0);
    let mut out: Vec<(f64, f64, f64)> = Vec::new();
    while out.len() < case.stars {
        let (x, y) = (place(&mut random, SIZE.width), place(&mut random, SIZE.height));
        let flux = 4e3 * (1.0 - 0.98 * random.uniform()).powf(-1.0);
        let flux = if case.stars < 10 { 3e4 } else { flux };
        if out.iter().all(|(a, b, _)| (a - x).hypot(b - y) > 22.0) {
            out.push((x, y, flux));
        }
    }
    out
}

/// A light: electrons and ADU are one.
/// Without a seed there is no noise.
fn light(case: Case, sky: &[(f64, f64, f64)], i: usize, seed: Option<u64>) -> (Plane<f32>, Header) {
    let odd = if i % 2 == 1 { case.odd } else { NOTHING };
    let through = odd.transparency * odd.longer;
    let shift = if case.register { (1.7 * i as f64, -1.2 * i as f64) } else { (0.0, 0.0) };
    let mut data = Plane::from_fn(SIZE, |x, y| {
        let at = (x as f64 - shift.0, y as f64 - shift.1);
        let hump = |hx: f64, hy: f64, width: f64| {
            (-0.5 * ((at.0 - hx).powi(2) + (at.1 - hy).powi(2)) / (width * width)).exp()
        };
        let nebula = case.nebula_e
            * (hump(140.0, 120.0, 35.0) + hump(330.0, 250.0, 55.0) + hump(300.0, 80.0, 22.0));
        let background = 400.0 * odd.longer + odd.moon_e;
        (background + odd.gradient_e * x as f64 / SIZE.width as f64 + through * nebula) as f32
    });
    let sigma = FWHM_PX / 2.354_82;
    for &(x, y, flux) in sky {
        let (x, y) = (x + shift.0, y + shift.1);
        let range = |c: f64, end: usize| {
            (c - 10.0).clamp(0.0, end as f64) as usize..(c + 11.0).clamp(0.0, end as f64) as usize
        };
        for j in range(y, SIZE.height) {
            for i in range(x, SIZE.width) {
                let d2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                let share =
                    (-0.5 * d2 / (sigma * sigma)).exp() / (sigma * sigma * std::f64::consts::TAU);
                let colour = if case.array { [0.6, 1.0, 0.4][i % 2 + j % 2] } else { 1.0 };
                data.row_mut(j)[i] += (through * colour * flux * share) as f32;
            }
        }
    }
    if let Some(seed) = seed {
        let mut random = Stream::new(seed, i as u64, Purpose::ReadNoise);
        for v in data.as_mut_slice() {
            let noise = (f64::from(*v) + READ_NOISE_E * READ_NOISE_E).sqrt();
            *v += (noise * random.gaussian()) as f32;
        }
    }
    let mut header = Header::new();
    header.set(Card::real("EXPTIME", 60.0 * odd.longer, ""));
    header.set(Card::real("EGAIN", 1.0, ""));
    if case.array {
        header.set(Card::string("BAYERPAT", "RGGB", ""));
    }
    (data, header)
}

/// The flux of a star above what lies around it.
fn aperture(data: &Plane<f32>, (x, y, _): (f64, f64, f64)) -> f64 {
    let (mut sum, mut area, mut beside, mut count) = (0.0, 0.0, 0.0, 0.0);
    for j in y as usize - 14..=y as usize + 14 {
        for i in x as usize - 14..=x as usize + 14 {
            let d = (i as f64 - x).hypot(j as f64 - y);
            let share = (7.5 - d).clamp(0.0, 1.0);
            sum += share * f64::from(data.get(i, j));
            area += share;
            if d > 9.5 {
                beside += f64::from(data.get(i, j));
                count += 1.0;
            }
        }
    }
    sum - area * beside / count
}

/// Stacks a night at the level of its first light; the median flux of its stars, or of its nebula, over
/// the truth.
fn stacked(case: Case, seed: u64) -> (Integrated, f64) {
    let folder = tempfile::tempdir().unwrap();
    let sky = stars(case);
    let paths: Vec<PathBuf> = (0..LIGHTS)
        .map(|i| {
            let (data, header) = light(case, &sky, i, Some(seed));
            let path = folder.path().join(format!("light_{i:02}.fits"));
            write_plane(&path, &data, Sample::F32, header);
            path
        })
        .collect();
    let output = folder.path().join("stack.fits");
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let mut request = IntegrationRequest::new(&paths, &output);
    request.reference = Some(&paths[0]);
    request.how.register = case.register.then_some(Alignment::Stars);
    let done = integrate(&request, &context).unwrap();
    let planes = read_frames(&output).unwrap().0;
    let data = &planes[planes.len() / 2].data;
    let ground = f64::from(stat::median(&data.as_slice()[..SIZE.width * 20]));
    let flux = if case.stars > 0 {
        // The same apertures on the light without noise: a nebula bends under them.
        let (truth, _) = light(Case { array: false, ..case }, &sky, 0, None);
        let pairs = sky.iter().map(|star| (aperture(data, *star), aperture(&truth, *star)));
        let mut ratios: Vec<f32> = pairs.map(|(found, put)| (found / put) as f32).collect();
        f64::from(stat::median_in_place(&mut ratios))
    } else {
        // The hump at its middle, over the sky far from it.
        let mut sum = 0.0;
        for y in 240..261 {
            sum += data.row(y)[320..341].iter().map(|v| f64::from(*v)).sum::<f64>() / 441.0;
        }
        let mean_of_hump = 0.981;
        (sum - ground) / (case.nebula_e * mean_of_hump)
    };
    (done, flux)
}

#[test]
fn stars_keep_their_flux_and_lights_weigh_what_they_tell() {
    use ScaleSource::{Headers, Stars, Structure};
    let moon = Odd { moon_e: 6000.0, ..NOTHING };
    let cloud = |transparency| Odd { transparency, ..NOTHING };
    let base = Case {
        name: "",
        stars: 80,
        nebula_e: 0.0,
        odd: NOTHING,
        register: true,
        array: false,
        source: Stars,
    };
    let cases = [
        Case { name: "clean", ..base },
        Case { name: "seven stars, moon", stars: 7, odd: moon, ..base },
        Case {
            name: "three stars, not registered, moon",
            stars: 3,
            odd: moon,
            register: false,
            ..base
        },
        Case { name: "cloud 0.1", odd: cloud(0.1), ..base },
        Case { name: "cloud 0.5, few", stars: 8, odd: cloud(0.5), ..base },
        Case { name: "gradient", odd: Odd { gradient_e: 900.0, ..NOTHING }, ..base },
        Case {
            name: "nebula, no stars, cloud 0.5",
            stars: 0,
            nebula_e: 150.0,
            odd: cloud(0.5),
            register: false,
            source: Structure,
            ..base
        },
        Case {
            name: "nebula, no stars, moon",
            stars: 0,
            nebula_e: 300.0,
            odd: moon,
            register: false,
            source: Structure,
            ..base
        },
        Case { name: "nebula, stars, cloud 0.3", nebula_e: 150.0, odd: cloud(0.3), ..base },
        Case { name: "exposures 1 : 4", odd: Odd { longer: 4.0, ..NOTHING }, ..base },
        Case {
            name: "exposures 1 : 4, no stars",
            stars: 0,
            nebula_e: 1.0,
            odd: Odd { longer: 4.0, ..NOTHING },
            register: false,
            source: Headers,
            ..base
        },
        Case { name: "colour, cloud 0.3", odd: cloud(0.3), array: true, ..base },
        Case { name: "colour, few stars, moon", stars: 7, odd: moon, array: true, ..base },
    ];
    let mut failed = Vec::new();
    for case in cases {
        for seed in [501, 502] {
            let (done, flux) = stacked(case, seed);
            let odd = &done.lights[1];
            let scale = odd.flux_scale.unwrap();
            let (Odd { transparency, longer, moon_e, gradient_e }, rest) = (case.odd, &done.lights);
            let right = 1.0 / (transparency * longer);
            let weight = odd.weight / rest[0].weight;
            let noise2 = READ_NOISE_E.powi(2) + 400.0;
            let odd2 = READ_NOISE_E.powi(2) + 400.0 * longer + moon_e + 0.5 * gradient_e;
            let ideal = noise2 / odd2 / (right * right);
            let off = scale.scale / right - 1.0;
            let error = scale.error.unwrap_or(0.0) / scale.scale;
            println!(
                "{:34} flux {flux:.4}, scale {:.4} +- {:.4} of {right:.4} ({:?}), weight {weight:.4} of \
                 {ideal:.4}",
                case.name,
                scale.scale,
                scale.error.unwrap_or(0.0),
                scale.source
            );
            let faint = case.stars == 0 && case.nebula_e < 20.0;
            // The variance of a star's flux in the stack over the least there is.
            let variance = (1.0 + weight * weight / ideal) / (1.0 + weight).powi(2);
            let enlarged = variance * (1.0 + ideal);
            // One sigma of the flux of the stack by its scales, and of what its stars are measured to.
            // Among stars a nebula may tell as well.
            let both = case.stars > 0 && case.nebula_e > 0.0;
            let sound = (scale.source == case.source || (both && scale.source == Structure))
                && off.abs() < 0.002 + 3.0 * error
                && enlarged < 1.01
                && (faint || (flux - 1.0).abs() < 0.01 + 2.0 * error);
            let told = done.findings.iter().any(|f| f.code == "flux-scale-assumed");
            // Where knots pass for stars, one light may have to go by its headers, and says so.
            if !sound || (!both && told != (case.source == Headers)) {
                failed.push(case.name);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn good_samples_stay_at_any_level_and_in_any_unit() {
    for lights in [3, 4, 5, 7, 10] {
        for (level, unit) in [(0.0, 1.0), (0.5, 1.0), (0.5, 1e-4), (0.5, 1000.0), (2.0, 30.0)] {
            let folder = tempfile::tempdir().unwrap();
            let paths: Vec<PathBuf> = (0..lights)
                .map(|i| {
                    let mut random = Stream::new(77, i as u64, Purpose::ReadNoise);
                    let data =
                        Plane::from_fn(SIZE, |_, _| (unit * (level + random.gaussian())) as f32);
                    let path = folder.path().join(format!("light_{i:02}.fits"));
                    write_plane(&path, &data, Sample::F32, Header::new());
                    path
                })
                .collect();
            let output = folder.path().join("stack.fits");
            let cancel = Cancel::default();
            let context =
                Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
            let mut request = IntegrationRequest::new(&paths, &output);
            request.how.register = None;
            let done = integrate(&request, &context).unwrap();
            let lost = (done.rejected_low + done.rejected_high) as f64;
            let share = lost / (SIZE.pixels() * lights) as f64;
            println!("{lights} lights, level {level} sigma, unit {unit}: {:.4} %", 100.0 * share);
            assert!(share < 0.0005, "{lights} lights, level {level}, unit {unit}: {share}");
            assert_ne!(done.reject, "none");
        }
    }
}
