//! The header of a master.

use photosite_pix::combine::Recipe;
use photosite_pix::{Card, CfaPattern, FrameKind, Header, Metadata};

use super::cards::{by_name, combination, consensus, imagetyp, round};
use super::picture::trim;
use crate::calibrate::RemovedBy;
use crate::master::{FlatColour, NoiseCheck, Rejected};
use crate::raw::RawFrame;

/// What a master went through.
#[derive(Debug, Clone)]
pub struct MasterFacts {
    /// Its kind.
    pub kind: FrameKind,
    /// How samples were combined.
    pub recipe: Recipe,
    /// Rejected samples.
    pub rejected: Rejected,
    /// Pixels marked HOT.
    pub hot: usize,
    /// Pixels marked COLD.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
    /// Pixels marked UNSTABLE.
    pub unstable: usize,
    /// What took the additive part out; `None` where nothing did.
    pub removed_by: Option<RemovedBy>,
    /// The frames came without their bias.
    pub bias_gone: bool,
    /// The colour filter array over the master.
    pub cfa: Option<CfaPattern>,
    /// Channels normalised to a mean of 1; 0 for other masters than flats.
    pub normalised_channels: u8,
    /// The noise of the frames against the noise model.
    pub noise: Option<NoiseCheck>,
    /// For a flat: the mean level of its frames above their additive part, in ADU.
    pub level_adu: Option<f64>,
    /// For a flat: the noise of a pixel relative to that level.
    pub flat_noise: Option<f64>,
    /// In what parts of the set differ by little; a sentence.
    pub apart: Option<String>,
    /// How the level of the frames wanders; a sentence.
    pub drift: Option<String>,
    /// For a flat: the stars that stood in it and were taken out.
    pub stars: usize,
}

impl MasterFacts {
    /// What was done, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(by) = self.removed_by {
            out.push(format!("subtracted from each frame: {}", by.name()));
        }
        if self.normalised_channels > 0 {
            out.push("each frame normalised to a mean of 1 before rejection".to_owned());
        }
        let parameters = match self.recipe.reject.parameters() {
            p if p.is_empty() => p,
            p => format!(" ({p})"),
        };
        out.push(format!(
            "combined by {}, rejection {}{parameters}: {} samples low, {} high",
            self.recipe.combine.name(),
            self.recipe.reject.name(),
            self.rejected.low,
            self.rejected.high
        ));
        if self.stars > 0 {
            out.push(format!("{} stars replaced by their surroundings", self.stars));
        }
        if matches!(self.kind, FrameKind::Dark | FrameKind::Flat) {
            out.push(format!(
                "pixels beyond {} sigma of their surroundings: {} hot, {} cold",
                crate::defects::KAPPA,
                self.hot,
                self.cold
            ));
        }
        out
    }
}

