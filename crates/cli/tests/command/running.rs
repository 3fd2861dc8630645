//! `run`, `demo` and `simulate`.

use serde_json::Value;

use crate::support::{
    expect, files, json, photosite, refused, simulate, stderr, stdout, text, visible,
};

/// The object has these keys at least.
fn has_keys(value: &Value, keys: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
    for key in keys {
        assert!(object.contains_key(*key), "no {key} in {:?}", object.keys());
    }
}

#[test]
fn a_night_gives_masters_lights_and_an_account() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let output = expect(0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    let (said, told) = (stdout(&output), stderr(&output));
    for word in ["FRAMES", "MASTER", "LIGHT", "Light_M00_60.0s_0002"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert!(told.contains("building masters") && told.contains("run.json"), "{told}");
    let made: Vec<String> = visible(&out)
        .iter()
        .map(|p| p.strip_prefix(&out).unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        made,
        [
            "calibrated/Light_M00_60.0s_0001.fits",
            "calibrated/Light_M00_60.0s_0002.fits",
            "calibrated/Light_M00_60.0s_0003.fits",
            "masters/bias_-10.0C_gain100_offset50_bin1x1.fits",
            "masters/dark-flat_2s_-10.0C_gain100_offset50_bin1x1.fits",
            "masters/dark_60s_-10.0C_gain100_offset50_bin1x1.fits",
            "masters/flat_L_gain100_offset50_bin1x1.fits",
            "report.html",
            "run.json",
        ]
    );
    let account: Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(account["schema"], "photosite.run/1");
    has_keys(&account, &["version", "frames", "masters", "lights", "findings", "timing"]);
    let used = account["frames"].as_array().unwrap().iter().filter(|f| f["used"] == true);
    assert_eq!(used.count(), 4 * 4 + 3);
    has_keys(&account["frames"][0], &["path", "kind", "used", "group", "metadata"]);
    let master = &account["masters"][0];
    has_keys(master, &["kind", "path", "inputs", "combine", "reject", "stats"]);
    has_keys(master, &["rejected_low", "rejected_high"]);
    let light = &account["lights"][0];
    has_keys(light, &["path", "output", "bias", "dark", "dark_scale", "flat", "steps"]);
    has_keys(light, &["stats_before", "stats_after"]);
    assert_eq!(light["dark_scale"], 1.0);
    assert_eq!(
        light["steps"],
        serde_json::json!(["saturation", "variance", "dark", "flat", "defects"])
    );
    // The truth lies in the night too, and its maps are named like frames: they are none.
    for finding in account["findings"].as_array().unwrap() {
        assert_eq!(finding["code"], "simulated-truth", "{finding}");
    }
}

#[test]
fn a_night_ends_in_a_picture_and_its_account() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &["--width", "448", "--height", "320", "--lights", "4"]);
    let said = stdout(&expect(0, &["run", text(&night), "-o", text(&out)]));
    assert!(said.contains("STACK") && said.contains("M00_L_4x60s"), "{said}");
    for made in ["stacks/M00_L_4x60s.fits", "stacks/M00_L_4x60s.png"] {
        assert!(out.join(made).exists(), "{made}");
    }
    assert!(!out.join("calibrated").exists());
    let account: Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    has_keys(&account["stars"][0], &["path", "count", "fwhm_px", "roundness", "noise_adu"]);
    has_keys(&account["registration"], &["reference", "frames"]);
    let frame = &account["registration"]["frames"][0];
    has_keys(frame, &["path", "transform", "residual_px", "n_matched", "used"]);
    let stack = &account["stacks"][0];
    has_keys(stack, &["path", "filter", "inputs", "exposure_s", "weights", "reject"]);
    has_keys(stack, &["rejected_low", "rejected_high", "noise_adu", "noise_gain", "fwhm_px"]);
    assert_eq!((stack["exposure_s"].as_f64(), stack["filter"].as_str()), (Some(240.0), Some("L")));
    // A single light is calibrated, not stacked.
    let light = night.join("lights/Light_M00_60.0s_0001.fits");
    let alone = dir.path().join("alone");
    let masters = ["bias", "darks", "flats", "darkflats"].map(|k| night.join(k));
    let mut args = vec!["run", text(&light), "-o", text(&alone)];
    args.extend(masters.iter().map(|m| text(m)));
    expect(0, &args);
    assert!(alone.join("calibrated/Light_M00_60.0s_0001.fits").exists());
    assert!(!alone.join("stacks").exists());
}

