//! A field whose stars are known.

use photosite_pix::{Plane, Size};
use photosite_sim::{Purpose, Stream};

pub const SIGMA_PX: f64 = 1.6;
pub const NOISE: f64 = 10.0;

/// A star put into the field: where, and its signal over noise under a perfect match.
pub struct Put {
    pub x: f64,
    pub y: f64,
    pub snr: f64,
}

/// A sloping, noisy background with Gaussian stars from SNR 8 up and hot pixels.
pub fn field(size: Size, stars: usize, hot: usize) -> (Plane<f32>, Vec<Put>) {
    let mut random = Stream::new(5, 0, Purpose::Stars);
    let mut data = Plane::from_fn(size, |x, y| {
        let slope = 300.0 + 0.02 * x as f64 + 0.01 * y as f64;
        (slope + NOISE * random.gaussian()) as f32
    });
    // Signal over noise of a matched Gaussian: flux / (noise sqrt(4 pi sigma^2)).
    let flux_of_one = NOISE * (4.0 * std::f64::consts::PI).sqrt() * SIGMA_PX;
    let put: Vec<Put> = (0..stars)
        .map(|_| {
            let x = 10.0 + random.uniform() * (size.width as f64 - 20.0);
            let y = 10.0 + random.uniform() * (size.height as f64 - 20.0);
            let snr = 8.0 * (1.0 - random.uniform() * 0.9999).powf(-0.8);
            let peak = snr * flux_of_one / (2.0 * std::f64::consts::PI * SIGMA_PX * SIGMA_PX);
            for j in (y - 12.0).max(0.0) as usize..((y + 13.0) as usize).min(size.height) {
                for i in (x - 12.0).max(0.0) as usize..((x + 13.0) as usize).min(size.width) {
                    let d2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                    data.row_mut(j)[i] += (peak * (-0.5 * d2 / (SIGMA_PX * SIGMA_PX)).exp()) as f32;
                }
            }
            Put { x, y, snr }
        })
        .collect();
    for _ in 0..hot {
        let (x, y) = (random.uniform() * size.width as f64, random.uniform() * size.height as f64);
        let level = 50.0 * (1.0 - random.uniform() * 0.999).powf(-0.8);
        data.row_mut(y as usize)[x as usize] += level as f32;
    }
    (data, put)
}
