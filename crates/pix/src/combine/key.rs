//! Samples as sorting networks see them.

/// A sample as the networks see it; a missing one is the greatest key.
pub(super) trait Key: Copy {
    /// The smaller and the greater of two. Both selections ask one question, so that the pair
    /// stays the same pair whatever the target does with equal keys.
    fn order(a: Self, b: Self) -> (Self, Self);
}

impl Key for f32 {
    #[inline(always)]
    fn order(a: Self, b: Self) -> (Self, Self) {
        (if a < b { a } else { b }, if a < b { b } else { a })
    }
}

impl Key for u16 {
    #[inline(always)]
    fn order(a: Self, b: Self) -> (Self, Self) {
        (a.min(b), a.max(b))
    }
}
