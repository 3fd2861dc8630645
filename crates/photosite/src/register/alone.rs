//! The uncertainty of what one light alone shows: it has no scatter, so it is what the light's own is.

use std::ops::Range;
use std::sync::Arc;

use photosite_file::{Access, Source};
use photosite_pix::debayer::Method;
use photosite_pix::normalise::Affine;
use photosite_pix::warp::Kernel;
use photosite_pix::{CfaPattern, MaskBits, Plane, Size, stat};

use super::part::LightPart;
use crate::correlation::{NoiseOf, of_light};
use crate::debayer::Debayered;
use crate::measure::SurveyedLight;
use crate::stack::{Laid, Layer, Laying, ReadBuffers, Room, Stacked};
use crate::{Error, Result};

/// The variance of a light's samples in memory, NaN where it has none.
struct Variance {
    planes: Vec<Plane<f32>>,
}

impl Source for Variance {
    fn size(&self) -> Size {
        self.planes[0].size()
    }

    fn planes(&self) -> usize {
        self.planes.len()
    }

    fn access(&self) -> Access {
        Access::Rows
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        _: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        out.copy_from_slice(self.planes[plane].rows(rows.start, rows.end));
        Ok(())
    }
}

/// Gives the picture of one light the variance of its samples, interpolated as they are: the mean over the places at
/// which its pixels lie between its own. NaN stays where the light's is not known; without gain and read noise
/// nothing is done, and `false` is told.
///
/// # Errors
/// When the light cannot be read or debayered.
pub fn of_one_light(
    stacked: &mut [Stacked],
    (light, part, laid): (&SurveyedLight, &LightPart, &Laid),
    method: Method,
) -> Result<bool> {
    let mut buffers = ReadBuffers::default();
    let mut planes = Vec::new();
    for frame in light.light.with_variance(&mut buffers)? {
        let Some(mut variance) = frame.variance else { return Ok(false) };
        let missing = frame.mask.as_slice().iter().map(|m| m.intersects(MaskBits::NO_DATA));
        let holes = variance.as_mut_slice().iter_mut().zip(missing).filter(|(_, gone)| *gone);
        holes.for_each(|(v, _)| *v = f32::NAN);
        planes.push(variance);
    }
    // Of raw samples whose zero is not known nothing is.
    if planes.iter().all(|plane| plane.as_slice().iter().all(|v| v.is_nan())) {
        return Ok(false);
    }
    let factors = factors_of(light, laid, method)?;
    let mosaic = light.mosaic().filter(|_| laid.by_colour().is_none());
    let source: Box<dyn Source> = Box::new(Variance { planes });
    let source = match mosaic {
        // A mean of neighbours is a variance still.
        Some(cfa) => {
            let made = Debayered::new(source, cfa, Method::Bilinear);
            Box::new(made.map_err(|e| Error::unsupported(e.to_string()))?) as Box<dyn Source>
        }
        None => source,
    };
    let square =
        |(l, factor): (&Affine, &f64)| Affine { scale: l.scale * l.scale * factor, offset: 0.0 };
    let of_variance = Laid {
        source,
        size: laid.size,
        transform: laid.transform,
        laying: match laid.laying {
            Laying::Interpolated(_) => Laying::Interpolated(Arc::new(Kernel::smooth())),
            Laying::Drizzled { drop, cfa } => Laying::Drizzled { drop, cfa },
        },
        levels: part.normalisation.iter().zip(&factors).map(square).collect(),
        offsets: Vec::new(),
        burnt: Arc::default(),
    };
    const ROWS: usize = 64;
    let Size { width, height } = laid.size;
    for y in (0..height).step_by(ROWS) {
        let rows = y..(y + ROWS).min(height);
        let count = if of_variance.has_coverage() { rows.len() * width } else { 0 };
        let mut coverage = vec![vec![0.0f32; count]; stacked.len()];
        let mut rooms: Vec<Room<'_>> = stacked
            .iter_mut()
            .zip(&mut coverage)
            .map(|(plane, coverage)| Room {
                samples: plane.variance.rows_mut(rows.start, rows.end),
                coverage,
            })
            .collect();
        of_variance.read(rows, 0..width, &mut buffers, &mut rooms)?;
    }
    for plane in stacked {
        let variance = plane.variance.as_mut_slice().iter_mut();
        for (v, mask) in variance.zip(plane.mask.as_slice()) {
            // The smooth kernel is never negative; what is not known stays so.
            *v = if mask.intersects(MaskBits::NO_DATA) { f32::NAN } else { *v };
        }
    }
    Ok(true)
}

/// The variance of a pixel of the picture over that of a sample of the light, in the mean over places, one a plane.
fn factors_of(light: &SurveyedLight, laid: &Laid, method: Method) -> Result<Vec<f64>> {
    let noise_of = NoiseOf {
        transform: laid.transform,
        laying: laid.laying.clone(),
        debayered: light.mosaic().filter(|_| laid.by_colour().is_none()).map(|cfa| (cfa, method)),
        planes: light.light.planes,
        weight: 1.0,
    };
    let found = of_light(&noise_of, laid.size)?;
    Ok(found.map_or_else(|| vec![1.0; laid.planes()], |(_, variance)| variance))
}

/// Gives the pixels of a stack on which one light alone shows the variance of a light's sample: the noise of a usual
/// light, and of the light above the sky. `skies` are the stack's, a plane.
///
/// # Errors
/// When an array cannot be debayered.
pub fn where_one_shows(
    stacked: &mut [Stacked],
    (used, layers): (&[(&SurveyedLight, &LightPart)], &[Laid]),
    skies: &[f64],
    method: impl Fn(CfaPattern) -> Method,
) -> Result<()> {
    let alone = |plane: &Stacked| {
        let all = plane.variance.as_slice().iter().zip(plane.mask.as_slice());
        all.filter(|(v, mask)| v.is_nan() && !mask.intersects(MaskBits::NO_DATA)).count()
    };
    if stacked.iter().map(alone).sum::<usize>() == 0 {
        return Ok(());
    }
    let noise = |(light, part): &(&SurveyedLight, &LightPart)| {
        let sample = light.sample_noise.unwrap_or(light.field.noise);
        (part.normalisation[0].scale * sample).powi(2)
    };
    let usual = stat::median_f64(&used.iter().map(noise).collect::<Vec<f64>>());
    let light = used[0].0;
    let method = light.mosaic().map_or(Method::Bilinear, method);
    let factors = factors_of(light, &layers[0], method)?;
    let gain =
        light.metadata.gain_e_per_adu.map(|g| g.e_per_adu() / used[0].1.normalisation[0].scale);
    for ((plane, sky), factor) in stacked.iter_mut().zip(skies).zip(factors) {
        let samples = plane.value.as_slice().iter().zip(plane.mask.as_slice());
        for (variance, (v, mask)) in plane.variance.as_mut_slice().iter_mut().zip(samples) {
            if variance.is_nan() && !mask.intersects(MaskBits::NO_DATA) {
                let above = gain.map_or(0.0, |gain| (f64::from(*v) - sky).max(0.0) / gain);
                *variance = (usual * factor + above) as f32;
            }
        }
    }
    Ok(())
}
