//! The arithmetic of both passes, 16 places side by side.
//!
//! Weights of neighbours differ little where a pixel of the output is nearly one of the frame:
//! along a group in the first pass, over a strip in the second. They are parabolas then, which
//! cost half of what the kernel does. That, too, is decided place by place, whatever the region.

// Loops over lanes index several rows at once; a zip of five would say less.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use multiversion::multiversion;

use super::kernel::{DRIFT, Kernel, LANES, LOBES, Lanes, Parabola, TAPS};

/// Groups of lanes across a block.
pub(super) const GROUPS: usize = LANES;

/// Columns of the output that are worked on from top to bottom: what lies between the passes then
/// stays in the nearest caches.
pub(super) const BLOCK: usize = GROUPS * LANES;

/// Rows, of the output and of the frame, between positions that are computed.
pub(super) const STRIP: usize = 16;

/// Rows that are kept between the passes: those of a kernel, and what a block's rotation adds.
pub(super) const RING: usize = 64;

/// Samples of a row that a group of lanes may reach, at the largest scale.
const REACH: usize = 32;

/// 1.5 * 2^23 and 1.5 * 2^52: added, they leave no room below the point.
const TO_INTEGER: f32 = 12_582_912.0;
const TO_INTEGER_F64: f64 = 6_755_399_441_055_744.0;

/// Half of a group or a strip, over which parabolas run from 0 to 1.
const HALF: f32 = 8.0;

/// Places of one group of lanes: lane k is `start` + k (`natural` + `drift`) from half way between
/// the taps that begin with `first` and those that begin with the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places {
    first: i64,
    start: f32,
    drift: f32,
}

impl Places {
    pub(super) const NONE: Self = Self { first: 0, start: 0.0, drift: 0.0 };

    /// The places of a group from the edge at `a` on, the next group's edge being at `b`. A reader
    /// that moves on by `natural` a lane meets them with the least drift.
    pub(super) fn between([a, b]: [f64; 2], mirrored: bool, natural: f64) -> Self {
        let step = (b - a) / LANES as f64;
        let (at, step) = if mirrored { (b - step, -step) } else { (a, step) };
        let whole = at + TO_INTEGER_F64;
        let first = whole.to_bits().wrapping_sub(TO_INTEGER_F64.to_bits()) as i64;
        Self {
            first: first - (LOBES as i64 - 1),
            start: (at - (whole - TO_INTEGER_F64) - 0.5) as f32,
            drift: (step - natural) as f32,
        }
    }

    /// How many taps further on a lane's begin, and how far beyond half way between them it lies.
    ///
    /// Along the lanes the former only grows or only falls, as does each step of the arithmetic.
    #[inline(always)]
    fn split(&self, lane: f32) -> (i32, f32) {
        let at = self.start + lane * self.drift;
        let whole = at + TO_INTEGER;
        let on = whole.to_bits().wrapping_sub(TO_INTEGER.to_bits()) as i32;
        (on, at - (whole - TO_INTEGER))
    }

    #[inline(always)]
    fn all(&self) -> ([i32; LANES], Lanes) {
        let (mut on, mut s) = ([0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            (on[lane], s[lane]) = self.split(lane as f32);
        }
        (on, s)
    }

    /// The same half way along the lanes.
    #[inline(always)]
    fn middle(&self) -> (i32, f32) {
        self.split(0.5 * (LANES - 1) as f32)
    }

    /// Whether weights are parabolas along the lanes.
    #[inline(always)]
    fn even(&self) -> bool {
        HALF * self.drift.abs() <= DRIFT
    }

    /// The parabolas of a row of groups, one a lane.
    pub(super) fn bend(all: &[Self; GROUPS], kernel: &Kernel, out: &mut [Parabola; TAPS]) {
        let (mut s, mut drift) = ([0.0; GROUPS], [0.0; GROUPS]);
        for g in 0..GROUPS {
            (s[g], drift[g]) = (all[g].middle().1, HALF * all[g].drift);
        }
        kernel.parabolas(&s, &drift, out);
    }

    /// The least and the most of how many taps further on lanes begin.
    #[inline(always)]
    fn ends(&self) -> (i32, i32) {
        let (a, b) = (self.split(0.0).0, self.split((LANES - 1) as f32).0);
        (a.min(b), a.max(b))
    }
}

/// The first pass: sums over the taps of each place of a row, and the lowest sample under them.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn along(
    kernel: &Kernel,
    row: &[f32],
    (places, parabolas): (&[Places; GROUPS], &[Parabola; TAPS]),
    groups: Range<usize>,
    sums: &mut Row,
    lows: &mut Row,
) {
    for g in groups {
        let places = &places[g];
        let even = places.even();
        let least = if even { places.middle().0 } else { places.ends().0 };
        let begin = places.first + i64::from(least);
        let padded;
        let near = match piece(row, begin) {
            Some(near) => near,
            None => {
                padded = beyond(row, begin);
                &padded
            }
        };
        if even {
            let mut own = [[0.0; 3]; TAPS];
            for tap in 0..TAPS {
                for i in 0..3 {
                    own[tap][i] = parabolas[tap][i][g];
                }
            }
            let weight = |tap: usize, lane: usize| {
                let [a, b, c] = own[tap];
                let t = (lane as f32 - 0.5 * (LANES - 1) as f32) / HALF;
                a + t * (b + t * c)
            };
            (sums[g], lows[g]) = weighed(weight, |tap, lane| near[lane + tap]);
            continue;
        }
        let (on, s) = places.all();
        let mut weights = [[0.0; LANES]; TAPS];
        kernel.weights(&s, &mut weights);
        let mut taps = [[0.0; LANES]; TAPS];
        for lane in 0..LANES {
            let from = (lane + (on[lane] - least) as usize).min(REACH - TAPS);
            for tap in 0..TAPS {
                taps[tap][lane] = near[from + tap];
            }
        }
        (sums[g], lows[g]) = weighed(|tap, lane| weights[tap][lane], |tap, lane| taps[tap][lane]);
    }
}

