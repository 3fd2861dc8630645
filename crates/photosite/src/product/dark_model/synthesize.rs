//! Darks made by a model.

use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_pix::{Applied, Frame, MaskBits, Plane, Unit};
use serde::Serialize;
use serde_json::json;

use super::model::DarkModel;
use crate::calibrate::dark::model::Refused;
use crate::defects;
use crate::header::{SynthesizedFacts, synthesized_header};
use crate::product::write::{Product, Standing, room_for};
use crate::provenance::{ContentHash, Input, Provenance};
use crate::{Error, Result};

/// A dark that was made by a model.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Synthesized {
    /// Where it lies.
    pub path: PathBuf,
    /// Its key.
    pub key: String,
    /// It was there already, whole and current.
    pub reused: bool,
    /// Its exposure in seconds.
    pub exposure_s: f64,
    /// Its temperature in degrees Celsius.
    pub temp_c: f64,
    /// The typical standard error of a pixel in ADU, the errors of the laws included.
    pub error_adu: f64,
    /// What of it all pixels share: the error of the level.
    pub level_error_adu: f64,
    /// Pixels marked HOT.
    pub hot: usize,
    /// Pixels without data.
    pub no_data: usize,
}

impl DarkModel {
    /// The dark of an exposure and temperature: samples in ADU with the bias, variance with the errors of
    /// the model, mask; and the numbers of hot and cold pixels.
    ///
    /// # Errors
    /// When it lies beyond what the model's masters prove.
    pub fn dark(&self, exposure_s: f64, temp_c: f64) -> Result<(Frame, (usize, usize))> {
        let known = &self.known;
        known.covers(exposure_s, temp_c).map_err(Refused::error)?;
        let planes = &self.planes;
        let size = planes.rate.size();
        let mut data = Plane::zeroed(size);
        let mut variance = Plane::zeroed(size);
        let mut mask = planes.mask.clone();
        let departure = known.departure_adu(exposure_s);
        let full = self.saturation_adu.unwrap_or(f64::INFINITY);
        let mut glow = vec![0.0f32; size.width];
        for y in 0..size.height {
            if let Some((_, map)) = &known.laws.glow {
                map.row(y, &mut glow);
            }
            for (x, glow_adu) in glow.iter().enumerate() {
                let pixel = [
                    planes.bias.get(x, y),
                    planes.rate.get(x, y),
                    planes.bias_error.get(x, y),
                    planes.rate_error.get(x, y),
                    planes.correlation.get(x, y),
                ];
                let own = planes.doubling_c.as_ref().map_or(f32::NAN, |p| p.get(x, y));
                let told = known.predict(pixel, (*glow_adu, own), exposure_s, temp_c);
                let value = told.adu + departure;
                let was = mask.get(x, y);
                // What every dark was full of is hot beyond measure.
                let beyond = was.contains(MaskBits::NO_DATA | MaskBits::SATURATED);
                let (value, bits) = match beyond || value >= full {
                    true => (full, MaskBits::SATURATED | MaskBits::HOT | was & MaskBits::UNSTABLE),
                    false => (value, was - MaskBits::SATURATED),
                };
                mask.set(x, y, bits);
                data.set(x, y, value as f32);
                variance.set(x, y, told.variance as f32);
            }
        }
        let applied = Applied::empty();
        let mut frame = Frame { data, variance: Some(variance), mask, unit: Unit::Adu, applied };
        let noise = known.frame_noise_adu(exposure_s) as f32;
        let found: Vec<defects::Defect> = defects::bands(size.height)
            .flat_map(|rows| defects::find(&frame.data, rows, self.cfa, noise))
            .collect();
        let marked = defects::mark(&mut frame, &found);
        Ok((frame, marked))
    }

    /// Writes the dark of an exposure and temperature as a master, or finds it written; `model` is the
    /// file of this model.
    ///
    /// # Errors
    /// When it lies beyond what the model's masters prove, or cannot be written.
    pub fn synthesize(
        &self,
        model: &Path,
        (exposure_s, temp_c): (f64, f64),
        path: &Path,
    ) -> Result<Synthesized> {
        self.known.covers(exposure_s, temp_c).map_err(Refused::error)?;
        let input = Input::new("dark model", model, ContentHash::of_file(model)?);
        let parameters = json!({ "exposure_s": exposure_s, "temp_c": temp_c });
        let provenance = Provenance::new("master dark by a model", vec![input], parameters);
        let reused = room_for(path, &provenance)? == Standing::Current;
        let (frame, (hot, cold)) = self.dark(exposure_s, temp_c)?;
        let no_data =
            frame.mask.as_slice().iter().filter(|m| m.contains(MaskBits::NO_DATA)).count();
        let variance = frame.variance.as_ref().map_or(&[][..], |v| v.as_slice());
        let error_adu = f64::from(photosite_pix::stat::median_at_a_glance(variance)).sqrt();
        let level_error_adu = self.known.laws.level.error_adu;
        if !reused {
            let model_key = self.key();
            let facts = SynthesizedFacts {
                exposure_s,
                temp_c,
                frames: self
                    .known
                    .terms
                    .iter()
                    .filter(|t| t.exposure_s > 0.0)
                    .map(|t| t.frames)
                    .sum(),
                model: &model_key,
                level_error_adu,
                hot,
                cold,
                no_data,
            };
            let product = Product {
                path,
                frames: &[&frame],
                header: synthesized_header(&self.header, &facts),
                sample: Sample::F32,
                maps: &[],
                provenance: &provenance,
                steps: vec![format!(
                    "made by a dark model for {exposure_s} s at {temp_c} C; its pixels were not taken"
                )],
            };
            product.write().map_err(Error::of_product)?;
        }
        Ok(Synthesized {
            path: path.to_owned(),
            key: provenance.key(),
            reused,
            exposure_s,
            temp_c,
            error_adu,
            level_error_adu,
            hot,
            no_data,
        })
    }
}
