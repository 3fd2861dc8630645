//! The smooth course of an overscan's level along the rows.

use super::rows::RowMeans;
use crate::stat::{median_f64, median_scatter};

/// Rows further than so many sigmas from the fit are not fitted: a bleeding star raises whole rows.
const KAPPA_ROWS: f64 = 5.0;

/// A course that most rows lie so many times nearer to than to the one through all is that of the level.
const NEARER: f64 = 1.3;

/// A bleeding star raises such a share of the rows that it is believed to raise.
const RAISED: f64 = 0.9;

/// Rounds in which the nearer half of the rows is fitted at most.
const ROUNDS: usize = 12;

/// Polynomials along the rows, each order orthogonal to those below, so that a lower one is the same fit
/// cut short.
///
/// # Source
/// Forsythe1957: polynomials orthogonal over given points, by recurrence.
pub(super) struct Course {
    /// (first row, half the length) that rows are counted by.
    scale: (f64, f64),
    /// (alpha, beta) of each order.
    recurrence: Vec<(f64, f64)>,
    coefficients: Vec<f64>,
    /// The weighted sum of squared residuals of each order.
    residuals: Vec<f64>,
    kept: Vec<bool>,
    first_row: usize,
    pub(super) left_out: usize,
}

impl Course {
    /// The course through the rows that lie near it, of an order up to `highest`.
    ///
    /// # Source
    /// Rousseeuw1984: of several courses that which half of the rows lie nearest to, where outliers bent the one
    /// through all.
    pub(super) fn of(rows: &RowMeans, highest: u8) -> Self {
        let (first, last) = rows.ends();
        let half = ((last - first) as f64 / 2.0).max(0.5);
        let scale = (first as f64, half);
        let present: Vec<bool> = rows.rows.iter().map(Option::is_some).collect();
        let course = Self::settled(rows, present.clone(), scale, highest);
        let typical = |course: &Self| {
            let off = course.off(rows, course.best_order());
            median_f64(&off.into_iter().flatten().map(f64::abs).collect::<Vec<_>>())
        };
        let all = typical(&course);
        let mut best = course;
        if all > rows.variance_of_mean.sqrt() {
            let others = (0..=highest).map(|order| {
                let half = Self::nearer_half(rows, scale, order);
                Self::settled(rows, half, scale, highest)
            });
            let others = others.filter(|c| NEARER * typical(c) < all && c.leaves_a_trail_out(rows));
            let nearest = others.min_by(|a, b| typical(a).total_cmp(&typical(b)));
            best = nearest.unwrap_or(best);
        }
        let left_out = present.iter().zip(&best.kept).filter(|(p, k)| **p && !**k).count();
        Self { left_out, ..best }
    }

    /// The course through `kept`, then through all rows that lie near it, until these are the same.
    fn settled(rows: &RowMeans, mut kept: Vec<bool>, scale: (f64, f64), highest: u8) -> Self {
        let mut course = Self::fit(rows, &kept, scale, highest);
        for _ in 0..3 {
            let off = course.off(rows, course.best_order());
            let (middle, sigma) =
                median_scatter(&off.iter().flatten().copied().collect::<Vec<f64>>());
            let least = rows.variance_of_mean.sqrt();
            let reach = KAPPA_ROWS * sigma.max(least);
            let now: Vec<bool> =
                off.iter().map(|v| v.is_some_and(|v| (v - middle).abs() <= reach)).collect();
            if now == kept || now.iter().filter(|k| **k).count() <= usize::from(highest) + 1 {
                break;
            }
            kept = now;
            course = Self::fit(rows, &kept, scale, highest);
        }
        course
    }

    /// The half of the rows that lie nearest to a course of `order` through themselves, from the half whose means
    /// lie closest together on.
    fn nearer_half(rows: &RowMeans, scale: (f64, f64), order: u8) -> Vec<bool> {
        let mut means: Vec<f64> = rows.rows.iter().flatten().map(|(mean, _)| *mean).collect();
        means.sort_by(f64::total_cmp);
        let half = means.len() / 2 + 1;
        let spans = means.windows(half.min(means.len()).max(1)).map(|w| (w[0], w[w.len() - 1]));
        let closest = spans.min_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        let (low, high) = closest.unwrap_or_default();
        let within = |row: &Option<(f64, f64)>| row.is_some_and(|(m, _)| (low..=high).contains(&m));
        let mut kept: Vec<bool> = rows.rows.iter().map(within).collect();
        for _ in 0..ROUNDS {
            let off = Self::fit(rows, &kept, scale, order).off(rows, order);
            let mut sizes: Vec<f64> = off.iter().flatten().map(|v| v.abs()).collect();
            sizes.sort_by(f64::total_cmp);
            let Some(reach) = sizes.get(half - 1) else { break };
            let now: Vec<bool> = off.iter().map(|v| v.is_some_and(|v| v.abs() <= *reach)).collect();
            if now == kept {
                break;
            }
            kept = now;
        }
        kept
    }

