//! What goes wrong around a run: damaged frames, full and locked folders, other people's files.

use std::path::Path;
use std::process::Command;

use crate::common::assert_checksums;
use crate::common::skip::skip;
use crate::support::{
    cut, expect, files, fresh_library, json, refused, simulate, stderr, stdout, text, visible,
    write,
};

#[test]
fn a_night_with_cut_frames_finishes_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let bad = ["lights/Light_M00_60.0s_0002.fits", "darks/Dark_60.0s_0001.fits"];
    for file in bad {
        cut(&night.join(file));
    }
    // Whole by its header, cut behind it: a packed frame shows it only when it is read.
    let output = expect(1, &["run", "--no-stack", text(&night), "-o", text(&out), "--json"]);
    let report = json(&output);
    for file in bad {
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        assert!(stderr(&output).contains(name), "{name} in {}", stderr(&output));
        let frame = report["frames"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["path"].as_str().unwrap().ends_with(name))
            .unwrap();
        assert_eq!(frame["used"], false);
        let told =
            report["findings"].as_array().unwrap().iter().any(|f| {
                f["severity"] == "error" && f["subject"].as_str().unwrap().ends_with(name)
            });
        assert!(told, "{name}");
    }
    assert_eq!(visible(&out.join("calibrated")).len(), 2);
    assert_eq!(visible(&out.join("masters")).len(), 4);
    visible(&out).iter().filter(|p| p.extension().is_some_and(|e| e == "fits")).for_each(|p| {
        assert_checksums(p);
    });
}

#[test]
fn a_packed_frame_that_is_cut_is_left_out_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    for (folder, name) in [("darks", "Dark_60.0s_0003"), ("lights", "Light_M00_60.0s_0003")] {
        let plain = night.join(folder).join(format!("{name}.fits"));
        let packed = night.join(folder).join(format!("{name}.fits.gz"));
        let Ok(done) = Command::new("gzip").arg(&plain).output() else {
            skip("gzip", "no gzip here");
            return;
        };
        assert!(done.status.success());
        cut(&packed);
    }
    let output = expect(1, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    for name in ["Dark_60.0s_0003.fits.gz", "Light_M00_60.0s_0003.fits.gz"] {
        assert!(stderr(&output).contains(name), "{name} in {}", stderr(&output));
    }
    assert_eq!(visible(&out.join("calibrated")).len(), 2);
    assert_eq!(visible(&out.join("masters")).len(), 4);
}

#[test]
fn other_peoples_files_among_the_products_are_left_alone_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let theirs = [
        "calibrated/Light_M00_60.0s_0001.fits",
        "masters/bias_-10.0C_gain100_offset50_bin1x1.fits",
        "masters/flat_M00_L.png",
    ];
    for name in theirs {
        write(&out.join(name), b"a drawing");
    }
    let output = expect(1, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    for words in ["Light_M00_60.0s_0001.fits", "was not made by Photosite", "left alone"] {
        assert!(stderr(&output).contains(words), "{words} in {}", stderr(&output));
    }
    for name in theirs {
        assert_eq!(std::fs::read(out.join(name)).unwrap(), b"a drawing");
    }
    assert_eq!(visible(&out.join("calibrated")).len(), files(&night.join("lights")).len());
    assert!(out.join("run.json").exists());
    // A report that is none of ours is not replaced either, and then nothing is done.
    let other = dir.path().join("other");
    write(&other.join("run.json"), b"{\"my\": \"notes\"}");
    let words = ["run.json", "left alone"];
    refused(&["run", "--no-stack", text(&night), "-o", text(&other)], &words);
    assert_eq!(visible(&other).len(), 1);
}

