//! Numbers of stacks: fluxes, weights, errors, and what interpolated neighbours share.

use photosite::params::{Drizzle, Integration};
use photosite_pix::{Card, Frame, Header, Plane, Size};
use photosite_sim::{Purpose, Stream};

use crate::camera::Bench;
use crate::{Effort, Pulls, RIGHT, Row, mean};

/// A sky of stars in a grid, none near the rim; gain 1, read noise 5.
#[derive(Debug, Clone, Copy)]
pub struct Sky {
    pub size: Size,
    pub flux_e: f64,
    pub nebula_e: f64,
    pub fwhm_px: f64,
}

/// What is particular of a light.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub sky_e: f64,
    pub gradient_e: f64,
    pub through: f64,
    pub shift: (f64, f64),
    pub array: bool,
}

pub const PLAIN: Seen =
    Seen { sky_e: 100.0, gradient_e: 0.0, through: 1.0, shift: (0.0, 0.0), array: false };

const READ_E: f64 = 5.0;
const CELL: usize = 48;

impl Sky {
    pub fn new(side: usize) -> Self {
        Self { size: Size::new(side, side), flux_e: 3e4, nebula_e: 0.0, fwhm_px: 3.0 }
    }

    /// Places of stars, off their grid by chance, of two fluxes in three.
    pub fn stars(&self) -> Vec<(f64, f64, f64)> {
        let mut random = Stream::new(7, self.size.width as u64, Purpose::Stars);
        let cells = |n: usize| n / CELL;
        let (across, down) = (cells(self.size.width), cells(self.size.height));
        let mut out = Vec::new();
        for i in 0..across * down {
            let middle = |v: usize| (v * CELL + CELL / 2) as f64;
            let (x, y) = (middle(i % across), middle(i / across));
            let (dx, dy) = (random.between(-9.0, 9.0), random.between(-9.0, 9.0));
            let flux = self.flux_e * (0.5 + random.uniform());
            out.push((x + dx, y + dy, flux));
        }
        out
    }

    /// Expected electrons.
    pub fn truth(&self, seen: Seen) -> Plane<f32> {
        let (w, h) = (self.size.width as f64, self.size.height as f64);
        let (sx, sy) = seen.shift;
        let mut out = Plane::from_fn(self.size, |x, y| {
            let (u, v) = ((x as f64 - sx) / w - 0.5, (y as f64 - sy) / h - 0.5);
            let hump = (-8.0 * (u * u + v * v)).exp() * (1.0 + 0.5 * (40.0 * u).sin());
            let light = seen.through * self.nebula_e * hump;
            (seen.sky_e + seen.gradient_e * x as f64 / w + light) as f32
        });
        let sigma = self.fwhm_px / 2.354_82;
        for (x, y, flux) in self.stars() {
            let (x, y) = (x + sx, y + sy);
            let range = |c: f64, end: usize| {
                (c - 11.0).clamp(0.0, end as f64) as usize
                    ..(c + 12.0).clamp(0.0, end as f64) as usize
            };
            for j in range(y, self.size.height) {
                for i in range(x, self.size.width) {
                    let d2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                    let colour = if seen.array { [0.7, 1.0, 0.5][i % 2 + j % 2] } else { 1.0 };
                    let share = (-0.5 * d2 / (sigma * sigma)).exp()
                        / (sigma * sigma * std::f64::consts::TAU);
                    out.row_mut(j)[i] += (seen.through * colour * flux * share) as f32;
                }
            }
        }
        out
    }

    /// A light with its noise.
    pub fn light(&self, seen: Seen, key: u64) -> Plane<f32> {
        let mut random = Stream::new(key, 5, Purpose::ReadNoise);
        let mut out = self.truth(seen);
        for v in out.as_mut_slice() {
            let noise = (f64::from(*v) + READ_E * READ_E).sqrt();
            *v += (noise * random.gaussian()) as f32;
        }
        out
    }

    /// Whether a pixel is beyond the light of every star.
    fn away(&self, stars: &[(f64, f64, f64)], (x, y): (f64, f64), reach: f64) -> bool {
        stars.iter().all(|s| (s.0 - x).hypot(s.1 - y) > reach)
    }
}

pub fn gain(header: &mut Header) {
    header.set(Card::real("EGAIN", 1.0, ""));
    header.set(Card::real("RDNOISE", READ_E, ""));
}

pub fn array(header: &mut Header) {
    gain(header);
    header.set(Card::string("BAYERPAT", "RGGB", ""));
}

pub fn unregistered() -> Integration {
    let mut how = Integration::default();
    how.register = None;
    how
}