    /// Whether what it leaves out is raised as by a bleeding star, and the level comes back behind it: one that leaps and
    /// stays, or creeps in the first rows, is the level of those rows.
    fn leaves_a_trail_out(&self, rows: &RowMeans) -> bool {
        let off = self.off(rows, self.best_order());
        let out = off.iter().zip(&self.kept).filter(|(_, kept)| !**kept);
        let out: Vec<f64> = out.filter_map(|(off, _)| *off).collect();
        let raised = out.iter().filter(|off| **off > 0.0).count();
        let end = self.kept.len() / 50 + 1;
        let most = |kept: &[bool]| 2 * kept.iter().filter(|k| **k).count() > kept.len();
        raised as f64 >= RAISED * out.len() as f64
            && most(&self.kept[..end])
            && most(&self.kept[self.kept.len() - end..])
    }

    /// How far each row lies from the course of `order`; none without a sample.
    fn off(&self, rows: &RowMeans, order: u8) -> Vec<Option<f64>> {
        let off = |(i, row): (usize, &Option<(f64, f64)>)| {
            row.map(|(mean, _)| mean - self.at((self.first_row + i) as f64, order))
        };
        rows.rows.iter().enumerate().map(off).collect()
    }

    fn fit(rows: &RowMeans, kept: &[bool], scale: (f64, f64), highest: u8) -> Self {
        let points: Vec<(f64, f64, f64)> = rows
            .rows
            .iter()
            .zip(kept)
            .enumerate()
            .filter_map(|(i, (row, kept))| {
                let (mean, n) = row.filter(|_| *kept)?;
                Some(((i as f64 - scale.1) / scale.1, mean, n))
            })
            .collect();
        let orders = usize::from(highest).min(points.len().saturating_sub(2)) + 1;
        let mut before = vec![0.0; points.len()];
        let mut now = vec![1.0; points.len()];
        let mut left: Vec<f64> = points.iter().map(|p| p.1).collect();
        let (mut recurrence, mut coefficients) = (Vec::new(), Vec::new());
        let (mut residuals, mut norm_before) = (Vec::new(), 1.0);
        for _ in 0..orders {
            let norm: f64 = points.iter().zip(&now).map(|(p, v)| p.2 * v * v).sum();
            if norm <= 1e-9 {
                break;
            }
            let along: f64 = points.iter().zip(&now).map(|(p, v)| p.2 * p.0 * v * v).sum();
            let with: f64 = points.iter().zip(&now).zip(&left).map(|((p, v), l)| p.2 * v * l).sum();
            let (alpha, beta) = (along / norm, norm / norm_before);
            let c = with / norm;
            left.iter_mut().zip(&now).for_each(|(l, v)| *l -= c * v);
            residuals.push(points.iter().zip(&left).map(|(p, l)| p.2 * l * l).sum());
            coefficients.push(c);
            let beta = if recurrence.is_empty() { 0.0 } else { beta };
            recurrence.push((alpha, beta));
            let next = points.iter().zip(&now).zip(&before);
            let next: Vec<f64> = next.map(|((p, v), b)| (p.0 - alpha) * v - beta * b).collect();
            before = std::mem::replace(&mut now, next);
            norm_before = norm;
        }
        Self {
            scale,
            recurrence,
            coefficients,
            residuals,
            kept: kept.to_vec(),
            first_row: rows.first_row,
            left_out: 0,
        }
    }

    /// The order that the rows call for.
    ///
    /// # Source
    /// Schwarz1978: the order of the least n ln(rss / n) + k ln n.
    pub(super) fn best_order(&self) -> u8 {
        let n = self.kept.iter().filter(|k| **k).count() as f64;
        let price = |k: usize| {
            let rss = self.residuals[k].max(1e-12);
            n * (rss / n).ln() + (k + 1) as f64 * n.ln()
        };
        let orders = 0..self.residuals.len();
        orders.min_by(|a, b| price(*a).total_cmp(&price(*b))).unwrap_or(0) as u8
    }

    /// The course of `order` at row `y`.
    pub(super) fn at(&self, y: f64, order: u8) -> f64 {
        let t = (y - self.scale.0 - self.scale.1) / self.scale.1;
        let (mut before, mut now, mut sum) = (0.0, 1.0, 0.0);
        for (c, (alpha, beta)) in
            self.coefficients.iter().zip(&self.recurrence).take(usize::from(order) + 1)
        {
            sum += c * now;
            let next = (t - alpha) * now - beta * before;
            before = std::mem::replace(&mut now, next);
        }
        sum
    }

    /// Whether row `y` counts.
    pub(super) fn keeps(&self, y: usize) -> bool {
        y.checked_sub(self.first_row).and_then(|i| self.kept.get(i)).is_some_and(|k| *k)
    }

    /// The variance of row means beyond that of their samples.
    pub(super) fn excess2(&self, rows: &RowMeans) -> f64 {
        let order = self.best_order();
        let kept = self.off(rows, order).into_iter().zip(&self.kept).filter(|(_, kept)| **kept);
        let off: Vec<f64> = kept.filter_map(|(off, _)| off).collect();
        let free = (off.len() as f64 - f64::from(order) - 1.0).max(1.0);
        let variance = off.iter().map(|v| v * v).sum::<f64>() / free;
        (variance - rows.variance_of_mean).max(0.0)
    }
}
