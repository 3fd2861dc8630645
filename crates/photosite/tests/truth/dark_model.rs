//! Dark models of simulated cameras: the darks they make against the truth, their laws, and what they
//! refuse.

use std::path::{Path, PathBuf};

use crate::night::{run_context, write_plane};
use photosite::Finding;
use photosite::calibrate::dark::DarkSource;
use photosite::library::Library;
use photosite::product::DarkModel;
use photosite::run::{Answer, BuiltDarkModel, add_to_library, build_dark_model, verify_products};
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{Frame, FrameKind, MaskBits, Plane, Size};
use photosite_sim::{Counts, Effects, FramePlan, Night, Preset, Simulation};
use tempfile::TempDir;

const SIZE: Size = Size::new(320, 256);

/// A camera whose darks a test takes at any exposure and temperature.
struct Camera {
    simulation: Simulation,
    folder: TempDir,
    taken: usize,
}

impl Camera {
    fn new(night: Night) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { simulation: Simulation::new(night), folder, taken: 0 }
    }

    /// Takes frames of an exposure and temperature (0 s: biases) into a folder of their own.
    fn take(&mut self, exposure_s: f64, temp_c: f64, count: usize) -> PathBuf {
        let kind = if exposure_s > 0.0 { FrameKind::Dark } else { FrameKind::Bias };
        let folder = self.folder.path().join(format!("{kind}_{exposure_s}s_{temp_c}C"));
        for n in 0..count {
            self.taken += 1;
            // Thermometers and coolers hold a tenth of a degree.
            let plan = FramePlan {
                kind,
                index: 1000 + self.taken,
                exposure_s,
                temp_c: temp_c + 0.1 * ((n % 3) as f64 - 1.0),
                start_s: self.taken as f64 * 700.0,
                folder: "darks",
                file_name: format!("{n:03}.fits"),
            };
            let frame = self.simulation.render(&plan);
            let sample = Sample::U16 { pedestal_adu: 0.0 };
            write_plane(&folder.join(&plan.file_name), &frame.adu, sample, frame.header);
        }
        folder
    }

    fn model(&self, folders: &[PathBuf]) -> photosite::Result<(DarkModel, BuiltDarkModel)> {
        let path = self.folder.path().join("model.fits");
        let built = run_context(2, |context| build_dark_model(folders, &path, context))?;
        Ok((DarkModel::read(&path)?, built))
    }

    /// What a dark of that exposure and temperature would hold without noise, in ADU.
    fn truth(&self, exposure_s: f64, temp_c: f64) -> Plane<f32> {
        let plan = FramePlan {
            kind: FrameKind::Dark,
            index: 0,
            exposure_s,
            temp_c,
            start_s: 0.0,
            folder: "darks",
            file_name: String::new(),
        };
        let truth = self.simulation.render(&plan).truth;
        let gain = self.simulation.night().sensor.gain_e_per_adu;
        let bias = &self.simulation.maps().bias_adu;
        Plane::from_fn(SIZE, |x, y| {
            let e = f64::from(truth.dark_e.get(x, y));
            (f64::from(bias.get(x, y)) + e / gain - truth.clamp_adu) as f32
        })
    }

    /// A real master of that exposure and temperature.
    fn master(&mut self, exposure_s: f64, temp_c: f64, count: usize) -> Frame {
        let folder = self.take(exposure_s, temp_c, count);
        let files: Vec<PathBuf> = (0..count).map(|n| folder.join(format!("{n:03}.fits"))).collect();
        let path = self.folder.path().join(format!("real_{exposure_s}_{temp_c}.fits"));
        let asked = photosite::run::NamedMaster::new(FrameKind::Dark, &files, &path);
        run_context(2, |context| photosite::run::master_of_named(&asked, context)).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        read_frame(&path).unwrap().0
    }
}

/// The root mean square of a dark less the truth where neither is full, and the mean.
fn off(dark: &Frame, truth: &Plane<f32>, full_adu: f64) -> (f64, f64) {
    let bad = MaskBits::SATURATED | MaskBits::NO_DATA;
    let pixels = dark.data.as_slice().iter().zip(truth.as_slice()).zip(dark.mask.as_slice());
    let rest: Vec<f64> = pixels
        .filter(|((_, t), m)| !m.intersects(bad) && f64::from(**t) < 0.8 * full_adu)
        .map(|((d, t), _)| f64::from(d - t))
        .collect();
    let n = rest.len() as f64;
    assert!(n > 0.99 * SIZE.pixels() as f64, "{n} pixels");
    ((rest.iter().map(|r| r * r).sum::<f64>() / n).sqrt(), rest.iter().sum::<f64>() / n)
}

