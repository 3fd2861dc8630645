//! Darks beside a saturated frame that they followed.

use photosite_pix::stat::median_scatter;

use super::grid::Grid;

/// Differences beyond this many robust sigmas are hits.
const HIT: f64 = 6.0;

/// A dark that was taken after a saturated frame.
#[derive(Debug, Clone)]
pub struct Afterglow {
    /// The saturated frame.
    pub lit: String,
    /// The dark.
    pub dark: String,
    /// The darks that it is compared with.
    pub others: Vec<String>,
    /// The dark's exposure in seconds.
    pub exposure_s: f64,
    /// The dark's temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// Seconds from the end of the saturated frame to the start of the dark.
    pub wait_s: f64,
    /// Of each block: the sum over pixels that were full, their number, the same of the others.
    pub blocks: Vec<[f64; 4]>,
}

/// Looks at one row of blocks: rows of a saturated frame, of the dark, and of the mean of other darks; pixels
/// from `full_adu` on were full.
pub fn see_afterglow(
    (grid, strip): (&Grid, usize),
    [lit, dark, others]: [&[f32]; 3],
    full_adu: f32,
) -> Vec<[f64; 4]> {
    let grid = grid.at_strip(strip);
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    let mut out = Vec::with_capacity(grid.across);
    for column in 0..grid.across {
        let mut sums = [0.0; 4];
        for lane in 0..grid.lanes.len() {
            grid.gather(lit, column, lane, &mut a);
            grid.gather(dark, column, lane, &mut b);
            grid.gather(others, column, lane, &mut c);
            for was_full in [true, false] {
                let samples = a.iter().zip(b.iter().zip(&c));
                let of = samples.filter(|(l, _)| (**l >= full_adu) == was_full);
                let off: Vec<f64> = of.map(|(_, (d, r))| f64::from(*d) - f64::from(*r)).collect();
                let (middle, scatter) = median_scatter(&off);
                let most = HIT * scatter.max(0.75);
                let kept = off.iter().filter(|d| (**d - middle).abs() <= most);
                let (sum, n) = kept.fold((0.0, 0.0), |(s, n), d| (s + d, n + 1.0));
                let at = if was_full { 0 } else { 2 };
                sums[at] += sum;
                sums[at + 1] += n;
            }
        }
        out.push(sums);
    }
    out
}
