//! Lights that were calibrated wrongly in every way, and rightly: whether the cause is named, and its size.

use std::collections::BTreeMap;
use std::sync::Arc;

use photosite::calibrate::{Bias, DarkContent, MasterDark};
use photosite::diagnose::{Against, Diagnosis, Subject, Verdict, diagnose, noise_budget};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, Frame, FrameKind, Plane, Size, Unit};
use photosite_sim::{Effects, FlatOptics, FramePlan, Night, Preset, SimFrame, Simulation};

use super::dark_scaling::master;

const SIZE: Size = Size::new(512, 384);

/// What was done wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    NoDark,
    /// By so many degrees.
    DarkWarmer(f64),
    /// Of so many times the exposure, unscaled.
    DarkLonger(f64),
    /// Of twice the exposure, and what is hottest repaired after it, as Siril does.
    DarkLongerRepaired,
    DarkFlipped,
    DarkElsewhere,
    BiasTwice,
    /// No pedestal removed before the flat.
    BiasLeft,
    /// Dark of an offset so many ADU higher.
    Offset(f64),
    NoFlat,
    FlatOtherFilter,
    FlatTurned(f64),
    FlatDustMoved,
    /// A level of so many times its own left in the flat.
    FlatPedestal(f64),
    Cut,
    /// One amplifier so many ADU above the other.
    Seam(f64),
    /// A tone of so many ADU, a third of a cycle a pixel along x.
    Tone(f64),
    /// The array is that of a frame that begins a column later.
    ArrayElsewhere,
    /// Light from one side in the darks, of so many ADU at most.
    LightLeak(f64),
    /// A flat of which so much is lost at its brightest.
    FlatBent(f64),
    /// Divided by it twice, or not divided but multiplied.
    FlatTimes(i32),
    /// No dark, and then mirrored, turned over, and shifted by so many columns and rows.
    Moved(bool, bool, usize, usize),
    /// No dark, and all colours divided by a flat of one level.
    NoDarkOneLevel,
    /// Nothing, but a galaxy with a bright core lies at these shares of the frame.
    Galaxy(f64, f64),
}

const ALL: [Wrong; 22] = [
    Wrong::Nothing,
    Wrong::NoDark,
    Wrong::DarkWarmer(3.0),
    Wrong::DarkWarmer(-3.0),
    Wrong::DarkLonger(2.0),
    Wrong::DarkFlipped,
    Wrong::DarkElsewhere,
    Wrong::BiasTwice,
    Wrong::BiasLeft,
    Wrong::Offset(50.0),
    Wrong::Offset(-50.0),
    Wrong::NoFlat,
    Wrong::FlatOtherFilter,
    Wrong::FlatTurned(2.0),
    Wrong::FlatTurned(180.0),
    Wrong::FlatDustMoved,
    Wrong::FlatPedestal(0.5),
    Wrong::Cut,
    Wrong::Seam(10.0),
    Wrong::Tone(4.0),
    Wrong::ArrayElsewhere,
    Wrong::FlatBent(0.2),
];

