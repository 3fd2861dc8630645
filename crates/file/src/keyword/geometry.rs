//! Which pixels, under which filters, behind which optics.

use photosite_pix::{CfaPattern, Header, Metadata, Rect, RowOrder, Size};

use super::{Note, Rule, name, number, text};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "filter",
        field: "filter",
        about: "FILTER, FILTER1 or FILT-1, FILTER2 or FILT-2, and FILTER3 name the filters of the \
                wheels, else FILTERS a code; NoFilter, None and the letters of a Bayer cell are no \
                filter, Clear and its like are none beside another.",
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
        about: "XORGSUBF and YORGSUBF, CCDSUBFL and CCDSUBFT, ROI_X and ROI_Y, or ROI-X and ROI-Y \
                hold the first column and row, 0-based.",
        read: |h, m, _| {
            let pair = |x: &str, y: &str| Some((h.get_i64(x)?, h.get_i64(y)?));
            m.origin = pair("XORGSUBF", "YORGSUBF")
                .or_else(|| pair("CCDSUBFL", "CCDSUBFT"))
                .or_else(|| pair("ROI_X", "ROI_Y"))
                .or_else(|| pair("ROI-X", "ROI-Y"));
            m.origin.is_some()
        },
    },
    Rule {
        name: "section",
        field: "origin",
        about: "CCDSEC or DETSEC holds the frame's region on the sensor, 1-based, in IRAF's \
                brackets; in unbinned pixels where it is as many times as large as the frame.",
        read: |h, m, _| {
            let section = text(h, &["CCDSEC", "DETSEC"]).and_then(|t| iraf_section(&t));
            let (bx, by) = m.binning.map_or((1, 1), |(x, y)| (x as usize, y as usize));
            m.origin = section.map(|r| {
                let unbinned = frame_size(h).is_some_and(|size| {
                    (r.width(), r.height()) != (size.width, size.height)
                        && r.width() / bx == size.width
                        && r.height() / by == size.height
                });
                let (bx, by) = if unbinned { (bx, by) } else { (1, 1) };
                ((r.x0 / bx) as i64, (r.y0 / by) as i64)
            });
            m.origin.is_some()
        },
    },
    Rule {
        name: "overscan-section",
        field: "overscan",
        about: "BIASSEC holds the overscan region in IRAF's brackets, in pixels of the frame or of \
                the unbinned sensor; not used where it or TRIMSEC does not fit the frame.",
        read: |h, m, notes| {
            let sections = Sections::read(h, m);
            notes.extend(sections.note);
            m.overscan = sections.overscan;
            m.overscan.is_some()
        },
    },
    Rule {
        name: "active-section",
        field: "active_area",
        about: "TRIMSEC, or DATASEC beside BIASSEC, holds the part that sees light in IRAF's \
                brackets, under the rules of BIASSEC.",
        read: |h, m, _| {
            m.active_area = Sections::read(h, m).active;
            m.active_area.is_some()
        },
    },
    Rule {
        name: "row-order",
        field: "row_order",
        about: "ROWORDER holds TOP-DOWN or BOTTOM-UP, whatever joins the words.",
        read: |h, m, _| {
            m.row_order = row_order(h);
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
        about: "ROTATANG, ROTATOR or ROTPOS holds the rotator's angle in degrees; OBJCTROT is what \
                was planned, ROTSKYPA an angle on the sky.",
        read: |h, m, _| {
            m.rotator_deg = number(h, &["ROTATANG", "ROTATOR", "ROTPOS"])
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
        about: "OBJECT names the target; Unknown, None and their like do not.",
        read: |h, m, _| {
            m.object = name(h, &["OBJECT"]);
            m.object.is_some()
        },
    },
];

/// A section of a frame or of the sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Its pixels.
    pub region: Rect,
    /// Whether it counts downward along x, along y: an output that reads the other way.
    pub turned: (bool, bool),
}

/// IRAF's `[x1:x2,y1:y2]`, 1-based and closed, as a half-open 0-based region.
pub(super) fn section(text: &str) -> Option<Section> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (xs, ys) = inner.split_once(',')?;
    let range = |t: &str| {
        let (a, b) = t.split_once(':')?;
        let (a, b) = (a.trim().parse::<usize>().ok()?, b.trim().parse::<usize>().ok()?);
        let (low, high) = (a.min(b), a.max(b));
        (low >= 1).then(|| ((low - 1, high), a > b))
    };
    let (((x0, x1), turned_x), ((y0, y1), turned_y)) = (range(xs)?, range(ys)?);
    Some(Section { region: Rect { x0, y0, x1, y1 }, turned: (turned_x, turned_y) })
}

/// The pixels of such a section.
fn iraf_section(text: &str) -> Option<Rect> {
    section(text).map(|s| s.region)
}

