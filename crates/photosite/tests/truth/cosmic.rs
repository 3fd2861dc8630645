//! Cosmic rays in single lights against those that were put there.

use photosite::defects::remove_cosmic_rays;
use photosite_pix::{CfaPattern, Frame, FrameKind, MaskBits, Plane, Size, Unit};
use photosite_sim::{Effects, Night, Preset, Simulation};

/// A light without bias, dark and flat, with its variance, and the truth in it.
fn light(cfa: Option<&str>, fwhm_px: f64, seed: u64) -> (Frame, Plane<f32>, Plane<f32>, f64) {
    let preset = if cfa.is_some() { Preset::CmosOsc } else { Preset::CmosMono };
    let mut night = Night::preset(preset, Size::new(1000, 800), seed);
    night.effects = Effects::OFFSET
        | Effects::READ_NOISE
        | Effects::SKY
        | Effects::STARS
        | Effects::COSMIC_RAYS
        | Effects::POISSON
        | Effects::QUANTISATION
        | if cfa.is_some() { Effects::BAYER } else { Effects::none() };
    night.sky.fwhm_px = fwhm_px;
    night.light_exposure_s = 300.0;
    night.counts.lights = 1;
    let simulation = Simulation::new(night);
    let plan = simulation.frames().into_iter().find(|p| p.kind == FrameKind::Light).unwrap();
    let rendered = simulation.render(&plan);
    let sensor = &simulation.night().sensor;
    let gain = sensor.gain_e_per_adu;
    let mut data = rendered.adu;
    let read_e = sensor.measured_read_noise_e(simulation.night().effects);
    let full = sensor.saturation_adu() as f32;
    let burnt = Plane::from_fn(data.size(), |x, y| data.get(x, y) >= full);
    data.as_mut_slice().iter_mut().for_each(|v| *v -= sensor.offset_adu as f32);
    let variance = Plane::from_fn(data.size(), |x, y| {
        let e = f64::from(data.get(x, y)) * gain;
        ((e.max(0.0) + read_e * read_e) / gain / gain) as f32
    });
    let mut frame = Frame::new(data, Unit::Adu);
    frame.variance = Some(variance);
    for (m, burnt) in frame.mask.as_mut_slice().iter_mut().zip(burnt.as_slice()) {
        *m |= if *burnt { MaskBits::SATURATED } else { MaskBits::empty() };
    }
    (frame, rendered.truth.light_e.unwrap(), rendered.truth.cosmic_e, read_e)
}

#[test]
fn rays_are_masked_and_stars_are_not() {
    let arrays: [(&str, Option<&str>); 2] = [("mono", None), ("bayer", Some("RGGB"))];
    for (name, cfa) in arrays {
        for fwhm_px in [1.6, 2.0, 2.8, 4.0] {
            let (mut struck, mut found, mut stars, mut lost) = (0, 0, 0, 0);
            let mut rest = Vec::new();
            for seed in 0..6 {
                let (mut frame, light_e, cosmic_e, read_e) = light(cfa, fwhm_px, 40 + seed);
                let array = cfa.and_then(CfaPattern::parse);
                let before = frame.data.clone();
                let marked = remove_cosmic_rays(&mut frame, array);
                assert!(marked > 0);
                let sky = photosite_pix::stat::median(light_e.as_slice());
                for (i, (&ray, &light)) in
                    cosmic_e.as_slice().iter().zip(light_e.as_slice()).enumerate()
                {
                    let sigma = (light + (read_e * read_e) as f32).sqrt();
                    let mask = frame.mask.as_slice()[i];
                    let is_marked = mask.contains(MaskBits::COSMIC);
                    let burnt = mask.contains(MaskBits::SATURATED);
                    if ray > 10.0 * sigma && !burnt {
                        struck += 1;
                        found += usize::from(is_marked);
                        let mended = frame.data.as_slice()[i] * 0.8;
                        rest.push(f64::from((mended - light) / sigma));
                    } else if ray == 0.0 && light > 1.1 * sky {
                        stars += 1;
                        lost += usize::from(is_marked);
                    }
                    if !is_marked {
                        assert_eq!(frame.data.as_slice()[i], before.as_slice()[i]);
                    }
                }
            }
            let (recall, harm) = (found as f64 / struck as f64, lost as f64 / stars as f64);
            rest.sort_by(f64::total_cmp);
            println!(
                "{name}, FWHM {fwhm_px}: {:.2} % of {struck} struck pixels above 10 sigma, {:.4} % of {stars} \
                 star pixels, left {:.2} sigma in the median",
                100.0 * recall,
                100.0 * harm,
                rest[rest.len() / 2]
            );
            assert!(recall > 0.95, "{name} {fwhm_px}: {recall}");
            assert!(harm < 1e-4, "{name} {fwhm_px}: {harm}");
        }
    }
}
