//! What can go wrong in the domain, and how far it reaches.
//!
//! ```
//! use photosite::{Error, ErrorKind, Reach};
//!
//! let size = Error::mismatch("the frames are 100x100 pixels, the master is 50x50");
//! assert_eq!((size.kind(), size.reach()), (ErrorKind::Mismatch, Reach::Group));
//! // A full disk refuses every product.
//! let full = std::io::Error::other("no space left");
//! let full = Error::io("OUT/masters/dark.fits".as_ref(), "writing", full).of_product();
//! assert_eq!((full.kind(), full.reach()), (ErrorKind::Io, Reach::Run));
//! assert_eq!(full.path().unwrap().file_name().unwrap(), "dark.fits");
//! ```

use std::path::{Path, PathBuf};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// The nature of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused: missing file, no permission, full disk.
    Io,
    /// A file breaks its own format or ends early.
    Malformed,
    /// A file changed while it was being used.
    Changed,
    /// A file or a request is of a kind that is not handled here.
    Unsupported,
    /// Frames or masters do not fit each other.
    Mismatch,
    /// What was asked for contradicts itself or means nothing.
    Parameters,
    /// The library cannot be used, or does not have what was asked of it.
    Library,
    /// The memory allowed is too little.
    Memory,
    /// A file that Photosite did not make is where a product would be written.
    Foreign,
    /// A frame contradicts the others of its set.
    Odd,
    /// The frames of a set contradict each other.
    Contradiction,
    /// None of a set's flats can be used.
    Unusable,
    /// No exposure made the frames of a set: every sample of them has one value.
    WithoutSignal,
    /// The person stopped the work.
    Cancelled,
    /// Photosite is wrong.
    Bug,
}

/// How far a failure reaches: what must be left out because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// One frame: the others go on without it.
    Frame,
    /// The frames of one set-up: other groups go on.
    Group,
    /// One product: a master, a calibrated light, a stack.
    Product,
    /// Everything: the run ends, with its report written.
    Run,
}

impl ErrorKind {
    /// How far an error of this kind reaches when nobody knows better.
    fn usual_reach(self) -> Reach {
        match self {
            Self::Io | Self::Malformed | Self::Changed | Self::Unsupported | Self::Odd => {
                Reach::Frame
            }
            Self::Mismatch => Reach::Group,
            Self::Memory
            | Self::Foreign
            | Self::Contradiction
            | Self::Unusable
            | Self::WithoutSignal => Reach::Product,
            Self::Parameters | Self::Library | Self::Cancelled | Self::Bug => Reach::Run,
        }
    }

    /// The code of the Finding that an error of this kind becomes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Io => "frame-unreadable",
            Self::Malformed => "frame-damaged",
            Self::Changed => "frame-changed",
            Self::Unsupported => "format-unsupported",
            Self::Mismatch => "frames-do-not-fit",
            Self::Parameters => "parameters-meaningless",
            Self::Library => "library-unusable",
            Self::Memory => "memory-too-small",
            Self::Foreign => "foreign-file",
            Self::Odd => "frame-odd",
            Self::Contradiction => "set-contradicts",
            Self::Unusable => "flats-unusable",
            Self::WithoutSignal => "frame-without-signal",
            Self::Cancelled => "interrupted",
            Self::Bug => "internal-fault",
        }
    }
}

