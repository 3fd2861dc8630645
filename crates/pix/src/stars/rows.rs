//! Stars in a row: blinks of aircraft and pieces of trails, which pass for stars one by one.

use multiversion::multiversion;

use super::Star;
use crate::Size;
use crate::stat::median_f64;

/// Half widths of rows that are looked for, in pixels: a faint line's pieces scatter by its own width.
const HALF_WIDTHS_PX: [f64; 3] = [3.0, 6.0, 12.0];

/// Rows are looked for among so many stars, the brightest, and among as many of the faintest, for pieces of a faint trail
/// are faint.
const MOST_STARS: usize = 1200;

/// A row has at least so many stars.
const FEWEST: usize = 8;

/// A row is looked at in so many parts along the frame, none of which says more than so much: a cluster is no row.
const PARTS: usize = 16;
const MOST_A_PART: f64 = 4.0;

/// Strips beside a row that tell what chance brings, on each side, from the next but one on.
const BESIDE: usize = 6;
const GAP: usize = 2;

/// A row is believed where chance brings one like it to one frame in e^12.
const SURE: f64 = 12.0;

/// Rows of a frame at most. More are a pattern, and so are rows of most of its stars that are more than an aircraft's.
const MOST_ROWS: usize = 8;
const OF_ONE: usize = 3;

/// A star this much brighter than nine of ten in its row is none of it.
const BRIGHTER: f64 = 5.0;

/// Which stars, by falling flux, stand in rows over a good part of the frame: each straight strip that holds so many
/// more of them than those on either side as chance brings to one frame in a hundred thousand.
pub fn in_rows(stars: &[Star], size: Size) -> Vec<bool> {
    let mut taken = vec![false; stars.len()];
    let mut rows = 0;
    while let Some(row) = strongest(stars, &taken, size) {
        rows += 1;
        if rows > MOST_ROWS {
            return vec![false; stars.len()];
        }
        row.into_iter().for_each(|i| taken[i] = true);
    }
    let count = taken.iter().filter(|t| **t).count();
    // Nor is it a row that leaves nothing to compare it with.
    let pattern = rows > OF_ONE && 2 * count > stars.len() || count + FEWEST > stars.len();
    if pattern { vec![false; stars.len()] } else { taken }
}

/// How far from a line pieces of it lie, in pixels.
const ON_LINE_PX: f64 = 3.0;

/// Whether most of some few stars, three at least, lie on one line: they are pieces of a trail.
pub fn on_one_line(stars: &[Star]) -> bool {
    let on = |a: &Star, b: &Star| {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let long = dx.hypot(dy);
        let near = |s: &&Star| ((s.x - a.x) * dy - (s.y - a.y) * dx).abs() <= ON_LINE_PX * long;
        if long > 0.0 { stars.iter().filter(near).count() } else { 0 }
    };
    let pairs =
        stars.iter().enumerate().flat_map(|(i, a)| stars[i + 1..].iter().map(move |b| (a, b)));
    let most = pairs.map(|(a, b)| on(a, b)).max().unwrap_or(0);
    most >= 3 && 2 * most > stars.len()
}

/// A straight strip: places whose distance from the middle along its normal is about `offset_px`.
#[derive(Debug, Clone, Copy)]
struct Strip {
    angle: f64,
    offset_px: f64,
    half_px: f64,
}

/// Places about the middle of a frame.
struct Field {
    places: Vec<(usize, f64, f64)>,
    half: (f64, f64),
}

impl Field {
    /// Distance across a strip's normal, and along the strip.
    fn turned(&self, angle: f64) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
        let (sin, cos) = angle.sin_cos();
        self.places.iter().map(move |&(i, x, y)| (i, x * cos + y * sin, y * cos - x * sin))
    }

    /// From where to where along a line the frame reaches; `None` beside it.
    fn chord(&self, angle: f64, offset_px: f64) -> Option<(f64, f64)> {
        let (sin, cos) = angle.sin_cos();
        let (mut from, mut to) = (f64::NEG_INFINITY, f64::INFINITY);
        // x = offset cos - t sin, y = offset sin + t cos.
        for (start, slope, half) in
            [(offset_px * cos, -sin, self.half.0), (offset_px * sin, cos, self.half.1)]
        {
            if slope.abs() < 1e-12 {
                if start.abs() > half {
                    return None;
                }
                continue;
            }
            let (a, b) = ((-half - start) / slope, (half - start) / slope);
            (from, to) = (from.max(a.min(b)), to.min(a.max(b)));
        }
        (to > from).then_some((from, to))
    }

    /// Stars a square pixel.
    fn density(&self) -> f64 {
        self.places.len() as f64 / (4.0 * self.half.0 * self.half.1)
    }
}

