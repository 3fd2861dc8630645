//! Stars under a filter array, against their truth: colours, and what lies beside them.

#[path = "common/random.rs"]
mod random;

use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::warp::Window;
use photosite_pix::{CfaPattern, Plane, Size};

use random::Random;

const ARRAYS: [&str; 5] = ["RGGB", "BGGR", "GRBG", "GBRG", "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG"];
const SKY: [f64; 3] = [300.0, 500.0, 200.0];
const COLOURS: [[f64; 3]; 3] = [[1.0, 1.0, 1.0], [0.3, 1.0, 2.0], [1.5, 0.8, 0.3]];

/// Stars in a row, and pixels from one to the next.
const SIDE: usize = 12;
const APART: usize = 44;

/// A field of equal stars of one colour on an even sky with noise 1, each at another phase.
struct Field {
    cfa: CfaPattern,
    colours: [f64; 3],
    fwhm_px: f64,
    peak: f64,
    /// As real stars have them, or none.
    wings: bool,
    places: Vec<(f64, f64)>,
    frame: Plane<f32>,
}

impl Field {
    fn new(array: &str, colours: [f64; 3], (fwhm_px, peak): (f64, f64), wings: bool) -> Self {
        let cfa = CfaPattern::parse(array).unwrap();
        let mut random = Random(0x5eed + (fwhm_px * 100.0) as u64);
        let places: Vec<(f64, f64)> = (0..SIDE * SIDE)
            .map(|i| {
                let middle = |k: usize| (k * APART + APART / 2) as f64;
                let (x, y) = (middle(i % SIDE), middle(i / SIDE));
                (x + 6.0 * random.next(), y + 6.0 * random.next())
            })
            .collect();
        let mut field = Self {
            cfa,
            colours,
            fwhm_px,
            peak,
            wings,
            places,
            frame: Plane::zeroed(Size::new(1, 1)),
        };
        let size = Size::new(SIDE * APART, SIDE * APART);
        field.frame = Plane::from_fn(size, |x, y| {
            let c = cfa.color(x, y).channel();
            (SKY[c] + field.light(x, y, c) + random.normal()) as f32
        });
        field
    }

    /// What a star has at a distance, of its peak.
    fn profile(&self, r2: f64) -> f64 {
        let half = self.fwhm_px / 2.0;
        if self.wings {
            let a2 = half * half / (2f64.powf(1.0 / 3.0) - 1.0);
            (1.0 + r2 / a2).powi(-3)
        } else {
            2f64.powf(-r2 / (half * half))
        }
    }

    /// The light of the star whose field a pixel lies in.
    fn light(&self, x: usize, y: usize, channel: usize) -> f64 {
        let (cx, cy) = self.places[y / APART * SIDE + x / APART];
        let r2 = (x as f64 - cx).powi(2) + (y as f64 - cy).powi(2);
        self.colours[channel] * self.peak * self.profile(r2)
    }

    fn debayered(&self, method: Method) -> [Plane<f32>; 3] {
        let size = self.frame.size();
        let samples = self.frame.as_slice();
        let debayer = Debayer::new(self.cfa, method).unwrap().over_noise(1.0);
        let mut planes = [0; 3].map(|_| Plane::zeroed(size));
        let window = Window { samples, first_row: 0, width: size.width };
        debayer.fill(window, size, 0..size.height, planes.each_mut().map(Plane::as_mut_slice));
        planes
    }

    /// Flux of each star over its truth, colour by colour, in an aperture that holds most of it.
    fn fluxes(&self, planes: &[Plane<f32>; 3]) -> Vec<[f64; 3]> {
        let radius = 4.0 + 0.5 * self.fwhm_px;
        let of = |(cx, cy): (f64, f64)| {
            [0, 1, 2].map(|c| {
                let (mut sum, mut truth) = (0.0, 0.0);
                for y in (cy - radius) as usize - 1..=(cy + radius) as usize + 2 {
                    for x in (cx - radius) as usize - 1..=(cx + radius) as usize + 2 {
                        let r = (x as f64 - cx).hypot(y as f64 - cy);
                        let part = (radius + 0.5 - r).clamp(0.0, 1.0);
                        sum += part * (f64::from(planes[c].get(x, y)) - SKY[c]);
                        truth += part * self.light(x, y, c);
                    }
                }
                sum / truth
            })
        };
        self.places.iter().map(|at| of(*at)).collect()
    }

