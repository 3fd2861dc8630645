//! Winsorized sigma clipping.
//!
//! With g(s) = 1.134 sd(samples clamped to m ± 1.5 s) the definition iterates s ← g(s) from the
//! plain sd s₀. g does not fall as s grows, for clamping wider brings no two samples closer. So:
//!
//! - If s₀ ≥ t and g(t) ≥ t, every step stays at t or above.
//! - If g(s₀) ≤ s₀, steps only go down: every later step is at most any earlier one.
//! - If s₀ ≤ t and g(t) ≤ t, every step stays at t or below.
//!
//! The first bounds the last sigma from below, the others from above. A column is settled where
//! the bound from below is the smallest sigma with which nothing goes; and a round is decided
//! where the bound from above already takes off all that the bound from below lets go. Then the
//! steps need not be taken, and g may be found in f32, if what that loses is allowed for. The few
//! columns whose samples lie between the bounds are iterated as the definition says, in f64.

use multiversion::multiversion;

use super::lanes::{Columns, LANES, Row, SHORT_SUM, beyond, clamped_spread};
use super::sigma::{least_harmless, sd_of};
use super::{Fate, Lanes, settle};

/// Makes the sd of a Gaussian clamped at 1.5 sigma that of the Gaussian.
const WINSOR_TO_SIGMA: f64 = 1.134;
/// Sigmas at which winsorizing clamps.
const WINSOR_REACH: f64 = 1.5;
/// Relative change of sigma at which winsorizing ends.
const WINSOR_SETTLED: f64 = 5e-4;
/// Rounds of winsorizing at most; a handful is enough for any column met so far.
const WINSOR_ROUNDS: usize = 50;

/// The relative error of g(`sigma`) in f32, at most.
///
/// With u = 2^-24, deviations carry relative errors of u and their squares 3 u; c of them added up
/// in f32 carry (c + 2) u more at most, and what is added up after that in f64 nothing that counts.
/// n (n − 1) var = n Σd² − (Σd)² is at least half of n Σd² where d are deviations from the median
/// (mean and median are within one sd), and (Σd)² is no more than it, so its relative error is at
/// most 6 (c + 4) u, and that of sigma half of it; it is counted more than twice. Where f32 does not
/// hold the median, rounding it moves each deviation, hence sigma, by u |m| at most.
#[inline(always)]
fn error(columns: &Columns, lane: usize, sigma: f64) -> f64 {
    let m = columns.median[lane];
    let rounding = if f64::from(m as f32) == m { 0.0 } else { 2.0 * m.abs() / sigma };
    f64::from(f32::EPSILON) * (4.0 * (SHORT_SUM as f64 + 4.0) + rounding)
}

/// Errors above this are not worth a proof.
const WORST_ERROR: f64 = 0.01;

/// Whether a sigma is one that f32 can tell: neither its square nor that of its deviations may
/// overflow or vanish.
#[inline(always)]
fn fine(sigma: f64, error: f64) -> bool {
    (1e-15..=1e15).contains(&sigma) & (error <= WORST_ERROR)
}

#[inline(always)]
fn reach(sigma: &Row) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = (WINSOR_REACH * sigma[lane]) as f32;
    }
    out
}

/// The lanes where the smallest harmless sigma is not shown to be a bound from below.
#[inline(always)]
pub(super) fn unsettled(columns: &Columns, low: f32, high: f32) -> Lanes {
    undecided(columns, &least_harmless(columns, low, high))
}

/// The lanes where `t` is not shown to be a bound from below.
#[inline(always)]
pub(super) fn undecided(columns: &Columns, t: &Row) -> Lanes {
    let spread = clamped_spread(columns, &reach(t));
    let mut out = [true; LANES];
    for lane in 0..LANES {
        let (n, t) = (columns.n[lane], t[lane]);
        let error = error(columns, lane, t);
        let least = t * (1.0 + error) * (1.0 / WINSOR_TO_SIGMA);
        let stays = spread[lane] * (1.0 - error) >= least * least * (n * (n - 1.0));
        let starts = columns.variance[lane] >= t * t * (1.0 + 1e-9);
        // All samples in one place need no scale.
        let constant = columns.first[lane] == columns.last[lane];
        out[lane] = !(stays & starts & fine(t, error) | constant);
    }
    out
}

/// Steps of winsorizing after which its sigma is bounded from above.
const CEILING_STEPS: usize = 6;

/// How far errors of the steps may add up: a step multiplies the error of the one before by 1.7 at
/// most (the slope of g: 1.134 * 1.5 sqrt(share clamped) and less), which makes 33 after six steps
/// and 19 after five.
const STEPS_ERROR: f64 = 100.0;

/// Where steps go up, a bound is looked for this far above the last.
const ABOVE: f64 = 1.0 + 2e-3;