/// The root mean square of what a dark is off by, each pixel in units of its own error.
fn pull(dark: &Frame, truth: &Plane<f32>) -> f64 {
    let variance = dark.variance.as_ref().unwrap().as_slice();
    let bad = MaskBits::SATURATED | MaskBits::NO_DATA;
    let pixels = dark.data.as_slice().iter().zip(truth.as_slice()).zip(variance);
    let squares: Vec<f64> = (pixels.zip(dark.mask.as_slice()))
        .filter(|(_, m)| !m.intersects(bad))
        .map(|(((d, t), v), _)| f64::from(d - t).powi(2) / f64::from(*v))
        .collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

/// A CMOS camera whose glow grows as t^1.6 and which takes off more than its dark signal.
fn glowing(preset: Preset, seed: u64) -> Night {
    let mut night = Night::preset(preset, SIZE, seed);
    night.effects |= Effects::AMP_GLOW | Effects::BLACK_CLAMP;
    night.effects -= Effects::COSMIC_RAYS;
    night.sensor.glow_power = Some(1.6);
    night.sensor.clamp_ratio = [1.1, 0.9, 1.3][seed as usize % 3];
    night.sensor.hot_fraction = 2e-3;
    night
}

/// Darks of 30 to 600 s make one of 240 s that is as good as a real master of as many frames.
fn glow_and_clamp(preset: Preset, seed: u64, count: usize) {
    let mut camera = Camera::new(glowing(preset, seed));
    let temp_c = camera.simulation.night().set_temp_c;
    let mut folders = vec![camera.take(0.0, temp_c, count)];
    folders.extend([30.0, 60.0, 120.0, 300.0, 600.0].map(|t| camera.take(t, temp_c, count)));
    let (model, built) = camera.model(&folders).unwrap();
    let full = camera.simulation.night().sensor.saturation_adu();
    let truth = camera.truth(240.0, temp_c);
    let (dark, _) = model.dark(240.0, temp_c).unwrap();
    let (rms, mean) = off(&dark, &truth, full);
    let (real, _) = off(&camera.master(240.0, temp_c, count), &truth, full);
    let pull = pull(&dark, &truth);
    let (law, _) = model.known.laws.glow.as_ref().expect("a glow");
    println!(
        "{} {seed}: made {rms:.3} ADU off ({mean:+.3}), real {real:.3}: {:.2}; pulls {pull:.2}; power {}",
        preset.name(),
        rms / real,
        law.power
    );
    for h in &built.summary.held_out {
        println!("  {h:?}");
    }
    assert!(rms < 1.3 * real, "{rms} against {real}");
    assert!((law.power.value - 1.6).abs() < 0.1, "{}", law.power);
    // The error that it tells holds what is really left.
    assert!((0.8..1.2).contains(&pull), "{pull}");
    for h in built.summary.held_out.iter().filter(|h| !h.beyond) {
        assert!(h.rms_adu < 1.3 * h.expected_adu, "{h:?}");
    }
    let codes: Vec<_> = built.findings.iter().map(|f| &*f.code).collect();
    assert!(!codes.contains(&"dark-model-doubtful"), "{:?}", built.findings);
    // What its darks do not prove it refuses, and says what would.
    for (t, c, says) in [
        (1200.0, temp_c, "take darks of 1200 s"),
        (800.0, temp_c, "take darks of 800 s"),
        (240.0, temp_c + 15.0, "all of one temperature"),
        (240.0, temp_c - 15.0, "all of one temperature"),
        (f64::NAN, temp_c, "exposure"),
        (240.0, f64::NAN, "temperature"),
        (0.0, temp_c, "exposure"),
    ] {
        let refused = model.dark(t, c).unwrap_err().to_string();
        assert!(refused.contains(says), "{t} s, {c} C: {refused}");
    }
}

#[test]
fn glow_and_black_level_of_cmos_cameras() {
    for (preset, seed) in [(Preset::CmosMono, 1), (Preset::CmosOsc, 2), (Preset::CmosMono, 3)] {
        glow_and_clamp(preset, seed, 8);
    }
}

/// With 20 frames each: `cargo test --release -p photosite --test truth -- --ignored twenty`.
#[test]
#[ignore = "takes minutes"]
fn glow_and_black_level_with_twenty_frames() {
    for seed in 0..6 {
        for preset in [Preset::CmosMono, Preset::CmosOsc] {
            glow_and_clamp(preset, seed, 20);
        }
    }
}

/// Darks of several temperatures tell the degrees that double dark current, and make a dark at another.
#[test]
fn temperatures_of_a_ccd() {
    for (preset, seed, doubling_c) in
        [(Preset::Ccd, 1, 6.5), (Preset::Ccd, 2, 5.5), (Preset::CmosOsc, 3, 7.0)]
    {
        let mut night = Night::preset(preset, SIZE, seed);
        night.effects -= Effects::AMP_GLOW | Effects::COSMIC_RAYS | Effects::BLACK_CLAMP;
        night.sensor.t_double_c = doubling_c;
        night.sensor.hot_fraction = 2e-3;
        let mut camera = Camera::new(night);
        let set = camera.simulation.night().set_temp_c;
        let mut folders = vec![camera.take(0.0, set, 8)];
        for (t, c) in [(300.0, 0.0), (300.0, 5.0), (300.0, 10.0), (120.0, 10.0)] {
            folders.push(camera.take(t, set + c, 6));
        }
        let (model, built) = camera.model(&folders).unwrap();
        let found = model.known.laws.doubling_c.expect("a doubling temperature");
        let full = camera.simulation.night().sensor.saturation_adu();
        let truth = camera.truth(240.0, set + 7.0);
        let (rms, mean) = off(&model.dark(240.0, set + 7.0).unwrap().0, &truth, full);
        let (real, _) = off(&camera.master(240.0, set + 7.0, 6), &truth, full);
        println!(
            "{} {seed}: doubles every {found} C, truth {doubling_c}; made {rms:.3} ADU off ({mean:+.3}), \
             real {real:.3}",
            preset.name()
        );
        for h in &built.summary.held_out {
            println!("  {h:?}");
        }
        assert!((found.value - doubling_c).abs() < 0.2, "{found}");
        assert!((found.value - doubling_c).abs() < 3.0 * found.error.max(0.02), "{found}");
        assert!(rms < 1.3 * real, "{rms} against {real}");
        assert!(model.dark(240.0, set + 25.0).unwrap_err().to_string().contains("take darks at"));
        assert!(model.known.laws.glow.is_none());
    }
}

/// Lights of 240 s of a sensor whose darks must not be scaled get a dark of a model of the darks of the night,
/// or of the library, which brings those that the model needs.
#[test]
fn a_night_whose_darks_must_not_be_scaled() {
    for (preset, seed, shelved) in [(Preset::CmosMono, 1, true), (Preset::CmosOsc, 2, false)] {
        let mut night = glowing(preset, seed);
        (night.light_exposure_s, night.dark_exposure_s) = (240.0, 600.0);
        night.counts = Counts { bias: 8, darks: 6, flats: 4, dark_flats: 4, lights: 2 };
        let mut camera = Camera::new(night);
        let folder = camera.folder.path().join("night");
        crate::night::write_night(&camera.simulation, &folder);
        let temp_c = camera.simulation.night().set_temp_c;
        for t in [60.0, 120.0, 300.0] {
            let darks = camera.take(t, temp_c, 6);
            std::fs::rename(darks, folder.join(format!("darks_{t}"))).unwrap();
        }
        let place = camera.folder.path().join("library");
        if shelved {
            let darks: Vec<PathBuf> = ["darks", "darks_60", "darks_120", "darks_300"]
                .map(|d| camera.folder.path().join(d))
                .to_vec();
            for dark in &darks {
                std::fs::rename(folder.join(dark.file_name().unwrap()), dark).unwrap();
            }
            let mut library = Library::open(&place).unwrap();
            run_context(2, |context| add_to_library(&mut library, &darks, context)).unwrap();
        }
        let request = |out: &str| {
            let out = camera.folder.path().join(out);
            crate::night::with(crate::night::request(vec![folder.clone()], &out), |n| {
                (n.stack, n.library) = (false, shelved.then(|| place.clone()));
            })
        };
        let report = crate::night::run(&request("out"), 2);
        for f in &report.findings {
            println!("{} {}: {}", f.code, f.subject, f.message);
        }
        let full = camera.simulation.night().sensor.saturation_adu();
        let truth = camera.truth(240.0, temp_c);
        for light in &report.lights {
            println!("{:?}", light.dark_ways);
            assert_eq!(light.dark_source, Some(DarkSource::Model), "{}", light.path.display());
            let taken: Vec<_> = light.dark_ways.iter().filter(|w| w.taken).collect();
            assert_eq!((taken.len(), taken[0].source), (1, DarkSource::Model));
            let (dark, header) = read_frame(light.dark.as_ref().unwrap()).unwrap();
            assert_eq!(header.get_f64("EXPTIME"), Some(240.0));
            let (rms, mean) = off(&dark, &truth, full);
            println!("dark of the model {rms:.3} ADU off ({mean:+.3})");
            assert!(rms < 3.0 && mean.abs() < 0.5, "{rms} {mean}");
            let (written, _) = read_frame(light.output.as_ref().unwrap()).unwrap();
            assert!(written.variance.is_some());
        }
        let told: Vec<_> = report.findings.iter().filter(|f| f.code == "dark-modelled").collect();
        assert_eq!(told.len(), 1, "{told:?}");
        if shelved {
            // A second run finds masters in the library, where the first found frames; made again they are the same.
            let all: Vec<PathBuf> = report.lights.iter().filter_map(|l| l.output.clone()).collect();
            let again = run_context(2, |context| verify_products(&all, &[], context)).unwrap();
            assert!(again.iter().all(|v| v.answer == Answer::Same), "{again:?}");
            continue;
        }
        // The same bytes on one thread.
        let one = crate::night::run(&request("again"), 1);
        for (a, b) in report.lights.iter().zip(&one.lights) {
            let [a, b] = [a, b].map(|l| std::fs::read(l.output.as_ref().unwrap()).unwrap());
            assert!(a == b, "other bytes");
        }
    }
}

/// Flats of 80 s without a dark of theirs lose their dark signal by darks of 300 s.
#[test]
fn long_flats_lose_their_dark_signal() {
    for (preset, seed) in [(Preset::Ccd, 1), (Preset::CmosOsc, 2), (Preset::Ccd, 3)] {
        let mut night = Night::preset(preset, SIZE, seed);
        night.effects -= Effects::AMP_GLOW | Effects::BLACK_CLAMP;
        night.sensor.hot_fraction = 4e-3;
        (night.light_exposure_s, night.dark_exposure_s) = (300.0, 300.0);
        night.flat_exposure_s = 80.0;
        night.sensor.hot_min_e_s = 3.0;
        night.counts = Counts { bias: 12, darks: 8, flats: 9, dark_flats: 0, lights: 1 };
        let expected = ["flat-dark-fitted", "match-unknown", "noise-not-as-modelled"];
        let done = crate::night::calibrate(night, &expected);
        let found = done.report.findings.iter().find(|f| f.code == "flat-dark-fitted");
        println!("{} {seed}: {}", preset.name(), found.expect("a finding").message);
        let flat = done.master(FrameKind::Flat);
        let (maps, scale) = (done.simulation.maps(), done.scale_of_flat());
        let night = done.simulation.night();
        let factor = night.sensor.dark_factor(night.set_temp_c) * 80.0;
        let (mut left, mut whole, mut n) = (0.0, 0.0, 0.0);
        for h in maps.hot.iter().filter(|h| flat.mask.get(h.x, h.y).is_empty()) {
            let channel = scale.cfa.map_or(0, |c| c.color(h.x, h.y).channel());
            let truth = f64::from(maps.response.get(h.x, h.y)) / scale.response[channel];
            let share = h.e_s * factor / night.flat_level_e;
            if !(0.002..0.3).contains(&share) {
                continue;
            }
            left += f64::from(flat.data.get(h.x, h.y)) - truth;
            whole += share;
            n += 1.0;
        }
        println!("{n} hot pixels: {:+.5} of the response left of {:+.5}", left / n, whole / n);
        assert!(n > 30.0 && (left / n).abs() < 0.1 * whole / n, "{left} of {whole} at {n}");
        // Without darks the bias alone goes, and that is told.
        let folder = done.folder.path();
        std::fs::remove_dir_all(folder.join("darks")).unwrap();
        let bare = crate::night::with(
            crate::night::request(vec![folder.to_owned()], &folder.join("bare")),
            |n| n.stack = false,
        );
        let report = crate::night::run(&bare, 2);
        assert!(report.findings.iter().any(|f| f.code == "flat-by-bias"));
    }
}

/// The same bytes on any number of threads, however the frames are named.
#[test]
fn a_model_does_not_depend_on_order_or_threads() {
    let mut camera = Camera::new(glowing(Preset::CmosOsc, 5));
    let temp_c = camera.simulation.night().set_temp_c;
    let mut folders = vec![camera.take(0.0, temp_c, 3)];
    folders.extend([60.0, 120.0, 300.0].map(|t| camera.take(t, temp_c, 3)));
    let build = |folders: &[PathBuf], name: &str, threads: usize| -> Vec<u8> {
        let path = camera.folder.path().join(name).join("m.fits");
        run_context(threads, |context| build_dark_model(folders, &path, context)).unwrap();
        let model = DarkModel::read(&path).unwrap();
        let dark = camera.folder.path().join(name).join("d.fits");
        model.synthesize(&path, (100.0, temp_c), &dark).unwrap();
        [std::fs::read(&path).unwrap(), std::fs::read(&dark).unwrap()].concat()
    };
    let one = build(&folders, "one", 1);
    folders.reverse();
    assert!(build(&folders, "two", 3) == one, "other bytes");
}

/// What cannot make a model is refused with a sentence.
#[test]
fn what_makes_no_model_is_said() {
    let mut camera = Camera::new(glowing(Preset::CmosMono, 1));
    let temp_c = camera.simulation.night().set_temp_c;
    let bias = camera.take(0.0, temp_c, 3);
    let [short, middle, long] = [60.0, 120.0, 600.0].map(|t| camera.take(t, temp_c, 3));
    let says = |folders: &[&PathBuf]| {
        let folders: Vec<PathBuf> = folders.iter().map(|p| (*p).clone()).collect();
        camera.model(&folders).unwrap_err().to_string()
    };
    assert!(says(&[&bias]).contains("no dark among"), "{}", says(&[&bias]));
    assert!(says(&[&bias, &short]).contains("1 exposures"), "{}", says(&[&bias, &short]));
    assert!(says(&[&short, &long]).contains("without a bias"));
    // Two exposures and a bias do not tell how this glow grows.
    let glow = says(&[&bias, &short, &long]);
    assert!(glow.contains("glow grows otherwise"), "{glow}");
    let (model, _) = camera
        .model(&[bias.clone(), short.clone(), middle.clone(), long.clone()])
        .expect("four are enough");
    let path = camera.folder.path().join("model.fits");
    // A cut model is damaged, and so is one with other numbers in it.
    let whole = std::fs::read(&path).unwrap();
    for (name, bytes) in [
        ("cut.fits", whole[..whole.len() / 2].to_vec()),
        ("changed.fits", {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 3;
            bytes[middle] ^= 0x40;
            bytes
        }),
        ("nothing.fits", Vec::new()),
    ] {
        let path = camera.folder.path().join(name);
        write_bytes(&path, &bytes, Existing::Replace).unwrap();
        let said = DarkModel::read(&path).unwrap_err().to_string();
        assert!(said.contains(name), "{said}");
    }
    let dark = camera.folder.path().join("dark.fits");
    model.synthesize(&path, (200.0, temp_c), &dark).unwrap();
    let said = DarkModel::read(&dark).unwrap_err().to_string();
    assert!(said.contains("is no dark model"), "{said}");
    // A dark that a model made is no evidence for another.
    let again = [bias, short, middle, long, dark];
    assert!(camera.model(&again).unwrap_err().to_string().contains("was made by a dark model"));
}

/// Darks whose labels tell another exposure than their hot pixels are told by name.
#[test]
fn exposures_that_hot_pixels_contradict_are_told() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        // What was taken, what is written, and which master is told of.
        for (taken_s, label_s, told) in [
            (None, 0.0, None),
            (Some(300.0), 600.0, Some("dark_600s")),
            (Some(120.0), 60.0, Some("dark_60s")),
        ] {
            let mut night = glowing(preset, 3);
            night.sensor.hot_fraction = 4e-3;
            let mut camera = Camera::new(night);
            let temp_c = camera.simulation.night().set_temp_c;
            let mut folders = vec![camera.take(0.0, temp_c, 6)];
            let others = [60.0, 120.0, 200.0, 600.0].into_iter().filter(|t| *t != label_s);
            folders.extend(others.map(|t| camera.take(t, temp_c, 6)).collect::<Vec<_>>());
            if let Some(taken_s) = taken_s {
                let simulated = camera.take(taken_s + 0.001, temp_c, 6);
                for file in std::fs::read_dir(&simulated).unwrap() {
                    let path = file.unwrap().path();
                    let (frame, mut header) = read_frame(&path).unwrap();
                    for key in ["EXPTIME", "EXPOSURE"] {
                        header.set(photosite_pix::Card::real(key, label_s, ""));
                    }
                    std::fs::remove_file(&path).unwrap();
                    write_plane(&path, &frame.data, Sample::F32, header);
                }
                folders.push(simulated);
            }
            let (_, built) = camera.model(&folders).unwrap();
            let doubts: Vec<_> = (built.findings.iter())
                .filter(|f| f.code == "dark-model-doubtful" && f.message.contains("hot pixels"))
                .collect();
            doubts.iter().for_each(|f| println!("{}: {}", preset.name(), f.message));
            assert_eq!(doubts.len(), usize::from(told.is_some()), "{:?}", built.findings);
            assert!(doubts.iter().all(|f| f.message.contains(told.unwrap())), "{doubts:?}");
        }
    }
}

