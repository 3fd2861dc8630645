//! The account of a run as a page for people.

use std::fmt::Write;
use std::path::Path;

use photosite_pix::stat::median_scatter;

use super::{LightReport, RunReport, StackReport, StarsReport};
use crate::diagnose::Verdict;
use crate::finding::{Finding, Severity};
use crate::html::{Page, data_block, escaped};

/// Pictures of one stack, as PNG in base 64.
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    /// One of its lights, raw.
    pub raw: Option<String>,
    /// The stack.
    pub stack: Option<String>,
}

/// How far a light may lie from the others of its picture before it is marked, in their scatter.
const OUTLYING: f64 = 4.0;

const STYLE: &str = "\
.cards{display:flex;flex-wrap:wrap;gap:10px;margin:14px 0}.card{background:var(--soft);border-radius:8px;\
padding:10px 16px;min-width:120px}.card b{display:block;font-size:1.6em}\
.compare{position:relative;background:#000;border-radius:6px;overflow:hidden;max-width:1000px}\
.compare img{width:100%}.compare img+img{position:absolute;inset:0;height:100%;clip-path:inset(0 0 0 var(--at,50%))}\
.compare.raw img+img{visibility:hidden}.turn{display:flex;gap:12px;align-items:center;max-width:1000px;margin-top:6px}\
.turn input{flex:1}.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:16px}\
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}svg .l{stroke:var(--line)}svg circle{fill:var(--mark)}\
th button{all:unset;cursor:pointer;text-decoration:underline dotted}th button:focus-visible{outline:2px solid var(--mark)}\
.budget{max-width:640px}.budget svg .bar{fill:var(--mark)}.budget th{text-align:left;font-weight:400}td.odd{background:var(--soft);font-weight:600}";

/// Sorting of tables, comparison of pictures; without it both pictures are shown half and half.
const SCRIPT: &str = "\
document.querySelectorAll('.turn').forEach(t=>{const c=t.previousElementSibling,s=t.querySelector('input'),\
b=t.querySelector('button');s.oninput=()=>c.style.setProperty('--at',s.value+'%');\
c.onpointermove=e=>{const r=c.getBoundingClientRect();s.value=100*(e.clientX-r.left)/r.width;s.oninput()};\
b.onclick=()=>{const raw=c.classList.toggle('raw');b.setAttribute('aria-pressed',raw);s.value=raw?s.value:0;s.oninput()};\
t.hidden=false});\
document.querySelectorAll('table.sort').forEach(t=>{const rows=()=>[...t.tBodies[0].rows];\
[...t.tHead.rows[0].cells].forEach((h,i)=>{const b=document.createElement('button');b.textContent=h.textContent;\
h.replaceChildren(b);let up=1;b.onclick=()=>{const v=r=>r.cells[i].dataset.v??r.cells[i].textContent;\
rows().sort((x,y)=>{const a=v(x),c=v(y);return up*(a!==''&&c!==''&&!isNaN(a)&&!isNaN(c)?a-c:a.localeCompare(c))})\
.forEach(r=>t.tBodies[0].append(r));up=-up;[...t.tHead.rows[0].cells].forEach(o=>o.removeAttribute('aria-sort'));\
h.setAttribute('aria-sort',up<0?'ascending':'descending')}})});";

/// The page of a run; `pictures` are those of its stacks, in their order.
pub fn page(report: &RunReport, pictures: &[Pictures]) -> String {
    let mut page = Page::new(&title(report));
    page.style(STYLE);
    verdict(report, &mut page);
    for (i, stack) in report.stacks.iter().enumerate() {
        picture(stack, pictures.get(i).unwrap_or(&Pictures::default()), &mut page);
        budget(stack, report, &mut page);
    }
    lights(report, &mut page);
    plots(report, &mut page);
    masters(report, &mut page);
    findings(report, &mut page);
    made_by(report, &mut page);
    if let Ok(json) = serde_json::to_string(report) {
        page.push(&data_block("run", &json));
    }
    page.push(&format!("<script>{SCRIPT}</script>"));
    page.finish()
}

