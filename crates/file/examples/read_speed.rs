//! How fast rows are read: writes a 4656x3520 frame of 16 bits into FOLDER and reads it by strips
//! into one buffer, with the file in the page cache; then times `probe` and `open` on FILES.
//! `read_speed FOLDER [FILES...]`
#![allow(clippy::disallowed_methods)] // A measurement needs the clock.

use std::path::{Path, PathBuf};
use std::time::Instant;

use photosite_file::atomic::Existing;
use photosite_file::fits::{FitsWriter, ImageSpec, Sample};
use photosite_file::{Result, open, probe};
use photosite_pix::{Header, Size};

const SIZE: Size = Size::new(4656, 3520);

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn measure(folder: &Path, sample: Sample, name: &str, bytes: usize) -> Result<()> {
    let path = folder.join(format!("{name}.fits"));
    let row: Vec<f32> = (0..SIZE.width).map(|x| (x % 60_000) as f32).collect();
    let strip = row.repeat(64);
    let mut writes = Vec::new();
    for _ in 0..5 {
        let spec = ImageSpec { name: None, size: SIZE, planes: 1, sample, header: Header::new() };
        let start = Instant::now();
        let writer = FitsWriter::create(&path, vec![spec], vec![], Existing::Replace)?;
        for y in (0..SIZE.height).step_by(64) {
            let rows = 64.min(SIZE.height - y);
            writer.write_rows(0, 0, y, &strip[..rows * SIZE.width])?;
        }
        let filled = start.elapsed().as_secs_f64();
        writer.finish()?;
        writes.push((filled, start.elapsed().as_secs_f64()));
    }
    let megabytes = (SIZE.pixels() * bytes) as f64 / 1e6;
    let filled = median(writes.iter().map(|w| w.0).collect());
    let synced = median(writes.iter().map(|w| w.1).collect());
    println!(
        "{name}: write {:.0} MB/s until the sync, {:.0} MB/s with it",
        megabytes / filled,
        megabytes / synced
    );
    let mut scratch = Vec::new();
    for strip in [16, 64, 256, SIZE.height] {
        let mut out = vec![0f32; strip * SIZE.width];
        let mut times = Vec::new();
        for _ in 0..15 {
            let start = Instant::now();
            let source = open(&path)?;
            for y in (0..SIZE.height).step_by(strip) {
                let y1 = (y + strip).min(SIZE.height);
                let part = &mut out[..(y1 - y) * SIZE.width];
                source.read_rows(0, y..y1, &mut scratch, part)?;
            }
            times.push(start.elapsed().as_secs_f64());
        }
        let t = median(times);
        println!("{name}: strips of {strip} rows: {:.2} ms, {:.0} MB/s", t * 1e3, megabytes / t);
    }
    std::fs::remove_file(&path).ok();
    Ok(())
}

fn time<T>(mut f: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(median(times))
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| ".".to_owned()));
    measure(&folder, Sample::U16 { pedestal_adu: 0.0 }, "u16", 2)?;
    measure(&folder, Sample::F32, "f32", 4)?;
    for path in args.map(PathBuf::from) {
        let (probed, opened) = (time(|| probe(&path))?, time(|| open(&path))?);
        println!("{}: probe {:.3} ms, open {:.1} ms", path.display(), probed * 1e3, opened * 1e3);
    }
    Ok(())
}
