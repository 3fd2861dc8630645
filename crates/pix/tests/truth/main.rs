//! Rejection against simulated truth: what each method finds, loses and leaves; where single samples
//! are hit, where whole frames, halves, rows, bands are ([`faults`]).
//!
//! `cargo test --release -p photosite-pix --test truth -- --ignored --nocapture` prints the table
//! of `docs/rejection.md`.

mod faults;

use photosite_pix::combine::{Combine, Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::reject::{Reject, Thresholds};

/// Pixels of a line, and lines.
const LINE: usize = 1024;

/// Electrons and ADU are one here.
const READ_NOISE_ADU: f64 = 8.0;

/// The share of samples that a cosmic ray hit.
const HIT_RATE: f64 = 1e-3;

/// xorshift, and the normal numbers made of it by the polar method.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let r = u * u + v * v;
            if r > 0.0 && r < 1.0 {
                return u * (-2.0 * r.ln() / r).sqrt();
            }
        }
    }
}

/// What the sensor looks at.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Scene {
    /// An offset of 1000 ADU and read noise.
    Bias,
    /// The same with hot pixels: 2 % have 100 to 20000 e- of dark charge.
    Dark,
    /// An offset of 500 ADU, a sky of 100 to 400 e- along each line, and on 2 % of the pixels
    /// stars of 100 to 20000 e-.
    Light,
}

/// Frames of a scene, what each pixel should be, its noise, and which samples were hit.
struct Night {
    frames: Vec<f32>,
    hit: Vec<bool>,
    level: Vec<f64>,
    sigma: Vec<f64>,
}

impl Night {
    fn new(scene: Scene, n: usize, lines: usize, seed: u64) -> Self {
        Self::with(scene, n, lines, seed, HIT_RATE)
    }

    fn with(scene: Scene, n: usize, lines: usize, seed: u64, hit_rate: f64) -> Self {
        let mut dice = Dice(seed);
        let width = LINE * lines;
        let (mut level, mut sigma) = (Vec::new(), Vec::new());
        let mut light = Vec::new();
        for x in 0..width {
            let (offset, e) = match scene {
                Scene::Bias => (1000.0, 0.0),
                Scene::Dark => {
                    let hot = dice.unit() < 0.02;
                    (1000.0, if hot { 100.0 * 200f64.powf(dice.unit()) } else { 0.0 })
                }
                Scene::Light => {
                    let sky = 100.0 + 300.0 * (x % LINE) as f64 / LINE as f64;
                    let star = dice.unit() < 0.02;
                    (500.0, sky + if star { 100.0 * 200f64.powf(dice.unit()) } else { 0.0 })
                }
            };
            light.push(e);
            level.push(offset + e);
            // The converter's rounding adds 1/12.
            sigma.push((READ_NOISE_ADU * READ_NOISE_ADU + e + 1.0 / 12.0).sqrt());
        }
        let (mut frames, mut hit) = (Vec::new(), Vec::new());
        for _ in 0..n {
            for x in 0..width {
                // Poisson numbers by the normal with its third moment put right [CornishFisher1938].
                let z = dice.normal();
                let shot =
                    light[x].sqrt() * z + if light[x] > 0.0 { (z * z - 1.0) / 6.0 } else { 0.0 };
                let struck = dice.unit() < hit_rate;
                // Charge spread evenly over the decades from 20 to 20000 e-.
                let ray = if struck { 20.0 * 1000f64.powf(dice.unit()) } else { 0.0 };
                let v = level[x] + shot.round() + dice.normal() * READ_NOISE_ADU + ray;
                frames.push(v.round() as f32);
                hit.push(struck);
            }
        }
        Self { frames, hit, level, sigma }
    }
}

/// How a method did.
struct Score {
    hits_found: f64,
    good_lost: f64,
    noise: f64,
}