#[test]
fn json_goes_to_standard_output_alone_and_is_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &["--flats", "0"]);
    let output = expect(
        0,
        &["run", "--no-stack", text(&night), "-o", text(&out), "--json", "--keep", "calibrated"],
    );
    let printed = json(&output);
    let written: Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(printed, written);
    let findings = printed["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["code"] == "flat-missing").unwrap();
    has_keys(finding, &["code", "severity", "subject", "message", "hint", "evidence"]);
    assert!(stderr(&output).contains("flat"), "people are told as well");
}

#[test]
fn a_dry_run_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let said =
        stdout(&expect(0, &["run", "--no-stack", text(&night), "-o", text(&out), "--dry-run"]));
    assert!(said.contains("nothing was written"), "{said}");
    assert!(!out.exists());
    let plan = json(&expect(
        0,
        &["run", "--no-stack", text(&night), "-o", text(&out), "--dry-run", "--json"],
    ));
    assert_eq!(plan["masters"].as_array().unwrap().len(), 4);
    assert_eq!(plan["pictures"], Value::Array(Vec::new()), "none with --no-stack");
    has_keys(&plan["forecast"], &["read_bytes", "write_bytes", "memory_bytes"]);
    let dry = ["run", text(&night), "-o", text(&out), "--dry-run"];
    let plan = json(&expect(0, &[&dry[..], &["--json"]].concat()));
    let picture = &plan["pictures"][0];
    has_keys(picture, &["object", "filter", "lights", "light_exposure_s", "exposure_s"]);
    assert_eq!(plan["pictures"].as_array().unwrap().len(), 1);
    let name = picture["name"].as_str().unwrap();
    let said = stdout(&expect(0, &dry));
    assert!(said.contains("STACK") && said.contains(name.trim_end_matches(".fits")), "{said}");
    assert!(!out.exists());
}

#[test]
fn kinds_given_by_hand_overrule_names_and_headers() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let report = json(&expect(
        0,
        &[
            "run",
            "--no-stack",
            "--lights",
            text(&night.join("lights")),
            "--darks",
            text(&night.join("darks")),
            "--bias",
            text(&night.join("darkflats")),
            "-o",
            text(&out),
            "--json",
        ],
    ));
    let biases: Vec<&Value> =
        report["frames"].as_array().unwrap().iter().filter(|f| f["kind"] == "bias").collect();
    assert_eq!(biases.len(), 4);
    assert!(biases.iter().all(|f| f["path"].as_str().unwrap().contains("darkflats")));
}

#[test]
fn nothing_to_do_and_nothing_there_are_failures() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(&["run", "--no-stack", text(&empty), "-o", text(&out)], &["no usable frame"]);
    refused(
        &["run", "--no-stack", text(&dir.path().join("nowhere")), "-o", text(&out)],
        &["nowhere"],
    );
    refused(&["run", "--no-stack", "-o", text(&out)], &["name a folder"]);
    // Without -o products would go to photosite-out in the working folder.
    let alone = photosite().args(["run", text(&empty)]).current_dir(dir.path()).output().unwrap();
    assert!(stderr(&alone).contains("no usable frame"), "{}", stderr(&alone));
    assert!(!dir.path().join("photosite-out").exists());
    refused(&["frobnicate"], &["frobnicate"]);
    refused(
        &["run", "--no-stack", text(&empty), "-o", text(&out), "--gain", "1.0"],
        &["--read-noise"],
    );
    assert!(!out.exists());
}