/// How much less likely chance brings `count` or more than what is expected, as a logarithm.
fn beyond_chance(count: f64, expected: f64) -> f64 {
    if count > expected { count * (count / expected).ln() - count + expected } else { 0.0 }
}

/// The stars of the row that stands out most, of those not taken yet.
fn strongest(stars: &[Star], taken: &[bool], size: Size) -> Option<Vec<usize>> {
    let half = (0.5 * size.width as f64, 0.5 * size.height as f64);
    let left = stars.iter().enumerate().filter(|(i, _)| !taken[*i]);
    let mut places: Vec<(usize, f64, f64)> =
        left.map(|(i, s)| (i, s.x - half.0, s.y - half.1)).collect();
    let faint = places.split_off(places.len().min(MOST_STARS));
    let some = faint.len().saturating_sub(MOST_STARS);
    let faint = Field { places: faint[some..].to_vec(), half };
    strongest_of(&Field { places, half }, stars).or_else(|| strongest_of(&faint, stars))
}

/// The same of the stars of a field.
fn strongest_of(field: &Field, stars: &[Star]) -> Option<Vec<usize>> {
    let half = field.half;
    if field.places.len() < FEWEST {
        return None;
    }
    let (mut best, mut trials) = (Vec::new(), 0usize);
    for half_px in HALF_WIDTHS_PX {
        let radius = half.0.hypot(half.1);
        let angles = (std::f64::consts::PI * radius / half_px).ceil() as usize;
        let bins = 2 * (radius / half_px).ceil() as usize + 2;
        trials += angles * bins;
        let mut counts = vec![0u32; bins];
        let scaled = |v: f64| (v / half_px) as f32;
        let places = field.places.iter().map(|(_, x, y)| (scaled(*x), scaled(*y)));
        let (xs, ys): (Vec<f32>, Vec<f32>) = places.unzip();
        let mut bin_of = vec![0; xs.len()];
        for a in 0..angles {
            let angle = std::f64::consts::PI * a as f64 / angles as f64;
            counts.fill(0);
            let (sin, cos) = angle.sin_cos();
            across((&xs, &ys), (cos as f32, sin as f32), scaled(radius), &mut bin_of);
            bin_of.iter().for_each(|bin| counts[*bin as usize] += 1);
            if (most_in_two(&counts) as usize) < FEWEST {
                continue;
            }
            for k in 0..bins - 1 {
                let count = (counts[k] + counts[k + 1]) as usize;
                if count < FEWEST {
                    continue;
                }
                let offset_px = (k + 1) as f64 * half_px - radius;
                let Some((from, to)) = field.chord(angle, offset_px) else { continue };
                let even = field.density() * 2.0 * half_px * (to - from);
                // It says no more than this, and mostly far less.
                if (count as f64 - even).powi(2) <= SURE * even {
                    continue;
                }
                let side = |from: Option<usize>| {
                    let some = counts.get(from?..(from? + 2 * BESIDE).min(bins))?;
                    Some(some.iter().sum::<u32>() as f64 / BESIDE as f64)
                };
                let before = side(k.checked_sub(2 * (GAP - 1) + 2 * BESIDE));
                let after = side(Some(k + 2 * GAP));
                let expected = before.unwrap_or(0.0).max(after.unwrap_or(0.0)).max(even);
                let said = beyond_chance(count as f64, expected);
                if said > SURE {
                    best.push((said, Strip { angle, offset_px, half_px }));
                }
            }
        }
    }
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    let needed = SURE + (trials as f64).ln();
    let found = best.iter().take_while(|(said, _)| *said > needed);
    found.take(MOST_LOOKED_AT).find_map(|(_, strip)| row(field, stars, *strip, needed))
}

