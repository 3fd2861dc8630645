//! The background and its noise, on a mesh of cells.

use std::convert::Infallible;

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

/// One cell in so many must be steep.
const STEEP: usize = 4;

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

/// Measures the row of cells of a number.
pub type Row<'a> = dyn Fn(usize) -> Vec<MeshCell> + Sync + 'a;

/// Background and noise of a frame, interpolated between cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mesh {
    size: Size,
    level: Cells,
    sigma: Cells,
}

impl Mesh {
    /// Measures a frame, on this thread.
    pub fn of(data: &Plane<f32>, mask: &Plane<MaskBits>) -> Self {
        let here = |rows: usize, row: &Row<'_>| Ok::<_, Infallible>((0..rows).map(row).collect());
        let Ok(mesh) = Self::measured(data, mask, None, here);
        mesh
    }

    /// Measures a frame, or one colour of it under a filter array, by rows of cells that `on_each` asks for, each by
    /// its number. Masked and non-finite samples do not count.
    ///
    /// # Errors
    /// Those of `on_each`.
    pub fn measured<E>(
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        colour: Option<(CfaPattern, CfaColor)>,
        on_each: impl Fn(usize, &Row<'_>) -> Result<Vec<Vec<MeshCell>>, E>,
    ) -> Result<Self, E> {
        let size = data.size();
        let rows = size.height.div_ceil(CELL).max(1);
        let row = |i: usize, above: Option<&Self>| match colour {
            None => Self::measure_some(data, mask, i, (ROW_STEP, |_, _| true), above),
            Some((cfa, colour)) => {
                let own = |x, y| cfa.color(x, y) == colour;
                Self::measure_some(data, mask, i, (COLOUR_ROW_STEP, own), above)
            }
        };
        let first = Self::new(size, &on_each(rows, &|i| row(i, None))?);
        if !first.is_steep() {
            return Ok(first);
        }
        // By how samples differ from a smooth first look slopes blur neither level nor noise.
        let level = Cells::of(&blur(&first.level.own()), Beyond::GoesOn);
        let smooth = Self { level, ..first };
        Ok(smooth.corrected(&on_each(rows, &|i| row(i, Some(&smooth)))?))
    }

    /// Measures a row of the cells by the samples that are wanted, of every so many rows.
    fn measure_some(
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        index: usize,
        (step, wanted): (usize, impl Fn(usize, usize) -> bool),
        above: Option<&Self>,
    ) -> Vec<MeshCell> {
        let size = data.size();
        let rows = span(index, size.height);
        let mut samples = vec![0.0; CELL * CELL.div_ceil(step)];
        let mut beneath = vec![0.0; CELL];
        (0..size.width.div_ceil(CELL))
            .map(|column| {
                let columns = span(column, size.width);
                let mut n = 0;
                // About the middle of the cell.
                let from = (step / 2).min(rows.len() - 1);
                for y in rows.clone().skip(from).step_by(step) {
                    if let Some(mesh) = above {
                        mesh.level.part_of_row(y, columns.start, &mut beneath[..columns.len()]);
                    }
                    let of_row = data.row(y)[columns.clone()].iter().zip(&beneath);
                    let good = of_row.zip(&mask.row(y)[columns.clone()]);
                    for (((v, beneath), m), x) in good.zip(columns.clone()) {
                        samples[n] = *v - beneath;
                        let good = v.is_finite() & !m.intersects(MaskBits::BAD);
                        n += usize::from(good & wanted(x, y));
                    }
                }
                clipped(&mut samples[..n])
            })
            .collect()
    }

    /// A mesh of all rows of cells, gaps filled from their neighbours and lone cells smoothed away.
    fn new(size: Size, rows: &[Vec<MeshCell>]) -> Self {
        let known = |pick| known(rows, pick);
        let level = centred(&known(|c| c.level), size);
        Self {
            size,
            level: Cells::of(&smooth(&level, Beyond::GoesOn), Beyond::GoesOn),
            sigma: Cells::of(&smooth(&known(|c| c.sigma), Beyond::Stays), Beyond::Stays),
        }
    }

    /// Whether the sky rises by its noise within a cell, in a quarter of the frame and more: slopes blur level and noise.
    fn is_steep(&self) -> bool {
        let level = self.level.own();
        let rises = |x: usize, y: usize| {
            let to = |i: usize, j: usize| match i < level.width() && j < level.height() {
                true => (level.get(i, j) - level.get(x, y)).abs(),
                false => 0.0,
            };
            to(x + 1, y) + to(x, y + 1)
        };
        let steep = Plane::from_fn(level.size(), rises);
        let sigma = self.typical().1 as f32;
        let steep = steep.as_slice().iter().filter(|rise| **rise > sigma).count();
        STEEP * steep > level.size().pixels()
    }

    /// The mesh of which this is a first look, by rows that were measured above it.
    fn corrected(&self, rows: &[Vec<MeshCell>]) -> Self {
        let known = |pick| smooth(&known(rows, pick), Beyond::Stays);
        let (level, more) = (self.level.own(), known(|c| c.level));
        let level = Plane::from_fn(level.size(), |x, y| level.get(x, y) + more.get(x, y));
        Self {
            size: self.size,
            level: Cells::of(&level, Beyond::GoesOn),
            sigma: Cells::of(&known(|c| c.sigma), Beyond::Stays),
        }
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
        let median = |c: &Cells| f64::from(median_in_place(&mut c.own().into_vec()));
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
        let level = self.level.own();
        let plane = Plane::from_fn(level.size(), |i, j| {
            let at = Point::new(middle(i, self.size.width), middle(j, self.size.height));
            of(f64::from(level.get(i, j)), at) as f32
        });
        let some = plane.as_slice().iter().any(|v| v.is_finite());
        some.then(|| Cells::of(&blur(&fill(plane)), Beyond::GoesOn))
    }
}

/// What is taken to lie beyond the rim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// The slope at the rim.
    GoesOn,
    /// The cells at the rim.
    Stays,
}

