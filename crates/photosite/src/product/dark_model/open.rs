//! A master whose rows are read when they are wanted.

use std::ops::Range;
use std::path::{Path, PathBuf};

use photosite_file::fits::mask_bits;
use photosite_file::{Source, keyword, open_image, probe};
use photosite_pix::{Applied, CfaPattern, FrameKind, Header, MaskBits, Size};

use crate::calibrate::dark::model::{MasterRows, Term};
use crate::product::write::whole;
use crate::provenance::ContentHash;
use crate::{Error, Result};

/// A master bias or dark, its samples, errors and mask on demand.
pub(super) struct OpenMaster {
    pub path: PathBuf,
    pub hash: ContentHash,
    pub term: Term,
    pub size: Size,
    pub cfa: Option<CfaPattern>,
    pub header: Header,
    data: Box<dyn Source>,
    error: Option<Box<dyn Source>>,
    mask: Option<Box<dyn Source>>,
}

impl OpenMaster {
    pub fn open(path: &Path) -> Result<Self> {
        whole(path)?;
        let hash = ContentHash::of_file(path)?;
        let probe = probe(path)?;
        let metadata = keyword::read(&probe.header).metadata;
        let says = |what: &str| Error::mismatch(format!("{} {what}", path.display()));
        if probe.header.get("PSSYNTH").is_some() {
            return Err(says("was made by a dark model: a model is made of what was measured"));
        }
        let exposure_s = match metadata.kind {
            Some(FrameKind::Bias) => 0.0,
            Some(FrameKind::Dark | FrameKind::DarkFlat) => metadata
                .exposure_s
                .filter(|t| *t > 0.0)
                .ok_or_else(|| says("does not tell its exposure: write EXPTIME into its header"))?,
            Some(kind) => return Err(says(&format!("is a {kind}, not a master bias or dark"))),
            None => return Err(says("does not tell whether it is a bias or a dark")),
        };
        if metadata.applied.contains(Applied::BIAS) {
            return Err(says("lost its bias before: a model is made of masters that hold theirs"));
        }
        let unit = |name: &str| -> Result<Option<Box<dyn Source>>> {
            let same = probe.named(name).filter(|h| h.size == Some(probe.size) && h.planes == 1);
            Ok(same.map(|h| open_image(path, h.index)).transpose()?)
        };
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let term = Term {
            name,
            exposure_s,
            temp_c: metadata.temp_c.or(metadata.set_temp_c),
            frames: metadata.combined_count.unwrap_or(1) as usize,
        };
        Ok(Self {
            path: path.to_owned(),
            hash,
            term,
            size: probe.size,
            cfa: metadata.cfa,
            data: open_image(path, probe.image)?,
            error: unit("ERR")?,
            mask: unit("DQ")?,
            header: probe.header,
        })
    }

    /// Reads rows; tells the lowest sample that is marked as saturated.
    pub fn read(
        &self,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut MasterRows,
    ) -> Result<Option<f64>> {
        let count = rows.len() * self.size.width;
        out.data.resize(count, 0.0);
        self.data.read_rows(0, rows.clone(), scratch, &mut out.data)?;
        out.variance.resize(if self.error.is_some() { count } else { 0 }, 0.0);
        if let Some(error) = &self.error {
            error.read_rows(0, rows.clone(), scratch, &mut out.variance)?;
            out.variance.iter_mut().for_each(|v| *v *= *v);
        }
        out.mask.clear();
        if let Some(mask) = &self.mask {
            let mut stored = vec![0.0f32; count];
            mask.read_rows(0, rows, scratch, &mut stored)?;
            out.mask.extend(stored.iter().map(|v| mask_bits(*v).unwrap_or(MaskBits::NO_DATA)));
        } else {
            out.mask.resize(count, MaskBits::empty());
        }
        let full =
            |(v, m): (&f32, &MaskBits)| m.contains(MaskBits::SATURATED).then_some(f64::from(*v));
        let low = out.data.iter().zip(&out.mask).filter_map(full).reduce(f64::min);
        out.blank();
        Ok(low)
    }
}
