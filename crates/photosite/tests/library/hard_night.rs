//! A night with two gains, two offsets, three temperatures and two filters, wrong and missing
//! keywords, one frame rotated and one of another size, against a table written by hand.

use std::path::Path;

use photosite::inventory::{FrameId, Inventory, KindOverrides, take, walk};
use photosite::library::Field;
use photosite::plan::{MasterId, Plan, plan};
use photosite_file::fits::Sample;
use photosite_pix::{Card, FrameKind, Header, Plane, Size};

use crate::night::write_plane;

const USUAL: Size = Size::new(32, 24);

/// What a header says; `None` leaves the keyword out.
#[derive(Clone, Copy)]
struct Shot {
    folder: &'static str,
    name: &'static str,
    word: Option<&'static str>,
    size: Size,
    camera: &'static str,
    gain: Option<i64>,
    offset: Option<i64>,
    temp_c: Option<f64>,
    exposure_s: f64,
    filter: Option<&'static str>,
    rotator_deg: Option<f64>,
    cfa: Option<&'static str>,
}

const SHOT: Shot = Shot {
    folder: "",
    name: "",
    word: None,
    size: USUAL,
    camera: "ZWO ASI2600MM Pro",
    gain: Some(100),
    offset: Some(50),
    temp_c: Some(-10.0),
    exposure_s: 60.0,
    filter: None,
    rotator_deg: None,
    cfa: None,
};

const DARK: Shot = Shot { folder: "darks", word: Some("Dark Frame"), ..SHOT };
const BIAS: Shot = Shot { folder: "bias", word: Some("BIAS"), exposure_s: 0.0, ..SHOT };
const FLAT: Shot = Shot {
    folder: "flats",
    word: Some("FLAT"),
    exposure_s: 2.0,
    filter: Some("L"),
    rotator_deg: Some(10.0),
    ..SHOT
};
const LIGHT: Shot = Shot {
    folder: "lights",
    word: Some("LIGHT"),
    filter: Some("L"),
    rotator_deg: Some(10.4),
    ..SHOT
};

/// Two frames of each.
const CALIBRATION: &[Shot] = &[
    Shot { name: "b", ..BIAS },
    Shot { name: "b_g0", gain: Some(0), ..BIAS },
    Shot { name: "b_o10", offset: Some(10), ..BIAS },
    Shot { name: "d_m10", ..DARK },
    Shot { name: "d_0", temp_c: Some(0.0), ..DARK },
    Shot { name: "d_m20", temp_c: Some(-20.0), ..DARK },
    Shot { name: "d_g0", gain: Some(0), ..DARK },
    Shot { name: "d_o10", offset: Some(10), ..DARK },
    Shot { name: "d_120", exposure_s: 120.0, ..DARK },
    // Nothing tells the warmth of these; and their maker writes another name for the camera.
    Shot { name: "d_300", exposure_s: 300.0, temp_c: None, ..DARK },
    Shot { name: "d_90", exposure_s: 90.0, camera: "ZWO CCD ASI2600MM Pro", ..DARK },
    Shot { name: "d_color", cfa: Some("RGGB"), exposure_s: 30.0, ..DARK },
    Shot { name: "f_L", ..FLAT },
    // A program that calls flats lights: the folder is believed.
    Shot { name: "f_Ha", word: Some("Light Frame"), filter: Some("H-alpha"), ..FLAT },
    Shot { name: "f_L_turned", rotator_deg: Some(100.0), ..FLAT },
    Shot { name: "f_L_g0", gain: Some(0), ..FLAT },
];

/// The name of the frames of a master; `None` where none fits.
type Wanted = Option<&'static str>;

