//! The header of a colour picture of several filters.

use photosite_pix::{Card, FrameKind, Header};

use super::cards::{consensus, imagetyp, is_world, round};

/// Cards of one picture that are not true of several together.
const OF_ONE: &[&str] = &[
    "PSKEY", "PSSTEPS", "DATE", "FILTER", "EGAIN", "RDNOISE", "NCOMBINE", "STACKCNT", "PSCOMB",
    "PSREJ", "PSREJLO", "PSREJHI", "PSFILL", "PSFLXERR", "PSPLACE", "PSARRAYR", "PSARRAYG",
    "PSARRAYB", "MJD-AVG", "DATE-AVG", "PSDATE2",
];

/// What became of the pictures of one channel.
#[derive(Debug, Clone, Copy)]
pub struct ComposedChannel<'a> {
    /// The letter of its keywords: R, G, B, L.
    pub letter: char,
    /// What it is made of.
    pub formula: &'a str,
    /// What its samples above the sky were multiplied with.
    pub scale: f64,
}

/// The header of a colour picture: the cards on which its pictures agree, the place of `reference` in the
/// sky, the span of time and the exposures of all together, and what each channel is made of.
pub fn composed_header(
    reference: &Header,
    pictures: &[&Header],
    name: &str,
    channels: &[ComposedChannel<'_>],
) -> Header {
    let mut header = consensus(pictures);
    let own: Vec<String> = header.cards().iter().map(Card::keyword).collect();
    own.iter().filter(|key| is_world(key)).for_each(|key| header.remove(key));
    reference.cards().iter().filter(|c| is_world(&c.keyword())).for_each(|c| header.push(*c));
    OF_ONE.iter().for_each(|key| header.remove(key));
    header.set(Card::string("IMAGETYP", imagetyp(FrameKind::Light), "kind of frame"));
    header.set(Card::string("FILTER", name, "filters of this colour picture"));
    let texts = |key: &'static str| pictures.iter().filter_map(move |h| h.get_text(key));
    if let Some(first) = texts("DATE-OBS").min() {
        header.set(Card::string("DATE-OBS", &first, "start of the first light, UTC"));
    }
    if let Some(last) = texts("DATE-END").max() {
        header.set(Card::string("DATE-END", &last, "end of the last light, UTC"));
    }
    let time = |h: &&Header| h.get_f64("LIVETIME").or_else(|| h.get_f64("EXPTIME"));
    let times: Option<Vec<f64>> = pictures.iter().map(time).collect();
    ["EXPTIME", "EXPOSURE", "LIVETIME"].iter().for_each(|key| header.remove(key));
    if let Some(times) = times {
        let total = round(times.iter().sum());
        header.set(Card::real("EXPTIME", total, "[s] exposure, all pictures together"));
        header.set(Card::real("LIVETIME", total, "[s] exposure, all pictures together"));
    }
    for channel in channels {
        let (made, factor) =
            (format!("PSCHAN{}", channel.letter), format!("PSBAL{}", channel.letter));
        header.set_text(&made, channel.formula, "what this channel is made of");
        header.set(Card::real(&factor, round(channel.scale), "factor that balances the stars"));
    }
    header
}
