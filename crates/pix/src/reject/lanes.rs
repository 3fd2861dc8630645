//! Sorted columns side by side, one a lane, and the passes over them that all methods share.
//!
//! Every pass works on whole rows of lanes and takes no branch on a sample, so that it becomes
//! vector code; sums are of f64 and in sorted order, so that they do not depend on the order of
//! frames, on the lane a column sits in, or on the vector length.

use std::ops::{Deref, DerefMut};

use multiversion::multiversion;

/// Columns that are worked on at once: two AVX-512 registers of f32, four of f64.
pub(crate) const LANES: usize = 32;

/// One value of each column, where vector registers load it without crossing a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Line<T>(pub [T; LANES]);

impl<T> Deref for Line<T> {
    type Target = [T; LANES];

    #[inline(always)]
    fn deref(&self) -> &[T; LANES] {
        &self.0
    }
}

impl<T> DerefMut for Line<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; LANES] {
        &mut self.0
    }
}

/// One sample of each column.
pub(crate) type Keys = Line<f32>;

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
    #[inline(always)]
    pub fn len(&self, lane: usize) -> usize {
        (self.hi[lane] - self.lo[lane]) as usize
    }

    /// The rows that hold a kept sample of any lane, and whether they are kept in every lane.
    #[inline(always)]
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
#[repr(C, align(64))]
pub(crate) struct Columns {
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
    /// Variance (n − 1) of the kept part; 0 below two samples.
    pub variance: Row,
    /// Samples kept.
    pub n: Row,
    /// 1 / n.
    pub per_n: Row,
    /// 1 / (n − 1).
    pub per_freedom: Row,
    /// The smallest kept sample; 0 where none is kept.
    pub first: Row,
    /// The greatest kept sample; 0 where none is kept.
    pub last: Row,
    /// A scale that a method found before the columns were judged.
    pub scale: Row,
    /// 1 / the level of a tile, above which its scale grows with the root of the light.
    pub per_level: Row,
    /// What good samples may differ by beyond their noise.
    pub allowance: Row,
    /// Rounds of rejection that a column has been through.
    pub round: [u16; LANES],
    /// The pixel that a column belongs to.
    pub pixel: [usize; LANES],
    /// Lanes in use, the first ones.
    pub used: usize,
    /// The lanes, a bit each, that a round of rejection is for.
    pub open: u32,
    /// Whether all samples are known to be integers.
    pub integers: bool,
    /// Rows in use first; the vector may be longer. Beyond the kept part: +infinity or NaN, unless
    /// all columns keep the same rows.
    pub rows: Vec<Keys>,
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
            variance: [0.0; LANES],
            n: [0.0; LANES],
            per_n: [f64::NAN; LANES],
            per_freedom: [f64::NAN; LANES],
            first: [0.0; LANES],
            last: [0.0; LANES],
            scale: [f64::NAN; LANES],
            per_level: [f64::NAN; LANES],
            allowance: [0.0; LANES],
            round: [0; LANES],
            pixel: [0; LANES],
            used: 0,
            open: 0,
            integers: false,
        }
    }
}

