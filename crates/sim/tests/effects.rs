//! Each effect alone shows the statistics it claims.

use photosite_pix::stat::{Moments, median, moments};
use photosite_pix::{FrameKind, Plane, Size};
use photosite_sim::{Effects, FramePlan, Night, Preset, SimFrame, Simulation};

const SIZE: Size = Size::new(400, 300);
const PIXELS: f64 = 400.0 * 300.0;

fn simulation(preset: Preset, effects: Effects, seed: u64) -> Simulation {
    let mut night = Night::preset(preset, SIZE, seed);
    night.effects = effects;
    Simulation::new(night)
}

fn plan(simulation: &Simulation, kind: FrameKind, index: usize) -> FramePlan {
    let found = simulation.frames().into_iter().find(|p| p.kind == kind && p.index == index);
    found.expect("the preset has frames of every kind asked for")
}

fn frame(simulation: &Simulation, kind: FrameKind, index: usize) -> SimFrame {
    simulation.render(&plan(simulation, kind, index))
}

fn stats(plane: &Plane<f32>) -> Moments {
    moments(plane.as_slice())
}

fn close(got: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((got - expected).abs() <= tolerance, "{what}: {got}, not {expected} +- {tolerance}");
}

#[test]
fn nothing_on_is_nothing_there() {
    let s = simulation(Preset::CmosMono, Effects::none(), 1);
    for kind in [FrameKind::Bias, FrameKind::Dark, FrameKind::DarkFlat, FrameKind::Light] {
        let f = frame(&s, kind, 0);
        assert!(f.adu.as_slice().iter().all(|&v| v == 0.0), "{kind}");
    }
    let flat = frame(&s, FrameKind::Flat, 0);
    let level = (s.night().flat_level_e as f32 as f64 / 0.8) as f32;
    assert!(flat.adu.as_slice().iter().all(|&v| (v - level).abs() < 0.01));
}

#[test]
fn offset_and_bias_structure() {
    let s = simulation(Preset::Ccd, Effects::OFFSET, 2);
    assert!(frame(&s, FrameKind::Bias, 0).adu.as_slice().iter().all(|&v| v == 1000.0));

    let s = simulation(Preset::Ccd, Effects::OFFSET | Effects::BIAS_STRUCTURE, 2);
    let first = frame(&s, FrameKind::Bias, 0).adu;
    assert_eq!(first, frame(&s, FrameKind::Bias, 7).adu, "the pattern is fixed");
    assert_eq!(first, s.maps().bias_adu);
    let columns: Vec<f32> = (0..SIZE.width)
        .map(|x| {
            let sum: f64 = (0..SIZE.height).map(|y| f64::from(first.get(x, y))).sum();
            (sum / SIZE.height as f64) as f32
        })
        .collect();
    let m = moments(&columns);
    close(m.sd, 1.5, 4.5 * 1.5 / 800f64.sqrt(), "column pattern");
    close(m.mean, 1000.0, 0.5, "level");
    let ends = |y0, y1| moments(first.rows(y0, y1)).mean;
    close(ends(270, 300) - ends(0, 30), 6.0 * 0.9, 0.5, "gradient");
}

#[test]
fn read_noise() {
    let s = simulation(Preset::Ccd, Effects::READ_NOISE, 3);
    let m = stats(&frame(&s, FrameKind::Bias, 0).adu);
    let sd = 8.0 / 1.5;
    close(m.mean, 0.0, 4.5 * sd / PIXELS.sqrt(), "mean");
    close(m.sd, sd, 4.5 * sd / (2.0 * PIXELS).sqrt(), "sd");
}

#[test]
fn quantisation_adds_a_twelfth() {
    let s = simulation(
        Preset::CmosMono,
        Effects::OFFSET | Effects::READ_NOISE | Effects::QUANTISATION,
        4,
    );
    let f = frame(&s, FrameKind::Bias, 0);
    assert!(f.adu.as_slice().iter().all(|v| v.fract() == 0.0));
    let m = stats(&f.adu);
    let claimed_e = f.metadata.read_noise_e.unwrap();
    assert_eq!(f.header.get_f64("RDNOISE"), Some(claimed_e));
    let sd = claimed_e / 0.8;
    close(sd * sd, 4.0 + 1.0 / 12.0, 1e-9, "variance claimed");
    close(m.sd, sd, 4.5 * sd / (2.0 * PIXELS).sqrt(), "sd");
    close(m.mean, 500.0, 4.5 * sd / PIXELS.sqrt(), "mean: rounding is not lopsided");
}

