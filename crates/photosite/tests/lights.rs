//! Lights are seen and chosen: bad ones are named, weigh little, and are left out where that is asked.

mod night;

use std::collections::BTreeMap;
use std::path::Path;

use photosite::colour::Extract;
use photosite::params::{RecipeChoice, Selection};
use photosite::report::{LightRow, RunReport};
use photosite::run::{NightRequest, run_night};
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::read_frames;
use photosite_pix::reject::Reject;
use photosite_pix::stat::median_scatter;
use photosite_pix::{FrameKind, MaskBits, Plane, Size};
use photosite_sim::{Conditions, Counts, Effects, FlatOptics, Night, Preset, Simulation};

use night::{run, run_context, with, write_as, write_plane};

/// A night of lights alone, with stars enough.
fn of_lights(preset: Preset, lights: usize, seed: u64) -> Night {
    let mut night = Night::preset(preset, Size::new(640, 480), seed);
    night.counts = Counts { bias: 0, darks: 0, flats: 0, dark_flats: 0, lights };
    night.effects.remove(
        Effects::TRAIL
            | Effects::DARK_CURRENT
            | Effects::HOT_PIXELS
            | Effects::AMP_GLOW
            | Effects::VIGNETTING
            | Effects::DUST
            | Effects::PRNU
            | Effects::BIAS_STRUCTURE,
    );
    night.sky.stars_per_mpx = night.sky.stars_per_mpx.max(600.0);
    night
}

/// The lights of a night, some under conditions of their own, by index.
fn write_under(simulation: &Simulation, folder: &Path, bad: &[(usize, Conditions)]) {
    write_as(simulation, folder, |plan| {
        let odd = bad.iter().find(|(i, _)| *i == plan.index && plan.kind == FrameKind::Light);
        let conditions = odd.map_or(Conditions::CLEAR, |(_, c)| *c);
        (plan.clone(), simulation.render_under(plan, conditions))
    });
}

fn stacked(folder: &Path, out: &str) -> NightRequest {
    NightRequest::new(vec![folder.join("lights")], folder.join(out))
}

fn row(report: &RunReport, index: usize) -> &LightRow {
    let end = format!("_{:04}.fits", index + 1);
    let of = |row: &&LightRow| row.path.to_string_lossy().ends_with(&end);
    report.table.iter().find(of).unwrap_or_else(|| panic!("no row {end}"))
}

/// Lights, the names of those that a run told to be outliers.
fn outliers(report: &RunReport) -> Vec<String> {
    let told = report.findings.iter().filter(|f| f.code == "light-outlier");
    told.map(|f| f.subject[f.subject.len() - 9..f.subject.len() - 5].to_owned()).collect()
}