impl Wrong {
    /// Codes that name the cause.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Nothing | Self::Galaxy(..) => &[],
            Self::NoDark | Self::NoDarkOneLevel => &["thermal-under"],
            Self::Moved(false, false, ..) => &["dark-other-region"],
            // Its array has moved with it.
            Self::Moved(..) => &["row-order", "cfa-phase"],
            Self::DarkWarmer(c) if c > 0.0 => &["thermal-over"],
            Self::DarkWarmer(_) => &["thermal-under"],
            Self::DarkLonger(_) | Self::DarkLongerRepaired => &["thermal-over"],
            Self::DarkFlipped => &["row-order"],
            Self::DarkElsewhere => &["dark-other-region"],
            Self::BiasTwice => &["bias-twice"],
            Self::BiasLeft | Self::FlatPedestal(_) => &["flat-additive"],
            Self::Offset(_) => &["offset-mismatch"],
            Self::NoFlat | Self::FlatTimes(-1) => &["flat-not-applied"],
            Self::FlatTimes(_) => &["flat-twice"],
            Self::FlatOtherFilter => &["flat-other-filter"],
            Self::FlatTurned(_) => &["flat-rotated"],
            Self::FlatDustMoved => &["flat-dust-moved"],
            Self::Cut => &["background-clipped"],
            Self::Seam(_) => &["amplifier-seam"],
            Self::Tone(_) => &["interference"],
            Self::ArrayElsewhere => &["cfa-phase"],
            Self::LightLeak(_) => &["light-leak"],
            Self::FlatBent(_) => &["flat-nonlinear"],
        }
    }

    fn optics(self) -> Option<FlatOptics> {
        let same = FlatOptics::default();
        match self {
            Self::FlatOtherFilter => {
                Some(FlatOptics { corner_light: Some(0.65), dust_moved: 0.6, ..same })
            }
            Self::FlatTurned(deg) => Some(FlatOptics { turned_deg: -deg, ..same }),
            Self::FlatDustMoved => Some(FlatOptics { dust_moved: 1.0, ..same }),
            _ => None,
        }
    }

    /// Whether the size that is told is the true one within its error.
    fn size_is_right(self, found: &Diagnosis) -> Option<bool> {
        let fault = found.faults.first()?;
        let near = |truth: f64, at_least: f64| {
            (fault.value - truth).abs() <= (3.0 * fault.error.unwrap_or(0.0)).max(at_least)
        };
        match self {
            Self::DarkLonger(times) => Some(near(1.0 / times - 1.0, 0.03)),
            Self::DarkLongerRepaired => Some(near(-0.5, 0.03)),
            Self::FlatTurned(deg) => Some(near(deg, 1.0) || near(deg - 360.0, 1.0)),
            // A dark of a higher offset takes more.
            Self::Offset(adu) => Some(near(-adu, 5.0)),
            Self::Seam(adu) | Self::Tone(adu) => Some(near(adu, 0.2 * adu)),
            _ => None,
        }
    }
}

fn night(preset: Preset, seed: u64) -> Night {
    let mut night = Night::preset(preset, SIZE, seed);
    night.effects -= Effects::TRAIL;
    // A small sensor gets the hot pixels of a larger one.
    night.sensor.hot_fraction = 2e-3;
    night.sky.nebula_e_s = [0.0, 0.0, 0.3, 1.0][seed as usize % 4];
    night.sky.gradient_e_s = [0.0, 1.0, 3.0][seed as usize / 4 % 3];
    night.sky.stars_per_mpx = [300.0, 900.0, 3000.0][seed as usize / 12 % 3];
    night.light_exposure_s = [60.0, 300.0][seed as usize / 36 % 2];
    night.dark_exposure_s = night.light_exposure_s;
    (night.counts.darks, night.counts.dark_flats, night.counts.flats) = (6, 6, 12);
    night.counts.bias = 6;
    night
}

struct Scene {
    night: Night,
    simulation: Simulation,
    bias: Plane<f32>,
    dark: Frame,
    dark_flat: Plane<f32>,
    light: Plane<f32>,
    flats: BTreeMap<String, Frame>,
    budgets: Vec<f64>,
}

fn with(size: Size, f: impl FnMut(usize, usize) -> f32) -> Plane<f32> {
    Plane::from_fn(size, f)
}

impl Scene {
    fn new(night: Night) -> Self {
        let simulation = Simulation::new(night.clone());
        let made = |kind| made(&simulation, kind, |_| ());
        let (bias, dark, dark_flat) =
            (made(FrameKind::Bias).data, made(FrameKind::Dark), made(FrameKind::DarkFlat).data);
        let plans = simulation.frames();
        let light = plans.iter().find(|p| p.kind == FrameKind::Light).unwrap();
        let light = simulation.render(light).adu;
        Self {
            night,
            simulation,
            bias,
            dark,
            dark_flat,
            light,
            flats: BTreeMap::new(),
            budgets: Vec::new(),
        }
    }

    fn cfa(&self) -> Option<CfaPattern> {
        self.night.sensor.cfa
    }

