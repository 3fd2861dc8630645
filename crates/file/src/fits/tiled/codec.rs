//! One tile's bytes to stored samples.

use std::io::Read;

use fitsio_pure::hdu::{Hdu, HduInfo};
use fitsio_pure::header::Card;
use fitsio_pure::image::{ImageData, read_image_data};
use fitsio_pure::value::Value;

use super::spec::{Codec, Tiled};

/// What a tile held.
pub(super) enum Stored<'a> {
    /// Whole numbers.
    Whole(Vec<i32>),
    /// Big-endian whole numbers of 1 (unsigned), 2, 4 or 8 bytes.
    Bytes(&'a [u8], usize),
    /// Big-endian samples of the image's own type.
    Samples(&'a [u8]),
}

impl Stored<'_> {
    /// The stored whole numbers.
    pub(super) fn whole(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        match self {
            Self::Whole(v) => Box::new(v.iter().map(|&v| i64::from(v))),
            Self::Bytes(raw, 1) => Box::new(raw.iter().map(|&v| i64::from(v))),
            Self::Bytes(raw, 2) => {
                Box::new(raw.as_chunks::<2>().0.iter().map(|b| i64::from(i16::from_be_bytes(*b))))
            }
            Self::Bytes(raw, 4) => {
                Box::new(raw.as_chunks::<4>().0.iter().map(|b| i64::from(i32::from_be_bytes(*b))))
            }
            Self::Bytes(raw, _) | Self::Samples(raw) => {
                Box::new(raw.as_chunks::<8>().0.iter().map(|b| i64::from_be_bytes(*b)))
            }
        }
    }
}

/// Decodes tile after tile; buffers are kept between tiles.
pub(super) struct Decoder {
    codec: Codec,
    bitpix: i64,
    quantized: bool,
    foreign: Foreign,
    raw: Vec<u8>,
    shuffled: Vec<u8>,
}

type Answer<T> = std::result::Result<T, String>;

impl Decoder {
    pub(super) fn new(tiled: &Tiled) -> Self {
        Self {
            codec: tiled.codec,
            bitpix: tiled.encoding.bitpix,
            quantized: tiled.quantized.is_some(),
            foreign: Foreign::new(tiled),
            raw: Vec::new(),
            shuffled: Vec::new(),
        }
    }

    /// A tile as its image's compression made it.
    pub(super) fn coded(&mut self, bytes: &[u8], pixels: usize) -> Answer<Stored<'_>> {
        match self.codec {
            Codec::Rice { byte_pix, .. } => {
                let mut v = self.foreign.decode(bytes, pixels)?;
                // Differences were counted in so many bytes, and wrap there.
                match byte_pix {
                    1 => v.iter_mut().for_each(|v| *v = i32::from(*v as u8)),
                    2 => v.iter_mut().for_each(|v| *v = i32::from(*v as i16)),
                    _ => {}
                }
                Ok(Stored::Whole(v))
            }
            Codec::Hcompress { .. } => {
                let mut v = self.foreign.decode(bytes, pixels)?;
                if self.bitpix == 8 {
                    v.iter_mut().for_each(|v| *v = i32::from(*v as u8));
                }
                Ok(Stored::Whole(v))
            }
            Codec::Gzip { shuffled } => {
                self.inflate(bytes, pixels)?;
                if shuffled {
                    self.unshuffle(pixels);
                }
                self.bytes(pixels)
            }
            Codec::None => {
                self.raw.clear();
                self.raw.extend_from_slice(bytes);
                self.bytes(pixels)
            }
        }
    }

    /// A tile that the compression could not take, packed with gzip.
    pub(super) fn gzipped(&mut self, bytes: &[u8], pixels: usize) -> Answer<Stored<'_>> {
        self.inflate(bytes, pixels)?;
        self.samples(pixels)
    }

    /// A tile that the compression could not take, as it was.
    pub(super) fn plain(&mut self, bytes: &[u8], pixels: usize) -> Answer<Stored<'_>> {
        self.raw.clear();
        self.raw.extend_from_slice(bytes);
        self.samples(pixels)
    }

    fn samples(&self, pixels: usize) -> Answer<Stored<'_>> {
        let each = self.bitpix.unsigned_abs() as usize / 8;
        if self.raw.len() == pixels * each {
            return Ok(Stored::Samples(&self.raw));
        }
        // Some writers keep small integers of such tiles in 32 bits.
        if self.bitpix > 0 && self.raw.len() == pixels * 4 {
            return Ok(Stored::Bytes(&self.raw, 4));
        }
        Err(format!("{} bytes unpacked; {} were expected", self.raw.len(), pixels * each))
    }

    /// What was unpacked, by the width that its length tells.
    fn bytes(&self, pixels: usize) -> Answer<Stored<'_>> {
        if !self.quantized {
            return self.samples(pixels);
        }
        let width = self.raw.len() / pixels.max(1);
        if self.raw.len() == width * pixels && matches!(width, 1 | 2 | 4) {
            return Ok(Stored::Bytes(&self.raw, width));
        }
        let got = self.raw.len();
        Err(format!("{got} bytes unpacked; 1, 2 or 4 for each of {pixels} pixels were expected"))
    }

    /// Unpacks gzip, or bare zlib, and never more than eight bytes a pixel.
    fn inflate(&mut self, bytes: &[u8], pixels: usize) -> Answer<()> {
        self.raw.clear();
        let most = pixels as u64 * 8 + 1;
        let read = if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::GzDecoder::new(bytes).take(most).read_to_end(&mut self.raw)
        } else {
            flate2::read::ZlibDecoder::new(bytes).take(most).read_to_end(&mut self.raw)
        };
        read.map(|_| ()).map_err(|e| format!("gzip data are corrupt: {e}"))
    }

    /// Puts bytes back together that GZIP_2 sorted by significance.
    fn unshuffle(&mut self, pixels: usize) {
        let width = self.raw.len() / pixels.max(1);
        if width < 2 || width * pixels != self.raw.len() {
            // One byte a pixel has no order; a wrong length is told by who asks for the samples.
            return;
        }
        self.shuffled.resize(self.raw.len(), 0);
        for (plane, bytes) in self.raw.chunks_exact(pixels).enumerate() {
            for (slot, &b) in self.shuffled[plane..].iter_mut().step_by(width).zip(bytes) {
                *slot = b;
            }
        }
        std::mem::swap(&mut self.raw, &mut self.shuffled);
    }
}

