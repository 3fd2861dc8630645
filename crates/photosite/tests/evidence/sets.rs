//! How often clean sets are accused, and how often an odd frame is found.

use std::collections::BTreeMap;

use photosite::evidence::{FrameSummary, Odd, SetVerdict, compare};
use photosite_pix::{FrameKind, Plane};
use photosite_sim::Preset;

use crate::frames::{Camera, Course, SIZE, good};

const KINDS: [FrameKind; 3] = [FrameKind::Bias, FrameKind::Dark, FrameKind::Flat];
const COUNTS: [usize; 5] = [3, 5, 8, 15, 30];

/// The way in which one frame is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Black,
    Lit,
    OtherExposure,
    OtherGain,
    HalfMissing,
    RowsDropped,
    Mirrored,
    LightLeak,
    Saturated,
    Empty,
    OtherDust,
}

impl Fault {
    const OF_DARKS: [Self; 8] = [
        Self::Black,
        Self::Lit,
        Self::OtherExposure,
        Self::OtherGain,
        Self::HalfMissing,
        Self::RowsDropped,
        Self::Mirrored,
        Self::LightLeak,
    ];
    const OF_FLATS: [Self; 8] = [
        Self::Black,
        Self::HalfMissing,
        Self::RowsDropped,
        Self::Mirrored,
        Self::LightLeak,
        Self::Saturated,
        Self::Empty,
        Self::OtherDust,
    ];

    fn of(kind: FrameKind) -> [Self; 8] {
        if kind == FrameKind::Flat { Self::OF_FLATS } else { Self::OF_DARKS }
    }

    /// An odd frame in place of a good one.
    fn frame(self, camera: &mut Camera, good: &Plane<f32>) -> Plane<f32> {
        let top = camera.night.sensor.max_adu() as f32;
        let offset = camera.night.sensor.offset_adu as f32;
        let scatter = camera.scatter_adu(good) as f32;
        let (width, height) = (good.width(), good.size().height);
        let index = 1000 + (camera.random.uniform() * 1000.0) as usize;
        // From what does not matter to what cannot be overlooked.
        let strength = camera.random.between(0.5f64.ln(), 60f64.ln()).exp() as f32;
        let each = |f: &dyn Fn(usize, usize, f32) -> f32| {
            Plane::from_fn(good.size(), |x, y| f(x, y, good.get(x, y)).round().clamp(0.0, top))
        };
        match self {
            Self::Black => each(&|_, _, _| 0.0),
            Self::Lit => each(&|_, _, v| v + strength * scatter),
            Self::OtherExposure => {
                let factor = if camera.random.uniform() < 0.5 { 0.1 } else { 5.0 };
                camera.frame(index, factor, 0.0)
            }
            Self::OtherGain => {
                let factor = if camera.random.uniform() < 0.5 { 0.5f32 } else { 2.0 };
                each(&|_, _, v| v * factor)
            }
            Self::HalfMissing => {
                let from = (height as f64 * camera.random.between(0.2, 0.8)) as usize;
                let level = if camera.random.uniform() < 0.5 { 0.0 } else { top };
                each(&|_, y, v| if y < from { v } else { level })
            }
            Self::RowsDropped => {
                let rows = camera.random.between(4.0, 20.0) as usize;
                let from = (camera.random.uniform() * (height - rows) as f64) as usize;
                each(&|_, y, v| if (from..from + rows).contains(&y) { 0.0 } else { v })
            }
            Self::Mirrored => Plane::from_fn(good.size(), |x, y| good.get(x, height - 1 - y)),
            Self::LightLeak if camera.kind == FrameKind::Flat => {
                let most = camera.random.between(0.05, 0.5) as f32;
                each(&|x, _, v| (v - offset) * (1.0 + most * x as f32 / width as f32) + offset)
            }
            Self::LightLeak => {
                each(&|x, _, v| v + strength * scatter * (x as f32 / width as f32).powi(2))
            }
            Self::Saturated => {
                let times = camera.random.between(3.2, 12.0);
                camera.frame(index, times, 0.0)
            }
            Self::Empty => {
                let share = 10f64.powf(camera.random.between(-5.0, -2.0));
                camera.frame(index, share, 0.0)
            }
            Self::OtherDust => {
                let seed = camera.random.bits();
                let corner = camera.random.between(0.5, 0.9);
                let other = camera.changed(|night| {
                    night.seed = seed;
                    night.sensor.corner_light = corner;
                });
                camera.frame_by(&other, index)
            }
        }
    }