/// The header of a master: the cards on which all frames agree, the means of what varies, and what
/// was done.
pub fn master_header(frames: &[&RawFrame], facts: &MasterFacts) -> Header {
    let mut header = consensus(&frames.iter().map(|f| &f.header).collect::<Vec<_>>());
    trim(&mut header, frames[0], facts.cfa);
    if facts.kind == FrameKind::Flat
        && frames.iter().all(|f| f.metadata.filter == frames[0].metadata.filter)
    {
        let filter = frames[0].metadata.filter.clone();
        by_name(&mut header, &Metadata { filter, ..Metadata::default() });
    }
    header.set(Card::string("IMAGETYP", imagetyp(facts.kind), "kind of frame"));
    header.set(Card::integer("NCOMBINE", frames.len() as i64, "frames combined"));
    let values = |f: fn(&RawFrame) -> Option<f64>| -> Vec<f64> {
        frames.iter().filter_map(|r| f(r)).collect()
    };
    let exposures = values(|f| f.metadata.exposure_s);
    if !exposures.is_empty() {
        let mean = exposures.iter().sum::<f64>() / exposures.len() as f64;
        header.remove("EXPOSURE");
        header.set(Card::real("EXPTIME", round(mean), "[s] exposure, mean of the frames"));
    }
    let temps = values(|f| f.metadata.temp_c);
    if !temps.is_empty() {
        let mean = temps.iter().sum::<f64>() / temps.len() as f64;
        let low = temps.iter().copied().fold(f64::INFINITY, f64::min);
        let high = temps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        header.set(Card::real("CCD-TEMP", round(mean), "[C] sensor temperature, mean"));
        header.set(Card::real("PSTMIN", round(low), "[C] lowest sensor temperature"));
        header.set(Card::real("PSTMAX", round(high), "[C] highest sensor temperature"));
    }
    let dates = || frames.iter().filter_map(|f| f.metadata.date_obs.as_deref());
    if let Some(first) = dates().min() {
        header.set(Card::string("DATE-OBS", first, "start of the first frame, UTC"));
    }
    if let Some(last) = dates().max() {
        header.set(Card::string("PSDATE2", last, "start of the last frame, UTC"));
    }
    combination(&mut header, facts.recipe, facts.rejected);
    header.set(Card::integer("PSHOT", facts.hot as i64, "pixels marked hot"));
    header.set(Card::integer("PSCOLD", facts.cold as i64, "pixels marked cold"));
    header.set(Card::integer("PSNODATA", facts.no_data as i64, "pixels without data"));
    if facts.unstable > 0 {
        header.set(Card::integer(
            "PSUNSTAB",
            facts.unstable as i64,
            "pixels that jump between levels",
        ));
    }
    if let Some(noise) = facts.noise {
        let scatter = round(noise.scatter_adu);
        header.set(Card::real("PSNSCAT", scatter, "[adu] scatter of one frame's samples"));
        let model = round(noise.model_adu);
        header.set(Card::real("PSNMODEL", model, "[adu] noise predicted by gain, read noise"));
    }
    if let Some(noise) = facts.flat_noise {
        header.set(Card::real("PSFNOISE", round(noise), "noise of a pixel, relative"));
    }
    if let Some(apart) = &facts.apart {
        header.set_text("PSAPART", apart, "");
    }
    if facts.stars > 0 {
        header.set(Card::integer("PSFSTARS", facts.stars as i64, "stars taken out of the flat"));
    }
    if let Some(drift) = &facts.drift {
        header.set_text("PSDRIFT", drift, "");
    }
    match (facts.kind, facts.removed_by) {
        (FrameKind::Flat, Some(by)) => {
            header.set(Card::string("PSADD", by.name(), "what was subtracted from each frame"));
            let n = i64::from(facts.normalised_channels);
            header.set(Card::integer("PSNORM", n, "channels normalised to mean 1"));
            if let Some(level) = facts.level_adu {
                let level = round(level);
                header.set(Card::real("PSLEVEL", level, "[adu] mean level of the frames"));
            }
        }
        (FrameKind::Dark | FrameKind::DarkFlat, removed) => {
            let gone = removed.is_some() || facts.bias_gone;
            header.set(Card::logical("BIASSUB", gone, "bias subtracted"));
        }
        _ => {}
    }
    header
}

/// Keywords of the level and the noise of a flat's colours.
const FLAT_COLOURS: [(&str, &str); 3] =
    [("PSLEVELR", "PSNOISER"), ("PSLEVELG", "PSNOISEG"), ("PSLEVELB", "PSNOISEB")];

/// Writes what the colours of a flat amount to; what is not known has no card.
pub fn flat_colour_cards(header: &mut Header, colours: &[FlatColour; 3]) {
    for ((level, noise), colour) in FLAT_COLOURS.into_iter().zip(colours) {
        let cards = [
            (level, colour.level_adu, "[adu] mean level of this colour"),
            (noise, colour.noise, "noise of a pixel of this colour, relative"),
        ];
        for (key, value, comment) in cards.into_iter().filter(|(_, v, _)| v.is_finite()) {
            header.set(Card::real(key, round(value), comment));
        }
    }
}

/// What the colours of a flat amount to, as [`flat_colour_cards`] wrote it; `None` without any.
pub fn flat_colours(header: &Header) -> Option<[FlatColour; 3]> {
    let number = |key: &str| header.get_f64(key).unwrap_or(f64::NAN);
    let colours = FLAT_COLOURS
        .map(|(level, noise)| FlatColour { level_adu: number(level), noise: number(noise) });
    colours.iter().any(|c| c.noise.is_finite()).then_some(colours)
}
