//! What is kept of a frame to compare it with others of its set.

use std::ops::Range;

use photosite_pix::{CfaPattern, Size, select, stat};

/// Pixels along the side of a tile, at least.
const SMALLEST_TILE: usize = 12;

/// Of the samples that a tile has, one of so many tells the level of a row.
const ROW_STEP: usize = 4;

/// Sigmas between the quartiles of a normal distribution.
const IQR_SIGMAS: f32 = 1.349;

/// Sigmas from which a pixel counts as hot.
pub(super) const HOT_SIGMAS: f64 = 6.0;

/// A hot pixel that every frame of its kind must show stands out by twice what others need to be seen.
pub(super) const SURE_SIGMAS: f64 = 2.0 * HOT_SIGMAS;

/// The least that the scatter of samples is taken for, in ADU: what rounding makes of any noise is no less.
pub(super) const LEAST_SCATTER_ADU: f64 = 0.1;

/// How many of the hottest pixels are kept.
const MOST_HOT: usize = 1024;

/// Samples that are looked at together for a hot one.
const CHUNK: usize = 64;

/// Robust sigmas within which samples count for the level of a tile.
const KAPPA: f32 = 4.0;

/// Rows of a frame, spread over it.
#[derive(Debug)]
pub struct Sampled<'a> {
    /// Width and height of the frame.
    pub size: Size,
    /// The first row of each run of `run` rows that `samples` holds.
    pub first_rows: &'a [usize],
    /// Rows in a run: the period of the colour filter array, or 1.
    pub run: usize,
    /// The samples in ADU, run by run; NaN where one is missing.
    pub samples: &'a [f32],
    /// Tiles along a side, at most.
    pub most_tiles: usize,
    /// About as many samples as levels and scatters are taken from.
    pub enough: usize,
    /// The array, where colours differ in level.
    pub cfa: Option<CfaPattern>,
}

/// One colour's levels on a coarse grid, in ADU, row by row; NaN where a tile has no sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Tiles {
    /// Tiles in a row.
    pub across: usize,
    /// Robust means.
    pub level_adu: Vec<f64>,
    /// Their error: one standard deviation.
    pub error_adu: Vec<f64>,
    /// The median of the levels.
    pub median_adu: f64,
}

/// A pixel far above its tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HotPixel {
    /// Its place among the samples that were looked at, the same in each frame of a size.
    pub at: usize,
    /// How far it stands above its tile, in ADU.
    pub excess_adu: f64,
    /// The same in the scatter of samples around it.
    pub sigmas: f64,
}

/// A frame in some hundred numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameSummary {
    /// The level: the median of the tiles of the brightest colour, in ADU.
    pub level_adu: f64,
    /// The scatter of neighbouring samples in ADU: one standard deviation, the median of all tiles.
    pub scatter_adu: f64,
    /// One grid a colour.
    pub tiles: Vec<Tiles>,
    /// The levels of the rows that were looked at, in ADU.
    pub rows_adu: Vec<f64>,
    /// The hottest pixels by place; none where colours differ.
    pub hot: Vec<HotPixel>,
    /// How far some samples stand out of their two neighbours of the same colour in the row, as a
    /// share of them: what pixels make of equal light. Of flats.
    pub response: Vec<f32>,
    /// The share of samples that are 0 as stored.
    pub share_zero: f64,
    /// The largest share of samples of a colour at full scale.
    pub share_full: f64,
    /// The level of full scale that was seen, in ADU.
    pub full_adu: f64,
    /// The value as stored, in ADU, that every sample has, where all have one.
    pub constant_adu: Option<f32>,
}

/// The mean of samples near their median, their scatter about it, and their number; sorts them.
fn level_of(samples: &mut Vec<f32>) -> (f64, f64, usize) {
    samples.retain(|v| v.is_finite());
    samples.sort_unstable_by(f32::total_cmp);
    let count = samples.len();
    if count == 0 {
        return (f64::NAN, f64::NAN, 0);
    }
    let (low, median, high) =
        (samples[(count - 1) / 4], samples[count / 2], samples[count - 1 - (count - 1) / 4]);
    let reach = match high > low {
        true => KAPPA * (high - low) / IQR_SIGMAS,
        // Half of the samples equal: the usual step away from them.
        false => {
            let other = samples.iter().copied().filter(|v| *v != median);
            let steps: Vec<f32> = other.map(|v| (v - median).abs()).collect();
            if steps.is_empty() { 0.0 } else { KAPPA * select::median(&steps) }
        }
    };
    let from = samples.partition_point(|v| *v < median - reach);
    let to = samples.partition_point(|v| *v <= median + reach);
    let (mut sum, mut squares) = (0.0f64, 0.0f64);
    for v in &samples[from..to] {
        let d = f64::from(*v - median);
        sum += d;
        squares += d * d;
    }
    let n = (to - from) as f64;
    let mean = sum / n;
    (f64::from(median) + mean, (squares / n - mean * mean).max(0.0).sqrt(), to - from)
}

