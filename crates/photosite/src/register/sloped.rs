//! Lights whose sky rises in a part as that of no other does: dawn, the Moon, the lamps of a town.

use photosite_pix::align::Point;
use photosite_pix::stat::median_f64;

use super::part::LightPart;
use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;

/// Places along either side of the picture at which skies are held against each other.
const PLACES: usize = 16;

/// Fewest lights that tell what is usual at a place.
const LIGHTS: usize = 4;

/// A sky that rises by more than this share of the usual one, and by so many sigmas of a sample, from most of the
/// picture to its brightest part, beside that of the other lights: rejection and normalisation are at their limits.
const RISES: f64 = 0.5;
const SIGMAS: f64 = 3.0;

/// The share of the picture that its brightest part is.
const BRIGHTEST: f64 = 0.05;

/// Tells of lights whose sky rises in a part of the picture, beside that of the others.
pub(super) fn sloped(
    lights: &[SurveyedLight],
    parts: &[LightPart],
    reference: &SurveyedLight,
) -> Vec<Finding> {
    let size = reference.size();
    let used: Vec<_> = lights
        .iter()
        .zip(parts)
        .filter_map(|(light, part)| {
            Some((light, part.registration.as_ref().filter(|_| part.used)?, part))
        })
        .collect();
    let at = |i: usize, end: usize| (i as f64 + 0.5) / PLACES as f64 * end as f64;
    let skies: Vec<Vec<f64>> = used
        .iter()
        .map(|(light, found, part)| {
            let own = light.size();
            let to = part.normalisation[0];
            let of_place = |i: usize| {
                let place = Point::new(at(i % PLACES, size.width), at(i / PLACES, size.height));
                let there = found.transform.apply(place);
                let inside = there.x > 0.0
                    && there.y > 0.0
                    && there.x < own.width as f64
                    && there.y < own.height as f64;
                match inside {
                    true => to.scale * light.field.mesh.level_at(there.x, there.y),
                    false => f64::NAN,
                }
            };
            (0..PLACES * PLACES).map(of_place).collect()
        })
        .collect();
    let told = |(light, rise): (&SurveyedLight, Rise)| {
        (rise.adu > SIGMAS * light.field.noise).then(|| finding(light, rise))
    };
    used.iter().zip(rises(&skies)).filter_map(|((light, ..), rise)| told((light, rise?))).collect()
}

/// By how much a sky rises, and what is usual, in ADU.
#[derive(Debug, Clone, Copy)]
struct Rise {
    adu: f64,
    usual_adu: f64,
}

/// The rise of each of some skies at the same places, NaN where one does not reach; `None` of those that do not, or that
/// are brighter all over: the table of lights tells that.
fn rises(skies: &[Vec<f64>]) -> Vec<Option<Rise>> {
    let places = skies.first().map_or(0, Vec::len);
    let usual: Vec<f64> = (0..places)
        .map(|place| {
            let here = skies.iter().map(|sky| sky[place]).filter(|v| v.is_finite());
            let here: Vec<f64> = here.collect();
            if here.len() < LIGHTS { f64::NAN } else { median_f64(&here) }
        })
        .collect();
    let known = usual.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>();
    let usual_adu = median_f64(&known);
    let of = |sky: &Vec<f64>| {
        let more = sky.iter().zip(&usual).map(|(own, usual)| own - usual);
        let mut more: Vec<f64> = more.filter(|v| v.is_finite()).collect();
        more.sort_by(f64::total_cmp);
        let brightest = *more.get(((1.0 - BRIGHTEST) * more.len() as f64) as usize)?;
        let (all_over, most) = (median_f64(&more), RISES * usual_adu);
        let adu = brightest - all_over;
        (adu > most && all_over < most).then_some(Rise { adu, usual_adu })
    };
    skies.iter().map(of).collect()
}

fn finding(light: &SurveyedLight, rise: Rise) -> Finding {
    let message = format!(
        "in a part of the picture its sky rises by {:.0} ADU above that of the other lights, where {:.0} ADU is usual: dawn, \
         the Moon or a lamp; there rejection may take part of its stars, and --normalize local follows it to some percent",
        rise.adu, rise.usual_adu
    );
    let subject = light.path().display().to_string();
    Finding::new("light-outlier", Severity::Warning, subject, message)
        .hint("Leave it out with --exclude where fluxes matter.")
        .with("rise_adu", rise.adu)
        .with("usual_adu", rise.usual_adu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dawn_is_told_and_moonlight_is_not() {
        let sky = |of: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            let at = |i: usize| (i as f64 + 0.5) / PLACES as f64;
            (0..PLACES * PLACES).map(|i| of(at(i % PLACES), at(i / PLACES))).collect()
        };
        let dark = |x: f64, _: f64| 300.0 + 20.0 * x;
        let glow = |_: f64, y: f64| 300.0 + 900.0 * ((y - 1.0) / 0.22).exp();
        let slope = |_: f64, y: f64| 300.0 + 400.0 * y * y;
        let twilit = |_: f64, y: f64| 900.0 + 900.0 * y;
        let moon = |x: f64, _: f64| 800.0 + 120.0 * x;
        let nebula = |x: f64, y: f64| {
            300.0 + 3000.0 * (-((x - 0.4).powi(2) + (y - 0.5).powi(2)) / 0.02).exp()
        };
        for (few, many, told) in [
            (&glow as &dyn Fn(f64, f64) -> f64, &dark as &dyn Fn(f64, f64) -> f64, true),
            (&slope, &dark, true),
            (&twilit, &dark, false),
            (&moon, &dark, false),
            (&dark, &dark, false),
            (&nebula, &nebula, false),
        ] {
            let skies: Vec<Vec<f64>> =
                (0..8).map(|i| if i < 6 { sky(many) } else { sky(few) }).collect();
            let found: Vec<bool> = rises(&skies).iter().map(Option::is_some).collect();
            assert_eq!(found, (0..8).map(|i| told && i >= 6).collect::<Vec<_>>());
        }
    }
}
