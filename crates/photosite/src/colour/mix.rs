//! Green and blue made one line.

use photosite_pix::{Frame, MaskBits, stat};

/// How green and blue become one line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mix {
    /// The part of green; blue has the rest.
    pub green: f64,
    /// What is added to blue, in the unit of the samples.
    pub blue_offset: f64,
}

impl Mix {
    /// By the noise of both: their variances where they are known, else as measured.
    pub fn of(green: &Frame, blue: &Frame) -> Self {
        let level = |f: &Frame| {
            let pixels = f.data.as_slice().iter().zip(f.mask.as_slice());
            let good: Vec<f32> = pixels.filter(|(_, m)| m.is_good()).map(|(v, _)| *v).collect();
            f64::from(stat::median(&good))
        };
        let weight = |f: &Frame| {
            let variance = match &f.variance {
                Some(v) => f64::from(stat::median(v.as_slice())),
                None => stat::noise(f.data.as_slice(), f.size().width, 1).powi(2),
            };
            Some(1.0 / variance).filter(|w| w.is_finite() && *w > 0.0)
        };
        // Without noise that can be told, two greens against one blue.
        let (g, b) = weight(green).zip(weight(blue)).unwrap_or((2.0, 1.0));
        let offset = level(green) - level(blue);
        Self { green: g / (g + b), blue_offset: if offset.is_finite() { offset } else { 0.0 } }
    }

    pub fn apply(self, green: &Frame, blue: &Frame) -> Frame {
        let mut out = green.clone();
        for i in 0..out.size().pixels() {
            let (g, b) = (green.data.as_slice()[i], blue.data.as_slice()[i]);
            let both = g.is_finite() && b.is_finite();
            let part = match (g.is_finite(), b.is_finite()) {
                (true, true) => self.green,
                (_, true) => 0.0,
                _ => 1.0,
            };
            let shares = [(part, green), (1.0 - part, blue)].into_iter().filter(|(p, _)| *p != 0.0);
            let moved = |v: f32, offset: f64| f64::from(v) + offset;
            out.data.as_mut_slice()[i] = match part {
                1.0 => g,
                0.0 => moved(b, self.blue_offset) as f32,
                p => (p * f64::from(g) + (1.0 - p) * moved(b, self.blue_offset)) as f32,
            };
            let (mut bits, mut variance) = (MaskBits::empty(), 0.0);
            for (p, frame) in shares {
                bits |= frame.mask.as_slice()[i];
                variance +=
                    frame.variance.as_ref().map_or(0.0, |v| p * p * f64::from(v.as_slice()[i]));
            }
            if !both && (g.is_finite() || b.is_finite()) {
                bits |= MaskBits::SUSPECT;
            }
            out.mask.as_mut_slice()[i] = bits;
            if let Some(v) = &mut out.variance {
                v.as_mut_slice()[i] = variance as f32;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Plane, Size, Unit};

    use super::*;

    #[test]
    fn green_and_blue_count_by_their_noise_and_stand_in_for_each_other() {
        let size = Size::new(8, 8);
        let frame = |level: f32, variance: f32| {
            let mut frame = Frame::new(Plane::filled(size, level), Unit::Adu);
            frame.variance = Some(Plane::filled(size, variance));
            frame
        };
        let (mut green, mut blue) = (frame(100.0, 2.0), frame(40.0, 6.0));
        // A line that both see, a hole in each, one in both, and a saturated sample.
        green.data.set(1, 1, 140.0);
        blue.data.set(1, 1, 60.0);
        for (frame, holes) in [(&mut green, [2, 4]), (&mut blue, [3, 4])] {
            for x in holes {
                frame.data.set(x, 2, f32::NAN);
                frame.mask.set(x, 2, MaskBits::NO_DATA);
            }
        }
        blue.mask.set(6, 6, MaskBits::SATURATED);
        let mix = Mix::of(&green, &blue);
        assert_eq!(mix, Mix { green: 0.75, blue_offset: 60.0 });
        let line = mix.apply(&green, &blue);
        assert_eq!((line.data.get(0, 0), line.data.get(1, 1)), (100.0, 135.0));
        let variance = line.variance.as_ref().unwrap();
        // 1 / (1/2 + 1/6): what an inverse variance weighted mean has.
        assert!((variance.get(0, 0) - 1.5).abs() < 1e-6, "{}", variance.get(0, 0));
        assert_eq!((line.data.get(2, 2), line.data.get(3, 2)), (100.0, 100.0));
        assert_eq!((variance.get(2, 2), variance.get(3, 2)), (6.0, 2.0));
        assert_eq!(
            (line.mask.get(2, 2), line.mask.get(3, 2)),
            (MaskBits::SUSPECT, MaskBits::SUSPECT)
        );
        assert!(line.data.get(4, 2).is_nan() && line.mask.get(4, 2) == MaskBits::NO_DATA);
        assert_eq!(line.mask.get(6, 6), MaskBits::SATURATED);
        // Without any noise nothing is known but the number of samples.
        let flat = |level| Frame::new(Plane::filled(size, level), Unit::Adu);
        assert!((Mix::of(&flat(1.0), &flat(2.0)).green - 2.0 / 3.0).abs() < 1e-12);
    }
}
