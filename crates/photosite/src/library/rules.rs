//! The rules of matching: one table a kind of master, for choosing, grouping, explaining and the
//! documentation.

use photosite_pix::FrameKind;
use serde::{Deserialize, Serialize};

use super::camera::{may_be_one_camera, same_camera};
use super::filter::{self, Likeness, filter_group};
use super::telescope::telescope_key;
use super::{Field, Traits};

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
    /// By so many degrees round the circle.
    Angle {
        /// Degrees.
        degrees: f64,
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
    /// What lies beyond that is a doubt and not a refusal: headers get this property wrong, so a
    /// difference has a price and is told.
    pub doubt: bool,
    /// The difference has a price: what it would leave in the light.
    pub priced: bool,
    /// Why.
    pub why: &'static str,
}

const fn exact(field: Field, why: &'static str) -> MatchRule {
    MatchRule { field, tolerance: Tolerance::Exact, doubt: false, priced: false, why }
}

const fn priced(field: Field, tolerance: Tolerance, why: &'static str) -> MatchRule {
    MatchRule { field, tolerance, doubt: false, priced: true, why }
}

const fn doubt(field: Field, tolerance: Tolerance, why: &'static str) -> MatchRule {
    MatchRule { field, tolerance, doubt: true, priced: true, why }
}

const SIZE: MatchRule = exact(Field::Size, "pixels are matched one to one");
const BINNING: MatchRule = exact(Field::Binning, "binned pixels are different pixels");
const REGION: MatchRule = exact(Field::Region, "each pixel has its own bias, dark and response");
const CAMERA: MatchRule = exact(
    Field::Camera,
    "by name, aliases count as one, and a name that says less is a doubt; by serial number where both give one",
);
const MODE: MatchRule = exact(Field::ReadoutMode, "each mode has its own noise, gain and level");
const GAIN: MatchRule = exact(Field::GainSetting, "level, pattern and noise depend on it");
const OFFSET: MatchRule = exact(Field::OffsetSetting, "the level depends on it");
const ROWS: MatchRule =
    exact(Field::RowOrder, "a frame saved upside down has its pixels elsewhere");
const CFA: MatchRule = exact(Field::Cfa, "colours must match pixel by pixel, in phase");

/// A bias changes little with temperature, so the nearest is taken.
const BIAS: &[MatchRule] = &[
    SIZE,
    BINNING,
    REGION,
    CAMERA,
    MODE,
    GAIN,
    OFFSET,
    ROWS,
    CFA,
    priced(Field::Temperature, Tolerance::Nearest, "the level drifts a little with temperature"),
    priced(Field::Age, Tolerance::Nearest, "electronics age"),
];

/// 2 C change the dark current by a quarter; 2 % of the exposure change it by 2 %.
const DARK: &[MatchRule] = &[
    SIZE,
    BINNING,
    REGION,
    CAMERA,
    MODE,
    GAIN,
    OFFSET,
    ROWS,
    CFA,
    priced(
        Field::Temperature,
        Tolerance::Within { absolute: 2.0, relative: 0.0 },
        "dark current doubles about every 6.5 C",
    ),
    priced(
        Field::Exposure,
        Tolerance::Within { absolute: 0.5, relative: 0.02 },
        "dark signal grows with the exposure",
    ),
    priced(Field::Age, Tolerance::Nearest, "new hot pixels appear"),
];

/// A flat measures the optics as much as the sensor.
const FLAT: &[MatchRule] = &[
    SIZE,
    BINNING,
    REGION,
    CAMERA,
    MODE,
    GAIN,
    OFFSET,
    ROWS,
    CFA,
    priced(
        Field::Filter,
        Tolerance::Exact,
        "each filter has its own dust and colour; two widths of one name are a doubt",
    ),
    doubt(Field::Telescope, Tolerance::Exact, "each telescope has its own vignetting"),
    doubt(
        Field::FocalLength,
        Tolerance::Within { absolute: 0.0, relative: 0.15 },
        "a reducer has its own vignetting, but headers hold nominal, solved and mistyped values",
    ),
    doubt(
        Field::Rotator,
        Tolerance::Angle { degrees: 2.0 },
        "vignetting and dust in front of the rotator turn with it",
    ),
    priced(Field::Age, Tolerance::Nearest, "dust comes and goes"),
];

/// The rules for choosing a master of `kind`, and for what makes one group of frames.
pub fn rules(kind: FrameKind) -> &'static [MatchRule] {
    match kind {
        FrameKind::Bias => BIAS,
        FrameKind::Dark | FrameKind::DarkFlat => DARK,
        FrameKind::Flat | FrameKind::Light => FLAT,
    }
}

