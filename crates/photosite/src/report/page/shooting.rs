//! What to take next.

use super::super::RunReport;
use crate::html::{Page, escaped};

/// The calibration frames that are missing or too few, in the order in which to take them.
pub(super) fn show(report: &RunReport, page: &mut Page) {
    if report.to_shoot.is_empty() || report.lights.is_empty() {
        return;
    }
    page.push(
        "<h2>To shoot</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"To shoot\"><table><thead>\
         <tr><th>take</th><th>of</th><th class=\"n\">exposure, s</th><th class=\"n\">sensor, C</th><th>filter</th>\
         <th class=\"n\">at hand</th><th>why</th></tr></thead><tbody>",
    );
    let number = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    for shot in &report.to_shoot {
        page.push(&format!(
            "<tr><td class=\"n\">{}</td><td>{}{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td \
             class=\"n\">{}</td><td>{}</td></tr>",
            shot.count,
            shot.kind,
            if shot.optional { " (if you like)" } else { "" },
            number(shot.exposure_s),
            number(shot.temp_c),
            escaped(shot.filter.as_deref().unwrap_or_default()),
            shot.have,
            escaped(&shot.note())
        ));
    }
    page.push("</tbody></table></div>");
}
