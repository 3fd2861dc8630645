//! Where the noise of a calibrated light comes from.

use photosite_pix::align::Point;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Frame, FrameKind, stat};
use serde::{Deserialize, Serialize};

/// The parts of the noise of a pixel of a calibrated light at the level of its sky, in ADU, and what is
/// measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoiseBudget {
    /// Of reading the light out.
    pub read_adu: f64,
    /// Of the light's own dark current.
    pub dark_adu: f64,
    /// Of the light of the sky.
    pub sky_adu: f64,
    /// Of the master bias, where it was subtracted for itself.
    pub bias_master_adu: f64,
    /// Of the master dark.
    pub dark_master_adu: f64,
    /// Of the master flat.
    pub flat_master_adu: f64,
    /// All of them in quadrature.
    pub predicted_adu: f64,
    /// What the light shows, from pixel to pixel.
    pub measured_adu: f64,
}

/// The noise that masters bring along.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MasterNoise {
    /// One standard deviation of a pixel of the bias, in ADU.
    pub bias_adu: f64,
    /// The signal of the dark above its bias, in ADU; a sensor that corrects its black level hides it.
    pub dark_signal_adu: f64,
    /// The variance of a sample of one of its frames, where that is known, in ADU^2.
    pub dark_frame_adu2: Option<f64>,
    /// One standard deviation of a pixel of the dark, in ADU.
    pub dark_adu: f64,
    /// The middle of the flat.
    pub flat_level: Option<f64>,
    /// One standard deviation of a pixel of the flat.
    pub flat: f64,
}

/// One standard deviation of a pixel of a master; 0 where nothing is known of it.
pub(super) fn of_master(frame: &Frame) -> f64 {
    let Some(variance) = &frame.variance else { return 0.0 };
    let middle = f64::from(stat::median_at_a_glance(variance.as_slice()));
    if middle.is_finite() && middle > 0.0 { middle.sqrt() } else { 0.0 }
}

/// A light in a stack, as far as its noise goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LightInStack {
    /// What the noise of its samples is multiplied with in the sum: its weight by its flux scale, over how many
    /// of its pixels lie side by side in one of the picture's.
    pub share: f64,
    /// Where its noise comes from.
    pub budget: NoiseBudget,
    /// Which bias, dark and flat it was calibrated with: the same number, the same master.
    pub masters: [Option<usize>; 3],
    /// Where the middle of the picture lies in it, in pixels.
    pub at: Point,
}

/// What more frames of a kind would buy: so many again as there are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct More {
    /// Of which kind.
    pub kind: FrameKind,
    /// How many more.
    pub frames: usize,
    /// By how much less noise the stack would have, as a share.
    pub less_noise: f64,
}

/// Blocks whose means tell the noise of a stack have this side, in pixels.
const BLOCK_PX: f64 = 4.0;

/// The noise of a stack by parts, and how much of their squares lights share because a master is the same at
/// the same pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackNoise {
    /// By parts; what was measured as it was given.
    pub budget: NoiseBudget,
    shared_adu2: f64,
}

impl StackNoise {
    /// That of a mean of lights, whose `weights` sum to a whole; `measured_adu` is that of the stack in blocks.
    ///
    /// Noise of a light's own is independent of others'. That of a master is the same in all lights that were
    /// calibrated with it, and averages only as far as they were dithered: by more than a block, fully.
    /// `None` without lights.
    pub fn of(lights: &[LightInStack], weights: f64, measured_adu: f64) -> Option<Self> {
        if lights.is_empty() || weights <= 0.0 {
            return None;
        }
        let of_own = |part: fn(&NoiseBudget) -> f64| {
            let sum = lights.iter().map(|l| (l.share * part(&l.budget)).powi(2)).sum::<f64>();
            sum.sqrt() / weights
        };
        let overlap = |a: Point, b: Point| {
            let along = |d: f64| (1.0 - d.abs() / BLOCK_PX).max(0.0);
            along(a.x - b.x) * along(a.y - b.y)
        };
        let mut shared = 0.0;
        let mut of_master = |which: usize, part: fn(&NoiseBudget) -> f64| {
            let (mut own, mut pairs) = (0.0, 0.0);
            for (i, a) in lights.iter().enumerate() {
                let noise = a.share * part(&a.budget);
                own += noise * noise;
                let same = lights[..i]
                    .iter()
                    .filter(|b| a.masters[which].is_some() && a.masters[which] == b.masters[which]);
                pairs += 2.0
                    * same
                        .map(|b| noise * b.share * part(&b.budget) * overlap(a.at, b.at))
                        .sum::<f64>();
            }
            shared += pairs / (weights * weights);
            (own + pairs).sqrt() / weights
        };
        let budget = NoiseBudget {
            read_adu: of_own(|b| b.read_adu),
            dark_adu: of_own(|b| b.dark_adu),
            sky_adu: of_own(|b| b.sky_adu),
            bias_master_adu: of_master(0, |b| b.bias_master_adu),
            dark_master_adu: of_master(1, |b| b.dark_master_adu),
            flat_master_adu: of_master(2, |b| b.flat_master_adu),
            predicted_adu: 0.0,
            measured_adu,
        };
        Some(Self { budget: budget.summed(), shared_adu2: shared })
    }