#[test]
fn products_that_are_damaged_or_cut_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &["--width", "256", "--height", "256", "--lights", "4"]);
    expect(0, &["run", text(&night), "-o", text(&out), "--keep", "calibrated"]);
    let light = out.join("calibrated/Light_M00_60.0s_0001.fits");
    let dark = files(&out.join("masters"))
        .into_iter()
        .find(|p| text(p).contains("masters/dark_"))
        .unwrap();
    let stack = files(&out.join("stacks")).into_iter().find(|p| text(p).ends_with("fits")).unwrap();
    for product in [&light, &dark, &stack] {
        let whole = std::fs::read(product).unwrap();
        let mut scratched = whole.clone();
        let at = whole.len() / 3;
        scratched[at..at + 4000].fill(0);
        let cuts = [0, 3000, whole.len() / 2].map(|n| whole[..n].to_vec());
        for broken in cuts.into_iter().chain([scratched]) {
            write(product, &broken);
            let output =
                expect(0, &["run", text(&night), "-o", text(&out), "--keep", "calibrated"]);
            let told = stderr(&output);
            assert_eq!(std::fs::read(product).unwrap(), whole, "{} bytes: {told}", broken.len());
            assert!(told.contains("made again"), "{} of {}: {told}", broken.len(), whole.len());
        }
    }
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    std::fs::create_dir(&out).unwrap();
    let lock = std::fs::File::create(out.join(".photosite.lock")).unwrap();
    lock.lock().unwrap();
    refused(
        &["run", "--no-stack", text(&night), "-o", text(&out)],
        &["another run is using", "-o"],
    );
    assert!(visible(&out).is_empty());
    // A lock that nobody holds any more is no lock.
    lock.unlock().unwrap();
    expect(0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
}

#[test]
fn an_output_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    write(&out, b"");
    refused(&["run", "--no-stack", text(&night), "-o", text(&out)], &["out"]);
}

/// Runs the command, which writes to `place`, with a file system mounted there with `options`, in a
/// world of its own; `None` where that cannot be had. Gives the status, the messages and what is
/// left there.
#[track_caller]
fn mounted(place: &Path, options: &str, args: &[&str]) -> Option<(i32, String, String)> {
    let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" || exit 77
                    place=$2; shift 2
                    "$@"
                    status=$?
                    echo LEFT; find "$place" -type f
                    exit $status"#;
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh", options, text(place)])
        .arg(env!("CARGO_BIN_EXE_photosite"))
        .args(args)
        .env("PHOTOSITE_LIBRARY", fresh_library())
        .output();
    match output {
        Ok(o) if o.status.code().is_some_and(|c| c != 77) && !stderr(&o).contains("unshare") => {
            let said = stdout(&o);
            let (_, left) = said.split_once("LEFT\n").unwrap_or_else(|| panic!("{o:?}"));
            Some((o.status.code().unwrap(), stderr(&o), left.to_owned()))
        }
        _ => {
            skip("mount", "no file system can be mounted here");
            None
        }
    }
}

/// The same for a run of the night.
#[track_caller]
fn mounted_run(night: &Path, options: &str) -> Option<(i32, String, String)> {
    let place = tempfile::tempdir().unwrap();
    mounted(place.path(), options, &["run", "--no-stack", text(night), "-o", text(place.path())])
}

#[test]
fn a_folder_that_cannot_be_written_is_told_plainly() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &[]);
    let Some((status, message, left)) = mounted_run(dir.path(), "ro") else { return };
    println!("{message}");
    assert_eq!(status, 2, "{message}");
    assert!(message.to_lowercase().contains("read-only"), "{message}");
    assert_eq!(left, "");
}

#[test]
fn a_full_disk_leaves_whole_products_and_a_clear_message() {
    let dir = tempfile::tempdir().unwrap();
    simulate(dir.path(), &["--width", "256", "--height", "256"]);
    // Room for two masters, not for the rest.
    let Some((status, message, left)) = mounted_run(dir.path(), "size=1800k") else { return };
    println!("{message}{left}");
    assert_eq!(status, 2, "{message}");
    assert!(message.contains("the disk is full"), "{message}");
    assert!(!left.contains(".part"), "{left}");
    assert!(left.lines().count() >= 1 && left.contains("run.json"), "{left}");
}

#[test]
fn a_disk_that_fills_up_in_mid_stack_leaves_nothing_and_says_so() {
    let (dir, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    simulate(dir.path(), &[]);
    // Packed frames are unpacked beside the product, so that the disk is full before it is begun.
    for packed in [false, true] {
        let bias = files(&dir.path().join("bias"));
        if packed && !Command::new("gzip").args(&bias).status().is_ok_and(|s| s.success()) {
            skip("gzip", "no gzip here");
            return;
        }
        let bias = files(&dir.path().join("bias"));
        let product = place.path().join("master.fits");
        let mut args = vec!["master", "bias", "-o", text(&product)];
        args.extend(bias.iter().map(|p| text(p)));
        let Some((status, message, left)) = mounted(place.path(), "size=32k", &args) else {
            return;
        };
        assert_eq!(status, 2, "{message}");
        assert!(message.contains("the disk is full"), "{message}");
        assert_eq!(left, "");
    }
}
