//! What a shutter takes off exposures, place by place.

use crate::camera::{Laboratory, holds, named};
use crate::night::run_context;
use photosite::run::{SensorRequest, measure_sensor};
use photosite::sensor::SensorReport;
use photosite_pix::stat::median;
use photosite_pix::{FrameKind, Plane, Size};
use photosite_sim::{Effects, Preset, Shutter};

const SIZE: Size = Size { width: 512, height: 384 };
/// Parts of the sensor, which are whole blocks of these frames.
const PARTS: (usize, usize) = (8, 6);
/// Flats fill what there is to be filled in this many seconds.
const FULL_S: f64 = 4.0;
const SHARES: [f64; 8] = [0.09, 0.13, 0.2, 0.3, 0.42, 0.55, 0.7, 0.85];

fn laboratory(
    preset: Preset,
    seed: u64,
    shutter: Option<Shutter>,
    (bend, dust): (f64, Effects),
) -> Laboratory {
    let mut lab = Laboratory::of(preset, SIZE, seed, |n| {
        n.effects -= Effects::DUST - dust;
        (n.sensor.shutter, n.sensor.bend) = (shutter, bend);
        n.flat_exposure_s = FULL_S;
    });
    let range = lab.range_e();
    let mut night = lab.simulation.night().clone();
    night.flat_level_e = range;
    lab = Laboratory::new(night);
    lab.take(FrameKind::Bias, 0.001, -10.0, 8);
    SHARES.iter().for_each(|share| lab.flats(*share, 2));
    lab.flats(3.0, 2);
    lab
}

fn measured(lab: &Laboratory) -> SensorReport {
    let folder = tempfile::tempdir().unwrap();
    let request = SensorRequest {
        paths: vec![lab.path()],
        output: Some(folder.path().to_owned()),
        ..SensorRequest::default()
    };
    run_context(2, |context| measure_sensor(&request, context).unwrap())
}

/// What each part of the sensor has of a plane, by its light.
fn of_parts(lab: &Laboratory, plane: &Plane<f64>) -> Vec<[f64; 2]> {
    let response = &lab.simulation.maps().response;
    let mut sums = vec![[0.0; 2]; PARTS.0 * PARTS.1];
    for (y, x) in (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (y, x))) {
        let part = y * PARTS.1 / SIZE.height * PARTS.0 + x * PARTS.0 / SIZE.width;
        let light = f64::from(response.get(x, y));
        sums[part][0] += light * plane.get(x, y);
        sums[part][1] += light;
    }
    sums
}

/// The standard error of the mean part's dead time by photons and read noise, of two flats of each exposure.
fn error_s(lab: &Laboratory, light: f64) -> f64 {
    let sensor = &lab.simulation.night().sensor;
    let lamp = lab.simulation.night().sky.lamp_rgb;
    let colour = if sensor.cfa.is_some() { (lamp[0] + 2.0 * lamp[1] + lamp[2]) / 4.0 } else { 1.0 };
    let (mut weight, mut first, mut second) = (0.0, 0.0, 0.0);
    let pixels = (SIZE.width * SIZE.height / (PARTS.0 * PARTS.1)) as f64;
    for share in SHARES {
        let (t, e) = (FULL_S * share, lab.range_e() * share * light * colour);
        let w = 2.0 * pixels * e * e / (e + sensor.read_noise_e.powi(2));
        (weight, first, second) = (weight + w, first + w / t, second + w / (t * t));
    }
    1.0 / (second - first * first / weight).sqrt()
}

