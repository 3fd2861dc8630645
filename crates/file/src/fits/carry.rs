//! Which cards of a header travel with an image, and which describe only how it was stored.

use photosite_pix::{Card, Header, Size};

/// The keyword of a primary header for the number of extensions after it, without which a file cut
/// between two units looks whole.
pub(super) const EXTENSIONS: &str = "NEXTEND";

/// Keywords that describe how a unit is laid out: written anew, never carried.
///
/// # Source
/// FITS standard 4.0, sections 4.4.1, 4.4.2.5, 4.4.2.7 and 7.3 (FITS4).
const STRUCTURAL: [&str; 17] = [
    EXTENSIONS, "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS",
    "BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM", "INHERIT", "THEAP", "TFIELDS",
];

/// Keywords of tile compression (FITS 4.0, section 10.1). A list, not a pattern: ZENITH is no
/// compression keyword.
const COMPRESSION: [&str; 18] = [
    "ZIMAGE", "ZSIMPLE", "ZTENSION", "ZEXTEND", "ZBITPIX", "ZNAXIS", "ZCMPTYPE", "ZQUANTIZ",
    "ZDITHER0", "ZBLANK", "ZSCALE", "ZZERO", "ZMASKCMP", "ZPCOUNT", "ZGCOUNT", "ZBLOCKED",
    "ZHECKSUM", "ZDATASUM",
];

/// Indexed keywords of layout, tables and tile compression.
const INDEXED: [&str; 14] = [
    "NAXIS", "TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL", "TZERO", "TDISP", "TDIM", "TBCOL",
    "ZNAXIS", "ZTILE", "ZNAME", "ZVAL",
];

