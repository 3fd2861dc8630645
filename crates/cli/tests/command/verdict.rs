//! `diagnose`, `explain` and `verify`.

use std::path::{Path, PathBuf};

use photosite_file::atomic::Existing;
use photosite_file::fits::{FitsWriter, ImageSpec, Sample};
use photosite_file::read_image;
use photosite_pix::{Header, Plane};
use serde_json::Value;

use crate::support::{expect, files, json, refused, simulate, stdout, text, write};

fn of(folder: &Path, ending: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|p| text(p).ends_with(ending)).collect()
}

/// A night of frames large enough to tell something, run with its calibrated lights kept.
fn night(dir: &Path) -> (PathBuf, PathBuf) {
    let (frames, out) = (dir.join("night"), dir.join("out"));
    let size = ["--width", "512", "--height", "384", "--darks", "8"];
    simulate(&frames, &size);
    let keep = ["--keep", "calibrated", "--no-library"];
    let mut args = vec!["run", text(&frames), "-o", text(&out)];
    args.extend(keep);
    expect(0, &args);
    (frames, out)
}

#[test]
fn a_light_says_whether_its_calibration_was_right() {
    let dir = tempfile::tempdir().unwrap();
    let (frames, out) = night(dir.path());
    let report: Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    for light in report["lights"].as_array().unwrap() {
        assert!(
            ["good", "cannot be told"].contains(&light["verdict"].as_str().unwrap()),
            "{light}"
        );
    }
    // Masters are found by what the lights say of their making.
    let lights = of(&out.join("calibrated"), ".fits");
    assert_eq!(lights.len(), 3);
    let mut args = vec!["diagnose", "--json"];
    args.extend(lights.iter().map(|l| text(l)));
    let told = json(&expect(0, &args));
    assert_eq!(told["schema"], "photosite.verdict/1");
    for light in told["lights"].as_array().unwrap() {
        assert_eq!(light["verdict"], "good", "{light}");
        assert!(text(Path::new(light["masters"]["dark"].as_str().unwrap())).contains("dark_"));
    }
    // Divided without its dark, and with the bias taken twice.
    let masters = out.join("masters");
    let one =
        |word: &str| of(&masters, ".fits").into_iter().find(|p| text(p).contains(word)).unwrap();
    let (bias, dark, flat) = (one("bias_"), one("dark_60"), one("/flat_"));
    let raw = of(&frames.join("lights"), ".fits").remove(0);
    let wrong = dir.path().join("wrong");
    let calibrate = ["calibrate", text(&raw), "-o", text(&wrong)];
    let mut args = calibrate.to_vec();
    args.extend(["--bias", text(&bias), "--flat", text(&flat)]);
    expect(0, &args);
    let light = of(&wrong, ".fits").remove(0);
    let mut args = vec!["diagnose", text(&light), "--bias", text(&bias), "--dark", text(&dark)];
    args.extend(["--flat", text(&flat), "--json"]);
    let told = json(&expect(1, &args));
    assert_eq!(told["lights"][0]["verdict"], "wrong");
    let first = &told["lights"][0]["findings"][0];
    assert_eq!(first["code"], "thermal-under", "{told}");
    assert!((first["value"].as_f64().unwrap() - 1.0).abs() < 0.1, "{first}");
    args.retain(|a| *a != "--json");
    let shown = stdout(&expect(1, &args));
    for word in ["wrong", "thermal-under", "as if no dark had been subtracted", "hint:"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    refused(&["diagnose", text(&dir.path().join("none.fits"))], &["can be diagnosed"]);
}

#[test]
fn a_product_tells_what_it_was_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let (_, out) = night(dir.path());
    let stack = of(&out.join("stacks"), ".fits").remove(0);
    let shown = stdout(&expect(0, &["explain", text(&stack)]));
    for word in [": stacked light", "3 raw light", "master dark", "8 dark:", "combined by"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let told = json(&expect(0, &["explain", text(&stack), "--json"]));
    let inputs = told[0]["inputs"].as_array().unwrap();
    assert!(inputs.iter().any(|i| i["made_of"]["product"] == "master flat"), "{told}");
    let light = of(&dir.path().join("night/lights"), ".fits").remove(0);
    refused(&["explain", text(&light)], &["was not made by Photosite"]);
}

#[test]
fn products_are_made_again_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (frames, out) = night(dir.path());
    let products: Vec<PathBuf> = of(&out, ".fits");
    let mut args = vec!["verify", "--json"];
    args.extend(products.iter().map(|p| text(p)));
    let told = json(&expect(0, &args));
    assert_eq!(told["schema"], "photosite.verify/1");
    let all = told["products"].as_array().unwrap();
    assert_eq!(all.len(), products.len());
    assert!(all.iter().all(|p| p["verified"] == true && p["answer"] == "same"), "{told}");
    // Nothing stays behind.
    assert_eq!(of(&out, ".fits"), products);
    // A master of named frames.
    let biases = of(&frames.join("bias"), ".fits");
    let own = dir.path().join("own.fits");
    let mut args = vec!["master", "bias", "-o", text(&own)];
    args.extend(biases.iter().map(|p| text(p)));
    expect(0, &args);
    let inputs = frames.join("bias");
    let again = ["verify", text(&own), "--inputs", text(&inputs), "--json"];
    assert_eq!(json(&expect(0, &again))["products"][0]["answer"], "same");
    // The images of one file are found in it.
    let several = dir.path().join("several/bias.fits");
    let images: Vec<_> = biases.iter().map(|p| read_image(p).unwrap()).collect();
    std::fs::create_dir(dir.path().join("several")).unwrap();
    let spec = |(plane, header): &(Plane<f32>, Header)| ImageSpec {
        name: None,
        size: plane.size(),
        planes: 1,
        sample: Sample::U16 { pedestal_adu: 0.0 },
        header: header.clone(),
    };
    let specs = images.iter().map(spec).collect();
    let writer = FitsWriter::create(&several, specs, Vec::new(), Existing::Refuse).unwrap();
    for (unit, (samples, _)) in images.iter().enumerate() {
        writer.write_rows(unit, 0, 0, samples.as_slice()).unwrap();
    }
    writer.finish().unwrap();
    let (made, folder) = (dir.path().join("of_several.fits"), dir.path().join("several"));
    expect(0, &["master", "bias", "-o", text(&made), text(&several)]);
    let told = json(&expect(0, &["verify", text(&made), "--inputs", text(&folder), "--json"]));
    assert_eq!(told["products"][0]["answer"], "same", "{told}");
    // One changed byte of one input is found and named.
    let mut bytes = std::fs::read(&biases[1]).unwrap();
    let last = bytes.len() - 3000;
    bytes[last] ^= 1;
    write(&biases[1], &bytes);
    let name = biases[1].file_name().unwrap().to_string_lossy().into_owned();
    let told = json(&expect(1, &again));
    assert_eq!(told["products"][0]["answer"], "input_changed", "{told}");
    assert_eq!(told["products"][0]["inputs"][0]["name"], name);
    let stack = of(&out.join("stacks"), ".fits").remove(0);
    let bias = of(&out.join("masters"), ".fits").into_iter().find(|p| text(p).contains("bias_"));
    let bias = bias.unwrap();
    let told = json(&expect(1, &["verify", text(&bias), "--json"]));
    assert_eq!(told["products"][0]["answer"], "input_changed", "{told}");
    // So is one that is gone, and a product that was altered.
    std::fs::remove_file(&biases[1]).unwrap();
    let told = json(&expect(1, &["verify", text(&bias), "--json"]));
    assert_eq!(told["products"][0]["answer"], "input_missing", "{told}");
    let mut bytes = std::fs::read(&stack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&stack, &bytes);
    assert_eq!(
        json(&expect(1, &["verify", text(&stack), "--json"]))["products"][0]["answer"],
        "differs"
    );
}
