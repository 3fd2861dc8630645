//! FITS header cards, kept to the byte and understood on demand.
//!
//! A header is a list of 80-byte cards. Cards that came from a file are written back as they
//! came; a value is parsed only when it is asked for, and a card that makes no sense is carried
//! along rather than refused: cameras write what they like.
//!
//! # Source
//! FITS standard 4.0, sections 3.3 and 4 (FITS4); CONTINUE and HIERARCH as registered
//! conventions.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Plane, Size};

/// The value field of a card.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `T` or `F`.
    Logical(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a point or an exponent, or a whole number beyond 64 bits.
    Real(f64),
    /// A quoted string, trailing blanks removed, CONTINUE cards joined.
    Text(String),
    /// A value card with an empty value field.
    Undefined,
    /// Anything else, as written, for the eye.
    Other(String),
}

impl Value {
    /// The value as a number; a quoted number counts, because several programs quote them.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(i) => Some(*i as f64),
            Self::Real(r) => Some(*r),
            Self::Text(t) => parse_real(t.trim()),
            _ => None,
        }
    }

    /// The value as a whole number; `4.` counts.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(i) => Some(*i),
            other => {
                let v = other.as_f64()?;
                (v.fract() == 0.0 && v.abs() < 9.0e15).then_some(v as i64)
            }
        }
    }

    /// The value as text, blanks trimmed; numbers are written out.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(t) => Some(Cow::Borrowed(t.trim())),
            Self::Other(t) => Some(Cow::Borrowed(t.trim())),
            Self::Integer(i) => Some(Cow::Owned(i.to_string())),
            Self::Real(r) => Some(Cow::Owned(r.to_string())),
            Self::Logical(_) | Self::Undefined => None,
        }
    }

    /// The value as a truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Logical(b) => Some(*b),
            _ => None,
        }
    }
}

/// One 80-byte header card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Card([u8; 80]);

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text().trim_end())
    }
}

/// Latin-1 bytes as text; NUL padding reads as blanks.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| if b == 0 { ' ' } else { char::from(b) }).collect()
}

fn parse_real(text: &str) -> Option<f64> {
    // Only what FITS calls a number: Rust would also take "inf" and "nan".
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eEdD".contains(&b));
    if !plain || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    text.replace(['d', 'D'], "E").parse().ok()
}