/// Where the noise of one light of a stack comes from: as bars, and what better masters would buy.
fn budget(stack: &StackReport, report: &RunReport, page: &mut Page) {
    let of = |path: &Path| report.lights.iter().find(|l| l.path == path)?.noise_budget;
    let shown = of(&stack.reference).or_else(|| stack.inputs.iter().find_map(|p| of(p)));
    let Some(b) = shown else { return };
    let parts = [
        ("read-out", b.read_adu),
        ("dark current", b.dark_adu),
        ("sky", b.sky_adu),
        ("master bias", b.bias_master_adu),
        ("master dark", b.dark_master_adu),
        ("master flat", b.flat_master_adu),
    ];
    let most = parts.iter().map(|p| p.1).fold(b.measured_adu, f64::max).max(f64::MIN_POSITIVE);
    page.push("<h3>Noise of one light</h3><table class=\"budget\"><tbody>");
    let whole = [("all together, predicted", b.predicted_adu), ("measured", b.measured_adu)];
    for (name, adu) in parts.into_iter().filter(|p| p.1 > 0.0).chain(whole) {
        page.push(&format!(
            "<tr><th scope=\"row\">{name}</th><td>{} ADU</td><td><svg width=\"200\" height=\"12\" \
             aria-hidden=\"true\"><rect class=\"bar\" width=\"{:.1}\" height=\"12\"/></svg></td></tr>",
            number(Some(adu)),
            200.0 * adu / most
        ));
    }
    page.push("</tbody></table>");
    let bought: Vec<String> = parts[3..]
        .iter()
        .filter(|p| p.1 > 0.0)
        .map(|(name, adu)| format!("a perfect {name} would buy {:.1} %", 100.0 * b.bought_by(*adu)))
        .collect();
    if !bought.is_empty() {
        let lights = stack.inputs.len().max(1) as f64;
        let more = 1.0 - (lights / (2.0 * lights)).sqrt();
        page.push(&format!(
            "<p class=\"dim\">In a light {}; in the stack twice as many lights buy {:.0} %.</p>",
            bought.join(", "),
            100.0 * more
        ));
    }
}

fn title(report: &RunReport) -> String {
    let mut objects: Vec<&str> = report.stacks.iter().filter_map(|s| s.object.as_deref()).collect();
    objects.dedup();
    match objects.len() {
        0 => "A night, calibrated".to_owned(),
        1..=3 => format!("{}, calibrated", objects.join(", ")),
        n => format!("{} and {} more, calibrated", objects[0], n - 1),
    }
}

fn card(name: &str, value: impl std::fmt::Display, class: &str) -> String {
    format!("<div class=\"card\"><b class=\"{class}\">{value}</b>{name}</div>")
}

