//! Registration by three to eight stars, which are too few to make many triangles.

use super::Point;
use super::fit::fit;
use super::register::{Field, Registration, ln_tail, radius_of};
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

/// The logarithm of the chance that is believed: of a hundred thousand pairs of frames of 3 to 8 strangers, 64 to 600 px
/// wide, none is matched.
const BELIEVED_LN: f64 = -8.0;
/// What another place for as many stars must be less likely by to be none, as a logarithm.
const AS_GOOD_LN: f64 = 5.0;

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
    // So many stars reach less far than the place that they were strewn over.
    let n = frame.len() as f64;
    let density = field.density * ((n - 1.0) / (n + 1.0)).powi(2);
    let chance_ln = |found: &Registration| {
        let radius = radius_of(found);
        let expected = reference.len() as f64 * density * std::f64::consts::PI * radius * radius;
        // One star was brought to its place on purpose, and a turn fits a second one better.
        ln_tail(found.matched - 1, expected) + f64::from(tried).ln() + order_ln(&found.pairs)
    };
    let mut found: Vec<(f64, Registration)> =
        found.into_iter().map(|one| (chance_ln(&one), one)).collect();
    found.sort_by(|(a, x), (b, y)| y.matched.cmp(&x.matched).then(a.total_cmp(b)));
    let (best_ln, best) = found.first()?;
    let as_good = |(ln, other): &(f64, Registration)| {
        other.matched == best.matched && other.pairs != best.pairs && *ln < best_ln + AS_GOOD_LN
    };
    if found.iter().any(as_good) {
        return None;
    }
    let least = (SHARE * reference.len().min(frame.len()) as f64).ceil() as usize;
    (best.matched >= least.max(LEAST) && *best_ln < BELIEVED_LN).then(|| best.clone())
}

/// The logarithm of the chance that strangers are as well in order of brightness as pairs, in which both lists have
/// the brightest first.
fn order_ln(pairs: &[(usize, usize)]) -> f64 {
    let swapped = |i: usize| pairs[i + 1..].iter().filter(|later| later.1 < pairs[i].1).count();
    let swaps: usize = (0..pairs.len()).map(swapped).sum();
    // Orders of the first stars by their swaps: one more star may come before any number of them.
    let mut orders = vec![1.0];
    for before in 1..pairs.len() {
        let mut more = vec![0.0; orders.len() + before];
        for (i, count) in orders.iter().enumerate() {
            more[i..=i + before].iter_mut().for_each(|m| *m += count);
        }
        orders = more;
    }
    let as_well: f64 = orders.iter().take(swaps + 1).sum();
    (as_well / orders.iter().sum::<f64>()).ln()
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

    /// Numbers from 0 to 1, the same for the same seed.
    fn numbers(seed: u64) -> impl FnMut() -> f64 {
        let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn strewn(count: usize, side: f64, next: &mut impl FnMut() -> f64) -> Vec<Point> {
        (0..count).map(|_| Point::new(side * next(), side * next())).collect()
    }

    #[test]
    fn few_stars_of_small_windows_are_found_and_strangers_are_not() {
        for side in [64.0, 100.0, 600.0] {
            for n in 3..=8 {
                let mut next = numbers(n as u64);
                const NIGHTS: usize = 500;
                let mut found = 0;
                for _ in 0..NIGHTS {
                    let stars = strewn(n, side, &mut next);
                    let strangers = strewn(n, side, &mut next);
                    let matched = register_few(&stars, &strangers);
                    assert!(matched.is_none(), "{side} px, {n} strangers: {matched:?}");
                    let shift = [6.0 * next() - 3.0, 6.0 * next() - 3.0];
                    let mut off = || 0.05 * (next() + next() + next() - 1.5) * 2.0;
                    let moved: Vec<Point> = stars
                        .iter()
                        .map(|p| Point::new(p.x + shift[0] + off(), p.y + shift[1] + off()))
                        .collect();
                    let Some(by) = register_few(&stars, &moved) else { continue };
                    let (at, from) = (by.transform.apply(stars[0]), stars[0]);
                    let away = at.distance(Point::new(from.x + shift[0], from.y + shift[1]));
                    assert!(away < 0.5, "{side} px, {n} stars: {away} px off");
                    found += 1;
                }
                // Three in so small a window are not always told from strangers.
                let least = if n == 3 { 9 * NIGHTS / 10 } else { 99 * NIGHTS / 100 };
                println!("{side} px, {n} stars: {found} of {NIGHTS} found");
                assert!(found >= least, "{side} px, {n} stars: {found} of {NIGHTS} found");
            }
        }
    }
}
