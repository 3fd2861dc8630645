//! The masters: their numbers, and what they look like.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::super::RunReport;
use super::{Pictures, name, number, verdict_cell};
use crate::finding::Finding;
use crate::html::{Page, escaped};

/// The table of masters, and what each looks like.
pub(super) fn show(report: &RunReport, pictures: &Pictures, page: &mut Page) {
    if report.masters.is_empty() {
        return;
    }
    page.push(
        "<h2>Masters</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Masters\"><table \
         class=\"sort\"><thead><tr><th>master</th><th>verdict</th><th class=\"n\">frames</th><th>combined</th><th class=\"n\">median\
         </th><th class=\"n\">noise</th><th class=\"n\">rejected low</th><th class=\"n\">high</th><th \
         class=\"n\">hot</th><th class=\"n\">cold</th><th class=\"n\">noise, of predicted</th></tr></thead><tbody>",
    );
    for m in &report.masters {
        let stat = |f: fn(&photosite_pix::stat::Summary) -> f64| number(m.stats.as_ref().map(f));
        let noise = m.noise.as_ref().map(|n| n.scatter_adu / n.model_adu);
        page.push(&format!(
            "<tr><td>{}</td>{}<td class=\"n\">{}</td><td>{}, {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}\
             </td></tr>",
            name(&m.path),
            verdict_cell(m.verdict),
            m.frames,
            escaped(&m.combine),
            escaped(&m.reject),
            stat(|s| s.median),
            stat(|s| s.noise),
            m.rejected_low,
            m.rejected_high,
            m.hot,
            m.cold,
            number(noise)
        ));
    }
    page.push("</tbody></table></div>");
    page.push("<div class=\"masters\">");
    for (master, shown) in report.masters.iter().zip(&pictures.masters) {
        let Some(shown) = shown else { continue };
        page.push(&format!(
            "<figure><figcaption>{}</figcaption><img src=\"data:image/png;base64,{}\" alt=\"{} {}\">{}{}{}</figure>",
            name(&master.path),
            shown.picture,
            if shown.response.is_some() { "Response of" } else { "The" },
            master.kind,
            shown.histogram.svg(),
            shown.response.map_or_else(String::new, |[low, high]| format!(
                "<p class=\"dim\">Blue is below the mean, red above it; {:.2} % of pixels respond by less than 0.9 of \
                 it, {:.2} % by more than 1.1.</p>",
                100.0 * low,
                100.0 * high
            )),
            found_of(report, &master.path)
        ));
    }
    for map in &pictures.maps {
        page.push(&format!(
            "<figure><figcaption>{}</figcaption><img src=\"data:image/png;base64,{}\" alt=\"Map of defects\"><p \
             class=\"dim\">Hot red, warm brown, cold blue, unstable green, bent magenta, without data white.</p>{}</figure>",
            name(&map.path),
            map.picture,
            found_of(report, &map.path)
        ));
    }
    page.push("</div>");
}

/// What was found of a file: that it is not as its predecessor was, for one.
fn found_of(report: &RunReport, path: &Path) -> String {
    let of_it = |f: &&Finding| Path::new(&f.subject) == path;
    report.findings.iter().filter(of_it).fold(String::new(), |mut out, f| {
        let _ = write!(out, "<p>{}</p>", escaped(&f.message));
        out
    })
}

/// What a defect map looks like.
#[derive(Debug, Clone)]
pub struct MapPicture {
    /// The map.
    pub path: PathBuf,
    /// As PNG in base 64.
    pub picture: String,
}

/// What a master looks like.
#[derive(Debug, Clone)]
pub struct MasterPicture {
    /// As PNG in base 64.
    pub picture: String,
    /// Its samples.
    pub histogram: Histogram,
    /// Of a flat: the shares of pixels that respond by less than 0.9 and by more than 1.1 of the mean.
    pub response: Option<[f64; 2]>,
}

/// How many samples lie in each of equal steps.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// The lowest and the highest value shown.
    pub range: [f64; 2],
    /// Samples, step by step.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Of all but a thousandth of samples at each end; NaN left out.
    pub fn of(samples: &[f32]) -> Self {
        const STEPS: usize = 120;
        // More samples look no different.
        let every = (samples.len() / 1_000_000).max(1);
        let some = || samples.iter().step_by(every).copied().filter(|v| v.is_finite());
        let mut sorted: Vec<f32> = some().collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| {
            let place = (share * sorted.len() as f64) as usize;
            f64::from(sorted.get(place).or(sorted.last()).copied().unwrap_or(0.0))
        };
        let (low, high) = (at(0.001), at(0.999));
        let mut counts = vec![0u64; STEPS];
        if high > low {
            for v in some() {
                let place = (f64::from(v) - low) / (high - low) * STEPS as f64;
                if (0.0..STEPS as f64).contains(&place) {
                    counts[place as usize] += 1;
                }
            }
        }
        Self { range: [low, high], counts }
    }

    /// As a picture, counts by their logarithms.
    fn svg(&self) -> String {
        let (w, h) = (300.0, 90.0);
        let scaled = |n: u64| ((n + 1) as f64).ln();
        let most = self.counts.iter().copied().map(scaled).fold(f64::MIN_POSITIVE, f64::max);
        let step = w / self.counts.len().max(1) as f64;
        let mut path = format!("M0 {h}");
        for (i, n) in self.counts.iter().enumerate() {
            let y = h - h * scaled(*n) / most;
            let _ = write!(path, "V{y:.1}H{:.1}", step * (i + 1) as f64);
        }
        let [low, high] = self.range.map(|v| number(Some(v)));
        format!(
            "<svg viewBox=\"0 0 {w} {}\" role=\"img\" aria-label=\"Histogram from {low} to {high}, counts by their \
             logarithms\"><path class=\"fill\" d=\"{path}V{h}Z\"/><text x=\"0\" y=\"{}\">{low}</text><text \
             x=\"{w}\" y=\"{}\" text-anchor=\"end\">{high}</text></svg>",
            h + 18.0,
            h + 15.0,
            h + 15.0
        )
    }
}
