//! Every real file gets an answer or one clear sentence, in little memory.

use std::process::Command;

use crate::common;
use crate::support::{expect, files, json, stderr, stdout, text};

/// Address space in kB that the program takes besides the file: code, stacks and the allocator's
/// reserves.
const BASE_KB: u64 = 160 * 1024;

#[test]
fn inspect_answers_for_every_odd_file() {
    let Some(data) = common::real("odd, raw_stripped, xisf and raw") else { return };
    let mut looked_at = 0;
    for folder in ["odd", "raw_stripped", "xisf", "raw"] {
        for path in files(&data.join(folder)) {
            // A few times the file, and processor seconds, bounded by the system.
            let limit_kb = BASE_KB + 4 * path.metadata().unwrap().len() / 1024;
            let script = "ulimit -v $1 && ulimit -t 20 && exec \"$2\" inspect \"$3\"";
            let command = env!("CARGO_BIN_EXE_photosite");
            let output = Command::new("sh")
                .args(["-c", script, "sh", &limit_kb.to_string(), command, text(&path)])
                .env("NO_COLOR", "1")
                .output()
                .unwrap();
            let (said, told) = (stdout(&output), stderr(&output));
            let name = path.strip_prefix(&data).unwrap().display();
            println!("{name}: {:?} {}", output.status.code(), told.trim());
            match output.status.code() {
                Some(0) => assert!(said.contains("pixels"), "{name}: {said}"),
                Some(2) => {
                    assert_eq!(said, "", "{name}");
                    assert_eq!(told.lines().count(), 1, "{name}: one sentence, not {told}");
                    assert!(told.starts_with("error: "), "{name}: {told}");
                    assert!(told.contains(text(&path)), "{name}: {told}");
                }
                other => panic!("{name}: {other:?} {told}"),
            }
            assert!(!told.contains("panicked"), "{name}: {told}");
            let wanted = match folder {
                "xisf" | "raw" => Some(0),
                "raw_stripped" => Some(2),
                _ => output.status.code(),
            };
            assert_eq!(output.status.code(), wanted, "{name}");
            looked_at += 1;
        }
    }
    assert!(looked_at >= 26, "only {looked_at} files");
}

#[test]
fn a_camera_raw_goes_through_every_verb() {
    let Some(data) = common::real("colorchart.dng") else { return };
    let raw = data.join("raw/colorchart.dng");
    let told = &json(&expect(0, &["inspect", "--json", text(&raw)]))[0];
    assert_eq!((&told["width"], &told["height"]), (&1888.into(), &1182.into()));
    assert_eq!(told["metadata"]["saturation_adu"], 15000.0);
    let stats = &json(&expect(0, &["stats", "--json", text(&raw)]))[0]["channels"][0];
    assert_eq!((&stats["min"], &stats["max"]), (&1702.0.into(), &12128.0.into()));
    let dir = tempfile::tempdir().unwrap();
    let (picture, out) = (dir.path().join("a.png"), dir.path().join("out"));
    expect(0, &["preview", text(&raw), "-o", text(&picture)]);
    expect(0, &["calibrate", text(&raw), "-o", text(&out), "--bias", "2056"]);
    let product = out.join("colorchart.fits");
    let (image, header) = photosite_file::read_image(&product).unwrap();
    // The active area alone, with the array as it lies over its corner.
    assert_eq!((image.width(), image.height()), (1734, 1156));
    assert_eq!(header.get_text("BAYERPAT").as_deref(), Some("RGGB"));
    assert_eq!((header.get("TRIMSEC"), header.get("SATURATE")), (None, None));
    let table = stdout(&expect(0, &["pixels", text(&raw), "152", "26", "1", "1"]));
    let corner: f32 =
        table.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(image.get(0, 0), corner - 2056.0);
    // Borders are masked from light: a master is of the active area as well.
    let master = dir.path().join("bias.fits");
    expect(0, &["master", "bias", text(&raw), "-o", text(&master)]);
    let (image, _) = photosite_file::read_image(&master).unwrap();
    assert_eq!((image.width(), image.height(), image.get(0, 0)), (1734, 1156, corner));
}
