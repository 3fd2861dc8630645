//! Defect maps against sensors whose faults are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite::defects::{DefectMap, Seen};
use photosite::inventory::KindOverrides;
use photosite::product::read_defect_map;
use photosite::run::build_map_of_named;
use photosite_file::fits::Sample;
use photosite_pix::{CfaPattern, FrameKind, MaskBits, Size};
use photosite_sim::{Effects, Night, PixelFault, Preset, Simulation};

use crate::night::{run_context, write_plane};

/// A sensor some years old, and darks, flats of two levels and biases of it.
pub fn aged_sensor(preset: Preset, cfa: Option<&str>, size: Size, seed: u64) -> Night {
    let mut night = Night::preset(preset, size, seed);
    night.sensor.cfa = cfa.and_then(CfaPattern::parse);
    night.effects |= Effects::FAULTY;
    night.sensor.hot_fraction = 3e-3;
    night.dark_exposure_s = 300.0;
    night.counts.lights = 0;
    night.counts.dark_flats = 0;
    night.counts.flats = 10;
    night.counts.bias = 10;
    night
}

/// Writes darks, biases and flats, the flats once more at a tenth of their level; gives the folders.
pub fn write_calibration(simulation: &Simulation, folder: &Path) -> Vec<PathBuf> {
    let sample = Sample::U16 { pedestal_adu: 0.0 };
    for plan in simulation.frames() {
        let mut levels = vec![plan.clone()];
        if plan.kind == FrameKind::Flat {
            let mut low = plan.clone();
            low.exposure_s *= 0.1;
            low.file_name = format!("low_{}", plan.file_name);
            levels.push(low);
        }
        for plan in levels {
            let frame = simulation.render(&plan);
            write_plane(
                &folder.join(plan.folder).join(&plan.file_name),
                &frame.adu,
                sample,
                frame.header,
            );
        }
    }
    ["darks", "flats", "bias"].map(|f| folder.join(f)).to_vec()
}

/// Of each kind of fault: pixels found as such, pixels there.
pub type Recall = BTreeMap<&'static str, (usize, usize)>;

/// What of the truth a map holds, and the pixels in it that are no fault.
pub fn compare(map: &DefectMap, simulation: &Simulation) -> (Recall, Vec<Seen>) {
    let mut truth: BTreeMap<(usize, usize), &'static str> = BTreeMap::new();
    let maps = simulation.maps();
    let mut recall = Recall::new();
    let mut judge = |name, x, y, bits: MaskBits| {
        let found = map.at(x, y).is_some_and(|s| s.bits.intersects(bits));
        let entry = recall.entry(name).or_insert((0, 0));
        entry.0 += usize::from(found);
        entry.1 += 1;
        truth.insert((x, y), name);
    };
    let any = MaskBits::HOT | MaskBits::WARM;
    // What a pixel stands above its surroundings, in sigmas of one dark where it lies.
    let night = simulation.night();
    let (sensor, seconds) = (&night.sensor, night.dark_exposure_s);
    let sigmas = |x: usize, y: usize, e_s: f64| {
        let glow_e = f64::from(maps.glow_e.get(x, y)) * sensor.glow_share(seconds);
        let read_e = sensor.measured_read_noise_e(night.effects);
        e_s * seconds / (read_e * read_e + sensor.dark_e_s * seconds + glow_e).sqrt()
    };
    let mut judge = |name, x, y, sigmas: f64, bits| {
        // Hot and warm are what stands out of a frame's noise; what hides in a glow is told of no frame.
        let least = match name {
            "hot" | "cluster" | "column" => 10.0,
            "warm" => 3.0,
            _ => 0.0,
        };
        judge(if sigmas >= least { name } else { "faint" }, x, y, bits);
    };
    for h in &maps.hot {
        judge("hot", h.x, h.y, sigmas(h.x, h.y, h.e_s), MaskBits::HOT);
    }
    for f in &maps.faulty {
        let (x, y) = (f.x, f.y);
        match f.fault {
            PixelFault::Cold(_) => judge("cold", x, y, 0.0, MaskBits::COLD),
            PixelFault::Warm(e_s) => judge("warm", x, y, sigmas(x, y, e_s), any),
            PixelFault::Telegraph { e, .. } => {
                let bits = MaskBits::UNSTABLE;
                // A jump that hides in the noise of its place is none.
                let name = if sigmas(x, y, e / seconds) >= 3.0 { "telegraph" } else { "faint" };
                judge(name, x, y, 0.0, bits);
            }
            PixelFault::HotColumn(e_s) => judge("column", x, y, sigmas(x, y, e_s), MaskBits::HOT),
            PixelFault::DeadColumn(_) => judge("column", x, y, 99.0, MaskBits::COLD),
            PixelFault::Cluster(e_s) => judge("cluster", x, y, sigmas(x, y, e_s), MaskBits::HOT),
            PixelFault::Bent(_) => judge("bent", x, y, 0.0, MaskBits::SUSPECT | MaskBits::COLD),
            PixelFault::Holding(_) => judge("holding", x, y, 0.0, MaskBits::UNSTABLE),
        }
    }
    let wrong = map.seen.iter().filter(|s| !truth.contains_key(&(s.x, s.y))).copied().collect();
    (recall, wrong)
}