fn indexed(keyword: &str) -> bool {
    INDEXED.iter().any(|stem| {
        let digits = keyword.strip_prefix(stem).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// True for keywords that describe the storage, not the image.
fn is_storage(keyword: &str) -> bool {
    STRUCTURAL.contains(&keyword) || COMPRESSION.contains(&keyword) || indexed(keyword)
}

/// The card with every byte that a FITS header may not hold replaced: NUL by a blank, others by
/// `?`. Other programs refuse whole files over one such byte.
fn legal(card: &Card) -> Card {
    let mut bytes = *card.as_bytes();
    for b in &mut bytes {
        *b = match *b {
            0 => b' ',
            b' '..=b'~' => *b,
            _ => b'?',
        };
    }
    Card::from_bytes(bytes)
}

/// The cards of `header` that travel with an image, in order, to the byte where they are legal.
pub(crate) fn carried(header: &Header) -> Header {
    Header::from_cards(travelling(header).cards().iter().map(legal).collect())
}

/// The header of an image in an extension, as if it were a primary: the primary's cards, then the
/// extension's, which win; layout cards are those of the image after decompression.
///
/// # Source
/// The INHERIT convention (FITS4), in force whether or not the keyword is given, because cameras that
/// write extensions put what matters into the primary.
pub(crate) fn merged(primary: &Header, extension: &Header, bitpix: i64, axes: &[u64]) -> Header {
    let mut out = Header::new();
    out.push(Card::logical("SIMPLE", true, ""));
    out.push(Card::integer("BITPIX", bitpix, ""));
    out.push(Card::integer("NAXIS", axes.len() as i64, ""));
    for (i, &n) in axes.iter().enumerate() {
        out.push(Card::integer(&format!("NAXIS{}", i + 1), n as i64, ""));
    }
    let mut base = travelling(primary);
    let mut own = travelling(extension);
    // Without the decompression that it names, it is no name of the image.
    if own.get_text("EXTNAME").as_deref() == Some("COMPRESSED_IMAGE") {
        own.remove("EXTNAME");
    }
    for card in own.cards() {
        if !card.is_commentary() && !card.as_bytes().starts_with(b"CONTINUE") {
            base.remove(&card.keyword());
        }
    }
    for card in base.cards().iter().chain(own.cards()) {
        out.push(*card);
    }
    for key in ["BSCALE", "BZERO", "BLANK"] {
        let card = extension.cards().iter().find(|c| c.keyword() == key && c.value().is_some());
        if let Some(card) = card {
            out.push(*card);
        }
    }
    out
}

/// The header of an image that came in another format, as if FITS held it: layout cards for samples
/// of `bitpix` (without sign where it is positive, floating point where negative), then those of
/// `cards` that speak of the image and not of its storage.
pub fn header_of(bitpix: i64, size: Size, planes: usize, cards: &Header) -> Header {
    let mut axes = vec![size.width as u64, size.height as u64];
    if planes != 1 {
        axes.push(planes as u64);
    }
    let mut own = travelling(cards);
    if bitpix > 8 {
        own.push(Card::real("BZERO", ((bitpix - 1) as f64).exp2(), "samples have no sign"));
        own.push(Card::integer("BSCALE", 1, ""));
    }
    merged(&Header::new(), &own, bitpix, &axes)
}

/// The cards that describe the image, not its storage.
fn travelling(header: &Header) -> Header {
    let mut dropping = false;
    let kept = header.cards().iter().filter(|card| {
        if card.as_bytes().starts_with(b"CONTINUE") {
            return !dropping;
        }
        dropping = card.is_end() || (!card.is_commentary() && is_storage(&card.keyword()));
        !dropping
    });
    Header::from_cards(kept.copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use photosite_pix::Value;

    fn card(text: &str) -> Card {
        let mut bytes = [b' '; 80];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Card::from_bytes(bytes)
    }

    #[test]
    fn storage_stays_and_the_rest_travels_to_the_byte() {
        let keep = [
            "ZENITH  =                 12.5",
            "NAXISTHE=                    1",
            "ZTILE   =                    1",
            "EXPTIME = 060.00 / s",
            "HIERARCH ESO DET NAXIS1 = 5",
            "COMMENT BITPIX = 16",
            "HISTORY END",
            "        CHECKSUM= 'x'",
            "lower   = 1",
            "OBJECT  = 'long&'",
            "CONTINUE  'er'",
        ];
        let drop = [
            "BITPIX  =                   16",
            "NAXIS2  =                    9",
            "ZNAXIS3 =                    9",
            "CHECKSUM= 'abc&'",
            "CONTINUE  'def'",
            "TTYPE12 = 'x'",
        ];
        // The two kinds interleaved, continued cards kept together.
        let mut all: Vec<Card> = drop.iter().map(|t| card(t)).collect();
        all.extend(keep.iter().map(|t| card(t)));
        all.push(card("END"));
        let out = carried(&Header::from_cards(all));
        assert_eq!(out.cards(), keep.map(card));
    }

    #[test]
    fn illegal_bytes_do_not_reach_a_file() {
        let mut bytes = *card("OBSERVER= 'Jos.'").as_bytes();
        bytes[14] = 0xe9;
        bytes[40..].fill(0);
        bytes[50] = b'\n';
        let out = carried(&Header::from_cards(vec![Card::from_bytes(bytes)]));
        let text = out.cards()[0].text();
        assert!(text.starts_with("OBSERVER= 'Jos?'  ") && text.as_bytes()[50] == b'?');
        assert!(out.cards()[0].as_bytes().iter().all(|b| (b' '..=b'~').contains(b)));
    }

    #[test]
    fn the_extension_wins() {
        let primary = Header::from_cards(vec![
            card("SIMPLE  =                    T"),
            card("NAXIS   =                    0"),
            card("EXPTIME =                   10"),
            card("OBJECT  = 'M 31'"),
            card("HISTORY first"),
        ]);
        let extension = Header::from_cards(vec![
            card("XTENSION= 'BINTABLE'"),
            card("NAXIS1  =                    8"),
            card("ZNAXIS1 =                  100"),
            card("EXTNAME = 'COMPRESSED_IMAGE'"),
            card("BZERO   =                32768"),
            card("EXPTIME =                   20"),
            card("HISTORY second"),
        ]);
        let h = merged(&primary, &extension, 16, &[100, 50]);
        assert_eq!(h.get_i64("NAXIS1"), Some(100));
        assert_eq!(h.get_i64("NAXIS"), Some(2));
        assert_eq!(h.get_f64("EXPTIME"), Some(20.0));
        assert_eq!(h.get_f64("BZERO"), Some(32768.0));
        assert_eq!(h.get("OBJECT"), Some(Value::Text("M 31".into())));
        assert_eq!(h.get("EXTNAME"), None);
        assert_eq!(h.get("XTENSION"), None);
        assert_eq!(h.history().collect::<Vec<_>>(), ["first", "second"]);
    }
}