impl Card {
    /// A card from bytes as they stand in a file.
    pub fn from_bytes(bytes: [u8; 80]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand in a file.
    pub fn as_bytes(&self) -> &[u8; 80] {
        &self.0
    }

    /// The whole card as text, NUL bytes as blanks, bytes above 127 as Latin-1.
    pub fn text(&self) -> String {
        latin1(&self.0)
    }

    /// The keyword: trimmed and in capitals; a HIERARCH card's is all that stands before `=`.
    ///
    /// Empty for a blank card.
    pub fn keyword(&self) -> String {
        if self.is_hierarch() {
            let text = self.text();
            if let Some((name, _)) = text[9..].split_once('=') {
                return name.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
            }
        }
        latin1(&self.0[..8]).trim().to_ascii_uppercase()
    }

    fn is_hierarch(&self) -> bool {
        self.0.starts_with(b"HIERARCH ") && self.0.is_ascii()
    }

    /// True for COMMENT, HISTORY and cards without a keyword, whatever stands in column 9.
    pub fn is_commentary(&self) -> bool {
        let head = &self.0[..8];
        head == b"COMMENT " || head == b"HISTORY " || head.iter().all(|&b| b == b' ' || b == 0)
    }

    /// True for the card that ends a header.
    pub fn is_end(&self) -> bool {
        self.0.starts_with(b"END") && self.0[3..].iter().all(|&b| b == b' ' || b == 0)
    }

    /// Where the value field starts, when the card has one.
    fn value_start(&self) -> Option<usize> {
        if self.is_hierarch() {
            return self.0.iter().position(|&b| b == b'=').map(|p| p + 1);
        }
        // `KEY     =12`, without the blank the standard asks for, is common enough to be read.
        (!self.is_commentary() && self.0[8] == b'=').then_some(9)
    }

    /// The text of a commentary card (from column 9), or of a card that has no value field.
    pub fn commentary(&self) -> String {
        latin1(&self.0[8..]).trim_end().to_owned()
    }

    /// The card's own value, not joined with CONTINUE cards; `None` where it has no value field.
    pub fn value(&self) -> Option<Value> {
        let start = self.value_start()?;
        Some(parse_value(&latin1(&self.0[start..])).0)
    }

    /// The comment after the value, trimmed; empty where there is none.
    pub fn comment(&self) -> String {
        let Some(start) = self.value_start() else { return String::new() };
        parse_value(&latin1(&self.0[start..])).1
    }

    fn compose(keyword: &str, value: &str, comment: &str) -> Self {
        debug_assert!(keyword.len() <= 8 && keyword.is_ascii());
        let mut text = format!("{keyword:<8}= {value}");
        if !comment.is_empty() && text.len() + 4 <= 80 {
            text.push_str(" / ");
            text.push_str(comment);
        }
        Self::from_text(&text)
    }

    /// A card from text: what is no printable ASCII becomes `?`, what is beyond column 80 is cut.
    fn from_text(text: &str) -> Self {
        let mut bytes = [b' '; 80];
        for (slot, c) in bytes.iter_mut().zip(text.chars()) {
            *slot = if (' '..='~').contains(&c) { c as u8 } else { b'?' };
        }
        Self(bytes)
    }

    /// A card with a truth value.
    pub fn logical(keyword: &str, value: bool, comment: &str) -> Self {
        Self::compose(keyword, &format!("{:>20}", if value { 'T' } else { 'F' }), comment)
    }

    /// A card with a whole number.
    pub fn integer(keyword: &str, value: i64, comment: &str) -> Self {
        Self::compose(keyword, &format!("{value:>20}"), comment)
    }

    /// A card with a number, written so that it reads back exactly; not finite becomes undefined.
    pub fn real(keyword: &str, value: f64, comment: &str) -> Self {
        if !value.is_finite() {
            return Self::compose(keyword, &" ".repeat(20), comment);
        }
        let plain = format!("{value:?}");
        let text = if plain.contains('e') { format!("{value:E}") } else { plain };
        // FITS wants a point in the mantissa of every real number.
        let text = match text.split_once('E') {
            Some((m, e)) if !m.contains('.') => format!("{m}.0E{e}"),
            _ => text,
        };
        Self::compose(keyword, &format!("{text:>20}"), comment)
    }

    /// A card with a string of at most 68 characters, quotes counted twice; longer is cut. Use
    /// [`Header::set_text`] for text of any length.
    pub fn string(keyword: &str, value: &str, comment: &str) -> Self {
        let quoted = value.replace('\'', "''");
        Self::compose(keyword, &format!("{:<20}", format!("'{quoted:<8}'")), comment)
    }
}

/// Splits a value field into its value and its comment.
fn parse_value(field: &str) -> (Value, String) {
    let text = field.trim_start();
    if let Some(rest) = text.strip_prefix('\'') {
        return parse_string(rest);
    }
    let (value, comment) = match text.split_once('/') {
        Some((v, c)) => (v.trim(), c.trim().to_owned()),
        None => (text.trim(), String::new()),
    };
    let parsed = match value {
        "" => Value::Undefined,
        "T" => Value::Logical(true),
        "F" => Value::Logical(false),
        _ => match value.parse::<i64>() {
            Ok(i) => Value::Integer(i),
            Err(_) => parse_real(value).map_or_else(|| Value::Other(value.to_owned()), Value::Real),
        },
    };
    (parsed, comment)
}

/// Reads a string after its opening quote; a missing closing quote takes the rest of the card.
fn parse_string(rest: &str) -> (Value, String) {
    let mut out = String::new();
    let mut chars = rest.char_indices().peekable();
    let mut end = rest.len();
    while let Some((i, c)) = chars.next() {
        if c != '\'' {
            out.push(c);
        } else if chars.peek().is_some_and(|&(_, next)| next == '\'') {
            out.push('\'');
            chars.next();
        } else {
            end = i + 1;
            break;
        }
    }
    let comment = rest[end..].split_once('/').map_or("", |(_, c)| c).trim().to_owned();
    (Value::Text(out.trim_end().to_owned()), comment)
}

/// The cards of one header, in order, without END.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Plane<u8>", into = "Plane<u8>")]
pub struct Header {
    cards: Vec<Card>,
}

/// The cards' bytes, one a row.
impl From<Header> for Plane<u8> {
    fn from(header: Header) -> Self {
        Self::from_fn(Size::new(80, header.cards.len()), |x, y| header.cards[y].0[x])
    }
}

impl From<Plane<u8>> for Header {
    fn from(rows: Plane<u8>) -> Self {
        let cards = rows.as_slice().as_chunks::<80>().0;
        Self { cards: cards.iter().copied().map(Card).collect() }
    }
}

impl Header {
    /// A header with no cards.
    pub fn new() -> Self {
        Self::default()
    }

    /// A header of `cards`, which must not contain END.
    pub fn from_cards(cards: Vec<Card>) -> Self {
        Self { cards }
    }

    /// The cards in order.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// Adds a card at the end.
    pub fn push(&mut self, card: Card) {
        self.cards.push(card);
    }

    fn position(&self, keyword: &str) -> Option<usize> {
        self.cards.iter().position(|c| c.keyword() == keyword && c.value_start().is_some())
    }

