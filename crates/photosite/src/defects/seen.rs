//! A pixel that was seen to be defective.

use photosite_pix::MaskBits;

/// A pixel of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// What it is: HOT, WARM, COLD, UNSTABLE, SUSPECT (its response bends), NO_DATA.
    pub bits: MaskBits,
    /// How far it stands off, in sigmas of its surroundings; negative below; 0 where that is not known.
    pub score: f32,
    /// The share of the frames in which it was seen; 0 where it was entered with its column.
    pub share: f32,
    /// What it has above its surroundings in the longest darks, in ADU; NaN where that is not known.
    pub excess: f32,
}

/// Puts pixels that were seen elsewhere among those of a map: bits come together, the higher score and
/// share stand.
pub fn merge(seen: &mut Vec<Seen>, more: Vec<Seen>) {
    seen.extend(more);
    // Equal places in an order that no thread decides.
    seen.sort_by(|a, b| {
        let key = |s: &Seen| (s.y, s.x, std::cmp::Reverse(s.bits.bits()));
        key(a).cmp(&key(b)).then(b.score.abs().total_cmp(&a.score.abs()))
    });
    seen.dedup_by(|b, a| {
        let same = (a.y, a.x) == (b.y, b.x);
        if same {
            a.bits |= b.bits;
            if b.score.abs() > a.score.abs() {
                a.score = b.score;
            }
            a.share = a.share.max(b.share);
            if !a.excess.is_finite() {
                a.excess = b.excess;
            }
        }
        same
    });
    for s in seen.iter_mut().filter(|s| s.bits.contains(MaskBits::HOT)) {
        s.bits.remove(MaskBits::WARM);
    }
}
