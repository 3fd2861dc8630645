//! What is left of blocks when smooth structure is taken off.

use photosite_pix::Plane;

use super::Logs;

/// Terms of a polynomial of the fourth order in two directions.
const TERMS: usize = 15;
/// Sigmas beyond which a block does not count.
const CLIP: f64 = 4.0;

fn terms(u: f64, v: f64) -> [f64; TERMS] {
    let (u2, v2) = (u * u, v * v);
    [
        1.0,
        u,
        v,
        u2,
        u * v,
        v2,
        u2 * u,
        u2 * v,
        u * v2,
        v2 * v,
        u2 * u2,
        u2 * u * v,
        u2 * v2,
        u * v2 * v,
        v2 * v2,
    ]
}

/// Every so many blocks along both axes are fitted: the polynomial has few terms.
const STEP: usize = 2;

/// The logarithms less a polynomial of the fourth order, fitted in so many rounds, each without what
/// stood out in the one before; blocks to `skip` say nothing of it.
#[expect(clippy::needless_range_loop, reason = "rows of a matrix")]
pub(super) fn flattened(logs: &Logs, rounds: usize, skip: Option<&Plane<bool>>) -> Plane<f32> {
    let size = logs.size();
    let at = |x: usize, y: usize| {
        terms(
            2.0 * (x as f64 + 0.5) / size.width as f64 - 1.0,
            2.0 * (y as f64 + 0.5) / size.height as f64 - 1.0,
        )
    };
    let mut out = logs.clone();
    let mut limit = f64::INFINITY;
    for round in 0..rounds {
        let mut m = [[0.0; TERMS + 1]; TERMS];
        for y in (0..size.height).step_by(STEP) {
            for x in (0..size.width).step_by(STEP) {
                let (v, left) = (f64::from(logs.get(x, y)), f64::from(out.get(x, y)));
                if !v.is_finite()
                    || skip.is_some_and(|skip| skip.get(x, y))
                    || (limit.is_finite() && left.abs() > limit)
                {
                    continue;
                }
                let t = at(x, y);
                for i in 0..TERMS {
                    for j in i..TERMS {
                        m[i][j] += t[i] * t[j];
                    }
                    m[i][TERMS] += t[i] * v;
                }
            }
        }
        for i in 0..TERMS {
            for j in 0..i {
                m[i][j] = m[j][i];
            }
            m[i][i] += 1e-9 * (m[0][0] + 1.0);
        }
        for c in 0..TERMS {
            for r in 0..TERMS {
                if r != c {
                    let f = m[r][c] / m[c][c];
                    for k in c..=TERMS {
                        m[r][k] -= f * m[c][k];
                    }
                }
            }
        }
        let p: Vec<f64> = (0..TERMS).map(|i| m[i][TERMS] / m[i][i]).collect();
        out = Plane::from_fn(size, |x, y| {
            let model: f64 = at(x, y).iter().zip(&p).map(|(t, p)| t * p).sum();
            logs.get(x, y) - model as f32
        });
        if round + 1 < rounds {
            limit = CLIP * f64::from(super::dust::spread(&out));
        }
    }
    out
}
