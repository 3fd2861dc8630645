//! Transforms that do what another map does.

use super::fit::fit;
use super::register::Field;
use super::{Model, Point, Transform};
use crate::Size;

/// Places along each side at which the map is asked.
const ASKED: usize = 65;

/// Fewest places that must fall on the frame: a fiftieth of the image.
const LEAST_PLACES: usize = ASKED * ASKED / 50;

/// A transform that is nowhere further from the map than this many pixels is as good as the map: a
/// tenth of what stars of a good frame are measured to.
const GOOD_PX: f64 = 0.01;

/// The simplest transform that does what `map` does from the pixels of an image of size `from` to
/// those of a frame of size `to`, and its root mean square misfit in pixels of the frame.
///
/// Where none is within a hundredth of a pixel everywhere, the nearest. `None` where the map takes
/// less than a fiftieth of the image onto the frame.
pub fn follow(
    map: impl Fn(Point) -> Option<Point>,
    from: Size,
    to: Size,
) -> Option<(Transform, f64)> {
    let along = |i: usize, n: usize| (n as f64 - 1.0) * i as f64 / (ASKED - 1) as f64;
    let inside = |v: f64, n: usize| v >= -0.5 && v <= n as f64 - 0.5;
    let pairs: Vec<(Point, Point)> = (0..ASKED * ASKED)
        .map(|i| Point::new(along(i % ASKED, from.width), along(i / ASKED, from.height)))
        .filter_map(|p| Some((p, map(p)?)))
        .filter(|(_, q)| inside(q.x, to.width) && inside(q.y, to.height))
        .collect();
    if pairs.len() < LEAST_PLACES {
        return None;
    }
    let mirrored = fit(Model::Affine, &pairs, false)?.is_mirrored(pairs[0].0);
    let misfit = |t: &Transform| {
        let away = pairs.iter().map(|(p, q)| t.apply(*p).distance(*q));
        away.fold((0.0, 0.0), |(sum, worst), d| (sum + d * d, f64::max(worst, d)))
    };
    let mut best: Option<(Transform, f64)> = None;
    for model in Model::ALL {
        let Some(transform) = fit(model, &pairs, mirrored) else { continue };
        let (squares, worst) = misfit(&transform);
        let rms = (squares / pairs.len() as f64).sqrt();
        if best.is_none_or(|(_, least)| rms < least) {
            best = Some((transform, rms));
        }
        if worst < GOOD_PX {
            break;
        }
    }
    best.filter(|(_, rms)| rms.is_finite())
}

/// The stars of two lists that a transform brings together, the nearer the better they agree; for
/// a transform that does not come from them.
pub fn coincident(
    transform: &Transform,
    reference: &[Point],
    frame: &[Point],
) -> Vec<(usize, usize)> {
    Field::new(reference, frame).settled(transform)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(3000, 2000);

    #[test]
    fn the_simplest_that_does_is_taken() {
        let turned = |p: Point| Some(Point::new(3000.0 - p.x + 12.5, 2000.0 - p.y));
        let (t, rms) = follow(turned, SIZE, SIZE).unwrap();
        assert!(t.model == Model::Similarity && rms < 1e-9, "{t:?} {rms}");
        let mirrored = |p: Point| Some(Point::new(3000.0 - p.x, p.y));
        let (t, rms) = follow(mirrored, SIZE, SIZE).unwrap();
        assert!(t.model == Model::Similarity && rms < 1e-9 && t.is_mirrored(Point::new(9.0, 9.0)));
        let tilted = |p: Point| {
            let below = 1.0 + 3e-6 * p.x;
            Some(Point::new(p.x / below, p.y / below))
        };
        let (t, rms) = follow(tilted, SIZE, SIZE).unwrap();
        assert!(t.model == Model::Homography && rms < 1e-6, "{t:?} {rms}");
    }

    #[test]
    fn maps_beside_the_frame_or_nowhere_tell_nothing() {
        assert!(follow(|p| Some(Point::new(p.x + 2980.0, p.y)), SIZE, SIZE).is_none());
        assert!(follow(|_| None, SIZE, SIZE).is_none());
        assert!(follow(|p| Some(Point::new(p.x + 2900.0, p.y)), SIZE, SIZE).is_some());
    }
}