/// What is good, what is not, what to do next.
fn verdict(report: &RunReport, page: &mut Page) {
    let of = |v: Verdict| report.lights.iter().filter(|l| l.verdict == Some(v)).count();
    let worst = |s: Severity| report.findings.iter().filter(|f| f.severity == s).count();
    let (wrong, usable) = (of(Verdict::Wrong), of(Verdict::Usable));
    let said = match (worst(Severity::Error), wrong, usable, worst(Severity::Warning)) {
        (0, 0, 0, 0) => "Nothing is wrong with this night.".to_owned(),
        (0, 0, 0, w) => {
            let want = if w == 1 { "wants" } else { "want" };
            format!(
                "Every light that could be judged is good; {} {want} a look.",
                count(w, "thing")
            )
        }
        (0, 0, u, _) => format!("{} could be better.", count(u, "light")),
        (0, n, _, _) => format!("{} not calibrated right.", are(n, "light")),
        (e, _, _, _) => format!("{} left something out; read on.", count(e, "error")),
    };
    page.push(&format!("<p>{said}</p><div class=\"cards\">"));
    let pictures = report.stacks.len();
    page.push(&card(if pictures == 1 { "picture" } else { "pictures" }, pictures, ""));
    page.push(&card("lights good", of(Verdict::Good), "good"));
    for (n, name, class) in [(usable, "usable", "usable"), (wrong, "wrong", "wrong")] {
        if n > 0 {
            page.push(&card(&format!("lights {name}"), n, class));
        }
    }
    let not_told = of(Verdict::CannotBeTold);
    if not_told > 0 {
        page.push(&card("lights not told", not_told, "dim"));
    }
    page.push(&card("masters", report.masters.len(), ""));
    page.push("</div>");
    let mut grave: Vec<&Finding> =
        report.findings.iter().filter(|f| f.severity >= Severity::Warning).collect();
    grave.sort_by_key(|f| std::cmp::Reverse(f.severity));
    if !grave.is_empty() {
        page.push("<h2>What to do next</h2><ul>");
        for f in grave.iter().take(5) {
            page.push(&item(f));
        }
        page.push("</ul>");
        if grave.len() > 5 {
            page.push(&format!("<p class=\"dim\">{} more below.</p>", grave.len() - 5));
        }
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn are(n: usize, what: &str) -> String {
    format!("{} {}", count(n, what), if n == 1 { "is" } else { "are" })
}

fn item(f: &Finding) -> String {
    format!(
        "<li><b class=\"{}\">{}</b> {}: {}{}</li>",
        f.severity.name(),
        f.severity.name(),
        escaped(&f.subject),
        escaped(&f.message),
        if f.hint.is_empty() { String::new() } else { format!(" <i>{}</i>", escaped(&f.hint)) }
    )
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| escaped(&n.to_string_lossy()))
}

/// A number to four digits; whole ones are counts.
fn number(v: Option<f64>) -> String {
    let Some(v) = v.filter(|v| v.is_finite()) else { return String::new() };
    if v.fract() == 0.0 && v.abs() < 1e9 {
        return format!("{v}");
    }
    let digits = (3 - v.abs().log10().floor() as i32).clamp(0, 4) as usize;
    format!("{v:.digits$}")
}

fn picture(stack: &StackReport, pictures: &Pictures, page: &mut Page) {
    let filter = stack.filter.as_deref().map(|f| format!(" {f}")).unwrap_or_default();
    let object = stack.object.as_deref().unwrap_or("picture");
    page.push(&format!("<h2>{}</h2>", escaped(&format!("{object}{filter}"))));
    let image = |png: &String, alt: &str| {
        format!("<img src=\"data:image/png;base64,{png}\" alt=\"{alt}\">")
    };
    let told = format!(
        "{} of {} lights, {} together; noise {} ADU, {} times less than one light's; stars {}, FWHM {} px; \
         rejection {}: {} samples below, {} above; <code>{}</code>",
        stack.weights.iter().filter(|w| **w > 0.0).count(),
        stack.inputs.len(),
        stack.exposure_s.map_or_else(|| "exposure not known".to_owned(), |s| format!("{s} s")),
        number(Some(stack.noise_adu)),
        number(Some(stack.noise_gain)),
        stack.stars,
        number(stack.fwhm_px),
        escaped(&stack.reject),
        stack.rejected_low,
        stack.rejected_high,
        escaped(&stack.path.display().to_string())
    );
    page.push("<figure>");
    match (&pictures.raw, &pictures.stack) {
        (Some(raw), Some(stack)) => {
            page.push(&format!(
                "<figcaption>One raw light, left, and the stack, right</figcaption><div class=\"compare\">{}{}\
                 </div><div class=\"turn\" hidden><input type=\"range\" min=\"0\" max=\"100\" value=\"50\" \
                 aria-label=\"How much of the picture shows the raw light\"><button type=\"button\" \
                 aria-pressed=\"false\">Blink</button></div>",
                image(raw, "One raw light"),
                image(stack, "The stack")
            ));
        }
        (_, Some(stack)) => page.push(&image(stack, "The stack")),
        _ => {}
    }
    page.push(&format!("<p class=\"dim\">{told}</p></figure>"));
}

/// The numbers of lights that may stand out, each with its column.
const COLUMNS: [(&str, Number); 6] = [
    ("stars", |r| Some(r.stars?.count as f64)),
    ("FWHM, px", |r| r.stars?.fwhm_px),
    ("round", |r| r.stars?.roundness),
    ("sky, ADU", |r| Some(r.stars?.background_adu)),
    ("noise, ADU", |r| Some(r.stars?.noise_adu)),
    ("weight", |r| r.weight),
];

/// A number of a light.
type Number = fn(&Row<'_>) -> Option<f64>;

struct Row<'a> {
    light: &'a LightReport,
    stars: Option<&'a StarsReport>,
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
        weight: at.and_then(|a| a.1),
        picture: at.map(|a| a.0),
        residual_px: registered.and_then(|r| r.residual_px),
        reference: report.stacks.iter().any(|s| s.reference == *path),
    }
}

