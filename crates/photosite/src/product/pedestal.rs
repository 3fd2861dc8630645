//! The pedestal that 16 bits need so that little is clipped.

use crate::Result;
use crate::work::{Context, on_each_with};

use super::light::{LightRequest, calibrate_in_memory};
use crate::error::Reach;
use crate::stack::ReadBuffers;

/// The share of samples that may be clipped below.
///
/// # Source
/// PixInsightDocs: automatic output pedestal, limit 1e-4.
const MOST_CLIPPED: f64 = 1e-4;

/// How many samples need how much of a pedestal, in whole ADU.
#[derive(Debug, Clone)]
struct Needs {
    /// Samples that need this many ADU, and no fewer, not to be clipped.
    counts: Vec<u64>,
    all: u64,
}

impl Needs {
    fn none() -> Self {
        Self { counts: vec![0; 1 << 16], all: 0 }
    }

    fn see(&mut self, samples: &[f32]) {
        for v in samples.iter().filter(|v| v.is_finite()) {
            // What rounds to 0 is not clipped.
            let need = (-f64::from(*v) - 0.5).ceil().clamp(0.0, 65_535.0);
            self.counts[need as usize] += 1;
            self.all += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.all += other.all;
    }

    /// The smallest pedestal in ADU with which few enough are clipped.
    fn smallest_adu(&self) -> f32 {
        let allowed = (MOST_CLIPPED * self.all as f64) as u64;
        let mut clipped = 0;
        for (adu, count) in self.counts.iter().enumerate().rev() {
            clipped += count;
            if clipped > allowed {
                return adu as f32;
            }
        }
        0.0
    }
}

/// The smallest pedestal in ADU with which fewer than one in ten thousand samples of all these lights together
/// are clipped below; each is calibrated for that, and no file is written.
///
/// # Errors
/// When the work is cancelled. A light that cannot be calibrated is left to those who calibrate it.
pub fn pedestal_for<'a>(
    count: usize,
    request: impl Fn(usize, &mut ReadBuffers) -> Result<LightRequest<'a>> + Sync,
    context: &Context<'_>,
) -> Result<f32> {
    let done = on_each_with(count, context, ReadBuffers::default, |buffers, i| {
        let request = request(i, buffers)?;
        let (frame, ..) = calibrate_in_memory(&request, (None, buffers))?;
        let mut needs = Needs::none();
        needs.see(frame.data.as_slice());
        Ok(needs)
    })?;
    let mut all = Needs::none();
    for needs in done {
        match needs {
            Ok(needs) => all.add(&needs),
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(_) => {}
        }
    }
    Ok(all.smallest_adu())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_thousand_may_be_clipped() {
        let mut needs = Needs::none();
        // 20000 samples of which two may go; they round to 0 from -0.5 on.
        needs.see(&vec![10.0; 19_990]);
        needs.see(&[-30.4, -20.6, -12.5, -12.4, -3.0, -0.5, -0.4, f32::NAN, 5.0, 5.0, 5.0]);
        assert_eq!(needs.smallest_adu(), 12.0);
        let mut none = Needs::none();
        none.see(&[1.0, 2.0]);
        assert_eq!(none.smallest_adu(), 0.0);
        none.add(&needs);
        assert_eq!(none.all, needs.all + 2);
    }
}
