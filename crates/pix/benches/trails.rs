//! Trails looked for in a frame of 4656 x 3520 pixels, one core: one without any, one with one.

use criterion::{Criterion, criterion_group, criterion_main};
use photosite_pix::stars::Mesh;
use photosite_pix::trails::find;
use photosite_pix::{MaskBits, Plane, Size};

/// The frame.
const SIZE: Size = Size::new(4656, 3520);

/// Noise of 10: the sum of four even numbers.
fn noise() -> Plane<f32> {
    let mut state = 1u64;
    Plane::from_fn(SIZE, |_, _| {
        let mut sum = 0.0;
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            sum += (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
        }
        300.0 + 17.3 * sum
    })
}

fn trails(c: &mut Criterion) {
    let empty = noise();
    let mut crossed = empty.clone();
    for y in 0..SIZE.height {
        for x in 0..SIZE.width {
            let d = 0.25f32.mul_add(x as f32, 900.0) - y as f32;
            crossed.row_mut(y)[x] += 3.0 * (-0.25 * d * d).exp();
        }
    }
    let mask: Plane<MaskBits> = Plane::zeroed(SIZE);
    let mut group = c.benchmark_group("16 million pixels");
    group.sample_size(20);
    for (name, data, count) in [("no trail", &empty, 0), ("one of 0.3 sigma", &crossed, 1)] {
        let mesh = Mesh::of(data, &mask);
        // What is timed finds what was put there.
        assert_eq!(find(data, &mask, &mesh, &[], None).0.len(), count);
        group.bench_function(name, |b| b.iter(|| find(data, &mask, &mesh, &[], None)));
    }
    group.finish();
}

criterion_group!(benches, trails);
criterion_main!(benches);