/// The table of rules for people, in Markdown: what `match --explain` judges by.
pub fn rules_table() -> String {
    let tables =
        [("Bias", BIAS), ("Dark and dark flat", DARK), ("Flat", FLAT)].map(|(name, table)| {
            let rows: String = table
                .iter()
                .map(|r| {
                    let price = if r.priced { "yes" } else { "" };
                    let beyond = if r.doubt { "; more is a doubt" } else { "" };
                    let (name, why) = (r.field.name(), r.why);
                    format!("| {name} | {}{beyond} | {price} | {why} |\n", r.tolerance)
                })
                .collect();
            format!(
                "### {name}\n\n| property | may differ | priced | why |\n|---|---|---|---|\n{rows}"
            )
        });
    tables.join("\n")
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact => f.write_str("no"),
            Self::Within { absolute, relative: 0.0 } => write!(f, "by {absolute}"),
            Self::Within { absolute: 0.0, relative } => write!(f, "by {} %", relative * 100.0),
            Self::Within { absolute, relative } => {
                write!(f, "by {absolute} or {} %, whichever is larger", relative * 100.0)
            }
            Self::Angle { degrees } => write!(f, "by {degrees} degrees"),
            Self::Nearest => f.write_str("by anything; the nearest is preferred"),
        }
    }
}

/// What came of comparing one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within the rule.
    Agrees,
    /// Not known on one side or both.
    Unknown,
    /// Outside the rule, where headers are often wrong: it costs, and does not refuse.
    Doubtful,
    /// Outside the rule.
    Differs,
}

/// Compares one property; the distance is in the field's unit, and infinite where there is none.
pub(super) fn compare(rule: MatchRule, wanted: &Traits, found: &Traits) -> (Outcome, f64) {
    match judge(rule, wanted, found) {
        (Outcome::Differs, distance) if rule.doubt => (Outcome::Doubtful, distance),
        judged => judged,
    }
}

fn judge(rule: MatchRule, wanted: &Traits, found: &Traits) -> (Outcome, f64) {
    let near = |a, b| near(rule.tolerance, a, b);
    match rule.field {
        Field::Size => equal(Some(wanted.size), Some(found.size), PartialEq::eq),
        Field::Binning => equal(wanted.binning, found.binning, PartialEq::eq),
        Field::Region => equal(wanted.origin, found.origin, PartialEq::eq),
        Field::Camera => {
            let ids = (wanted.camera_id.as_deref(), found.camera_id.as_deref());
            // A number in brackets and a serial number cannot be compared.
            let comparable = |a: &str, b: &str| a.starts_with('(') == b.starts_with('(');
            match ids {
                (Some(a), Some(b)) if a != b && comparable(a, b) => {
                    (Outcome::Differs, f64::INFINITY)
                }
                _ => camera(wanted.camera.as_deref(), found.camera.as_deref()),
            }
        }
        Field::ReadoutMode => text(&wanted.readout_mode, &found.readout_mode),
        Field::GainSetting => {
            let settings = equal(wanted.gain_setting, found.gain_setting, PartialEq::eq);
            // Numbers on the GAIN card that differ are two settings, whatever they mean; electrons in one
            // program's and a setting in the other's are held against each other in electrons.
            let written = equal(wanted.gain_written, found.gain_written, PartialEq::eq);
            match settings.0 {
                Outcome::Unknown => by_electrons(wanted, found).unwrap_or(written),
                _ => settings,
            }
        }
        // Two frames that both say nothing were written by programs that turn nothing over.
        Field::RowOrder if wanted.row_order.is_none() && found.row_order.is_none() => {
            (Outcome::Agrees, 0.0)
        }
        Field::RowOrder => equal(wanted.row_order, found.row_order, PartialEq::eq),
        Field::OffsetSetting => equal(wanted.offset_setting, found.offset_setting, PartialEq::eq),
        // Two frames without a colour filter array are both monochrome.
        Field::Cfa if wanted.cfa.is_none() && found.cfa.is_none() => (Outcome::Agrees, 0.0),
        Field::Cfa => equal(wanted.cfa, found.cfa, PartialEq::eq),
        Field::Filter => match filter::compare(wanted, found) {
            Likeness::Same => (Outcome::Agrees, 0.0),
            Likeness::Unknown => (Outcome::Unknown, 0.0),
            Likeness::Doubtful => (Outcome::Doubtful, f64::INFINITY),
            Likeness::Other => (Outcome::Differs, f64::INFINITY),
        },
        Field::Telescope => equal(telescope(wanted), telescope(found), PartialEq::eq),
        Field::FocalLength => near(wanted.focal_length_mm, found.focal_length_mm),
        Field::Rotator => near(wanted.rotator_deg, found.rotator_deg),
        Field::Temperature => near(wanted.temp_c, found.temp_c),
        Field::Age => near(wanted.day(), found.day()),
        // A guess at an exposure is a wrong picture in silence.
        Field::Exposure if wanted.exposure_s.is_none() || found.exposure_s.is_none() => {
            (Outcome::Differs, f64::INFINITY)
        }
        Field::Exposure => {
            // Both ends of a group of flats must agree with the dark.
            let low = near(wanted.exposure_s, found.exposure_s);
            let high = near(wanted.exposure_max_s, found.exposure_max_s);
            if high.1 > low.1 { high } else { low }
        }
        // These are facts of the candidate alone.
        Field::Validity | Field::LifeCycle | Field::File => (Outcome::Agrees, 0.0),
    }
}

