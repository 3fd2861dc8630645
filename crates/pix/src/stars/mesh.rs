//! The background and its noise, on a mesh of cells.

use multiversion::multiversion;

use serde::{Deserialize, Serialize};

use crate::align::Point;
use crate::stat::{MAD_TO_SIGMA, median_in_place};
use crate::{CfaColor, CfaPattern, MaskBits, Plane, Size};

/// Pixels along the side of a cell: several times a star's width, far less than a nebula's.
const CELL: usize = 64;

/// Every so many rows of a cell are looked at: the median of five hundred samples is good to 6 % of
/// their noise, that of nine such medians to 2 %.
const ROW_STEP: usize = 8;

/// Every so many rows of one colour under a filter array: rows of all kinds are among them.
const COLOUR_ROW_STEP: usize = 5;

/// Robust sigmas beyond which a sample of a cell is a star's.
const CLIP: f64 = 3.0;

/// Rounds of clipping.
const ROUNDS: usize = 3;

/// Whole numbers with less noise than so many steps are coarse.
const COARSE: f32 = 2.0;

/// Rounds of clipping coarse samples.
const COARSE_ROUNDS: usize = 5;

/// Steps from the level within which a coarse sample is never clipped.
const LEAST_REACH: f64 = 1.5;

/// A sky of which more than one in so many samples has the lowest value is cut off there.
const PILED: usize = 4;

/// Sigmas above its median, as its upper half shows them, up to which a sample of a cut off sky is no
/// star's.
const PILED_REACH: f64 = 4.0;

/// The noise of rounding to whole numbers: 1 / √12.
const STEP_SIGMA: f64 = 0.288_675;

/// Level and noise of one cell; NaN where it has too few samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeshCell {
    level: f32,
    sigma: f32,
}

/// Background and noise of a frame, interpolated between cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mesh {
    size: Size,
    level: Cells,
    sigma: Cells,
}

impl Mesh {
    /// Rows of cells that a frame of `size` has.
    pub fn rows_of(size: Size) -> usize {
        size.height.div_ceil(CELL).max(1)
    }

    /// Measures row `index` of the cells; masked and non-finite samples do not count.
    pub fn measure_row(data: &Plane<f32>, mask: &Plane<MaskBits>, index: usize) -> Vec<MeshCell> {
        Self::measure_some(data, mask, index, (ROW_STEP, |_, _| true))
    }

    /// The same by the samples of one colour under a filter array.
    pub fn measure_colour_row(
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        index: usize,
        (cfa, colour): (CfaPattern, CfaColor),
    ) -> Vec<MeshCell> {
        let own = |x, y| cfa.color(x, y) == colour;
        Self::measure_some(data, mask, index, (COLOUR_ROW_STEP, own))
    }

    /// Measures a row of the cells by the samples that are wanted, of every so many rows.
    fn measure_some(
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        index: usize,
        (step, wanted): (usize, impl Fn(usize, usize) -> bool),
    ) -> Vec<MeshCell> {
        let size = data.size();
        let rows = index * CELL..((index + 1) * CELL).min(size.height);
        let mut samples = vec![0.0; CELL * CELL.div_ceil(step)];
        (0..size.width)
            .step_by(CELL)
            .map(|x0| {
                let x1 = (x0 + CELL).min(size.width);
                let mut n = 0;
                for y in rows.clone().step_by(step) {
                    let good = data.row(y)[x0..x1].iter().zip(&mask.row(y)[x0..x1]);
                    for ((v, m), x) in good.zip(x0..) {
                        samples[n] = *v;
                        let good = v.is_finite() & !m.intersects(MaskBits::BAD);
                        n += usize::from(good & wanted(x, y));
                    }
                }
                clipped(&mut samples[..n])
            })
            .collect()
    }

    /// A mesh of all rows of cells, gaps filled from their neighbours and lone cells smoothed away.
    pub fn new(size: Size, rows: Vec<Vec<MeshCell>>) -> Self {
        let cells = Size::new(size.width.div_ceil(CELL).max(1), rows.len());
        let part = |pick: fn(&MeshCell) -> f32| {
            let raw = Plane::from_fn(cells, |x, y| pick(&rows[y][x]));
            Cells(smooth(&fill(raw)))
        };
        Self { size, level: part(|c| c.level), sigma: part(|c| c.sigma) }
    }

