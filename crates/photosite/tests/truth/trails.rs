//! Trails against the sky that they were drawn over: found, and gone from the stack.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::measure::find_stars;
use photosite::params::{Drizzle, Integration, RecipeChoice};
use photosite::run::{Integrated, IntegrationRequest, integrate};
use photosite::work::{Context, on_each};
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::reject::Reject;
use photosite_pix::stars::Criteria;
use photosite_pix::trails::{Trail, find};
use photosite_pix::{Card, Header, MaskBits, Plane, Size, stat};
use photosite_sim::{Purpose, Stream};
use tempfile::TempDir;

use crate::night::write_plane;

const SIZE: Size = Size::new(1024, 768);
const NOISE_ADU: f64 = 10.0;
const LEVEL_ADU: f64 = 400.0;

/// Light along a straight line, in sigmas of a light's noise.
#[derive(Clone, Copy)]
struct Drawn {
    /// A place on it, and its direction.
    at: (f64, f64),
    angle: f64,
    /// Where it begins and ends, in pixels from there.
    ends: (f64, f64),
    peak: f64,
    width_px: f64,
    /// Its wings fall as the fourth power, as a line through a Moffat profile's do.
    winged: bool,
    /// It goes out and on again: the period and how much of it is lit, in pixels.
    dashes: Option<(f64, f64)>,
}

const CROSSING: (f64, f64) = (-1e5, 1e5);

impl Drawn {
    const fn new(at: (f64, f64), angle: f64, peak: f64) -> Self {
        Self { at, angle, ends: CROSSING, peak, width_px: 1.5, winged: false, dashes: None }
    }

    const fn winged(self) -> Self {
        Self { winged: true, width_px: 2.5, ..self }
    }

    const fn dashed(self, period_px: f64, lit_px: f64) -> Self {
        Self { dashes: Some((period_px, lit_px)), ..self }
    }

    /// How far along and aside a place lies.
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (uy, ux) = self.angle.sin_cos();
        let (dx, dy) = (x - self.at.0, y - self.at.1);
        (dx * ux + dy * uy, dy * ux - dx * uy)
    }

    fn draw(&self, data: &mut Plane<f32>) {
        for j in 0..data.height() {
            for (i, v) in data.row_mut(j).iter_mut().enumerate() {
                let (t, d) = self.place(i as f64, j as f64);
                let lit = self.dashes.is_none_or(|(period, lit)| t.rem_euclid(period) < lit);
                if lit && (self.ends.0..=self.ends.1).contains(&t) {
                    let d2 = (d / self.width_px).powi(2);
                    let fall = if self.winged { (1.0 + d2).powi(-2) } else { (-0.5 * d2).exp() };
                    *v += (NOISE_ADU * self.peak * fall) as f32;
                }
            }
        }
    }
}

/// Stars of a field, the faintest with a peak as high as the noise.
fn stars(size: Size, count: usize, seed: u64) -> Vec<(f64, f64, f64)> {
    let mut random = Stream::new(seed, 0, Purpose::Stars);
    let star = |_| {
        let (x, y) = (random.uniform() * size.width as f64, random.uniform() * size.height as f64);
        (x, y, NOISE_ADU * (1.0 - random.uniform() * 0.99999).powf(-0.9))
    };
    (0..count).map(star).collect()
}

/// Those stars, moved, over an even background.
fn sky(size: Size, stars: &[(f64, f64, f64)], (dx, dy): (f64, f64)) -> Plane<f32> {
    let mut data = Plane::filled(size, LEVEL_ADU as f32);
    for (x, y, peak) in stars {
        let (x, y) = (x + dx, y + dy);
        let range = |c: f64, end: usize| {
            (c - 30.0).clamp(0.0, end as f64) as usize..(c + 31.0).clamp(0.0, end as f64) as usize
        };
        for j in range(y, size.height) {
            for i in range(x, size.width) {
                let d2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                data.row_mut(j)[i] += (peak * (1.0 + d2 / 12.8).powf(-2.5)) as f32;
            }
        }
    }
    data
}

fn add_noise(data: &mut Plane<f32>, seed: u64, frame: u64) {
    let mut random = Stream::new(seed, frame, Purpose::ReadNoise);
    data.as_mut_slice().iter_mut().for_each(|v| *v += (NOISE_ADU * random.gaussian()) as f32);
}

