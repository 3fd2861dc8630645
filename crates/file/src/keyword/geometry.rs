//! Which pixels, under which filters, behind which optics.

use photosite_pix::{CfaPattern, Header, Metadata, Rect, RowOrder};

use super::{Note, Rule, number, text};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "filter",
        field: "filter",
        about: "FILTER, FILT-1, FILTER1, FILTER2 or FILTERS names the filter; NoFilter, None and \
                the letters of a Bayer cell are no filter.",
        read: filter,
    },
    Rule {
        name: "binning-pair",
        field: "binning",
        about: "XBINNING and YBINNING, CCDXBIN and CCDYBIN, or BINX and BINY hold the binning.",
        read: |h, m, _| {
            let pair = |x: &str, y: &str| {
                let bx = u32::try_from(h.get_i64(x)?).ok()?;
                let by = h.get_i64(y).and_then(|v| u32::try_from(v).ok()).unwrap_or(bx);
                (bx >= 1 && by >= 1).then_some((bx, by))
            };
            m.binning = pair("XBINNING", "YBINNING")
                .or_else(|| pair("CCDXBIN", "CCDYBIN"))
                .or_else(|| pair("BINX", "BINY"));
            m.binning.is_some()
        },
    },
    Rule {
        name: "binning-text",
        field: "binning",
        about: "BINNING ('2x2', 2) or CCDSUM ('2 2') holds the binning.",
        read: |h, m, _| {
            m.binning = text(h, &["BINNING", "CCDSUM"]).and_then(|t| {
                let numbers: Vec<u32> = t
                    .split(|c: char| !c.is_ascii_digit())
                    .filter(|p| !p.is_empty())
                    .filter_map(|p| p.parse().ok())
                    .collect();
                match numbers[..] {
                    [b] | [b, _] if b < 1 => None,
                    [b] => Some((b, b)),
                    [x, y] if y >= 1 => Some((x, y)),
                    _ => None,
                }
            });
            m.binning.is_some()
        },
    },
    Rule {
        name: "subframe",
        field: "origin",
        about: "XORGSUBF and YORGSUBF, or CCDSUBFL and CCDSUBFT, hold the first column and row, \
                0-based.",
        read: |h, m, _| {
            let pair = |x: &str, y: &str| Some((h.get_i64(x)?, h.get_i64(y)?));
            m.origin = pair("XORGSUBF", "YORGSUBF").or_else(|| pair("CCDSUBFL", "CCDSUBFT"));
            m.origin.is_some()
        },
    },
    Rule {
        name: "section",
        field: "origin",
        about: "CCDSEC or DETSEC holds the frame's region on the sensor, 1-based, in IRAF's \
                brackets.",
        read: |h, m, _| {
            m.origin = text(h, &["CCDSEC", "DETSEC"])
                .and_then(|t| iraf_section(&t))
                .map(|r| (r.x0 as i64, r.y0 as i64));
            m.origin.is_some()
        },
    },
    Rule {
        name: "overscan-section",
        field: "overscan",
        about: "BIASSEC holds the overscan region in IRAF's brackets.",
        read: |h, m, _| {
            m.overscan = text(h, &["BIASSEC"]).and_then(|t| iraf_section(&t));
            m.overscan.is_some()
        },
    },
    Rule {
        name: "active-section",
        field: "active_area",
        about: "TRIMSEC, or DATASEC beside BIASSEC, holds the part that sees light in IRAF's \
                brackets.",
        read: |h, m, _| {
            let beside = h.get("BIASSEC").map(|_| "DATASEC");
            let keys: Vec<&str> = std::iter::once("TRIMSEC").chain(beside).collect();
            m.active_area = text(h, &keys).and_then(|t| iraf_section(&t));
            m.active_area.is_some()
        },
    },
    Rule {
        name: "row-order",
        field: "row_order",
        about: "ROWORDER holds TOP-DOWN or BOTTOM-UP.",
        read: |h, m, _| {
            m.row_order = match text(h, &["ROWORDER"]).map(|t| t.to_uppercase()).as_deref() {
                Some("TOP-DOWN") => Some(RowOrder::TopDown),
                Some("BOTTOM-UP") => Some(RowOrder::BottomUp),
                _ => None,
            };
            m.row_order.is_some()
        },
    },
    Rule {
        name: "bayer-pattern",
        field: "cfa",
        about: "BAYERPAT, COLORTYP, CFAPAT, CFAIMAGE or FILTER holds the cell's letters, shifted \
                by XBAYROFF/YBAYROFF or BAYOFFX/BAYOFFY and turned over for BOTTOM-UP rows.",
        read: bayer_pattern,
    },
    Rule {
        name: "telescope",
        field: "telescope",
        about: "TELESCOP names the telescope.",
        read: |h, m, _| {
            m.telescope = text(h, &["TELESCOP"]);
            m.telescope.is_some()
        },
    },
    Rule {
        name: "focal-length",
        field: "focal_length_mm",
        about: "FOCALLEN holds millimetres, FLENGTH metres; 0 means not known.",
        read: |h, m, _| {
            m.focal_length_mm = number(h, &["FOCALLEN"])
                .map(|(v, _)| v)
                .or_else(|| number(h, &["FLENGTH"]).map(|(v, _)| v * 1000.0))
                .filter(|v| *v > 0.0);
            m.focal_length_mm.is_some()
        },
    },
    Rule {
        name: "rotator",
        field: "rotator_deg",
        about: "ROTATANG, ROTATOR, ROTPOS, OBJCTROT or ROTSKYPA holds the rotator's \
                angle in degrees.",
        read: |h, m, _| {
            m.rotator_deg = number(h, &["ROTATANG", "ROTATOR", "ROTPOS", "OBJCTROT", "ROTSKYPA"])
                .map(|(v, _)| v)
                .filter(|v| v.abs() <= 720.0);
            m.rotator_deg.is_some()
        },
    },
    Rule {
        name: "pixel-size",
        field: "pixel_um",
        about: "XPIXSZ and YPIXSZ, or PIXSIZE1 and PIXSIZE2, hold the pixel size in micrometres.",
        read: |h, m, _| {
            let pair = |x: &str, y: &str| Some((h.get_f64(x)?, h.get_f64(y)?));
            m.pixel_um = pair("XPIXSZ", "YPIXSZ")
                .or_else(|| pair("PIXSIZE1", "PIXSIZE2"))
                .filter(|(x, y)| *x > 0.0 && *y > 0.0);
            m.pixel_um.is_some()
        },
    },
    Rule {
        name: "object",
        field: "object",
        about: "OBJECT names the target.",
        read: |h, m, _| {
            m.object = text(h, &["OBJECT"]);
            m.object.is_some()
        },
    },
];

