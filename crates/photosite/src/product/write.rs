//! Products on disk: reused when whole, never mixed up with what is not ours.

use std::io::Read;
use std::path::{Path, PathBuf};

use photosite_file::atomic::Existing;
use photosite_file::fits::{Clipped, FrameSpec, FrameWriter, Sample, write_frame};
use photosite_file::{is_ours, verify};
use photosite_pix::{Frame, Header, Plane};

use crate::finding::Severity;
use crate::open::probe;
use crate::provenance::{self, ContentHash, Input, KEY_KEYWORD, Provenance, key_of};
use crate::stack::Maps;
use crate::work::{Context, for_each};
use crate::{Error, Finding, Result};

/// What stands where a product is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Absent,
    /// The very product: same key, so same bytes, and its checksums agree.
    Current,
    /// A product of Photosite's with another key: inputs or parameters have changed.
    Outdated,
    /// What is left of a product that was damaged or cut.
    Damaged,
}

/// Looks at what stands at `path`, and reads it through where it is the product.
///
/// # Errors
/// When a file stands there that Photosite did not make: it is never overwritten.
pub fn standing(path: &Path, key: &str) -> Result<Standing> {
    if path.symlink_metadata().is_err() {
        return Ok(Standing::Absent);
    }
    match probe(path).map(|p| key_of(&p.header)) {
        Ok(Some(k)) if k == key => match verify(path) {
            Ok(_) => Ok(Standing::Current),
            Err(_) => Ok(Standing::Damaged),
        },
        Ok(Some(_)) => Ok(Standing::Outdated),
        Err(_) if is_remains(path) => {
            set_aside(path)?;
            Ok(Standing::Damaged)
        }
        // A file that cannot be read is not known to be ours either.
        _ => Err(Error::foreign(path)),
    }
}

/// Looks at what stands where a product is about to be made.
///
/// # Errors
/// As [`standing`], and when an input stands there, or a product of another kind: a calibrated light is no older
/// stack.
pub fn room_for(path: &Path, provenance: &Provenance) -> Result<Standing> {
    let found = standing(path, &provenance.key())?;
    if found == Standing::Outdated {
        let there = provenance::read(path).ok().map(|told| told.product);
        if let Some(there) = there.filter(|there| *there != provenance.product) {
            return Err(Error::other_product(path, &there, &provenance.product));
        }
        let named = |i: &&Input| path.file_name().is_some_and(|n| n.to_string_lossy() == i.name);
        let mut named = provenance.inputs.iter().filter(named).peekable();
        if named.peek().is_some() {
            let there = ContentHash::of_file(path)?;
            if named.any(|input| input.hash == there) {
                return Err(Error::mismatch(format!(
                    "{} is the input; choose another output file with -o",
                    path.display()
                )));
            }
        }
    }
    Ok(found)
}

/// Checks that a product may have this name: only FITS holds all of it.
///
/// # Errors
/// When the name ends as another format's does.
pub fn fits_name(path: &Path) -> Result<()> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if ["xisf", "tif", "tiff", "png", "jpg", "jpeg"].contains(&ending.as_str()) {
        let message = "products are FITS; name it .fits, and convert it afterwards";
        return Err(Error::parameters(format!("{}: {message}", path.display())));
    }
    Ok(())
}

/// Checks that a file is what was written, as far as it carries sums of itself.
///
/// # Errors
/// When it is not, or cannot be read.
pub fn whole(path: &Path) -> Result<()> {
    match verify(path) {
        // Other formats carry no sums.
        Err(e) if e.kind() == photosite_file::ErrorKind::Request => Ok(()),
        told => Ok(told.map(drop)?),
    }
}

/// The card that begins every FITS file.
const FIRST_CARD: &[u8] = b"SIMPLE  =";

/// Bytes of a file that are searched for the card of a product's key: more than any header of ours.
const HEAD_BYTES: u64 = 1 << 20;

