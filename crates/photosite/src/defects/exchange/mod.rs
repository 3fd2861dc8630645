//! Lists of defective pixels as other programs write them.
//!
//! Inside, columns and rows count from 0, rows as they lie in the file. Each format counts its own way, and
//! only its own file here knows.

mod boxes;
mod pixinsight;
mod siril;

use photosite_pix::{MaskBits, Size};

use super::Seen;

/// A format of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Siril's `.lst`: `P x y H`, `C x 0 H`, `L y 0 H`; rows from the last of the file.
    Siril,
    /// PixInsight's defect list: `Col x`, `Row y`, `Col x y0 y1`; from 0, as the file lies.
    PixInsight,
    /// IRAF's bad pixel file: `x1 x2 y1 y2`, from 1, as the file lies.
    Iraf,
    /// LSST's boxes in an ECSV table: `x0 y0 width height`, from 0, as the file lies.
    Lsst,
}

impl Exchange {
    /// Every format, with its name.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Siril, "siril"),
        (Self::PixInsight, "pixinsight"),
        (Self::Iraf, "iraf"),
        (Self::Lsst, "lsst"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(e, _)| *e == self).map_or("", |(_, name)| name)
    }

    /// The format that the name of a list promises; `None` where it promises none.
    pub fn of_name(name: &std::path::Path) -> Option<Self> {
        match name.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "lst" => Some(Self::Siril),
            "txt" => Some(Self::PixInsight),
            "bad" | "dat" => Some(Self::Iraf),
            "ecsv" => Some(Self::Lsst),
            _ => None,
        }
    }

    /// The format that a text is in, by its first lines; `None` where it is none of them.
    pub fn guess(text: &str) -> Option<Self> {
        if text.starts_with("# %ECSV") {
            return Some(Self::Lsst);
        }
        let mut lines =
            text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let first = lines.next()?;
        let word = first.split(|c: char| c.is_whitespace() || c == ',').next()?;
        match word {
            "P" | "C" | "L" => Some(Self::Siril),
            _ if ["col", "row"].contains(&word.to_ascii_lowercase().as_str()) => {
                Some(Self::PixInsight)
            }
            _ => {
                let numbers = first.split_whitespace().map(str::parse::<i64>);
                (numbers.clone().count() == 4 && numbers.clone().all(|n| n.is_ok()))
                    .then_some(Self::Iraf)
            }
        }
    }

    /// Reads a list for a sensor of `size`. The error names the line.
    ///
    /// # Errors
    /// When a line is none of the format, or a pixel lies beyond the sensor.
    pub fn read(self, text: &str, size: Size) -> Result<Vec<Seen>, String> {
        let boxes = match self {
            Self::Siril => siril::read(text, size)?,
            Self::PixInsight => pixinsight::read(text, size)?,
            Self::Iraf => boxes::read_iraf(text)?,
            Self::Lsst => boxes::read_lsst(text)?,
        };
        let mut seen = Vec::new();
        for b in boxes {
            let [to_x, to_y] = [b.x0.saturating_add(b.width), b.y0.saturating_add(b.height)];
            if to_x > size.width || to_y > size.height {
                return Err(beyond(to_x.saturating_sub(1), to_y.saturating_sub(1), size));
            }
            for y in b.y0..to_y {
                for x in b.x0..to_x {
                    let (score, share, excess) = (0.0, 0.0, f32::NAN);
                    seen.push(Seen { x, y, bits: b.bits, score, share, excess });
                }
            }
        }
        super::merge(&mut seen, Vec::new());
        Ok(seen)
    }

    /// Writes those of the pixels that are to be repaired.
    pub fn write(self, seen: &[Seen], size: Size) -> String {
        let bad = seen.iter().filter(|s| s.bits.intersects(super::REPAIRED));
        let bad: Vec<Seen> = bad.copied().collect();
        match self {
            Self::Siril => siril::write(&bad, size),
            Self::PixInsight => pixinsight::write(&runs(&bad), size),
            Self::Iraf => boxes::write_iraf(&runs(&bad)),
            Self::Lsst => boxes::write_lsst(&runs(&bad)),
        }
    }
}

/// Pixels of a rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Boxed {
    x0: usize,
    y0: usize,
    width: usize,
    height: usize,
    bits: MaskBits,
}

/// Pixels one below the other as boxes of one column.
fn runs(seen: &[Seen]) -> Vec<Boxed> {
    let mut by_column: Vec<&Seen> = seen.iter().collect();
    by_column.sort_by_key(|s| (s.x, s.y));
    by_column
        .chunk_by(|a, b| a.x == b.x && b.y == a.y + 1)
        .map(|run| Boxed {
            x0: run[0].x,
            y0: run[0].y,
            width: 1,
            height: run.len(),
            bits: run.iter().fold(MaskBits::empty(), |all, s| all | s.bits),
        })
        .collect()
}

/// The lines of a text that say something, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let said = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().map(str::trim).enumerate().map(|(i, l)| (i + 1, l)).filter(move |(_, l)| said(l))
}

