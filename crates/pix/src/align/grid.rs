//! Points by place.

use std::ops::Range;

use super::Point;

/// Cells in all, at most so many times as many as points.
const CELLS_A_POINT: usize = 4;

/// Points in square cells, those of a cell together, row of cells by row.
pub(super) struct Grid {
    cell: f64,
    first: Point,
    columns: usize,
    /// Where the points of each cell begin; and where the last ends.
    begins: Vec<usize>,
    points: Vec<(Point, usize)>,
}

impl Grid {
    /// Points in cells of `least` pixels or more, so that a cell holds about one.
    pub fn new(points: &[Point], least: f64) -> Self {
        let known = || points.iter().filter(|p| p.x.is_finite() && p.y.is_finite());
        let ends = |pick: fn(&Point) -> f64| {
            known().map(pick).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        let ((x0, x1), (y0, y1)) = (ends(|p| p.x), ends(|p| p.y));
        if x0 > x1 {
            let first = Point::new(0.0, 0.0);
            return Self { cell: least, first, columns: 0, begins: vec![0], points: Vec::new() };
        }
        let (wide, high) = (x1 - x0, y1 - y0);
        let most = CELLS_A_POINT * points.len();
        let mut cell = least.max((wide * high / points.len() as f64).sqrt());
        let parts = |length: f64, cell: f64| (length / cell) as usize + 1;
        while parts(wide, cell).saturating_mul(parts(high, cell)) > most.max(1) {
            cell *= 2.0;
        }
        let (columns, rows) = (parts(wide, cell), parts(high, cell));
        let mut grid = Self {
            cell,
            first: Point::new(x0, y0),
            columns,
            begins: vec![0; columns * rows + 1],
            points: Vec::with_capacity(points.len()),
        };
        let placed = points.iter().enumerate().filter(|(_, p)| p.x.is_finite() && p.y.is_finite());
        let mut order: Vec<(usize, usize)> = placed.map(|(i, p)| (grid.cell_of(*p), i)).collect();
        order.sort_unstable();
        for (cell, i) in order {
            grid.begins[cell + 1] += 1;
            grid.points.push((points[i], i));
        }
        for cell in 1..grid.begins.len() {
            grid.begins[cell] += grid.begins[cell - 1];
        }
        grid
    }

    fn cell_of(&self, p: Point) -> usize {
        let along = |v: f64| (v / self.cell) as usize;
        along(p.y - self.first.y) * self.columns + along(p.x - self.first.x)
    }

    /// The cells around a coordinate, of `cells` in all.
    fn around(&self, v: f64, cells: usize) -> Range<usize> {
        let at = (v / self.cell).floor();
        let within = |v: f64| v.clamp(0.0, cells as f64) as usize;
        within(at - 1.0)..within(at + 2.0)
    }

    /// The nearest point within `radius`, which is no more than a cell, and how far it is; of points
    /// equally near the first.
    pub fn nearest(&self, to: Point, radius: f64) -> Option<(usize, f64)> {
        let rows = (self.begins.len() - 1) / self.columns.max(1);
        let columns = self.around(to.x - self.first.x, self.columns);
        let mut best: Option<(f64, usize)> = None;
        let mut most = radius * radius;
        for row in self.around(to.y - self.first.y, rows) {
            let cells = row * self.columns + columns.start..row * self.columns + columns.end;
            for (p, i) in &self.points[self.begins[cells.start]..self.begins[cells.end]] {
                let (dx, dy) = (p.x - to.x, p.y - to.y);
                let square = dx * dx + dy * dy;
                if square <= most && best.is_none_or(|best| (square, *i) < best) {
                    (most, best) = (square, Some((square, *i)));
                }
            }
        }
        best.map(|(square, i)| (i, square.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_all_is_found() {
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        for (count, wide) in [(0, 1.0), (1, 10.0), (40, 30.0), (300, 500.0), (300, 1e7)] {
            let points: Vec<Point> =
                (0..count).map(|_| Point::new(wide * uniform() - 20.0, wide * uniform())).collect();
            let grid = Grid::new(&points, 6.0);
            for _ in 0..300 {
                let to = Point::new(1.2 * wide * uniform() - 30.0, 1.2 * wide * uniform() - 10.0);
                let plain = (0..count)
                    .map(|i| (points[i].distance(to), i))
                    .filter(|(d, _)| *d <= 5.0)
                    .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let found = grid.nearest(to, 5.0);
                assert_eq!(found.map(|(i, _)| i), plain.map(|(_, i)| i), "{count} {to:?}");
            }
            assert!(grid.nearest(Point::new(f64::NAN, 0.0), 5.0).is_none());
            assert!(grid.nearest(Point::new(1e300, -1e300), 5.0).is_none());
        }
    }
}