/// An error: what was found, what was expected, what to do, and how far it reaches.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    reach: Reach,
    message: String,
    #[source]
    file: Option<photosite_file::Error>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, reach: kind.usual_reach(), message: message.into(), file: None }
    }

    /// Frames or masters that do not fit each other: `message` names both and what differs.
    pub fn mismatch(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Mismatch, message)
    }

    /// A request that cannot be met: `message` says what was asked and what would do.
    pub fn parameters(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Parameters, message)
    }

    /// Something that is not handled here: `message` says what to do instead.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A library that cannot be used, or lacks what was asked of it.
    pub fn library(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Library, message)
    }

    /// Too little memory allowed: `message` says what would do.
    pub fn memory(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Memory, message)
    }

    /// A file at `path` that Photosite did not make, where a product goes.
    pub fn foreign(path: &Path) -> Self {
        Self::new(
            ErrorKind::Foreign,
            format!(
                "{} exists and was not made by Photosite; it is left alone. Choose another \
                 location with -o, or move the file",
                path.display()
            ),
        )
    }

    /// A product of another kind stands where one is to go.
    pub(crate) fn other_product(path: &Path, there: &str, wanted: &str) -> Self {
        Self::new(
            ErrorKind::Foreign,
            format!(
                "{} exists and is a {there}, which no {wanted} takes the place of; name another file \
                 with -o, or move this one",
                path.display()
            ),
        )
    }

    /// The person stopped the work.
    pub fn cancelled() -> Self {
        let message = "interrupted; finished products are kept, and the same command continues \
                       from there";
        Self::new(ErrorKind::Cancelled, message)
    }

    /// A state that cannot be: Photosite is wrong, not its user.
    pub fn bug(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(
            ErrorKind::Bug,
            format!("{message}; this is a bug in Photosite: please report it"),
        )
    }

    /// A file that is no longer what it was when it was first read.
    pub fn changed(path: &Path) -> Self {
        let message = "changed while it was in use; nothing made from it is kept";
        let file = photosite_file::Error::damaged(path, message);
        Self { kind: ErrorKind::Changed, ..file.into() }
    }

    /// A frame that contradicts the others of its set: `message` says in what.
    pub fn odd(path: &Path, message: impl Into<String>) -> Self {
        let file = photosite_file::Error::damaged(path, message);
        Self { kind: ErrorKind::Odd, ..file.into() }
    }

    /// Frames of a set that contradict each other: `message` names them and what was seen.
    pub fn contradiction(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Contradiction, message)
    }

    /// Flats that are of no use, all of them: `message` says why.
    pub fn unusable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unusable, message)
    }

    /// Frames that no exposure made, all of a set: `message` says what they hold.
    pub fn without_signal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::WithoutSignal, message)
    }

    /// The operating system's refusal to do `what` with `path`.
    pub fn io(path: &Path, what: &str, source: std::io::Error) -> Self {
        photosite_file::Error::io(path, what, source).into()
    }

    /// The same error, reaching as far as is known here.
    #[must_use]
    pub fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// The same error about a product that was to be written: what the operating system refuses
    /// there (a full disk, a folder without permission) it refuses for every product.
    #[must_use]
    pub fn of_product(self) -> Self {
        let reach = if self.kind == ErrorKind::Io { Reach::Run } else { Reach::Product };
        let reach = if self.kind == ErrorKind::Cancelled { Reach::Run } else { reach };
        self.reaching(reach)
    }

    /// The same error, with what it is about in front.
    #[must_use]
    pub fn about(mut self, path: &Path) -> Self {
        if self.file.is_none() {
            self.message = format!("{}: {}", path.display(), self.message);
        }
        self
    }

    /// The nature of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How far it reaches.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The file error underneath, where there is one.
    pub fn file(&self) -> Option<&photosite_file::Error> {
        self.file.as_ref()
    }

    /// The file it is about, where it is about one.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|f| f.path().to_owned())
    }
}

impl From<photosite_file::Error> for Error {
    fn from(e: photosite_file::Error) -> Self {
        use photosite_file::ErrorKind as Of;
        let kind = match e.kind() {
            Of::Io => ErrorKind::Io,
            Of::Damaged => ErrorKind::Malformed,
            Of::Unsupported => ErrorKind::Unsupported,
            Of::Request => ErrorKind::Mismatch,
            _ => ErrorKind::Malformed,
        };
        Self { kind, reach: kind.usual_reach(), message: e.to_string(), file: Some(e) }
    }
}
