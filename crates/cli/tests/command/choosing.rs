//! Lights chosen, stacks steered, and the last screen of a run.

use serde_json::Value;

use crate::support::{expect, photosite, refused, simulate, stderr, stdout, text};

#[test]
fn what_cannot_be_asked_for_is_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let ask = |more: &[&'static str], words: &[&str]| {
        let mut args = vec!["run", "night", "-o", text(&out)];
        args.extend(more);
        refused(&args, words);
    };
    ask(&["--select", "seeing < 3"], &["no column or function \"seeing\"", "\n  ^", "fwhm"]);
    ask(&["--select", "fwhm < 3 round > 1"], &["expected and, or", "\n           ^"]);
    ask(&["--keep-best", "80"], &["80%", "80%:fwhm"]);
    ask(&["--exclude", "a[b"], &["without \"]\""]);
    ask(&["--debayer", "superpixel"], &["superpixel", "bilinear"]);
    ask(&["--reject", "nothing"], &["nothing", "averaged-sigma"]);
    ask(&["--plan", "x.json", "--select", "fwhm < 3"], &["cannot be used with"]);
}

#[test]
fn lights_are_chosen_and_the_last_screen_tells_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(
        &night,
        &["--width", "448", "--height", "320", "--lights", "6", "--fault", "defocused"],
    );
    let run = |more: &[&'static str]| {
        let mut args = vec!["run", text(&night), "-o", text(&out)];
        args.extend(more);
        let output = expect(if more.contains(&"stars < 0") { 1 } else { 0 }, &args);
        (stdout(&output), stderr(&output))
    };
    let (said, told) = run(&[]);
    assert!(told.starts_with("library ") && told.contains(&format!("output {}", out.display())));
    assert!(told.contains("M00 L (1 of 1) stacking (6)"), "{told}");
    assert!(told.contains("it is not like the other lights of M00_L: fwhm"), "{told}");
    let row = said.lines().find(|l| l.starts_with("Light_M00_60.0s_0002")).unwrap();
    assert!(row.contains('!') && row.contains("(usual"), "{row}");
    let screen: Vec<&str> = said.lines().rev().take(22).collect();
    assert!(told.lines().last().unwrap().ends_with("run.json"), "{told}");
    for word in ["stacks/M00_L_6x60s.fits", "report.html", "0 errors, 1 warning"] {
        assert!(screen.iter().any(|l| l.contains(word)), "{word}: {screen:?}");
    }
    // What would be left out is shown by the numbers of that run.
    let asked = ["--select", "fwhm < 1.5 * median(fwhm)"];
    let (said, told) = run(&[&asked[..], &["--dry-run"]].concat());
    assert!(told.contains("0002.fits: left out: fwhm "), "{told}");
    let group = said.lines().find(|l| l.starts_with("M00_L_6x60s")).unwrap();
    assert!(group.contains("flat_L_gain100"), "{said}");
    assert!(!said.contains("Light_M00_60.0s_0001"), "a line a group: {said}");
    let (said, _) = run(&["--dry-run", "-v"]);
    assert!(said.contains("Light_M00_60.0s_0001"), "{said}");
    let (said, _) = run(&asked);
    assert!(said.contains("1 light left out") && said.contains("M00_L_5x60s.fits"), "{said}");
    let (said, told) = run(&["--select", "stars < 0"]);
    assert!(
        said.contains("1 stack not made") && said.contains("leaves none of 6"),
        "{said}\n{told}"
    );
    let (said, _) = run(&["--exclude", "*_0002.fits", "--reject", "none", "--weight", "noise"]);
    let excluded = said.lines().find(|l| l.contains("_0002.fits")).unwrap();
    assert!(excluded.contains("--exclude '*_0002.fits'"), "{said}");
    let account: Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(
        (&account["stacks"][0]["reject"], &account["asked"]["how"]["weight"]),
        (&"none".into(), &"noise".into())
    );
    assert_eq!(account["table"].as_array().unwrap().len(), 5);
    let keys =
        ["picture", "path", "stars", "fwhm_px", "round", "sky_adu", "noise_adu", "transparency"];
    let more = ["weight", "residual_px", "verdict", "note", "used", "reference", "outliers"];
    for key in keys.iter().chain(&more) {
        assert!(account["table"][0].get(key).is_some(), "{key}");
    }
}

