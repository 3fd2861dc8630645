//! The pictures, each beside one of its raw lights, and where its noise comes from.

use std::path::Path;

use super::super::{RunReport, StackReport};
use super::{count, number};
use crate::diagnose::NoiseBudget;
use crate::html::{Page, escaped};

/// Pictures of one stack, as PNG in base 64.
#[derive(Debug, Clone, Default)]
pub struct StackPictures {
    /// One of its lights, raw.
    pub raw: Option<String>,
    /// The same light calibrated, where it was kept.
    pub calibrated: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// Parts of both, pixel by pixel.
    pub details: Vec<Detail>,
}

/// A part of a raw light and of the stack, pixel by pixel, as PNG in base 64.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Where it is, and why it is shown.
    pub told: String,
    /// Of the raw light.
    pub raw: String,
    /// Of the stack.
    pub stack: String,
}

/// One stack.
pub(super) fn show(stack: &StackReport, pictures: &StackPictures, page: &mut Page) {
    let filter = stack.filter.as_deref().map(|f| format!(" {f}")).unwrap_or_default();
    let object = stack.object.as_deref().unwrap_or("picture");
    page.push(&format!("<h2>{}</h2>", escaped(&format!("{object}{filter}"))));
    let one = pictures.raw.as_ref().map(|png| (png, "one raw light"));
    let whole = pictures.stack.as_ref().map(|png| (png, "the stack"));
    page.push("<div class=\"pair\">");
    match (one, whole) {
        (Some(raw), Some(whole)) => compare("", [(raw.0, "One raw light"), whole], page),
        (_, Some((png, _))) => {
            page.push(&format!("<figure>{}</figure>", image(png, "The stack")));
        }
        _ => {}
    }
    if let (Some((raw, _)), Some(done)) = (one, &pictures.calibrated) {
        compare("", [(raw, "One raw light"), (done, "the same, calibrated")], page);
    }
    page.push("</div>");
    let used = stack.weights.iter().filter(|w| **w > 0.0).count();
    let kept = stack.stars_kept.map_or_else(String::new, |kept| {
        format!(
            ", which hold {:.1} &plusmn; {:.1} % of the light that they have in its lights",
            100.0 * kept.ratio,
            100.0 * kept.error
        )
    });
    page.push(&format!(
        "<p class=\"dim\">{used} of {}, {} together; noise {} ADU, {} times less than one light's; {}, FWHM {} \
         px{kept}; rejection {}: {} samples below, {} above; <code>{}</code></p>",
        count(stack.inputs.len(), "light"),
        stack.exposure_s.map_or_else(|| "exposure not known".to_owned(), |s| format!("{s} s")),
        number(Some(stack.noise_adu)),
        number(Some(stack.noise_gain)),
        count(stack.stars, "star"),
        number(stack.fwhm_px),
        escaped(&stack.reject),
        stack.rejected_low,
        stack.rejected_high,
        escaped(&stack.path.display().to_string())
    ));
    if pictures.details.is_empty() {
        return;
    }
    page.push("<h3>Pixel by pixel</h3><div class=\"details\">");
    for detail in &pictures.details {
        compare(
            &format!("{}: ", escaped(&detail.told)),
            [(&detail.raw, "raw"), (&detail.stack, "stack")],
            page,
        );
    }
    page.push("</div>");
}

fn image(png: &str, alt: &str) -> String {
    format!("<img src=\"data:image/png;base64,{png}\" alt=\"{alt}\">")
}

/// Two pictures of one field over each other.
fn compare(told: &str, [left, right]: [(&String, &str); 2], page: &mut Page) {
    page.push(&format!(
        "<figure><figcaption>{told}{}, left, and {}, right</figcaption><div class=\"compare\">{}{}</div><div \
         class=\"turn\" hidden><input type=\"range\" min=\"0\" max=\"100\" value=\"50\" aria-label=\"How much shows \
         {}\"><button type=\"button\" aria-pressed=\"false\">Blink</button></div></figure>",
        left.1,
        right.1,
        image(left.0, left.1),
        image(right.0, right.1),
        left.1
    ));
}

/// Where the noise of a stack comes from, and that of one of its lights: as bars; what more frames buy.
pub(super) fn budget(stack: &StackReport, report: &RunReport, page: &mut Page) {
    let of = |path: &Path| report.lights.iter().find(|l| l.path == path)?.noise_budget;
    let light = of(&stack.reference).or_else(|| stack.inputs.iter().find_map(|p| of(p)));
    for (whose, budget) in [("the stack", stack.noise_budget), ("one light", light)] {
        let Some(budget) = budget else { continue };
        page.push(&format!("<h3>Noise of {whose}</h3>"));
        bars(&budget, page);
    }
    let bought: Vec<String> = stack
        .more
        .iter()
        .map(|m| {
            format!(
                "{} buy {:.1} %",
                count(m.frames, &format!("more {}", m.kind)),
                100.0 * m.less_noise
            )
        })
        .collect();
    if !bought.is_empty() {
        page.push(&format!("<p class=\"dim\">In the stack {}.</p>", bought.join(", ")));
    }
}

fn bars(budget: &NoiseBudget, page: &mut Page) {
    let parts = budget.parts();
    let most = parts.iter().map(|p| p.1).fold(budget.measured_adu, f64::max);
    let most = most.max(f64::MIN_POSITIVE);
    let whole =
        [("all together, predicted", budget.predicted_adu), ("measured", budget.measured_adu)];
    page.push("<table class=\"budget\"><tbody>");
    for (name, adu) in parts.into_iter().filter(|p| p.1 > 0.0).chain(whole) {
        page.push(&format!(
            "<tr><th scope=\"row\">{name}</th><td>{} ADU</td><td><svg width=\"200\" height=\"12\" \
             aria-hidden=\"true\"><rect class=\"bar\" width=\"{:.1}\" height=\"12\"/></svg></td></tr>",
            number(Some(adu)),
            200.0 * adu / most
        ));
    }
    page.push("</tbody></table>");
}
