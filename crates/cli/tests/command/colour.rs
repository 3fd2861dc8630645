//! From frames under a colour filter array to pictures and lines, as a person does it.

use std::path::{Path, PathBuf};

use photosite_file::fits::{read_frame, read_frames};
use photosite_pix::MaskBits;

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
