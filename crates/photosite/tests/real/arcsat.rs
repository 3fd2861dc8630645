//! Five biases, darks and flats, and nine lights of one night with an uncooled-looking CMOS: the
//! darks are of 60 s, one light of 30 s.

use std::path::PathBuf;
use std::sync::OnceLock;

use photosite::calibrate::dark::DarkSource;
use photosite::calibrate::flat_fit::{Blocks, FlatAnswer, Template};
use photosite::event::{Cancel, Silent};
use photosite::measure::{offer_files, survey};
use photosite::register::lay_over;
use photosite::report::{LightReport, RunReport};
use photosite::work::Context;
use photosite_file::fits::{read_frame, read_image};
use photosite_pix::align::{Alignment, Point};
use photosite_pix::{Frame, FrameKind, MaskBits, Plane, stat};
use tempfile::TempDir;

use crate::common;
use crate::night::{request, run};

struct Night {
    raw: PathBuf,
    report: RunReport,
    _out: TempDir,
}

/// The night, calibrated once for all tests.
#[track_caller]
fn night() -> Option<&'static Night> {
    static NIGHT: OnceLock<Night> = OnceLock::new();
    // Asked by each test, so that each says that it skips.
    let raw = common::real("arcsat2025")?.join("arcsat2025");
    Some(NIGHT.get_or_init(|| {
        let out = tempfile::tempdir().unwrap();
        let report = run(&request(vec![raw.clone()], &out.path().join("out")), 2);
        Night { raw, report, _out: out }
    }))
}

impl Night {
    fn master(&self, kind: FrameKind) -> Frame {
        let mut of_kind = self.report.masters.iter().filter(|m| m.kind == kind);
        let master = of_kind.next().expect("a master");
        assert!(of_kind.next().is_none(), "one master {kind}");
        read_frame(&master.path).unwrap().0
    }
}

/// Pixels of the hottest thousandth of the dark.
fn hottest(dark: &Plane<f32>) -> Vec<(usize, usize)> {
    let mut sorted: Vec<f32> = dark.as_slice().to_vec();
    sorted.sort_by(f32::total_cmp);
    let threshold = sorted[sorted.len() - sorted.len() / 1000];
    let size = dark.size();
    (0..size.height)
        .flat_map(|y| (0..size.width).map(move |x| (x, y)))
        .filter(|&(x, y)| dark.get(x, y) >= threshold)
        .collect()
}

/// How far pixels stand above the median of the 7x7 around them: mean and median over the pixels.
fn excess(data: &Plane<f32>, pixels: &[(usize, usize)]) -> (f64, f64) {
    let size = data.size();
    let mut all = Vec::new();
    for &(x, y) in pixels {
        let mut around = Vec::new();
        for ny in y.saturating_sub(3)..(y + 4).min(size.height) {
            for nx in x.saturating_sub(3)..(x + 4).min(size.width) {
                if (nx, ny) != (x, y) {
                    around.push(data.get(nx, ny));
                }
            }
        }
        let d = data.get(x, y) - stat::median_in_place(&mut around);
        if d.is_finite() {
            all.push(d);
        }
    }
    let n = all.len();
    assert!(n * 10 > pixels.len() * 9, "{n} of {} hot pixels have values", pixels.len());
    let mean = all.iter().map(|d| f64::from(*d)).sum::<f64>() / n as f64;
    (mean, f64::from(stat::median_in_place(&mut all)))
}

