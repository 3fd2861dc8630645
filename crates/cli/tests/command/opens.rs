//! Every kind of product opens in the programs that people use, with the right numbers.

use std::path::{Path, PathBuf};
use std::process::Command;

use photosite_file::fits::read_frames;
use photosite_pix::stat;

use crate::common::skip::skip;
use crate::support::{
    expect, files, python_has, run, simulate, stderr, stdout, text, visible, write,
};

/// One product of each kind.
struct Products {
    of: Vec<(&'static str, PathBuf)>,
    _dir: tempfile::TempDir,
}

fn first(folder: &Path, part: &str) -> PathBuf {
    let is_it = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy();
        name.starts_with(part) && name.ends_with(".fits")
    };
    visible(folder).into_iter().find(is_it).unwrap_or_else(|| panic!("no {part} in {folder:?}"))
}

impl Products {
    fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for preset in ["mono", "osc"] {
            let (night, out) = (at(&format!("night-{preset}")), at(preset));
            let camera = format!("cmos-{preset}");
            let size = ["--width", "256", "--height", "192", "--lights", "6"];
            simulate(&night, &[&["--preset", &camera], &size[..]].concat());
            let keep = ["--keep", "calibrated,registered"];
            expect(0, &[&["run", text(&night), "-o", text(&out)], &keep[..]].concat());
        }
        // A light of which nobody says how noisy it is.
        let raw = files(&at("night-mono/lights")).remove(0);
        let mut bytes = std::fs::read(raw).unwrap();
        let card = bytes.windows(8).position(|w| w == b"EGAIN   ").unwrap();
        bytes[card] = b'X';
        let (silent, without) = (at("silent.fits"), at("without"));
        write(&silent, &bytes);
        let dark = first(&at("mono/masters"), "dark_");
        expect(0, &["calibrate", text(&silent), "--dark", text(&dark), "-o", text(&without)]);
        let (maps, drizzled) = (at("maps.fits"), at("drizzled.fits"));
        let register = ["--register", "--maps"];
        let of = |preset: &str| text(&at(preset)).to_owned() + "/calibrated";
        expect(0, &[&["stack", &of("mono"), "-o", text(&maps)], &register[..]].concat());
        let drizzle = ["--register", "--drizzle", "2"];
        expect(0, &[&["stack", &of("osc"), "-o", text(&drizzled)], &drizzle[..]].concat());
        let of = vec![
            ("bias", first(&at("mono/masters"), "bias_")),
            ("dark", dark),
            ("dark flat", first(&at("mono/masters"), "dark-flat_")),
            ("flat", first(&at("mono/masters"), "flat_")),
            ("flat, colour", first(&at("osc/masters"), "flat_")),
            ("calibrated, with ERR", first(&at("mono/calibrated"), "Light_")),
            ("calibrated, without ERR", first(&without, "silent")),
            ("registered", first(&at("mono/registered"), "Light_")),
            ("registered, colour", first(&at("osc/registered"), "Light_")),
            ("stack, mono", first(&at("mono/stacks"), "M00_")),
            ("stack, colour", first(&at("osc/stacks"), "M00_")),
            ("drizzled", drizzled),
            ("maps", maps),
        ];
        Self { of, _dir: dir }
    }

    /// The median of each plane of an image, what is missing left out.
    fn medians(path: &Path) -> Vec<f64> {
        let (frames, _) = read_frames(path).unwrap();
        frames.iter().map(|f| f64::from(stat::median(f.data.as_slice()))).collect()
    }

    fn has(path: &Path, name: &str) -> bool {
        let hdus = photosite_file::probe(path).unwrap().hdus;
        hdus.iter().any(|h| h.name.as_deref() == Some(name))
    }
}