    /// A flat of mean 1 in each colour, `more` times its level left in it.
    fn flat(&mut self, optics: Option<FlatOptics>, more: f64) -> Frame {
        let cfa = self.cfa();
        let (night, dark_flat) = (&self.night, &self.dark_flat);
        let flat = self.flats.entry(format!("{optics:?}{more}")).or_insert_with(|| {
            let pedestal = (more * night.flat_level_e / night.sensor.gain_e_per_adu) as f32;
            let night = Night { flat_optics: optics, ..night.clone() };
            let raw = made(&Simulation::new(night), FrameKind::Flat, |_| ()).data;
            let lit = with(SIZE, |x, y| raw.get(x, y) - dark_flat.get(x, y) + pedestal);
            let channel = |x: usize, y: usize| cfa.map_or(0, |c| c.color(x, y).channel());
            let (mut sums, mut counts) = ([0.0f64; 3], [0.0f64; 3]);
            for y in 0..SIZE.height {
                for x in 0..SIZE.width {
                    sums[channel(x, y)] += f64::from(lit.get(x, y));
                    counts[channel(x, y)] += 1.0;
                }
            }
            let mean = |x, y| (sums[channel(x, y)] / counts[channel(x, y)]) as f32;
            Frame::new(with(SIZE, |x, y| lit.get(x, y) / mean(x, y)), Unit::Relative)
        });
        flat.clone()
    }

    /// The light calibrated wrongly, and the masters that were used.
    fn calibrated(&mut self, wrong: Wrong) -> (Plane<f32>, Frame, Frame) {
        let more = if let Wrong::FlatPedestal(times) = wrong { times } else { 0.0 };
        let mut flat = self.flat(wrong.optics(), more);
        if let Wrong::FlatBent(lost) = wrong {
            let mut sorted = flat.data.as_slice().to_vec();
            sorted.sort_by(f32::total_cmp);
            let brightest = f64::from(sorted[sorted.len() * 99 / 100]);
            let bent = |v: f32| f64::from(v) * (1.0 - lost * (f64::from(v) / brightest).powi(2));
            flat.data.as_mut_slice().iter_mut().for_each(|v| *v = bent(*v) as f32);
        }
        let dark = match wrong {
            Wrong::DarkWarmer(c) => {
                made(&self.simulation, FrameKind::Dark, |plan| plan.temp_c += c)
            }
            Wrong::DarkLonger(times) => {
                made(&self.simulation, FrameKind::Dark, |plan| plan.exposure_s *= times)
            }
            Wrong::DarkLongerRepaired => {
                made(&self.simulation, FrameKind::Dark, |plan| plan.exposure_s *= 2.0)
            }
            Wrong::DarkFlipped => moved(&self.dark, |x, y| (x, SIZE.height - 1 - y)),
            Wrong::DarkElsewhere => {
                moved(&self.dark, |x, y| ((x + 24) % SIZE.width, (y + 10) % SIZE.height))
            }
            Wrong::LightLeak(adu) => {
                let mut dark = self.dark.clone();
                for y in 0..SIZE.height {
                    let of = |x: usize| (-(x as f64 + 0.3 * y as f64) / 150.0).exp();
                    let row = dark.data.row_mut(y).iter_mut().enumerate();
                    row.for_each(|(x, v)| *v += (adu * of(x)) as f32);
                }
                dark
            }
            // The dark that was used is the one at hand.
            Wrong::Offset(adu) => {
                let mut dark = self.dark.clone();
                dark.data.as_mut_slice().iter_mut().for_each(|v| *v += adu as f32);
                dark
            }
            _ => self.dark.clone(),
        };
        let (light, bias) = (&self.light, &self.bias);
        let taken = |x: usize, y: usize| match wrong {
            Wrong::NoDark | Wrong::NoDarkOneLevel | Wrong::Moved(..) => bias.get(x, y),
            Wrong::BiasTwice => dark.data.get(x, y) + bias.get(x, y),
            Wrong::BiasLeft => dark.data.get(x, y) - bias.get(x, y),
            _ => dark.data.get(x, y),
        };
        let channel =
            |x: usize, y: usize| self.night.sensor.cfa.map_or(0, |c| c.color(x, y).channel());
        let divided = |x: usize, y: usize| match wrong {
            Wrong::NoFlat => 1.0,
            Wrong::FlatTimes(times) => flat.data.get(x, y).powi(times),
            // As the lamp's colours leave it.
            Wrong::NoDarkOneLevel => flat.data.get(x, y) * [0.7, 1.2, 0.9][channel(x, y)],
            _ => flat.data.get(x, y),
        };
        let mut out = with(SIZE, |x, y| (light.get(x, y) - taken(x, y)) / divided(x, y));
        if let Wrong::Seam(adu) = wrong {
            for y in 0..SIZE.height {
                out.row_mut(y)[SIZE.width / 2..].iter_mut().for_each(|v| *v += adu as f32);
            }
        }
        if let Wrong::Moved(mirrored, turned_over, dx, dy) = wrong {
            let whole = out.clone();
            let from = |at: usize, turned: bool, by: usize, size: usize| {
                let at = (at + size - by) % size;
                if turned { size - 1 - at } else { at }
            };
            out = with(SIZE, |x, y| {
                let x = from(x, mirrored, dx, SIZE.width);
                whole.get(x, from(y, turned_over, dy, SIZE.height))
            });
        }
        if let Wrong::Galaxy(u, v) = wrong {
            let (gx, gy) = (u * SIZE.width as f64, v * SIZE.height as f64);
            out = with(SIZE, |x, y| {
                let far = (x as f64 - gx).hypot(y as f64 - gy);
                out.get(x, y) + (3000.0 * (-far / 6.0).exp()) as f32
            });
        }
        if let Wrong::Tone(adu) = wrong {
            let of =
                |x: usize, y: usize| std::f64::consts::TAU * (0.331 * x as f64 + 0.12 * y as f64);
            for y in 0..SIZE.height {
                let row = out.row_mut(y).iter_mut().enumerate();
                row.for_each(|(x, v)| *v += (adu * of(x, y).sin()) as f32);
            }
        }
        if wrong == Wrong::DarkLongerRepaired {
            let noise = photosite_pix::stat::median_mad(out.as_slice()).1;
            let hot = photosite_pix::stat::median(dark.data.as_slice()) + 8.0 * noise;
            let step = self.cfa().map_or(1, CfaPattern::period);
            for y in 0..SIZE.height {
                for x in (step..SIZE.width).filter(|x| dark.data.get(*x, y) > hot) {
                    let beside = out.get(x - step, y);
                    out.row_mut(y)[x] = beside;
                }
            }
        }
        if wrong == Wrong::Cut {
            let floor = photosite_pix::stat::median(out.as_slice());
            let noise = photosite_pix::stat::median_mad(out.as_slice()).1;
            let floor = floor - 1.5 * noise;
            out.as_mut_slice().iter_mut().for_each(|v| *v = v.max(floor));
        }
        (out, dark, flat)
    }