#[test]
fn dark_current_doubles_with_temperature_and_spreads() {
    let s = simulation(Preset::Dslr, Effects::DARK_CURRENT, 5);
    let mut p = plan(&s, FrameKind::Dark, 0);
    let cold = stats(&s.render(&p).truth.dark_e);
    // A log-normal of logarithmic sd 0.6: mean 0.3 e-/s, relative sd sqrt(exp(s^2) - 1) = 0.658.
    close(cold.mean, 18.0, 4.5 * 18.0 * 0.658 / PIXELS.sqrt(), "mean");
    close(cold.sd / cold.mean, 0.658, 0.02, "DSNU");
    p.temp_c += 6.5;
    let warm = stats(&s.render(&p).truth.dark_e);
    close(warm.mean / cold.mean, 2.0, 1e-6, "doubling");
    // Without Poisson noise the frame is the expectation.
    let f = s.render(&p);
    for (adu, e) in f.adu.as_slice().iter().zip(f.truth.dark_e.as_slice()) {
        close(f64::from(*adu), f64::from(*e) / 0.6, 1e-3, "expectation");
    }
}

#[test]
fn hot_pixels() {
    let s = simulation(Preset::Dslr, Effects::HOT_PIXELS, 6);
    let hot = &s.maps().hot;
    close(hot.len() as f64, PIXELS * 1e-3, 4.5 * (PIXELS * 1e-3).sqrt(), "count");
    let dark = frame(&s, FrameKind::Dark, 0).truth.dark_e;
    assert_eq!(dark.as_slice().iter().filter(|&&v| v > 0.0).count(), hot.len());
    // N(> r) = (r / min)^-0.9.
    let above = hot.iter().filter(|h| h.e_s > 30.0).count() as f64;
    let expected = hot.len() as f64 * 10f64.powf(-0.9);
    close(above, expected, 4.5 * expected.sqrt(), "tail");
}

#[test]
fn glow_is_not_linear_in_exposure() {
    let s = simulation(Preset::CmosMono, Effects::AMP_GLOW, 7);
    let mut p = plan(&s, FrameKind::Dark, 0);
    let mut mean_after = |seconds: f64| {
        p.exposure_s = seconds;
        stats(&s.render(&p).truth.dark_e).mean
    };
    let (short, long) = (mean_after(60.0), mean_after(600.0));
    close(long / short, (1.0 - (-5.0f64).exp()) / (1.0 - (-0.5f64).exp()), 1e-4, "growth");
    let glow = &s.maps().glow_e;
    assert!(glow.get(399, 9) > 295.0 && glow.get(0, 299) < 5.0);
}

#[test]
fn temperature_drifts_within_its_bounds() {
    let s = simulation(Preset::CmosMono, Effects::TEMPERATURE_DRIFT, 8);
    let temps: Vec<f64> = s.frames().iter().map(|p| p.temp_c).collect();
    assert!(temps.iter().all(|t| (t + 10.0).abs() <= 0.15 + 1e-9));
    assert!(temps.iter().any(|t| (t + 10.0).abs() > 0.05));
    let f = frame(&s, FrameKind::Dark, 3);
    assert_eq!(f.header.get_f64("SET-TEMP"), Some(-10.0));
    close(f.header.get_f64("CCD-TEMP").unwrap(), f.truth.temp_c, 0.05 + 1e-9, "CCD-TEMP");

    let s = simulation(Preset::Dslr, Effects::TEMPERATURE_DRIFT, 8);
    let frames = s.frames();
    close(frames[0].temp_c, 18.0, 0.5, "dusk");
    close(frames.last().unwrap().temp_c, 23.0, 0.5, "dawn");
    assert_eq!(frame(&s, FrameKind::Dark, 0).header.get("SET-TEMP"), None);
}

