//! What can go wrong in the domain.

use std::path::Path;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// The nature of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file could not be read or written, or is not what it should be.
    File,
    /// The request contradicts itself or the frames.
    Request,
    /// The work was interrupted.
    Cancelled,
}

/// An error: what was found, what was expected, and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Inner);

#[derive(Debug, thiserror::Error)]
enum Inner {
    #[error(transparent)]
    File(#[from] photosite_file::Error),
    #[error("{0}")]
    Request(String),
    #[error("interrupted; what is whole is kept, and the same command goes on from there")]
    Cancelled,
}

impl Error {
    /// A request that cannot be met: `message` says what was asked and what would do.
    pub fn request(message: impl Into<String>) -> Self {
        Self(Inner::Request(message.into()))
    }

    /// The person stopped the work.
    pub fn cancelled() -> Self {
        Self(Inner::Cancelled)
    }

    /// The operating system's refusal to do `what` with `path`.
    pub fn io(path: &Path, what: &str, source: std::io::Error) -> Self {
        photosite_file::Error::io(path, what, source).into()
    }

    /// The nature of the error.
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Inner::File(_) => ErrorKind::File,
            Inner::Request(_) => ErrorKind::Request,
            Inner::Cancelled => ErrorKind::Cancelled,
        }
    }

    /// The file error underneath, where there is one.
    pub fn file(&self) -> Option<&photosite_file::Error> {
        match &self.0 {
            Inner::File(e) => Some(e),
            _ => None,
        }
    }
}

impl From<photosite_file::Error> for Error {
    fn from(e: photosite_file::Error) -> Self {
        Self(Inner::File(e))
    }
}