    fn diagnosis(&mut self, wrong: Wrong) -> Diagnosis {
        let (light, dark, flat) = self.calibrated(wrong);
        let bias = Bias::Master(Arc::new(Frame::new(self.bias.clone(), Unit::Adu)));
        let dark = MasterDark {
            frame: Arc::new(dark),
            content: DarkContent::BiasIncluded,
            exposure_s: Some(self.night.dark_exposure_s),
            variance_factor: Some(self.night.counts.darks as f64),
        };
        let cfa = self.cfa().map(|c| match wrong {
            Wrong::ArrayElsewhere => c.shifted(1, 0),
            _ => c,
        });
        let against = Against::new(SIZE, cfa)
            .gain(self.night.sensor.gain_e_per_adu)
            .read_noise(self.night.sensor.read_noise_e)
            .bias(&bias)
            .dark(&dark, Some(&bias))
            .unwrap()
            .flat(Arc::new(flat))
            .unwrap();
        let against = match wrong {
            Wrong::FlatBent(_) => against.flat_of_full(0.9),
            _ => against.flat_of_full(0.4),
        };
        let subject = Subject::new(&light, None);
        if wrong == Wrong::Nothing {
            let sensor = &self.night.sensor;
            let noise = NoiseModel::new(sensor.gain_e_per_adu, sensor.read_noise_e).unwrap();
            let budget = noise_budget(&subject, &against, noise);
            println!(
                "noise budget: measured over predicted {:.4}",
                budget.measured_adu / budget.predicted_adu
            );
            self.budgets.push(budget.measured_adu / budget.predicted_adu);
        }
        diagnose(&subject, &against).unwrap()
    }
}

