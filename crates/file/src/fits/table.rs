//! Small tables beside the images: provenance, statistics.
//!
//! # Source
//! FITS standard 4.0, section 7.3 (FITS4).

use std::path::Path;

use photosite_pix::{Card, Header};

use super::layout::{Hdu, HduKind};
use crate::{Error, Result};

/// The cells of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Text, stored as printable ASCII in a field as wide as the longest cell.
    ///
    /// Any other character is written as `\uXXXX`, the escape of JSON, and read back as such: JSON
    /// on one line keeps its meaning, other text stays legible. Blanks at the end are not kept.
    Text(Vec<String>),
    /// Real numbers, stored in 64 bits; NaN stays NaN.
    Real(Vec<f64>),
    /// Whole numbers, stored in 64 bits.
    Integer(Vec<i64>),
}

impl Column {
    /// The number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(v) => v.len(),
            Self::Real(v) => v.len(),
            Self::Integer(v) => v.len(),
        }
    }

    /// True without cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A binary table: named columns of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// EXTNAME.
    pub name: String,
    /// The columns with their names, in order.
    pub columns: Vec<(String, Column)>,
}

/// Text with what is not printable ASCII escaped as in JSON.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (' '..='~').contains(&c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

impl Table {
    /// The column named `name`, whatever its case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, c)| c)
    }

    /// Header and data as they stand in a file, checksums and padding left out.
    pub(crate) fn encode(&self, path: &Path) -> Result<(Header, Vec<u8>)> {
        let rows = self.columns.first().map_or(0, |(_, c)| c.len());
        if let Some((name, odd)) = self.columns.iter().find(|(_, c)| c.len() != rows) {
            let message = format!(
                "column {name} of table {} has {} cells; the first column has {rows}",
                self.name,
                odd.len()
            );
            return Err(Error::request(path, message));
        }
        if self.columns.len() > 999 {
            return Err(Error::request(path, "a table holds at most 999 columns"));
        }
        // Escaped once, and as wide as the longest; a width of 0 confuses some readers.
        let cells: Vec<Vec<String>> = self
            .columns
            .iter()
            .map(|(_, c)| match c {
                Column::Text(v) => v.iter().map(|t| escaped(t)).collect(),
                _ => Vec::new(),
            })
            .collect();
        let widths: Vec<usize> = cells
            .iter()
            .zip(&self.columns)
            .map(|(text, (_, c))| match c {
                Column::Text(_) => text.iter().map(String::len).max().unwrap_or(0).max(1),
                _ => 8,
            })
            .collect();
        let row_bytes: usize = widths.iter().sum();
        let mut data = Vec::with_capacity(row_bytes * rows);
        for row in 0..rows {
            for (i, (_, column)) in self.columns.iter().enumerate() {
                match column {
                    Column::Text(_) => {
                        let text = cells[i][row].as_bytes();
                        data.extend_from_slice(text);
                        data.resize(data.len() + widths[i] - text.len(), 0);
                    }
                    Column::Real(v) => data.extend_from_slice(&v[row].to_be_bytes()),
                    Column::Integer(v) => data.extend_from_slice(&v[row].to_be_bytes()),
                }
            }
        }
        let mut h = Header::new();
        h.push(Card::string("XTENSION", "BINTABLE", "binary table"));
        h.push(Card::integer("BITPIX", 8, ""));
        h.push(Card::integer("NAXIS", 2, ""));
        h.push(Card::integer("NAXIS1", row_bytes as i64, "bytes a row"));
        h.push(Card::integer("NAXIS2", rows as i64, "rows"));
        h.push(Card::integer("PCOUNT", 0, ""));
        h.push(Card::integer("GCOUNT", 1, ""));
        h.push(Card::integer("TFIELDS", self.columns.len() as i64, "columns"));
        for (i, (name, column)) in self.columns.iter().enumerate() {
            let form = match column {
                Column::Text(_) => format!("{}A", widths[i]),
                Column::Real(_) => "D".to_owned(),
                Column::Integer(_) => "K".to_owned(),
            };
            h.set_text(&format!("TTYPE{}", i + 1), name, "");
            h.push(Card::string(&format!("TFORM{}", i + 1), &form, ""));
        }
        h.set_text("EXTNAME", &self.name, "");
        Ok((h, data))
    }

    /// Reads a table from the header and the data of its unit.
    pub(crate) fn decode(path: &Path, hdu: &Hdu, data: &[u8]) -> Result<Self> {
        let h = &hdu.header;
        let name = hdu.name.clone().unwrap_or_default();
        let bad = |what: String| Error::damaged(path, format!("table {name}: {what}"));
        if hdu.kind != HduKind::BinaryTable {
            return Err(bad(format!("is a {:?}; a binary table was expected", hdu.kind)));
        }
        let number = |key: &str| {
            let n = h.get_i64(key).and_then(|n| usize::try_from(n).ok());
            n.ok_or_else(|| bad(format!("{key} is {:?}; a count was expected", h.get(key))))
        };
        let (row_bytes, rows, fields) = (number("NAXIS1")?, number("NAXIS2")?, number("TFIELDS")?);
        if fields > 999 || row_bytes.checked_mul(rows).is_none_or(|n| n > data.len()) {
            return Err(bad(format!("{rows} rows of {row_bytes} bytes do not fit its data")));
        }
        let mut columns = Vec::new();
        let mut at = 0usize;
        for i in 1..=fields {
            let label = h.get_text(&format!("TTYPE{i}")).unwrap_or_else(|| format!("column {i}"));
            let form = h.get_text(&format!("TFORM{i}")).unwrap_or_default();
            let digits = form.bytes().take_while(u8::is_ascii_digit).count();
            let repeat: usize = if digits == 0 { 1 } else { form[..digits].parse().unwrap_or(0) };
            let code = form.as_bytes().get(digits).copied().unwrap_or(b'?');
            let each = match code {
                b'A' | b'B' => 1,
                b'I' => 2,
                b'J' | b'E' => 4,
                b'K' | b'D' => 8,
                _ => 0,
            };
            if each == 0 || repeat == 0 || (code != b'A' && repeat != 1) {
                return Err(Error::unsupported(
                    path,
                    format!(
                        "table {name}: column {label} has the form {form:?}; A, B, I, J, K, E or D of single values is read here"
                    ),
                ));
            }
            let width = each * repeat.min(row_bytes + 1);
            let end = at + width;
            if end > row_bytes {
                return Err(bad(format!(
                    "column {label} reaches beyond the {row_bytes} bytes of a row"
                )));
            }
            let cells = (0..rows).map(|r| &data[r * row_bytes + at..r * row_bytes + end]);
            let whole = |cell: &[u8]| match cell {
                [a] => i64::from(*a),
                [a, b] => i64::from(i16::from_be_bytes([*a, *b])),
                [a, b, c, d] => i64::from(i32::from_be_bytes([*a, *b, *c, *d])),
                _ => i64::from_be_bytes(cell.try_into().unwrap_or_default()),
            };
            columns.push((
                label,
                match code {
                    b'A' => Column::Text(cells.map(text).collect()),
                    b'E' => Column::Real(
                        cells.map(|c| f64::from(f32::from_bits(whole(c) as u32))).collect(),
                    ),
                    b'D' => Column::Real(cells.map(|c| f64::from_bits(whole(c) as u64)).collect()),
                    _ => Column::Integer(cells.map(whole).collect()),
                },
            ));
            at = end;
        }
        Ok(Self { name, columns })
    }
}

/// A text cell up to its first NUL, blanks at the end removed.
fn text(cell: &[u8]) -> String {
    let end = cell.iter().position(|&b| b == 0).unwrap_or(cell.len());
    let all: String = cell[..end].iter().map(|&b| char::from(b)).collect();
    all.trim_end_matches(' ').to_owned()
}
