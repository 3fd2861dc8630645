//! Pixels that no dark told of, found by lights that were dithered.

use photosite::defects::{remove_cosmic_rays, repair};
use photosite::inventory::KindOverrides;
use photosite::run::build_map_of_named;
use photosite_file::fits::Sample;
use photosite_pix::{CfaPattern, Frame, FrameKind, MaskBits, Plane, Size, Unit, stat};
use photosite_sim::{Effects, Night, Preset, Simulation};

use crate::night::{run_context, write_plane};

/// Lights of a crowded field of sharp stars, with hot pixels that no dark is there for.
fn field(preset: Preset, dithered: bool, seed: u64) -> Simulation {
    let mut night = Night::preset(preset, Size::new(900, 700), seed);
    night.effects -= Effects::TRAIL | Effects::COSMIC_RAYS;
    if !dithered {
        night.effects -= Effects::DITHER;
    }
    night.sky.fwhm_px = 1.6;
    night.sky.stars_per_mpx = 1700.0;
    night.sensor.hot_fraction = 1e-3;
    night.sensor.hot_min_e_s = 6.0;
    night.counts.lights = 8;
    Simulation::new(night)
}

#[test]
fn what_stands_still_is_hot_and_no_star_is() {
    for (name, preset) in [("mono", Preset::CmosMono), ("bayer", Preset::CmosOsc)] {
        for dithered in [true, false] {
            let simulation = field(preset, dithered, 5);
            let dir = tempfile::tempdir().unwrap();
            let lights = dir.path().join("lights");
            for plan in simulation.frames().iter().filter(|p| p.kind == FrameKind::Light) {
                let frame = simulation.render(plan);
                let sample = Sample::U16 { pedestal_adu: 0.0 };
                write_plane(&lights.join(&plan.file_name), &frame.adu, sample, frame.header);
            }
            let whole = lights.canonicalize().unwrap();
            let paths = vec![(whole, FrameKind::Light)];
            let kinds = KindOverrides { paths, ..KindOverrides::default() };
            let output = dir.path().join("map.fits");
            let built = run_context(2, |context| {
                build_map_of_named(std::slice::from_ref(&lights), &kinds, &output, context).unwrap()
            });
            let hot = &simulation.maps().hot;
            let found = hot
                .iter()
                .filter(|h| built.map.at(h.x, h.y).is_some_and(|s| s.bits.contains(MaskBits::HOT)));
            let found = found.count();
            let stars = simulation.maps().stars.len();
            println!(
                "{name}, dithered {dithered}: {found} of {} hot pixels, {} marked, {stars} stars, {} lights moved",
                hot.len(),
                built.map.seen.len(),
                built.map.facts.lights
            );
            assert!(built.map.facts.lights <= 8);
            let told = built.findings.iter().any(|f| f.code == "defects-lights-not-dithered");
            if dithered {
                assert!(stars >= 1000, "{stars}");
                assert!(found as f64 > 0.8 * hot.len() as f64, "{name}: {found} of {}", hot.len());
                // Not one star lost a pixel.
                let is_hot = |x, y| hot.iter().any(|h| (h.x, h.y) == (x, y));
                let wrong: Vec<_> = built.map.seen.iter().filter(|s| !is_hot(s.x, s.y)).collect();
                assert!(wrong.is_empty(), "{name}: {wrong:?}");
                assert!(!told);
                let repaired: Vec<(usize, usize)> =
                    built.map.repaired().iter().map(|d| (d.x, d.y)).collect();
                let by_map = |frame: &mut Frame, cfa| {
                    repair(frame, cfa, &repaired);
                };
                let alone = |frame: &mut Frame, cfa| {
                    remove_cosmic_rays(frame, cfa);
                };
                let (mapped, alone) = (harm(&simulation, &by_map), harm(&simulation, &alone));
                println!("    repaired by the map: {mapped:?}\n    each light alone: {alone:?}");
                assert!(mapped.stars > 8 * 1000);
                assert_eq!(mapped.harmed, 0, "{name}");
                // The noise of a faint star's peak: by chance one in twenty thousand.
                assert!(alone.harmed <= 1, "{name}: {alone:?}");
            } else {
                assert!(built.map.seen.is_empty(), "{name}");
                assert!(told);
            }
        }
    }
}

/// What became of stars of which no pixel is hot.
#[derive(Debug, Default)]
struct Harm {
    /// Stars of all lights.
    stars: usize,
    /// Those whose flux changed by more than half a percent.
    harmed: usize,
    /// The largest change, as a share of the flux.
    worst: f64,
}

/// Pixels around a star that hold its light: all but a thousandth of it.
const APERTURE_PX: f64 = 3.0;

/// What `mend` does to the stars of the lights.
fn harm(simulation: &Simulation, mend: &dyn Fn(&mut Frame, Option<CfaPattern>)) -> Harm {
    let (night, maps) = (simulation.night(), simulation.maps());
    let (sensor, size) = (&night.sensor, night.sensor.size);
    let gain = sensor.gain_e_per_adu;
    let read_e = sensor.measured_read_noise_e(night.effects);
    let cfa = night.effects.contains(Effects::BAYER).then_some(sensor.cfa).flatten();
    let mut out = Harm::default();
    for plan in simulation.frames().iter().filter(|p| p.kind == FrameKind::Light) {
        let rendered = simulation.render(plan);
        let light_e = rendered.truth.light_e.unwrap();
        let mut frame = Frame::new(rendered.adu, Unit::Adu);
        frame.data.as_mut_slice().iter_mut().for_each(|v| *v -= sensor.offset_adu as f32);
        let full = (sensor.saturation_adu() - sensor.offset_adu) as f32;
        let variance = |e: f64| ((e.max(0.0) + read_e * read_e) / gain / gain) as f32;
        frame.variance =
            Some(Plane::from_fn(size, |x, y| variance(f64::from(frame.data.get(x, y)) * gain)));
        for y in 0..size.height {
            for x in (0..size.width).filter(|x| frame.data.get(*x, y) >= full) {
                frame.mask.row_mut(y)[x] |= MaskBits::SATURATED;
            }
        }
        let channel = |x, y| cfa.map_or(0, |cfa| cfa.color(x, y).channel());
        let sky_e = [0, 1, 2].map(|of| {
            let all = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
            let of: Vec<f32> =
                all.filter(|&(x, y)| channel(x, y) == of).map(|(x, y)| light_e.get(x, y)).collect();
            stat::median(&of)
        });
        let before = frame.data.clone();
        mend(&mut frame, cfa);
        for star in &maps.stars {
            let (sx, sy) = simulation.pointing(plan).place((star.x, star.y));
            let is_near = |x: usize, y: usize| (x as f64 - sx).hypot(y as f64 - sy) <= APERTURE_PX;
            let inside = |v: f64, end: usize| v > 4.0 && v < end as f64 - 5.0;
            if !inside(sx, size.width) || !inside(sy, size.height) {
                continue;
            }
            if maps.hot.iter().any(|h| is_near(h.x, h.y)) {
                continue;
            }
            let (mut flux_e, mut change) = (0.0, 0.0);
            for y in sy as usize - 3..sy as usize + 5 {
                for x in (sx as usize - 3..sx as usize + 5).filter(|x| is_near(*x, y)) {
                    flux_e += f64::from(light_e.get(x, y) - sky_e[channel(x, y)]);
                    change += f64::from(frame.data.get(x, y) - before.get(x, y)) * gain;
                }
            }
            let share = (change / flux_e).abs();
            out.stars += 1;
            out.harmed += usize::from(share > 0.005);
            out.worst = out.worst.max(share);
        }
    }
    out
}