    /// Mean and scatter of red and blue over green, less 1, the worse of both.
    fn colour(&self, planes: &[Plane<f32>; 3]) -> (f64, f64) {
        let fluxes = self.fluxes(planes);
        let of = |c: usize| {
            let ratios: Vec<f64> = fluxes.iter().map(|f| f[c] / f[1] - 1.0).collect();
            let n = ratios.len() as f64;
            let mean = ratios.iter().sum::<f64>() / n;
            let square = ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean, square.sqrt())
        };
        let (red, blue) = (of(0), of(2));
        let worse = |a: f64, b: f64| if a.abs() > b.abs() { a } else { b };
        (worse(red.0, blue.0), worse(red.1, blue.1))
    }

    /// How far the deepest pixel lies under the sky.
    fn deepest(&self, planes: &[Plane<f32>; 3]) -> f64 {
        let low = |c: usize| {
            let least = planes[c].as_slice().iter().fold(f32::MAX, |l, v| l.min(*v));
            SKY[c] - f64::from(least)
        };
        low(0).max(low(1)).max(low(2))
    }
}

/// The deepest of a frame of noise 1 lies under 5 in one of three hundred frames.
const NOISE_ALONE: f64 = 5.2;

fn row(field: &Field, method: Method) -> ((f64, f64), f64) {
    let planes = field.debayered(method);
    let (colour, deepest) = (field.colour(&planes), field.deepest(&planes));
    let array = if field.cfa.period() == 2 { field.cfa.to_string() } else { "X-Trans".into() };
    println!(
        "| {array} | {} | {:.1}{} | {} | {:?} | {:+.2} % | {:.2} % | {:.1} |",
        method.name(),
        field.fwhm_px,
        if field.wings { " with wings" } else { "" },
        field.peak,
        field.colours,
        100.0 * colour.0,
        100.0 * colour.1,
        deepest
    );
    (colour, deepest)
}

#[test]
fn no_hole_lies_beside_a_sharp_star() {
    for (i, array) in ARRAYS.into_iter().enumerate() {
        for fwhm_px in [1.2, 1.6, 2.2, 3.0, 4.0] {
            for (j, peak) in [100.0, 10_000.0].into_iter().enumerate() {
                let field = Field::new(array, COLOURS[(i + j) % 3], (fwhm_px, peak), i % 2 == 0);
                let (_, deepest) = row(&field, Method::Directional);
                assert!(deepest < NOISE_ALONE + 1.0, "{deepest}");
            }
        }
    }
}

#[test]
fn stars_keep_their_colours() {
    for (i, array) in ARRAYS.into_iter().enumerate() {
        // Two pixels of light are less than what tells a colour: red and blue have every second sample,
        // or less, and beyond that only what a star looks like.
        let bounds = match array.len() {
            4 => [(2.0, 0.025), (2.5, 0.005), (3.0, 0.005), (4.0, 0.005)],
            _ => [(2.0, 0.03), (2.5, 0.015), (3.0, 0.005), (4.0, 0.005)],
        };
        for (j, (fwhm_px, bound)) in bounds.into_iter().enumerate() {
            let field = Field::new(array, COLOURS[(i + j) % 3], (fwhm_px, 10_000.0), false);
            let ((mean, scatter), _) = row(&field, Method::Directional);
            let right = mean.abs() < bound && scatter < bound;
            assert!(right, "{array} {fwhm_px}: {mean} {scatter}");
        }
    }
}

/// Stars that hardly tell their colour have lost 2 to 8 % of their red and blue.
#[test]
fn faint_stars_keep_their_light() {
    for array in [ARRAYS[0], ARRAYS[4]] {
        for fwhm_px in [2.2, 3.0] {
            for peak in [25.0, 50.0, 100.0, 300.0] {
                let fluxes = |k: i32| {
                    let fwhm_px = fwhm_px + 0.01 * f64::from(k);
                    let field = Field::new(array, [0.7, 1.0, 0.8], (fwhm_px, peak), false);
                    field.fluxes(&field.debayered(Method::Directional))
                };
                let all: Vec<[f64; 3]> = (0..4).flat_map(fluxes).collect();
                for c in 0..3 {
                    let n = all.len() as f64;
                    let off = all.iter().map(|f| f[c] - 1.0).sum::<f64>() / n;
                    let square = all.iter().map(|f| (f[c] - 1.0 - off).powi(2)).sum::<f64>() / n;
                    let error = (square / n).sqrt();
                    println!("{array} {fwhm_px} {peak} {c}: {off:+.4} +- {error:.4}");
                    assert!(off.abs() < 0.01 + 2.5 * error, "{array} {fwhm_px} {peak} {c}: {off}");
                }
            }
        }
    }
}

