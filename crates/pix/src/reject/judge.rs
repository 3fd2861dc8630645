//! Rounds over columns side by side: which method asks what, and what a round may take off.
//!
//! What works on whole rows of lanes is compiled for several instruction sets and chosen at run
//! time; each does the same operations of IEEE 754 in the same order, none contracted.

use multiversion::multiversion;

use super::lanes::{Columns, LANES, Row, beyond};
use super::{FEWEST, Reject, clip, esd, linear_fit, sigma, winsor};

/// What a round made of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// Nothing went, or the round was not done: the column is as it will be.
    Judged,
    /// Something went; the sums are those from before.
    Narrowed,
    /// Everything went, `low` of the samples that were left below the low bound.
    AllRejected {
        /// Samples below.
        low: usize,
    },
}

/// A method made ready for columns of up to a number of samples.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judge {
    method: Option<Reject>,
    /// The limits of GESD for q samples at index q.
    critical: Vec<f64>,
    /// Scratch of GESD.
    path: Vec<bool>,
    /// Scratch of winsorizing.
    deviations: Vec<[f64; winsor::SUMS]>,
}

impl Judge {
    /// `method` for columns of up to `count` samples.
    pub fn new(method: Reject, count: usize) -> Self {
        let critical = match method {
            Reject::Gesd { significance, .. } => {
                esd::limits(&esd::critical_values(count, f64::from(significance)))
            }
            _ => Vec::new(),
        };
        Self { method: Some(method), critical, ..Self::default() }
    }

    /// Whether this is the judge that [`new`](Self::new) would make.
    pub fn serves(&self, method: Reject, count: usize) -> bool {
        self.method == Some(method)
            && (!matches!(method, Reject::Gesd { .. }) || self.critical.len() == count + 1)
    }

    fn method(&self) -> Reject {
        self.method.unwrap_or(Reject::None)
    }

    /// Takes off what needs no look at the samples.
    #[inline]
    pub fn start(&self, columns: &mut Columns) {
        if let Reject::Minmax { low, high } = self.method() {
            clip::minmax(columns, i32::from(low), i32::from(high));
        }
    }

    /// Whether columns are judged by a scale pooled over a tile.
    pub fn pools(&self) -> bool {
        matches!(self.method(), Reject::AveragedSigma { .. })
    }

    /// Finds the scale of a tile of fresh columns, block by block, those `period` apart for themselves; gives the
    /// blocks, a bit each, most of whose columns have strays.
    pub fn pool(&self, tile: &mut [Columns], period: usize, pool: &mut Vec<f64>) -> u64 {
        let Reject::AveragedSigma { low, high } = self.method() else { return 0 };
        // Integers are no better known than to a step.
        let integers = tile.iter().all(|columns| columns.integers);
        let least = if integers { sigma::ROUNDED.sqrt() } else { 0.0 };
        let mut blocks = 0u64;
        for phase in 0..period {
            let alike = Alike { phase, period };
            pool.clear();
            let mut all = 0;
            for (block, columns) in tile.iter().enumerate() {
                let before = pool.len();
                let strays = offer_scales(columns, alike.in_block(block), pool);
                let offered = pool.len() - before;
                all += offered;
                if 2 * strays > offered {
                    blocks |= 1 << block;
                    pool.truncate(before);
                }
            }
            // A quarter of the columns say enough of the scale.
            let scale = match 4 * pool.len() < all {
                true => sigma::scale_without_strays(tile, alike, (low, high), pool),
                false => sigma::pooled_scale(pool),
            };
            let scale = scale.map_or(f64::NAN, |s| if s > least { s } else { least });
            let level = sigma::level_of(tile, alike, scale, pool);
            let per_level = if level > 0.0 { 1.0 / level } else { 0.0 };
            for (block, columns) in tile.iter_mut().enumerate() {
                let here = alike.in_block(block);
                for lane in (0..LANES).filter(|lane| here.takes(*lane)) {
                    columns.scale[lane] = scale;
                    columns.per_level[lane] = per_level;
                }
            }
        }
        blocks
    }