fn moved(frame: &Frame, from: impl Fn(usize, usize) -> (usize, usize)) -> Frame {
    let at = |plane: &Plane<f32>| {
        with(SIZE, |x, y| {
            let (i, j) = from(x, y);
            plane.get(i, j)
        })
    };
    let variance = frame.variance.as_ref().map(at);
    Frame { variance, ..Frame::new(at(&frame.data), Unit::Adu) }
}

fn made(simulation: &Simulation, kind: FrameKind, change: impl Fn(&mut FramePlan)) -> Frame {
    let frames: Vec<SimFrame> = simulation
        .frames()
        .into_iter()
        .filter(|p| p.kind == kind)
        .map(|mut plan| {
            change(&mut plan);
            simulation.render(&plan)
        })
        .collect();
    master(&frames)
}

/// All causes, or those whose names begin as one of `PHOTOSITE_CAUSES` does (`Nothing,FlatOther,Offset(-50`).
#[allow(
    clippy::disallowed_methods,
    reason = "a part of the long form is asked for by the environment"
)]
fn asked() -> impl Iterator<Item = Wrong> {
    let only = std::env::var("PHOTOSITE_CAUSES").unwrap_or_default();
    let named = move |wrong: &Wrong| {
        let name = format!("{wrong:?}");
        only.is_empty() || only.split(',').any(|begin| name.starts_with(begin))
    };
    ALL.into_iter().filter(named)
}

/// How often the cause is named first, and its size told right, kind by kind.
fn table(presets: &[Preset], seeds: std::ops::Range<u64>) -> Vec<(Wrong, f64, f64)> {
    let mut all: Vec<(Wrong, bool, Option<bool>, Preset)> = Vec::new();
    for preset in presets {
        for seed in seeds.clone() {
            let mut scene = Scene::new(night(*preset, seed));
            for wrong in asked() {
                if wrong == Wrong::ArrayElsewhere && scene.cfa().is_none() {
                    continue;
                }
                let found = scene.diagnosis(wrong);
                let first = found.faults.first().map(|f| f.code);
                let right = match wrong {
                    Wrong::Nothing => found.verdict == Verdict::Good,
                    _ => first.is_some_and(|code| wrong.codes().contains(&code)),
                };
                let size = wrong.size_is_right(&found).filter(|_| right);
                if !right || size == Some(false) {
                    println!("{} {seed} {wrong:?}: {found:?}", preset.name());
                }
                all.push((wrong, right, size, *preset));
            }
            for ratio in &scene.budgets {
                assert!((ratio - 1.0).abs() < 0.05, "{} {seed}: {ratio}", preset.name());
            }
        }
    }
    asked()
        .map(|wrong| {
            let own: Vec<_> = all.iter().filter(|a| a.0 == wrong).collect();
            let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
            let right = |preset| own.iter().filter(|a| a.1 && a.3 == preset).count();
            let each = presets.iter().map(|preset| right(*preset));
            println!("{wrong:?}: {:?}", each.collect::<Vec<_>>());
            let named = share(own.iter().filter(|a| a.1).count(), own.len());
            let sized: Vec<bool> = own.iter().filter_map(|a| a.2).collect();
            let size = share(sized.iter().filter(|s| **s).count(), sized.len());
            println!("{wrong:?}: named {named:.3}, size right {size:.3} of {}", sized.len());
            (wrong, named, size)
        })
        .collect()
}

#[test]
fn causes_are_named_and_nothing_wrong_is_called_good() {
    for (wrong, named, _) in table(&[Preset::CmosMono, Preset::CmosOsc], 0..3) {
        assert!(named >= 0.66, "{wrong:?}: {named}");
    }
}

/// What programs, or masters that are not the used ones, do beside the faults of the table.
#[test]
fn what_other_programs_do_to_lights_is_named() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let mut scene = Scene::new(night(preset, 1));
        for wrong in [
            Wrong::FlatTimes(2),
            Wrong::FlatTimes(-1),
            Wrong::Moved(false, false, 6, 4),
            Wrong::Moved(true, false, 0, 0),
            Wrong::Moved(true, true, 0, 0),
            Wrong::NoDarkOneLevel,
        ] {
            if wrong == Wrong::NoDarkOneLevel && scene.cfa().is_none() {
                continue;
            }
            let found = scene.diagnosis(wrong);
            let first = found.faults.first().map(|f| f.code);
            assert!(first.is_some_and(|c| wrong.codes().contains(&c)), "{wrong:?}: {found:?}");
        }
    }
}

