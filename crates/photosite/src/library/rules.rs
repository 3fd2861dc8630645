//! The rules of matching, one table a kind of master.

use photosite_pix::FrameKind;
use serde::Serialize;

use super::{Field, Traits, filter_key};

/// How far a property may differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// Not at all.
    Exact,
    /// By `absolute`, or by `relative` of the wanted value, whichever is more.
    Within {
        /// In the field's unit.
        absolute: f64,
        /// As a share of the wanted value.
        relative: f64,
    },
    /// By anything; the nearest is preferred.
    Nearest,
}

/// One rule: a property and how far it may differ. A property that is not known on both sides
/// passes, and is said to be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MatchRule {
    /// The property.
    pub field: Field,
    /// How far it may differ.
    pub tolerance: Tolerance,
}

const fn exact(field: Field) -> MatchRule {
    MatchRule { field, tolerance: Tolerance::Exact }
}

const fn within(field: Field, absolute: f64, relative: f64) -> MatchRule {
    MatchRule { field, tolerance: Tolerance::Within { absolute, relative } }
}

const fn nearest(field: Field) -> MatchRule {
    MatchRule { field, tolerance: Tolerance::Nearest }
}

/// A bias changes little with temperature, so the nearest is taken.
const BIAS: &[MatchRule] = &[
    exact(Field::Size),
    exact(Field::Binning),
    exact(Field::Region),
    exact(Field::Camera),
    exact(Field::ReadoutMode),
    exact(Field::GainSetting),
    exact(Field::OffsetSetting),
    exact(Field::Cfa),
    nearest(Field::Temperature),
];

/// 2 C change the dark current by a quarter at a doubling every 6 C; 2 % of the exposure change
/// it by 2 %.
const DARK: &[MatchRule] = &[
    exact(Field::Size),
    exact(Field::Binning),
    exact(Field::Region),
    exact(Field::Camera),
    exact(Field::ReadoutMode),
    exact(Field::GainSetting),
    exact(Field::OffsetSetting),
    exact(Field::Cfa),
    within(Field::Temperature, 2.0, 0.0),
    within(Field::Exposure, 0.5, 0.02),
];

/// A flat measures the optics: its gain and offset need not be the light's.
const FLAT: &[MatchRule] = &[
    exact(Field::Size),
    exact(Field::Binning),
    exact(Field::Region),
    exact(Field::Camera),
    exact(Field::Cfa),
    exact(Field::Filter),
];

/// The rules for choosing a master of `kind`.
pub fn rules(kind: FrameKind) -> &'static [MatchRule] {
    match kind {
        FrameKind::Bias => BIAS,
        FrameKind::Dark | FrameKind::DarkFlat => DARK,
        FrameKind::Flat | FrameKind::Light => FLAT,
    }
}

/// What came of comparing one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within the rule.
    Agrees,
    /// Not known on one side or both.
    Unknown,
    /// Outside the rule.
    Differs,
}

/// One property, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The property.
    pub field: Field,
    /// What came of it.
    pub outcome: Outcome,
    /// The value asked for.
    pub wanted: Option<String>,
    /// The value at hand.
    pub found: Option<String>,
    /// The distance in the field's unit, for numbers.
    #[serde(skip)]
    distance: f64,
}

fn compare(rule: MatchRule, wanted: &Traits, found: &Traits) -> Check {
    let (outcome, distance) = match rule.field {
        Field::Size => equal(Some(wanted.size), Some(found.size)),
        Field::Binning => equal(wanted.binning, found.binning),
        Field::Region => equal(wanted.origin, found.origin),
        Field::Camera => equal(lower(&wanted.camera), lower(&found.camera)),
        Field::ReadoutMode => equal(lower(&wanted.readout_mode), lower(&found.readout_mode)),
        Field::GainSetting => equal(wanted.gain_setting, found.gain_setting),
        Field::OffsetSetting => equal(wanted.offset_setting, found.offset_setting),
        Field::Cfa => equal(wanted.cfa, found.cfa),
        Field::Filter => same_filter(wanted, found),
        Field::Temperature => near(rule.tolerance, wanted.temp_c, found.temp_c),
        Field::Exposure => {
            // Both ends of a group of flats must agree with the dark.
            let low = near(rule.tolerance, wanted.exposure_s, found.exposure_s);
            let high = near(rule.tolerance, wanted.exposure_max_s, found.exposure_max_s);
            if high.1 > low.1 { high } else { low }
        }
    };
    let (wanted, found) = (wanted.show(rule.field), found.show(rule.field));
    Check { field: rule.field, outcome, wanted, found, distance }
}

