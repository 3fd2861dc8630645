//! From two lists of stars to the transform between them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::asterism::{Triangle, alike, triangles};
use super::few::register_few;
use super::fit::{fit, fit_likely};
use super::grid::Grid;
use super::{Model, Point, Transform};
use crate::stat::median_in_place;

/// What is looked for and believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Fewest stars that must come together.
    pub least_stars: usize,
    /// The most that the scales of two frames may differ, as a factor.
    pub most_scale: f64,
    /// The richest model that may be chosen.
    pub richest: Model,
}

impl Default for Rules {
    fn default() -> Self {
        Self { least_stars: 6, most_scale: 3.0, richest: Model::Quintic }
    }
}

/// How frames are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Alignment {
    /// Their stars.
    #[default]
    Stars,
    /// The world coordinates of their headers.
    Wcs,
}

/// A frame registered to the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Takes positions of the reference to positions of the frame.
    pub transform: Transform,
    /// What it rests on.
    pub by: Alignment,
    /// Stars that came together.
    pub matched: usize,
    /// By stars, the root mean square distance between matched ones; by world coordinates, the
    /// transform's misfit to those. In pixels of the frame.
    pub residual_px: f64,
    /// The pairs: indices into the reference's and the frame's stars.
    #[serde(skip)]
    pub pairs: Vec<(usize, usize)>,
}

/// Stars of a list that triangles are made of, the first ones: few at first, because among the
/// brightest there are fewest that are none.
const TRIANGLE_STARS: [usize; 3] = [12, 40, 200];

/// Stars of a list that a transform is refined with, the first ones.
const MATCHED_STARS: usize = 2000;

/// Pairs of stars that a model is chosen by, the first ones.
const JUDGED_STARS: usize = 1000;

/// Hypotheses that are tried, those with most votes first.
const TRIED: usize = 3000;

/// A triangle's own transform may be off by this many pixels where it is tried.
const FIRST_RADIUS_PX: f64 = 6.0;

/// Below this radius in pixels stars count as the same however well the others fit.
const LEAST_RADIUS_PX: f64 = 0.5;

/// Rounds of matching and fitting, each nearer.
const ROUNDS: usize = 6;

/// Rounds in which a match may grow outwards from where it was found.
const GROWTH_ROUNDS: usize = 12;

/// What Schwarz's price of a number is multiplied by: at its own, one in fifty fields of few stars
/// that are only turned gets an affine transform (see the tests), because errors have long tails.
const CAUTION: f64 = 3.0;

/// The logarithm of the chance that is believed, all hypotheses together.
const BELIEVED_LN: f64 = -20.0;

/// Finds the transform from `reference` to `frame`, both lists of star positions with the
/// brightest first; `None` where none can be believed.
///
/// Shift and rotation may be any, scales may differ by `rules.most_scale`, and the frame may be
/// mirrored; of three to eight stars only a shift is sought, turned by half a circle or not. What is believed: were the frame's stars strewn at random, a hypothesis in e^20 times
/// those that were tried would bring as many of them within the final radius of a reference star.
pub fn register(reference: &[Point], frame: &[Point], rules: Rules) -> Option<Registration> {
    fn first(points: &[Point], n: usize) -> &[Point] {
        &points[..points.len().min(n)]
    }
    let fine = Field::new(first(reference, MATCHED_STARS), first(frame, MATCHED_STARS));
    let similar = Model::Similarity;
    let mut tried = 0;
    for count in TRIANGLE_STARS {
        let coarse = Field::new(first(reference, count), first(frame, count));
        let (of_r, of_f) = (triangles(coarse.reference), triangles(coarse.frame));
        for mirrored in [false, true] {
            let pairs = alike(&of_r, &of_f, mirrored);
            let hypotheses = hypotheses(&coarse, &of_r, &of_f, &pairs, mirrored, rules);
            tried += hypotheses.len();
            let tried_ln = (tried.max(1) as f64).ln();
            for hypothesis in hypotheses {
                let Some(found) = coarse.settle(hypothesis, FIRST_RADIUS_PX, similar, mirrored)
                else {
                    continue;
                };
                if found.matched < rules.least_stars
                    || coarse.chance_ln(&found) + tried_ln >= BELIEVED_LN
                {
                    continue;
                }
                // In a wide radius true pairs may be outnumbered, in a narrow one be missed at the
                // corners of a bent field.
                let settled = [FIRST_RADIUS_PX, radius_of(&found)]
                    .into_iter()
                    .filter_map(|r| fine.settle(found.transform, r, similar, mirrored))
                    .min_by(|a, b| fine.chance_ln(a).total_cmp(&fine.chance_ln(b)));
                return Some(fine.refine(settled.unwrap_or(found), mirrored, rules));
            }
        }
        if count >= reference.len().max(frame.len()) {
            break;
        }
    }
    register_few(reference, frame)
}