/// Samples whose response is kept.
const RESPONSES: usize = 1 << 14;

/// Responses beyond so many robust sigmas are cut off: stars and hits are nobody's response.
const RESPONSE_SIGMAS: f32 = 4.0;

/// The median of finite samples; reorders them.
fn middle(samples: &mut Vec<f32>) -> f64 {
    samples.retain(|v| v.is_finite());
    if samples.is_empty() {
        return f64::NAN;
    }
    let at = samples.len() / 2;
    f64::from(*samples.select_nth_unstable_by(at, f32::total_cmp).1)
}

/// The median of finite values; NaN of none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    stat::median_f64(&values.into_iter().collect::<Vec<f64>>())
}

/// The part of `length` in `parts` that is number `i`.
fn part(i: usize, parts: usize, length: usize) -> Range<usize> {
    i * length / parts..(i + 1) * length / parts
}

impl FrameSummary {
    /// Sums up a frame from some of its rows.
    ///
    /// Shares of zeros and of full scale are not seen here: what was subtracted hides them.
    pub fn of(seen: &Sampled<'_>) -> Self {
        let Size { width, height } = seen.size;
        let cell = seen.cfa.map_or(1, CfaPattern::period);
        let channels: &[usize] = if seen.cfa.is_some() { &[0, 1, 2] } else { &[0] };
        let across = (width / SMALLEST_TILE).clamp(1, seen.most_tiles);
        let down =
            (height / SMALLEST_TILE).clamp(1, seen.most_tiles).min(seen.first_rows.len().max(1));
        let step = cell * seen.samples.len().div_ceil(seen.enough.max(1)).max(1);
        let runs = |band: usize| {
            let rows = part(band, down, height);
            seen.first_rows.iter().enumerate().filter(move |(_, y)| rows.contains(y))
        };
        let mut scatters = Vec::new();
        let mut room = Vec::new();
        let mut tiles = Vec::new();
        for &channel in channels {
            let mut of_channel = Tiles { across, ..Tiles::default() };
            for band in 0..down {
                for column in 0..across {
                    room.clear();
                    for (run, y) in runs(band) {
                        seen.gather(
                            (run, *y),
                            part(column, across, width),
                            (step, channel),
                            &mut room,
                        );
                    }
                    let (level, scatter, count) = level_of(&mut room);
                    of_channel.level_adu.push(level);
                    of_channel.error_adu.push(scatter / (count.max(1) as f64).sqrt());
                    scatters.push(scatter);
                }
            }
            of_channel.median_adu = median(of_channel.level_adu.iter().copied());
            tiles.push(of_channel);
        }
        // Green stands for all colours: rows of an array hold different ones.
        let by = if seen.cfa.is_some() { 1 } else { 0 };
        let rows_adu = seen.first_rows.iter().enumerate().map(|(run, y)| {
            room.clear();
            seen.gather((run, *y), 0..width, (step * ROW_STEP, by), &mut room);
            middle(&mut room)
        });
        let rows_adu = rows_adu.collect();
        let level_adu = tiles.iter().map(|t| t.median_adu).fold(f64::NAN, f64::max);
        let scatter_adu = median(scatters.iter().copied());
        let mut summary = Self {
            level_adu,
            scatter_adu,
            tiles,
            rows_adu,
            hot: Vec::new(),
            response: Vec::new(),
            share_zero: 0.0,
            share_full: 0.0,
            full_adu: f64::NAN,
            constant_adu: None,
        };
        if seen.cfa.is_none() {
            summary.hot = summary.hottest(seen, &scatters, (across, down));
        }
        summary
    }