fn lower(text: &Option<String>) -> Option<String> {
    text.as_ref().map(|t| t.to_lowercase())
}

fn equal<T: PartialEq>(a: Option<T>, b: Option<T>) -> (Outcome, f64) {
    match (a, b) {
        (Some(a), Some(b)) if a == b => (Outcome::Agrees, 0.0),
        (Some(_), Some(_)) => (Outcome::Differs, f64::INFINITY),
        _ => (Outcome::Unknown, 0.0),
    }
}

/// A colour sensor's frames often name no filter; two frames that both name none agree, one that
/// does and one that does not are not known to.
fn same_filter(a: &Traits, b: &Traits) -> (Outcome, f64) {
    equal(a.filter.as_deref().map(filter_key), b.filter.as_deref().map(filter_key))
}

fn near(tolerance: Tolerance, wanted: Option<f64>, found: Option<f64>) -> (Outcome, f64) {
    let (Some(w), Some(f)) = (wanted, found) else { return (Outcome::Unknown, 0.0) };
    let distance = (w - f).abs();
    let reach = match tolerance {
        Tolerance::Exact => 0.0,
        Tolerance::Within { absolute, relative } => absolute.max(relative * w.abs()),
        Tolerance::Nearest => f64::INFINITY,
    };
    // A billionth forgives the rounding of decimal fractions.
    let agrees = distance <= reach + 1e-9;
    (if agrees { Outcome::Agrees } else { Outcome::Differs }, distance)
}

/// A candidate that was refused, and by which properties.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// The candidate's index in the list that was given.
    pub candidate: usize,
    /// The properties that differ.
    pub differs: Vec<Check>,
}

/// What came of looking for a master.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The candidate's index in the list that was given; `None` where none fits.
    pub chosen: Option<usize>,
    /// The chosen candidate's properties, compared.
    pub checks: Vec<Check>,
    /// The refused candidates, the nearest first.
    pub refused: Vec<Refusal>,
}

impl Choice {
    /// The properties of the chosen candidate that could not be compared.
    pub fn unknown(&self) -> impl Iterator<Item = Field> + '_ {
        self.checks.iter().filter(|c| c.outcome == Outcome::Unknown).map(|c| c.field)
    }
}

