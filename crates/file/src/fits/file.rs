//! One FITS file, whatever its wrapping: layout first, pixels when asked for.

use std::ops::Range;
use std::path::Path;

use photosite_pix::{Header, Plane, Size};

use super::amplifiers::Assembly;
use super::carry::merged;
use super::layout::{Depth, Hdu, HduKind, HduSummary, Layout, number_of, scan};
use super::plain::FitsSource;
use super::table::Table;
use super::unzip;
use crate::bytes::Bytes;
use crate::magic::{Magic, Packing};
use crate::plausible::{expect_size, expect_unpacked};
use crate::source::{check_rows, expect_picture, planes_of};
use crate::{Access, Error, Probe, Result, Source};

/// A FITS file with its headers read.
#[derive(Clone)]
pub(crate) struct FitsFile {
    bytes: Bytes,
    pub(crate) layout: Layout,
}

impl FitsFile {
    /// Reads the headers; unpacks the file where it is packed.
    pub(crate) fn open(path: &Path, magic: Magic) -> Result<Self> {
        if let Magic::Packed(packing) = magic {
            let (bytes, layout) = unzip::unpack(path, packing)?;
            return Ok(Self { bytes: Bytes::memory(path, bytes), layout });
        }
        if magic != Magic::Fits {
            return Err(Error::request(path, "is not a FITS file, which was expected here"));
        }
        let bytes = Bytes::open(path)?;
        let layout = scan(&mut &bytes, Depth::All)?;
        Ok(Self { bytes, layout })
    }

    /// Its bytes, unpacked.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        self.bytes.path()
    }

    /// The image of `hdu`, ready to be read.
    pub(crate) fn source(self, hdu: &Hdu) -> Result<Box<dyn Source>> {
        expect_packed(self.path(), hdu, self.bytes.len())?;
        if hdu.kind == HduKind::CompressedImage {
            return Ok(Box::new(super::tiled::decode(&self.bytes, hdu)?));
        }
        Ok(Box::new(FitsSource::new(self.bytes, hdu)?))
    }

    /// The image that the outputs of a sensor make; `None` where there is one output.
    pub(crate) fn assembled(&self) -> Result<Option<Box<dyn Source>>> {
        let Some(assembly) = Assembly::of(&self.layout) else { return Ok(None) };
        expect_size(self.path(), assembly.size, 1)?;
        let units = assembly.units.iter().map(|u| self.clone().source(&self.layout.hdus[*u]));
        let units = units.collect::<Result<_>>()?;
        Ok(Some(assembly.source(units, self.path())))
    }

    /// The image of `hdu` in memory; it must have one plane.
    pub(crate) fn plane(&self, hdu: &Hdu) -> Result<Plane<f32>> {
        self.expect_one_plane(hdu)?;
        Ok(self.planes(hdu)?.remove(0))
    }

    /// Refuses an image of several planes.
    pub(crate) fn expect_one_plane(&self, hdu: &Hdu) -> Result<()> {
        if hdu.planes == 1 {
            return Ok(());
        }
        let message = format!(
            "{} has {} planes; one was expected. Calibrate raw frames before debayering",
            hdu.label(),
            hdu.planes
        );
        Err(Error::unsupported(self.path(), message))
    }

    /// The planes of `hdu` in memory, one or more.
    pub(crate) fn planes(&self, hdu: &Hdu) -> Result<Vec<Plane<f32>>> {
        let path = self.bytes.path();
        let size = hdu.size.ok_or_else(|| Error::unsupported(path, "holds no image"))?;
        expect_picture(path, hdu.planes)?;
        expect_packed(path, hdu, self.bytes.len())?;
        let short = || Error::damaged(path, "the image is smaller than its header says");
        if hdu.kind == HduKind::CompressedImage {
            let samples = super::tiled::decode(&self.bytes, hdu)?.into_samples();
            if hdu.planes == 1 {
                return Ok(vec![Plane::from_vec(size, samples).ok_or_else(short)?]);
            }
            let parts = samples.chunks_exact(size.pixels().max(1));
            let planes: Option<Vec<_>> = parts.map(|p| Plane::from_vec(size, p.to_vec())).collect();
            return planes.filter(|p| p.len() == hdu.planes).ok_or_else(short);
        }
        planes_of(&FitsSource::new(self.bytes.clone(), hdu)?)
    }

    /// The header of the image as if it were the primary's.
    pub(crate) fn header(&self, hdu: &Hdu) -> Header {
        image_header(&self.layout, hdu)
    }
}

