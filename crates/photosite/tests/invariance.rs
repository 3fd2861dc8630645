//! The same frames give the same bytes, however they are named and however many work on them; and
//! what is there already is not made again.

mod night;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite::params::default_recipe;
use photosite::report::RunReport;
use photosite::run::NightRequest;
use photosite::stack::{Buffers, Laid, Laying, Prepared, Stacked, Stars, Terms, stack_tile};
use photosite_file::fits::Sample;
use photosite_pix::align::Transform;
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::normalise::Affine;
use photosite_pix::reject::Reject;
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Night, Preset, Purpose, Simulation, Stream};

use night::{FOLDERS, request, run, write_night, write_plane};

fn small_night(preset: Preset) -> Simulation {
    let mut night = Night::preset(preset, Size::new(80, 56), 3);
    night.counts.bias = 5;
    night.counts.darks = 6;
    night.counts.flats = 5;
    night.counts.dark_flats = 4;
    night.counts.lights = 4;
    Simulation::new(night)
}

/// Every product below `output`, by its name: all files but the account.
fn products(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for folder in ["masters", "calibrated"] {
        for entry in std::fs::read_dir(output.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            out.insert(format!("{folder}/{name}"), std::fs::read(&path).unwrap());
        }
    }
    out
}

/// The account without what may differ: the clock, the forecast for so many threads, the folder.
fn account(report: &RunReport, request: &NightRequest) -> String {
    let mut value = serde_json::to_value(report).unwrap();
    for key in ["timing", "forecast", "asked"] {
        value.as_object_mut().unwrap().remove(key).expect(key);
    }
    value.to_string().replace(&request.output.display().to_string(), "OUT")
}

/// Every frame of a night as a path of its own.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for kind in FOLDERS {
        for entry in std::fs::read_dir(folder.join(kind)).unwrap() {
            out.push(entry.unwrap().path());
        }
    }
    out.sort();
    out
}

fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut random = Stream::new(seed, 0, Purpose::ReadNoise);
    for i in (1..list.len()).rev() {
        list.swap(i, (random.uniform() * (i + 1) as f64) as usize);
    }
}

#[test]
fn threads_order_and_naming_change_no_byte() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("night");
        write_night(&small_night(preset), &raw);
        let mut reference: Option<(BTreeMap<String, Vec<u8>>, String)> = None;
        let mut backwards: Vec<PathBuf> = FOLDERS.iter().map(|k| raw.join(k)).collect();
        backwards.reverse();
        let mut shuffled = files(&raw);
        shuffle(&mut shuffled, 17);
        let mut again = files(&raw);
        shuffle(&mut again, 4);
        let twice = [files(&raw), vec![raw.clone()]].concat();
        let ways = [
            ("the folder, one thread", vec![raw.clone()], 1),
            ("the folder, one thread, again", vec![raw.clone()], 1),
            ("the folder, two threads", vec![raw.clone()], 2),
            ("the folder, three threads", vec![raw.clone()], 3),
            ("folders in another order", backwards, 2),
            ("files in any order", shuffled, 3),
            ("files in another order", again, 1),
            ("every file twice", twice, 2),
        ];
        for (i, (name, paths, threads)) in ways.into_iter().enumerate() {
            let request = request(paths, &dir.path().join(format!("out{i}")));
            let report = run(&request, threads);
            let got = (products(&request.output), account(&report, &request));
            assert_eq!(got.0.len(), 4 + 4, "{:?}", got.0.keys());
            match &reference {
                None => reference = Some(got),
                Some(first) => {
                    for (file, bytes) in &first.0 {
                        assert!(got.0.get(file) == Some(bytes), "{name}: {file} differs");
                    }
                    assert_eq!(first.1, got.1, "{name}: the account differs");
                }
            }
        }
    }
}

#[test]
fn a_night_that_moved_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let simulation = small_night(Preset::Dslr);
    let mut all = Vec::new();
    for place in ["here", "there/deeper"] {
        let raw = dir.path().join(place).join("night");
        write_night(&simulation, &raw);
        let request = request(vec![raw], &dir.path().join(place).join("out"));
        run(&request, 2);
        all.push(products(&request.output));
    }
    assert!(all[0] == all[1]);
}

