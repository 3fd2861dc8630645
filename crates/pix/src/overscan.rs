//! The level of an overscan: one number, one for each row, or a smooth course along the rows.
//!
//! ```
//! use photosite_pix::overscan::{Level, OverscanMethod, Samples};
//!
//! // Twelve columns beside 200 rows, whose level falls by 10 ADU on the way down.
//! let noise = |i: usize| [-2.0f32, 1.0, 0.0, 2.0, -1.0][i * 7 % 5];
//! let level = |y: usize| 300.0 - 10.0 * y as f32 / 199.0;
//! let mut samples = Samples::new(0);
//! for y in 0..200 {
//!     let row: Vec<f32> = (0..12).map(|x| level(y) + noise(x + 3 * y)).collect();
//!     samples.row(&[&row]);
//! }
//! let level = Level::of(&samples, 0..200, OverscanMethod::Auto).unwrap();
//! assert_eq!(level.method, OverscanMethod::Fit(1));
//! assert!((level.at(0) - 300.0).abs() < 0.2 && (level.at(199) - 290.0).abs() < 0.2);
//! assert!((level.drift_adu - 10.0).abs() < 0.5);
//! ```

mod course;
mod rows;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::course::Course;
use self::rows::{KAPPA, RowMeans};
use crate::stat::{median, robust_mean};

/// How the level of an overscan is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OverscanMethod {
    /// A fit of the order that the rows call for; each row by itself where rows differ by more than that.
    #[default]
    Auto,
    /// The mean of all samples.
    Mean,
    /// Their median.
    Median,
    /// Their mean without outliers.
    Clipped,
    /// The mean of each row without outliers.
    Row,
    /// A polynomial of this order along the rows.
    Fit(u8),
}

/// The highest order of a fit: more follow noise, and swing beyond the last row.
pub const HIGHEST_ORDER: u8 = 5;

/// A row's own level is taken where rows scatter by so many times the variance that its mean adds.
const WORTH_ROWS: f64 = 2.0;

/// The share of the target's rows that must lie beside the overscan for levels along them.
const BESIDE: f64 = 0.5;

/// The samples of an overscan, row after row.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    first_row: usize,
    /// Samples of each row that are numbers.
    rows: Vec<Vec<f32>>,
}

impl Samples {
    /// None yet; the first row to come is row `first_row` of the frame.
    pub fn new(first_row: usize) -> Self {
        Self { first_row, rows: Vec::new() }
    }

    /// Takes the next row, in one or more parts; NaN is no sample.
    pub fn row(&mut self, parts: &[&[f32]]) {
        let finite = parts.iter().flat_map(|p| p.iter().copied()).filter(|v| v.is_finite());
        self.rows.push(finite.collect());
    }

    fn all(&self) -> Vec<f32> {
        self.rows.concat()
    }

    /// The samples of rows that count.
    fn where_row(&self, counts: impl Fn(usize) -> bool) -> Vec<f32> {
        let rows = self.rows().zip(&self.rows).filter(|(y, _)| counts(*y));
        rows.flat_map(|(_, row)| row.iter().copied()).collect()
    }

    fn rows(&self) -> Range<usize> {
        self.first_row..self.first_row + self.rows.len()
    }
}

/// Columns of an overscan `width` wide that are left out beside the light: charge that was left behind
/// shows there first.
///
/// An eighth of them, four at most: at a charge transfer efficiency of 0.99999 a line of 2000 pixels leaves
/// a fiftieth of its last sample in the first column, a few ten-thousandths in the second.
pub fn columns_skipped(width: usize) -> usize {
    (width / 8).min(4)
}

/// The level of an overscan.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// How it was found; never [`OverscanMethod::Auto`].
    pub method: OverscanMethod,
    /// The first row of `rows`.
    first_row: usize,
    /// The level of each row in ADU; one for all where it is constant.
    rows: Vec<f32>,
    /// The mean over the rows in ADU.
    pub level_adu: f64,
    /// The standard deviation of one sample about its row, in ADU.
    pub scatter_adu: f64,
    /// How much of a row's mean is neither drift nor the noise of its samples, one standard deviation in
    /// ADU.
    pub row_noise_adu: f64,
    /// By how much the smooth course of the level varies over the rows, in ADU.
    pub drift_adu: f64,
    /// Rows that were left out: bleeding stars, cosmic rays.
    pub rows_left_out: usize,
}

