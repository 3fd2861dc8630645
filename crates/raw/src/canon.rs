//! Sensor temperature from Canon's maker notes, which `rawler` does not give.
//!
//! # Source
//! ExifToolTags: Canon ShotInfo, tag 4, value 12: camera temperature + 128, 0 where not known, EOS
//! models.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{Directory, Tiff};

/// EXIF's field for what makers keep to themselves.
pub(crate) const MAKER_NOTE: u16 = 37500;
/// ShotInfo in a Canon maker note.
const SHOT_INFO: u16 = 4;
/// Which value of ShotInfo is the temperature.
const TEMPERATURE: usize = 12;
/// The box of a CR3 file that holds EXIF and maker notes.
const CANON_BOX: [u8; 16] = [
    0x85, 0xc0, 0xb6, 0x87, 0x82, 0x0f, 0x11, 0xe0, 0x81, 0x11, 0xf4, 0xce, 0x46, 0x2b, 0x6a, 0x48,
];

/// A box of an ISO media file.
pub(crate) struct MediaBox {
    pub(crate) name: [u8; 4],
    /// Where it starts, and how long it says it is, header included.
    pub(crate) start: u64,
    pub(crate) size: u64,
    /// Where its content starts.
    content: u64,
}

/// The boxes that stand one after the other in `bytes`, up to the first that does not fit.
pub(crate) fn boxes(bytes: &[u8]) -> Vec<MediaBox> {
    let mut found = Vec::new();
    let mut at = 0usize;
    while let Some(head) = bytes.get(at..at.saturating_add(8)) {
        let short = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let name = [head[4], head[5], head[6], head[7]];
        let long = bytes.get(at + 8..at + 16).and_then(|b| <[u8; 8]>::try_from(b).ok());
        let (size, header) = match (short, long) {
            // To the end of the file.
            (0, _) => ((bytes.len() - at) as u64, 8),
            (1, Some(long)) => (u64::from_be_bytes(long), 16),
            (n, _) => (u64::from(n), 8),
        };
        let start = at as u64;
        found.push(MediaBox { name, start, size, content: start + header });
        let next = usize::try_from(size).ok().and_then(|s| at.checked_add(s));
        match next {
            Some(next) if size >= header && next <= bytes.len() => at = next,
            _ => break,
        }
    }
    found
}

/// Where the TIFF structure of the maker notes stands in a CR3 file.
fn cr3_maker_note(bytes: &[u8]) -> Option<u64> {
    let inside = |outer: &MediaBox| {
        let from = usize::try_from(outer.content).ok()?;
        let to = usize::try_from(outer.start.checked_add(outer.size)?).ok()?;
        bytes.get(from..to).map(|part| (part, outer.content))
    };
    let all = boxes(bytes);
    let (moov, moov_at) = inside(all.iter().find(|b| &b.name == b"moov")?)?;
    for part in boxes(moov).iter().filter(|b| &b.name == b"uuid") {
        let from = part.content as usize;
        if moov.get(from..from + 16) != Some(&CANON_BOX[..]) {
            continue;
        }
        let to = usize::try_from(part.start + part.size).ok()?;
        let content = moov.get(from + 16..to)?;
        let note = boxes(content).into_iter().find(|b| &b.name == b"CMT3")?;
        return Some(moov_at + from as u64 + 16 + note.content);
    }
    None
}

/// The sensor's temperature in degrees Celsius; `None` where the camera did not say.
pub(crate) fn temp_c(path: &Path, bytes: &Arc<Vec<u8>>) -> Option<f64> {
    let (tiff, note) = if bytes.get(4..8) == Some(b"ftyp") {
        let tiff = Tiff::within(path, bytes.clone(), cr3_maker_note(bytes)?).ok()?;
        let note = tiff.directories().ok()?.into_iter().next()?;
        (tiff, note)
    } else {
        let tiff = Tiff::within(path, bytes.clone(), 0).ok()?;
        let all = tiff.directories().ok()?;
        let maker = all.first().and_then(|d| tiff.text(d, 271))?;
        if maker != "Canon" {
            return None;
        }
        let field = all.iter().find_map(|d| d.field(MAKER_NOTE))?;
        let note = tiff.directory(field.offset()).ok()?.0;
        (tiff, note)
    };
    shot_temp_c(&tiff, &note)
}