/// A number a cell, and cells about them beyond the frame, interpolated between their middles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cells(Plane<f32>);

impl Cells {
    fn of(plane: &Plane<f32>, beyond: Beyond) -> Self {
        Self(extended(plane, 1, beyond))
    }

    /// The cells of the frame.
    fn own(&self) -> Plane<f32> {
        let Self(plane) = self;
        let size = Size::new(plane.width() - 2, plane.height() - 2);
        Plane::from_fn(size, |x, y| plane.get(x + 1, y + 1))
    }

    fn at(&self, x: f64, y: f64) -> f64 {
        let Self(plane) = self;
        let (i, u) = place(x, plane.width());
        let (j, v) = place(y, plane.height());
        let get = |i: usize, j: usize| f64::from(plane.get(i, j));
        let upper = get(i, j) * (1.0 - u) + get(i + 1, j) * u;
        let lower = get(i, j + 1) * (1.0 - u) + get(i + 1, j + 1) * u;
        upper * (1.0 - v) + lower * v
    }

    /// The numbers along row `y` of the frame, from column 0 on.
    pub(crate) fn row(&self, y: usize, out: &mut [f32]) {
        self.part_of_row(y, 0, out);
    }

    /// The numbers along row `y` of the frame, from column `x0` on.
    fn part_of_row(&self, y: usize, x0: usize, out: &mut [f32]) {
        let Self(plane) = self;
        let (j, v) = place(y as f64, plane.height());
        let v = v as f32;
        let between = |i: usize| plane.get(i, j) * (1.0 - v) + plane.get(i, j + 1) * v;
        // The first column lies half-way between the first two cells.
        let (mut i, mut first) = ((x0 + CELL / 2) / CELL, (x0 + CELL / 2) % CELL);
        let mut rest = out;
        while !rest.is_empty() {
            let (part, after) = rest.split_at_mut((CELL - first).min(rest.len()));
            ramp((between(i), between(i + 1)), first, part);
            (rest, i, first) = (after, i + 1, 0);
        }
    }
}

/// Middles of pixels on the way from one level to another, a cell further on, from the pixel `first` on.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ramp((from, to): (f32, f32), first: usize, out: &mut [f32]) {
    let slope = (to - from) / CELL as f32;
    for (k, o) in out.iter_mut().enumerate() {
        *o = from + slope * ((first + k) as i32 as f32 + 0.5);
    }
}

