//! The headers of products: what of the raw headers stays true, and what is new.

use std::collections::HashSet;

use photosite_pix::combine::Recipe;
use photosite_pix::{Applied, Card, CfaPattern, FrameKind, Header, Rect, RowOrder};

use crate::calibrate::RemovedBy;
use crate::master::{FlatColour, NoiseCheck, Rejected};
use crate::raw::RawFrame;

/// Keywords that describe raw samples or their display and are no longer true of a product.
const STALE: &[&str] = &[
    "DATAMIN", "DATAMAX", "SATURATE", "SATLEVEL", "MAXLIN", "PEDESTAL", "CBLACK", "CWHITE",
    "CSTRETCH", "BUNIT", "CALSTAT", "BLANK", "CHECKSUM", "DATASUM", "BIASSEC", "TRIMSEC",
    "DATASEC",
];

/// What a master went through.
#[derive(Debug, Clone, Copy)]
pub struct MasterFacts {
    /// Its kind.
    pub kind: FrameKind,
    /// How samples were combined.
    pub recipe: Recipe,
    /// Rejected samples.
    pub rejected: Rejected,
    /// Pixels marked HOT.
    pub hot: usize,
    /// Pixels marked COLD.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
    /// What took the additive part out; `None` where nothing did.
    pub removed_by: Option<RemovedBy>,
    /// The frames came without their bias.
    pub bias_gone: bool,
    /// The colour filter array over the master.
    pub cfa: Option<CfaPattern>,
    /// Channels normalised to a mean of 1; 0 for other masters than flats.
    pub normalised_channels: u8,
    /// The noise of the frames against the noise model.
    pub noise: Option<NoiseCheck>,
    /// For a flat: the mean level of its frames above their additive part, in ADU.
    pub level_adu: Option<f64>,
}

impl MasterFacts {
    /// What was done, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(by) = self.removed_by {
            out.push(format!("additive part of each frame taken off by: {}", by.name()));
        }
        if self.normalised_channels > 0 {
            out.push("each frame scaled to a mean of 1 before samples were compared".to_owned());
        }
        let parameters = match self.recipe.reject.parameters() {
            p if p.is_empty() => p,
            p => format!(" ({p})"),
        };
        out.push(format!(
            "combined by {}, rejection {}{parameters}: {} samples low, {} high",
            self.recipe.combine.name(),
            self.recipe.reject.name(),
            self.rejected.low,
            self.rejected.high
        ));
        if matches!(self.kind, FrameKind::Dark | FrameKind::Flat) {
            out.push(format!(
                "pixels beyond {} sigma of their surroundings: {} hot, {} cold",
                crate::defects::KAPPA,
                self.hot,
                self.cold
            ));
        }
        out
    }
}

/// The word for a master that other programs know as well.
pub fn imagetyp(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Bias => "Master Bias",
        FrameKind::Dark => "Master Dark",
        FrameKind::DarkFlat => "Master DarkFlat",
        FrameKind::Flat => "Master Flat",
        FrameKind::Light => "Master Light",
    }
}