fn beyond(x: usize, y: usize, size: Size) -> String {
    format!(
        "pixel ({x}, {y}), counted from 0, lies beyond a frame of {size} pixels: the list is of another sensor, or of another \
         binning"
    )
}

fn wrong(line: usize, text: &str, wanted: &str) -> String {
    format!("line {line} is {text:?}, not {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 20, height: 10 };

    fn places(seen: &[Seen]) -> Vec<(usize, usize)> {
        seen.iter().map(|s| (s.x, s.y)).collect()
    }

    #[test]
    fn a_name_tells_the_format_by_its_ending() {
        let of = |name: &str| Exchange::of_name(std::path::Path::new(name));
        assert_eq!(of("a/bad.LST"), Some(Exchange::Siril));
        assert_eq!(of("defects.txt"), Some(Exchange::PixInsight));
        assert_eq!((of("ccd.bad"), of("ccd.ecsv")), (Some(Exchange::Iraf), Some(Exchange::Lsst)));
        assert_eq!((of("map.fits"), of("list")), (None, None));
    }

    #[test]
    fn siril_counts_rows_from_the_last() {
        let text = "# a comment\nP 3 0 H\nP 4 9 C\nP 5 2\nC 7 0 H\nL 1 0 H\n";
        assert_eq!(Exchange::guess(text), Some(Exchange::Siril));
        let seen = Exchange::Siril.read(text, SIZE).unwrap();
        let at = |x, y| seen.iter().find(|s| (s.x, s.y) == (x, y)).map(|s| s.bits);
        assert_eq!(at(3, 9), Some(MaskBits::HOT));
        assert_eq!(at(4, 0), Some(MaskBits::COLD));
        assert_eq!(at(5, 7), Some(MaskBits::HOT));
        assert_eq!(at(7, 4), Some(MaskBits::HOT));
        assert_eq!(at(0, 8), Some(MaskBits::HOT));
        assert_eq!(seen.len(), 3 + 10 + 20 - 1);
    }

    #[test]
    fn pixinsight_lists_columns_and_parts_of_them() {
        let text = "Col 3 2 4\nCol 5\nRow 7 10 11\n";
        assert_eq!(Exchange::guess(text), Some(Exchange::PixInsight));
        let seen = Exchange::PixInsight.read(text, SIZE).unwrap();
        let all = places(&seen);
        assert!(
            [(3, 2), (3, 3), (3, 4), (5, 0), (5, 9), (10, 7), (11, 7)]
                .iter()
                .all(|p| all.contains(p))
        );
        assert_eq!(all.len(), 3 + 10 + 2);
        assert_eq!(Exchange::PixInsight.read("Col 3,2,4", SIZE).unwrap().len(), 3);
    }

    #[test]
    fn iraf_counts_from_one() {
        let text = "# untrimmed\n2 2 1 3\n5 7 10 10\n";
        assert_eq!(Exchange::guess(text), Some(Exchange::Iraf));
        let seen = Exchange::Iraf.read(text, SIZE).unwrap();
        assert_eq!(places(&seen), [(1, 0), (1, 1), (1, 2), (4, 9), (5, 9), (6, 9)]);
        assert!(Exchange::Iraf.read("0 1 1 1", SIZE).is_err());
    }

    #[test]
    fn lsst_boxes_have_a_corner_and_a_size() {
        let text = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: x0, datatype: int64}\n\
                    x0 y0 width height\n3 4 2 1\n";
        assert_eq!(Exchange::guess(text), Some(Exchange::Lsst));
        let seen = Exchange::Lsst.read(text, SIZE).unwrap();
        assert_eq!(places(&seen), [(3, 4), (4, 4)]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bits = |i: usize| if i.is_multiple_of(3) { MaskBits::COLD } else { MaskBits::HOT };
        let mut seen: Vec<Seen> = [(0, 0), (19, 9), (3, 4), (3, 5), (3, 6), (4, 4), (10, 0)]
            .iter()
            .enumerate()
            .map(|(i, &(x, y))| Seen {
                x,
                y,
                bits: bits(i),
                score: 0.0,
                share: 0.0,
                excess: f32::NAN,
            })
            .collect();
        super::super::merge(&mut seen, Vec::new());
        for (format, name) in Exchange::ALL {
            let text = format.write(&seen, SIZE);
            assert_eq!(Exchange::guess(&text), Some(format), "{text}");
            let back = format.read(&text, SIZE).unwrap();
            assert_eq!(places(&back), places(&seen), "{name}: {text}");
            if format == Exchange::Siril {
                assert!(back.iter().zip(&seen).all(|(a, b)| a.bits == b.bits), "{text}");
            }
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (format, text) in [
            (Exchange::Siril, "P 1 2 H\nQ 3 4"),
            (Exchange::PixInsight, "Col 1\nColumn 3"),
            (Exchange::Iraf, "1 1 1 1\n1 2 3"),
            (Exchange::Lsst, "# %ECSV 1.0\nx0 y0 width height\n1 2 x 3"),
        ] {
            let error = format.read(text, SIZE).unwrap_err();
            assert!(error.starts_with("line "), "{error}");
        }
    }
}
