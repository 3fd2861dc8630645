//! How lights were calibrated: which masters and why those, by which factors, and what that did to samples.

use std::collections::BTreeMap;
use std::fmt::Write;

use photosite_pix::stat::Summary;

use super::super::{ChoiceReport, LightReport, RunReport};
use super::{count, name, number};
use crate::html::{Page, escaped};

/// Those that were calibrated alike together.
pub(super) fn show(report: &RunReport, page: &mut Page) {
    let mut groups: BTreeMap<_, Vec<&LightReport>> = BTreeMap::new();
    for light in report.lights.iter().filter(|l| !l.steps.is_empty()) {
        let way = (&light.steps, &light.bias, &light.dark, &light.flat);
        groups.entry(way).or_default().push(light);
    }
    if groups.is_empty() {
        return;
    }
    page.push("<h2>How lights were calibrated</h2>");
    let open = if groups.len() == 1 { " open" } else { "" };
    for ((steps, bias, dark, flat), lights) in groups {
        page.push(&format!(
            "<details{open}><summary>{}: {}</summary><ul>",
            count(lights.len(), "light"),
            escaped(&steps.join(", "))
        ));
        for master in [bias, dark, flat].into_iter().flatten() {
            let file = master.file_name().unwrap_or_default().to_string_lossy();
            let choices = lights.iter().flat_map(|l| &l.choices);
            let choice = choices.into_iter().find(|c| c.chosen.as_deref() == Some(&*file));
            page.push(&format!(
                "<li><code>{}</code>{}</li>",
                name(master),
                choice.map_or_else(String::new, |c| format!(": {}", why(c)))
            ));
        }
        page.push("</ul>");
        samples(&lights, page);
        page.push("</details>");
    }
}

/// Why a master was chosen.
fn why(choice: &ChoiceReport) -> String {
    let mut told = Vec::new();
    let left = |value: f64, unit: &str| format!("{} {unit}", number(Some(value)));
    if let Some(cost) = &choice.cost {
        told.push(format!("predicted to leave {}", left(cost.value, cost.unit.sign())));
    }
    if let Some(next) = &choice.runner_up {
        told.push(format!(
            "the next best, <code>{}</code>, {}",
            escaped(&next.master),
            left(next.cost.value, next.cost.unit.sign())
        ));
    }
    if let Some(first) = choice.refused.first() {
        let differs = first.differs.first().map_or_else(String::new, |c| {
            let show = |v: &Option<String>| v.as_deref().map_or("not known".to_owned(), escaped);
            format!(" ({} {} instead of {})", c.field.name(), show(&c.found), show(&c.wanted))
        });
        let others = match choice.refused_count {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        told.push(format!(
            "<code>{}</code>{differs}{others} {} not fit",
            escaped(&first.master),
            if choice.refused_count > 1 { "do" } else { "does" }
        ));
    }
    told.join("; ")
}

/// The range of samples before and after, light by light.
fn samples(lights: &[&LightReport], page: &mut Page) {
    page.push(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Samples before and after\"><table \
         class=\"sort\"><thead><tr><th>light</th><th class=\"n\">raw median</th><th class=\"n\">lowest</th><th \
         class=\"n\">highest</th><th class=\"n\">dark, times</th><th class=\"n\">calibrated median</th><th \
         class=\"n\">lowest</th><th class=\"n\">highest</th><th class=\"n\">pixels repaired</th></tr></thead><tbody>",
    );
    let range = |of: Option<&Summary>| {
        let mut cells = String::new();
        for v in [of.map(|s| s.median), of.map(|s| s.min), of.map(|s| s.max)] {
            let _ = write!(cells, "<td class=\"n\">{}</td>", number(v));
        }
        cells
    };
    for light in lights {
        page.push(&format!(
            "<tr><td>{}</td>{}<td class=\"n\">{}</td>{}<td class=\"n\">{}</td></tr>",
            name(&light.path),
            range(light.stats_before.as_ref()),
            number(light.dark_scale),
            range(light.stats_after.as_ref()),
            light.repaired
        ));
    }
    page.push("</tbody></table></div>");
}