/// How far light `i` is moved, in pixels.
fn dither(i: usize) -> (f64, f64) {
    if i == 0 {
        return (0.0, 0.0);
    }
    let (x, y) = Stream::new(3, i as u64, Purpose::Dither).in_disc();
    (9.0 * x, 9.0 * y)
}

struct Night {
    folder: TempDir,
    paths: Vec<PathBuf>,
}

/// Lights of one sky, each with its own trails, and under a filter array where one is named.
fn night(trails: &[Vec<Drawn>], array: Option<&str>) -> Night {
    let folder = tempfile::tempdir().unwrap();
    let stars = stars(SIZE, 400, 8);
    let write = |(i, trails): (usize, &Vec<Drawn>)| {
        let mut data = sky(SIZE, &stars, dither(i));
        add_noise(&mut data, 5, i as u64);
        trails.iter().for_each(|t| t.draw(&mut data));
        let mut header = Header::new();
        header.set(Card::real("EXPTIME", 60.0, ""));
        if let Some(array) = array {
            header.set(Card::string("BAYERPAT", array, ""));
        }
        let path = folder.path().join(format!("light_{i:02}.fits"));
        write_plane(&path, &data, Sample::F32, header);
        path
    };
    let paths = trails.iter().enumerate().map(write).collect();
    Night { folder, paths }
}

impl Night {
    /// What a stack's account tells, its planes, and what its header says was done.
    fn stack(&self, how: Integration, threads: usize) -> (Integrated, Vec<Plane<f32>>, String) {
        let cancel = Cancel::default();
        let context =
            Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
        let output = self.folder.path().join(format!("stack-{threads}.fits"));
        let mut request = IntegrationRequest::new(&self.paths, &output);
        (request.reference, request.how) = (Some(self.paths[0].as_path()), how);
        let done = integrate(&request, &context).unwrap();
        assert!(done.lights.iter().all(|l| l.used), "{:?}", done.findings);
        let (frames, header) = read_frames(&output).unwrap();
        let history = header.history().collect::<Vec<_>>().join(" ");
        (done, frames.into_iter().map(|f| f.data).collect(), history)
    }
}

/// What a stack shows along a trail of one of its lights.
#[derive(Debug)]
struct Residue {
    /// The means of strips along it, against what lies far beside, in sigmas of the stack.
    means: Vec<f64>,
    /// Samples in each.
    counts: Vec<usize>,
    /// Scatter in the band, over that far beside.
    scatter: f64,
    /// Pixels beyond 5 of their own sigma, and how many there are.
    far: usize,
    pixels: usize,
}

/// Strips along a trail, by how far aside they lie, in pixels.
const STRIPS: [(f64, f64); 5] = [(0.0, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, 40.0)];

fn residue(
    stack: &Plane<f32>,
    truth: &Plane<f32>,
    (light, lights): (usize, usize),
    trail: &Drawn,
) -> Residue {
    let (dx, dy) = dither(light);
    let mut strips: Vec<Vec<f32>> = vec![Vec::new(); STRIPS.len() + 1];
    for y in 24..SIZE.height - 24 {
        for x in 24..SIZE.width - 24 {
            let (t, d) = trail.place(x as f64 + dx, y as f64 + dy);
            let d = d.abs();
            // Where stars shine, a tenth of a pixel matters more than any trail.
            let dark = truth.get(x, y) < (LEVEL_ADU + 0.2 * NOISE_ADU) as f32;
            let near = (trail.ends.0 - 60.0..=trail.ends.1 + 60.0).contains(&t);
            if dark && near && d < 60.0 {
                let at = STRIPS.iter().position(|(a, b)| (*a..*b).contains(&d));
                strips[at.unwrap_or(STRIPS.len())].push(stack.get(x, y) - truth.get(x, y));
            }
        }
    }
    let beside = stat::moments(&strips[STRIPS.len()]);
    let all: Vec<f32> = strips[..STRIPS.len()].concat();
    assert!(all.iter().all(|v| v.is_finite()), "a hole");
    let sigma = beside.sd;
    let strips = &strips[..STRIPS.len()];
    let means = strips.iter().map(|s| (stat::moments(s).mean - beside.mean) / sigma);
    // The noise of a pixel where one light is missing.
    let own = sigma * (lights as f64 / (lights - 1) as f64).sqrt();
    let far = |v: &&f32| (f64::from(**v) - beside.mean).abs() > 5.0 * own;
    Residue {
        means: means.collect(),
        counts: strips.iter().map(Vec::len).collect(),
        scatter: stat::moments(&all).sd / sigma,
        far: all.iter().filter(far).count(),
        pixels: all.len(),
    }
}

