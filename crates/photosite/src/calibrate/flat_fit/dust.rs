//! At middle scales: the flat's dust shadows, looked for in the light where they are, turned, and at
//! placebo places.

use photosite_pix::stat::{MAD_TO_SIGMA, median_in_place};
use photosite_pix::{Plane, Size};

use super::Logs;
use super::smooth::{flattened, spread};

/// What dust tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dust {
    /// Contrast in the light over that in the flat, at the flat's own places.
    pub contrast: f64,
    /// Its standard error.
    pub error: f64,
    /// Share of the shadows' power that is certainly not in the light.
    pub gone: f64,
    /// How many shadows that is.
    pub gone_motes: usize,
    /// Share of the shadows' power in those that certainly have another contrast than all together: some dust
    /// moved, where a level would change all alike.
    pub apart: f64,
    /// The angle at which they are found, where it is another.
    pub angle_deg: Option<f64>,
    /// The power of the shadows that the light shows.
    pub explained: f64,
}

/// Shadows in a flat.
#[derive(Debug, Clone)]
pub(super) struct Motes {
    /// Blocks of shadows, the deepest first.
    blocks: Vec<Block>,
    /// How many shadows there are.
    count: usize,
    /// Whether a block is in or beside a shadow.
    pub near: Plane<bool>,
    /// The flat at middle scales.
    mid: Plane<f32>,
}

impl Motes {
    /// The squares of the depths of each shadow, added up.
    fn powers(&self) -> Vec<f64> {
        let mut powers = vec![0.0; self.count];
        self.blocks.iter().for_each(|b| powers[b.mote] += b.depth * b.depth);
        powers
    }
}

/// A block of a shadow.
#[derive(Debug, Clone, Copy)]
struct Block {
    x: usize,
    y: usize,
    depth: f64,
    /// Its second differences along both axes, added up.
    bend: f64,
    mote: usize,
}

/// A shadow stands out of the flat's noise by so many sigmas, and is so deep.
const KAPPA: f32 = 4.0;
const LEAST_DEPTH: f32 = 0.004;
/// So many sigmas above the sky a block of a light is a star's.
const ABOVE: f32 = 3.0;
/// And beside it so many times what the flat shows there.
const OVERSHOOT: f32 = 1.5;
/// A galaxy covers so many blocks, and is in its middle so much brighter than the sky, as a logarithm.
const OF_GALAXY: usize = 30;
const BRIGHT: f32 = 0.7;
/// Its wings reach so many times as far as what stands out.
const WINGS: f64 = 2.0;
/// A shadow has so many blocks.
const LEAST_BLOCKS: usize = 3;
/// Blocks that are compared: more tell no more.
const MOST: usize = 2500;
/// Shadows in the light count as far as this share of their power lies within it.
const INSIDE: f64 = 0.4;
/// A turn is told where the shadows agree that much better there, beside one error: both contrasts have
/// most of it in common.
const BETTER: f64 = 0.06;
/// And where they are found with so many sigmas, of 360 places.
const FOUND: f64 = 6.0;
/// How far the contrast of one shadow may lie from 1 beside its error.
const OFF: f64 = 0.4;
/// With so much contrast nothing better can be found.
const ALL_THERE: f64 = 0.97;
/// The least contrast that is the same dust.
const SAME: f64 = 0.6;
/// How much more of the light the shadows explain there than at any angle not so near.
const ALONE: f64 = 1.6;
const PEAK_DEG: f64 = 10.0;
/// The least turn, in degrees.
const LEAST_TURN: f64 = 0.7;