    /// One mesh of those of red, green and blue under a filter array: what a mean over many samples has, colours by
    /// their numbers.
    pub fn of_colours(colours: &[Self; 3], cfa: CfaPattern) -> Self {
        let shares = CfaColor::ALL.map(|colour| cfa.share(colour));
        let mean = |cells: fn(&Self) -> &Cells, power: i32| {
            let planes = colours.each_ref().map(|mesh| &cells(mesh).0);
            Cells(Plane::from_fn(planes[0].size(), |x, y| {
                let parts = planes.iter().zip(shares);
                let of = |(plane, share): (&&Plane<f32>, f64)| {
                    share * f64::from(plane.get(x, y)).powi(power)
                };
                parts.map(of).sum::<f64>().powf(1.0 / f64::from(power)) as f32
            }))
        };
        let (level, sigma) = (mean(|mesh| &mesh.level, 1), mean(|mesh| &mesh.sigma, 2));
        Self { size: colours[0].size, level, sigma }
    }

    /// The size of the frame.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The background at a pixel, in the unit of the samples.
    pub fn level_at(&self, x: f64, y: f64) -> f64 {
        self.level.at(x, y)
    }

    /// The noise of a sample at a pixel, one standard deviation.
    pub fn sigma_at(&self, x: f64, y: f64) -> f64 {
        self.sigma.at(x, y)
    }

    /// The background along row `y`, from column 0 on.
    pub fn level_row(&self, y: usize, out: &mut [f32]) {
        self.level.row(y, out);
    }

    /// The noise along row `y`, from column 0 on.
    pub fn sigma_row(&self, y: usize, out: &mut [f32]) {
        self.sigma.row(y, out);
    }

    /// The median of the levels, and of the noise.
    pub fn typical(&self) -> (f64, f64) {
        let median = |c: &Cells| f64::from(median_in_place(&mut c.0.as_slice().to_vec()));
        (median(&self.level), median(&self.sigma))
    }

    /// What `of` gives for the level of each cell and the position of its middle, smoothed; cells
    /// for which it gives NaN are filled from their neighbours, and `None` where all are.
    pub(crate) fn smoothed(&self, of: impl Fn(f64, Point) -> f64) -> Option<Cells> {
        // A frame may be smaller than a cell.
        let middle = |i: usize, end: usize| match end <= CELL {
            true => 0.5 * end as f64 - 0.5,
            false => (i as f64 + 0.5) * CELL as f64 - 0.5,
        };
        let plane = Plane::from_fn(self.level.0.size(), |i, j| {
            let at = Point::new(middle(i, self.size.width), middle(j, self.size.height));
            of(f64::from(self.level.0.get(i, j)), at) as f32
        });
        let some = plane.as_slice().iter().any(|v| v.is_finite());
        some.then(|| Cells(blur(&fill(plane))))
    }
}

/// A number a cell, interpolated between their middles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cells(Plane<f32>);

impl Cells {
    fn at(&self, x: f64, y: f64) -> f64 {
        let Self(plane) = self;
        let (i, u) = place(x, plane.width());
        let (j, v) = place(y, plane.height());
        let get = |i: usize, j: usize| {
            f64::from(plane.get(i.min(plane.width() - 1), j.min(plane.height() - 1)))
        };
        let upper = get(i, j) * (1.0 - u) + get(i + 1, j) * u;
        let lower = get(i, j + 1) * (1.0 - u) + get(i + 1, j + 1) * u;
        upper * (1.0 - v) + lower * v
    }

    /// The numbers along row `y` of the frame, from column 0 on.
    pub(crate) fn row(&self, y: usize, out: &mut [f32]) {
        let Self(plane) = self;
        let (j, v) = place(y as f64, plane.height());
        let v = v as f32;
        let next = (j + 1).min(plane.height() - 1);
        let between = |i: usize| {
            let i = i.min(plane.width() - 1);
            plane.get(i, j) * (1.0 - v) + plane.get(i, next) * v
        };
        // Straight lines between the middles of cells, level beyond the outermost.
        let half = CELL / 2;
        let lead = half.min(out.len());
        out[..lead].fill(between(0));
        for (i, part) in out[lead..].chunks_mut(CELL).enumerate() {
            ramp(between(i), between(i + 1), part);
        }
    }
}

/// Middles of pixels on the way from one level to another, a cell further on.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ramp(from: f32, to: f32, out: &mut [f32]) {
    let slope = (to - from) / CELL as f32;
    for (k, o) in out.iter_mut().enumerate() {
        *o = from + slope * (k as i32 as f32 + 0.5);
    }
}