/// The cell before a coordinate among those along an axis, one beyond the frame at each end, and how far it is on the
/// way to the next.
fn place(at: f64, cells: usize) -> (usize, f64) {
    let t = ((at + 0.5) / CELL as f64 + 0.5).clamp(0.0, (cells - 1) as f64);
    let i = t.floor().min((cells - 2) as f64);
    (i as usize, t - i)
}

/// The pixels along an axis that tell a cell: the last cell is as large as the others, and reaches back.
fn span(index: usize, end: usize) -> std::ops::Range<usize> {
    let to = ((index + 1) * CELL).min(end);
    to.saturating_sub(CELL).min(index * CELL)..to
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

/// What `pick` takes of each cell, gaps filled.
fn known(rows: &[Vec<MeshCell>], pick: fn(&MeshCell) -> f32) -> Plane<f32> {
    let cells = Size::new(rows.first().map_or(0, Vec::len), rows.len());
    fill(Plane::from_fn(cells, |x, y| pick(&rows[y][x])))
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

/// What the last column and the last row of cells would tell in their own middles: they reach back over the cells before.
fn centred(plane: &Plane<f32>, size: Size) -> Plane<f32> {
    // A level so far from the one before the last tells the slope.
    let moved = |end: usize, cells: usize, get: &dyn Fn(usize) -> f32| {
        let off = (cells * CELL - end) as f32;
        let last = cells - 1;
        let (before, away) = match last {
            0 => return get(0),
            1 if off > 0.5 * CELL as f32 => return get(1),
            1 => (get(0), CELL as f32 - off),
            _ => (get(last - 2), 2.0 * CELL as f32 - off),
        };
        get(last) + off / away * (get(last) - before)
    };
    let cells = plane.size();
    let across = Plane::from_fn(cells, |x, y| match x + 1 == cells.width {
        true => moved(size.width, cells.width, &|i| plane.get(i, y)),
        false => plane.get(x, y),
    });
    Plane::from_fn(cells, |x, y| match y + 1 == cells.height {
        true => moved(size.height, cells.height, &|j| across.get(x, j)),
        false => across.get(x, y),
    })
}

/// A plane with so many cells more on every side.
fn extended(plane: &Plane<f32>, by: usize, beyond: Beyond) -> Plane<f32> {
    let along = |get: &dyn Fn(usize) -> f32, at: usize, end: usize| {
        let last = end - 1;
        let (rim, away) = match at.checked_sub(by) {
            None => (0, by - at),
            Some(i) if i > last => (last, i - last),
            Some(i) => return get(i),
        };
        // A slope over two cells has half of the noise.
        let inner = away.max(2).min(last);
        let slope = |inner: usize| (get(rim) - get(rim.abs_diff(inner))) / inner as f32;
        match beyond {
            Beyond::GoesOn if inner > 0 => get(rim) + away as f32 * slope(inner),
            Beyond::GoesOn | Beyond::Stays => get(rim),
        }
    };
    let size = plane.size();
    let wide = Size::new(size.width + 2 * by, size.height);
    let across = Plane::from_fn(wide, |x, y| along(&|i| plane.get(i, y), x, size.width));
    let all = Size::new(wide.width, size.height + 2 * by);
    Plane::from_fn(all, |x, y| along(&|j| across.get(x, j), y, size.height))
}

/// The median of each cell and its neighbours: a cell full of a bright star's light is no background.
fn smooth(plane: &Plane<f32>, beyond: Beyond) -> Plane<f32> {
    let around = extended(plane, 1, beyond);
    Plane::from_fn(plane.size(), |x, y| {
        let of = (y..y + 3).flat_map(|j| around.row(j)[x..x + 3].iter().copied());
        median_in_place(&mut of.collect::<Vec<_>>())
    })
}

/// Shares of a cell and its neighbours along an axis, to either side, in a smoothed plane.
const BLUR: [f32; 3] = [6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// A smoother plane, in which a slope stays what it is.
fn blur(plane: &Plane<f32>) -> Plane<f32> {
    let by = BLUR.len() - 1;
    let wide = extended(plane, by, Beyond::GoesOn);
    let along = |get: &dyn Fn(usize) -> f32, at: usize| {
        BLUR[0] * get(at) + (1..=by).map(|d| BLUR[d] * (get(at - d) + get(at + d))).sum::<f32>()
    };
    let size = plane.size();
    let across = Size::new(size.width, wide.height());
    let across = Plane::from_fn(across, |x, y| along(&|i| wide.get(i, y), x + by));
    Plane::from_fn(size, |x, y| along(&|j| across.get(x, j), y + by))
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

    fn uniform() -> impl FnMut() -> f64 {
        let mut state = 7u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    #[test]
    fn a_slope_is_followed_and_rows_agree_with_points() {
        let size = Size::new(300, 200);
        let data = Plane::from_fn(size, |x, y| 100.0 + 0.1 * x as f32 + 0.05 * y as f32);
        let mask = Plane::zeroed(size);
        let mesh = Mesh::of(&data, &mask);
        let mut row = vec![0.0; 300];
        for y in [0, 50, 131, 199] {
            mesh.level_row(y, &mut row);
            for x in [0, 31, 32, 100, 255, 299] {
                let at = mesh.level_at(x as f64, y as f64);
                assert!((f64::from(row[x]) - at).abs() < 1e-4, "({x}, {y}): {} {at}", row[x]);
                // Rows are looked at in steps.
                let right = 100.0 + 0.1 * x as f64 + 0.05 * y as f64;
                assert!((at - right).abs() < 0.05, "({x}, {y}): {at} of {right}");
            }
        }
    }

    #[test]
    fn steep_slopes_blur_neither_level_nor_noise() {
        let size = Size::new(443, 223);
        let mut uniform = uniform();
        for (across, down) in [(0.0, 0.0), (0.1, 0.1), (0.5, -1.0), (-3.0, 2.0)] {
            let sky = |x: usize, y: usize| 1000.0 + across * x as f64 + down * y as f64;
            let data = Plane::from_fn(size, |x, y| {
                let gaussian = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                (sky(x, y) + 16.0 * gaussian) as f32
            });
            let mesh = Mesh::of(&data, &Plane::zeroed(size));
            let (mut squares, mut count) = (0.0, 0.0);
            for y in (0..223).step_by(37) {
                for x in (0..443).step_by(34) {
                    let off: f64 = mesh.level_at(x as f64, y as f64) - sky(x, y);
                    assert!(off.abs() < 5.0, "{across} {down}: {off} at ({x}, {y})");
                    (squares, count) = (squares + off * off, count + 1.0);
                }
            }
            let rms = f64::sqrt(squares / count);
            println!("{across} {down}: {rms:.2}");
            assert!(rms < 1.6, "{across} {down}: {rms}");
            let sigma = mesh.typical().1;
            assert!((sigma / 16.0 - 1.0).abs() < 0.06, "{across} {down}: {sigma}");
        }
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
        let (level, sigma) = Mesh::of(&data, &mask).typical();
        assert!((level - 50.0).abs() < 2.0 && (4.0..9.0).contains(&sigma), "{level} {sigma}");
    }

    #[test]
    fn noise_below_the_steps_of_whole_numbers_is_found() {
        let size = Size::new(256, 192);
        let mut uniform = uniform();
        for (level, noise) in [(12.2, 0.45), (2.3, 0.3), (100.5, 0.8), (40.1, 1.6)] {
            let data = Plane::from_fn(size, |_, _| {
                let gaussian = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                (level + noise * gaussian).round() as f32
            });
            let mask: Plane<MaskBits> = Plane::zeroed(size);
            let (found, sigma) = Mesh::of(&data, &mask).typical();
            // Rounding moves the mean of so little noise.
            let level =
                data.as_slice().iter().copied().map(f64::from).sum::<f64>() / size.pixels() as f64;
            let right = (noise * noise + 1.0 / 12.0f64).sqrt();
            println!("level {level} noise {right:.3}: {found:.3}, {sigma:.3}");
            assert!((found - level).abs() < 0.03, "{found} of {level}");
            assert!((sigma / right - 1.0).abs() < 0.1, "{sigma} of {right}");
        }
    }
}
