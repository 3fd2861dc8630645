//! What a model knows: laws, planes, and how far they are proven.

use photosite_pix::{MaskBits, Plane};

use super::laws::Laws;
use super::measured::Seen;
use super::term::{Refused, Term, enough};

/// How far beyond the longest exposure a model is believed, as a factor.
pub const BEYOND: f64 = 1.25;
/// How far beyond its temperatures a model of several is believed, in degrees.
pub const BEYOND_C: f64 = 3.0;
/// How far from its temperatures a model of one is believed, in degrees.
pub const TOLERANCE_C: f64 = 1.0;

/// What a model knows beside its planes.
#[derive(Debug, Clone)]
pub struct Known {
    /// The masters.
    pub terms: Vec<Term>,
    /// The typical variance of each, in ADU squared.
    pub variance: Vec<f64>,
    /// The laws.
    pub laws: Laws,
}

impl Known {
    /// Finds the laws of a sensor in what its masters hold.
    ///
    /// # Errors
    /// When they prove too little; the reason says what to take.
    pub fn of(seen: &Seen, terms: Vec<Term>) -> Result<Self, Refused> {
        enough(&terms)?;
        let all: Vec<usize> = (0..terms.len()).collect();
        let laws = Laws::of(seen, &terms, &all)?;
        Ok(Self { terms, variance: seen.variance.clone(), laws })
    }

    /// The exposures of the darks in seconds, lowest and highest, and whether there is a bias.
    pub fn exposures_s(&self) -> (f64, f64, bool) {
        Proven::by(&self.terms).exposures_s
    }

    /// The temperatures of the darks, lowest and highest.
    pub fn temps_c(&self) -> (f64, f64) {
        Proven::by(&self.terms).temps_c
    }

    /// The exposures that may be asked for, in seconds.
    pub fn bounds_s(&self) -> (f64, f64) {
        Proven::by(&self.terms).bounds_s()
    }

    /// How far beyond the temperatures of its darks the model may be asked, in degrees.
    pub fn margin_c(&self) -> f64 {
        margin_c(self.laws.doubling_c.is_some())
    }

    /// Whether a dark may be asked for.
    ///
    /// # Errors
    /// When it lies beyond what the masters prove.
    pub fn covers(&self, exposure_s: f64, temp_c: f64) -> Result<(), Refused> {
        Proven::by(&self.terms).covers(exposure_s, temp_c, self.laws.doubling_c.is_some())
    }
}

fn margin_c(several: bool) -> f64 {
    if several { BEYOND_C } else { TOLERANCE_C }
}

/// How far masters can prove a model, whatever they hold.
#[derive(Debug, Clone, Copy)]
pub struct Proven {
    /// The exposures of the darks in seconds, lowest and highest, and whether there is a bias.
    pub exposures_s: (f64, f64, bool),
    /// The temperatures of the darks, lowest and highest.
    pub temps_c: (f64, f64),
}

impl Proven {
    /// By these masters.
    pub fn by(terms: &[Term]) -> Self {
        let span = |(low, high): (f64, f64), v: f64| (low.min(v), high.max(v));
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        let darks = || terms.iter().filter(|t| t.exposure_s > 0.0);
        let (low, high) = darks().map(|t| t.exposure_s).fold((f64::INFINITY, 0.0), span);
        Self {
            exposures_s: (low, high, terms.iter().any(|t| t.exposure_s == 0.0)),
            temps_c: darks().filter_map(|t| t.temp_c).fold(none, span),
        }
    }

    /// The exposures that may be asked for, in seconds.
    pub fn bounds_s(&self) -> (f64, f64) {
        let (shortest, longest, bias) = self.exposures_s;
        let several = longest > shortest * 1.02;
        (if bias && several { 0.0 } else { shortest / BEYOND }, longest * BEYOND)
    }

    /// Whether a dark may be asked for; with `several` temperatures a doubling temperature is known.
    ///
    /// # Errors
    /// When it lies beyond what the masters prove.
    pub fn covers(&self, exposure_s: f64, temp_c: f64, several: bool) -> Result<(), Refused> {
        let (low_s, high_s) = self.bounds_s();
        if !(exposure_s > 0.0 && exposure_s >= low_s && exposure_s <= high_s) {
            return Err(Refused::Exposure { asked_s: exposure_s, low_s, high_s });
        }
        let margin = margin_c(several);
        let (low, high) = self.temps_c;
        let (low_c, high_c) = (low - margin, high + margin);
        if !(temp_c >= low_c && temp_c <= high_c) {
            return Err(Refused::Temperature { asked_c: temp_c, low_c, high_c, several });
        }
        Ok(())
    }
}

/// The planes of a model, each of the sensor's size.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// What a dark holds without exposure, in ADU.
    pub bias: Plane<f32>,
    /// Its standard error.
    pub bias_error: Plane<f32>,
    /// Dark current at the reference temperature, in ADU a second, as far as the sensor does not take
    /// it off by itself.
    pub rate: Plane<f32>,
    /// Its standard error.
    pub rate_error: Plane<f32>,
    /// The correlation of the two errors.
    pub correlation: Plane<f32>,
    /// The share of the differences between masters that the model explains.
    pub r2: Plane<f32>,
    /// The pixel's own doubling temperature in degrees where it differs, NaN elsewhere.
    pub doubling_c: Option<Plane<f32>>,
    /// NO_DATA where there are too few samples, UNSTABLE where masters do not follow the model.
    pub mask: Plane<MaskBits>,
}