    /// Adds what pixels make of equal light.
    pub(super) fn with_response(mut self, seen: &Sampled<'_>) -> Self {
        let cell = seen.cfa.map_or(1, CfaPattern::period);
        let width = seen.size.width;
        let each = width.saturating_sub(2 * cell);
        let step = (each * (seen.samples.len() / width.max(1))).div_ceil(RESPONSES).max(1);
        let of_row = |row: &[f32]| -> Vec<f32> {
            let at = |x: usize| {
                let beside = 0.5 * (row[x] + row[x + 2 * cell]);
                if beside > 0.0 { row[x + cell] / beside - 1.0 } else { f32::NAN }
            };
            (0..each).step_by(step).map(at).collect()
        };
        let mut response: Vec<f32> =
            seen.samples.chunks_exact(width.max(1)).flat_map(of_row).collect();
        let (middle, mad) = stat::median_mad(&response);
        let reach = RESPONSE_SIGMAS * stat::MAD_TO_SIGMA as f32 * mad;
        for v in &mut response {
            let off = *v - middle;
            *v = if off.is_finite() { off.clamp(-reach, reach) } else { 0.0 };
        }
        self.response = response;
        self
    }

    /// The hottest pixels by place; each in the scatter of its own tile, which glow raises.
    fn hottest(
        &self,
        seen: &Sampled<'_>,
        scatters: &[f64],
        (across, down): (usize, usize),
    ) -> Vec<HotPixel> {
        let Size { width, height } = seen.size;
        let levels = &self.tiles[0].level_adu;
        let mut hot = Vec::new();
        for (run, y) in seen.first_rows.iter().enumerate() {
            let band = (0..down).find(|b| part(*b, down, height).contains(y)).unwrap_or(0);
            for column in 0..across {
                let columns = part(column, across, width);
                let level = levels[band * across + column];
                let scatter_adu =
                    scatters[band * across + column].max(self.scatter_adu).max(LEAST_SCATTER_ADU);
                let reach = HOT_SIGMAS * scatter_adu;
                let from = (level + reach) as f32;
                let start = run * width + columns.start;
                let here = &seen.samples[start..run * width + columns.end];
                // Most parts have none, which is seen many samples at a time.
                for (part, some) in here.chunks(CHUNK).enumerate() {
                    if !some.iter().fold(false, |any, v| any | (*v > from)) {
                        continue;
                    }
                    for (i, v) in some.iter().enumerate().filter(|(_, v)| **v > from) {
                        let at = start + part * CHUNK + i;
                        let row = run * width..(run + 1) * width;
                        if f64::from(stands_out(&seen.samples[row], at - run * width)) < reach {
                            continue;
                        }
                        let excess_adu = f64::from(*v) - level;
                        hot.push(HotPixel { at, excess_adu, sigmas: excess_adu / scatter_adu });
                    }
                }
            }
        }
        if hot.len() > MOST_HOT {
            hot.sort_by(|a, b| b.excess_adu.total_cmp(&a.excess_adu).then(a.at.cmp(&b.at)));
            hot.truncate(MOST_HOT);
            hot.sort_by_key(|h| h.at);
        }
        hot
    }
}

/// How far a sample stands out of the median of the four of its colour beside it in the row: glow lights them as
/// well, a hot pixel does not. NaN where there are none.
pub fn stands_out(row: &[f32], x: usize) -> f32 {
    let places = [x.checked_sub(4), x.checked_sub(2), Some(x + 2), Some(x + 4)];
    let beside: Vec<f32> =
        places.into_iter().flatten().filter_map(|x| row.get(x).copied()).collect();
    row[x] - stat::median(&beside)
}

impl Default for Tiles {
    fn default() -> Self {
        Self { across: 1, level_adu: Vec::new(), error_adu: Vec::new(), median_adu: f64::NAN }
    }
}

impl Sampled<'_> {
    /// Adds samples of one colour of a run to `out`: every `step` columns, whole cells of the array.
    fn gather(
        &self,
        (run, y): (usize, usize),
        columns: Range<usize>,
        (step, channel): (usize, usize),
        out: &mut Vec<f32>,
    ) {
        let width = self.size.width;
        for r in 0..self.run {
            let row = &self.samples[(run * self.run + r) * width..][..width];
            let Some(cfa) = self.cfa else {
                out.extend(row[columns.clone()].iter().step_by(step));
                continue;
            };
            for offset in 0..cfa.period() {
                let first = columns.start + offset;
                if first < columns.end && cfa.color(first, y + r).channel() == channel {
                    out.extend(row[first..columns.end].iter().step_by(step));
                }
            }
        }
    }
}