/// Bounds from above on the last sigma of each column, and whether they are such.
///
/// Where steps go down, a lane is left where the definition might stop: there its sigma is this
/// step's. Where the first goes up, the steps are only a guess at the place of a bound, which is
/// then tried.
#[inline(always)]
pub(super) fn ceilings(columns: &Columns) -> (Row, Lanes) {
    let (mut start, mut sigma) = ([0.0; LANES], [0.0; LANES]);
    let (mut sure, mut open, mut up) = ([true; LANES], [true; LANES], [false; LANES]);
    for lane in 0..LANES {
        start[lane] = columns.variance[lane].sqrt() * (1.0 + 1e-12);
    }
    sigma.copy_from_slice(&start);
    for step in 0..CEILING_STEPS {
        let spread = clamped_spread(columns, &reach(&sigma));
        for lane in 0..LANES {
            let error = error(columns, lane, sigma[lane]);
            let freedom = columns.per_n[lane] * columns.per_freedom[lane];
            let scale = WINSOR_TO_SIGMA * (1.0 + error);
            let next = (spread[lane] * freedom).sqrt() * scale;
            let fell = sigma[lane] - next;
            up[lane] |= (step == 0) & (fell < 0.0);
            let sound = (fell >= 0.0) & fine(next, error);
            let goes_on = fell > (WINSOR_SETTLED + STEPS_ERROR * error) * sigma[lane];
            let takes = open[lane] & (sound | up[lane]);
            // Once the definition went down it only goes down, whatever f32 says.
            sure[lane] &= !open[lane] | sound;
            sigma[lane] = if takes { next } else { sigma[lane] };
            open[lane] = takes & (goes_on | up[lane]);
        }
    }
    if up.contains(&true) {
        for lane in 0..LANES {
            let guess = sigma[lane] * ABOVE;
            sigma[lane] = if up[lane] { guess } else { sigma[lane] };
        }
        let spread = clamped_spread(columns, &reach(&sigma));
        for lane in 0..LANES {
            let error = error(columns, lane, sigma[lane]);
            let freedom = columns.per_n[lane] * columns.per_freedom[lane];
            let next = (spread[lane] * freedom).sqrt() * WINSOR_TO_SIGMA * (1.0 + error);
            let stays = (start[lane] <= sigma[lane]) & (next <= sigma[lane]);
            sure[lane] |= up[lane] & stays & fine(next, error);
        }
    }
    (sigma, sure)
}

/// Deviations that are added up side by side.
pub(super) const SUMS: usize = 8;

/// The winsorized sigma of `lane`, step by step.
fn iterate(columns: &Columns, lane: usize, deviations: &mut Vec<[f64; SUMS]>) -> f64 {
    let (m, n) = (columns.median[lane], columns.n[lane]);
    deviations.clear();
    deviations.resize(columns.kept.len(lane).div_ceil(SUMS), [0.0; SUMS]);
    // What is left over stays 0 and adds nothing.
    let places = deviations.as_flattened_mut().iter_mut();
    places.zip(columns.column(lane)).for_each(|(d, x)| *d = x - m);
    settled_sigma(deviations, sd_of(columns.sum[lane], columns.squares[lane], n), n)
}

/// The sigma at which winsorizing `n` deviations ends that begins at `sigma`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn settled_sigma(deviations: &[[f64; SUMS]], mut sigma: f64, n: f64) -> f64 {
    for _ in 0..WINSOR_ROUNDS {
        let reach = WINSOR_REACH * sigma;
        let (mut sums, mut squares) = ([0.0; SUMS], [0.0; SUMS]);
        for part in deviations {
            for i in 0..SUMS {
                let d = if part[i] > reach { reach } else { part[i] };
                let d = if d < -reach { -reach } else { d };
                sums[i] += d;
                squares[i] += d * d;
            }
        }
        let next = WINSOR_TO_SIGMA * sd_of(by_pairs(sums), by_pairs(squares), n);
        let settled = (next - sigma).abs() <= WINSOR_SETTLED * sigma;
        sigma = next;
        if settled {
            break;
        }
    }
    sigma
}

#[inline(always)]
fn by_pairs(s: [f64; SUMS]) -> f64 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// The bounds that `sigma` makes.
#[inline(always)]
fn bounds(columns: &Columns, sigma: &Row, low: f64, high: f64) -> (Row, Row) {
    let (mut floor, mut ceiling) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        floor[lane] = columns.median[lane] - low * sigma[lane];
        ceiling[lane] = columns.median[lane] + high * sigma[lane];
    }
    (floor, ceiling)
}

/// A round.
pub(super) fn narrow(
    columns: &mut Columns,
    low: f32,
    high: f32,
    deviations: &mut Vec<[f64; SUMS]>,
) -> [Fate; LANES] {
    let (low, high) = (f64::from(low), f64::from(high));
    let (mut sigma, sure) = super::winsor_ceilings(columns);
    let (floor, ceiling) = bounds(columns, &sigma, low, high);
    let mut off = beyond(columns, &floor, &ceiling);
    // The smallest sigma that lets no more go than the ceiling does.
    let mut t = [0.0; LANES];
    for lane in columns.open_lanes() {
        let (below, above) = off[lane];
        let (lo, hi) = (columns.kept.lo[lane] as usize, columns.kept.hi[lane] as usize);
        if sure[lane] & (below + above < hi - lo) {
            let m = columns.median[lane];
            let under = (m - f64::from(columns.rows[lo + below][lane])) / low;
            let over = (f64::from(columns.rows[hi - 1 - above][lane]) - m) / high;
            t[lane] = if under > over { under } else { over + 0.0 * under };
        }
    }
    let undecided = super::winsor_undecided(columns, &t);
    let mut again = false;
    for lane in columns.open_lanes() {
        if !sure[lane] | undecided[lane] {
            sigma[lane] = iterate(columns, lane, deviations);
            again = true;
        }
    }
    if again {
        let (floor, ceiling) = bounds(columns, &sigma, low, high);
        let exact = beyond(columns, &floor, &ceiling);
        for lane in columns.open_lanes() {
            if !sure[lane] | undecided[lane] {
                off[lane] = exact[lane];
            }
        }
    }
    let mut fates = [Fate::Judged; LANES];
    for lane in columns.open_lanes() {
        fates[lane] = settle(columns, lane, off[lane].0, off[lane].1);
    }
    fates
}
