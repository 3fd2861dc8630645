//! Every real file gets an answer or one clear sentence, in little memory.

use std::process::Command;

use crate::common;
use crate::support::{files, stderr, stdout, text};

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
            if folder == "xisf" {
                assert_eq!(output.status.code(), Some(0), "{name}");
            }
            if ["raw_stripped", "raw"].contains(&folder) {
                assert_eq!(output.status.code(), Some(2), "{name} is not supported yet");
            }
            looked_at += 1;
        }
    }
    assert!(looked_at >= 26, "only {looked_at} files");
}