#[test]
fn every_kind_of_product_loads_in_siril_with_the_right_median() {
    if !Command::new("siril-cli").arg("--version").output().is_ok_and(|o| o.status.success()) {
        skip("siril-cli", "siril-cli is not here");
        return;
    }
    let products = Products::make();
    let script = products._dir.path().join("load.ssf");
    let mut lines = "requires 1.0.0\n".to_owned();
    for (i, (_, path)) in products.of.iter().enumerate() {
        // Siril splits lines at blanks, and stacks that are stretched are looked at as well.
        let short = products._dir.path().join(format!("p{i}.fits"));
        std::fs::copy(path, &short).unwrap();
        lines += &format!("load {}\nstat\n", text(&short));
        lines += &format!("asinh 100\nsavepng {}\n", text(&short.with_extension("")));
    }
    write(&script, lines.as_bytes());
    let ran = Command::new("siril-cli").arg("-s").arg(&script).output().unwrap();
    let said = stdout(&ran) + &stderr(&ran);
    let loaded: Vec<&str> = said.split("Reading FITS: file ").skip(1).collect();
    assert_eq!(loaded.len(), products.of.len(), "{said}");
    for (i, (kind, path)) in products.of.iter().enumerate() {
        let expected = Products::medians(path);
        // It takes samples of about 1 for a share of what 16 bits hold.
        let unit = if kind.starts_with("flat") { 65535.0 } else { 1.0 };
        let number = |line: &str, name: &str| -> f64 {
            let from = line.split_once(name).unwrap().1;
            from.split([',', '\n']).next().unwrap().trim().parse().unwrap()
        };
        let layers: Vec<&str> = loaded[i].lines().filter(|l| l.contains("Median:")).collect();
        assert_eq!(layers.len(), expected.len(), "{kind}: {}", loaded[i]);
        for (layer, median) in layers.iter().zip(&expected) {
            let theirs = number(layer, "Median:") / unit;
            // It counts what is missing in a registered light, a hundredth of it, as samples.
            let most = 1e-5 * median + 0.05 / unit;
            assert!((theirs - median).abs() < most, "{kind}: {theirs} {median}");
            if !kind.starts_with("flat") {
                let [mean, sigma] = ["Mean:", "Sigma:"].map(|name| number(layer, name));
                assert!(mean.is_finite() && sigma > 0.0, "{kind}: {layer}");
            }
        }
        if kind.starts_with("stack") {
            assert!(products._dir.path().join(format!("p{i}.png")).exists(), "{kind}: {said}");
        }
        println!("{kind}: {expected:?} {layers:?}");
    }
}

/// Opens each product as astropy does and as docs/coming-from.md says, and compares with what we read.
const ASTROPY: &str = r#"
import json, sys, warnings
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
import ccdproc
warnings.simplefilter("error")
with open(sys.argv[1]) as f:
    lines = json.load(f)
for line in lines:
    kind, path, medians, converted = line["kind"], line["path"], line["medians"], line["converted"]
    with fits.open(path, checksum=True) as f:
        f.verify("exception")
        planes = f[0].data.reshape((-1,) + f[0].data.shape[-2:])
        ours = [float(np.nanmedian(p)) for p in planes]
        assert np.allclose(ours, medians, rtol=1e-6, atol=1e-6), (kind, ours, medians)
        assert ("ERR" in f) == line["err"], kind
        err = StdDevUncertainty(f["ERR"].data) if "ERR" in f else None
        ccd = CCDData(f[0].data, unit="adu", header=f[0].header, uncertainty=err,
                      mask=f["DQ"].data != 0)
        assert ccd.mask.shape == ccd.data.shape and ccd.unit == "adu", kind
        if err is not None and planes.shape[0] == 1:
            # What ccdproc does with it carries the uncertainty along.
            less = ccdproc.subtract_bias(ccd, CCDData(np.ones_like(ccd.data), unit="adu"))
            assert np.allclose(less.data, ccd.data - 1, equal_nan=True), kind
            assert less.uncertainty is not None, kind
        read = CCDData.read(converted, unit=None)
        assert np.array_equal(read.data, ccd.data, equal_nan=True), kind
        # MASK is what is not to be used; DQ tells of mended samples besides.
        assert not (read.mask & ~ccd.mask).any(), kind
        if err is not None:
            assert isinstance(read.uncertainty, StdDevUncertainty), kind
            assert np.array_equal(read.uncertainty.array, err.array, equal_nan=True), kind
        for name in line["maps"]:
            assert f[name].data.shape == f[0].data.shape, (kind, name)
    print("opened", kind)
"#;

