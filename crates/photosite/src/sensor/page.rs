//! The report on a sensor as one page that asks nothing of any other.

use std::fmt::Write;

use super::looks::LOOKS;
use super::measure::{Measure, SensorReport, Series, significant};
use super::plot::plot;
use crate::html::{Page, escaped};

const STYLE: &str = "\
:root{--c0:#1f6feb;--c1:#d9480f;--c2:#2b8a3e;--c3:#862e9c;--c4:#0b7285;--c5:#8a6d00;\
--red:#c92a2a;--green:#2b8a3e;--blue:#1864ab}\
@media(prefers-color-scheme:dark){:root{--c0:#74a9ff;--c1:#ff9f6b;--c2:#7ad68c;--c3:#d59bea;--c4:#66d1e0;\
--c5:#e0c35a;--red:#ff8787;--green:#8ce99a;--blue:#74c0fc}}\
.wide table{min-width:820px}.no td{color:var(--dim)}.no .why{color:var(--bad)}\
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:18px}svg{width:100%}\
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}.grid{stroke:var(--line)}.frame{fill:none;stroke:var(--dim)}\
svg g line,polyline{stroke:var(--k);fill:none;stroke-width:1.5}circle{fill:var(--k)}\
.c0{--k:var(--c0)}.c1{--k:var(--c1)}.c2{--k:var(--c2)}.c3{--k:var(--c3)}.c4{--k:var(--c4)}.c5{--k:var(--c5)}\
.red{--k:var(--red)}.green{--k:var(--green)}.blue{--k:var(--blue)}\
li{overflow-wrap:anywhere}.key span{margin-right:14px;color:var(--k)}td details{color:var(--dim);font-size:13px;margin:0}";

/// The table of the standard: its symbol, the name and unit of ours, what it is.
///
/// # Source
/// EMVA1288.
const EMVA: &[(&str, &str, &str, &str)] = &[
    ("R", "", "DN/p", "responsivity"),
    ("K", "gain", "DN/e-", "system gain"),
    ("1/K", "gain", "e-/DN", "inverse of the system gain"),
    ("&eta;", "", "%", "quantum efficiency"),
    ("&sigma;<sub>y.dark</sub>", "read_noise_adu", "DN", "temporal dark noise"),
    ("&sigma;<sub>d</sub>", "read_noise", "e-", "temporal dark noise"),
    ("&mu;<sub>p.min</sub>", "", "p", "absolute sensitivity threshold in photons"),
    ("&mu;<sub>e.min</sub>", "threshold", "e-", "absolute sensitivity threshold"),
    ("&mu;<sub>p.sat</sub>", "", "p", "saturation capacity in photons"),
    ("&mu;<sub>e.sat</sub>", "saturation", "e-", "saturation capacity"),
    ("SNR<sub>max</sub>", "snr_max", "", "largest signal to noise"),
    ("DR", "dynamic_range", "", "dynamic range"),
    ("LE<sub>min</sub>", "linearity_error_min", "%", "least linearity error"),
    ("LE<sub>max</sub>", "linearity_error_max", "%", "largest linearity error"),
    ("&mu;<sub>I.mean</sub>", "slope of the level", "e-/s", "dark current from the mean"),
    ("&mu;<sub>I.var</sub>", "slope of the noise", "e-/s", "dark current from the variance"),
    ("T<sub>d</sub>", "doubling_temp", "C", "doubling interval of the dark current"),
    ("DSNU", "dsnu", "e-", "dark signal nonuniformity"),
    ("PRNU", "prnu", "%", "photo response nonuniformity"),
];