impl Level {
    /// The level that `samples` tell of the rows `target`; `None` where no sample is a number.
    ///
    /// Rows without an overscan beside them get the level of the nearest that has one. An overscan that
    /// lies beside less than half of the rows tells one level for all.
    pub fn of(samples: &Samples, target: Range<usize>, method: OverscanMethod) -> Option<Self> {
        let all = samples.all();
        if all.is_empty() {
            return None;
        }
        let own = samples.rows();
        let shared = own.end.min(target.end).saturating_sub(own.start.max(target.start));
        let along = shared as f64 >= BESIDE * target.len() as f64 && shared > 1;
        let rows = RowMeans::of(&samples.rows, samples.first_row);
        let smooth = Course::of(&rows, HIGHEST_ORDER);
        let order = smooth.best_order();
        // A bleeding star across half of the rows moves the median of all samples.
        let counts = if along { samples.where_row(|y| smooth.keeps(y)) } else { all.clone() };
        let clipped = robust_mean(&counts, KAPPA);
        let (ends, excess2, of_mean2) = (rows.ends(), smooth.excess2(&rows), rows.variance_of_mean);
        let method = match method {
            OverscanMethod::Auto if along && excess2 > WORTH_ROWS * of_mean2 => OverscanMethod::Row,
            OverscanMethod::Auto if along && order > 0 => OverscanMethod::Fit(order),
            OverscanMethod::Auto => OverscanMethod::Clipped,
            OverscanMethod::Row | OverscanMethod::Fit(_) if !along => OverscanMethod::Clipped,
            OverscanMethod::Fit(order) => OverscanMethod::Fit(order.min(HIGHEST_ORDER)),
            other => other,
        };
        let fitted = |y: usize, order: u8| smooth.at(y.clamp(ends.0, ends.1) as f64, order) as f32;
        let levels: Vec<f32> = match method {
            OverscanMethod::Mean => {
                vec![(all.iter().map(|v| f64::from(*v)).sum::<f64>() / all.len() as f64) as f32]
            }
            OverscanMethod::Median => vec![median(&all)],
            OverscanMethod::Auto | OverscanMethod::Clipped => vec![clipped as f32],
            OverscanMethod::Fit(order) => target.clone().map(|y| fitted(y, order)).collect(),
            OverscanMethod::Row => {
                let kept = |y: &usize| rows.at(*y).filter(|_| smooth.keeps(*y));
                let own = |y| kept(&y).map_or_else(|| fitted(y, order), |v| v as f32);
                target.clone().map(own).collect()
            }
        };
        let sum: f64 = levels.iter().map(|v| f64::from(*v)).sum();
        let course: Vec<f32> = (ends.0..=ends.1).map(|y| fitted(y, order)).collect();
        let low = course.iter().copied().fold(f32::INFINITY, f32::min);
        let high = course.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Some(Self {
            method,
            first_row: target.start,
            level_adu: sum / levels.len() as f64,
            rows: levels,
            scatter_adu: rows.sigma,
            row_noise_adu: excess2.sqrt(),
            drift_adu: if along { f64::from(high - low) } else { 0.0 },
            rows_left_out: smooth.left_out,
        })
    }

    /// One level for every row.
    pub fn constant(level_adu: f64) -> Self {
        Self {
            method: OverscanMethod::Clipped,
            first_row: 0,
            rows: vec![level_adu as f32],
            level_adu,
            scatter_adu: 0.0,
            row_noise_adu: 0.0,
            drift_adu: 0.0,
            rows_left_out: 0,
        }
    }

    /// The level of row `y` of the frame, in ADU.
    pub fn at(&self, y: usize) -> f32 {
        self.rows[y.saturating_sub(self.first_row).min(self.rows.len() - 1)]
    }

    /// Whether every row has the same.
    pub fn is_constant(&self) -> bool {
        self.rows.len() == 1
    }

