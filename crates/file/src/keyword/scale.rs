//! What the numbers of an image count, as far as its header tells.
//!
//! Nothing is scaled here: a mix of scales in a set is for the caller to mend or to refuse.

use photosite_pix::{Gain, Header, Unit};
use serde::{Deserialize, Serialize};

use super::writer;
use crate::ours::KEY_KEYWORD;

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleKind {
    /// Whole numbers of so many bits, without sign.
    Unsigned(u8),
    /// Whole numbers of so many bits, with sign.
    Signed(u8),
    /// Whole numbers that BZERO and BSCALE turn into others.
    Scaled(u8),
    /// Floating point of so many bits.
    Float(u8),
}

/// What a sample of 1 stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// One ADU: whole numbers up to 16 bits, and what BUNIT calls so.
    Adu,
    /// One of 255 levels of a picture or a video: an ADU of a converter of 8 bits, or what is left of
    /// one of more.
    EightBit,
    /// One electron.
    Electron,
    /// The mean of a flat, or another level of the frame's own.
    Relative,
    /// The full scale of 16 bits, 65535 ADU: floating point of a program that is known to write 0 to
    /// 1. Data with samples far above 1 prove otherwise.
    FullScale,
    /// The header does not tell: the data must.
    Unknown,
}

/// Storage and scale of an image's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Samples {
    /// How they are stored.
    pub kind: SampleKind,
    /// What they count.
    pub scale: Scale,
}

/// What BUNIT says that samples count, where that is not plain ADU: electrons, or either of both in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Electrons rather than ADU.
    pub electrons: bool,
    /// So many in each second of the exposure.
    pub per_second: bool,
}

/// What a header lacks by which samples would be brought to ADU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// How many electrons are one ADU.
    Gain,
    /// For how long it was exposed.
    Exposure,
}

/// How units of a second end once blanks are gone: `adu/s`, and FITS4's `adu s-1`, `adu s**-1`.
const A_SECOND: [&str; 8] = ["/s", "/sec", "/second", "s-1", "s^-1", "s**-1", "s**(-1)", "s^(-1)"];

/// What stands before that where it is ADU.
const COUNTS: [&str; 8] = ["adu", "adus", "dn", "ct", "cts", "count", "counts", "du"];

/// Whether a word of a unit, in lower case, names electrons.
fn names_electrons(word: &str) -> bool {
    let word: String = word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect();
    matches!(
        word.as_str(),
        "e" | "electron" | "electrons" | "photoelectron" | "photoelectrons" | "elec" | "el"
    )
}

/// BUNIT's word, and whether it is in a second.
fn unit_words(header: &Header) -> Option<(String, bool)> {
    let text = header.get("BUNIT")?.as_text().unwrap_or_default().to_ascii_lowercase();
    let word: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let of = |end: &str| {
        let word = word.strip_suffix(end)?.trim_end_matches(['.', '*']);
        (names_electrons(word) || COUNTS.contains(&word)).then(|| word.to_owned())
    };
    match A_SECOND.into_iter().find_map(of) {
        Some(word) => Some((word, true)),
        None => Some((word, false)),
    }
}

/// The unit of samples as BUNIT has it, whatever time it is in; without the card ADU.
pub(crate) fn unit_of(header: &Header) -> Unit {
    match unit_words(header) {
        Some((word, false)) if word.is_empty() => Unit::Relative,
        Some((word, _)) if names_electrons(&word) => Unit::Electron,
        _ => Unit::Adu,
    }
}

/// What the samples of an image count by BUNIT; `None` where that is ADU, no unit of counts, or unsaid.
pub fn counted(header: &Header) -> Option<Counted> {
    let (word, per_second) = unit_words(header)?;
    let counted = Counted { electrons: names_electrons(&word), per_second };
    (counted.electrons || per_second).then_some(counted)
}

/// What one unit of an image's samples is in ADU, by BUNIT and by the gain and the exposure beside it; 1 where it
/// does not say otherwise.
///
/// # Errors
/// What is missing.
pub fn adu_per_sample(header: &Header) -> Result<f64, Missing> {
    let Some(counted) = counted(header) else { return Ok(1.0) };
    let metadata = super::read(header).metadata;
    let seconds = metadata.exposure_s.filter(|s| s.is_finite() && *s > 0.0);
    let seconds = if counted.per_second { seconds.ok_or(Missing::Exposure)? } else { 1.0 };
    let gain = metadata.gain_e_per_adu.map(Gain::e_per_adu);
    Ok(seconds / if counted.electrons { gain.ok_or(Missing::Gain)? } else { 1.0 })
}

/// Programs whose floating-point FITS files run from 0 to 1.
///
/// # Source
/// XISF1: the usual bounds of floating point are 0 to 1; Siril and Astro Pixel Processor keep to them.
const UNIT_WRITERS: [&str; 4] =
    ["siril", "pixinsight", "astro pixel processor", "astropixelprocessor"];

