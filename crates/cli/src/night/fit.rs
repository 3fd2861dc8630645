//! Tables that fit the terminal.

use comfy_table::Table;

/// How a column is set, and what gives way where the terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To the left, as it is.
    Left,
    /// To the right, as it is.
    Right,
    /// A name: its middle gives way, down to so many characters.
    Name(usize),
    /// Words: their end gives way, down to so many characters.
    Words(usize),
}

/// Columns of the terminal; as many as are wanted where there is none.
pub fn terminal_width() -> usize {
    Table::new().width().map_or(usize::MAX, usize::from)
}

/// A name in at most `most` characters, without its middle where it is longer.
pub fn middle_cut(name: &str, most: usize) -> String {
    let count = name.chars().count();
    if count <= most || most < 3 {
        return name.to_owned();
    }
    let tail = (most - 1) * 3 / 5;
    let head = most - 1 - tail;
    let first: String = name.chars().take(head).collect();
    let last: String = name.chars().skip(count - tail).collect();
    format!("{first}\u{2026}{last}")
}

/// Words in at most `most` characters, without their end where they are longer.
pub fn end_cut(words: &str, most: usize) -> String {
    if words.chars().count() <= most {
        return words.to_owned();
    }
    let first: String = words.chars().take(most.saturating_sub(1)).collect();
    format!("{}\u{2026}", first.trim_end())
}

/// The lines of a table, none wider than `width`. A column of which no row says anything is not there.
pub fn lines(columns: &[(&str, Side)], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let says = |column: usize| rows.iter().any(|r| !matches!(r[column].as_str(), "" | "-"));
    let kept: Vec<usize> = (0..columns.len()).filter(|c| says(*c)).collect();
    if kept.is_empty() {
        return Vec::new();
    }
    let long = |text: &str| text.chars().count();
    let natural =
        |c: &usize| rows.iter().map(|r| long(&r[*c])).max().unwrap_or(0).max(long(columns[*c].0));
    let mut widths: Vec<usize> = kept.iter().map(natural).collect();
    let total =
        |widths: &[usize], gap: usize| widths.iter().sum::<usize>() + gap * (widths.len() - 1);
    let gap = if total(&widths, 2) <= width { 2 } else { 1 };
    // Words give way first, then names, the widest of them a character at a time.
    for words_first in [true, false] {
        loop {
            if total(&widths, gap) <= width {
                break;
            }
            let can = |(at, c): (usize, &usize)| match columns[*c].1 {
                Side::Words(least) if words_first => Some((at, widths[at])).filter(|w| w.1 > least),
                Side::Name(least) if !words_first => Some((at, widths[at])).filter(|w| w.1 > least),
                _ => None,
            };
            let Some((at, _)) = kept.iter().enumerate().filter_map(can).max_by_key(|w| w.1) else {
                break;
            };
            widths[at] -= 1;
        }
    }
    let row = |cells: &dyn Fn(usize) -> String| {
        let mut line = String::new();
        for (at, c) in kept.iter().enumerate() {
            let cell = cells(*c);
            let cell = match columns[*c].1 {
                Side::Name(_) => middle_cut(&cell, widths[at]),
                Side::Words(_) => end_cut(&cell, widths[at]),
                _ => cell,
            };
            let room = " ".repeat(widths[at].saturating_sub(long(&cell)));
            let cell = if columns[*c].1 == Side::Right { room + &cell } else { cell + &room };
            line += &" ".repeat(if at == 0 { 0 } else { gap });
            line += &cell;
        }
        end_cut(line.trim_end(), width)
    };
    let heading = row(&|c| columns[c].0.to_owned());
    std::iter::once(heading).chain(rows.iter().map(|r| row(&|c| r[c].clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_says_nothing_idle() {
        let columns = [
            ("LIGHT", Side::Name(12)),
            ("stars", Side::Right),
            ("dark", Side::Left),
            ("note", Side::Words(6)),
        ];
        let rows: Vec<Vec<String>> = [
            ["2026-11-20_21-32-11_L_-10.00_300.00s_0001.fits", "812", "-", "reference"],
            ["2026-11-20_21-37-20_L_-10.00_300.00s_0002.fits", "9", "", "fwhm 9.80 (usual 3.05)"],
        ]
        .map(|r| r.map(str::to_owned).to_vec())
        .to_vec();
        let wide = lines(&columns, &rows, usize::MAX);
        assert!(!wide[0].contains("dark") && wide[1].contains(&rows[0][0]), "{wide:?}");
        for width in [120, 80, 60, 40, 30] {
            let told = lines(&columns, &rows, width);
            assert!(told.iter().all(|l| l.chars().count() <= width), "{width}: {told:?}");
            assert!(told[1].contains("0001.fits") || width < 40, "{told:?}");
            assert!(told[2].contains(" 9 "), "{told:?}");
        }
        assert_eq!(middle_cut("abcdefghij", 7), "abc\u{2026}hij");
        assert_eq!(end_cut("abc defghij", 5), "abc\u{2026}");
        assert!(lines(&columns, &[], 80).is_empty());
    }
}
