//! Plans: what they promise, and that they can be run.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::skip::skip;
use crate::support::{expect, files, fresh_library, refused, simulate, stdout, text, write};

/// A night of a camera, its truth left out.
fn night(folder: &Path, preset: &str, side: &str) {
    simulate(folder, &["--preset", preset, "--width", side, "--height", side, "--lights", "4"]);
    std::fs::remove_dir_all(folder.join("truth")).unwrap();
}

#[test]
fn a_plan_that_is_run_makes_what_the_run_makes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (raw, plan, out) = (at("night"), at("plan.json"), at("out"));
    night(&raw, "cmos-mono", "256");
    let args = ["run", text(&raw), "-o", text(&out), "--no-library"];
    let written = expect(0, &[&args[..], &["--dry-run", "--json"]].concat());
    write(&plan, &written.stdout);
    assert!(!out.exists(), "a dry run writes nothing");
    expect(0, &args);
    expect(0, &["run", "--plan", text(&plan), "-o", text(&at("planned"))]);
    for folder in ["masters", "stacks"] {
        let made = files(&out.join(folder));
        assert!(!made.is_empty());
        for file in made {
            let again = at("planned").join(folder).join(file.file_name().unwrap());
            assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(again).unwrap(), "{file:?}");
        }
    }
    let said: Value = serde_json::from_slice(&written.stdout).unwrap();
    let steps = said["plan"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 5, "four masters and a stack");
    for step in steps {
        assert_eq!(step["key"].as_str().unwrap().len(), 32, "{step}");
        assert!(step["cost"]["write_bytes"].as_u64().unwrap() > 0, "{step}");
    }
    // Another version, a changed frame, a frame that is gone: each is refused by name.
    let other = at("other.json");
    let json = stdout(&written).replace("\"algorithm_version\": ", "\"algorithm_version\": 9");
    write(&other, json.as_bytes());
    refused(&["run", "--plan", text(&other)], &["other.json", "arithmetic"]);
    let dark = files(&raw.join("darks")).remove(0);
    let mut bytes = std::fs::read(&dark).unwrap();
    let last = bytes.len() - 2881;
    bytes[last] ^= 1;
    write(&dark, &bytes);
    let name = dark.file_name().unwrap().to_str().unwrap();
    refused(&["run", "--plan", text(&plan)], &[name, "has changed"]);
    std::fs::remove_file(&dark).unwrap();
    refused(&["run", "--plan", text(&plan)], &[name, "is gone"]);
    write(&other, b"{}");
    refused(&["run", "--plan", text(&other)], &["is not a plan"]);
}

/// Runs a night and tells bytes read, bytes written and peak memory in bytes, as the system counts.
#[cfg(target_os = "linux")]
fn measured(args: &[&str]) -> Option<[f64; 3]> {
    let script = r#"
import resource, subprocess, sys
before = dict(l.split(": ") for l in open("/proc/self/io").read().splitlines())
p = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
after = dict(l.split(": ") for l in open("/proc/self/io").read().splitlines())
rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
moved = [int(after[k]) - int(before[k]) for k in ("rchar", "wchar")]
print(p.returncode, *moved, rss * 1024)
"#;
    let output = Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_photosite")])
        .args(args)
        .env("PHOTOSITE_LIBRARY", fresh_library())
        .output();
    let Ok(output) = output else {
        skip("python", "no python3 to measure with");
        return None;
    };
    let said = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = said.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(numbers[0], 0.0, "{said}");
    Some([numbers[1], numbers[2], numbers[3]])
}

/// The forecast against what the system counts: bytes written and read within a tenth, peak memory
/// within a third, because glibc keeps freed blocks; `photosite/tests/forecast.rs` counts the memory
/// that is asked for.
#[cfg(target_os = "linux")]
#[test]
fn what_is_forecast_is_what_happens() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    night(&at("mono"), "cmos-mono", "1200");
    night(&at("osc"), "cmos-osc", "1200");
    night(&at("packed"), "cmos-mono", "1200");
    let all =
        ["bias", "darks", "flats", "darkflats", "lights"].map(|f| files(&at("packed").join(f)));
    let packed = Command::new("gzip").arg("-1").args(all.iter().flatten()).status();
    let packed = packed.is_ok_and(|s| s.success());
    if !packed {
        skip("gzip", "no gzip to pack frames with");
    }
    let cases: [(&str, &[&str]); 7] = [
        ("mono", &["--no-library"]),
        ("mono", &[]),
        ("mono", &["--no-library", "--no-stack"]),
        ("mono", &["--no-library", "--memory", "48MiB"]),
        ("mono", &["--no-library", "--memory", "2GiB"]),
        ("osc", &["--no-library"]),
        ("packed", &["--no-library"]),
    ];
    for (i, (name, options)) in cases.into_iter().enumerate() {
        if name == "packed" && !packed {
            continue;
        }
        let (raw, out) = (at(name), at(&format!("out{i}")));
        let args = [&["run", text(&raw), "-o", text(&out), "--threads", "2"], options].concat();
        let said = expect(0, &[&args[..], &["--dry-run", "--json"]].concat());
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        let forecast = |key: &str| said["forecast"][key].as_f64().unwrap();
        let Some([read, mut written, peak]) = measured(&args) else { return };
        if name == "packed" {
            // What was unpacked for a while is written as well, and forecast by itself.
            let kept = ["masters", "stacks"].map(|f| files(&out.join(f)));
            written = kept.iter().flatten().map(|f| f.metadata().unwrap().len() as f64).sum();
        }
        let ratios = [
            ("read", forecast("read_bytes") / read, 0.1),
            ("written", forecast("write_bytes") / written, 0.1),
            ("memory", forecast("memory_bytes") / peak, 0.35),
        ];
        for (what, ratio, within) in ratios {
            println!("{name} {options:?} {what}: forecast {ratio:.3} of what was measured");
            assert!((ratio - 1.0).abs() <= within, "{name} {options:?} {what}: {ratio:.3}");
        }
    }
    // Too little memory is said before anything is made.
    let (out, raw) = (at("little"), at("mono"));
    let args = ["run", text(&raw), "-o", text(&out), "--no-library", "--memory", "5MiB"];
    refused(&args, &["cannot be made in 5 MiB", "--memory"]);
    assert!(!out.exists(), "nothing was made");
}
