//! The noise of lights and stacks by parts, against what they show; and whether stars keep their light.

use photosite::params::{Integration, RecipeChoice};
use photosite::report::{RunReport, StackReport};
use photosite_pix::normalise::Normalise;
use photosite_pix::reject::Thresholds;
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Conditions, Effects, Night, Preset, Simulation};

use crate::night::{request, run, with, write_as};

/// A night with few calibration frames, so that masters bring noise along.
fn night(preset: Preset, seed: u64) -> Night {
    let mut night = Night::preset(preset, Size::new(720, 540), seed);
    night.effects -= Effects::TRAIL;
    (night.counts.bias, night.counts.darks, night.counts.flats) = (8, 6, 8);
    (night.counts.dark_flats, night.counts.lights) = (0, 8);
    night.sky.stars_per_mpx = 900.0;
    night
}

/// The report of a night whose lights are taken under conditions of their own, by index.
fn report_under(
    night: Night,
    of_light: impl Fn(usize) -> Conditions,
    change: impl FnOnce(&mut Integration),
) -> RunReport {
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    write_as(&simulation, folder.path(), |plan| {
        let conditions = match plan.kind {
            FrameKind::Light => of_light(plan.index),
            _ => Conditions::CLEAR,
        };
        (plan.clone(), simulation.render_under(plan, conditions))
    });
    let output = folder.path().join("out");
    let asked = with(request(vec![folder.path().to_owned()], &output), |n| {
        n.keep.calibrated = false;
        change(&mut n.how);
    });
    run(&asked, 2)
}

/// The report of a clear night.
fn report_of(night: Night) -> RunReport {
    report_under(night, |_| Conditions::CLEAR, |_| {})
}

fn told(report: &RunReport, code: &str) -> bool {
    report.findings.iter().any(|f| f.code == code)
}

fn only(report: &RunReport) -> &StackReport {
    assert_eq!(report.stacks.len(), 1, "{:?}", report.findings);
    &report.stacks[0]
}

#[test]
fn the_noise_of_lights_and_stacks_is_the_sum_of_its_parts() {
    let mut ratios = Vec::new();
    for (preset, dither_px, seed) in [
        (Preset::CmosMono, None, 3),
        (Preset::CmosOsc, None, 3),
        (Preset::Ccd, None, 3),
        // Undithered lights share the noise of their masters.
        (Preset::CmosMono, Some(0.0), 3),
        (Preset::CmosMono, Some(0.0), 4),
        (Preset::Ccd, Some(0.0), 3),
        (Preset::Ccd, Some(0.0), 4),
    ] {
        let mut night = night(preset, seed);
        if let Some(px) = dither_px {
            night.sky.dither_px = px;
            night.sky.rotation_deg = 0.0;
        }
        let report = report_of(night);
        let stack = only(&report);
        let budget = stack.noise_budget.unwrap();
        let ratio = budget.measured_adu / budget.predicted_adu;
        let of_lights: Vec<f64> = report
            .lights
            .iter()
            .map(|l| l.noise_budget.unwrap())
            .map(|b| b.measured_adu / b.predicted_adu)
            .collect();
        let one = of_lights.iter().sum::<f64>() / of_lights.len() as f64;
        println!(
            "{} {dither_px:?}: stack {ratio:.4}, one light {one:.4}, {:?}",
            preset.name(),
            stack.more
        );
        // Of one night it scatters by 1.5 %.
        assert!((ratio - 1.0).abs() < 0.06, "{} {budget:?}", preset.name());
        ratios.push(ratio);
        assert!((one - 1.0).abs() < 0.03, "{}: {one}", preset.name());
        let lights = stack.more.iter().find(|m| m.kind == FrameKind::Light).unwrap();
        let darks = stack.more.iter().find(|m| m.kind == FrameKind::Dark);
        assert!(lights.frames == 8 && lights.less_noise > 0.1 && lights.less_noise < 0.3);
        if let (Some(0.0), Some(darks)) = (dither_px, darks) {
            assert!(darks.frames == 6 && darks.less_noise > 0.003, "{darks:?}");
        }
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!((mean - 1.0).abs() < 0.025, "{mean}: {ratios:?}");
}

#[test]
fn stars_keep_their_light_unless_rejection_is_too_harsh() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let usual = report_of(night(preset, 5));
        let kept = only(&usual).stars_kept.unwrap();
        println!("{}: {kept:?}", preset.name());
        assert!((kept.ratio - 1.0).abs() < 0.02, "{kept:?}");
        assert!(!told(&usual, "rejection-ate-stars"));
        // Under limits that are too harsh for its few sharp lights.
        let width = |i| Conditions { width: if i >= 3 { 1.7 } else { 1.0 }, ..Conditions::CLEAR };
        let harsh = report_under(night(preset, 5), width, |how| {
            let limits = Thresholds { low: Some(3.0), high: Some(1.2) };
            how.recipe = RecipeChoice::new("sigma", limits, None).unwrap();
        });
        let kept = only(&harsh).stars_kept.unwrap();
        println!("{}, limits of 1.2 sigma: {kept:?}", preset.name());
        assert!(kept.ratio < 0.95);
        assert!(told(&harsh, "rejection-ate-stars"));
    }
}

/// Levels brought together by multiplying under a changing moon take stars' light, and rejection none.
#[test]
fn rejection_is_not_blamed_for_what_it_did_not_take() {
    let moon = |i| Conditions { sky: 1.0 + 0.3 * i as f64, ..Conditions::CLEAR };
    let report = report_under(night(Preset::CmosMono, 5), moon, |how| {
        how.normalise = Normalise::Multiplicative;
    });
    let kept = only(&report).stars_kept.unwrap();
    println!("{kept:?}");
    assert!(kept.ratio < 0.95 && !told(&report, "rejection-ate-stars"), "{kept:?}");
}

/// Nothing is common to lights where stars crowd, nor where fewer of them overlap.
#[test]
fn noise_is_foretold_where_panels_overlap_and_not_told_where_stars_crowd() {
    for (dither_px, stars_per_mpx) in [(250.0, 900.0), (12.0, 30_000.0)] {
        let mut night = night(Preset::CmosMono, 4);
        (night.sky.dither_px, night.sky.stars_per_mpx) = (dither_px, stars_per_mpx);
        let report = report_of(night);
        let budget = only(&report).noise_budget.unwrap();
        let times = budget.measured_adu / budget.predicted_adu;
        println!("{dither_px} px, {stars_per_mpx} stars: {times:.3}, {}", only(&report).stars);
        assert!(!told(&report, "stack-noise"), "{budget:?}");
        assert!(stars_per_mpx > 1000.0 || (times - 1.0).abs() < 0.2, "{budget:?}");
    }
}