/// Trails of every brightness, two that cross, one that ends inside, one that cuts a corner.
fn sample() -> Vec<Vec<Drawn>> {
    let ends_inside = Drawn { ends: (-250.0, 250.0), ..Drawn::new((600.0, 300.0), 2.7, 4.0) };
    vec![
        vec![Drawn::new((500.0, 400.0), 0.3, 0.3)],
        vec![Drawn::new((400.0, 300.0), 1.2, 1.0).winged()],
        vec![Drawn::new((600.0, 500.0), 2.3, 3.0), Drawn::new((130.0, 0.0), -0.8, 30.0)],
        vec![Drawn::new((300.0, 380.0), 0.1, 10.0), Drawn::new((700.0, 380.0), 1.9, 10.0).winged()],
        vec![Drawn::new((512.0, 384.0), 0.62, 100.0).winged()],
        vec![ends_inside],
    ]
}

/// The bar: no strip's mean further than 0.1 sigma from what lies beside, or than four standard
/// errors where few samples make it (of which so many are alike); no pixel beyond 5 sigma.
fn assert_gone(
    name: &str,
    stack: &Plane<f32>,
    truth: &Plane<f32>,
    trails: &[Vec<Drawn>],
    alike: f64,
) {
    for (light, trail) in trails.iter().enumerate().flat_map(|(i, t)| t.iter().map(move |t| (i, t)))
    {
        let residue = residue(stack, truth, (light, trails.len()), trail);
        println!("{name}: peak {:5.1} sigma in light {light}: {residue:.3?}", trail.peak);
        assert!(residue.pixels > 5000, "{residue:?}");
        // Where one of so few lights is missing, the others' noise is a little greater.
        for (mean, count) in residue.means.iter().zip(&residue.counts) {
            assert!(mean.abs() < (4.0 * (alike / *count as f64).sqrt()).max(0.1), "{name} {mean}");
        }
        assert!(residue.scatter < 1.12, "{name} {residue:?}");
        assert!(residue.far <= 1, "{name} {residue:?}");
    }
}

#[test]
fn trails_are_gone_from_stacks_of_few_lights_and_of_more() {
    let truth = sky(SIZE, &stars(SIZE, 400, 8), (0.0, 0.0));
    for lights in [6, 10] {
        let mut trails = sample();
        trails.resize(lights, Vec::new());
        let (done, stack, history) = night(&trails, None).stack(Integration::default(), 2);
        println!("{lights} lights: {:#.1?}", done.trails);
        assert_gone(&format!("{lights} lights"), &stack[0], &truth, &trails, 1.0);
        assert_eq!(done.trails.len(), 8);
        assert!(history.contains("8 trails masked in 6 lights"), "{history}");
    }
}

#[test]
fn trails_are_gone_from_colours_and_from_drops() {
    let truth = sky(SIZE, &stars(SIZE, 400, 8), (0.0, 0.0));
    let trails = sample();
    let night = night(&trails, Some("RGGB"));
    let mut drops = Integration::default();
    drops.drizzle = Some(Drizzle::new(1.0, 1.0, true));
    for (name, how) in [("debayered", Integration::default()), ("drops by colour", drops)] {
        let (_, planes, _) = night.stack(how, if how.drizzle.is_some() { 1 } else { 2 });
        for (plane, colour) in planes.iter().zip(["red", "green", "blue"]) {
            assert_gone(&format!("{name}, {colour}"), plane, &truth, &trails, 4.0);
        }
    }
}

