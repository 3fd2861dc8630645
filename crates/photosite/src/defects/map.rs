//! The defects of a sensor: what is wrong where, how far, and in how many frames it was seen.

use std::collections::BTreeMap;

use photosite_pix::{CfaPattern, MaskBits, Size};
use serde::{Deserialize, Serialize};

use super::{Cluster, Defect, Line, REPAIRED, Seen, Unsteady, clusters, fill_lines, merge};

/// The schema of a map's report.
pub const MAP_SCHEMA: &str = "photosite.defects/1";

/// What a map was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct MapFacts {
    /// Darks looked at.
    pub darks: usize,
    /// Flats looked at.
    pub flats: usize,
    /// Biases looked at.
    pub biases: usize,
    /// Lights looked at.
    #[serde(default)]
    pub lights: usize,
    /// The exposure of the darks that excesses are of, in seconds.
    pub exposure_s: Option<f64>,
    /// Electrons in an ADU, where that is known.
    pub e_per_adu: Option<f64>,
    /// The noise of one dark, in ADU.
    pub frame_noise_adu: Option<f64>,
    /// The start of the first frame.
    pub first: Option<String>,
    /// The start of the last frame.
    pub last: Option<String>,
    /// The format that it was imported from.
    pub imported: Option<String>,
}

/// The defects of a sensor, in coordinates of the part that sees light.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DefectMap {
    /// Width and height.
    pub size: Size,
    /// The colour filter array over it.
    pub cfa: Option<CfaPattern>,
    /// The pixels, row after row, each once.
    pub seen: Vec<Seen>,
    /// Columns and rows, whole and in part.
    pub lines: Vec<Line>,
    /// Defects that touch each other.
    pub clusters: Vec<Cluster>,
    /// Pixels that change from frame to frame.
    pub unsteady: Vec<Unsteady>,
    /// What it was made of.
    pub facts: MapFacts,
}

/// How many pixels of each kind, in words of `show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Counts {
    /// Far above their surroundings.
    pub hot: usize,
    /// Above their surroundings, yet subtracted with the dark.
    pub warm: usize,
    /// Far below their surroundings.
    pub cold: usize,
    /// Not the same from frame to frame.
    pub unstable: usize,
    /// Of those, with two or three levels told.
    pub telegraph: usize,
    /// Pixels whose response bends.
    pub bent: usize,
    /// Without data.
    pub no_data: usize,
    /// Columns and parts of columns.
    pub columns: usize,
    /// Rows and parts of rows.
    pub rows: usize,
    /// Clusters of three pixels and more.
    pub clusters: usize,
    /// Pixels that are repaired in lights.
    pub repaired: usize,
    /// Pixels in the map.
    pub pixels: usize,
}

impl DefectMap {
    /// A map of pixels: lines are found and filled, clusters told.
    pub fn new(
        size: Size,
        cfa: Option<CfaPattern>,
        mut seen: Vec<Seen>,
        unsteady: Vec<Unsteady>,
        facts: MapFacts,
    ) -> Self {
        seen.retain(|s| s.x < size.width && s.y < size.height && !s.bits.is_empty());
        merge(&mut seen, Vec::new());
        let lines = fill_lines(&mut seen, size);
        let clusters = clusters(&seen, &lines, size);
        Self { size, cfa, seen, lines, clusters, unsteady, facts }
    }

    /// The share of the sensor that is repaired, where that is more than any sensor has of defects: an image that is no
    /// map passes for one, or a map whose zeros are the defects.
    pub fn too_many(&self) -> Option<f64> {
        const MOST: f64 = 0.25;
        let share = self.counts().repaired as f64 / self.size.pixels().max(1) as f64;
        (share > MOST).then_some(share)
    }

    /// The pixels that matter to a light, row after row: those that are repaired, and WARM ones, which are
    /// told.
    pub fn defects(&self) -> Vec<Defect> {
        let told = REPAIRED | MaskBits::WARM;
        let all = self.seen.iter().map(|s| Defect { x: s.x, y: s.y, bits: s.bits & told });
        all.filter(|d| !d.bits.is_empty()).collect()
    }

    /// The pixels that are repaired, row after row.
    pub fn repaired(&self) -> Vec<Defect> {
        self.defects().into_iter().filter(|d| d.bits.intersects(REPAIRED)).collect()
    }

