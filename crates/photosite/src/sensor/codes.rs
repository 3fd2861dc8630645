//! The numbers that a converter gives: its bits, its step, its missing codes.

use super::estimate::Estimate;
use super::measure::Measure;

/// Numbers a 16-bit file can hold.
const NUMBERS: usize = 1 << 16;
/// Samples that make a plateau at the end of the range.
const PLATEAU: u64 = 32;
/// The middle of a histogram: codes with more samples than this share of the fullest.
const WELL_FILLED: f64 = 0.05;

/// How often samples took each number.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes {
    counts: Vec<u64>,
    /// The frames that were looked at.
    pub frames: Vec<String>,
}

impl Default for Codes {
    fn default() -> Self {
        Self { counts: vec![0; NUMBERS], frames: Vec::new() }
    }
}

impl Codes {
    /// Counts samples.
    pub fn see(&mut self, samples: &[f32]) {
        for v in samples {
            // NaN and what lies below 0 fall to the first, what lies beyond the last is none.
            let code = (v + 0.5) as usize;
            if *v > -0.5 && code < NUMBERS {
                self.counts[code] += 1;
            }
        }
    }

    /// Adds the counts of others.
    pub fn join(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }

    /// The step between numbers that are used.
    pub fn step(&self) -> usize {
        let gcd = |a: usize, b: usize| {
            let (mut a, mut b) = (a, b);
            while b > 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        let used = self.counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, _)| i);
        let (mut step, mut last) = (0, None);
        for code in used {
            if let Some(last) = last {
                step = gcd(step, code - last);
            }
            last = Some(code);
        }
        step.max(1)
    }

    /// The highest number, and whether samples pile up there.
    pub fn top(&self) -> Option<(usize, bool)> {
        let top = self.counts.iter().rposition(|n| *n > 0)?;
        let step = self.step();
        let below: u64 = (1..=8).filter_map(|k| self.counts.get(top.checked_sub(k * step)?)).sum();
        Some((top, self.counts[top] >= PLATEAU && self.counts[top] > below))
    }

    /// The share of samples at zero.
    pub fn at_zero(&self) -> f64 {
        let all: u64 = self.counts.iter().sum();
        self.counts[0] as f64 / all.max(1) as f64
    }

    /// The converter's bits, and the share of numbers that it leaves out.
    pub fn measures(&self) -> Vec<Measure> {
        const METHOD: &str = "numbers that samples take: their step and the end of their range";
        let Some((top, piled)) = self.top() else {
            return vec![Measure::none("adc_bits", "bit", METHOD, "samples are no whole numbers")];
        };
        let step = self.step();
        let bits = |range: f64| Estimate::known((range.log2() * 1e6).round() / 1e6, 0.0);
        let full = (top + step) as f64;
        let whole = (full.log2() - full.log2().round()).abs() < 1e-6;
        let measure = if piled && whole {
            Measure::of("adc_bits", bits(full / step as f64), "bit", METHOD)
        } else if step > 1 && step.is_power_of_two() {
            let why = format!("numbers lie {step} apart in a file of 16 bits");
            Measure::of("adc_bits", bits(NUMBERS as f64 / step as f64), "bit", METHOD).but(why)
        } else {
            let least = (full / step as f64).log2().ceil();
            let why = format!("no sample stands at the end of the range: at least {least} bits");
            Measure::of("adc_bits", Estimate::known(least, 0.0), "bit", METHOD).invalid(why)
        };
        let mut out = vec![measure.from(self.frames.clone())];
        let most = self.counts.iter().max().copied().unwrap_or(0) as f64;
        if let Some((first, last)) = self.filled(step, WELL_FILLED * most) {
            let inside = (first..=last).step_by(step);
            let (mut all, mut missing) = (0u32, 0u32);
            for code in inside {
                all += 1;
                missing += u32::from(self.counts[code] == 0);
            }
            let share = f64::from(missing) / f64::from(all.max(1));
            let method = "numbers without a sample among those between well-filled ones";
            let found = Measure::of("missing_codes", Estimate::known(share, 0.0), "share", method);
            out.push(found.from(self.frames.clone()));
        }
        out
    }

    /// The first and last of the numbers around the fullest that have many samples.
    fn filled(&self, step: usize, least: f64) -> Option<(usize, usize)> {
        let (fullest, n) = self.counts.iter().enumerate().max_by_key(|(_, n)| **n)?;
        if *n < 100 {
            return None;
        }
        // A hole of a few numbers is a missing code, a longer one an end.
        let walk = |mut at: usize, forward: bool| {
            let mut end = at;
            let mut hole = 0;
            while hole < 4 {
                let next = if forward { at.checked_add(step) } else { at.checked_sub(step) };
                let Some(next) = next.filter(|n| *n < NUMBERS) else { break };
                at = next;
                if self.counts[at] as f64 >= least {
                    (end, hole) = (at, 0);
                } else {
                    hole += 1;
                }
            }
            end
        };
        Some((walk(fullest, false), walk(fullest, true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(samples: impl Iterator<Item = u32>) -> Codes {
        let mut codes = Codes::default();
        let samples: Vec<f32> = samples.map(|v| v as f32).collect();
        codes.see(&samples);
        codes
    }

    #[test]
    fn bits_are_told_by_steps_and_by_the_end() {
        let wave = |i: u32| 200 + i * 7919 % 300;
        let bits = |c: &Codes| {
            let m = c.measures().remove(0);
            (m.value, m.valid)
        };
        let plain = seen((0..60_000).map(wave));
        assert_eq!(bits(&plain), (Some(9.0), false));
        let full = seen((0..60_000).map(wave).chain([4095; 100]));
        assert_eq!(bits(&full), (Some(12.0), true));
        let stretched = seen((0..60_000).map(|i| 16 * wave(i)));
        assert_eq!(bits(&stretched), (Some(12.0), true));
        let holes = seen((0..60_000).map(wave).filter(|v| v % 10 != 3));
        let missing = holes.measures().remove(1);
        assert!((missing.value.unwrap() - 0.1).abs() < 0.01, "{missing:?}");
    }
}
