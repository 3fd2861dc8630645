//! Frames of one kind that are measured together, and what is kept of them.

use std::collections::BTreeMap;
use std::ops::Range;

use photosite_pix::{FrameKind, Plane, Rect, Size};

use super::cell::{Cell, CellRoom, measure_cell, noise_of, total};
use super::flats::{FlatPixels, FlatRoom, Zero, see_flats};
use super::grid::{Grid, Paired, Patch};
use super::hot::HotPixels;
use super::maps::{MapKind, StripMaps};
use super::pixels::{PixelCounts, PixelRoom, see_pixels};
use super::shape::Shape;

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
    /// The same of each amplifier, where there are several.
    pub amplifier_overscans_adu: Vec<f64>,
    /// The standard deviation of a sample of its overscan in ADU.
    pub overscan_scatter_adu: Option<f64>,
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
    /// How the differences are spread, of flats.
    pub shape: Option<Shape>,
}

/// Noise of a sum of frames of which half are taken off.
#[derive(Debug, Clone)]
pub struct SignedSum {
    /// How many frames.
    pub frames: usize,
    /// Pixels and variance in ADU squared, block after block, lane after lane.
    pub cells: Vec<(f64, f64)>,
}

/// Whether two exposures in seconds are one.
pub fn is_exposure(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * b
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
    pub alternating: Vec<SignedSum>,
    /// Pairs less the pairs that follow them, four frames less the next four, of biases and darks: what the pairs by
    /// themselves do not tell of the noise.
    pub contrasts: Vec<SignedSum>,
    /// Rows and columns, of biases: one entry a pair that is not spare.
    pub lines: Vec<LineNoise>,
    /// Means of columns and of rows of the mean of a set of biases, in ADU.
    pub profiles: [Vec<f64>; 2],
    /// Pixels over time, where there are frames enough.
    pub pixels: Option<PixelCounts>,
    /// Pixels under light, of flats.
    pub flats: Option<FlatPixels>,
    /// Maps of single pixels, where they were asked for.
    pub maps: BTreeMap<MapKind, Plane<f32>>,
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
pub struct Asked<'a> {
    /// Alternating sums.
    pub alternating: bool,
    /// Sums of frames less sums of the next.
    pub contrasts: bool,
    /// Rows and columns.
    pub lines: bool,
    /// Pixels over time: the level below which nothing counts as a dark's own is that of each block.
    pub pixels: bool,
    /// Flats: pixels under light, above this zero.
    pub flats: Option<&'a Zero>,
    /// Maps of single pixels.
    pub maps: bool,
    /// Pixels that count neither for levels nor for noise.
    pub hot: Option<&'a HotPixels>,
}

/// What one row of blocks showed of a set.
#[derive(Debug, Default)]
pub struct StripSeen {
    cells: Vec<Vec<Cell>>,
    alternating: Vec<Vec<(f64, f64)>>,
    contrasts: Vec<Vec<(f64, f64)>>,
    row_means: Vec<Vec<f64>>,
    column_sums: Vec<Vec<f64>>,
    profiles: [Vec<f64>; 2],
    shapes: Vec<Shape>,
    pixels: Option<PixelCounts>,
    flats: Option<FlatPixels>,
    maps: StripMaps,
}