#[test]
fn bad_lights_are_named_with_their_number_and_weigh_little() {
    let bad = [
        (2, Conditions::CLOUDED, "transparency", 0.2),
        (5, Conditions::DEFOCUSED, "fwhm", 0.5),
        (7, Conditions::TRAILED, "round", 0.5),
        (9, Conditions::TWILIT, "sky", 0.2),
        (11, Conditions::ELSEWHERE, "", 0.0),
    ];
    for (preset, seed) in [(Preset::CmosMono, 3), (Preset::CmosOsc, 4), (Preset::Ccd, 5)] {
        let simulation = Simulation::new(of_lights(preset, 15, seed));
        let folder = tempfile::tempdir().unwrap();
        write_under(&simulation, folder.path(), &bad.map(|(i, c, ..)| (i, c)));
        let report = run(&stacked(folder.path(), "out"), 2);
        assert_eq!(outliers(&report), ["0003", "0006", "0008", "0010"], "{preset:?}");
        for (index, _, column, most) in bad {
            let row = row(&report, index);
            assert!(row.weight <= most, "{preset:?} {column}: {row:?}");
            if column.is_empty() {
                assert!(
                    !row.used && report.findings.iter().any(|f| f.code == "registration-failed")
                );
                continue;
            }
            let found = row.outliers.iter().find(|o| o.column == column);
            let found = found.unwrap_or_else(|| panic!("{preset:?} {column}: {row:?}"));
            assert!(row.note.contains(column), "{}", row.note);
            println!("{preset:?} {column}: {} weight {:.3}", found.told(), row.weight);
        }
        let good = (0..15).filter(|i| bad.iter().all(|b| b.0 != *i));
        good.for_each(|i| assert!(row(&report, i).weight > 0.6, "{:?}", row(&report, i)));
        // The same without them.
        let names = bad.map(|(i, ..)| format!("*_{:04}.fits", i + 1));
        let exclude = names.map(|n| n.parse().unwrap()).to_vec();
        let without = run(&with(stacked(folder.path(), "without"), |n| n.exclude = exclude), 2);
        assert!(outliers(&without).is_empty());
        assert_eq!(without.findings.iter().filter(|f| f.code == "frame-excluded").count(), 5);
        let (all, best) = (&report.stacks[0], &without.stacks[0]);
        assert_eq!((all.inputs.len(), best.inputs.len()), (14, 10));
        let fwhm = all.fwhm_px.unwrap() / best.fwhm_px.unwrap() - 1.0;
        let noise = all.noise_adu / best.noise_adu - 1.0;
        println!("{preset:?}: FWHM {:+.2} %, noise {:+.2} %", 100.0 * fwhm, 100.0 * noise);
        assert!(fwhm.abs() < 0.02 && noise.abs() < 0.02, "{preset:?} {fwhm} {noise}");
    }
}

/// What may befall one light: its samples, as the camera's program or the transfer left them.
type Mishap = fn(&Plane<f32>) -> Plane<f32>;

const MISHAPS: [(&str, Mishap); 6] = [
    ("torn", |a| moved(a, |(x, y), (w, h)| (if y > h / 2 { (x + 100) % w } else { x }, y))),
    ("in coarse steps", |a| Plane::from_fn(a.size(), |x, y| (a.get(x, y) / 64.0).floor() * 64.0)),
    ("with each star twice", |a| {
        let jumped = moved(a, |(x, y), (w, h)| ((x + w - 15) % w, (y + h - 6) % h));
        Plane::from_fn(a.size(), |x, y| (0.5 * (a.get(x, y) + jumped.get(x, y))).round())
    }),
    ("full of snow", |a| {
        let mut snowed = a.clone();
        for i in 0..300usize {
            let (x, y) = (4 + i * 7919 % (a.width() - 8), 4 + i * 104_729 % (a.height() - 8));
            for (dx, dy) in (0..49).map(|k| (k % 7, k / 7)) {
                let away = (dx as f32 - 3.0).powi(2) + (dy as f32 - 3.0).powi(2);
                let light = 400.0 * (1 + i % 7) as f32 * (-away / 3.4).exp();
                let (x, y) = (x + dx - 3, y + dy - 3);
                snowed.set(x, y, (a.get(x, y) + light).round().min(65535.0));
            }
        }
        snowed
    }),
    ("mirrored", |a| moved(a, |(x, y), (w, _)| (w - 1 - x, y))),
    ("turned", |a| moved(a, |(x, y), (w, h)| (w - 1 - x, h - 1 - y))),
];

/// A frame of samples that lay elsewhere.
fn moved(
    a: &Plane<f32>,
    from: impl Fn((usize, usize), (usize, usize)) -> (usize, usize),
) -> Plane<f32> {
    Plane::from_fn(a.size(), |x, y| {
        let (x, y) = from((x, y), (a.width(), a.height()));
        a.get(x, y)
    })
}

