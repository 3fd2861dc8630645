//! Another run into the same folder: what was seen in lights is not looked for again, what differs is seen
//! anew, and nothing that was told is told no more.

mod night;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use photosite::diagnose::Verdict;
use photosite::params::{RecipeChoice, Storage};
use photosite::report::{LightReport, RunReport};
use photosite::run::NightRequest;
use photosite_pix::reject::Reject;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{FrameKind, Rect, Size};
use photosite_sim::{Conditions, Night, Preset, Simulation};

use night::{run, with, write_as};

/// A night with a bad light and one of another field.
fn write(preset: Preset, folder: &Path) {
    let mut night = Night::preset(preset, Size::new(480, 360), 7);
    let counts = &mut night.counts;
    (counts.bias, counts.darks, counts.flats, counts.lights) = (5, 5, 5, 7);
    night.sky.stars_per_mpx = night.sky.stars_per_mpx.max(800.0);
    let simulation = Simulation::new(night);
    write_as(&simulation, folder, |plan| {
        let conditions = match (plan.kind, plan.index) {
            (FrameKind::Light, 2) => Conditions::DEFOCUSED,
            (FrameKind::Light, 4) => Conditions::ELSEWHERE,
            _ => Conditions::CLEAR,
        };
        (plan.clone(), simulation.render_under(plan, conditions))
    });
}

fn winsorized(request: &NightRequest) -> NightRequest {
    let reject = Reject::Winsorized { sigma_low: 4.0, sigma_high: 3.0 };
    with(request.clone(), |n| n.how.recipe = RecipeChoice::of(reject))
}

/// Records of what was seen in frames and pictures, and when they were written.
fn records(output: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let entries = std::fs::read_dir(output.join(".seen")).unwrap().map(|e| e.unwrap());
    // What files hold is remembered once they lie there for a while.
    let entries = entries.filter(|e| !e.file_name().to_string_lossy().starts_with("files-"));
    entries.map(|e| (e.path(), e.metadata().unwrap().modified().unwrap())).collect()
}

/// The pictures of a folder and their previews, by name.
fn pictures(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(output.join("stacks")).unwrap().map(|e| e.unwrap());
    let read = |e: std::fs::DirEntry| {
        (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).unwrap())
    };
    entries.map(read).collect()
}

/// What a report tells of its lights and pictures, and what it found, wherever it lies.
fn told(report: &RunReport, output: &Path) -> String {
    let what = serde_json::json!({
        "findings": report.findings,
        "table": report.table,
        "stars": report.stars,
        "registration": report.registration,
        "lights": report.lights,
        "stacks": report.stacks,
    });
    let text = serde_json::to_string_pretty(&what).unwrap();
    let text = text.replace(&output.display().to_string(), "OUT");
    text.replace("\"reused\": true", "\"reused\": false")
}

#[test]
fn another_rejection_gives_what_a_fresh_run_gives_and_looks_at_no_light_again() {
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("night");
        write(preset, &raw);
        let first = NightRequest::new(vec![raw.clone()], dir.path().join("out"));
        run(&first, 2);
        let before = records(&first.output);
        let second = winsorized(&first);
        let report = run(&second, 1);
        let after = records(&first.output);
        // One more record: of what was told of the new picture. The old one's is gone, nobody asked for it.
        let same = before.iter().filter(|(path, time)| after.get(*path) == Some(time)).count();
        assert_eq!((same, after.len()), (before.len() - 1, before.len()), "{preset:?}");

        let fresh = with(second.clone(), |n| n.output = dir.path().join("fresh"));
        let expected = run(&fresh, 3);
        assert_eq!(told(&report, &second.output), told(&expected, &fresh.output), "{preset:?}");
        assert!(pictures(&second.output) == pictures(&fresh.output), "{preset:?}");
        let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_ref()).collect();
        assert!(codes.contains(&"light-outlier"), "{codes:?}");
        assert!(codes.contains(&"registration-failed"), "{codes:?}");
    }
}

#[test]
fn a_run_that_finds_its_pictures_tells_what_was_told_when_they_were_made() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("night");
        write(preset, &raw);
        let request = NightRequest::new(vec![raw], dir.path().join("out"));
        let first = run(&request, 2);
        let made = pictures(&request.output);
        for _ in 0..2 {
            let again = run(&request, 2);
            assert!(again.stacks[0].reused);
            assert_eq!(told(&first, &request.output), told(&again, &request.output), "{preset:?}");
        }
        // Records are memories: without them the picture is made again, and is the same.
        std::fs::remove_dir_all(request.output.join(".seen")).unwrap();
        let again = run(&request, 2);
        assert!(!again.stacks[0].reused);
        assert_eq!(told(&first, &request.output), told(&again, &request.output), "{preset:?}");
        assert!(pictures(&request.output) == made);
    }
}

