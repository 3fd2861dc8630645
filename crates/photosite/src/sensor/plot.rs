//! Plots of a report on a sensor, as SVG.

use std::fmt::Write;

use super::looks::Look;
use super::measure::Series;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

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
        if self.log && span >= 0.7 {
            // Powers of ten, and between few of them twice and five times as well.
            let step = (span / 5.0).ceil() as i32;
            let between: &[f64] = if span < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let powers = self.low.floor() as i32..=self.high.floor() as i32;
            let powers = powers.filter(|k| k.rem_euclid(step.max(1)) == 0);
            let all = powers.flat_map(|k| between.iter().map(move |b| (*b, k)));
            let inside = all.filter(|(b, k)| {
                let at = b.log10() + f64::from(*k);
                (self.low..=self.high).contains(&at)
            });
            return inside.map(|(b, k)| (b * 10f64.powi(k), power(b, k))).collect();
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

fn power(times: f64, k: i32) -> String {
    match k {
        -3..=-1 => format!("{:.*}", k.unsigned_abs() as usize, times * 10f64.powi(k)),
        0..=4 => format!("{:.0}", times * 10f64.powi(k)),
        _ => format!("{times:.0}e{k}"),
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