#[test]
fn responses() {
    let flat = |effect| {
        let s = simulation(Preset::CmosMono, effect, 9);
        let f = frame(&s, FrameKind::Flat, 0);
        let level = s.night().flat_level_e / 0.8;
        // The frame is exactly lamp times response.
        for (v, r) in f.adu.as_slice().iter().zip(s.maps().response.as_slice()) {
            close(f64::from(*v) / level, f64::from(*r), 1e-6, "response");
        }
        s.maps().response.clone()
    };
    let prnu = stats(&flat(Effects::PRNU));
    close(prnu.mean, 1.0, 4.5 * 0.008 / PIXELS.sqrt(), "PRNU mean");
    close(prnu.sd, 0.008, 4.5 * 0.008 / (2.0 * PIXELS).sqrt(), "PRNU sd");

    let vignetting = flat(Effects::VIGNETTING);
    let corner = [(0, 0), (399, 0), (0, 299), (399, 299)]
        .map(|(x, y)| f64::from(vignetting.get(x, y)))
        .iter()
        .sum::<f64>()
        / 4.0;
    close(corner, 0.72, 0.01, "corner");
    close(f64::from(vignetting.get(203, 145)), 1.0, 1e-3, "axis");

    let dust = flat(Effects::DUST);
    let low = dust.as_slice().iter().copied().fold(1.0, f32::min);
    assert!((0.75..0.97).contains(&low), "{low}");
    assert!(dust.as_slice().iter().filter(|&&v| v == 1.0).count() as f64 > 0.8 * PIXELS);
}

#[test]
fn stars_hold_their_flux_and_follow_the_dither() {
    let s = simulation(Preset::CmosMono, Effects::STARS | Effects::DITHER, 10);
    let light = frame(&s, FrameKind::Light, 1);
    let (dx, dy) = light.truth.dither_px;
    assert!(dx.hypot(dy) > 0.0 && dx.hypot(dy) < 6.0);
    assert_ne!((dx, dy), frame(&s, FrameKind::Light, 2).truth.dither_px);
    let inside: f64 = s
        .maps()
        .stars
        .iter()
        .filter(|star| {
            let (x, y) = (star.x + dx, star.y + dy);
            x > 0.0 && y > 0.0 && x < 399.0 && y < 299.0
        })
        .map(|star| star.flux_e)
        .sum();
    let sum: f64 = light.adu.as_slice().iter().map(|&v| f64::from(v) * 0.8).sum();
    close(sum / inside, 1.0, 0.03, "flux");

    // The centroid of a star that stands alone is its place.
    let (maps, field) = (s.maps(), &light.adu);
    let place = |i: usize| (maps.stars[i].x + dx, maps.stars[i].y + dy);
    let lone = (0..20)
        .find(|&i| {
            let (x, y) = place(i);
            let alone = |j: usize| {
                let (u, v) = place(j);
                j == i || (u - x).hypot(v - y) > 25.0
            };
            (20.0..380.0).contains(&x) && (20.0..280.0).contains(&y) && (0..40).all(alone)
        })
        .expect("one of the brightest stars stands alone");
    let (x, y) = place(lone);
    let (px, py) = ((x + 0.5) as usize, (y + 0.5) as usize);
    let (mut sum, mut sx, mut sy) = (0.0, 0.0, 0.0);
    for v in py - 10..=py + 10 {
        for u in px - 10..=px + 10 {
            let e = f64::from(field.get(u, v));
            sum += e;
            sx += e * u as f64;
            sy += e * v as f64;
        }
    }
    close(sx / sum, x, 0.05, "x");
    close(sy / sum, y, 0.05, "y");
}

#[test]
fn sky_and_gradient() {
    let s = simulation(Preset::CmosMono, Effects::SKY, 11);
    let light = frame(&s, FrameKind::Light, 0);
    assert!(light.truth.light_e.unwrap().as_slice().iter().all(|&v| v == 300.0));
    let s = simulation(Preset::CmosMono, Effects::SKY_GRADIENT, 11);
    let light = frame(&s, FrameKind::Light, 0).truth.light_e.unwrap();
    close(f64::from(light.get(0, 299)), 60.0, 0.5, "bright corner");
    close(f64::from(light.get(399, 0)), 0.0, 0.01, "dark corner");
}

