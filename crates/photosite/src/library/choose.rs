//! Choosing among candidates: the hard rules first, then what each would leave in the light.

use photosite_pix::FrameKind;
use serde::{Deserialize, Serialize};

use super::rules::{MatchRule, Outcome, compare, rules};
use super::{Cost, DarkCurrent, Field, Life, Traits, cost};

/// One property, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// The property.
    pub field: Field,
    /// What came of it.
    pub outcome: Outcome,
    /// The value asked for.
    pub wanted: Option<String>,
    /// The value at hand.
    pub found: Option<String>,
}

impl Check {
    /// Two names that were written differently stand for one thing.
    pub fn is_alias(&self) -> bool {
        matches!(self.field, Field::Camera | Field::Filter | Field::Telescope)
            && self.outcome == Outcome::Agrees
            && self.wanted != self.found
    }
}

/// What contradicts a light in a master that a person named: properties known on both sides that
/// differ by more than the rules of `kind` allow, or leave a doubt.
pub fn contradictions(kind: FrameKind, light: &Traits, master: &Traits) -> Vec<Check> {
    let known = |r: &&MatchRule| light.show(r.field).is_some() && master.show(r.field).is_some();
    rules(kind)
        .iter()
        .filter(known)
        .map(|r| check(r.field, compare(*r, light, master).0, light, master))
        .filter(|c| matches!(c.outcome, Outcome::Differs | Outcome::Doubtful))
        .collect()
}

/// What may be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its properties.
    pub traits: &'a Traits,
    /// How many frames it is made of, or would be.
    pub frames: usize,
    /// Its state: proposed, certified or retired.
    pub life: &'a Life,
    /// Its file is where it is said to be, as far as has been looked.
    pub there: bool,
    /// It is made already.
    pub ready: bool,
}

impl<'a> Candidate<'a> {
    /// Frames at hand, of which a master can be made.
    pub fn new(traits: &'a Traits, frames: usize) -> Self {
        Self { traits, frames, life: &Life::Proposed, there: true, ready: false }
    }

    /// What keeps it out whatever its properties are.
    fn barred(&self, wanted: &Traits) -> Option<Check> {
        let differs = |field, wanted: String, found: String| Check {
            field,
            outcome: Outcome::Differs,
            wanted: Some(wanted),
            found: Some(found),
        };
        if !self.there {
            return Some(differs(Field::File, "there".into(), "missing".into()));
        }
        match self.life {
            Life::Retired => Some(differs(Field::LifeCycle, "in use".into(), "retired".into())),
            Life::Certified(range) => {
                let date = wanted.show(Field::Age)?;
                (!range.holds(&date)).then(|| differs(Field::Validity, date, range.to_string()))
            }
            Life::Proposed => None,
        }
    }
}

/// A candidate that was refused, and by which properties.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// The candidate's index in the list that was given.
    pub candidate: usize,
    /// The properties that differ.
    pub differs: Vec<Check>,
}

/// A candidate that passed every rule, and its price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Priced {
    /// The candidate's index in the list that was given.
    pub candidate: usize,
    /// What it would leave in the light.
    pub cost: Cost,
}

/// What came of looking for a master.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Choice {
    /// The candidates that fit, the best first.
    pub ranked: Vec<Priced>,
    /// The chosen candidate's properties, compared.
    pub checks: Vec<Check>,
    /// The refused candidates, the nearest first, as many as were asked for.
    pub refused: Vec<Refusal>,
    /// How many were refused.
    pub refused_count: usize,
}

impl Choice {
    /// The chosen candidate's index in the list that was given; `None` where none fits.
    pub fn chosen(&self) -> Option<usize> {
        self.ranked.first().map(|p| p.candidate)
    }

    /// What the chosen candidate would leave in the light.
    pub fn cost(&self) -> Option<Cost> {
        self.ranked.first().map(|p| p.cost)
    }

    /// A candidate is chosen and nothing about it is in doubt.
    pub fn is_settled(&self) -> bool {
        self.chosen().is_some() && self.doubts().next().is_none()
    }

