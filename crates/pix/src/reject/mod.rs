//! Which of one pixel's samples do not belong.
//!
//! A column is the N samples of one pixel, sorted, missing ones left out: x(0) ≤ x(1) ≤ … . Each
//! method keeps a contiguous part of it; what lies below was rejected low, what lies above high.
//! All arithmetic is in f64. What all methods share:
//!
//! - A **round** finds bounds from the samples still kept. It takes off samples from the low end
//!   while they lie strictly below their bound, then from the high end while they lie strictly
//!   above theirs; a sample on its bound stays. Rounds go on until one takes nothing off.
//! - **Fewest kept.** A column of 3 samples or fewer is never touched, and a round that would
//!   leave 1 or 2 samples is not done and ends the rejection; what the rounds before it took off
//!   stays off.
//! - **All rejected.** A round that would leave no sample (clusters far apart, thresholds too
//!   tight) rejects them all: nothing is kept, and the combined value is the median of the samples
//!   that the round began with. A pixel with a value and 0 samples kept is that flag.
//! - **Equal samples** share their fate, except under min/max and GESD, which count samples. A
//!   constant column has scale 0 and loses nothing, except to min/max.
//! - The **median** of an even number of samples is the mean of the middle two. sd is the sample
//!   standard deviation about the mean, with n − 1.

// Loops over lanes index several rows at once; a zip of five would say less.
#![allow(clippy::needless_range_loop)]

mod clip;
mod esd;
pub(crate) mod lanes;
mod linear_fit;
mod sigma;

use std::ops::Range;

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use lanes::{Columns, LANES, Line};

/// Fewest samples that a round of rejection may leave, all rejected apart.
pub const FEWEST: usize = 3;