/// Similarities from pairs of triangles, those that most pairs agree on first.
fn hypotheses(
    field: &Field,
    of_r: &[Triangle],
    of_f: &[Triangle],
    pairs: &[(usize, usize)],
    mirrored: bool,
    rules: Rules,
) -> Vec<Transform> {
    /// Rotation in radians and logarithm of scale that agree.
    const STEP: f64 = 0.02;
    let made: Vec<(Transform, [i64; 2])> = pairs
        .iter()
        .filter_map(|&(i, j)| {
            let corners: [(Point, Point); 3] = std::array::from_fn(|k| {
                (field.reference[of_r[i].corners[k]], field.frame[of_f[j].corners[k]])
            });
            let t = fit(Model::Similarity, &corners, mirrored)?;
            let scale = (t.x[1].hypot(t.y[1]) / t.scale).ln();
            let rotation = t.y[1].atan2(t.x[1]);
            let fair = scale.abs() <= rules.most_scale.ln();
            fair.then(|| (t, [(scale / STEP).round() as i64, (rotation / STEP).round() as i64]))
        })
        .collect();
    let mut votes: HashMap<[i64; 2], usize> = HashMap::new();
    for (_, key) in &made {
        *votes.entry(*key).or_default() += 1;
    }
    let around = |[s, r]: [i64; 2]| -> usize {
        (-1..=1)
            .flat_map(|ds| (-1..=1).map(move |dr| [s + ds, r + dr]))
            .filter_map(|key| votes.get(&key))
            .sum()
    };
    let mut order: Vec<(usize, usize)> =
        made.iter().enumerate().map(|(i, (_, key))| (around(*key), i)).collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    order.truncate(TRIED);
    order.into_iter().map(|(_, i)| made[i].0).collect()
}

/// The distance within which nearly all true pairs are, by the distances of some.
fn reach(away: &mut [f32]) -> f64 {
    // The median of a Rayleigh distribution is 1.177 sigma; 3.5 sigma hold 99.8 %.
    3.5 * f64::from(median_in_place(away)) / 1.177
}

/// Two lists of stars.
pub(super) struct Field<'a> {
    reference: &'a [Point],
    frame: &'a [Point],
    grid: Grid,
    /// Stars of the frame a square pixel of it.
    pub density: f64,
    corners: (Point, Point),
}

