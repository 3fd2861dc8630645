//! Biases: level, read noise, what rows and columns share, pixels that jump.

use photosite_pix::FrameKind;

use super::campaign::Campaign;
use super::estimate::{Estimate, line, scatter_interval};
use super::grid::Parts;
use super::measure::{Measure, Series};
use super::pixels::{FEW_FRAMES, PixelCounts};
use super::set::{CLIPPED, FrameSet};

/// Why noise tells nothing where the converter's numbers are too coarse for it.
pub(super) const HIDDEN: &str =
    "less than half the step between the converter's numbers hides it: a higher gain setting tells";

const PAIRS: &str = "differences of pairs of biases";

/// Read noise in ADU of one frame.
pub fn read_noise_adu(campaign: &Campaign) -> Option<Estimate> {
    let parts = campaign.noise_parts(campaign.biases(), None, |_| true);
    let of = |without| {
        let [sum, n] = parts.without(without);
        (sum / n).sqrt()
    };
    Estimate::of_parts(campaign.grid.parts(), of)
}

/// Measures what biases tell; `gain` in electrons per ADU where it is known.
pub fn bias(campaign: &Campaign, gain: Option<Estimate>) -> (Vec<Measure>, Vec<Series>) {
    let (mut out, mut series) = (Vec::new(), Vec::new());
    let sets = campaign.biases();
    let names: Vec<String> = sets.iter().flat_map(|s| s.names()).collect();
    for set in &sets {
        out.extend(level(set));
    }
    match read_noise_adu(campaign) {
        None => out.push(Measure::none("read_noise", "e-", PAIRS, "two biases are needed")),
        Some(adu) => {
            let hidden = campaign.hides(adu.value * adu.value);
            let clipped = sets.iter().any(|s| s.share_at_ends() > CLIPPED);
            let limited = |m: Measure| match (hidden, clipped) {
                (true, _) => m.invalid(HIDDEN),
                (_, true) => m.invalid("pixels clip at an end of the converter's range"),
                _ => m,
            };
            let electrons = gain.map(|g| adu.product(g));
            if let Some(e) = electrons {
                let measure = Measure::known("read_noise", e, "e-", PAIRS).from(names.clone());
                out.push(limited(measure));
            }
            let measure = Measure::known("read_noise_adu", adu, "ADU", PAIRS).from(names.clone());
            out.push(limited(measure));
            if electrons.is_none() {
                let why = "the gain is not known: two flats of one exposure tell it";
                out.push(Measure::none("read_noise", "e-", PAIRS, why));
            }
        }
    }
    out.push(under_light(campaign));
    out.extend(line_noise(&sets, gain));
    out.extend(pattern(campaign, &sets));
    let most = campaign
        .sets
        .iter()
        .filter(|s| s.kind != FrameKind::Flat && s.pixels.is_some())
        .max_by_key(|s| (s.frames.len(), s.kind == FrameKind::Bias));
    match most.and_then(|s| Some((s, s.pixels.as_ref()?))) {
        Some((set, pixels)) => {
            out.push(telegraph(set, pixels));
            if set.kind == FrameKind::Bias {
                out.push(noisy(set, pixels));
                series.push(noise_histogram(pixels));
            }
        }
        None => {
            let why = format!("{FEW_FRAMES} biases or darks of one exposure are needed");
            out.push(Measure::none("telegraph_share", "share", TELEGRAPH, &why));
        }
    }
    (out, series)
}

