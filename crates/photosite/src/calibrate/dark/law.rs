//! Whether the dark signal of a sensor grows linearly with time: from darks and biases at hand.

use super::declined::Declined;
use super::fit::DarkFit;
use super::sites::DarkSignal;

/// How far below the bias a dark must lie to be called darker, and one dark below a shorter one, in
/// ADU: masters know their level better than that.
pub const DARKER_ADU: f64 = 0.5;
/// Standard errors beyond which a growth is no longer linear, and the share of it by which it must be
/// off to be worth a word.
const SIGMAS: f64 = 4.0;
const SHARE: f64 = 0.05;

/// What darks and biases at hand say of scaling a dark.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum DarkLaw {
    /// Nothing: there are no two darks to compare.
    #[default]
    Unknown,
    /// Two darks agree with a signal that grows linearly, its glow too.
    Linear,
    /// The signal is not linear, or its zero level is not that of the bias.
    Not(Declined),
}

impl DarkLaw {
    /// What a dark and its bias say by themselves: a dark that is darker than the bias is of a sensor
    /// that corrects its black level.
    pub fn of_level(signal: &DarkSignal) -> Self {
        match signal.level_adu {
            level if level < -DARKER_ADU => Self::Not(Declined::BlackLevel { darker_adu: -level }),
            _ => Self::Unknown,
        }
    }

    /// What two darks of one temperature say: the longer one fitted to the shorter one, their levels
    /// above the bias in ADU and their exposures in seconds, the longer one's first.
    pub fn of_two(fit: &DarkFit, levels_adu: (f64, f64), exposures_s: (f64, f64)) -> Self {
        let (long_s, short_s) = exposures_s;
        let fall = levels_adu.0 - levels_adu.1;
        if fall < -DARKER_ADU {
            return Self::Not(Declined::LevelFalls { adu_s: fall / (long_s - short_s) });
        }
        let ratio = short_s / long_s;
        let off = |k: f64, error: f64| {
            (k - ratio).abs() > SIGMAS * error && (k - ratio).abs() > SHARE * ratio
        };
        if let Some((glow, error)) = fit.glow
            && off(glow, error)
        {
            let power = glow.max(1e-3).ln() / ratio.ln();
            return Self::Not(Declined::GlowNotLinear { power });
        }
        match (fit.k, fit.declined) {
            (Some(_), Some(why @ Declined::StrataDisagree { .. })) => Self::Not(why),
            (Some(k), None) if !off(k, fit.error) => Self::Linear,
            _ => Self::Unknown,
        }
    }

    /// Both together: what forbids scaling weighs most.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Not(why), _) | (_, Self::Not(why)) => Self::Not(why),
            (Self::Linear, _) | (_, Self::Linear) => Self::Linear,
            _ => Self::Unknown,
        }
    }
}
