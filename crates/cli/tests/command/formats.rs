//! Frames in other formats than FITS: in, out, and through a whole night.

use std::path::{Path, PathBuf};
use std::process::Command;

use photosite_file::{keyword, read_image};

use crate::support::{
    expect, json, python_has, refused, simulate, stderr, stdout, text, visible, write,
};

/// A file beside `path` of another ending.
fn other(path: &Path, ending: &str) -> PathBuf {
    path.with_extension(ending)
}

fn bits(path: &Path) -> Vec<u32> {
    read_image(path).unwrap().0.as_slice().iter().map(|v| v.to_bits()).collect()
}

/// A simulated night and what `run` makes of it.
fn night(folder: &Path, preset: &str) -> (PathBuf, PathBuf) {
    let (night, out) = (folder.join("night"), folder.join("out"));
    simulate(&night, &["--preset", preset]);
    expect(0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    (night, out)
}

#[test]
fn what_is_converted_reads_back_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = night(dir.path(), "cmos-osc");
    let raw = night.join("lights/Light_M00_60.0s_0001.fits");
    let flat = visible(&out.join("masters")).into_iter().find(|p| text(p).contains("flat_"));
    for path in [raw, out.join("calibrated/Light_M00_60.0s_0001.fits"), flat.unwrap()] {
        let was = keyword::read(&read_image(&path).unwrap().1).metadata;
        for ending in ["xisf", "tif"] {
            let made = other(&path, ending);
            let told = json(&expect(0, &["convert", text(&path), "-o", text(&made), "--json"]));
            assert_eq!((&told["clipped_below"], &told["blank"]), (&0.into(), &0.into()));
            assert!(bits(&made) == bits(&path), "{}", made.display());
            let is = keyword::read(&read_image(&made).unwrap().1).metadata;
            assert_eq!((is.kind, is.exposure_s, is.temp_c), (was.kind, was.exposure_s, was.temp_c));
            assert_eq!(
                (is.cfa, is.gain_setting, is.filter),
                (was.cfa, was.gain_setting, was.filter.clone())
            );
            assert_eq!(
                (is.applied, is.is_master, is.date_obs),
                (was.applied, was.is_master, was.date_obs.clone())
            );
            // And back, and again: the same bytes.
            let back = made.with_file_name(format!("back-{ending}.fits"));
            expect(0, &["convert", text(&made), "-o", text(&back)]);
            assert!(bits(&back) == bits(&path));
            let before = std::fs::read(&made).unwrap();
            refused(&["convert", text(&path), "-o", text(&made)], &["already exists"]);
            assert_eq!(std::fs::read(&made).unwrap(), before);
            std::fs::remove_file(&made).unwrap();
            expect(0, &["convert", text(&path), "-o", text(&made)]);
            assert_eq!(std::fs::read(&made).unwrap(), before);
            std::fs::remove_file(&back).unwrap();
        }
        refused(
            &["convert", text(&path), "-o", text(&dir.path().join("a.fits"))],
            &["FITS already"],
        );
        refused(&["convert", text(&path), "-o", text(&dir.path().join("a.png"))], &[".xisf"]);
    }
    assert!(!dir.path().join("a.fits").exists() && !dir.path().join("a.png").exists());
}

#[test]
fn the_image_alone_is_written_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let (_, out) = night(dir.path(), "cmos-osc");
    let flat = visible(&out.join("masters")).into_iter().find(|p| text(p).contains("flat_"));
    for path in [out.join("calibrated/Light_M00_60.0s_0001.fits"), flat.unwrap()] {
        let plain = dir.path().join("plain.fits");
        expect(0, &["convert", text(&path), "-o", text(&plain), "--image-only"]);
        let probe = photosite_file::probe(&plain).unwrap();
        assert_eq!(probe.hdus.len(), 1);
        assert!(photosite_file::verify(&plain).unwrap().is_whole());
        assert!(bits(&plain) == bits(&path));
        let was = photosite_file::probe(&path).unwrap().header;
        for key in ["OBJECT", "FILTER", "EXPTIME", "BUNIT", "CALSTAT", "IMAGETYP", "DATE-OBS"] {
            assert_eq!(probe.header.get(key), was.get(key), "{key}");
        }
        for key in ["EXTEND", "NEXTEND"] {
            assert_eq!(probe.header.get(key), None, "{key}");
        }
        let told = probe.header.history().any(|h| h.contains("not copied: DQ, ERR, PROVENANCE"));
        assert!(told, "the header says what is missing");
        refused(&["convert", text(&path), "-o", text(&plain), "--image-only"], &["exists"]);
        std::fs::remove_file(&plain).unwrap();
    }
}