/// The hottest thousandth stands out by about 600 ADU in the raw lights, as the median goes, and
/// by 1130 as the mean goes, which a few pixels of tens of thousands of ADU make.
///
/// As written, mean and median must lie within 15 ADU of nothing. Before the repair the median
/// of light less dark must; the mean then holds what the very hottest pixels did between darks and
/// lights, a hundredth or two of their signal, which no dark of another hour takes off.
#[test]
fn hot_pixels_leave_the_lights_of_the_darks_exposure() {
    let Some(night) = night() else { return };
    let (dark, flat) = (night.master(FrameKind::Dark), night.master(FrameKind::Flat));
    let hot = hottest(&dark.data);
    assert!(hot.len() >= 1000, "{}", hot.len());
    let matched = |l: &&LightReport| l.dark_source == Some(DarkSource::Matched);
    let long: Vec<_> = night.report.lights.iter().filter(matched).collect();
    assert_eq!(long.len(), 8, "eight lights of 60 s");
    for light in &long {
        assert_eq!(light.dark_scale, Some(1.0));
        let (raw, _) = read_image(&light.path).unwrap();
        let (written, _) = read_image(light.output.as_ref().unwrap()).unwrap();
        // The same arithmetic without the repair of what the dark calls hot.
        let subtracted = Plane::from_fn(raw.size(), |x, y| raw.get(x, y) - dark.data.get(x, y));
        let divided = Plane::from_fn(raw.size(), |x, y| subtracted.get(x, y) / flat.data.get(x, y));
        // Saturated pixels have lost what the dark would take off.
        let whole: Vec<(usize, usize)> =
            hot.iter().copied().filter(|&(x, y)| raw.get(x, y) < 60_000.0).collect();
        let planes = [&raw, &subtracted, &divided, &written];
        let lists = [&hot, &whole, &whole, &hot];
        let [before, less_dark, over_flat, after] =
            std::array::from_fn(|i| excess(planes[i], lists[i]));
        println!(
            "{}: mean (median) excess raw {:.1} ({:.1}), less dark {:+.2} ({:+.2}), over flat \
             {:+.2} ({:+.2}), as written {:+.2} ({:+.2})",
            light.path.file_name().unwrap().display(),
            before.0,
            before.1,
            less_dark.0,
            less_dark.1,
            over_flat.0,
            over_flat.1,
            after.0,
            after.1
        );
        assert!((550.0..650.0).contains(&before.1), "{before:?}");
        assert!(less_dark.1.abs() < 15.0, "less dark {less_dark:?}");
        assert!(less_dark.0.abs() < 0.03 * before.0, "less dark {less_dark:?}");
        assert!(after.0.abs() < 15.0 && after.1.abs() < 15.0, "as written {after:?}");
    }
}

/// The light of 30 s finds the factor of darks of 60 s in its own hot pixels, and they are gone.
#[test]
fn the_short_light_gets_the_long_dark_fitted() {
    let Some(night) = night() else { return };
    let fitted = |l: &&LightReport| l.dark_source == Some(DarkSource::Fitted);
    let short: Vec<_> = night.report.lights.iter().filter(fitted).collect();
    assert_eq!(short.len(), 1);
    let light = short[0];
    assert!(light.bias.is_some() && light.flat.is_some() && light.output.is_some());
    let (k, error) = (light.dark_scale.unwrap(), light.dark_scale_error.unwrap());
    println!("factor {k:.4} +- {error:.4}");
    assert!((k - 0.5).abs() < 0.01 && error < 0.005, "{k} {error}");
    let [bias, dark] = [FrameKind::Bias, FrameKind::Dark].map(|kind| night.master(kind).data);
    let (raw, _) = read_image(&light.path).unwrap();
    let (written, header) = read_image(light.output.as_ref().unwrap()).unwrap();
    assert_eq!(header.get_f64("DARKK"), Some(k));
    let subtracted = Plane::from_fn(raw.size(), |x, y| {
        let b = bias.get(x, y);
        raw.get(x, y) - b - k as f32 * (dark.get(x, y) - b)
    });
    let hot: Vec<(usize, usize)> =
        hottest(&dark).into_iter().filter(|&(x, y)| raw.get(x, y) < 60_000.0).collect();
    let [before, less_dark, after] = [&raw, &subtracted, &written].map(|p| excess(p, &hot));
    println!(
        "mean and median excess: raw {before:.1?}, less dark {less_dark:.2?}, written {after:.2?}"
    );
    assert!(before.1 > 200.0, "{before:?}");
    assert!(less_dark.1.abs() < 15.0 && after.0.abs() < 15.0 && after.1.abs() < 15.0);
    let finding =
        night.report.findings.iter().find(|f| f.code == "dark-fitted").expect("a finding");
    println!("{}", finding.message);
    assert_eq!(finding.subject, light.path.display().to_string());
    assert!(!night.report.findings.iter().any(|f| f.code == "dark-missing"));
}

