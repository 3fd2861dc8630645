//! The maps of single pixels that a person gets.

use photosite_pix::{FrameKind, Plane};

use super::campaign::Campaign;
use super::maps::{MapKind, PixelMap};
use super::set::FrameSet;

/// The maps of a sensor whose sets hold maps: noise over the biases, dark current of the longest darks,
/// linearity of the flats.
pub fn pixel_maps(campaign: &Campaign) -> Vec<PixelMap> {
    let with = |kind: FrameKind, map: MapKind| {
        campaign.of(kind).filter_map(move |s| Some((s, s.maps.get(&map)?)))
    };
    let mut out = Vec::new();
    let most = |(s, _): &(&FrameSet, &Plane<f32>)| s.frames.len();
    if let Some((set, plane)) = with(FrameKind::Bias, MapKind::Noise).max_by_key(most) {
        let what = format!("standard deviation of each pixel over {} biases", set.frames.len());
        out.push(PixelMap { name: "READNOISE", what, unit: "adu", plane: plane.clone() });
    }
    let longest = with(FrameKind::Dark, MapKind::Signal)
        .max_by(|a, b| a.0.exposure_s.total_cmp(&b.0.exposure_s));
    let zero = |temp_c: Option<f64>| {
        let near = |s: &FrameSet| s.temp_c.zip(temp_c).map_or(0.0, |(a, b)| (a - b).abs());
        with(FrameKind::Bias, MapKind::Signal).min_by(|a, b| near(a.0).total_cmp(&near(b.0)))
    };
    if let Some((set, dark)) = longest
        && let Some((_, bias)) = zero(set.temp_c)
    {
        let per_s = 1.0 / set.exposure_s as f32;
        let mut plane = dark.clone();
        plane
            .as_mut_slice()
            .iter_mut()
            .zip(bias.as_slice())
            .for_each(|(v, b)| *v = (*v - b) * per_s);
        let temp = set.temp_c.map_or_else(String::new, |t| format!(" at {t:.1} C"));
        let what = format!(
            "mean of {} darks of {} s{temp} above biases, by exposure",
            set.frames.len(),
            set.exposure_s
        );
        out.push(PixelMap { name: "DARK", what, unit: "adu/s", plane });
    }
    for (kind, name, what) in [
        (
            MapKind::Bend,
            "BEND",
            "how far the brightest flat lies beside each pixel's line, as a share",
        ),
        (MapKind::Misfit, "MISFIT", "reduced chi-square of a cubic through each pixel's flats"),
    ] {
        if let Some((_, plane)) = with(FrameKind::Flat, kind).max_by_key(most) {
            out.push(PixelMap { name, what: what.to_owned(), unit: "", plane: plane.clone() });
        }
    }
    out
}