#[test]
fn a_pedestal_is_written_down_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let (_, out) = night(dir.path(), "cmos-mono");
    let light = out.join("calibrated/Light_M00_60.0s_0001.fits");
    let (was, _) = read_image(&light).unwrap();
    for (ending, next) in [("xisf", "tif"), ("tif", "xisf")] {
        let made = other(&light, ending);
        let how = ["--format", "u16", "--pedestal", "500"];
        expect(0, &[&["convert", text(&light), "-o", text(&made)][..], &how[..]].concat());
        let (is, header) = read_image(&made).unwrap();
        assert_eq!(keyword::read(&header).metadata.pedestal_adu, Some(500.0), "{ending}");
        let near = |(a, b): (&f32, &f32)| (a - 500.0 - b).abs() <= 0.5 || b.is_nan();
        assert!(is.as_slice().iter().zip(was.as_slice()).all(near), "{ending}");
        // The samples keep it as the header does.
        for format in ["u16", "f32"] {
            let kept = dir.path().join(format!("{format}.{next}"));
            expect(0, &["convert", text(&made), "-o", text(&kept), "--format", format]);
            let pedestal = keyword::read(&read_image(&kept).unwrap().1).metadata.pedestal_adu;
            assert_eq!((bits(&kept), pedestal), (bits(&made), Some(500.0)), "{format}.{next}");
        }
        let again = dir.path().join(format!("twice.{ending}"));
        refused(
            &[&["convert", text(&made), "-o", text(&again)][..], &how[..]].concat(),
            &["already"],
        );
    }
}

#[test]
fn a_pedestal_is_no_part_of_the_sky() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let verdicts = |more: &[&str]| -> Vec<String> {
        let args = ["run", "--no-stack", text(&night), "-o", text(&out), "--json"];
        let told = json(&expect(0, &[&args[..], more].concat()));
        let lights = told["lights"].as_array().unwrap().iter();
        lights.map(|l| l["verdict"].as_str().unwrap().to_owned()).collect()
    };
    let plain = verdicts(&[]);
    let how = ["--format", "u16", "--pedestal", "1000"];
    assert_eq!(verdicts(&how), plain);
    // Where they stand already, too.
    std::fs::remove_file(out.join("run.json")).unwrap();
    assert_eq!(verdicts(&how), plain);
}

#[test]
fn a_night_of_another_format_gives_the_same_light() {
    for (preset, ending) in [("cmos-osc", "xisf"), ("ccd", "tif")] {
        let dir = tempfile::tempdir().unwrap();
        let (night, out) = night(dir.path(), preset);
        let (theirs, made) = (dir.path().join("theirs"), dir.path().join("made"));
        for path in visible(&night) {
            let inside = path.strip_prefix(&night).unwrap();
            if inside.starts_with("truth") || inside.extension().is_none_or(|e| e != "fits") {
                continue;
            }
            let to = theirs.join(inside).with_extension(ending);
            expect(0, &["convert", text(&path), "-o", text(&to)]);
        }
        expect(0, &["run", "--no-stack", text(&theirs), "-o", text(&made)]);
        let products = |folder: &Path| -> Vec<PathBuf> {
            visible(folder)
                .into_iter()
                .filter(|p| p.extension().is_some_and(|e| e == "fits"))
                .collect()
        };
        let (a, b) = (products(&out), products(&made));
        assert_eq!((a.len(), b.len()), (7, 7), "{ending}");
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.file_name(), b.file_name());
            assert!(bits(a) == bits(b), "{ending}: {} differs", b.display());
        }
    }
}

/// Opens what was written with the programs that others use, and compares the samples.
const SCRIPT: &str = r#"
import sys
import numpy as np
from xisf import XISF
import tifffile
from astropy.io import fits
for path in sys.argv[1:]:
    data = np.fromfile(path + ".data", "<f4")
    if path.endswith(".xisf"):
        file = XISF(path)
        image = file.read_image(0)[:, :, 0]
        meta = file.get_images_metadata()[0]
        assert meta["FITSKeywords"]["EXPTIME"][0]["value"].strip(), meta
        if image.dtype == np.float32:
            low, high = [float(v) for v in meta["bounds"].split(":")]
            # One scale for every file of a night, whatever its own samples are.
            assert (low, high) == (0, 65535), (low, high)
    elif path.endswith(".tif"):
        with tifffile.TiffFile(path) as file:
            image = file.asarray()
            assert "EXPTIME" in file.pages[0].description
    else:
        with fits.open(path, checksum=True) as file:
            file.verify("exception")
            image = file[0].data
    assert np.array_equal(image.astype("<f4").ravel(), data, equal_nan=True), path
print("compared", len(sys.argv) - 1)
"#;

#[test]
fn what_is_written_opens_in_the_programs_of_others() {
    if !python_has("python", "import xisf, tifffile, astropy, numpy") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = night(dir.path(), "cmos-osc");
    let mut made = Vec::new();
    for path in [
        night.join("lights/Light_M00_60.0s_0001.fits"),
        out.join("calibrated/Light_M00_60.0s_0001.fits"),
    ] {
        for ending in ["xisf", "tif"] {
            made.push(other(&path, ending));
            expect(0, &["convert", text(&path), "-o", text(&made[made.len() - 1])]);
        }
        let back = other(&path, "back.fits");
        expect(0, &["convert", text(&made[made.len() - 1]), "-o", text(&back)]);
        made.push(back);
    }
    for path in &made {
        let (image, _) = read_image(path).unwrap();
        let raw: Vec<u8> = image.as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
        write(&PathBuf::from(format!("{}.data", text(path))), &raw);
    }
    let output = Command::new("python3").args(["-c", SCRIPT]).args(&made).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    println!("{}", stdout(&output).trim());
}
