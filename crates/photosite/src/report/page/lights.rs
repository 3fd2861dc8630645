//! The table of lights, and what changed from one to the next.

use std::fmt::Write;

use photosite_pix::stat::median_scatter;

use super::super::{LightReport, LightRow, RunReport, StarsReport};
use super::{name, number, verdict_cell};
use crate::html::{Page, escaped};

/// How far a light may lie from the others of its picture before it is marked, in their scatter.
const OUTLYING: f64 = 4.0;

/// The numbers of lights that may stand out, each with its column.
const COLUMNS: [(&str, Number); 7] = [
    ("stars", |r| Some(r.stars?.count as f64)),
    ("FWHM, px", |r| r.stars?.fwhm_px),
    ("round", |r| r.stars?.roundness),
    ("sky, ADU", |r| Some(r.stars?.background_adu)),
    ("noise, ADU", |r| Some(r.stars?.noise_adu)),
    ("transparency", |r| r.row?.transparency),
    ("weight", |r| r.weight),
];

/// A number of a light.
type Number = fn(&Row<'_>) -> Option<f64>;

struct Row<'a> {
    light: &'a LightReport,
    stars: Option<&'a StarsReport>,
    row: Option<&'a LightRow>,
    weight: Option<f64>,
    picture: Option<usize>,
    residual_px: Option<f64>,
    reference: bool,
}

fn rows(report: &RunReport) -> Vec<Row<'_>> {
    report.lights.iter().map(|light| row(report, light)).collect()
}

fn row<'a>(report: &'a RunReport, light: &'a LightReport) -> Row<'a> {
    let path = &light.path;
    let at = report.stacks.iter().enumerate().find_map(|(n, s)| {
        let i = s.inputs.iter().position(|p| p == path)?;
        Some((n, s.weights.get(i).copied()))
    });
    let registered = report.registration.frames.iter().find(|r| r.path == *path);
    Row {
        light,
        stars: report.stars.iter().find(|s| s.path == *path),
        row: report.table.iter().find(|r| r.path == *path),
        weight: at.and_then(|a| a.1),
        picture: at.map(|a| a.0),
        residual_px: registered.and_then(|r| r.residual_px),
        reference: report.stacks.iter().any(|s| s.reference == *path),
    }
}

/// The table of lights.
pub(super) fn table(report: &RunReport, page: &mut Page) {
    let rows = rows(report);
    if rows.is_empty() {
        return;
    }
    page.push(
        "<h2>Lights</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Lights\">",
    );
    page.push("<table class=\"sort\"><thead><tr><th>light</th><th>verdict</th>");
    for (head, _) in COLUMNS {
        page.push(&format!("<th class=\"n\">{head}</th>"));
    }
    page.push(
        "<th class=\"n\">residual, px</th><th>dark</th><th class=\"n\">of it left, %</th><th>flat</th><th>note</th></tr></thead>\
         <tbody>",
    );
    // Median and scatter of each number over the lights of a picture.
    let usual = |picture: Option<usize>, column: Number| {
        let all: Vec<f64> =
            rows.iter().filter(|r| r.picture == picture).filter_map(column).collect();
        (all.len() > 3).then(|| median_scatter(&all))
    };
    for row in &rows {
        let l = row.light;
        let mut line = format!(
            "<tr><td>{}{}</td>{}",
            name(&l.path),
            if row.reference { " <span class=\"dim\">(reference)</span>" } else { "" },
            verdict_cell(l.verdict)
        );
        for (_, column) in COLUMNS {
            let value = column(row);
            let odd = value
                .zip(usual(row.picture, column))
                .is_some_and(|(v, (m, s))| (v - m).abs() > OUTLYING * s.max(0.02 * m.abs()));
            let class = if odd { "n odd" } else { "n" };
            let _ = write!(line, "<td class=\"{class}\">{}</td>", number(value));
        }
        let factor = match l.dark_scale {
            Some(k) if k != 1.0 => format!(" x {k:.4}"),
            _ => String::new(),
        };
        let left = l.left_of_dark.map_or_else(String::new, |left| {
            format!("{:+.1} &plusmn; {:.1}", 100.0 * left.share, 100.0 * left.error)
        });
        let _ = write!(
            line,
            "<td class=\"n\">{}</td><td>{}{factor}</td><td class=\"n\" data-v=\"{}\">{left}</td><td>{}</td><td>{}</td></tr>",
            number(row.residual_px),
            l.dark.as_deref().map_or_else(String::new, name),
            l.left_of_dark.map_or_else(String::new, |left| left.share.to_string()),
            l.flat.as_deref().map_or_else(String::new, name),
            noted(row),
        );
        page.push(&line);
    }
    page.push("</tbody></table></div>");
}