fn filter(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let wheels = [&["FILTER"][..], &["FILTER1", "FILT-1"], &["FILTER2", "FILT-2"], &["FILTER3"]];
    let found = wheels.iter().filter_map(|keys| text(header, keys)).filter(|f| is_filter(f));
    m.filter =
        combined_filters(found).or_else(|| text(header, &["FILTERS"]).filter(|f| is_filter(f)));
    m.filter.is_some()
}

/// The filters of several wheels as one; `None` where there are none.
pub(super) fn combined_filters(wheels: impl Iterator<Item = String>) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for found in wheels {
        // FILTER often repeats a wheel, or names all of them.
        let named =
            |n: &String| n.split([' ', '+', ',', '/']).any(|w| w.eq_ignore_ascii_case(&found));
        if !names.iter().any(|n| n.eq_ignore_ascii_case(&found) || named(n)) {
            names.push(found);
        }
    }
    if names.iter().any(|n| !is_empty_slot(n)) {
        names.retain(|n| !is_empty_slot(n));
    } else {
        names.truncate(1);
    }
    (!names.is_empty()).then(|| names.join("+"))
}

/// Whether a name says that the slot of a wheel lets everything through.
fn is_empty_slot(name: &str) -> bool {
    let plain = name.to_lowercase();
    ["clear", "c", "open", "air", "empty", "blank", "hole", "free"].contains(&plain.as_str())
}

fn row_order(header: &Header) -> Option<RowOrder> {
    let words: String =
        header.get_text("ROWORDER")?.chars().filter(char::is_ascii_alphabetic).collect();
    match words.to_uppercase().as_str() {
        "TOPDOWN" => Some(RowOrder::TopDown),
        "BOTTOMUP" => Some(RowOrder::BottomUp),
        _ => None,
    }
}

/// Width and height of the frame, where its header tells.
pub(super) fn frame_size(header: &Header) -> Option<Size> {
    let axis = |key: &str| usize::try_from(header.get_i64(key)?).ok().filter(|n| *n > 0);
    Some(Size::new(axis("NAXIS1")?, axis("NAXIS2")?))
}

/// BIASSEC and the section that sees light, checked against the frame together.
#[derive(Default)]
struct Sections {
    overscan: Option<Rect>,
    active: Option<Rect>,
    note: Option<Note>,
}

impl Sections {
    fn read(header: &Header, m: &Metadata) -> Self {
        let section = |key: &'static str| {
            let text = text(header, &[key])?;
            Some((key, iraf_section(&text), text))
        };
        let overscan = section("BIASSEC");
        let active =
            section("TRIMSEC").or_else(|| header.get("BIASSEC").and_then(|_| section("DATASEC")));
        let parsed = |s: &Option<(_, Option<Rect>, _)>| s.as_ref().and_then(|(_, r, _)| *r);
        let (o, a) = (parsed(&overscan), parsed(&active));
        let Some(size) = frame_size(header) else {
            return Self { overscan: o, active: a, note: None };
        };
        let all = || o.iter().chain(&a);
        if all().all(|r| r.fits(size)) {
            return Self { overscan: o, active: a, note: None };
        }
        // Some programs count the pixels of the sensor, not those of the binned frame.
        let binning = m.binning.map(|(x, y)| (x as usize, y as usize)).filter(|b| *b != (1, 1));
        if let Some(b) = binning
            && all().all(|r| binned(*r, b).fits(size))
        {
            let named: Vec<&str> =
                [&overscan, &active].into_iter().flatten().map(|s| s.0).collect();
            let message = format!(
                "{} count unbinned pixels; divided by the binning of {}x{} they fit the frame of {size}",
                named.join(" and "),
                b.0,
                b.1
            );
            let note = Some(Note { code: "section-binned", message });
            let scaled = |r: Option<Rect>| r.map(|r| binned(r, b));
            return Self { overscan: scaled(o), active: scaled(a), note };
        }
        // One that does not fit makes the other doubtful.
        let outside: Vec<String> = [&overscan, &active]
            .into_iter()
            .flatten()
            .filter(|(_, r, _)| r.is_some_and(|r| !r.fits(size)))
            .map(|(key, _, text)| format!("{key} = {text}"))
            .collect();
        let message = format!(
            "{} does not fit the frame of {size}; neither overscan nor trimming is used. Mend the \
             card, or leave it out",
            outside.join(" and ")
        );
        Self { note: Some(Note { code: "section-outside", message }), ..Self::default() }
    }
}