/// Stretched lights are quieter than any camera.
#[test]
fn a_stretched_light_cannot_be_told() {
    let scene = Scene::new(night(Preset::CmosMono, 0));
    let dark = MasterDark {
        frame: Arc::new(scene.dark.clone()),
        content: DarkContent::BiasIncluded,
        exposure_s: None,
        variance_factor: None,
    };
    let bias = Bias::Master(Arc::new(Frame::new(scene.bias.clone(), Unit::Adu)));
    let against = Against::new(SIZE, None).bias(&bias).dark(&dark, Some(&bias)).unwrap();
    let of = |x, y| ((scene.light.get(x, y) - scene.bias.get(x, y)) / 100.0).asinh();
    let found = diagnose(&Subject::new(&with(SIZE, of), None), &against).unwrap();
    assert_eq!(found.verdict, Verdict::CannotBeTold);
    assert_eq!(found.faults[0].code, "light-not-linear");
}

/// Its wings hide how deep the shadows of dust beside it are.
#[test]
fn a_galaxy_with_a_bright_core_makes_no_flat_wrong() {
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        let mut scene = Scene::new(night(preset, 0));
        for (u, v) in [(0.5, 0.5), (0.3, 0.4), (0.7, 0.4), (0.4, 0.7)] {
            let found = scene.diagnosis(Wrong::Galaxy(u, v));
            assert_eq!(found.verdict, Verdict::Good, "{} {u} {v}: {found:?}", preset.name());
        }
    }
}

/// Hardly any background is left of such lights, which show the flat as often as one that was multiplied with it.
#[test]
fn a_bias_taken_twice_of_little_more_light_is_no_flat_multiplied_with() {
    for seed in [36, 40, 43, 49] {
        let found = Scene::new(night(Preset::Ccd, seed)).diagnosis(Wrong::BiasTwice);
        assert_eq!(found.faults.first().map(|f| f.code), Some("bias-twice"), "{seed}: {found:?}");
    }
}

#[test]
fn a_dark_of_twice_the_exposure_is_told_where_the_hottest_pixels_were_repaired() {
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        let found = Scene::new(night(preset, 0)).diagnosis(Wrong::DarkLongerRepaired);
        assert_eq!(found.faults.first().map(|f| f.code), Some("thermal-over"), "{found:?}");
        assert_eq!(Wrong::DarkLongerRepaired.size_is_right(&found), Some(true), "{found:?}");
    }
}

/// Where the sensor glows, or the sky has a gradient, what leaks in is not told from those.
#[test]
fn light_in_the_darks_is_told_where_neither_glow_nor_gradient_hides_it() {
    let (mut told, mut all) = (0, 0);
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        for seed in 0..4 {
            let mut night = night(preset, seed);
            night.effects -= Effects::AMP_GLOW;
            let mut scene = Scene::new(night);
            let clean = scene.diagnosis(Wrong::Nothing);
            assert_eq!(clean.verdict, Verdict::Good, "{} {seed}: {clean:?}", preset.name());
            let found = scene.diagnosis(Wrong::LightLeak(40.0));
            let first = found.faults.first().map(|f| f.code);
            println!("{} {seed}: {first:?}", preset.name());
            all += 1;
            told += usize::from(first == Some("light-leak"));
        }
    }
    assert!(3 * told >= 2 * all, "{told} of {all}");
}

/// The long form: `cargo test --release -p photosite --test truth -- --ignored fifty_scenes --nocapture`.
#[test]
#[ignore = "renders some thousand frames: minutes"]
fn fifty_scenes_of_every_cause() {
    for (wrong, named, size) in table(&[Preset::CmosMono, Preset::CmosOsc, Preset::Ccd], 0..50) {
        let least = match wrong {
            Wrong::Nothing => 0.98,
            // In lights of 300 s it is less than a tenth of the noise.
            Wrong::Tone(_) => 0.8,
            _ => 0.95,
        };
        assert!(named >= least, "{wrong:?}: {named}");
        let has_size =
            matches!(wrong, Wrong::DarkLonger(_) | Wrong::FlatTurned(_) | Wrong::Offset(_));
        assert!(!has_size || size >= 0.9, "{wrong:?}: {size}");
    }
}
