//! What products say of their making is read back as it was written.

#![allow(clippy::disallowed_methods, reason = "it damages a product")]

mod night;

use std::path::{Path, PathBuf};

use photosite::provenance::{ContentHash, key_of, read};
use photosite::{Error, ErrorKind};
use photosite_file::fits::layout;
use photosite_file::probe;
use photosite_pix::Size;
use photosite_sim::{Night, Preset, Simulation};
use serde_json::json;

use night::{request, run, write_night};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "fits"));
    all.sort();
    all
}

#[test]
fn masters_lights_and_stacks_tell_what_they_were_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, out) = (dir.path().join("night"), dir.path().join("out"));
    let mut night = Night::preset(Preset::CmosMono, Size::new(256, 256), 5);
    night.counts.bias = 4;
    night.counts.darks = 4;
    night.counts.flats = 4;
    night.counts.dark_flats = 4;
    night.counts.lights = 3;
    write_night(&Simulation::new(night), &raw);
    // A name that no header card and no table cell can hold as it is.
    let dark = files(&raw.join("darks")).remove(0);
    let odd = dark.with_file_name("Dunkelbild \"groß\" 🔭.fits");
    std::fs::rename(&dark, &odd).unwrap();
    let report = run(&request(vec![raw.clone()], &out), 2);

    let mut products = files(&out.join("masters"));
    assert_eq!(products.len(), 4);
    products.extend(files(&out.join("calibrated")));
    products.extend(files(&out.join("stacks")));
    assert_eq!(products.len(), 8);
    for path in &products {
        let told = read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(Some(told.key()), key_of(&probe(path).unwrap().header));
        assert!(!told.inputs.is_empty() && told.parameters.is_object(), "{told:?}");
    }

    let master = report.masters.iter().find(|m| m.path.ends_with(master_name(&products)));
    let master = master.unwrap();
    let told = read(&master.path).unwrap();
    assert_eq!((told.product.as_str(), told.inputs.len()), ("master dark", 4));
    assert_eq!(told.parameters["maps"], json!(false));
    let input = told.inputs.iter().find(|i| Path::new(&i.name) == odd.file_name().unwrap());
    assert_eq!(input.unwrap().hash, ContentHash::of_file(&odd).unwrap());
    let stack = read(&report.stacks[0].path).unwrap();
    let lights = stack.inputs.iter().filter(|i| i.role == "raw light").count();
    assert_eq!((stack.product.as_str(), lights), ("stacked light", 3));

    let kind = |e: Error| e.kind();
    assert_eq!(read(&odd).map_err(kind), Err(ErrorKind::Unsupported), "a raw frame");
    assert_eq!(read(&out.join("none.fits")).map_err(kind), Err(ErrorKind::Io));
    let path = &master.path;
    let table = layout(path).unwrap().hdus.last().unwrap().data_offset as usize;
    let whole = std::fs::read(path).unwrap();
    let changes = [
        ("Dunkelbild", ErrorKind::Malformed),
        ("master dark", ErrorKind::Malformed),
        ("parameter maps", ErrorKind::Malformed),
        ("product", ErrorKind::Malformed),
        ("algorithm version", ErrorKind::Mismatch),
    ];
    for (text, expected) in changes {
        let mut bytes = whole.clone();
        let table = &mut bytes[table..];
        let mut at = table.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
        if expected == ErrorKind::Mismatch {
            // The number stands in the field behind its name.
            at += table[at..].iter().position(u8::is_ascii_digit).unwrap();
        }
        table[at] = b'7';
        std::fs::write(path, bytes).unwrap();
        let error = read(path).unwrap_err();
        assert_eq!(error.kind(), expected, "{text}: {error}");
    }
}

/// The file name of the master dark among the products.
fn master_name(products: &[PathBuf]) -> &Path {
    let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with("dark_");
    Path::new(products.iter().find(|p| name(p)).unwrap().file_name().unwrap())
}
