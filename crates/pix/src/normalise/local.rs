//! A light brought to the background of the reference everywhere, not only on the whole.

use crate::Size;
use crate::align::Transform;
use crate::stars::{Cells, Mesh};

/// What is added to a light, scaled and laid over the reference, to give it the reference's
/// background: moonlight and the glow of towns come and go between lights.
///
/// It follows what changes over some hundred pixels and more; stars and what is smaller than a cell
/// of the mesh do not show. Within a cell of a rim it follows slopes only in part.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalOffsets {
    cells: Cells,
}

impl LocalOffsets {
    /// Offsets over the pixels of the reference: its background less `scale` times that of the
    /// light, which is of `size`, at the place to which `transform` takes the pixel.
    ///
    /// Where the light does not reach, the offset is that of the nearest places where it does; `None`
    /// where it reaches nowhere, or where `scale` is not finite.
    pub fn new(
        reference: &Mesh,
        light: &Mesh,
        size: Size,
        transform: &Transform,
        scale: f64,
    ) -> Option<Self> {
        let inside = |v: f64, end: usize| v > -0.5 && v < end as f64 - 0.5;
        let cells = reference.smoothed(|level, at| {
            let there = transform.apply(at);
            if inside(there.x, size.width) && inside(there.y, size.height) {
                level - scale * light.level_at(there.x, there.y)
            } else {
                f64::NAN
            }
        })?;
        scale.is_finite().then_some(Self { cells })
    }

    /// The offsets along row `y` of the reference, from column 0 on, in the unit of the reference's
    /// samples.
    pub fn row(&self, y: usize, out: &mut [f32]) {
        self.cells.row(y, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::Point;
    use crate::{MaskBits, Plane};

    const SIZE: Size = Size::new(1000, 700);

    /// A frame of background with noise of 5, and its mesh.
    fn mesh(level: impl Fn(f64, f64) -> f64, seed: u64) -> Mesh {
        let mut state = 0x9e37_79b9_7f4a_7c15u64 ^ seed;
        let mut uniform = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f64 / (1u64 << 24) as f64
        };
        let data = Plane::from_fn(SIZE, |x, y| {
            let noise = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            (level(x as f64, y as f64) + 5.0 * noise) as f32
        });
        let mask: Plane<MaskBits> = Plane::zeroed(SIZE);
        Mesh::of(&data, &mask)
    }

    #[test]
    fn gradients_are_brought_to_the_references() {
        let wanted = |x: f64, y: f64| 800.0 + 0.02 * x - 0.03 * y;
        let (s, c) = 0.05f64.sin_cos();
        let t = Transform::affine(c, -s, 40.0, s, c, -25.0);
        // A light 1.25 times as faint under moonlight that rises to a corner.
        let moon = |x: f64, y: f64| 300.0 + 0.06 * x + 4e-5 * y * y;
        let reference = mesh(wanted, 1);
        let light = mesh(
            |x, y| {
                let at = t.invert(Point::new(x, y)).unwrap();
                (wanted(at.x, at.y) + moon(at.x, at.y)) / 1.25
            },
            2,
        );
        let offsets = LocalOffsets::new(&reference, &light, SIZE, &t, 1.25).unwrap();
        let mut row = vec![0.0; SIZE.width];
        let (mut worst, mut sum, mut count) = (0.0f64, 0.0, 0.0);
        let from_rim = |x: f64, y: f64| x.min(y).min(999.0 - x).min(699.0 - y);
        for y in (0..SIZE.height).step_by(9) {
            offsets.row(y, &mut row);
            for (x, offset) in row.iter().enumerate().step_by(7) {
                let at = t.apply(Point::new(x as f64, y as f64));
                let off = f64::from(*offset) + moon(x as f64, y as f64);
                let rim = from_rim(at.x, at.y).min(from_rim(x as f64, y as f64));
                if rim > 0.0 {
                    worst = worst.max(off.abs());
                }
                if rim > 96.0 {
                    (sum, count) = (sum + off * off, count + 1.0);
                }
            }
        }
        let rms = (sum / count).sqrt();
        println!("offsets: rms {rms:.3}, worst {worst:.3} of a noise of 5 and a gradient of 80");
        assert!(rms < 0.5 && worst < 6.0, "{rms} {worst}");
    }

    #[test]
    fn a_light_that_lies_elsewhere_has_none() {
        let even = mesh(|_, _| 100.0, 3);
        let away = Transform::affine(1.0, 0.0, 5000.0, 0.0, 1.0, 0.0);
        assert_eq!(LocalOffsets::new(&even, &even, SIZE, &away, 1.0), None);
        assert_eq!(LocalOffsets::new(&even, &even, SIZE, &Transform::IDENTITY, f64::NAN), None);
        let mut row = vec![1.0; SIZE.width];
        let same = LocalOffsets::new(&even, &even, SIZE, &Transform::IDENTITY, 1.0).unwrap();
        same.row(350, &mut row);
        assert!(row.iter().all(|v| v.abs() < 1e-3));
    }
}
