//! A picture of a defect map.

use std::path::Path;

use photosite_pix::{MaskBits, RowOrder, Size};

use crate::Result;
use crate::defects::DefectMap;
use crate::preview::write_colours;

/// What a pixel without a defect is drawn in.
const GOOD: [u8; 3] = [24, 24, 24];

/// Colours, the worst last: it covers the others.
const COLOURS: [(MaskBits, [u8; 3]); 6] = [
    (MaskBits::WARM, [150, 105, 20]),
    (MaskBits::SUSPECT, [220, 60, 220]),
    (MaskBits::UNSTABLE, [70, 220, 90]),
    (MaskBits::COLD, [80, 140, 255]),
    (MaskBits::HOT, [255, 80, 50]),
    (MaskBits::NO_DATA, [255, 255, 255]),
];

/// Draws a map as a PNG at most `width` columns wide: hot red, warm brown, cold blue, unstable green, bent
/// magenta, without data white; a dot covers at least one pixel of the picture.
///
/// # Errors
/// When a file stands there that Photosite did not make, or the operating system refuses.
pub fn draw_defects(
    map: &DefectMap,
    order: Option<RowOrder>,
    png: &Path,
    width: usize,
) -> Result<()> {
    let factor = map.size.width.div_ceil(width.max(1)).max(1);
    let size = Size::new(map.size.width.div_ceil(factor), map.size.height.div_ceil(factor));
    let mut bytes = GOOD.repeat(size.pixels());
    let mut rank = vec![0u8; size.pixels()];
    let top_down = order == Some(RowOrder::TopDown);
    for s in &map.seen {
        let (x, y) = (s.x / factor, s.y / factor);
        let y = if top_down { y } else { size.height - 1 - y };
        let at = y * size.width + x;
        for (i, (bit, colour)) in COLOURS.iter().enumerate() {
            if s.bits.contains(*bit) && i as u8 + 1 > rank[at] {
                rank[at] = i as u8 + 1;
                bytes[3 * at..3 * at + 3].copy_from_slice(colour);
            }
        }
    }
    write_colours(size, &bytes, png)
}