/// The foreign decoder, told only what was checked: a table of one row, whose one cell is a tile.
struct Foreign {
    hdu: Hdu,
    /// A descriptor (length, offset 0), then the tile.
    bytes: Vec<u8>,
}

impl Foreign {
    fn new(tiled: &Tiled) -> Self {
        let (name, block, byte_pix, smooth) = match tiled.codec {
            Codec::Hcompress { smooth } => ("HCOMPRESS_1", 32, 4, smooth),
            Codec::Rice { block, byte_pix } => ("RICE_1", block, byte_pix, false),
            _ => ("RICE_1", 32, 4, false),
        };
        // Short integers make HCOMPRESS count in 32 bits, as the encoder did.
        let short = matches!(tiled.codec, Codec::Hcompress { .. })
            && matches!(tiled.encoding.bitpix, 8 | 16);
        let text = |key: &str, value: &str| Card::new(key, Value::String(value.into()));
        let cards = [
            text("TTYPE1", "COMPRESSED_DATA"),
            text("TFORM1", "1PB"),
            text("ZNAME1", "SMOOTH"),
            Card::new("ZVAL1", Value::Integer(i64::from(smooth))),
        ];
        let info = HduInfo::CompressedImage {
            zbitpix: if short { 16 } else { 32 },
            znaxes: vec![0],
            zcmptype: name.into(),
            ztile: vec![0],
            blocksize: block,
            rice_bytepix: byte_pix,
            naxis1: 8,
            naxis2: 1,
            pcount: 0,
            tfields: 1,
        };
        let cards = cards.into_iter().filter_map(std::result::Result::ok).collect();
        let hdu = Hdu { info, header_start: 0, data_start: 0, data_len: 0, cards };
        Self { hdu, bytes: Vec::new() }
    }

    fn decode(&mut self, tile: &[u8], pixels: usize) -> Answer<Vec<i32>> {
        let len = u32::try_from(tile.len()).map_err(|_| "a tile larger than 4 GiB".to_owned())?;
        self.bytes.clear();
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(tile);
        if let HduInfo::CompressedImage { znaxes, ztile, pcount, .. } = &mut self.hdu.info {
            znaxes[0] = pixels;
            ztile[0] = pixels;
            *pcount = tile.len();
        }
        let values = match read_image_data(&self.bytes, &self.hdu) {
            Ok(ImageData::I32(v)) => v,
            Ok(ImageData::I16(v)) => v.into_iter().map(i32::from).collect(),
            Ok(_) => return Err("the decoder gave no integers".to_owned()),
            Err(e) => return Err(e.to_string()),
        };
        if values.len() != pixels {
            return Err(format!("{} pixels decoded; {pixels} were expected", values.len()));
        }
        Ok(values)
    }
}