    /// The same with row 0 where row `y` was.
    #[must_use]
    pub fn from_row(mut self, y: usize) -> Self {
        if !self.is_constant() {
            self.rows.drain(..y.saturating_sub(self.first_row).min(self.rows.len() - 1));
        }
        self.first_row = self.first_row.saturating_sub(y);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of a standard deviation of 1, the same at every call.
    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        move || {
            let mut sum = 0.0;
            for _ in 0..12 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                sum += (state >> 40) as f32 / (1u64 << 24) as f32;
            }
            sum - 6.0
        }
    }

    fn samples(rows: usize, columns: usize, level: impl Fn(usize) -> f32, seed: u64) -> Samples {
        let (mut of, mut noise) = (Samples::new(0), noise(seed));
        for y in 0..rows {
            let row: Vec<f32> = (0..columns).map(|_| level(y) + 4.0 * noise()).collect();
            of.row(&[&row]);
        }
        of
    }

    #[test]
    fn a_course_is_followed_and_a_constant_stays_one() {
        let auto = OverscanMethod::Auto;
        let mut constant = 0;
        for seed in 1..=40 {
            let flat = Level::of(&samples(400, 16, |_| 500.0, seed), 0..400, auto).unwrap();
            constant += usize::from(flat.is_constant());
            assert!((flat.level_adu - 500.0).abs() < 5.0 * 4.0 / 80.0, "{flat:?}");
            assert!((flat.scatter_adu - 4.0).abs() < 0.2);
        }
        // Five orders to choose from, each by chance once in 70.
        assert!(constant >= 34, "{constant} of 40");
        let bend = |y: usize| 500.0 + 6.0 * (-(y as f32) / 60.0).exp();
        let level = Level::of(&samples(400, 16, bend, 3), 0..400, auto).unwrap();
        assert!(matches!(level.method, OverscanMethod::Fit(2..=5)), "{:?}", level.method);
        let off: Vec<f64> = (0..400).map(|y| f64::from(level.at(y) - bend(y))).collect();
        let rms = (off.iter().map(|v| v * v).sum::<f64>() / 400.0).sqrt();
        // Six coefficients of 6400 samples.
        assert!(rms < 3.0 * 4.0 * (6.0f64 / 6400.0).sqrt(), "{rms}");
    }

    #[test]
    fn rows_are_taken_singly_where_they_differ() {
        let jumps: Vec<f32> = {
            let mut noise = noise(99);
            (0..300).map(|_| 500.0 + 5.0 * noise()).collect()
        };
        let of = samples(300, 24, |y| jumps[y], 7);
        let level = Level::of(&of, 0..300, OverscanMethod::Auto).unwrap();
        assert_eq!(level.method, OverscanMethod::Row);
        assert!((level.row_noise_adu - 5.0).abs() < 0.7, "{}", level.row_noise_adu);
        let off: Vec<f64> = (0..300).map(|y| f64::from(level.at(y) - jumps[y])).collect();
        let rms = (off.iter().map(|v| v * v).sum::<f64>() / 300.0).sqrt();
        assert!((rms / (4.0 / 24f64.sqrt()) - 1.0).abs() < 0.2, "{rms}");
    }

    #[test]
    fn bleeding_rows_and_cosmic_rays_count_for_nothing() {
        let mut of = samples(300, 16, |_| 500.0, 11);
        for y in 100..112 {
            of.rows[y].iter_mut().for_each(|v| *v += 3000.0);
        }
        of.rows[200][5] = 60_000.0;
        for method in [OverscanMethod::Auto, OverscanMethod::Row, OverscanMethod::Fit(2)] {
            let level = Level::of(&of, 0..300, method).unwrap();
            assert_eq!(level.rows_left_out, 12, "{method:?}");
            for y in [0, 105, 200, 299] {
                assert!((level.at(y) - 500.0).abs() < 5.0, "{method:?} at {y}: {}", level.at(y));
            }
        }
        let median = Level::of(&of, 0..300, OverscanMethod::Median).unwrap();
        assert!((median.level_adu - 500.0).abs() < 1.0);
    }

    #[test]
    fn a_trail_across_many_rows_counts_for_nothing() {
        let drifts = |y: usize| 500.0 + 8.0 * (y as f32 / 90.0).sin() - 0.01 * y as f32;
        for (share, above) in [(0.11, 17_000.0), (0.11, 90.0), (0.25, 30.0), (0.45, 5000.0)] {
            for (from, drifting, seed) in [(60, false, 5), (150, false, 6), (100, true, 7)] {
                let (own, last) =
                    (|y| if drifting { drifts(y) } else { 500.0 }, from + (share * 360.0) as usize);
                let mut of = samples(360, 21, own, seed);
                of.rows[from..last].iter_mut().flatten().for_each(|v| *v += above);
                let level = Level::of(&of, 0..360, OverscanMethod::Auto).unwrap();
                let off = (0..360).map(|y| (level.at(y) - own(y)).abs()).fold(0.0, f32::max);
                assert!(level.rows_left_out >= last - from, "{share} {above}: {level:?}");
                // Across the trail a course is no more than drawn on.
                let most = if drifting && share > 0.2 { 40.0 } else { 3.0 };
                assert!(off < most, "{share} {above} {from} {drifting}: {off} {:?}", level.method);
            }
        }
        // A level that leaps and stays is the level.
        let leaps = |y: usize| if y < 220 { 500.0 } else { 560.0 };
        let level = Level::of(&samples(360, 21, leaps, 8), 0..360, OverscanMethod::Auto).unwrap();
        assert_eq!((level.method, level.rows_left_out), (OverscanMethod::Row, 0));
    }

    #[test]
    fn an_overscan_below_tells_one_level() {
        let of = samples(8, 400, |_| 321.0, 5);
        let level = Level::of(&of, 20..400, OverscanMethod::Row).unwrap();
        assert!(level.is_constant() && (level.level_adu - 321.0).abs() < 0.4);
        let none = Samples::new(0);
        assert_eq!(Level::of(&none, 0..10, OverscanMethod::Auto), None);
        let mut blank = Samples::new(0);
        blank.row(&[&[f32::NAN, f32::INFINITY]]);
        assert_eq!(Level::of(&blank, 0..10, OverscanMethod::Auto), None);
    }

    #[test]
    fn levels_of_one_value_and_of_one_column() {
        let mut same = Samples::new(0);
        (0..50).for_each(|_| same.row(&[&[100.0; 4]]));
        let level = Level::of(&same, 0..50, OverscanMethod::Auto).unwrap();
        assert_eq!((level.at(3), level.scatter_adu, level.is_constant()), (100.0, 0.0, true));
        let mut one = Samples::new(10);
        (0..50).for_each(|y| one.row(&[&[100.0 + y as f32]]));
        let level = Level::of(&one, 10..60, OverscanMethod::Fit(1)).unwrap();
        assert!((level.at(10) - 100.0).abs() < 1e-3 && (level.at(59) - 149.0).abs() < 1e-3);
        assert_eq!(level.from_row(10).at(0), 100.0);
    }
}
