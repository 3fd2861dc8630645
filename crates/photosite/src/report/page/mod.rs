//! The account of a run as a page for people.

mod flow;
mod lights;
mod masters;
mod picture;
mod shooting;

use std::path::Path;

use super::RunReport;
use crate::diagnose::Verdict;
use crate::finding::{Finding, Severity};
use crate::html::{Page, data_block, escaped};

pub use masters::{Histogram, MapPicture, MasterPicture};
pub use picture::{Detail, StackPictures};

/// What is shown in a page, as PNG in base 64.
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    /// Those of stacks, in their order.
    pub stacks: Vec<StackPictures>,
    /// Those of masters, in their order; `None` for one that could not be read.
    pub masters: Vec<Option<MasterPicture>>,
    /// Those of the defect maps that lights were calibrated with.
    pub maps: Vec<MapPicture>,
}

const STYLE: &str = "\
.cards{display:flex;flex-wrap:wrap;gap:10px;margin:14px 0}.card{background:var(--soft);border-radius:8px;\
padding:10px 16px;min-width:120px}.card b{display:block;font-size:1.6em}\
.compare{touch-action:pan-y;position:relative;background:#000;border-radius:6px;overflow:hidden;max-width:1000px}\
.compare img{width:100%}.compare img+img{position:absolute;inset:0;height:100%;clip-path:inset(0 0 0 var(--at,50%))}\
.compare.raw img+img{visibility:hidden}.turn{display:flex;gap:12px;align-items:center;max-width:1000px;margin-top:6px}\
.turn input{flex:1;min-width:0}.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:16px}\
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}svg .l{stroke:var(--line)}svg circle{fill:var(--mark)}\
th button{all:unset;cursor:pointer;text-decoration:underline dotted}th button:focus-visible{outline:2px solid var(--mark)}\
.budget{max-width:640px}.budget svg .bar{fill:var(--mark)}.budget th{text-align:left;font-weight:400}td.odd{background:var(--soft);font-weight:600}\
li,p,summary,figcaption{overflow-wrap:anywhere}figure{min-width:0}.budget svg{width:100%}\
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,600px),1fr));gap:16px}\
.details{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:16px;margin-top:10px}\
.details figcaption{font-weight:400}.details img{image-rendering:pixelated}\
.masters{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:16px;margin-top:12px}\
.masters img{width:100%;border-radius:6px}svg .fill{fill:var(--mark)}";

/// Sorting of tables, comparison of pictures; without it both pictures are shown half and half.
const SCRIPT: &str = "\
document.querySelectorAll('.turn').forEach(t=>{const c=t.previousElementSibling,s=t.querySelector('input'),\
b=t.querySelector('button');s.oninput=()=>c.style.setProperty('--at',s.value+'%');\
c.onpointermove=c.onpointerdown=e=>{const r=c.getBoundingClientRect();s.value=100*(e.clientX-r.left)/r.width;s.oninput()};\
b.onclick=()=>{const raw=c.classList.toggle('raw');b.setAttribute('aria-pressed',raw);s.value=raw?s.value:0;s.oninput()};\
t.hidden=false});\
document.querySelectorAll('table.sort').forEach(t=>{const rows=()=>[...t.tBodies[0].rows];\
[...t.tHead.rows[0].cells].forEach((h,i)=>{const b=document.createElement('button');b.textContent=h.textContent;\
h.replaceChildren(b);let up=1;b.onclick=()=>{const v=r=>r.cells[i].dataset.v??r.cells[i].textContent;\
rows().sort((x,y)=>{const a=v(x),c=v(y);return up*(a!==''&&c!==''&&!isNaN(a)&&!isNaN(c)?a-c:a.localeCompare(c))})\
.forEach(r=>t.tBodies[0].append(r));up=-up;[...t.tHead.rows[0].cells].forEach(o=>o.removeAttribute('aria-sort'));\
h.setAttribute('aria-sort',up<0?'ascending':'descending')}})});";

/// The page of a run.
pub fn page(report: &RunReport, pictures: &Pictures) -> String {
    let mut page = Page::new(&title(report));
    page.style(STYLE);
    verdict(report, &mut page);
    let none = StackPictures::default();
    for (i, stack) in report.stacks.iter().enumerate() {
        picture::show(stack, pictures.stacks.get(i).unwrap_or(&none), &mut page);
        picture::budget(stack, report, &mut page);
    }
    lights::table(report, &mut page);
    lights::plots(report, &mut page);
    flow::show(report, &mut page);
    masters::show(report, pictures, &mut page);
    shooting::show(report, &mut page);
    findings(report, &mut page);
    made_by(report, &mut page);
    if let Ok(json) = serde_json::to_string(report) {
        page.push(&data_block("run", &json));
    }
    page.push(&format!("<script>{SCRIPT}</script>"));
    page.finish()
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

/// A verdict as a cell of a table.
fn verdict_cell(verdict: Option<Verdict>) -> String {
    let name = verdict.map_or("", Verdict::name);
    let class = if verdict == Some(Verdict::CannotBeTold) { "dim" } else { name };
    format!("<td class=\"{class}\">{name}</td>")
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
    settings(report, page);
}

/// Every value that the run went by, and where it is from.
fn settings(report: &RunReport, page: &mut Page) {
    if report.settings.is_empty() {
        return;
    }
    page.push(
        "<details><summary>Settings</summary><div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Settings\"><table><thead><tr><th>setting</th><th>value</th><th>from</th></tr></thead><tbody>",
    );
    for s in &report.settings {
        let file = s.file.as_deref().map_or_else(String::new, |f| format!(" {f}"));
        page.push(&format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}{}</td></tr>",
            escaped(&s.name),
            escaped(&s.value),
            s.from.name(),
            escaped(&file)
        ));
    }
    page.push("</tbody></table></div></details>");
}
