//! Frames of one kind that are measured together, and what is kept of them.

use photosite_pix::{FrameKind, Rect, Size};

use super::cell::{Cell, CellRoom, measure_cell, noise_of};
use super::grid::Grid;
use super::pixels::{PixelCounts, see_pixels};

/// Frames with more samples than this share at an end of the converter's range do not tell their noise.
pub(super) const CLIPPED: f64 = 1e-3;

/// A frame as the laboratory knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorFrame {
    /// Its path, as it was found.
    pub name: String,
    /// Exposure in seconds.
    pub exposure_s: f64,
    /// Temperature of the sensor in degrees Celsius, where it is known.
    pub temp_c: Option<f64>,
    /// When it was taken, as its header writes it.
    pub date: Option<String>,
    /// The level of its overscan in ADU, which was taken off its samples; 0 where it has none.
    pub overscan_adu: f64,
    /// The level at which samples end, in ADU.
    pub top_adu: f64,
}

/// Two frames that are compared.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The first, by its place in the set.
    pub a: usize,
    /// The second.
    pub b: usize,
    /// It is there for the level of an odd frame; its noise was counted with another pair.
    pub spare: bool,
    /// Block after block, lane after lane.
    pub cells: Vec<Cell>,
}

/// Noise of an alternating sum of frames.
#[derive(Debug, Clone)]
pub struct Alternating {
    /// How many frames.
    pub frames: usize,
    /// Pixels and variance in ADU squared, block after block, lane after lane.
    pub cells: Vec<(f64, f64)>,
}

/// Noise that whole rows and columns share, of one pair.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LineNoise {
    /// Variance of a frame's row means beyond that of white noise, in ADU squared.
    pub rows: f64,
    /// The same of column means.
    pub columns: f64,
    /// How many rows.
    pub row_count: f64,
    /// How many columns.
    pub column_count: f64,
    /// The variance of a row mean by white noise alone.
    pub white_rows: f64,
    /// The same of a column mean.
    pub white_columns: f64,
}

/// Frames of one kind, exposure and temperature (flats: of one filter), and what they showed.
#[derive(Debug, Clone)]
pub struct FrameSet {
    /// What they are.
    pub kind: FrameKind,
    /// The mean exposure in seconds.
    pub exposure_s: f64,
    /// The mean temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// The filter of flats.
    pub filter: Option<String>,
    /// The frames in the order in which they were taken.
    pub frames: Vec<SensorFrame>,
    /// Pairs of them.
    pub pairs: Vec<Pair>,
    /// Alternating sums, of darks.
    pub alternating: Vec<Alternating>,
    /// Rows and columns, of biases: one entry a pair that is not spare.
    pub lines: Vec<LineNoise>,
    /// Pixels over time, where there are frames enough.
    pub pixels: Option<PixelCounts>,
}

impl FrameSet {
    /// Names of the frames.
    pub fn names(&self) -> Vec<String> {
        self.frames.iter().map(|f| f.name.clone()).collect()
    }

    /// The share of samples at either end of the converter's range.
    pub fn share_at_ends(&self) -> f64 {
        let cells = || self.pairs.iter().flat_map(|p| &p.cells);
        // Of a block that clips as a whole no sample counts.
        let ends: f64 = cells().map(|c| c.ends).sum();
        let all: f64 = cells().map(|c| c.n.max(c.ends)).sum();
        ends / all.max(1.0)
    }

    /// Pairs whose noise counts.
    pub fn noise_pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().filter(|p| !p.spare)
    }

    /// The mean level over all frames of a lane of a block in ADU, and how many pixels it rests on.
    pub fn level(&self, at: usize) -> Option<f64> {
        let (mut sum, mut n) = (0.0, 0.0);
        for pair in &self.pairs {
            let cell = &pair.cells[at];
            if cell.n > 0.0 {
                // Of a spare pair only its second frame is new.
                let (add, count) =
                    if pair.spare { (cell.mean_b, 1.0) } else { (cell.mean_a + cell.mean_b, 2.0) };
                sum += add;
                n += count;
            }
        }
        (n > 0.0).then(|| sum / n)
    }

    /// The level of each frame in ADU over the wanted blocks, by the frame's place in the set.
    pub fn frame_levels(&self, wanted: impl Fn(usize) -> bool) -> Vec<(usize, f64)> {
        let mut out = Vec::new();
        for pair in &self.pairs {
            let (mut a, mut b, mut n) = (0.0, 0.0, 0.0);
            for (_, cell) in
                pair.cells.iter().enumerate().filter(|(at, c)| wanted(*at) && c.n > 0.0)
            {
                a += cell.mean_a;
                b += cell.mean_b;
                n += 1.0;
            }
            if n == 0.0 {
                continue;
            }
            if !pair.spare {
                out.push((pair.a, a / n));
            }
            out.push((pair.b, b / n));
        }
        out
    }
}

