//! SER: videos of planetary cameras, every frame of them an image of its own.
//!
//! # Source
//! SER3: SER format description, version 3. Writers disagree on its flag
//! for the byte order, so the samples decide.

use std::ops::Range;
use std::path::Path;

use photosite_pix::{Card, Header, Size};

use crate::bytes::Bytes;
use crate::fits::{HduKind, HduSummary, header_of};
use crate::plausible::expect_size;
use crate::source::check_rows;
use crate::{Access, Error, Probe, RawSource, Result, Source};

/// How a file begins.
pub(crate) const MAGIC: &[u8] = b"LUCAM-RECORDER";
/// Bytes before the first frame.
const HEADER: u64 = 178;
/// Ticks of 100 ns from the year 1 to 1970.
const EPOCH: i64 = 621_355_968_000_000_000;
/// Rows that are looked at to tell the byte order.
const LOOKED: usize = 16;

/// A video with its header read.
struct Ser {
    bytes: Bytes,
    size: Size,
    planes: usize,
    /// Blue comes first.
    turned: bool,
    depth: i64,
    frames: usize,
    cfa: Option<&'static str>,
    names: [String; 3],
    start: i64,
}

impl Ser {
    fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::open(path)?;
        let mut head = [0u8; HEADER as usize];
        bytes.read_exact_at(0, &mut head)?;
        let number =
            |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let damaged = |what: String| Error::damaged(path, format!("SER: {what}"));
        let side = |at: usize| usize::try_from(number(at)).unwrap_or(0);
        let (size, depth) = (Size::new(side(26), side(30)), i64::from(number(34)));
        if size.pixels() == 0 || !(1..=16).contains(&depth) {
            return Err(damaged(format!(
                "frames of {size} with {depth} bits; 1 or more pixels of 1 to 16 bits were expected"
            )));
        }
        let (planes, cfa) = match number(18) {
            0 => (1, None),
            8 => (1, Some("RGGB")),
            9 => (1, Some("GRBG")),
            10 => (1, Some("GBRG")),
            11 => (1, Some("BGGR")),
            100 | 101 => (3, None),
            other => {
                let message = format!("SER of colour {other}, not read here; export it as FITS");
                return Err(Error::unsupported(path, message));
            }
        };
        expect_size(path, size, planes)?;
        let text = |at: usize| {
            let all: String = head[at..at + 40].iter().map(|&b| char::from(b)).collect();
            all.trim_matches(|c: char| c == '\0' || c == ' ').to_owned()
        };
        let mut ser = Self {
            bytes,
            size,
            planes,
            turned: number(18) == 101,
            depth,
            frames: side(38),
            cfa,
            names: [text(42), text(82), text(122)],
            start: i64::from_le_bytes(head[170..178].try_into().expect("8 bytes")),
        };
        let there = (ser.bytes.len() - HEADER) / ser.frame_bytes();
        if ser.frames == 0 || ser.frames as u64 > there {
            return Err(damaged(format!(
                "cut short: {there} whole frame(s) found, {} expected; copy it again",
                ser.frames
            )));
        }
        // A time for each frame may follow them.
        let mut first = [0u8; 8];
        if ser.bytes.read_exact_at(ser.offset(ser.frames), &mut first).is_ok() {
            ser.start = i64::from_le_bytes(first);
        }
        Ok(ser)
    }

    fn each(&self) -> u64 {
        if self.depth > 8 { 2 } else { 1 }
    }

    fn frame_bytes(&self) -> u64 {
        self.size.pixels() as u64 * self.planes as u64 * self.each()
    }

    fn offset(&self, frame: usize) -> u64 {
        HEADER + frame as u64 * self.frame_bytes()
    }

    /// The start of a frame in UTC, where the file tells.
    fn date(&self, frame: usize) -> Option<String> {
        let mut ticks = [0u8; 8];
        let at = self.offset(self.frames) + 8 * frame as u64;
        let ticks = match self.bytes.read_exact_at(at, &mut ticks) {
            Ok(()) => i64::from_le_bytes(ticks),
            Err(_) if frame == 0 => self.start,
            Err(_) => return None,
        };
        let microseconds = ticks.checked_sub(EPOCH).filter(|t| *t > 0)? / 10;
        let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
        let span = jiff::Span::new().try_microseconds(microseconds).ok()?;
        epoch.checked_add(span).ok().map(|d| d.to_string())
    }

    fn header(&self, frame: usize) -> Header {
        let mut cards = Header::new();
        for (key, name) in ["OBSERVER", "INSTRUME", "TELESCOP"].iter().zip(&self.names) {
            if !name.is_empty() {
                cards.push(Card::string(key, name, ""));
            }
        }
        if let Some(cfa) = self.cfa {
            cards.push(Card::string("BAYERPAT", cfa, "ColorID of SER"));
        }
        cards.push(Card::string("ROWORDER", "TOP-DOWN", "as SER has it"));
        if let Some(date) = self.date(frame) {
            cards.push(Card::string("DATE-OBS", &date, "UTC"));
        }
        let bitpix = if self.depth > 8 { 16 } else { 8 };
        header_of(bitpix, self.size, self.planes, &cards)
    }

    fn probe(&self, frame: usize, hdus: Vec<HduSummary>) -> Probe {
        Probe {
            format: "SER",
            image: frame,
            header: self.header(frame),
            size: self.size,
            planes: self.planes,
            access: Access::Rows,
            file_bytes: self.bytes.len(),
            hdus,
            notes: vec![format!("a video of {} frame(s)", self.frames)],
            cut: None,
        }
    }

    fn summary(&self, index: usize) -> HduSummary {
        HduSummary {
            index,
            name: None,
            kind: if index == 0 { HduKind::Primary } else { HduKind::Image },
            size: Some(self.size),
            planes: self.planes,
            bitpix: if self.depth > 8 { 16 } else { 8 },
            data_bytes: self.frame_bytes(),
        }
    }

    /// Whether numbers begin with their larger byte: in the right order neighbours are alike.
    fn is_big_endian(&self, frame: usize) -> Result<bool> {
        if self.each() == 1 {
            return Ok(false);
        }
        let row = self.size.width * self.planes * 2;
        let rows = LOOKED.min(self.size.height);
        let y0 = (self.size.height - rows) / 2;
        let mut raw = vec![0u8; rows * row];
        self.bytes.read_exact_at(self.offset(frame) + (y0 * row) as u64, &mut raw)?;
        // Two columns on, the filter of an array is the same.
        let roughness = |value: fn([u8; 2]) -> u16| -> u64 {
            let difference = |line: &[[u8; 2]]| -> u64 {
                let pairs = line.iter().zip(&line[(2 * self.planes).min(line.len())..]);
                pairs.map(|(a, b)| u64::from(value(*a).abs_diff(value(*b)))).sum()
            };
            raw.chunks_exact(row).map(|line| difference(line.as_chunks::<2>().0)).sum()
        };
        Ok(roughness(u16::from_be_bytes) < roughness(u16::from_le_bytes))
    }
}

