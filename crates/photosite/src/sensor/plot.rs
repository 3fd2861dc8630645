//! Plots of a report on a sensor, as SVG.

use std::fmt::Write;

use super::looks::Look;
use super::measure::Series;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;
/// Room beside the frame whatever its labels are.
const LEAST_SIDE: f64 = 14.0;
/// The room that the title of the y axis takes.
const TITLE: f64 = 24.0;
/// Between a label and the frame.
const GAP: f64 = 6.0;
/// Most that a character of a label of 12 px is wide.
const CHARACTER: f64 = 7.2;
/// Half of an interval that holds 95 %, in standard errors.
const BAR: f64 = 1.96;

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

    /// Where a value lies, from 0 to 1: an axis holds every point, and what reaches beyond it ends at its end.
    fn at(&self, v: f64) -> Option<f64> {
        let v = if self.log { v.max(f64::MIN_POSITIVE).log10() } else { v };
        v.is_finite().then(|| ((v - self.low) / (self.high - self.low)).clamp(0.0, 1.0))
    }

    /// Whether a point has a place on it.
    fn shows(&self, v: f64) -> bool {
        v.is_finite() && (!self.log || v > 0.0)
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

fn width_of(label: &str) -> f64 {
    CHARACTER * label.chars().count() as f64
}

/// A number of a power of ten.
fn power(times: f64, k: i32) -> String {
    match k {
        -3..=-1 => format!("{:.*}", k.unsigned_abs() as usize, times * 10f64.powi(k)),
        0..=4 => format!("{:.0}", times * 10f64.powi(k)),
        _ => format!("{times:.0}e{k}"),
    }
}

/// A plot of some series; `None` where there is nothing to be drawn.
///
/// Labels lie inside of the picture, and all that is drawn of the series inside of its frame.
pub fn plot(look: &Look, series: &[&Series]) -> Option<String> {
    let points = || series.iter().flat_map(|s| s.points.iter());
    let x = Axis::over(points().map(|p| p[0]), look.log.0)?;
    // In powers of ten a bar may reach down to nothing: what is below a third of its point is not shown.
    let floor = |v: f64| if look.log.1 { v / 3.0 } else { f64::NEG_INFINITY };
    let bar = |p: &[f64; 3]| [(p[1] - BAR * p[2]).max(floor(p[1])), p[1], p[1] + BAR * p[2]];
    let y = Axis::over(points().flat_map(bar), look.log.1)?;
    let (x_marks, y_marks) = (x.marks(), y.marks());
    let widest = |marks: &[(f64, String)]| marks.iter().map(|m| width_of(&m.1)).fold(0.0, f64::max);
    let side = LEAST_SIDE.max(0.5 * widest(&x_marks));
    let left = side.max(TITLE + widest(&y_marks) + GAP);
    let (right, bottom) = (WIDTH - side, HEIGHT - BOTTOM);
    let px = |v: f64| Some(left + x.at(v)? * (right - left));
    let py = |v: f64| Some(bottom - y.at(v)? * (bottom - TOP));
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        look.title
    );
    for (v, label) in x_marks {
        let Some(at) = px(v) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 16.0
        );
    }
    for (v, label) in y_marks {
        let Some(at) = py(v) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            left - GAP,
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
        let shown = || s.points.iter().filter(|p| x.shows(p[0]) && y.shows(p[1]));
        if look.joined {
            let line: Vec<String> = shown()
                .filter_map(|p| Some(format!("{:.1},{:.1}", px(p[0])?, py(p[1])?)))
                .collect();
            let _ = write!(out, "<polyline points=\"{}\"/>", line.join(" "));
        }
        if !look.joined || s.points.len() <= 40 {
            for p in shown() {
                let (Some(at), Some(level)) = (px(p[0]), py(p[1])) else { continue };
                if let (Some(low), Some(high)) = (py(p[1] - BAR * p[2]), py(p[1] + BAR * p[2]))
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
        "<rect class=\"frame\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"/>\
         <text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text></svg>",
        right - left,
        bottom - TOP,
        0.5 * (left + right),
        HEIGHT - 8.0,
        look.x,
        0.5 * (TOP + bottom),
        look.y
    );
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that follow a mark of an attribute.
    fn numbers(svg: &str, mark: &str) -> Vec<f64> {
        let after = svg.split(mark).skip(1);
        after.map(|rest| rest[..rest.find('"').unwrap()].parse().unwrap()).collect()
    }

    #[test]
    fn bars_stay_in_the_frame_and_labels_in_the_picture() {
        let cases: [(&[[f64; 3]], bool); 4] = [
            (&[[0.0, 1.0, 0.1], [300.0, 2.0, 1e4]], false),
            (&[[-20.0, 3.0, 2.9], [12_345.0, 4e6, 1.0]], false),
            (&[[1.0, 2.0, 5.0], [1e5, 3e4, 1.0]], true),
            (&[[0.999_995, 1e-7, 0.0], [1.000_005, 2e-7, 1e-6]], true),
        ];
        for (points, log) in cases {
            let look =
                Look { plot: "p", title: "t", x: "x", y: "y", log: (false, log), joined: true };
            let label = String::new();
            let series = Series { plot: "p".to_owned(), label, points: points.to_vec() };
            let svg = plot(&look, &[&series]).unwrap();
            let (frame, drawn) = (svg.find("class=\"frame\"").unwrap(), svg.find("<g").unwrap());
            let of = |mark: &str| numbers(&svg[frame..], mark)[0];
            let (left, top) = (of(" x=\""), of(" y=\""));
            let (right, bottom) = (left + of(" width=\""), top + of(" height=\""));
            let data = &svg[drawn..frame];
            let inside = |v: &f64, from: f64, to: f64| (from - 0.06..=to + 0.06).contains(v);
            for mark in [" x1=\"", " x2=\"", " cx=\""] {
                assert!(numbers(data, mark).iter().all(|v| inside(v, left, right)), "{data}");
            }
            for mark in [" y1=\"", " y2=\"", " cy=\""] {
                assert!(numbers(data, mark).iter().all(|v| inside(v, top, bottom)), "{data}");
            }
            // Bars are drawn, though they reach below nothing.
            assert_eq!(data.matches("<line").count(), points.iter().filter(|p| p[2] > 0.0).count());
            for text in svg[..drawn].split("<text x=\"").skip(1) {
                let at: f64 = text[..text.find('"').unwrap()].parse().unwrap();
                let label = &text[text.find('>').unwrap() + 1..text.find('<').unwrap()];
                let (before, after) = match text.contains("\"middle\"") {
                    true => (0.5 * width_of(label), 0.5 * width_of(label)),
                    false => (width_of(label), 0.0),
                };
                assert!(at - before >= 0.0 && at + after <= WIDTH, "{label} at {at}");
            }
        }
    }
}
