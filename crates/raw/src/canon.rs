//! Sensor temperature from Canon's maker notes, which `rawler` does not give.
//!
//! # Source
//! ExifToolTags: Canon ShotInfo, tag 4, value 12: camera temperature + 128, 0 where not known, EOS
//! models.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{Directory, Tiff};

use crate::boxes::{CANON, boxes};

/// EXIF's field for what makers keep to themselves.
pub(crate) const MAKER_NOTE: u16 = 37500;
/// ShotInfo in a Canon maker note.
const SHOT_INFO: u16 = 4;
/// Which value of ShotInfo is the temperature.
const TEMPERATURE: usize = 12;
/// Where the TIFF structure of the maker notes stands in a CR3 file.
fn cr3_maker_note(bytes: &[u8]) -> Option<u64> {
    let moov = boxes(bytes, 0..bytes.len()).ok()?.into_iter().find(|b| &b.name == b"moov")?;
    for part in boxes(bytes, moov.content).ok()?.into_iter().filter(|b| &b.name == b"uuid") {
        let inner = part.content.start + 16..part.content.end;
        if bytes.get(part.content.start..inner.start) != Some(&CANON[..]) {
            continue;
        }
        let note = boxes(bytes, inner).ok()?.into_iter().find(|b| &b.name == b"CMT3")?;
        return Some(note.content.start as u64);
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
        let mut canon = CANON.to_vec();
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