fn lights(report: &RunReport, page: &mut Page) {
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
        "<th class=\"n\">residual, px</th><th>dark</th><th class=\"n\">of it left, %</th><th>flat</th></tr></thead>\
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
        let verdict = l.verdict.map_or("", Verdict::name);
        let class = if l.verdict == Some(Verdict::CannotBeTold) { "dim" } else { verdict };
        let mut line = format!(
            "<tr><td>{}{}</td><td class=\"{class}\">{verdict}</td>",
            name(&l.path),
            if row.reference { " <span class=\"dim\">(reference)</span>" } else { "" }
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
            "<td class=\"n\">{}</td><td>{}{factor}</td><td class=\"n\" data-v=\"{}\">{left}</td><td>{}</td></tr>",
            number(row.residual_px),
            l.dark.as_deref().map_or_else(String::new, name),
            l.left_of_dark.map_or_else(String::new, |left| left.share.to_string()),
            l.flat.as_deref().map_or_else(String::new, name),
        );
        page.push(&line);
    }
    page.push("</tbody></table></div>");
}

/// What changed over the night, light by light.
fn plots(report: &RunReport, page: &mut Page) {
    let rows = rows(report);
    let temp = |r: &Row<'_>| {
        let frame = report.frames.iter().find(|f| f.path == r.light.path)?;
        frame.metadata.as_ref()?.temp_c
    };
    let mut curves: Vec<(&str, Vec<Option<f64>>)> = COLUMNS[1..5]
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

fn masters(report: &RunReport, page: &mut Page) {
    if report.masters.is_empty() {
        return;
    }
    page.push(
        "<h2>Masters</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Masters\"><table \
         class=\"sort\"><thead><tr><th>master</th><th class=\"n\">frames</th><th>combined</th><th class=\"n\">median\
         </th><th class=\"n\">noise</th><th class=\"n\">rejected low</th><th class=\"n\">high</th><th \
         class=\"n\">hot</th><th class=\"n\">cold</th><th class=\"n\">noise, of predicted</th></tr></thead><tbody>",
    );
    for m in &report.masters {
        let stat = |f: fn(&photosite_pix::stat::Summary) -> f64| number(m.stats.as_ref().map(f));
        let noise = m.noise.as_ref().map(|n| n.scatter_adu / n.model_adu);
        page.push(&format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}, {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}\
             </td></tr>",
            name(&m.path),
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
}

fn findings(report: &RunReport, page: &mut Page) {
    if report.findings.is_empty() {
        return;
    }
    let mut all: Vec<&Finding> = report.findings.iter().collect();
    all.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let open = if all.len() <= 12 { " open" } else { "" };
    page.push(&format!(
        "<h2>Everything that was found</h2><details{open}><summary>{}</summary><ul>",
        count(all.len(), "finding")
    ));
    all.iter().for_each(|f| page.push(&item(f)));
    page.push("</ul></details>");
}

fn made_by(report: &RunReport, page: &mut Page) {
    let quoted = |v: &serde_json::Value| {
        let text = v.as_str().unwrap_or_default();
        if text.contains([' ', '\'', '"', '(']) {
            format!("'{}'", text.replace('\'', "'\\''"))
        } else {
            text.to_owned()
        }
    };
    let Some(asked) = &report.asked else { return };
    let paths: Vec<String> = asked["paths"].as_array().into_iter().flatten().map(quoted).collect();
    page.push(&format!(
        "<h2>Made by</h2><p class=\"dim\">Photosite {}: <code>photosite run {} -o {}</code>; the same frames and \
         options give the same bytes, and <code>photosite verify</code> makes every product again.</p>",
        escaped(&report.version),
        escaped(&paths.join(" ")),
        escaped(&quoted(&asked["output"]))
    ));
}