/// The samples from `begin` on, where all are of the frame.
#[inline(always)]
fn piece(row: &[f32], begin: i64) -> Option<&[f32; REACH]> {
    if begin < 0 || begin as usize + REACH > row.len() {
        return None;
    }
    row[begin as usize..][..REACH].try_into().ok()
}

/// The samples from `begin` on; what lies beyond the frame is missing.
#[cold]
fn beyond(row: &[f32], begin: i64) -> [f32; REACH] {
    let mut padded = [f32::NAN; REACH];
    for (x, to) in (begin..).zip(&mut padded) {
        let v = usize::try_from(x).ok().and_then(|x| row.get(x));
        *to = v.copied().unwrap_or(f32::NAN);
    }
    padded
}

/// A group of columns over a strip of rows, for the second pass.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub(super) struct Columns {
    parabolas: [Parabola; TAPS],
    s: Lanes,
    on: [i32; LANES],
    /// Rows of the frame at the edges, above and below the strip.
    edges: [[f64; 2]; 2],
    mirrored: bool,
    /// Where weights are parabolas: the way to the next row of the frame, 1 or −1.
    even: Option<i64>,
    /// Where the lanes are: of an even strip in its middle row, else in the row that is worked on.
    begin: i64,
    most: i32,
}

impl Columns {
    /// Lays them over a strip whose upper and lower edges lie at rows of the frame.
    pub(super) fn lay(&mut self, kernel: &Kernel, edges: [[f64; 2]; 2], mirrored: bool) {
        let [above, below] = edges;
        let turn = if below[0] > above[0] { 1.0 } else { -1.0 };
        let half = f64::from(HALF);
        let drift = [0, 1].map(|i| 0.5 * (below[i] - above[i]) - turn * half);
        (self.edges, self.mirrored) = (edges, mirrored);
        self.even = drift.iter().all(|d| d.abs() <= f64::from(DRIFT)).then_some(turn as i64);
        if self.even.is_some() {
            self.place(half);
            // What they drift changes evenly along the lanes.
            let [a, b] = if mirrored { [drift[1], drift[0]] } else { drift };
            let step = (b - a) / LANES as f64;
            let mut drift = [0.0; LANES];
            for lane in 0..LANES {
                drift[lane] = (a + step * lane as f64) as f32;
            }
            kernel.parabolas(&self.s, &drift, &mut self.parabolas);
        }
    }

    /// Places the lanes in a `row` of the strip.
    fn place(&mut self, row: f64) {
        let [above, below] = self.edges;
        let t = row / STRIP as f64;
        let at = [0, 1].map(|i| above[i] + t * (below[i] - above[i]));
        let places = Places::between(at, self.mirrored, 0.0);
        let (least, most) = places.ends();
        (self.on, self.s) = places.all();
        self.on.iter_mut().for_each(|on| *on -= least);
        (self.begin, self.most) = (places.first + i64::from(least), most - least);
    }

    /// The rows of the frame that `row` of the strip needs.
    pub(super) fn rows(&mut self, row: usize) -> Range<i64> {
        if self.even.is_none() {
            self.place(row as f64);
        }
        let begin = self.begin_in(row);
        begin..begin + i64::from(self.most) + TAPS as i64
    }

    /// The sums of group `g` that each lane's taps begin with, from row `begin` on.
    #[inline(always)]
    fn gather(&self, begin: i64, g: usize, sums: &[Row; RING], out: &mut [Lanes; TAPS]) {
        for tap in 0..TAPS {
            out[tap] = sums[(begin + tap as i64) as usize % RING][g];
        }
        for on in 1..=self.most {
            for tap in 0..TAPS {
                let next = &sums[(begin + tap as i64 + i64::from(on)) as usize % RING][g];
                for lane in 0..LANES {
                    out[tap][lane] = if self.on[lane] >= on { next[lane] } else { out[tap][lane] };
                }
            }
        }
    }

    #[inline(always)]
    fn begin_in(&self, row: usize) -> i64 {
        self.begin + self.even.map_or(0, |turn| turn * (row as i64 - HALF as i64))
    }
}

