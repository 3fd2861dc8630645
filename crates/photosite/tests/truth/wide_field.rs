//! Lights of a wide field laid over each other, against where the simulator put their stars.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::run::{Context, SurveyedLight, lay_over, offer_files, survey};
use photosite_file::fits::Sample;
use photosite_pix::align::{Alignment, Point, Registration};
use photosite_pix::wcs::{Direction, Wcs};
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Effects, Night, Pointing, Preset, Simulation};

use crate::night::write_plane;

const SIZE: Size = Size::new(3000, 2000);

/// What a calibrated light holds.
const CALIBRATED: Effects = Effects::STARS
    .union(Effects::SKY)
    .union(Effects::DITHER)
    .union(Effects::POISSON)
    .union(Effects::READ_NOISE);

/// Lights of 135 mm: 5 degrees by 3, dithered by up to 300 px.
struct Field {
    _dir: tempfile::TempDir,
    pointings: Vec<Pointing>,
    paths: Vec<PathBuf>,
}

fn field(size: Size, lights: usize, effects: Effects, change: impl Fn(&mut Night)) -> Field {
    let mut night = Night::preset(Preset::CmosMono, size, 31);
    night.effects = CALIBRATED | effects;
    night.counts.lights = lights;
    night.focal_length_mm = 135.0;
    night.sky.dither_px = 300.0;
    night.sky.rotation_deg = 4.0;
    night.sensor.distortion_px = 15.0;
    night.sensor.axis_px = (60.0, -40.0);
    change(&mut night);
    let simulation = Simulation::new(night);
    let dir = tempfile::tempdir().unwrap();
    let plans = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    let (pointings, paths) = plans
        .map(|plan| {
            let frame = simulation.render(&plan);
            let path = dir.path().join(&plan.file_name);
            write_plane(&path, &frame.adu, Sample::F32, frame.header);
            (simulation.pointing(&plan), path)
        })
        .unzip();
    Field { _dir: dir, pointings, paths }
}

fn with_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let cancel = Cancel::default();
    work(&Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel })
}

fn surveyed(field: &Field) -> Vec<SurveyedLight> {
    with_context(|context| {
        let (offered, _) = offer_files(&field.paths, context).unwrap();
        survey(&offered, false, context).unwrap().0
    })
}

/// How far a registration is from the truth, in pixels: over the whole frame, in its corners (the
/// outer tenth of the way), and at the worst.
#[derive(Debug, Default)]
struct Off {
    rms: f64,
    corners: f64,
    worst: f64,
}

fn off(size: Size, reference: &Pointing, light: &Pointing, found: &Registration) -> Off {
    let (w, h) = (size.width as f64, size.height as f64);
    let inside = |(x, y): (f64, f64)| x >= 0.0 && y >= 0.0 && x < w && y < h;
    let out = |(x, y): (f64, f64)| (2.0 * x / w - 1.0).hypot(2.0 * y / h - 1.0) / 2f64.sqrt();
    let (mut all, mut corners, mut worst) = ((0.0, 0.0), (0.0, 0.0), 0.0f64);
    for i in 0..160 * 160 {
        let star = |i: usize, n: f64| n * (i as f64 / 80.0 - 0.5);
        let star = (star(i % 160, w), star(i / 160, h));
        let (from, to) = (reference.place(star), light.place(star));
        if !(inside(from) && inside(to)) {
            continue;
        }
        let away = found.transform.apply(Point::new(from.0, from.1));
        let away = away.distance(Point::new(to.0, to.1));
        all = (all.0 + away * away, all.1 + 1.0);
        worst = worst.max(away);
        if out(from).max(out(to)) > 0.9 {
            corners = (corners.0 + away * away, corners.1 + 1.0);
        }
    }
    let rms = |(sum, n): (f64, f64)| (sum / n).sqrt();
    Off { rms: rms(all), corners: rms(corners), worst }
}

#[test]
fn headers_of_simulated_lights_say_where_their_stars_are() {
    for effects in [Effects::none(), Effects::DISTORTION | Effects::ROTATION | Effects::FLIP] {
        let mut night = Night::preset(Preset::CmosMono, Size::new(300, 200), 3);
        night.effects = CALIBRATED | effects;
        night.counts.lights = 4;
        night.sky.dither_px = 40.0;
        let simulation = Simulation::new(night);
        let plans = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
        let seen: Vec<(Wcs, Pointing)> = plans
            .map(|plan| (simulation.render(&plan).header, simulation.pointing(&plan)))
            .map(|(header, pointing)| (Wcs::read(&header).unwrap(), pointing))
            .collect();
        for star in [(-20.0, 30.0), (149.5, 99.5), (280.0, 210.0), (3.0, 190.0)] {
            let sky = |(wcs, pointing): &(Wcs, Pointing)| -> Direction {
                let (x, y) = pointing.place(star);
                wcs.to_sky(Point::new(x, y))
            };
            for light in &seen {
                // A microarcsecond is 6e-7 px here.
                assert!(sky(light).separation_deg(sky(&seen[0])) < 1e-12, "{star:?}");
            }
        }
    }
}

#[test]
fn bent_turned_and_flipped_lights_lie_where_their_headers_say() {
    let bent = Effects::DISTORTION | Effects::ROTATION | Effects::FLIP;
    let field = field(SIZE, 6, bent, |_| ());
    let lights = surveyed(&field);
    for by in [Alignment::Wcs] {
        let (placed, findings) =
            with_context(|context| lay_over(&lights, &lights[0], by, context)).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        for (i, found) in placed.iter().enumerate().skip(1) {
            let found = found.as_ref().unwrap();
            let off = off(SIZE, &field.pointings[0], &field.pointings[i], found);
            println!(
                "{by:?} {i}: dither {:?}, turned {:.2}: {:?}, {} stars, residual {:.4}; {off:?}",
                field.pointings[i].dither_px,
                field.pointings[i].rotation_deg,
                found.transform.model,
                found.matched,
                found.residual_px
            );
            assert!(off.rms < 0.01 && off.corners < 0.03 && off.worst < 0.06, "{off:?}");
            assert!((off.rms / found.residual_px - 1.0).abs() < 0.2, "the misfit is what is told");
        }
    }
}