/// Raises the sample in the middle of a raw frame by one ADU.
fn change(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = (bytes.len() / 2) | 1;
    bytes[middle] ^= 1;
    // Not through the project's own writer: a capture program would have written it.
    #[allow(clippy::disallowed_methods, reason = "a raw frame, changed by hand")]
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_changed_byte_is_seen_anew_and_what_it_does_not_touch_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write(Preset::CmosMono, &raw);
    let request = NightRequest::new(vec![raw.clone()], dir.path().join("out"));
    run(&request, 2);
    let first = |kind: &str| {
        let entries = std::fs::read_dir(raw.join(kind)).unwrap();
        entries.map(|e| e.unwrap().path()).min().unwrap()
    };
    // Of a light its two records and the picture's; of a dark all but the flat's; of a flat all but the
    // lights' blocks, which are not divided by it.
    for (kind, left) in [("lights", 6 * 2 + 1), ("flats", 7), ("darks", 1)] {
        let before = records(&request.output);
        assert_eq!(before.len(), 7 * 2 + 2);
        change(&first(kind));
        let report = run(&request, 2);
        let after = records(&request.output);
        let same = before.iter().filter(|(path, time)| after.get(*path) == Some(time)).count();
        assert_eq!(same, left, "{kind}");
        let fresh = with(request.clone(), |n| n.output = dir.path().join(format!("fresh-{kind}")));
        let expected = run(&fresh, 2);
        assert_eq!(told(&report, &request.output), told(&expected, &fresh.output), "{kind}");
        assert!(pictures(&request.output) == pictures(&fresh.output), "{kind}");
    }
    // Noise that is told stands in the headers of masters and lights: all are others.
    let noise = photosite_pix::unit::NoiseModel::new(0.77, 5.0);
    let louder = with(request.clone(), |n| n.noise = noise);
    let before = records(&request.output);
    run(&louder, 2);
    let after = records(&request.output);
    assert_eq!(after.keys().filter(|path| before.contains_key(*path)).count(), 0);
}

#[test]
fn a_frame_changed_under_its_old_date_is_seen_though_files_are_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write(Preset::CmosMono, &raw);
    let request = NightRequest::new(vec![raw.clone()], dir.path().join("out"));
    // What was changed a moment ago is not trusted.
    std::thread::sleep(std::time::Duration::from_millis(3200));
    let keys =
        |report: &RunReport| -> Vec<_> { report.masters.iter().map(|m| m.key.clone()).collect() };
    let first = keys(&run(&request, 2));
    assert_eq!(keys(&run(&request, 2)), first);
    let bias =
        std::fs::read_dir(raw.join("bias")).unwrap().map(|e| e.unwrap().path()).min().unwrap();
    let date = std::fs::metadata(&bias).unwrap().modified().unwrap();
    change(&bias);
    std::fs::File::options().write(true).open(&bias).unwrap().set_modified(date).unwrap();
    assert_ne!(keys(&run(&request, 2)), first);
}

#[test]
fn a_preview_that_is_gone_or_cut_is_drawn_again_and_a_foreign_one_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write(Preset::CmosOsc, &raw);
    let request = NightRequest::new(vec![raw], dir.path().join("out"));
    let first = run(&request, 2);
    let png = first.stacks[0].path.with_extension("png");
    let whole = std::fs::read(&png).unwrap();
    let put = |bytes: &[u8]| {
        #[allow(clippy::disallowed_methods, reason = "a file, damaged by hand")]
        std::fs::write(&png, bytes).unwrap();
    };
    let codes = |report: &RunReport, code: &str| {
        let on_it = |f: &&photosite::Finding| f.subject == png.display().to_string();
        report.findings.iter().filter(on_it).filter(|f| f.code == code).count()
    };
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 16;
    for (what, bytes) in [("cut", &whole[..middle]), ("empty", &[][..]), ("flipped", &flipped[..])]
    {
        put(bytes);
        let report = run(&request, 2);
        assert!(report.stacks[0].reused, "{what}");
        assert_eq!(codes(&report, "product-damaged"), 1, "{what}: {:?}", report.findings);
        assert!(std::fs::read(&png).unwrap() == whole, "{what}");
    }
    std::fs::remove_file(&png).unwrap();
    let report = run(&request, 2);
    assert!(report.stacks[0].reused && std::fs::read(&png).unwrap() == whole);
    assert_eq!(report.findings.len(), first.findings.len());
    put(b"\x89PNG\r\n\x1a\n of somebody else");
    for _ in 0..2 {
        let report = run(&request, 2);
        assert!(report.stacks[0].reused);
        assert_eq!(codes(&report, "foreign-file"), 1, "{:?}", report.findings);
        assert!(std::fs::read(&png).unwrap().ends_with(b"somebody else"));
    }
}

