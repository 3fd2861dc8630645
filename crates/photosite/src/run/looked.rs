//! Files looked at one by one: what a header says, what samples are, where stars lie.

use std::path::Path;

use photosite_file::fits::HduSummary;
use photosite_file::keyword;
use photosite_pix::align::Point;
use photosite_pix::stars::{Criteria, Star};
use photosite_pix::stat::{self, Summary};
use photosite_pix::wcs::Wcs;
use photosite_pix::{CfaColor, CfaPattern, FrameKind, Metadata, Plane};
use serde::Serialize;

use crate::correlation::Correlation;
use crate::defects::mark;
use crate::detector::full_scale_adu;
use crate::finding::Severity;
use crate::header::SCALE_ERROR;
use crate::inventory::{KindOverrides, NoFrame, take};
use crate::master::{channel_means, one_channel};
use crate::measure::{StarField, find_stars, find_stars_of_mosaic};
use crate::open::{open, probe, read_frames};
use crate::product::read_defect_map;
use crate::register::PlaceErrors;
use crate::work::Context;
use crate::{Finding, Result};

/// What is known of a file by its headers.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Inspected {
    /// The file.
    pub path: String,
    /// Its format as people name it.
    pub format: &'static str,
    /// Its length in bytes.
    pub file_bytes: u64,
    /// Columns of the image.
    pub width: usize,
    /// Rows of the image.
    pub height: usize,
    /// Planes of that size.
    pub planes: usize,
    /// What it would be taken for, by header and name.
    pub kind: Option<&'static str>,
    /// What the header says, in one vocabulary.
    pub metadata: Metadata,
    /// Which rule filled which field.
    pub rules: Vec<(&'static str, &'static str)>,
    /// The parts of the file.
    pub hdus: Vec<HduSummary>,
    /// What the reader remarks.
    pub notes: Vec<String>,
    /// What looks doubtful.
    pub findings: Vec<Finding>,
}

/// Reads a file's headers, and no pixel.
///
/// # Errors
/// When the file is no image that is read here.
pub fn inspect(path: &Path) -> Result<Inspected> {
    let probe = probe(path)?;
    let reading = keyword::read(&probe.header);
    let root = path.parent().unwrap_or(path);
    let (kind, findings) = match take(path, root, probe.clone(), &KindOverrides::default()) {
        Ok((frame, findings)) => (Some(frame.kind.name()), findings),
        Err(no) => {
            let NoFrame { finding, kind } = *no;
            let doubt = Finding { severity: finding.severity.min(Severity::Warning), ..finding };
            (kind.map(FrameKind::name), vec![doubt])
        }
    };
    Ok(Inspected {
        path: path.display().to_string(),
        format: probe.format,
        file_bytes: probe.file_bytes,
        width: probe.size.width,
        height: probe.size.height,
        planes: probe.planes,
        kind,
        metadata: reading.metadata,
        rules: reading.rules,
        hdus: probe.hdus,
        notes: probe.notes,
        findings,
    })
}

/// One channel, described.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Channel {
    /// `all`, `plane N`, or a colour.
    pub channel: String,
    /// Its samples in ADU.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A file's samples, described.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Described {
    /// The file.
    pub path: String,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Plane by plane, and colour by colour under a filter array.
    pub channels: Vec<Channel>,
}

/// Describes the samples of a file, NaN left out; a pedestal that the header records is taken off. The
/// noise of a picture whose neighbours share samples ([`Correlation`]) is found from means over blocks:
/// differences between such pixels hide it.
///
/// # Errors
/// When the file cannot be read.
pub fn describe_samples(path: &Path) -> Result<Described> {
    let probe = probe(path)?;
    let metadata = keyword::read(&probe.header).metadata;
    let full = full_scale_adu(&probe.header);
    let pedestal_adu = metadata.pedestal_adu.unwrap_or(0.0);
    let ceiling = metadata.saturation_adu.or(full).map(|level| level - pedestal_adu);
    // A 16-bit camera file cannot go below 0; floating point can.
    let floor = full.map(|_| -pedestal_adu);
    let width = probe.size.width;
    let shared = Correlation::read(&probe.header);
    let mut channels = Vec::new();
    for plane in 0..probe.planes {
        let data = read_plane(path, plane)?;
        let rows = data.as_slice();
        let step = metadata.cfa.map_or(1, CfaPattern::period);
        let name = if probe.planes > 1 { format!("plane {plane}") } else { "all".to_owned() };
        let mut summary = Summary::of(rows, width, step, floor, ceiling);
        if let Some(shared) = &shared {
            summary.noise = stat::noise_of_blocks(rows, width) / shared.of(plane);
        }
        channels.push(Channel { channel: name, summary });
        let Some(cfa) = metadata.cfa else { continue };
        for color in CfaColor::ALL {
            let samples = one_channel(rows, width, cfa, color.channel());
            let mut summary = Summary::of(&samples, width, 1, floor, ceiling);
            summary.noise = colour_noise(rows, width, cfa, color);
            channels.push(Channel { channel: color.name().to_owned(), summary });
        }
    }
    let path = path.display().to_string();
    Ok(Described { path, width, height: probe.size.height, channels })
}

