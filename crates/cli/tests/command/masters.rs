//! `master` and `calibrate`.

use std::path::{Path, PathBuf};

use photosite_file::fits::read_image;
use photosite_pix::Plane;
use tempfile::TempDir;

use crate::support::{cut, expect, files, json, refused, simulate, stderr, stdout, text, write};

/// A simulated night and its masters, made by hand.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        simulate(&bench.path("night"), &[]);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn frames(&self, kind: &str) -> Vec<String> {
        files(&self.path("night").join(kind)).iter().map(|p| text(p).to_owned()).collect()
    }

    /// `photosite master KIND all frames of that kind -o FILE.fits more`.
    fn master(&self, kind: &str, folder: &str, name: &str, more: &[&str]) -> PathBuf {
        let path = self.path(name);
        let frames = self.frames(folder);
        let mut args = vec!["master", kind, "-o", text(&path)];
        args.extend(more);
        args.extend(frames.iter().map(String::as_str));
        expect(0, &args);
        path
    }

    /// Calibrates the first light; gives its samples.
    fn calibrate(&self, name: &str, more: &[&str]) -> Plane<f32> {
        let out = self.path(name);
        let lights = self.frames("lights");
        let mut args = vec!["calibrate", &lights[0], "-o", text(&out)];
        args.extend(more);
        expect(0, &args);
        image(&out.join("Light_M00_60.0s_0001.fits"))
    }

    fn raw(&self) -> Plane<f32> {
        image(&self.path("night/lights/Light_M00_60.0s_0001.fits"))
    }
}

fn image(path: &Path) -> Plane<f32> {
    read_image(path).unwrap().0
}

/// The largest difference between a plane and `expected`, where the pixel was not repaired.
fn worst(got: &Plane<f32>, expected: impl Fn(usize, usize) -> f64) -> f64 {
    let mut differences: Vec<f64> = Vec::new();
    for y in 0..got.height() {
        for x in 0..got.width() {
            differences.push((f64::from(got.get(x, y)) - expected(x, y)).abs());
        }
    }
    differences.sort_by(f64::total_cmp);
    // A few hot pixels are made of their neighbours.
    differences[differences.len() * 99 / 100]
}

#[test]
fn masters_made_by_hand_calibrate_by_hand() {
    let bench = Bench::new();
    let bias = bench.master("bias", "bias", "bias.fits", &[]);
    let dark = bench.master("dark", "darks", "dark.fits", &["--combine", "median"]);
    let flat = bench.master("flat", "flats", "flat.fits", &["--bias", text(&bias)]);
    let [raw, b, d, f] = [bench.raw(), image(&bias), image(&dark), image(&flat)]
        .map(|p| move |x: usize, y: usize| f64::from(p.get(x, y)));
    let got = bench.calibrate("plain", &["--dark", text(&dark), "--flat", text(&flat)]);
    let off = worst(&got, |x, y| (raw(x, y) - d(x, y)) / f(x, y));
    assert!(off < 1e-3, "{off}");

    let with_bias = ["--dark", text(&dark), "--flat", text(&flat), "--bias", text(&bias)];
    assert_eq!(bench.calibrate("bias-too", &with_bias), got, "the dark holds the bias already");

    for (scale, k) in [("exposure", 1.0), ("0.5", 0.5), ("2", 2.0)] {
        let args = ["--dark", text(&dark), "--bias", text(&bias), "--dark-scale", scale];
        let got = bench.calibrate(scale, &args);
        let off = worst(&got, |x, y| raw(x, y) - b(x, y) - k * (d(x, y) - b(x, y)));
        assert!(off < 1e-3, "{scale}: {off}");
    }
    let got = bench.calibrate("level", &["--bias", "500.25"]);
    assert!(worst(&got, |x, y| raw(x, y) - 500.25) == 0.0);
}

#[test]
fn a_dark_without_bias_wants_the_bias_back() {
    let bench = Bench::new();
    let bias = bench.master("bias", "bias", "bias.fits", &[]);
    // Clipped by the scatter of each pixel alone: a scale that grows with the level would judge a
    // dark otherwise once its bias is gone.
    let own = ["--reject", "winsorized"];
    let held = bench.master("dark", "darks", "held.fits", &own);
    let free =
        bench.master("dark", "darks", "free.fits", &[&own[..], &["--bias", text(&bias)]].concat());
    let out = bench.path("out");
    let light = &bench.frames("lights")[0];
    refused(&["calibrate", light, "-o", text(&out), "--dark", text(&free)], &["--bias"]);
    assert!(!out.exists());
    let a = bench.calibrate("held", &["--dark", text(&held)]);
    let b = bench.calibrate("free", &["--dark", text(&free), "--bias", text(&bias)]);
    assert!(worst(&a, |x, y| f64::from(b.get(x, y))) < 1e-3);
}