/// The header of a master: the cards on which all frames agree, the means of what varies, and what
/// was done.
pub fn master_header(frames: &[&RawFrame], facts: &MasterFacts) -> Header {
    let mut header = consensus(&frames.iter().map(|f| &f.header).collect::<Vec<_>>());
    trim(&mut header, frames[0], facts.cfa);
    header.set(Card::string("IMAGETYP", imagetyp(facts.kind), "kind of frame"));
    header.set(Card::integer("NCOMBINE", frames.len() as i64, "frames combined"));
    let values = |f: fn(&RawFrame) -> Option<f64>| -> Vec<f64> {
        frames.iter().filter_map(|r| f(r)).collect()
    };
    let exposures = values(|f| f.metadata.exposure_s);
    if !exposures.is_empty() {
        let mean = exposures.iter().sum::<f64>() / exposures.len() as f64;
        header.remove("EXPOSURE");
        header.set(Card::real("EXPTIME", round(mean), "[s] exposure, mean of the frames"));
    }
    let temps = values(|f| f.metadata.temp_c);
    if !temps.is_empty() {
        let mean = temps.iter().sum::<f64>() / temps.len() as f64;
        let low = temps.iter().copied().fold(f64::INFINITY, f64::min);
        let high = temps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        header.set(Card::real("CCD-TEMP", round(mean), "[C] sensor temperature, mean"));
        header.set(Card::real("PSTMIN", round(low), "[C] lowest sensor temperature"));
        header.set(Card::real("PSTMAX", round(high), "[C] highest sensor temperature"));
    }
    let dates = || frames.iter().filter_map(|f| f.metadata.date_obs.as_deref());
    if let Some(first) = dates().min() {
        header.set(Card::string("DATE-OBS", first, "start of the first frame, UTC"));
    }
    if let Some(last) = dates().max() {
        header.set(Card::string("PSDATE2", last, "start of the last frame, UTC"));
    }
    combination(&mut header, facts.recipe, facts.rejected);
    header.set(Card::integer("PSHOT", facts.hot as i64, "pixels marked hot"));
    header.set(Card::integer("PSCOLD", facts.cold as i64, "pixels marked cold"));
    header.set(Card::integer("PSNODATA", facts.no_data as i64, "pixels without data"));
    if let Some(noise) = facts.noise {
        let scatter = round(noise.scatter_adu);
        header.set(Card::real("PSNSCAT", scatter, "[adu] scatter of one frame's samples"));
        let model = round(noise.model_adu);
        header.set(Card::real("PSNMODEL", model, "[adu] noise foretold by gain and read noise"));
    }
    match (facts.kind, facts.removed_by) {
        (FrameKind::Flat, Some(by)) => {
            header.set(Card::string("PSADD", by.name(), "took the additive part out"));
            let n = i64::from(facts.normalised_channels);
            header.set(Card::integer("PSNORM", n, "channels normalised to mean 1"));
            if let Some(level) = facts.level_adu {
                let level = round(level);
                header.set(Card::real("PSLEVEL", level, "[adu] mean level of the frames"));
            }
        }
        (FrameKind::Dark | FrameKind::DarkFlat, removed) => {
            let gone = removed.is_some() || facts.bias_gone;
            header.set(Card::logical("BIASSUB", gone, "bias taken out"));
        }
        _ => {}
    }
    header
}

/// Keywords of the level and the noise of a flat's colours.
const FLAT_COLOURS: [(&str, &str); 3] =
    [("PSLEVELR", "PSNOISER"), ("PSLEVELG", "PSNOISEG"), ("PSLEVELB", "PSNOISEB")];

/// Writes what the colours of a flat amount to; what is not known has no card.
pub fn flat_colour_cards(header: &mut Header, colours: &[FlatColour; 3]) {
    for ((level, noise), colour) in FLAT_COLOURS.into_iter().zip(colours) {
        let cards = [
            (level, colour.level_adu, "[adu] mean level of this colour"),
            (noise, colour.noise, "noise of a pixel of this colour, relative"),
        ];
        for (key, value, comment) in cards.into_iter().filter(|(_, v, _)| v.is_finite()) {
            header.set(Card::real(key, round(value), comment));
        }
    }
}

/// What the colours of a flat amount to, as [`flat_colour_cards`] wrote it; `None` without any.
pub fn flat_colours(header: &Header) -> Option<[FlatColour; 3]> {
    let number = |key: &str| header.get_f64(key).unwrap_or(f64::NAN);
    let colours = FLAT_COLOURS
        .map(|(level, noise)| FlatColour { level_adu: number(level), noise: number(noise) });
    colours.iter().any(|c| c.noise.is_finite()).then_some(colours)
}

/// How samples were combined.
fn combination(header: &mut Header, recipe: Recipe, rejected: Rejected) {
    header.set(Card::string("PSCOMB", recipe.combine.name(), "combination"));
    header.set(Card::string("PSREJ", recipe.reject.name(), "rejection"));
    header.set(Card::integer("PSREJLO", rejected.low as i64, "samples rejected low"));
    header.set(Card::integer("PSREJHI", rejected.high as i64, "samples rejected high"));
}

