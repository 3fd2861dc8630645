//! The keywords of ESO's telescopes, `HIERARCH ESO ...`, asked where no plain keyword answers.
//!
//! # Source
//! ESO2011: Data Interface Control Document, issue 5: DPR, DET, INS and PRO keywords. GAIN of an output is its
//! conversion from electrons to ADU, CONAD that from ADU to electrons, RON its read noise in electrons, NX, PRSCX and
//! OVSCX are its data, prescan and overscan pixels.

use photosite_pix::{FrameKind, Gain, Header, Rect, Size};

use super::geometry::{combined_filters, frame_size, is_filter};
use super::{Note, Rule, kind_from_words, name, text};

/// Most outputs that are asked about.
const OUTPUTS: usize = 16;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "eso-product",
        field: "is_master",
        about: "ESO PRO CATG names a MASTER of a pipeline.",
        read: |h, m, _| {
            m.is_master =
                product(h).is_some_and(|catg| catg.to_ascii_uppercase().starts_with("MASTER"));
            m.is_master
        },
    },
    Rule {
        name: "eso-kind",
        field: "kind",
        about: "ESO PRO CATG (MASTER_BIAS), else ESO DPR TYPE (BIAS; DARK; FLAT,SKY; OBJECT; STD), else a DPR CATG of \
                SCIENCE tells the kind.",
        read: |h, m, _| {
            m.kind = kind(h);
            m.kind.is_some()
        },
    },
    Rule {
        name: "eso-camera-id",
        field: "camera_id",
        about: "ESO DET CHIP1 ID or DET CHIP ID parts one sensor of an instrument from another.",
        read: |h, m, _| {
            m.camera_id = name(h, &["ESO DET CHIP1 ID", "ESO DET CHIP ID"]);
            m.camera_id.is_some()
        },
    },
    Rule {
        name: "eso-conversion-gain",
        field: "gain_e_per_adu",
        about: "ESO DET OUTn CONAD holds e-/ADU; GAIN alone ADU/e-, unless its comment says the other; not used where \
                outputs differ.",
        read: |h, m, notes| {
            m.gain_e_per_adu = gain(h, notes).and_then(Gain::new);
            m.gain_e_per_adu.is_some()
        },
    },
    Rule {
        name: "eso-read-noise",
        field: "read_noise_e",
        about: "ESO DET OUTn RON holds the read noise in electrons; not used where outputs differ.",
        read: |h, m, _| {
            m.read_noise_e = alike(outputs(h, "RON")).filter(|v| *v > 0.0);
            m.read_noise_e.is_some()
        },
    },
    Rule {
        name: "eso-readout-mode",
        field: "readout_mode",
        about: "ESO DET READ CLOCK, or DET READ CURNAME, names the read-out mode.",
        read: |h, m, _| {
            m.readout_mode = text(h, &["ESO DET READ CLOCK", "ESO DET READ CURNAME"]);
            m.readout_mode.is_some()
        },
    },
    Rule {
        name: "eso-filter",
        field: "filter",
        about: "ESO INS FILT1 NAME to FILT4 NAME, or INS FILT NAME, name the filters of the wheels; free and open are \
                none beside another.",
        read: |h, m, _| {
            let wheels = [
                ["ESO INS FILT1 NAME", "ESO INS FILT NAME"],
                ["ESO INS FILT2 NAME", "ESO INS FILT2 ID"],
                ["ESO INS FILT3 NAME", "ESO INS FILT3 ID"],
                ["ESO INS FILT4 NAME", "ESO INS FILT4 ID"],
            ];
            let found = wheels.iter().filter_map(|keys| text(h, keys)).filter(|f| is_filter(f));
            m.filter = combined_filters(found);
            m.filter.is_some()
        },
    },
    Rule {
        name: "eso-binning",
        field: "binning",
        about: "ESO DET WIN1 BINX and BINY hold the binning.",
        read: |h, m, _| {
            let along = |key| h.get_i64(key).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
            m.binning = along("ESO DET WIN1 BINX").zip(along("ESO DET WIN1 BINY"));
            m.binning.is_some()
        },
    },
    Rule {
        name: "eso-overscan",
        field: "overscan",
        about: "ESO DET OUT1 NX, PRSCX and OVSCX (and NY, PRSCY, OVSCY) of a frame of one output part data from \
                overscan, where they add up to the frame, as they are or divided by the binning.",
        read: |h, m, _| {
            m.overscan = sections(h, m.binning).map(|(overscan, _)| overscan);
            m.overscan.is_some()
        },
    },
    Rule {
        name: "eso-active",
        field: "active_area",
        about: "The data that those keywords tell of are the part that sees light.",
        read: |h, m, _| {
            m.active_area = sections(h, m.binning).map(|(_, active)| active);
            m.active_area.is_some()
        },
    },
    Rule {
        name: "eso-object",
        field: "object",
        about: "ESO OBS TARG NAME names the target.",
        read: |h, m, _| {
            m.object = name(h, &["ESO OBS TARG NAME"]);
            m.object.is_some()
        },
    },
];

