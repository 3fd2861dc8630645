//! What stands out of a frame, and whether it stands at the same place in another: hot pixels do,
//! stars move a little, and particles strike one frame.

use photosite_pix::stat;

/// Rows that are read together: two cells of a Bayer array.
pub(super) const RUN: usize = 4;

/// Neighbours in the row that a pixel stands out of, on each side: of its own colour, whether there is
/// an array or not.
const BESIDE: [usize; 4] = [2, 4, 6, 8];

/// A sample that stands out of its row by so many sigmas is a peak; by the lower number it is kept,
/// so that noise does not hide it from another frame.
const PEAK_SIGMAS: f32 = 10.0;
const KEPT_SIGMAS: f32 = 6.0;

/// Stars light what lies beside their highest sample by so many sigmas and so much of its height, and
/// three of those at its corners: hot pixels stand alone, and tracks of particles are sharp on two
/// sides. Of a million samples of real darks one passes at most, of lights from 8 (a slit spectrum) to
/// some hundred.
const BESIDE_SIGMAS: f32 = 3.0;
const BESIDE_SHARE: f32 = 0.12;
const CORNERS: u8 = 3;

/// A peak that lights so many of the four beside it may be flat.
const FLAT: u8 = 3;

/// The highest peaks are kept, so many.
const MOST_PEAKS: usize = 4096;

/// A peak is the same in another frame if its heights differ by no more than this share and so many
/// sigmas.
const SAME_SHARE: f32 = 0.3;
const SAME_SIGMAS: f32 = 7.0;

/// Peaks in common from which on their ratio is believed.
const FEWEST: usize = 5;

/// Stars that moved lean to one side, all of them, by so many errors of their mean.
const MOVED_ERRORS: f64 = 6.0;

/// Runs of [`RUN`] rows of a frame, in ADU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub samples: &'a [f32],
    pub width: usize,
}

impl<'a> Rows<'a> {
    pub fn count(self) -> usize {
        self.samples.len() / self.width.max(1)
    }

    pub fn row(self, row: usize) -> &'a [f32] {
        &self.samples[row * self.width..][..self.width]
    }

    /// How far a sample stands out of its row, in ADU.
    pub fn stands_out(self, row: usize, x: usize) -> f32 {
        let samples = self.row(row);
        let mut beside = [0.0f32; 8];
        let mut n = 0;
        for d in BESIDE {
            for at in [x.checked_sub(d), Some(x + d)].into_iter().flatten() {
                if let Some(v) = samples.get(at) {
                    beside[n] = *v;
                    n += 1;
                }
            }
        }
        let beside = &mut beside[..n];
        beside.sort_unstable_by(f32::total_cmp);
        beside.get(n / 2).map_or(0.0, |middle| samples[x] - middle)
    }
}

/// A sample that stands out of its row and is not lower than the four beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Peak {
    row: u32,
    x: u32,
    height_adu: f32,
    /// How many of the four beside it are lit.
    beside: u8,
    /// How many of the four at its corners are.
    corners: u8,
    /// How far it leans to the right and downward, as a share of its height.
    lean: [f32; 2],
}

impl Peak {
    fn is_star(&self) -> bool {
        self.beside == 4 && self.corners >= CORNERS
    }

    fn place(&self) -> (u32, u32) {
        (self.row, self.x)
    }
}

/// The peaks of a frame, in the order of their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Peaks {
    /// Those that are kept.
    kept: Vec<Peak>,
    /// The lowest height that is kept, in ADU.
    from_adu: f32,
    /// One standard deviation of a sample.
    sigma_adu: f32,
}

/// How the peaks of one frame stand in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Company {
    /// Peaks that were compared.
    pub compared: usize,
    /// Those that the other lacks.
    pub lacking: usize,
    /// Those of them with some light beside them.
    pub spread_lacking: usize,
    /// Those of them that look like stars.
    pub stars_lacking: usize,
    /// How many times as high the peaks in common are, and the error of that.
    pub ratio: Option<(f64, f64)>,
    /// Whether stars in common moved between the frames.
    pub moved: bool,
}