/// Pixels within which the stack is compared with its truth.
fn pulls(
    stack: &Frame,
    truth: &dyn Fn(usize, usize) -> f64,
    which: &dyn Fn(usize, usize) -> bool,
) -> Pulls {
    let mut pulls = Pulls::default();
    let variance = stack.variance.as_ref().expect("a variance");
    for y in 0..stack.size().height {
        for x in (0..stack.size().width).filter(|x| which(*x, y)) {
            let off = f64::from(stack.data.get(x, y)) - truth(x, y);
            pulls.add(off, f64::from(variance.get(x, y)));
        }
    }
    pulls
}

/// A1: fluxes of lights under gradients and other skies, stacked as they lie.
pub fn unregistered_levels(effort: Effort) -> Vec<Row> {
    let sky = Sky::new(effort.of(384, 768));
    let mut rows = Vec::new();
    type Odd = fn(usize) -> Seen;
    let cases: [(&str, Odd); 2] = [
        ("gradients of 0 to 300 e-", |i| Seen { gradient_e: 60.0 * i as f64, ..PLAIN }),
        ("skies of 100 and 400 e-", |i| Seen { sky_e: [100.0, 400.0][i % 2], ..PLAIN }),
    ];
    for (name, odd) in cases {
        let lights: Vec<Plane<f32>> = (0..6).map(|i| sky.light(odd(i), 10 + i as u64)).collect();
        let (_, frames, _) = Bench::new().stack(&lights, gain, unregistered());
        let flux = |data: &Plane<f32>, (x, y, _): (f64, f64, f64)| {
            let (mut sum, mut area, mut beside, mut ring) = (0.0, 0.0, 0.0, 0.0);
            for j in y as usize - 14..=y as usize + 14 {
                for i in x as usize - 14..=x as usize + 14 {
                    let d = (i as f64 - x).hypot(j as f64 - y);
                    let v = f64::from(data.get(i, j));
                    if d < 7.5 {
                        (sum, area) = (sum + v, area + 1.0);
                    } else if d > 9.0 {
                        (beside, ring) = (beside + v, ring + 1.0);
                    }
                }
            }
            sum - area * beside / ring
        };
        let plain = sky.truth(PLAIN);
        let each: Vec<f64> = sky
            .stars()
            .into_iter()
            .map(|star| flux(&frames[0].data, star) / flux(&plain, star))
            .collect();
        let what = format!("6 unregistered lights, {name}: flux of stars over truth");
        rows.push(Row::new("A1", what, mean(&each), (0.99, 1.01)));
    }
    rows
}

/// A2: errors of means of lights with other noise.
pub fn weighted_errors(effort: Effort) -> Vec<Row> {
    let sky = Sky { flux_e: 2e5, ..Sky::new(effort.of(192, 768)) };
    let stars = sky.stars();
    let truth = sky.truth(PLAIN);
    let mut rows = Vec::new();
    for (noisier, count) in [(400.0, 8usize), (3000.0, 2), (3000.0, 4), (3000.0, 8)] {
        let seen = |i: usize| Seen { sky_e: [100.0, noisier][i % 2], ..PLAIN };
        let lights: Vec<Plane<f32>> =
            (0..count).map(|i| sky.light(seen(i), 20 + i as u64)).collect();
        let (_, frames, _) = Bench::new().stack(&lights, gain, unregistered());
        let known = |x: usize, y: usize| f64::from(truth.get(x, y));
        let at = |x: usize, y: usize| (x as f64, y as f64);
        let of_sky = pulls(&frames[0], &known, &|x, y| sky.away(&stars, at(x, y), 12.0));
        let of_stars = pulls(&frames[0], &known, &|x, y| truth.get(x, y) > 5000.0);
        let what = format!("skies of 100 and {noisier} e-, N = {count}");
        rows.push(Row::new("A2", format!("{what}, sky: real/ERR"), of_sky.ratio(), RIGHT));
        if count > 2 {
            rows.push(Row::new(
                "A2",
                format!("{what}, stars: real/ERR"),
                of_stars.ratio(),
                (0.9, 1.1),
            ));
        }
    }
    let dim = |i: usize| Seen { through: [1.0, 0.5][i % 2], ..PLAIN };
    let lights: Vec<Plane<f32>> = (0..8).map(|i| sky.light(dim(i), 30 + i as u64)).collect();
    let (_, frames, _) = Bench::new().stack(&lights, gain, unregistered());
    let known = |x: usize, y: usize| f64::from(truth.get(x, y));
    let found = pulls(&frames[0], &known, &|x, y| sky.away(&stars, (x as f64, y as f64), 12.0));
    rows.push(Row::new("A2", "transparency 1 and 0.5, N = 8, sky: real/ERR", found.ratio(), RIGHT));
    for (count, drizzle, under) in [
        (4usize, Drizzle::new(2.0, 0.7, false), false),
        (12, Drizzle::new(2.0, 0.7, false), false),
        (12, Drizzle::new(1.0, 0.7, true), true),
    ] {
        let (frames, _, finer) = dithered(&sky, count, Some(drizzle), under, 40);
        let green = frames.len() / 2;
        let what = match under {
            true => format!("CFA drizzle, green, N = {count}, sky: real/ERR"),
            false => format!("drizzle 2, pixfrac 0.7, N = {count}, sky: real/ERR"),
        };
        let found = pulls(&frames[green], &|_, _| PLAIN.sky_e, &inner(&sky, &stars, finer));
        rows.push(Row::new("A2", what, found.ratio(), RIGHT));
    }
    rows
}