fn shot_temp_c(tiff: &Tiff, note: &Directory) -> Option<f64> {
    let values = tiff.numbers(note.field(SHOT_INFO)?, TEMPERATURE + 1).ok()?;
    let stored = *values.get(TEMPERATURE)? as u16 as i16;
    let temp_c = f64::from(stored) - 128.0;
    // No camera works outside; other models keep other things there.
    (stored != 0 && (-60.0..100.0).contains(&temp_c)).then_some(temp_c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A maker note as a TIFF structure: one field, ShotInfo, of 34 values.
    fn note(temperature: u16) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0".to_vec();
        tiff.extend([4, 0, 3, 0, 34, 0, 0, 0, 26, 0, 0, 0]);
        tiff.extend([0; 4]);
        for i in 0..34u16 {
            tiff.extend(if i == 12 { temperature } else { i }.to_le_bytes());
        }
        tiff
    }

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut out = (content.len() as u32 + 8).to_be_bytes().to_vec();
        out.extend(name);
        out.extend(content);
        out
    }

    fn cr3(temperature: u16) -> Arc<Vec<u8>> {
        let mut canon = CANON_BOX.to_vec();
        canon.extend(boxed(b"CMT1", &[0; 8]));
        canon.extend(boxed(b"CMT3", &note(temperature)));
        let mut file = boxed(b"ftyp", b"crx ");
        file.extend(boxed(b"moov", &boxed(b"uuid", &canon)));
        Arc::new(file)
    }

    /// A CR2 with no image: maker, EXIF, maker note, each directory where the one before says.
    fn cr2(maker: &[u8; 6], temperature: u16) -> Vec<u8> {
        let field = |tag: u16, kind: u16, count: u32, value: u32| {
            let mut raw = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
            raw.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
            raw
        };
        let directory = |fields: &[Vec<u8>]| {
            let mut raw = (fields.len() as u16).to_le_bytes().to_vec();
            raw.extend(fields.concat());
            raw.extend([0; 4]);
            raw
        };
        let mut file = b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0".to_vec();
        file.extend(directory(&[field(271, 2, 6, 46), field(34665, 4, 1, 52)]));
        file.extend(maker);
        file.extend(directory(&[field(37500, 7, 18 + 68, 70)]));
        file.extend(directory(&[field(4, 3, 34, 88)]));
        file.extend((0..34u16).flat_map(|i| (if i == 12 { temperature } else { i }).to_le_bytes()));
        file
    }

    #[test]
    fn the_temperature_of_a_cr2_is_where_exif_says() {
        let temp = |maker, stored| temp_c(Path::new("x.cr2"), &Arc::new(cr2(maker, stored)));
        assert_eq!(temp(b"Canon\0", 151), Some(23.0));
        assert_eq!(temp(b"Canon\0", 0), None);
        assert_eq!(temp(b"Other\0", 151), None);
    }

    #[test]
    fn the_temperature_of_a_cr3_is_in_its_maker_note() {
        let path = Path::new("x.cr3");
        assert_eq!(temp_c(path, &cr3(166)), Some(38.0));
        assert_eq!(temp_c(path, &cr3(118)), Some(-10.0));
        assert_eq!(temp_c(path, &cr3(0)), None);
        assert_eq!(temp_c(path, &cr3(9999)), None);
        let whole = cr3(166);
        for cut in 0..whole.len() {
            let _ = temp_c(path, &Arc::new(whole[..cut].to_vec()));
        }
    }
}