/// Darks of another level than the others foretell are told, by whoever reads the model; sensors that correct their
/// level, and those whose glow moves it, are not.
#[test]
fn levels_that_the_others_contradict_are_told() {
    let darks = [30.0, 120.0, 300.0, 600.0];
    for (preset, glow, more_adu, told) in [
        (Preset::Ccd, true, 0.0, None),
        (Preset::CmosMono, true, 0.0, None),
        (Preset::CmosOsc, true, 0.0, None),
        (Preset::Ccd, false, 20.0, Some("dark_600s")),
        (Preset::Ccd, false, -20.0, Some("dark_600s")),
        (Preset::CmosMono, false, 20.0, Some("dark_600s")),
    ] {
        let mut night = glowing(preset, 4);
        night.effects.set(Effects::AMP_GLOW, glow);
        let mut camera = Camera::new(night);
        let temp_c = camera.simulation.night().set_temp_c;
        let mut folders = vec![camera.take(0.0, temp_c, 6)];
        folders.extend(darks.map(|t| camera.take(t, temp_c, 6)));
        for file in std::fs::read_dir(&folders[4]).unwrap() {
            let path = file.unwrap().path();
            let (frame, header) = read_frame(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            let data = Plane::from_fn(SIZE, |x, y| frame.data.get(x, y) + more_adu);
            write_plane(&path, &data, Sample::F32, header);
        }
        let (read, built) = camera.model(&folders).unwrap();
        let of_level: Vec<String> = (built.findings.iter())
            .filter(|f| f.code == "dark-model-doubtful" && f.message.contains("the level of"))
            .map(|f| f.message.clone())
            .collect();
        println!("{} {more_adu}: {of_level:?}", preset.name());
        assert_eq!(of_level.len(), usize::from(told.is_some()), "{:?}", built.findings);
        assert!(of_level.iter().all(|m| m.contains(told.unwrap())), "{of_level:?}");
        // The file says what was said when it was built.
        let again = read.findings(&built.path);
        let of_file = |f: &Finding| again.iter().any(|a| a.message == f.message);
        assert!(built.findings.iter().filter(|f| f.code == "dark-model-doubtful").all(of_file));
    }
}

/// Frames that do not belong are left out and named; what is left makes the model.
#[test]
fn frames_that_do_not_belong_are_named() {
    let mut camera = Camera::new(glowing(Preset::CmosMono, 1));
    let temp_c = camera.simulation.night().set_temp_c;
    let mut folders = vec![camera.take(0.0, temp_c, 3)];
    folders.extend([60.0, 120.0, 300.0].map(|t| camera.take(t, temp_c, 4)));
    let rewrite = |path: &Path, change: &dyn Fn(&mut Plane<f32>, &mut photosite_pix::Header)| {
        let (frame, mut header) = read_frame(path).unwrap();
        let mut data = frame.data;
        change(&mut data, &mut header);
        std::fs::remove_file(path).unwrap();
        write_plane(path, &data, Sample::F32, header);
    };
    let card = |k: &str, v: f64| photosite_pix::Card::real(k, v, "");
    // Another gain; no temperature; a light; one lit; one of NaN; one cut.
    rewrite(&folders[1].join("000.fits"), &|_, h| h.set(card("GAIN", 7.0)));
    rewrite(&folders[1].join("001.fits"), &|_, h| {
        h.remove("CCD-TEMP");
        h.remove("SET-TEMP");
    });
    rewrite(&folders[2].join("000.fits"), &|_, h| {
        h.set(photosite_pix::Card::string("IMAGETYP", "Flat Frame", ""));
    });
    rewrite(&folders[2].join("001.fits"), &|d, _| {
        d.as_mut_slice().iter_mut().enumerate().for_each(|(i, v)| *v += (i % 320) as f32);
    });
    rewrite(&folders[3].join("000.fits"), &|d, _| d.as_mut_slice().fill(f32::NAN));
    let cut = folders[3].join("001.fits");
    let bytes = std::fs::read(&cut).unwrap();
    write_bytes(&cut, &bytes[..bytes.len() / 2], Existing::Replace).unwrap();
    let (_, built) = camera.model(&folders).unwrap();
    for f in &built.findings {
        println!("{} {}: {}", f.code, f.subject, f.message);
    }
    let told = |name: &str, words: &str| {
        built.findings.iter().any(|f| f.subject.contains(name) && f.message.contains(words))
    };
    assert!(told("60s", "gain setting"));
    assert!(told("60s", "no temperature"));
    assert!(built.findings.iter().any(|f| f.subject.contains("300s")));
    // All are counted: 3 biases, 2 of 4, 2 or 3 of 4, 2 or 3 of 4.
    for term in &built.summary.masters {
        assert!(term.frames <= 3 && term.frames >= 2, "{term:?}");
    }
}

/// A set whose label its hot pixels contradict is told, and is in no model of a night: the others make the dark.
#[test]
fn doubted_sets_stay_out_of_a_nights_model() {
    for (seed, light_s) in [(1, 240.0), (2, 120.0)] {
        let mut night = Night::preset(Preset::CmosMono, SIZE, seed);
        night.effects -= Effects::AMP_GLOW | Effects::BLACK_CLAMP | Effects::COSMIC_RAYS;
        night.sensor.hot_fraction = 4e-3;
        (night.light_exposure_s, night.dark_exposure_s) = (light_s, 600.0);
        night.counts = Counts { bias: 8, darks: 6, flats: 4, dark_flats: 4, lights: 2 };
        let mut camera = Camera::new(night);
        let folder = camera.folder.path().join("night");
        crate::night::write_night(&camera.simulation, &folder);
        let temp_c = camera.simulation.night().set_temp_c;
        for (t, warmer) in [(60.0, 0.0), (240.0, 6.0)] {
            let darks = camera.take(t, temp_c + warmer, 6);
            let to = folder.join(format!("darks_{t}"));
            std::fs::create_dir(&to).unwrap();
            for file in std::fs::read_dir(&darks).unwrap() {
                let path = file.unwrap().path();
                let (frame, mut header) = read_frame(&path).unwrap();
                for key in ["CCD-TEMP", "SET-TEMP"] {
                    header.set(photosite_pix::Card::real(key, temp_c, ""));
                }
                write_plane(&to.join(path.file_name().unwrap()), &frame.data, Sample::F32, header);
            }
        }
        let out = camera.folder.path().join("out");
        let request = crate::night::request(vec![folder.clone()], &out);
        let report = crate::night::run(&crate::night::with(request, |n| n.stack = false), 2);
        let told = |f: &&photosite::Finding| f.code == "dark-model-doubtful";
        let told: Vec<_> = report.findings.iter().filter(told).collect();
        told.iter().for_each(|f| println!("{}", f.message));
        assert!(told.len() == 1 && told[0].message.contains("made without it"), "{told:?}");
        let full = camera.simulation.night().sensor.saturation_adu();
        for light in &report.lights {
            println!("{light_s} s: {:?} {:?}", light.dark_source, light.dark_scale);
            if light.dark_source == Some(DarkSource::Fitted) {
                let k = light.dark_scale.unwrap();
                assert!((k * 600.0 / light_s - 1.0).abs() < 0.02, "{k}");
                continue;
            }
            assert_eq!(light.dark_source, Some(DarkSource::Model));
            let (dark, _) = read_frame(light.dark.as_ref().unwrap()).unwrap();
            let (rms, _) = off(&dark, &camera.truth(light_s, temp_c), full);
            println!("dark of the model {rms:.3} ADU off");
            assert!(rms < 3.0, "{rms}");
        }
    }
}
