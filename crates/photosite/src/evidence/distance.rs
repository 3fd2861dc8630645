//! How far two frames of a set lie apart, feature by feature, in units that matter.
//!
//! At a distance of 1 a frame begins to move the master by what shows beside its noise. The units
//! are choices; `tests/evidence.rs` counts what they find and what they accuse wrongly.

use photosite_pix::FrameKind;

use super::summary::{FrameSummary, HotPixel, LEAST_SCATTER_ADU, SURE_SIGMAS, Tiles, median};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    /// The level of frames without light.
    Level,
    /// The scatter of samples of frames without light.
    Noise,
    /// Levels of tiles against each other.
    Shape,
    /// The levels of a flat's colours against each other.
    Colour,
    /// What a flat's pixels make of equal light.
    Response,
    /// Rows that are elsewhere than their frame.
    Rows,
    /// Hot pixels: where they are, and how strong.
    Hot,
}

impl Feature {
    /// What is compared of frames of `kind`.
    pub fn of(kind: FrameKind) -> &'static [Self] {
        match kind {
            // A flat's level may be any: lamps drift and the sky darkens.
            FrameKind::Flat => &[Self::Shape, Self::Colour, Self::Response, Self::Rows],
            _ => &[Self::Level, Self::Noise, Self::Shape, Self::Rows, Self::Hot],
        }
    }
}

/// The least that a scatter is taken for, as a share of the level: a step of most converters.
const LEAST_SCATTER: f64 = 1e-3;

/// A step in level that a master of n frames shows: this many sigmas of its noise, times n.
const LEVEL_SIGMAS: f64 = 0.6;

/// The ratio of scatters that matters.
const NOISE_RATIO: f64 = 1.3;

/// Sigmas of one sample by which tiles of dark frames may differ: all together, and one.
const DARK_RMS_SIGMAS: f64 = 0.6;
const DARK_TILE_SIGMAS: f64 = 0.8;

/// Shares of their level by which tiles of flats may differ: all together, and one.
const FLAT_RMS: f64 = 0.012;
const FLAT_TILE: f64 = 0.03;

/// Shares of their level by which tiles of flats may differ beside the tiles of their row and column,
/// all together and one: no light makes such a shape, dust does.
const DUST_RMS: f64 = 0.003;
const DUST_TILE: f64 = 0.01;

/// The ratio by which the balance of a flat's colours may differ.
const COLOUR_RATIO: f64 = 1.2;

/// The share of the pixels' response that two flats may not have in common; by how many errors it must
/// stand out of their noise to be asked; and how many errors are no difference.
const RESPONSE_APART: f64 = 0.25;
const RESPONSE_KNOWN: f64 = 12.0;
const RESPONSE_ERRORS: f64 = 3.0;

/// Of the pairs of a set, from the least alike on, this share lies below the one whose common response
/// is that of the set: of three frames of which one is turned, and of halves, it is a good pair.
const GOOD_PAIR: f64 = 0.85;

/// Errors of a tile's level that are no difference: one tile of some thousand has more.
const TILE_ERRORS: f64 = 4.5;

/// Sigmas of one sample, and for flats the share of the level, by which the level of a row may
/// differ; and rows beyond it that matter.
const ROW_SIGMAS: f64 = 3.0;
const ROW_SHARE: f64 = 0.15;
const ROWS: f64 = 1.5;

/// So many hot pixels can tell, and the hottest ones do.
const FEWEST_HOT: usize = 12;
const HOTTEST: usize = 64;

/// One frame of so many, and at least two, must show a hot pixel: in long sets of long darks cosmic
/// rays strike twice.
const AGAIN: usize = 4;

/// The share of hot pixels that is missing, and the ratio of strengths, that matter.
const HOT_MISSING: f64 = 0.3;
const HOT_RATIO: f64 = 1.35;

