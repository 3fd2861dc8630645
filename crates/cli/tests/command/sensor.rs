//! `sensor`.

use crate::support::{expect, json, refused, simulate, stdout, text};

#[test]
fn a_sensor_is_measured_kept_compared_and_its_page_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    simulate(&path("night"), &["--preset", "cmos-osc"]);
    let frames = ["bias", "flats", "darks"].map(|f| path("night").join(f));
    let out = path("out");
    let mut args = vec!["sensor", "measure", "--json", "-o", text(&out)];
    args.extend(frames.iter().map(|p| text(p)));
    let report = json(&expect(0, &args));
    assert_eq!(report["schema"], "photosite.sensor/1");
    let measures = report["measures"].as_array().unwrap();
    let gain = measures.iter().find(|m| m["name"] == "gain" && m["channel"].is_null()).unwrap();
    assert!((gain["value"].as_f64().unwrap() / 0.8 - 1.0).abs() < 0.05, "{gain}");
    for key in [
        "low",
        "high",
        "unit",
        "method",
        "amplifier",
        "temp_c",
        "exposure_s",
        "frames",
        "valid",
        "reason",
    ] {
        assert!(gain.get(key).is_some(), "{key}");
    }
    // File, profile and page hold the very numbers that were printed.
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&read("sensor.json")).unwrap();
    assert_eq!(stored["measures"], report["measures"]);
    let (toml, page) = (read("sensor.toml"), read("sensor.html"));
    let mut seen = 0;
    for m in measures.iter().filter(|m| m["valid"] == true) {
        for key in ["value", "low", "high"] {
            let Some(v) = m[key].as_f64() else { continue };
            let in_page = format!("data-name=\"{}\"", m["name"].as_str().unwrap());
            let in_page = page
                .split("<tr")
                .any(|row| row.contains(&in_page) && row.contains(&format!("data-{key}=\"{v}\"")));
            assert!(in_page, "{key} of {} is not {v} in the page", m["name"]);
            let told = |line: &str| {
                let number = line.strip_prefix(&format!("{key} = "));
                number.and_then(|n| n.parse::<f64>().ok()) == Some(v)
            };
            assert!(toml.lines().any(told), "{key} of {} is not {v} in the profile", m["name"]);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    for outside in ["http://", "https://", "src=", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    let profile = out.join("sensor.toml");
    let same = json(&expect(0, &["sensor", "diff", text(&profile), text(&profile), "--json"]));
    let same = same["differences"].as_array().unwrap();
    assert!(same.len() > 10 && same.iter().all(|d| d["first"] == d["second"]));
    assert!(
        stdout(&expect(0, &["sensor", "diff", text(&profile), text(&profile)])).contains("gain")
    );
    let library = path("library");
    let kept = json(&expect(
        0,
        &["sensor", "keep", text(&profile), "--library", text(&library), "--json"],
    ));
    assert!(kept["path"].as_str().unwrap().contains("cameras"), "{kept}");
    let one = |verb: &str, name: &str| {
        let mut args = vec!["sensor", verb, "--json"];
        args.extend(frames.iter().map(|p| text(p)));
        let names: Vec<String> = json(&expect(0, &args))["measures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["name"].as_str().unwrap().to_owned())
            .collect();
        assert!(names.iter().any(|n| n == name), "{verb}: {names:?}");
        assert!(names.len() < measures.len(), "{verb}");
    };
    one("gain", "gain");
    one("read-noise", "read_noise");
    one("dark-current", "dark_current");
    one("linearity", "linearity_max");
    one("temperature", "doubling_temp");
    one("interference", "interference");
    let mut args = vec!["sensor", "measure"];
    args.extend(frames.iter().map(|p| text(p)));
    let shown = stdout(&expect(0, &args));
    for word in ["gain", "read_noise", "e-/ADU", "frames that would tell more", "95 % between"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    refused(
        &["sensor", "measure", text(&path("night").join("lights"))],
        &["no bias, dark or flat"],
    );
    refused(&["sensor", "diff", text(&profile), text(&frames[0])], &["cannot be read"]);
}
