//! PixInsight's defect list of CosmeticCorrection.
//!
//! `Col x` and `Row y` are whole lines, `Col x y0 y1` and `Row y x0 x1` parts of them, both ends included;
//! commas do as well as blanks. All count from 0, rows as they lie in the file.
//!
//! # Source
//! PixInsightDocs, CosmeticCorrection.

use photosite_pix::{MaskBits, Size};

use super::{Boxed, lines, wrong};

pub(super) fn read(text: &str, size: Size) -> Result<Vec<Boxed>, String> {
    let mut out = Vec::new();
    for (number, line) in lines(text) {
        let bad = || wrong(number, line, "Col x, Row y, Col x y0 y1 or Row y x0 x1");
        let mut words =
            line.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty());
        let kind = words.next().unwrap_or_default().to_ascii_lowercase();
        let numbers: Vec<usize> =
            words.map(|w| w.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
        let bits = MaskBits::HOT;
        let (at, from, to) = match (kind.as_str(), &numbers[..]) {
            ("col", [x]) => (*x, 0, size.height.saturating_sub(1)),
            ("row", [y]) => (*y, 0, size.width.saturating_sub(1)),
            ("col" | "row", [at, from, to]) if from <= to => (*at, *from, *to),
            _ => return Err(bad()),
        };
        let length = (to - from).saturating_add(1);
        out.push(match kind.as_str() {
            "col" => Boxed { x0: at, y0: from, width: 1, height: length, bits },
            _ => Boxed { x0: from, y0: at, width: length, height: 1, bits },
        });
    }
    Ok(out)
}

pub(super) fn write(runs: &[Boxed], size: Size) -> String {
    let mut out = String::new();
    for r in runs {
        if r.height == size.height {
            out.push_str(&format!("Col {}\n", r.x0));
        } else {
            out.push_str(&format!("Col {} {} {}\n", r.x0, r.y0, r.y0 + r.height - 1));
        }
    }
    out
}