/// The cell before a coordinate, and how far it is on the way to the next.
fn place(at: f64, cells: usize) -> (usize, f64) {
    let t = ((at + 0.5) / CELL as f64 - 0.5).clamp(0.0, (cells - 1) as f64);
    let i = t.floor();
    (i as usize, t - i)
}

/// Median and robust sigma of what is not clipped.
fn clipped(mut samples: &mut [f32]) -> MeshCell {
    let mut cell = MeshCell { level: f32::NAN, sigma: f32::NAN };
    if samples.len() < 16 {
        return cell;
    }
    let mut away = Vec::with_capacity(samples.len());
    for _ in 0..ROUNDS {
        let level = median_in_place(samples);
        away.clear();
        away.extend(samples.iter().map(|v| (v - level).abs()));
        let sigma = (MAD_TO_SIGMA * f64::from(median_in_place(&mut away))) as f32;
        cell = MeshCell { level, sigma };
        if sigma < COARSE && samples.iter().all(|v| v.fract() == 0.0) {
            return coarse(samples, level);
        }
        if sigma <= 0.0 {
            break;
        }
        let reach = CLIP as f32 * sigma;
        let mut n = 0;
        for i in 0..samples.len() {
            let v = samples[i];
            samples[n] = v;
            n += usize::from((v - level).abs() <= reach);
        }
        if n == samples.len() {
            break;
        }
        samples = &mut samples[..n];
    }
    if cell.sigma == 0.0 {
        // More than half of the samples are equal.
        cell.sigma = deviation(samples.iter().copied(), f64::from(cell.level)).1 as f32;
    }
    cell
}

/// Mean, and standard deviation about it, of samples near `about`.
fn deviation(samples: impl Iterator<Item = f32>, about: f64) -> (f64, f64) {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for v in samples {
        let d = f64::from(v) - about;
        (n, sum, squares) = (n + 1.0, sum + d, squares + d * d);
    }
    let mean = sum / n;
    (about + mean, (squares / n - mean * mean).max(0.0).sqrt())
}

/// Level and noise of whole numbers whose steps are as coarse as their noise, which median and MAD do
/// not see: mean and standard deviation of what is not clipped.
fn coarse(samples: &mut [f32], median: f32) -> MeshCell {
    // One sigma above the median lie 84 of a hundred; where a sky is clipped only that side is known.
    let (_, high, _) = samples.select_nth_unstable_by(samples.len() * 84 / 100, f32::total_cmp);
    let (mut level, mut sigma) = (f64::from(median), f64::from(*high - median));
    let low = samples.iter().copied().fold(f32::INFINITY, f32::min);
    let piled = samples.iter().filter(|v| **v == low).count();
    if piled * PILED > samples.len() && piled < samples.len() {
        // A sky cut off below: all but stars counts, and nothing of its lopsided noise is clipped.
        let most = f64::from(median) + PILED_REACH * sigma.max(1.0);
        let sky = samples.iter().copied().filter(|v| f64::from(*v) <= most);
        let (level, sigma) = deviation(sky, f64::from(median));
        return MeshCell { level: level as f32, sigma: sigma.max(STEP_SIGMA) as f32 };
    }
    for _ in 0..COARSE_ROUNDS {
        let reach = (CLIP * sigma).max(LEAST_REACH);
        let near = samples.iter().copied().filter(|v| (f64::from(*v) - level).abs() <= reach);
        (level, sigma) = deviation(near, level);
    }
    // Not better known than to what a step hides.
    MeshCell { level: level as f32, sigma: sigma.max(STEP_SIGMA) as f32 }
}

/// Gives cells without samples the mean of the neighbours that have some, from the outside in.
fn fill(mut plane: Plane<f32>) -> Plane<f32> {
    let size = plane.size();
    if plane.as_slice().iter().all(|v| v.is_nan()) {
        return Plane::filled(size, 0.0);
    }
    while plane.as_slice().iter().any(|v| v.is_nan()) {
        let before = plane.clone();
        for y in 0..size.height {
            for x in 0..size.width {
                if before.get(x, y).is_nan() {
                    let known: Vec<f32> = around(&before, x, y).filter(|v| v.is_finite()).collect();
                    if !known.is_empty() {
                        plane.set(x, y, known.iter().sum::<f32>() / known.len() as f32);
                    }
                }
            }
        }
    }
    plane
}

/// The median of each cell and its neighbours: a cell full of a bright star's light is no background.
fn smooth(plane: &Plane<f32>) -> Plane<f32> {
    Plane::from_fn(plane.size(), |x, y| {
        median_in_place(&mut around(plane, x, y).collect::<Vec<_>>())
    })
}