#[test]
fn one_bad_light_takes_no_other_with_it() {
    for (preset, seed) in [(Preset::CmosMono, 31), (Preset::Ccd, 32)] {
        for (what, mishap) in MISHAPS {
            let simulation = Simulation::new(of_lights(preset, 8, seed));
            let folder = tempfile::tempdir().unwrap();
            write_as(&simulation, folder.path(), |plan| {
                let mut frame = simulation.render_under(plan, Conditions::CLEAR);
                if plan.kind == FrameKind::Light && plan.index == 3 {
                    frame.adu = mishap(&frame.adu);
                }
                (plan.clone(), frame)
            });
            let report = run(&stacked(folder.path(), "out"), 2);
            let codes: Vec<&str> = report.findings.iter().map(|f| &*f.code).collect();
            assert_eq!(report.stacks.len(), 1, "{what}: {codes:?}");
            let stack = &report.stacks[0];
            println!("{preset:?} {what}: {} lights, {codes:?}", stack.inputs.len());
            let bad = "_0004.fits";
            assert!(!stack.reference.to_string_lossy().ends_with(bad), "{what}");
            let good = (0..8).filter(|i| *i != 3 && row(&report, *i).used).count();
            assert_eq!(good, 7, "{preset:?} {what}: {codes:?}");
            if what == "torn" {
                let told = report.findings.iter().find(|f| f.code == "light-torn");
                assert!(told.is_some_and(|f| f.subject.ends_with(bad)), "{codes:?}");
            }
        }
    }
}

/// A driver wrote one exposure again, under a later date.
#[test]
fn an_exposure_that_was_written_twice_counts_once() {
    let simulation = Simulation::new(of_lights(Preset::CmosMono, 4, 51));
    let folder = tempfile::tempdir().unwrap();
    write_under(&simulation, folder.path(), &[]);
    let lights = folder.path().join("lights");
    let mut first = std::fs::read_dir(&lights).unwrap().map(|e| e.unwrap().path()).min().unwrap();
    let mut bytes = std::fs::read(&first).unwrap();
    let date = bytes.windows(9).position(|w| w == b"DATE-OBS=").unwrap();
    // The year is in columns 12 to 15.
    bytes[date + 14] += 1;
    first.set_file_name("Light_M00_again.fits");
    write_bytes(&first, &bytes, Existing::Refuse).unwrap();
    let report = run(&stacked(folder.path(), "out"), 2);
    let told: Vec<_> = report.findings.iter().filter(|f| f.code == "same-samples").collect();
    assert_eq!((report.stacks[0].inputs.len(), told.len()), (4, 1), "{told:?}");
}

/// Lights on the pixels of their picture have an error each, and so have the pixels that one light alone shows.
#[test]
fn what_one_light_shows_has_its_error() {
    for (preset, seed) in [(Preset::CmosMono, 41), (Preset::CmosOsc, 42)] {
        let mut night = of_lights(preset, 4, seed);
        night.counts.bias = 9;
        let folder = tempfile::tempdir().unwrap();
        write_under(&Simulation::new(night), folder.path(), &[]);
        let asked = NightRequest::new(vec![folder.path().to_owned()], folder.path().join("out"));
        let report = run(&with(asked, |n| n.keep.registered = true), 2);
        let place = folder.path().join("out/registered");
        let mut paths: Vec<_> =
            std::fs::read_dir(&place).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        let registered: Vec<_> = paths.iter().map(|p| read_frames(p).unwrap().0).collect();
        for (a, b) in registered[0].iter().zip(&registered[1]) {
            let [of_a, of_b] = [a, b].map(|f| f.variance.as_ref().unwrap());
            let known = (0..a.data.as_slice().len())
                .filter(|i| [a, b].iter().all(|f| f.mask.as_slice()[*i].is_empty()));
            let pulls = known.map(|i| {
                let at = |p: &Plane<f32>| p.as_slice()[i];
                (at(&a.data) - at(&b.data)) / (at(of_a) + at(of_b)).sqrt()
            });
            let (_, scatter) = median_scatter(&pulls.map(f64::from).collect::<Vec<_>>());
            println!("{preset:?}: differences over their errors scatter by {scatter:.3}");
            // How an edge is followed under noise is no linear sum of it.
            let most = if registered[0].len() == 1 { 0.03 } else { 0.1 };
            assert!((scatter - 1.0).abs() < most, "{preset:?} {scatter}");
        }
        let (stack, _) = read_frames(&report.stacks[0].path).unwrap();
        for frame in &stack {
            let errors = frame.variance.as_ref().unwrap().as_slice().iter();
            let mut lacking = errors
                .zip(frame.mask.as_slice())
                .filter(|(v, m)| (v.is_nan() || **v <= 0.0) && !m.intersects(MaskBits::NO_DATA));
            assert!(lacking.next().is_none(), "{preset:?}");
        }
    }
}

