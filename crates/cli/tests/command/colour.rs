//! From frames under a colour filter array to pictures and lines, as a person does it.

use std::path::{Path, PathBuf};

use photosite_file::atomic::Existing;
use photosite_file::fits::{FrameSpec, Sample, read_frame, read_frames, write_frame};
use photosite_pix::{Card, Frame, Header, MaskBits, Plane, Size, Unit};

use crate::common::{assert_checksums, real};
use crate::support::{expect, files, json, refused, simulate, stdout, text, write};

/// A calibrated light of a colour camera.
fn light(folder: &Path) -> PathBuf {
    let (night, out) = (folder.join("night"), folder.join("out"));
    simulate(&night, &["--preset", "cmos-osc"]);
    expect(0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    files(&out.join("calibrated")).remove(0)
}

#[test]
fn lights_become_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let light = light(dir.path());
    let (mosaic, _) = read_frame(&light).unwrap();
    for (method, size) in [
        ("auto", (96, 64)),
        ("bilinear", (96, 64)),
        ("directional", (96, 64)),
        ("superpixel", (48, 32)),
    ] {
        let picture = dir.path().join(format!("{method}.fits"));
        let args = ["debayer", text(&light), "-o", text(&picture), "--method", method, "--json"];
        let account = json(&expect(0, &args));
        assert_eq!(account["method"], if method == "auto" { "directional" } else { method });
        assert_eq!((&account["width"], &account["height"]), (&size.0.into(), &size.1.into()));
        let names: Vec<_> =
            account["planes"].as_array().unwrap().iter().map(|p| &p["plane"]).collect();
        assert_eq!(names, ["red", "green", "blue"]);
        assert_checksums(&picture);
        let (frames, header) = read_frames(&picture).unwrap();
        assert_eq!(frames.len(), 3);
        assert!(header.get("BAYERPAT").is_none() && header.get_text("CALSTAT").is_some());
        for (frame, told) in frames.iter().zip(account["planes"].as_array().unwrap()) {
            assert_eq!((frame.size().width, frame.size().height), size);
            assert!(frame.variance.as_ref().unwrap().as_slice().iter().all(|v| *v > 0.0));
            assert_eq!(told["n"], frame.data.as_slice().iter().filter(|v| v.is_finite()).count());
        }
        if method != "superpixel" {
            let own = frames[0].mask.get(0, 0);
            assert_eq!(
                (own, frames[0].data.get(0, 0)),
                (mosaic.mask.get(0, 0), mosaic.data.get(0, 0))
            );
            assert!(frames[1].mask.get(0, 0).contains(MaskBits::INTERPOLATED));
        }
        // Once more: it stands.
        let before = std::fs::read(&picture).unwrap();
        assert_eq!(json(&expect(0, &args))["reused"], true);
        assert_eq!(std::fs::read(&picture).unwrap(), before);
    }
    // A picture looks like one, in colour.
    let (picture, png) = (dir.path().join("auto.fits"), dir.path().join("auto.png"));
    expect(0, &["preview", text(&picture), "-o", text(&png)]);
    let bytes = std::fs::read(&png).unwrap();
    assert_eq!(bytes[25], 2, "a colour PNG");

    refused(
        &["debayer", text(&picture), "-o", "again.fits"],
        &["3 planes", "already a colour image"],
    );
    refused(&["debayer", text(&light), "-o", text(&light)], &["another output file"]);
    refused(&["debayer", text(&light), "-o", "x.tif"], &["FITS"]);
    let foreign = dir.path().join("notes.fits");
    write(&foreign, b"my notes");
    refused(&["debayer", text(&light), "-o", text(&foreign)], &["not made by Photosite"]);
    assert_eq!(std::fs::read(&foreign).unwrap(), b"my notes");
}