/// Shadows of a flat.
pub(super) fn motes(flat: &Logs) -> Motes {
    let size = flat.size();
    let mid = middle_scale(flat, 3, None);
    let limit = (KAPPA * spread(&mid)).max(LEAST_DEPTH);
    let deep = |x: usize, y: usize| mid.get(x, y) < -limit;
    let mut near = Plane::filled(size, false);
    let (mut blocks, mut count) = (Vec::new(), 0);
    for members in regions(size, deep) {
        members.iter().for_each(|&(i, j)| {
            around(size, i, j, 1).for_each(|(i, j)| near.set(i, j, true));
        });
        // A twentieth of the frame is no shadow of dust.
        if members.len() >= LEAST_BLOCKS && members.len() * 20 < size.pixels() {
            blocks.extend(members.iter().map(|&(x, y)| (x, y, count)));
            count += 1;
        }
    }
    // As lights are looked at, so that both lose alike by it.
    let mid = middle_scale(flat, 1, Some(&near));
    let of = |(x, y, mote): (usize, usize, usize)| {
        let depth = f64::from(mid.get(x, y));
        Block { x, y, depth, bend: bend(&mid, x, y), mote }
    };
    let mut blocks: Vec<Block> = blocks.into_iter().map(of).collect();
    blocks.sort_by(|a, b| a.depth.total_cmp(&b.depth).then((a.y, a.x).cmp(&(b.y, b.x))));
    blocks.truncate(MOST);
    Motes { blocks, count, near, mid }
}

/// Blocks that hang together and are all inside.
fn regions(size: Size, inside: impl Fn(usize, usize) -> bool) -> Vec<Vec<(usize, usize)>> {
    let mut seen = Plane::filled(size, false);
    let mut out = Vec::new();
    for (x, y) in (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y))) {
        if seen.get(x, y) || !inside(x, y) {
            continue;
        }
        let (mut members, mut open) = (Vec::new(), vec![(x, y)]);
        seen.set(x, y, true);
        while let Some((i, j)) = open.pop() {
            members.push((i, j));
            for (i, j) in around(size, i, j, 1) {
                if inside(i, j) && !seen.get(i, j) {
                    seen.set(i, j, true);
                    open.push((i, j));
                }
            }
        }
        out.push(members);
    }
    out
}

fn bend(mid: &Plane<f32>, x: usize, y: usize) -> f64 {
    let size = mid.size();
    let here = mid.get(x, y);
    let at = |x: usize, y: usize| {
        let v = mid.get(x.min(size.width - 1), y.min(size.height - 1));
        f64::from(if v.is_finite() { v - here } else { 0.0 })
    };
    at(x + 1, y) + at(x.saturating_sub(1), y) + at(x, y + 1) + at(x, y.saturating_sub(1))
}

/// The blocks from `x`, `y` up to `reach` away.
fn around(size: Size, x: usize, y: usize, reach: usize) -> impl Iterator<Item = (usize, usize)> {
    let (x1, y1) = ((x + reach + 1).min(size.width), (y + reach + 1).min(size.height));
    (y.saturating_sub(reach)..y1)
        .flat_map(move |j| (x.saturating_sub(reach)..x1).map(move |i| (i, j)))
}

/// What stands out of smooth structure, some blocks wide: a polynomial of the fourth order and then the
/// mean of a square are taken off; blocks to `skip` say nothing of the polynomial.
fn middle_scale(logs: &Logs, rounds: usize, skip: Option<&Plane<bool>>) -> Plane<f32> {
    let flattened = flattened(logs, rounds, skip);
    let size = logs.size();
    let half = (size.width.min(size.height) / 8).max(4);
    // Sums of all that lies above and to the left.
    let stride = size.width + 1;
    let mut sums = vec![(0.0f64, 0.0f64); stride * (size.height + 1)];
    for y in 0..size.height {
        let mut row = (0.0, 0.0);
        for x in 0..size.width {
            let v = f64::from(flattened.get(x, y));
            if v.is_finite() {
                row = (row.0 + v, row.1 + 1.0);
            }
            let above = sums[y * stride + x + 1];
            sums[(y + 1) * stride + x + 1] = (above.0 + row.0, above.1 + row.1);
        }
    }
    Plane::from_fn(size, |x, y| {
        let (x0, y0) = (x.saturating_sub(half), y.saturating_sub(half));
        let (x1, y1) = ((x + half + 1).min(size.width), (y + half + 1).min(size.height));
        let at = |x: usize, y: usize| sums[y * stride + x];
        let (a, b, c, d) = (at(x1, y1), at(x0, y1), at(x1, y0), at(x0, y0));
        let (sum, n) = (a.0 - b.0 - c.0 + d.0, a.1 - b.1 - c.1 + d.1);
        flattened.get(x, y) - (sum / n.max(1.0)) as f32
    })
}