/// What is to be said of a light in words: what stands out of it, and the patterns of its background.
fn noted(row: &Row<'_>) -> String {
    let told = row.row.into_iter().flat_map(|r| {
        let outliers = r.outliers.iter().map(|o| o.told());
        r.left_out.iter().map(|why| format!("left out: {why}")).chain(outliers)
    });
    let patterns = row.light.patterns.iter();
    let patterns = patterns.map(|p| format!("{} {:.2} ADU", p.code.code(), p.adu));
    let all: Vec<String> = told.chain(patterns).collect();
    escaped(&all.join("; "))
}

/// What changed over the night, light by light.
pub(super) fn plots(report: &RunReport, page: &mut Page) {
    let rows = rows(report);
    let temp = |r: &Row<'_>| {
        let frame = report.frames.iter().find(|f| f.path == r.light.path)?;
        frame.metadata.as_ref()?.temp_c
    };
    let mut curves: Vec<(&str, Vec<Option<f64>>)> = COLUMNS[1..6]
        .iter()
        .map(|(head, column)| (*head, rows.iter().map(column).collect()))
        .collect();
    curves.push(("sensor, C", rows.iter().map(temp).collect()));
    curves.push(("factor of the dark", rows.iter().map(|r| r.light.dark_scale).collect()));
    let shown: Vec<String> =
        curves.iter().filter_map(|(head, values)| curve(head, values)).collect();
    if rows.len() > 2 && !shown.is_empty() {
        page.push("<h2>Over the night</h2><div class=\"plots\">");
        shown.iter().for_each(|svg| page.push(svg));
        page.push("</div>");
    }
}

/// One number of all lights, in their order; `None` where it is known of fewer than three or the same in all.
fn curve(head: &str, values: &[Option<f64>]) -> Option<String> {
    let known: Vec<(usize, f64)> = values
        .iter()
        .enumerate()
        .filter_map(|(i, v)| v.filter(|v| v.is_finite()).map(|v| (i, v)))
        .collect();
    let (low, high) =
        known.iter().fold((f64::MAX, f64::MIN), |(l, h), (_, v)| (l.min(*v), h.max(*v)));
    if known.len() < 3 || low >= high {
        return None;
    }
    let (w, h, left) = (400.0, 140.0, 60.0);
    let x = |i: usize| left + (w - left - 10.0) * i as f64 / (values.len() - 1).max(1) as f64;
    let y = |v: f64| 12.0 + (h - 30.0) * (high - v) / (high - low);
    let mut svg = format!(
        "<figure><figcaption>{head}</figcaption><svg viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{head}, from \
         {} to {} over {} lights\">",
        number(Some(low)),
        number(Some(high)),
        known.len()
    );
    for v in [low, high] {
        let _ = write!(
            svg,
            "<line class=\"l\" x1=\"{left}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/><text x=\"{2}\" y=\"{3:.1}\" \
             text-anchor=\"end\">{4}</text>",
            w - 10.0,
            y(v),
            left - 6.0,
            y(v) + 4.0,
            number(Some(v))
        );
    }
    for (i, v) in &known {
        let _ = write!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>", x(*i), y(*v));
    }
    let _ = write!(svg, "<text x=\"{left}\" y=\"{}\">first light</text></svg></figure>", h - 2.0);
    Some(svg)
}