#[test]
fn lines_are_taken_out() {
    let dir = tempfile::tempdir().unwrap();
    let light = light(dir.path());
    let (mosaic, _) = read_frame(&light).unwrap();
    let name = dir.path().join("m.fits");
    let account =
        json(&expect(0, &["extract", "ha-oiii", text(&light), "-o", text(&name), "--json"]));
    let paths: Vec<&str> =
        account.as_array().unwrap().iter().map(|p| p["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [text(&dir.path().join("m_ha.fits")), text(&dir.path().join("m_oiii.fits"))]);
    let [(ha, ha_header), (oiii, oiii_header)] =
        [0, 1].map(|i| read_frame(Path::new(paths[i])).unwrap());
    assert_eq!((ha.size(), ha.size().width), (oiii.size(), 48));
    // Ha is the red samples, untouched, and nothing else.
    for y in 0..32 {
        for x in 0..48 {
            assert_eq!(ha.data.get(x, y).to_bits(), mosaic.data.get(2 * x, 2 * y).to_bits());
            assert_eq!(ha.mask.get(x, y), mosaic.mask.get(2 * x, 2 * y));
        }
    }
    assert_eq!(ha_header.get_text("FILTER").as_deref(), Some("Ha"));
    assert_eq!(oiii_header.get_text("FILTER").as_deref(), Some("OIII"));
    for header in [&ha_header, &oiii_header] {
        assert_eq!((header.get("BAYERPAT"), header.get_f64("XPIXSZ")), (None, Some(7.52)));
    }
    // Both colours together are quieter than green alone.
    let noise = |account: &serde_json::Value| account[0]["planes"][0]["noise"].as_f64().unwrap();
    let green = dir.path().join("green.fits");
    let green = json(&expect(0, &["extract", "green", text(&light), "-o", text(&green), "--json"]));
    let both = dir.path().join("oiii.fits");
    let both = json(&expect(0, &["extract", "oiii", text(&light), "-o", text(&both), "--json"]));
    assert!(noise(&both) < 0.95 * noise(&green), "{} {}", noise(&both), noise(&green));
    let mono = dir.path().join("m_ha.fits");
    refused(&["extract", "ha", text(&mono), "-o", "x.fits"], &["no colour filter array"]);
    let told = stdout(&expect(0, &["extract", "ha", text(&light), "-o", text(&mono)]));
    assert!(told.contains("exists already"), "{told}");
}

#[test]
fn every_format_gives_the_same_colours() {
    let dir = tempfile::tempdir().unwrap();
    let light = light(dir.path());
    let rgb = dir.path().join("rgb.fits");
    expect(0, &["debayer", text(&light), "-o", text(&rgb)]);
    let (expected, _) = read_frames(&rgb).unwrap();
    for ending in ["xisf", "tif"] {
        let converted = dir.path().join(format!("light.{ending}"));
        expect(0, &["convert", text(&light), "-o", text(&converted)]);
        let rgb = dir.path().join(format!("{ending}.fits"));
        expect(0, &["debayer", text(&converted), "-o", text(&rgb)]);
        let (got, _) = read_frames(&rgb).unwrap();
        for (a, b) in expected.iter().zip(&got) {
            let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits();
            assert!(a.data.as_slice().iter().zip(b.data.as_slice()).all(|(a, b)| same(a, b)));
            assert!(b.variance.is_none());
        }
    }
}

#[test]
fn a_camera_raw_becomes_a_picture() {
    let Some(data) = real("colorchart.dng") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (raw, rgb) = (data.join("raw/colorchart.dng"), dir.path().join("rgb.fits"));
    let account = json(&expect(0, &["debayer", text(&raw), "-o", text(&rgb), "--json"]));
    // The part that sees light.
    assert_eq!((&account["width"], &account["height"]), (&1734.into(), &1156.into()));
    let (frames, _) = read_frames(&rgb).unwrap();
    // The chart's patches against its white one, above the camera's black level of 2048 ADU: each is
    // strongest in its own colour. A wrong phase of the array would show here.
    let patch = |x0: usize, y0: usize| {
        [0, 1, 2].map(|c: usize| {
            let place = (0..400).map(|i| (x0 + i % 20, y0 + i / 20));
            place.map(|(x, y)| frames[c].data.get(x, y) - 2048.0).sum::<f32>() / 400.0
        })
    };
    let white = patch(694, 920);
    for (name, at, color) in
        [("red", (916, 804), 0), ("green", (806, 812), 1), ("blue", (702, 814), 2)]
    {
        let seen = patch(at.0, at.1);
        let relative: Vec<f32> = seen.iter().zip(&white).map(|(v, w)| v / w).collect();
        let strongest = |other: usize| other == color || relative[color] > 1.3 * relative[other];
        assert!((0..3).all(strongest), "{name}: {relative:?}");
    }
}

/// A picture that was cut out at an odd column while its header kept the array.
#[test]
fn a_wrong_array_is_doubted() {
    let Some(data) = real("solved.fits.fz") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (cut, rgb) = (data.join("odd/solved.fits.fz"), dir.path().join("rgb.fits"));
    let account = json(&expect(0, &["debayer", text(&cut), "-o", text(&rgb), "--json"]));
    assert_eq!(account["findings"][0]["code"], "cfa-phase-doubtful");
    let chart = data.join("raw/colorchart.dng");
    let rgb = dir.path().join("chart.fits");
    let account = json(&expect(0, &["debayer", text(&chart), "-o", text(&rgb), "--json"]));
    assert_eq!(account["findings"], serde_json::json!([]));
}

/// A picture without a star through `filter`, with these world coordinates.
fn starless(path: &Path, filter: &str, object: &str, crpix: f64) {
    let mut header = Header::new();
    let text =
        [("FILTER", filter), ("OBJECT", object), ("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN")];
    text.into_iter().for_each(|(key, value)| header.set(Card::string(key, value, "")));
    let numbers = [
        ("CRPIX1", crpix),
        ("CRPIX2", 100.0),
        ("CRVAL1", 10.7),
        ("CRVAL2", 41.3),
        ("CD1_1", -2.8e-4),
        ("CD1_2", 0.0),
        ("CD2_1", 0.0),
        ("CD2_2", 2.8e-4),
    ];
    numbers.into_iter().for_each(|(key, value)| header.set(Card::real(key, value, "")));
    let level = filter.len() as f32 * 10.0 + f32::from(filter.as_bytes()[0]);
    let data = Plane::from_fn(Size::new(256, 200), |x, y| {
        let noise = ((x * 7919 + y * 104_729) % 101) as f32 / 101.0 - 0.5;
        level + noise + 20.0 * (-((x as f32 - 120.0) / 60.0).powi(2)).exp()
    });
    let frame = Frame::new(data, Unit::Adu);
    let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
    write_frame(path, &[&frame], spec, Existing::Replace).unwrap();
}

#[test]
fn pictures_without_stars_are_composed_where_they_share_a_grid() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for filter in ["R", "G", "B"] {
        starless(&at(&format!("{filter}.fits")), filter, "M31", 128.0);
    }
    let compose = |status: i32, last: &str, out: &str| {
        let (red, green, last, out) = (at("R.fits"), at("G.fits"), at(last), at(out));
        let args = ["compose", text(&red), text(&green), text(&last), "-o", text(&out), "--json"];
        expect(status, &args)
    };
    let codes = |output: &std::process::Output| -> Vec<String> {
        let account = json(output);
        let all = account["findings"].as_array().unwrap().iter();
        all.map(|f| f["code"].as_str().unwrap().to_owned()).collect()
    };
    let made = compose(0, "B.fits", "rgb.fits");
    assert_eq!(codes(&made), ["compose-unbalanced"]);
    let (frames, _) = read_frames(&at("rgb.fits")).unwrap();
    // The nebula is where it was, in every channel.
    for frame in &frames {
        let lift = frame.data.get(120, 100) - frame.data.get(5, 100);
        assert!((lift - 20.0).abs() < 2.0, "{lift}");
    }
    // Of the others' errors alone, a picture would seem better known than it is.
    let (mut known, header) = read_frame(&at("R.fits")).unwrap();
    known.variance = Some(Plane::filled(known.size(), 1.0));
    let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
    write_frame(&at("R.fits"), &[&known], spec, Existing::Replace).unwrap();
    compose(0, "B.fits", "partly-known.fits");
    let (frames, _) = read_frames(&at("partly-known.fits")).unwrap();
    assert!(frames.iter().all(|f| f.variance.is_none()));
    // A picture does not take the place of what it was made of.
    expect(0, &["stack", text(&at("B.fits")), "-o", text(&at("stack.fits"))]);
    let stack = std::fs::read(at("stack.fits")).unwrap();
    let told = crate::support::stderr(&compose(2, "stack.fits", "stack.fits"));
    assert!(told.contains("stacked light"), "{told}");
    for picture in ["stack.fits", "R.fits"] {
        let (picture, target) = (at(picture), at("stack.fits"));
        refused(&["preview", text(&picture), "-o", text(&target)], &["stacked light"]);
    }
    assert!(std::fs::read(at("stack.fits")).unwrap() == stack);
    starless(&at("moved.fits"), "B", "M31", 131.0);
    let told = crate::support::stderr(&compose(2, "moved.fits", "moved-rgb.fits"));
    assert!(told.contains("cannot be laid over"), "{told}");
    starless(&at("other.fits"), "B", "NGC 7000", 128.0);
    let told = codes(&compose(0, "other.fits", "other-rgb.fits"));
    assert!(told.iter().any(|c| c == "stack-mixed"), "{told:?}");
}
