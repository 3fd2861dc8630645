//! Colour pictures of a frame of 4656 x 3520 pixels, one core, band by band: time a pixel.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::warp::Window;
use photosite_pix::{CfaPattern, Size};

/// The frame.
const SIZE: Size = Size::new(4656, 3520);

/// Rows of a band.
const BAND: usize = 64;

/// Noise of the sky, and stars that stand out of it by fifty sigmas and more.
const NOISE: f64 = 10.0;
const STARS: u32 = 2000;

/// Fujifilm's cell.
const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

fn kernels(c: &mut Criterion) {
    let mut samples: Vec<f32> = (0..SIZE.pixels() as u32)
        .map(|i| {
            let bits = i.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519);
            // Four bytes make a sum that is nearly normal.
            let sum = bits.to_le_bytes().into_iter().map(f32::from).sum::<f32>();
            500.0 + (sum - 510.0) * (NOISE as f32 / 147.8)
        })
        .collect();
    for k in 0..STARS {
        let place = |salt: u32, end: usize| {
            let bits = k.wrapping_mul(salt).rotate_left(15).wrapping_mul(2_654_435_761);
            8 + bits as usize % (end - 16)
        };
        let (x, y) = (place(2_246_822_519, SIZE.width), place(3_266_489_917, SIZE.height));
        let peak = 50.0 * NOISE as f32 * (STARS as f32 / (1.0 + k as f32)).sqrt();
        for j in y - 8..=y + 8 {
            for i in x - 8..=x + 8 {
                let r2 = (i.abs_diff(x).pow(2) + j.abs_diff(y).pow(2)) as f32;
                samples[j * SIZE.width + i] += peak * (-0.5 * r2 / 1.6).exp();
            }
        }
    }
    let mut group = c.benchmark_group("debayer");
    group.throughput(Throughput::Elements(SIZE.pixels() as u64)).sample_size(10);
    for (name, pattern, method) in [
        ("bayer bilinear", "RGGB", Method::Bilinear),
        ("bayer directional", "RGGB", Method::Directional),
        ("bayer superpixel", "RGGB", Method::Superpixel),
        ("x-trans bilinear", X_TRANS, Method::Bilinear),
        ("x-trans directional", X_TRANS, Method::Directional),
    ] {
        let debayer = Debayer::new(CfaPattern::parse(pattern).unwrap(), method).unwrap();
        let debayer = debayer.over_noise(NOISE);
        let picture = debayer.picture_size(SIZE);
        let mut out = vec![0.0f32; 3 * BAND * picture.width];
        group.bench_function(name, |b| {
            b.iter(|| {
                for y0 in (0..picture.height).step_by(BAND) {
                    let rows = y0..(y0 + BAND).min(picture.height);
                    let needed = debayer.rows_needed(&rows, SIZE);
                    let window = Window {
                        samples: &samples[needed.start * SIZE.width..needed.end * SIZE.width],
                        first_row: needed.start,
                        width: SIZE.width,
                    };
                    let part = rows.len() * picture.width;
                    let (red, rest) = out.split_at_mut(part);
                    let (green, rest) = rest.split_at_mut(part);
                    debayer.fill(window, SIZE, rows, [red, green, &mut rest[..part]]);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