/// Tumbling satellites over two, three and five lights, mono and colour: what is left of them.
///
/// Bars: of pixels brighter than without them by five times the noise of a light no more than ten.
#[test]
fn dashes_are_gone_from_the_fewest_lights() {
    let dashed = [
        Drawn::new((500.0, 400.0), 0.46, 150.0).dashed(60.0, 12.0),
        Drawn::new((300.0, 200.0), 2.2, 60.0).dashed(45.0, 20.0),
        Drawn::new((800.0, 300.0), -0.9, 30.0).dashed(80.0, 25.0),
    ];
    for array in [None, Some("RGGB")] {
        for lights in [2, 3, 5] {
            for trail in &dashed {
                let mut trails = vec![Vec::new(); lights];
                let clean = night(&trails, array).stack(Integration::default(), 2).1;
                trails[1].push(*trail);
                let (done, hit, _) = night(&trails, array).stack(Integration::default(), 2);
                for (hit, clean) in hit.iter().zip(&clean) {
                    let both = hit.as_slice().iter().zip(clean.as_slice());
                    let left: Vec<f32> = both.map(|(a, b)| a - b).collect();
                    let high = left.iter().filter(|v| f64::from(**v) > 5.0 * NOISE_ADU).count();
                    let highest = left.iter().copied().fold(f32::MIN, f32::max);
                    println!("{array:?}, {lights} lights, {:?}: {high}, {highest}", trail.dashes);
                    assert!(done.trails.len() == 1 && high <= 10, "{:?}", done.trails);
                }
            }
        }
    }
}

#[test]
fn what_stands_in_every_light_is_no_trail_and_who_rejects_nothing_keeps_all() {
    // A galaxy on the sky, and a column of the sensor, in all lights; a trail in one.
    let trails: Vec<Vec<Drawn>> = (0..6)
        .map(|i| {
            let (dx, dy) = dither(i);
            let galaxy =
                Drawn { ends: (-200.0, 200.0), ..Drawn::new((400.0 + dx, 300.0 + dy), 0.5, 2.0) };
            let column = Drawn {
                width_px: 0.4,
                ..Drawn::new((700.0, 0.0), std::f64::consts::FRAC_PI_2, 3.0)
            };
            let trail = Drawn::new((500.0, 500.0), -0.4, 2.0);
            if i == 2 { vec![galaxy, column, trail] } else { vec![galaxy, column] }
        })
        .collect();
    let night = night(&trails, None);
    let (done, _, _) = night.stack(Integration::default(), 2);
    println!("{:.1?}", done.trails);
    assert_eq!(done.trails.len(), 1);
    assert!(done.trails[0].path.ends_with("light_02.fits"));
    let mut how = Integration::default();
    how.recipe = RecipeChoice::of(Reject::None);
    let (done, _, history) = night.stack(how, 1);
    assert!(done.trails.is_empty() && !history.contains("masked"));
}

/// Lines in frames of noise and stars, from none to as many as the Milky Way has.
fn lines_in(frames: std::ops::Range<u64>) -> usize {
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let found = on_each(frames.end as usize, &context, |i| {
        let (i, size) = (i as u64, if i % 2 == 0 { SIZE } else { Size::new(700, 1300) });
        if !frames.contains(&i) {
            return Ok(Vec::new());
        }
        let mut data = sky(size, &stars(size, [0, 200, 2000][i as usize % 3], i), (0.0, 0.0));
        add_noise(&mut data, i, 1);
        let mask: Plane<MaskBits> = Plane::zeroed(size);
        let one = Context { threads: 1, ..context };
        let field = find_stars(&data, &mask, None, Criteria::default(), &one)?;
        Ok(find(&data, &mask, &field.mesh, &field.stars, field.fwhm_px).0)
    });
    let found: Vec<Vec<Trail>> = found.unwrap().into_iter().map(Result::unwrap).collect();
    found.iter().flatten().for_each(|trail| println!("{trail:.2?}"));
    found.iter().map(Vec::len).sum()
}

#[test]
fn noise_and_stars_are_no_trails() {
    assert_eq!(lines_in(0..60), 0);
}

#[test]
#[ignore = "minutes: the rate of false trails"]
fn noise_and_stars_are_hardly_ever_trails() {
    let count = lines_in(0..2000);
    println!("{count} in 2000 frames, a third of them crowded");
    assert!(count <= 2, "{count}");
}