/// Refuses a tile-compressed image that claims more pixels than the file can bear out.
fn expect_packed(path: &Path, hdu: &Hdu, file_bytes: u64) -> Result<()> {
    if hdu.kind != HduKind::CompressedImage {
        return Ok(());
    }
    let pixels = hdu.axes.iter().try_fold(1u64, |n, &axis| n.checked_mul(axis));
    let bytes = pixels.and_then(|n| n.checked_mul(hdu.bitpix.unsigned_abs() / 8));
    expect_unpacked(path, bytes.unwrap_or(u64::MAX), file_bytes)
}

pub(super) fn image_header(layout: &Layout, hdu: &Hdu) -> Header {
    if hdu.index == 0 {
        return hdu.header.clone();
    }
    merged(&layout.hdus[0].header, &hdu.header, hdu.bitpix, &hdu.axes)
}

/// Reads the headers of a FITS file, and no pixel.
pub(crate) fn probe(path: &Path, magic: Magic) -> Result<Probe> {
    let bytes = Bytes::open(path)?;
    let layout = match magic {
        Magic::Packed(packing) => {
            let first = unzip::probe(path, packing)?;
            // The outputs of a sensor lie in all units, and numbered images in any order; of others the first image
            // is enough.
            let of_several = |h: &Hdu| h.header.get("DETSEC").is_some() || number_of(h).is_some();
            match first.hdus.iter().any(|h| h.index > 0 && of_several(h)) {
                true => FitsFile::open(path, magic)?.layout,
                false => first,
            }
        }
        _ => scan(&mut &bytes, Depth::All)?,
    };
    let image = layout.image(path)?;
    let hdus = layout.hdus.iter().map(Hdu::summary).collect();
    let mut probe = describe(path, magic, (&layout, image), hdus, bytes.len())?;
    if assemble(path, &layout, &mut probe)? {
        return Ok(probe);
    }
    let frames = probe.frames().len();
    if frames > 1 {
        probe.notes.push(format!("holds {frames} images of this size; the first is described"));
    }
    Ok(probe)
}

/// Describes the outputs of a sensor as the one image that they make; `false` where there is one output.
fn assemble(path: &Path, layout: &Layout, probe: &mut Probe) -> Result<bool> {
    let Some(assembly) = Assembly::of(layout) else { return Ok(false) };
    expect_size(path, assembly.size, 1)?;
    for unit in &assembly.units {
        expect_packed(path, &layout.hdus[*unit], probe.file_bytes)?;
    }
    probe.hdus.retain(|h| h.index == probe.image || !assembly.units.contains(&h.index));
    (probe.size, probe.header) = (assembly.size, assembly.header);
    Ok(true)
}

/// What is said of one image of a file.
fn describe(
    path: &Path,
    magic: Magic,
    (layout, image): (&Layout, &Hdu),
    hdus: Vec<HduSummary>,
    file_bytes: u64,
) -> Result<Probe> {
    let size = image.size.ok_or_else(|| Error::unsupported(path, "holds no image"))?;
    expect_size(path, size, image.planes)?;
    expect_packed(path, image, file_bytes)?;
    let format = match (magic, image.kind) {
        (Magic::Packed(Packing::Gzip), _) => "FITS (gzip)",
        (Magic::Packed(Packing::Bzip2), _) => "FITS (bzip2)",
        (_, HduKind::CompressedImage) => "FITS (tile-compressed)",
        _ => "FITS",
    };
    Ok(Probe {
        format,
        image: image.index,
        header: image_header(layout, image),
        size,
        planes: image.planes,
        access: if format == "FITS" { Access::Rows } else { Access::Whole },
        file_bytes,
        hdus,
        notes: layout.notes.clone(),
        cut: None,
    })
}