/// A frame of light of all three colours on the sky, with noise 1.
fn debayered(
    cfa: CfaPattern,
    size: Size,
    light: impl Fn(usize, usize) -> [f64; 3],
) -> [Plane<f32>; 3] {
    let mut random = Random(0x5eed);
    let frame = Plane::from_fn(size, |x, y| {
        let c = cfa.color(x, y).channel();
        (SKY[c] + light(x, y)[c] + random.normal()) as f32
    });
    let debayer = Debayer::new(cfa, Method::Directional).unwrap().over_noise(1.0);
    let mut planes = [0; 3].map(|_| Plane::zeroed(size));
    let window = Window { samples: frame.as_slice(), first_row: 0, width: size.width };
    debayer.fill(window, size, 0..size.height, planes.each_mut().map(Plane::as_mut_slice));
    planes
}

/// What nebulae shine in may be one colour alone: a pixel of another tells nothing of it.
#[test]
fn nebulae_of_one_colour_keep_it() {
    let size = Size::new(240, 200);
    for array in ARRAYS {
        let cfa = CfaPattern::parse(array).unwrap();
        for colours in [[1.0, 0.05, 0.02], [0.02, 1.0, 0.6], [1.0, 0.12, 0.3], [1.0, 1.0, 1.0]] {
            let light = |x: usize, y: usize| {
                let humps = [(60.0, 60.0, 22.0), (170.0, 70.0, 12.0), (120.0, 140.0, 16.0)];
                let hump = |(cx, cy, s): &(f64, f64, f64)| {
                    let r2 = (x as f64 - cx).powi(2) + (y as f64 - cy).powi(2);
                    600.0 * (-r2 / (2.0 * s * s)).exp()
                };
                let all: f64 = humps.iter().map(hump).sum();
                colours.map(|c| c * all)
            };
            let planes = debayered(cfa, size, light);
            for c in 0..3 {
                // By what the pixels measured, so that a grid shows.
                let mut sums = [(0.0, 0.0, 0.0); 3];
                for y in 10..size.height - 10 {
                    for x in 10..size.width - 10 {
                        let there = light(x, y);
                        let most = there.iter().copied().fold(0.0, f64::max);
                        if most > 100.0 {
                            let off = f64::from(planes[c].get(x, y)) - SKY[c] - there[c];
                            let sum = &mut sums[cfa.color(x, y).channel()];
                            *sum = (sum.0 + off, sum.1 + off * off, sum.2 + 1.0);
                        }
                    }
                }
                for (own, (sum, squares, n)) in sums.into_iter().enumerate() {
                    let (mean, rms) = (sum / n, (squares / n).sqrt());
                    println!("{array} {colours:?} plane {c} at {own}: {mean:+.3} {rms:.3}");
                    assert!(mean.abs() < 1.0 && rms < 2.0, "{array} {colours:?} {c} {own}");
                }
            }
        }
    }
}

/// Patches of strong colours beside each other: what lies amid one is of that one.
#[test]
fn patches_keep_their_colours() {
    const PATCH: usize = 24;
    const COLOURS: [[f64; 3]; 4] =
        [[900.0, 0.0, 0.0], [0.0, 900.0, 0.0], [0.0, 300.0, 900.0], [900.0, 600.0, 0.0]];
    let size = Size::new(8 * PATCH, 6 * PATCH);
    for array in ARRAYS {
        let cfa = CfaPattern::parse(array).unwrap();
        let light = |x: usize, y: usize| COLOURS[(x / PATCH + 3 * (y / PATCH)) % 4];
        let planes = debayered(cfa, size, light);
        let amid = |v: usize| (8..PATCH - 8).contains(&(v % PATCH));
        let mut worst = 0.0f64;
        for y in (0..size.height).filter(|y| amid(*y)) {
            for x in (0..size.width).filter(|x| amid(*x)) {
                let wanted = light(x, y);
                for c in 0..3 {
                    let off = f64::from(planes[c].get(x, y)) - SKY[c] - wanted[c];
                    worst = worst.max(off.abs());
                }
            }
        }
        println!("{array}: {worst:.1}");
        assert!(worst < 10.0, "{array}: {worst}");
    }
}

/// Prints the table of `docs/debayer.md`.
#[test]
#[ignore = "a minute"]
fn stars_of_any_width_and_colour() {
    for array in [ARRAYS[0], ARRAYS[2], ARRAYS[4]] {
        for colours in COLOURS {
            for wings in [false, true] {
                for fwhm_px in [1.2, 1.6, 2.0, 2.2, 2.5, 3.0, 4.0] {
                    for peak in [100.0, 1000.0, 10_000.0] {
                        for method in [Method::Bilinear, Method::Directional] {
                            row(&Field::new(array, colours, (fwhm_px, peak), wings), method);
                        }
                    }
                }
            }
        }
    }
}