/// The flats are of 76 to 83 s, the darks of 60: as much of the dark as the flats' hot pixels hold goes off.
#[test]
fn long_flats_lose_their_dark_signal() {
    let Some(night) = night() else { return };
    let found = night.report.findings.iter().find(|f| f.code == "flat-dark-fitted");
    let found = found.expect("a finding");
    println!("{}", found.message);
    assert!(!night.report.findings.iter().any(|f| f.code == "flat-by-bias"));
    let [bias, dark, flat] =
        [FrameKind::Bias, FrameKind::Dark, FrameKind::Flat].map(|k| night.master(k));
    let (raw, _) = read_image(&night.raw.join("flat/domeflat_z_003.fits")).unwrap();
    let size = raw.size();
    let plain = Plane::from_fn(size, |x, y| raw.get(x, y) - bias.data.get(x, y));
    let level = stat::median(plain.as_slice());
    let before = Plane::from_fn(size, |x, y| plain.get(x, y) / level);
    let hot: Vec<(usize, usize)> = hottest(&dark.data)
        .into_iter()
        .filter(|&(x, y)| raw.get(x, y) < 60_000.0 && flat.mask.get(x, y).is_good())
        .collect();
    let (by_bias, by_dark) = (excess(&before, &hot), excess(&flat.data, &hot));
    println!(
        "{} hot pixels of the flat stand out by {:+.4} (median {:+.4}) with bias alone, {:+.4} ({:+.4}) now",
        hot.len(),
        by_bias.0,
        by_bias.1,
        by_dark.0,
        by_dark.1
    );
    assert!(by_bias.1 > 0.01, "{by_bias:?}");
    assert!(by_dark.1.abs() < 0.2 * by_bias.1, "{by_dark:?} of {by_bias:?}");
    assert_eq!(
        night
            .report
            .masters
            .iter()
            .find(|m| m.kind == FrameKind::Flat)
            .unwrap()
            .additive_removed_by,
        Some("scaled dark".into())
    );
}

#[test]
fn the_flat_is_positive_everywhere_and_knows_its_saturated_pixels() {
    let Some(night) = night() else { return };
    let flat = night.master(FrameKind::Flat);
    let lowest = flat.data.as_slice().iter().copied().fold(f32::INFINITY, f32::min);
    println!("lowest response {lowest}");
    assert!(lowest > 0.0, "{lowest}");
    let mut saturated = Plane::filled(flat.size(), true);
    let mut frames = 0;
    for entry in std::fs::read_dir(night.raw.join("flat")).unwrap() {
        let (raw, _) = read_image(&entry.unwrap().path()).unwrap();
        frames += 1;
        let both = saturated.as_slice().iter().zip(raw.as_slice());
        let both = both.map(|(s, v)| *s && *v >= 65535.0).collect();
        saturated = Plane::from_vec(raw.size(), both).unwrap();
    }
    assert_eq!(frames, 5);
    let (mut n, mut flagged) = (0, 0);
    for (s, m) in saturated.as_slice().iter().zip(flat.mask.as_slice()) {
        if *s {
            n += 1;
            flagged += usize::from(m.contains(MaskBits::NO_DATA));
        }
    }
    println!("{n} pixels are saturated in every flat, {flagged} of them are NO_DATA");
    assert!(n > 0);
    assert_eq!(n, flagged);
}

