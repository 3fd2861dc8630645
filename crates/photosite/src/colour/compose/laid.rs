//! A picture laid on the pixels of another.

use std::sync::{Arc, Mutex};

use photosite_pix::align::{Point, Transform};
use photosite_pix::warp::{Kernel, Room, Window, warp};
use photosite_pix::{Frame, MaskBits, Plane, Size};

use crate::correlation::{Correlation, NoiseOf, of_light};
use crate::stack::Laying;
use crate::work::{Context, for_each};
use crate::{Error, Result};

/// Rows that a thread lays at a time.
const BAND: usize = 64;

/// A frame on the pixels of a picture of `size`, interpolated once or, where it is only shifted by whole
/// pixels, moved as it is; also what its neighbouring pixels share then.
///
/// What the mask makes a hole is one, NaN and NO_DATA, and so is what lies beyond the frame. The variance
/// is that of interpolated pixels.
///
/// # Errors
/// When the work is cancelled.
pub fn lay(
    frame: &Frame,
    transform: &Transform,
    size: Size,
    context: &Context<'_>,
) -> Result<(Frame, Option<Correlation>)> {
    let mut healthy = frame.data.clone();
    for (v, bits) in healthy.as_mut_slice().iter_mut().zip(frame.mask.as_slice()) {
        *v = if bits.is_hole() { f32::NAN } else { *v };
    }
    let kernel = Arc::new(Kernel::default());
    let data = warped(&healthy, transform, size, &kernel, context)?;
    let noise = NoiseOf {
        transform: *transform,
        laying: Laying::Interpolated(kernel.clone()),
        debayered: None,
        planes: 1,
        weight: 1.0,
    };
    let (shared, less) = of_light(&noise, size)?.unzip();
    let variance = match &frame.variance {
        Some(variance) => {
            let mut laid = warped(variance, transform, size, &kernel, context)?;
            let less = less.map_or(1.0, |planes| planes[0]) as f32;
            laid.as_mut_slice().iter_mut().for_each(|v| *v *= less);
            Some(laid)
        }
        None => None,
    };
    let own = frame.size();
    let mut mask = Plane::from_fn(size, |x, y| {
        let at = transform.apply(Point::new(x as f64, y as f64));
        let (x, y) = (at.x.round(), at.y.round());
        let inside = x >= 0.0 && y >= 0.0 && x < own.width as f64 && y < own.height as f64;
        // Of what a hole was made of nothing is left: its own reason goes with it.
        match inside {
            true => frame.mask.get(x as usize, y as usize) & !MaskBits::NO_DATA,
            false => MaskBits::empty(),
        }
    });
    for (bits, v) in mask.as_mut_slice().iter_mut().zip(data.as_slice()) {
        if !v.is_finite() {
            *bits |= MaskBits::NO_DATA;
        }
    }
    Ok((Frame { data, variance, mask, unit: frame.unit, applied: frame.applied }, shared))
}

/// A plane on the pixels of a picture of `size`; NaN where it has none.
fn warped(
    plane: &Plane<f32>,
    transform: &Transform,
    size: Size,
    kernel: &Kernel,
    context: &Context<'_>,
) -> Result<Plane<f32>> {
    let mut out = Plane::filled(size, f32::NAN);
    let window = Window { samples: plane.as_slice(), first_row: 0, width: plane.width() };
    let bands: Vec<Mutex<&mut [f32]>> =
        out.as_mut_slice().chunks_mut(BAND * size.width).map(Mutex::new).collect();
    for_each(bands.len(), context, Room::default, |room, i| {
        let mut band = bands[i].lock().expect("no holder panics");
        let rows = i * BAND..(i * BAND + band.len() / size.width);
        let region = (rows, 0..size.width);
        warp(&mut [(window, &mut **band)], plane.size(), transform, region, kernel, room);
        Ok::<(), Error>(())
    })?;
    drop(bands);
    Ok(out)
}
