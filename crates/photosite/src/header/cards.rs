//! What the headers of all products share: what stays true, what all frames agree on.

use std::collections::HashSet;

use photosite_file::keyword::{self, tells_amplifier};
use photosite_pix::combine::Recipe;
use photosite_pix::{Card, FrameKind, Header, Metadata};

use crate::master::Rejected;

/// Keywords that describe raw samples or their display and are no longer true of a product.
const STALE: &[&str] = &[
    "DATAMIN", "DATAMAX", "SATURATE", "SATLEVEL", "MAXLIN", "PEDESTAL", "CBLACK", "CWHITE",
    "CSTRETCH", "BUNIT", "CALSTAT", "BLANK", "CHECKSUM", "DATASUM", "BIASSEC", "TRIMSEC",
    "DATASEC",
];

/// Whether a keyword speaks of raw samples alone.
pub(super) fn is_stale(keyword: &str) -> bool {
    STALE.contains(&keyword) || tells_amplifier(keyword)
}

/// The word for a master that other programs know as well.
pub fn imagetyp(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Bias => "Master Bias",
        FrameKind::Dark => "Master Dark",
        FrameKind::DarkFlat => "Master DarkFlat",
        FrameKind::Flat => "Master Flat",
        FrameKind::Light => "Master Light",
    }
}

/// How samples were combined.
pub(super) fn combination(header: &mut Header, recipe: Recipe, rejected: Rejected) {
    header.set(Card::string("PSCOMB", recipe.combine.name(), "combination"));
    header.set(Card::string("PSREJ", recipe.reject.name(), "rejection"));
    header.set(Card::integer("PSREJLO", rejected.low as i64, "samples rejected low"));
    header.set(Card::integer("PSREJHI", rejected.high as i64, "samples rejected high"));
}

/// Whether a keyword says where in the sky a picture lies.
pub(super) fn is_world(keyword: &str) -> bool {
    const STEMS: [&str; 16] = [
        "CRPIX", "CRVAL", "CTYPE", "CUNIT", "CDELT", "CROTA", "CD1_", "CD2_", "PC1_", "PC2_", "A_",
        "B_", "AP_", "BP_", "PV1_", "PV2_",
    ];
    STEMS.iter().any(|stem| keyword.starts_with(stem))
        || ["RADESYS", "EQUINOX", "LONPOLE", "LATPOLE", "WCSAXES"].contains(&keyword)
}

/// The cards that every header has to the byte, in the order of the first.
pub(super) fn consensus(headers: &[&Header]) -> Header {
    let others: Vec<HashSet<&[u8; 80]>> =
        headers[1..].iter().map(|h| h.cards().iter().map(Card::as_bytes).collect()).collect();
    let keep = |c: &&Card| {
        !c.is_commentary()
            && !is_stale(&c.keyword())
            && others.iter().all(|o| o.contains(c.as_bytes()))
    };
    Header::from_cards(headers[0].cards().iter().filter(keep).copied().collect())
}

/// Writes what is known of a frame by the name of its file or folder, and not by its header.
pub(super) fn by_name(header: &mut Header, known: &Metadata) {
    let own = keyword::read(header).metadata;
    let comment = "by the name of file or folder";
    let texts = [("FILTER", &own.filter, &known.filter), ("OBJECT", &own.object, &known.object)];
    for (key, own, known) in texts {
        if let (None, Some(text)) = (own, known) {
            header.set_text(key, text, comment);
        }
    }
    let numbers = [
        ("EXPTIME", own.exposure_s, known.exposure_s),
        ("GAIN", own.gain_setting, known.gain_setting),
    ];
    for (key, own, known) in numbers {
        if let (None, Some(number)) = (own, known) {
            header.set(Card::real(key, number, comment));
        }
    }
}

/// Decimal noise of means is no information.
pub(crate) fn round(v: f64) -> f64 {
    (v * 1e6).round() / 1e6
}
