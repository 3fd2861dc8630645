//! A measured profile in use: nights whose headers give neither gain nor read noise.

use crate::camera::measure_at;
use crate::night::{request, run, with, write_as};
use photosite::run::{keep_profile, read_profile};
use photosite::sensor::Profile;
use photosite_file::fits::read_frame;
use photosite_pix::{FrameKind, MaskBits, Size};
use photosite_sim::{Effects, Night, Preset, Scale, Simulation, residual};

#[test]
fn a_night_without_gain_in_its_headers_is_calibrated_by_the_profile() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let mut night = Night::preset(preset, Size::new(384, 320), 21);
        night.counts.bias = 24;
        night.counts.darks = 20;
        night.counts.flats = 24;
        night.counts.dark_flats = if night.counts.dark_flats > 0 { 16 } else { 0 };
        night.counts.lights = 3;
        let simulation = Simulation::new(night);
        let dir = tempfile::tempdir().unwrap();
        let frames = dir.path().join("night");
        write_as(&simulation, &frames, |plan| {
            let mut frame = simulation.render(plan);
            for key in ["EGAIN", "RDNOISE", "READNOIS", "DATAMAX", "SATURATE"] {
                frame.header.remove(key);
            }
            (plan.clone(), frame)
        });
        let report = measure_at(&frames, 2);
        let library = dir.path().join("library");
        let kept = keep_profile(&Profile::of(&report), &library).unwrap();
        assert_eq!(read_profile(&kept).unwrap(), Profile::of(&report));
        let output = dir.path().join("out");
        let asked = with(request(vec![frames.clone()], &output), |n| {
            n.stack = false;
            n.library = Some(library.clone());
        });
        let done = run(&asked, 2);
        let told = done.findings.iter().find(|f| f.code == "noise-by-profile").expect("told");
        let used = told.evidence["gain_e_per_adu"].as_f64().unwrap();
        let sensor = &simulation.night().sensor;
        assert!((used / sensor.gain_e_per_adu - 1.0).abs() < 0.01, "{used}");
        let cfa = sensor.cfa.filter(|_| simulation.night().effects.contains(Effects::BAYER));
        let response = &simulation.maps().response;
        let scale = Scale {
            gain_e_per_adu: sensor.gain_e_per_adu,
            response: photosite::master::channel_means(response.as_slice(), response.width(), cfa),
            cfa,
        };
        let (mut squares, mut predicted) = (0.0, 0.0);
        for plan in simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light) {
            let (frame, _) = read_frame(&output.join("calibrated").join(&plan.file_name)).unwrap();
            let raw = simulation.render(&plan);
            let saturated =
                frame.mask.as_slice().iter().filter(|m| m.contains(MaskBits::SATURATED)).count();
            println!("{preset:?} {}: {saturated} saturated", plan.file_name);
            let r = residual(&frame, &raw.truth, scale).unwrap();
            squares += r.rms_adu * r.rms_adu;
            predicted += r.predicted_adu * r.predicted_adu;
        }
        let ratio = (squares / predicted).sqrt();
        println!("{preset:?}: rms over predicted noise {ratio:.4}");
        assert!((ratio - 1.0).abs() < 0.01, "{preset:?}: {ratio}");
    }
}