/// Shares of a cell and its neighbours along an axis, to either side, in a smoothed plane.
const BLUR: [f32; 3] = [6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// A smoother plane, in which a slope stays what it is: beyond the rim it goes on as it came.
fn blur(plane: &Plane<f32>) -> Plane<f32> {
    let along = |get: &dyn Fn(usize) -> f32, at: usize, end: usize| {
        let on = |i: isize| {
            let last = end as isize - 1;
            let mirrored = if i < 0 { -i } else { 2 * last - i };
            match usize::try_from(i) {
                Ok(i) if i < end => get(i),
                _ => {
                    let rim = get(i.clamp(0, last) as usize);
                    2.0 * rim - get(mirrored.clamp(0, last) as usize)
                }
            }
        };
        let pair = |d: usize| on(at as isize - d as isize) + on((at + d) as isize);
        BLUR[0] * get(at) + (1..BLUR.len()).map(|d| BLUR[d] * pair(d)).sum::<f32>()
    };
    let size = plane.size();
    let across = Plane::from_fn(size, |x, y| along(&|i| plane.get(i, y), x, size.width));
    Plane::from_fn(size, |x, y| along(&|j| across.get(x, j), y, size.height))
}

/// A cell and its neighbours.
fn around(plane: &Plane<f32>, x: usize, y: usize) -> impl Iterator<Item = f32> + '_ {
    let (x0, y0) = (x.saturating_sub(1), y.saturating_sub(1));
    let (x1, y1) = ((x + 2).min(plane.width()), (y + 2).min(plane.height()));
    (y0..y1).flat_map(move |j| plane.row(j)[x0..x1].iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_followed_and_rows_agree_with_points() {
        let size = Size::new(300, 200);
        let data = Plane::from_fn(size, |x, y| 100.0 + 0.1 * x as f32 + 0.05 * y as f32);
        let mask = Plane::zeroed(size);
        let rows = (0..Mesh::rows_of(size)).map(|i| Mesh::measure_row(&data, &mask, i)).collect();
        let mesh = Mesh::new(size, rows);
        let mut row = vec![0.0; 300];
        for y in [0, 50, 131, 199] {
            mesh.level_row(y, &mut row);
            for x in [0, 31, 32, 100, 255, 299] {
                let at = mesh.level_at(x as f64, y as f64);
                assert!((f64::from(row[x]) - at).abs() < 1e-4, "({x}, {y}): {} {at}", row[x]);
            }
        }
        assert!((mesh.level_at(128.0, 96.0) - 117.6).abs() < 0.5);
    }

    #[test]
    fn stars_and_masked_pixels_do_not_lift_the_level() {
        let size = Size::new(128, 128);
        let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729) % 21) as f32 - 10.0;
        let data =
            Plane::from_fn(
                size,
                |x, y| {
                    if (x / 8 + y / 8) % 9 == 0 { 900.0 } else { 50.0 + noise(x, y) }
                },
            );
        let mut mask: Plane<MaskBits> = Plane::zeroed(size);
        mask.row_mut(5).fill(MaskBits::HOT);
        let rows = (0..2).map(|i| Mesh::measure_row(&data, &mask, i)).collect();
        let (level, sigma) = Mesh::new(size, rows).typical();
        assert!((level - 50.0).abs() < 2.0 && (4.0..9.0).contains(&sigma), "{level} {sigma}");
    }

    #[test]
    fn noise_below_the_steps_of_whole_numbers_is_found() {
        let size = Size::new(256, 192);
        let mut state = 7u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for (level, noise) in [(12.2, 0.45), (2.3, 0.3), (100.5, 0.8), (40.1, 1.6)] {
            let data = Plane::from_fn(size, |_, _| {
                let gaussian = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                (level + noise * gaussian).round() as f32
            });
            let mask: Plane<MaskBits> = Plane::zeroed(size);
            let rows =
                (0..Mesh::rows_of(size)).map(|i| Mesh::measure_row(&data, &mask, i)).collect();
            let (found, sigma) = Mesh::new(size, rows).typical();
            let right = (noise * noise + 1.0 / 12.0f64).sqrt();
            println!("level {level} noise {right:.3}: {found:.3}, {sigma:.3}");
            assert!((found - level).abs() < 0.05, "{found} of {level}");
            assert!((sigma / right - 1.0).abs() < 0.1, "{sigma} of {right}");
        }
    }
}