    /// The value of `keyword` (capitals; for HIERARCH the words before `=`).
    ///
    /// Of duplicates the first counts, as it does for CFITSIO and astropy. A string that ends in
    /// `&` is joined with the CONTINUE cards after it.
    pub fn get(&self, keyword: &str) -> Option<Value> {
        let at = self.position(keyword)?;
        let value = self.cards[at].value()?;
        let Value::Text(mut text) = value else { return Some(value) };
        for card in &self.cards[at + 1..] {
            if !text.ends_with('&') || !card.0.starts_with(b"CONTINUE") {
                break;
            }
            let (Value::Text(more), _) = parse_value(&latin1(&card.0[8..])) else { break };
            text.pop();
            text.push_str(&more);
        }
        Some(Value::Text(text))
    }

    /// The comment on `keyword`'s card; empty where there is none.
    pub fn comment(&self, keyword: &str) -> String {
        self.position(keyword).map(|at| self.cards[at].comment()).unwrap_or_default()
    }

    /// `keyword`'s value as a number.
    pub fn get_f64(&self, keyword: &str) -> Option<f64> {
        self.get(keyword)?.as_f64()
    }

    /// `keyword`'s value as a whole number.
    pub fn get_i64(&self, keyword: &str) -> Option<i64> {
        self.get(keyword)?.as_i64()
    }

    /// `keyword`'s value as text; `None` when it is blank.
    pub fn get_text(&self, keyword: &str) -> Option<String> {
        let value = self.get(keyword)?;
        let text = value.as_text()?;
        (!text.is_empty()).then(|| text.into_owned())
    }

    /// The text of every HISTORY card, in order.
    pub fn history(&self) -> impl Iterator<Item = String> + '_ {
        self.cards.iter().filter(|c| c.0.starts_with(b"HISTORY ")).map(Card::commentary)
    }

    /// Puts `card` where its keyword first stands, or at the end; further cards of that keyword,
    /// and CONTINUE cards that belonged to it, go.
    pub fn set(&mut self, card: Card) {
        let keyword = card.keyword();
        let at = self.position(&keyword).unwrap_or(self.cards.len());
        self.remove(&keyword);
        self.cards.insert(at.min(self.cards.len()), card);
    }

    /// The texts that [`push_history`](Self::push_history) was given: cards of which the next one's first word
    /// would not have fitted are one text.
    pub fn history_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        let mut last = 0;
        for line in self.history() {
            let line = line.trim();
            let word = line.split_whitespace().next().unwrap_or_default().chars().count();
            match texts.last_mut() {
                Some(text) if last + 1 + word > COMMENTARY => {
                    text.push(' ');
                    text.push_str(line);
                }
                _ => texts.push(line.to_owned()),
            }
            last = line.chars().count();
        }
        texts
    }

    /// Sets `keyword` to a string of any length, over CONTINUE cards where it must.
    pub fn set_text(&mut self, keyword: &str, value: &str, comment: &str) {
        let printable: String =
            value.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
        let pieces = split_quoted(&printable);
        let last = pieces.len() - 1;
        for (i, piece) in pieces.iter().enumerate() {
            let piece = if i < last { format!("{piece}&") } else { piece.clone() };
            if i == 0 {
                self.set(Card::string(keyword, &piece, if last == 0 { comment } else { "" }));
            } else {
                let at = self.position(keyword).map_or(self.cards.len(), |p| p + i);
                let card = Card::from_text(&format!("CONTINUE  '{}'", piece.replace('\'', "''")));
                self.cards.insert(at.min(self.cards.len()), card);
            }
        }
    }

    /// Removes every value card of `keyword`, with the CONTINUE cards that belong to it.
    pub fn remove(&mut self, keyword: &str) {
        let mut continuing = false;
        self.cards.retain(|c| {
            if c.0.starts_with(b"CONTINUE") {
                return !continuing;
            }
            continuing = c.value_start().is_some() && c.keyword() == keyword;
            !continuing
        });
    }

    /// Adds HISTORY cards that hold `text`, broken at blanks where it is long.
    pub fn push_history(&mut self, text: &str) {
        self.push_commentary("HISTORY", text);
    }

    /// Adds COMMENT cards that hold `text`, broken at blanks where it is long.
    pub fn push_comment(&mut self, text: &str) {
        self.push_commentary("COMMENT", text);
    }

    fn push_commentary(&mut self, keyword: &str, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > COMMENTARY {
                self.push(Card::from_text(&format!("{keyword:<8} {line}")));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            while line.chars().count() > COMMENTARY {
                let head: String = line.chars().take(COMMENTARY).collect();
                self.push(Card::from_text(&format!("{keyword:<8} {head}")));
                line = line.chars().skip(COMMENTARY).collect();
            }
        }
        self.push(Card::from_text(&format!("{keyword:<8} {line}")));
    }
}