/// One plane of a file, whole.
///
/// # Errors
/// When the file cannot be read, or has no such plane.
pub fn read_plane(path: &Path, plane: usize) -> Result<Plane<f32>> {
    let source = open(path)?;
    let size = source.size();
    let mut out = Plane::zeroed(size);
    source.read_rows(plane, 0..size.height, &mut Vec::new(), out.as_mut_slice())?;
    Ok(out)
}

/// The mean response of each colour of a plane of responses, as flats are normalised by it.
pub fn mean_response(response: &Plane<f32>, cfa: Option<CfaPattern>) -> [f64; 3] {
    channel_means(response.as_slice(), response.width(), cfa)
}

/// The noise of one colour, measured on its own grid.
fn colour_noise(rows: &[f32], width: usize, cfa: CfaPattern, color: CfaColor) -> f64 {
    let only: Vec<f32> = rows
        .chunks_exact(width)
        .enumerate()
        .flat_map(|(y, row)| {
            row.iter()
                .enumerate()
                .map(move |(x, v)| if cfa.color(x, y) == color { *v } else { f32::NAN })
        })
        .collect();
    stat::noise(&only, width, cfa.period())
}

/// The right ascensions and declinations of the stars of a file, in degrees, by the world coordinates of its
/// header; `None` where it has none that are understood.
///
/// # Errors
/// When the file cannot be read.
pub fn places_of_stars(path: &Path, field: &StarField) -> Result<Option<Vec<(f64, f64)>>> {
    let Ok(sky) = Wcs::read(&probe(path)?.header) else { return Ok(None) };
    let of = |s: &Star| {
        let at = sky.to_sky(Point::new(s.x, s.y));
        (at.ra_deg(), at.dec_deg())
    };
    Ok(Some(field.stars.iter().map(of).collect()))
}

/// The stars of a frame in a file, those above `snr`, of a colour picture those of its green; its mask is
/// respected, and pixels of a defect map are masked as well. Errors of fluxes know what neighbours share ([`Correlation`]), and are those of the samples
/// (`ERR`) where no gain is known.
///
/// # Errors
/// When the file cannot be read, `snr` means nothing, or the work is cancelled.
pub fn stars_of(
    path: &Path,
    defects: Option<&Path>,
    snr: f64,
    context: &Context<'_>,
) -> Result<StarField> {
    if !(snr.is_finite() && snr > 0.0) {
        let why = format!("--snr {snr} means nothing; it is a number above 0, such as 5.5");
        return Err(crate::Error::parameters(why));
    }
    let (mut frames, header) = read_frames(path)?;
    let middle = frames.len() / 2;
    if let Some(map) = defects.map(read_defect_map).transpose()? {
        let frame = &mut frames[middle];
        if map.map.size != frame.size() {
            let why = format!("the defect map is {}, the frame {}", map.map.size, frame.size());
            return Err(crate::Error::mismatch(why).about(path));
        }
        mark(frame, &map.map.repaired());
    }
    let frame = &frames[middle];
    let shared = Correlation::read(&header).map_or(1.0, |shared| shared.of(middle));
    let metadata = keyword::read(&header).metadata;
    let gain = metadata.gain_e_per_adu.map(|g| g.e_per_adu());
    let criteria = Criteria { snr, shared, ..Criteria::default() };
    let (data, mask) = (&frame.data, &frame.mask);
    let mut field = match metadata.cfa.filter(|_| frames.len() == 1) {
        Some(cfa) => find_stars_of_mosaic(data, mask, cfa, (gain, criteria), context)?,
        None => find_stars(data, mask, gain, criteria, context)?,
    };
    let scale_error = header.get_f64(SCALE_ERROR).filter(|v| *v > 0.0).unwrap_or(0.0);
    let relative = scale_error.hypot(PlaceErrors::read(&header).of_plane(middle));
    field.know_errors(frame.variance.as_ref(), gain.is_some(), (shared, relative));
    Ok(field)
}