/// Every frame says "Flip/Rotate 90 CW"; they lie on each other as they are.
#[test]
fn flipstat_turns_nothing() {
    let Some(night) = night() else { return };
    let dark = night.master(FrameKind::Dark);
    for light in night.report.lights.iter().filter(|l| l.dark.is_some()).take(2) {
        let (raw, header) = read_image(&light.path).unwrap();
        assert!(header.get_text("FLIPSTAT").is_some_and(|t| t.contains("Rotate")));
        let (written, after) = read_image(light.output.as_ref().unwrap()).unwrap();
        assert_eq!(after.get_text("FLIPSTAT"), header.get_text("FLIPSTAT"), "carried along");
        // The stars stand where they stood: raw less dark and written run together.
        let (mut n, mut sx, mut sy, mut sxx, mut syy, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for ((r, d), w) in raw.as_slice().iter().zip(dark.data.as_slice()).zip(written.as_slice()) {
            let (a, b) = (f64::from(r - d), f64::from(*w));
            if a.is_finite() && b.is_finite() && a.abs() < 5000.0 && b.abs() < 5000.0 {
                n += 1.0;
                sx += a;
                sy += b;
                sxx += a * a;
                syy += b * b;
                sxy += a * b;
            }
        }
        let covariance = sxy / n - sx * sy / n / n;
        let r = covariance / ((sxx / n - (sx / n).powi(2)) * (syy / n - (sy / n).powi(2))).sqrt();
        println!("correlation of written with raw less dark: {r:.4}");
        assert!(r > 0.9, "{r}");
    }
}

#[test]
fn everything_is_used_and_nothing_is_an_error() {
    let Some(night) = night() else { return };
    assert_eq!(night.report.frames.len(), 5 + 5 + 5 + 9);
    assert!(night.report.frames.iter().all(|f| f.used));
    for finding in &night.report.findings {
        assert_ne!(finding.severity, photosite::finding::Severity::Error, "{finding:?}");
    }
}

/// Lights that the telescope's software solved, laid by their headers and by their stars.
#[test]
fn headers_and_stars_agree() {
    let Some(night) = night() else { return };
    let target = |path: &&PathBuf| path.to_string_lossy().contains("XO1-b");
    let calibrated = night.report.lights.iter().filter_map(|l| l.output.clone());
    let paths: Vec<PathBuf> = calibrated.filter(|p| target(&p)).collect();
    assert!(paths.len() > 4, "{paths:?}");
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let (offered, _) = offer_files(&paths, &context).unwrap();
    let (lights, _) = survey(&offered, false, None, &context).unwrap();
    let by = |by| lay_over(&lights, &lights[0], by, &context).unwrap();
    let ((by_stars, _), (by_sky, doubts)) = (by(Alignment::Stars), by(Alignment::Wcs));
    let codes: Vec<&str> = doubts.iter().map(|f| &*f.code).collect();
    assert_eq!(codes.iter().filter(|c| **c == "wcs-missing").count(), 2, "two are not solved");
    // Their solutions scatter by up to two pixels, and that is told.
    assert!(codes.contains(&"wcs-rough"), "{doubts:?}");
    let mut compared = 0;
    for (stars, sky) in by_stars.iter().zip(&by_sky).skip(1) {
        let Some((stars, sky)) = stars.as_ref().zip(sky.as_ref()) else { continue };
        let apart = |x: f64, y: f64| {
            let p = Point::new(x, y);
            stars.transform.apply(p).distance(sky.transform.apply(p))
        };
        let size = lights[0].size();
        let (w, h) = (size.width as f64, size.height as f64);
        let all =
            [apart(0.0, 0.0), apart(w, 0.0), apart(0.0, h), apart(w, h), apart(w / 2.0, h / 2.0)];
        println!(
            "{:?} of {} stars, {:.4} px; {:?} {:.5} px with {} stars; apart by {all:.3?}",
            stars.transform.model,
            stars.matched,
            stars.residual_px,
            sky.transform.model,
            sky.residual_px,
            sky.matched
        );
        assert!(all.iter().all(|away| *away < 4.0), "{all:?}");
        compared += 1;
    }
    assert!(compared > 3, "{compared}");
}

/// The lights of a whole night, against their own flat and against the same turned round.
#[test]
fn the_flat_fits_and_turned_it_does_not() {
    let Some(night) = night() else { return };
    let answers: Vec<FlatAnswer> =
        night.report.lights.iter().map(|l| l.flat_fit.expect("looked at").answer).collect();
    println!("{answers:?}");
    let told = |a: &FlatAnswer| *a == FlatAnswer::Fits;
    assert!(answers.iter().all(|a| told(a) || *a == FlatAnswer::CannotBeTold), "{answers:?}");
    assert!(answers.iter().filter(|a| told(a)).count() >= 4, "{answers:?}");
    for finding in &night.report.findings {
        assert!(!["flat-does-not-fit", "flat-turned", "flat-changed"].contains(&&*finding.code));
    }
    let flat = night.master(FrameKind::Flat).data;
    let size = flat.size();
    let blocks = |data: &Plane<f32>| {
        let read = |rows: std::ops::Range<usize>, out: &mut [f32]| {
            out.copy_from_slice(data.rows(rows.start, rows.end));
            Ok(())
        };
        Blocks::of(size, None, read).unwrap()
    };
    let turned = Plane::from_fn(size, |x, y| flat.get(size.width - 1 - x, size.height - 1 - y));
    let undivided: Vec<Blocks> = (night.report.lights.iter())
        .filter_map(|l| l.output.as_ref())
        .map(|path| {
            let light = read_frame(path).unwrap().0.data;
            blocks(&Plane::from_fn(size, |x, y| light.get(x, y) * flat.get(x, y)))
        })
        .collect();
    assert_eq!(undivided.len(), 9);
    let all = Blocks::joined(&undivided.iter().collect::<Vec<_>>()).unwrap();
    let fit = Template::of(blocks(&flat)).fit(&all);
    println!("{fit:?}");
    assert_eq!(fit.answer, FlatAnswer::Fits);
    assert!((fit.dust.unwrap() - 1.0).abs() < 0.15);
    let fit = Template::of(blocks(&turned)).fit(&all);
    println!("turned: {fit:?}");
    assert_eq!((fit.answer, fit.angle_deg), (FlatAnswer::Turned, Some(180.0)));
}