/// The page.
pub fn page(report: &SensorReport) -> String {
    let camera = report.camera.as_deref().unwrap_or("a camera that its headers do not name");
    let mut page = Page::new(&format!("Sensor: {camera}"));
    page.style(STYLE);
    let mut out = "<p class=\"dim\">".to_owned();
    let set_up: Vec<String> =
        report.set_up.iter().map(|(k, v)| format!("{}: {}", escaped(k), escaped(v))).collect();
    let _ = write!(out, "{}</p>", set_up.join(" &middot; "));
    out.push_str("<p class=\"dim\">Every value with the interval that holds the truth in 95 of 100 cases.</p>");
    if !report.findings.is_empty() {
        out.push_str("<h2>What was found</h2><ul>");
        for f in &report.findings {
            let _ = write!(
                out,
                "<li class=\"{}\"><b>{}</b> {}: {} {}</li>",
                f.severity.name(),
                f.code,
                escaped(&f.subject),
                escaped(&f.message),
                escaped(&f.hint)
            );
        }
        out.push_str("</ul>");
    }
    out.push_str("<h2>Measured</h2>");
    measures(&report.measures, &mut out);
    out.push_str("<h2>Plots</h2><div class=\"plots\">");
    let derived = derived(report);
    for look in LOOKS {
        let series: Vec<&Series> =
            report.series.iter().chain(&derived).filter(|s| s.plot == look.plot).collect();
        let Some(svg) = plot(look, &series) else { continue };
        let _ = write!(
            out,
            "<figure id=\"{}\"><figcaption>{}</figcaption>{svg}",
            look.plot, look.title
        );
        if series.len() > 1 {
            out.push_str("<div class=\"key\">");
            for (i, s) in series.iter().enumerate() {
                let colour = match s.label.as_str() {
                    known @ ("red" | "green" | "blue") => known.to_owned(),
                    _ => format!("c{}", i % 6),
                };
                let _ = write!(out, "<span class=\"{colour}\">{}</span>", escaped(&s.label));
            }
            out.push_str("</div>");
        }
        out.push_str("</figure>");
    }
    out.push_str("</div><h2>EMVA 1288</h2>");
    emva(report, &mut out);
    if !report.missing.is_empty() {
        out.push_str("<h2>Frames that would tell more</h2><ul>");
        for m in &report.missing {
            let _ = write!(out, "<li><b>{}</b>: {}</li>", escaped(&m.measure), escaped(&m.take));
        }
        out.push_str("</ul>");
    }
    page.push(&out);
    page.finish()
}

fn measures(measures: &[Measure], out: &mut String) {
    out.push_str(
        "<div class=\"wide\"><table id=\"measures\"><tr><th>measure</th><th>value</th><th>95 % between</th>\
         <th>unit</th><th>of</th><th>how</th></tr>",
    );
    for m in measures {
        let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), significant);
        let data = |name: &str, v: Option<f64>| {
            v.map_or_else(String::new, |v| format!(" data-{name}=\"{v}\""))
        };
        let mut of: Vec<String> = Vec::new();
        of.extend(m.channel.clone());
        of.extend(m.amplifier.map(|a| format!("amplifier {a}")));
        of.extend(m.temp_c.map(|t| format!("{t:.1} C")));
        of.extend(m.exposure_s.map(|t| format!("{} s", significant(t))));
        let between = match (m.low, m.high) {
            (Some(low), Some(high)) if low < high => {
                format!("{} to {}", significant(low), significant(high))
            }
            _ => String::new(),
        };
        let _ = write!(
            out,
            "<tr class=\"{}\" data-name=\"{}\"{}{}{}><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{between}</td>\
             <td>{}</td><td>{}</td><td>{}",
            if m.valid { "yes" } else { "no" },
            m.name,
            data("value", m.value),
            data("low", m.low),
            data("high", m.high),
            m.name.replace('_', " "),
            number(m.value),
            escaped(&m.unit),
            escaped(&of.join(", ")),
            escaped(&m.method),
        );
        if !m.reason.is_empty() {
            let _ = write!(out, "<br><span class=\"why\">{}</span>", escaped(&m.reason));
        }
        if !m.frames.is_empty() {
            let names: Vec<String> = m.frames.iter().map(|f| escaped(f)).collect();
            let _ = write!(
                out,
                "<details><summary>{} frames</summary>{}</details>",
                m.frames.len(),
                names.join("<br>")
            );
        }
        out.push_str("</td></tr>");
    }
    out.push_str("</table></div>");
}

