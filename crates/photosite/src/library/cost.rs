//! What a difference would leave in the light: residuals in electrons where gain is known, else in
//! ADU, else as a share of the signal.

use photosite_pix::FrameKind;
use serde::{Deserialize, Serialize};

use super::rules::{MatchRule, Outcome, compare, rules, turn_deg};
use super::{Field, Traits};
pub use crate::calibrate::dark::DOUBLING_C;

/// What a cost is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CostUnit {
    /// Electrons.
    #[serde(rename = "e-")]
    Electrons,
    /// ADU, where the gain is not known.
    #[serde(rename = "ADU")]
    Adu,
    /// A share of the light's signal, for flats.
    #[serde(rename = "share")]
    Share,
}

impl CostUnit {
    /// The unit's sign.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Electrons => "e-",
            Self::Adu => "ADU",
            Self::Share => "of the signal",
        }
    }
}

/// The residual that one candidate is expected to leave: the root mean square over all pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cost {
    /// By all priced differences together.
    pub value: f64,
    /// What all numbers here are counted in.
    pub unit: CostUnit,
    /// By the temperature alone; `None` where it is not known on both sides.
    pub temperature: Option<f64>,
    /// By the exposure alone.
    pub exposure: Option<f64>,
    /// By the time between the two alone.
    pub age: Option<f64>,
    /// By another telescope alone; `None` where it is in no doubt, as for those that follow.
    #[serde(default)]
    pub telescope: Option<f64>,
    /// By another focal length alone.
    #[serde(default)]
    pub focal_length: Option<f64>,
    /// By another angle of the rotator alone.
    #[serde(default)]
    pub rotator: Option<f64>,
    /// By another width of the filter's band alone.
    #[serde(default)]
    pub filter: Option<f64>,
    /// The noise that the master brings with it, by read noise and dark signal; by a usual read noise
    /// where none is known, and 0 for flats.
    pub noise: f64,
    /// The noise of one light without its sky, by the same, below which a cost is not seen; `None`
    /// where read noise is not known.
    pub floor: Option<f64>,
    /// The dark current was measured on this camera, not assumed; `None` where it plays no part.
    pub measured: Option<bool>,
}

impl Cost {
    /// What candidates are ranked by: residual and noise together.
    pub fn rank(&self) -> f64 {
        self.value.hypot(self.noise)
    }

    /// The cost in electrons, where it is counted in them.
    pub fn electrons(&self) -> Option<f64> {
        (self.unit == CostUnit::Electrons).then_some(self.value)
    }

    /// The part of a priced field.
    pub fn of(&self, field: Field) -> Option<f64> {
        match field {
            Field::Temperature => self.temperature,
            Field::Exposure => self.exposure,
            Field::Age => self.age,
            Field::Telescope => self.telescope,
            Field::FocalLength => self.focal_length,
            Field::Rotator => self.rotator,
            Field::Filter => self.filter,
            _ => None,
        }
    }
}

/// The share of the pixels that count as the hottest.
pub const HOTTEST_SHARE: f64 = 0.001;

/// The read noise of a frame in electrons where none is known: a choice, between 1 and 10 of sensors of 2005
/// to 2025. It parts long darks from short ones, and many frames from few.
const USUAL_READ_NOISE_E: f64 = 4.0;

