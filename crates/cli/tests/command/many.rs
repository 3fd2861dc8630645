//! Folders, several files at once, and how much is said.

use std::path::PathBuf;

use crate::support::{
    expect, json, photosite, refused, simulate, stderr, stdout, text, visible, write,
};

/// A simulated colour night and its calibrated lights.
fn night() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &["--preset", "cmos-osc", "--width", "320", "--height", "240"]);
    expect(0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    (dir, night, out)
}

/// Every verb that takes files takes a folder; of a folder only frames of the kind that is wanted.
#[test]
fn folders_are_taken_where_files_are() {
    let (dir, night, out) = night();
    let calibrated = out.join("calibrated");
    let master = dir.path().join("bias.fits");
    let told = expect(0, &["master", "bias", text(&night), "-o", text(&master), "--json"]);
    assert_eq!(json(&told)["inputs"].as_array().map(Vec::len), Some(4), "{}", stdout(&told));
    assert!(stderr(&told).contains("of other kinds were passed over"), "{}", stderr(&told));
    for verb in ["debayer", "preview"] {
        let folder = dir.path().join(verb);
        let output = format!("{}/", folder.display());
        expect(0, &[verb, text(&calibrated), "-o", &output]);
        assert_eq!(visible(&folder).len(), 3, "{verb}");
    }
    let folder = dir.path().join("lines");
    let output = format!("{}/", folder.display());
    expect(0, &["extract", "ha-oiii", text(&calibrated), "-o", &output]);
    assert_eq!(visible(&folder).len(), 6);
    let folder = dir.path().join("xisf");
    expect(0, &["convert", text(&calibrated), "-o", text(&folder), "--to", "xisf"]);
    assert!(visible(&folder).iter().all(|p| p.extension().unwrap() == "xisf"));
    let list = json(&expect(0, &["inspect", text(&calibrated), "--json"]));
    assert_eq!(list.as_array().map(Vec::len), Some(3));
    assert_eq!(list[0]["schema"], "photosite.inspect/1");
    // Several files cannot become one.
    let lights = visible(&calibrated);
    let one = dir.path().join("one.fits");
    refused(&["debayer", text(&lights[0]), text(&lights[1]), "-o", text(&one)], &["folder"]);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(&["stack", text(&empty), "-o", text(&one)], &["none of 0 frames", "light"]);
    assert!(!one.exists());
}

/// A stack of lights that do not lie on each other, or of several filters, is told of.
#[test]
fn a_stack_of_what_does_not_belong_together_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    simulate(&night, &["--width", "320", "--height", "240"]);
    let stack = dir.path().join("stack.fits");
    let lights = night.join("lights");
    let told = stderr(&expect(0, &["stack", text(&lights), "-o", text(&stack)]));
    assert!(told.contains("stars are doubled") && told.contains("--register"), "{told}");
    let status = expect(1, &["stack", text(&lights), "-o", text(&stack), "--strict"]);
    assert!(stderr(&status).contains("stars are doubled"));
    let told = stderr(&expect(0, &["stack", text(&lights), "-o", text(&stack), "--register"]));
    assert!(!told.contains("doubled"), "{told}");
}

/// Quiet says what is wrong and prints what was asked for; a log has everything, with its time; a file
/// that is no log is left alone.
#[test]
fn much_little_or_into_a_file() {
    let (dir, night, _) = night();
    let (out, log) = (dir.path().join("out2"), dir.path().join("night.log"));
    let told = expect(0, &["run", text(&night), "-o", text(&out), "--quiet", "--log", text(&log)]);
    assert_eq!(stdout(&told), "", "{}", stdout(&told));
    assert!(!stderr(&told).contains("info:"), "{}", stderr(&told));
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(
        logged.lines().all(|l| l.as_bytes()[10] == b'T' && l.as_bytes()[19] == b'Z'),
        "{logged}"
    );
    assert!(logged.contains("run.json"), "{logged}");
    let before = logged.lines().count();
    let told =
        expect(0, &["run", text(&night), "-o", text(&out), "-q", "--json", "--log", text(&log)]);
    assert_eq!(json(&told)["schema"], "photosite.run/1");
    assert!(std::fs::read_to_string(&log).unwrap().lines().count() > before);
    let stats = expect(0, &["stats", "--quiet", text(&visible(&out.join("masters"))[0])]);
    assert!(stdout(&stats).contains("median"), "{}", stdout(&stats));
    let frame = &visible(&night.join("lights"))[0];
    let was = std::fs::read(frame).unwrap();
    refused(&["inspect", text(frame), "--log", text(frame)], &["is no log"]);
    assert_eq!(std::fs::read(frame).unwrap(), was);
    let note = dir.path().join("note.txt");
    write(&note, b"my own notes\n");
    refused(&["inspect", text(frame), "--log", text(&note)], &["is no log"]);
    let man = dir.path().join("man");
    assert!(photosite().args(["man", "-o", text(&man)]).status().unwrap().success());
    let page = std::fs::read_to_string(man.join("photosite-run.1")).unwrap();
    for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
        assert!(
            page.contains(&format!(".SH \"{section}\""))
                || page.contains(&format!(".SH {section}")),
            "{section}"
        );
    }
}
