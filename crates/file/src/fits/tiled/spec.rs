//! What the header of a tile-compressed image says, every number of it checked.

use std::path::Path;

use photosite_pix::{Header, Size};

use super::quantize::Dither;
use crate::fits::layout::{Hdu, sample_bytes};
use crate::fits::pixels::Encoding;
use crate::{Error, Result};

/// The compressions that are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Codec {
    Rice { block: usize, byte_pix: usize },
    Gzip { shuffled: bool },
    Hcompress { smooth: bool },
    None,
}

impl Codec {
    /// The most pixels that so many bytes can stand for: what asks for more is damaged, and would
    /// have us ask for memory that nothing fills.
    fn most_pixels(self, bytes: usize) -> usize {
        match self {
            // A block of equal pixels costs 3, 4 or 5 bits.
            Self::Rice { block, byte_pix } => {
                let bits = match byte_pix {
                    1 => 3,
                    2 => 4,
                    _ => 5,
                };
                (bytes.saturating_mul(8) / bits).saturating_add(1).saturating_mul(block)
            }
            // Deflate packs at most 1032 bytes into one.
            Self::Gzip { .. } => bytes.saturating_mul(1032),
            // No bound in the format: an empty tile takes 26 bytes, whatever its size.
            Self::Hcompress { .. } => bytes.saturating_mul(1032).max(1 << 19),
            Self::None => bytes,
        }
    }
}

/// A column of variable length.
#[derive(Debug, Clone, Copy)]
struct HeapColumn {
    offset: usize,
    wide: bool,
    each: usize,
}

/// A number given for each tile, or once for all.
#[derive(Debug, Clone, Copy)]
enum PerTile {
    Once(f64),
    Column { offset: usize, code: u8 },
}

impl PerTile {
    fn get(self, row: &[u8]) -> f64 {
        match self {
            Self::Once(v) => v,
            Self::Column { offset, code } => {
                let cell = &row[offset..];
                match code {
                    b'D' => f64::from_be_bytes(cell[..8].try_into().expect("8 bytes")),
                    b'E' => f64::from(f32::from_be_bytes(cell[..4].try_into().expect("4 bytes"))),
                    _ => f64::from(i32::from_be_bytes(cell[..4].try_into().expect("4 bytes"))),
                }
            }
        }
    }
}

/// How a floating-point image was made whole numbers.
pub(super) struct Quantized {
    pub(super) dither: Dither,
    scale: PerTile,
    zero: PerTile,
}

