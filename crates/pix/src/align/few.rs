//! Registration by three to eight stars, which are too few to make many triangles.

use super::Point;
use super::fit::fit;
use super::register::{BELIEVED_LN, Field, Registration, ln_tail, radius_of};
use super::transform::{Model, Transform};

/// More stars are matched by their triangles.
const MOST: usize = 8;
/// Fewer tell no turn beside a shift.
const LEAST: usize = 3;
/// The share of the shorter list that is to be matched.
const SHARE: f64 = 0.6;
/// How far frames of one camera turn in a night, in radians, and how far their scales differ.
const MOST_TURN: f64 = 0.05;
const MOST_SCALE: f64 = 0.01;
/// Distance in pixels within which a shift by one star brings others together.
const RADIUS_PX: f64 = 6.0;
/// How far stars may lie from their places once they are matched, in pixels.
const MOST_RESIDUAL_PX: f64 = 1.0;

/// The shift that brings few stars of two frames together, with the frame as it is or turned by half a circle, as
/// after a meridian flip; `None` where none can be believed or two can.
pub(super) fn register_few(reference: &[Point], frame: &[Point]) -> Option<Registration> {
    if reference.len().min(frame.len()) < LEAST || reference.len().max(frame.len()) > MOST {
        return None;
    }
    let field = Field::new(reference, frame);
    let mut found: Vec<Registration> = Vec::new();
    let mut tried = 0;
    for sign in [1.0, -1.0] {
        for r in reference {
            for f in frame {
                tried += 1;
                let (dx, dy) = (f.x - sign * r.x, f.y - sign * r.y);
                let shift = Transform::affine(sign, 0.0, dx, 0.0, sign, dy);
                found.extend(settled(&field, &shift, sign));
            }
        }
    }
    found.sort_by(|a, b| b.matched.cmp(&a.matched).then(a.residual_px.total_cmp(&b.residual_px)));
    let best = found.first()?;
    // Another place for as many stars is as good.
    let other = |r: &Registration| r.matched == best.matched && r.pairs != best.pairs;
    if found.iter().any(other) {
        return None;
    }
    let least = (SHARE * reference.len().min(frame.len()) as f64).ceil() as usize;
    let radius = radius_of(best);
    let expected = reference.len() as f64 * field.density * std::f64::consts::PI * radius * radius;
    // One star was brought to its place on purpose, and a turn fits a second one better.
    let chance_ln = ln_tail(best.matched - 1, expected) + f64::from(tried).ln();
    (best.matched >= least.max(LEAST) && chance_ln < BELIEVED_LN / 2.0).then(|| best.clone())
}

/// What a shift becomes once it is fitted to all stars that it brings together.
fn settled(field: &Field<'_>, shift: &Transform, sign: f64) -> Option<Registration> {
    let mut pairs = field.pairs(shift, RADIUS_PX);
    let mut transform = None;
    for _ in 0..3 {
        if pairs.len() < LEAST {
            return None;
        }
        let next = fit(Model::Similarity, &field.points(&pairs), false)?;
        pairs = field.pairs(&next, RADIUS_PX);
        transform = Some(next);
    }
    let made = field.registration(transform?, pairs);
    let [[a, _], [c, _]] = made.transform.slopes(Point::new(0.0, 0.0));
    let turn = (sign * c).atan2(sign * a);
    let is_fair = turn.abs() < MOST_TURN && (a.hypot(c) - 1.0).abs() < MOST_SCALE;
    (is_fair && made.matched >= LEAST && made.residual_px < MOST_RESIDUAL_PX).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARS: [Point; 5] = [
        Point::new(80.0, 90.0),
        Point::new(500.0, 130.0),
        Point::new(220.0, 400.0),
        Point::new(410.0, 310.0),
        Point::new(150.0, 240.0),
    ];

    fn moved(points: &[Point], sign: f64, (dx, dy): (f64, f64)) -> Vec<Point> {
        let off = |i: usize| 0.1 * [1.0, -1.0, 0.5, -0.3, 0.8][i % 5];
        let at = |(i, p): (usize, &Point)| {
            Point::new(sign * p.x + dx + off(i), sign * p.y + dy - off(i))
        };
        points.iter().enumerate().map(at).collect()
    }

    #[test]
    fn three_stars_and_more_are_brought_together() {
        for n in 3..=5 {
            for (sign, shift) in [(1.0, (12.0, -7.0)), (-1.0, (640.0, 480.0))] {
                let found = register_few(&STARS[..n], &moved(&STARS[..n], sign, shift)).unwrap();
                let at = found.transform.apply(STARS[0]);
                let expected = Point::new(sign * STARS[0].x + shift.0, sign * STARS[0].y + shift.1);
                assert!(at.distance(expected) < 0.5 && found.matched == n, "{n}: {found:?}");
            }
        }
    }

    #[test]
    fn stars_that_share_nothing_are_not_matched() {
        let others = [(30.0, 410.0), (333.0, 77.0), (590.0, 280.0), (120.0, 20.0), (470.0, 440.0)];
        let others = others.map(|(x, y)| Point::new(x, y));
        for n in 3..=5 {
            assert!(register_few(&STARS[..n], &others[..n]).is_none(), "{n}");
        }
        assert!(register_few(&STARS[..2], &STARS[..2]).is_none());
    }
}