/// A stack that a plate solver wrote into is somebody's work.
#[test]
fn a_stack_that_somebody_changed_is_kept_beside_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("raw");
    write(Preset::CmosMono, &raw);
    let request = NightRequest::new(vec![raw], dir.path().join("out"));
    let stack = run(&request, 2).stacks[0].path.clone();
    let written = std::fs::read(&stack).unwrap();
    let mut solved = written.clone();
    let at = solved.chunks(80).position(|card| card.starts_with(b"END     ")).unwrap() * 80;
    let blank = solved[at + 80..].chunks(80).take(1).all(|card| card.iter().all(|b| *b == b' '));
    assert!(blank, "room for a card");
    solved.copy_within(at..at + 80, at + 80);
    solved[at..at + 80]
        .copy_from_slice(format!("{:<80}", "PLTSOLVD=                    T").as_bytes());
    #[allow(clippy::disallowed_methods, reason = "a file, changed by another program")]
    std::fs::write(&stack, &solved).unwrap();
    let told =
        |report: &RunReport| report.findings.iter().filter(|f| f.code == "product-changed").count();
    let report = run(&winsorized(&request), 2);
    assert_eq!(told(&report), 1, "{:?}", report.findings);
    let mut aside = stack.clone().into_os_string();
    aside.push(".changed");
    assert!(std::fs::read(&aside).unwrap() == solved && std::fs::read(&stack).unwrap() != solved);
    // What nobody changed is replaced.
    let report = run(&request, 2);
    assert!(report.findings.iter().all(|f| f.code != "product-changed"), "{:?}", report.findings);
    assert!(std::fs::read(&stack).unwrap() == written);
}

/// Columns that are named as an overscan and see light are cut off, and their level is not trusted: masters of the
/// whole frame serve no more.
#[test]
fn another_area_makes_all_anew() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write(Preset::CmosMono, &raw);
    let plain = NightRequest::new(vec![raw], dir.path().join("out"));
    let cut = with(plain.clone(), |n| {
        n.overrides.overscan.regions = vec![(Rect::new(0, 0, 8, 360), None)];
    });
    for request in [&plain, &cut, &plain] {
        let report = run(request, 2);
        assert!(report.lights.iter().all(|l| l.key.is_some()), "{:?}", report.findings);
    }
}

/// A pedestal is what whole numbers need and no level of the sky, neither at first nor where lights stand already.
#[test]
fn a_pedestal_accuses_no_light() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write(Preset::CmosMono, &raw);
    let request = NightRequest::new(vec![raw], dir.path().join("out"));
    let request = with(request, |n| {
        n.keep.calibrated = true;
        n.stack = false;
        n.sample = Storage::SixteenBits(1000.0);
    });
    for turn in ["first", "again", "without its account"] {
        if turn == "without its account" {
            std::fs::remove_file(dir.path().join("out/run.json")).unwrap();
        }
        let report = run(&request, 2);
        let wrong = |l: &&LightReport| l.verdict == Some(Verdict::Wrong);
        assert_eq!(report.lights.iter().filter(wrong).count(), 0, "{turn}: {:?}", report.findings);
    }
}

/// What is told of gain and read noise stands in the masters' cards, and so in their keys.
#[test]
fn masters_tell_the_noise_of_the_run_that_used_them() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write(Preset::CmosMono, &raw);
    let first = NightRequest::new(vec![raw], dir.path().join("out"));
    run(&with(first.clone(), |n| n.stack = false), 2);
    for (output, noise) in [("out", Some((2.0, 9.0))), ("fresh", Some((2.0, 9.0))), ("out", None)] {
        let request = with(first.clone(), |n| {
            n.stack = false;
            n.output = dir.path().join(output);
            n.noise = noise.and_then(|(gain, read)| NoiseModel::new(gain, read));
        });
        let report = run(&request, 2);
        for master in &report.masters {
            let header = photosite::open::probe(&master.path).unwrap().header;
            let cards = ["EGAIN", "RDNOISE"].map(|key| header.get_f64(key));
            let wanted = noise.map(|(gain, read)| [Some(gain), Some(read)]);
            match wanted {
                Some(wanted) => assert_eq!(cards, wanted, "{output}: {}", master.path.display()),
                None => assert_ne!(cards[0], Some(2.0), "{}", master.path.display()),
            }
        }
    }
}