/// Cards of a light that are not true of a stack of lights.
const OF_ONE_LIGHT: &[&str] = &["PSKEY", "PSSTEPS", "PSDSCALE", "PSREPAIR"];

/// The header of stacked lights: the reference's cards, world coordinates among them, as far as all
/// lights agree or they describe the picture's place, and what was done.
pub fn stack_header(
    reference: &Header,
    lights: &[&Header],
    exposure_s: Option<f64>,
    recipe: Recipe,
    rejected: Rejected,
    finer: f64,
) -> Header {
    let mut all = vec![reference];
    all.extend(lights);
    let mut header = consensus(&all);
    for card in reference.cards() {
        // The picture lies on the reference's pixels, so its place in the sky is the reference's.
        if is_world(&card.keyword()) && header.get(&card.keyword()).is_none() {
            header.push(*card);
        }
    }
    for key in OF_ONE_LIGHT {
        header.remove(key);
    }
    header.set(Card::string("IMAGETYP", imagetyp(FrameKind::Light), "kind of frame"));
    header.set(Card::integer("NCOMBINE", lights.len() as i64, "lights combined"));
    if let Some(total) = exposure_s {
        header.remove("EXPOSURE");
        let mean = total / lights.len().max(1) as f64;
        header.set(Card::real("EXPTIME", round(mean), "[s] exposure, mean of the lights"));
        header.set(Card::real("LIVETIME", round(total), "[s] exposure, all lights together"));
    }
    let dates = || lights.iter().filter_map(|h| h.get_text("DATE-OBS"));
    if let Some(first) = dates().min() {
        header.set(Card::string("DATE-OBS", &first, "start of the first light, UTC"));
    }
    if let Some(last) = dates().max() {
        header.set(Card::string("PSDATE2", &last, "start of the last light, UTC"));
    }
    combination(&mut header, recipe, rejected);
    // No filter array lies over it, whatever lay over its lights.
    let step = 1.0 / finer;
    let first = 0.5 * step - 0.5;
    picture_header(&header, None, (first, first), step)
}

/// The header of a light that lies on the reference's pixels: its own, with the reference's place
/// in the sky.
pub fn registered_header(reference: &Header, light: &Header) -> Header {
    let own = light.cards().iter().filter(|c| !is_world(&c.keyword()));
    let mut header = Header::from_cards(own.copied().collect());
    reference.cards().iter().filter(|c| is_world(&c.keyword())).for_each(|c| header.push(*c));
    header.remove("PSKEY");
    header
}

/// Whether a keyword says where in the sky a picture lies.
fn is_world(keyword: &str) -> bool {
    const STEMS: [&str; 16] = [
        "CRPIX", "CRVAL", "CTYPE", "CUNIT", "CDELT", "CROTA", "CD1_", "CD2_", "PC1_", "PC2_", "A_",
        "B_", "AP_", "BP_", "PV1_", "PV2_",
    ];
    STEMS.iter().any(|stem| keyword.starts_with(stem))
        || ["RADESYS", "EQUINOX", "LONPOLE", "LATPOLE", "WCSAXES"].contains(&keyword)
}

/// The cards that every header has to the byte, in the order of the first.
fn consensus(headers: &[&Header]) -> Header {
    let others: Vec<HashSet<&[u8; 80]>> =
        headers[1..].iter().map(|h| h.cards().iter().map(Card::as_bytes).collect()).collect();
    let keep = |c: &&Card| {
        !c.is_commentary()
            && !STALE.contains(&c.keyword().as_str())
            && others.iter().all(|o| o.contains(c.as_bytes()))
    };
    Header::from_cards(headers[0].cards().iter().filter(keep).copied().collect())
}

/// Decimal noise of means is no information.
fn round(v: f64) -> f64 {
    (v * 1e6).round() / 1e6
}