/// The dark current assumed where none was measured, in e-/s at [`ASSUMED_AT_C`]: a choice, on the
/// cautious side of the data sheets of sensors of 2005 to 2025 (0.05 to 1.5 brought to 20 C).
const ASSUMED_E_S: f64 = 1.0;
/// The temperature of [`ASSUMED_E_S`].
const ASSUMED_AT_C: f64 = 20.0;
/// How much more the hottest thousandth makes than the typical pixel: a choice; 120 was measured
/// on 60 s darks of a CMOS camera at -25 C.
const ASSUMED_HOT_RATIO: f64 = 100.0;
/// How much of a dark's pattern changes within a year as pixels become hot: a choice.
const DARK_AGE_SHARE: f64 = 0.1;
/// Drift of the bias level in ADU per degree: a choice; 0.2 was measured on an SBIG STL-1001 between
/// -5 and -10 C.
const BIAS_ADU_PER_C: f64 = 0.2;
/// Drift of the bias level in ADU within a year: a choice.
const BIAS_ADU_PER_YEAR: f64 = 1.0;
/// What dust leaves at most as a share of the signal, and the days in which it gets there: choices.
const DUST_SHARE: f64 = 0.01;
const DUST_DAYS: f64 = 30.0;
/// The share of the signal from which a flat's age is seen: a choice.
const FLAT_FLOOR: f64 = 0.005;

/// What the vignetting of another telescope leaves, as a share of the signal: a choice.
const OTHER_TELESCOPE_SHARE: f64 = 0.05;
/// The same of a focal length that is larger or smaller by a factor of e: a choice, 2 % for a reducer
/// of 0.8.
const FOCAL_SHARE: f64 = 0.1;
/// What vignetting that is turned by half a turn leaves, and the degrees by which dust leaves its
/// shadow: choices.
const TURNED_SHARE: f64 = 0.02;
const DUST_DEG: f64 = 2.0;
/// What a filter of the same name and another band leaves, by its own dust: a choice.
const OTHER_BAND_SHARE: f64 = 0.01;

const DAYS_A_YEAR: f64 = 365.25;

/// Dark current measured at one temperature, in ADU a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DarkPoint {
    /// The sensor's temperature in degrees Celsius.
    pub temp_c: f64,
    /// Of the typical pixel; 0 where a sensor corrects its own black level.
    pub adu_s: f64,
    /// By how much a thousandth of the pixels would exceed it to leave what all hot pixels do.
    pub hot_adu_s: f64,
}

/// What is known of a camera's dark current.
#[derive(Debug, Clone, PartialEq)]
pub struct DarkCurrent {
    /// By temperature; empty where nothing was measured.
    points: Vec<DarkPoint>,
    doubling_c: f64,
}

impl Default for DarkCurrent {
    fn default() -> Self {
        Self { points: Vec::new(), doubling_c: DOUBLING_C }
    }
}

impl DarkCurrent {
    /// From what was measured.
    ///
    /// The doubling is fitted where points lie at least 4 C apart and give 4 to 12 C; else it is
    /// [`DOUBLING_C`].
    pub fn measured(mut points: Vec<DarkPoint>) -> Self {
        points.sort_by(|a, b| a.temp_c.total_cmp(&b.temp_c));
        let fitted = fit_doubling(&points).filter(|d| (4.0..=12.0).contains(d));
        Self { doubling_c: fitted.unwrap_or(DOUBLING_C), points }
    }

    /// Degrees that double it.
    pub fn doubling_c(&self) -> f64 {
        self.doubling_c
    }

    /// Whether it was measured.
    pub fn is_measured(&self) -> bool {
        !self.points.is_empty()
    }

    /// (typical pixel, hottest thousandth) a second at `temp_c`: ADU where measured, else e-.
    fn rates(&self, temp_c: f64) -> (f64, f64) {
        let distance = |p: &&DarkPoint| (p.temp_c - temp_c).abs();
        match self.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))) {
            Some(p) => {
                let factor = ((temp_c - p.temp_c) / self.doubling_c).exp2();
                (p.adu_s * factor, p.hot_adu_s * factor)
            }
            None => {
                let rate = ASSUMED_E_S * ((temp_c - ASSUMED_AT_C) / self.doubling_c).exp2();
                (rate, rate * ASSUMED_HOT_RATIO)
            }
        }
    }

    /// The dark signal of the typical pixel after `exposure_s` at `temp_c`, in electrons.
    pub fn signal_e(
        &self,
        exposure_s: f64,
        temp_c: f64,
        gain_e_per_adu: Option<f64>,
    ) -> Option<f64> {
        let factor = if self.is_measured() { gain_e_per_adu? } else { 1.0 };
        Some(self.rates(temp_c).0 * exposure_s * factor)
    }

    /// The difference of two dark signals, as a root mean square over all pixels.
    fn difference(&self, (s1, c1): (f64, f64), (s2, c2): (f64, f64)) -> f64 {
        let ((mean1, hot1), (mean2, hot2)) = (self.rates(c1), self.rates(c2));
        let hot = (s1 * hot1 - s2 * hot2) * HOTTEST_SHARE.sqrt();
        (s1 * mean1 - s2 * mean2).hypot(hot)
    }
}