impl<'a> Field<'a> {
    pub fn new(reference: &'a [Point], frame: &'a [Point]) -> Self {
        let ends = |pick: fn(&Point) -> f64| {
            frame.iter().map(pick).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        let ((x0, x1), (y0, y1)) = (ends(|p| p.x), ends(|p| p.y));
        let area = ((x1 - x0) * (y1 - y0)).max(1.0);
        let grid = Grid::new(frame, FIRST_RADIUS_PX);
        let corners = (Point::new(x0, y0), Point::new(x1, y1));
        Self { reference, frame, grid, density: frame.len() as f64 / area, corners }
    }

    /// Pairs within `radius` under a transform, each star in one pair at most.
    pub fn pairs(&self, transform: &Transform, radius: f64) -> Vec<(usize, usize)> {
        let mut taken: Vec<Option<(f64, usize)>> = vec![None; self.frame.len()];
        for (i, r) in self.reference.iter().enumerate() {
            let nearest = self.grid.nearest(transform.apply(*r), radius);
            let Some((j, distance)) = nearest else { continue };
            if taken[j].is_none_or(|(least, _)| distance < least) {
                taken[j] = Some((distance, i));
            }
        }
        let taken = taken.into_iter().enumerate();
        let mut pairs: Vec<(usize, usize)> =
            taken.filter_map(|(j, best)| Some((best?.1, j))).collect();
        pairs.sort_unstable();
        pairs
    }

    pub fn points(&self, pairs: &[(usize, usize)]) -> Vec<(Point, Point)> {
        pairs.iter().map(|&(i, j)| (self.reference[i], self.frame[j])).collect()
    }

    /// Pairs under a transform that stays, within what their own distances let expect.
    pub fn settled(&self, transform: &Transform) -> Vec<(usize, usize)> {
        let mut radius = FIRST_RADIUS_PX;
        for _ in 0..ROUNDS {
            let pairs = self.pairs(transform, radius);
            let points = self.points(&pairs);
            let mut away: Vec<f32> =
                points.iter().map(|(r, f)| transform.apply(*r).distance(*f) as f32).collect();
            let next = reach(&mut away).clamp(LEAST_RADIUS_PX, radius);
            if pairs.is_empty() || next == radius {
                return pairs;
            }
            radius = next;
        }
        self.pairs(transform, radius)
    }

    /// Fits richer and richer models to stars within the first radius, so that a match that was
    /// found in one part of a bent field reaches its corners; as far as stars can carry a model.
    fn grow(&self, transform: Transform, richest: Model, mirrored: bool) -> Transform {
        let mut current = transform;
        let mut pairs = self.pairs(&current, FIRST_RADIUS_PX);
        for model in Model::ALL.into_iter().filter(|m| *m <= richest) {
            for _ in 0..GROWTH_ROUNDS {
                let carried = 5 * model.parameters() <= 2 * pairs.len();
                let Some(next) = fit(model, &self.points(&pairs), mirrored).filter(|_| carried)
                else {
                    break;
                };
                let more = self.pairs(&next, FIRST_RADIUS_PX);
                if more.len() <= pairs.len() {
                    break;
                }
                (current, pairs) = (next, more);
            }
        }
        current
    }

    /// Matches and fits in turns from `transform` on, the radius following the residuals down.
    fn settle(
        &self,
        transform: Transform,
        radius_px: f64,
        model: Model,
        mirrored: bool,
    ) -> Option<Registration> {
        let mut current = transform;
        let mut radius = radius_px;
        let mut pairs = self.pairs(&current, radius);
        for _ in 0..ROUNDS {
            if pairs.len() < 4.max(model.parameters()) {
                return None;
            }
            let points = self.points(&pairs);
            current = fit(model, &points, mirrored)?;
            let mut away: Vec<f32> =
                points.iter().map(|(r, f)| current.apply(*r).distance(*f) as f32).collect();
            radius = reach(&mut away).clamp(LEAST_RADIUS_PX, radius);
            let next = self.pairs(&current, radius);
            let same = next == pairs;
            pairs = next;
            if same {
                break;
            }
        }
        Some(self.registration(current, pairs))
    }

    pub fn registration(&self, transform: Transform, pairs: Vec<(usize, usize)>) -> Registration {
        let points = self.points(&pairs);
        let squares: f64 =
            points.iter().map(|(r, f)| transform.apply(*r).distance(*f).powi(2)).sum();
        let residual_px = (squares / points.len().max(1) as f64).sqrt();
        let by = Alignment::Stars;
        Registration { transform, by, matched: pairs.len(), residual_px, pairs }
    }

    /// The logarithm of the chance that stars strewn at random come together like that.
    fn chance_ln(&self, found: &Registration) -> f64 {
        let radius = radius_of(found);
        let (low, high) = self.corners;
        let in_sight = self
            .reference
            .iter()
            .map(|r| found.transform.apply(*r))
            .filter(|p| (low.x..=high.x).contains(&p.x) && (low.y..=high.y).contains(&p.y));
        let expected =
            in_sight.count() as f64 * self.density * std::f64::consts::PI * radius * radius;
        // Three stars were brought together on purpose.
        ln_tail(found.matched.saturating_sub(3), expected)
    }

    /// Chooses the model that the evidence asks for, and fits it to all stars.
    ///
    /// # Source
    /// Schwarz1978: the model with the least k ln(2n) - 2 ln L for k numbers from n pairs, with
    /// more caution.
    fn refine(&self, found: Registration, mirrored: bool, rules: Rules) -> Registration {
        let judged = |pairs: &[(usize, usize)]| {
            // The brightest are measured best, and the first.
            let points = self.points(&pairs[..pairs.len().min(JUDGED_STARS)]);
            let price = CAUTION * (2.0 * points.len() as f64).ln();
            (points, price)
        };
        // Where a cubic is not likelier by the price of the least step, no step is worth taking.
        let (points, price) = judged(&found.pairs);
        let step = Model::Affine.parameters() - Model::Similarity.parameters();
        let simple = fit_likely(Model::Similarity, &points, mirrored);
        let bent = fit_likely(Model::Cubic, &points, mirrored);
        if let Some(((simple, unlikely), (_, bent))) = simple.zip(bent)
            && unlikely - bent < step as f64 * price
        {
            return self.registration(simple, found.pairs);
        }
        // Pairs are those of the richest model that they can carry, so that none is at a disadvantage.
        let carried = |m: &&Model| **m <= rules.richest && 5 * m.parameters() <= 2 * found.matched;
        let within = |t: &Transform| self.pairs(t, FIRST_RADIUS_PX).len();
        let grown = self.grow(found.transform, rules.richest, mirrored);
        // Judged at one radius, for that of a model that does not fit is wide; but for a few
        // strangers that it took in.
        let least = within(&found.transform) * 19 / 20;
        let rich = Model::ALL.iter().rev().filter(carried).find_map(|m| {
            self.settle(grown, FIRST_RADIUS_PX, *m, mirrored)
                .filter(|r| within(&r.transform) >= least)
        });
        let Some(rich) = rich else { return found };
        let (points, price) = judged(&rich.pairs);
        let likely = Model::ALL
            .into_iter()
            .filter(|m| *m <= rich.transform.model)
            .filter_map(|m| fit_likely(m, &points, mirrored));
        let cost =
            |(t, unlikely): &(Transform, f64)| unlikely + t.model.parameters() as f64 * price;
        let best = likely.min_by(|a, b| cost(a).total_cmp(&cost(b)));
        best.map_or(found, |(t, _)| self.registration(t, rich.pairs))
    }
}

/// Within what radius stars are the same, by how well those that are found fit.
pub(super) fn radius_of(found: &Registration) -> f64 {
    (3.5 * found.residual_px).max(LEAST_RADIUS_PX)
}

/// The logarithm of the chance of `n` or more where `expected` are to be expected, no less than its
/// true value.
pub(super) fn ln_tail(n: usize, expected: f64) -> f64 {
    let k = n as f64;
    if k <= expected {
        return 0.0;
    }
    // Chernoff's bound for a Poisson variable.
    k - expected - k * (k / expected.max(1e-300)).ln()
}