/// A method of rejection with its thresholds; the [module](self) says what all methods share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reject {
    /// Keep everything.
    None,
    /// Drop the `low` smallest and the `high` greatest samples.
    ///
    /// One round. A column that would keep fewer than 3 is left whole.
    Minmax {
        /// Samples dropped at the low end.
        low: u16,
        /// Samples dropped at the high end.
        high: u16,
    },
    /// Percentile clipping: the bounds are m − `low` |m| and m + `high` |m|, m the median.
    ///
    /// One round. Thresholds are shares of the level, so the method means nothing where the level
    /// is mostly offset (bias, dark) or near 0.
    Percentile {
        /// Share of the median below it.
        low: f32,
        /// Share of the median above it.
        high: f32,
    },
    /// Sigma clipping: the bounds are m − `low` s and m + `high` s, m the median of the kept
    /// samples and s their sd. Rounds until nothing goes.
    Sigma {
        /// Sigmas below the median.
        low: f32,
        /// Sigmas above the median.
        high: f32,
    },
    /// Clipping by the median absolute deviation: as [`Sigma`](Self::Sigma) with
    /// s = 1.482602218505602 median(|x − m|).
    ///
    /// Siril's method of this name leaves the factor out; its threshold 3 is 2.02 of ours. Where
    /// more than half of the samples are equal, s is 0 and every other sample goes.
    Mad {
        /// Sigmas below the median.
        low: f32,
        /// Sigmas above the median.
        high: f32,
    },
    /// Sigma clipping with outliers replaced by the median: as [`Sigma`](Self::Sigma), but s is
    /// the sd of the whole column with every sample rejected so far put at m, the median of those
    /// kept: s² = (Σd² − (Σd)²/n) / (n − 1) with d = x − m over the kept samples, n the samples
    /// there were at the start.
    ///
    /// DeepSkyStacker and Siril also average the replaced values; here only samples that were
    /// taken are combined.
    MedianSigma {
        /// Sigmas below the median.
        low: f32,
        /// Sigmas above the median.
        high: f32,
    },
    /// Winsorized sigma clipping: as [`Sigma`](Self::Sigma) with s found anew in each round by
    /// winsorizing the kept samples.
    ///
    /// From s = sd, s' = 1.134 sd(samples clamped to m ± 1.5 s) until |s' − s| ≤ 5e-4 s, at most 50
    /// times; the last s' counts. 1.134 makes the sd of a clamped Gaussian that of the Gaussian.
    ///
    /// # Source
    /// Huber1981 winsorizing; constants as PixInsight and Siril have them.
    Winsorized {
        /// Sigmas below the median.
        sigma_low: f32,
        /// Sigmas above the median.
        sigma_high: f32,
    },
    /// Averaged sigma clipping: the bounds are m − `low` s(m) and m + `high` s(m), with
    /// s(m) = S sqrt(max(m, 1)) and one S for a tile of neighbouring pixels. Rounds until nothing
    /// goes; m is the median of those kept, S stays.
    ///
    /// A tile is 256 pixels of a line, counted from the line's start; the last may be shorter.
    /// Each column of 3 samples or more gives v = sd² / max(m, 1) / c(n) before any rejection,
    /// with c(n) = (1 − 2 / (9 (n − 1)))³, near enough the median of χ² / (n − 1) with n − 1
    /// degrees of freedom; S² is the median of these v. A few samples are too few for a scale of
    /// their own: the neighbours lend theirs.
    ///
    /// IRAF's `avsigclip` averages v over a line, so that one bright hit raises every threshold of
    /// its line; the median does not ask how bright the hits are, while fewer than half of the
    /// columns have one. Where a tile's columns differ in noise beyond the square root of the
    /// level (a star on a flat sky), S is the noise of most.
    ///
    /// # Source
    /// IRAFcombine `avsigclip`; Wilson1931 for c(n).
    AveragedSigma {
        /// Sigmas below the median.
        low: f32,
        /// Sigmas above the median.
        high: f32,
    },
    /// Linear-fit clipping: sorted samples are compared with the straight line through them.
    ///
    /// y = a + b i is fitted to the kept sorted samples, i their rank, by least squares;
    /// s = 2 mean |y − x|. The bound of a sample is its own point of the line − `low` s or
    /// + `high` s. Rounds until nothing goes; a column of 4 or fewer is not touched.
    ///
    /// Thresholds are in units of PixInsight's scale, 2 mean |y − x|; Siril's is mean |y − x|, so
    /// Siril's thresholds are halved to be ours.
    LinearFit {
        /// Scales below the line.
        low: f32,
        /// Scales above the line.
        high: f32,
    },
    /// Generalised extreme studentised deviate.
    ///
    /// With r = max(1, ⌊`outliers` n⌋), but no more than n − 3, the sample furthest from the mean
    /// is taken off r times (the greater one of two equally far). Before the i-th is taken off, q
    /// samples have mean and sd, and R = |x − mean| / sd is compared with
    /// λ(q) = (q − 1) t / sqrt(q (q − 2 + t²)), t the quantile of Student's distribution at
    /// 1 − `significance` / 2q with q − 2 degrees of freedom. The outliers are all those up to the
    /// last with R > λ. Without outliers, and where sd is 0, nothing goes. One round.
    ///
    /// # Source
    /// Rosner1983.
    Gesd {
        /// Greatest share of outliers, below 1.
        outliers: f32,
        /// Chance of finding any in a Gaussian column.
        significance: f32,
    },
    /// Clipping by the noise of the detector: the bounds are m − `low` s and m + `high` s, with
    /// s² = r² + max(m − p, 0) / g + (k (m − p))², m the median of the kept samples. Rounds until
    /// nothing goes.
    ///
    /// Values are in ADU; s does not depend on the scatter of the samples.
    ///
    /// # Source
    /// IRAFcombine `ccdclip`.
    CcdNoise {
        /// Sigmas below the median.
        low: f32,
        /// Sigmas above the median.
        high: f32,
        /// r, read noise in ADU.
        read_noise_adu: f32,
        /// g, electrons per ADU.
        gain_e_per_adu: f32,
        /// k, noise that is a share of the signal (flat field, transparency).
        sensitivity: f32,
        /// p, the level without light in ADU.
        pedestal_adu: f32,
    },
}

/// Thresholds that a person asked for; what is absent is the method's own.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Thresholds {
    /// Below.
    pub low: Option<f32>,
    /// Above.
    pub high: Option<f32>,
}

impl Reject {
    /// The names of all methods, as `--reject` takes them.
    pub const NAMES: [&'static str; 11] = [
        "none",
        "minmax",
        "percentile",
        "sigma",
        "mad",
        "median-sigma",
        "winsorized",
        "averaged-sigma",
        "linear-fit",
        "gesd",
        "ccd-noise",
    ];

