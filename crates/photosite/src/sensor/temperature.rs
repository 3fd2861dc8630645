//! How dark current grows with temperature.

use super::dark_current::{DarkCurrent, Rate};
use super::estimate::{Estimate, line};
use super::measure::{Measure, Series};

/// Boltzmann's constant in eV a kelvin.
///
/// # Source
/// SI2019.
const BOLTZMANN_EV_K: f64 = 8.617_333_262e-5;
const ZERO_C_K: f64 = 273.15;
/// Temperatures nearer to each other than this tell nothing, in degrees Celsius.
const LEAST_SPAN_C: f64 = 2.0;

/// The law of a rate, by its logarithm against temperature.
#[derive(Debug, Clone, Copy)]
pub struct TempLaw {
    /// The temperature in degrees Celsius in the middle of the darks.
    pub middle_c: f64,
    /// The natural logarithm of the rate there.
    pub log_rate: Estimate,
    /// How that grows by degree.
    pub by_degree: Estimate,
}

/// Measures doubling temperature and activation energy of rates at several temperatures.
pub fn temperature(dark: &DarkCurrent, gain: Option<Estimate>) -> (Vec<Measure>, Vec<Series>) {
    let (mut out, mut series) = (Vec::new(), Vec::new());
    let by_level =
        dark.rates.iter().filter(|r| r.temp_c.is_some() && r.level_adu_s.is_some()).count();
    let by_level = by_level >= 2 && by_level == dark.rates.len();
    let typical = |r: &Rate| match by_level {
        true => r.level_adu_s,
        false => r.noise_adu2_s,
    };
    let words = if by_level { "by level" } else { "by noise" };
    let hot = |r: &Rate| r.hot_adu_s;
    type RateOf<'a> = &'a dyn Fn(&Rate) -> Option<Estimate>;
    let kinds: [(&str, &str, RateOf<'_>); 2] =
        [("", words, &typical), ("_hot", "of the pixel that 99.9 % lie below", &hot)];
    for (suffix, words, of) in kinds {
        let points: Vec<(f64, Estimate, &Rate)> = dark
            .rates
            .iter()
            .filter_map(|r| Some((r.temp_c?, of(r)?, r)))
            .filter(|(_, rate, _)| rate.value > 2.0 * rate.error)
            .collect();
        let span = points.last().zip(points.first()).map_or(0.0, |(b, a)| b.0 - a.0);
        if span < LEAST_SPAN_C {
            if suffix.is_empty() {
                let why = "darks of two temperatures some degrees apart, each with a measurable dark \
                           current, are needed";
                out.push(Measure::none(
                    "doubling_temp",
                    "C",
                    "dark current against temperature",
                    why,
                ));
            }
            continue;
        }
        let frames: Vec<String> = points.iter().flat_map(|p| p.2.frames.clone()).collect();
        let middle = points.iter().map(|p| p.0).sum::<f64>() / points.len() as f64;
        let log = |x: &dyn Fn(f64) -> f64| -> Option<super::estimate::Line> {
            let of = |(t, r, _): &(f64, Estimate, &Rate)| (x(*t), r.value.ln(), r.error / r.value);
            line(&points.iter().map(of).collect::<Vec<_>>())
        };
        let Some(fit) = log(&|t| t - middle) else { continue };
        let slope = fit.slope;
        let ln2 = std::f64::consts::LN_2;
        let doubling = Estimate {
            value: ln2 / slope.value,
            error: ln2 * slope.error / (slope.value * slope.value),
            ..slope
        };
        let method = format!("logarithm of dark current {words} against temperature");
        let measure = Measure::of(&format!("doubling_temp{suffix}"), doubling, "C", &method);
        let grows = slope.low() > 0.0;
        let checked = |m: Measure| match grows {
            true => m.from(frames.clone()),
            false => {
                m.from(frames.clone()).invalid("dark current is not seen to grow with temperature")
            }
        };
        out.push(checked(measure));
        if let Some(fit) = log(&|t| -1.0 / (BOLTZMANN_EV_K * (t + ZERO_C_K))) {
            let method =
                format!("logarithm of dark current {words} against the inverse temperature");
            let name = format!("activation_energy{suffix}");
            out.push(checked(Measure::of(&name, fit.slope, "eV", &method)));
        }
        if suffix.is_empty() {
            let law = TempLaw { middle_c: middle, log_rate: fit.at_zero, by_degree: fit.slope };
            out.extend(predicted(law, by_level, gain, grows));
        }
        series.push(Series {
            plot: "arrhenius".to_owned(),
            label: if suffix.is_empty() { "typical pixel" } else { "hot pixels" }.to_owned(),
            points: points.iter().map(|(t, r, _)| [*t, r.value, r.error]).collect(),
        });
    }
    (out, series)
}

/// Dark current at temperatures that were not taken.
fn predicted(law: TempLaw, by_level: bool, gain: Option<Estimate>, grows: bool) -> Vec<Measure> {
    let Some(gain) = gain.filter(|_| grows) else { return Vec::new() };
    // By noise the rate is in ADU squared: an electron adds 1 / g^2 of them.
    let factor = if by_level { gain.value } else { gain.value * gain.value };
    let span = [-20.0, -10.0, 0.0, 10.0, 20.0];
    let near = span.iter().filter(|t| (**t - law.middle_c).abs() <= 20.0);
    near.map(|t| {
        let d = t - law.middle_c;
        let log = law.log_rate.value + law.by_degree.value * d;
        let error = law.log_rate.error.hypot(law.by_degree.error * d);
        let rate = |log: f64| factor * log.exp();
        let wide = Estimate { value: 0.0, error, freedom: law.by_degree.freedom }.half_width();
        let mut measure = Measure::of(
            "dark_current_predicted",
            Estimate::known(rate(log), 0.0),
            "e-/s",
            "law of dark current against temperature",
        );
        (measure.low, measure.high) = (Some(rate(log - wide)), Some(rate(log + wide)));
        measure.at(Some(*t), None)
    })
    .collect()
}