/// A light, and the names of the frames of the dark, flat and bias it must get.
const LIGHTS: &[(Shot, Wanted, Wanted, Wanted)] = &[
    (Shot { name: "usual", ..LIGHT }, Some("d_m10"), Some("f_L"), Some("b")),
    (Shot { name: "warm", temp_c: Some(0.4), ..LIGHT }, Some("d_0"), Some("f_L"), Some("b")),
    (Shot { name: "cold", temp_c: Some(-19.0), ..LIGHT }, Some("d_m20"), Some("f_L"), Some("b")),
    (Shot { name: "between", temp_c: Some(-5.0), ..LIGHT }, None, Some("f_L"), Some("b")),
    (Shot { name: "Ha", filter: Some("Ha"), ..LIGHT }, Some("d_m10"), Some("f_Ha"), Some("b")),
    (Shot { name: "gain0", gain: Some(0), ..LIGHT }, Some("d_g0"), Some("f_L_g0"), Some("b_g0")),
    (
        Shot { name: "gain0_Ha", gain: Some(0), filter: Some("Ha"), ..LIGHT },
        Some("d_g0"),
        None,
        Some("b_g0"),
    ),
    (Shot { name: "other_level", offset: Some(10), ..LIGHT }, Some("d_o10"), None, Some("b_o10")),
    (
        Shot { name: "turned", rotator_deg: Some(101.0), ..LIGHT },
        Some("d_m10"),
        Some("f_L_turned"),
        Some("b"),
    ),
    // No flat was taken at this angle: the nearest.
    (
        Shot { name: "turned_else", rotator_deg: Some(45.0), ..LIGHT },
        Some("d_m10"),
        Some("f_L"),
        Some("b"),
    ),
    (Shot { name: "long", exposure_s: 120.0, ..LIGHT }, Some("d_120"), Some("f_L"), Some("b")),
    (Shot { name: "longest", exposure_s: 300.0, ..LIGHT }, Some("d_300"), Some("f_L"), Some("b")),
    (Shot { name: "alias", exposure_s: 90.0, ..LIGHT }, Some("d_90"), Some("f_L"), Some("b")),
    // Nothing tells whether this one has colours; that is said, and no more is known.
    (Shot { name: "short", exposure_s: 30.0, ..LIGHT }, Some("d_color"), Some("f_L"), Some("b")),
    (
        Shot { name: "color", exposure_s: 30.0, cfa: Some("RGGB"), ..LIGHT },
        Some("d_color"),
        Some("f_L"),
        Some("b"),
    ),
    (
        Shot { name: "phase", exposure_s: 30.0, cfa: Some("GRBG"), ..LIGHT },
        None,
        Some("f_L"),
        Some("b"),
    ),
    (Shot { name: "small", size: Size::new(24, 24), ..LIGHT }, None, None, None),
    (Shot { name: "other", camera: "ZWO ASI294MM Pro", ..LIGHT }, None, None, None),
];

fn header(shot: &Shot) -> Header {
    let mut h = Header::new();
    let text = |h: &mut Header, key: &str, v: Option<&str>| {
        if let Some(v) = v {
            h.set_text(key, v, "");
        }
    };
    text(&mut h, "IMAGETYP", shot.word);
    text(&mut h, "INSTRUME", Some(shot.camera));
    text(&mut h, "FILTER", shot.filter);
    text(&mut h, "BAYERPAT", shot.cfa);
    text(&mut h, "DATE-OBS", Some("2026-01-15T20:00:00"));
    for (key, v) in [("GAIN", shot.gain), ("OFFSET", shot.offset)] {
        if let Some(v) = v {
            h.push(Card::integer(key, v, ""));
        }
    }
    for (key, v) in [
        ("EXPTIME", Some(shot.exposure_s)),
        ("CCD-TEMP", shot.temp_c),
        ("SET-TEMP", shot.temp_c),
        ("ROTATANG", shot.rotator_deg),
    ] {
        if let Some(v) = v {
            h.push(Card::real(key, v, ""));
        }
    }
    h
}