/// What a dark leaves of the dark signal in a light when it is taken `k` times: a root mean square over all pixels,
/// without noise; `None` where an exposure or every temperature is not known.
pub fn scaled_cost(
    light: &Traits,
    dark: &Traits,
    current: &DarkCurrent,
    k: f64,
) -> Option<(f64, CostUnit)> {
    let light_c = light.temp_c.or(dark.temp_c)?;
    let dark_c = dark.temp_c.unwrap_or(light_c);
    let unit = cost(FrameKind::Dark, light, dark, 1, current).unit;
    let gain = light.gain_e_per_adu.or(dark.gain_e_per_adu);
    let factor = if current.is_measured() { gain.unwrap_or(1.0) } else { 1.0 };
    let (light_s, dark_s) = (light.exposure_s?, dark.exposure_s?);
    Some((factor * current.difference((light_s, light_c), (k * dark_s, dark_c)), unit))
}

/// The slope of log2(rate) over temperature by least squares, turned round: degrees a doubling.
fn fit_doubling(points: &[DarkPoint]) -> Option<f64> {
    let known: Vec<(f64, f64)> = points
        .iter()
        .map(|p| (p.temp_c, p.adu_s.max(0.0) + p.hot_adu_s * HOTTEST_SHARE.sqrt()))
        .filter(|(_, rate)| *rate > 0.0)
        .map(|(temp_c, rate)| (temp_c, rate.log2()))
        .collect();
    let span = known.last()?.0 - known.first()?.0;
    if span < 4.0 {
        return None;
    }
    let n = known.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| known.iter().map(f).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let sxy: f64 = known.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    let sxx: f64 = known.iter().map(|(x, _)| (x - mx) * (x - mx)).sum();
    Some(sxx / sxy)
}

