//! `inspect`, `stats`, `pixels`, `preview`, `completions`, `man`.

use crate::support::{expect, files, json, refused, simulate, stderr, stdout, text, write};

#[test]
fn inspect_tells_what_a_file_is() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &["--preset", "cmos-osc"]);
    let light = dir.path().join("lights/Light_M00_60.0s_0001.fits");
    let said = stdout(&expect(0, &["inspect", text(&light)]));
    for word in ["96 x 64", "light", "exposure_s", "RGGB", "60"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let told = json(&expect(0, &["inspect", "--json", text(&light), text(&light)]));
    assert_eq!(told.as_array().unwrap().len(), 2);
    let first = &told[0];
    assert_eq!((&first["width"], &first["kind"]), (&96.into(), &"light".into()));
    assert_eq!(first["metadata"]["exposure_s"], 60.0);
    for key in ["path", "format", "hdus", "rules", "notes", "findings", "planes"] {
        assert!(!first[key].is_null(), "{key}");
    }
}

#[test]
fn stats_describe_every_colour() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &["--preset", "cmos-osc"]);
    let light = dir.path().join("lights/Light_M00_60.0s_0001.fits");
    let told = json(&expect(0, &["stats", "--json", text(&light)]));
    let channels = told[0]["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 4);
    for channel in channels {
        for key in ["n", "min", "max", "mean", "median", "sd", "mad", "noise"] {
            assert!(channel[key].is_number(), "{key} in {channel}");
        }
        assert!(channel["clipped_low"].is_number() && channel["clipped_high"].is_number());
    }
    assert_eq!(channels[0]["n"], 96 * 64);
    let said = stdout(&expect(0, &["stats", text(&light)]));
    for word in ["CHANNEL", "median", "green"] {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[test]
fn one_bad_file_among_good_ones_is_status_1_and_alone_2() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &[]);
    let light = dir.path().join("lights/Light_M00_60.0s_0001.fits");
    let bad = dir.path().join("bad.fits");
    write(&bad, b"SIMPLE  = nonsense");
    for verb in ["inspect", "stats"] {
        let output = expect(1, &[verb, text(&bad), text(&light)]);
        assert!(stderr(&output).contains("bad.fits"));
        assert!(stdout(&output).contains("Light_M00"));
        let told = json(&expect(1, &[verb, "--json", text(&bad), text(&light)]));
        assert!(told[0]["error"].is_string() && told[1]["width"] == 96);
        refused(&[verb, text(&bad)], &["bad.fits"]);
        refused(&[verb, text(&bad), text(&bad)], &["none of 2"]);
    }
}

#[test]
fn pixels_are_the_numbers_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &[]);
    let light = dir.path().join("lights/Light_M00_60.0s_0001.fits");
    let (image, _) = photosite_file::fits::read_image(&light).unwrap();
    let said = stdout(&expect(0, &["pixels", text(&light), "90", "60", "6", "4"]));
    let rows: Vec<Vec<&str>> = said.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["y\\x", "90", "91", "92", "93", "94", "95"]);
    for (y, row) in (60..64).zip(&rows[1..]) {
        assert_eq!(row[0], y.to_string());
        for (x, cell) in (90..96).zip(&row[1..]) {
            assert_eq!(cell.parse::<f32>().unwrap(), image.get(x, y));
        }
    }
    refused(&["pixels", text(&light), "90", "60", "7", "4"], &["96x64"]);
    refused(&["pixels", text(&light), "18446744073709551615", "0", "2", "2"], &["96x64"]);
}

#[test]
fn a_preview_is_a_picture_and_leaves_the_data_alone() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &["--preset", "cmos-osc"]);
    let light = dir.path().join("lights/Light_M00_60.0s_0001.fits");
    let before = std::fs::read(&light).unwrap();
    let picture = dir.path().join("new/folder/a.png");
    expect(0, &["preview", text(&light), "-o", text(&picture), "--width", "24"]);
    let bytes = std::fs::read(&picture).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(u32::from_be_bytes(bytes[16..20].try_into().unwrap()), 24);
    assert_eq!(std::fs::read(&light).unwrap(), before);
    // A cell a pixel, in colour, linked or not; made again in place of its own, never of another.
    let looks: Vec<Vec<u8>> = ["unlinked", "linked"]
        .into_iter()
        .map(|how| {
            expect(0, &["preview", text(&light), "-o", text(&picture), "--stretch", how]);
            std::fs::read(&picture).unwrap()
        })
        .collect();
    assert!(looks[0] != looks[1] && looks.iter().all(|l| l[25] == 2));
    refused(&["preview", text(&light), "-o", text(&light)], &["not made by Photosite"]);
    assert_eq!(std::fs::read(&light).unwrap(), before);
}

#[test]
fn shells_and_manuals_are_served() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&expect(0, &["completions", shell]));
        assert!(script.contains("photosite") && script.contains("calibrate"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    expect(0, &["man", "-o", text(dir.path())]);
    let pages = files(dir.path());
    assert!(pages.len() >= 12, "{pages:?}");
    let page = std::fs::read_to_string(dir.path().join("photosite-run.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("dry"), "{page}");
    let help = stdout(&expect(0, &["--help"]));
    for verb in ["run", "demo", "simulate", "master", "calibrate", "inspect", "stats", "pixels"] {
        assert!(help.contains(verb), "{verb}");
    }
    assert!(stdout(&expect(0, &["--version"])).starts_with("photosite "));
}
