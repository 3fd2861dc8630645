//! What can be wrong with a file, by whose fault it is.

use std::path::{Path, PathBuf};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused: missing file, no permission, full disk.
    Io,
    /// The file breaks its own format or ends early.
    Damaged,
    /// The file is of a kind that is not read here, or not yet.
    Unsupported,
    /// The caller asked for something the file does not have.
    Request,
}

/// An error about one file: which file, what was found, what was expected.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct Error {
    path: PathBuf,
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<std::io::Error>,
}

impl Error {
    /// The operating system's refusal while doing `what` ("reading the header").
    pub fn io(path: &Path, what: &str, source: std::io::Error) -> Self {
        let message = format!("{what} failed: {source}");
        Self { path: path.to_owned(), kind: ErrorKind::Io, message, source: Some(source) }
    }

    /// The file is broken: `message` says what was found and what was expected.
    pub fn damaged(path: &Path, message: impl Into<String>) -> Self {
        Self::new(path, ErrorKind::Damaged, message)
    }

    /// The file is of a kind that is not read: `message` names the kind and what to do instead.
    pub fn unsupported(path: &Path, message: impl Into<String>) -> Self {
        Self::new(path, ErrorKind::Unsupported, message)
    }

    /// The caller asked for what the file cannot give.
    pub fn request(path: &Path, message: impl Into<String>) -> Self {
        Self::new(path, ErrorKind::Request, message)
    }

    fn new(path: &Path, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), kind, message: message.into(), source: None }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file it is about.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong, without the file's name.
    pub fn message(&self) -> &str {
        &self.message
    }
}
