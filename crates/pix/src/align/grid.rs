//! Points by place.

use std::collections::HashMap;

use super::Point;

/// Points in square cells.
pub(super) struct Grid<'a> {
    points: &'a [Point],
    cell: f64,
    cells: HashMap<(i64, i64), Vec<usize>>,
}

impl<'a> Grid<'a> {
    /// Points in cells of `cell` pixels.
    pub fn new(points: &'a [Point], cell: f64) -> Self {
        let mut grid = Self { points, cell, cells: HashMap::new() };
        for (i, p) in points.iter().enumerate() {
            grid.cells.entry(grid.key(*p)).or_default().push(i);
        }
        grid
    }

    fn key(&self, p: Point) -> (i64, i64) {
        ((p.x / self.cell).floor() as i64, (p.y / self.cell).floor() as i64)
    }

    /// The nearest point within `radius`, which is no more than a cell.
    pub fn nearest(&self, to: Point, radius: f64) -> Option<usize> {
        let (kx, ky) = self.key(to);
        let around = (ky - 1..=ky + 1).flat_map(|y| (kx - 1..=kx + 1).map(move |x| (x, y)));
        around
            .filter_map(|key| self.cells.get(&key))
            .flatten()
            .map(|&i| (i, self.points[i].distance(to)))
            .filter(|(_, d)| *d <= radius)
            .min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)))
            .map(|(i, _)| i)
    }
}
