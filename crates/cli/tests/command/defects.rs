//! `defects`, and `--defects` of the other commands.

use crate::support::{expect, files, json, refused, simulate, stdout, text, write};

#[test]
fn a_map_is_built_shown_compared_exchanged_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    simulate(&path("night"), &["--width", "256", "--height", "200"]);
    let map = path("map.fits");
    let [darks, flats, biases] = ["night/darks", "night/flats", "night/bias"].map(path);
    let named = ["defects", "build", "-o", text(&map), "--darks", text(&darks)];
    let named =
        [&named[..], &["--flats", text(&flats), "--biases", text(&biases), "--json"]].concat();
    let built = json(&expect(0, &named));
    assert_eq!(built["schema"], "photosite.defects/1");
    assert!(built["counts"]["hot"].as_u64().unwrap() > 0, "{built}");
    // The same frames, found by their headers, make the same bytes; threads do not matter.
    let again = path("again.fits");
    let all = ["defects", "build", "-o", text(&again), text(&biases), text(&flats), text(&darks)];
    expect(0, &[&all[..], &["--threads", "1"]].concat());
    assert_eq!(std::fs::read(&map).unwrap(), std::fs::read(&again).unwrap());
    let shown = json(&expect(0, &["defects", "show", text(&map), "--json"]));
    assert_eq!(shown["counts"], built["counts"]);
    let png = path("map.png");
    let told = stdout(&expect(0, &["defects", "show", text(&map), "-o", text(&png)]));
    for word in ["hot", "warm", "cold", "unstable", "columns", "clusters", "sigmas", "e-/s"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!(&std::fs::read(&png).unwrap()[1..4], b"PNG");
    let same = json(&expect(0, &["defects", "diff", text(&map), text(&again), "--json"]));
    assert_eq!((&same["new"], &same["healed"]), (&0.into(), &0.into()));
    let dark = files(&darks).remove(0);
    for format in ["siril", "pixinsight", "iraf", "lsst"] {
        let (list, back) = (path(&format!("{format}.lst")), path(&format!("{format}.fits")));
        expect(0, &["defects", "export", text(&map), "--to", format, "-o", text(&list)]);
        let import = ["defects", "import", text(&list), "--like", text(&dark), "-o", text(&back)];
        let read = json(&expect(0, &[&import[..], &["--json"]].concat()));
        assert_eq!(read["counts"]["repaired"], built["counts"]["repaired"], "{format}");
        assert_eq!(read["facts"]["imported"], format);
    }
    refused(
        &["defects", "import", text(&path("siril.lst")), "-o", text(&path("x.fits"))],
        &["--like"],
    );
    write(&path("odd.lst"), b"hello\n");
    let odd = ["defects", "import", text(&path("odd.lst")), "-o", text(&path("x.fits"))]
        .map(str::to_owned);
    refused(&odd.iter().map(String::as_str).collect::<Vec<_>>(), &["no list"]);
    // Lists of a larger sensor, and pictures that are no mask.
    for list in ["P 3 250 H\n", "C 256 0 H\n", "P 300 4 C\n"] {
        write(&path("large.lst"), list.as_bytes());
        let (list, map) = (path("large.lst"), path("x.fits"));
        let import = ["defects", "import", text(&list), "--like", text(&dark), "-o", text(&map)];
        refused(&import, &["lies beyond a frame of 256", "another sensor"]);
    }
    refused(
        &["defects", "import", text(&dark), "-o", text(&path("x.fits"))],
        &["no mask of defects"],
    );
    refused(&["defects", "show", text(&dark)], &["is no defect map"]);
    // Used: lights are repaired and say so.
    let light = files(&path("night/lights")).remove(0);
    let out = path("out");
    let calibrate =
        ["calibrate", text(&light), "-o", text(&out), "--defects", text(&map), "--json"];
    let done = json(&expect(0, &calibrate));
    assert_eq!(done["lights"][0]["repaired"], built["counts"]["repaired"]);
    let calibrated = files(&out).remove(0);
    let pierced = path("pierced");
    let calibrate = ["calibrate", text(&light), "-o", text(&pierced), "--defects", text(&map)];
    let done = json(&expect(0, &[&calibrate[..], &["--repair", "holes", "--json"]].concat()));
    assert_eq!(done["lights"][0]["repaired"], 0);
    let header = stdout(&expect(0, &["inspect", text(&calibrated), "--json"]));
    assert!(header.contains("DQ"), "{header}");
    let stars = |more: &[&str]| expect(0, &[&["stars", text(&calibrated)], more].concat());
    stars(&["--defects", text(&map)]);
    stars(&["--defects", "none"]);
    let stack = path("stack.fits");
    let lights = [text(&calibrated)];
    let stacked = ["stack", "-o", text(&stack), "--defects", text(&map)];
    expect(0, &[&stacked[..], &lights[..]].concat());
    expect(0, &[&stacked[..], &["--repair", "neighbours"], &lights[..]].concat());
    let night =
        ["run", text(&path("night")), "-o", text(&path("run")), "--no-library"].map(str::to_owned);
    let night: Vec<&str> = night.iter().map(String::as_str).collect();
    let with_map = json(&expect(0, &[&night[..], &["--defects", text(&map), "--json"]].concat()));
    assert!(with_map["findings"].as_array().unwrap().iter().all(|f| f["severity"] != "error"));
    // A map of another sensor is told of, and not used.
    simulate(&path("other"), &["--width", "128", "--height", "100"]);
    let other = files(&path("other/lights")).remove(0);
    let bias = ["--bias", "500", "--json"];
    let calibrate = ["calibrate", text(&other), "-o", text(&path("o2")), "--defects", text(&map)]
        .map(str::to_owned);
    let calibrate: Vec<&str> = calibrate.iter().map(String::as_str).collect();
    let told = json(&expect(0, &[&calibrate[..], &bias[..]].concat()));
    let codes = told["findings"].as_array().unwrap().iter();
    assert!(codes.clone().any(|f| f["code"] == "defects-not-of-this-sensor"), "{told}");
}