/// Series that follow from others: accumulated histograms, and signal to noise.
fn derived(report: &SensorReport) -> Vec<Series> {
    let mut out = Vec::new();
    for s in &report.series {
        let Some(of) = s.plot.strip_suffix("_histogram") else { continue };
        if of == "response" {
            out.extend(deviating(s));
            continue;
        }
        let mut above: f64 = s.points.iter().map(|p| p[1]).sum();
        let points = s.points.iter().map(|p| {
            let here = above;
            above -= p[1];
            [p[0], here, 0.0]
        });
        let points = points.collect();
        out.push(Series { plot: format!("{of}_accumulated"), label: s.label.clone(), points });
    }
    let gain = report.measure("gain").and_then(|m| m.value);
    let transfer = report.series.iter().find(|s| s.plot == "photon_transfer");
    if let (Some(gain), Some(transfer)) = (gain, transfer) {
        let measured = transfer.points.iter().map(|p| [p[0] * gain, p[0] / p[1].sqrt(), 0.0]);
        let ideal = transfer.points.iter().map(|p| [p[0] * gain, (p[0] * gain).sqrt(), 0.0]);
        let mut snr = |label: &str, points: Vec<[f64; 3]>| {
            out.push(Series { plot: "snr".to_owned(), label: label.to_owned(), points });
        };
        snr("measured", measured.collect());
        snr("photons alone", ideal.collect());
        if let Some(prnu) = report.measure("prnu").and_then(|m| m.value) {
            // Over the sensor as it is, without a flat: EMVA's total signal to noise.
            let total = |p: &[f64; 3]| (p[1] + (0.01 * prnu * p[0]).powi(2)).sqrt();
            let points = transfer.points.iter().map(|p| [p[0] * gain, p[0] / total(p), 0.0]);
            snr("with nonuniformity", points.collect());
        }
    }
    out
}

/// How many pixels respond less, and more, by a deviation or by a larger one.
fn deviating(histogram: &Series) -> Vec<Series> {
    let side = |label: &str, sign: f64| {
        let mut off: Vec<(f64, f64)> = histogram
            .points
            .iter()
            .map(|p| (100.0 * sign * (p[0] - 1.0), p[1]))
            .filter(|(off, _)| *off > 0.01)
            .collect();
        off.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut beyond = 0.0;
        let points = off.into_iter().map(|(off, n)| {
            beyond += n;
            [off, beyond, 0.0]
        });
        Series {
            plot: "response_accumulated".to_owned(),
            label: label.to_owned(),
            points: points.collect(),
        }
    };
    vec![side("respond less", -1.0), side("respond more", 1.0)]
}

fn emva(report: &SensorReport, out: &mut String) {
    let of = |name: &str, unit: &str| {
        let same = |m: &&Measure| m.name == name && m.unit == unit && m.is_of_all() && m.valid;
        report.measures.iter().find(same).and_then(|m| m.value)
    };
    let dark = |method: &str| {
        let found = report.measures.iter().find(|m| {
            let known = m.valid && m.is_of_all() && m.unit == "e-/s";
            m.name == "dark_current" && known && m.method.starts_with(method)
        });
        found.and_then(|m| m.value)
    };
    let gain = of("gain", "e-/ADU");
    let threshold = of("read_noise", "e-").map(|r| r + 0.5);
    let full = of("saturation", "e-").or(of("full_well", "e-"));
    out.push_str(
        "<p class=\"dim\">By the symbols of the standard, release 4.0 linear; what needs a lamp of known light says n/a. \
         Flats are those of a telescope, not of the standard's bench.</p><div class=\"wide\"><table \
         id=\"emva\"><tr><th>symbol</th><th>value</th><th>unit</th><th>what</th></tr>",
    );
    for (symbol, name, unit, what) in EMVA {
        let value = match *name {
            "" => None,
            "gain" if *symbol == "K" => gain.map(|g| 1.0 / g),
            "gain" => gain,
            "threshold" => threshold,
            "snr_max" => full.map(f64::sqrt),
            "dynamic_range" => full.zip(threshold).map(|(f, t)| f / t),
            "saturation" => full,
            "slope of the level" | "slope of the noise" => dark(name),
            "read_noise_adu" => of(name, "ADU"),
            name => of(name, unit),
        };
        let missing = if name.is_empty() { "n/a" } else { "-" };
        let value = value.map_or_else(|| missing.to_owned(), significant);
        let _ = write!(
            out,
            "<tr><td>{symbol}</td><td class=\"n\">{value}</td><td>{unit}</td><td>{what}</td></tr>"
        );
    }
    out.push_str("</table></div>");
}