/// What using `found`, a master of `frames` frames, for `wanted` would cost.
///
/// A difference that is not known on both sides costs nothing, and its part is `None`.
pub fn cost(
    kind: FrameKind,
    wanted: &Traits,
    found: &Traits,
    frames: usize,
    current: &DarkCurrent,
) -> Cost {
    let years = wanted.day().zip(found.day()).map(|(a, b)| (a - b).abs() / DAYS_A_YEAR);
    let gain = wanted.gain_e_per_adu.or(found.gain_e_per_adu);
    let read_noise_e = wanted.read_noise_e.or(found.read_noise_e);
    let warmth = wanted.temp_c.zip(found.temp_c);
    // `signal_e` is the dark signal that a light or a frame of the master has besides its read noise.
    let of = |parts: [Option<f64>; 3], value: f64, unit: CostUnit, signal_e: f64| {
        let one_e = (read_noise_e.unwrap_or(USUAL_READ_NOISE_E).powi(2) + signal_e).sqrt();
        let (one, is_known) = match unit {
            CostUnit::Electrons => (one_e, read_noise_e.is_some()),
            CostUnit::Adu => (one_e / gain.unwrap_or(1.0), read_noise_e.and(gain).is_some()),
            CostUnit::Share => (0.0, false),
        };
        let [temperature, exposure, age] = parts;
        let noise = one / (frames.max(1) as f64).sqrt();
        let floor = match unit {
            CostUnit::Share => Some(FLAT_FLOOR),
            _ => is_known.then_some(one),
        };
        let (telescope, focal_length, rotator, filter) = (None, None, None, None);
        Cost {
            value,
            unit,
            temperature,
            exposure,
            age,
            telescope,
            focal_length,
            rotator,
            filter,
            noise,
            floor,
            measured: None,
        }
    };
    match kind {
        FrameKind::Bias => {
            let (factor, unit) = gain.map_or((1.0, CostUnit::Adu), |g| (g, CostUnit::Electrons));
            let temperature = warmth.map(|(a, b)| (a - b).abs() * BIAS_ADU_PER_C * factor);
            let age = years.map(|y| y * BIAS_ADU_PER_YEAR * factor);
            let value = temperature.unwrap_or(0.0).hypot(age.unwrap_or(0.0));
            of([temperature, None, age], value, unit, 0.0)
        }
        FrameKind::Dark | FrameKind::DarkFlat => {
            let unit = match (current.is_measured(), gain) {
                (true, None) => CostUnit::Adu,
                _ => CostUnit::Electrons,
            };
            let factor = if current.is_measured() { gain.unwrap_or(1.0) } else { 1.0 };
            // Without an exposure or a temperature no dark signal can be predicted.
            let exposures = wanted.exposure_s.zip(found.exposure_s);
            let (t_c, s) = (wanted.temp_c.or(found.temp_c), wanted.exposure_s.or(found.exposure_s));
            let left = |a, b| factor * current.difference(a, b);
            let temperature =
                warmth.zip(s).map(|((wanted_c, found_c), s)| left((s, wanted_c), (s, found_c)));
            let exposure = exposures.zip(t_c).map(|((a, b), c)| left((a, c), (b, c)));
            let age = years
                .zip(s)
                .zip(t_c)
                .map(|((y, s), c)| y * DARK_AGE_SHARE * left((s, c), (0.0, c)));
            let both = match (exposures, warmth) {
                (Some((a, b)), Some((c, d))) => left((a, c), (b, d)),
                _ => temperature.or(exposure).unwrap_or(0.0),
            };
            let value = both.hypot(age.unwrap_or(0.0));
            let signal_e = s.zip(t_c).and_then(|(s, c)| current.signal_e(s, c, gain));
            let cost = of([temperature, exposure, age], value, unit, signal_e.unwrap_or(0.0));
            Cost { measured: Some(current.is_measured()), ..cost }
        }
        FrameKind::Flat | FrameKind::Light => {
            let age = years.map(|y| DUST_SHARE * (1.0 - (-y * DAYS_A_YEAR / DUST_DAYS).exp()));
            let cost = of([None, None, age], 0.0, CostUnit::Share, 0.0);
            let [telescope, focal_length, rotator, filter] =
                [Field::Telescope, Field::FocalLength, Field::Rotator, Field::Filter]
                    .map(|field| doubt_share(kind, field, wanted, found));
            let parts = [age, telescope, focal_length, rotator, filter];
            let value = parts.into_iter().flatten().fold(0.0, f64::hypot);
            Cost { value, telescope, focal_length, rotator, filter, ..cost }
        }
    }
}

