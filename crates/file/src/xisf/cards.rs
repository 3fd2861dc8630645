//! FITSKeyword and Property elements, and the cards they become.

use photosite_pix::{Card, CfaPattern, Header};
use xisf_core::header::Element;
use xisf_core::image::{Image, ImageType};

/// What the words before a property's name are on its card.
pub(crate) const PROPERTY: &str = "XISF";

/// Characters on a card.
const CARD: usize = 80;

/// The cards of an image: its FITSKeyword elements in order, then the properties of instrument and
/// observation that fit on a card each.
pub(super) fn read(root: &Element, image: &Element, notes: &mut Vec<String>) -> Header {
    let mut header = Header::new();
    for keyword in image.children_named("FITSKeyword") {
        let part = |name: &str| keyword.attr(name).unwrap_or_default();
        push(&mut header, part("name").trim(), part("value"), part("comment"));
    }
    let properties = root.children_named("Property").chain(image.children_named("Property"));
    for property in properties {
        let id = property.attr("id").unwrap_or_default();
        if !(id.starts_with("Instrument:") || id.starts_with("Observation:")) {
            continue;
        }
        let Some(value) = scalar(property) else { continue };
        let text = format!("HIERARCH {PROPERTY} {id} = {value}");
        if text.len() > CARD || id.contains('=') {
            notes.push(format!("property {id} does not fit on a card and is left out"));
        } else {
            header.push(card(&text));
        }
    }
    header
}

/// A property's value as a card has it; `None` for vectors, matrices and what lies in blocks.
fn scalar(property: &Element) -> Option<String> {
    if property.data.location.is_some() {
        return None;
    }
    let text = property.attr("value").or(property.data.text.as_deref())?.trim();
    match property.attr("type")? {
        "String" | "TimePoint" => Some(format!("'{}'", text.replace('\'', "''"))),
        "Boolean" => Some(if text == "1" || text == "true" { "T" } else { "F" }.to_owned()),
        // The value field of a card must read as the number that it is.
        _ => text.parse::<f64>().ok().filter(|v| v.is_finite()).map(|_| text.to_owned()),
    }
}

/// A card of text; what is no printable ASCII becomes `?`.
fn card(text: &str) -> Card {
    let mut bytes = [b' '; CARD];
    for (slot, c) in bytes.iter_mut().zip(text.chars()) {
        *slot = if (' '..='~').contains(&c) { c as u8 } else { b'?' };
    }
    Card::from_bytes(bytes)
}

/// Adds one keyword, over several cards where it is longer than one.
fn push(header: &mut Header, name: &str, value: &str, comment: &str) {
    if matches!(name, "HISTORY" | "COMMENT" | "") {
        // Some programs put the text into the value, some into the comment.
        let text: Vec<char> = if comment.is_empty() { value } else { comment }.chars().collect();
        let mut pieces = text.chunks(CARD - 8);
        let first = pieces.next().unwrap_or_default();
        for piece in std::iter::once(first).chain(pieces) {
            // As a FITS file has it, the text starts in column 9 or, after a blank, in 10.
            header.push(card(&format!("{name:<8}{}", piece.iter().collect::<String>())));
        }
        return;
    }
    let plain = name.len() <= 8
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_".contains(&b));
    let value = value.trim();
    let quoted =
        value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).filter(|_| value.len() > 1);
    if let Some(text) = quoted.filter(|_| plain && value.len() + 10 > CARD) {
        header.set_text(name, &text.replace("''", "'"), comment);
        return;
    }
    let start = if plain {
        format!("{name:<8}= ")
    } else if name.contains('=') {
        return;
    } else {
        format!("HIERARCH {name} = ")
    };
    let value = match quoted {
        Some(text) => format!("'{text:<8}'"),
        None => format!("{value:>20}"),
    };
    let mut text = format!("{start}{value:<20}");
    if !comment.is_empty() {
        text.push_str(" / ");
        text.push_str(comment);
    }
    header.push(card(&text));
}

/// Adds what the image says by other means than keywords, where no keyword says it.
pub(super) fn complete(
    header: &mut Header,
    file: &xisf_core::header::Header,
    element: &Element,
    image: &Image,
    scale_adu: Option<f64>,
) {
    let kind = image.image_type.as_ref().filter(|t| !matches!(t, ImageType::Other(_)));
    if let Some(kind) = kind.filter(|_| header.get("IMAGETYP").is_none()) {
        header.push(Card::string("IMAGETYP", kind.name(), "imageType of the XISF image"));
    }
    let cfa = file.associated(element, "ColorFilterArray");
    let pattern = cfa.first().and_then(|e| e.attr("pattern")).and_then(CfaPattern::parse);
    if let Some(pattern) = pattern {
        // It lies over the first pixels of the file, and rows run from the top: what keywords say
        // of other offsets and orders would shift it twice.
        for key in ["XBAYROFF", "YBAYROFF", "BAYOFFX", "BAYOFFY"] {
            header.remove(key);
        }
        header.set(Card::string("BAYERPAT", &pattern.to_string(), "ColorFilterArray of XISF"));
        header.set(Card::string("ROWORDER", "TOP-DOWN", "as XISF has it"));
    } else if header.get("ROWORDER").is_none() {
        header.push(Card::string("ROWORDER", "TOP-DOWN", "as XISF has it"));
    }
    let offset = image.offset.filter(|v| *v != 0.0 && v.is_finite());
    if let Some(offset) = offset.filter(|_| header.get("PEDESTAL").is_none()) {
        let value = offset * scale_adu.unwrap_or(1.0);
        header.push(Card::real("PEDESTAL", value, "to be subtracted from every sample"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use photosite_pix::Value;

    fn one(name: &str, value: &str, comment: &str) -> Header {
        let mut header = Header::new();
        push(&mut header, name, value, comment);
        header
    }

    #[test]
    fn keywords_become_the_cards_they_were() {
        let text = |h: &Header| h.cards()[0].text().trim_end().to_owned();
        let h = one("EXPTIME", "60.0", "[s] exposure");
        assert_eq!(text(&h), "EXPTIME =                 60.0 / [s] exposure");
        let h = one("OBJECT", "'O''Neill'", "");
        assert_eq!(h.get_text("OBJECT").as_deref(), Some("O'Neill"));
        let h = one("HISTORY", "", "  two blanks kept");
        assert_eq!(text(&h), "HISTORY   two blanks kept");
        assert_eq!(one("COMMENT", "", &"x".repeat(100)).cards().len(), 2);
        let long = format!("'{}'", "it''s ".repeat(40));
        let h = one("NOTES", &long, "");
        assert_eq!(h.get("NOTES"), Some(Value::Text("it's ".repeat(40).trim_end().to_owned())));
        let h = one("ESO DET ID", "'x'", "");
        assert_eq!(h.get_text("ESO DET ID").as_deref(), Some("x"));
        for (name, value) in [("BAD=NAME", "1"), ("", ""), ("K", "'"), ("K", ""), ("Ü", "é")] {
            assert!(one(name, value, "").cards().iter().all(|c| c.as_bytes().is_ascii()));
        }
    }
}
