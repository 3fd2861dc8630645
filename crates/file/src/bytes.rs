//! The bytes of a file, on disk or decoded into memory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Result, platform};

/// Bytes read and decoded at a time: small enough to stay in the second-level cache between the
/// two, large enough that system calls do not count (measured: flat from 128 KiB to 512 KiB).
const CHUNK: usize = 256 * 1024;

#[derive(Clone)]
enum Store {
    File(Arc<File>),
    Memory(Arc<Vec<u8>>),
}

/// One file's bytes, readable by several threads at once; a clone is another handle on them.
#[derive(Clone)]
pub(crate) struct Bytes {
    path: PathBuf,
    len: u64,
    store: Store,
}

impl Bytes {
    /// Opens the file at `path`, which must be an ordinary file with something in it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
        let meta = file.metadata().map_err(|e| Error::io(path, "asking for the size", e))?;
        if meta.is_dir() {
            return Err(Error::request(path, "is a folder; an image file was expected"));
        }
        if meta.len() == 0 {
            return Err(Error::damaged(path, "the file is empty (0 bytes)"));
        }
        Ok(Self { path: path.to_owned(), len: meta.len(), store: Store::File(Arc::new(file)) })
    }

    /// Bytes that were decoded from `path`.
    pub(crate) fn memory(path: &Path, bytes: Vec<u8>) -> Self {
        Self::shared(path, Arc::new(bytes))
    }

    /// Bytes that were read from `path` and are used elsewhere as well.
    pub(crate) fn shared(path: &Path, bytes: Arc<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), len: bytes.len() as u64, store: Store::Memory(bytes) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Bytes `offset..offset + len`, where they are in memory already.
    pub(crate) fn slice(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let Store::Memory(bytes) = &self.store else { return None };
        let start = usize::try_from(offset).ok()?;
        bytes.get(start..start.checked_add(len)?)
    }

    /// Fills `buf` from `offset`.
    pub(crate) fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match &self.store {
            Store::File(file) => platform::read_exact_at(file, buf, offset).map_err(|e| {
                if e.kind() == std::io::ErrorKind::UnexpectedEof {
                    let end = offset + buf.len() as u64;
                    self.short(end)
                } else {
                    Error::io(&self.path, "reading", e)
                }
            }),
            Store::Memory(_) => {
                let bytes = self
                    .slice(offset, buf.len())
                    .ok_or_else(|| self.short(offset.saturating_add(buf.len() as u64)))?;
                buf.copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Decodes the samples from `offset` on, `step` bytes each, part by part while each is in cache;
    /// `scratch` holds raw bytes between calls.
    pub(crate) fn decode<T>(
        &self,
        mut offset: u64,
        step: usize,
        scratch: &mut Vec<u8>,
        out: &mut [T],
        decode: impl Fn(&[u8], &mut [T]),
    ) -> Result<()> {
        for part in out.chunks_mut((CHUNK / step).max(1)) {
            let len = part.len() * step;
            if let Some(raw) = self.slice(offset, len) {
                decode(raw, part);
            } else {
                if scratch.len() < len {
                    scratch.resize(len, 0);
                }
                self.read_exact_at(offset, &mut scratch[..len])?;
                decode(&scratch[..len], part);
            }
            offset += len as u64;
        }
        Ok(())
    }

    fn short(&self, end: u64) -> Error {
        let message = format!(
            "the file is truncated: bytes up to {end} are needed; it had {} when it was opened",
            self.len
        );
        Error::damaged(&self.path, message)
    }
}
