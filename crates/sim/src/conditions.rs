//! What is otherwise over one frame than over the rest of its night.

/// Sky, focus and guiding of one light, compared with the night's, and what any frame follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// The share of the stars' light that comes through.
    pub transparency: f64,
    /// The factor on the sky's light.
    pub sky: f64,
    /// The factor on the width of stars.
    pub width: f64,
    /// How far stars are drawn out along x, in pixels.
    pub trail_px: f64,
    /// Another field: other stars.
    pub elsewhere: bool,
    /// Seconds since the end of a frame in which every pixel was full, where there was one.
    pub since_full_s: Option<f64>,
}

impl Conditions {
    /// As the rest of the night.
    pub const CLEAR: Self = Self {
        transparency: 1.0,
        sky: 1.0,
        width: 1.0,
        trail_px: 0.0,
        elsewhere: false,
        since_full_s: None,
    };
    /// Under a cloud that takes most of the light and sends some of the town's back.
    pub const CLOUDED: Self = Self { transparency: 0.3, sky: 1.4, ..Self::CLEAR };
    /// Out of focus.
    pub const DEFOCUSED: Self = Self { width: 3.0, ..Self::CLEAR };
    /// Badly guided.
    pub const TRAILED: Self = Self { trail_px: 8.0, ..Self::CLEAR };
    /// In twilight.
    pub const TWILIT: Self = Self { sky: 15.0, ..Self::CLEAR };
    /// Of another field.
    pub const ELSEWHERE: Self = Self { elsewhere: true, ..Self::CLEAR };

    /// Where a star of the field is, on a sensor of that size.
    pub(crate) fn place(&self, (x, y): (f64, f64), (width, height): (f64, f64)) -> (f64, f64) {
        if !self.elsewhere {
            return (x, y);
        }
        // Strewn anew, without any pattern left.
        let strewn = |v: f64, end: f64, by: f64| {
            let turns = v * by / end;
            (turns - turns.floor()) * end
        };
        (strewn(x + 0.37 * y, width, 13.618_034), strewn(y + 0.61 * x, height, 17.414_214))
    }

    /// Steps along a trail, each with its share of the light.
    pub(crate) fn steps(&self) -> impl Iterator<Item = f64> + use<> {
        let (trail, count) = (self.trail_px, (2.0 * self.trail_px.abs()) as usize + 1);
        (0..count).map(
            move |i| if count == 1 { 0.0 } else { trail * (i as f64 / (count - 1) as f64 - 0.5) },
        )
    }
}