impl Columns {
    /// The kept samples of `lane`, from the smallest.
    pub fn column(&self, lane: usize) -> impl DoubleEndedIterator<Item = f64> + '_ {
        let (lo, hi) = (self.kept.lo[lane] as usize, self.kept.hi[lane] as usize);
        self.rows[lo..hi].iter().map(move |row| f64::from(row[lane]))
    }

    /// The lanes that a round is for.
    pub fn open_lanes(&self) -> impl Iterator<Item = usize> + use<> {
        set_bits(self.open)
    }

    /// The variance (n − 1) of the kept part of `lane` from a sum of deviations and the sum of
    /// their squares; 0 below two samples.
    #[inline(always)]
    pub fn spread(&self, lane: usize, sum: f64, squares: f64) -> f64 {
        let v = (squares - sum * sum * self.per_n[lane]) * self.per_freedom[lane];
        // Not so for NaN, which n = 0 and n = 1 give.
        if v > 0.0 { v } else { 0.0 }
    }

    /// Marks rows of `lane` as samples that are not kept.
    pub fn strike(&mut self, lane: usize, rows: std::ops::Range<i32>) {
        for row in &mut self.rows[rows.start as usize..rows.end as usize] {
            row[lane] = f32::NAN;
        }
    }

    /// Finds median, sums and ends of the kept parts anew.
    pub fn refresh(&mut self) {
        refresh(self);
    }

    /// Copies the column of `lane` of `from` into lane `to`, with all that is known of it.
    pub fn take(&mut self, to: usize, from: &Self, lane: usize, rows: usize) {
        for (mine, theirs) in self.rows.iter_mut().zip(&from.rows[..rows]) {
            mine[to] = theirs[lane];
        }
        self.integers &= from.integers;
        self.kept.lo[to] = from.kept.lo[lane];
        self.kept.hi[to] = from.kept.hi[lane];
        self.count[to] = from.count[lane];
        self.median[to] = from.median[lane];
        self.sum[to] = from.sum[lane];
        self.squares[to] = from.squares[lane];
        self.variance[to] = from.variance[lane];
        self.n[to] = from.n[lane];
        self.per_n[to] = from.per_n[lane];
        self.per_freedom[to] = from.per_freedom[lane];
        self.first[to] = from.first[lane];
        self.last[to] = from.last[lane];
        self.scale[to] = from.scale[lane];
        self.per_level[to] = from.per_level[lane];
        self.allowance[to] = from.allowance[lane];
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
        self.variance[to] = self.variance[lane];
        self.n[to] = self.n[lane];
        self.per_n[to] = self.per_n[lane];
        self.per_freedom[to] = self.per_freedom[lane];
        self.first[to] = self.first[lane];
        self.last[to] = self.last[lane];
        self.scale[to] = self.scale[lane];
        self.per_level[to] = self.per_level[lane];
        self.allowance[to] = self.allowance[lane];
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

/// The positions of the bits that are set, the lowest first.
pub(crate) fn set_bits(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        lowest
    })
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn refresh(columns: &mut Columns) {
    let (first, last, uniform) = columns.kept.span();
    if uniform && last > first {
        let lowest = &columns.rows[first];
        let lower = &columns.rows[first + (last - first - 1) / 2];
        let upper = &columns.rows[first + (last - first) / 2];
        let highest = &columns.rows[last - 1];
        for lane in 0..LANES {
            columns.median[lane] = 0.5 * (f64::from(lower[lane]) + f64::from(upper[lane]));
            columns.first[lane] = f64::from(lowest[lane]);
            columns.last[lane] = f64::from(highest[lane]);
            columns.n[lane] = (last - first) as f64;
        }
    } else {
        for lane in 0..LANES {
            let (lo, n) = (columns.kept.lo[lane] as usize, columns.kept.len(lane));
            let at = |i: usize| if n == 0 { 0.0 } else { f64::from(columns.rows[lo + i][lane]) };
            let ends = (at(0), at(n.saturating_sub(1)));
            let middle = 0.5 * (at(n.saturating_sub(1) / 2) + at(n / 2));
            columns.median[lane] = middle;
            (columns.first[lane], columns.last[lane]) = ends;
            columns.n[lane] = n as f64;
        }
    }
    if uniform {
        // One division instead of thirty-two.
        columns.per_n = [1.0 / columns.n[0]; LANES];
        columns.per_freedom = [1.0 / (columns.n[0] - 1.0); LANES];
    } else {
        for lane in 0..LANES {
            columns.per_n[lane] = 1.0 / columns.n[lane];
            columns.per_freedom[lane] = 1.0 / (columns.n[lane] - 1.0);
        }
    }
    let integers = columns.integers;
    let Columns { rows, kept, median, sum, squares, .. } = columns;
    if integers {
        integer_sums(rows, kept, median, sum, squares);
    } else {
        sums(rows, kept, median, [sum, squares]);
    }
    for lane in 0..LANES {
        columns.variance[lane] = columns.spread(lane, columns.sum[lane], columns.squares[lane]);
    }
}