#[test]
fn tiles_of_any_shape_give_the_same_stack() {
    let dir = tempfile::tempdir().unwrap();
    let simulation = small_night(Preset::Ccd);
    let darks: Vec<_> =
        simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Dark).collect();
    for plan in &darks {
        let frame = simulation.render(plan);
        let sample = Sample::U16 { pedestal_adu: 0.0 };
        write_plane(&dir.path().join(&plan.file_name), &frame.adu, sample, frame.header);
    }
    let open = |plan: &photosite_sim::FramePlan| {
        Prepared::plain(photosite_file::open(&dir.path().join(&plan.file_name)).unwrap())
    };
    let size = Size::new(80, 56);
    let pooled = default_recipe(FrameKind::Dark, darks.len(), None);
    let winsorized = Reject::Winsorized { sigma_low: 4.0, sigma_high: 4.0 };
    let own = Recipe { reject: winsorized, combine: Combine::Mean };
    let stack = |recipe, height: usize, width: usize, backwards| -> (Vec<u32>, Stacked) {
        let mut sources: Vec<Prepared> = darks.iter().map(open).collect();
        if backwards {
            sources.reverse();
        }
        let (mut buffers, mut out) = (Buffers::default(), Stacked::empty(size, true));
        let mut rejected = (0, 0);
        for (i, mut band) in out.bands(height).enumerate() {
            let y = i * height;
            for x in (0..size.width).step_by(width).rev() {
                let rows = y..(y + height).min(size.height);
                let columns = x..(x + width).min(size.width);
                let tile = stack_tile(
                    &sources,
                    rows,
                    columns.clone(),
                    (recipe, Terms::default()),
                    &mut buffers,
                );
                band.place(columns, &tile.unwrap()[0]);
            }
            rejected = (rejected.0 + band.rejected_low, rejected.1 + band.rejected_high);
        }
        (out.rejected_low, out.rejected_high) = rejected;
        let planes = [&out.value, &out.variance];
        let samples = planes.into_iter().flat_map(|p| p.as_slice());
        (samples.map(|v| v.to_bits()).collect(), out)
    };
    // A pooled scale is one of 256 neighbours in a line: tiles cut lines there or not at all
    // (`budget`).
    let whole_lines = [(1, 80), (7, 80), (55, 80)];
    let any = [(1, 80), (3, 7), (7, 80), (56, 1), (55, 79)];
    for (recipe, tiles) in [(pooled, &whole_lines[..]), (own, &any[..])] {
        let whole = stack(recipe, size.height, size.width, false);
        for &(height, width) in tiles {
            for backwards in [false, true] {
                let tiled = stack(recipe, height, width, backwards);
                assert!(tiled.0 == whole.0, "tiles of {width} x {height}, backwards {backwards}");
                assert_eq!(tiled.1.maps, whole.1.maps);
                assert_eq!(tiled.1.rejected_high, whole.1.rejected_high);
            }
        }
    }
}

#[test]
fn what_lights_may_differ_by_on_stars_does_not_depend_on_tiles() {
    let dir = tempfile::tempdir().unwrap();
    let simulation = small_night(Preset::Ccd);
    let plans = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    let paths: Vec<_> = plans
        .map(|plan| {
            let frame = simulation.render(&plan);
            let path = dir.path().join(&plan.file_name);
            write_plane(&path, &frame.adu, Sample::F32, frame.header);
            path
        })
        .collect();
    let size = Size::new(300, 210);
    let layer = |path: &std::path::PathBuf| Laid {
        source: photosite_file::open(path).unwrap(),
        size,
        transform: Transform::IDENTITY.from_finer_grid(3.75),
        laying: Laying::Interpolated(Default::default()),
        levels: vec![Affine::IDENTITY],
        offsets: Vec::new(),
        burnt: Default::default(),
    };
    let layers: Vec<Laid> = paths.iter().map(layer).collect();
    let recipe = default_recipe(FrameKind::Light, layers.len(), None);
    let stack = |height: usize, width: usize, share: f32, levels: Option<[[f32; 3]; 4]>| {
        let guides = [2, 0, 1, 3];
        let stars = Some(Stars { guides, near_px: 5, reach_px: 5, share, levels });
        let terms = Terms { stars, ..Terms::default() };
        let (mut buffers, mut out) = (Buffers::default(), Stacked::empty(size, true));
        for (i, mut band) in out.bands(height).enumerate() {
            for x in (0..size.width).step_by(width) {
                let rows = i * height..((i + 1) * height).min(size.height);
                let columns = x..(x + width).min(size.width);
                let how = (recipe, terms);
                let tile = stack_tile(&layers, rows, columns.clone(), how, &mut buffers).unwrap();
                band.place(columns, &tile[0]);
            }
        }
        let bits: Vec<u32> = out.value.as_slice().iter().map(|v| v.to_bits()).collect();
        (bits, out.maps)
    };
    // In one plane alone, and in all together, of which there is one here.
    for levels in [None, Some([[500.0; 3]; 4])] {
        let whole = stack(size.height, size.width, 3.0, levels);
        assert!(whole != stack(size.height, size.width, 0.0, levels), "nothing was allowed");
        for (height, width) in [(1, 300), (7, 300), (64, 300), (3, 256), (210, 256)] {
            assert!(stack(height, width, 3.0, levels) == whole, "tiles of {width} x {height}");
        }
    }
}