/// The header of a calibrated light: the raw light's cards to the byte, less what is no longer
/// true, plus what was done.
pub fn light_header(raw: &RawFrame, applied: Applied, cfa: Option<CfaPattern>) -> Header {
    let mut header = raw.header.clone();
    for key in STALE {
        header.remove(key);
    }
    trim(&mut header, raw, cfa);
    let letters: String = [
        (Applied::OVERSCAN, 'O'),
        (Applied::BIAS, 'B'),
        (Applied::DARK, 'D'),
        (Applied::FLAT, 'F'),
        (Applied::DEFECTS, 'X'),
    ]
    .into_iter()
    .filter_map(|(step, letter)| applied.contains(step).then_some(letter))
    .collect();
    if !letters.is_empty() {
        header.set(Card::string("CALSTAT", &letters, "steps done: bias, dark, flat, defects (X)"));
    }
    header
}

/// Moves the world coordinates and the colour filter array along when borders were cut off.
fn trim(header: &mut Header, raw: &RawFrame, cfa: Option<CfaPattern>) {
    let Rect { x0, y0, .. } = raw.region;
    if raw.region == raw.size.rect() {
        return;
    }
    reframe(header, (x0 as f64, y0 as f64), 1.0);
    if let Some(cfa) = cfa {
        for key in CFA_OFFSETS {
            header.remove(key);
        }
        // BAYERPAT speaks of the picture's top, the pattern of the file's first row.
        let written = match raw.metadata.row_order {
            Some(RowOrder::BottomUp) => cfa.flipped_rows(raw.region.height()),
            _ => cfa,
        };
        header.set(Card::string("BAYERPAT", &written.to_string(), "colour filter array"));
    }
}

/// Keywords that hold the first column and row of the colour filter array's cell.
const CFA_OFFSETS: [&str; 4] = ["XBAYROFF", "YBAYROFF", "BAYOFFX", "BAYOFFY"];

/// Keywords that hold the cell itself, FILTER among them for some cameras.
const CFA_NAMES: [&str; 5] = ["BAYERPAT", "COLORTYP", "CFAPAT", "CFAIMAGE", "FILTER"];

/// Keywords of the region on the sensor, in pixels that a coarser picture does not have.
const SENSOR_REGION: [&str; 6] =
    ["XORGSUBF", "YORGSUBF", "CCDSUBFL", "CCDSUBFT", "CCDSEC", "DETSEC"];

/// Keywords whose value is proportional to the size of a pixel. The binning stays what the camera
/// did: programs that multiply the pixel size by it would count a superpixel twice.
const PIXEL_SIZES: [&str; 15] = [
    "XPIXSZ", "YPIXSZ", "PIXSIZE1", "PIXSIZE2", "PIXSCALE", "SECPIX", "SECPIX1", "SECPIX2",
    "SCALE", "CDELT1", "CDELT2", "CD1_1", "CD1_2", "CD2_1", "CD2_2",
];