    /// The properties of the chosen candidate that are in doubt.
    pub fn doubts(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|c| c.outcome == Outcome::Doubtful)
    }

    /// The properties of the chosen candidate that could not be compared.
    pub fn unknown(&self) -> impl Iterator<Item = Field> + '_ {
        self.checks.iter().filter(|c| c.outcome == Outcome::Unknown).map(|c| c.field)
    }
}

/// Refusals that a choice keeps unless all are asked for.
pub const FEW_REFUSALS: usize = 16;

/// What making a master of frames counts for, against one that is there: a gain of 1 % is not worth
/// the work.
const MAKING: f64 = 1.01;

/// A candidate that passed, with what it is ranked by.
struct Passed {
    /// Properties that are unknown or in doubt.
    unsure: usize,
    certified: bool,
    /// How far the focal length lies from the light's, in steps.
    focal_steps: u64,
    rank: f64,
    frames: usize,
    priced: Priced,
}

/// A refused candidate before its reasons are put into words.
struct Refused {
    candidate: usize,
    barred: Option<Check>,
    hard: usize,
    soft: usize,
    span: f64,
}

/// Chooses among `candidates` the one that belongs to `wanted`, and keeps up to `keep` refusals.
///
/// Of those that pass every rule the one with the fewest properties that are unknown or in doubt is
/// taken, then a certified one, then the one nearest in focal length, then the one that leaves the
/// least (residual and noise together), then the one of most frames, then the first.
pub fn choose(
    kind: FrameKind,
    wanted: &Traits,
    candidates: &[Candidate<'_>],
    current: &DarkCurrent,
    keep: usize,
) -> Choice {
    let table = rules(kind);
    let mut passed: Vec<Passed> = Vec::new();
    let mut refused: Vec<Refused> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let (mut unsure, mut hard, mut soft, mut span) = (0, 0, 0, 0.0f64);
        for rule in table {
            match compare(*rule, wanted, candidate.traits) {
                (Outcome::Differs, distance) if distance.is_finite() => {
                    soft += 1;
                    span += distance.min(1e6);
                }
                (Outcome::Differs, _) => hard += 1,
                (Outcome::Unknown, _) => unsure += usize::from(rule.field != Field::Age),
                (Outcome::Doubtful, _) => unsure += 1,
                (Outcome::Agrees, _) => {}
            }
        }
        let barred = candidate.barred(wanted);
        if hard + soft == 0 && barred.is_none() {
            let cost = cost(kind, wanted, candidate.traits, candidate.frames, current);
            passed.push(Passed {
                unsure,
                certified: matches!(candidate.life, Life::Certified(_)),
                focal_steps: focal_steps(kind, wanted, candidate.traits),
                rank: cost.rank() * if candidate.ready { 1.0 } else { MAKING },
                frames: candidate.frames,
                priced: Priced { candidate: index, cost },
            });
        } else {
            refused.push(Refused { candidate: index, barred, hard, soft, span });
        }
    }
    passed.sort_by(|a, b| {
        (a.unsure.cmp(&b.unsure))
            .then(b.certified.cmp(&a.certified))
            .then(a.focal_steps.cmp(&b.focal_steps))
            .then(a.rank.total_cmp(&b.rank))
            .then(b.frames.cmp(&a.frames))
            .then(a.priced.candidate.cmp(&b.priced.candidate))
    });
    let nearest = |a: &Refused, b: &Refused| {
        let weight = |r: &Refused| 9 * r.hard + r.soft;
        weight(a)
            .cmp(&weight(b))
            .then(a.span.total_cmp(&b.span))
            .then(a.candidate.cmp(&b.candidate))
    };
    let refused_count = refused.len();
    if refused_count > keep && keep > 0 {
        refused.select_nth_unstable_by(keep - 1, nearest);
    }
    refused.truncate(keep);
    refused.sort_by(nearest);
    let refused = refused
        .into_iter()
        .map(|r| {
            let found = candidates[r.candidate].traits;
            let differs = rules(kind)
                .iter()
                .map(|rule| (rule, compare(*rule, wanted, found).0))
                .filter(|(_, outcome)| *outcome == Outcome::Differs)
                .map(|(rule, outcome)| check(rule.field, outcome, wanted, found));
            Refusal {
                candidate: r.candidate,
                differs: r.barred.into_iter().chain(differs).collect(),
            }
        })
        .collect();
    let ranked: Vec<Priced> = passed.into_iter().map(|p| p.priced).collect();
    let checks = ranked.first().map_or_else(Vec::new, |p| {
        let found = candidates[p.candidate].traits;
        let compared = |rule: &MatchRule| (rule.field, compare(*rule, wanted, found).0);
        let all = rules(kind).iter().map(compared);
        all.map(|(field, outcome)| check(field, outcome, wanted, found)).collect()
    });
    Choice { ranked, checks, refused, refused_count }
}

