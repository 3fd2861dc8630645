//! Faults that were found in other programs, and must not be found here.

use std::path::Path;
use std::sync::Arc;

use photosite::calibrate::{CalibrationSet, DarkContent, Light, LightFacts, MasterDark};
use photosite::defects;
use photosite::library::{Candidate, Choice, DarkCurrent, FEW_REFUSALS, Traits, choose, groups};
use photosite::master::channel_means;
use photosite::params::{DarkScaling, default_recipe};
use photosite::stack::{Buffers, Prepared, Stacked, Terms, stack_tile};
use photosite_file::fits::Sample;
use photosite_pix::{CfaPattern, Frame, FrameKind, Header, MaskBits, Metadata, Plane, Size, Unit};

use crate::night::write_plane;

/// Stacks planes written as 16-bit files.
fn stack(planes: &[Plane<f32>]) -> Plane<f32> {
    let dir = tempfile::tempdir().unwrap();
    let sources: Vec<Prepared> = planes
        .iter()
        .enumerate()
        .map(|(i, plane)| {
            let path = dir.path().join(format!("{i}.fits"));
            write_plane(&path, plane, Sample::U16 { pedestal_adu: 0.0 }, Header::new());
            Prepared::plain(photosite_file::open(Path::new(&path)).unwrap())
        })
        .collect();
    let size = planes[0].size();
    let (rows, columns) = (0..size.height, 0..size.width);
    let recipe = default_recipe(FrameKind::Dark, planes.len(), None);
    let mut buffers = Buffers::default();
    let tile =
        stack_tile(&sources, rows, columns.clone(), (recipe, Terms::default()), &mut buffers)
            .unwrap();
    let mut stacked = Stacked::empty(size, false);
    stacked.bands(size.height).for_each(|mut band| band.place(columns.clone(), &tile[0]));
    stacked.value
}

/// One peer drops samples of exactly 0 as "no data".
#[test]
fn zero_samples_are_data() {
    let size = Size::new(4, 4);
    let planes: Vec<Plane<f32>> =
        [0.0, 0.0, 2.0, 4.0, 4.0].map(|v| Plane::filled(size, v)).into_iter().collect();
    assert_eq!(stack(&planes), Plane::filled(size, 2.0));
    let all_zero = vec![Plane::filled(size, 0.0); 5];
    assert_eq!(stack(&all_zero), Plane::filled(size, 0.0));
}

/// One peer clips to 0..1, so that the noise about a dark sky becomes a positive mean.
#[test]
fn nothing_is_clipped_at_zero() {
    let size = Size::new(16, 16);
    let light = Plane::from_fn(size, |x, _| if x % 2 == 0 { 95.0 } else { 105.0 });
    let dark = MasterDark {
        frame: Arc::new(Frame::new(Plane::filled(size, 100.0), Unit::Adu)),
        content: DarkContent::BiasIncluded,
        exposure_s: None,
        variance_factor: None,
    };
    let set = CalibrationSet::new(None, Some(dark), None, DarkScaling::None).unwrap();
    let light = Light { data: light, facts: LightFacts::default() };
    let data = set.apply(light).unwrap().frame.data;
    assert_eq!(data.as_slice().iter().sum::<f32>(), 0.0);
    assert!(data.as_slice().contains(&-5.0));
}

fn traits(exposure_s: f64, temp_c: f64) -> Traits {
    let metadata = Metadata {
        exposure_s: Some(exposure_s),
        temp_c: Some(temp_c),
        gain_setting: Some(100.0),
        ..Metadata::default()
    };
    Traits::of(&metadata, Size::new(10, 10))
}

