//! Lights of a wide field laid over each other, against where the simulator put their stars.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::measure::{SurveyedLight, find_stars, offer_files, survey};
use photosite::register::lay_over;
use photosite::run::{IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::align::{Alignment, Model, Point, Registration};
use photosite_pix::stars::{Criteria, Star};
use photosite_pix::wcs::{Direction, Wcs};
use photosite_pix::{FrameKind, Size, stat};
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
    stars: Vec<photosite_sim::Star>,
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
    let stars = simulation.maps().stars.clone();
    Field { _dir: dir, pointings, stars, paths }
}

fn with_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let cancel = Cancel::default();
    work(&Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel })
}

fn surveyed(field: &Field) -> Vec<SurveyedLight> {
    with_context(|context| {
        let (offered, _) = offer_files(&field.paths, context).unwrap();
        survey(&offered, false, None, context).unwrap().0
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

/// Lays every light over the first, both ways; gives how far each is off.
fn laid(field: &Field, size: Size) -> Vec<(Alignment, Registration, Off)> {
    let lights = surveyed(field);
    let mut out = Vec::new();
    for by in [Alignment::Stars, Alignment::Wcs] {
        let (placed, findings) =
            with_context(|context| lay_over(&lights, &lights[0], by, context)).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        for (pointing, found) in field.pointings.iter().zip(placed).skip(1) {
            let found = found.unwrap();
            let off = off(size, &field.pointings[0], pointing, &found);
            println!(
                "{by:?}: moved by {:.0?} px, turned by {:.2} deg: {:?}, {} stars, residual {:.5}; \
                 {off:.4?}",
                pointing.dither_px,
                pointing.rotation_deg,
                found.transform.model,
                found.matched,
                found.residual_px
            );
            out.push((by, found, off));
        }
    }
    out
}

#[test]
fn bent_turned_and_flipped_lights_are_laid_over_each_other() {
    let bent = Effects::DISTORTION | Effects::ROTATION | Effects::FLIP;
    for (distortion_px, lights) in [(15.0, 6), (-8.0, 3), (60.0, 3)] {
        let field = field(SIZE, lights, bent, |night| night.sensor.distortion_px = distortion_px);
        for (by, found, off) in laid(&field, SIZE) {
            assert!(found.transform.model >= Model::Cubic);
            match by {
                Alignment::Stars => {
                    assert!(off.rms < 0.02 && off.corners < 0.05, "{distortion_px} {off:?}");
                }
                Alignment::Wcs => {
                    assert!(
                        off.worst < 0.03 && found.residual_px < 0.01,
                        "{distortion_px} {off:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn fields_that_are_not_bent_are_not_bent() {
    let straight = [
        (Effects::none(), Model::Similarity),
        (Effects::ROTATION | Effects::FLIP, Model::Homography),
    ];
    for (effects, model) in straight {
        let field = field(SIZE, 4, effects, |_| ());
        for (by, found, off) in laid(&field, SIZE) {
            assert!(found.transform.model <= model, "{by:?} {found:?}");
            assert!(off.rms < 0.01 && off.corners < 0.02, "{by:?} {off:?}");
        }
    }
}

#[test]
fn corners_of_a_stack_are_as_sharp_as_its_middle_and_lie_where_its_header_says() {
    let bent = Effects::DISTORTION | Effects::ROTATION | Effects::FLIP;
    let field = field(SIZE, 6, bent, |_| ());
    let (frame, header) = with_context(|context| {
        let output = field.paths[0].with_file_name("stack.fits");
        let mut request = IntegrationRequest::new(&field.paths, &output);
        request.reference = Some(&field.paths[0]);
        request.how.crop = true;
        let done = integrate(&request, context).unwrap();
        assert!(done.lights.iter().all(|l| l.used), "{:?}", done.findings);
        read_frame(&output).unwrap()
    });
    let size = frame.size();
    assert!(size.width < SIZE.width && size.height < SIZE.height, "{size}");
    let stars = with_context(|context| {
        find_stars(&frame.data, &frame.mask, None, Criteria::default(), context).unwrap().stars
    });
    // How far out a star lies, its width, and how far it is from where the header has it.
    let (of_light, of_stack) =
        (Wcs::read(&read_frame(&field.paths[0]).unwrap().1).unwrap(), Wcs::read(&header).unwrap());
    let (mut widths, mut apart) = ([Vec::new(), Vec::new()], Vec::new());
    for known in &field.stars {
        let (x, y) = field.pointings[0].place((known.x, known.y));
        let Some(at) = of_stack.to_pixel(of_light.to_sky(Point::new(x, y))) else { continue };
        let near = |s: &&Star| at.distance(Point::new(s.x, s.y)) < 0.5;
        let Some(star) = stars.iter().find(near).filter(|s| s.snr > 100.0) else { continue };
        apart.push(at.distance(Point::new(star.x, star.y)) as f32);
        let along = |v: f64, n: usize| 2.0 * v / n as f64 - 1.0;
        let out = along(star.x, size.width).hypot(along(star.y, size.height)) / 2f64.sqrt();
        if !(0.35..0.75).contains(&out) {
            widths[usize::from(out > 0.5)].push(star.fwhm_px as f32);
        }
    }
    let counts = [widths[0].len(), widths[1].len()];
    let [middle, corners] = widths.map(|mut w| stat::median_in_place(&mut w));
    let apart = stat::median_in_place(&mut apart);
    println!(
        "FWHM {middle:.3} px in the middle, {corners:.3} in the corners, of {counts:?} stars; \
         {apart:.4} px from where the header has them"
    );
    assert!(counts.iter().all(|n| *n > 30), "{counts:?}");
    assert!((corners / middle - 1.0).abs() < 0.01, "{corners} {middle}");
    assert!(apart < 0.03, "{apart}");
}
