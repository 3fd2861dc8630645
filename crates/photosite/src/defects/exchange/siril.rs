//! Siril's list of deviant pixels, `.lst`.
//!
//! A line a pixel, `P x y H` (hot) or `C` (cold); `C x 0 H` is a column, `L y 0 H` a row. Columns count from
//! 0 at the left, rows from 0 at the last row of the file.
//!
//! # Source
//! SirilDocs, cosmetic correction.

use photosite_pix::{MaskBits, Size};

use super::{Boxed, Seen, beyond, lines, wrong};

pub(super) fn read(text: &str, size: Size) -> Result<Vec<Boxed>, String> {
    let mut out = Vec::new();
    for (number, line) in lines(text) {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        let bad = || wrong(number, line, "P x y H|C, C x 0 H|C or L y 0 H|C");
        let coordinate = |i: usize| -> Result<usize, String> {
            let value: f64 = rest.get(i).and_then(|t| t.parse().ok()).ok_or_else(bad)?;
            if value.is_finite() && value >= 0.0 { Ok(value as usize) } else { Err(bad()) }
        };
        let bits = match rest.get(2).copied() {
            None | Some("H") => MaskBits::HOT,
            Some("C") => MaskBits::COLD,
            Some(_) => return Err(bad()),
        };
        let row = |x: usize, from_last: usize| {
            let row = size.height.checked_sub(from_last.saturating_add(1));
            row.ok_or_else(|| beyond(x, from_last, size))
        };
        match kind {
            "P" => {
                let (x, y) = (coordinate(0)?, coordinate(1)?);
                out.push(Boxed { x0: x, y0: row(x, y)?, width: 1, height: 1, bits });
            }
            "C" => {
                let x0 = coordinate(0)?;
                out.push(Boxed { x0, y0: 0, width: 1, height: size.height, bits });
            }
            "L" => {
                let y0 = row(0, coordinate(0)?)?;
                out.push(Boxed { x0: 0, y0, width: size.width, height: 1, bits });
            }
            _ => return Err(bad()),
        }
    }
    Ok(out)
}

pub(super) fn write(seen: &[Seen], size: Size) -> String {
    let mut out = String::new();
    for s in seen {
        let kind = if s.bits.contains(MaskBits::COLD) { 'C' } else { 'H' };
        out.push_str(&format!("P {} {} {kind}\n", s.x, size.height - 1 - s.y));
    }
    out
}