/// The second pass: sums over the taps of each place in a column of first sums, no lower than the
/// lowest sample under them all; whether any is not finite.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn down(
    kernel: &Kernel,
    Between { sums, lows: [.., lows], .. }: &Between,
    (columns, row): (&[Columns; GROUPS], usize),
    groups: Range<usize>,
    out: &mut Row,
) -> bool {
    let mut odd = [0.0; LANES];
    for g in groups {
        let columns = &columns[g];
        let begin = columns.begin_in(row);
        let slot = |tap: usize| (begin + tap as i64) as usize % RING;
        let mut rows = [&sums[slot(0)][g]; TAPS];
        for tap in 1..TAPS {
            rows[tap] = &sums[slot(tap)][g];
        }
        let mut low = lows[slot(0)][g];
        let mut moved;
        if columns.most > 0 {
            moved = [[0.0; LANES]; TAPS];
            columns.gather(begin, g, sums, &mut moved);
            for on in 1..=columns.most {
                let next = &lows[slot(on as usize)][g];
                for lane in 0..LANES {
                    low[lane] = if columns.on[lane] >= on { next[lane] } else { low[lane] };
                }
            }
            for tap in 0..TAPS {
                rows[tap] = &moved[tap];
            }
        }
        let sample = |tap: usize, lane: usize| rows[tap][lane];
        let (sum, _) = if columns.even.is_some() {
            let t = row as f32 / HALF - 1.0;
            let weight = |tap: usize, lane: usize| {
                let [a, b, c] = &columns.parabolas[tap];
                a[lane] + t * (b[lane] + t * c[lane])
            };
            weighed(weight, sample)
        } else {
            let mut weights = [[0.0; LANES]; TAPS];
            kernel.weights(&columns.s, &mut weights);
            weighed(|tap, lane| weights[tap][lane], sample)
        };
        for lane in 0..LANES {
            out[g][lane] = if sum[lane] < low[lane] { low[lane] } else { sum[lane] };
            // 0, or NaN where a sum is not finite.
            odd[lane] += sum[lane] * 0.0;
        }
    }
    odd.iter().any(|odd| odd.is_nan())
}

/// Sums of samples under weights, both by tap and lane, and the lowest of the samples.
#[inline(always)]
fn weighed(
    weight: impl Fn(usize, usize) -> f32,
    sample: impl Fn(usize, usize) -> f32,
) -> (Lanes, Lanes) {
    let (mut sum, mut low) = ([0.0; LANES], [0.0; LANES]);
    let lower = |a: f32, b: f32| if a < b { a } else { b };
    for lane in 0..LANES {
        let v = |tap: usize| sample(tap, lane);
        let term = |tap: usize| weight(tap, lane) * v(tap);
        sum[lane] = ((term(0) + term(7)) + (term(1) + term(6)))
            + ((term(2) + term(5)) + (term(3) + term(4)));
        low[lane] = lower(
            lower(lower(v(0), v(1)), lower(v(2), v(3))),
            lower(lower(v(4), v(5)), lower(v(6), v(7))),
        );
    }
    (sum, low)
}

/// One row of a block.
pub(super) type Row = [Lanes; GROUPS];

/// Rows of the frame on their way between the passes; the last are kept.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Between {
    sums: [Row; RING],
    /// The lowest samples under 1, 2, 4 and 8 sums, one below the other from a row on.
    lows: [[Row; RING]; 4],
    done: Range<i64>,
}

impl Between {
    pub(super) fn new() -> Box<Self> {
        let rows = [[[0.0; LANES]; GROUPS]; RING];
        Box::new(Self { done: 0..0, sums: rows, lows: [rows; 4] })
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.done = 0..0;
    }

    /// Takes rows through the first `pass`, so that `wanted` are there; at most 64.
    pub(super) fn advance(
        &mut self,
        wanted: Range<i64>,
        mut pass: impl FnMut(i64, &mut Row, &mut Row),
    ) {
        if wanted.start >= self.done.end || wanted.end <= self.done.start {
            self.done = wanted.start..wanted.start;
        }
        let mut step = |row: i64, down: bool| {
            let slot = row as usize % RING;
            pass(row, &mut self.sums[slot], &mut self.lows[0][slot]);
            for (level, half) in [1i64, 2, 4].into_iter().enumerate() {
                let first = if down { row - (2 * half - 1) } else { row };
                let [a, b] = [first, first + half].map(|row| row as usize % RING);
                let (known, next) = self.lows.split_at_mut(level + 1);
                lower_rows(&known[level][a], &known[level][b], &mut next[0][a]);
            }
        };
        while self.done.end < wanted.end {
            step(self.done.end, true);
            self.done.end += 1;
            self.done.start = self.done.start.max(self.done.end - RING as i64);
        }
        while self.done.start > wanted.start {
            self.done.start -= 1;
            step(self.done.start, false);
            self.done.end = self.done.end.min(self.done.start + RING as i64);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn lower_rows(a: &Row, b: &Row, out: &mut Row) {
    let pairs = a.as_flattened().iter().zip(b.as_flattened());
    for (o, (a, b)) in out.as_flattened_mut().iter_mut().zip(pairs) {
        *o = if a < b { *a } else { *b };
    }
}
