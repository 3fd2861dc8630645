//! The examples run, on a simulated night.

mod night;

use std::path::{Path, PathBuf};
use std::process::Command;

use photosite_sim::{Night, Preset, Simulation};

/// An example as Cargo built it beside this test.
fn example(name: &str) -> Command {
    let here = std::env::current_exe().unwrap();
    let folder = here.parent().and_then(Path::parent).unwrap().join("examples");
    Command::new(folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

fn run(name: &str, args: &[&Path]) -> String {
    let output = example(name).args(args).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_example_does_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("night");
    let size = photosite_pix::Size::new(256, 256);
    night::write_night(&Simulation::new(Night::preset(Preset::CmosMono, size, 3)), &folder);
    let night = folder;
    let at = |name: &str| dir.path().join(name);
    let darks = files(&night.join("darks"));
    let mut args: Vec<PathBuf> = vec![at("dark.fits")];
    args.extend(darks.iter().cloned());
    let said = run("master", &args.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    assert!(said.contains(&format!("{} frames", darks.len())), "{said}");
    let said = run("night", &[&night, &at("out")]);
    assert!(said.contains("stacks"), "{said}");
    let masters = files(&at("out/masters"));
    let of = |kind: &str| {
        let named = |p: &&PathBuf| p.file_name().unwrap().to_string_lossy().starts_with(kind);
        masters.iter().find(named).unwrap().clone()
    };
    let light = files(&night.join("lights")).remove(0);
    let said = run("one_frame", &[&light, &of("dark_"), &of("flat_"), &at("one.fits")]);
    assert!(said.contains("dark, flat"), "{said}");
    assert!(photosite_file::verify(&at("one.fits")).unwrap().is_whole());
    let said = run("library", &[&at("library"), &at("out/masters")]);
    assert!(said.contains(&format!("{} new", masters.len())), "{said}");
}
