//! Rejection written from the text of `photosite_pix::reject`: one column, one loop after another,
//! no regard to speed. It shares no code with the kernels.

use photosite_pix::combine::Combine;
use photosite_pix::reject::Reject;

/// What became of a column.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    pub value: f64,
    pub variance: f64,
    pub kept: usize,
    pub low: usize,
    pub high: usize,
    /// A sample lay so close to its bound that rounding decides.
    pub close: bool,
}

pub fn median(x: &[f64]) -> f64 {
    let mut x = x.to_vec();
    x.sort_by(f64::total_cmp);
    match x.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => x[n / 2],
        n => (x[n / 2 - 1] + x[n / 2]) / 2.0,
    }
}

pub fn mean(x: &[f64]) -> f64 {
    // Of differences from the first, which loses less to rounding.
    x[0] + x.iter().map(|v| v - x[0]).sum::<f64>() / x.len() as f64
}

pub fn sd(x: &[f64]) -> f64 {
    let m = mean(x);
    (x.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (x.len() as f64 - 1.0)).sqrt()
}

/// The winsorized sigma.
fn winsor(x: &[f64]) -> f64 {
    let m = median(x);
    let mut s = sd(x);
    for _ in 0..50 {
        let clamped: Vec<f64> = x.iter().map(|v| v.max(m - 1.5 * s).min(m + 1.5 * s)).collect();
        let next = 1.134 * sd(&clamped);
        let change = (next - s).abs();
        let done = change <= 5e-4 * s;
        s = next;
        if done {
            break;
        }
    }
    s
}

/// Twice the mean distance from the line through the sorted samples, and the line.
fn line(x: &[f64]) -> (f64, f64, f64) {
    let n = x.len() as f64;
    let i_mean = (n - 1.0) / 2.0;
    let x_mean = mean(x);
    let (mut up, mut down) = (0.0, 0.0);
    for (i, v) in x.iter().enumerate() {
        up += (i as f64 - i_mean) * (v - x_mean);
        down += (i as f64 - i_mean) * (i as f64 - i_mean);
    }
    let b = up / down;
    let a = x_mean - b * i_mean;
    let far: f64 = x.iter().enumerate().map(|(i, v)| (v - a - b * i as f64).abs()).sum();
    (a, b, 2.0 * far / n)
}

/// c(n) of averaged sigma clipping.
fn c(n: usize) -> f64 {
    (1.0 - 2.0 / (9.0 * (n as f64 - 1.0))).powi(3)
}

/// v of averaged sigma clipping.
fn pool_share(x: &[f64]) -> Option<f64> {
    (x.len() >= 3).then(|| sd(x) * sd(x) / c(x.len()))
}

/// The range of the inner half of sorted samples, and how much of a Gaussian's sigma that is.
fn inner_half(x: &[f64]) -> (f64, f64) {
    let n = x.len();
    let t = n / 4;
    let d = (t as f64 + 0.625) / (n as f64 + 0.25) - 0.25;
    let h = match n {
        4 => 0.4666,
        5 => 0.9045,
        6 => 1.2183,
        7 => 1.4603,
        _ => 2.0 * (0.67449 - 3.1468 * d + 3.34 * d * d) * (1.0 - 0.3 / n as f64),
    };
    (x[n - 1 - t] - x[t], h)
}

