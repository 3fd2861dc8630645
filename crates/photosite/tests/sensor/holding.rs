//! Pixels that hold charge after they were full, in the defect map.

use crate::camera::Laboratory;
use crate::night::run_context;
use photosite::defects::DefectMap;
use photosite::inventory::KindOverrides;
use photosite::run::build_map_of_named;
use photosite_pix::{FrameKind, MaskBits, Size};
use photosite_sim::{Effects, PixelFault, Preset};

const SIZE: Size = Size { width: 480, height: 400 };
const DARK_S: f64 = 50.0;

/// A sensor with rays, hot, warm and telegraph pixels, of which a share holds charge, and darks after a saturated flat.
fn laboratory(preset: Preset, seed: u64, share: f64) -> Laboratory {
    let mut lab = Laboratory::of(preset, SIZE, seed, |n| {
        n.effects |= Effects::HOLDING_PIXELS
            | Effects::COSMIC_RAYS
            | Effects::WARM_PIXELS
            | Effects::TELEGRAPH;
        n.sensor.hot_fraction = 2e-3;
        let faults = &mut n.sensor.faults;
        faults.holding_fraction = share;
        faults.holding_e = (40.0 * n.sensor.read_noise_e, 600.0 * n.sensor.read_noise_e);
    });
    lab.take(FrameKind::Bias, 0.001, -10.0, 6);
    [0.1, 0.2, 0.3, 0.4].iter().for_each(|s| lab.flats(*s, 2));
    // Where no header names a saturation, two overexposed flats tell it.
    lab.flats(3.0, 2);
    lab.wait_s(3.0 * 3600.0);
    lab.take(FrameKind::Dark, DARK_S, -10.0, 8);
    lab.saturate();
    lab.take(FrameKind::Dark, DARK_S, -10.0, 4);
    lab
}

fn map_of(lab: &Laboratory) -> DefectMap {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.fits");
    let kinds = KindOverrides::default();
    run_context(2, |context| build_map_of_named(&[lab.path()], &kinds, &map, context).unwrap().map)
}

#[test]
fn pixels_that_hold_charge_are_in_the_defect_map() {
    for (preset, seed) in [(Preset::Ccd, 71), (Preset::CmosMono, 72), (Preset::CmosOsc, 73)] {
        let lab = laboratory(preset, seed, 3e-3);
        let map = map_of(&lab);
        let unstable =
            |x: usize, y: usize| map.at(x, y).is_some_and(|s| s.bits.contains(MaskBits::UNSTABLE));
        let night = lab.simulation.night();
        let (sensor, maps) = (&night.sensor, lab.simulation.maps());
        let read_e2 = sensor.measured_read_noise_e(night.effects).powi(2);
        // The first dark begins about a minute after the saturated flat.
        let released = |e: f64| {
            let left = |t: f64| (-t / sensor.faults.holding_tau_s).exp();
            e * (left(60.0) - left(60.0 + DARK_S))
        };
        let (mut clear, mut found, mut faint, mut truth) = (0, 0, 0, Vec::new());
        for f in &maps.faulty {
            let PixelFault::Holding(e) = f.fault else { continue };
            truth.push((f.x, f.y));
            let dark_e =
                f64::from(maps.dark_e_s.get(f.x, f.y)) * sensor.dark_factor(-10.0) * DARK_S;
            let sigma = ((read_e2 + dark_e) * 1.125 + released(e)).sqrt();
            let is_clear = released(e) > 8.0 * sigma && dark_e < 20.0;
            clear += usize::from(is_clear);
            found += usize::from(is_clear && unstable(f.x, f.y));
            if is_clear && !unstable(f.x, f.y) {
                println!("missed at {}, {}: {:.1} sigma", f.x, f.y, released(e) / sigma);
            }
            faint += usize::from(!is_clear && unstable(f.x, f.y));
        }
        let others: Vec<_> = map
            .seen
            .iter()
            .filter(|s| s.bits.contains(MaskBits::UNSTABLE) && !truth.contains(&(s.x, s.y)))
            .collect();
        println!(
            "{preset:?}: of {} that hold charge {clear} by more than 8 sigma, {found} of these found, {faint} fainter \
             ones; {} others of {}",
            truth.len(),
            others.len(),
            SIZE.pixels()
        );
        assert!(clear > 50 && found as f64 > 0.98 * f64::from(clear as u32), "{found} of {clear}");
        assert!((others.len() as f64) < 2e-4 * SIZE.pixels() as f64, "{others:?}");
    }
}

#[test]
fn a_sensor_that_holds_nothing_has_none_in_its_map() {
    for (preset, seed) in [(Preset::CmosMono, 75), (Preset::Ccd, 76)] {
        let map = map_of(&laboratory(preset, seed, 0.0));
        let count = map.counts().unstable;
        println!("{preset:?}: {count}");
        assert!((count as f64) < 1e-4 * SIZE.pixels() as f64, "{count}");
    }
}
