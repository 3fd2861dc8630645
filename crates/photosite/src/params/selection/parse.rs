//! A condition on lights, read from text.

use super::Column;

/// A part of a condition, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub term: Term,
    /// The byte that it begins at.
    pub at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    Number(f64),
    Word(String),
    Column(Column),
    Verdict,
    Statistic(Statistic, Box<Node>),
    Minus(Box<Node>),
    Not(Box<Node>),
    Both(Operator, Box<Node>, Box<Node>),
}

/// What is taken of all lights together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    Median,
    Mean,
    Min,
    Max,
    Mad,
    Percentile(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operator {
    And,
    Or,
    Compare(Compare),
    /// One of `+ - * /`.
    Sum(char),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Compare {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Other,
}

/// What is wrong with a text, and the byte at which.
#[derive(Debug)]
pub struct Wrong {
    pub at: usize,
    pub why: String,
}

type Parsed<T> = Result<T, Wrong>;

fn wrong<T>(at: usize, why: impl Into<String>) -> Parsed<T> {
    Err(Wrong { at, why: why.into() })
}

impl Node {
    /// What it is made of.
    pub fn parts(&self) -> impl Iterator<Item = &Node> {
        let (one, other) = match &self.term {
            Term::Statistic(_, a) | Term::Minus(a) | Term::Not(a) => (Some(a), None),
            Term::Both(_, a, b) => (Some(a), Some(b)),
            Term::Number(_) | Term::Word(_) | Term::Column(_) | Term::Verdict => (None, None),
        };
        one.into_iter().chain(other).map(|part| &**part)
    }

    fn kind(&self) -> Kind {
        match &self.term {
            Term::Word(_) => Kind::Word,
            Term::Verdict => Kind::Verdict,
            Term::Number(_) | Term::Column(_) | Term::Statistic(..) | Term::Minus(_) => {
                Kind::Number
            }
            Term::Not(_) => Kind::Truth,
            Term::Both(Operator::Sum(_), ..) => Kind::Number,
            Term::Both(..) => Kind::Truth,
        }
    }

    fn number(self) -> Parsed<Self> {
        match self.kind() {
            Kind::Number => Ok(self),
            _ => wrong(self.at, "a number is expected here"),
        }
    }

    fn truth(self) -> Parsed<Self> {
        match self.kind() {
            Kind::Truth => Ok(self),
            _ => wrong(self.at, "a comparison is missing: write for example fwhm < 4"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Truth,
    Word,
    Verdict,
}

/// The verdicts that a light's may be compared with.
const VERDICTS: [&str; 3] = ["good", "usable", "wrong"];

/// Parts within parts, at most.
const DEEPEST: usize = 64;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Quoted(String),
    Sign(&'static str),
}

const SIGNS: [&str; 15] =
    ["<=", ">=", "==", "!=", "<>", "<", ">", "=", "+", "-", "*", "/", "(", ")", ","];

/// The condition that a text holds.
pub fn parse(text: &str) -> Parsed<Node> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return wrong(0, "it is empty");
    }
    let mut parser = Parser { tokens, next: 0, end: text.len(), depth: 0 };
    let root = parser.either()?;
    match parser.peek() {
        None => root.truth(),
        Some(Token::Sign(")")) => wrong(parser.at(), "\")\" without \"(\""),
        Some(_) if root.kind() == Kind::Truth => match parser.comparison() {
            Some(_) => wrong(parser.at(), "one comparison at a time: write 1 < fwhm and fwhm < 3"),
            None => wrong(parser.at(), "expected and, or, or the end"),
        },
        Some(_) => wrong(parser.at(), "expected a comparison: <, <=, >, >=, = or !="),
    }
}

fn tokens(text: &str) -> Parsed<Vec<(usize, Token)>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let span = |wanted: &dyn Fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let (token, length) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c.is_ascii_digit() || c == '.' {
            number(rest).ok_or_else(|| {
                let read = &rest[..span(&|c| c.is_alphanumeric() || c == '.')];
                Wrong { at, why: format!("{read:?} is no number") }
            })?
        } else if c.is_alphabetic() || c == '_' {
            let length = span(&|c| c.is_alphanumeric() || c == '_');
            (Token::Name(rest[..length].to_lowercase()), length)
        } else if c == '\'' || c == '"' {
            let Some(length) = rest[1..].find(c) else {
                return wrong(at, "this quotation does not end");
            };
            (Token::Quoted(rest[1..=length].to_lowercase()), length + 2)
        } else if let Some(sign) = SIGNS.into_iter().find(|s| rest.starts_with(s)) {
            (Token::Sign(sign), sign.len())
        } else {
            return wrong(at, format!("{c:?} cannot be read here"));
        };
        out.push((at, token));
        at += length;
    }
    Ok(out)
}

/// The number that a text begins with, and its length.
fn number(text: &str) -> Option<(Token, usize)> {
    let digits = |from: usize| {
        text[from..]
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .map_or(text.len(), |n| from + n)
    };
    let mut end = digits(0);
    if let Some(power) = text[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(power.starts_with(['+', '-']));
        if power[sign..].starts_with(|c: char| c.is_ascii_digit()) {
            end = digits(end + 1 + sign);
        }
    }
    let follows = text[end..].chars().next().is_some_and(|c| c.is_alphanumeric());
    let value: f64 = text[..end].parse().ok()?;
    (!follows && value.is_finite()).then_some((Token::Number(value), end))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Where the next token stands.
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.next += usize::from(there);
        there
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.next += usize::from(there);
        there
    }

    fn comparison(&self) -> Option<Compare> {
        match self.peek()? {
            Token::Sign("<") => Some(Compare::Less),
            Token::Sign("<=") => Some(Compare::AtMost),
            Token::Sign(">") => Some(Compare::More),
            Token::Sign(">=") => Some(Compare::AtLeast),
            Token::Sign("=" | "==") => Some(Compare::Equal),
            Token::Sign("!=" | "<>") => Some(Compare::Other),
            _ => None,
        }
    }

    fn either(&mut self) -> Parsed<Node> {
        let mut left = self.all()?;
        while self.take_word("or") {
            left = joined(Operator::Or, left.truth()?, self.all()?.truth()?);
        }
        Ok(left)
    }

    fn all(&mut self) -> Parsed<Node> {
        let mut left = self.negated()?;
        while self.take_word("and") {
            left = joined(Operator::And, left.truth()?, self.negated()?.truth()?);
        }
        Ok(left)
    }

    fn negated(&mut self) -> Parsed<Node> {
        let at = self.at();
        if self.take_word("not") {
            let inner = self.deeper(Self::negated)?.truth()?;
            return Ok(Node { term: Term::Not(Box::new(inner)), at });
        }
        let left = self.sum()?;
        let Some(how) = self.comparison() else { return Ok(left) };
        let sign = self.at();
        self.next += 1;
        let right = self.sum()?;
        let (left, right) = match (left.kind(), right.kind()) {
            (Kind::Verdict, _) => {
                if !matches!(how, Compare::Equal | Compare::Other) {
                    return wrong(sign, "verdicts take only = and !=");
                }
                (left, verdict_word(right)?)
            }
            _ => (left.number()?, right.number()?),
        };
        Ok(joined(Operator::Compare(how), left, right))
    }

    fn sum(&mut self) -> Parsed<Node> {
        let mut left = self.product()?;
        loop {
            let sign = if self.take("+") {
                '+'
            } else if self.take("-") {
                '-'
            } else {
                return Ok(left);
            };
            left = joined(Operator::Sum(sign), left.number()?, self.product()?.number()?);
        }
    }

    fn product(&mut self) -> Parsed<Node> {
        let mut left = self.factor()?;
        loop {
            let sign = if self.take("*") {
                '*'
            } else if self.take("/") {
                '/'
            } else {
                return Ok(left);
            };
            left = joined(Operator::Sum(sign), left.number()?, self.factor()?.number()?);
        }
    }

    fn factor(&mut self) -> Parsed<Node> {
        let at = self.at();
        if self.take("-") {
            let inner = self.deeper(Self::factor)?.number()?;
            return Ok(Node { term: Term::Minus(Box::new(inner)), at });
        }
        if self.take("(") {
            let inner = self.deeper(Self::either)?;
            if !self.take(")") {
                return wrong(self.at(), "\")\" is missing");
            }
            return Ok(inner);
        }
        let Some((_, token)) = self.tokens.get(self.next).cloned() else {
            return wrong(self.end, "it ends too early");
        };
        self.next += 1;
        let term = match token {
            Token::Number(v) => Term::Number(v),
            Token::Quoted(word) => Term::Word(word),
            Token::Name(name) => self.name(at, name)?,
            Token::Sign(sign) => return wrong(at, format!("\"{sign}\" cannot stand here")),
        };
        Ok(Node { term, at })
    }

    fn name(&mut self, at: usize, name: String) -> Parsed<Term> {
        if let Some(column) = Column::parse(&name) {
            return Ok(Term::Column(column));
        }
        let statistic = match &*name {
            "verdict" => return Ok(Term::Verdict),
            "median" => Statistic::Median,
            "mean" => Statistic::Mean,
            "min" => Statistic::Min,
            "max" => Statistic::Max,
            "mad" => Statistic::Mad,
            "percentile" => Statistic::Percentile(f64::NAN),
            // A word after a comparison may be a verdict.
            _ if VERDICTS.contains(&&*name) || self.follows_verdict() => {
                return Ok(Term::Word(name));
            }
            _ => {
                let columns = Column::ALL.map(Column::name).join(", ");
                return wrong(
                    at,
                    format!(
                        "no column or function {name:?}; columns are {columns}, verdict; functions \
                         median, mean, min, max, mad, percentile"
                    ),
                );
            }
        };
        if !self.take("(") {
            return wrong(self.at(), "\"(\" is missing");
        }
        let of = self.deeper(Self::sum)?;
        if self.comparison().is_some() {
            return wrong(self.at(), "a number is expected here, not a comparison");
        }
        let of = of.number()?;
        let statistic = match statistic {
            Statistic::Percentile(_) => Statistic::Percentile(self.percentage()?),
            other => other,
        };
        if !self.take(")") {
            return wrong(self.at(), "\")\" is missing");
        }
        Ok(Term::Statistic(statistic, Box::new(of)))
    }

    /// Whether the name just read stands behind `verdict =`.
    fn follows_verdict(&self) -> bool {
        let verdict = self.next.checked_sub(3).map(|i| &self.tokens[i].1);
        matches!(verdict, Some(Token::Name(name)) if name == "verdict")
    }

    fn percentage(&mut self) -> Parsed<f64> {
        if !self.take(",") {
            return wrong(
                self.at(),
                "percentile takes a column and a percentage: percentile(fwhm, 80)",
            );
        }
        let at = self.at();
        match self.peek() {
            Some(Token::Number(v)) if (0.0..=100.0).contains(v) => {
                let v = *v;
                self.next += 1;
                Ok(v)
            }
            _ => wrong(at, "a percentage from 0 to 100 is expected here"),
        }
    }

    fn deeper(&mut self, inner: fn(&mut Self) -> Parsed<Node>) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return wrong(self.at(), "it is nested too deeply");
        }
        let found = inner(self);
        self.depth -= 1;
        found
    }
}

fn joined(how: Operator, left: Node, right: Node) -> Node {
    let at = left.at;
    Node { term: Term::Both(how, Box::new(left), Box::new(right)), at }
}

fn verdict_word(node: Node) -> Parsed<Node> {
    match &node.term {
        Term::Word(word) if VERDICTS.contains(&&**word) => Ok(node),
        Term::Word(_) => wrong(node.at, format!("verdicts are {}", VERDICTS.join(", "))),
        _ => wrong(node.at, "a word is expected here: good, usable or wrong"),
    }
}
