//! A night as a whole: determinism, names, headers, the record of the truth.

use std::collections::HashSet;

use photosite_pix::{FrameKind, Size};
use photosite_sim::{Effects, Night, Preset, Simulation};

const SIZE: Size = Size::new(96, 64);

#[test]
fn same_seed_same_bytes_in_any_order() {
    for preset in Preset::ALL {
        let make = |seed| Simulation::new(Night::preset(preset, SIZE, seed));
        let (a, b, other) = (make(1), make(1), make(2));
        assert_eq!(a.maps(), b.maps());
        let plans = a.frames();
        assert_eq!(plans, b.frames());
        let bits = |s: &Simulation, i: usize| -> Vec<u32> {
            s.render(&plans[i]).adu.as_slice().iter().map(|v| v.to_bits()).collect()
        };
        let forwards: Vec<_> = (0..plans.len()).map(|i| bits(&a, i)).collect();
        let mut backwards: Vec<_> = (0..plans.len()).rev().map(|i| bits(&b, i)).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        assert_eq!(forwards.iter().collect::<HashSet<_>>().len(), plans.len(), "all differ");
        assert_ne!(bits(&other, 0), forwards[0]);
    }
}

#[test]
fn known_bytes() {
    // Changes only when the model does; the same on every platform.
    let s = Simulation::new(Night::preset(Preset::CmosOsc, SIZE, 42));
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for plan in s.frames().iter().step_by(9) {
        for v in s.render(plan).adu.as_slice() {
            for byte in v.to_bits().to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    assert_eq!(hash, KNOWN, "{hash:#018x}");
}

const KNOWN: u64 = 0x2952_0360_3bf9_563d;

#[test]
fn other_exposure_other_noise_same_sensor() {
    let night = Night::preset(Preset::CmosMono, SIZE, 3);
    let longer = Night { dark_exposure_s: 120.0, ..night.clone() };
    let warmer = Night { set_temp_c: -5.0, ..night.clone() };
    let [a, b, c] = [night, longer, warmer].map(|mut n| {
        n.effects = Effects::READ_NOISE | Effects::HOT_PIXELS;
        Simulation::new(n)
    });
    assert_eq!(a.maps(), b.maps());
    assert_eq!(a.maps(), c.maps());
    let noise = |s: &Simulation| {
        let plan = s.frames().into_iter().find(|p| p.kind == FrameKind::Dark).unwrap();
        let f = s.render(&plan);
        f.adu.get(1, 1) - f.truth.dark_e.get(1, 1) / 0.8
    };
    assert_ne!(noise(&a), noise(&b));
    assert_ne!(noise(&a), noise(&c));
}

#[test]
fn names_and_headers() {
    let s = Simulation::new(Night::preset(Preset::CmosMono, SIZE, 4));
    let plans = s.frames();
    assert_eq!(plans.len(), 20 + 15 + 15 + 15 + 12);
    let names: HashSet<_> = plans.iter().map(|p| (p.folder, &p.file_name)).collect();
    assert_eq!(names.len(), plans.len());
    for (kind, folder, name, image_type) in [
        (FrameKind::Light, "lights", "Light_M00_60.0s_0001.fits", "LIGHT"),
        (FrameKind::Flat, "flats", "Flat_L_2.0s_0001.fits", "FLAT"),
        (FrameKind::DarkFlat, "darkflats", "DarkFlat_2.0s_0001.fits", "DARKFLAT"),
        (FrameKind::Dark, "darks", "Dark_60.0s_0001.fits", "DARK"),
        (FrameKind::Bias, "bias", "Bias_0.1ms_0001.fits", "BIAS"),
    ] {
        let plan = plans.iter().find(|p| p.kind == kind).unwrap();
        assert_eq!((plan.folder, plan.file_name.as_str()), (folder, name));
        let f = s.render(plan);
        let h = &f.header;
        assert_eq!(h.get_text("IMAGETYP").as_deref(), Some(image_type));
        assert_eq!(h.get_f64("EXPTIME"), Some(plan.exposure_s));
        assert_eq!(h.get_f64("EGAIN"), Some(0.8));
        assert_eq!(h.get_i64("GAIN"), Some(100));
        assert_eq!(h.get_i64("OFFSET"), Some(50));
        assert_eq!(h.get_text("ROWORDER").as_deref(), Some("TOP-DOWN"));
        assert_eq!(h.get_text("INSTRUME").as_deref(), Some("Photosite Simulated cmos-mono"));
        let lit = matches!(kind, FrameKind::Light | FrameKind::Flat);
        assert_eq!(h.get_text("FILTER").as_deref(), lit.then_some("L"));
        assert_eq!(h.get_text("OBJECT").is_some(), kind == FrameKind::Light);
        assert_eq!(h.get_text("DATE-OBS"), f.metadata.date_obs);
        assert_eq!(h.get_f64("CCD-TEMP"), f.metadata.temp_c);
    }
    let mut dates: Vec<_> = plans.iter().map(|p| s.render(p).metadata.date_obs).collect();
    assert!(dates.is_sorted());
    dates.dedup();
    assert_eq!(dates.len(), plans.len());
}

#[test]
fn the_record_tells_what_the_frames_contain() {
    let s = Simulation::new(Night::preset(Preset::Dslr, SIZE, 5));
    let record = s.truth_record();
    for r in &record.frames {
        let truth = s.render(&r.plan).truth;
        assert_eq!(r.dither_px, truth.dither_px);
        assert_eq!(r.clamp_adu, truth.clamp_adu);
        assert_eq!(r.has_trail, truth.trail_e.is_some());
        assert_eq!(r.light_file.is_some(), r.plan.kind == FrameKind::Light);
    }
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["frames"].as_array().unwrap().len(), s.frames().len());
    assert_eq!(json["stars"].as_array().unwrap().len(), s.maps().stars.len());
    let night: Night = serde_json::from_value(json["night"].clone()).unwrap();
    assert_eq!(&night, s.night());
    for (name, plane) in s.truth_maps() {
        assert!(name.ends_with(".fits"));
        assert_eq!(plane.size(), SIZE);
    }
}

#[test]
fn odd_sizes_and_empty_nights() {
    for size in [Size::new(1, 1), Size::new(7, 1), Size::new(1, 5), Size::new(0, 0)] {
        for preset in Preset::ALL {
            let s = Simulation::new(Night::preset(preset, size, 6));
            let frames = s.frames();
            for plan in [&frames[0], &frames[frames.len() - 1]] {
                let f = s.render(plan);
                assert_eq!(f.adu.size(), size);
                assert!(f.adu.as_slice().iter().all(|v| v.is_finite()));
            }
        }
    }
    assert_eq!(Preset::parse("ccd"), Some(Preset::Ccd));
    assert_eq!(Preset::parse("film"), None);
}
