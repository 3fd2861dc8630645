//! From lights to one picture, as a person does it.

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{FitsWriter, ImageSpec, Sample, read_frame};
use photosite_file::{planes_of, probe};

use crate::common::assert_checksums;
use crate::support::{expect, files, json, refused, simulate, stdout, text};

fn frames(account: &serde_json::Value) -> &[serde_json::Value] {
    account["frames"].as_array().unwrap()
}

#[test]
fn lights_are_listed_registered_and_stacked() {
    let dir = tempfile::tempdir().unwrap();
    let (night, stack) = (dir.path().join("night"), dir.path().join("stack.fits"));
    simulate(&night, &["--width", "512", "--height", "400", "--lights", "5"]);
    let lights = files(&night.join("lights"));
    let names: Vec<&str> = lights.iter().map(|p| text(p)).collect();

    let stars = json(&expect(0, &["stars", names[0], "--json"]));
    let found = stars["stars"].as_array().unwrap().len();
    assert!(found > 20 && stars["count"] == found, "{found}");
    let csv = stdout(&expect(0, &["stars", names[0], "--csv"]));
    assert_eq!(csv.lines().count(), found + 1);

    let register = json(&expect(0, &[&["register", "--json"], &names[..]].concat()));
    for frame in frames(&register) {
        assert_eq!(frame["used"], true);
        // Raw lights with faint stars; that of bright ones is in the truth tests.
        assert!(frame["residual_px"].as_f64().unwrap() < 0.5, "{frame}");
        assert!(frame["n_matched"].as_u64().unwrap() >= 6);
    }

    let args = ["stack", "-o", text(&stack), "--register", "--maps", "--json"];
    for normalize in ["additive-scale", "equalised-fluxes"] {
        let more = ["--normalize", normalize];
        let account = json(&expect(0, &[&args[..], &more, &names].concat()));
        assert_eq!(account["lights"].as_array().unwrap().len(), 5);
        assert!(account["noise_gain"].as_f64().unwrap() > 1.8, "{account}");
        assert_checksums(&stack);
    }
    // A copy under another name counts once, and is named.
    let copy = dir.path().join("copy.fits");
    std::fs::copy(&lights[0], &copy).unwrap();
    let account = json(&expect(0, &[&args[..], &names[..], &[text(&copy)]].concat()));
    assert_eq!(account["lights"].as_array().unwrap().len(), 5);
    assert_eq!(account["findings"][0]["code"], "duplicate");
    std::fs::remove_file(&copy).unwrap();
    // By their headers: one that does not say where it lies is left out and named.
    let by_sky =
        json(&expect(0, &[&["register", "--align", "wcs", "--json"], &names[..]].concat()));
    for (stars, sky) in frames(&register).iter().zip(frames(&by_sky)) {
        assert_eq!((sky["by"].as_str(), sky["model"].as_str()), (Some("wcs"), Some("similarity")));
        assert!(sky["residual_px"].as_f64().unwrap() < 1e-6, "{sky}");
        for axis in 0..2 {
            let shift = |frame: &serde_json::Value| frame["shift_px"][axis].as_f64().unwrap();
            assert!((shift(stars) - shift(sky)).abs() < 0.2, "{stars} {sky}");
        }
    }
    let mut unsolved = std::fs::read(names[2]).unwrap();
    let card = unsolved.windows(6).position(|w| w == b"CTYPE1").unwrap();
    unsolved[card..card + 6].copy_from_slice(b"XTYPE1");
    write_bytes(&lights[2], &unsolved, Existing::Replace).unwrap();
    let account = json(&expect(1, &[&args[..], &["--align", "wcs"], &names].concat()));
    assert_eq!(account["findings"].as_array().unwrap().len(), 1);
    let finding = &account["findings"][0];
    assert_eq!(
        (finding["code"].as_str(), finding["subject"].as_str()),
        (Some("wcs-missing"), Some(names[2]))
    );
    let used = account["lights"].as_array().unwrap().iter().filter(|l| l["used"] == true);
    assert_eq!(used.count(), 4);
    refused(
        &[&args[..], &["--align", "wcs", "--reference", names[2]], &names].concat(),
        &[names[2], "no world coordinates"],
    );
    // Nothing is written but the stack.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    // Of a folder its lights are taken.
    let told = json(&expect(0, &[&args[..], &[text(&night.join("lights"))]].concat()));
    assert_eq!(told["lights"].as_array().map(Vec::len), Some(5), "{told}");
    // A product of another kind is no older stack, and what calls itself a bias no light.
    let [master, flats] = ["bias.fits", "flats.fits"].map(|n| dir.path().join(n));
    let biases = files(&night.join("bias"));
    let biases: Vec<&str> = biases.iter().map(|p| text(p)).collect();
    let codes = |args: &[&str]| -> Vec<String> {
        let told = json(&expect(0, &[args, &biases].concat()));
        let all = told["findings"].as_array().unwrap().iter();
        all.map(|f| f["code"].as_str().unwrap().to_owned()).collect()
    };
    assert!(codes(&["master", "bias", "-o", text(&master), "--json"]).is_empty());
    let as_flats = codes(&["master", "flat", "-o", text(&flats), "--json"]);
    assert!(as_flats.contains(&"kind-contradicts".to_owned()), "{as_flats:?}");
    refused(
        &[&["stack", "-o", text(&master)], &names[..]].concat(),
        &[text(&master), "is a master bias, which no stacked light takes the place of"],
    );
}