/// Which masters and lights were reused, by file name.
fn reused(report: &RunReport) -> BTreeMap<String, bool> {
    let name = |p: &Path| p.file_name().unwrap().to_string_lossy().into_owned();
    let masters = report.masters.iter().map(|m| (name(&m.path), m.reused));
    masters.chain(report.lights.iter().map(|l| (name(&l.path), l.reused))).collect()
}

/// Raises one sample of a raw frame by one ADU.
fn change(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes
        .chunks(2880)
        .position(|block| block.chunks(80).any(|card| card.starts_with(b"END  ")))
        .unwrap();
    bytes[(header + 1) * 2880 + 201] ^= 1;
    // Not through the project's own writer: a capture program would have written it.
    #[allow(clippy::disallowed_methods, reason = "a raw frame, changed by hand")]
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_second_run_makes_nothing_anew() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write_night(&small_night(Preset::CmosMono), &raw);
    let request = request(vec![raw], &dir.path().join("out"));
    let first = run(&request, 2);
    assert!(reused(&first).values().all(|r| !r));
    let modified = |name: &str| request.output.join(name).metadata().unwrap().modified().unwrap();
    let before = products(&request.output);
    let times: Vec<_> = before.keys().map(|n| modified(n)).collect();
    let second = run(&request, 2);
    assert!(reused(&second).values().all(|r| *r), "{:?}", reused(&second));
    assert!(products(&request.output) == before);
    assert_eq!(before.keys().map(|n| modified(n)).collect::<Vec<_>>(), times);
    // Reused or made, the account tells the same.
    let told = |r: &RunReport| account(r, &request).replace("\"reused\":true", "\"reused\":false");
    assert_eq!(told(&first), told(&second));
}

#[test]
fn a_changed_frame_remakes_what_depends_on_it_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    write_night(&small_night(Preset::CmosMono), &raw);
    let request = request(vec![raw.clone()], &dir.path().join("out"));
    run(&request, 2);
    let anew = || -> Vec<String> {
        let report = run(&request, 2);
        reused(&report).into_iter().filter_map(|(n, r)| (!r).then_some(n)).collect()
    };
    let kinds = |names: Vec<String>| -> Vec<String> {
        let mut kinds: Vec<String> =
            names.iter().map(|n| n.split('_').next().unwrap().to_owned()).collect();
        kinds.dedup();
        kinds
    };
    change(&raw.join("lights/Light_M00_60.0s_0002.fits"));
    assert_eq!(anew(), ["Light_M00_60.0s_0002.fits"]);
    change(&raw.join("darkflats/DarkFlat_2.0s_0001.fits"));
    assert_eq!(kinds(anew()), ["Light", "dark-flat", "flat"]);
    change(&raw.join("darks/Dark_60.0s_0003.fits"));
    assert_eq!(kinds(anew()), ["Light", "dark"]);
    change(&raw.join("flats/Flat_L_2.0s_0003.fits"));
    assert_eq!(kinds(anew()), ["Light", "flat"]);
    assert_eq!(anew(), Vec::<String>::new());
    // A frame taken away is a change as well.
    std::fs::remove_file(raw.join("bias/Bias_0.1ms_0001.fits")).unwrap();
    let after = anew();
    assert!(after.iter().any(|n| n.starts_with("bias")), "{after:?}");
    assert!(!after.iter().any(|n| n.starts_with("flat") || n.starts_with("dark")), "{after:?}");
}
