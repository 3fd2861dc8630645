//! The rules hold for whatever frames there are, and the documentation says them.

use photosite::library::{
    Candidate, DarkCurrent, Field, Traits, choose, groups, rules, rules_table, same_camera,
};
use photosite_pix::{CfaPattern, FrameKind, Metadata, Size};
use proptest::prelude::*;

fn some<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = Option<T>> {
    let values: Vec<Option<T>> = values.iter().cloned().map(Some).chain([None]).collect();
    proptest::sample::select(values)
}

prop_compose! {
    fn traits()(
        width in 10usize..12,
        camera in some(&["ZWO ASI2600MM Pro", "ASI2600MM Pro", "QHY268M"]),
        gain_setting in some(&[0.0, 100.0]),
        offset_setting in some(&[10.0, 50.0]),
        cfa in some(&["RGGB", "GRBG"]),
        temp_c in some(&[-10.0, -9.0, -7.5, 0.0]),
        exposure_s in some(&[30.0, 60.0, 60.5]),
        filter in some(&["L", "Ha", "H-alpha"]),
        rotator_deg in some(&[0.0, 359.0, 90.0]),
        date_obs in some(&["2026-01-15T20:00:00", "2025-01-15T20:00:00"]),
    ) -> Traits {
        let m = Metadata {
            camera: camera.map(str::to_owned),
            gain_setting,
            offset_setting,
            cfa: cfa.and_then(CfaPattern::parse),
            temp_c,
            exposure_s,
            filter: filter.map(str::to_owned),
            rotator_deg,
            date_obs: date_obs.map(str::to_owned),
            ..Metadata::default()
        };
        Traits::of(&m, Size::new(width, 10))
    }
}

const KINDS: [FrameKind; 4] =
    [FrameKind::Bias, FrameKind::Dark, FrameKind::DarkFlat, FrameKind::Flat];

/// Two known values that differ.
fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

proptest! {
    #[test]
    fn nothing_is_ever_matched_across_a_hard_rule(
        wanted in traits(),
        pool in proptest::collection::vec(traits(), 1..20),
    ) {
        for kind in KINDS {
            let candidates: Vec<Candidate<'_>> =
                pool.iter().map(|t| Candidate::new(t, 10)).collect();
            let choice = choose(kind, &wanted, &candidates, &DarkCurrent::default(), usize::MAX);
            prop_assert_eq!(choice.ranked.len() + choice.refused.len(), pool.len());
            for fits in &choice.ranked {
                let t = &pool[fits.candidate];
                prop_assert_eq!(t.size, wanted.size);
                prop_assert!(!differ(&t.gain_setting, &wanted.gain_setting));
                prop_assert!(!differ(&t.offset_setting, &wanted.offset_setting));
                prop_assert!(!differ(&t.cfa, &wanted.cfa));
                if let (Some(a), Some(b)) = (&t.camera, &wanted.camera) {
                    prop_assert!(same_camera(a, b));
                }
                prop_assert!(fits.cost.value.is_finite() && fits.cost.value >= 0.0);
            }
            for refused in &choice.refused {
                prop_assert!(!refused.differs.is_empty());
            }
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(
        wanted in traits(),
        pool in proptest::collection::vec(traits(), 1..12),
    ) {
        for kind in KINDS {
            let pick = |pool: &[Traits]| {
                let c: Vec<Candidate<'_>> = pool.iter().map(|t| Candidate::new(t, 10)).collect();
                let choice = choose(kind, &wanted, &c, &DarkCurrent::default(), 0);
                choice.ranked.first().map(|p| (p.cost.value, pool[p.candidate].temp_c.is_some()))
            };
            let mut turned = pool.clone();
            turned.reverse();
            prop_assert_eq!(pick(&pool).map(|p| p.0), pick(&turned).map(|p| p.0));
        }
    }

    #[test]
    fn groups_hold_what_their_own_rules_allow(frames in proptest::collection::vec(traits(), 1..20)) {
        for kind in KINDS {
            let all: Vec<(FrameKind, Traits)> = frames.iter().map(|t| (kind, t.clone())).collect();
            let groups = groups(&all);
            prop_assert_eq!(groups.iter().map(|g| g.members.len()).sum::<usize>(), frames.len());
            for group in &groups {
                let first = &frames[group.members[0]];
                for &i in &group.members {
                    let t = &frames[i];
                    prop_assert_eq!(t.size, first.size);
                    prop_assert_eq!(t.gain_setting, first.gain_setting);
                    prop_assert_eq!(t.offset_setting, first.offset_setting);
                    prop_assert_eq!(t.cfa, first.cfa);
                }
            }
        }
    }
}

#[test]
fn the_documentation_has_the_table_of_rules() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/matching.md");
    let text = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let table = rules_table();
    assert!(text.contains(&table), "docs/matching.md should hold:\n\n{table}");
    for kind in KINDS {
        for field in [Field::Size, Field::GainSetting, Field::OffsetSetting, Field::Cfa] {
            assert!(rules(kind).iter().any(|r| r.field == field), "{kind} {field:?}");
        }
    }
}