#[test]
fn a_shutter_is_mapped_as_it_is() {
    let iris = Shutter { dead_s: 0.015, corner_s: 0.025, last_row_s: 0.0 };
    let blade = Shutter { dead_s: 0.004, corner_s: 0.0, last_row_s: 0.012 };
    let (clean, dusty) = (Effects::none(), Effects::DUST);
    for (preset, seed, shutter, bend, dust) in [
        (Preset::Ccd, 51, iris, 0.0, clean),
        (Preset::Ccd, 52, blade, 0.02, clean),
        (Preset::CmosOsc, 53, iris, 0.0, clean),
        (Preset::CmosMono, 54, blade, 0.03, clean),
        (Preset::CmosMono, 54, blade, 0.03, dusty),
        (Preset::CmosOsc, 53, iris, 0.0, dusty),
    ] {
        let lab = laboratory(preset, seed, Some(shutter), (bend, dust));
        let report = measured(&lab);
        let dead = Plane::from_fn(SIZE, |x, y| shutter.dead_s((x, y), SIZE));
        let truth = of_parts(&lab, &dead);
        let map = report.maps.iter().find(|m| m.name == "SHUTTER").expect("a map");
        let middle = |part: usize| {
            let (column, row) = (part % PARTS.0, part / PARTS.0);
            let x = (2 * column + 1) * SIZE.width / (2 * PARTS.0);
            let y = (2 * row + 1) * SIZE.height / (2 * PARTS.1);
            // Middles lie between pixels.
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| (x - dx, y - dy));
            four.iter().map(|(x, y)| f64::from(map.plane.get(*x, *y))).sum::<f64>() / 4.0
        };
        let light: f64 = truth.iter().map(|t| t[1]).sum();
        let mean = truth.iter().map(|t| t[0]).sum::<f64>() / light;
        let mut found: Vec<f64> = (0..truth.len()).map(middle).collect();
        let about = found.iter().zip(&truth).map(|(f, t)| f * t[1]).sum::<f64>() / light;
        found.iter_mut().for_each(|f| *f -= about - mean);
        let off: Vec<f64> = found.iter().zip(&truth).map(|(f, t)| f - t[0] / t[1]).collect();
        // Parts in the shadow of dust are as those about them: half of all tells the noise then.
        let rms = match dust == clean {
            true => (off.iter().map(|v| v * v).sum::<f64>() / off.len() as f64).sqrt(),
            false => {
                let ms: Vec<f32> = off.iter().map(|v| (1e3 * v) as f32).collect();
                let middle = median(&ms);
                let squares: Vec<f32> = ms.iter().map(|v| (v - middle).powi(2)).collect();
                f64::from(median(&squares)).sqrt() / 0.6745e3
            }
        };
        let error = error_s(&lab, light / SIZE.pixels() as f64);
        let dead_time = named(&report, "shutter_dead_time", "s").unwrap();
        println!(
            "{preset:?}, {dust:?}: {:.3} ms rms off the truth, {:.3} by noise; mean {:.3} ms for {:.3}",
            1e3 * rms,
            1e3 * error,
            1e3 * dead_time.value.unwrap(),
            1e3 * mean
        );
        assert!((0.7..1.35).contains(&(rms / error)), "{rms} for {error}");
        let mut parts: Vec<f64> = truth.iter().map(|t| t[0] / t[1]).collect();
        parts.sort_by(f64::total_cmp);
        let end = parts.len() / 16;
        let of = |parts: &[f64]| parts.iter().sum::<f64>() / parts.len() as f64;
        let wanted = of(&parts[parts.len() - end..]) - of(&parts[..end]);
        let spread = named(&report, "shutter_spread", "s").unwrap();
        println!("spread {:?} for {wanted}", spread.value);
        assert!((spread.value.unwrap() / wanted - 1.0).abs() < 0.08, "{spread:?} for {wanted}");
        let finding =
            report.findings.iter().find(|f| f.code == "sensor-shutter-uneven").expect("told");
        let safe = finding.evidence["safe_s"].as_f64().unwrap();
        // From there on no two parts differ by more than half a percent.
        assert!((wanted / safe / 0.005 - 1.0).abs() < 0.08, "{safe}");
        let safe = named(&report, "shutter_safe_exposure", "s").unwrap();
        assert!(
            holds(safe, wanted / 0.005)
                || (safe.value.unwrap() * 0.005 / wanted - 1.0).abs() < 0.08
        );
        assert!(photosite::sensor::page(&report).contains("<figure id=\"shutter\">"));
    }
}

#[test]
fn no_shutter_is_invented() {
    for (preset, seed, bend) in
        [(Preset::Ccd, 61, 0.0), (Preset::CmosOsc, 62, 0.04), (Preset::CmosMono, 63, 0.03)]
    {
        let report = measured(&laboratory(preset, seed, None, (bend, Effects::DUST)));
        let spread = named(&report, "shutter_spread", "s").unwrap();
        println!("{preset:?}: spread {:?}, at most {:?}", spread.value, spread.high);
        assert!(
            spread.reason == "not told from zero" && spread.high.unwrap() < 0.001 * FULL_S,
            "{spread:?}"
        );
        assert!(!report.findings.iter().any(|f| f.code == "sensor-shutter-uneven"));
    }
}
