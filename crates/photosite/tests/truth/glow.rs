//! Lights of which some have a glow in a part: none of them is the one that backgrounds are brought to.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::run::{IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::align::Alignment;
use photosite_pix::{Card, Header, Plane, Size, stat};
use photosite_sim::{Purpose, Stream};

use crate::night::write_plane;

const SIZE: Size = Size::new(768, 576);
const SKY: f64 = 400.0;

/// A light; those with a glow are the sharpest, so that nothing else speaks against them.
fn light(sky: &[(f64, f64, f64)], i: usize, glow: bool) -> Plane<f32> {
    let rise = |v: f64| 1.0 / (1.0 + (-v / 15.0).exp());
    let mut data = Plane::from_fn(SIZE, |x, y| {
        let part = rise(x as f64 - 300.0) * rise(y as f64 - 380.0);
        (SKY + if glow { 300.0 * part } else { 0.0 }) as f32
    });
    let sigma = if glow { 1.15 } else { 1.3 };
    for (x, y, flux) in sky {
        let (x, y) = (x + 1.7 * i as f64, y - 1.2 * i as f64);
        let range = |c: f64, end: usize| {
            (c - 8.0).clamp(0.0, end as f64) as usize..(c + 9.0).clamp(0.0, end as f64) as usize
        };
        for row in range(y, SIZE.height) {
            for column in range(x, SIZE.width) {
                let d2 = (column as f64 - x).powi(2) + (row as f64 - y).powi(2);
                let share = (-0.5 * d2 / (sigma * sigma)).exp();
                let share = share / (sigma * sigma * std::f64::consts::TAU);
                data.row_mut(row)[column] += (flux * share) as f32;
            }
        }
    }
    let mut random = Stream::new(11, i as u64, Purpose::ReadNoise);
    for v in data.as_mut_slice() {
        *v += ((f64::from(*v) + 25.0).sqrt() * random.gaussian()) as f32;
    }
    data
}

#[test]
fn a_light_with_a_glow_in_a_part_is_no_reference() {
    let mut random = Stream::new(3, 0, Purpose::Stars);
    let sky: Vec<(f64, f64, f64)> = (0..150)
        .map(|_| {
            let (x, y) = (random.between(20.0, 740.0), random.between(30.0, 550.0));
            (x, y, (2e3 * (1.0 - random.uniform()).powf(-1.1)).min(1e5))
        })
        .collect();
    let lit = [2, 5];
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..8)
        .map(|i| {
            let path = folder.path().join(format!("light_{i}.fits"));
            let mut header = Header::new();
            header.set(Card::real("EXPTIME", 60.0, ""));
            header.set(Card::real("EGAIN", 1.0, ""));
            write_plane(&path, &light(&sky, i, lit.contains(&i)), Sample::F32, header);
            path
        })
        .collect();
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let output = folder.path().join("stack.fits");
    let mut request = IntegrationRequest::new(&paths, &output);
    request.how.register = Some(Alignment::Stars);
    request.how.local = true;
    let done = integrate(&request, &context).unwrap();
    assert!(lit.iter().all(|i| done.reference != paths[*i]), "{:?}", done.reference);
    let data = &read_frames(&output).unwrap().0[0].data;
    let level = |columns: std::ops::Range<usize>, rows: std::ops::Range<usize>| {
        let rows = rows.flat_map(|y| data.row(y)[columns.clone()].to_vec());
        f64::from(stat::median(&rows.collect::<Vec<f32>>()))
    };
    let (away, there) = (level(50..250, 50..300), level(420..700, 460..540));
    println!("sky {away:.1}, where the glow was {there:.1}");
    assert!((there - away).abs() < 10.0, "{there} beside {away}");
}