/// Looks at one row of blocks of all frames of a set; `rows` are its samples, frame by frame.
pub fn see_strip(
    (grid, strip): (&Grid, usize),
    frames: &[SensorFrame],
    pairs: &[Paired],
    rows: &[Vec<f32>],
    asked: Asked<'_>,
) -> StripSeen {
    let grid = grid.at_strip(strip);
    let lanes = grid.lanes.len();
    let mut seen = StripSeen::default();
    let mut room = CellRoom::default();
    let ends = |f: &SensorFrame, amplifier: Option<usize>| {
        let own = amplifier.and_then(|i| f.amplifier_overscans_adu.get(i));
        let level = own.copied().unwrap_or(f.overscan_adu);
        (-level as f32, (f.top_adu - level) as f32)
    };
    let under_light_or_none = asked.lines || asked.flats.is_some();
    let mut samples: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
    let (mut healthy, mut sum, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pixel_room, mut flat_room) = (PixelRoom::default(), FlatRoom::default());
    let lanes_across = grid.across * lanes;
    seen.cells = vec![Vec::with_capacity(lanes_across); pairs.len()];
    seen.shapes = (0..pairs.len()).map(Shape::of_pair).collect();
    let sums = if asked.alternating { rows.len() / 2 } else { 0 };
    seen.alternating = vec![Vec::with_capacity(lanes_across); sums];
    let contrasts = contrasts_of(if asked.contrasts { rows.len() } else { 0 });
    seen.contrasts = vec![Vec::with_capacity(lanes_across); contrasts.len()];
    seen.pixels = asked.pixels.then(PixelCounts::default);
    seen.flats = asked.flats.map(|_| FlatPixels::default());
    if asked.maps {
        seen.maps = StripMaps::new(&grid);
    }
    for (column, lane) in (0..grid.across).flat_map(|c| (0..lanes).map(move |l| (c, l))) {
        let amplifier = grid.amplifier_of(column, strip);
        let at = (strip * grid.across + column) * lanes + lane;
        let mut line = 0;
        for (rows, out) in rows.iter().zip(&mut samples) {
            line = grid.gather(rows, column, lane, out);
        }
        let patch = Patch { grid: &grid, column, lane, at, line, frames: &samples };
        let hot = asked.hot.map_or(&[][..], |hot| hot.of(at));
        room.neighbours_share = grid.tells_neighbours(at) && under_light_or_none;
        let mut cells = Vec::with_capacity(pairs.len());
        for (number, (first, second, spare)) in pairs.iter().enumerate() {
            healthy.clone_from(&samples[*first]);
            hot.iter().for_each(|i| healthy[*i as usize] = f32::NAN);
            let pair = (&healthy[..], &samples[*second][..]);
            let ends = [*first, *second].map(|i| ends(&frames[i], amplifier));
            let cell = measure_cell(pair, line, ends, &mut room);
            if number == 0 {
                // Pixels that are hot or struck in the first two frames are left out of all sums.
                counts.clear();
                counts.extend_from_slice(room.kept());
            }
            if asked.flats.is_some() && !spare {
                let of = (at, grid.blocks() * lanes);
                seen.shapes[number].see(pair, room.kept(), &cell, of);
            }
            cells.push(cell);
        }
        let mut noise_of_sum = |frames: &[Vec<f32>], minus: &dyn Fn(usize) -> bool| {
            signed_sum(&counts, frames, minus, &mut sum);
            noise_of(&sum, &mut room)
        };
        for (k, out) in seen.alternating.iter_mut().enumerate() {
            out.push(noise_of_sum(&samples[..2 * (k + 1)], &|i| i % 2 == 1));
        }
        for (range, out) in contrasts.iter().zip(&mut seen.contrasts) {
            let half = range.len() / 2;
            out.push(noise_of_sum(&samples[range.clone()], &|i| i >= half));
        }
        if let Some(counts) = &mut seen.pixels {
            see_pixels(&patch, &mut pixel_room, counts, &mut seen.maps);
        }
        if let (Some(zero), Some(out)) = (asked.flats, &mut seen.flats) {
            see_flats(&patch, (pairs, &cells), zero, &mut flat_room, (out, &mut seen.maps));
        }
        seen.cells.iter_mut().zip(cells).for_each(|(all, cell)| all.push(cell));
    }
    if asked.lines {
        for (first, second, _) in pairs.iter().filter(|p| !p.2) {
            let (means, columns) = line_sums(&grid, &rows[*first], &rows[*second]);
            seen.row_means.push(means);
            seen.column_sums.push(columns);
        }
        seen.profiles = profiles_of(&grid, rows);
    }
    seen
}

/// Sums of columns and means of rows of the mean of some frames, hits and hot pixels drawn in.
fn profiles_of(grid: &Grid, rows: &[Vec<f32>]) -> [Vec<f64>; 2] {
    let some = &rows[..rows.len().min(PROFILED)];
    let mut mean = vec![0.0f32; rows.first().map_or(0, Vec::len)];
    for frame in some {
        mean.iter_mut().zip(frame).for_each(|(m, v)| *m += v);
    }
    mean.iter_mut().for_each(|m| *m /= some.len() as f32);
    let mut columns = vec![0.0; grid.across * grid.block];
    let of_row = |row: &mut [f32]| {
        let few: Vec<f32> = row.iter().copied().step_by(row.len() / 256 + 1).collect();
        drawn_in(row, middle_and_most(&few), &mut columns)
    };
    let used = columns_used(grid, &mut mean);
    let means = used.map(of_row).collect();
    [columns, means]
}

/// The columns of each row that lie in whole blocks.
fn columns_used<'a>(grid: &Grid, rows: &'a mut [f32]) -> impl Iterator<Item = &'a mut [f32]> {
    let used = grid.across * grid.block;
    rows.chunks_exact_mut(grid.size.width.max(1)).map(move |row| &mut row[..used])
}

/// The median of some samples, and how far beside it noise reaches.
fn middle_and_most(some: &[f32]) -> (f32, f32) {
    let (middle, mad) = photosite_pix::stat::median_mad(some);
    (middle, 6.0 * (1.4826 * mad).max(0.75))
}

/// Adds a row to the sums of columns and gives its mean; what lies beyond noise is drawn in, so that neither loses a
/// pixel.
fn drawn_in(row: &mut [f32], (middle, most): (f32, f32), columns: &mut [f64]) -> f64 {
    for (v, column) in row.iter_mut().zip(columns) {
        *v = middle + (*v - middle).clamp(-most, most);
        *column += f64::from(*v);
    }
    total(row) / row.len().max(1) as f64
}