/// The same of a light: what stands above its sky, stars above all, is left out, of `light` as well. What stands out of
/// the flat as well, between its shadows, is no star.
fn sky_at_middle_scale(light: &mut Logs, motes: &Motes, noise: f32) -> Plane<f32> {
    let skip = Some(&motes.near);
    let mut mid = middle_scale(light, 2, skip);
    for _ in 0..2 {
        let limit = ABOVE * lower_spread(&mid).max(noise);
        let seen = mid.as_slice().iter().zip(motes.mid.as_slice());
        for (s, (m, flat)) in light.as_mut_slice().iter_mut().zip(seen) {
            let own = if *flat > 0.0 { OVERSHOOT * flat } else { 0.0 };
            *s = if *m > limit + own { f32::NAN } else { *s };
        }
        mid = middle_scale(light, 1, skip);
    }
    mid
}

/// Leaves out of a sky what lies around bright objects that are no stars, as far again as they reach in the `whole`
/// light; whether there are any. The wings of a galaxy are smooth like a shadow, and hide how deep one is.
fn without_wings(sky: &mut Logs, whole: &Logs) -> bool {
    let size = sky.size();
    let left_out = |x: usize, y: usize| !sky.get(x, y).is_finite() && whole.get(x, y).is_finite();
    let mut known: Vec<f32> = whole.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
    let middle = median_in_place(&mut known);
    let peak = |members: &[(usize, usize)]| {
        members.iter().map(|&(x, y)| whole.get(x, y) - middle).fold(f32::MIN, f32::max)
    };
    let bright: Vec<Vec<(usize, usize)>> = regions(size, left_out)
        .into_iter()
        .filter(|r| r.len() >= OF_GALAXY && peak(r) > BRIGHT)
        .collect();
    for members in &bright {
        let n = members.len() as f64;
        let (sx, sy) =
            members.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + *x as f64, b + *y as f64));
        let (mx, my) = (sx / n, sy / n);
        let reach2 = WINGS * WINGS * n / std::f64::consts::PI;
        for (x, y) in (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y))) {
            if (x as f64 - mx).powi(2) + (y as f64 - my).powi(2) < reach2 {
                sky.set(x, y, f32::NAN);
            }
        }
    }
    !bright.is_empty()
}

/// The robust scatter of what lies below nothing, where no star is.
fn lower_spread(plane: &Plane<f32>) -> f32 {
    let mut all: Vec<f32> = plane.as_slice().iter().copied().filter(|v| *v < 0.0).collect();
    if all.is_empty() { 0.0 } else { -MAD_TO_SIGMA as f32 * median_in_place(&mut all) }
}

/// The light at middle scales, in which the shadows are looked for.
struct Scene<'a> {
    light: Plane<f32>,
    motes: &'a Motes,
    power: f64,
}