/// Characters of a HISTORY or COMMENT card after its keyword and a blank.
const COMMENTARY: usize = 71;

/// Cuts a string into pieces that fit a card with their quotes doubled and an `&` after them.
fn split_quoted(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    let whole: usize = text.chars().map(|c| 1 + usize::from(c == '\'')).sum();
    let limit = if whole <= 68 { 68 } else { 67 };
    for c in text.chars() {
        let width = 1 + usize::from(c == '\'');
        if used + width > limit {
            pieces.push(String::new());
            used = 0;
        }
        used += width;
        pieces.last_mut().expect("never empty").push(c);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> Card {
        let mut bytes = [b' '; 80];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Card::from_bytes(bytes)
    }

    #[test]
    fn values_as_cameras_write_them() {
        let value = |t: &str| card(t).value();
        assert_eq!(value("SIMPLE  =                    T/CCDSOFT"), Some(Value::Logical(true)));
        assert_eq!(value("EXPTIME = 060.00 / s"), Some(Value::Real(60.0)));
        assert_eq!(value("BZERO   = +3.276800000000E+004"), Some(Value::Real(32768.0)));
        assert_eq!(value("A       = 1.5D3"), Some(Value::Real(1500.0)));
        assert_eq!(value("XBINNING=                   4."), Some(Value::Real(4.0)));
        assert_eq!(value("NOSPACE =12"), Some(Value::Integer(12)));
        assert_eq!(value("SET-TEMP= nan"), Some(Value::Other("nan".into())));
        assert_eq!(value("UNDEF   =                      / none"), Some(Value::Undefined));
        assert_eq!(value("WBRGGB  = '' / From CR2"), Some(Value::Text(String::new())));
        assert_eq!(
            value("NAME    = 'O''Neill / 2' / who"),
            Some(Value::Text("O'Neill / 2".into()))
        );
        assert_eq!(value("OPEN    = 'never closed"), Some(Value::Text("never closed".into())));
        assert_eq!(value("COMMENT = not a value"), None);
        assert_eq!(value("HISTORY = not a value"), None);
        assert_eq!(value("GARBAGE without equals"), None);
        assert_eq!(value("C       = (1.0, 2.0)"), Some(Value::Other("(1.0, 2.0)".into())));
        assert_eq!(card("NAME    = 'a/b     ' /  text").comment(), "text");
        assert_eq!(card("HIERARCH ESO DET ID = 'x' / y").keyword(), "ESO DET ID");
        assert_eq!(card("HIERARCH ESO DET ID = 'x' / y").value(), Some(Value::Text("x".into())));
    }

    #[test]
    fn hostile_bytes_are_carried() {
        let mut bytes = [0u8; 80];
        bytes[..9].copy_from_slice(b"KEY     =");
        bytes[10] = 0xe9;
        let c = Card::from_bytes(bytes);
        assert_eq!(c.value(), Some(Value::Other("é".into())));
        assert_eq!(c.as_bytes(), &bytes);
        for b in 0..=255u8 {
            let c = Card::from_bytes([b; 80]);
            let _ = (c.keyword(), c.value(), c.comment(), c.commentary());
        }
    }

    #[test]
    fn duplicates_and_continuation() {
        let mut h = Header::new();
        for t in [
            "LONG    = 'one &'",
            "CONTINUE  'two &'",
            "CONTINUE  'three'",
            "KEY     =                    1",
            "KEY     =                    2",
        ] {
            h.push(card(t));
        }
        assert_eq!(h.get_text("LONG").as_deref(), Some("one two three"));
        assert_eq!(h.get_i64("KEY"), Some(1));
        h.set(Card::integer("KEY", 3, ""));
        assert_eq!(h.get_i64("KEY"), Some(3));
        assert_eq!(h.cards().len(), 4);
        h.remove("LONG");
        assert_eq!(h.cards().len(), 1);
    }

    #[test]
    fn written_values_read_back() {
        let mut h = Header::new();
        for v in [0.0, -1.5, 1e-30, 6.02e23, 1.0 / 3.0, 32768.0, f64::MAX] {
            h.set(Card::real("VALUE", v, "a number"));
            assert_eq!(h.get_f64("VALUE"), Some(v));
        }
        h.set(Card::real("VALUE", f64::NAN, ""));
        assert_eq!(h.get("VALUE"), Some(Value::Undefined));
        for text in ["", "M 31", &"it's ".repeat(60), &"x".repeat(68), &"y".repeat(69)] {
            h.set_text("TEXT", text, "some text");
            assert_eq!(h.get("TEXT"), Some(Value::Text(text.trim_end().to_owned())), "{text}");
        }
        h.push_history(&"word ".repeat(40));
        assert!(h.history().count() > 2);
        assert!(h.cards().iter().all(|c| c.as_bytes().is_ascii()));
    }
}