/// The number of groups of touching pixels that are not 0, corners counted as touching.
fn groups(plane: &Plane<f32>) -> usize {
    let mut left = plane.clone();
    let mut found = 0;
    for y in 0..SIZE.height {
        for x in 0..SIZE.width {
            if left.get(x, y) == 0.0 {
                continue;
            }
            found += 1;
            let mut todo = vec![(x, y)];
            while let Some((x, y)) = todo.pop() {
                if left.get(x, y) == 0.0 {
                    continue;
                }
                left.set(x, y, 0.0);
                for v in y.saturating_sub(1)..(y + 2).min(SIZE.height) {
                    for u in x.saturating_sub(1)..(x + 2).min(SIZE.width) {
                        todo.push((u, v));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn cosmic_rays_come_at_their_rate() {
    let s = simulation(Preset::CmosMono, Effects::COSMIC_RAYS, 12);
    let mut p = plan(&s, FrameKind::Dark, 0);
    p.exposure_s = 3000.0;
    let per_frame = 0.5 * PIXELS * 3.76f64.powi(2) * 1e-8 * 3000.0;
    let frames = 400;
    let (mut rays, mut pixels) = (0, 0);
    for index in 0..frames {
        p.index = index;
        let f = s.render(&p);
        let c = f.truth.cosmic_e;
        assert!(c.as_slice().iter().all(|v| v.fract() == 0.0));
        for (adu, e) in f.adu.as_slice().iter().zip(c.as_slice()) {
            close(f64::from(*adu), f64::from(*e) / 0.8, 1e-2, "electrons in the frame");
        }
        rays += groups(&c);
        pixels += c.as_slice().iter().filter(|&&v| v > 0.0).count();
    }
    // Rays that touch one another count once: a few in a thousand at this exposure.
    let expected = per_frame * frames as f64;
    close(rays as f64, expected, 4.5 * expected.sqrt() + 0.005 * expected, "rays");
    let each = pixels as f64 / rays as f64;
    assert!((3.0..12.0).contains(&each), "{each} pixels a ray");
    let empty = frame(&s, FrameKind::Bias, 0).truth.cosmic_e;
    assert!(empty.as_slice().iter().all(|&v| v == 0.0));
}

#[test]
fn a_trail_crosses_the_middle_of_the_night() {
    let s = simulation(Preset::CmosMono, Effects::TRAIL, 13);
    let f = frame(&s, FrameKind::Light, 6);
    let trail = f.truth.trail_e.unwrap();
    assert_eq!(f.truth.light_e.unwrap(), trail);
    let on = trail.as_slice().iter().filter(|&&v| v > 360.0).count();
    assert!(on > 300, "{on} pixels along the middle");
    let with: Vec<bool> = s.truth_record().frames.iter().map(|r| r.has_trail).collect();
    assert!(with[6] && with.iter().filter(|&&t| t).count() < 6);
}

#[test]
fn poisson_variance_is_the_mean() {
    let s = simulation(Preset::CmosMono, Effects::SKY | Effects::POISSON, 14);
    let m = stats(&frame(&s, FrameKind::Light, 0).adu);
    let (mean_e, var_e) = (m.mean * 0.8, m.sd * m.sd * 0.64);
    close(mean_e, 300.0, 4.5 * (300.0 / PIXELS).sqrt(), "mean");
    close(var_e, 300.0, 4.5 * 300.0 * (2.0 / PIXELS).sqrt(), "variance");

    // Photon transfer on a pair of whole frames: gain = mean / (variance of the difference / 2).
    let s =
        simulation(Preset::CmosMono, Effects::all() - Effects::BLACK_CLAMP - Effects::FAULTY, 14);
    let adu = |kind, index| frame(&s, kind, index).adu;
    let difference = |a: &Plane<f32>, b: &Plane<f32>| {
        let d: Vec<f32> = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a - b).collect();
        moments(&d).sd
    };
    let (f1, f2) = (adu(FrameKind::Flat, 0), adu(FrameKind::Flat, 1));
    let (b1, b2) = (adu(FrameKind::Bias, 0), adu(FrameKind::Bias, 1));
    let signal = stats(&f1).mean + stats(&f2).mean - stats(&b1).mean - stats(&b2).mean;
    let gain = signal / (difference(&f1, &f2).powi(2) - difference(&b1, &b2).powi(2));
    close(gain, 0.8, 0.8 * 4.5 * (2.0 / PIXELS).sqrt(), "gain");
    let read_e = 0.8 * difference(&b1, &b2) / 2f64.sqrt();
    close(read_e, s.night().sensor.measured_read_noise_e(Effects::all()), 0.02, "read noise");
}

#[test]
fn clamp_makes_darks_no_brighter_than_bias() {
    let on = Effects::all() - Effects::FAULTY;
    for preset in [Preset::Dslr, Preset::CmosMono] {
        // The clamp knows nothing of cosmic rays.
        let effects = on - Effects::COSMIC_RAYS;
        let s = simulation(preset, effects, 15);
        let bias = stats(&frame(&s, FrameKind::Bias, 0).adu).mean;
        let dark = frame(&s, FrameKind::Dark, 0);
        assert!(dark.truth.clamp_adu > 0.0);
        assert!(stats(&dark.adu).mean < bias, "{preset:?}");
        assert!(f64::from(median(dark.adu.as_slice())) < bias);
        let free = simulation(preset, effects - Effects::BLACK_CLAMP, 15);
        assert!(stats(&frame(&free, FrameKind::Dark, 0).adu).mean > bias, "{preset:?}");
    }
}

#[test]
fn bayer_colours() {
    let s = simulation(Preset::CmosOsc, Effects::SKY | Effects::BAYER, 16);
    let light = frame(&s, FrameKind::Light, 0);
    let e = light.truth.light_e.unwrap();
    for ((x, y), throughput) in [((0, 0), 0.85), ((1, 0), 1.0), ((0, 1), 1.0), ((1, 1), 0.7)] {
        close(f64::from(e.get(x + 10, y + 20)), 300.0 * throughput, 1e-3, "sky");
    }
    let flat = frame(&s, FrameKind::Flat, 0).truth.light_e.unwrap();
    close(f64::from(flat.get(0, 0) / flat.get(1, 0)), 0.6, 1e-6, "lamp");
    assert_eq!(light.header.get_text("BAYERPAT").as_deref(), Some("RGGB"));
    assert_eq!(light.metadata.cfa.unwrap().to_string(), "RGGB");
    let off = simulation(Preset::CmosOsc, Effects::SKY, 16);
    assert_eq!(frame(&off, FrameKind::Light, 0).header.get("BAYERPAT"), None);
}

#[test]
fn saturation_clips_at_its_level() {
    for (preset, well_first) in
        [(Preset::CmosMono, false), (Preset::Ccd, true), (Preset::Dslr, false)]
    {
        let mut night = Night::preset(preset, SIZE, 17);
        night.effects -= Effects::BAYER;
        night.flat_level_e = 1e6;
        let s = Simulation::new(night);
        let f = frame(&s, FrameKind::Flat, 0);
        let sensor = &s.night().sensor;
        let claimed = f.header.get_f64("SATURATE").unwrap();
        assert_eq!(claimed, sensor.saturation_adu());
        assert!(f.adu.as_slice().iter().all(|&v| f64::from(v) >= claimed), "{preset:?}");
        if well_first {
            let m = stats(&f.adu);
            close(m.mean, 1000.0 + 90_000.0 / 1.5, 1.0, "full well");
            assert!(claimed < m.mean && claimed > m.mean - 60.0);
        } else {
            assert!(f.adu.as_slice().iter().all(|&v| f64::from(v) == sensor.max_adu()));
            assert_eq!(claimed, sensor.max_adu());
        }
    }
    // Below: no sample is negative.
    let s = simulation(Preset::Ccd, Effects::READ_NOISE | Effects::QUANTISATION, 17);
    let m = frame(&s, FrameKind::Bias, 0).adu;
    assert_eq!(m.as_slice().iter().copied().fold(f32::INFINITY, f32::min), 0.0);
}