/// Whether a file that cannot be read is what a power cut or a bad copy left of a product of ours:
/// nothing, or a FITS file that names its key, or that ends within its header.
fn is_remains(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = |file: std::fs::File| file.take(HEAD_BYTES).read_to_end(&mut head);
    if !path.is_file() || std::fs::File::open(path).and_then(read).is_err() {
        return false;
    }
    let card = |name: &str| {
        let name = format!("{name:<8}");
        head.chunks(80).any(|card| card.starts_with(name.as_bytes()))
    };
    head.is_empty() || head.starts_with(FIRST_CARD) && (card(KEY_KEYWORD) || !card("END"))
}

/// Moves what cannot be told to be ours to a name of its own, so that nothing is ever lost.
fn set_aside(path: &Path) -> Result<()> {
    if is_ours(path)? {
        return Ok(());
    }
    renamed(path, ".damaged").map(drop)
}

/// The sums of the units of a product as their headers have them: other programs write others.
///
/// # Errors
/// When it cannot be read.
pub fn sums_of(path: &Path) -> Result<Vec<String>> {
    let hdus = photosite_file::fits::layout(path)?.hdus;
    Ok(hdus.iter().map(|hdu| hdu.header.get_text("CHECKSUM").unwrap_or_default()).collect())
}

/// Whether a product is as it was written: its own sums hold, and they are those that were noted then,
/// where they were.
fn is_as_written(path: &Path, noted: Option<&[String]>) -> bool {
    verify(path).is_ok_and(|verified| verified.is_whole())
        && noted.is_none_or(|noted| sums_of(path).is_ok_and(|sums| sums == noted))
}

/// Keeps a product that somebody changed since it was written, a plate solution or a note in its header,
/// under a name of its own before another takes its place, and tells of it; `None` where nothing stands
/// there, or what was written, or what is left of it.
///
/// # Errors
/// When it cannot be renamed.
pub fn kept_aside(path: &Path, noted: Option<&[String]>) -> Result<Option<Finding>> {
    if path.symlink_metadata().is_err() || !is_product(path) || is_as_written(path, noted) {
        return Ok(None);
    }
    let aside = renamed(path, ".changed")?;
    let message = format!(
        "the stack that stood here was changed after it was written, or damaged; it is kept as {}",
        aside.display()
    );
    let subject = path.display().to_string();
    Ok(Some(
        Finding::new("product-changed", Severity::Warning, subject, message)
            .hint("Give what you work on a name of your own; delete what is no longer wanted."),
    ))
}

/// A Finding where a product that is used as it stands was changed since it was written.
pub fn changed_since(path: &Path, noted: &[String]) -> Option<Finding> {
    if noted.is_empty() || is_as_written(path, Some(noted)) {
        return None;
    }
    let message = "this stack was changed after it was written; it is used as it stands";
    Some(
        Finding::new("product-changed", Severity::Warning, path.display().to_string(), message)
            .hint("Delete it to have it made again."),
    )
}

/// Gives a file an ending of its own, with a number where that is taken.
fn renamed(path: &Path, ending: &str) -> Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    let free = (0..u32::MAX).map(|n| match n {
        0 => path.with_file_name(&name),
        n => path.with_file_name(format!("{}-{n}", name.to_string_lossy())),
    });
    let aside = free.into_iter().find(|p| p.symlink_metadata().is_err());
    let aside = aside.ok_or_else(|| Error::foreign(path))?;
    std::fs::rename(path, &aside).map_err(|e| Error::io(path, "moving the file aside", e))?;
    Ok(aside)
}

/// A Finding where what was left of a damaged product was replaced.
pub fn replaced(path: &Path) -> Finding {
    let message = "the existing product was damaged or truncated; it was made again";
    Finding::new("product-damaged", Severity::Warning, path.display().to_string(), message)
        .hint("If this happens again, check the disk.")
}

/// Whether the file at `path` is a product of Photosite's, by its header.
pub fn is_product(path: &Path) -> bool {
    probe(path).is_ok_and(|p| key_of(&p.header).is_some())
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