impl Scene<'_> {
    /// The contrast of the shadows, each moved to another place, and the share of their power that lies
    /// where the light is known; `None` where that is little.
    fn contrast(
        &self,
        own: impl Fn(usize) -> bool,
        place: impl Fn(f64, f64) -> (f64, f64),
    ) -> Option<(f64, f64)> {
        let (mut both, mut inside, mut all) = (0.0, 0.0, 0.0);
        for b in self.motes.blocks.iter().filter(|b| own(b.mote)) {
            let (x, y) = place(b.x as f64, b.y as f64);
            all += b.depth * b.depth;
            if let Some((v, between)) = self.at(x, y) {
                // What interpolation leaves of the shadow.
                let expected = b.depth + 0.25 * between * b.bend;
                both += expected * v;
                inside += expected * expected;
            }
        }
        (inside > INSIDE * all).then(|| (both / inside, inside))
    }

    /// The contrast of each shadow that the light shows, and its power.
    fn each(&self) -> impl Iterator<Item = (f64, f64)> {
        let powers = self.motes.powers().into_iter().enumerate().filter(|(_, p)| *p > 0.0);
        powers.filter_map(|(mote, power)| {
            let (c, _) = self.contrast(|m| m == mote, |x, y| (x, y))?;
            Some((c, power))
        })
    }

    /// How far the contrast of a shadow of so much power may be off, by the error of all together.
    fn most_off(&self, power: f64, error: f64) -> f64 {
        OFF + super::SIGMAS * error * (self.power / power).sqrt()
    }

    /// Whether a shadow certainly is neither there nor gone.
    fn lies_under_structure(&self, (contrast, power): (f64, f64), error: f64) -> bool {
        let most = self.most_off(power, error);
        contrast < -most || contrast > 1.0 + most
    }

    /// The light between blocks, and how far between: the variances of the interpolation along both
    /// axes, added up. `None` where nothing is known.
    fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let size = self.light.size();
        if !(x >= 0.0 && y >= 0.0 && x <= size.width as f64 - 1.0 && y <= size.height as f64 - 1.0)
        {
            return None;
        }
        let (i, j) = (x as usize, y as usize);
        let (u, v) = (x - i as f64, y - j as f64);
        let (i1, j1) = ((i + 1).min(size.width - 1), (j + 1).min(size.height - 1));
        let get = |i, j| f64::from(self.light.get(i, j));
        let value = (get(i, j) * (1.0 - u) + get(i1, j) * u) * (1.0 - v)
            + (get(i, j1) * (1.0 - u) + get(i1, j1) * u) * v;
        value.is_finite().then_some((value, u * (1.0 - u) + v * (1.0 - v)))
    }

    /// The contrast of shadows turned about the middle.
    fn turned(&self, own: impl Fn(usize) -> bool, deg: f64) -> Option<(f64, f64)> {
        let size = self.light.size();
        let (mx, my) = (0.5 * size.width as f64 - 0.5, 0.5 * size.height as f64 - 0.5);
        let (s, c) = deg.to_radians().sin_cos();
        self.contrast(own, |x, y| {
            let (dx, dy) = (x - mx, y - my);
            (mx + c * dx - s * dy, my + s * dx + c * dy)
        })
    }

    /// What the shadows show where they are not: shifted around the frame and mirrored.
    fn placebo(&self) -> f64 {
        let size = self.light.size();
        let (w, h) = (size.width as f64, size.height as f64);
        let mut all = Vec::new();
        for mirrored in [false, true] {
            for (i, j) in (0..7).flat_map(|i| (0..5).map(move |j| (i, j))) {
                if (i, j) == (0, 0) {
                    continue;
                }
                let (dx, dy) = ((f64::from(i) * w / 7.0).round(), (f64::from(j) * h / 5.0).round());
                let found = self.contrast(
                    |_| true,
                    |x, y| {
                        let x = if mirrored { w - 1.0 - x } else { x };
                        ((x + dx) % w, (y + dy) % h)
                    },
                );
                all.extend(found.map(|(c, inside)| (c * (inside / self.power).sqrt()) as f32));
            }
        }
        if all.len() < 10 {
            return f64::INFINITY;
        }
        all.iter_mut().for_each(|v| *v = v.abs());
        MAD_TO_SIGMA * f64::from(median_in_place(&mut all))
    }

    /// The same light without the flat's shadows, and what stands between them.
    fn without(&self, contrast: f64) -> Self {
        let mut light = self.light.clone();
        for (v, flat) in light.as_mut_slice().iter_mut().zip(self.motes.mid.as_slice()) {
            *v -= contrast as f32 * flat;
        }
        Self { light, ..*self }
    }
}

/// What a light says of the dust of a flat; `None` where the flat has none.
pub(super) fn fit(light: &Logs, motes: &Motes, noise: f64) -> Option<Dust> {
    if motes.count == 0 {
        return None;
    }
    let mut sky = light.clone();
    let found = told(sky_at_middle_scale(&mut sky, motes, noise as f32), motes, noise)?;
    let off = (found.contrast - 1.0).abs() > super::SIGMAS * found.error || found.gone_motes > 0;
    if !off || !without_wings(&mut sky, light) {
        return Some(found);
    }
    told(middle_scale(&sky, 1, Some(&motes.near)), motes, noise).or(Some(found))
}

