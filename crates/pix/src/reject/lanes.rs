//! Sorted columns side by side, one a lane, and the passes over them that all methods share.
//!
//! Every pass works on whole rows of lanes and takes no branch on a sample, so that it becomes
//! vector code; sums are of f64 and in sorted order, so that they do not depend on the order of
//! frames, on the lane a column sits in, or on the vector length.

use multiversion::multiversion;

/// Columns that are worked on at once: two AVX-512 registers of f32, four of f64.
pub(crate) const LANES: usize = 32;

/// One sample of each column.
pub(crate) type Keys = [f32; LANES];

/// One number for each column.
pub(crate) type Row = [f64; LANES];

/// The kept part of a column of each lane, as indices into the sorted rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// First kept.
    pub lo: [i32; LANES],
    /// One past the last kept.
    pub hi: [i32; LANES],
}

impl Kept {
    /// Samples kept in `lane`.
    pub fn len(&self, lane: usize) -> usize {
        (self.hi[lane] - self.lo[lane]) as usize
    }

    /// The rows that hold a kept sample of any lane, and whether they are kept in every lane.
    pub fn span(&self) -> (usize, usize, bool) {
        let (mut first, mut last, mut inner_lo, mut inner_hi) = (i32::MAX, 0, 0, i32::MAX);
        for (&lo, &hi) in self.lo.iter().zip(&self.hi) {
            first = first.min(lo);
            last = last.max(hi);
            inner_lo = inner_lo.max(lo);
            inner_hi = inner_hi.min(hi);
        }
        (first.min(last) as usize, last as usize, first == inner_lo && last == inner_hi)
    }
}

/// Columns with what is known of their kept parts.
#[derive(Debug)]
pub(crate) struct Columns {
    /// Rows in use first; the vector may be longer.
    pub rows: Vec<Keys>,
    /// The kept part.
    pub kept: Kept,
    /// Samples of each column that are there at all.
    pub count: [i32; LANES],
    /// Median of the kept part.
    pub median: Row,
    /// Sum of the deviations of the kept part from its median.
    pub sum: Row,
    /// Sum of their squares.
    pub squares: Row,
    /// A scale that a method found before the columns were judged.
    pub scale: Row,
    /// Rounds of rejection that a column has been through.
    pub round: [u16; LANES],
    /// The pixel that a column belongs to.
    pub pixel: [usize; LANES],
    /// Lanes in use, the first ones.
    pub used: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            kept: Kept { lo: [0; LANES], hi: [0; LANES] },
            count: [0; LANES],
            median: [0.0; LANES],
            sum: [0.0; LANES],
            squares: [0.0; LANES],
            scale: [f64::NAN; LANES],
            round: [0; LANES],
            pixel: [0; LANES],
            used: 0,
        }
    }
}

impl Columns {
    /// The kept samples of `lane`, from the smallest.
    pub fn column(&self, lane: usize) -> impl DoubleEndedIterator<Item = f64> + '_ {
        let (lo, hi) = (self.kept.lo[lane] as usize, self.kept.hi[lane] as usize);
        self.rows[lo..hi].iter().map(move |row| f64::from(row[lane]))
    }

    /// The smallest and the greatest kept sample of `lane`, which must keep one.
    pub fn ends(&self, lane: usize) -> (f64, f64) {
        let first = self.rows[self.kept.lo[lane] as usize][lane];
        let last = self.rows[self.kept.hi[lane] as usize - 1][lane];
        (f64::from(first), f64::from(last))
    }

    /// The variance (n − 1) of the kept part; 0 below two samples.
    pub fn variance(&self, lane: usize) -> f64 {
        spread(self.sum[lane], self.squares[lane], self.kept.len(lane))
    }

    /// Finds median and sums of the kept parts anew.
    pub fn refresh(&mut self) {
        let (first, last, uniform) = self.kept.span();
        if uniform && last > first {
            let upper = &self.rows[first + (last - first) / 2];
            let lower = &self.rows[first + (last - first - 1) / 2];
            for lane in 0..LANES {
                self.median[lane] = 0.5 * (f64::from(lower[lane]) + f64::from(upper[lane]));
            }
        } else {
            for lane in 0..LANES {
                let (lo, n) = (self.kept.lo[lane] as usize, self.kept.len(lane));
                self.median[lane] = if n == 0 {
                    0.0
                } else {
                    let (a, b) = (self.rows[lo + (n - 1) / 2][lane], self.rows[lo + n / 2][lane]);
                    0.5 * (f64::from(a) + f64::from(b))
                };
            }
        }
        (self.sum, self.squares) = sums(&self.rows, &self.kept, &self.median);
    }

    /// Copies the column of `lane` of `from` into lane `to`, with all that is known of it.
    pub fn take(&mut self, to: usize, from: &Self, lane: usize, rows: usize) {
        for (mine, theirs) in self.rows.iter_mut().zip(&from.rows[..rows]) {
            mine[to] = theirs[lane];
        }
        self.kept.lo[to] = from.kept.lo[lane];
        self.kept.hi[to] = from.kept.hi[lane];
        self.count[to] = from.count[lane];
        self.median[to] = from.median[lane];
        self.sum[to] = from.sum[lane];
        self.squares[to] = from.squares[lane];
        self.scale[to] = from.scale[lane];
        self.round[to] = from.round[lane];
        self.pixel[to] = from.pixel[lane];
    }

    /// Moves the column of `lane` to lane `to` of the same columns.
    pub fn shift(&mut self, to: usize, lane: usize, rows: usize) {
        if to == lane {
            return;
        }
        for row in &mut self.rows[..rows] {
            row[to] = row[lane];
        }
        self.kept.lo[to] = self.kept.lo[lane];
        self.kept.hi[to] = self.kept.hi[lane];
        self.count[to] = self.count[lane];
        self.median[to] = self.median[lane];
        self.sum[to] = self.sum[lane];
        self.squares[to] = self.squares[lane];
        self.scale[to] = self.scale[lane];
        self.round[to] = self.round[lane];
        self.pixel[to] = self.pixel[lane];
    }

    /// Empties the lanes from `used` on.
    pub fn truncate(&mut self, used: usize) {
        self.used = used;
        for lane in used..LANES {
            self.kept.lo[lane] = 0;
            self.kept.hi[lane] = 0;
        }
    }
}