/// Calls `each(sums, deviation, rank, lane)` for every kept sample, and gives the sums in `out`.
///
/// Where columns keep different parts, samples that are not kept must be NaN or +infinity; their
/// sums stay as they are.
#[inline(always)]
fn pass(
    rows: &[Keys],
    kept: &Kept,
    centre: &Row,
    out: [&mut Row; 2],
    each: impl Fn([f64; 2], f64, f64, usize) -> [f64; 2],
) {
    let (first, last, uniform) = kept.span();
    // Local arrays, so that the compiler may hold them in registers.
    let (mut a, mut b, centre) = ([0.0; LANES], [0.0; LANES], *centre);
    if uniform {
        let mut rank = 0.0;
        for row in &rows[first..last] {
            for lane in 0..LANES {
                let d = f64::from(row[lane]) - centre[lane];
                [a[lane], b[lane]] = each([a[lane], b[lane]], d, rank, lane);
            }
            rank += 1.0;
        }
    } else {
        let mut lo = [0.0; LANES];
        for lane in 0..LANES {
            lo[lane] = f64::from(kept.lo[lane]);
        }
        let mut index = first as f64;
        for row in &rows[first..last] {
            for lane in 0..LANES {
                let d = f64::from(row[lane]) - centre[lane];
                let [next_a, next_b] = each([a[lane], b[lane]], d, index - lo[lane], lane);
                let live = d < f64::INFINITY;
                a[lane] = if live { next_a } else { a[lane] };
                b[lane] = if live { next_b } else { b[lane] };
            }
            index += 1.0;
        }
    }
    *out[0] = a;
    *out[1] = b;
}

/// Sum of the deviations from `centre`, and of their squares.
#[inline(always)]
fn sums(rows: &[Keys], kept: &Kept, centre: &Row, out: [&mut Row; 2]) {
    pass(rows, kept, centre, out, |[a, b], d, _, _| [a + d, b + d * d]);
}

/// Squares of half-integers add up in f32 without rounding while their sum is below this.
const EXACT: f32 = 4_194_304.0;

/// The same for integers: exact either way, so the same numbers.
///
/// Deviations from a median are half-integers, their squares quarters of integers. If their sum
/// stays below 2^22, each deviation and each partial sum fits in 24 bits; a sum that was rounded
/// would not. Lanes that do not stay below, with a bright hit for instance, are summed again, and
/// so are those with a median that f32 does not hold.
#[inline(always)]
fn integer_sums(rows: &[Keys], kept: &Kept, centre: &Row, sum: &mut Row, squares: &mut Row) {
    let (first, last, uniform) = kept.span();
    let (mut a, mut b) = ([0.0f32; LANES], [0.0f32; LANES]);
    let mut middle = [0.0f32; LANES];
    for lane in 0..LANES {
        middle[lane] = centre[lane] as f32;
    }
    if uniform {
        for row in &rows[first..last] {
            for lane in 0..LANES {
                let d = row[lane] - middle[lane];
                a[lane] += d;
                b[lane] += d * d;
            }
        }
    } else {
        for row in &rows[first..last] {
            for lane in 0..LANES {
                let d = row[lane] - middle[lane];
                let d = if d < f32::INFINITY { d } else { 0.0 };
                a[lane] += d;
                b[lane] += d * d;
            }
        }
    }
    let mut rounded = 0u32;
    for lane in 0..LANES {
        sum[lane] = f64::from(a[lane]);
        squares[lane] = f64::from(b[lane]);
        let exact = (b[lane] < EXACT) & (f64::from(middle[lane]) == centre[lane]);
        rounded |= u32::from(!exact) << lane;
    }
    if rounded.count_ones() > 6 {
        sums(rows, kept, centre, [sum, squares]);
        return;
    }
    while rounded != 0 {
        let lane = rounded.trailing_zeros() as usize;
        rounded &= rounded - 1;
        let (mut a, mut b) = (0.0, 0.0);
        for row in &rows[kept.lo[lane] as usize..kept.hi[lane] as usize] {
            let d = f64::from(row[lane]) - centre[lane];
            a += d;
            b += d * d;
        }
        (sum[lane], squares[lane]) = (a, b);
    }
}

/// Rows whose deviations are added up in f32 before they go on in f64.
pub(crate) const SHORT_SUM: usize = 16;