#[test]
fn stacks_are_steered_as_by_the_command_stack() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    simulate(
        &night,
        &[
            "--preset", "cmos-osc", "--width", "448", "--height", "320", "--lights", "4",
            "--flats", "0",
        ],
    );
    for (name, more, width) in [
        ("drizzled", &["--drizzle", "2", "--drop", "0.8"][..], 896),
        ("cfa", &["--cfa-drizzle", "--pixfrac", "1"], 448),
        (
            "bilinear",
            &["--debayer", "bilinear", "--normalize", "additive", "--weight", "fwhm"],
            448,
        ),
        ("clipped", &["--reject", "sigma", "--sigma-low", "2.5", "--sigma-high", "2.5"], 448),
    ] {
        let out = dir.path().join(name);
        let mut args = vec!["run", text(&night), "-o", text(&out), "--json"];
        args.extend(more);
        let output = photosite().args(&args).output().unwrap();
        assert!(output.status.code().is_some_and(|c| c < 2), "{}", stderr(&output));
        let account: Value = serde_json::from_slice(&output.stdout).unwrap();
        let path = account["stacks"][0]["path"].as_str().unwrap().to_owned();
        let told = stdout(&expect(0, &["inspect", &path]));
        assert!(told.contains(&width.to_string()), "{name}: {told}");
    }
}

#[test]
fn what_is_named_for_another_role_is_called_by_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    simulate(&at("night"), &["--lights", "3"]);
    let (night, out) = (at("night"), at("out"));
    expect(0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    let masters = crate::support::visible(&at("out/masters"));
    let lights = text(&at("out/calibrated")).to_owned();
    let stacked = text(&at("stacked.fits")).to_owned();
    for kind in ["flat", "dark", "bias"] {
        let master = masters
            .iter()
            .find(|m| m.file_name().unwrap().to_string_lossy().starts_with(&format!("{kind}_")));
        let master = text(master.unwrap()).to_owned();
        let words = [&format!("it is a {kind}"), "as the reference"];
        let asked = ["stack", "--register", &lights, "-o", &stacked, "--reference", &master];
        refused(&asked, &words);
        refused(&["register", &lights, "--reference", &master], &words);
        let night = at("night");
        let out = at(&format!("out-{kind}"));
        let asked = ["run", text(&night), "-o", text(&out), "--reference", &master];
        let told = stderr(&expect(1, &asked));
        assert!(words.iter().all(|w| told.contains(*w)), "{told}");
    }
    // A light where a dark is asked for.
    let raw = crate::support::files(&at("night/lights"));
    let out = at("named");
    let named = ["calibrate", text(&raw[0]), "--dark", text(&raw[1]), "-o", text(&out)];
    let told = stderr(&crate::support::run(&named));
    assert!(told.contains("it is a light, used as dark"), "{told}");
}

#[test]
fn exposures_joined_without_normalisation_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (night, short) = (dir.path().join("night"), dir.path().join("short"));
    let size = ["--width", "480", "--height", "360", "--lights", "3"];
    simulate(&night, &size);
    simulate(&short, &[&size[..], &["--exposure", "30"]].concat());
    let join = ["--join", "exposures", "--no-library", "--json"];
    let codes = |name: &str, more: &[&str]| -> Vec<String> {
        let out = dir.path().join(name);
        let paths = ["run", text(&night), text(&short), "-o", text(&out)];
        let done = crate::support::run(&[&paths[..], &join, more].concat());
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        findings.map(|f| f["code"].as_str().unwrap().to_owned()).collect()
    };
    let mixed = |codes: &[String]| codes.iter().filter(|c| *c == "stack-mixed").count();
    let told = codes("none", &["--normalize", "none"]);
    assert_eq!(mixed(&told), 1, "{told:?}");
    let told = codes("scaled", &[]);
    assert_eq!(mixed(&told), 0, "{told:?}");
}
