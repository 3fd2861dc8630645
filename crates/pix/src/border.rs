//! Borders without data: where another program laid a light, it wrote zeros beside it.

use std::ops::Range;

use crate::Size;

/// The exact zeros that reach a frame's rim: along rows from either side, along columns from either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Border {
    width: usize,
    /// Of each row, the columns between its zeros.
    columns: Vec<Range<usize>>,
    /// Of each column, the rows between its zeros.
    rows: Vec<Range<usize>>,
}

/// Where more of the samples inside are zeros than this share, zeros are samples: a clipped sky.
const MOST_INSIDE: f64 = 0.001;

impl Border {
    /// The border of a frame of `size`, of which each plane has a zero where all have; `None` where no
    /// zero reaches the rim, or where zeros are samples like others.
    pub fn of(planes: &[&[f32]], size: Size) -> Option<Self> {
        let Size { width, height } = size;
        let zero = |x: usize, y: usize| planes.iter().all(|plane| plane[y * width + x] == 0.0);
        let between = |end: usize, zero: &dyn Fn(usize) -> bool| {
            let first = (0..end).find(|i| !zero(*i)).unwrap_or(end);
            let last = (first..end).rev().find(|i| !zero(*i)).map_or(first, |i| i + 1);
            first..last
        };
        let columns: Vec<Range<usize>> =
            (0..height).map(|y| between(width, &|x| zero(x, y))).collect();
        let rows: Vec<Range<usize>> =
            (0..width).map(|x| between(height, &|y| zero(x, y))).collect();
        let out = Self { width, columns, rows };
        let whole = out.columns.iter().all(|c| *c == (0..width))
            && out.rows.iter().all(|r| *r == (0..height));
        if whole {
            return None;
        }
        let (mut inside, mut zeros) = (0usize, 0usize);
        for y in 0..height {
            for x in out.columns[y].clone().filter(|x| out.rows[*x].contains(&y)) {
                inside += 1;
                zeros += usize::from(zero(x, y));
            }
        }
        (inside > 0 && zeros as f64 <= MOST_INSIDE * inside as f64).then_some(out)
    }

    /// Calls `each` for the index of every border pixel of `rows`, counted from the first of them.
    pub fn each(&self, rows: Range<usize>, mut each: impl FnMut(usize)) {
        let first = rows.start;
        for y in rows {
            let inner = &self.columns[y];
            for x in 0..self.width {
                if !inner.contains(&x) || !self.rows[x].contains(&y) {
                    each((y - first) * self.width + x);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_rim_are_a_border_and_others_are_not() {
        let size = Size::new(200, 100);
        let turned = |x: usize, y: usize| {
            let (x, y) = (x as f64 - 100.0, y as f64 - 50.0);
            (x + 0.2 * y).abs() < 80.0 && (y - 0.2 * x).abs() < 40.0
        };
        let data: Vec<f32> = (0..size.pixels())
            .map(|i| if turned(i % 200, i / 200) { 300.0 + (i % 7) as f32 } else { 0.0 })
            .collect();
        let border = Border::of(&[&data], size).unwrap();
        let mut holes = vec![false; size.pixels()];
        border.each(0..100, |i| holes[i] = true);
        assert!(holes.iter().zip(&data).all(|(hole, v)| *hole == (*v == 0.0)));
        let mut some = 0;
        border.each(40..60, |i| some += usize::from(data[40 * 200 + i] == 0.0));
        assert_eq!(some, data[40 * 200..60 * 200].iter().filter(|v| **v == 0.0).count());
        // A sky that is clipped at zero, and one that is nowhere zero.
        let clipped: Vec<f32> = {
            let mut state = 3u64;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32 / (1u64 << 24) as f32
            };
            (0..size.pixels()).map(|_| (next() * 5.0).floor()).collect()
        };
        assert_eq!(Border::of(&[&clipped], size), None);
        assert_eq!(Border::of(&[&vec![5.0; size.pixels()]], size), None);
        // Zero in one colour only is black, not a border.
        assert_eq!(Border::of(&[&data, &vec![5.0; size.pixels()]], size), None);
    }
}
