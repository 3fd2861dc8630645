//! Colour pictures of a frame of 4656 x 3520 pixels, one core, band by band: time a pixel.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::warp::Window;
use photosite_pix::{CfaPattern, Size};

/// The frame.
const SIZE: Size = Size::new(4656, 3520);

/// Rows of a band.
const BAND: usize = 64;

/// Fujifilm's cell.
const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

fn kernels(c: &mut Criterion) {
    let samples: Vec<f32> =
        (0..SIZE.pixels() as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as f32).collect();
    let mut group = c.benchmark_group("debayer");
    group.throughput(Throughput::Elements(SIZE.pixels() as u64)).sample_size(10);
    for (name, pattern, method) in [
        ("bayer bilinear", "RGGB", Method::Bilinear),
        ("bayer directional", "RGGB", Method::Directional),
        ("bayer superpixel", "RGGB", Method::Superpixel),
        ("x-trans bilinear", X_TRANS, Method::Bilinear),
    ] {
        let debayer = Debayer::new(CfaPattern::parse(pattern).unwrap(), method).unwrap();
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