/// IRAF's `[x1:x2,y1:y2]`, 1-based and closed, as a half-open 0-based region.
fn iraf_section(text: &str) -> Option<Rect> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (xs, ys) = inner.split_once(',')?;
    let range = |t: &str| {
        let (a, b) = t.split_once(':')?;
        let (a, b) = (a.trim().parse::<usize>().ok()?, b.trim().parse::<usize>().ok()?);
        // A reversed range means a flipped amplifier; the region is the same.
        let (low, high) = (a.min(b), a.max(b));
        (low >= 1).then(|| (low - 1, high))
    };
    let ((x0, x1), (y0, y1)) = (range(xs)?, range(ys)?);
    Some(Rect { x0, y0, x1, y1 })
}

fn filter(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    m.filter = text(header, &["FILTER", "FILT-1", "FILTER1", "FILTER2", "FILTERS"])
        .filter(|f| is_filter(f));
    m.filter.is_some()
}

/// Whether a name means that there is a filter.
pub(super) fn is_filter(name: &str) -> bool {
    let plain = name.to_lowercase().replace([' ', '-', '_'], "");
    !["nofilter", "none", "null", "n/a", ""].contains(&plain.as_str())
        && CfaPattern::parse(name).is_none()
}

fn bayer_pattern(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    let keys = ["BAYERPAT", "COLORTYP", "CFAPAT", "CFAIMAGE", "FILTER"];
    let found = keys.iter().find_map(|k| CfaPattern::parse(&header.get_text(k)?));
    let offset = |keys: [&str; 2]| {
        keys.iter().find_map(|k| header.get_i64(k)).unwrap_or(0).rem_euclid(6) as usize
    };
    let (dx, dy) = (offset(["XBAYROFF", "BAYOFFX"]), offset(["YBAYROFF", "BAYOFFY"]));
    let Some(pattern) = found else {
        let colour = header.get_text("BAYERPAT").is_some()
            || header.get_text("COLORTYP").is_some()
            || header.get("XBAYROFF").is_some();
        if colour && header.get_i64("COLORCCD") != Some(0) {
            notes.push(Note {
                code: "cfa-unnamed",
                message: "the header speaks of a colour sensor but names no pattern; the frame is \
                          treated as monochrome until BAYERPAT says otherwise"
                    .to_owned(),
            });
        }
        return false;
    };
    let mut pattern = pattern.shifted(dx, dy);
    let bottom_up =
        header.get_text("ROWORDER").is_some_and(|t| t.eq_ignore_ascii_case("BOTTOM-UP"));
    if bottom_up
        && let Some(height) = header.get_i64("NAXIS2").and_then(|h| usize::try_from(h).ok())
    {
        pattern = pattern.flipped_rows(height);
    }
    m.cfa = Some(pattern);
    true
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};
    use super::*;

    fn meta(lines: &[&str]) -> Metadata {
        read(&header(lines)).metadata
    }

    #[test]
    fn filters() {
        assert_eq!(meta(&["FILTER  = 'Visible             '"]).filter.as_deref(), Some("Visible"));
        assert_eq!(meta(&["FILTERS =    48 / Filters 10*A+B"]).filter.as_deref(), Some("48"));
        assert_eq!(meta(&["FILTER  = 'NoFilter'"]).filter, None);
        let panoptes = meta(&["FILTER  = 'RGGB    '"]);
        assert_eq!(panoptes.filter, None);
        assert_eq!(panoptes.cfa.unwrap().to_string(), "RGGB");
    }

    #[test]
    fn binning_and_regions() {
        assert_eq!(meta(&["XBINNING=   4.", "YBINNING=   4."]).binning, Some((4, 4)));
        assert_eq!(meta(&["BINNING = '2x2'"]).binning, Some((2, 2)));
        assert_eq!(meta(&["CCDSUM  = '1 2'"]).binning, Some((1, 2)));
        assert_eq!(meta(&["BINNING = '0x0'"]).binning, None);
        let saao =
            meta(&["BIASSEC = '[   4:  13,   1: 520]'", "TRIMSEC = '[  17: 528,   1: 520]'"]);
        assert_eq!(saao.overscan, Some(Rect { x0: 3, y0: 0, x1: 13, y1: 520 }));
        assert_eq!(saao.active_area, Some(Rect { x0: 16, y0: 0, x1: 528, y1: 520 }));
        assert_eq!(meta(&["CCDSEC  = '[101:200,1:50]'"]).origin, Some((100, 0)));
        // DATASEC alone often names the whole frame, or one that was trimmed since.
        assert_eq!(meta(&["DATASEC = '[17:528,1:520]'"]).active_area, None);
        assert!(
            meta(&["DATASEC = '[17:528,1:520]'", "BIASSEC = '[4:13,1:520]'"]).active_area.is_some()
        );
        for bad in ["[", "[]", "[1:2]", "[0:5,1:2]", "[a:b,c:d]", "1:2,3:4"] {
            assert_eq!(iraf_section(bad), None, "{bad}");
        }
    }

    #[test]
    fn colour_filter_arrays() {
        let cfa = |lines: &[&str]| meta(lines).cfa.map(|c| c.to_string());
        assert_eq!(cfa(&["BAYERPAT= 'RGGB'"]).as_deref(), Some("RGGB"));
        assert_eq!(cfa(&["BAYERPAT= 'RGGB'", "XBAYROFF= 1"]).as_deref(), Some("GRBG"));
        let up = ["BAYERPAT= 'RGGB'", "ROWORDER= 'BOTTOM-UP'", "NAXIS2  = 100"];
        assert_eq!(cfa(&up).as_deref(), Some("GBRG"));
        let r = read(&header(&["COLORTYP= 2", "XBAYROFF= 1"]));
        assert_eq!((r.metadata.cfa, r.notes[0].code), (None, "cfa-unnamed"));
        assert!(read(&header(&["COLORCCD= 0"])).notes.is_empty());
    }

    #[test]
    fn optics() {
        let m = meta(&["FOCALLEN= +0.000000000000E+000", "ROTATANG= 91.5"]);
        assert_eq!((m.focal_length_mm, m.rotator_deg), (None, Some(91.5)));
        assert_eq!(meta(&["FLENGTH = 0.53"]).focal_length_mm, Some(530.0));
    }
}