    /// Takes strays at once from a block most of whose columns have one: a frame that is wrong there, a cloud, a
    /// trail; after [`pool`](Self::pool), and [`allow`](Self::allow) where stars are known.
    pub fn take_strays(&self, columns: &mut Columns) {
        let Reject::AveragedSigma { low, high } = self.method() else { return };
        for lane in 0..columns.used {
            let (below, above) = sigma::strays_of(columns, lane, (low, high));
            if below + above < columns.kept.len(lane) {
                settle(columns, lane, below, above);
            }
        }
        columns.refresh();
    }

    /// Lets good samples differ by `share` of the picture's range around their pixels, which is
    /// `range`, beyond their noise; after [`pool`](Self::pool).
    pub fn allow(&self, columns: &mut Columns, range: &[f32], share: f32) {
        sigma::allow(columns, range, share);
    }

    /// The lanes, a bit each, whose columns a further round might narrow.
    pub fn unsettled(&mut self, columns: &Columns) -> u32 {
        let open = unsettled(self.method(), columns, &self.critical, &mut self.path);
        let used = if columns.used == LANES { u32::MAX } else { (1 << columns.used) - 1 };
        open & used
    }

    /// One round over the open lanes.
    pub fn narrow(&mut self, columns: &mut Columns) -> [Fate; LANES] {
        let method = self.method();
        let fates = match method {
            Reject::LinearFit { .. } | Reject::Gesd { .. } => {
                narrow_ends(method, columns, &self.critical, &mut self.path)
            }
            Reject::Winsorized { sigma_low, sigma_high } => {
                winsor::narrow(columns, sigma_low, sigma_high, &mut self.deviations)
            }
            _ => {
                let bounds = bounds(method, columns);
                take_off(method, columns, bounds)
            }
        };
        for lane in columns.open_lanes() {
            columns.round[lane] = columns.round[lane].saturating_add(1);
        }
        fates
    }
}

/// A yes or no for each lane.
pub(crate) type Lanes = [bool; LANES];

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn unsettled(method: Reject, columns: &Columns, critical: &[f64], path: &mut Vec<bool>) -> u32 {
    let mut out = match method {
        Reject::None | Reject::Minmax { .. } => return 0,
        Reject::Mad { low, high } => sigma::mad_unsettled(columns, low, high),
        Reject::Winsorized { sigma_low, sigma_high } => {
            winsor::unsettled(columns, sigma_low, sigma_high)
        }
        Reject::LinearFit { low, high } => linear_fit::unsettled(columns, low, high),
        Reject::Gesd { outliers, .. } => esd::unsettled(columns, outliers, critical, path),
        _ => {
            let (low, high) = simple_bounds(method, columns);
            let mut out = [false; LANES];
            for lane in 0..LANES {
                out[lane] = (columns.first[lane] < low[lane]) | (columns.last[lane] > high[lane]);
            }
            out
        }
    };
    if matches!(method, Reject::Percentile { .. }) {
        for lane in 0..LANES {
            out[lane] &= columns.round[lane] == 0;
        }
    }
    let mut bits = 0u32;
    for lane in 0..LANES {
        let more = columns.n[lane] > fewest(method, columns.count[lane]) as f64;
        bits |= u32::from(out[lane] & more) << lane;
    }
    bits
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn winsor_ceilings(columns: &Columns) -> (Row, Lanes) {
    winsor::ceilings(columns)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn winsor_undecided(columns: &Columns, t: &Row) -> Lanes {
    winsor::undecided(columns, t)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn offer_scales(columns: &Columns, alike: Alike, pool: &mut Vec<f64>) -> usize {
    sigma::offer_scales(columns, alike, pool)
}

/// Columns of a tile whose noise is of one kind: every so many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alike {
    phase: usize,
    period: usize,
}

impl Alike {
    /// The same, counted from the first lane of a block of the tile.
    #[inline(always)]
    pub fn in_block(self, block: usize) -> Self {
        let before = if self.period == 1 { 0 } else { block * LANES % self.period };
        Self { phase: (self.phase + self.period - before) % self.period, ..self }
    }

    /// Whether a lane of the block is one.
    #[inline(always)]
    pub fn takes(self, lane: usize) -> bool {
        self.period == 1 || lane % self.period == self.phase
    }
}

/// The bounds of a round, for the methods that have bounds.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn bounds(method: Reject, columns: &Columns) -> Bounds {
    match method {
        Reject::Mad { low, high } => sigma::about_median(columns, low, high, sigma::mad(columns)),
        Reject::AveragedSigma { low, high } => {
            // The columns of most pixels are settled by the tile's scale and never come here.
            let (tile, own) = (sigma::averaged(columns), sigma::own(columns));
            let mut s = [0.0; LANES];
            for lane in 0..LANES {
                s[lane] = if own[lane] > tile[lane] { own[lane] } else { tile[lane] };
            }
            sigma::allowing(columns, sigma::about_median(columns, low, high, s))
        }
        _ => simple_bounds(method, columns),
    }
}

/// The bounds of the methods whose scale is known from the sums.
#[inline(always)]
fn simple_bounds(method: Reject, columns: &Columns) -> Bounds {
    match method {
        Reject::Percentile { low, high } => clip::percentile(columns, low, high),
        Reject::Sigma { low, high } => sigma::about_median(columns, low, high, sigma::sd(columns)),
        Reject::MedianSigma { low, high } => {
            sigma::about_median(columns, low, high, sigma::replaced_sd(columns))
        }
        Reject::AveragedSigma { low, high } => {
            let bounds = sigma::about_median(columns, low, high, sigma::averaged(columns));
            sigma::allowing(columns, bounds)
        }
        Reject::CcdNoise { low, high, .. } => {
            sigma::about_median(columns, low, high, sigma::detector(columns, method))
        }
        _ => ([f64::NEG_INFINITY; LANES], [f64::INFINITY; LANES]),
    }
}

/// A round of the methods that judge samples by their rank.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn narrow_ends(
    method: Reject,
    columns: &mut Columns,
    critical: &[f64],
    path: &mut Vec<bool>,
) -> [Fate; LANES] {
    match method {
        Reject::LinearFit { low, high } => linear_fit::narrow(columns, low, high),
        Reject::Gesd { outliers, .. } => esd::narrow(columns, outliers, critical, path),
        _ => [Fate::Judged; LANES],
    }
}

