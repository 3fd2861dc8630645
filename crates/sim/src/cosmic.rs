//! Cosmic rays: muons that cross the sensor, and points and worms of weaker radiation.

use photosite_pix::Plane;

use crate::rng::{Purpose, Stream};
use crate::{Effects, Sensor, Sky};

/// The electrons that cosmic rays left in a frame of `exposure_s`; whole numbers, mostly 0.
pub(crate) fn plane(
    sensor: &Sensor,
    sky: &Sky,
    effects: Effects,
    seed: u64,
    frame_key: u64,
    exposure_s: f64,
) -> Plane<f32> {
    let mut plane = Plane::filled(sensor.size, 0.0f32);
    if !effects.contains(Effects::COSMIC_RAYS) {
        return plane;
    }
    let mut random = Stream::new(seed, frame_key, Purpose::Cosmic);
    let hits = random.poisson(sky.cosmic_per_cm2_s * sensor.area_cm2() * exposure_s) as u64;
    for _ in 0..hits {
        hit(&mut plane, &mut random);
    }
    plane
}

/// One particle: a straight track, or one that turns as it goes.
fn hit(plane: &mut Plane<f32>, random: &mut Stream) {
    let size = plane.size();
    let (mut x, mut y) =
        (random.uniform() * size.width as f64, random.uniform() * size.height as f64);
    let (mut ux, mut uy) = random.direction();
    let straight = random.uniform() < 0.5;
    // Steep muons leave points, grazing ones long tracks: lengths fall as 1 / l^2.
    let length_px = (1.5 / random.uniform()).min(if straight { 60.0 } else { 12.0 });
    // A muon frees about 80 electrons a micrometre of silicon, over some 10 micrometres.
    let e_per_px = if straight { 800.0 } else { random.between(200.0, 1500.0) };
    const STEP_PX: f64 = 0.25;
    for _ in 0..(length_px / STEP_PX) as usize + 1 {
        if !straight {
            let (vx, vy) = random.in_disc();
            let (wx, wy) = (ux + 0.5 * vx, uy + 0.5 * vy);
            // Never 0: the turn is shorter than the direction.
            let norm = (wx * wx + wy * wy).sqrt();
            (ux, uy) = (wx / norm, wy / norm);
        }
        // Energy is lost in lumps, not evenly.
        let deposit = (e_per_px * STEP_PX * random.between(0.5, 1.5)) as u32;
        if x >= 0.0 && y >= 0.0 && x < size.width as f64 && y < size.height as f64 {
            let (px, py) = (x as usize, y as usize);
            plane.set(px, py, plane.get(px, py) + deposit as f32);
        }
        x += STEP_PX * ux;
        y += STEP_PX * uy;
    }
}