/// What a pipeline made.
fn product(header: &Header) -> Option<String> {
    text(header, &["ESO PRO CATG"])
}

fn kind(header: &Header) -> Option<FrameKind> {
    let of_words = |words: &str| {
        let kinds: Vec<FrameKind> = words
            .split([',', '_', ' '])
            .filter_map(|word| match word.trim().to_ascii_uppercase().as_str() {
                "STD" => Some(FrameKind::Light),
                word => kind_from_words(word),
            })
            .collect();
        let has = |kind| kinds.contains(&kind);
        match (has(FrameKind::Dark), has(FrameKind::Flat)) {
            (true, true) => Some(FrameKind::DarkFlat),
            _ => kinds.first().copied(),
        }
    };
    let science = || {
        let catg = text(header, &["ESO DPR CATG"])?;
        catg.eq_ignore_ascii_case("SCIENCE").then_some(FrameKind::Light)
    };
    product(header)
        .and_then(|catg| of_words(&catg))
        .or_else(|| text(header, &["ESO DPR TYPE"]).and_then(|t| of_words(&t)))
        .or_else(science)
}

/// A number of each output that has one.
fn outputs(header: &Header, what: &str) -> Vec<f64> {
    let of = |n: usize| header.get_f64(&format!("ESO DET OUT{n} {what}"));
    (1..=OUTPUTS).filter_map(of).filter(|v| v.is_finite()).collect()
}

/// What all outputs have in common.
fn alike(of: Vec<f64>) -> Option<f64> {
    of.first().copied().filter(|first| of.iter().all(|v| v == first))
}

fn gain(header: &Header, notes: &mut Vec<Note>) -> Option<f64> {
    let positive = |v: &f64| *v > 0.0;
    if let Some(conad) = alike(outputs(header, "CONAD")).filter(positive) {
        return Some(conad);
    }
    let gain = alike(outputs(header, "GAIN")).filter(positive)?;
    let comment = header.comment("ESO DET OUT1 GAIN").to_lowercase();
    let plain: String = comment.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let electrons = ["e/adu", "e/dn", "electrons/adu", "adustoelectrons"];
    if electrons.iter().any(|words| plain.contains(words)) {
        return Some(gain);
    }
    notes.push(Note {
        code: "gain-ambiguous",
        message: format!(
            "ESO DET OUT1 GAIN = {gain} is taken as ADU/e-, as ESO defines it, {:.4} e-/ADU; CONAD would tell for certain",
            1.0 / gain
        ),
    });
    Some(1.0 / gain)
}

