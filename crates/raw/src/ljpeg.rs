//! Lossless JPEG, as DNG has it.
//!
//! # Source
//! T81: ITU-T T.81, annex H. DNG17: Digital Negative 1.7.1, chapter "Compression": before DNG 1.1 a
//! difference of 16 bits is followed by its bits.

use crate::bits::{Bits, Huffman, signed};

/// What the header of a lossless JPEG says, and where its scan begins.
struct Header {
    width: usize,
    height: usize,
    /// A Huffman code for each component.
    codes: Vec<usize>,
    tables: [Option<Huffman>; 4],
    bits: u32,
    predictor: u8,
    scan: usize,
}

/// A decoded lossless JPEG: `height` rows of `width` samples, those of the components in turn.
pub(crate) struct Picture {
    /// Samples a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// All of them, row after row.
    pub(crate) samples: Vec<u16>,
}

/// What a header without SOF, DHT or SOS lacks.
const SHORT: &str = "the lossless JPEG ends within its header";

/// A marker of a JPEG's header, and what it holds.
type Segment<'a> = (u8, &'a [u8]);

/// Segments of a JPEG's header as marker and content, SOS last, and where the scan begins.
///
/// # Errors
/// When they do not follow each other, or end before the scan.
fn segments(bytes: &[u8]) -> Result<(Vec<Segment<'_>>, usize), String> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err("a block does not begin as a JPEG does".into());
    }
    let mut found = Vec::new();
    let mut at = 2;
    loop {
        let head = bytes.get(at..at + 4).ok_or(SHORT)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] != 0xff || head[1] == 0xff || length < 2 {
            return Err(format!("no marker of a JPEG at byte {at} of a block"));
        }
        let content = bytes.get(at + 4..at + 2 + length).ok_or(SHORT)?;
        found.push((head[1], content));
        at += 2 + length;
        if head[1] == 0xda {
            return Ok((found, at));
        }
    }
}

/// Width, height, components and bits of a frame header.
fn frame(content: &[u8]) -> Result<(usize, usize, usize, u32), String> {
    let &[bits, h1, h0, w1, w0, components, ..] = content else { return Err(SHORT.into()) };
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    Ok((usize::from(width), usize::from(height), usize::from(components), u32::from(bits)))
}

/// The largest number of samples that the lossless JPEG at the start of `bytes` says it has; 0 where
/// it is no lossless JPEG.
///
/// # Errors
/// When its header holds something that readers could take for another header.
pub(crate) fn claimed(bytes: &[u8]) -> Result<u64, String> {
    let Ok((segments, _)) = segments(bytes) else {
        // A reader that looks for markers wherever they stand would go on; it finds no frame here.
        let lossless = bytes.starts_with(&[0xff, 0xd8])
            && bytes.windows(2).take(1 << 16).any(|w| w == [0xff, 0xc3]);
        return if lossless {
            Err("the header of the lossless JPEG is broken".into())
        } else {
            Ok(0)
        };
    };
    if !segments.iter().any(|(marker, _)| *marker == 0xc3) {
        return Ok(0);
    }
    let hidden = |(_, content): &(u8, &[u8])| {
        content.windows(2).any(|w| w[0] == 0xff && matches!(w[1], 0xc3 | 0xc4 | 0xda))
    };
    if segments.iter().any(hidden) || segments.iter().filter(|(m, _)| *m == 0xc3).count() > 1 {
        return Err("the lossless JPEG has one header within another".into());
    }
    let mut most = 0;
    for (_, content) in segments.iter().filter(|(marker, _)| *marker == 0xc3) {
        let (width, height, components, _) = frame(content)?;
        most = most.max((width * height * components) as u64);
    }
    Ok(most)
}

