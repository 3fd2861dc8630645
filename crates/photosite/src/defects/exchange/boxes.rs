//! Lists of boxes: IRAF's bad pixel file and LSST's table of defects.
//!
//! # Source
//! IRAFccdred, `instruments`: columns and rows from 1, both ends included. LSSTdefects: the first pixel from 0,
//! and the size.

use photosite_pix::MaskBits;

use super::{Boxed, lines, wrong};

/// Four whole numbers of a line.
fn four(number: usize, line: &str, wanted: &str) -> Result<[usize; 4], String> {
    let bad = || wrong(number, line, wanted);
    let found: Vec<usize> = line
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|w| !w.is_empty())
        .map(|w| w.parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    found.try_into().map_err(|_| bad())
}

pub(super) fn read_iraf(text: &str) -> Result<Vec<Boxed>, String> {
    let wanted = "x1 x2 y1 y2, counted from 1";
    lines(text)
        .map(|(number, line)| {
            let [x1, x2, y1, y2] = four(number, line, wanted)?;
            if x1 == 0 || y1 == 0 || x2 < x1 || y2 < y1 {
                return Err(wrong(number, line, wanted));
            }
            let (width, height) = ((x2 - x1).saturating_add(1), (y2 - y1).saturating_add(1));
            Ok(Boxed { x0: x1 - 1, y0: y1 - 1, width, height, bits: MaskBits::HOT })
        })
        .collect()
}

pub(super) fn write_iraf(runs: &[Boxed]) -> String {
    let line =
        |r: &Boxed| format!("{} {} {} {}\n", r.x0 + 1, r.x0 + r.width, r.y0 + 1, r.y0 + r.height);
    runs.iter().map(line).collect()
}

pub(super) fn read_lsst(text: &str) -> Result<Vec<Boxed>, String> {
    let wanted = "x0 y0 width height";
    let mut out = Vec::new();
    for (number, line) in lines(text) {
        if line.replace([',', '"'], " ").split_whitespace().eq(wanted.split_whitespace()) {
            continue;
        }
        let [x0, y0, width, height] = four(number, line, wanted)?;
        out.push(Boxed { x0, y0, width, height, bits: MaskBits::HOT });
    }
    Ok(out)
}

pub(super) fn write_lsst(runs: &[Boxed]) -> String {
    let mut out = String::from("# %ECSV 1.0\n# ---\n# datatype:\n");
    for name in ["x0", "y0", "width", "height"] {
        out.push_str(&format!("# - {{name: {name}, unit: pix, datatype: int64}}\n"));
    }
    out.push_str("# schema: astropy-2.0\nx0 y0 width height\n");
    for r in runs {
        out.push_str(&format!("{} {} {} {}\n", r.x0, r.y0, r.width, r.height));
    }
    out
}