/// S of a tile of columns, and which of its columns are in a block of strays.
pub fn tile_scale(tile: &[Vec<f64>], low: f64, high: f64) -> (f64, Vec<bool>) {
    let sorted: Vec<Vec<f64>> = tile
        .iter()
        .map(|x| {
            let mut x = x.clone();
            x.sort_by(f64::total_cmp);
            x
        })
        .collect();
    // Of 32 columns that are looked at together, all are of integers or none.
    let block = |i: usize| i / 32 * 32..(i / 32 * 32 + 32).min(tile.len());
    let whole = |i: usize| {
        let exact = |v: &f64| v.fract() == 0.0 && v.abs() < 4_000_000.0;
        sorted[block(i)].iter().flatten().all(exact)
    };
    let strays = |i: usize| {
        let x = &sorted[i];
        if x.len() < 4 {
            return false;
        }
        let (q, h) = inner_half(x);
        let step = if whole(i) { 1.0 } else { 0.0 };
        let spread = match q > 0.0 {
            true => (1.0 + 2.0 / (x.len() as f64).sqrt()) * (q / h) * (q / h),
            false => 4.0 * (x[x.len() - 2] - x[1]).powi(2) + step,
        };
        sd(x) * sd(x) > spread
    };
    let stray: Vec<bool> = (0..tile.len())
        .map(|i| {
            let count = block(i).filter(|i| strays(*i)).count();
            2 * count > block(i).filter(|i| sorted[*i].len() >= 3).count()
        })
        .collect();
    let shares = |wanted: &dyn Fn(usize) -> bool| -> Vec<f64> {
        (0..tile.len()).filter(|i| wanted(*i)).filter_map(|i| pool_share(&sorted[i])).collect()
    };
    let quiet = shares(&|i| !stray[i]);
    if 4 * quiet.len() >= shares(&|_| true).len() {
        return (median(&quiet).sqrt(), stray);
    }
    let long = || sorted.iter().enumerate().filter(|(_, x)| x.len() >= 4);
    let least = |i: usize| if whole(i) { 1.0 / 12.0 } else { 0.0 };
    let first: Vec<f64> = long()
        .map(|(i, x)| {
            let (q, h) = inner_half(x);
            ((q / h) * (q / h)).max(least(i))
        })
        .collect();
    let mut s = median(&first).sqrt();
    for _ in 0..3 {
        let shares: Vec<f64> = long()
            .filter_map(|(i, x)| {
                let m = median(x);
                let within = |v: &&f64| **v >= m - low * s && **v <= m + high * s;
                let kept: Vec<f64> = x.iter().filter(within).copied().collect();
                (kept.len() >= 3).then(|| {
                    let v = sd(&kept) * sd(&kept);
                    v.max(least(i)) / c(kept.len())
                })
            })
            .collect();
        if shares.is_empty() {
            break;
        }
        s = median(&shares).sqrt();
    }
    (s, stray)
}

/// 1 / L of a tile of columns of scale `s`; 0 for no level.
pub fn per_level(tile: &[Vec<f64>], s: f64) -> f64 {
    let mut medians: Vec<f64> =
        tile.iter().step_by(4).filter(|x| !x.is_empty()).map(|x| median(x)).collect();
    medians.sort_by(f64::total_cmp);
    let level = medians.get(medians.len() / 2).map_or(0.0, |m| m.max(3.0 * s));
    if level > 0.0 { 1.0 / level } else { 0.0 }
}

/// The middle of the narrowest three quarters of sorted samples, and their width.
fn narrowest(x: &[f64]) -> (f64, f64) {
    let most = x.len() - x.len().div_ceil(4);
    let mut best = &x[..most];
    for part in x.windows(most) {
        if part[most - 1] - part[0] < best[most - 1] - best[0] {
            best = part;
        }
    }
    (median(best), best[most - 1] - best[0])
}

/// b(n) of the median absolute deviation.
fn few(n: usize) -> f64 {
    match n {
        3 => 1.495,
        4 => 1.363,
        5 => 1.206,
        6 => 1.2,
        7 => 1.14,
        8 => 1.129,
        9 => 1.107,
        _ => n as f64 / (n as f64 - 0.8),
    }
}