fn write(folder: &Path) {
    let lights = LIGHTS.iter().map(|(l, ..)| (l, 1));
    let mut level = 0.0;
    for (shot, count) in CALIBRATION.iter().map(|s| (s, 2)).chain(lights) {
        for n in 0..count {
            level += 1.0;
            let path = folder.join(shot.folder).join(format!("{}_{n}.fits", shot.name));
            let plane = Plane::filled(shot.size, 500.0 + level);
            write_plane(&path, &plane, Sample::U16 { pedestal_adu: 0.0 }, header(shot));
        }
    }
}

/// The frames below a folder.
pub fn inventory(folder: &Path) -> Inventory {
    let mut inventory = Inventory::default();
    for file in walk(&[folder.to_owned()], None).unwrap().files {
        let probe = photosite_file::probe(&file.path).unwrap();
        match take(&file.path, &file.root, probe, &KindOverrides::default()) {
            Ok((frame, _)) => inventory.frames.push(frame),
            Err(no) => panic!("{:?}", no.finding),
        }
    }
    inventory
}

fn stem(inventory: &Inventory, frame: FrameId) -> String {
    let name = inventory[frame].path.file_stem().unwrap().to_string_lossy().into_owned();
    name.rsplit_once('_').unwrap().0.to_owned()
}

fn frames_of(plan: &Plan, inventory: &Inventory, master: Option<MasterId>) -> Option<String> {
    let members = &plan[master?].frames;
    let names: Vec<String> = members.iter().map(|&f| stem(inventory, f)).collect();
    assert!(names.iter().all(|n| *n == names[0]), "{names:?} make one master");
    assert_eq!(names.len(), 2);
    names.into_iter().next()
}

#[test]
fn every_light_gets_the_right_masters_and_every_refusal_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let mut inventory = inventory(dir.path());
    let planned = plan(&mut inventory, None, usize::MAX);
    assert_eq!(planned.lights.len(), LIGHTS.len());
    let masters = planned.masters.len();
    assert_eq!(masters, CALIBRATION.len());
    for (shot, dark, flat, bias) in LIGHTS {
        let light = planned.lights.iter().find(|l| stem(&inventory, l.frame) == shot.name).unwrap();
        let got = |id| frames_of(&planned, &inventory, id);
        let matched = light.dark.filter(|_| light.scaled.is_none());
        assert_eq!(got(matched).as_deref(), *dark, "dark of {}", shot.name);
        assert_eq!(got(light.bias).as_deref(), *bias, "bias of {}", shot.name);
        // Without its level a light is not divided; the flat is chosen all the same.
        let chosen = light.choices.iter().find(|(k, _)| *k == FrameKind::Flat).unwrap();
        let name = chosen.1.chosen().map(|c| c.name.clone());
        let named = |n| planned.named_masters().find(|(_, m)| m.file_name == n).unwrap().0;
        let master = name.map(named);
        assert_eq!(got(master).as_deref(), *flat, "flat of {}", shot.name);
        for (kind, explained) in &light.choices {
            let choice = &explained.choice;
            let of_kind = planned.masters.iter().filter(|m| m.kind == *kind).count();
            assert_eq!(choice.ranked.len() + choice.refused.len(), of_kind);
            assert_eq!(choice.refused.len(), choice.refused_count);
            for refused in &choice.refused {
                assert!(!refused.differs.is_empty(), "{}: {kind}", shot.name);
                assert!(refused.differs.iter().all(|c| c.wanted.is_some() && c.found.is_some()));
            }
        }
    }
    let of = |name: &str| {
        planned.lights.iter().find(|l| stem(&inventory, l.frame) == name).unwrap().choices.clone()
    };
    // What is not known is said to be, and is not taken to agree.
    let (_, dark) = &of("longest")[1];
    let unknown: Vec<Field> = dark.choice.unknown().collect();
    assert_eq!(unknown, [Field::Binning, Field::Region, Field::ReadoutMode, Field::Temperature]);
    // The reasons of the one that lies between two temperatures, the nearest first.
    let (_, dark) = &of("between")[1];
    let first = &dark.choice.refused[0].differs;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].field, Field::Temperature);
    assert!(planned.lights.iter().all(|l| l.choices.len() == 3));
}