fn told(light: Plane<f32>, motes: &Motes, noise: f64) -> Option<Dust> {
    let power = motes.blocks.iter().map(|b| b.depth * b.depth).sum::<f64>();
    let scene = Scene { light, motes, power };
    let (contrast, inside) = scene.turned(|_| true, 0.0)?;
    let by_counts = noise / power.sqrt();
    let error = scene.without(contrast).placebo().max(by_counts);
    let error = error.max(under_structure(&scene, contrast, error));
    let (gone, gone_motes) = unlike(&scene, error, 1.0);
    let (apart, _) = unlike(&scene, error, contrast);
    let angle_deg =
        (contrast < ALL_THERE).then(|| turn(&scene, (contrast, inside), error)).flatten();
    let explained = contrast.max(0.0).powi(2) * power;
    Some(Dust { contrast, error, gone, gone_motes, apart, angle_deg, explained })
}

/// The angle at which the shadows are found, where that is certainly another than 0.
fn turn(scene: &Scene<'_>, (contrast, inside): (f64, f64), error: f64) -> Option<f64> {
    let gain = |(c, inside): (f64, f64)| if c > 0.0 { c * c * inside } else { 0.0 };
    let mut best = (0.0, contrast, inside);
    let mut gains = Vec::with_capacity(360);
    let look = |deg: f64, best: &mut (f64, f64, f64)| {
        if let Some(found) = scene.turned(|_| true, deg)
            && gain(found) > gain((best.1, best.2))
        {
            *best = (deg, found.0, found.1);
        }
    };
    for deg in (-179..=180).map(f64::from) {
        look(deg, &mut best);
        gains.extend(scene.turned(|_| true, deg).map(|found| (deg, gain(found))));
    }
    let coarse = best.0;
    (-10..=10).for_each(|tenth| look(coarse + 0.1 * f64::from(tenth), &mut best));
    let (deg, there, inside) = best;
    let there_error = error * (scene.power / inside).sqrt();
    // Any two patterns of shadows agree somewhere a little.
    let apart = |a: f64| ((a - deg).rem_euclid(360.0) - 180.0).abs() < 180.0 - PEAK_DEG;
    let elsewhere = gains.iter().filter(|(a, _)| apart(*a)).map(|g| g.1).fold(0.0, f64::max);
    let turned = deg.abs() >= LEAST_TURN
        && gain((there, inside)) >= ALONE * elsewhere
        && there >= SAME
        && there / there_error >= FOUND
        && there - contrast > BETTER + there_error;
    // One shadow alone falls on another's place by chance.
    let powers = scene.motes.powers();
    let strongest = (0..powers.len()).max_by(|a, b| powers[*a].total_cmp(&powers[*b]))?;
    let rest = scene.turned(|m| m != strongest, deg);
    let borne_out = rest.is_some_and(|(c, inside)| {
        c >= SAME && c / (error * (scene.power / inside).sqrt()) >= super::SIGMAS
    });
    (turned && borne_out).then_some(deg)
}

/// The error of the contrast by how far shadows are apart, where one certainly is neither there nor gone: the sky has
/// structure of its own under it, which placebo places may not have. 0 elsewhere.
fn under_structure(scene: &Scene<'_>, contrast: f64, error: f64) -> f64 {
    let each: Vec<(f64, f64)> = scene.each().collect();
    if each.len() < 2 || !each.iter().any(|one| scene.lies_under_structure(*one, error)) {
        return 0.0;
    }
    let whole: f64 = each.iter().map(|(_, power)| power).sum();
    let apart: f64 = each.iter().map(|(c, power)| (power * (c - contrast)).powi(2)).sum();
    let count = each.len() as f64;
    (apart * count / (count - 1.0)).sqrt() / whole
}

/// Share of the shadows' power in those that certainly have another contrast than `wanted`, and how many
/// shadows that is.
fn unlike(scene: &Scene<'_>, error: f64, wanted: f64) -> (f64, usize) {
    let (mut gone, mut count) = (0.0, 0);
    for (c, power) in scene.each() {
        let far = (c - wanted).abs() > scene.most_off(power, error);
        if far && !scene.lies_under_structure((c, power), error) {
            gone += power / scene.power;
            count += 1;
        }
    }
    (gone, count)
}
