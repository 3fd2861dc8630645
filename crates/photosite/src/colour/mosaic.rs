//! A frame under its colour filter array, read and made into three.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::keyword;
use photosite_pix::debayer::{Debayer, Greens};
use photosite_pix::warp::Window;
use photosite_pix::{CfaPattern, Frame, Header, MaskBits, Plane, Rect, Size};

use crate::detector::{detector_of, mark_raw};
use crate::measure::Saturated;
use crate::open::{probe, read_frame};
use crate::product::fits_name;
use crate::provenance::ContentHash;
use crate::work::{Context, for_each};
use crate::{Error, Result};

/// A frame under its array, ready to be taken apart.
pub(super) struct Mosaic {
    pub path: PathBuf,
    pub hash: ContentHash,
    pub frame: Frame,
    pub header: Header,
    /// The part of the file that is used, where it is not all.
    pub region: Option<Rect>,
    pub cfa: CfaPattern,
}

/// Reads a frame under its array, cut to the part that sees light.
pub(super) fn read_mosaic(path: &Path, outputs: &[&Path]) -> Result<Mosaic> {
    let refuse = |why: &str| Err(Error::mismatch(format!("{}: {why}", path.display())));
    for output in outputs {
        fits_name(output)?;
        let same = output.canonicalize().ok().zip(path.canonicalize().ok());
        if same.is_some_and(|(a, b)| a == b) {
            return refuse("is the input; choose another output file with -o");
        }
    }
    let probe = probe(path)?;
    if probe.planes != 1 {
        return refuse(&format!(
            "has {} planes: it is already a colour image, not a CFA frame",
            probe.planes
        ));
    }
    let metadata = keyword::read(&probe.header).metadata;
    let Some(cfa) = metadata.cfa else {
        return refuse(
            "its header names no colour filter array (BAYERPAT), and a monochrome frame has no \
             colours to separate",
        );
    };
    let hash = ContentHash::of_file(path)?;
    let (mut frame, header) = read_frame(path)?;
    mark_raw(&mut frame, &metadata, &header);
    let detector = detector_of(&metadata, &header, frame.size());
    let region = detector.is_trimmed().then_some(detector.active);
    let mut shifted = cfa;
    if let Some(region) = region {
        shifted = cfa.shifted(region.x0, region.y0);
        frame.data = frame.data.crop(region);
        frame.variance = frame.variance.map(|v| v.crop(region));
        frame.mask = frame.mask.crop(region);
    }
    Ok(Mosaic { path: path.to_owned(), hash, frame, header, region, cfa: shifted })
}

/// Rows that a worker makes at a time.
const BAND: usize = 64;

/// The same rows of three planes.
type Rows<'a, T> = [&'a mut [T]; 3];

fn bands<T: Copy>(planes: &mut [Plane<T>; 3]) -> Vec<Rows<'_, T>> {
    let part = planes[0].width() * BAND;
    let mut chunks = planes.each_mut().map(|p| p.as_mut_slice().chunks_mut(part));
    let mut out = Vec::new();
    while let [Some(red), Some(green), Some(blue)] = chunks.each_mut().map(Iterator::next) {
        out.push([red, green, blue]);
    }
    out
}

/// Red, green and blue of a frame, its greens brought to one response where they differ, on all
/// threads.
pub(super) fn planes(
    mosaic: &Mosaic,
    (debayer, greens): (&Debayer, Option<Greens>),
    context: &Context<'_>,
) -> Result<[Frame; 3]> {
    let Frame { data, variance, mask, unit, applied } = &mosaic.frame;
    let size = data.size();
    let picture = debayer.picture_size(size);
    if picture.pixels() == 0 {
        return Err(Error::mismatch(format!(
            "{}: {size} pixels are less than one cell of the colour filter array",
            mosaic.path.display()
        )));
    }
    let (mut data, mut variance) = (Cow::Borrowed(data), variance.as_ref().map(Cow::Borrowed));
    if let Some(greens) = greens {
        greens.equalise(data.to_mut().as_mut_slice(), 0, size.width);
        if let Some(variance) = &mut variance {
            greens.equalise_variance(variance.to_mut().as_mut_slice(), 0, size.width);
        }
    }
    let mut saturated = Saturated::default();
    saturated.add(mask);
    let clipped = saturated.runs();
    let (data, variance) = (&*data, variance.as_deref());
    let mut healthy = data.clone();
    for (v, bits) in healthy.as_mut_slice().iter_mut().zip(mask.as_slice()) {
        *v = if bits.is_hole() { f32::NAN } else { *v };
    }
    let zeroed = |_| Plane::<f32>::zeroed(picture);
    let mut values = [0; 3].map(zeroed);
    let mut errors = variance.map(|_| [0; 3].map(zeroed));
    let mut masks = [0; 3].map(|_| Plane::<MaskBits>::zeroed(picture));
    let mut error_bands: Vec<Option<Rows<'_, f32>>> = match &mut errors {
        Some(errors) => bands(errors).into_iter().map(Some).collect(),
        None => Vec::new(),
    };
    error_bands.resize_with(picture.height.div_ceil(BAND), || None);
    let jobs: Vec<Mutex<Option<_>>> = bands(&mut values)
        .into_iter()
        .zip(error_bands)
        .zip(bands(&mut masks))
        .map(|job| Mutex::new(Some(job)))
        .collect();
    for_each(
        jobs.len(),
        context,
        || (),
        |(), i| {
            let job = jobs[i].lock().expect("no holder panics").take();
            let ((mut values, errors), masks) = job.expect("every band is made once");
            let rows = i * BAND..((i + 1) * BAND).min(picture.height);
            let needed = debayer.rows_needed(&rows, size);
            let frame = window(&healthy, &needed);
            debayer.fill(frame, size, rows.clone(), values.each_mut().map(|v| &mut **v));
            let out = values.each_mut().map(|v| &mut **v);
            debayer.bound((frame, size), rows.clone(), clipped, out);
            own_samples(debayer, data, picture, rows.start, &mut values);
            if let (Some(mut errors), Some(variance)) = (errors, variance) {
                let windows = (frame, window(variance, &needed));
                let out = errors.each_mut().map(|e| &mut **e);
                debayer.fill_variance(windows, size, rows.clone(), out);
                debayer.bound_variance(windows, size, rows.clone(), clipped, errors);
            }
            let bits = mask.rows(needed.start, needed.end);
            debayer.fill_mask((frame, bits), size, rows, masks);
            Ok(())
        },
    )?;
    drop(jobs);
    let mut errors = errors.map(|e| e.map(Some)).unwrap_or_default().into_iter();
    let mut masks = masks.into_iter();
    Ok(values.map(|data| Frame {
        data,
        variance: errors.next().flatten(),
        mask: masks.next().expect("as many masks as planes"),
        unit: *unit,
        applied: *applied,
    }))
}

fn window<'a>(plane: &'a Plane<f32>, rows: &Range<usize>) -> Window<'a> {
    let samples = plane.rows(rows.start, rows.end);
    Window { samples, first_row: rows.start, width: plane.width() }
}

/// Puts what was measured back where a hole was made of it: the mask tells what it is worth.
fn own_samples(
    debayer: &Debayer,
    data: &Plane<f32>,
    picture: Size,
    first_row: usize,
    values: &mut Rows<'_, f32>,
) {
    for i in 0..values[0].len() {
        let (x, y) = (i % picture.width, first_row + i / picture.width);
        if let Some(color) = debayer.measured(x, y) {
            values[color.channel()][i] = data.get(x, y);
        }
    }
}
