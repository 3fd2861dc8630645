//! Whether a file is one that Photosite made, and may be replaced by its successor.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

/// The card that every FITS product carries: the key of its inputs and parameters.
pub const KEY_KEYWORD: &str = "PSKEY";

/// How the schema of every JSON file begins.
pub const SCHEMA_PREFIX: &str = "photosite.";

/// How the text `Software` of every PNG begins.
pub const SOFTWARE_PREFIX: &str = "Photosite";

/// Bytes looked at: JSON and PNG tell at once, a FITS header within some hundred blocks.
const HEAD: u64 = 512 * 1024;

/// Whether the file at `path` was made by Photosite, by what its first bytes say: FITS with PSKEY,
/// PNG with its name as Software, JSON whose schema is `photosite.…`. An empty file, as a power cut
/// leaves it, is nobody's, and counts as ours.
///
/// # Errors
/// When the file cannot be read.
pub fn is_ours(path: &Path) -> Result<bool> {
    let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(|e| Error::io(path, "reading", e))?;
    Ok(match &head[..] {
        [] => true,
        h if h.starts_with(b"SIMPLE") => fits_is_ours(h),
        h if h.starts_with(b"\x89PNG\r\n\x1a\n") => png_is_ours(h),
        h => json_is_ours(h),
    })
}

fn fits_is_ours(head: &[u8]) -> bool {
    let cards = head.chunks_exact(80).take_while(|c| !c.starts_with(b"END     "));
    let key = format!("{KEY_KEYWORD:<8}=");
    cards.into_iter().any(|c| c.starts_with(key.as_bytes()))
}

fn png_is_ours(head: &[u8]) -> bool {
    let word = format!("tEXtSoftware\0{SOFTWARE_PREFIX}");
    // Text stands before the picture.
    head.windows(4)
        .position(|w| w == b"IDAT")
        .is_some_and(|end| head[..end].windows(word.len()).any(|w| w == word.as_bytes()))
}

/// The first key of an object is its schema, in everything that is written here.
fn json_is_ours(head: &[u8]) -> bool {
    let text: Vec<u8> =
        head.iter().take(400).copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let start = format!("{{\"schema\":\"{SCHEMA_PREFIX}");
    text.starts_with(start.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::{Existing, write_bytes};

    #[test]
    fn ours_is_told_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let card = |text: &str| format!("{text:<80}");
        let fits = |cards: &[&str]| {
            let all: String = cards.iter().map(|c| card(c)).collect();
            format!("{:<2880}", all + &card("END")).into_bytes()
        };
        let png = |text: &str| {
            let mut bytes = b"\x89PNG\r\n\x1a\n....IHDR.................".to_vec();
            bytes.extend(text.as_bytes());
            bytes.extend(b"....IDAT....");
            bytes
        };
        let simple = "SIMPLE  =                    T";
        for (bytes, ours) in [
            (fits(&[simple, "PSKEY   = 'abc'"]), true),
            (fits(&[simple, "OBJECT  = 'PSKEY   ='"]), false),
            (fits(&[simple]), false),
            (png("tEXtSoftware\0Photosite 0.1"), true),
            (png("tEXtSoftware\0GIMP"), false),
            (png(""), false),
            (b"{\n  \"schema\": \"photosite.run/1\",\n".to_vec(), true),
            (b"{\"schema\":\"other.run/1\"}".to_vec(), false),
            (b"{\"my\":\"notes on \\\"schema\\\":\\\"photosite.\"}".to_vec(), false),
            (b"[]".to_vec(), false),
            (b"text".to_vec(), false),
            (Vec::new(), true),
        ] {
            write_bytes(&path, &bytes, Existing::Replace).unwrap();
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(90)]).into_owned();
            assert_eq!(is_ours(&path).unwrap(), ours, "{start}");
        }
        assert!(is_ours(&dir.path().join("nowhere")).is_err());
    }
}