    /// Whether the frame moves a master of `count` by more than its noise: places of 8 x 8 pixels,
    /// or more single pixels than noise has so far out.
    fn moves(self, camera: &Camera, odd: &Plane<f32>, good: &Plane<f32>, count: usize) -> bool {
        if matches!(self, Self::Saturated | Self::Empty) {
            return true;
        }
        let (odd, good) = (camera.as_stacked(odd), camera.as_stacked(good));
        let noise = {
            let rows = good.as_slice();
            photosite_pix::stat::noise(
                rows,
                good.width(),
                if camera.kind == FrameKind::Flat { 2 } else { 1 },
            )
        };
        let limit = noise * (count as f64).sqrt();
        let size = good.size();
        let difference = |x: usize, y: usize| f64::from(odd.get(x, y) - good.get(x, y));
        let (mut places, mut moved, mut pixels) = (0, 0, 0);
        for y0 in (0..size.height - 7).step_by(8) {
            for x0 in (0..size.width - 7).step_by(8) {
                let mut here: Vec<f64> = Vec::new();
                for y in y0..y0 + 8 {
                    here.extend((x0..x0 + 8).map(|x| difference(x, y)));
                }
                pixels += here.iter().filter(|d| d.abs() > limit + 7.0 * noise).count();
                here.sort_by(f64::total_cmp);
                places += 1;
                moved += usize::from((here[31] + here[32]).abs() / 2.0 > limit);
            }
        }
        moved * 100 > places || pixels * 2000 > size.pixels()
    }
}

/// The frames of a verdict that are left out, or that it refuses.
fn accused(verdict: &SetVerdict) -> Vec<usize> {
    let of = |odd: &[Odd]| odd.iter().map(|o| o.index).collect();
    match verdict {
        SetVerdict::Agree { odd, .. } | SetVerdict::Unusable(odd) => of(odd),
        SetVerdict::Contradict { parts, .. } => parts.concat(),
        SetVerdict::WithoutSignal(_) => Vec::new(),
    }
}

/// A few frames of many, in order, by a seed.
fn choose(of: usize, count: usize, camera: &mut Camera) -> Vec<usize> {
    // Frames that follow each other, as a person takes them.
    let first = (camera.random.uniform() * (of - count + 1) as f64) as usize;
    (first..first + count).collect()
}