/// The frames of a set, and what their differences are measured by.
pub(super) struct Set<'a> {
    pub kind: FrameKind,
    pub frames: Vec<&'a FrameSummary>,
    /// The scatter of one sample of a typical frame, in ADU.
    scatter_adu: f64,
    /// Of each frame the hot pixels that all must show, hottest first.
    sure: Vec<Vec<HotPixel>>,
    /// What each pair of flats has in common of their pixels' response.
    common: Vec<Common>,
    /// The mean square of the response that good pairs have in common.
    response: f64,
}

impl<'a> Set<'a> {
    pub fn new(kind: FrameKind, frames: Vec<&'a FrameSummary>) -> Self {
        let scatter = median(frames.iter().map(|f| f.scatter_adu));
        let level = median(frames.iter().map(|f| f.level_adu.abs()));
        let sure = frames.iter().map(|f| sure(f, &frames)).collect();
        // Of clamped frames most samples are one number.
        let scatter_adu = scatter.max(LEAST_SCATTER * level).max(LEAST_SCATTER_ADU);
        let common = commons(&frames);
        let response = common_response(&common, frames.len());
        Self { kind, scatter_adu, sure, common, response, frames }
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// How far two frames lie apart.
    pub fn distance(&self, feature: Feature, a: usize, b: usize) -> f64 {
        let (fa, fb) = (self.frames[a], self.frames[b]);
        match feature {
            Feature::Level => {
                (fa.level_adu - fb.level_adu).abs() / (self.scatter_adu * self.shows())
            }
            Feature::Noise => {
                let least = LEAST_SCATTER * fa.level_adu.abs().max(fb.level_adu.abs());
                // Below a step of the converter scatters are not told apart.
                let of = |f: &FrameSummary| f.scatter_adu.hypot(least).max(f64::MIN_POSITIVE);
                (of(fa) / of(fb)).ln().abs() / NOISE_RATIO.ln()
            }
            Feature::Shape => self.shape(fa, fb),
            Feature::Colour => {
                let apart = balance(fa).into_iter().zip(balance(fb)).map(|(a, b)| (a / b).ln());
                apart.map(f64::abs).fold(0.0, f64::max) / COLOUR_RATIO.ln()
            }
            Feature::Response => {
                let Common { square, error } = self.common[a * self.len() + b];
                if self.response <= RESPONSE_KNOWN * error {
                    return 0.0;
                }
                let lacking = self.response - square - RESPONSE_ERRORS * error;
                lacking.max(0.0) / (RESPONSE_APART * self.response)
            }
            Feature::Rows => self.odd_rows(a, b).count() as f64 / ROWS,
            Feature::Hot => self.hot(a, b),
        }
    }

    /// The share of the set's response that two flats have in common.
    pub fn in_common(&self, a: usize, b: usize) -> f64 {
        self.common[a * self.len() + b].square / self.response
    }

    /// How many times what one frame may differ by to show beside the noise of the master.
    fn shows(&self) -> f64 {
        (LEVEL_SIGMAS * (self.len() as f64).sqrt()).max(1.0)
    }

    /// The differences of two frames' tiles after their levels, and their errors: in ADU, of flats
    /// as shares.
    fn differences(&self, a: &Tiles, b: &Tiles) -> Vec<(f64, f64)> {
        let tiles = a.level_adu.iter().zip(&b.level_adu);
        let errors = a.error_adu.iter().zip(&b.error_adu);
        tiles
            .zip(errors)
            .map(|((va, vb), (ea, eb))| match self.kind {
                FrameKind::Flat => {
                    let (a, b) = (a.median_adu, b.median_adu);
                    (va / a - vb / b, (ea / a).hypot(eb / b))
                }
                _ => ((va - a.median_adu) - (vb - b.median_adu), ea.hypot(*eb)),
            })
            .collect()
    }

    /// The largest difference of two frames' tiles after their levels: in ADU, of flats as a share.
    pub fn farthest_tile(&self, a: usize, b: usize) -> f64 {
        let tiles = self.frames[a].tiles.iter().zip(&self.frames[b].tiles);
        let differences = tiles.flat_map(|(a, b)| self.differences(a, b));
        differences.map(|(d, _)| d.abs()).fold(0.0, f64::max)
    }

    fn shape(&self, a: &FrameSummary, b: &FrameSummary) -> f64 {
        let (rms_unit, tile_unit) = match self.kind {
            FrameKind::Flat => (FLAT_RMS, FLAT_TILE),
            _ => {
                let unit = self.scatter_adu * self.shows();
                (DARK_RMS_SIGMAS * unit, DARK_TILE_SIGMAS * unit)
            }
        };
        let (mut squares, mut count, mut most) = (0.0, 0usize, 0.0f64);
        for (a, b) in a.tiles.iter().zip(&b.tiles) {
            let differences = self.differences(a, b);
            for (difference, error) in differences.iter().filter(|(d, _)| d.is_finite()) {
                most = most.max(beyond(*difference, *error) / tile_unit);
                squares += (difference.powi(2) - error.powi(2)).max(0.0);
                count += 1;
            }
            if self.kind == FrameKind::Flat {
                let beside = centred(&differences, a.across);
                for (difference, error) in &beside {
                    most = most.max(beyond(*difference, *error) / DUST_TILE);
                }
                let rms = |of: &dyn Fn(&(f64, f64)) -> f64| {
                    beside.iter().map(|b| of(b).powi(2)).sum::<f64>() / beside.len().max(1) as f64
                };
                let (seen, errors) = (rms(&|b| b.0), rms(&|b| b.1));
                // Twice the errors' share, because they are estimates.
                most = most.max((seen - 2.0 * errors).max(0.0).sqrt() / DUST_RMS);
            }
        }
        if count == 0 {
            return 0.0;
        }
        ((squares / count as f64).sqrt() / rms_unit).max(most)
    }

    /// The rows that differ by more than their frames do.
    pub fn odd_rows(&self, a: usize, b: usize) -> impl Iterator<Item = usize> {
        let of = |f: &FrameSummary| {
            let middle = median(f.rows_adu.iter().copied());
            let unit = if self.kind == FrameKind::Flat { middle } else { 1.0 };
            let rows: Vec<f64> = f.rows_adu.iter().map(|r| (r - middle) / unit).collect();
            (rows, f.scatter_adu / unit)
        };
        let (rows_a, scatter_a) = of(self.frames[a]);
        let (rows_b, scatter_b) = of(self.frames[b]);
        let reach = match self.kind {
            FrameKind::Flat => ROW_SHARE.max(ROW_SIGMAS * scatter_a.min(scatter_b)),
            _ => ROW_SIGMAS * self.scatter_adu,
        };
        let far = move |(_, (a, b)): &(usize, (f64, f64))| (a - b).abs() > reach;
        rows_a.into_iter().zip(rows_b).enumerate().filter(far).map(|(i, _)| i)
    }

    /// The share of the hot pixels of `a` that `b` does not show, and how much stronger they are
    /// there than in `a`; `None` where too few can tell.
    pub fn hot_in(&self, a: usize, b: usize) -> Option<(f64, Option<f64>)> {
        let (sure, b) = (&self.sure[a], &self.frames[b].hot);
        if sure.len() < FEWEST_HOT {
            return None;
        }
        let ratios: Vec<f64> = sure
            .iter()
            .filter_map(|h| {
                let at = b.binary_search_by_key(&h.at, |o| o.at).ok()?;
                Some(b[at].excess_adu / h.excess_adu)
            })
            .collect();
        let missing = 1.0 - ratios.len() as f64 / sure.len() as f64;
        let ratio = (ratios.len() >= FEWEST_HOT).then(|| median(ratios));
        Some((missing, ratio))
    }

    fn hot(&self, a: usize, b: usize) -> f64 {
        let one = |a: usize, b: usize| {
            let (missing, ratio) = self.hot_in(a, b)?;
            let ratio = ratio.map_or(0.0, |r| r.ln().abs() / HOT_RATIO.ln());
            Some((missing / HOT_MISSING).max(ratio))
        };
        match (one(a, b), one(b, a)) {
            // Of two frames nobody knows which pixels were hit by a cosmic ray.
            (Some(a), Some(b)) if self.len() == 2 => a.min(b),
            (a, b) if self.len() > 2 => a.unwrap_or(0.0).max(b.unwrap_or(0.0)),
            _ => 0.0,
        }
    }
}

/// What two flats have in common of their pixels' response.
#[derive(Debug, Clone, Copy)]
struct Common {
    /// Its mean square.
    square: f64,
    /// The error of that; infinite where nothing is known.
    error: f64,
}

/// What each of some flats has in common with each.
fn commons(frames: &[&FrameSummary]) -> Vec<Common> {
    let product =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a * *b)).sum() };
    let squares: Vec<f64> = frames.iter().map(|f| product(&f.response, &f.response)).collect();
    let count = frames.len();
    let mut out = vec![Common { square: 0.0, error: f64::INFINITY }; count * count];
    for a in 0..count {
        for b in 0..a {
            let (own, other) = (&frames[a].response, &frames[b].response);
            let n = own.len() as f64;
            if own.len() == other.len() && n > 0.0 {
                let error = (squares[a] * squares[b]).sqrt() / n / n.sqrt();
                let common = Common { square: product(own, other) / n, error };
                (out[a * count + b], out[b * count + a]) = (common, common);
            }
        }
    }
    out
}

