//! Lights in which stars stand twice, because guiding jumped while they were taken.

use photosite_pix::align::Point;

/// Stars that are looked at, the brightest: both images of a star are among them, or neither.
const MOST: usize = 100;
/// Both images of a star lie apart as those of others do, to so many pixels.
const ALIKE_PX: f64 = 0.7;
/// Of so many stars, and this share of all, the second image is found.
const FEWEST: usize = 5;
const SHARE: f64 = 0.15;
/// Chance brings at most this share of them.
const BY_CHANCE: f64 = 0.2;

/// Whether many of some stars, the brightest first, have another at the same distance in the same direction.
pub(super) fn is_doubled(stars: &[Point]) -> bool {
    let stars = &stars[..stars.len().min(MOST)];
    let mut apart: Vec<(f64, f64)> = Vec::new();
    for (i, a) in stars.iter().enumerate() {
        for b in &stars[..i] {
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            // Each pair once, downward.
            apart.push(if dy < 0.0 { (-dx, -dy) } else { (dx, dy) });
        }
    }
    apart.sort_by(|a, b| a.1.total_cmp(&b.1));
    let side = |of: fn(&Point) -> f64| {
        let (low, high) =
            stars.iter().map(of).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        high - low
    };
    let area = side(|p| p.x) * side(|p| p.y);
    let chance = apart.len() as f64 * std::f64::consts::PI * ALIKE_PX.powi(2) / (2.0 * area);
    let least = (SHARE * stars.len() as f64).max(chance / BY_CHANCE).max(FEWEST as f64);
    let alike = |(i, a): (usize, &(f64, f64))| {
        let near = |b: &&(f64, f64)| (b.0 - a.0).hypot(b.1 - a.1) < ALIKE_PX;
        let below = apart[i..].iter().take_while(|b| b.1 - a.1 < ALIKE_PX);
        let above = apart[..i].iter().rev().take_while(|b| a.1 - b.1 < ALIKE_PX);
        below.chain(above).filter(near).count()
    };
    apart.iter().enumerate().any(|one| alike(one) as f64 >= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_that_stand_twice_are_told_from_those_that_do_not() {
        let mut state = 3u64;
        let mut next = |most: f64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            most * (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for _ in 0..200 {
            for (count, side) in [(12, 300.0), (40, 500.0), (100, 300.0), (300, 2000.0)] {
                let stars: Vec<Point> =
                    (0..count).map(|_| Point::new(next(side), next(side))).collect();
                assert!(!is_doubled(&stars), "{count} in {side}");
                // Of some the second image is too faint.
                let (dx, dy) = (next(30.0) - 15.0, 5.0 + next(30.0));
                let twice: Vec<Point> = stars
                    .iter()
                    .enumerate()
                    .flat_map(|(i, p)| {
                        let both = if i % 5 < 3 { 2 } else { 1 };
                        let at = |k: usize| (p.x + k as f64 * dx, p.y + k as f64 * dy);
                        (0..both).map(at).map(|(x, y)| Point::new(x, y)).collect::<Vec<_>>()
                    })
                    .map(|p| Point::new(p.x + next(0.3), p.y + next(0.3)))
                    .collect();
                assert!(is_doubled(&twice), "{count} in {side}");
            }
        }
    }
}