/// Overscan and data of a frame of one output.
fn sections(header: &Header, binning: Option<(u32, u32)>) -> Option<(Rect, Rect)> {
    if header.get("ESO DET OUT2 NX").is_some() {
        return None;
    }
    let Size { width, height } = frame_size(header)?;
    let (bin_x, bin_y) = binning.unwrap_or((1, 1));
    let along = |axis: char, length: usize, bin: u32| -> Option<[usize; 3]> {
        let card = |what: &str| {
            let pixels = header.get_i64(&format!("ESO DET OUT1 {what}{axis}")).unwrap_or(0);
            usize::try_from(pixels).ok()
        };
        let [before, data, after] = [card("PRSC")?, card("N")?, card("OVSC")?];
        if data == 0 {
            return (before == 0 && after == 0).then_some([0, length, 0]);
        }
        let bin = bin as usize;
        [
            [before, data, after],
            [before / bin, data / bin, after / bin],
            [before / bin, data, after / bin],
        ]
        .into_iter()
        .find(|parts| parts.iter().sum::<usize>() == length)
    };
    let [left, columns, right] = along('X', width, bin_x)?;
    let [below, rows, above] = along('Y', height, bin_y)?;
    let active = Rect::new(left, below, columns, rows);
    // The widest is the best known.
    let strips = [
        Rect::new(left + columns, below, right, rows),
        Rect::new(0, below, left, rows),
        Rect::new(left, below + rows, columns, above),
        Rect::new(left, 0, columns, below),
    ];
    let [after, before, over, under] = strips;
    let wide = |r: &Rect| r.width() > 0 && r.height() > 0;
    let columns = [after, before].into_iter().filter(wide).max_by_key(|r| (r.width(), r.x0));
    let rows = [over, under].into_iter().filter(wide).max_by_key(|r| (r.height(), r.y0));
    Some((columns.or(rows)?, active))
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};
    use super::*;

    #[test]
    fn kinds_by_type_and_category() {
        let kind = |lines: &[&str]| read(&header(lines)).metadata.kind;
        for (typed, expected) in [
            ("BIAS", Some(FrameKind::Bias)),
            ("DARK", Some(FrameKind::Dark)),
            ("FLAT,SKY", Some(FrameKind::Flat)),
            ("SKY,FLAT", Some(FrameKind::Flat)),
            ("FLAT,DOME", Some(FrameKind::Flat)),
            ("FLAT,DARK", Some(FrameKind::DarkFlat)),
            ("OBJECT", Some(FrameKind::Light)),
            ("STD", Some(FrameKind::Light)),
            ("WAVE,LAMP", None),
        ] {
            let line = format!("HIERARCH ESO DPR TYPE = '{typed}'");
            assert_eq!(kind(&[&line]), expected, "{typed}");
        }
        let science = "HIERARCH ESO DPR CATG = 'SCIENCE'";
        assert_eq!(kind(&[science]), Some(FrameKind::Light));
        assert_eq!(kind(&[science, "IMAGETYP= 'Dark Frame'"]), Some(FrameKind::Dark));
        let made = ["HIERARCH ESO PRO CATG = 'MASTER_SKY_FLAT_IMG'", science];
        let master = read(&header(&made)).metadata;
        assert_eq!((master.kind, master.is_master), (Some(FrameKind::Flat), true));
    }

    #[test]
    fn gain_by_its_own_definition() {
        let gain = |lines: &[&str]| {
            let found = read(&header(lines)).metadata.gain_e_per_adu.map(|g| g.e_per_adu());
            found.map(|g| (1e4 * g).round() / 1e4)
        };
        let (conad, inverse) =
            ("HIERARCH ESO DET OUT1 CONAD = 2.18", "HIERARCH ESO DET OUT1 GAIN = 0.46");
        assert_eq!(gain(&[conad, inverse]), Some(2.18));
        assert_eq!(gain(&[inverse]), Some(2.1739));
        assert_eq!(gain(&["HIERARCH ESO DET OUT1 GAIN = 1.4 / [e-/ADU] gain"]), Some(1.4));
        assert_eq!(gain(&[conad, "EGAIN   = 1.5"]), Some(1.5));
        let other = "HIERARCH ESO DET OUT2 CONAD = 2.3";
        assert_eq!(gain(&[conad, other]), None);
        let noise = read(&header(&["HIERARCH ESO DET OUT1 RON = 4.2"])).metadata.read_noise_e;
        assert_eq!(noise, Some(4.2));
    }

    #[test]
    fn wheels_binning_and_sections() {
        let lines = [
            "NAXIS1  = 1100",
            "NAXIS2  = 500",
            "HIERARCH ESO INS FILT1 NAME = 'R_SPECIAL'",
            "HIERARCH ESO INS FILT2 NAME = 'free'",
            "HIERARCH ESO DET WIN1 BINX = 2",
            "HIERARCH ESO DET WIN1 BINY = 2",
            "HIERARCH ESO DET OUT1 NX = 1024",
            "HIERARCH ESO DET OUT1 PRSCX = 26",
            "HIERARCH ESO DET OUT1 OVSCX = 50",
        ];
        let m = read(&header(&lines)).metadata;
        assert_eq!((m.filter.as_deref(), m.binning), (Some("R_SPECIAL"), Some((2, 2))));
        assert_eq!(m.overscan, Some(Rect::new(1050, 0, 50, 500)));
        assert_eq!(m.active_area, Some(Rect::new(26, 0, 1024, 500)));
        let unbinned = [
            &lines[..6],
            &["HIERARCH ESO DET OUT1 NX = 2048", "HIERARCH ESO DET OUT1 PRSCX = 52"],
            &["HIERARCH ESO DET OUT1 OVSCX = 100"],
        ]
        .concat();
        assert_eq!(read(&header(&unbinned)).metadata.active_area, m.active_area);
        let not = [&lines[..8], &["HIERARCH ESO DET OUT1 OVSCX = 10"]].concat();
        assert_eq!(read(&header(&not)).metadata.overscan, None);
        let two = [&lines[..], &["HIERARCH ESO DET OUT2 NX = 1024"]].concat();
        assert_eq!(read(&header(&two)).metadata.overscan, None);
    }
}