    /// The method called `name`, with `asked` in place of its own thresholds; `None` for a name
    /// that is not known.
    ///
    /// For `gesd` the low threshold is the share of outliers, the high one the significance.
    /// `ccd-noise` comes with a gain of 1 and no other noise, as in IRAF: set its fields.
    pub fn named(name: &str, asked: Thresholds) -> Option<Self> {
        let pick = |low: f32, high: f32| (asked.low.unwrap_or(low), asked.high.unwrap_or(high));
        Some(match name {
            "none" => Self::None,
            "minmax" => {
                let (low, high) = pick(1.0, 1.0);
                Self::Minmax { low: low as u16, high: high as u16 }
            }
            "percentile" => {
                let (low, high) = pick(0.2, 0.1);
                Self::Percentile { low, high }
            }
            "sigma" => {
                let (low, high) = pick(4.0, 3.0);
                Self::Sigma { low, high }
            }
            "mad" => {
                let (low, high) = pick(5.0, 4.0);
                Self::Mad { low, high }
            }
            "median-sigma" => {
                let (low, high) = pick(4.0, 3.0);
                Self::MedianSigma { low, high }
            }
            "winsorized" => {
                let (sigma_low, sigma_high) = pick(4.0, 3.0);
                Self::Winsorized { sigma_low, sigma_high }
            }
            "averaged-sigma" => {
                let (low, high) = pick(4.0, 4.0);
                Self::AveragedSigma { low, high }
            }
            "linear-fit" => {
                let (low, high) = pick(5.0, 3.5);
                Self::LinearFit { low, high }
            }
            "gesd" => {
                let (outliers, significance) = pick(0.3, 0.05);
                Self::Gesd { outliers, significance }
            }
            "ccd-noise" => {
                let (low, high) = pick(4.0, 4.0);
                Self::CcdNoise {
                    low,
                    high,
                    read_noise_adu: 0.0,
                    gain_e_per_adu: 1.0,
                    sensitivity: 0.0,
                    pedestal_adu: 0.0,
                }
            }
            _ => return None,
        })
    }

    /// The method for `n` frames when nobody asks for one by name.
    ///
    /// None up to 3 frames (3 are combined by their median), averaged sigma clipping from 4 on.
    /// `docs/rejection.md` has the table that decided it.
    pub fn auto(n: usize, asked: Thresholds) -> Self {
        let name = if n <= FEWEST { "none" } else { "averaged-sigma" };
        Self::named(name, asked).unwrap_or(Self::None)
    }

    /// The method's name, as `--reject` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minmax { .. } => "minmax",
            Self::Percentile { .. } => "percentile",
            Self::Sigma { .. } => "sigma",
            Self::Mad { .. } => "mad",
            Self::MedianSigma { .. } => "median-sigma",
            Self::Winsorized { .. } => "winsorized",
            Self::AveragedSigma { .. } => "averaged-sigma",
            Self::LinearFit { .. } => "linear-fit",
            Self::Gesd { .. } => "gesd",
            Self::CcdNoise { .. } => "ccd-noise",
        }
    }

    /// The method's parameters in words; empty where it has none.
    pub fn parameters(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Minmax { low, high } => format!("low {low}, high {high} samples"),
            Self::Percentile { low, high } => format!("low {low}, high {high} of the median"),
            Self::Sigma { low, high }
            | Self::Mad { low, high }
            | Self::MedianSigma { low, high }
            | Self::AveragedSigma { low, high }
            | Self::Winsorized { sigma_low: low, sigma_high: high } => {
                format!("low {low}, high {high} sigma")
            }
            Self::LinearFit { low, high } => {
                format!("low {low}, high {high} times 2 mean distances from the line")
            }
            Self::Gesd { outliers, significance } => {
                format!("outliers {outliers}, significance {significance}")
            }
            Self::CcdNoise {
                low,
                high,
                read_noise_adu,
                gain_e_per_adu,
                sensitivity,
                pedestal_adu,
            } => format!(
                "low {low}, high {high} sigma of read noise {read_noise_adu} ADU, \
                 {gain_e_per_adu} e-/ADU, sensitivity {sensitivity}, pedestal {pedestal_adu} ADU"
            ),
        }
    }

    /// The part of one sorted column that is kept; empty when all samples are rejected.
    ///
    /// `sorted` holds finite samples, the smallest first. For averaged sigma clipping the column
    /// is a tile of its own.
    pub fn keep(self, sorted: &[f32]) -> Range<usize> {
        let n = sorted.len();
        let mut columns = Columns {
            rows: sorted.iter().map(|v| Line([*v; LANES])).collect(),
            used: 1,
            ..Columns::default()
        };
        columns.count[0] = n as i32;
        columns.kept.hi[0] = n as i32;
        let mut judge = Judge::new(self, n);
        judge.start(&mut columns);
        columns.refresh();
        if judge.pools() {
            let mut pool = Vec::new();
            judge.offer(&columns, &mut pool);
            columns.scale[0] = judge.pooled(&mut pool).unwrap_or(f64::NAN);
        }
        while judge.unsettled(&columns) & 1 != 0 {
            let fate = judge.narrow(&mut columns);
            let (lo, hi) = (columns.kept.lo[0] as usize, columns.kept.hi[0] as usize);
            match fate[0] {
                Fate::Judged => return lo..hi,
                Fate::AllRejected { low } => return lo + low..lo + low,
                Fate::Narrowed => columns.refresh(),
            }
        }
        columns.kept.lo[0] as usize..columns.kept.hi[0] as usize
    }
}

