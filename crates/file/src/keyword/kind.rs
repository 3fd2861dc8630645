//! What a frame was taken for.

use photosite_pix::{FrameKind, Header, Metadata};

use super::{Note, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "kind-by-word",
        field: "kind",
        about: "IMAGETYP, FRAMETYP, OBSTYPE, CCDTYPE, PICTTYPE, FRAME or SUBTYPE holds a word for \
                the kind.",
        read: kind_by_word,
    },
    Rule {
        name: "kind-by-sbig-number",
        field: "kind",
        about: "CCDSFPT or PICTTYPE holds SBIG's number: 1 light, 2 bias, 3 dark, 4 flat.",
        read: kind_by_sbig_number,
    },
    Rule {
        name: "master-by-word",
        field: "is_master",
        about: "The word for the kind contains \"master\".",
        read: master_by_word,
    },
    Rule {
        name: "combined-count",
        field: "combined_count",
        about: "NCOMBINE, STACKCNT, NFRAMES or SNAPSHOT holds how many frames were combined.",
        read: combined_count,
    },
];

const KEYWORDS: &[&str] =
    &["IMAGETYP", "FRAMETYP", "OBSTYPE", "CCDTYPE", "PICTTYPE", "FRAME", "SUBTYPE"];

/// The kind that a word means: `Light Frame`, `zero`, `FLATDARK`, `masterDark` and their like.
///
/// Case, blanks, dashes and underscores do not matter. `None` for words that name no kind.
pub fn kind_from_words(words: &str) -> Option<FrameKind> {
    let plain: String =
        words.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let plain = plain.strip_prefix("master").unwrap_or(&plain);
    let plain = plain.strip_suffix("frames").unwrap_or(plain);
    let plain = plain.strip_suffix("frame").unwrap_or(plain);
    Some(match plain {
        "bias" | "biases" | "zero" | "zeros" | "offset" | "offsets" => FrameKind::Bias,
        "dark" | "darks" => FrameKind::Dark,
        "darkflat" | "darkflats" | "flatdark" | "flatdarks" => FrameKind::DarkFlat,
        "flat" | "flats" | "flatfield" | "flatfields" | "skyflat" | "skyflats" | "lampflat"
        | "lampflats" | "domeflat" | "domeflats" | "twilightflat" | "twilightflats" => {
            FrameKind::Flat
        }
        "light" | "lights" | "science" | "object" | "snapshot" | "tricolor" | "expose" => {
            FrameKind::Light
        }
        _ => return None,
    })
}

fn words(header: &Header) -> impl Iterator<Item = String> + '_ {
    KEYWORDS.iter().filter_map(|k| header.get_text(k))
}

fn kind_by_word(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    m.kind = words(header).find_map(|w| kind_from_words(&w));
    if m.kind.is_none()
        && let Some(word) = words(header).find(|w| w.parse::<f64>().is_err())
    {
        notes.push(Note {
            code: "kind-unknown",
            message: format!("the header calls the frame {word:?}, which names no kind known here"),
        });
    }
    m.kind.is_some()
}

fn kind_by_sbig_number(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let number = header.get_i64("CCDSFPT").or_else(|| header.get_i64("PICTTYPE"));
    m.kind = match number {
        Some(1) => Some(FrameKind::Light),
        Some(2) => Some(FrameKind::Bias),
        Some(3) => Some(FrameKind::Dark),
        Some(4) => Some(FrameKind::Flat),
        _ => None,
    };
    m.kind.is_some()
}

fn master_by_word(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    m.is_master = words(header).any(|w| w.to_ascii_lowercase().contains("master"));
    m.is_master
}

fn combined_count(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    m.combined_count = ["NCOMBINE", "STACKCNT", "NFRAMES", "SNAPSHOT"]
        .iter()
        .find_map(|k| header.get_i64(k))
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n >= 1);
    m.combined_count.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};
    use super::*;

    #[test]
    fn words_for_kinds() {
        for (word, kind) in [
            ("Light Frame", FrameKind::Light),
            ("science", FrameKind::Light),
            ("object    ", FrameKind::Light),
            ("BIAS", FrameKind::Bias),
            ("zero", FrameKind::Bias),
            ("Dark Frame         ", FrameKind::Dark),
            ("Master Dark", FrameKind::Dark),
            ("masterFlat", FrameKind::Flat),
            ("Flat Field", FrameKind::Flat),
            ("skyflat", FrameKind::Flat),
            ("FLATDARK", FrameKind::DarkFlat),
            ("Dark Flat", FrameKind::DarkFlat),
            ("dark_flats", FrameKind::DarkFlat),
        ] {
            assert_eq!(kind_from_words(word), Some(kind), "{word}");
        }
        for word in ["", "focus", "darkness", "flattened", "2"] {
            assert_eq!(kind_from_words(word), None, "{word}");
        }
    }

    #[test]
    fn headers_for_kinds() {
        let kind = |lines: &[&str]| read(&header(lines)).metadata.kind;
        assert_eq!(kind(&["FRAME   = 'Light   '"]), Some(FrameKind::Light));
        // Jocular.
        assert_eq!(kind(&["SUBTYPE = 'light   '"]), Some(FrameKind::Light));
        assert_eq!(kind(&["CCDSFPT =                    3"]), Some(FrameKind::Dark));
        // The word counts before the number.
        assert_eq!(kind(&["CCDSFPT = 1", "IMAGETYP= 'Flat Field'"]), Some(FrameKind::Flat));
        let r = read(&header(&["IMAGETYP= 'Master Bias'", "STACKCNT=  40"]));
        assert!(r.metadata.is_master);
        assert_eq!(r.metadata.combined_count, Some(40));
        let r = read(&header(&["IMAGETYP= 'focus'"]));
        assert_eq!(r.notes[0].code, "kind-unknown");
    }
}
