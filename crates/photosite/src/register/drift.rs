//! Lights that drift steadily: what is fixed on the sensor walks through the picture.

use photosite_pix::Size;
use photosite_pix::align::Point;

use super::part::LightPart;
use crate::Finding;
use crate::finding::Severity;
use crate::header::moment;
use crate::measure::SurveyedLight;

/// Fewer lights show no direction.
const LEAST_LIGHTS: usize = 5;

/// A shorter walk is not seen, in pixels.
const LEAST_PX: f64 = 3.0;

/// Lights that scatter about a steady drift by more than this share of it were dithered.
const DITHERED: f64 = 0.15;

/// Lights turned by more than this do not belong to the walk of the others, in degrees.
const TURNED_DEG: f64 = 5.0;

/// What is seen in more than this share of the lights at one place is not rejected.
const REJECTED: f64 = 0.1;

/// A steady drift of lights over the sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drift {
    /// Lights that share it.
    lights: usize,
    /// From one light to the next, in pixels.
    step: Point,
    /// From the first to the last, in pixels.
    length_px: f64,
}

/// The drift of positions in the order of time; `None` where there is none, or it was broken by dithering.
fn drift(places: &[Point]) -> Option<Drift> {
    let n = places.len();
    if n < LEAST_LIGHTS {
        return None;
    }
    let middle = (n - 1) as f64 / 2.0;
    let along = |of: fn(&Point) -> f64| {
        let mean = places.iter().map(of).sum::<f64>() / n as f64;
        let terms = places.iter().enumerate().map(|(i, p)| (i as f64 - middle, of(p) - mean));
        let (xy, xx) = terms.fold((0.0, 0.0), |(xy, xx), (t, v)| (xy + t * v, xx + t * t));
        let slope = xy / xx;
        let rest = places
            .iter()
            .enumerate()
            .map(|(i, p)| (of(p) - mean - slope * (i as f64 - middle)).powi(2))
            .sum::<f64>();
        (slope, rest / n as f64)
    };
    let ((x, rest_x), (y, rest_y)) = (along(|p| p.x), along(|p| p.y));
    let length_px = x.hypot(y) * (n - 1) as f64;
    let scatter_px = (rest_x + rest_y).sqrt();
    (length_px > LEAST_PX && scatter_px < DITHERED * length_px).then_some(Drift {
        lights: n,
        step: Point::new(x, y),
        length_px,
    })
}

/// That lights drift steadily and were not dithered, so that what calibration left on the sensor becomes
/// streaks in the stack.
pub(crate) fn walking(
    lights: &[SurveyedLight],
    parts: &[LightPart],
    size: Size,
) -> Option<Finding> {
    let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
    let mut placed: Vec<(f64, Point, f64)> = lights
        .iter()
        .zip(parts)
        .filter(|(_, part)| part.used)
        .enumerate()
        .filter_map(|(i, (light, part))| {
            let transform = &part.registration.as_ref()?.transform;
            let time = light.metadata.date_obs.as_deref().and_then(moment).unwrap_or(i as f64);
            Some((time, transform.apply(middle), transform.rotation_deg(middle)))
        })
        .collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = placed.first()?.2;
    let turned = |deg: f64| (deg - first + 180.0).rem_euclid(360.0) - 180.0;
    let places: Vec<Point> =
        placed.iter().filter(|p| turned(p.2).abs() < TURNED_DEG).map(|p| p.1).collect();
    let Drift { lights: count, step, length_px } = drift(&places)?;
    let step_px = step.x.hypot(step.y);
    // A residue of one pixel covers a place in so many lights.
    let share = (1.0 / step_px).max(1.0) / count as f64;
    let rejected = share < REJECTED;
    let message = format!(
        "{count} lights drift by {:.2}, {:.2} px from one to the next, {length_px:.0} px in all, without dithering: \
         what is left of hot pixels becomes streaks of that length and direction{}",
        step.x,
        step.y,
        if rejected {
            ", which rejection takes out"
        } else {
            ", in too many lights at a place to be rejected"
        }
    );
    let severity = if rejected { Severity::Info } else { Severity::Warning };
    let subject = parts.first()?.path.display().to_string();
    Some(
        Finding::new("walking-noise", severity, subject, message)
            .hint("Dither by 5 px or more in a random direction every light or two.")
            .with("dx_px", step.x)
            .with("dy_px", step.y)
            .with("length_px", length_px),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(i: usize) -> f64 {
        let h = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((h ^ (h >> 29)) % 1000) as f64 / 1000.0 - 0.5
    }

    #[test]
    fn a_drift_is_seen_and_dithers_are_not() {
        let steady: Vec<Point> = (0..12)
            .map(|i| {
                Point::new(0.5 * i as f64 + 0.3 * noise(i), -0.2 * i as f64 + 0.3 * noise(i + 50))
            })
            .collect();
        let found = drift(&steady).unwrap();
        assert!(
            (found.step.x - 0.5).abs() < 0.05 && (found.step.y + 0.2).abs() < 0.05,
            "{found:?}"
        );
        assert!((found.length_px - 5.9).abs() < 0.6);
        for seed in 0..200 {
            let dithered: Vec<Point> = (0..12)
                .map(|i| {
                    let at = |k: usize| 12.0 * noise(i + 100 * seed + k);
                    Point::new(0.1 * i as f64 + at(1), at(40))
                })
                .collect();
            assert_eq!(drift(&dithered), None, "{seed}");
        }
        assert_eq!(drift(&steady[..4]), None);
        let still: Vec<Point> = (0..12).map(|i| Point::new(noise(i), noise(i + 9))).collect();
        assert_eq!(drift(&still), None);
    }
}
