//! Which of one pixel's samples do not belong.
//!
//! A column is the N samples of one pixel, sorted, missing ones left out: x(0) ≤ x(1) ≤ … . Each
//! method keeps a contiguous part of it; what lies below was rejected low, what lies above high.
//! All arithmetic is in f64. What all methods share:
//!
//! - A **round** finds bounds from the samples still kept. It removes samples from the low end
//!   while they lie strictly below their bound, then from the high end while they lie strictly
//!   above theirs; a sample on its bound stays (to the rounding of f64). Rounds go on until one takes nothing off.
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
mod judge;
pub(crate) mod lanes;
mod linear_fit;
mod sigma;
mod winsor;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use judge::{Bounds, Lanes, settle, winsor_ceilings, winsor_undecided};
pub(crate) use judge::{Fate, Judge};
use lanes::{Columns, LANES, Line};

/// Fewest samples that a round of rejection may leave, all rejected apart; two of three where
/// neighbours lend their scale.
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
    /// Winsorized sigma clipping: as [`Sigma`](Self::Sigma) with s computed again in each round by
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
    /// Averaged sigma clipping: the bounds are m − `low` s − a and m + `high` s + a, with
    /// s = max(S sqrt(max(m / L, 1)), d), one S and one L for a tile of neighbouring pixels,
    /// d = 1.482602218505602 b(n) median(|x − m|) of the kept samples, and a what good samples may
    /// differ by besides ([`Allowance`](crate::combine::Allowance); 0 where nothing is allowed).
    /// Rounds until nothing goes; m is the median of those kept, S and a stay. b(n) makes good what
    /// the deviations of few samples fall short of.
    ///
    /// A tile is 256 pixels of a line, counted from the line's start; the last may be shorter. Where only
    /// every so many pixels have one noise ([`alike_every`](crate::combine::Samples::alike_every)), these
    /// lend each other theirs. S of integers is at least 1 / √12, what rounding adds.
    /// Each column of 3 samples or more gives v = sd² / c(n) before any rejection, with c(n) = (1 − 2 / (9 (n − 1)))³, near enough the median of χ² / (n − 1) with n − 1
    /// degrees of freedom; S² is the median of these v. A few samples are too few for a scale of
    /// their own: the neighbours lend theirs. L is the median of the medians of every fourth column
    /// (of an even number the upper one), and at least 3 S: light above it has more noise, by its root,
    /// and what is below no less. All is in the unit of the samples and does not depend on it.
    ///
    /// Of a column of 3 samples one may go, none of a column that more samples left.
    ///
    /// **Strays.** Where a whole frame is wrong (a black one, a torn half, a row, a trail, a cloud),
    /// each column of a tile has an outlier, and the median of v is theirs. A column has a stray if
    /// its sd² is more than 1 + 2 / √n times (q / h)², q the range of its inner half (without the
    /// ⌊n / 4⌋ least and greatest), h that of a Gaussian's; where q is 0, if it is more than four
    /// times the square of the range without the least and the greatest, plus 1 for integers. In a
    /// block of 32 columns of which more than half have one:
    ///
    /// - none gives its v to S. Where less than a quarter of the tile's columns are left, S² begins
    ///   as the median of (q / h)², and is found three times anew from the samples within
    ///   m ± `low`, `high` of it; of integers no column's variance counts as less than 1/12.
    /// - the first round of a column goes by the narrowest window of n − ⌈n / 4⌉ samples, in place of
    ///   m and d by its median and its width / 2.3007: one wrong sample of few draws m to itself.
    ///
    /// IRAF's `avsigclip` averages v over a line, so that one bright hit raises every threshold of
    /// its line. It has no d, a or strays; it keeps the samples of pixels that are noisier than the
    /// square root of their level says (hot ones on an offset, unstable ones).
    ///
    /// # Source
    /// IRAFcombine `avsigclip`; Wilson1931 for c(n); CrouxRousseeuw1992 for b(n).
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
    /// is removed r times (the greater one of two equally far). Before the i-th is removed, q
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

    /// The method called `name` with thresholds that mean something to it.
    ///
    /// # Errors
    /// In words: a name that is not known, or a threshold that is not finite, is negative, or is not
    /// of the method's unit.
    pub fn checked(name: &str, asked: Thresholds) -> Result<Self, String> {
        let method = Self::named(name, Thresholds::default())
            .ok_or_else(|| format!("there is no rejection method {name:?}"))?;
        method.with(asked)
    }

    /// The same method with `asked` in place of its thresholds.
    ///
    /// # Errors
    /// In words: a threshold that is not finite, is negative, or is not of the method's unit.
    pub fn with(self, asked: Thresholds) -> Result<Self, String> {
        let given = [("low", asked.low), ("high", asked.high)];
        for (side, value) in given.into_iter().filter_map(|(side, v)| Some((side, v?))) {
            let (fits, wanted) = match self {
                Self::None => (false, "takes no thresholds"),
                Self::Minmax { .. } => (
                    value >= 0.0 && value.fract() == 0.0 && value <= f32::from(u16::MAX),
                    "is a count of samples: 0, 1, 2 ...",
                ),
                Self::Percentile { .. } => {
                    (value > 0.0 && value.is_finite(), "is a fraction of the median, above 0")
                }
                Self::Gesd { .. } => (value > 0.0 && value < 1.0, "is a fraction between 0 and 1"),
                _ => (value > 0.0 && value.is_finite(), "is a number of sigmas above 0"),
            };
            if !fits {
                return Err(format!("the {side} threshold {wanted}, not {value}"));
            }
        }
        let pick = |low: &mut f32, high: &mut f32| {
            *low = asked.low.unwrap_or(*low);
            *high = asked.high.unwrap_or(*high);
        };
        let mut method = self;
        match &mut method {
            Self::None => {}
            Self::Minmax { low, high } => {
                *low = asked.low.map_or(*low, |v| v as u16);
                *high = asked.high.map_or(*high, |v| v as u16);
            }
            Self::Percentile { low, high }
            | Self::Sigma { low, high }
            | Self::Mad { low, high }
            | Self::MedianSigma { low, high }
            | Self::AveragedSigma { low, high }
            | Self::LinearFit { low, high }
            | Self::CcdNoise { low, high, .. }
            | Self::Winsorized { sigma_low: low, sigma_high: high }
            | Self::Gesd { outliers: low, significance: high } => pick(low, high),
        }
        Ok(method)
    }

    /// The method for `n` frames when nobody asks for one by name.
    ///
    /// None up to 3 frames (3 are best combined by their median), averaged sigma clipping from 4 on: on simulated bias, dark and light frames with cosmic rays it leaves the least noise, or
    /// within 0.2 % of it, for 5 to 200 frames. `docs/rejection.md` has the table.
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
            open: 1,
            ..Columns::default()
        };
        columns.count[0] = n as i32;
        columns.kept.hi[0] = n as i32;
        let mut judge = Judge::new(self, n);
        judge.start(&mut columns);
        columns.refresh();
        if judge.pools() {
            let strays = judge.pool(std::slice::from_mut(&mut columns), 1, &mut Vec::new());
            if strays != 0 {
                judge.take_strays(&mut columns);
            }
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
    fn winsorizing_ends_where_its_rule_says_and_not_where_it_could_go() {
        // The steps fall slowly here: one more than the rule asks for would take off 1026.
        let mut sorted = [
            1001.0, 993.0, 1019.0, 1026.0, 994.0, 999.0, 7152.0, 1006.0, 997.0, 6644.0, 1007.0,
            4408.0, 1004.0, 1005.0, 1000.0, 5722.0, 995.0, 999.0, 1015.0, 1003.0, 997.0, 1007.0,
            1000.0, 1000.0, 8323.0, 10746.0, 1002.0, 1010.0, 2597.0, 996.0, 990.0, 1005.0, 1002.0,
            1008.0, 1002.0, 1015.0, 1014.0, 992.0, 1009.0, 1934.0, 1007.0, 995.0, 4579.0, 994.0,
            1009.0, 1061.0, 981.0, 1016.0, 994.0, 997.0, 1000.0, 5959.0, 1003.0, 1004.0, 995.0,
            998.0, 1011.0, 993.0, 998.0, 1009.0, 1010.0,
        ];
        sorted.sort_by(f32::total_cmp);
        assert_eq!(METHOD.keep(&sorted), 0..50);
    }

    #[test]
    fn thresholds_that_mean_nothing_are_refused() {
        let of = |low: f32, high: f32| Thresholds { low: Some(low), high: Some(high) };
        for (name, bad) in [
            ("sigma", of(f32::NAN, 3.0)),
            ("winsorized", of(4.0, -3.0)),
            ("minmax", of(0.9, 1.0)),
            ("gesd", of(5.0, 7.0)),
            ("averaged-sigma", of(f32::INFINITY, 4.0)),
            ("none", of(3.0, 3.0)),
        ] {
            assert!(Reject::checked(name, bad).is_err(), "{name} {bad:?}");
        }
        let good = Reject::checked("minmax", of(0.0, 2.0));
        assert_eq!(good, Ok(Reject::Minmax { low: 0, high: 2 }));
        let one_side = Thresholds { low: Some(5.0), high: None };
        assert_eq!(Reject::checked("sigma", one_side), Ok(Reject::Sigma { low: 5.0, high: 3.0 }));
    }

    #[test]
    fn a_sample_exactly_on_its_bound_stays() {
        // Without the twos: median 0, variance 384 / 600 = 0.64, and 1.25 sd is 1.
        let sorted = [[-1.0f32; 10].as_slice(), &[0.0; 9], &[1.0; 6], &[2.0; 8]].concat();
        assert_eq!(Reject::Sigma { low: 1.5, high: 1.25 }.keep(&sorted), 0..25);
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