/// What a doubtful property would leave of the signal if the headers are right; `None` where it is
/// in no doubt.
fn doubt_share(kind: FrameKind, field: Field, wanted: &Traits, found: &Traits) -> Option<f64> {
    let rule: &MatchRule = rules(kind).iter().find(|r| r.field == field)?;
    if compare(*rule, wanted, found).0 != Outcome::Doubtful {
        return None;
    }
    Some(match field {
        Field::FocalLength => {
            let ratio = wanted.focal_length_mm? / found.focal_length_mm?;
            // Whatever a header says, it is no worse than another telescope.
            let share = FOCAL_SHARE * ratio.ln().abs();
            if share < OTHER_TELESCOPE_SHARE { share } else { OTHER_TELESCOPE_SHARE }
        }
        Field::Rotator => {
            let turn = turn_deg(wanted.rotator_deg?, found.rotator_deg?);
            let dust = DUST_SHARE * (1.0 - (-turn / DUST_DEG).exp());
            dust.hypot(TURNED_SHARE * (turn / 2.0).to_radians().sin())
        }
        Field::Filter => OTHER_BAND_SHARE,
        _ => OTHER_TELESCOPE_SHARE,
    })
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Metadata, Size};

    use super::*;

    fn dark(temp_c: f64, exposure_s: f64) -> Traits {
        let m = Metadata {
            temp_c: Some(temp_c),
            exposure_s: Some(exposure_s),
            read_noise_e: Some(3.0),
            gain_e_per_adu: photosite_pix::Gain::new(0.5),
            date_obs: Some("2026-01-15T20:00:00".into()),
            ..Metadata::default()
        };
        Traits::of(&m, Size::new(10, 10))
    }

    #[test]
    fn a_doubling_costs_what_the_dark_signal_was() {
        let current =
            DarkCurrent::measured(vec![DarkPoint { temp_c: 0.0, adu_s: 0.2, hot_adu_s: 0.0 }]);
        // 0.2 ADU/s for 100 s at 0.5 e-/ADU are 10 e-; a doubling warmer they are 20.
        let cost = cost(FrameKind::Dark, &dark(6.5, 100.0), &dark(0.0, 100.0), 9, &current);
        assert!((cost.value - 10.0).abs() < 1e-9, "{cost:?}");
        assert_eq!(cost.unit, CostUnit::Electrons);
        // Read noise and the light's 20 e- of dark signal, over the root of nine frames.
        let one = (9.0f64 + 20.0).sqrt();
        assert!((cost.noise - one / 3.0).abs() < 1e-9, "{cost:?}");
        assert!((cost.floor.unwrap() - one).abs() < 1e-9, "{cost:?}");
        assert!(cost.value > cost.floor.unwrap() && cost.measured == Some(true));
    }

    #[test]
    fn the_doubling_is_that_of_the_measured_points() {
        let point = |temp_c: f64| DarkPoint {
            temp_c,
            adu_s: (temp_c / 5.0).exp2(),
            hot_adu_s: 100.0 * (temp_c / 5.0).exp2(),
        };
        let current = DarkCurrent::measured(vec![point(0.0), point(-10.0), point(10.0)]);
        assert!((current.doubling_c() - 5.0).abs() < 1e-9);
        assert_eq!(DarkCurrent::measured(vec![point(0.0), point(1.0)]).doubling_c(), DOUBLING_C);
    }

    #[test]
    fn what_is_not_known_costs_nothing_and_says_so() {
        let mut found = dark(0.0, 60.0);
        (found.temp_c, found.date_obs) = (None, None);
        let cost = cost(FrameKind::Dark, &dark(0.0, 60.0), &found, 1, &DarkCurrent::default());
        assert_eq!((cost.value, cost.temperature, cost.age), (0.0, None, None));
        assert_eq!(cost.exposure, Some(0.0));
        assert_eq!(cost.measured, Some(false));
    }

    #[test]
    fn gain_unknown_counts_in_adu() {
        let (mut wanted, mut found) = (dark(2.0, 60.0), dark(0.0, 60.0));
        (wanted.gain_e_per_adu, found.gain_e_per_adu) = (None, None);
        let current =
            DarkCurrent::measured(vec![DarkPoint { temp_c: 0.0, adu_s: 1.0, hot_adu_s: 50.0 }]);
        let cost = cost(FrameKind::Dark, &wanted, &found, 10, &current);
        assert_eq!((cost.unit, cost.floor, cost.electrons()), (CostUnit::Adu, None, None));
        assert!(cost.value > 10.0);
    }
}
