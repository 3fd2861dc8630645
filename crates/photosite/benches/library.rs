//! A library of a hundred thousand rows: adding, a match with its explanation, a shooting list.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use photosite::library::{Library, Record};
use photosite::plan::{Share, shooting_list};

#[path = "../tests/library/rows.rs"]
mod rows;

const ROWS: usize = 100_000;
/// Records of one transaction, as `library add` writes them.
const AT_ONCE: usize = 256;

fn fill(library: &mut Library, records: &[Record]) {
    for part in records.chunks(AT_ONCE) {
        library.add(part).expect("a library that can be written");
    }
}

fn library(c: &mut Criterion) {
    let records: Vec<Record> = (0..ROWS).map(rows::record).collect();
    let scratch = || tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut group = c.benchmark_group("library of 100,000 rows");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("add all rows", |b| {
        let fresh = || {
            let dir = scratch();
            let library = Library::open(dir.path()).expect("a fresh library");
            (dir, library)
        };
        let work = |(dir, mut library): (_, Library)| {
            fill(&mut library, &records);
            (dir, library)
        };
        b.iter_batched(fresh, work, BatchSize::PerIteration);
    });
    let dir = scratch();
    let mut full = Library::open(dir.path()).expect("a fresh library");
    fill(&mut full, &records);
    drop(full);
    group.throughput(Throughput::Elements(1));
    group.bench_function("match one light, all refusals explained, library opened anew", |b| {
        b.iter(|| {
            let library = Library::open(dir.path()).expect("the library");
            let shelf = library.shelf().expect("its shelf");
            let chosen = rows::explain(&shelf, &rows::lights(1).frames[0]);
            assert!(chosen.iter().all(|c| c.chosen().is_some() && c.refused_count > 100));
            chosen
        });
    });
    group.throughput(Throughput::Elements(1000));
    let lights = rows::lights(1000);
    group.bench_function("plan for 1,000 lights, library opened anew", |b| {
        b.iter(|| {
            let library = Library::open(dir.path()).expect("the library");
            let shelf = library.shelf().expect("its shelf");
            shooting_list(&lights, Some(&shelf), Share::default())
        });
    });
    group.bench_function("masters of 1,000 lights", |b| {
        let library = Library::open(dir.path()).expect("the library");
        let shelf = library.shelf().expect("its shelf");
        b.iter(|| {
            let chosen =
                lights.frames.iter().map(|f| rows::explain_few(&shelf, f)).collect::<Vec<_>>();
            assert_eq!(chosen.len(), 1000);
        });
    });
    group.finish();
}

criterion_group!(benches, library);
criterion_main!(benches);