/// Reads the header of a video; of its frames the first is described.
pub(crate) fn probe(path: &Path) -> Result<Probe> {
    let ser = Ser::open(path)?;
    let all = (0..ser.frames).map(|i| ser.summary(i)).collect();
    Ok(ser.probe(0, all))
}

/// Describes every frame, each with its own start.
pub(crate) fn probe_frames(path: &Path) -> Result<Vec<Probe>> {
    let ser = Ser::open(path)?;
    Ok((0..ser.frames).map(|i| ser.probe(i, vec![ser.summary(i)])).collect())
}

/// Opens frame `index`.
pub(crate) fn open(path: &Path, index: usize) -> Result<Box<dyn Source>> {
    let ser = Ser::open(path)?;
    if index >= ser.frames {
        let message = format!("frame {index} was asked for; the video has {}", ser.frames);
        return Err(Error::request(path, message));
    }
    let big_endian = ser.is_big_endian(index)?;
    Ok(Box::new(SerSource { offset: ser.offset(index), ser, big_endian }))
}

struct SerSource {
    ser: Ser,
    offset: u64,
    big_endian: bool,
}

impl SerSource {
    fn read<T>(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [T],
        from: impl Fn(u16) -> T,
    ) -> Result<()> {
        let Ser { size, planes, .. } = self.ser;
        check_rows(self.ser.bytes.path(), (size, planes), plane, &rows, out.len())?;
        let each = self.ser.each() as usize;
        let plane = if self.ser.turned { planes - 1 - plane } else { plane };
        let offset = self.offset + (rows.start * size.width * planes * each) as u64;
        self.ser.bytes.decode(offset, planes * each, scratch, out, |raw, part| {
            for (slot, pixel) in part.iter_mut().zip(raw.chunks_exact(planes * each)) {
                *slot = from(match pixel[plane * each..] {
                    [a, b, ..] if each == 2 && self.big_endian => u16::from_be_bytes([a, b]),
                    [a, b, ..] if each == 2 => u16::from_le_bytes([a, b]),
                    [a, ..] => u16::from(a),
                    [] => 0,
                });
            }
        })
    }
}

impl Source for SerSource {
    fn size(&self) -> Size {
        self.ser.size
    }

    fn planes(&self) -> usize {
        self.ser.planes
    }

    fn access(&self) -> Access {
        Access::Rows
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        self.read(plane, rows, scratch, out, f32::from)
    }

    fn raw(&self) -> Option<&dyn RawSource> {
        Some(self)
    }
}

impl RawSource for SerSource {
    fn read_raw_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [u16],
    ) -> Result<()> {
        self.read(plane, rows, scratch, out, |v| v)
    }
}
