//! Plots of a report on a sensor, as SVG.

use std::fmt::Write;

use super::measure::Series;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// What a plot is of, and how it is drawn.
pub struct Look {
    /// The name by which series belong to it.
    pub plot: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What its x axis shows.
    pub x: &'static str,
    /// What its y axis shows.
    pub y: &'static str,
    /// The axes run in powers of ten.
    pub log: (bool, bool),
    /// Points are joined.
    pub joined: bool,
}

const fn look(
    plot: &'static str,
    title: &'static str,
    (x, y): (&'static str, &'static str),
    log: (bool, bool),
    joined: bool,
) -> Look {
    Look { plot, title, x, y, log, joined }
}

/// The plots, in the order of a page.
pub const LOOKS: &[Look] = &[
    look(
        "photon_transfer",
        "Photon transfer",
        ("signal above bias, ADU", "noise variance, ADU\u{b2}"),
        (true, true),
        false,
    ),
    look("snr", "Signal to noise", ("signal, e-", "signal to noise"), (true, true), true),
    look("linearity", "Linearity", ("exposure, s", "signal above bias, ADU"), (false, false), true),
    look(
        "linearity_residual",
        "Deviation from linearity",
        ("signal above bias, ADU", "deviation, %"),
        (false, false),
        true,
    ),
    look(
        "dark_level",
        "Dark level",
        ("exposure, s", "level above bias, ADU"),
        (false, false),
        true,
    ),
    look(
        "dark_noise",
        "Noise of darks",
        ("exposure, s", "noise variance, ADU\u{b2}"),
        (false, false),
        true,
    ),
    look(
        "arrhenius",
        "Dark current against temperature",
        ("temperature, C", "dark current, ADU/s or ADU\u{b2}/s"),
        (false, true),
        true,
    ),
    look(
        "dark_histogram",
        "Dark current of pixels",
        ("dark current above the block's median, ADU/s", "pixels"),
        (false, true),
        true,
    ),
    look(
        "dark_accumulated",
        "Dark current of pixels, accumulated",
        ("dark current above the block's median, ADU/s", "pixels above"),
        (false, true),
        true,
    ),
    look(
        "read_noise_histogram",
        "Read noise of pixels",
        ("noise over the biases, ADU", "pixels"),
        (true, true),
        true,
    ),
    look(
        "read_noise_accumulated",
        "Read noise of pixels, accumulated",
        ("noise over the biases, ADU", "pixels above"),
        (true, true),
        true,
    ),
    look(
        "tones",
        "Periodic patterns",
        ("cycles a pixel along x", "amplitude"),
        (false, false),
        false,
    ),
];

/// An axis: from where to where, and its marks.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, log: bool) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values.filter(|v| v.is_finite() && (!log || *v > 0.0)) {
            let v = if log { v.log10() } else { v };
            (low, high) = (low.min(v), high.max(v));
        }
        if low > high {
            return None;
        }
        let room = if high > low { 0.06 * (high - low) } else { 0.5 * high.abs().max(1.0) };
        Some(Self { low: low - room, high: high + room, log })
    }

    /// Where a value lies, from 0 to 1.
    fn at(&self, v: f64) -> Option<f64> {
        if self.log && v <= 0.0 {
            return None;
        }
        let v = if self.log { v.log10() } else { v };
        v.is_finite().then(|| (v - self.low) / (self.high - self.low))
    }

    fn marks(&self) -> Vec<(f64, String)> {
        let span = self.high - self.low;
        if self.log && span >= 1.5 {
            let step = (span / 6.0).ceil() as i32;
            return (self.low.ceil() as i32..=self.high.floor() as i32)
                .filter(|k| k.rem_euclid(step.max(1)) == 0)
                .map(|k| (10f64.powi(k), power(k)))
                .collect();
        }
        let unit = if self.log {
            (10f64.powf(self.low), 10f64.powf(self.high))
        } else {
            (self.low, self.high)
        };
        let rough = (unit.1 - unit.0) / 5.0;
        let size = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|s| s * size)
            .find(|s| *s >= rough)
            .unwrap_or(size);
        let first = (unit.0 / step).ceil() as i64;
        let last = (unit.1 / step).floor() as i64;
        let digits = (-step.log10().floor()).max(0.0) as usize;
        (first..=last).map(|k| (k as f64 * step, format!("{:.digits$}", k as f64 * step))).collect()
    }
}

fn power(k: i32) -> String {
    match k {
        -2..=4 => format!("{}", 10f64.powi(k)),
        _ => format!("1e{k}"),
    }
}

/// A plot of some series; `None` where there is nothing to be drawn.
pub fn plot(look: &Look, series: &[&Series]) -> Option<String> {
    let points = || series.iter().flat_map(|s| s.points.iter());
    let x = Axis::over(points().map(|p| p[0]), look.log.0)?;
    let y = Axis::over(points().flat_map(|p| [p[1] - p[2], p[1] + p[2], p[1]]), look.log.1)?;
    let px = |v: f64| Some(LEFT + x.at(v)? * (WIDTH - LEFT - RIGHT));
    let py = |v: f64| Some(HEIGHT - BOTTOM - y.at(v)?.clamp(-0.1, 1.1) * (HEIGHT - TOP - BOTTOM));
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        look.title
    );
    let bottom = HEIGHT - BOTTOM;
    for (v, label) in x.marks() {
        let Some(at) = px(v) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 16.0
        );
    }
    for (v, label) in y.marks() {
        let Some(at) = py(v) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (i, s) in series.iter().enumerate() {
        let colour = match s.label.as_str() {
            "red" => "red".to_owned(),
            "green" => "green".to_owned(),
            "blue" => "blue".to_owned(),
            _ => format!("c{}", i % 6),
        };
        let _ = write!(out, "<g class=\"{colour}\">");
        if look.joined {
            let line: Vec<String> = s
                .points
                .iter()
                .filter_map(|p| Some(format!("{:.1},{:.1}", px(p[0])?, py(p[1])?)))
                .collect();
            let _ = write!(out, "<polyline points=\"{}\"/>", line.join(" "));
        }
        if !look.joined || s.points.len() <= 40 {
            for p in &s.points {
                let (Some(at), Some(level)) = (px(p[0]), py(p[1])) else { continue };
                if let (Some(low), Some(high)) = (py(p[1] - 1.96 * p[2]), py(p[1] + 1.96 * p[2]))
                    && p[2] > 0.0
                {
                    let _ = write!(
                        out,
                        "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{low:.1}\" y2=\"{high:.1}\"/>"
                    );
                }
                let _ = write!(out, "<circle cx=\"{at:.1}\" cy=\"{level:.1}\" r=\"3\"/>");
            }
        }
        out.push_str("</g>");
    }
    let _ = write!(
        out,
        "<rect class=\"frame\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text></svg>",
        WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM,
        0.5 * (LEFT + WIDTH - RIGHT),
        HEIGHT - 8.0,
        look.x,
        0.5 * (TOP + bottom),
        look.y
    );
    Some(out)
}