/// What a round made of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// Nothing went, or the round was not done: the column is as it will be.
    Judged,
    /// Something went; the sums are those from before.
    Narrowed,
    /// Everything went, `low` of the samples that were left below the low bound.
    AllRejected {
        /// Samples below.
        low: usize,
    },
}

/// A method made ready for columns of up to a number of samples.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judge {
    method: Option<Reject>,
    /// λ(q) of GESD at index q.
    critical: Vec<f64>,
    /// Scratch of GESD.
    path: Vec<bool>,
}

impl Judge {
    /// `method` for columns of up to `count` samples.
    pub fn new(method: Reject, count: usize) -> Self {
        let critical = match method {
            Reject::Gesd { significance, .. } => {
                esd::critical_values(count, f64::from(significance))
            }
            _ => Vec::new(),
        };
        Self { method: Some(method), critical, path: Vec::new() }
    }

    /// Whether this is the judge that [`new`](Self::new) would make.
    pub fn serves(&self, method: Reject, count: usize) -> bool {
        self.method == Some(method)
            && (!matches!(method, Reject::Gesd { .. }) || self.critical.len() == count + 1)
    }

    fn method(&self) -> Reject {
        self.method.unwrap_or(Reject::None)
    }

    /// Takes off what needs no look at the samples.
    #[inline]
    pub fn start(&self, columns: &mut Columns) {
        if let Reject::Minmax { low, high } = self.method() {
            clip::minmax(columns, i32::from(low), i32::from(high));
        }
    }

    /// Whether columns are judged by a scale pooled over a tile.
    pub fn pools(&self) -> bool {
        matches!(self.method(), Reject::AveragedSigma { .. })
    }

    /// Adds what each fresh column brings to the pool.
    pub fn offer(&self, columns: &Columns, pool: &mut Vec<f64>) {
        sigma::offer_scales(columns, pool);
    }

    /// The scale of a tile; `None` for an empty pool.
    pub fn pooled(&self, pool: &mut [f64]) -> Option<f64> {
        sigma::pooled_scale(pool)
    }

    /// The lanes, a bit each, whose columns a further round might narrow.
    pub fn unsettled(&mut self, columns: &Columns) -> u32 {
        let open = unsettled(self.method(), columns, &self.critical, &mut self.path);
        let used = if columns.used == LANES { u32::MAX } else { (1 << columns.used) - 1 };
        open & used
    }

    /// One round over the lanes in use.
    pub fn narrow(&mut self, columns: &mut Columns) -> [Fate; LANES] {
        let method = self.method();
        let fates = match method {
            Reject::LinearFit { .. } | Reject::Gesd { .. } => {
                narrow_ends(method, columns, &self.critical, &mut self.path)
            }
            _ => {
                let bounds = bounds(method, columns);
                take_off(columns, bounds)
            }
        };
        for round in &mut columns.round[..columns.used] {
            *round = round.saturating_add(1);
        }
        fates
    }
}

/// A yes or no for each lane.
pub(crate) type Lanes = [bool; LANES];

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn unsettled(method: Reject, columns: &Columns, critical: &[f64], path: &mut Vec<bool>) -> u32 {
    let mut out = match method {
        Reject::None | Reject::Minmax { .. } => return 0,
        Reject::Mad { low, high } => sigma::mad_unsettled(columns, low, high),
        Reject::Winsorized { sigma_low, sigma_high } => {
            sigma::winsorized_unsettled(columns, sigma_low, sigma_high)
        }
        Reject::LinearFit { low, high } => linear_fit::unsettled(columns, low, high),
        Reject::Gesd { outliers, .. } => esd::unsettled(columns, outliers, critical, path),
        _ => {
            let (low, high) = simple_bounds(method, columns);
            let mut out = [false; LANES];
            for lane in 0..LANES {
                out[lane] = (columns.first[lane] < low[lane]) | (columns.last[lane] > high[lane]);
            }
            out
        }
    };
    if matches!(method, Reject::Percentile { .. }) {
        for lane in 0..LANES {
            out[lane] &= columns.round[lane] == 0;
        }
    }
    let mut bits = 0u32;
    for lane in 0..LANES {
        bits |= u32::from(out[lane] & (columns.n[lane] > FEWEST as f64)) << lane;
    }
    bits
}