/// Chooses among `candidates` the one that belongs to `wanted`.
///
/// Of those that pass every rule the one with the fewest unknown properties is taken, then the
/// nearest in temperature, then in exposure, then the one of most frames (`weight`), then the
/// first.
pub fn choose(kind: FrameKind, wanted: &Traits, candidates: &[(&Traits, usize)]) -> Choice {
    let table = rules(kind);
    let mut passed: Vec<(usize, Vec<Check>)> = Vec::new();
    let mut refused: Vec<Refusal> = Vec::new();
    for (index, (traits, _)) in candidates.iter().enumerate() {
        let checks: Vec<Check> = table.iter().map(|r| compare(*r, wanted, traits)).collect();
        let differs: Vec<Check> =
            checks.iter().filter(|c| c.outcome == Outcome::Differs).cloned().collect();
        if differs.is_empty() {
            passed.push((index, checks));
        } else {
            refused.push(Refusal { candidate: index, differs });
        }
    }
    let distance = |checks: &[Check], field| {
        checks.iter().find(|c| c.field == field).map_or(0.0, |c| c.distance)
    };
    passed.sort_by(|(i, a), (j, b)| {
        let unknown =
            |checks: &[Check]| checks.iter().filter(|c| c.outcome == Outcome::Unknown).count();
        unknown(a)
            .cmp(&unknown(b))
            .then(distance(a, Field::Temperature).total_cmp(&distance(b, Field::Temperature)))
            .then(distance(a, Field::Exposure).total_cmp(&distance(b, Field::Exposure)))
            .then(candidates[*j].1.cmp(&candidates[*i].1))
            .then(i.cmp(j))
    });
    let nearness = |r: &Refusal| {
        let total: f64 =
            r.differs.iter().map(|c| if c.distance.is_finite() { 1.0 } else { 9.0 }).sum();
        let span: f64 = r.differs.iter().map(|c| c.distance.min(1e6)).sum();
        (total, span)
    };
    refused.sort_by(|a, b| {
        let ((at, as_), (bt, bs)) = (nearness(a), nearness(b));
        at.total_cmp(&bt).then(as_.total_cmp(&bs)).then(a.candidate.cmp(&b.candidate))
    });
    let first = passed.into_iter().next();
    let (chosen, checks) = first.map_or((None, Vec::new()), |(i, c)| (Some(i), c));
    Choice { chosen, checks, refused }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Metadata, Size};

    use super::*;

    fn traits(edit: impl Fn(&mut Traits)) -> Traits {
        let mut t = Traits::of(&Metadata::default(), Size::new(100, 80));
        t.binning = Some((1, 1));
        t.gain_setting = Some(100.0);
        t.offset_setting = Some(10.0);
        t.temp_c = Some(-10.0);
        t.exposure_s = Some(60.0);
        t.exposure_max_s = Some(60.0);
        t.filter = Some("Ha".into());
        edit(&mut t);
        t
    }

    fn fits(kind: FrameKind, edit: impl Fn(&mut Traits)) -> bool {
        choose(kind, &traits(|_| {}), &[(&traits(edit), 1)]).chosen.is_some()
    }

    #[test]
    fn nothing_is_matched_across_a_hard_rule() {
        for kind in [FrameKind::Bias, FrameKind::Dark, FrameKind::DarkFlat] {
            assert!(fits(kind, |_| {}));
            assert!(!fits(kind, |t| t.size = Size::new(100, 81)));
            assert!(!fits(kind, |t| t.binning = Some((2, 2))));
            assert!(!fits(kind, |t| t.gain_setting = Some(101.0)));
            assert!(!fits(kind, |t| t.offset_setting = Some(11.0)));
            assert!(fits(kind, |t| t.offset_setting = None));
        }
        assert!(!fits(FrameKind::Flat, |t| t.filter = Some("OIII".into())));
        assert!(fits(FrameKind::Flat, |t| t.filter = Some("H-Alpha".into())));
        assert!(!fits(FrameKind::Flat, |t| t.size = Size::new(99, 80)));
    }

    #[test]
    fn darks_by_exposure_and_temperature() {
        let dark = |edit: fn(&mut Traits)| fits(FrameKind::Dark, edit);
        assert!(dark(|t| t.temp_c = Some(-12.0)));
        assert!(!dark(|t| t.temp_c = Some(-12.1)));
        assert!(dark(|t| (t.exposure_s, t.exposure_max_s) = (Some(61.2), Some(61.2))));
        assert!(!dark(|t| (t.exposure_s, t.exposure_max_s) = (Some(61.3), Some(61.3))));
        // A group of flats from 40 to 60 s has no dark of 60 s.
        assert!(!dark(|t| t.exposure_s = Some(40.0)));
    }

    #[test]
    fn the_nearest_wins_and_the_known_before_the_unknown() {
        let wanted = traits(|_| {});
        let far = traits(|t| t.temp_c = Some(-11.5));
        let close = traits(|t| t.temp_c = Some(-10.5));
        let unknown = traits(|t| t.temp_c = None);
        let pool = [(&unknown, 50), (&far, 50), (&close, 5)];
        let choice = choose(FrameKind::Dark, &wanted, &pool);
        assert_eq!(choice.chosen, Some(2));
        let choice = choose(FrameKind::Dark, &wanted, &pool[..1]);
        assert_eq!(choice.unknown().collect::<Vec<_>>().contains(&Field::Temperature), true);
    }

    #[test]
    fn refusals_say_why() {
        let wanted = traits(|t| (t.exposure_s, t.exposure_max_s) = (Some(30.0), Some(30.0)));
        let choice = choose(FrameKind::Dark, &wanted, &[(&traits(|_| {}), 5)]);
        let check = &choice.refused[0].differs[0];
        assert_eq!(check.field, Field::Exposure);
        assert_eq!((check.wanted.as_deref(), check.found.as_deref()), (Some("30 s"), Some("60 s")));
    }
}