/// Builds the map of a sensor's frames and holds it against the truth.
pub fn measured(night: Night, folder: &Path) -> (DefectMap, Recall, Vec<Seen>) {
    let simulation = Simulation::new(night);
    let paths = write_calibration(&simulation, folder);
    let output = folder.join("map.fits");
    let built = run_context(2, |context| {
        build_map_of_named(&paths, &KindOverrides::default(), &output, context).unwrap()
    });
    let read = read_defect_map(&output).unwrap().map;
    assert_eq!(read.seen.len(), built.map.seen.len());
    assert_eq!((&read.lines, &read.clusters), (&built.map.lines, &built.map.clusters));
    assert_eq!(
        (read.size, read.cfa, &read.facts),
        (built.map.size, built.map.cfa, &built.map.facts)
    );
    let (recall, wrong) = compare(&built.map, &simulation);
    (built.map, recall, wrong)
}

const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

/// Recall of each class, and what is marked without reason, on three kinds of sensor.
#[test]
fn every_class_is_found_on_mono_bayer_and_x_trans() {
    let sensors: [(&str, Option<&str>); 3] =
        [("mono", None), ("bayer", Some("RGGB")), ("x-trans", Some(X_TRANS))];
    for (i, (name, cfa)) in sensors.into_iter().enumerate() {
        for darks in [20, 50] {
            let dir = tempfile::tempdir().unwrap();
            let preset = if cfa.is_some() { Preset::CmosOsc } else { Preset::CmosMono };
            let mut night = aged_sensor(preset, cfa, Size::new(720, 600), 11 + i as u64);
            night.counts.darks = darks;
            let (map, recall, wrong) = measured(night, dir.path());
            let share = wrong.len() as f64 / map.size.pixels() as f64;
            let shown: Vec<String> = recall
                .iter()
                .map(|(n, (a, b))| format!("{n} {:.1} % of {b}", 100.0 * *a as f64 / *b as f64))
                .collect();
            println!(
                "{name}, {darks} darks: {}; wrong {:.4} % ({})",
                shown.join(", "),
                100.0 * share,
                wrong.len()
            );
            let of = |class: &str| {
                let (a, b) = recall[class];
                a as f64 / b as f64
            };
            for class in ["hot", "cold", "column", "cluster"] {
                assert!(of(class) > 0.98, "{name} {darks}: {class} {}", of(class));
            }
            assert!(of("warm") > 0.9, "{name} {darks}: warm {}", of("warm"));
            let telegraph = if darks >= 50 { 0.9 } else { 0.7 };
            assert!(of("telegraph") > telegraph, "{name} {darks}: telegraph {}", of("telegraph"));
            // Red and blue have half the light of green here, and twice the noise.
            let bent = if cfa.is_some() { 0.7 } else { 0.98 };
            assert!(of("bent") > bent, "{name} {darks}: bent {}", of("bent"));
            assert!(share < 1e-4, "{name} {darks}: {share}");
            let columns = map.lines.iter().filter(|l| !l.is_row).count();
            assert_eq!(columns, 3, "{name} {darks}: {:?}", map.lines);
            assert_eq!(map.lines.len(), 3, "{name} {darks}: {:?}", map.lines);
        }
    }
}
