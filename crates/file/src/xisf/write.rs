//! Writing XISF: one image, one attached block that is not packed, in place only when whole.
//!
//! Bounds are the same for every file of a unit, whatever its samples are: files of one night then
//! stand on one scale in every program.

use std::fmt::Write as _;
use std::path::Path;

use photosite_pix::{FrameKind, Header, Metadata, Size, Unit};

use super::cards::PROPERTY;
use crate::atomic::{Existing, Pending, write_error};
use crate::export::{FULL_SCALE_ADU, Range};
use crate::fits::{Clipped, Sample, as_u16, carried};
use crate::keyword::unit_of;
use crate::{Error, Result, keyword, platform};

/// Where blocks begin is a multiple of this, as PixInsight has it.
const ALIGNMENT: usize = 4096;
/// Signature, length of the header, reserved bytes.
const PREAMBLE: usize = 16;

/// An XISF file in the making; dropped before [`XisfWriter::finish`] it leaves nothing behind.
pub struct XisfWriter {
    pending: Pending,
    size: Size,
    planes: usize,
    sample: Sample,
    /// The header without what is known last.
    text: Text,
    /// Where the samples start.
    block: usize,
    clipped: Clipped,
    rows: Vec<bool>,
}

/// The header around the place of its block.
struct Text {
    before: String,
    after: String,
    /// Where the bounds of floating-point samples end; they begin at 0.
    upper: f32,
}

impl Text {
    fn with(&self, block: usize, bytes: u64) -> String {
        format!("{} location=\"attachment:{block}:{bytes}\">{}", self.before, self.after)
    }
}

impl XisfWriter {
    /// Starts a file of `planes` of `size`; rows may then be written, already on the scale that
    /// `range` names.
    ///
    /// # Errors
    /// When there are no pixels, `sample` is [`Sample::Mask`], the file exists and `existing`
    /// refuses, or the operating system does.
    pub fn create(
        path: &Path,
        (size, planes): (Size, usize),
        (sample, range): (Sample, Range),
        header: &Header,
        existing: Existing,
    ) -> Result<Self> {
        if sample == Sample::Mask || size.pixels() == 0 || planes == 0 {
            return Err(Error::request(path, "an image of samples was expected"));
        }
        let text = text(header, (size, planes), sample, range);
        let each = if sample == Sample::F32 { 4 } else { 2 };
        let bytes = size.pixels() as u64 * planes as u64 * each;
        let longest = text.with(usize::MAX, bytes).len();
        let block = (PREAMBLE + longest).next_multiple_of(ALIGNMENT);
        let pending = Pending::create(path, existing)?;
        pending
            .file()
            .set_len(block as u64 + bytes)
            .map_err(|e| write_error(path, "making room", e))?;
        Ok(Self {
            pending,
            size,
            planes,
            sample,
            text,
            block,
            clipped: Clipped::default(),
            rows: vec![false; size.height * planes],
        })
    }

    fn put(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        platform::write_all_at(self.pending.file(), bytes, offset)
            .map_err(|e| write_error(self.pending.target(), "writing", e))
    }

    /// Writes whole rows from `y0` of `plane`, in any order.
    ///
    /// NaN is kept by [`Sample::F32`] and becomes 0 in [`Sample::U16`]. Floating-point samples beyond
    /// the bounds are kept and counted.
    ///
    /// # Errors
    /// When the rows are not part of the image, or the disk is full.
    pub fn write_rows(&mut self, plane: usize, y0: usize, samples: &[f32]) -> Result<()> {
        let width = self.size.width;
        let rows = samples.len() / width;
        let inside = plane < self.planes
            && samples.len().is_multiple_of(width)
            && y0.checked_add(rows).is_some_and(|y| y <= self.size.height);
        if !inside {
            let message = format!(
                "{} samples from row {y0} of plane {plane} do not fit an image of {}",
                samples.len(),
                self.size
            );
            return Err(Error::request(self.pending.target(), message));
        }
        let first = plane * self.size.height + y0;
        self.rows[first..first + rows].fill(true);
        let raw: Vec<u8> = match self.sample {
            Sample::U16 { pedestal_adu } => samples
                .iter()
                .flat_map(|v| as_u16(*v, pedestal_adu, &mut self.clipped).to_le_bytes())
                .collect(),
            _ => {
                let upper = self.text.upper;
                let beyond = samples.iter().filter(|v| **v < 0.0 || **v > upper).count();
                self.clipped.beyond += beyond as u64;
                samples.iter().flat_map(|v| v.to_le_bytes()).collect()
            }
        };
        let each = raw.len() / samples.len().max(1);
        self.put((self.block + first * width * each) as u64, &raw)
    }