/// How many samples a round over a column of `count` leaves at least: of three whose scale the
/// neighbours lend, two tell which one is wrong.
#[inline(always)]
fn fewest(method: Reject, count: i32) -> usize {
    let lent = matches!(method, Reject::AveragedSigma { .. });
    if lent && count as usize == FEWEST { FEWEST - 1 } else { FEWEST }
}

/// The low and the high bound of each column.
pub(crate) type Bounds = (Row, Row);

/// Takes off what lies beyond the bounds.
fn take_off(method: Reject, columns: &mut Columns, (low, high): Bounds) -> [Fate; LANES] {
    let mut fates = [Fate::Judged; LANES];
    let off = beyond(columns, &low, &high);
    for lane in columns.open_lanes() {
        let fewest = fewest(method, columns.count[lane]);
        fates[lane] = settle_to(columns, lane, off[lane], fewest);
    }
    fates
}

/// Does a round that takes `below` and `above` samples off the ends, unless too few would stay.
pub(super) fn settle(columns: &mut Columns, lane: usize, below: usize, above: usize) -> Fate {
    settle_to(columns, lane, (below, above), FEWEST)
}

fn settle_to(
    columns: &mut Columns,
    lane: usize,
    (below, above): (usize, usize),
    fewest: usize,
) -> Fate {
    let n = columns.kept.len(lane);
    match n - below - above {
        _ if n <= fewest || below + above == 0 => Fate::Judged,
        0 => Fate::AllRejected { low: below },
        left if left < fewest => Fate::Judged,
        _ => {
            let (lo, hi) = (columns.kept.lo[lane], columns.kept.hi[lane]);
            let (new_lo, new_hi) = (lo + below as i32, hi - above as i32);
            columns.strike(lane, lo..new_lo);
            columns.strike(lane, new_hi..hi);
            columns.kept.lo[lane] = new_lo;
            columns.kept.hi[lane] = new_hi;
            Fate::Narrowed
        }
    }
}
