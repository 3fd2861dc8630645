//! The light of a luminance picture with the colours of three others.

use photosite_pix::{Frame, MaskBits, stat};

/// Colours are known where the three channels together stand this many sigmas above the sky.
const KNOWN_SIGMA: f32 = 3.0;

/// Gives three channels the light of a luminance picture, all on one grid with their sky at 0 and stars
/// of one brightness: afterwards their mean is the luminance, everywhere.
///
/// A channel c of mean Y becomes c + (L − Y) r, with r = (c Y + t²) / (Y² + t²) and t three sigmas of Y in the sky:
/// c L / Y where the light is known, so that stars and nebulae keep their colours, and c + L − Y where
/// there is only noise, which a ratio would blow up. The variance goes by the slopes of that, L and the
/// channels independent of each other. Where one of the four has no sample the channels stay as they
/// are, SUSPECT.
pub fn with_luminance(rgb: &mut [Frame; 3], luminance: &Frame) {
    let width = luminance.size().width;
    let sigma2 = |frame: &Frame, noise: f32, i: usize| {
        frame.variance.as_ref().map_or(noise * noise, |v| v.as_slice()[i])
    };
    let noises = [0, 1, 2].map(|c: usize| match rgb[c].variance {
        Some(_) => 0.0,
        None => stat::noise(rgb[c].data.as_slice(), width, 1) as f32,
    });
    // Of the sky: what scattered from light to light, as hot pixels do, is no less known for it.
    let sky2: f32 = rgb
        .iter()
        .zip(noises)
        .map(|(frame, noise)| {
            frame
                .variance
                .as_ref()
                .map_or(noise * noise, |v| stat::median_at_a_glance(v.as_slice()))
        })
        .sum();
    let t2 = KNOWN_SIGMA * KNOWN_SIGMA * sky2 / 9.0;
    let known = luminance.variance.is_some() && rgb.iter().all(|f| f.variance.is_some());
    for i in 0..luminance.size().pixels() {
        let l = luminance.data.as_slice()[i];
        let c = [0, 1, 2].map(|k: usize| rgb[k].data.as_slice()[i]);
        let bits = luminance.mask.as_slice()[i];
        if !(l.is_finite() && c.iter().all(|v| v.is_finite())) {
            rgb.iter_mut().for_each(|f| f.mask.as_mut_slice()[i] |= MaskBits::SUSPECT);
            continue;
        }
        let y = (c[0] + c[1] + c[2]) / 3.0;
        let s2 = [0, 1, 2].map(|k: usize| sigma2(&rgb[k], noises[k], i));
        let whole = y * y + t2;
        // A colour that is less than none, beside a hot pixel of another, gets no light.
        let ratios = [0, 1, 2].map(|k: usize| match whole > 0.0 {
            true => ((c[k] * y + t2) / whole).max(0.0),
            false => 1.0,
        });
        let mean = (ratios[0] + ratios[1] + ratios[2]) / 3.0;
        let own = luminance.variance.as_ref().map_or(0.0, |v| v.as_slice()[i]);
        for k in 0..3 {
            let r = ratios[k] / mean;
            let frame = &mut rgb[k];
            frame.data.as_mut_slice()[i] = c[k] + (l - y) * r;
            frame.mask.as_mut_slice()[i] |= bits;
            if let Some(variance) = &mut frame.variance {
                let slope = |j: usize| {
                    let same = if j == k { 1.0 } else { 0.0 };
                    let of_ratio = (same * y + c[k] / 3.0 - r * 2.0 * y / 3.0) / whole;
                    same + if whole > 0.0 { (l - y) * of_ratio } else { 0.0 } - r / 3.0
                };
                let of_colours: f32 = (0..3).map(|j| slope(j) * slope(j) * s2[j]).sum();
                variance.as_mut_slice()[i] = of_colours + r * r * own;
            }
        }
    }
    if !known {
        rgb.iter_mut().for_each(|f| f.variance = None);
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Plane, Size, Unit};

    use super::*;

    const SIZE: Size = Size::new(64, 64);

    fn frame(seed: u64, sigma: f32, level: impl Fn(usize, usize) -> f32) -> Frame {
        let mut state = seed;
        let mut noise = || {
            let four = (0..4).map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
            });
            four.sum::<f32>() * 3.0f32.sqrt()
        };
        let mut out =
            Frame::new(Plane::from_fn(SIZE, |x, y| level(x, y) + sigma * noise()), Unit::Adu);
        out.variance = Some(Plane::filled(SIZE, sigma * sigma));
        out
    }

    /// Bright pixels keep their colours, all have the luminance, and the variance is the scatter.
    #[test]
    fn light_is_of_the_luminance_and_colour_of_the_others() {
        let shape = |x: usize, _: usize| if x < 32 { 0.0 } else { 2000.0 };
        let tints = [1.3f32, 1.0, 0.7];
        let mut rgb: [Frame; 3] =
            [0, 1, 2].map(|k: usize| frame(k as u64 + 1, 5.0, |x, y| tints[k] * 1.1 * shape(x, y)));
        let luminance = frame(9, 2.0, shape);
        with_luminance(&mut rgb, &luminance);
        for (x, y) in [(3, 9), (40, 20), (60, 63)] {
            let mean = rgb.iter().map(|f| f.data.get(x, y)).sum::<f32>() / 3.0;
            assert!((mean - luminance.data.get(x, y)).abs() < 0.01, "{mean}");
        }
        let mean = |f: &Frame, columns: std::ops::Range<usize>| {
            let of = columns.flat_map(|x| (0..64).map(move |y| (x, y)));
            let v: Vec<f64> = of.map(|(x, y)| f64::from(f.data.get(x, y))).collect();
            let mean = v.iter().sum::<f64>() / v.len() as f64;
            (mean, v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (v.len() - 1) as f64)
        };
        for (k, f) in rgb.iter().enumerate() {
            let (bright, scatter) = mean(f, 32..64);
            assert!((bright / 2000.0 - f64::from(tints[k])).abs() < 1e-3, "{k}: {bright}");
            let said = f64::from(f.variance.as_ref().unwrap().get(50, 30));
            assert!((scatter / said - 1.0).abs() < 0.1, "{k}: {scatter} {said}");
            let (dark, scatter) = mean(f, 0..32);
            assert!(dark.abs() < 0.4, "{k}: {dark}");
            // Three colours of 5 ADU each, of which the common part is replaced by one of 2.
            assert!((3.0f64.powi(2)..6.0f64.powi(2)).contains(&scatter), "{k}: {scatter}");
        }
    }
}