fn clean_sets(seeds: u64) {
    let (mut sets, mut wrong) = (0, Vec::new());
    for preset in Preset::ALL {
        for kind in KINDS {
            for &course in Course::of(kind, preset) {
                for seed in 0..seeds {
                    let mut camera = Camera::new(preset, kind, 100 + seed);
                    let frames = good(&camera, course, 30);
                    let seen: Vec<FrameSummary> = frames.iter().map(|f| camera.look(f)).collect();
                    for count in COUNTS {
                        let first = choose(30, count, &mut camera)[0];
                        let verdict = compare(kind, &seen[first..first + count]);
                        sets += 1;
                        if verdict != (SetVerdict::Agree { odd: Vec::new(), apart: None }) {
                            wrong.push(format!(
                                "{preset:?} {kind} {course:?} seed {seed} N {count}: {verdict:?}"
                            ));
                        }
                    }
                }
            }
        }
    }
    println!("{sets} clean sets, {} accused", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn odd_frames(seeds: u64) {
    // (kind, fault, count): sets, those in which it matters, found of these, found of the rest.
    let mut table: BTreeMap<(&str, Fault, usize), [usize; 4]> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut others = Vec::new();
    for preset in Preset::ALL {
        for kind in KINDS {
            for seed in 0..seeds {
                let courses = Course::of(kind, preset);
                let course = courses[seed as usize % courses.len()];
                let mut camera = Camera::new(preset, kind, 500 + seed);
                let frames = good(&camera, course, 30);
                let seen: Vec<FrameSummary> = frames.iter().map(|f| camera.look(f)).collect();
                for fault in Fault::of(kind) {
                    for count in COUNTS {
                        let set = choose(30, count, &mut camera);
                        let at = (camera.random.uniform() * count as f64) as usize;
                        let good = &frames[set[at]];
                        let odd = fault.frame(&mut camera, good);
                        let matters = fault.moves(&camera, &odd, good, count);
                        let mut seen: Vec<FrameSummary> =
                            set.iter().map(|i| seen[*i].clone()).collect();
                        seen[at] = camera.look(&odd);
                        let verdict = compare(kind, &seen);
                        let found = matches!(&verdict, SetVerdict::Agree { odd, .. } if odd.iter().any(|o| o.index == at));
                        let row = table.entry((kind.name(), fault, count)).or_default();
                        row[0] += 1;
                        row[if matters { 2 } else { 3 }] += usize::from(found);
                        row[1] += usize::from(matters);
                        let name =
                            format!("{preset:?} {kind} {course:?} {fault:?} seed {seed} N {count}");
                        if matters && !found {
                            missed.push(format!("{name}: {verdict:?}"));
                        }
                        if accused(&verdict).iter().any(|i| *i != at) {
                            others.push(format!("{name}: {at} {verdict:?}"));
                        }
                    }
                }
            }
        }
    }
    for ((kind, fault, count), [sets, matter, found, beside]) in &table {
        println!(
            "{kind:5} {fault:14?} N {count:2}: {sets:3} sets, {matter:3} matter, {found:3} found; of the rest {beside}"
        );
    }
    missed.iter().take(60).for_each(|m| println!("missed {m}"));
    others.iter().take(60).for_each(|m| println!("accused beside it {m}"));
    let mut faults: BTreeMap<(&str, Fault), (usize, usize)> = BTreeMap::new();
    for ((kind, fault, _), [_, matter, found, _]) in &table {
        let sum = faults.entry((kind, *fault)).or_default();
        *sum = (sum.0 + matter, sum.1 + found);
    }
    for (of, (matter, found)) in &faults {
        assert!(*found as f64 >= 0.98 * *matter as f64, "{of:?}: {found} of {matter}");
    }
    assert!(others.is_empty(), "{} good frames were accused", others.len());
}

#[test]
fn biases_without_noise_agree_and_other_frames_without_it_are_no_exposures() {
    let camera = Camera::new(Preset::Ccd, FrameKind::Bias, 1);
    for level in [0.0, 1.0, 500.0] {
        for count in [1, 2, 3, 7] {
            let seen = vec![camera.look(&Plane::filled(SIZE, level)); count];
            let agree = SetVerdict::Agree { odd: Vec::new(), apart: None };
            assert_eq!(compare(FrameKind::Bias, &seen), agree, "{count} of {level}");
            for kind in [FrameKind::Dark, FrameKind::DarkFlat] {
                let verdict = compare(kind, &seen);
                assert!(matches!(verdict, SetVerdict::WithoutSignal(_)), "{count} of {level}");
            }
        }
    }
}

#[test]
fn clean_sets_are_left_alone() {
    clean_sets(1);
}

/// `cargo test --release -p photosite --test evidence -- --ignored --nocapture`
#[test]
#[ignore = "renders some thousand frames"]
fn clean_sets_are_left_alone_however_many() {
    clean_sets(5);
}

#[test]
fn odd_frames_are_found() {
    odd_frames(1);
}

/// `cargo test --release -p photosite --test evidence -- --ignored --nocapture`
#[test]
#[ignore = "renders some thousand frames"]
fn odd_frames_are_found_however_many() {
    odd_frames(10);
}