/// Writes a light as programs do whose samples run from 0 to 1.
fn write_full_scale(from: &std::path::Path, to: &std::path::Path) {
    let plane = planes_of(&*photosite_file::open(from).unwrap()).unwrap().remove(0);
    let samples: Vec<f32> = plane.as_slice().iter().map(|v| v / 65_535.0).collect();
    let mut header = probe(from).unwrap().header;
    for card in ["BZERO", "BSCALE", "BUNIT", "CHECKSUM", "DATASUM"] {
        header.remove(card);
    }
    let size = plane.size();
    let spec = ImageSpec { name: None, size, planes: 1, sample: Sample::F32, header };
    let writer = FitsWriter::create(to, vec![spec], Vec::new(), Existing::Refuse).unwrap();
    writer.write_rows(0, 0, 0, &samples).unwrap();
    writer.finish().unwrap();
}

#[test]
fn lights_from_zero_to_one_count_as_those_in_adu() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    simulate(&night, &["--width", "512", "--height", "400", "--lights", "4"]);
    let lights = files(&night.join("lights"));
    let scaled: Vec<_> = (0..lights.len()).map(|i| dir.path().join(format!("{i}.fits"))).collect();
    lights.iter().zip(&scaled).for_each(|(from, to)| write_full_scale(from, to));
    let stacked = |full_scale: usize| {
        let of = scaled[..full_scale].iter().chain(&lights[full_scale..]);
        let named: Vec<&str> = of.map(|p| text(p)).collect();
        let stack = dir.path().join(format!("stack-{full_scale}.fits"));
        // One picture whichever of them were written so.
        let reference = ["--reference", named[3]];
        let args = ["stack", "-o", text(&stack), "--register", "--json"];
        let account = json(&expect(0, &[&args[..], &reference, &named].concat()));
        let told = account["findings"].as_array().unwrap().iter();
        assert_eq!(told.filter(|f| f["code"] == "samples-from-zero-to-one").count(), full_scale);
        read_frame(&stack).unwrap().0
    };
    let truth = stacked(0);
    for full_scale in [1, 4] {
        let found = stacked(full_scale);
        let off = |a: &[f32], b: &[f32]| {
            let off = a.iter().zip(b).filter(|(a, b)| (*a - *b).abs() > 1e-3 * b.abs());
            off.count() as f64 / a.len() as f64
        };
        let of_data = off(found.data.as_slice(), truth.data.as_slice());
        let variance = |f: &photosite_pix::Frame| f.variance.as_ref().unwrap().as_slice().to_vec();
        let of_variance = off(&variance(&found), &variance(&truth));
        assert!(of_data < 0.01 && of_variance < 0.05, "{full_scale}: {of_data} {of_variance}");
    }
}