/// The bin across a strip's normal that each place is in.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn across((xs, ys): (&[f32], &[f32]), (cos, sin): (f32, f32), middle: f32, out: &mut [i32]) {
    for ((out, x), y) in out.iter_mut().zip(xs).zip(ys) {
        *out = (x * cos + y * sin + middle) as i32;
    }
}

/// The most that two bins beside each other hold.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn most_in_two(counts: &[u32]) -> u32 {
    counts.iter().zip(&counts[1..]).fold(0, |most, (a, b)| most.max(a + b))
}

/// Strips that are looked at closely, at most.
const MOST_LOOKED_AT: usize = 50;

/// The stars of a strip, if they are spread along it; those by far brighter than the others are not of it.
fn row(field: &Field, stars: &[Star], strip: Strip, needed: f64) -> Option<Vec<usize>> {
    let Strip { angle, offset_px, half_px } = strip;
    let (from, to) = field.chord(angle, offset_px)?;
    let part_px = (to - from) / PARTS as f64;
    let mut own = [0.0; PARTS];
    let mut beside = [[0.0; PARTS]; 2];
    let (start, end) = ((2 * GAP - 1) as f64 * half_px, (2 * (GAP + BESIDE) - 1) as f64 * half_px);
    for (_, across, along) in field.turned(angle) {
        let aside = across - offset_px;
        let part = ((along - from) / part_px).clamp(0.0, (PARTS - 1) as f64) as usize;
        if aside.abs() <= half_px {
            own[part] += 1.0;
        } else if (start..end).contains(&aside.abs()) {
            beside[usize::from(aside > 0.0)][part] += 1.0 / BESIDE as f64;
        }
    }
    let even = field.density() * 2.0 * half_px * part_px;
    let says = |i: usize| {
        let expected = beside[0][i].max(beside[1][i]).max(even);
        beyond_chance(own[i], expected).min(MOST_A_PART)
    };
    let said: Vec<f64> = (0..PARTS).map(says).collect();
    if said.iter().sum::<f64>() < needed {
        return None;
    }
    // Where it begins and ends: parts that say something, and those next to them.
    let first = said.iter().position(|s| *s > 1.0)?.saturating_sub(1);
    let last = (said.iter().rposition(|s| *s > 1.0)? + 1).min(PARTS - 1);
    let ends = (from + first as f64 * part_px, from + (last + 1) as f64 * part_px);
    let on = |course: (f64, f64), reach_px: f64| {
        let near = move |&(_, across, along): &(usize, f64, f64)| {
            (across - course.0 - course.1 * along).abs() <= reach_px
                && (ends.0..=ends.1).contains(&along)
        };
        field.turned(angle).filter(near).collect::<Vec<_>>()
    };
    // The angle of a strip is known to its own width at the frame's rim.
    let mut course = (offset_px, 0.0);
    for _ in 0..3 {
        course = straight(&on(course, 1.5 * half_px))?;
    }
    let members: Vec<usize> = on(course, 1.5 * half_px).into_iter().map(|(i, ..)| i).collect();
    if members.len() < FEWEST {
        return None;
    }
    let mut fluxes: Vec<f64> = members.iter().map(|i| stars[*i].flux).collect();
    fluxes.sort_by(f64::total_cmp);
    let bright = fluxes[(fluxes.len() * 9) / 10 - 1].max(median_f64(&fluxes));
    Some(members.into_iter().filter(|i| stars[*i].flux <= BRIGHTER * bright).collect())
}

/// The line through places along a strip: where it lies at 0, and how it climbs.
fn straight(places: &[(usize, f64, f64)]) -> Option<(f64, f64)> {
    let n = places.len() as f64;
    let sum = |of: &dyn Fn(f64, f64) -> f64| places.iter().map(|p| of(p.1, p.2)).sum::<f64>();
    let (x, y) = (sum(&|_, t| t) / n, sum(&|u, _| u) / n);
    let (xx, xy) = (sum(&|_, t| (t - x) * (t - x)), sum(&|u, t| (t - x) * (u - y)));
    (places.len() >= FEWEST && xx > 0.0).then(|| (y - x * xy / xx, xy / xx))
}