/// What is asked of a set besides its pairs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// Alternating sums.
    pub alternating: bool,
    /// Rows and columns.
    pub lines: bool,
    /// Pixels over time: the level below which nothing counts as a dark's own is that of each block.
    pub pixels: bool,
}

/// What one row of blocks showed of a set.
#[derive(Debug, Default)]
pub struct StripSeen {
    cells: Vec<Vec<Cell>>,
    alternating: Vec<Vec<(f64, f64)>>,
    row_means: Vec<Vec<f64>>,
    column_sums: Vec<Vec<f64>>,
    pixels: Option<PixelCounts>,
}

/// Looks at one row of blocks of all frames of a set; `rows` are its samples, frame by frame.
pub fn see_strip(
    (grid, strip): (&Grid, usize),
    frames: &[SensorFrame],
    pairs: &[(usize, usize, bool)],
    rows: &[Vec<f32>],
    asked: Asked,
) -> StripSeen {
    let grid = grid.at_strip(strip);
    let lanes = grid.lanes.len();
    let mut seen = StripSeen::default();
    let mut room = CellRoom::default();
    let ends = |f: &SensorFrame| (-f.overscan_adu as f32, (f.top_adu - f.overscan_adu) as f32);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (first, second, _) in pairs {
        let mut cells = Vec::with_capacity(grid.across * lanes);
        for column in 0..grid.across {
            for lane in 0..lanes {
                let line = grid.gather(&rows[*first], column, lane, &mut a);
                grid.gather(&rows[*second], column, lane, &mut b);
                let ends = [ends(&frames[*first]), ends(&frames[*second])];
                cells.push(measure_cell((&a, &b), line, ends, &mut room));
            }
        }
        seen.cells.push(cells);
    }
    if asked.alternating {
        seen.alternating = vec![Vec::with_capacity(grid.across * lanes); rows.len() / 2];
        let mut sum = Vec::new();
        for column in 0..grid.across {
            for lane in 0..lanes {
                alternate(&grid, rows, (column, lane), &mut sum, &mut room, &mut seen.alternating);
            }
        }
    }
    if asked.lines {
        let width = grid.across * grid.block;
        for (first, second, _) in pairs.iter().filter(|p| !p.2) {
            let (means, columns) = line_sums(&rows[*first], &rows[*second], grid.size, width);
            seen.row_means.push(means);
            seen.column_sums.push(columns);
        }
    }
    if asked.pixels {
        seen.pixels = Some(see_pixels(&grid, rows));
    }
    seen
}

/// Noise of D1 - D2 + D3 - D4 ... of one lane of one block, for each even number of frames.
fn alternate(
    grid: &Grid,
    rows: &[Vec<f32>],
    (column, lane): (usize, usize),
    sum: &mut Vec<f32>,
    room: &mut CellRoom,
    out: &mut [Vec<(f64, f64)>],
) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    sum.clear();
    for (k, pair) in rows.chunks_exact(2).enumerate() {
        let line = grid.gather(&pair[0], column, lane, &mut a);
        grid.gather(&pair[1], column, lane, &mut b);
        if k == 0 {
            sum.resize(a.len(), 0.0);
            // Pixels that are hot in the first two frames are left out of all sums.
            room.mark_odd((&a, &b), line, sum);
        }
        sum.iter_mut().zip(a.iter().zip(&b)).for_each(|(s, (a, b))| *s += a - b);
        out[k].push(noise_of(sum, room));
    }
}