/// Pixels of a stack that all lights cover, away from stars.
fn inner<'a>(
    sky: &'a Sky,
    stars: &'a [(f64, f64, f64)],
    finer: f64,
) -> impl Fn(usize, usize) -> bool + 'a {
    move |x, y| {
        let (x, y) = (x as f64 / finer, y as f64 / finer);
        let margin = 12.0;
        let within = |v: f64, end: usize| v > margin && v < end as f64 - margin;
        let whole = within(x, sky.size.width) && within(y, sky.size.height);
        whole && sky.away(stars, (x, y), 13.0)
    }
}

/// A stack of dithered, registered lights, and how much finer its grid is.
fn dithered(
    sky: &Sky,
    count: usize,
    drizzle: Option<Drizzle>,
    under: bool,
    key: u64,
) -> (Vec<Frame>, Header, f64) {
    let seen = |i: usize| {
        let mut random = Stream::new(key, i as u64, Purpose::Dither);
        let mut by = || if i == 0 { 0.0 } else { random.between(-5.0, 5.0) };
        Seen { shift: (by(), by()), array: under, ..PLAIN }
    };
    let lights: Vec<Plane<f32>> =
        (0..count).map(|i| sky.light(seen(i), 1000 * key + i as u64)).collect();
    let mut how = Integration::default();
    how.drizzle = drizzle;
    let header = if under { array } else { gain };
    let (_, frames, header) = Bench::new().stack(&lights, header, how);
    (frames, header, drizzle.map_or(1.0, |d| d.scale))
}

/// A6: weights of lights with one noise over a nebula.
pub fn weights_of_equal_noise(effort: Effort) -> Vec<Row> {
    let sky = Sky { nebula_e: 500.0, ..Sky::new(effort.of(384, 1024)) };
    let seen = |i: usize| Seen { shift: (1.7 * i as f64, -1.3 * i as f64), ..PLAIN };
    let lights: Vec<Plane<f32>> = (0..6).map(|i| sky.light(seen(i), 60 + i as u64)).collect();
    let (done, _, _) = Bench::new().stack(&lights, gain, Integration::default());
    let least = done.lights.iter().map(|l| l.weight).fold(1.0, f64::min);
    let error = if effort == Effort::Quick { 0.02 } else { 0.005 };
    vec![Row::new("A6", "6 equal lights over a nebula: least weight", (least, error), (0.95, 1.0))]
}

/// The noise of means of n x n pixels over what ERR lets expect of independent ones.
fn of_means(stack: &Frame, n: usize, sky: f64, which: &dyn Fn(usize, usize) -> bool) -> (f64, f64) {
    let mut pulls = Pulls::default();
    let variance = stack.variance.as_ref().expect("a variance");
    // Not all in one way on what repeats every two pixels.
    for y in (0..stack.size().height - n).step_by(n + 1) {
        for x in (0..stack.size().width - n).step_by(n + 1) {
            let (mut off, mut expected, mut whole) = (0.0, 0.0, true);
            for (i, j) in (0..n * n).map(|k| (x + k % n, y + k / n)) {
                whole &= which(i, j);
                off += f64::from(stack.data.get(i, j)) - sky;
                expected += f64::from(variance.get(i, j));
            }
            if whole {
                pulls.add(off, expected);
            }
        }
    }
    pulls.ratio()
}