/// What the header says of the samples; `None` without a BITPIX that FITS knows.
pub fn samples(header: &Header) -> Option<Samples> {
    let bitpix = header.get_i64("BITPIX")?;
    let bits = u8::try_from(bitpix.unsigned_abs()).ok()?;
    let number = |key: &str, default: f64| header.get_f64(key).unwrap_or(default);
    let (zero, scale) = (number("BZERO", 0.0), number("BSCALE", 1.0));
    let half = (f64::from(bits) - 1.0).exp2();
    let kind = match bitpix {
        -32 | -64 => SampleKind::Float(bits),
        8 if (zero, scale) == (0.0, 1.0) => SampleKind::Unsigned(8),
        8 if (zero, scale) == (-128.0, 1.0) => SampleKind::Signed(8),
        16 | 32 | 64 if (zero, scale) == (0.0, 1.0) => SampleKind::Signed(bits),
        16 | 32 | 64 if (zero, scale) == (half, 1.0) => SampleKind::Unsigned(bits),
        8 | 16 | 32 | 64 => SampleKind::Scaled(bits),
        _ => return None,
    };
    let told = header.get("BUNIT").map(|_| unit_of(header));
    let scale = match (told, kind) {
        (Some(Unit::Electron), _) => Scale::Electron,
        (Some(Unit::Relative), _) => Scale::Relative,
        (_, SampleKind::Unsigned(8) | SampleKind::Signed(8)) => Scale::EightBit,
        (Some(Unit::Adu), _) => Scale::Adu,
        (None, SampleKind::Unsigned(16) | SampleKind::Signed(16)) => Scale::Adu,
        (None, SampleKind::Float(_)) => float_scale(header),
        // Counts of many frames, or 16 bits blown up to 32: nobody can tell.
        (None, _) => Scale::Unknown,
    };
    Some(Samples { kind, scale })
}

fn float_scale(header: &Header) -> Scale {
    if header.get(KEY_KEYWORD).is_some() {
        return Scale::Adu;
    }
    let largest = header.get_f64("DATAMAX").filter(|v| v.is_finite());
    match largest {
        Some(v) if v > 2.0 => Scale::Adu,
        _ => {
            let writer = writer(header);
            let known = UNIT_WRITERS.iter().any(|w| writer.contains(w));
            if known || largest == Some(1.0) { Scale::FullScale } else { Scale::Unknown }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::header;
    use super::*;

    #[test]
    fn units_are_told_from_their_words() {
        let counted = |unit: &str| {
            let found = counted(&header(&[&format!("BUNIT   = '{unit}'")]));
            found.map(|c| (c.electrons, c.per_second))
        };
        for unit in ["adu", "ADU", "count", "counts", "DN", "ct", "", "Jy", "m/s", "K", "ergs-1"] {
            assert_eq!(counted(unit), None, "{unit}");
        }
        for unit in ["electron", "ELECTRONS", "e-", "e", "photo-electron", "electron  "] {
            assert_eq!(counted(unit), Some((true, false)), "{unit}");
        }
        for unit in
            ["adu/s", "adu s-1", "ADU / sec", "counts/s", "COUNTS/S", "DN/second", "ct s**-1"]
        {
            assert_eq!(counted(unit), Some((false, true)), "{unit}");
        }
        for unit in ["electron/s", "e-/s", "ELECTRONS/S", "electron s-1", "electrons.s-1", "e-/sec"]
        {
            assert_eq!(counted(unit), Some((true, true)), "{unit}");
        }
    }

    #[test]
    fn gain_and_exposure_bring_samples_to_adu() {
        let of = |lines: &[&str]| adu_per_sample(&header(lines));
        let (gain, time) = ("EGAIN   = 2.0", "EXPTIME = 60.0");
        assert_eq!(of(&[gain, time]), Ok(1.0));
        assert_eq!(of(&["BUNIT   = 'electron'", gain, time]), Ok(0.5));
        assert_eq!(of(&["BUNIT   = 'adu/s'", gain, time]), Ok(60.0));
        assert_eq!(of(&["BUNIT   = 'electron/s'", gain, time]), Ok(30.0));
        assert_eq!(of(&["BUNIT   = 'electron'", time]), Err(Missing::Gain));
        assert_eq!(of(&["BUNIT   = 'adu/s'", gain]), Err(Missing::Exposure));
        assert_eq!(of(&["BUNIT   = 'adu/s'", "EXPTIME = 0.0"]), Err(Missing::Exposure));
    }

    #[test]
    fn what_headers_say_of_samples() {
        use SampleKind::{Float, Scaled, Signed, Unsigned};
        for (lines, kind, scale) in [
            (&["BITPIX  = 8"][..], Unsigned(8), Scale::EightBit),
            (&["BITPIX  = 16", "BZERO   = 32768"], Unsigned(16), Scale::Adu),
            (&["BITPIX  = 16"], Signed(16), Scale::Adu),
            (&["BITPIX  = 16", "BZERO   = 0.5", "BSCALE  = 1.5E-5"], Scaled(16), Scale::Unknown),
            (&["BITPIX  = 32"], Signed(32), Scale::Unknown),
            (&["BITPIX  = 32", "BUNIT   = 'adu'"], Signed(32), Scale::Adu),
            (&["BITPIX  = -32"], Float(32), Scale::Unknown),
            (&["BITPIX  = -32", "PROGRAM = 'Siril 1.2.0'"], Float(32), Scale::FullScale),
            (&["BITPIX  = -64", "PROGRAM = 'PixInsight 1.8.9'"], Float(64), Scale::FullScale),
            (&["BITPIX  = -32", "SWCREATE= 'MaxIm DL'"], Float(32), Scale::Unknown),
            (&["BITPIX  = -32", "BUNIT   = 'electron'"], Float(32), Scale::Electron),
            (&["BITPIX  = -32", "BUNIT   = ''"], Float(32), Scale::Relative),
            (
                &["BITPIX  = -32", "PROGRAM = 'Siril 1.2.0'", "DATAMAX = 60000.0"],
                Float(32),
                Scale::Adu,
            ),
            (
                &["BITPIX  = -32", "PROGRAM = 'Siril 1.2.0'", "BUNIT   = 'adu'"],
                Float(32),
                Scale::Adu,
            ),
        ] {
            assert_eq!(samples(&header(lines)), Some(Samples { kind, scale }), "{lines:?}");
        }
        assert_eq!(samples(&header(&["BITPIX  = 12"])), None);
        assert_eq!(samples(&header(&[])), None);
    }
}
