//! A condition on lights, worked out.

use std::fmt;
use std::str::FromStr;

use super::parse::{Compare, Node, Operator, Statistic, Term, parse};
use super::{Column, LightMeasures, rising};
use crate::{Error, Result};

/// A condition on the columns of the table of lights: `fwhm < 1.5 * median(fwhm) and round > 0.6`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    root: Node,
}

impl FromStr for Expression {
    type Err = Error;

    /// Reads a condition: comparisons (`<`, `<=`, `>`, `>=`, `=`, `!=`) of columns, numbers and statistics
    /// (`median`, `mean`, `min`, `max`, `mad`, `percentile(column, p)`) with `+ - * /`, joined by `and`, `or`,
    /// `not`. `verdict` is compared with a word.
    ///
    /// # Errors
    /// When it is no condition; the message points at the place.
    fn from_str(text: &str) -> Result<Self> {
        let root = parse(text).map_err(|wrong| {
            let before = text[..wrong.at].chars().count();
            let (line, mark) = (text.replace(['\n', '\t'], " "), " ".repeat(before));
            Error::parameters(format!("--select: {}\n  {line}\n  {mark}^", wrong.why))
        })?;
        Ok(Self { text: text.to_owned(), root })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a part comes to for one light; `None` is not known.
enum Value {
    Number(Option<f64>),
    Truth(Option<bool>),
    Word(Option<String>),
}

impl Expression {
    /// Whether it is true of each light; false where that is not known.
    pub fn true_of(&self, lights: &[LightMeasures]) -> Vec<bool> {
        let root = settled(&self.root, lights);
        lights.iter().map(|light| matches!(value(&root, light), Value::Truth(Some(true)))).collect()
    }

    /// The columns that it speaks of, each once, in the order of the table.
    pub fn columns(&self) -> Vec<Column> {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        Column::ALL.into_iter().filter(|c| found.contains(c)).collect()
    }
}

fn collect(node: &Node, out: &mut Vec<Column>) {
    if let Term::Column(column) = node.term {
        out.push(column);
    }
    node.parts().for_each(|part| collect(part, out));
}

/// The same with each statistic in it worked out.
fn settled(node: &Node, lights: &[LightMeasures]) -> Node {
    let term = match &node.term {
        Term::Statistic(statistic, of) => {
            let of = settled(of, lights);
            let known = lights.iter().filter_map(|light| number(&of, light));
            Term::Number(statistic_of(*statistic, known.collect()).unwrap_or(f64::NAN))
        }
        Term::Not(a) => Term::Not(Box::new(settled(a, lights))),
        Term::Minus(a) => Term::Minus(Box::new(settled(a, lights))),
        Term::Both(how, a, b) => {
            Term::Both(*how, Box::new(settled(a, lights)), Box::new(settled(b, lights)))
        }
        same => same.clone(),
    };
    Node { term, at: node.at }
}

fn statistic_of(statistic: Statistic, values: Vec<f64>) -> Option<f64> {
    let values = rising(values);
    let at = |share: f64| -> Option<f64> {
        let place = share.clamp(0.0, 1.0) * (values.len().checked_sub(1)? as f64);
        let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
        Some(low + place.fract() * (high - low))
    };
    match statistic {
        Statistic::Median => at(0.5),
        Statistic::Min => values.first().copied(),
        Statistic::Max => values.last().copied(),
        Statistic::Mean => {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        }
        Statistic::Mad => {
            let middle = at(0.5)?;
            let away = values.iter().map(|v| (v - middle).abs()).collect();
            statistic_of(Statistic::Median, away)
        }
        Statistic::Percentile(percent) => at(percent / 100.0),
    }
}

fn number(node: &Node, light: &LightMeasures) -> Option<f64> {
    match value(node, light) {
        Value::Number(v) => v.filter(|v| v.is_finite()),
        Value::Truth(_) | Value::Word(_) => None,
    }
}

fn truth(node: &Node, light: &LightMeasures) -> Option<bool> {
    match value(node, light) {
        Value::Truth(v) => v,
        Value::Number(_) | Value::Word(_) => None,
    }
}

fn value(node: &Node, light: &LightMeasures) -> Value {
    match &node.term {
        Term::Number(v) => Value::Number(Some(*v)),
        Term::Word(word) => Value::Word(Some(word.clone())),
        Term::Verdict => Value::Word(light.verdict().map(str::to_owned)),
        Term::Column(column) => Value::Number(light.get(*column)),
        Term::Minus(a) => Value::Number(number(a, light).map(|v| -v)),
        Term::Not(a) => Value::Truth(truth(a, light).map(|v| !v)),
        // They are worked out before any light is looked at.
        Term::Statistic(..) => Value::Number(None),
        Term::Both(Operator::Sum(how), a, b) => {
            let both = number(a, light).zip(number(b, light));
            Value::Number(both.map(|(a, b)| match how {
                '+' => a + b,
                '-' => a - b,
                '*' => a * b,
                _ => a / b,
            }))
        }
        Term::Both(Operator::And, a, b) => Value::Truth(match (truth(a, light), truth(b, light)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (a, b) => a.zip(b).map(|_| true),
        }),
        Term::Both(Operator::Or, a, b) => Value::Truth(match (truth(a, light), truth(b, light)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (a, b) => a.zip(b).map(|_| false),
        }),
        Term::Both(Operator::Compare(how), a, b) => {
            let order = match (value(a, light), value(b, light)) {
                (Value::Word(a), Value::Word(b)) => a.zip(b).map(|(a, b)| a.cmp(&b)),
                _ => number(a, light).zip(number(b, light)).and_then(|(a, b)| a.partial_cmp(&b)),
            };
            Value::Truth(order.map(|o| match how {
                Compare::Less => o.is_lt(),
                Compare::AtMost => o.is_le(),
                Compare::More => o.is_gt(),
                Compare::AtLeast => o.is_ge(),
                Compare::Equal => o.is_eq(),
                Compare::Other => o.is_ne(),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five lights of widths 1 to 5, of which the last has no airmass.
    fn lights() -> Vec<LightMeasures> {
        let light = |i: u32| {
            let v = f64::from(i);
            LightMeasures::default()
                .with(Column::Fwhm, Some(v))
                .with(Column::Round, Some(1.0 - 0.1 * v))
                .with(Column::Airmass, Some(v).filter(|_| i < 5))
                .with_verdict(Some(if i == 3 { "wrong" } else { "good" }))
        };
        (1..=5).map(light).collect()
    }

    #[test]
    fn conditions_are_worked_out() {
        for (text, expected) in [
            ("fwhm < 3", "11000"),
            ("fwhm <= 3", "11100"),
            ("FWHM >= median(fwhm)", "00111"),
            ("fwhm < 1.5 * median(fwhm) and round > 0.6", "11100"),
            ("fwhm = 2 or fwhm == 4", "01010"),
            ("fwhm != 2", "10111"),
            ("not fwhm > 2", "11000"),
            ("not (fwhm > 2 or fwhm < 2)", "01000"),
            ("fwhm > mean(fwhm) + 1 * mad(fwhm)", "00001"),
            ("fwhm - 1 > 2", "00011"),
            ("2 + 2 * 2 > fwhm + 1", "11110"),
            ("(2 + 2) * 2 / 4 >= fwhm", "11000"),
            ("-fwhm > -3", "11000"),
            ("fwhm < percentile(fwhm, 75)", "11100"),
            ("fwhm <= max(fwhm) - min(fwhm)", "11110"),
            ("verdict = good", "11011"),
            ("verdict != 'wrong' and fwhm < 5", "11010"),
            ("verdict = wrong", "00100"),
            // Nothing is known of the last one's airmass, and neither is its contrary.
            ("airmass < 9", "11110"),
            ("not airmass < 9", "00000"),
            ("airmass < 9 or fwhm > 4", "11111"),
            ("fwhm / (fwhm - 2) > 0", "00111"),
            ("fwhm < 2.5 and fwhm > 1.5 or fwhm > 4.5", "01001"),
            ("fwhm < 1e1", "11111"),
        ] {
            let expression: Expression = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            let found = expression.true_of(&lights());
            let found: String = found.iter().map(|t| if *t { '1' } else { '0' }).collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(expression.to_string(), text);
        }
        assert!("fwhm < 3".parse::<Expression>().unwrap().true_of(&[]).is_empty());
    }

    #[test]
    fn what_is_no_condition_is_pointed_at() {
        for (text, words, place) in [
            ("", "it is empty", 0),
            ("seeing < 3", "no column or function \"seeing\"; columns are stars, fwhm", 0),
            ("fwhm < ", "ends too early", 7),
            ("fwhm < 3 and", "ends too early", 12),
            ("fwhm 3", "expected a comparison", 5),
            ("fwhm", "a comparison is missing", 0),
            ("fwhm < 3)", "\")\" without \"(\"", 8),
            ("(fwhm < 3", "\")\" is missing", 9),
            ("fwhm < 3 round > 1", "expected and, or", 9),
            ("1 < fwhm < 3", "one comparison at a time", 9),
            ("fwhm & 3", "cannot be read", 5),
            ("median(fwhm) and fwhm < 2", "a comparison is missing", 0),
            ("median fwhm < 2", "\"(\" is missing", 7),
            ("percentile(fwhm) < 2", "percentile takes a column and a percentage", 15),
            ("percentile(fwhm, 101) > fwhm", "0 to 100", 17),
            ("verdict < good", "only = and !=", 8),
            ("verdict = 3", "a word", 10),
            ("verdict = fine", "good, usable, wrong", 10),
            ("fwhm = good", "a number", 7),
            ("not 3 < fwhm + (fwhm > 2)", "a number", 16),
            ("fwhm < 1.2.3", "no number", 7),
            ("median(fwhm > 2) > 1", "a number", 12),
            ("fw\u{e9} < 2 and round", "no column", 0),
        ] {
            let told = text.parse::<Expression>().unwrap_err().to_string();
            assert!(told.contains(words), "{text:?}: {told}");
            let mark = told.lines().last().unwrap();
            assert_eq!(mark.chars().count(), 2 + place + 1, "{told}");
        }
        let deep = format!("{}fwhm < 3", "(".repeat(100_000));
        assert!(deep.parse::<Expression>().unwrap_err().to_string().contains("nested too deeply"));
    }
}
