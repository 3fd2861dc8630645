//! Registered stacks against the sky that was put into their frames.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::measure::{StarField, find_stars};
use photosite::register::ScaleSource;
use photosite::run::{Integrated, IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::align::Point;
use photosite_pix::stars::Criteria;
use photosite_pix::{Card, Header, Plane, Size, stat};
use photosite_sim::{Purpose, Stream};

use crate::night::write_plane;

const SIZE: Size = Size::new(1024, 768);
const SIGMA_PX: f64 = 1.6;
const NOISE_ADU: f64 = 10.0;
const LEVEL_ADU: f64 = 400.0;
const LIGHTS: usize = 10;

/// A star: where, and its flux in ADU.
#[derive(Clone, Copy)]
struct Put {
    x: f64,
    y: f64,
    flux: f64,
}

fn sky() -> Vec<Put> {
    let mut random = Stream::new(21, 0, Purpose::Stars);
    let star = |_| Put {
        x: random.between(-40.0, SIZE.width as f64 + 40.0),
        y: random.between(-40.0, SIZE.height as f64 + 40.0),
        flux: 8000.0 * (1.0 - 0.99 * random.uniform()).powf(-0.9),
    };
    (0..500).map(star).collect()
}

/// The sky as a frame sees it that lies over the first as `place` says, without noise.
fn picture(stars: &[Put], place: impl Fn(Point) -> Point) -> Plane<f32> {
    let mut out = Plane::filled(SIZE, LEVEL_ADU as f32);
    for star in stars {
        let at = place(Point::new(star.x, star.y));
        let peak = star.flux / (2.0 * std::f64::consts::PI * SIGMA_PX * SIGMA_PX);
        let range = |c: f64, end: usize| {
            (c - 13.0).clamp(0.0, end as f64) as usize..(c + 14.0).clamp(0.0, end as f64) as usize
        };
        for y in range(at.y, SIZE.height) {
            for x in range(at.x, SIZE.width) {
                let d2 = (x as f64 - at.x).powi(2) + (y as f64 - at.y).powi(2);
                out.row_mut(y)[x] += (peak * (-0.5 * d2 / (SIGMA_PX * SIGMA_PX)).exp()) as f32;
            }
        }
    }
    out
}

/// Where a frame lies: shifted, and turned a little about its middle.
fn place(frame: usize) -> impl Fn(Point) -> Point {
    let mut random = Stream::new(22, frame as u64, Purpose::Dither);
    let (dx, dy) = (random.between(-15.0, 15.0), random.between(-15.0, 15.0));
    let angle = random.between(-0.004, 0.004);
    let (s, c) = angle.sin_cos();
    let (mx, my) = (SIZE.width as f64 / 2.0, SIZE.height as f64 / 2.0);
    move |p| {
        let (x, y) = (p.x - mx, p.y - my);
        Point::new(mx + c * x - s * y + dx, my + s * x + c * y + dy)
    }
}

struct Night {
    _dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
    output: PathBuf,
}

/// Lights of that sky, each with noise, cosmic rays, and every third with a satellite; `seed` is
/// that of what is random about them.
fn night(seed: u64) -> Night {
    let dir = tempfile::tempdir().unwrap();
    let stars = sky();
    let paths: Vec<PathBuf> = (0..LIGHTS)
        .map(|i| {
            let mut random = Stream::new(23 + seed, i as u64, Purpose::Cosmic);
            let mut data = picture(&stars, place(i));
            for v in data.as_mut_slice() {
                *v += (NOISE_ADU * random.gaussian()) as f32;
            }
            for _ in 0..150 {
                let (x, y) = (random.uniform() * 1020.0, random.uniform() * 764.0);
                let hit = random.between(300.0, 5000.0) as f32;
                for step in 0..(random.uniform() * 4.0) as usize + 1 {
                    data.row_mut(y as usize + step / 2)[x as usize + step] += hit;
                }
            }
            if i % 3 == 0 {
                let (from, slope) = (random.between(100.0, 600.0), random.between(-0.3, 0.3));
                for x in 0..SIZE.width {
                    let middle = from + slope * x as f64;
                    for y in 0..SIZE.height {
                        let d = (y as f64 - middle) / 1.5;
                        data.row_mut(y)[x] += (300.0 * (-0.5 * d * d).exp()) as f32;
                    }
                }
            }
            let path = dir.path().join(format!("light_{i:02}.fits"));
            let mut header = Header::new();
            header.set(Card::real("EXPTIME", 60.0, ""));
            write_plane(&path, &data, Sample::F32, header);
            path
        })
        .collect();
    let output = dir.path().join("stack.fits");
    Night { _dir: dir, paths, output }
}

fn stack(night: &Night, threads: usize, backwards: bool) -> Integrated {
    let cancel = Cancel::default();
    let context = Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let mut paths = night.paths.clone();
    if backwards {
        paths.reverse();
    }
    let mut request = IntegrationRequest::new(&paths, &night.output);
    request.reference = Some(&night.paths[0]);
    integrate(&request, &context).unwrap()
}

fn stars_of(data: &Plane<f32>) -> StarField {
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let mask = Plane::zeroed(data.size());
    find_stars(data, &mask, None, Criteria::default(), &context).unwrap()
}

/// Away from the rim that not every frame covers.
fn covered(x: f64, y: f64) -> bool {
    let margin = 45.0;
    x > margin && y > margin && x < SIZE.width as f64 - margin && y < SIZE.height as f64 - margin
}

/// Stars of a stack that are bright and alone: flux over true flux, true flux.
fn bright(stack: &Plane<f32>) -> Vec<(f64, f64)> {
    let (seen, known) = (stars_of(stack), stars_of(&picture(&sky(), place(0))));
    let mut bright = Vec::new();
    for k in &known.stars {
        let crowd = known.stars.iter().filter(|o| (o.x - k.x).hypot(o.y - k.y) < 25.0).count();
        let found = seen.stars.iter().find(|s| (s.x - k.x).hypot(s.y - k.y) < 0.5);
        if let Some(s) = found.filter(|s| s.snr > 100.0 && crowd == 1 && covered(k.x, k.y)) {
            bright.push((s.flux / k.flux, k.flux));
        }
    }
    bright.sort_by(|a, b| a.1.total_cmp(&b.1));
    bright
}

/// The mean of flux over true flux less 1, of all and of the brighter half less the fainter; the
/// scatter of the brighter half.
fn fluxes(bright: &[(f64, f64)]) -> [f64; 3] {
    let mean = |of: &dyn Fn(f64) -> f64, some: &[(f64, f64)]| {
        some.iter().map(|b| of(b.0)).sum::<f64>() / some.len() as f64
    };
    let bias = mean(&|r| r - 1.0, bright);
    let (faint_half, bright_half) = bright.split_at(bright.len() / 2);
    let trend = mean(&|r| r, bright_half) - mean(&|r| r, faint_half);
    let scatter = mean(&|r| (r - 1.0 - bias).powi(2), bright_half).sqrt();
    [bias, trend, scatter]
}

#[test]
fn over_many_nights_no_light_is_lost() {
    // One night's level is that of its first light, whose stars are known to a tenth of a percent.
    const NIGHTS: u64 = 8;
    let each: Vec<[f64; 3]> = (0..NIGHTS)
        .map(|seed| {
            let night = night(1000 * (seed + 1));
            stack(&night, 2, false);
            fluxes(&bright(&read_frame(&night.output).unwrap().0.data))
        })
        .collect();
    let mean = [0, 1].map(|i| each.iter().map(|f| f[i]).sum::<f64>() / NIGHTS as f64);
    let error = [0, 1].map(|i| {
        let squares = each.iter().map(|f| (f[i] - mean[i]).powi(2)).sum::<f64>();
        (squares / (NIGHTS * (NIGHTS - 1)) as f64).sqrt()
    });
    println!(
        "{NIGHTS} nights: bias {:.4} +- {:.4} %, trend {:.4} +- {:.4} %",
        100.0 * mean[0],
        100.0 * error[0],
        100.0 * mean[1],
        100.0 * error[1]
    );
    assert!(mean.iter().all(|m| m.abs() < 0.001), "{mean:?}");
}

#[test]
fn a_stack_keeps_the_light_and_loses_the_hits() {
    let night = night(0);
    let done = stack(&night, 2, false);
    assert!(done.lights.iter().all(|l| l.used), "{:?}", done.findings);

    // Registration against truth, over the whole frame.
    let (mut squares, mut count) = (0.0, 0);
    for (i, light) in done.lights.iter().enumerate() {
        let found = light.registration.as_ref().unwrap();
        let (first, here) = (place(0), place(i));
        for star in sky() {
            let p = Point::new(star.x, star.y);
            let (from, to) = (first(p), here(p));
            if covered(from.x, from.y) {
                squares += found.transform.apply(from).distance(to).powi(2);
                count += 1;
            }
        }
    }
    let registration_px = (squares / f64::from(count)).sqrt();

    let (frame, header) = read_frame(&night.output).unwrap();
    assert_eq!(header.get_i64("NCOMBINE"), Some(LIGHTS as i64));
    assert_eq!(header.get_f64("LIVETIME"), Some(600.0));
    let truth = picture(&sky(), place(0));
    let bright = bright(&frame.data);
    let [bias, trend, scatter] = fluxes(&bright);

    // Noise and residue where there is background.
    let inner = |x: usize, y: usize| covered(x as f64, y as f64);
    let mut difference: Vec<f32> = Vec::new();
    let mut far = 0;
    let variance = frame.variance.as_ref().unwrap();
    let mut predicted: Vec<f32> = Vec::new();
    for y in 0..SIZE.height {
        for x in 0..SIZE.width {
            if inner(x, y) && truth.get(x, y) < LEVEL_ADU as f32 + 1.0 {
                difference.push(frame.data.get(x, y) - truth.get(x, y));
                predicted.push(variance.get(x, y));
            }
        }
    }
    let level = f64::from(stat::median(&difference));
    let sd = stat::moments(&difference).sd;
    for d in &difference {
        far += usize::from((f64::from(*d) - level).abs() > 5.5 * sd);
    }
    let ideal = NOISE_ADU / (LIGHTS as f64).sqrt();
    let predicted = stat::moments(&predicted).mean.sqrt();
    println!(
        "registration {registration_px:.4} px; {} bright stars: bias {:.4} %, trend {:.4} %, \
         scatter {:.4} %; noise {sd:.3} of ideal {ideal:.3} ADU, ERR {predicted:.3}, gain {:.3}; \
         {far} of {} beyond 5.5 sigma",
        bright.len(),
        100.0 * bias,
        100.0 * trend,
        100.0 * scatter,
        done.noise_gain,
        difference.len()
    );
    assert!(registration_px < 0.006, "{registration_px}");
    assert!(bright.len() > 40 && bias.abs() < 0.001 && trend.abs() < 0.001, "{bias} {trend}");
    assert!(scatter < 0.003, "{scatter}");
    assert!((predicted / sd - 1.0).abs() < 0.05, "{predicted} {sd}");
    assert!(sd < 1.03 * ideal, "{sd} {ideal}");
    assert!(far <= 2, "{far}");
    // Without weights to speak of, n lights have 1 / sqrt(n) of the noise.
    let gain = done.noise_gain / (LIGHTS as f64).sqrt();
    assert!((gain - 1.0).abs() < 0.05, "{gain}");
}

/// A narrow filter sees other stars than a broad one: a good light of it has enough in common with
/// the reference, a poor one only with the good.
#[test]
fn a_light_that_fails_over_the_reference_is_led_there_by_its_own_filter() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Stream::new(24, 0, Purpose::Stars);
    let mut field = |count: usize| -> Vec<Put> {
        let star = |_| Put {
            x: random.between(30.0, SIZE.width as f64 - 30.0),
            y: random.between(30.0, SIZE.height as f64 - 30.0),
            flux: random.between(5e3, 3e4),
        };
        (0..count).map(star).collect()
    };
    let (broad, both, narrow) = (field(60), field(40), field(60));
    let skies = [
        [&broad[..], &both[..]].concat(),
        [&narrow[..], &both[..]].concat(),
        narrow.clone(),
        field(50),
    ];
    let paths: Vec<PathBuf> = skies
        .iter()
        .enumerate()
        .map(|(i, stars)| {
            let mut random = Stream::new(25, i as u64, Purpose::ReadNoise);
            let mut data = picture(stars, place(i));
            data.as_mut_slice()
                .iter_mut()
                .for_each(|v| *v += (NOISE_ADU * random.gaussian()) as f32);
            let path = dir.path().join(format!("{i}.fits"));
            write_plane(&path, &data, Sample::F32, Header::new());
            path
        })
        .collect();
    let output = dir.path().join("stack.fits");
    let night = Night { _dir: dir, paths, output };
    let done = stack(&night, 2, false);
    let used: Vec<bool> = done.lights.iter().map(|l| l.used).collect();
    assert_eq!(used, [true, true, true, false]);
    let codes: Vec<&str> = done.findings.iter().map(|f| &*f.code).collect();
    assert_eq!(codes, ["registration-bridged", "registration-failed"]);
    // It has no star in common with the reference: the one between tells its flux scale.
    let scale = done.lights[2].flux_scale.unwrap();
    let off = (scale.scale - 1.0).abs();
    assert!(scale.source == ScaleSource::Stars && off < 3.0 * scale.error.unwrap(), "{scale:?}");
    assert!(done.findings[0].message.contains("1.fits"), "{:?}", done.findings);
    let found = done.lights[2].registration.as_ref().unwrap();
    let away = |s: &Put| {
        let p = Point::new(s.x, s.y);
        found.transform.apply(place(0)(p)).distance(place(2)(p))
    };
    let worst = narrow.iter().map(away).fold(0.0, f64::max);
    let first = done.lights[1].registration.as_ref().unwrap().residual_px;
    println!("by way of another: {worst:.4} px at worst, residual {:.4}", found.residual_px);
    assert!(worst < 0.05 && found.residual_px > first, "{worst} {found:?}");
}

#[test]
fn the_same_bytes_whatever_the_threads_and_the_order() {
    let night = night(0);
    stack(&night, 1, false);
    let first = std::fs::read(&night.output).unwrap();
    std::fs::remove_file(&night.output).unwrap();
    stack(&night, 3, true);
    assert!(std::fs::read(&night.output).unwrap() == first);
}