/// The variance (n − 1) from the sums of deviations and of their squares; 0 below two samples.
#[inline(always)]
pub(crate) fn spread(sum: f64, squares: f64, n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let n = n as f64;
    ((squares - sum * sum / n) / (n - 1.0)).max(0.0)
}

/// Calls `each(sums, deviation, lane)` for every kept sample; where a lane keeps less than the
/// rows at hand, the deviation is 0 there.
#[inline(always)]
fn pass(
    rows: &[Keys],
    kept: &Kept,
    centre: &Row,
    mut each: impl FnMut(&mut [Row; 2], f64, usize, f64),
) -> [Row; 2] {
    let (first, last, uniform) = kept.span();
    let mut out = [[0.0; LANES]; 2];
    if uniform {
        for (i, row) in rows[first..last].iter().enumerate() {
            let rank = i as f64;
            for lane in 0..LANES {
                each(&mut out, f64::from(row[lane]) - centre[lane], lane, rank);
            }
        }
    } else {
        for (i, row) in rows[first..last].iter().enumerate() {
            let i = (first + i) as i32;
            for lane in 0..LANES {
                let inside = (i >= kept.lo[lane]) & (i < kept.hi[lane]);
                let d = if inside { f64::from(row[lane]) - centre[lane] } else { 0.0 };
                let rank = if inside { f64::from(i - kept.lo[lane]) } else { f64::NAN };
                each(&mut out, d, lane, rank);
            }
        }
    }
    out
}

/// Sum of the deviations from `centre`, and of their squares.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn sums(rows: &[Keys], kept: &Kept, centre: &Row) -> (Row, Row) {
    let [a, b] = pass(rows, kept, centre, |out, d, lane, _| {
        out[0][lane] += d;
        out[1][lane] += d * d;
    });
    (a, b)
}

/// The same of deviations clamped to ± `reach`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn clamped_sums(rows: &[Keys], kept: &Kept, centre: &Row, reach: &Row) -> (Row, Row) {
    let [a, b] = pass(rows, kept, centre, |out, d, lane, _| {
        let r = reach[lane];
        let d = if d > r { r } else { d };
        let d = if d < -r { -r } else { d };
        out[0][lane] += d;
        out[1][lane] += d * d;
    });
    (a, b)
}

/// Sum of rank times deviation, the rank of the first kept sample being 0.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn rank_sums(rows: &[Keys], kept: &Kept, centre: &Row) -> Row {
    pass(rows, kept, centre, |out, d, lane, rank| {
        // A sample that is not kept has deviation 0 and rank NaN.
        out[0][lane] += if rank >= 0.0 { d * rank } else { 0.0 };
    })[0]
}

/// Sum of the distances of the deviations from the line `intercept + slope * rank`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn distances(
    rows: &[Keys],
    kept: &Kept,
    centre: &Row,
    intercept: &Row,
    slope: &Row,
) -> Row {
    pass(rows, kept, centre, |out, d, lane, rank| {
        let r = (d - (intercept[lane] + slope[lane] * rank)).abs();
        out[0][lane] += if rank >= 0.0 { r } else { 0.0 };
    })[0]
}

/// How many deviations reach `bound` or more to either side.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn count_beyond(rows: &[Keys], kept: &Kept, centre: &Row, bound: &Row) -> Row {
    pass(rows, kept, centre, |out, d, lane, rank| {
        let beyond = (d.abs() >= bound[lane]) & (rank >= 0.0);
        out[0][lane] += if beyond { 1.0 } else { 0.0 };
    })[0]
}