fn header(bytes: &[u8]) -> Result<Header, String> {
    let (segments, scan) = segments(bytes)?;
    let mut tables = [None, None, None, None];
    let mut size = None;
    for (marker, content) in &segments {
        match marker {
            0xc4 => {
                let mut rest = *content;
                while let Some((&id, after)) = rest.split_first() {
                    let counts: &[u8; 16] = after.first_chunk().ok_or(SHORT)?;
                    let n: usize = counts.iter().map(|&n| usize::from(n)).sum();
                    let values = after.get(16..16 + n).ok_or(SHORT)?;
                    let slot = tables.get_mut(usize::from(id)).ok_or("a Huffman code too many")?;
                    *slot = Some(Huffman::new(counts, values).ok_or("a Huffman code is broken")?);
                    rest = &after[16 + n..];
                }
            }
            0xc3 => {
                let found = frame(content)?;
                let components = content[6..].chunks_exact(3).map(|c| (c[0], c[1])).collect();
                size = Some((found, components));
            }
            0xc0..=0xcf => {
                return Err(format!(
                    "a JPEG of kind SOF{} where lossless JPEG (SOF3) was expected",
                    marker - 0xc0
                ));
            }
            // A restart interval of 0 is none.
            0xdd if content.iter().any(|b| *b != 0) => {
                return Err("a lossless JPEG with restart intervals, which are not read".into());
            }
            _ => {}
        }
    }
    let ((width, height, n, bits), components): (_, Vec<(u8, u8)>) =
        size.ok_or("the lossless JPEG says nothing of its size")?;
    let (_, scan_header) = segments[segments.len() - 1];
    let fields = scan_header.get(1..4 + 2 * n).filter(|_| usize::from(scan_header[0]) == n);
    let fields = fields.ok_or("the lossless JPEG has several scans, which are not read")?;
    if components.len() != n || !(1..=4).contains(&n) || components.iter().any(|c| c.1 != 0x11) {
        return Err("a lossless JPEG of reduced colours, which is not read".into());
    }
    if width == 0 || height == 0 || !(2..=16).contains(&bits) {
        return Err(format!("a lossless JPEG of {width}x{height} samples of {bits} bits"));
    }
    let codes = fields[..2 * n].chunks_exact(2).map(|c| usize::from(c[1] >> 4)).collect();
    let (predictor, transform) = (fields[2 * n], fields[2 * n + 2] & 15);
    if !(1..=7).contains(&predictor) || transform != 0 {
        return Err(format!(
            "a lossless JPEG of predictor {predictor}, shifted by {transform} bits"
        ));
    }
    Ok(Header { width, height, codes, tables, bits, predictor, scan })
}

/// Decodes one lossless JPEG of at most `most` samples; `padded` where a difference of 16 bits is
/// followed by its bits.
///
/// # Errors
/// When it is none, is broken or ends early, or says that it has more samples.
pub(crate) fn decode(bytes: &[u8], most: u64, padded: bool) -> Result<Picture, String> {
    let head = header(bytes)?;
    let n = head.codes.len();
    let width = head.width * n;
    if (width * head.height) as u64 > most {
        let (w, h) = (head.width, head.height);
        return Err(format!("a lossless JPEG of {w}x{h}x{n} samples where {most} can be at most"));
    }
    let code = |c: usize| head.tables.get(c).and_then(Option::as_ref);
    let codes: Option<Vec<&Huffman>> = head.codes.iter().map(|&c| code(c)).collect();
    let codes = codes.ok_or("the lossless JPEG lacks a Huffman code")?;
    let mut bits = Bits::of_jpeg(&bytes[head.scan..]);
    let mut samples = vec![0u16; width * head.height];
    for y in 0..head.height {
        let (above, rest) = samples.split_at_mut(y * width);
        let above = above.get(y.saturating_sub(1) * width..).unwrap_or_default();
        let row = &mut rest[..width];
        for x in 0..width {
            let near = |i: usize| i32::from(above[i]);
            let predicted = match (x < n, y) {
                (true, 0) => 1 << (head.bits - 1),
                (true, _) => near(x),
                (false, 0) => i32::from(row[x - n]),
                (false, _) => {
                    let (a, b, c) = (i32::from(row[x - n]), near(x), near(x - n));
                    match head.predictor {
                        1 => a,
                        2 => b,
                        3 => c,
                        4 => a + b - c,
                        5 => a + ((b - c) >> 1),
                        6 => b + ((a - c) >> 1),
                        _ => (a + b) >> 1,
                    }
                }
            };
            let difference = match codes[x % n].take(&mut bits) {
                Some(16) => {
                    if padded {
                        bits.take(16);
                    }
                    -32768
                }
                Some(length @ 0..16) => signed(bits.take(length.into()), length.into()),
                _ => return Err("the lossless JPEG holds bits that are no code".into()),
            };
            let value = (predicted + difference) as u16;
            if u32::from(value) >> head.bits != 0 {
                return Err(format!(
                    "a sample of {value} in a lossless JPEG of {} bits",
                    head.bits
                ));
            }
            row[x] = value;
        }
        if bits.is_past_end() {
            return Err(format!("the lossless JPEG ends in row {y} of {}", head.height));
        }
    }
    Ok(Picture { width, height: head.height, samples })
}