impl Peaks {
    /// The peaks of rows of a given median and scatter; none where there is no median.
    pub fn of(rows: Rows<'_>, median_adu: f64, scatter_adu: f64) -> Self {
        if !median_adu.is_finite() {
            return Self::default();
        }
        let sigma = scatter_adu.max(0.5) as f32;
        let from = median_adu as f32 + KEPT_SIGMAS * sigma;
        let mut kept = Vec::new();
        // The first and last row of a run have no neighbours on one side.
        let inner = (0..rows.count()).filter(|y| (1..RUN - 1).contains(&(y % RUN)));
        for y in inner {
            for x in 1..rows.width.saturating_sub(1) {
                let v = rows.row(y)[x];
                // Of one star the highest sample counts.
                let at = |dx: usize, dy: usize| rows.row(y + dy - 1)[x + dx - 1];
                let highest = || at(0, 1) <= v && at(2, 1) < v && at(1, 0) <= v && at(1, 2) < v;
                if v < from || !highest() {
                    continue;
                }
                // A slope may lift all of a part; what stands out of it is what counts.
                let height_adu = rows.stands_out(y, x);
                if height_adu < KEPT_SIGMAS * sigma {
                    continue;
                }
                let out = |dx: usize, dy: usize| rows.stands_out(y + dy - 1, x + dx - 1);
                let least = BESIDE_SIGMAS * sigma;
                let beside = [out(0, 1), out(2, 1), out(1, 0), out(1, 2)];
                let lit = |v: &&f32| **v > least.max(BESIDE_SHARE * height_adu);
                let corners = [(0, 0), (2, 0), (0, 2), (2, 2)];
                let [left, right, above, below] = beside;
                kept.push(Peak {
                    row: y as u32,
                    x: x as u32,
                    height_adu,
                    beside: beside.iter().filter(lit).count() as u8,
                    corners: corners.iter().filter(|(dx, dy)| out(*dx, *dy) > least).count() as u8,
                    lean: [(right - left) / height_adu, (below - above) / height_adu],
                });
            }
        }
        let mut from_adu = KEPT_SIGMAS * sigma;
        if kept.len() > MOST_PEAKS {
            let order = |a: &Peak, b: &Peak| {
                b.height_adu.total_cmp(&a.height_adu).then(a.place().cmp(&b.place()))
            };
            kept.select_nth_unstable_by(MOST_PEAKS, order);
            kept.truncate(MOST_PEAKS);
            from_adu = kept.iter().map(|p| p.height_adu).fold(f32::INFINITY, f32::min);
            kept.sort_unstable_by_key(Peak::place);
            kept.shrink_to_fit();
        }
        Self { kept, from_adu, sigma_adu: sigma }
    }

    fn strong(&self) -> impl Iterator<Item = &Peak> {
        let from = PEAK_SIGMAS * self.sigma_adu;
        self.kept.iter().filter(move |p| p.height_adu >= from)
    }

    /// Peaks that are neither single pixels nor tracks.
    pub fn stars(&self) -> usize {
        self.strong().filter(|p| p.is_star()).count()
    }

    /// The peak at the place of another frame's; of a flat one, noise decides which of its pixels is
    /// the highest.
    fn at(&self, peak: &Peak) -> Option<&Peak> {
        let (row, x) = peak.place();
        let reach = u32::from(peak.beside >= FLAT);
        let found = |row: u32| {
            let from = self.kept.partition_point(|p| p.place() < (row, x.saturating_sub(reach)));
            self.kept[from..].iter().take_while(move |p| p.place() <= (row, x + reach))
        };
        let near = (row.saturating_sub(reach)..=row + reach).flat_map(found);
        near.min_by_key(|p| (p.row.abs_diff(row) + p.x.abs_diff(x), p.place()))
    }

    /// How its peaks stand in another frame.
    pub fn beside(&self, other: &Self) -> Company {
        let both: Vec<(&Peak, &Peak)> =
            self.strong().filter_map(|p| Some((p, other.at(p)?))).collect();
        let ratio = (both.len() >= FEWEST)
            .then(|| middle_of(both.iter().map(|(p, q)| f64::from(p.height_adu / q.height_adu))));
        let times = ratio.map_or(1.0, |(times, _)| times as f32);
        let sigma = self.sigma_adu.max(other.sigma_adu * times);
        let mut company = Company {
            compared: 0,
            lacking: 0,
            spread_lacking: 0,
            stars_lacking: 0,
            ratio,
            moved: false,
        };
        // What lies below the lowest peak that the other kept says nothing.
        let kept_there = times * other.from_adu * (1.0 + SAME_SHARE);
        for p in self.strong().filter(|p| p.height_adu > kept_there) {
            company.compared += 1;
            let there = other.at(p).map_or(0.0, |q| times * q.height_adu);
            let bound = SAME_SHARE * p.height_adu.max(there) + SAME_SIGMAS * sigma;
            if (p.height_adu - there).abs() > bound || there == 0.0 {
                company.lacking += 1;
                company.spread_lacking += usize::from(p.beside > 0);
                company.stars_lacking += usize::from(p.is_star());
            }
        }
        let stars = || both.iter().filter(|(p, q)| p.is_star() && q.beside >= FLAT);
        company.moved = stars().count() >= FEWEST
            && [0, 1].into_iter().any(|side| {
                let (mean, error) =
                    middle_of(stars().map(|(p, q)| f64::from(p.lean[side] - q.lean[side])));
                mean.abs() > MOVED_ERRORS * error.max(1e-3)
            });
        company
    }
}

/// The middle of some numbers and its error, from the middle of their distances.
fn middle_of(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let (middle, scatter) = stat::median_scatter(&values);
    // A median is 1.25 times as uncertain as a mean.
    (middle, 1.25 * scatter / (values.len() as f64).sqrt())
}
