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

/// v of averaged sigma clipping.
pub fn pool_share(x: &[f64]) -> Option<f64> {
    if x.len() < 3 {
        return None;
    }
    let c = (1.0 - 2.0 / (9.0 * (x.len() as f64 - 1.0))).powi(3);
    Some(sd(x) * sd(x) / median(x).max(1.0) / c)
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
pub fn judge(x: &[f64], method: Reject, how: Combine, tile: f64, critical: &[f64]) -> Verdict {
    let mut x = x.to_vec();
    x.sort_by(f64::total_cmp);
    let all = x.clone();
    let mut v = Verdict::default();
    let (mut low, mut high) = (0, 0);
    let mut round = 0;
    let mut none_left = None;
    while x.len() > 3 {
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
                let own = 1.482_602_218_505_602 * median(&away);
                Some((low.into(), high.into(), own.max(tile * m.max(1.0).sqrt())))
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
        if below + above == 0 || stay == 1 || stay == 2 {
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