/// The header of a picture made of a frame under a colour filter array: the frame's cards without
/// the array, its world coordinates on the picture's pixels.
///
/// `region` is the part of the frame that was used, where that is not all of it; `step` pixels of
/// it make one of the picture (less than 1 on a finer grid), whose first pixel lies at `centre` of
/// the region.
pub fn picture_header(
    frame: &Header,
    region: Option<Rect>,
    centre: (f64, f64),
    step: f64,
) -> Header {
    let mut header = frame.clone();
    for key in CFA_OFFSETS.into_iter().chain(["DATAMIN", "DATAMAX"]) {
        header.remove(key);
    }
    for key in CFA_NAMES {
        if key != "FILTER" || header.get_text(key).is_some_and(|t| CfaPattern::parse(&t).is_some())
        {
            header.remove(key);
        }
    }
    let mut corner = (0.0, 0.0);
    if let Some(region) = region {
        corner = (region.x0 as f64, region.y0 as f64);
        ["TRIMSEC", "BIASSEC", "DATASEC"].into_iter().for_each(|key| header.remove(key));
    }
    reframe(&mut header, (corner.0 + centre.0, corner.1 + centre.1), step);
    if step > 1.0 {
        // The level of a mean is that of a sample, and so is its gain; its noise is less, and in no
        // two colours the same. ERR has it.
        for (key, what) in [("EGAIN", "[e-/ADU]"), ("RDNOISE", "[e-]")] {
            if let Some(v) = header.get_f64(key) {
                let comment = format!("{what} of one sample; ERR has the noise of means");
                header.set(Card::real(key, v, &comment));
            }
        }
    }
    if step != 1.0 {
        SENSOR_REGION.into_iter().for_each(|key| header.remove(key));
        for key in PIXEL_SIZES {
            if let Some(v) = header.get_f64(key) {
                let comment = header.comment(key);
                header.set(Card::real(key, v * step, &comment));
            }
        }
        // Distortion is a polynomial in pixels, of pixels.
        let terms: Vec<(String, f64)> = header
            .cards()
            .iter()
            .filter_map(|c| Some((c.keyword(), c.value()?.as_f64()?)))
            .filter_map(|(key, v)| Some((distortion_order(&key)?, key, v)))
            .map(|(order, key, v)| (key, v * step.powi(order - 1)))
            .collect();
        for (key, v) in terms {
            header.set(Card::real(&key, v, ""));
        }
    }
    header
}

/// The order p + q of a term A_p_q, B_p_q, AP_p_q or BP_p_q of distortion.
fn distortion_order(keyword: &str) -> Option<i32> {
    let rest = ["A_", "B_", "AP_", "BP_"].iter().find_map(|stem| keyword.strip_prefix(stem))?;
    let (p, q) = rest.split_once('_')?;
    Some(p.parse::<u8>().ok()? as i32 + q.parse::<u8>().ok()? as i32)
}

