//! A dark of another exposure or temperature, fitted to raw lights.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use photosite_pix::{Applied, CfaPattern, Size};

use super::light::{BiasChoice, dark_of};
use super::loaded::{LoadedMaster, MasterFile};
use crate::calibrate::dark::{
    DarkChoice, DarkFit, DarkLaw, DarkSignal, Expected, HotSites, decide,
};
use crate::calibrate::{Bias, DarkContent, MasterDark, strip_rows};
use crate::open::probe;
use crate::raw::{Handling, RawFrame, read_all};
use crate::stack::ReadBuffers;
use crate::{Error, Result};
use photosite_file::keyword;

/// A dark with its bias, ready to be fitted to lights.
#[derive(Debug, Clone)]
pub struct FittedDark {
    sites: HotSites,
    dark: MasterDark,
    bias: Bias,
    law: DarkLaw,
    temp_c: Option<f64>,
    doubling_c: f64,
}

impl FittedDark {
    /// Finds the hot pixels of a dark; `cfa` is that of the lights, `doubling_c` the degrees that
    /// double the dark current where headers must foretell it.
    ///
    /// # Errors
    /// When dark and bias do not fit each other.
    pub fn new(
        dark: LoadedMaster,
        bias: BiasChoice,
        cfa: Option<CfaPattern>,
        doubling_c: f64,
    ) -> Result<Self> {
        let bias = match bias {
            BiasChoice::Master(m) => Bias::Master(m.frame),
            BiasChoice::Level(level) => Bias::Level(level),
        };
        let temp_c = dark.metadata.temp_c;
        let dark = dark_of(dark);
        let sites = HotSites::of(&dark, Some(&bias), cfa)?;
        let law = DarkLaw::of_level(&sites.signal);
        Ok(Self { sites, dark, bias, law, temp_c, doubling_c })
    }

    /// Learns from a dark of the same set-up and temperature and of another exposure whether the signal
    /// is linear.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn compare(&mut self, other: LoadedMaster) -> Result<()> {
        let other = dark_of(other);
        let (Some(own_s), Some(other_s)) = (self.dark.exposure_s, other.exposure_s) else {
            return Ok(());
        };
        let others = HotSites::of(&other, Some(&self.bias), self.sites.cfa())?;
        let levels = (self.sites.signal.level_adu, others.signal.level_adu);
        let law = if own_s > other_s {
            DarkLaw::of_two(
                &self.sites.fit(&at_sites(&self.sites, &other, &self.bias)?),
                levels,
                (own_s, other_s),
            )
        } else {
            DarkLaw::of_two(
                &others.fit(&at_sites(&others, &self.dark, &self.bias)?),
                (levels.1, levels.0),
                (other_s, own_s),
            )
        };
        self.law = self.law.and(DarkLaw::of_level(&others.signal)).and(law);
        Ok(())
    }

    /// What the darks at hand say of scaling.
    pub fn law(&self) -> DarkLaw {
        self.law
    }

    /// What the dark holds.
    pub fn signal(&self) -> DarkSignal {
        self.sites.signal
    }

    /// Fits the dark to a raw light and decides what is taken from it.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn fit(&self, raw: &RawFrame, buffers: &mut ReadBuffers) -> Result<DarkChoice> {
        Ok(self.choose(self.look(raw, buffers)?, raw))
    }

    /// Fits the dark to a raw light.
    ///
    /// # Errors
    /// When the light cannot be read, or is of another size.
    pub fn look(&self, raw: &RawFrame, buffers: &mut ReadBuffers) -> Result<DarkFit> {
        let named = |e: Error| e.about(&raw.path);
        let prepared = raw.open(Handling::Once)?;
        let size = prepared.region.size();
        let samples = read_all(&prepared, buffers)?;
        let full = raw.detector.saturation_adu.map(|s| s - prepared.level_adu);
        let seen = self
            .sites
            .look(size, Some(&self.bias), full, |rows, out| {
                out.copy_from_slice(&samples[rows.start * size.width..rows.end * size.width]);
                Ok(())
            })
            .map_err(named)?;
        Ok(self.sites.fit(&seen))
    }

    /// Decides what is taken from a light to which the dark was fitted.
    pub fn choose(&self, fit: DarkFit, raw: &RawFrame) -> DarkChoice {
        let both = raw.metadata.exposure_s.zip(self.dark.exposure_s);
        let by_exposure = both.filter(|(_, dark_s)| *dark_s > 0.0).map(|(l, d)| l / d);
        let warmth = raw.metadata.temp_c.zip(self.temp_c).map_or(0.0, |(l, d)| l - d);
        let by_both = by_exposure.map(|ratio| ratio * (warmth / self.doubling_c).exp2());
        let expected = Expected { by_exposure, by_both };
        decide(fit, &self.sites.signal, self.law, expected)
    }
}

