//! The FITS checksum.
//!
//! # Source
//! FITS standard 4.0, section 4.4.2.7 and appendix J (FITS4).

use multiversion::multiversion;

/// A ones'-complement sum of 32-bit big-endian words, gathered in any order.
///
/// The sum does not depend on the order of the words, so that rows may be added as they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds `bytes`, which stand `offset` bytes after a word boundary.
    pub(crate) fn add(&mut self, offset: u64, bytes: &[u8]) {
        let lead = ((4 - offset % 4) % 4) as usize;
        let (head, body) = bytes.split_at(lead.min(bytes.len()));
        for (i, &b) in head.iter().enumerate() {
            self.byte(offset as usize % 4 + i, b);
        }
        let (words, rest) = body.as_chunks::<4>();
        // Far fewer than the 2^32 words that would overflow the sum.
        self.0 = fold(self.0).wrapping_add(fold(total(words)));
        for (i, &b) in rest.iter().enumerate() {
            self.byte(i, b);
        }
    }

    fn byte(&mut self, place: usize, b: u8) {
        self.0 = fold(self.0) + (u64::from(b) << (8 * (3 - place)));
    }

    /// Adds another sum.
    pub(crate) fn join(&mut self, other: Self) {
        self.0 = fold(self.0) + fold(other.0);
    }

    /// The sum as 32 bits.
    pub(crate) fn value(self) -> u32 {
        fold(fold(self.0)) as u32
    }
}

/// The sum of big-endian words.
#[multiversion(targets("x86_64+avx2"))]
fn total(words: &[[u8; 4]]) -> u64 {
    words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum()
}

/// Brings carries back into the low 32 bits.
fn fold(sum: u64) -> u64 {
    let once = (sum & 0xffff_ffff) + (sum >> 32);
    (once & 0xffff_ffff) + (once >> 32)
}

/// The sixteen characters that make a header sum up to minus zero.
pub(crate) fn encode(sum: u32) -> [u8; 16] {
    let complement = !sum;
    let mut out = [0u8; 16];
    for (i, &byte) in complement.to_be_bytes().iter().enumerate() {
        let quotient = byte / 4 + b'0';
        let mut part = [quotient + byte % 4, quotient, quotient, quotient];
        // Punctuation is stepped over, two characters in opposite directions.
        while part.iter().any(|c| (0x3a..=0x40).contains(c) || (0x5b..=0x60).contains(c)) {
            for pair in 0..2 {
                let bad = |c: u8| (0x3a..=0x40).contains(&c) || (0x5b..=0x60).contains(&c);
                if bad(part[2 * pair]) || bad(part[2 * pair + 1]) {
                    part[2 * pair] += 1;
                    part[2 * pair + 1] -= 1;
                }
            }
        }
        for (j, &c) in part.iter().enumerate() {
            out[4 * j + i] = c;
        }
    }
    out.rotate_right(1);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_standards_example() {
        // FITS 4.0, appendix J: the sum 868229149 encodes to hcHjjc9ghcEghc9g.
        assert_eq!(&encode(868_229_149), b"hcHjjc9ghcEghc9g");
    }

    proptest! {
        #[test]
        fn cut_anywhere_the_sum_is_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200
        ) {
            let mut whole = Sum::default();
            whole.add(0, &bytes);
            let cut = cut.min(bytes.len());
            let mut parts = Sum::default();
            parts.add(cut as u64, &bytes[cut..]);
            parts.add(0, &bytes[..cut]);
            prop_assert_eq!(parts.value(), whole.value());
            let mut joined = Sum::default();
            joined.join(whole);
            prop_assert_eq!(joined.value(), whole.value());
        }

        #[test]
        fn an_encoded_sum_cancels_itself(sum in 0u32..) {
            let text = encode(sum);
            prop_assert!(text.iter().all(u8::is_ascii_alphanumeric));
            let mut total = Sum::default();
            total.add(0, &sum.to_be_bytes());
            // The characters stand at column 12 of a card, hence one byte before a word boundary.
            total.add(3, &text);
            // The encoded characters carry an offset of '0' each.
            total.join(Sum(u64::from(!(0x3030_3030u32)) * 4));
            prop_assert!(total.value() == u32::MAX || total.value() == 0);
        }
    }
}