/// Row means and column sums of the difference of two frames.
fn line_sums(a: &[f32], b: &[f32], size: Size, width: usize) -> (Vec<f64>, Vec<f64>) {
    let mut columns = vec![0.0; width];
    let differences = |y: usize| {
        let (a, b) = (&a[y * size.width..][..width], &b[y * size.width..][..width]);
        a.iter().zip(b).map(|(a, b)| a - b)
    };
    let height = a.len() / size.width.max(1);
    let some: Vec<f32> = (0..height).flat_map(differences).step_by(7).collect();
    let (middle, mad) = photosite_pix::stat::median_mad(&some);
    let most = 6.0 * (1.4826 * mad).max(0.75);
    let means = (0..height).map(|y| {
        let mut sum = 0.0;
        for (d, column) in differences(y).zip(&mut columns) {
            // Hits are drawn in, so that rows keep their number of pixels.
            let d = f64::from((d - middle).clamp(-most, most));
            sum += d;
            *column += d;
        }
        sum / width as f64
    });
    (means.collect(), columns)
}

/// Puts the strips of a set together, in their order.
pub fn gather_set(
    grid: &Grid,
    mut set: FrameSet,
    pairs: &[(usize, usize, bool)],
    strips: Vec<StripSeen>,
) -> FrameSet {
    let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); pairs.len()];
    let most = strips.first().map_or(0, |s| s.alternating.len());
    let mut alternating: Vec<Vec<(f64, f64)>> = vec![Vec::new(); most];
    let counted: Vec<&(usize, usize, bool)> = pairs.iter().filter(|p| !p.2).collect();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); counted.len()];
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); counted.len()];
    for strip in strips {
        cells.iter_mut().zip(strip.cells).for_each(|(all, new)| all.extend(new));
        alternating.iter_mut().zip(strip.alternating).for_each(|(all, new)| all.extend(new));
        rows.iter_mut().zip(strip.row_means).for_each(|(all, new)| all.extend(new));
        for (all, new) in columns.iter_mut().zip(strip.column_sums) {
            all.resize(new.len(), 0.0);
            all.iter_mut().zip(new).for_each(|(sum, v)| *sum += v);
        }
        if let Some(new) = strip.pixels {
            set.pixels.get_or_insert_with(PixelCounts::default).join(&new);
        }
    }
    set.pairs = pairs
        .iter()
        .zip(cells)
        .map(|((a, b, spare), cells)| Pair { a: *a, b: *b, spare: *spare, cells })
        .collect();
    set.alternating = alternating
        .into_iter()
        .enumerate()
        .map(|(k, cells)| Alternating { frames: 2 * (k + 1), cells })
        .collect();
    let noise = set.noise_pairs().map(|pair| {
        let (v, n) =
            pair.cells.iter().fold((0.0, 0.0), |(v, n), c| (v + c.n * c.noise(1.0), n + c.n));
        v / f64::max(n, 1.0)
    });
    set.lines = noise
        .zip(rows.iter().zip(&columns))
        .filter(|(_, (rows, columns))| !rows.is_empty() && !columns.is_empty())
        .map(|(white, (rows, columns))| lines_of(white, rows, columns, grid))
        .collect();
    set
}

/// What rows and columns share beyond white noise of that variance of a difference.
fn lines_of(white: f64, rows: &[f64], columns: &[f64], grid: &Grid) -> LineNoise {
    let height = (grid.down * grid.block) as f64;
    let means: Vec<f64> = columns.iter().map(|c| c / height).collect();
    // Halves of squared differences of lines that follow one another: slow drift is no line noise.
    let scatter = |lines: &[f64]| {
        let squares = lines.windows(2).map(|w| (w[1] - w[0]) * (w[1] - w[0]));
        0.5 * squares.sum::<f64>() / (lines.len() as f64 - 1.0).max(1.0)
    };
    let (white_rows, white_columns) = (white / columns.len() as f64, white / height);
    LineNoise {
        rows: 0.5 * (scatter(rows) - white_rows),
        columns: 0.5 * (scatter(&means) - white_columns),
        row_count: rows.len() as f64,
        column_count: columns.len() as f64,
        white_rows: 0.5 * white_rows,
        white_columns: 0.5 * white_columns,
    }
}

/// The most central square of a frame whose sides are a power of two, at most 1024, for its spectrum.
pub fn spectrum_region(size: Size) -> Option<Rect> {
    let least = size.width.min(size.height).min(1024);
    if least < 64 {
        return None;
    }
    let side = 1usize << least.ilog2();
    let (x0, y0) = ((size.width - side) / 2, (size.height - side) / 2);
    Some(Rect { x0, y0, x1: x0 + side, y1: y0 + side })
}