/// Where the pixels of a tile are.
pub(super) enum Payload<'a> {
    Coded(&'a [u8]),
    Gzip(&'a [u8]),
    Plain(&'a [u8]),
}

/// Where a tile lies in the image.
pub(super) struct Place {
    pub(super) origin: [usize; 3],
    pub(super) extent: [usize; 3],
}

impl Place {
    pub(super) fn pixels(&self) -> usize {
        self.extent.iter().product()
    }
}

/// A tile-compressed image.
pub(super) struct Tiled {
    pub(super) size: Size,
    pub(super) planes: usize,
    pub(super) codec: Codec,
    pub(super) encoding: Encoding,
    pub(super) quantized: Option<Quantized>,
    tile: [usize; 3],
    counts: [usize; 3],
    row_bytes: usize,
    heap: usize,
    coded: HeapColumn,
    gzip: Option<HeapColumn>,
    plain: Option<HeapColumn>,
    blank: Option<PerTile>,
}

/// The columns of the table that matter here, with their places in a row.
struct Columns(Vec<(String, usize, String)>);

impl Columns {
    fn read(header: &Header, fields: usize, row_bytes: usize) -> std::result::Result<Self, String> {
        let mut found = Vec::new();
        let mut at = 0usize;
        for i in 1..=fields {
            let form = header
                .get_text(&format!("TFORM{i}"))
                .ok_or_else(|| format!("TFORM{i} is missing or empty"))?;
            let digits = form.bytes().take_while(u8::is_ascii_digit).count();
            let repeat = if digits == 0 { Ok(1) } else { form[..digits].parse::<usize>() };
            let repeat = repeat.ok().filter(|&r| r <= row_bytes);
            let code = form[digits..].bytes().next();
            let each = match code {
                Some(b'L' | b'B' | b'A') => 1,
                Some(b'I') => 2,
                Some(b'J' | b'E') => 4,
                Some(b'K' | b'D' | b'C' | b'P') => 8,
                Some(b'M' | b'Q') => 16,
                _ => 0,
            };
            let (Some(repeat), true) = (repeat, each > 0) else {
                return Err(format!("TFORM{i} = {form:?} is not valid in a tile-compressed table"));
            };
            let name = header.get_text(&format!("TTYPE{i}")).unwrap_or_default();
            found.push((name.to_ascii_uppercase(), at, form[digits..].to_owned()));
            at += repeat * each;
            if at > row_bytes {
                return Err(format!("columns of {at} bytes in rows of {row_bytes}"));
            }
            if repeat != 1
                && found.last().is_some_and(|(n, ..)| n.contains("DATA") || n.starts_with('Z'))
            {
                return Err(format!("TFORM{i} = {form:?}; one a row was expected"));
            }
        }
        Ok(Self(found))
    }

    fn find(&self, name: &str) -> Option<&(String, usize, String)> {
        self.0.iter().find(|(n, ..)| n == name)
    }

    fn heap(&self, name: &str) -> std::result::Result<Option<HeapColumn>, String> {
        let Some((_, offset, form)) = self.find(name) else { return Ok(None) };
        let form = form.as_bytes();
        let each = match form.get(1) {
            Some(b'B') => 1,
            Some(b'I') => 2,
            Some(b'J' | b'E') => 4,
            Some(b'K' | b'D') => 8,
            _ => 0,
        };
        let wide = match form[0] {
            b'P' => false,
            b'Q' => true,
            _ => return Err(format!("column {name} holds no arrays")),
        };
        if each == 0 {
            return Err(format!("column {name} holds arrays of no known type"));
        }
        Ok(Some(HeapColumn { offset: *offset, wide, each }))
    }

    /// A number for each tile from the column `name`, or from the keyword of that name.
    fn number(&self, header: &Header, name: &str) -> Option<PerTile> {
        if let Some((_, offset, form)) = self.find(name) {
            let code = form.as_bytes()[0];
            return matches!(code, b'D' | b'E' | b'J')
                .then_some(PerTile::Column { offset: *offset, code });
        }
        header.get_f64(name).map(PerTile::Once)
    }
}

/// A compression parameter by its name (ZNAMEn, ZVALn).
fn parameter(header: &Header, name: &str) -> Option<i64> {
    (1..=20).find_map(|i| {
        let named = header.get_text(&format!("ZNAME{i}"))?;
        let value = named.eq_ignore_ascii_case(name).then(|| header.get(&format!("ZVAL{i}")))??;
        value.as_i64().or_else(|| value.as_bool().map(i64::from))
    })
}

impl Tiled {
    /// Reads and checks the header.
    pub(super) fn read(path: &Path, hdu: &Hdu) -> Result<Self> {
        let h = &hdu.header;
        let damaged = |what: String| Error::damaged(path, format!("{}: {what}", hdu.label()));
        let whole = |key: &str| {
            let n = h.get_i64(key).and_then(|n| usize::try_from(n).ok());
            n.ok_or_else(|| damaged(format!("{key} is {:?}; a count was expected", h.get(key))))
        };
        let size = hdu.size.ok_or_else(|| Error::unsupported(path, "holds no image"))?;
        if sample_bytes(hdu.bitpix).is_none() {
            return Err(damaged(format!("ZBITPIX is {}; there is no such type", hdu.bitpix)));
        }
        let (row_bytes, rows, fields) = (whole("NAXIS1")?, whole("NAXIS2")?, whole("TFIELDS")?);
        let table = row_bytes.checked_mul(rows).filter(|&n| n as u64 <= hdu.data_bytes);
        let Some(table) = table else {
            let message = format!("{rows} rows of {row_bytes} bytes do not fit its data");
            return Err(damaged(message));
        };
        let heap = h.get_i64("THEAP").map_or(Some(table), |n| usize::try_from(n).ok());
        let heap = heap.filter(|&n| n >= table && n as u64 <= hdu.data_bytes);
        let heap = heap.ok_or_else(|| damaged("THEAP lies outside the data".to_owned()))?;
        if fields > 999 {
            return Err(damaged(format!("TFIELDS is {fields}; at most 999 was expected")));
        }
        let columns = Columns::read(h, fields, row_bytes).map_err(damaged)?;
        if columns.find("NULL_PIXEL_MASK").is_some() {
            let message = "tile-compressed with a mask of null pixels, which is not read here; \
                           unpack it with funpack";
            return Err(Error::unsupported(path, message));
        }
        let axes = [size.width, size.height, hdu.planes];
        let mut tile = axes;
        for (i, (slot, &axis)) in tile.iter_mut().zip(&axes).enumerate() {
            let key = format!("ZTILE{}", i + 1);
            let given = match h.get(&key) {
                // Without ZTILEn, tiles are rows.
                None => {
                    if i == 0 {
                        axis
                    } else {
                        1
                    }
                }
                Some(_) => whole(&key)?,
            };
            if given == 0 {
                return Err(damaged(format!("{key} is 0; 1 or more was expected")));
            }
            *slot = given.min(axis);
        }
        let counts = [0, 1, 2].map(|i| axes[i].div_ceil(tile[i]));
        let tiles = counts.iter().try_fold(1usize, |n, &c| n.checked_mul(c));
        if tiles != Some(rows) {
            let message = format!("{rows} tiles found, {counts:?} expected by ZTILEn and ZNAXISn");
            return Err(damaged(message));
        }
        let heap_column = |name: &str| columns.heap(name).map_err(damaged);
        let coded = heap_column("COMPRESSED_DATA")?
            .ok_or_else(|| damaged("there is no column COMPRESSED_DATA".to_owned()))?;
        let mut encoding = Encoding::of(path, h, hdu.bitpix)?;
        let mut blank = columns.number(h, "ZBLANK");
        if hdu.bitpix > 0 {
            // Whole numbers: ZBLANK has the meaning of BLANK, which an old writer may have left.
            if let Some(PerTile::Once(v)) = blank {
                encoding.blank = Some(v as i64);
                blank = None;
            }
        }
        let tiled = Self {
            size,
            planes: hdu.planes,
            codec: codec(path, h).map_err(|e| e.unwrap_or_else(damaged))?,
            quantized: if hdu.bitpix < 0 { quantized(h, &columns) } else { None },
            encoding,
            tile,
            counts,
            row_bytes,
            heap,
            coded,
            gzip: heap_column("GZIP_COMPRESSED_DATA")?,
            plain: heap_column("UNCOMPRESSED_DATA")?,
            blank,
        };
        let whole_only = matches!(tiled.codec, Codec::Rice { .. } | Codec::Hcompress { .. });
        if hdu.bitpix < 0 && whole_only && tiled.quantized.is_none() {
            let message = "floating-point data in integer compression need ZSCALE and ZZERO";
            return Err(damaged(message.to_owned()));
        }
        Ok(tiled)
    }

    /// The number of tiles.
    pub(super) fn tiles(&self) -> usize {
        self.counts.iter().product()
    }

    /// The number of pixels in all planes.
    pub(super) fn pixels(&self) -> usize {
        self.size.pixels() * self.planes
    }

    /// Where a pixel stands in the whole image.
    pub(super) fn offset(&self, [x, y, z]: [usize; 3]) -> usize {
        (z * self.size.height + y) * self.size.width + x
    }

    /// Where tile `index` lies.
    pub(super) fn place(&self, index: usize) -> Place {
        let [nx, ny, _] = self.counts;
        let at = [index % nx, index / nx % ny, index / nx / ny];
        let axes = [self.size.width, self.size.height, self.planes];
        let origin = [0, 1, 2].map(|i| at[i] * self.tile[i]);
        Place { origin, extent: [0, 1, 2].map(|i| self.tile[i].min(axes[i] - origin[i])) }
    }

    fn row<'a>(&self, data: &'a [u8], index: usize) -> &'a [u8] {
        &data[index * self.row_bytes..(index + 1) * self.row_bytes]
    }

    /// The bytes that a descriptor points to; empty where it says so.
    fn array<'a>(
        &self,
        data: &'a [u8],
        index: usize,
        column: HeapColumn,
    ) -> std::result::Result<&'a [u8], String> {
        let cell = &self.row(data, index)[column.offset..];
        let (count, at) = if column.wide {
            let word = |i: usize| u64::from_be_bytes(cell[i..i + 8].try_into().expect("8 bytes"));
            (word(0), word(8))
        } else {
            let word = |i: usize| {
                u64::from(u32::from_be_bytes(cell[i..i + 4].try_into().expect("4 bytes")))
            };
            (word(0), word(4))
        };
        let heap = &data[self.heap..];
        let start = usize::try_from(at).ok();
        let len = usize::try_from(count).ok().and_then(|n| n.checked_mul(column.each));
        let end = start.zip(len).and_then(|(s, n)| s.checked_add(n));
        if len == Some(0) {
            return Ok(&[]);
        }
        start.zip(end).and_then(|(s, e)| heap.get(s..e)).ok_or_else(|| {
            format!("{count} elements at {at} lie outside the heap of {} bytes", heap.len())
        })
    }

    /// Where the pixels of a tile are: an empty cell means that the compression failed on it.
    pub(super) fn payload<'a>(
        &self,
        data: &'a [u8],
        index: usize,
    ) -> std::result::Result<Payload<'a>, String> {
        let coded = self.array(data, index, self.coded)?;
        if !coded.is_empty() {
            return Ok(Payload::Coded(coded));
        }
        for (column, wrap) in
            [(self.gzip, Payload::Gzip as fn(&'a [u8]) -> _), (self.plain, Payload::Plain)]
        {
            if let Some(column) = column {
                let bytes = self.array(data, index, column)?;
                if !bytes.is_empty() {
                    return Ok(wrap(bytes));
                }
            }
        }
        Err("it has no data".to_owned())
    }

    /// Checks before memory is asked for that the tiles can hold as many pixels as they claim.
    pub(super) fn check_tiles(&self, data: &[u8]) -> std::result::Result<(), String> {
        let mut total = 0usize;
        for index in 0..self.tiles() {
            let pixels = self.place(index).pixels();
            let each = self.encoding.bytes();
            let (bytes, most) = match self.payload(data, index)? {
                Payload::Coded(b) => (b.len(), self.codec.most_pixels(b.len())),
                Payload::Gzip(b) => (b.len(), b.len().saturating_mul(1032) / each),
                Payload::Plain(b) => (b.len(), b.len() / each),
            };
            if pixels > most {
                let message = format!(
                    "tile {} has {bytes} bytes for {pixels} pixels; they can hold {most} at most",
                    index + 1
                );
                return Err(message);
            }
            total = total.saturating_add(bytes);
        }
        // Tiles that share bytes would make much of little.
        let heap = data.len() - self.heap;
        if self.pixels() > total.saturating_mul(1032).max(1 << 27) {
            return Err(format!("{total} bytes of tiles for {} pixels", self.pixels()));
        }
        if total > heap {
            return Err(format!("tiles of {total} bytes in a heap of {heap}"));
        }
        Ok(())
    }

    /// Scale, zero and blank of a quantized tile.
    pub(super) fn quanta(&self, data: &[u8], index: usize) -> (f64, f64, Option<i64>) {
        let row = self.row(data, index);
        let blank = self.blank.map(|b| b.get(row) as i64);
        match &self.quantized {
            Some(q) => (q.scale.get(row), q.zero.get(row), blank),
            None => (1.0, 0.0, blank),
        }
    }

    /// The encoding of one tile: BLANK may differ from tile to tile.
    pub(super) fn encoding_of(&self, data: &[u8], index: usize) -> Encoding {
        let mut encoding = self.encoding;
        if let (true, Some(blank)) = (encoding.bitpix > 0, self.blank) {
            encoding.blank = Some(blank.get(self.row(data, index)) as i64);
        }
        encoding
    }
}

/// The compression and its parameters; the error is a message for Damaged, or whole.
fn codec(path: &Path, h: &Header) -> std::result::Result<Codec, CodecError> {
    let name = h.get_text("ZCMPTYPE").unwrap_or_default();
    Ok(match name.as_str() {
        "RICE_1" | "RICE_ONE" => {
            // Old files name no parameters; then they stand in this order.
            let unnamed = h.get("ZNAME1").is_none();
            let value = |name: &str, key: &str, default: i64| {
                let old = if unnamed { h.get_i64(key) } else { None };
                parameter(h, name).or(old).unwrap_or(default)
            };
            let (block, byte_pix) = (value("BLOCKSIZE", "ZVAL1", 32), value("BYTEPIX", "ZVAL2", 4));
            if !matches!(block, 16 | 32) || !matches!(byte_pix, 1 | 2 | 4) {
                return Err(CodecError::Message(format!(
                    "Rice blocks of {block} pixels of {byte_pix} bytes; 16 or 32 of 1, 2 or 4 was \
                     expected"
                )));
            }
            Codec::Rice { block: block as usize, byte_pix: byte_pix as usize }
        }
        "GZIP_1" => Codec::Gzip { shuffled: false },
        "GZIP_2" => Codec::Gzip { shuffled: true },
        "HCOMPRESS_1" => Codec::Hcompress { smooth: parameter(h, "SMOOTH").unwrap_or(0) != 0 },
        "NOCOMPRESS" => Codec::None,
        "" => return Err(CodecError::Message("ZCMPTYPE is missing".to_owned())),
        other => {
            let message = format!(
                "tile compression {other} is not read here (RICE_1, GZIP_1, GZIP_2 and \
                 HCOMPRESS_1 are); unpack it with funpack"
            );
            return Err(CodecError::Whole(Error::unsupported(path, message)));
        }
    })
}

/// Why a compression is not to be had.
enum CodecError {
    Message(String),
    Whole(Error),
}

impl CodecError {
    fn unwrap_or_else(self, wrap: impl FnOnce(String) -> Error) -> Error {
        match self {
            Self::Message(m) => wrap(m),
            Self::Whole(e) => e,
        }
    }
}

fn quantized(h: &Header, columns: &Columns) -> Option<Quantized> {
    let method = h.get_text("ZQUANTIZ").unwrap_or_default();
    if method == "NONE" {
        return None;
    }
    let (scale, zero) = (columns.number(h, "ZSCALE")?, columns.number(h, "ZZERO")?);
    // The seed runs from 1 to 10000; without one CFITSIO takes 1.
    let seed = h.get_i64("ZDITHER0").filter(|s| (1..=10_000).contains(s)).unwrap_or(1) as usize;
    let dither = match method.as_str() {
        "SUBTRACTIVE_DITHER_1" => Dither::One(seed),
        "SUBTRACTIVE_DITHER_2" => Dither::Two(seed),
        _ => Dither::None,
    };
    Some(Quantized { dither, scale, zero })
}