/// Frames of a set whose mean makes its profiles.
const PROFILED: usize = 16;

/// Frames of a contrast, half of which are taken off: in sums of more, a ray hides.
const CONTRASTED: [usize; 2] = [4, 8];

/// The frames of each contrast of so many frames.
fn contrasts_of(frames: usize) -> Vec<Range<usize>> {
    let of = |count: usize| (count..=frames).step_by(count).map(move |end| end - count..end);
    CONTRASTED.into_iter().flat_map(of).collect()
}

/// The sum of some frames, those taken off that `minus` names; NaN where a pixel does not count.
fn signed_sum(
    counts: &[f32],
    frames: &[Vec<f32>],
    minus: &dyn Fn(usize) -> bool,
    sum: &mut Vec<f32>,
) {
    sum.clear();
    sum.extend(counts.iter().map(|c| if *c == 0.0 { f32::NAN } else { 0.0 }));
    for (i, frame) in frames.iter().enumerate() {
        match minus(i) {
            true => sum.iter_mut().zip(frame).for_each(|(s, v)| *s -= v),
            false => sum.iter_mut().zip(frame).for_each(|(s, v)| *s += v),
        }
    }
}

/// Row means and column sums of the difference of two frames, hits drawn in.
fn line_sums(grid: &Grid, a: &[f32], b: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let mut columns = vec![0.0; grid.across * grid.block];
    let mut difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let some: Vec<f32> = difference.iter().copied().step_by(7).collect();
    let about = middle_and_most(&some);
    let rows = columns_used(grid, &mut difference);
    let means = rows.map(|row| drawn_in(row, about, &mut columns)).collect();
    (means, columns)
}

/// Puts the strips of a set together, in their order.
pub fn gather_set(
    grid: &Grid,
    mut set: FrameSet,
    pairs: &[Paired],
    strips: Vec<StripSeen>,
) -> FrameSet {
    let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); pairs.len()];
    let most = strips.first().map_or(0, |s| s.alternating.len());
    let mut alternating: Vec<Vec<(f64, f64)>> = vec![Vec::new(); most];
    let most = strips.first().map_or(0, |s| s.contrasts.len());
    let mut contrasts: Vec<Vec<(f64, f64)>> = vec![Vec::new(); most];
    let counted: Vec<&Paired> = pairs.iter().filter(|p| !p.2).collect();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); counted.len()];
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); counted.len()];
    let mut shapes = vec![None::<Shape>; pairs.len()];
    for (number, strip) in strips.into_iter().enumerate() {
        cells.iter_mut().zip(strip.cells).for_each(|(all, new)| all.extend(new));
        alternating.iter_mut().zip(strip.alternating).for_each(|(all, new)| all.extend(new));
        contrasts.iter_mut().zip(strip.contrasts).for_each(|(all, new)| all.extend(new));
        rows.iter_mut().zip(strip.row_means).for_each(|(all, new)| all.extend(new));
        for (all, new) in columns.iter_mut().zip(strip.column_sums) {
            all.resize(new.len(), 0.0);
            all.iter_mut().zip(new).for_each(|(sum, v)| *sum += v);
        }
        if let Some(new) = strip.pixels {
            set.pixels.get_or_insert_with(PixelCounts::default).join(&new);
        }
        if let Some(new) = strip.flats {
            set.flats.get_or_insert_with(FlatPixels::default).join(&new);
        }
        for (all, new) in shapes.iter_mut().zip(strip.shapes).filter(|(_, s)| s.count() > 0) {
            all.get_or_insert_with(Shape::default).join(&new);
        }
        let [columns, rows] = strip.profiles;
        set.profiles[0].resize(set.profiles[0].len().max(columns.len()), 0.0);
        set.profiles[0].iter_mut().zip(columns).for_each(|(sum, v)| *sum += v);
        set.profiles[1].extend(rows);
        strip.maps.put_into(&mut set.maps, (grid, number));
    }
    let height = set.profiles[1].len().max(1) as f64;
    set.profiles[0].iter_mut().for_each(|v| *v /= height);
    set.pairs = pairs
        .iter()
        .zip(cells.into_iter().zip(shapes))
        .map(|((a, b, spare), (cells, shape))| Pair { a: *a, b: *b, spare: *spare, cells, shape })
        .collect();
    set.alternating = alternating
        .into_iter()
        .enumerate()
        .map(|(k, cells)| SignedSum { frames: 2 * (k + 1), cells })
        .collect();
    set.contrasts = contrasts_of(set.frames.len())
        .into_iter()
        .zip(contrasts)
        .map(|(range, cells)| SignedSum { frames: range.len(), cells })
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
