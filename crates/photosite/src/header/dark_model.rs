//! The headers of dark models and of the darks they make.

use photosite_pix::{Card, FrameKind, Header};

use super::cards::{consensus, imagetyp, round};

/// The word for a dark model in IMAGETYP.
pub const DARK_MODEL: &str = "Dark Model";

/// Cards of one master that are not true of a model of many.
const OF_ONE: &[&str] = &[
    "EXPTIME", "EXPOSURE", "CCD-TEMP", "SET-TEMP", "PSTMIN", "PSTMAX", "NCOMBINE", "PSCOMB",
    "PSREJ", "PSREJLO", "PSREJHI", "PSHOT", "PSCOLD", "PSNODATA", "PSNSCAT", "PSNMODEL", "OBJECT",
    "FILTER", "IMAGETYP", "EXTNAME",
];

/// The header of a model: the cards on which its masters agree, and the time of the last.
pub fn dark_model_header(masters: &[&Header]) -> Header {
    let mut header = common_header(masters);
    header.set(Card::string("IMAGETYP", DARK_MODEL, "kind of file"));
    let last =
        masters.iter().filter_map(|h| h.get_text("PSDATE2").or(h.get_text("DATE-OBS"))).max();
    if let Some(last) = last {
        header.set(Card::string("DATE-OBS", &last, "start of the last frame, UTC"));
        header.remove("PSDATE2");
    }
    header
}

/// The word for a defect map in IMAGETYP.
pub const DEFECT_MAP: &str = "Defect Map";

/// The cards on which frames of several exposures and kinds agree.
pub fn common_header(frames: &[&Header]) -> Header {
    let mut header = consensus(frames);
    for key in OF_ONE {
        header.remove(key);
    }
    header
}

/// What a dark of a model is.
#[derive(Debug, Clone, Copy)]
pub struct SynthesizedFacts<'a> {
    /// Its exposure in seconds.
    pub exposure_s: f64,
    /// Its temperature in degrees Celsius.
    pub temp_c: f64,
    /// Darks that the model was made of.
    pub frames: usize,
    /// The key of the model.
    pub model: &'a str,
    /// What the errors of the laws add to every pixel, one standard deviation in ADU.
    pub level_error_adu: f64,
    /// Pixels marked HOT.
    pub hot: usize,
    /// Pixels marked COLD.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
}

/// The header of a dark made by a model whose header is given.
pub fn synthesized_header(model: &Header, facts: &SynthesizedFacts<'_>) -> Header {
    let mut header = Header::from_cards(model.cards().iter().filter(keeps).copied().collect());
    header.set(Card::string("IMAGETYP", imagetyp(FrameKind::Dark), "kind of frame"));
    header.set(Card::real("EXPTIME", round(facts.exposure_s), "[s] exposure it is made for"));
    header.set(Card::real("CCD-TEMP", round(facts.temp_c), "[C] temperature it is made for"));
    header.set(Card::integer("NCOMBINE", facts.frames as i64, "darks that the model was made of"));
    header.set(Card::logical("PSSYNTH", true, "made by a dark model, not taken"));
    header.set(Card::string("PSMODEL", facts.model, "key of the model"));
    let error = round(facts.level_error_adu);
    header.set(Card::real("PSLEVERR", error, "[adu] error of the level, in ERR"));
    header.set(Card::integer("PSHOT", facts.hot as i64, "pixels marked hot"));
    header.set(Card::integer("PSCOLD", facts.cold as i64, "pixels marked cold"));
    header.set(Card::integer("PSNODATA", facts.no_data as i64, "pixels without data"));
    header.set(Card::logical("BIASSUB", false, "bias subtracted"));
    header
}

/// Whether a card of a model stays true of its darks.
fn keeps(card: &&Card) -> bool {
    const OF_FILE: &[&str] = &[
        "SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "BUNIT", "SWMODIFY", "CHECKSUM",
        "DATASUM",
    ];
    let keyword = card.keyword();
    let of_model = keyword.starts_with("PSM") || keyword == photosite_file::KEY_KEYWORD;
    !card.is_commentary() && !of_model && !OF_FILE.contains(&keyword.as_str())
}