/// How far two focal lengths lie apart, in steps of 2 %.
///
/// It parts the flats of two set-ups in one folder, 480 and 530 mm, between which neither the
/// tolerance nor the price decides; less than a step says nothing about either.
fn focal_steps(kind: FrameKind, wanted: &Traits, found: &Traits) -> u64 {
    if kind != FrameKind::Flat {
        return 0;
    }
    let both = wanted.focal_length_mm.zip(found.focal_length_mm);
    both.map_or(0, |(w, f)| ((w - f).abs() / w.abs() / 0.02).round() as u64)
}

/// A property that was compared, in words.
fn check(field: Field, outcome: Outcome, wanted: &Traits, found: &Traits) -> Check {
    Check { field, outcome, wanted: wanted.show(field), found: found.show(field) }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{CfaPattern, Metadata, Size};

    use super::*;
    use crate::library::DateRange;

    fn traits(edit: impl Fn(&mut Traits)) -> Traits {
        let mut t = Traits::of(&Metadata::default(), Size::new(100, 80));
        t.binning = Some((1, 1));
        t.gain_setting = Some(100.0);
        t.offset_setting = Some(10.0);
        t.temp_c = Some(-10.0);
        t.exposure_s = Some(60.0);
        t.exposure_max_s = Some(60.0);
        t.filter = Some("Ha".into());
        t.cfa = CfaPattern::parse("RGGB");
        t.rotator_deg = Some(359.5);
        t.focal_length_mm = Some(480.0);
        t.date_obs = Some("2026-01-15T20:00:00".into());
        edit(&mut t);
        t
    }

    fn pick(kind: FrameKind, wanted: &Traits, pool: &[Candidate<'_>]) -> Choice {
        choose(kind, wanted, pool, &DarkCurrent::default(), FEW_REFUSALS)
    }

    fn fits(kind: FrameKind, edit: impl Fn(&mut Traits)) -> bool {
        let found = traits(edit);
        pick(kind, &traits(|_| {}), &[Candidate::new(&found, 1)]).chosen().is_some()
    }

    #[test]
    fn nothing_is_matched_across_a_hard_rule() {
        for kind in [FrameKind::Bias, FrameKind::Dark, FrameKind::DarkFlat, FrameKind::Flat] {
            assert!(fits(kind, |_| {}));
            assert!(!fits(kind, |t| t.size = Size::new(100, 81)));
            assert!(!fits(kind, |t| t.binning = Some((2, 2))));
            assert!(!fits(kind, |t| t.gain_setting = Some(101.0)));
            assert!(!fits(kind, |t| t.offset_setting = Some(11.0)));
            assert!(!fits(kind, |t| t.cfa = CfaPattern::parse("GRBG")));
            assert!(fits(kind, |t| t.offset_setting = None));
        }
        let flat = |edit: fn(&mut Traits)| fits(FrameKind::Flat, edit);
        assert!(!flat(|t| t.filter = Some("OIII".into())));
        assert!(flat(|t| t.filter = Some("H-Alpha".into())));
        assert!(flat(|t| t.rotator_deg = Some(1.4)));
        assert!(flat(|t| t.focal_length_mm = Some(483.0)));
    }

    #[test]
    fn what_headers_get_wrong_costs_and_does_not_refuse() {
        let wanted = traits(|t| t.telescope = Some("FSQ 106".into()));
        // A change of the flat, what is in doubt, and the price as a share of the signal.
        type Row = (fn(&mut Traits), &'static [Field], (f64, f64));
        let table: &[Row] = &[
            (|_| {}, &[], (0.0, 0.0)),
            (|t| t.focal_length_mm = Some(551.0), &[], (0.0, 0.0)),
            (|t| t.focal_length_mm = Some(409.0), &[], (0.0, 0.0)),
            (|t| t.focal_length_mm = Some(384.0), &[Field::FocalLength], (0.02, 0.025)),
            (|t| t.focal_length_mm = Some(1e-300), &[Field::FocalLength], (0.05, 0.05)),
            (|t| t.focal_length_mm = Some(f64::INFINITY), &[Field::FocalLength], (0.05, 0.05)),
            (|t| t.focal_length_mm = None, &[], (0.0, 0.0)),
            (|t| t.rotator_deg = Some(1.4), &[], (0.0, 0.0)),
            (|t| t.rotator_deg = Some(3.0), &[Field::Rotator], (0.005, 0.01)),
            (|t| t.rotator_deg = Some(179.5), &[Field::Rotator], (0.02, 0.025)),
            (|t| t.telescope = Some("fsq-106".into()), &[], (0.0, 0.0)),
            (|t| t.telescope = Some("EQMOD ASCOM HEQ5/6".into()), &[], (0.0, 0.0)),
            (|t| t.telescope = Some("FSQ 85".into()), &[Field::Telescope], (0.05, 0.05)),
            (
                |t| (t.telescope, t.rotator_deg) = (Some("C8".into()), Some(90.0)),
                &[Field::Telescope, Field::Rotator],
                (0.05, 0.06),
            ),
        ];
        for (row, (edit, fields, (low, high))) in table.iter().enumerate() {
            let found = traits(|t| {
                t.telescope = Some("FSQ 106".into());
                edit(t);
            });
            let choice = pick(FrameKind::Flat, &wanted, &[Candidate::new(&found, 20)]);
            let doubts: Vec<Field> = choice.doubts().map(|c| c.field).collect();
            assert_eq!(doubts, *fields, "row {row}");
            let cost = choice.cost().unwrap().value;
            assert!((*low..=*high).contains(&cost), "row {row}: {cost}");
        }
    }

    #[test]
    fn each_set_up_gets_its_own_flats() {
        let set_up = |telescope: &str, focal_mm: f64, angle_deg: f64, date: &str| {
            traits(|t| {
                t.telescope = Some(telescope.into());
                (t.focal_length_mm, t.rotator_deg) = (Some(focal_mm), Some(angle_deg));
                t.date_obs = Some(date.into());
            })
        };
        let (evening, dawn) = ("2026-01-15T18:00:00", "2026-01-16T06:00:00");
        // A light of the night between, two flats, and the one that it follows.
        for (light, flats, chosen) in [
            (("FSQ 106", 530.0, 0.0), [("FSQ 106", 530.0, 0.0), ("C11", 2800.0, 0.0)], 0),
            (("C11", 2800.0, 0.0), [("FSQ 106", 530.0, 0.0), ("C11", 2800.0, 0.0)], 1),
            // Solved, and still nearer to its own.
            (("C11", 2240.0, 0.0), [("FSQ 106", 530.0, 0.0), ("C11", 2800.0, 0.0)], 1),
            // No telescope named: the focal length parts them, beyond 15 % and within.
            (("EQMOD", 525.0, 0.0), [("EQMOD", 530.0, 0.0), ("EQMOD", 420.0, 0.0)], 0),
            (("EQMOD", 425.0, 0.0), [("EQMOD", 530.0, 0.0), ("EQMOD", 420.0, 0.0)], 1),
            (("EQMOD", 483.0, 0.0), [("EQMOD", 530.0, 0.0), ("EQMOD", 480.0, 0.0)], 1),
            // A telescope that is named goes before one that is not, and that before another.
            (("C11", 2800.0, 0.0), [("Simulator", 2800.0, 0.0), ("C11", 2800.0, 0.0)], 1),
            (("C11", 2800.0, 0.0), [("FSQ 106", 2800.0, 0.0), ("Simulator", 2800.0, 0.0)], 1),
            // The nearest angle, round the circle.
            (("C11", 2800.0, 350.0), [("C11", 2800.0, 90.0), ("C11", 2800.0, 20.0)], 1),
            (("C11", 2800.0, 45.0), [("C11", 2800.0, 50.0), ("C11", 2800.0, 20.0)], 0),
        ] {
            for dates in [[evening, dawn], [dawn, evening]] {
                let of =
                    |(name, focal_mm, angle_deg), date| set_up(name, focal_mm, angle_deg, date);
                let wanted = of(light, "2026-01-15T22:00:00");
                let flats = [of(flats[0], dates[0]), of(flats[1], dates[1])];
                let pool = [Candidate::new(&flats[0], 20), Candidate::new(&flats[1], 30)];
                let choice = pick(FrameKind::Flat, &wanted, &pool);
                assert_eq!(choice.chosen(), Some(chosen), "{light:?} {flats:?}");
                assert_eq!(choice.ranked.len(), 2);
            }
        }
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
        let pool =
            [Candidate::new(&unknown, 50), Candidate::new(&far, 50), Candidate::new(&close, 50)];
        let choice = pick(FrameKind::Dark, &wanted, &pool);
        let order: Vec<usize> = choice.ranked.iter().map(|p| p.candidate).collect();
        assert_eq!(order, [2, 1, 0]);
        let choice = pick(FrameKind::Dark, &wanted, &pool[..1]);
        assert!(choice.unknown().any(|f| f == Field::Temperature));
    }

    #[test]
    fn a_master_of_few_frames_pays_for_its_noise() {
        let wanted = traits(|t| (t.temp_c, t.read_noise_e) = (Some(-30.0), Some(5.0)));
        let near = traits(|t| t.temp_c = Some(-30.0));
        let many = traits(|t| t.temp_c = Some(-30.5));
        let pool = [Candidate::new(&near, 1), Candidate::new(&many, 50)];
        assert_eq!(pick(FrameKind::Dark, &wanted, &pool).chosen(), Some(1));
        // Headers without a read noise: that of a usual sensor, in whichever unit.
        for gain in [None, Some(0.8)] {
            let silent = |days: &str| {
                traits(|t| (t.date_obs, t.gain_e_per_adu) = (Some(days.to_owned()), gain))
            };
            let [wanted, yesterday] = ["2026-01-15", "2026-01-14"].map(silent);
            let weeks_ago = silent("2025-11-27");
            let pool = [Candidate::new(&yesterday, 3), Candidate::new(&weeks_ago, 40)];
            for kind in [FrameKind::Bias, FrameKind::Dark] {
                let choice = pick(kind, &wanted, &pool);
                assert_eq!((choice.chosen(), choice.cost().unwrap().floor), (Some(1), None));
            }
        }
    }

    #[test]
    fn refusals_say_why() {
        let wanted = traits(|t| (t.exposure_s, t.exposure_max_s) = (Some(30.0), Some(30.0)));
        let found = traits(|_| {});
        let choice = pick(FrameKind::Dark, &wanted, &[Candidate::new(&found, 5)]);
        let check = &choice.refused[0].differs[0];
        assert_eq!(check.field, Field::Exposure);
        assert_eq!((check.wanted.as_deref(), check.found.as_deref()), (Some("30 s"), Some("60 s")));
    }

    #[test]
    fn life_decides_before_cost() {
        let wanted = traits(|_| {});
        let (near, far) = (traits(|_| {}), traits(|t| t.temp_c = Some(-11.0)));
        let range = |from: &str, to: &str| {
            Life::Certified(DateRange { from: Some(from.into()), to: Some(to.into()) })
        };
        let good = range("2026-01-01", "2026-01-15");
        let stale = range("2025-01-01", "2025-12-31");
        let proposed = Candidate::new(&near, 9);
        let pool = [proposed, Candidate { life: &good, ..Candidate::new(&far, 9) }];
        assert_eq!(pick(FrameKind::Dark, &wanted, &pool).chosen(), Some(1));
        for (life, field) in [(&stale, Field::Validity), (&Life::Retired, Field::LifeCycle)] {
            let pool = [proposed, Candidate { life, ..Candidate::new(&near, 9) }];
            let choice = pick(FrameKind::Dark, &wanted, &pool);
            assert_eq!(choice.chosen(), Some(0));
            assert_eq!(choice.refused[0].differs[0].field, field);
        }
    }
}
