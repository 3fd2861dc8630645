//! Colour filter arrays.

use serde::{Deserialize, Serialize};

/// The colour of one filter of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CfaColor {
    /// Red.
    Red,
    /// Green.
    Green,
    /// Blue.
    Blue,
}

impl CfaColor {
    /// The three colours in the order of their channel numbers.
    pub const ALL: [Self; 3] = [Self::Red, Self::Green, Self::Blue];

    /// 0, 1, 2 for red, green, blue.
    pub fn channel(self) -> usize {
        self as usize
    }

    /// The colour's lower-case name.
    pub fn name(self) -> &'static str {
        ["red", "green", "blue"][self.channel()]
    }

    fn letter(self) -> char {
        ['R', 'G', 'B'][self.channel()]
    }
}

/// The repeating cell of a colour filter array: 2x2 (Bayer) or 6x6 (X-Trans).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CfaPattern {
    period: usize,
    colors: [CfaColor; 36],
}

/// Columns after which every pattern begins anew.
pub const CFA_LINE: usize = 48;

impl CfaPattern {
    /// Reads a pattern written row after row: 4 letters for a Bayer array, 36 for X-Trans.
    ///
    /// Case does not matter. `None` for any other length or letter, and for a cell in which a
    /// colour is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let period = match text.len() {
            4 => 2,
            36 => 6,
            _ => return None,
        };
        let mut colors = [CfaColor::Green; 36];
        for (slot, letter) in colors.iter_mut().zip(text.chars()) {
            *slot = match letter.to_ascii_uppercase() {
                'R' => CfaColor::Red,
                'G' => CfaColor::Green,
                'B' => CfaColor::Blue,
                _ => return None,
            };
        }
        let pattern = Self { period, colors };
        let cell = &pattern.colors[..period * period];
        CfaColor::ALL.iter().all(|c| cell.contains(c)).then_some(pattern)
    }

    /// Columns and rows after which the pattern repeats: 2 or 6.
    pub fn period(self) -> usize {
        self.period
    }

    /// Whether it is one of Bayer's: 2x2, the greens in opposite corners.
    pub fn is_bayer(self) -> bool {
        let green = |x, y| self.color(x, y) == CfaColor::Green;
        self.period == 2 && green(0, 0) == green(1, 1) && green(1, 0) == green(0, 1)
    }

    /// Whether it is Fujifilm's: a cell of 6x6 with 20 greens, 8 reds and 8 blues.
    pub fn is_x_trans(self) -> bool {
        let count = |wanted| (0..36).filter(|i| self.color(i % 6, i / 6) == wanted).count();
        self.period == 6 && CfaColor::ALL.map(count) == [8, 20, 8]
    }

    /// The colour over pixel (x, y).
    pub fn color(self, x: usize, y: usize) -> CfaColor {
        // Constants, because dividing by a number that is not known takes long.
        let at = match self.period {
            2 => y % 2 * 2 + x % 2,
            _ => y % 6 * 6 + x % 6,
        };
        self.colors[at]
    }

    /// The share of the pixels that a colour has.
    pub fn share(self, colour: CfaColor) -> f64 {
        let cell = self.period * self.period;
        let own = |i: &usize| self.color(i % self.period, i / self.period) == colour;
        (0..cell).filter(own).count() as f64 / cell as f64
    }

    /// The colours from pixel (x, y) on to the right, as far as serves both periods many times over:
    /// they go on with the first.
    pub fn line(self, x: usize, y: usize) -> [CfaColor; CFA_LINE] {
        std::array::from_fn(|i| self.color(x + i, y))
    }

    /// The pattern as seen from a region whose corner is at (x0, y0).
    pub fn shifted(self, x0: usize, y0: usize) -> Self {
        self.rearranged(|x, y| (x + x0, y + y0))
    }

    /// The pattern after the rows of an image `height` tall were put in the opposite order.
    pub fn flipped_rows(self, height: usize) -> Self {
        let last = (height + self.period - 1) % self.period;
        self.rearranged(|x, y| (x, last + self.period - y))
    }

    fn rearranged(self, from: impl Fn(usize, usize) -> (usize, usize)) -> Self {
        let mut colors = self.colors;
        for y in 0..self.period {
            for x in 0..self.period {
                let (fx, fy) = from(x, y);
                colors[y * self.period + x] = self.color(fx, fy);
            }
        }
        Self { colors, ..self }
    }
}

impl std::fmt::Display for CfaPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.colors[..self.period * self.period]
            .iter()
            .try_for_each(|c| write!(f, "{}", c.letter()))
    }
}

impl Serialize for CfaPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for CfaPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CfaPattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A colour filter array: the letters of its cell, row by row, 2 x 2 or 6 x 6.",
            "type": "string",
            "pattern": "^([RGB]{4}|[RGB]{36})$",
        })
    }
}

impl<'de> Deserialize<'de> for CfaPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{text:?} is not a colour filter \
                                                             array"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_follows_crop_and_flip() {
        let rggb = CfaPattern::parse("rggb").unwrap();
        assert_eq!(rggb.to_string(), "RGGB");
        assert_eq!(rggb.color(0, 0), CfaColor::Red);
        assert_eq!(rggb.color(3, 5), CfaColor::Blue);
        assert_eq!(rggb.shifted(1, 0).to_string(), "GRBG");
        assert_eq!(rggb.shifted(1, 1).to_string(), "BGGR");
        // An even height turns the cell over, an odd one leaves it.
        assert_eq!(rggb.flipped_rows(10).to_string(), "GBRG");
        assert_eq!(rggb.flipped_rows(11).to_string(), "RGGB");
        assert_eq!(rggb.flipped_rows(10).flipped_rows(10), rggb);
    }

    #[test]
    fn nonsense_is_no_pattern() {
        for bad in ["", "RGB", "RGGX", "RRRR", "GGGG", "RGGBRGGB"] {
            assert!(CfaPattern::parse(bad).is_none(), "{bad:?}");
        }
    }
}
