//! The headers of calibrated and registered lights.

use photosite_pix::{Applied, Card, CfaPattern, Header};

use super::cards::{by_name, is_stale, is_world};
use super::picture::trim;
use super::stack::{date_of, moment};
use crate::raw::RawFrame;

/// The letters of CALSTAT for the steps that were done: O overscan, B bias, D dark, F flat, X
/// defects.
fn calstat(applied: Applied) -> String {
    let letters = [
        (Applied::OVERSCAN, 'O'),
        (Applied::BIAS, 'B'),
        (Applied::DARK, 'D'),
        (Applied::FLAT, 'F'),
        (Applied::DEFECTS, 'X'),
    ];
    letters.into_iter().filter_map(|(step, l)| applied.contains(step).then_some(l)).collect()
}

/// The header of a calibrated light: the raw light's cards to the byte, less what is no longer
/// true, plus what was done.
pub fn light_header(raw: &RawFrame, applied: Applied, cfa: Option<CfaPattern>) -> Header {
    let own = raw.header.cards().iter().filter(|c| !is_stale(&c.keyword()));
    let mut header = Header::from_cards(own.copied().collect());
    trim(&mut header, raw, cfa);
    by_name(&mut header, &raw.metadata);
    middle_of(&mut header, raw.metadata.date_obs.as_deref(), raw.metadata.exposure_s);
    let letters = calstat(applied);
    if !letters.is_empty() {
        header.set(Card::string("CALSTAT", &letters, "steps done: bias, dark, flat, defects (X)"));
    }
    header
}

/// Writes the middle of an exposure where the camera did not.
fn middle_of(header: &mut Header, date_obs: Option<&str>, exposure_s: Option<f64>) {
    if header.get("DATE-AVG").is_some() {
        return;
    }
    let middle =
        date_obs.and_then(moment).zip(exposure_s).map(|(start, s)| start + 0.5 * s / 86_400.0);
    if let Some(date) = middle.and_then(date_of) {
        header.set(Card::string("DATE-AVG", &date, "middle of the exposure, UTC"));
    }
}

/// The header of a light that lies on the reference's pixels: its own, with the reference's place
/// in the sky.
pub fn registered_header(reference: &Header, light: &Header) -> Header {
    let own = light.cards().iter().filter(|c| !is_world(&c.keyword()));
    let mut header = Header::from_cards(own.copied().collect());
    reference.cards().iter().filter(|c| is_world(&c.keyword())).for_each(|c| header.push(*c));
    header.remove("PSKEY");
    header
}