/// A region of the sensor in the binned pixels that lie wholly or partly in it.
fn binned(r: Rect, (bx, by): (usize, usize)) -> Rect {
    Rect { x0: r.x0 / bx, y0: r.y0 / by, x1: r.x1.div_ceil(bx), y1: r.y1.div_ceil(by) }
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
    if row_order(header) == Some(RowOrder::BottomUp)
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
    fn both_filter_wheels_count_and_case_is_kept() {
        let filter = |lines: &[&str]| meta(lines).filter;
        for (lines, expected) in [
            (&["FILTER1 = 'Clear'", "FILTER2 = 'B'"][..], Some("B")),
            (&["FILTER  = 'NO_FILTER'", "FILTER2 = 'V'"], Some("V")),
            (&["FILTER1 = 'Ha'", "FILTER2 = 'OIII'"], Some("Ha+OIII")),
            (&["FILTER  = 'Ha OIII'", "FILTER1 = 'Ha'", "FILTER2 = 'OIII'"], Some("Ha OIII")),
            (&["FILTER  = 'R'", "FILTER1 = 'air'", "FILTER2 = 'R'"], Some("R")),
            (&["FILT-1  = 'Open'", "FILT-2  = 'r'"], Some("r")),
            (&["FILTER1 = 'Clear'", "FILTER2 = 'Open'"], Some("Clear")),
            (&["FILTER  = 'Clear'"], Some("Clear")),
            (&["FILTER  = 'r'"], Some("r")),
            (&["FILTER  = 'R'"], Some("R")),
            (&["FILTER  = 'none'", "FILTER2 = 'N/A'"], None),
        ] {
            assert_eq!(filter(lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn sections_are_held_against_the_frame() {
        let size = ["NAXIS1  = 320", "NAXIS2  = 240"];
        let read = |lines: &[&str]| {
            let r = super::super::read(&header(&[&size[..], lines].concat()));
            (r.metadata.overscan, r.metadata.active_area, r.notes.first().map(|n| n.code))
        };
        let rect = |x0, y0, x1, y1| Some(Rect { x0, y0, x1, y1 });
        let fits = ["BIASSEC = '[301:320,1:240]'", "TRIMSEC = '[1:300,1:240]'"];
        let ours = (rect(300, 0, 320, 240), rect(0, 0, 300, 240), None);
        assert_eq!(read(&fits), ours);
        // Counted on the sensor, of a frame binned 2x2.
        let sensor = ["BIASSEC = '[601:640,1:480]'", "TRIMSEC = '[1:600,1:480]'"];
        let bin = ["XBINNING= 2", "YBINNING= 2"];
        assert_eq!(read(&[&sensor[..], &bin].concat()), (ours.0, ours.1, Some("section-binned")));
        assert_eq!(read(&[&fits[..], &bin].concat()), ours);
        assert_eq!(read(&sensor), (None, None, Some("section-outside")));
        let one = ["BIASSEC = '[331:340,1:240]'", "TRIMSEC = '[1:300,1:240]'"];
        assert_eq!(read(&one), (None, None, Some("section-outside")), "one makes both doubtful");
        let three = ["BIASSEC = '[901:960,1:720]'", "XBINNING= 2", "YBINNING= 2"];
        assert_eq!(read(&three), (None, None, Some("section-outside")));
        let notes = super::super::read(&header(&[&size[..], &one].concat()));
        assert!(notes.notes[0].message.contains("BIASSEC = [331:340,1:240]"));
        assert_eq!(notes.metadata.unread[0].keyword, "BIASSEC");
    }

    #[test]
    fn regions_of_the_sensor() {
        let origin = |lines: &[&str]| meta(lines).origin;
        assert_eq!(origin(&["ROI_X   = 640", "ROI_Y   = 480"]), Some((640, 480)));
        let frame = ["NAXIS1  = 50", "NAXIS2  = 25", "CCDSUM  = '2 2'"];
        let sec = |t: &'static str| [&frame[..], &[t]].concat();
        assert_eq!(origin(&sec("CCDSEC  = '[101:200,1:50]'")), Some((50, 0)));
        assert_eq!(origin(&sec("CCDSEC  = '[101:150,1:25]'")), Some((100, 0)));
        assert_eq!(meta(&["ROWORDER= 'top_down'"]).row_order, Some(RowOrder::TopDown));
        assert_eq!(meta(&["ROWORDER= 'Bottom up'"]).row_order, Some(RowOrder::BottomUp));
        for none in ["Unknown", "unknown ", "NONE", "n/a", "<Unnamed>", "-"] {
            assert_eq!(meta(&[&format!("OBJECT  = '{none}'")]).object, None, "{none}");
        }
        assert_eq!(meta(&["OBJECT  = 'M 31'"]).object.as_deref(), Some("M 31"));
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
        let planned = meta(&["OBJCTROT= 45.0", "ROTSKYPA= 12.0"]);
        assert_eq!(planned.rotator_deg, None);
        assert_eq!(meta(&["FLENGTH = 0.53"]).focal_length_mm, Some(530.0));
    }
}