/// The level of a set of biases, its scatter from frame to frame, and the overscan's.
fn level(set: &FrameSet) -> Vec<Measure> {
    let levels = set.frame_levels(|_| true);
    if levels.is_empty() {
        return Vec::new();
    }
    let raw: Vec<f64> = levels.iter().map(|(i, v)| v + set.frames[*i].overscan_adu).collect();
    let n = raw.len() as f64;
    let mean = raw.iter().sum::<f64>() / n;
    let sd = (raw.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    let estimate = Estimate { value: mean, error: sd / n.sqrt(), freedom: (n - 1.0).max(1.0) };
    let at = |m: Measure| m.at(set.temp_c, Some(set.exposure_s)).from(set.names());
    let mut out =
        vec![at(Measure::of("bias_level", estimate, "ADU", "mean of biases, hot pixels left out"))];
    if n >= 3.0 {
        let (low, high) = scatter_interval(sd, n - 1.0);
        let method = "standard deviation of the levels of biases";
        let known = Estimate::known(sd, 0.0);
        out.push(at(Measure::of("bias_stability", known, "ADU", method).within(low, high)));
    }
    let over: Vec<f64> = set.frames.iter().map(|f| f.overscan_adu).filter(|v| *v != 0.0).collect();
    if over.len() >= 2 {
        let m = over.len() as f64;
        let mean = over.iter().sum::<f64>() / m;
        let sd = (over.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (m - 1.0)).sqrt();
        let level = Estimate { value: mean, error: sd / m.sqrt(), freedom: m - 1.0 };
        out.push(at(Measure::of("overscan_level", level, "ADU", "mean of the overscan")));
        let (low, high) = scatter_interval(sd, m - 1.0);
        let method = "standard deviation of the overscan from frame to frame";
        let known = Estimate::known(sd, 0.0);
        out.push(at(Measure::of("overscan_scatter", known, "ADU", method).within(low, high)));
    }
    out
}

/// Whether the read noise changes under light, by the overscan of flats.
fn under_light(campaign: &Campaign) -> Measure {
    const METHOD: &str = "scatter of the overscan of flats against their level";
    let none = |why: &str| Measure::none("read_noise_under_light", "%", METHOD, why);
    let mut points = Vec::new();
    let mut names = Vec::new();
    for set in campaign.of(FrameKind::Flat) {
        for (i, level) in set.frame_levels(|_| true) {
            let frame = &set.frames[i];
            // Fractions of the noise: lines of equal weights, errors as the points scatter.
            points.extend(frame.overscan_scatter_adu.map(|s| (level, s, 1e-3 * s)));
            names.push(frame.name.clone());
        }
    }
    let brightest = points.iter().map(|p| p.0).fold(0.0, f64::max);
    let fit = (points.len() >= 4).then(|| line(&points)).flatten();
    let Some(fit) = fit.filter(|f| f.at_zero.value > 0.0) else {
        return none("four flats of several levels, each with an overscan, are needed");
    };
    let growth = fit.slope.times(100.0 * brightest / fit.at_zero.value);
    let measure = Measure::of("read_noise_under_light", growth, "%", METHOD).from(names);
    let told = growth.low() > 0.0 || growth.high() < 0.0;
    if told { measure } else { measure.but("not told from zero") }
}

/// Noise that whole rows and columns share.
fn line_noise(sets: &[&FrameSet], gain: Option<Estimate>) -> Vec<Measure> {
    let lines: Vec<_> = sets.iter().flat_map(|s| s.lines.iter()).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = sets.iter().flat_map(|s| s.names()).collect();
    let n = lines.len() as f64;
    let one = |name: &str, extra: &dyn Fn(&super::set::LineNoise) -> [f64; 3], method: &str| {
        let sums = lines.iter().fold([0.0; 3], |s, l| {
            let v = extra(l);
            [s[0] + v[0], s[1] + v[1], s[2] + v[2]]
        });
        let [variance, white, count] = sums.map(|v| v / n);
        // Halves of squared differences know a variance to sqrt(3 / count).
        let error = (variance.max(0.0) + white) * (3.0 / (count * n)).sqrt();
        let (factor, unit) = gain.map_or((1.0, "ADU"), |g| (g.value, "e-"));
        let variance = Estimate::known(variance, error);
        Measure::root_of(name, variance, factor, unit, method).from(names.clone())
    };
    vec![
        one(
            "row_noise",
            &|l| [l.rows, l.white_rows, l.row_count],
            "scatter of row means of differences of biases beyond white noise",
        ),
        one(
            "column_noise",
            &|l| [l.columns, l.white_columns, l.column_count],
            "scatter of column means of differences of biases beyond white noise",
        ),
    ]
}

/// What is fixed from pixel to pixel in biases.
fn pattern(campaign: &Campaign, sets: &[&FrameSet]) -> Option<Measure> {
    let lanes = campaign.grid.lanes.len();
    let parts = Parts::of(&campaign.grid, None, |block, lane| {
        let mut sums = [0.0; 2];
        for cell in sets.iter().flat_map(|s| s.noise_pairs()).map(|p| p.cells[block * lanes + lane])
        {
            sums[0] += cell.neighbours * cell.pattern;
            sums[1] += cell.neighbours;
        }
        Some(sums)
    });
    if parts.without(None)[1] == 0.0 {
        return None;
    }
    let of = |without| {
        let [sum, n] = parts.without(without);
        sum / n
    };
    let found = Estimate::of_parts(campaign.grid.parts(), of)?;
    let method = "covariance of neighbours' differences in two biases";
    let names = sets.iter().flat_map(|s| s.names());
    Some(Measure::root_of("fixed_pattern", found, 1.0, "ADU", method).from(names))
}

const TELEGRAPH: &str = "pixels whose samples part into two levels, both of which come back";

fn telegraph(set: &FrameSet, pixels: &PixelCounts) -> Measure {
    let measure = share("telegraph_share", pixels.telegraph, pixels.all, TELEGRAPH);
    measure.at(set.temp_c, Some(set.exposure_s)).from(set.names())
}

/// Pixels with more than twice the typical noise.
fn noisy(set: &FrameSet, pixels: &PixelCounts) -> Measure {
    let half = pixels.all / 2;
    let mut below = 0;
    let typical = pixels.noise.iter().position(|n| {
        below += n;
        below >= half
    });
    let from = typical.unwrap_or(0) + 9;
    let count = pixels.noise.iter().skip(from).sum();
    let method = "pixels with more than twice the typical noise over the biases";
    share("noisy_pixels", count, pixels.all, method)
        .at(set.temp_c, Some(set.exposure_s))
        .from(set.names())
}

/// A share of pixels with its interval.
///
/// # Source
/// Wilson1927.
pub fn share(name: &str, count: u64, all: u64, method: &str) -> Measure {
    let (count, n, z) = (count as f64, all.max(1) as f64, 1.96f64);
    let p = count / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let measure = Measure::of(name, Estimate::known(p, 0.0), "share", method);
    measure.within((middle - half).max(0.0), middle + half)
}

fn noise_histogram(pixels: &PixelCounts) -> Series {
    let points = pixels.noise.iter().enumerate().filter(|(_, n)| **n > 0);
    Series {
        plot: "read_noise_histogram".to_owned(),
        label: "pixels".to_owned(),
        points: points.map(|(i, n)| [PixelCounts::noise_adu(i), *n as f64, 0.0]).collect(),
    }
}
