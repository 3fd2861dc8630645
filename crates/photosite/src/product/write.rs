//! Products on disk: reused when whole, never mixed up with what is not ours.

use std::path::Path;

use photosite_file::atomic::Existing;
use photosite_file::fits::{Clipped, FrameSpec, FrameWriter, Sample, write_frame};
use photosite_pix::{Frame, Header, Plane};

use crate::open::probe;
use crate::provenance::{KEY_KEYWORD, Provenance};
use crate::stack::Maps;
use crate::work::{Context, for_each};
use crate::{Error, Result};

/// What stands where a product is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Absent,
    /// The very product: same key, so same bytes.
    Current,
    /// A product of Photosite's with another key: inputs or parameters have changed.
    Outdated,
}

/// Looks at what stands at `path`.
///
/// # Errors
/// When a file stands there that Photosite did not make: it is never overwritten.
pub fn standing(path: &Path, key: &str) -> Result<Standing> {
    if !path.exists() {
        return Ok(Standing::Absent);
    }
    // A file that cannot be read is not known to be ours either.
    let found = probe(path).ok().and_then(|p| p.header.get_text(KEY_KEYWORD));
    match found {
        Some(k) if k == key => Ok(Standing::Current),
        Some(_) => Ok(Standing::Outdated),
        None => Err(Error::foreign(path)),
    }
}

/// Whether the file at `path` is a product of Photosite's, by its header.
pub fn is_product(path: &Path) -> bool {
    probe(path).is_ok_and(|p| p.header.get(KEY_KEYWORD).is_some())
}

/// A product to be written.
pub struct Product<'a> {
    /// Where it goes.
    pub path: &'a Path,
    /// Samples, variance, mask: one frame, or three for red, green and blue.
    pub frames: &'a [&'a Frame],
    /// Cards to carry; the account is added.
    pub header: Header,
    /// How samples are stored.
    pub sample: Sample,
    /// Samples counted at each pixel: of each frame, or none.
    pub maps: &'a [Maps],
    /// Where the product came from.
    pub provenance: &'a Provenance,
    /// What was done, a sentence each, for people.
    pub steps: Vec<String>,
}

impl Product<'_> {
    /// Writes the product whole, in place of an outdated one; tells what 16 bits could not hold.
    ///
    /// # Errors
    /// When the operating system refuses; then nothing is left behind.
    pub fn write(mut self) -> Result<Clipped> {
        self.sign();
        write_frame(self.path, self.frames, self.spec(), Existing::Replace)
            .map_err(|e| Error::from(e).of_product())
    }

    /// Writes the product on all threads, and does `beside` meanwhile.
    ///
    /// # Errors
    /// As [`write`](Self::write), or when the work is cancelled.
    pub fn write_while(
        mut self,
        beside: &[&(dyn Fn() + Sync)],
        context: &Context<'_>,
    ) -> Result<Clipped> {
        self.sign();
        let refused = |e: photosite_file::Error| Error::from(e).of_product();
        let writer = FrameWriter::create(self.path, self.frames, self.spec(), Existing::Replace)
            .map_err(refused)?;
        let jobs = beside.len() + writer.strips();
        // Halfway through, what is written goes to the disk while the processors go on.
        let (threads, sync_at) = match context.threads {
            1 => (1, None),
            n => (n + 1, Some(beside.len() + writer.strips() / 2)),
        };
        let context = &Context { threads, ..*context };
        for_each(
            jobs + usize::from(sync_at.is_some()),
            context,
            || (),
            |(), i| {
                if let Some(job) = beside.get(i) {
                    job();
                    return Ok(());
                }
                match sync_at {
                    Some(at) if i == at => writer.sync(),
                    Some(at) if i > at => writer.write_strip(i - beside.len() - 1),
                    _ => writer.write_strip(i - beside.len()),
                }
                .map_err(refused)
            },
        )?;
        writer.finish().map_err(refused)
    }

    /// Puts the account of what was done into the header.
    fn sign(&mut self) {
        self.provenance.write_history(&mut self.header, &self.steps);
    }

    fn spec(&self) -> FrameSpec<'_> {
        let tables = vec![self.provenance.table()];
        type Named = (&'static str, fn(&Maps) -> &Plane<u16>);
        let all: [Named; 3] =
            [("COVERAGE", |m| &m.kept), ("REJLOW", |m| &m.low), ("REJHIGH", |m| &m.high)];
        let named = all.into_iter().filter(|_| !self.maps.is_empty());
        let beside = named.map(|(name, of)| (name, self.maps.iter().map(of).collect())).collect();
        FrameSpec { header: &self.header, sample: self.sample, beside, tables }
    }
}