    /// The same where a sample of a picture has `factor` times the noise of a sample of the sensor.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let b = self.budget;
        let budget = NoiseBudget {
            read_adu: b.read_adu * factor,
            dark_adu: b.dark_adu * factor,
            sky_adu: b.sky_adu * factor,
            bias_master_adu: b.bias_master_adu * factor,
            dark_master_adu: b.dark_master_adu * factor,
            flat_master_adu: b.flat_master_adu * factor,
            predicted_adu: b.predicted_adu * factor,
            ..b
        };
        Self { budget, shared_adu2: self.shared_adu2 * factor * factor }
    }

    /// What as many frames again of each kind would buy, of `lights` lights and masters of so many frames;
    /// nothing of what is not known.
    pub fn more(&self, lights: usize, masters: [Option<usize>; 3]) -> Vec<More> {
        let b = &self.budget;
        let whole = b.predicted_adu * b.predicted_adu;
        let without = |adu2: f64| 1.0 - ((whole - adu2).max(0.0) / whole).sqrt();
        let lights = More {
            kind: FrameKind::Light,
            frames: lights,
            less_noise: without(0.5 * (whole - self.shared_adu2)),
        };
        let kinds = [FrameKind::Bias, FrameKind::Dark, FrameKind::Flat];
        let parts = [b.bias_master_adu, b.dark_master_adu, b.flat_master_adu];
        let of_masters = kinds.into_iter().zip(parts).zip(masters);
        let of_masters = of_masters.filter_map(|((kind, adu), frames)| {
            let frames = frames.filter(|n| *n > 0)?;
            Some(More { kind, frames, less_noise: without(0.5 * adu * adu) })
        });
        std::iter::once(lights).chain(of_masters.filter(|m| m.less_noise > 0.0)).collect()
    }
}

impl NoiseBudget {
    /// Its parts by their names, in ADU.
    pub fn parts(&self) -> [(&'static str, f64); 6] {
        [
            ("read-out", self.read_adu),
            ("dark current", self.dark_adu),
            ("sky", self.sky_adu),
            ("master bias", self.bias_master_adu),
            ("master dark", self.dark_master_adu),
            ("master flat", self.flat_master_adu),
        ]
    }

    /// The same, all parts in quadrature.
    fn summed(self) -> Self {
        let sum = self.parts().iter().map(|p| p.1 * p.1).sum::<f64>();
        Self { predicted_adu: sum.sqrt(), ..self }
    }

    /// Of a light whose sky is at `sky_adu` after calibration, with the noise that was measured in it.
    pub fn of(sky_adu: f64, measured_adu: f64, noise: NoiseModel, masters: MasterNoise) -> Self {
        let gain = noise.gain_e_per_adu.e_per_adu();
        // Everything before the flat is divided by it.
        let flat = masters.flat_level.filter(|f| *f > 0.0).unwrap_or(1.0);
        let shot = |signal_adu: f64| (signal_adu.max(0.0) / gain).sqrt() / flat;
        let read_adu = noise.read_noise_e / gain / flat;
        let dark_adu = match masters.dark_frame_adu2 {
            Some(one) => (one - (read_adu * flat).powi(2)).max(0.0).sqrt() / flat,
            None => shot(masters.dark_signal_adu),
        };
        let own_sky_adu = shot(sky_adu * flat);
        let bias_master_adu = masters.bias_adu / flat;
        let dark_master_adu = masters.dark_adu / flat;
        let flat_master_adu = sky_adu.abs() * masters.flat / flat;
        let budget = Self {
            read_adu,
            dark_adu,
            sky_adu: own_sky_adu,
            bias_master_adu,
            dark_master_adu,
            flat_master_adu,
            predicted_adu: 0.0,
            measured_adu,
        };
        budget.summed()
    }
}