/// Chance alone: of so many clean lights none stands out.
#[test]
fn of_a_hundred_clean_nights_no_light_is_named() {
    let mut bad = Vec::new();
    for seed in 0..100u64 {
        let presets = [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd, Preset::Dslr];
        let preset = presets[seed as usize % presets.len()];
        let mut night = of_lights(preset, 5 + seed as usize % 4, 1000 + seed);
        night.sensor.size = Size::new(384, 256);
        night.sky.fwhm_px *= 0.8 + 0.1 * (seed % 7) as f64;
        night.sky.background_e_s *= [0.2, 1.0, 4.0][seed as usize % 3];
        let simulation = Simulation::new(night);
        let folder = tempfile::tempdir().unwrap();
        write_under(&simulation, folder.path(), &[]);
        let report = run(&stacked(folder.path(), "out"), 2);
        let told: Vec<_> = report.findings.iter().filter(|f| f.code == "light-outlier").collect();
        if !told.is_empty() {
            bad.push(format!("seed {seed}, {preset:?}: {}", told[0].message));
        }
        assert_eq!(report.table.len(), simulation.night().counts.lights);
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

fn selected(text: &str) -> Selection {
    Selection { expression: Some(text.parse().unwrap()), ..Selection::default() }
}

#[test]
fn lights_are_chosen_named_and_foretold() {
    let bad = [(1, Conditions::DEFOCUSED), (4, Conditions::CLOUDED)];
    let simulation = Simulation::new(of_lights(Preset::CmosMono, 8, 21));
    let folder = tempfile::tempdir().unwrap();
    write_under(&simulation, folder.path(), &bad);
    let out = |report: &RunReport| -> Vec<String> {
        let gone = report.table.iter().filter(|row| row.left_out.is_some());
        gone.map(|row| row.path.to_string_lossy().rsplit('_').next().unwrap()[..4].to_owned())
            .collect()
    };
    let night = |wanted: Selection| with(stacked(folder.path(), "out"), |n| n.selection = wanted);
    // What was not measured yet cannot be foretold.
    let wanted = selected("fwhm < 1.5 * median(fwhm) and round > 0.6");
    let dry = run(&with(night(wanted.clone()), |n| n.dry_run = true), 2);
    assert!(dry.findings.iter().any(|f| f.code == "selection-not-known"), "{:?}", dry.findings);
    let first = run(&night(Selection::default()), 2);
    assert_eq!((out(&first).len(), first.stacks[0].inputs.len()), (0, 8));
    let best = Selection { keep_best: Some("75%".parse().unwrap()), ..Selection::default() };
    for (wanted, expected) in [
        (wanted, vec!["0002"]),
        (selected("transparency > 0.6"), vec!["0005"]),
        (best, vec!["0002", "0005"]),
        (selected("fwhm < 1.5 * median(fwhm) and transparency > 0.6"), vec!["0002", "0005"]),
    ] {
        let dry = run(&with(night(wanted.clone()), |n| n.dry_run = true), 2);
        assert_eq!(out(&dry), expected, "foretold");
        let report = run(&night(wanted.clone()), 2);
        assert_eq!(out(&report), expected);
        assert_eq!(report.stacks[0].inputs.len(), 8 - expected.len());
        let told: Vec<_> = report.findings.iter().filter(|f| f.code == "light-left-out").collect();
        assert_eq!(told.len(), expected.len());
        for (finding, row) in
            told.iter().zip(report.table.iter().filter(|row| row.left_out.is_some()))
        {
            let number = finding
                .message
                .split_whitespace()
                .find_map(|w| w.trim_end_matches([';', ',']).parse::<f64>().ok());
            assert!(number.is_some(), "{}", finding.message);
            assert!(!row.used && row.weight > 0.0 && row.note.contains("left out"));
        }
        // Another run finds the same stack, and says the same.
        let again = run(&night(wanted), 2);
        assert!(again.stacks[0].reused);
        assert_eq!((out(&again), again.table.len()), (out(&report), 8));
        let of_lights = |report: &RunReport| -> Vec<photosite::Finding> {
            let told = report.findings.iter().filter(|f| f.code.starts_with("light-"));
            let mut told: Vec<_> = told.cloned().collect();
            told.sort_by(|a, b| a.subject.cmp(&b.subject));
            told
        };
        assert_eq!(of_lights(&again), of_lights(&report));
    }
    let nothing = run(&night(selected("stars < 0")), 2);
    assert!(nothing.stacks.is_empty());
    let told = nothing.findings.iter().find(|f| f.code == "selection-leaves-nothing").unwrap();
    assert!(told.message.contains("leaves none of 8 lights"), "{}", told.message);
    let lost = run(
        &with(stacked(folder.path(), "out"), |n| {
            n.exclude = vec!["nothing*".parse().unwrap()];
        }),
        2,
    );
    assert!(lost.findings.iter().any(|f| f.code == "exclude-matches-nothing"));
}

#[test]
fn a_reference_is_taken_and_exposures_are_joined() {
    let simulation = Simulation::new(of_lights(Preset::CmosMono, 6, 31));
    let folder = tempfile::tempdir().unwrap();
    // Every second light is half as long.
    let short = |plan: &photosite_sim::FramePlan| {
        let mut plan = plan.clone();
        if plan.index % 2 == 1 {
            plan.exposure_s *= 0.5;
            plan.file_name = format!("short_{:04}.fits", plan.index + 1);
        }
        let frame = simulation.render(&plan);
        (plan, frame)
    };
    write_as(&simulation, folder.path(), short);
    let apart = run(&stacked(folder.path(), "apart"), 2);
    assert_eq!(apart.stacks.len(), 2);
    let third = folder.path().join("lights/short_0004.fits");
    let joined = run(
        &with(stacked(folder.path(), "joined"), |n| {
            n.join_exposures = true;
            n.reference = Some(third.clone());
        }),
        2,
    );
    assert_eq!(joined.stacks.len(), 1);
    let stack = &joined.stacks[0];
    assert_eq!((stack.inputs.len(), &stack.reference), (6, &third));
    let name = stack.path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.contains("_6x30-60s"), "{name}");
    assert!(row(&joined, 3).reference && row(&joined, 3).note.contains("reference"));
    for row in &joined.table {
        let transparency = row.transparency.unwrap();
        assert!((transparency - 1.0).abs() < 0.05, "{row:?}");
    }
}

#[test]
fn another_rejection_makes_only_the_stack_anew() {
    let mut night = of_lights(Preset::CmosMono, 6, 41);
    night.counts = Counts { bias: 6, darks: 6, flats: 6, dark_flats: 0, lights: 6 };
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    write_under(&simulation, folder.path(), &[]);
    let night = || NightRequest::new(vec![folder.path().to_owned()], folder.path().join("out"));
    let first = run(&night(), 2);
    let made = |report: &RunReport| -> BTreeMap<String, bool> {
        report.masters.iter().map(|m| (m.path.display().to_string(), m.reused)).collect()
    };
    assert!(made(&first).values().all(|reused| !reused));
    let other = with(night(), |n| n.how.recipe = RecipeChoice::of(Reject::None));
    let second = run(&other, 2);
    assert!(made(&second).values().all(|reused| *reused), "{:?}", made(&second));
    assert_eq!((second.stacks[0].reused, &*second.stacks[0].reject), (false, "none"));
    assert_eq!(second.stacks[0].rejected_high, 0);
    assert!(run(&other, 2).stacks[0].reused);
    // A frame that is no light may be the reference.
    let outside = folder.path().join("elsewhere.fits");
    let plan = simulation.frames().into_iter().find(|p| p.kind == FrameKind::Light).unwrap();
    let frame = simulation.render(&plan);
    let sample = photosite_file::fits::Sample::U16 { pedestal_adu: 0.0 };
    write_plane(&outside, &frame.adu, sample, frame.header);
    let lights = with(stacked(folder.path(), "laid"), |n| n.reference = Some(outside.clone()));
    assert_eq!(run(&lights, 2).stacks[0].reference, outside);
    let gone = with(night(), |n| n.reference = Some("nowhere.fits".into()));
    let refused = run_context(1, |context| run_night(&gone, context).unwrap_err().to_string());
    assert!(refused.contains("nowhere.fits"), "{refused}");
}

/// Rings of dust that a flat does not take away are no stars: widths and places stay.
#[test]
fn rings_of_dust_change_neither_width_nor_place() {
    for (preset, seed, flats) in [
        (Preset::CmosMono, 51, 0),
        (Preset::CmosOsc, 52, 0),
        (Preset::Ccd, 53, 5),
        (Preset::CmosMono, 54, 5),
    ] {
        let seen = |dust: bool| {
            let mut night = of_lights(preset, 5, seed);
            night.sky.stars_per_mpx = 700.0;
            night.sky.background_e_s = 12.0;
            night.sky.star_max_e_s *= 2.0;
            night.sensor.dust_count = 60;
            night.effects.set(Effects::DUST, dust);
            night.counts.flats = flats;
            night.counts.bias = flats;
            night.flat_optics = Some(FlatOptics { dust_moved: 1.0, ..FlatOptics::default() });
            let simulation = Simulation::new(night);
            let folder = tempfile::tempdir().unwrap();
            write_under(&simulation, folder.path(), &[]);
            let paths = vec![folder.path().to_owned()];
            run(&NightRequest::new(paths, folder.path().join("out")), 2)
        };
        let (clean, dusty) = (seen(false), seen(true));
        for (a, b) in clean.table.iter().zip(&dusty.table) {
            let (wanted, found) = (a.fwhm_px.unwrap(), b.fwhm_px.unwrap());
            println!(
                "{preset:?}: {} {wanted:.3} px, dusty {} {found:.3} px, {:?}",
                a.stars, b.stars, b.residual_px
            );
            assert!(
                (found / wanted - 1.0).abs() < 0.05,
                "{preset:?}: {found} where {wanted} is right"
            );
            assert!(b.residual_px.unwrap() < 0.3 && b.used, "{preset:?}: {b:?}");
            assert!(
                b.stars as f64 > 0.6 * a.stars as f64,
                "{preset:?}: {} of {}",
                b.stars,
                a.stars
            );
        }
    }
}

/// Cameras whose headers name neither gain nor read noise get both from pairs of frames, and lights their ERR.
#[test]
fn silent_headers_get_gain_and_read_noise_from_pairs() {
    for (preset, seed) in [(Preset::CmosMono, 61), (Preset::CmosOsc, 62), (Preset::Ccd, 63)] {
        for (bias, dark_flats, enough) in [(4, 0, true), (0, 4, true), (0, 0, false)] {
            let mut night = Night::preset(preset, Size::new(640, 480), seed);
            night.counts = Counts { bias, darks: 4, flats: 4, dark_flats, lights: 2 };
            let (gain, read_noise) =
                (night.sensor.gain_e_per_adu, night.sensor.measured_read_noise_e(night.effects));
            let simulation = Simulation::new(night);
            let folder = tempfile::tempdir().unwrap();
            write_as(&simulation, folder.path(), |plan| {
                let mut frame = simulation.render(plan);
                ["EGAIN", "RDNOISE"].iter().for_each(|key| {
                    frame.header.remove(key);
                });
                (plan.clone(), frame)
            });
            let paths = vec![folder.path().to_owned()];
            let request = with(NightRequest::new(paths, folder.path().join("out")), |n| {
                (n.stack, n.keep.calibrated) = (false, true);
            });
            let report = run(&request, 2);
            let code = if enough { "noise-by-pairs" } else { "noise-not-known" };
            let told: Vec<_> =
                report.findings.iter().filter(|f| f.code.starts_with("noise-")).collect();
            assert_eq!(told.len(), 1, "{preset:?} {told:?}");
            assert_eq!(told[0].code, code, "{preset:?} {told:?}");
            let light = report.lights[0].output.as_ref().unwrap();
            let (frame, _) = photosite_file::fits::read_frame(light).unwrap();
            assert_eq!(frame.variance.is_some(), enough, "{preset:?}");
            if enough {
                let of = |key: &str| told[0].evidence[key].as_f64().unwrap();
                println!(
                    "{preset:?}: gain {} of {gain}, read noise {} of {read_noise}",
                    of("gain_e_per_adu"),
                    of("read_noise_e")
                );
                assert!((of("gain_e_per_adu") / gain - 1.0).abs() < 0.05);
                assert!((of("read_noise_e") / read_noise - 1.0).abs() < 0.1);
            }
        }
    }
}

/// Lines of colour lights become one stack each, on one grid; lights are chosen for them as for colours.
#[test]
fn lines_of_colour_lights_are_stacked_on_one_grid() {
    let mut night = of_lights(Preset::CmosOsc, 6, 71);
    night.counts = Counts { bias: 4, darks: 4, flats: 4, dark_flats: 0, lights: 6 };
    night.sky.fwhm_px = 4.0;
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    write_under(&simulation, folder.path(), &[(1, Conditions::DEFOCUSED)]);
    let paths = vec![folder.path().to_owned()];
    let request = with(NightRequest::new(paths, folder.path().join("out")), |n| {
        n.extract = Some(Extract::HaOiii);
        n.selection = selected("fwhm < 1.5 * median(fwhm)");
    });
    let report = run(&request, 2);
    let names: Vec<String> = report
        .stacks
        .iter()
        .map(|s| s.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["M00_Ha_5x60s.fits", "M00_OIII_5x60s.fits"], "{:#?}", report.findings);
    let filters: Vec<_> = report.stacks.iter().map(|s| s.filter.clone().unwrap()).collect();
    assert_eq!(filters, ["Ha", "OIII"]);
    let read = |i: usize| photosite_file::fits::read_frame(&report.stacks[i].path).unwrap();
    let ((ha, of_ha), (oiii, _)) = (read(0), read(1));
    assert_eq!((ha.size(), oiii.size()), (Size::new(320, 240), Size::new(320, 240)));
    assert_eq!(of_ha.get_text("FILTER").as_deref(), Some("Ha"));
    // A star lies on the same pixels in both.
    let (x, y) = brightest(&ha);
    let (u, v) = brightest(&oiii);
    assert!(x.abs_diff(u) <= 1 && y.abs_diff(v) <= 1, "{x} {y}, {u} {v}");
    assert_eq!(report.stacks[0].reference, report.stacks[1].reference);
    assert_eq!(report.table.len(), 12);
    assert_eq!(report.table.iter().filter(|row| row.left_out.is_some()).count(), 2);
    let again = run(&request, 2);
    assert!(again.stacks.iter().all(|s| s.reused), "{:#?}", again.stacks);
    assert_eq!(again.table, report.table);
    // Each line of each light on the common grid, where that is asked for.
    let keep = with(request.clone(), |n| n.keep.registered = true);
    let kept = run(&keep, 2);
    assert!(kept.stacks.iter().all(|s| !s.reused));
    let laid = std::fs::read_dir(folder.path().join("out/registered")).unwrap();
    let laid: Vec<_> = laid.map(|e| e.unwrap().path()).collect();
    assert_eq!(laid.len(), 2 * 5, "{laid:?}");
    for path in &laid {
        let (frame, _) = photosite_file::fits::read_frame(path).unwrap();
        assert_eq!(frame.size(), Size::new(320, 240));
        assert!(frame.data.as_slice().iter().all(|v| v.is_finite()), "{path:?}");
    }
    assert!(run(&keep, 2).stacks.iter().all(|s| s.reused));
}

fn brightest(frame: &photosite_pix::Frame) -> (usize, usize) {
    let samples = frame.data.as_slice();
    let at = (0..samples.len()).filter(|i| samples[*i].is_finite());
    let at = at.max_by(|a, b| samples[*a].total_cmp(&samples[*b])).unwrap();
    (at % frame.size().width, at / frame.size().width)
}