/// Moves the reference pixel of the world coordinates onto pixels `step` times as large, the first
/// of which has its centre at `centre` of the old ones.
fn reframe(header: &mut Header, centre: (f64, f64), step: f64) {
    if centre == (0.0, 0.0) && step == 1.0 {
        return;
    }
    // Second descriptions (CRPIX1A) are of other projections or of the sensor: left behind.
    let keys: Vec<String> = header.cards().iter().map(Card::keyword).collect();
    let letter = |key: &String| key.strip_prefix("CRPIX1")?.chars().next();
    let letters: Vec<char> = keys.iter().filter_map(letter).collect();
    for key in keys.iter().filter(|k| is_world(k) && k.ends_with(&letters[..])) {
        header.remove(key);
    }
    for (key, centre) in [("CRPIX1", centre.0), ("CRPIX2", centre.1)] {
        if let Some(v) = header.get_f64(key) {
            let comment = header.comment(key);
            // FITS counts pixels from 1.
            let moved = if step == 1.0 { v - centre } else { (v - 1.0 - centre) / step + 1.0 };
            header.set(Card::real(key, moved, &comment));
        }
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::align::Point;
    use photosite_pix::wcs::Wcs;

    use super::*;

    /// Coarser and finer pictures of part of a frame see the sky where the frame does.
    #[test]
    fn pixels_of_a_picture_see_what_those_of_its_frame_saw() {
        let common = [("CRPIX1", 101.25), ("CRPIX2", 57.5), ("CRVAL1", 84.0), ("CRVAL2", -5.0)];
        let spellings: [(&str, &[(&str, f64)]); 4] = [
            ("TAN", &[("CDELT1", -2e-3), ("CDELT2", 2e-3), ("CROTA2", 20.0)]),
            ("TAN", &[("CDELT1", -2e-3), ("CDELT2", 2e-3), ("PC1_2", 0.1), ("PC2_1", -0.1)]),
            (
                "TAN-SIP",
                &[
                    ("CD1_1", -2e-3),
                    ("CD2_2", 2e-3),
                    ("A_ORDER", 3.0),
                    ("A_2_0", 2e-5),
                    ("A_3_0", 3e-7),
                    ("B_ORDER", 2.0),
                    ("B_1_1", -3e-5),
                ],
            ),
            (
                "TPV",
                &[
                    ("CD1_1", -2e-3),
                    ("CD2_2", 2e-3),
                    ("PV1_1", 1.01),
                    ("PV1_7", -0.3),
                    ("PV2_1", 0.99),
                    ("PV2_4", 0.02),
                ],
            ),
        ];
        for (kind, cards) in spellings {
            let mut frame = Header::new();
            frame.push(Card::string("CTYPE1", &format!("RA---{kind}"), ""));
            frame.push(Card::string("CTYPE2", &format!("DEC--{kind}"), ""));
            let cards = common.iter().chain(cards);
            cards.for_each(|(key, v)| frame.push(Card::real(key, *v, "")));
            let before = Wcs::read(&frame).unwrap();
            // Cells of 2x2, cells whose first lies at (1, 0), half as large pixels, a crop.
            let ways = [(0.5, 0.5, 2.0), (1.0, 0.0, 2.0), (-0.25, -0.25, 0.5), (0.0, 0.0, 1.0)];
            for (x, y, step) in ways {
                let picture = picture_header(&frame, Some(Rect::new(10, 4, 60, 60)), (x, y), step);
                let after = Wcs::read(&picture).unwrap();
                for (i, j) in [(0.0, 0.0), (25.0, 7.0), (3.0, 29.0)] {
                    let of_frame = Point::new(10.0 + x + step * i, 4.0 + y + step * j);
                    let apart = before.to_sky(of_frame);
                    let apart = apart.separation_deg(after.to_sky(Point::new(i, j)));
                    assert!(apart < 1e-12, "{kind} {step}: {apart}");
                }
            }
        }
    }

    #[test]
    fn a_place_of_the_sky_stays_where_it_is() {
        let mut header = Header::new();
        for (key, v) in [
            ("CRPIX1", 101.25),
            ("CRPIX2", 57.5),
            ("CD1_1", -2e-4),
            ("A_2_0", 1e-5),
            ("XPIXSZ", 3.76),
        ] {
            header.push(Card::real(key, v, ""));
        }
        header.push(Card::string("BAYERPAT", "RGGB", ""));
        header.push(Card::integer("XBAYROFF", 1, ""));
        header.push(Card::string("FILTER", "Duo", ""));
        for (key, v) in [("CRPIX1A", 5.0), ("CDELT1A", 1.0)] {
            header.push(Card::real(key, v, ""));
        }
        header.push(Card::real("EGAIN", 0.8, "[e-/ADU] Electrons per ADU"));
        let region = Rect::new(10, 4, 60, 60);
        // The red samples of cells of 2x2 whose red lies at (1, 0).
        let half = picture_header(&header, Some(region), (1.0, 0.0), 2.0);
        // A column x of the frame, from 0, is column (x - 10 - 1) / 2 of the picture.
        let reference = 101.25 - 1.0;
        assert_eq!(half.get_f64("CRPIX1"), Some((reference - 11.0) / 2.0 + 1.0));
        assert_eq!(half.get_f64("CRPIX2"), Some((56.5 - 4.0) / 2.0 + 1.0));
        assert_eq!((half.get_f64("CD1_1"), half.get_f64("XPIXSZ")), (Some(-4e-4), Some(7.52)));
        assert_eq!(half.get_f64("A_2_0"), Some(2e-5));
        assert_eq!((half.get("BAYERPAT"), half.get("XBAYROFF")), (None, None));
        assert_eq!(half.get_text("FILTER").as_deref(), Some("Duo"));
        assert_eq!((half.get("CRPIX1A"), half.get("CDELT1A")), (None, None));
        assert_eq!(half.get_f64("EGAIN"), Some(0.8));
        assert!(half.comment("EGAIN").contains("of one sample"));
        let whole = picture_header(&header, None, (0.0, 0.0), 1.0);
        assert_eq!(whole.get_f64("CRPIX1"), Some(101.25));
        assert_eq!(whole.get_f64("CRPIX1A"), Some(5.0));
        assert_eq!(whole.get_f64("XPIXSZ"), Some(3.76));
    }
}