/// Describes every frame of a FITS file; a packed one is unpacked on the way.
pub(crate) fn probe_frames(path: &Path, magic: Magic) -> Result<Vec<Probe>> {
    let file = FitsFile::open(path, magic)?;
    let file_bytes = Bytes::open(path)?.len();
    let layout = &file.layout;
    let all: Vec<HduSummary> = layout.hdus.iter().map(Hdu::summary).collect();
    let first = describe(path, magic, (layout, layout.image(path)?), all.clone(), file_bytes)?;
    let mut first = first;
    if assemble(path, layout, &mut first)? {
        return Ok(vec![first]);
    }
    let units = first.frames();
    if units.len() == 1 {
        return Ok(vec![first]);
    }
    // Each names its own unit alone: a list of all in each would grow with the square.
    let one = |i: usize| {
        let hdus = vec![all[i].clone()];
        describe(path, magic, (layout, &layout.hdus[i]), hdus, file_bytes)
    };
    units.into_iter().map(one).collect()
}

/// Opens the image of a FITS file, or that of one of its units.
pub(crate) fn open(path: &Path, magic: Magic, unit: Option<usize>) -> Result<Box<dyn Source>> {
    let file = FitsFile::open(path, magic)?;
    if unit.is_none()
        && let Some(source) = file.assembled()?
    {
        return Ok(source);
    }
    let hdu = match unit {
        None => file.layout.image(path)?.clone(),
        Some(unit) => {
            let found = file.layout.hdus.get(unit);
            let Some((hdu, size)) = found.and_then(|h| Some((h, h.size?))) else {
                let message = format!("holds no image in unit {unit}, which was asked for");
                return Err(Error::request(path, message));
            };
            expect_size(path, size, hdu.planes)?;
            hdu.clone()
        }
    };
    file.source(&hdu)
}

/// Reads every header of a FITS file, and no pixel; one packed as a whole is unpacked on the way.
///
/// # Errors
/// When the file is no FITS, is cut or breaks its format, or cannot be read.
pub fn layout(path: &Path) -> Result<Layout> {
    Ok(FitsFile::open(path, Magic::of(path)?)?.layout)
}

/// Reads a small table by its EXTNAME; `None` where the file has none of that name.
///
/// # Errors
/// When the file cannot be read, or the table has columns other than text and single numbers.
pub fn read_table(path: &Path, name: &str) -> Result<Option<Table>> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    let Some(hdu) = file.layout.named(name) else { return Ok(None) };
    // What scan has checked to be there.
    let mut data = vec![0; usize::try_from(hdu.data_bytes).unwrap_or(usize::MAX)];
    file.bytes.read_exact_at(hdu.data_offset, &mut data)?;
    Table::decode(path, hdu, &data).map(Some)
}

/// An image decoded as a whole: any rows of it, from memory.
pub(crate) struct Decoded {
    path: std::path::PathBuf,
    size: Size,
    planes: usize,
    samples: Vec<f32>,
}

impl Decoded {
    /// `samples` hold plane after plane of `size`.
    pub(crate) fn new(path: &Path, size: Size, planes: usize, samples: Vec<f32>) -> Self {
        debug_assert_eq!(samples.len(), size.pixels() * planes);
        Self { path: path.to_owned(), size, planes, samples }
    }

    pub(crate) fn into_samples(self) -> Vec<f32> {
        self.samples
    }
}

impl Source for Decoded {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> crate::Access {
        crate::Access::Whole
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        _scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        check_rows(&self.path, (self.size, self.planes), plane, &rows, out.len())?;
        let start = plane * self.size.pixels() + rows.start * self.size.width;
        out.copy_from_slice(&self.samples[start..start + out.len()]);
        Ok(())
    }
}
