//! A frame of 12 million pixels looked over: stars on one thread and on two, noise, level.

use criterion::{Criterion, criterion_group, criterion_main};
use photosite::event::{Cancel, Silent};
use photosite::measure::find_stars;
use photosite::work::Context;
use photosite_pix::normalise::Estimator;
use photosite_pix::stars::Criteria;
use photosite_pix::{Plane, Size, stat};

#[path = "../tests/truth/star_field.rs"]
mod star_field;

fn stars(c: &mut Criterion) {
    let (data, put) = star_field::field(Size::new(4096, 3072), 3000, 2000);
    let mask = Plane::zeroed(data.size());
    let mut group = c.benchmark_group("12 million pixels, 3000 stars");
    group.sample_size(10);
    for threads in [1, 2] {
        let cancel = Cancel::default();
        let context =
            Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
        // What is timed finds what was put there.
        let found = find_stars(&data, &mask, None, Criteria::default(), &context).expect("stars");
        let near = |x: f64, y: f64| found.stars.iter().any(|s| (s.x - x).hypot(s.y - y) < 2.0);
        let bright = put.iter().filter(|p| p.snr > 20.0);
        assert!(bright.clone().filter(|p| near(p.x, p.y)).count() * 10 > bright.count() * 9);
        group.bench_function(format!("stars, {threads} threads"), |b| {
            b.iter(|| find_stars(&data, &mask, None, Criteria::default(), &context));
        });
    }
    group.bench_function("noise of blocks", |b| {
        b.iter(|| stat::noise_of_blocks(data.as_slice(), data.width()));
    });
    group.bench_function("level of 262144 samples", |b| {
        b.iter(|| Estimator::Ikss.measure(&mut data.as_slice()[..1 << 18].to_vec()));
    });
    group.finish();
}

criterion_group!(benches, stars);
criterion_main!(benches);