#[test]
fn a_dark_that_holds_the_bias_is_not_scaled_without_one() {
    let bench = Bench::new();
    let dark = bench.master("dark", "darks", "dark.fits", &[]);
    let flat = bench.master("flat", "flats", "flat.fits", &["--bias", "500"]);
    let (out, light) = (bench.path("out"), bench.frames("lights").remove(0));
    let calibrate = |more: &[&str], words: &[&str]| {
        let args = [&["calibrate", &light, "-o", text(&out)], more].concat();
        refused(&args, words);
    };
    let dark = text(&dark);
    calibrate(&["--dark", dark, "--dark-scale", "exposure"], &["bias", "--bias"]);
    calibrate(&["--dark", dark, "--dark-scale", "1.5"], &["--bias"]);
    calibrate(&["--dark", dark, "--dark-scale", "-1"], &["-1"]);
    calibrate(&["--dark", dark, "--dark-scale", "much"], &["much"]);
    calibrate(&["--dark-scale", "1.5"], &["--dark"]);
    calibrate(&[], &["--bias"]);
    calibrate(&["--flat", text(&flat)], &["flat alone"]);
    calibrate(&["--dark", "/nowhere.fits"], &["/nowhere.fits"]);
    assert!(!out.exists());
    // With a bias it goes, and says that it is not proven.
    let args = ["calibrate", &light, "-o", text(&out), "--dark", dark, "--bias", "500"];
    let told = stderr(&expect(0, &[&args[..], &["--dark-scale", "0.5"]].concat()));
    assert!(told.contains("without evidence"), "{told}");
}

#[test]
fn gain_and_read_noise_make_a_variance() {
    let bench = Bench::new();
    let dark = bench.master("dark", "darks", "dark.fits", &[]);
    let variance = |name: &str, more: &[&str]| {
        bench.calibrate(name, &[&["--dark", text(&dark)], more].concat());
        let path = bench.path(name).join("Light_M00_60.0s_0001.fits");
        let (frame, _) = photosite_file::fits::read_frame(&path).unwrap();
        frame.variance.unwrap().get(5, 5)
    };
    let (header, given) =
        (variance("a", &[]), variance("b", &["--gain", "0.4", "--read-noise", "9"]));
    assert!(given > header, "{given} {header}");
}

#[test]
fn what_was_calibrated_is_not_calibrated_again() {
    let bench = Bench::new();
    bench.calibrate("once", &["--bias", "500"]);
    let once = bench.path("once/Light_M00_60.0s_0001.fits");
    let twice = bench.path("twice");
    refused(&["calibrate", text(&once), "-o", text(&twice), "--bias", "500"], &["Photosite"]);
    assert!(!twice.exists());
}

#[test]
fn master_tells_what_it_did() {
    let bench = Bench::new();
    let frames = bench.frames("darks");
    let path = bench.path("dark.fits");
    let mut args = vec!["master", "dark", "-o", text(&path), "--json", "--reject", "winsorized"];
    args.extend(["--sigma-low", "3", "--sigma-high", "3.5", "--combine", "mean"]);
    args.extend(frames.iter().map(String::as_str));
    let told = json(&expect(0, &args));
    assert_eq!((&told["kind"], &told["combine"]), (&"dark".into(), &"mean".into()));
    assert_eq!((&told["reject"], &told["reused"]), (&"winsorized".into(), &false.into()));
    assert_eq!(told["inputs"].as_array().unwrap().len(), 4);
    assert_eq!(json(&expect(0, &args))["reused"], true);
    args.retain(|a| *a != "--json");
    assert!(stdout(&expect(0, &args)).contains("exists already"));
    refused(&["master", "dark", "-o", text(&path)], &["FILES"]);
    refused(&["master", "sky", text(&path), "-o", text(&path)], &["sky"]);
}

#[test]
fn a_cut_frame_is_left_out_of_masters_and_lights() {
    let bench = Bench::new();
    let (darks, lights) = (bench.frames("darks"), bench.frames("lights"));
    cut(Path::new(&darks[1]));
    cut(Path::new(&lights[1]));
    let path = bench.path("dark.fits");
    let mut args = vec!["master", "dark", "-o", text(&path)];
    args.extend(darks.iter().map(String::as_str));
    let output = expect(1, &args);
    assert!(stderr(&output).contains("Dark_60.0s_0002.fits"), "{}", stderr(&output));
    assert!(stdout(&output).contains("3 frames"), "{}", stdout(&output));
    let out = bench.path("out");
    let mut args = vec!["calibrate", "-o", text(&out), "--dark", text(&path)];
    args.extend(lights.iter().map(String::as_str));
    let output = expect(1, &args);
    assert!(stderr(&output).contains("Light_M00_60.0s_0002.fits"));
    assert_eq!(files(&out).len(), 2);
    refused(&["calibrate", &lights[1], "-o", text(&out), "--dark", text(&path)], &["none of 1"]);
}

#[test]
fn a_file_of_somebody_else_is_never_overwritten() {
    let bench = Bench::new();
    let path = bench.path("precious.fits");
    write(&path, b"not a product");
    let frames = bench.frames("bias");
    let mut args = vec!["master", "bias", "-o", text(&path)];
    args.extend(frames.iter().map(String::as_str));
    refused(&args, &["left alone"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"not a product");
    // Nor a raw frame, in the folder it lies in.
    let lights = bench.path("night/lights");
    let before = std::fs::read(&bench.frames("lights")[0]).unwrap();
    let light = &bench.frames("lights")[0];
    refused(&["calibrate", light, "-o", text(&lights), "--bias", "500"], &["left alone"]);
    assert_eq!(std::fs::read(light).unwrap(), before);
}
