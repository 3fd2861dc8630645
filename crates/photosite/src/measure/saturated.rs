//! Where a light is saturated.

use std::ops::Range;

use photosite_pix::{MaskBits, Plane};
use serde::{Deserialize, Serialize};

/// Samples of a mask that are looked at together.
const PART: usize = 256;

/// The saturated samples of a light, as runs along its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saturated {
    runs: Vec<(usize, Range<usize>)>,
}

impl Saturated {
    /// Adds what a mask marks.
    pub fn add(&mut self, mask: &Plane<MaskBits>) {
        // What was repaired is no longer the saturated sample that it was.
        let repaired = MaskBits::HOT | MaskBits::COLD | MaskBits::UNSTABLE | MaskBits::COSMIC;
        let saturated = |m: &MaskBits| {
            m.contains(MaskBits::SATURATED)
                && !(m.contains(MaskBits::INTERPOLATED) && m.intersects(repaired))
        };
        for y in 0..mask.size().height {
            let row = mask.row(y);
            let mut x = 0;
            while x < row.len() {
                // Most parts of most rows have none: seen at once, without a look at each.
                let part = &row[x..row.len().min(x + PART)];
                let any = part.iter().fold(MaskBits::empty(), |all, m| all | *m);
                let first =
                    any.contains(MaskBits::SATURATED).then(|| part.iter().position(saturated));
                let Some(first) = first.flatten() else {
                    x += part.len();
                    continue;
                };
                let start = x + first;
                x = start + row[start..].iter().take_while(|m| saturated(m)).count();
                self.runs.push((y, start..x));
            }
        }
    }

    /// Those of a frame of one plane, by row.
    pub fn runs(&self) -> &[(usize, Range<usize>)] {
        &self.runs
    }

    /// Column and row of each.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        self.runs.iter().flat_map(|(y, columns)| columns.clone().map(|x| (x, *y)))
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::*;

    #[test]
    fn every_marked_pixel_and_no_other() {
        let mut mask = Plane::<MaskBits>::zeroed(Size::new(5, 2));
        for (x, y) in [(0, 0), (1, 0), (4, 0), (3, 1), (4, 1)] {
            mask.row_mut(y)[x] = MaskBits::SATURATED;
        }
        mask.row_mut(1)[0] = MaskBits::HOT;
        mask.row_mut(0)[2] = MaskBits::SATURATED | MaskBits::HOT | MaskBits::INTERPOLATED;
        let mut saturated = Saturated::default();
        saturated.add(&mask);
        let found: Vec<_> = saturated.pixels().collect();
        assert_eq!(found, [(0, 0), (1, 0), (4, 0), (3, 1), (4, 1)]);
    }
}