/// The bounds of a round, for the methods that have bounds.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn bounds(method: Reject, columns: &Columns) -> Bounds {
    match method {
        Reject::Mad { low, high } => sigma::about_median(columns, low, high, sigma::mad(columns)),
        Reject::Winsorized { sigma_low, sigma_high } => {
            sigma::about_median(columns, sigma_low, sigma_high, sigma::winsorized(columns))
        }
        _ => simple_bounds(method, columns),
    }
}

/// The bounds of the methods whose scale is known from the sums.
#[inline(always)]
fn simple_bounds(method: Reject, columns: &Columns) -> Bounds {
    match method {
        Reject::Percentile { low, high } => clip::percentile(columns, low, high),
        Reject::Sigma { low, high } => sigma::about_median(columns, low, high, sigma::sd(columns)),
        Reject::MedianSigma { low, high } => {
            sigma::about_median(columns, low, high, sigma::replaced_sd(columns))
        }
        Reject::AveragedSigma { low, high } => {
            sigma::about_median(columns, low, high, sigma::averaged(columns))
        }
        Reject::CcdNoise { low, high, .. } => {
            sigma::about_median(columns, low, high, sigma::detector(columns, method))
        }
        _ => ([f64::NEG_INFINITY; LANES], [f64::INFINITY; LANES]),
    }
}

/// A round of the methods that judge samples by their rank.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn narrow_ends(
    method: Reject,
    columns: &mut Columns,
    critical: &[f64],
    path: &mut Vec<bool>,
) -> [Fate; LANES] {
    match method {
        Reject::LinearFit { low, high } => linear_fit::narrow(columns, low, high),
        Reject::Gesd { outliers, .. } => esd::narrow(columns, outliers, critical, path),
        _ => [Fate::Judged; LANES],
    }
}

/// The low and the high bound of each column.
pub(crate) type Bounds = (lanes::Row, lanes::Row);

/// Takes off what lies beyond the bounds.
fn take_off(columns: &mut Columns, (low, high): Bounds) -> [Fate; LANES] {
    let mut fates = [Fate::Judged; LANES];
    for lane in 0..columns.used {
        let below = columns.column(lane).take_while(|x| *x < low[lane]).count();
        let rest = columns.kept.len(lane) - below;
        let above = columns.column(lane).rev().take(rest).take_while(|x| *x > high[lane]).count();
        fates[lane] = settle(columns, lane, below, above);
    }
    fates
}

/// Does a round that takes `below` and `above` samples off the ends, unless too few would stay.
fn settle(columns: &mut Columns, lane: usize, below: usize, above: usize) -> Fate {
    let n = columns.kept.len(lane);
    match n - below - above {
        _ if n <= FEWEST || below + above == 0 => Fate::Judged,
        0 => Fate::AllRejected { low: below },
        1 | 2 => Fate::Judged,
        _ => {
            let (lo, hi) = (columns.kept.lo[lane], columns.kept.hi[lane]);
            let (new_lo, new_hi) = (lo + below as i32, hi - above as i32);
            columns.strike(lane, lo..new_lo);
            columns.strike(lane, new_hi..hi);
            columns.kept.lo[lane] = new_lo;
            columns.kept.hi[lane] = new_hi;
            Fate::Narrowed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: Reject = Reject::Winsorized { sigma_low: 4.0, sigma_high: 3.0 };

    #[test]
    fn one_outlier_goes_and_the_rest_stays() {
        let mut sorted = [9.0, 10.0, 10.5, 11.0, 9.5, 10.2, 9.8, 500.0];
        sorted.sort_by(f32::total_cmp);
        assert_eq!(METHOD.keep(&sorted), 0..7);
    }

    #[test]
    fn constant_and_short_columns_are_kept_by_all_but_minmax() {
        for name in Reject::NAMES {
            let method = Reject::named(name, Thresholds::default()).unwrap();
            assert_eq!(method.name(), name);
            if name != "minmax" {
                assert_eq!(method.keep(&[5.0; 9]), 0..9, "{name}");
            }
            for n in 0..=3 {
                assert_eq!(method.keep(&[1.0, 2.0, 900.0][..n]), 0..n, "{name}");
            }
        }
    }
}