    /// How many of each kind.
    pub fn counts(&self) -> Counts {
        let of = |bit| self.seen.iter().filter(|s| s.bits.contains(bit)).count();
        let repaired = |s: &&Seen| s.bits.intersects(REPAIRED);
        Counts {
            hot: of(MaskBits::HOT),
            warm: of(MaskBits::WARM),
            cold: of(MaskBits::COLD),
            unstable: of(MaskBits::UNSTABLE),
            telegraph: self.unsteady.iter().filter(|u| u.levels.len() > 1).count(),
            bent: of(MaskBits::SUSPECT),
            no_data: of(MaskBits::NO_DATA),
            columns: self.lines.iter().filter(|l| !l.is_row).count(),
            rows: self.lines.iter().filter(|l| l.is_row).count(),
            clusters: self.clusters.len(),
            repaired: self.seen.iter().filter(repaired).count(),
            pixels: self.seen.len(),
        }
    }

    /// What a pixel has above its surroundings in electrons a second, or in ADU a second where no gain is
    /// known; `None` where no dark told.
    pub fn rate(&self, of: &Seen) -> Option<f64> {
        let exposure_s = self.facts.exposure_s.filter(|t| *t > 0.0)?;
        let rate = f64::from(of.excess) * self.facts.e_per_adu.unwrap_or(1.0) / exposure_s;
        rate.is_finite().then_some(rate)
    }

    /// The unit of [`rate`](Self::rate).
    pub fn rate_unit(&self) -> &'static str {
        if self.facts.e_per_adu.is_some() { "e-/s" } else { "adu/s" }
    }

    /// The worst pixels first, at most so many.
    pub fn worst(&self, count: usize) -> Vec<Seen> {
        let mut all = self.seen.clone();
        all.sort_by(|a, b| {
            b.score.abs().total_cmp(&a.score.abs()).then((a.y, a.x).cmp(&(b.y, b.x)))
        });
        all.truncate(count);
        all
    }

    /// The pixel of a place.
    pub fn at(&self, x: usize, y: usize) -> Option<&Seen> {
        let found = self.seen.binary_search_by_key(&(y, x), |s| (s.y, s.x));
        found.ok().map(|i| &self.seen[i])
    }
}

/// How one map differs from an older one of the same sensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aged {
    /// Pixels that are repaired now and were not.
    pub new: usize,
    /// Pixels that were repaired and need no repair now.
    pub healed: usize,
    /// Pixels that stand farther off than they did.
    pub worse: usize,
    /// The same, class by class: in the new map alone, and in the old one alone.
    pub by_class: BTreeMap<String, (usize, usize)>,
    /// Hot pixels more than before.
    pub hot_growth: i64,
    /// Months between the last frames of both, where their dates are known.
    pub months: Option<f64>,
    /// Hot pixels a month.
    pub hot_a_month: Option<f64>,
    /// Its standard error: that of counting what came and went.
    pub hot_a_month_error: Option<f64>,
    /// The new pixels that stand off farthest: column, row, score.
    pub worst_new: Vec<(usize, usize, f32)>,
}

/// A pixel is worse that stands off by so many times what it did.
const WORSE: f32 = 1.5;

/// Pixels of a list for people.
const LISTED: usize = 20;

/// Compares two maps; `months` lie between their frames.
pub fn aged(old: &DefectMap, new: &DefectMap, months: Option<f64>) -> Aged {
    let bad = REPAIRED;
    let only = |a: &DefectMap, b: &DefectMap, bits: MaskBits| -> Vec<Seen> {
        let there = |s: &&Seen| b.at(s.x, s.y).is_some_and(|o| o.bits.intersects(bits));
        a.seen.iter().filter(|s| s.bits.intersects(bits) && !there(s)).copied().collect()
    };
    let mut fresh = only(new, old, bad);
    let healed = only(old, new, bad).len();
    let worse = new
        .seen
        .iter()
        .filter(|s| {
            let was = old.at(s.x, s.y).map_or(0.0, |o| o.score.abs());
            was > 0.0 && s.score.abs() > WORSE * was && s.bits.intersects(bad)
        })
        .count();
    let names = MaskBits::all();
    let by_class = names
        .iter_names()
        .map(|(name, bit)| {
            (name.to_owned(), (only(new, old, bit).len(), only(old, new, bit).len()))
        })
        .filter(|(_, (a, b))| a + b > 0)
        .collect::<BTreeMap<_, _>>();
    let hot = by_class.get("HOT").copied().unwrap_or((0, 0));
    let hot_growth = hot.0 as i64 - hot.1 as i64;
    let a_month = |v: f64| months.filter(|m| *m > 0.0).map(|m| v / m);
    fresh.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()).then((a.y, a.x).cmp(&(b.y, b.x))));
    Aged {
        new: fresh.len(),
        healed,
        worse,
        hot_growth,
        months,
        hot_a_month: a_month(hot_growth as f64),
        hot_a_month_error: a_month(((hot.0 + hot.1) as f64).sqrt()),
        by_class,
        worst_new: fresh.iter().take(LISTED).map(|s| (s.x, s.y, s.score)).collect(),
    }
}
