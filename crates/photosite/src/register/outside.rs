//! Lights that a picture cuts off: panels of a mosaic under one name.

use photosite_pix::Size;
use photosite_pix::align::Point;

use super::part::LightPart;
use crate::Finding;
use crate::finding::{Severity, first_and_more};
use crate::measure::SurveyedLight;

/// A light of which less than this lies in the picture is told of.
const LEAST: f64 = 0.6;
/// Places along each side of a light that are asked whether they lie in the picture.
const ASKED: usize = 16;

/// A finding where lights lie for a good part beside the picture, which is of the reference's `size`.
pub(crate) fn cut_off(
    used: &[(&SurveyedLight, &LightPart)],
    size: Size,
    picture: &str,
) -> Option<Finding> {
    let shares = used.iter().map(|(light, own)| (light, inside(light, own, size)));
    let outside: Vec<(&&SurveyedLight, f64)> = shares.filter(|(_, s)| *s < LEAST).collect();
    let least = outside.iter().map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
    let (first, _) = outside.first()?;
    let who = first_and_more(first.path().display(), outside.len());
    let message = format!(
        "{} of {} lights lie for a good part beside this picture ({who}): as little as {:.0} % of one is in it, the rest \
         is cut off",
        outside.len(),
        used.len(),
        100.0 * least
    );
    Some(
        Finding::new("lights-cut-off", Severity::Warning, picture, message)
            .hint(
                "Panels of a mosaic: give each a run of its own, or an OBJECT of its own. Else name the light that \
                 shows it all: --reference FILE.",
            )
            .with("lights", outside.len())
            .with("least_share", least),
    )
}

/// The share of a light that lies in the picture.
fn inside(light: &SurveyedLight, own: &LightPart, picture: Size) -> f64 {
    let Some(registration) = &own.registration else { return 1.0 };
    let size = light.size();
    let at = |i: usize, side: usize| (i as f64 + 0.5) / ASKED as f64 * side as f64 - 0.5;
    let places = (0..ASKED * ASKED)
        .map(|i| Point::new(at(i % ASKED, size.width), at(i / ASKED, size.height)));
    let within = places.filter(|place| {
        registration.transform.invert(*place).is_some_and(|p| {
            let (width, height) = (picture.width as f64, picture.height as f64);
            p.x >= -0.5 && p.y >= -0.5 && p.x < width - 0.5 && p.y < height - 0.5
        })
    });
    within.count() as f64 / (ASKED * ASKED) as f64
}
