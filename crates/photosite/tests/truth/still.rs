//! Pixels that no dark told of, found by lights that were dithered.

use photosite::inventory::KindOverrides;
use photosite::run::build_map_of_named;
use photosite_file::fits::Sample;
use photosite_pix::{FrameKind, MaskBits, Size};
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
            let told = built.findings.iter().any(|f| f.code == "defects-lights-not-dithered");
            if dithered {
                assert!(stars >= 1000, "{stars}");
                assert!(found as f64 > 0.8 * hot.len() as f64, "{name}: {found} of {}", hot.len());
                // Not one star lost a pixel.
                let is_hot = |x, y| hot.iter().any(|h| (h.x, h.y) == (x, y));
                let wrong: Vec<_> = built.map.seen.iter().filter(|s| !is_hot(s.x, s.y)).collect();
                assert!(wrong.is_empty(), "{name}: {wrong:?}");
                assert!(!told);
            } else {
                assert!(built.map.seen.is_empty(), "{name}");
                assert!(told);
            }
        }
    }
}