    /// Writes the header, syncs, and gives the file its name; says what was clipped.
    ///
    /// # Errors
    /// When a row was never written, the disk is full, or the file has appeared meanwhile and is
    /// not to be replaced. Nothing is left behind then.
    pub fn finish(self) -> Result<Clipped> {
        if let Some(row) = self.rows.iter().position(|&done| !done) {
            let (plane, y) = (row / self.size.height, row % self.size.height);
            let message = format!("row {y} of plane {plane} was never written");
            return Err(Error::request(self.pending.target(), message));
        }
        let each = if self.sample == Sample::F32 { 4 } else { 2 };
        let bytes = (self.size.pixels() * self.planes * each) as u64;
        let text = self.text.with(self.block, bytes);
        let room = self.block - PREAMBLE;
        let mut head = b"XISF0100".to_vec();
        head.extend((room as u32).to_le_bytes());
        head.extend([0; 4]);
        head.extend(text.as_bytes());
        head.resize(self.block, b' ');
        self.put(0, &head)?;
        let Self { pending, clipped, .. } = self;
        pending.finish()?;
        Ok(clipped)
    }
}

/// What may not stand in an attribute as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c < ' ' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

fn text(header: &Header, (size, planes): (Size, usize), sample: Sample, range: Range) -> Text {
    let metadata = keyword::read(header).metadata;
    let format = if sample == Sample::F32 { "Float32" } else { "UInt16" };
    let mut before = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><xisf version=\"1.0\" \
         xmlns=\"http://www.pixinsight.com/xisf\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://www.pixinsight.com/xisf \
         http://pixinsight.com/xisf/xisf-1.0.xsd\"><Image id=\"image\" \
         geometry=\"{}:{}:{planes}\" sampleFormat=\"{format}\" colorSpace=\"{}\"",
        size.width,
        size.height,
        // Other numbers of planes are grey with further channels.
        if planes == 3 { "RGB" } else { "Gray" },
    );
    // A flat's mean is 1, and half of its samples lie above.
    let upper = match (range, unit_of(header)) {
        (Range::Adu16, _) => 1.0,
        (Range::AsIs, Unit::Relative) => 2.0,
        (Range::AsIs, _) => FULL_SCALE_ADU,
    };
    if sample == Sample::F32 {
        let _ = write!(before, " bounds=\"0:{upper}\"");
    }
    if let Some(kind) = image_type(&metadata) {
        let _ = write!(before, " imageType=\"{kind}\"");
    }
    if let Some(offset) = metadata.pedestal_adu.filter(|v| *v > 0.0) {
        let _ = write!(before, " offset=\"{offset}\"");
    }
    let mut after = keywords(&carried(header));
    if let Some(cfa) = metadata.cfa {
        let period = cfa.period();
        let _ = write!(
            after,
            "<ColorFilterArray pattern=\"{cfa}\" width=\"{period}\" height=\"{period}\"/>"
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(
        after,
        "</Image><Metadata><Property id=\"XISF:CreatorApplication\" type=\"String\">Photosite \
         {version}</Property></Metadata></xisf>"
    );
    Text { before, after, upper }
}

fn image_type(metadata: &Metadata) -> Option<String> {
    let kind = match metadata.kind? {
        FrameKind::Bias => "Bias",
        FrameKind::Dark | FrameKind::DarkFlat => "Dark",
        FrameKind::Flat => "Flat",
        FrameKind::Light => "Light",
    };
    Some(format!("{}{kind}", if metadata.is_master { "Master" } else { "" }))
}

/// Cards as FITSKeyword elements, value and comment as they stand; those that came from properties
/// as properties again.
fn keywords(header: &Header) -> String {
    let mut out = String::new();
    let mut element = |name: &str, value: &str, comment: &str| {
        let _ = write!(
            out,
            "<FITSKeyword name=\"{}\" value=\"{}\" comment=\"{}\"/>",
            escaped(name),
            escaped(value),
            escaped(comment)
        );
    };
    let mut properties = Vec::new();
    for card in header.cards() {
        let text = card.text();
        if card.is_commentary() || card.value().is_none() {
            if !text.starts_with("CONTINUE") {
                element(text[..8].trim(), "", &card.commentary());
            }
            continue;
        }
        let name = card.keyword();
        let at = text.find('=').unwrap_or(8) + 1;
        let (mut value, comment) = parts(&text[at..]);
        if text.starts_with("HIERARCH ") {
            let id = text[9..at - 1].trim();
            if let Some(id) = id.strip_prefix(PROPERTY).map(str::trim) {
                properties.push(property(id, value));
                continue;
            }
        }
        // A string over several cards is one value here.
        let joined;
        if value.ends_with("&'")
            && let Some(whole) = header.get_text(&name)
        {
            joined = format!("'{}'", whole.replace('\'', "''"));
            value = &joined;
        }
        element(&name, value, comment);
    }
    out.push_str(&properties.concat());
    out
}

/// A value field cut into value and comment, both as they stand.
fn parts(field: &str) -> (&str, &str) {
    let field = field.trim();
    let end = match field.strip_prefix('\'') {
        Some(rest) => {
            let mut quotes = rest.char_indices().filter(|(_, c)| *c == '\'').peekable();
            let mut end = field.len();
            while let Some((i, _)) = quotes.next() {
                if quotes.next_if(|(next, _)| *next == i + 1).is_none() {
                    end = i + 2;
                    break;
                }
            }
            end
        }
        None => field.find('/').unwrap_or(field.len()),
    };
    let comment = field[end..].trim().trim_start_matches('/').trim();
    (field[..end].trim(), comment)
}

fn property(id: &str, value: &str) -> String {
    let id = escaped(id);
    let quoted = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
    match (quoted, value) {
        (Some(text), _) => {
            let text = escaped(text.replace("''", "'").trim_end());
            if id.contains(":Time:") {
                format!("<Property id=\"{id}\" type=\"TimePoint\" value=\"{text}\"/>")
            } else {
                format!("<Property id=\"{id}\" type=\"String\">{text}</Property>")
            }
        }
        (None, "T" | "F") => {
            let bit = u8::from(value == "T");
            format!("<Property id=\"{id}\" type=\"Boolean\" value=\"{bit}\"/>")
        }
        (None, number) => {
            let kind = if number.parse::<i32>().is_ok() { "Int32" } else { "Float64" };
            format!("<Property id=\"{id}\" type=\"{kind}\" value=\"{}\"/>", escaped(number))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use photosite_pix::Card;

    #[test]
    fn value_and_comment_come_apart_as_they_stand() {
        assert_eq!(parts("                 60.0 / [s] a/b "), ("60.0", "[s] a/b"));
        assert_eq!(parts(" 'O''Neill / 2' / who "), ("'O''Neill / 2'", "who"));
        assert_eq!(parts(" 'it''s'"), ("'it''s'", ""));
        assert_eq!(parts(" 'open"), ("'open", ""));
        assert_eq!(parts(" ''"), ("''", ""));
        assert_eq!(parts(""), ("", ""));
    }

    #[test]
    fn cards_of_any_kind_give_legal_text() {
        let mut h = Header::new();
        h.push(Card::string("OBJECT", "<M 31> & \"more\"", "a > b"));
        h.set_text("NOTES", &"it's ".repeat(40), "");
        h.push_history("done");
        let text = keywords(&h);
        assert!(text.contains("&lt;M 31&gt; &amp; &quot;more&quot;"), "{text}");
        assert!(text.contains("name=\"HISTORY\" value=\"\" comment=\" done\""), "{text}");
        assert_eq!(text.matches("FITSKeyword").count(), 3, "{text}");
    }
}