/// What a master dark holds at the sites of another.
fn at_sites(
    sites: &HotSites,
    dark: &MasterDark,
    bias: &Bias,
) -> Result<crate::calibrate::dark::Seen> {
    let bias = (dark.content == DarkContent::BiasIncluded).then_some(bias);
    sites.look(dark.frame.size(), bias, None, |rows, out| {
        out.copy_from_slice(dark.frame.data.rows(rows.start, rows.end));
        Ok(())
    })
}

/// Lights of a group that are looked at, to see whether a dark is theirs.
pub const OWN_DARKS_ASKED: usize = 2;

/// A strip through the middle of a dark with its hot pixels, to be held against lights at little cost.
#[derive(Debug, Clone)]
pub struct DarkStrip {
    sites: HotSites,
    bias: Bias,
    /// Of the whole dark.
    size: Size,
    rows: Range<usize>,
}

impl DarkStrip {
    /// Finds the hot pixels in the middle of the dark in a file; what is known of its bias is that it is
    /// even, where none is given. `cfa` is that of the lights.
    ///
    /// # Errors
    /// When a file cannot be read, or dark and bias do not fit each other.
    pub fn of(dark: &Path, bias: Option<&Path>, cfa: Option<CfaPattern>) -> Result<Self> {
        let found = probe(dark)?;
        let size = found.size;
        let rows = strip_rows(size, cfa);
        let read = |path: &Path| MasterFile::open(path)?.read_of(size, rows.clone());
        let bias = match bias {
            Some(bias) => Bias::Master(Arc::new(read(bias)?)),
            None => Bias::Level(0.0),
        };
        let bias_removed = keyword::read(&found.header).metadata.applied.contains(Applied::BIAS);
        let dark = MasterDark {
            frame: Arc::new(read(dark)?),
            content: match bias_removed {
                true => DarkContent::BiasRemoved,
                false => DarkContent::BiasIncluded,
            },
            exposure_s: None,
            variance_factor: None,
        };
        Ok(Self { sites: HotSites::of(&dark, Some(&bias), cfa)?, bias, size, rows })
    }

    /// How much of it is in another master dark that holds its bias, by the hot pixels of the strip.
    ///
    /// # Errors
    /// When the other cannot be read, or is of another size.
    pub fn fit_master(&self, other: &Path) -> Result<DarkFit> {
        let other = MasterFile::open(other)?.read_of(self.size, self.rows.clone())?;
        let strip = other.size();
        let seen = self.sites.look(strip, Some(&self.bias), None, |rows, out| {
            out.copy_from_slice(other.data.rows(rows.start, rows.end));
            Ok(())
        })?;
        Ok(self.sites.fit(&seen))
    }

    /// How much of the dark is in a raw light, by the hot pixels of the strip.
    ///
    /// # Errors
    /// When the light cannot be read, or is of another size.
    pub fn fit(&self, raw: &RawFrame, buffers: &mut ReadBuffers) -> Result<DarkFit> {
        let prepared = raw.open(Handling::Once)?;
        let found = prepared.region.size();
        if found != self.size {
            let message = format!("the light is {found} pixels, its dark {}", self.size);
            return Err(Error::mismatch(message).about(&raw.path));
        }
        let full = raw.detector.saturation_adu.map(|s| s - prepared.level_adu);
        let strip = Size::new(self.size.width, self.rows.len());
        let seen = self.sites.look(strip, Some(&self.bias), full, |rows, out| {
            let of_frame = self.rows.start + rows.start..self.rows.start + rows.end;
            Ok(prepared.read(of_frame, 0..self.size.width, buffers, out)?)
        })?;
        Ok(self.sites.fit(&seen))
    }
}
