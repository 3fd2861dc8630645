//! A dark of another exposure or temperature, fitted to raw lights.

use photosite_pix::CfaPattern;

use super::light::{BiasChoice, dark_of};
use super::loaded::LoadedMaster;
use crate::calibrate::dark::{DarkChoice, DarkLaw, DarkSignal, Expected, HotSites, decide};
use crate::calibrate::{Bias, DarkContent, MasterDark};
use crate::raw::{Handling, RawFrame, read_all};
use crate::stack::ReadBuffers;
use crate::{Error, Result};

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
    /// When the light cannot be read, or is of another size.
    pub fn fit(&self, raw: &RawFrame, buffers: &mut ReadBuffers) -> Result<DarkChoice> {
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
        let both = raw.metadata.exposure_s.zip(self.dark.exposure_s);
        let by_exposure = both.filter(|(_, dark_s)| *dark_s > 0.0).map(|(l, d)| l / d);
        let warmth = raw.metadata.temp_c.zip(self.temp_c).map_or(0.0, |(l, d)| l - d);
        let by_both = by_exposure.map(|ratio| ratio * (warmth / self.doubling_c).exp2());
        let expected = Expected { by_exposure, by_both };
        Ok(decide(self.sites.fit(&seen), &self.sites.signal, self.law, expected))
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
