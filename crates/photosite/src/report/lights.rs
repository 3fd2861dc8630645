//! The table of lights: one row a light of a picture, with all that tells good lights from bad ones.

use std::path::PathBuf;

use photosite_pix::stat::nan_of_null;
use serde::{Deserialize, Serialize};

use crate::Finding;
use crate::diagnose::Verdict;
use crate::finding::Severity;
use crate::params::{Column, LeftOut, LightMeasures};
use crate::register::Outlier;

/// One light of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LightRow {
    /// The picture's name, without the number of its lights.
    pub picture: String,
    /// The raw light.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// It is the light on whose pixels the picture lies.
    pub reference: bool,
    /// Stars found.
    pub stars: usize,
    /// Their median full width at half maximum in pixels; `None` without stars.
    pub fwhm_px: Option<f64>,
    /// The median of their short axes over their long ones.
    pub round: Option<f64>,
    /// The level of the sky in ADU, calibrated.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub sky_adu: f64,
    /// The noise of a sample in ADU.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub noise_adu: f64,
    /// How much light came through a second, over that of the light at whose level the picture is;
    /// `None` where it was not laid.
    pub transparency: Option<f64>,
    /// Its part in the mean, the greatest being 1; of a light that was left out by wish, what it would have
    /// been; 0 for one that could not be in it.
    pub weight: f64,
    /// The root mean square distance of matched stars in pixels; `None` where it was not laid.
    pub residual_px: Option<f64>,
    /// The airmass of its header.
    pub airmass: Option<f64>,
    /// Whether it was calibrated right.
    pub verdict: Option<Verdict>,
    /// It went into the picture.
    pub used: bool,
    /// What of it is not like the other lights of the picture.
    pub outliers: Vec<Outlier>,
    /// Why it was left out, where that was asked for: with its value.
    pub left_out: Option<String>,
    /// All that is to be said of it, in words; empty for a light like the others.
    pub note: String,
}

impl LightRow {
    /// What was measured, as selections take it.
    pub fn measures(&self) -> LightMeasures {
        LightMeasures::default()
            .with(Column::Stars, Some(self.stars as f64))
            .with(Column::Fwhm, self.fwhm_px)
            .with(Column::Round, self.round)
            .with(Column::Sky, Some(self.sky_adu))
            .with(Column::Noise, Some(self.noise_adu))
            .with(Column::Transparency, self.transparency)
            .with(Column::Weight, Some(self.weight))
            .with(Column::Residual, self.residual_px)
            .with(Column::Airmass, self.airmass)
            .with_verdict(self.verdict.map(Verdict::name))
    }

    /// The same, of which this stands out.
    #[must_use]
    pub fn with_outliers(self, outliers: Vec<Outlier>) -> Self {
        Self { outliers, ..self }.noted()
    }

    /// The same, left out because that was asked for.
    #[must_use]
    pub fn without(self, why: &LeftOut) -> Self {
        Self { left_out: Some(why.why.clone()), used: false, ..self }.noted()
    }

    /// The same with its note.
    #[must_use]
    pub fn noted(mut self) -> Self {
        let mut words: Vec<String> = Vec::new();
        if self.reference {
            words.push("reference".to_owned());
        }
        if let Some(why) = &self.left_out {
            words.push(format!("left out: {why}"));
        } else if !self.used {
            words.push("left out".to_owned());
        }
        words.extend(self.outliers.iter().map(Outlier::told));
        self.note = words.join("; ");
        self
    }

    /// That it is not like the others; `None` where it is.
    pub fn finding(&self) -> Option<Finding> {
        let first = self.outliers.first()?;
        let told: Vec<String> = self.outliers.iter().map(Outlier::told).collect();
        let message = format!(
            "it is not like the other lights of {}: {}; its weight is {:.2}",
            self.picture,
            told.join(", "),
            self.weight
        );
        let subject = self.path.display().to_string();
        let finding = Finding::new("light-outlier", Severity::Warning, subject, message)
            .hint("Inspect it; leave it out with --exclude, --select or --keep-best if it is bad.")
            .with("column", &*first.column)
            .with("value", first.value)
            .with("usual", first.usual);
        Some(finding.with("weight", self.weight))
    }
}
