//! A light whose trails, empty borders and burnt-out pixels are holes.

use std::sync::Arc;

use photosite_file::{Source, changed};
use photosite_pix::border::Border;
use photosite_pix::trails::Trail;

/// A light whose samples under `trails`, in its pixels, on a `border` without data, and at `pixels` (rows and
/// columns, row after row) are NaN in all planes alike.
///
/// It stands below whatever mixes neighbours (debayering, interpolation), so that no light of a
/// trail reaches beyond its band.
pub fn blanked(
    source: Box<dyn Source>,
    trails: Vec<Trail>,
    border: Option<Arc<Border>>,
    pixels: Arc<[(usize, usize)]>,
) -> Box<dyn Source> {
    let width = source.size().width;
    changed(source, move |rows, plane| {
        let from = pixels.partition_point(|(y, _)| *y < rows.start);
        let to = pixels.partition_point(|(y, _)| *y < rows.end);
        for (y, x) in &pixels[from..to] {
            plane[(y - rows.start) * width + x] = f32::NAN;
        }
        if let Some(border) = &border {
            border.each(rows.clone(), |i| plane[i] = f32::NAN);
        }
        for trail in &trails {
            trail.spans(rows.clone(), width, |y, columns| {
                plane[(y - rows.start) * width..][columns].fill(f32::NAN);
            });
        }
    })
}
