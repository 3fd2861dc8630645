//! Exposures of masters held against their hot pixels.

use std::path::{Path, PathBuf};

use photosite_file::{keyword, probe};
use photosite_pix::{CfaPattern, FrameKind};

use super::model::Doubt;
use crate::Result;
use crate::calibrate::dark::DOUBLING_C;
use crate::calibrate::dark::model::TOLERANCE_C;
use crate::product::DarkStrip;

/// The share of itself by which a factor may be uncertain to say anything.
const CERTAIN: f64 = 0.2;

/// A dark as its header describes it.
struct Dark<'a> {
    path: &'a Path,
    name: String,
    exposure_s: f64,
    temp_c: f64,
    cfa: Option<CfaPattern>,
}

/// Doubts about the masters of a dark model whose hot pixels are not of their exposures; none without a bias.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn contradicted_exposures(masters: &[PathBuf]) -> Result<Vec<Doubt>> {
    let (mut bias, mut darks) = (None, Vec::new());
    for path in masters {
        let metadata = keyword::read(&probe(path)?.header).metadata;
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let temp_c = metadata.temp_c.or(metadata.set_temp_c);
        match (metadata.kind, metadata.exposure_s.zip(temp_c)) {
            (Some(FrameKind::Bias), _) => bias = Some(path),
            (_, Some((exposure_s, temp_c))) if exposure_s > 0.0 => {
                darks.push(Dark { path, name, exposure_s, temp_c, cfa: metadata.cfa });
            }
            _ => {}
        }
    }
    let warm = |d: &Dark<'_>| d.exposure_s * (d.temp_c / DOUBLING_C).exp2();
    darks.sort_by(|a, b| warm(b).total_cmp(&warm(a)).then(a.path.cmp(b.path)));
    let (Some(bias), Some((strongest, others))) = (bias, darks.split_first()) else {
        return Ok(Vec::new());
    };
    let strip = DarkStrip::of(strongest.path, Some(bias), strongest.cfa)?;
    let mut asked = 0;
    let mut odd: Vec<(&Dark<'_>, f64, f64)> = Vec::new();
    for other in others.iter().filter(|d| (d.temp_c - strongest.temp_c).abs() <= TOLERANCE_C) {
        let fit = strip.fit_master(other.path)?;
        let Some(k) = fit.k.filter(|k| *k > 0.0 && fit.error < CERTAIN * k) else {
            continue;
        };
        asked += 1;
        let expected = other.exposure_s / strongest.exposure_s;
        if fit.contradicts(expected) {
            odd.push((other, k, expected));
        }
    }
    // Where the strongest agrees with none of several, it is the odd one.
    if odd.len() == asked && asked > 1 {
        let of: f64 = odd.iter().map(|(_, k, expected)| expected / k).sum::<f64>() / asked as f64;
        let message = format!(
            "hot pixels of {} show {of:.2} times the signal that the other {asked} masters predict for {} s: \
             its exposure or its temperature is not what its header says",
            strongest.name, strongest.exposure_s
        );
        return Ok(vec![told(strongest, message)]);
    }
    let each = odd.into_iter().map(|(dark, k, expected)| {
        let message = format!(
            "hot pixels of {} show {k:.3} times the signal of those of {}, where exposures of {} and {} s \
             predict {expected:.3}: an exposure or a temperature is not what a header says",
            dark.name, strongest.name, dark.exposure_s, strongest.exposure_s
        );
        told(dark, message)
    });
    Ok(each.collect())
}

fn told(dark: &Dark<'_>, message: String) -> Doubt {
    Doubt { master: dark.name.clone(), message }
}