/// A8: noise of means of 4 x 4 pixels against what a stack's header says of it.
pub fn correlation(effort: Effort) -> Vec<Row> {
    let sky = Sky::new(effort.of(288, 1152));
    let stars = sky.stars();
    let mut rows = Vec::new();
    for (name, drizzle, under) in [
        ("registered, Lanczos 4", None, false),
        ("drizzle 2, pixfrac 0.7", Some(Drizzle::new(2.0, 0.7, false)), false),
        ("drizzle 2, pixfrac 1", Some(Drizzle::new(2.0, 1.0, false)), false),
        ("registered, debayered", None, true),
        ("CFA drizzle", Some(Drizzle::new(1.0, 1.0, true)), true),
    ] {
        let (frames, header, finer) = dithered(&sky, effort.of(5, 8), drizzle, under, 80);
        for (plane, frame) in frames.iter().enumerate() {
            let key = match frames.len() {
                1 => "PSCORR".to_owned(),
                _ => format!("PSCORR{}", ["R", "G", "B"][plane]),
            };
            let found = of_means(frame, 4, PLAIN.sky_e, &inner(&sky, &stars, finer));
            let told = header.get_f64(&key).unwrap_or(1.0);
            let colour = if frames.len() == 1 { "" } else { [", red", ", green", ", blue"][plane] };
            let what = format!(
                "{name}{colour}: noise of 4 x 4 means over ERR is {:.3}; over ERR and {key}",
                found.0
            );
            rows.push(Row::new("A8", what, (found.0 / told, found.1 / told), RIGHT));
        }
    }
    rows
}

/// A18: stars of unregistered stacks, whose flux scales have errors.
pub fn scale_errors(effort: Effort) -> Vec<Row> {
    let sky = Sky { flux_e: 3e5, ..Sky::new(effort.of(288, 576)) };
    let truth = sky.truth(PLAIN);
    let mut pulls_of_all = Pulls::default();
    for night in 0..effort.of(2, 24) as u64 {
        let lights: Vec<Plane<f32>> =
            (0..16).map(|i| sky.light(PLAIN, 10_000 + 100 * night + i)).collect();
        let (_, frames, _) = Bench::new().stack(&lights, gain, unregistered());
        let variance = frames[0].variance.as_ref().unwrap();
        for (i, v) in frames[0].data.as_slice().iter().enumerate() {
            if truth.as_slice()[i] > 10_000.0 {
                let off = f64::from(*v) - f64::from(truth.as_slice()[i]);
                pulls_of_all.add(off, f64::from(variance.as_slice()[i]));
            }
        }
    }
    let what = "16 unregistered lights, stars above 10000 e- a pixel: real/ERR";
    let (ratio, _) = pulls_of_all.ratio();
    // Nights are few, and their scales common to all pixels of a stack.
    let error = if effort == Effort::Quick { 0.1 } else { 0.02 };
    vec![Row::new("A18", what, (ratio, error), (0.9, 1.1))]
}

/// B: stacks of equal lights.
pub fn equal_lights(effort: Effort) -> Vec<Row> {
    let sky = Sky { nebula_e: 300.0, ..Sky::new(effort.of(192, 576)) };
    let (stars, truth) = (sky.stars(), sky.truth(PLAIN));
    let mut rows = Vec::new();
    for count in [2usize, 4, 10] {
        let lights: Vec<Plane<f32>> =
            (0..count).map(|i| sky.light(PLAIN, 500 + i as u64)).collect();
        let (_, frames, _) = Bench::new().stack(&lights, gain, unregistered());
        let known = |x: usize, y: usize| f64::from(truth.get(x, y));
        let away = |x: usize, y: usize| sky.away(&stars, (x as f64, y as f64), 12.0);
        let found = pulls(&frames[0], &known, &away);
        let what = format!("{count} equal lights, sky and nebula: real/ERR");
        rows.push(Row::new("B", what, found.ratio(), RIGHT));
    }
    let plain = Sky { nebula_e: 0.0, ..sky };
    let (frames, _, finer) = dithered(&plain, 8, None, false, 51);
    let found = pulls(&frames[0], &|_, _| PLAIN.sky_e, &inner(&plain, &stars, finer));
    rows.push(Row::new("B", "8 registered lights, sky: real/ERR", found.ratio(), RIGHT));
    rows
}

/// B: colour stacks, pixel by pixel.
pub fn colour_and_drizzle(effort: Effort) -> Vec<Row> {
    let sky = Sky::new(effort.of(288, 768));
    let stars = sky.stars();
    let mut rows = Vec::new();
    let (frames, _, finer) = dithered(&sky, 6, None, true, 52);
    for (frame, colour) in frames.iter().zip(["red", "green", "blue"]) {
        let found = pulls(frame, &|_, _| PLAIN.sky_e, &inner(&sky, &stars, finer));
        let what = format!("6 registered colour lights, {colour}, sky: real/ERR");
        rows.push(Row::new("B", what, found.ratio(), RIGHT));
    }
    rows
}