#[test]
fn colour_is_for_terminals_and_not_for_those_who_refuse_it() {
    let args = ["stats", "/nowhere/at/all.fits"];
    let coloured = |set: &[(&str, &str)]| {
        let output = photosite().args(args).envs(set.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        stderr(&output).contains('\u{1b}')
    };
    assert!(!coloured(&[]), "standard error is no terminal here");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("NO_COLOR", "1")]));
}

#[test]
fn every_preset_simulates_and_calibrates() {
    for preset in ["cmos-mono", "cmos-osc", "ccd", "dslr"] {
        let dir = tempfile::tempdir().unwrap();
        let (night, out) = (dir.path().join("night"), dir.path().join("out"));
        simulate(&night, &["--preset", preset, "--exposure", "30", "--temp", "-5", "--seed", "9"]);
        for folder in ["bias", "darks", "flats", "darkflats", "lights", "truth"] {
            assert!(night.join(folder).is_dir(), "{preset}: {folder}");
        }
        assert!(night.join("lights/Light_M00_30.0s_0001.fits").exists());
        assert!(night.join("truth/truth.json").exists());
        let report =
            json(&expect(0, &["run", "--no-stack", text(&night), "-o", text(&out), "--json"]));
        assert_eq!(report["lights"].as_array().unwrap().len(), 3, "{preset}");
        let truth = |f: &Value| f["path"].as_str().unwrap().contains("truth");
        assert!(
            !report["frames"].as_array().unwrap().iter().any(|f| truth(f) && f["used"] == true)
        );
    }
}

#[test]
fn the_same_seed_simulates_the_same_bytes_and_a_full_folder_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folders = ["a", "b", "c"].map(|n| dir.path().join(n));
    simulate(&folders[0], &["--seed", "5"]);
    simulate(&folders[1], &["--seed", "5"]);
    simulate(&folders[2], &["--seed", "6"]);
    let all = |i: usize| -> Vec<Vec<u8>> {
        files(&folders[i]).iter().map(|p| std::fs::read(p).unwrap()).collect()
    };
    assert!(all(0) == all(1));
    assert!(all(0) != all(2));
    refused(&["simulate", "-o", text(&folders[0])], &["not empty"]);
    let none = dir.path().join("none");
    refused(&["simulate", "-o", text(&none), "--exposure", "-1"], &["-1"]);
    refused(&["simulate", "-o", text(&none), "--temp", "900"], &["900"]);
}

#[test]
fn the_demonstration_meets_its_own_prediction() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("demo");
    let output = expect(0, &["demo", "-o", text(&folder), "--seed", "3", "--json"]);
    let compared = json(&output);
    for light in compared.as_array().unwrap() {
        let ratio = light["ratio"].as_f64().unwrap();
        let (mean, error) = (light["mean_adu"].as_f64(), light["mean_error_adu"].as_f64());
        println!("ratio {ratio:.4}, mean {:+.4} +- {:.4} ADU", mean.unwrap(), error.unwrap());
        assert!((ratio - 1.0).abs() < 0.03, "{light}");
    }
    assert_eq!(compared.as_array().unwrap().len(), 6);
    for file in ["out/run.json", "before.png", "after.png"] {
        assert!(folder.join(file).exists(), "{file}");
    }
}

#[test]
fn a_night_is_simulated_with_a_fault_and_told_of_it() {
    let help = stdout(&expect(0, &["simulate", "--help"]));
    for fault in photosite_sim::Fault::ALL {
        assert!(help.contains(fault.name()), "{} in {help}", fault.name());
    }
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &["--fault", "black-bias"]);
    photosite().args(["run", "--no-stack", text(&night), "-o", text(&out)]).output().unwrap();
    assert!(std::fs::read_to_string(out.join("run.json")).unwrap().contains("frame-odd"));
    refused(&["simulate", "-o", text(&dir.path().join("x")), "--fault", "gremlins"], &["gremlins"]);
}
