//! Bits, largest first, and the Huffman codes that stand in them.

/// Reads bits from the largest of each byte on.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// Zeros put behind the end of the bytes.
    added: u32,
    /// A JPEG's bytes: 0xff is followed by a 0 that does not count, or by a marker that ends them.
    jpeg: bool,
}

impl<'a> Bits<'a> {
    /// The bits of `bytes`, each of which counts.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, held: 0, count: 0, added: 0, jpeg: false }
    }

    /// The bits of the scan of a JPEG.
    pub(crate) fn of_jpeg(bytes: &'a [u8]) -> Self {
        Self { jpeg: true, ..Self::new(bytes) }
    }

    fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        if self.jpeg && byte == 0xff {
            if self.bytes.get(self.at) != Some(&0) {
                self.at = self.bytes.len();
                return None;
            }
            self.at += 1;
        }
        Some(byte)
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = self.next_byte().unwrap_or_else(|| {
                self.added = self.added.saturating_add(8);
                0
            });
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next `n` bits, at most 16, which stay; zeros behind the end.
    pub(crate) fn peek(&mut self, n: u32) -> u32 {
        if self.count < n {
            self.fill();
        }
        (self.held >> (self.count - n)) as u32 & ((1 << n) - 1)
    }

    /// Takes the next `n` bits, at most 16.
    pub(crate) fn take(&mut self, n: u32) -> u32 {
        let value = self.peek(n);
        self.count -= n;
        value
    }

    /// True once bits were taken that are not there.
    pub(crate) fn is_past_end(&self) -> bool {
        self.count < self.added
    }
}

/// A Huffman code of at most 16 bits over values of a byte.
pub(crate) struct Huffman {
    /// For each run of `longest` bits: how many of them are the code (0: none is), and its value.
    table: Vec<(u8, u8)>,
    longest: u32,
}

impl Huffman {
    /// The code with `counts[i]` codes of `i + 1` bits, which stand for `values` in turn; `None`
    /// where there are more codes than bits, or fewer values than codes.
    pub(crate) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let longest = counts.iter().rposition(|&n| n > 0)? as u32 + 1;
        let mut table = Vec::with_capacity(1 << longest);
        let mut values = values.iter();
        for (bits, &n) in (1..=longest).zip(counts) {
            for _ in 0..n {
                let entry = (bits as u8, *values.next()?);
                table.extend(std::iter::repeat_n(entry, 1 << (longest - bits)));
                if table.len() > 1 << longest {
                    return None;
                }
            }
        }
        table.resize(1 << longest, (0, 0));
        Some(Self { table, longest })
    }

    /// Takes one code; `None` where the bits are none.
    pub(crate) fn take(&self, bits: &mut Bits) -> Option<u8> {
        let (length, value) = self.table[bits.peek(self.longest) as usize];
        bits.take(u32::from(length));
        (length > 0).then_some(value)
    }
}

/// The difference that `length` bits stand for in a lossless JPEG: those with the first bit clear are
/// below zero.
///
/// # Source
/// T81: ITU-T T.81, annex F.1.2.1 and table H.2.
pub(crate) fn signed(raw: u32, length: u32) -> i32 {
    let raw = raw as i32;
    if length > 0 && raw >> (length - 1) == 0 { raw - (1 << length) + 1 } else { raw }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_end_where_the_bytes_do() {
        let mut bits = Bits::new(&[0b1010_0000, 0xff]);
        assert_eq!((bits.take(3), bits.take(5), bits.take(8)), (5, 0, 255));
        assert!(!bits.is_past_end());
        assert_eq!(bits.take(1), 0);
        assert!(bits.is_past_end());
        // A stuffed byte, then a marker.
        let mut bits = Bits::of_jpeg(&[0xff, 0, 0x80, 0xff, 0xd9]);
        assert_eq!((bits.take(16), bits.is_past_end()), (0xff80, false));
        assert_eq!((bits.take(16), bits.is_past_end()), (0, true));
    }

    #[test]
    fn codes_and_differences() {
        let mut counts = [0; 16];
        counts[..3].copy_from_slice(&[1, 1, 1]);
        let code = Huffman::new(&counts, &[7, 8, 9]).unwrap();
        let mut bits = Bits::new(&[0b0101_1011, 0b1000_0000]);
        let found: Vec<_> = (0..4).map(|_| code.take(&mut bits)).collect();
        assert_eq!(found, [Some(7), Some(8), Some(9), None]);
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[0; 8]).is_none());
        assert!(Huffman::new(&[0; 16], &[]).is_none());
        let differences: Vec<_> = (0..4).map(|raw| signed(raw, 2)).collect();
        assert_eq!(differences, [-3, -2, 2, 3]);
        assert_eq!(signed(0, 0), 0);
    }
}
