//! Frames calibrated in memory, by masters in memory or in files.

use std::path::Path;

use photosite_file::fits::Sample;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Frame, Header};

use super::light::{BiasChoice, LightRequest, Masters, calibrate_kept};
use super::loaded::{LoadedMaster, load_named};
use super::scaling::FittedDark;
use super::write::{Product, room_for};
use crate::calibrate::dark::DOUBLING_C;
use crate::params::DarkScaling;
use crate::provenance::Provenance;
use crate::raw::RawFrame;
use crate::stack::ReadBuffers;
use crate::{Error, Result};

/// What frames are calibrated with: masters in memory, gain and read noise.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Calibration {
    bias: Option<BiasChoice>,
    dark: Option<LoadedMaster>,
    flat: Option<LoadedMaster>,
    scaling: DarkScaling,
    noise: Option<NoiseModel>,
}

impl Calibration {
    /// With nothing yet: frames come out as they are, overscan and pedestal subtracted.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the master bias of a file.
    ///
    /// # Errors
    /// When it cannot be read, or its checksums do not agree.
    pub fn bias(self, path: impl AsRef<Path>) -> Result<Self> {
        Ok(self.bias_master(load_named(path.as_ref())?))
    }

    /// With a master bias in memory.
    #[must_use]
    pub fn bias_master(self, master: LoadedMaster) -> Self {
        Self { bias: Some(BiasChoice::Master(Box::new(master))), ..self }
    }

    /// With a constant bias level in ADU.
    #[must_use]
    pub fn bias_level(self, level_adu: f64) -> Self {
        Self { bias: Some(BiasChoice::Level(level_adu)), ..self }
    }

    /// With the master dark of a file; whether it holds the bias is read from its header.
    ///
    /// # Errors
    /// As [`bias`](Self::bias).
    pub fn dark(self, path: impl AsRef<Path>) -> Result<Self> {
        Ok(self.dark_master(load_named(path.as_ref())?))
    }

    /// With a master dark in memory.
    #[must_use]
    pub fn dark_master(self, master: LoadedMaster) -> Self {
        Self { dark: Some(master), ..self }
    }

    /// With the master flat of a file, normalised to a mean of 1.
    ///
    /// # Errors
    /// As [`bias`](Self::bias).
    pub fn flat(self, path: impl AsRef<Path>) -> Result<Self> {
        Ok(self.flat_master(load_named(path.as_ref())?))
    }

    /// With a master flat in memory.
    #[must_use]
    pub fn flat_master(self, master: LoadedMaster) -> Self {
        Self { flat: Some(master), ..self }
    }

    /// How the dark is fitted to the frame; not at all where nothing is said.
    #[must_use]
    pub fn dark_scaling(self, scaling: DarkScaling) -> Self {
        Self { scaling, ..self }
    }

    /// Gain and read noise, from which frames get a variance; those of each header where none is
    /// given.
    #[must_use]
    pub fn noise(self, noise: NoiseModel) -> Self {
        Self { noise: Some(noise), ..self }
    }

    /// Calibrates a raw frame; its file is read once.
    ///
    /// Samples are ADU relative to a mean response of 1, signed, NaN where the file has none; the
    /// variance is there where gain and read noise are known.
    ///
    /// # Errors
    /// When the masters do not fit each other or the frame, or a file cannot be read.
    pub fn calibrate(&self, frame: &RawFrame) -> Result<CalibratedFrame> {
        let (bias, dark, flat) = (self.bias.clone(), self.dark.clone(), self.flat.clone());
        let mut buffers = ReadBuffers::default();
        let share = match (self.scaling, &dark, &bias) {
            (DarkScaling::Fitted, Some(dark), Some(bias)) => {
                let region = frame.region();
                let cfa = frame.metadata.cfa.map(|c| c.shifted(region.x0, region.y0));
                let fitted = FittedDark::new(dark.clone(), bias.clone(), cfa, DOUBLING_C)?;
                Some(fitted.fit(frame, &mut buffers)?.share)
            }
            _ => None,
        };
        let masters = Masters::new(bias, dark, flat, self.scaling)?;
        let request = LightRequest {
            raw: frame,
            masters: &masters,
            noise: self.noise,
            sample: Sample::F32,
            dark: share,
            cosmic: false,
        };
        let (frame, header, result, provenance) = calibrate_kept(&request, &mut buffers)?;
        Ok(CalibratedFrame {
            frame,
            header,
            steps: result.steps,
            dark_scale: result.dark_scale,
            repaired: result.repaired,
            provenance,
        })
    }
}

/// A calibrated frame in memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CalibratedFrame {
    /// Samples, variance, mask.
    pub frame: Frame,
    /// The header that its file would have.
    pub header: Header,
    /// The steps done, in order.
    pub steps: Vec<String>,
    /// The factor the dark was multiplied with; `None` without a dark.
    pub dark_scale: Option<f64>,
    /// Pixels replaced from their neighbours.
    pub repaired: usize,
    provenance: Provenance,
}

impl CalibratedFrame {
    /// Writes it as FITS, with ERR, DQ and PROVENANCE, whole or not at all.
    ///
    /// # Errors
    /// When a file that Photosite did not make stands there, or the operating system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        room_for(path, &self.provenance).map_err(Error::of_product)?;
        let product = Product {
            path,
            frames: &[&self.frame],
            header: self.header.clone(),
            sample: Sample::F32,
            maps: &[],
            provenance: &self.provenance,
            steps: vec![format!("steps: {}", self.steps.join(", "))],
        };
        product.write().map(drop)
    }
}