fn camera(wanted: Option<&str>, found: Option<&str>) -> (Outcome, f64) {
    match (wanted, found) {
        (Some(a), Some(b)) if !same_camera(a, b) && may_be_one_camera(a, b) => {
            (Outcome::Doubtful, f64::INFINITY)
        }
        _ => equal(wanted, found, |a, b| same_camera(a, b)),
    }
}

/// How near gains in electrons per ADU are that are one: programs round them.
const SAME_GAIN: f64 = 0.02;

/// Compares gains in electrons where the GAIN card of one frame holds them and that of the other its setting;
/// `None` where that is not so, or one of them is not known.
fn by_electrons(wanted: &Traits, found: &Traits) -> Option<(Outcome, f64)> {
    let electrons = |t: &Traits| t.gain_setting.is_none() && t.gain_written.is_some();
    let (a, b) = wanted.gain_e_per_adu.zip(found.gain_e_per_adu)?;
    let mixed = electrons(wanted) && found.gain_setting.is_some()
        || electrons(found) && wanted.gain_setting.is_some();
    mixed.then(|| equal(Some(a), Some(b), |a, b| (a / b - 1.0).abs() <= SAME_GAIN))
}

fn telescope(t: &Traits) -> Option<String> {
    telescope_key(t.telescope.as_deref()?)
}

fn text(a: &Option<String>, b: &Option<String>) -> (Outcome, f64) {
    equal(a.as_deref(), b.as_deref(), |a, b| a.trim().to_lowercase() == b.trim().to_lowercase())
}

fn equal<T>(a: Option<T>, b: Option<T>, same: impl Fn(&T, &T) -> bool) -> (Outcome, f64) {
    match (a, b) {
        (Some(a), Some(b)) if same(&a, &b) => (Outcome::Agrees, 0.0),
        (Some(_), Some(_)) => (Outcome::Differs, f64::INFINITY),
        _ => (Outcome::Unknown, 0.0),
    }
}

/// The degrees from one angle to another, the shorter way round.
pub(super) fn turn_deg(a: f64, b: f64) -> f64 {
    let turn = (a - b).rem_euclid(360.0);
    turn.min(360.0 - turn)
}

fn near(tolerance: Tolerance, wanted: Option<f64>, found: Option<f64>) -> (Outcome, f64) {
    let (Some(w), Some(f)) = (wanted, found) else { return (Outcome::Unknown, 0.0) };
    let (distance, reach) = match tolerance {
        Tolerance::Exact => ((w - f).abs(), 0.0),
        Tolerance::Within { absolute, relative } => {
            ((w - f).abs(), absolute.max(relative * w.abs()))
        }
        Tolerance::Angle { degrees } => (turn_deg(w, f), degrees),
        Tolerance::Nearest => ((w - f).abs(), f64::INFINITY),
    };
    // A billionth forgives the rounding of decimal fractions.
    let agrees = distance <= reach + 1e-9;
    (if agrees { Outcome::Agrees } else { Outcome::Differs }, distance)
}

/// A property as text by which equal frames are equal to the letter; unknown is a value of its own.
pub(super) fn key_of(field: Field, t: &Traits) -> String {
    match field {
        Field::Camera => {
            format!("{:?} {:?}", t.camera.as_deref().map(super::camera_key), t.camera_id)
        }
        Field::Filter => filter_group(t),
        Field::Telescope => format!("{:?}", telescope(t)),
        Field::ReadoutMode => format!("{:?}", t.show(field).map(|s| s.trim().to_lowercase())),
        _ => format!("{:?}", t.show(field)),
    }
}