#[test]
fn every_kind_of_product_opens_in_astropy_and_ccdproc() {
    if !python_has("ccdproc", "import astropy, ccdproc") {
        return;
    }
    let products = Products::make();
    let mut all = Vec::new();
    for (i, (kind, path)) in products.of.iter().enumerate() {
        let converted = products._dir.path().join(format!("c{i}.fits"));
        let astropy = ["--extensions", "astropy"];
        expect(0, &[&["convert", text(path), "-o", text(&converted)], &astropy[..]].concat());
        let err = Products::has(path, "ERR");
        assert!(err || !kind.starts_with("calibrated, with ERR"), "{kind}");
        assert!(!err || *kind != "calibrated, without ERR", "{kind}");
        let maps = if *kind == "maps" { vec!["COVERAGE", "REJLOW", "REJHIGH"] } else { vec![] };
        all.push(serde_json::json!({
            "kind": kind, "path": path, "medians": Products::medians(path), "err": err,
            "converted": converted, "maps": maps,
        }));
    }
    let list = products._dir.path().join("list.json");
    write(&list, &serde_json::to_vec(&all).unwrap());
    let ran = Command::new("python3").args(["-c", ASTROPY, text(&list)]).output().unwrap();
    assert!(ran.status.success(), "{}", stderr(&ran));
    let opened = stdout(&ran).lines().filter(|line| line.starts_with("opened ")).count();
    assert_eq!(opened, products.of.len());
}

/// Stacks of several filters, as XISF and TIFF: one scale for all.
const SCALES: &str = r#"
import sys
import numpy as np
from xisf import XISF
import tifffile
from astropy.io import fits
bounds = set()
for path in sys.argv[1:]:
    ours = fits.getdata(path)
    file = XISF(path.replace(".fits", ".xisf"))
    image = file.read_image(0)
    image = image[:, :, 0] if ours.ndim == 2 else np.moveaxis(image, 2, 0)
    assert np.array_equal(image, ours, equal_nan=True), path
    bounds.add(file.get_images_metadata()[0]["bounds"])
    theirs = tifffile.imread(path.replace(".fits", ".tif"))
    theirs = theirs if ours.ndim == 2 else np.moveaxis(theirs, 2, 0)
    assert np.allclose(theirs * 65535, ours, rtol=1e-6, equal_nan=True), path
assert bounds == {"0:65535"}, bounds
print(len(sys.argv) - 1)
"#;

#[test]
fn stacks_of_several_filters_are_on_one_scale_in_xisf_and_tiff() {
    if !python_has("python", "import xisf, tifffile, astropy, numpy") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    let size = ["--width", "320", "--height", "240"];
    expect(0, &[&["simulate", "-o", text(&night), "--layout", "nina"], &size[..]].concat());
    // A light or two of such small ones may not be registered.
    let made = run(&["run", text(&night), "-o", text(&out), "--no-library", "--quiet"]);
    assert!(matches!(made.status.code(), Some(0 | 1)), "{}", stderr(&made));
    let of = |p: &PathBuf| p.extension().is_some_and(|x| x == "fits");
    let stacks: Vec<PathBuf> = visible(&out.join("stacks")).into_iter().filter(of).collect();
    assert!(stacks.len() > 5, "{stacks:?}");
    // Each target has a sky of its own.
    let of = |target: &str| text(&first(&out.join("stacks"), target)).to_owned();
    let laid = run(&["register", &of("M31_L"), &of("NGC7000_L"), "--json"]);
    assert!(
        stdout(&laid).contains("registration-failed") || stderr(&laid).contains("could not be")
    );
    let folder = text(&out.join("stacks")).to_owned() + "/";
    let names: Vec<&str> = stacks.iter().map(|p| text(p)).collect();
    for more in [&["--to", "xisf"][..], &["--to", "tif", "--range", "adu16"]] {
        expect(0, &[&["convert"], &names[..], &["-o", &folder], more].concat());
    }
    let ran = Command::new("python3").args(["-c", SCALES]).args(&stacks).output().unwrap();
    assert!(ran.status.success(), "{}", stderr(&ran));
    assert_eq!(stdout(&ran).trim(), stacks.len().to_string());
}
