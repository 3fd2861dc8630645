//! A tile of a 16-megapixel frame interpolated or drizzled, one core: time a pixel of the output for
//! each kind of transform.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use photosite_pix::align::Transform;
use photosite_pix::drizzle::{Drizzled, Drops, drizzle};
use photosite_pix::warp::{Kernel, Room, Window, rows_needed, warp};
use photosite_pix::{CfaColor, CfaPattern, Plane, Size};

const SIZE: Size = Size::new(4656, 600);

fn bench(c: &mut Criterion) {
    let mut state = 7u64;
    let data = Plane::from_fn(SIZE, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        1000.0 + (state >> 40) as f32 / 1e6
    });
    let mut holes = data.clone();
    holes.as_mut_slice().iter_mut().step_by(997).for_each(|v| *v = f32::NAN);
    let turned = |degrees: f64, scale: f64| {
        let (s, c) = degrees.to_radians().sin_cos();
        let (s, c) = (scale * s, scale * c);
        let (mx, my) = (2328.0, 300.0);
        Transform::affine(c, -s, mx - c * mx + s * my + 3.3, s, c, my - s * mx - c * my - 7.6)
    };
    let (rows, columns) = (268..332, 0..SIZE.width);
    let mut out = vec![0.0; rows.len() * columns.len()];
    let (kernel, mut room) = (Kernel::default(), Room::default());
    let mut group = c.benchmark_group("warp");
    group.throughput(Throughput::Elements(out.len() as u64)).sample_size(10);
    for (name, transform, data) in [
        ("whole shift", Transform::IDENTITY, &data),
        ("shift", turned(0.0, 1.0), &data),
        ("0.1 degrees", turned(0.1, 1.0), &data),
        ("2 degrees", turned(2.0, 1.0), &data),
        ("half a turn", turned(179.8, 1.0), &data),
        ("scale 1.1", turned(0.2, 1.1), &data),
        ("45 degrees", turned(45.0, 1.0), &data),
        ("0.1 degrees, 0.1 % holes", turned(0.1, 1.0), &holes),
    ] {
        let needed = rows_needed(&transform, &rows, &columns, SIZE);
        let samples = data.rows(needed.start, needed.end);
        let window = Window { samples, first_row: needed.start, width: SIZE.width };
        group.bench_function(name, |b| {
            b.iter(|| {
                let planes = &mut [(window, &mut out[..])];
                let region = (rows.clone(), columns.clone());
                warp(planes, SIZE, &transform, region, &kernel, &mut room);
            });
        });
    }
    group.finish();

    let transform = turned(0.1, 1.0).from_finer_grid(2.0);
    let (rows, columns) = (536..600, 0..2 * SIZE.width);
    let pixels = rows.len() * columns.len();
    let (mut value, mut coverage) = (vec![0.0; pixels], vec![0.0; pixels]);
    let mut group = c.benchmark_group("drizzle onto twice as many pixels");
    group.throughput(Throughput::Elements(pixels as u64)).sample_size(10);
    let cfa = CfaPattern::parse("RGGB").map(|cfa| (cfa, CfaColor::Red));
    for (name, drops) in [("grey", Drops::new(0.8, None)), ("red", Drops::new(1.0, cfa))] {
        let drops = drops.expect("a side of 0 to 1");
        let needed = drops.rows_needed(&transform, &rows, &columns, SIZE);
        let samples = data.rows(needed.start, needed.end);
        let window = Window { samples, first_row: needed.start, width: SIZE.width };
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut out = Drizzled { value: &mut value, coverage: &mut coverage };
                let region = (rows.clone(), columns.clone());
                drizzle(window, SIZE, &transform, region, &drops, &mut out);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = bench
}
criterion_main!(benches);