/// The response that good pairs of `count` flats have in common.
fn common_response(common: &[Common], count: usize) -> f64 {
    let pairs = (0..count).flat_map(|a| (0..a).map(move |b| a * count + b));
    let mut squares: Vec<f64> = pairs.map(|at| common[at].square).collect();
    squares.sort_by(f64::total_cmp);
    squares.get((GOOD_PAIR * squares.len() as f64) as usize).copied().unwrap_or(0.0)
}

/// Red and blue of a flat over its green; nothing where there are no colours.
pub(super) fn balance(flat: &FrameSummary) -> Vec<f64> {
    match &flat.tiles[..] {
        [red, green, blue] => [red, blue].map(|c| c.median_adu / green.median_adu).to_vec(),
        _ => Vec::new(),
    }
}

/// What of a difference is no error.
fn beyond(difference: f64, error: f64) -> f64 {
    (difference.abs() - TILE_ERRORS * error).max(0.0)
}

/// Differences of tiles beside the means of their row and column.
fn centred(differences: &[(f64, f64)], across: usize) -> Vec<(f64, f64)> {
    let mean = |of: &mut dyn Iterator<Item = f64>| {
        let (count, sum) =
            of.filter(|d| d.is_finite()).fold((0.0, 0.0), |(n, s), d| (n + 1.0, s + d));
        if count > 0.0 { sum / count } else { 0.0 }
    };
    let values = || differences.iter().map(|(d, _)| *d);
    let all = mean(&mut values());
    let rows: Vec<f64> =
        differences.chunks(across).map(|row| mean(&mut row.iter().map(|(d, _)| *d))).collect();
    let columns: Vec<f64> =
        (0..across).map(|x| mean(&mut values().skip(x).step_by(across))).collect();
    let one = |(i, (d, error)): (usize, &(f64, f64))| {
        (d - rows[i / across] - columns[i % across] + all, *error)
    };
    differences.iter().enumerate().map(one).filter(|(d, _)| d.is_finite()).collect()
}

/// The pixels of a frame that every frame must show: those that others of more than two show too,
/// because a cosmic ray strikes once.
fn sure(frame: &FrameSummary, all: &[&FrameSummary]) -> Vec<HotPixel> {
    let again = |h: &&HotPixel| {
        let shows = |f: &&&FrameSummary| f.hot.binary_search_by_key(&h.at, |o| o.at).is_ok();
        let enough = (all.len() / AGAIN).max(2);
        all.len() <= 2 || all.iter().filter(shows).take(enough).count() == enough
    };
    let mut sure: Vec<HotPixel> =
        frame.hot.iter().filter(|h| h.sigmas >= SURE_SIGMAS).copied().collect();
    sure.sort_by(|a, b| b.excess_adu.total_cmp(&a.excess_adu).then(a.at.cmp(&b.at)));
    sure.iter().filter(again).take(HOTTEST).copied().collect()
}