/// Student's t beyond which `tail` of the probability lies, by adding up the density.
pub fn student(tail: f64, freedom: f64) -> f64 {
    // With t = sqrt(f) tan a, the density is proportional to cos(a)^(f - 1).
    let density = |a: f64| a.cos().powf(freedom - 1.0);
    let area = |from: f64, to: f64| {
        let steps = 4000;
        let h = (to - from) / f64::from(steps);
        let inner: f64 = (1..steps)
            .map(|i| density(from + f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        (density(from) + inner + density(to)) * h / 3.0
    };
    let quarter = std::f64::consts::FRAC_PI_2 - 1e-12;
    let whole = 2.0 * area(0.0, quarter);
    let (mut low, mut high) = (0.0, quarter);
    for _ in 0..60 {
        let a = 0.5 * (low + high);
        if area(a, quarter) / whole > tail { low = a } else { high = a }
    }
    freedom.sqrt() * low.tan()
}

/// λ(q) for q = 0 .. 64.
pub fn critical(significance: f64) -> Vec<f64> {
    (0..=64)
        .map(|q| {
            if q < 3 {
                return f64::NAN;
            }
            let q = f64::from(q);
            let t = student(significance / (2.0 * q), q - 2.0);
            (q - 1.0) * t / (q * (q - 2.0 + t * t)).sqrt()
        })
        .collect()
}

/// Whether rounding may decide between `x` and its bound; with no reach there is none.
fn near(x: f64, bound: f64, reach: f64) -> bool {
    reach > 0.0 && (x - bound).abs() <= 1e-9 * reach
}

/// Judges a column of finite samples.
pub fn judge(
    x: &[f64],
    method: Reject,
    how: Combine,
    (tile, per_level, stray): (f64, f64, bool),
    critical: &[f64],
) -> Verdict {
    let mut x = x.to_vec();
    x.sort_by(f64::total_cmp);
    let all = x.clone();
    let mut v = Verdict::default();
    let (mut low, mut high) = (0, 0);
    let mut round = 0;
    let mut none_left = None;
    if let (Reject::AveragedSigma { low: kl, high: kh }, true, true) = (method, stray, x.len() > 3)
    {
        let (m, width) = narrowest(&x);
        let s = (width / 2.3007).max(tile * (m * per_level).max(1.0).sqrt());
        let (floor, ceiling) = (m - f64::from(kl) * s, m + f64::from(kh) * s);
        let below = x.iter().filter(|v| **v < floor).count();
        let above = x.iter().filter(|v| **v > ceiling).count();
        v.close |= x.iter().any(|x| near(*x, floor, s) || near(*x, ceiling, s));
        if x.len() - below - above >= 3 {
            (low, high) = (below, above);
            x = x[below..x.len() - above].to_vec();
        }
    }
    let least = match method {
        Reject::AveragedSigma { .. } if all.len() == 3 => 2,
        _ => 3,
    };
    while x.len() > least {
        let m = median(&x);
        let scale: Option<(f64, f64, f64)> = match method {
            Reject::Percentile { low, high } => Some((low.into(), high.into(), m.abs())),
            Reject::Sigma { low, high } => Some((low.into(), high.into(), sd(&x))),
            Reject::Mad { low, high } => {
                let away: Vec<f64> = x.iter().map(|v| (v - m).abs()).collect();
                Some((low.into(), high.into(), 1.482_602_218_505_602 * median(&away)))
            }
            Reject::MedianSigma { low, high } => {
                let mut full = x.clone();
                full.resize(all.len(), m);
                Some((low.into(), high.into(), sd(&full)))
            }
            Reject::Winsorized { sigma_low, sigma_high } => {
                Some((sigma_low.into(), sigma_high.into(), winsor(&x)))
            }
            Reject::AveragedSigma { low, high } => {
                let away: Vec<f64> = x.iter().map(|v| (v - m).abs()).collect();
                let own = few(x.len()) * 1.482_602_218_505_602 * median(&away);
                Some((low.into(), high.into(), own.max(tile * (m * per_level).max(1.0).sqrt())))
            }
            Reject::CcdNoise {
                low,
                high,
                read_noise_adu: r,
                gain_e_per_adu: g,
                sensitivity: k,
                pedestal_adu: p,
            } => {
                let signal = m - f64::from(p);
                let s2 = f64::from(r).powi(2)
                    + signal.max(0.0) / f64::from(g)
                    + (f64::from(k) * signal).powi(2);
                Some((low.into(), high.into(), s2.sqrt()))
            }
            _ => None,
        };
        // How many go from either end.
        let (mut below, mut above) = (0, 0);
        match (method, scale) {
            (_, Some((kl, kh, s))) => {
                if matches!(method, Reject::Percentile { .. }) && round > 0 {
                    break;
                }
                let (floor, ceiling) = (m - kl * s, m + kh * s);
                below = x.iter().filter(|v| **v < floor).count();
                above = x.iter().filter(|v| **v > ceiling).count();
                v.close |= x.iter().any(|x| {
                    near(*x, floor, (x - m).abs().max(kl * s))
                        || near(*x, ceiling, (x - m).abs().max(kh * s))
                });
            }
            (Reject::Minmax { low, high }, _)
                if round == 0 && x.len() >= usize::from(low) + usize::from(high) + 3 =>
            {
                (below, above) = (low.into(), high.into());
            }
            (Reject::LinearFit { low: kl, high: kh }, _) if x.len() >= 5 => {
                let (a, b, s) = line(&x);
                let (kl, kh) = (f64::from(kl) * s, f64::from(kh) * s);
                let off = |i: usize| x[i] - (a + b * i as f64);
                // Of samples on a line only rounding is left.
                let spread = x[x.len() - 1] - x[0];
                v.close |= s < 1e-12 * spread;
                while below < x.len() && off(below) < -kl {
                    below += 1;
                }
                while below + above < x.len() && off(x.len() - 1 - above) > kh {
                    above += 1;
                }
                v.close |= (0..x.len())
                    .any(|i| near(off(i), -kl, spread.max(kl)) || near(off(i), kh, spread.max(kh)));
            }
            (Reject::Gesd { outliers, .. }, _) if round == 0 => {
                let n = x.len();
                let r = ((f64::from(outliers) * n as f64).floor() as usize).max(1).min(n - 3);
                let mut left = x.clone();
                let (mut b, mut a) = (0, 0);
                for _ in 0..r {
                    let (m, s) = (mean(&left), sd(&left));
                    let (under, over) = (m - left[0], left[left.len() - 1] - m);
                    v.close |= under != over && (under - over).abs() <= 1e-9 * under.max(over);
                    let q = left.len();
                    let far = if over >= under { over } else { under };
                    if over >= under {
                        left.pop();
                        a += 1;
                    } else {
                        left.remove(0);
                        b += 1;
                    }
                    let bar = critical[q] * s;
                    v.close |= s > 0.0 && (far - bar).abs() <= 1e-7 * bar;
                    if s > 0.0 && far > bar {
                        (below, above) = (b, a);
                    }
                }
            }
            _ => {}
        }
        let stay = x.len() - below - above;
        if below + above == 0 || (stay > 0 && stay < least) {
            break;
        }
        if stay == 0 {
            none_left = Some(x.clone());
            low += below;
            high += above;
            break;
        }
        low += below;
        high += above;
        x = x[below..x.len() - above].to_vec();
        round += 1;
    }
    let n = x.len() as f64;
    let factor = |n: f64| if n == 1.0 { f64::NAN } else { median_factor(n as usize) };
    v.low = low;
    v.high = high;
    if let Some(x) = none_left {
        v.value = median(&x);
        v.variance = sd(&x).powi(2) * factor(n) / n;
        return v;
    }
    v.kept = x.len();
    v.value = match how {
        Combine::Median => median(&x),
        _ if x.is_empty() => f64::NAN,
        _ => mean(&x),
    };
    v.variance = match how {
        _ if x.len() < 2 => f64::NAN,
        Combine::Median => sd(&x).powi(2) * factor(n) / n,
        _ => sd(&x).powi(2) / n,
    };
    v
}

/// n times the variance of a median of n Gaussian samples, for the n with a closed form.
pub fn median_factor(n: usize) -> f64 {
    match n {
        1 | 2 => 1.0,
        // 1 − √3/π, three times.
        3 => 3.0 * (1.0 - 3.0f64.sqrt() / std::f64::consts::PI),
        _ => f64::NAN,
    }
}
