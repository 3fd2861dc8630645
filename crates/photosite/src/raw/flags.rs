//! Flags of another program beside a raw frame: pixels that are not to be used.

use std::path::Path;

use photosite_file::fits::open_flags;
use photosite_file::{Access, Source};
use photosite_pix::Size;

use super::RawFrame;
use crate::finding::Severity;
use crate::open::{image_of_file, open_stored};
use crate::{Finding, Result};

/// Flags that leave out a larger share of a frame are none.
const MOST: f64 = 0.5;

/// What the flags beside a frame say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flagged {
    /// The extension's name.
    pub name: &'static str,
    /// The share of pixels that are not to be used.
    pub not_used: f64,
    /// The share of those that are flagged otherwise.
    pub otherwise: f64,
}

impl Flagged {
    /// What the flags beside a frame of a size say; `None` where there are none, or all are clear.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(path: &Path, size: Size) -> Result<Option<Self>> {
        if image_of_file(path).is_some() {
            return Ok(None);
        }
        let flags = open_flags(path)?.filter(|flags| flags.source.size() == size);
        let Some(flags) = flags else { return Ok(None) };
        let (mut bytes, mut row) = (Vec::new(), vec![0.0f32; size.width]);
        let (mut not_used, mut otherwise) = (0usize, 0usize);
        for y in 0..size.height {
            flags.source.read_rows(0, y..y + 1, &mut bytes, &mut row)?;
            not_used += row.iter().filter(|v| **v == 1.0).count();
            otherwise += row.iter().filter(|v| **v == 2.0).count();
        }
        let share = |of: usize| of as f64 / size.pixels().max(1) as f64;
        let found =
            Self { name: flags.name, not_used: share(not_used), otherwise: share(otherwise) };
        Ok((not_used + otherwise > 0).then_some(found))
    }

    /// Whether pixels are left out by them.
    pub fn is_believed(&self) -> bool {
        self.not_used > 0.0 && self.not_used <= MOST
    }
}

/// Opens the image of a file, with NaN where the flags beside it say that a pixel is not to be used.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open_unflagged(path: &Path) -> photosite_file::Result<Box<dyn Source>> {
    let source = open_stored(path)?;
    let flags = open_flags(path)?.filter(|flags| flags.source.size() == source.size());
    Ok(match flags {
        Some(flags) => Box::new(Unflagged { source, flags: flags.source }),
        None => source,
    })
}

struct Unflagged {
    source: Box<dyn Source>,
    flags: Box<dyn Source>,
}

/// What is told of the flags beside a frame.
pub fn told_flags(raw: &RawFrame) -> Option<Finding> {
    let Flagged { name, not_used, otherwise } = raw.flagged?;
    let percent = |share: f64| format!("{:.3} %", 100.0 * share);
    let (severity, message, hint) = if not_used > MOST {
        (
            Severity::Warning,
            format!(
                "its extension {name} says of {} of the pixels that they are not to be used, which is not believed: all \
                 are used",
                percent(not_used)
            ),
            "Correct the mask, or write the frame without it.",
        )
    } else if otherwise > 0.0 {
        (
            Severity::Warning,
            format!(
                "its extension {name} has flags whose meaning is not known here at {} of the pixels, which are used all \
                 the same; {} have bit 0, bad, and are not",
                percent(otherwise),
                percent(not_used)
            ),
            "Write the pixels that are not to be used into an extension MASK.",
        )
    } else {
        (
            Severity::Info,
            format!(
                "its extension {name} flags {} of the pixels: they are not used",
                percent(not_used)
            ),
            "Nothing need be done.",
        )
    };
    let subject = raw.path.display().to_string();
    Some(
        Finding::new("flags-of-another-program", severity, subject, message)
            .hint(hint)
            .with("not_used", not_used)
            .with("otherwise", otherwise),
    )
}

impl Source for Unflagged {
    fn size(&self) -> Size {
        self.source.size()
    }

    fn planes(&self) -> usize {
        self.source.planes()
    }

    fn access(&self) -> Access {
        match self.flags.access() {
            Access::Rows => self.source.access(),
            other => other,
        }
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: std::ops::Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        self.source.read_rows(plane, rows.clone(), scratch, out)?;
        let mut flags = vec![0.0f32; out.len()];
        self.flags.read_rows(0, rows, scratch, &mut flags)?;
        out.iter_mut()
            .zip(&flags)
            .filter(|(_, flag)| **flag == 1.0)
            .for_each(|(v, _)| *v = f32::NAN);
        Ok(())
    }
}
