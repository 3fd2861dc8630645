//! A channel as a sum of pictures.

use std::fmt;
use std::str::FromStr;

/// A channel as a sum of pictures, each with a factor: `0.7*Ha + 0.3*OIII`.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula(Vec<(f64, String)>);

impl Formula {
    /// One picture as it is.
    pub fn of(name: &str) -> Self {
        Self(vec![(1.0, name.to_owned())])
    }

    /// A sum of pictures with their factors.
    pub fn sum(terms: Vec<(f64, String)>) -> Self {
        Self(terms)
    }

    /// The factors and the names of pictures.
    pub fn terms(&self) -> &[(f64, String)] {
        &self.0
    }
}

impl FromStr for Formula {
    type Err = String;

    /// Reads `0.7*Ha + 0.3*OIII - 0.1*SII`; the factor may be left out, and so may the `*`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!("{text:?} is not a sum of pictures ({what}); write 0.7*Ha + 0.3*OIII")
        };
        let mut terms = Vec::new();
        let mut rest = text.trim();
        let mut sign = 1.0;
        if let Some(after) = rest.strip_prefix('-') {
            (sign, rest) = (-1.0, after);
        }
        loop {
            let end = end_of_term(rest);
            let term = rest[..end].trim();
            let number = term.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(term.len());
            // A name may begin with a digit only where no factor could be meant.
            let (factor, name) = term.split_at(number);
            let name = name.trim_start().trim_start_matches('*').trim();
            if name.is_empty()
                || name.contains(char::is_whitespace)
                || name.contains(['*', '/', '('])
            {
                return Err(wrong(&format!("{term:?} names no picture")));
            }
            let factor = match factor {
                "" => 1.0,
                digits => {
                    digits.parse::<f64>().map_err(|_| wrong(&format!("{digits:?} is no number")))?
                }
            };
            terms.push((sign * factor, name.to_owned()));
            let Some(next) = rest[end..].chars().next() else { break };
            sign = if next == '-' { -1.0 } else { 1.0 };
            rest = &rest[end + 1..];
        }
        Ok(Self(terms))
    }
}

/// Where a term of a sum ends: names may hold dashes, as H-alpha does, so that a minus stands after a
/// blank.
fn end_of_term(text: &str) -> usize {
    let minus = text.find(" -").map(|at| at + 1);
    let ends = [text.find('+'), minus].into_iter().flatten();
    ends.min().unwrap_or(text.len())
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (factor, name)) in self.0.iter().enumerate() {
            match (i, *factor < 0.0) {
                (0, false) => {}
                (0, true) => write!(f, "-")?,
                (_, false) => write!(f, " + ")?,
                (_, true) => write!(f, " - ")?,
            }
            match factor.abs() {
                1.0 => write!(f, "{name}")?,
                factor => write!(f, "{factor}*{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_and_told() {
        for (text, told) in [
            ("Ha", "Ha"),
            ("0.7*Ha + 0.3*OIII", "0.7*Ha + 0.3*OIII"),
            (" .5 Ha+0.5OIII ", "0.5*Ha + 0.5*OIII"),
            ("-0.1*SII + L", "-0.1*SII + L"),
            ("L - R", "L - R"),
            ("H-alpha -0.2*R", "H-alpha - 0.2*R"),
        ] {
            let formula: Formula = text.parse().unwrap();
            assert_eq!(formula.to_string(), told);
            assert_eq!(told.parse::<Formula>().unwrap(), formula);
        }
        for wrong in ["", "+", "Ha +", "0.5", "1.2.3*Ha", "Ha*OIII", "max(Ha, OIII)", "Ha / 2"] {
            let why = wrong.parse::<Formula>().unwrap_err();
            assert!(why.contains("write 0.7*Ha"), "{wrong}: {why}");
        }
    }
}