/// n (n − 1) times the variance of the deviations clamped to ± `reach`, in f32 over
/// [`SHORT_SUM`] rows at a time: `winsor` says how far off that may be.
#[inline(always)]
pub(crate) fn clamped_spread(columns: &Columns, reach: &[f32; LANES]) -> Row {
    let (first, last, uniform) = columns.kept.span();
    let rows = &columns.rows[first..last];
    let (mut sum, mut squares) = ([0.0f64; LANES], [0.0f64; LANES]);
    let (mut centre, reach) = ([0.0f32; LANES], *reach);
    for lane in 0..LANES {
        centre[lane] = columns.median[lane] as f32;
    }
    for some in rows.chunks(SHORT_SUM) {
        let (mut a, mut b) = ([0.0f32; LANES], [0.0f32; LANES]);
        if uniform {
            for row in some {
                for lane in 0..LANES {
                    let d = clamp(row[lane] - centre[lane], reach[lane]);
                    a[lane] += d;
                    b[lane] += d * d;
                }
            }
        } else {
            for row in some {
                for lane in 0..LANES {
                    let d = row[lane] - centre[lane];
                    let d = if d < f32::INFINITY { clamp(d, reach[lane]) } else { 0.0 };
                    a[lane] += d;
                    b[lane] += d * d;
                }
            }
        }
        for lane in 0..LANES {
            sum[lane] += f64::from(a[lane]);
            squares[lane] += f64::from(b[lane]);
        }
    }
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = columns.n[lane] * squares[lane] - sum[lane] * sum[lane];
    }
    out
}

/// `d` within ± `reach`.
#[inline(always)]
fn clamp(d: f32, reach: f32) -> f32 {
    let d = if d > reach { reach } else { d };
    if d < -reach { -reach } else { d }
}

/// How many kept samples of each lane lie below `floor`, and how many of the others above `ceiling`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn beyond(columns: &Columns, floor: &Row, ceiling: &Row) -> [(usize, usize); LANES] {
    let (first, last, _) = columns.kept.span();
    let (mut all_begun, mut none_ended) = (0, i32::MAX);
    for lane in 0..LANES {
        let kept = columns.kept.lo[lane] < columns.kept.hi[lane];
        let (lo, hi) = (columns.kept.lo[lane], columns.kept.hi[lane]);
        all_begun = all_begun.max(if kept { lo } else { 0 });
        none_ended = none_ended.min(if kept { hi } else { i32::MAX });
    }
    // Sorted, so a row with nothing beyond ends the search, once every lane has had its turn.
    let (mut below, mut above) = ([0i32; LANES], [0i32; LANES]);
    for (i, row) in (first..last).zip(&columns.rows[first..last]) {
        let mut any = false;
        for lane in 0..LANES {
            let out = f64::from(row[lane]) < floor[lane];
            below[lane] += i32::from(out);
            any |= out;
        }
        if !any & (i as i32 >= all_begun) {
            break;
        }
    }
    for (i, row) in (first..last).zip(&columns.rows[first..last]).rev() {
        let mut any = false;
        for lane in 0..LANES {
            let x = f64::from(row[lane]);
            let out = (x > ceiling[lane]) & (x < f64::INFINITY);
            above[lane] += i32::from(out);
            any |= out;
        }
        if !any & ((i as i32) < none_ended) {
            break;
        }
    }
    std::array::from_fn(|lane| {
        let n = columns.kept.hi[lane] - columns.kept.lo[lane];
        let below = below[lane].min(n);
        (below as usize, above[lane].min(n - below) as usize)
    })
}

/// Sum of rank times deviation, the rank of the first kept sample being 0.
#[inline(always)]
pub(crate) fn rank_sums(columns: &Columns) -> Row {
    let (mut out, mut rest) = ([0.0; LANES], [0.0; LANES]);
    let Columns { rows, kept, median, .. } = columns;
    pass(rows, kept, median, [&mut out, &mut rest], |[a, b], d, rank, _| [a + d * rank, b]);
    out
}

/// Sum of the distances of the deviations from the line `intercept + slope * rank`.
#[inline(always)]
pub(crate) fn distances(columns: &Columns, intercept: &Row, slope: &Row) -> Row {
    let (mut out, mut rest) = ([0.0; LANES], [0.0; LANES]);
    let Columns { rows, kept, median, .. } = columns;
    let (intercept, slope) = (*intercept, *slope);
    pass(rows, kept, median, [&mut out, &mut rest], |[a, b], d, rank, lane| {
        [a + (d - (intercept[lane] + slope[lane] * rank)).abs(), b]
    });
    out
}

/// How many deviations reach `bound` or more to either side.
#[inline(always)]
pub(crate) fn count_beyond(columns: &Columns, bound: &Row) -> Row {
    let (mut out, mut rest) = ([0.0; LANES], [0.0; LANES]);
    let Columns { rows, kept, median, .. } = columns;
    let bound = *bound;
    pass(rows, kept, median, [&mut out, &mut rest], |[a, b], d, _, lane| {
        [a + if d.abs() >= bound[lane] { 1.0 } else { 0.0 }, b]
    });
    out
}