fn score(night: &Night, n: usize, recipe: Recipe, workspace: &mut Workspace) -> Score {
    let width = night.level.len();
    let (mut value, mut variance) = (vec![0.0; width], vec![0.0; width]);
    let (mut kept, mut low, mut high) = (vec![0; width], vec![0; width], vec![0; width]);
    let mut out = Outcome {
        value: &mut value,
        variance: &mut variance,
        kept: &mut kept,
        low: &mut low,
        high: &mut high,
    };
    combine(Samples::new(&night.frames, width).in_lines(LINE), recipe, workspace, &mut out);
    let (mut hits, mut found, mut lost, mut good) = (0usize, 0usize, 0usize, 0usize);
    let (mut noise, mut ideal) = (0.0, 0.0);
    for x in 0..width {
        let mut column: Vec<(f32, bool)> =
            (0..n).map(|i| (night.frames[i * width + x], night.hit[i * width + x])).collect();
        // Of equal samples at a cut, the hit one counts as kept: hits sort to the inside.
        column.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let inside = low[x] as usize..n - high[x] as usize;
        let (mut clean, mut count) = (0.0, 0.0);
        for (i, (v, hit)) in column.iter().enumerate() {
            let rejected = !inside.contains(&i);
            if *hit {
                hits += 1;
                found += usize::from(rejected);
            } else {
                good += 1;
                lost += usize::from(rejected);
                clean += f64::from(*v) - night.level[x];
                count += 1.0;
            }
        }
        let unit = n as f64 / (night.sigma[x] * night.sigma[x]);
        noise += (f64::from(value[x]) - night.level[x]).powi(2) * unit;
        ideal += (clean / count).powi(2) * unit;
    }
    Score {
        hits_found: found as f64 / hits.max(1) as f64,
        good_lost: lost as f64 / good as f64,
        noise: (noise / ideal).sqrt(),
    }
}

fn contenders(scene: Scene, n: usize) -> Vec<(String, Recipe)> {
    let mut out = vec![(
        "median of all".to_owned(),
        Recipe { reject: Reject::None, combine: Combine::Median },
    )];
    for name in Reject::NAMES {
        let Some(mut reject) = Reject::named(name, Thresholds::default()) else { continue };
        if let Reject::CcdNoise { read_noise_adu, pedestal_adu, .. } = &mut reject {
            *read_noise_adu = READ_NOISE_ADU as f32;
            *pedestal_adu = if scene == Scene::Light { 500.0 } else { 1000.0 };
        }
        out.push((name.to_owned(), Recipe { reject, combine: Combine::Mean }));
    }
    let auto = Reject::auto(n, Thresholds::default());
    let combine = if auto == Reject::None { Combine::Median } else { Combine::Mean };
    out.push((format!("auto: {}", auto.name()), Recipe { reject: auto, combine }));
    out
}

fn table(scene: Scene, n: usize, lines: usize) -> (String, f64, f64) {
    let night = Night::new(scene, n, lines, 77 + n as u64);
    let mut workspace = Workspace::default();
    let mut text =
        format!("| {scene:?}, N = {n} | hits rejected | good lost | noise |\n|---|---|---|---|\n");
    let (mut best, mut auto) = (f64::INFINITY, f64::INFINITY);
    for (name, recipe) in contenders(scene, n) {
        let s = score(&night, n, recipe, &mut workspace);
        text += &format!(
            "| {name} | {:.1} % | {:.3} % | {:.3} |\n",
            100.0 * s.hits_found,
            100.0 * s.good_lost,
            s.noise
        );
        // The detector's noise is knowledge that auto does not have.
        if name.starts_with("auto") {
            auto = s.noise;
        } else if name != "ccd-noise" {
            best = best.min(s.noise);
        }
    }
    (text, best, auto)
}

#[test]
fn auto_is_close_to_the_best_fixed_choice() {
    for scene in [Scene::Bias, Scene::Dark, Scene::Light] {
        for (n, lines) in [(5, 64), (10, 32), (20, 16), (50, 8)] {
            let (text, best, auto) = table(scene, n, lines);
            assert!(auto <= best * 1.03, "{auto} against {best}\n{text}");
        }
    }
}

#[test]
#[ignore = "prints the table of docs/rejection.md"]
fn the_table() {
    for scene in [Scene::Bias, Scene::Dark, Scene::Light] {
        for (n, lines) in [(5, 256), (10, 256), (20, 256), (50, 128), (200, 64)] {
            let (text, best, auto) = table(scene, n, lines);
            println!("{text}\nauto / best {:.4}\n", auto / best);
        }
    }
}