/// One peer rounds exposures to whole seconds, so that all darks below one are alike.
#[test]
fn exposures_below_a_second_are_not_rounded_equal() {
    let exposures = [0.001, 0.1, 0.4, 0.5, 1.0, 1.3, 300.0, 300.1];
    let frames: Vec<(FrameKind, Traits)> =
        exposures.iter().map(|&s| (FrameKind::Dark, traits(s, -10.0))).collect();
    let found: Vec<Vec<usize>> = groups(&frames).into_iter().map(|g| g.members).collect();
    assert_eq!(
        found,
        [vec![0], vec![1], vec![2], vec![3], vec![4], vec![5], vec![6, 7]],
        "300.0 and 300.1 s are one exposure, 0.4 and 0.5 s are two"
    );
    let pool: Vec<Candidate<'_>> = frames.iter().map(|(_, t)| Candidate::new(t, 1)).collect();
    for (i, &exposure) in exposures[..6].iter().enumerate() {
        let choice = pick(FrameKind::Dark, &traits(exposure, -10.0), &pool);
        assert_eq!(choice.chosen(), Some(i), "{exposure} s");
    }
    // Tenths of a degree do not outweigh a factor of five in exposure; ten times the frames may.
    let (short, warmer) = (traits(0.1, -10.0), traits(0.5, -9.7));
    let pool = [Candidate::new(&short, 50), Candidate::new(&warmer, 50)];
    let choice = pick(FrameKind::DarkFlat, &traits(0.5, -10.0), &pool);
    assert_eq!(choice.chosen(), Some(1));
}

fn pick(kind: FrameKind, wanted: &Traits, pool: &[Candidate<'_>]) -> Choice {
    choose(kind, wanted, pool, &DarkCurrent::default(), FEW_REFUSALS)
}

/// One peer takes the nearest dark, however far its exposure, and looks at no gain.
#[test]
fn a_dark_far_from_the_light_is_no_dark_for_it() {
    let wanted = traits(300.0, -10.0);
    let (short, warm) = (traits(60.0, -10.0), traits(300.0, -5.0));
    let mut other_gain = traits(300.0, -10.0);
    other_gain.gain_setting = Some(0.0);
    let pool = [&short, &warm, &other_gain].map(|t| Candidate::new(t, 50));
    let choice = pick(FrameKind::Dark, &wanted, &pool);
    assert_eq!(choice.chosen(), None);
    assert_eq!(choice.refused.len(), 3);
}

/// One peer takes a single level of a colour flat, and so tints every picture.
#[test]
fn a_colour_flat_has_three_levels() {
    let cfa = CfaPattern::parse("GBRG").unwrap();
    let levels = [9000.0, 20_000.0, 4000.0];
    let flat = Plane::from_fn(Size::new(32, 32), |x, y| levels[cfa.color(x, y).channel()]);
    assert_eq!(channel_means(flat.as_slice(), 32, Some(cfa)), levels.map(f64::from));
}

/// One peer confuses width and height in the flat's centre; frames are rarely square.
#[test]
fn wide_and_tall_frames_are_alike() {
    let wide = Plane::from_fn(Size::new(96, 16), |x, y| 1000.0 + x as f32 + 3.0 * y as f32);
    let tall = Plane::from_fn(Size::new(16, 96), |x, y| 1000.0 + y as f32 + 3.0 * x as f32);
    assert_eq!(channel_means(wide.as_slice(), 96, None), channel_means(tall.as_slice(), 16, None));
}

/// One peer spares hot pixels that stand together.
#[test]
fn hot_pixels_that_touch_are_all_found() {
    let mut state = 1u32;
    let mut data = Plane::from_fn(Size::new(64, 64), |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        500.0 + (state >> 28) as f32
    });
    let cluster = [(20, 20), (21, 20), (20, 21), (21, 21), (22, 21)];
    for (x, y) in cluster {
        data.set(x, y, 3000.0);
    }
    let mut frame = Frame::new(data, Unit::Adu);
    let found: Vec<_> = defects::bands(frame.size().height)
        .flat_map(|rows| defects::find(&frame.data, rows, None, 0.0))
        .collect();
    assert_eq!(defects::mark(&mut frame, &found), (5, 0));
    assert_eq!(defects::repair(&mut frame, None, &cluster), 5);
    for (x, y) in cluster {
        assert!(frame.mask.get(x, y).contains(MaskBits::HOT | MaskBits::INTERPOLATED));
        assert!((frame.data.get(x, y) - 507.0).abs() < 8.0);
    }
}

/// Two and three frames lose nothing to rejection: there is no telling which of them is right.
#[test]
fn few_frames_are_not_thinned() {
    let size = Size::new(2, 2);
    let planes = |values: &[f32]| -> Vec<Plane<f32>> {
        values.iter().map(|v| Plane::filled(size, *v)).collect()
    };
    assert_eq!(stack(&planes(&[10.0, 20.0])).get(0, 0), 15.0);
    assert_eq!(stack(&planes(&[10.0, 12.0, 500.0])).get(0, 0), 12.0);
}
