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
