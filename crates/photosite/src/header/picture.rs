//! The header of an image on other pixels than its frame's: world coordinates, pixel sizes, arrays.

use photosite_pix::{Card, CfaPattern, Header, Rect, RowOrder};

use super::cards::is_world;
use crate::raw::RawFrame;

/// Moves the world coordinates and the colour filter array along when borders were cut off.
pub(super) fn trim(header: &mut Header, raw: &RawFrame, cfa: Option<CfaPattern>) {
    let Rect { x0, y0, .. } = raw.region();
    if !raw.detector.is_trimmed() {
        return;
    }
    reframe(header, (x0 as f64, y0 as f64), 1.0);
    if let Some(cfa) = cfa {
        for key in CFA_OFFSETS {
            header.remove(key);
        }
        // BAYERPAT speaks of the picture's top, the pattern of the file's first row.
        let written = match raw.metadata.row_order {
            Some(RowOrder::BottomUp) => cfa.flipped_rows(raw.region().height()),
            _ => cfa,
        };
        header.set(Card::string("BAYERPAT", &written.to_string(), "colour filter array"));
    }
}

/// Keywords that hold the first column and row of the colour filter array's cell.
const CFA_OFFSETS: [&str; 4] = ["XBAYROFF", "YBAYROFF", "BAYOFFX", "BAYOFFY"];

/// Keywords that hold the cell itself, FILTER among them for some cameras.
const CFA_NAMES: [&str; 5] = ["BAYERPAT", "COLORTYP", "CFAPAT", "CFAIMAGE", "FILTER"];

/// Takes a colour filter array out of a header.
pub fn without_array(header: &mut Header) {
    for key in CFA_OFFSETS {
        header.remove(key);
    }
    for key in CFA_NAMES {
        // COLORTYP may be a number, FILTER the name of a filter.
        if header.get_text(key).is_some_and(|v| CfaPattern::parse(&v).is_some()) {
            header.remove(key);
        }
    }
}

/// Keywords of the region on the sensor, in pixels that a coarser image does not have.
const SENSOR_REGION: [&str; 6] =
    ["XORGSUBF", "YORGSUBF", "CCDSUBFL", "CCDSUBFT", "CCDSEC", "DETSEC"];

/// Keywords whose value is proportional to the size of a pixel. The binning stays what the camera
/// did: programs that multiply the pixel size by it would count a superpixel twice.
const PIXEL_SIZES: [&str; 15] = [
    "XPIXSZ", "YPIXSZ", "PIXSIZE1", "PIXSIZE2", "PIXSCALE", "SECPIX", "SECPIX1", "SECPIX2",
    "SCALE", "CDELT1", "CDELT2", "CD1_1", "CD1_2", "CD2_1", "CD2_2",
];

/// The header of an image made of a frame under a colour filter array: the frame's cards without
/// the array, its world coordinates on the image's pixels.
///
/// `region` is the part of the frame that was used, where that is not all of it; `step` pixels of
/// it make one of the image (less than 1 on a finer grid), whose first pixel lies at `centre` of
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

/// Makes gain and read noise of a header those of pixels that are means of `samples` each, of a weighted mean so many
/// as its noise tells: a unit of them holds the electrons of all.
pub fn of_means(header: &mut Header, samples: f64) {
    for (key, factor, unit) in [("EGAIN", samples, "[e-/ADU]"), ("RDNOISE", samples.sqrt(), "[e-]")]
    {
        if let Some(v) = header.get_f64(key) {
            let comment = format!("{unit} of a mean of {samples:.3} samples");
            header.set(Card::real(key, factor * v, &comment));
        }
    }
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

    /// Coarser and finer images of part of a frame see the sky where the frame does.
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
