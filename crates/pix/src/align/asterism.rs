//! Triangles of neighbouring stars, and pairs of them that look alike.

use std::collections::HashMap;

use super::Point;

/// Nearest stars that a star makes triangles with.
const NEIGHBOURS: usize = 9;

/// Triangles with sides less different than this share have no order of their corners.
const LEAST_DIFFERENCE: f64 = 0.015;

/// Triangles with a shorter side than this share of the longest say little.
const LEAST_SIDE: f64 = 0.15;

/// Shapes that differ by more than this are different.
const TOLERANCE: f64 = 0.006;

/// Three stars: the corner between the long and the middle side first, then that between the long
/// and the short one, then the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Triangle {
    pub corners: [usize; 3],
    /// Middle and short side over the long one.
    shape: [f64; 2],
    /// Whether the corners turn from x to y.
    turns: bool,
}

/// The triangles that each star makes with its nearest neighbours.
pub(super) fn triangles(points: &[Point]) -> Vec<Triangle> {
    let mut triples = Vec::new();
    for (i, p) in points.iter().enumerate() {
        let mut near: Vec<(f64, usize)> = points
            .iter()
            .enumerate()
            .filter(|(j, _)| *j != i)
            .map(|(j, q)| (p.distance(*q), j))
            .collect();
        let many = near.len().min(NEIGHBOURS);
        if many == 0 {
            continue;
        }
        near.select_nth_unstable_by(many - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for a in 0..many {
            for b in a + 1..many {
                let mut triple = [i, near[a].1, near[b].1];
                triple.sort_unstable();
                triples.push(triple);
            }
        }
    }
    triples.sort_unstable();
    triples.dedup();
    triples.into_iter().filter_map(|t| triangle(points, t)).collect()
}

fn triangle(points: &[Point], corners: [usize; 3]) -> Option<Triangle> {
    // Each side with the corner opposite.
    let mut sides = [0, 1, 2].map(|i| {
        let (a, b) = (corners[(i + 1) % 3], corners[(i + 2) % 3]);
        (points[a].distance(points[b]), corners[i])
    });
    sides.sort_by(|a, b| b.0.total_cmp(&a.0));
    let [(long, opposite_long), (middle, opposite_middle), (short, opposite_short)] = sides;
    let different = |a: f64, b: f64| a - b > LEAST_DIFFERENCE * long;
    if !(different(long, middle) && different(middle, short) && short > LEAST_SIDE * long) {
        return None;
    }
    let corners = [opposite_short, opposite_middle, opposite_long];
    let [a, b, c] = corners.map(|i| points[i]);
    let turns = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) > 0.0;
    Some(Triangle { corners, shape: [middle / long, short / long], turns })
}

/// Pairs of triangles of one shape, the most alike first; `mirrored` pairs turn opposite ways.
pub(super) fn alike(
    reference: &[Triangle],
    frame: &[Triangle],
    mirrored: bool,
) -> Vec<(usize, usize)> {
    let key = |s: f64| (s / TOLERANCE).floor() as i32;
    let mut cells: HashMap<(i32, i32), Vec<usize>> = HashMap::new();
    for (i, t) in frame.iter().enumerate() {
        cells.entry((key(t.shape[0]), key(t.shape[1]))).or_default().push(i);
    }
    let mut pairs = Vec::new();
    for (i, t) in reference.iter().enumerate() {
        let (ku, kv) = (key(t.shape[0]), key(t.shape[1]));
        for cell in (kv - 1..=kv + 1).flat_map(|v| (ku - 1..=ku + 1).map(move |u| (u, v))) {
            for &j in cells.get(&cell).into_iter().flatten() {
                let other = &frame[j];
                let (du, dv) = (t.shape[0] - other.shape[0], t.shape[1] - other.shape[1]);
                let away = du.hypot(dv);
                if (t.turns == other.turns) != mirrored && away <= TOLERANCE {
                    pairs.push((away, i, j));
                }
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    pairs.into_iter().map(|(_, i, j)| (i, j)).collect()
}
