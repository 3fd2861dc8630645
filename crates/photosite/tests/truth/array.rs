//! What a filter array does to stacks: no holes beside clipped stars, no maze of unlike greens.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::run::{Integrated, IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::{Card, CfaColor, CfaPattern, Header, Plane, Size};
use photosite_sim::{Purpose, Stream};
use tempfile::TempDir;

use crate::night::write_plane;

const SIZE: Size = Size::new(320, 256);
const SKY_ADU: f64 = 400.0;
const CLIP_ADU: f64 = 65_535.0;
const LIGHTS: usize = 6;
const COLOURS: [f64; 3] = [0.7, 1.0, 0.5];

/// Stars of which the first four burn out.
fn stars(seed: u64) -> Vec<(f64, f64, f64)> {
    let mut random = Stream::new(seed, 0, Purpose::Stars);
    let mut star = |i: usize| {
        let (x, y) = (random.uniform(), random.uniform());
        let faint = 150.0 * (1.0 - random.uniform() * 0.995).powf(-0.9);
        let burnt = [1.5e5, 2.5e5, 4e5, 8e5].get(i).copied();
        let burnt_place = (60.0 + 65.0 * i as f64, 60.0 + 40.0 * (i % 4) as f64);
        match burnt {
            Some(peak) => (burnt_place.0 + x, burnt_place.1 + y, peak),
            None => (SIZE.width as f64 * x, SIZE.height as f64 * y, faint),
        }
    };
    (0..80).map(&mut star).collect()
}

/// Six lights under an array, of greens of two responses; noise is the root of the light.
fn stack(array: &str, split: f64, seed: u64) -> (TempDir, Integrated, Vec<Plane<f32>>) {
    let folder = tempfile::tempdir().unwrap();
    let cfa = CfaPattern::parse(array).unwrap();
    let stars = stars(seed);
    let paths: Vec<PathBuf> = (0..LIGHTS)
        .map(|i| {
            let mut random = Stream::new(seed, i as u64, Purpose::Dither);
            let (dx, dy) = if i == 0 { (0.0, 0.0) } else { random.in_disc() };
            let mut sky = Plane::filled(SIZE, SKY_ADU as f32);
            for (x, y, peak) in &stars {
                let (x, y) = (x + 5.0 * dx, y + 5.0 * dy);
                let range = |c: f64, end: usize| {
                    (c - 12.0).clamp(0.0, end as f64) as usize
                        ..(c + 13.0).clamp(0.0, end as f64) as usize
                };
                for j in range(y, SIZE.height) {
                    for i in range(x, SIZE.width) {
                        let r2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                        sky.row_mut(j)[i] += (peak * (-r2 / 3.2).exp()) as f32;
                    }
                }
            }
            let mut random = Stream::new(seed, i as u64, Purpose::ReadNoise);
            let data = Plane::from_fn(SIZE, |x, y| {
                let colour = cfa.color(x, y);
                let red_row = (0..2).any(|x| cfa.color(x, y) == CfaColor::Red);
                let excess = if colour == CfaColor::Green && red_row { split } else { 1.0 };
                let v = f64::from(sky.get(x, y)) * COLOURS[colour.channel()] * excess;
                (v + v.sqrt() * random.gaussian()).round().clamp(0.0, CLIP_ADU) as f32
            });
            let mut header = Header::new();
            header.set(Card::real("EXPTIME", 60.0, ""));
            header.set(Card::string("BAYERPAT", array, ""));
            let path = folder.path().join(format!("light_{i:02}.fits"));
            write_plane(&path, &data, Sample::U16 { pedestal_adu: 0.0 }, header);
            path
        })
        .collect();
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let output = folder.path().join("stack.fits");
    let mut request = IntegrationRequest::new(&paths, &output);
    request.reference = Some(paths[0].as_path());
    let done = integrate(&request, &context).unwrap();
    let planes = read_frames(&output).unwrap().0.into_iter().map(|f| f.data).collect();
    (folder, done, planes)
}

/// Bar: beside burnt-out stars nothing lies below the sky by more than seven sigma of a light.
#[test]
fn burnt_out_stars_dig_no_holes() {
    for (seed, array) in ["RGGB", "GBRG", "BGGR"].into_iter().enumerate() {
        let (_folder, _, planes) = stack(array, 1.0, seed as u64);
        for (plane, colour) in planes.iter().zip(COLOURS) {
            let sky = SKY_ADU * colour;
            for (x, y, _) in &stars(seed as u64)[..4] {
                let (x, y) = (*x as usize, *y as usize);
                let around = (y - 14..y + 15).flat_map(|j| (x - 14..x + 15).map(move |i| (i, j)));
                let least = around.map(|(i, j)| plane.get(i, j)).fold(f32::MAX, f32::min);
                println!("{array} {colour}: lowest {:.0} of sky {sky}", least);
                assert!(f64::from(least) > sky - 7.0 * sky.sqrt(), "{array} {colour} {least}");
            }
        }
    }
}

/// Bar: the means of the four places of the array differ by no more than a twentieth of the noise of
/// one light; greens of one response are left alone.
#[test]
fn unlike_greens_draw_no_maze() {
    for (seed, (array, split)) in
        [("RGGB", 1.0), ("RGGB", 1.03), ("GRBG", 0.97), ("GBRG", 1.1)].into_iter().enumerate()
    {
        let (_folder, done, planes) = stack(array, split, 10 + seed as u64);
        let told = done.findings.iter().filter(|f| f.code == "greens-equalised").count();
        assert_eq!(told, usize::from(split != 1.0), "{:?}", done.findings);
        for (plane, colour) in planes.iter().zip(COLOURS) {
            let sky = SKY_ADU * colour;
            let place = |a: usize, b: usize| {
                let (mut sum, mut count) = (0.0, 0.0);
                for y in (24 + b..SIZE.height - 24).step_by(2) {
                    for x in (24 + a..SIZE.width - 24).step_by(2) {
                        let v = f64::from(plane.get(x, y));
                        if (v - sky).abs() < 2.5 * sky.sqrt() {
                            sum += v;
                            count += 1.0;
                        }
                    }
                }
                sum / count
            };
            let places = [place(0, 0), place(1, 0), place(0, 1), place(1, 1)];
            let most = places.iter().fold(f64::MIN, |a, b| a.max(*b));
            let spread = most - places.iter().fold(f64::MAX, |a, b| a.min(*b));
            println!("{array} {split} {colour}: {spread:.3} of {sky}");
            assert!(spread < 0.05 * sky.sqrt(), "{array} {split} {places:?}");
        }
    }
}
