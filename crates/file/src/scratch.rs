//! Unpacked frames on disk while work lasts.
//!
//! A packed frame gives its samples only whole, so a stack that reads strips would unpack it again
//! for each. It is unpacked once, into one nameless file that the system removes by itself when
//! the work ends, however it ends.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use photosite_pix::Size;

use crate::atomic::write_error;
use crate::source::check_rows;
use crate::{Access, Error, Result, Source, platform};

/// One file for any number of unpacked frames.
#[derive(Debug)]
pub struct Scratch {
    file: Arc<File>,
    folder: PathBuf,
    end: AtomicU64,
}

impl Scratch {
    /// A nameless file in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn create_in(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::io(folder, "making the folder for unpacked frames", e))?;
        let file = tempfile::tempfile_in(folder)
            .map_err(|e| Error::io(folder, "making a file for unpacked frames", e))?;
        Ok(Self { file: Arc::new(file), folder: folder.to_owned(), end: AtomicU64::new(0) })
    }

    /// Unpacks every plane of `source`, a strip at a time; several threads may do so at once.
    ///
    /// # Errors
    /// When the source cannot be read, or the disk is full: the error names the folder.
    pub fn add(&self, source: &dyn Source) -> Result<ScratchSource> {
        let (size, planes) = (source.size(), source.planes());
        let bytes = size.pixels() as u64 * planes as u64 * 4;
        let offset = self.end.fetch_add(bytes, Ordering::Relaxed);
        let rows = ((1 << 20) / size.width.max(1)).clamp(1, size.height.max(1));
        let mut samples = vec![0.0f32; rows * size.width];
        let mut raw = Vec::new();
        let mut at = offset;
        let strips = (0..size.height).step_by(rows);
        for (plane, y0) in (0..planes).flat_map(|p| strips.clone().map(move |y0| (p, y0))) {
            let y1 = (y0 + rows).min(size.height);
            let part = &mut samples[..(y1 - y0) * size.width];
            source.read_rows(plane, y0..y1, &mut raw, part)?;
            let packed: Vec<u8> = part.iter().flat_map(|v| v.to_le_bytes()).collect();
            platform::write_all_at(&self.file, &packed, at)
                .map_err(|e| write_error(&self.folder, "writing unpacked frames", e))?;
            at += packed.len() as u64;
        }
        Ok(ScratchSource {
            file: self.file.clone(),
            folder: self.folder.clone(),
            offset,
            size,
            planes,
        })
    }
}

/// An unpacked frame.
#[derive(Debug)]
pub struct ScratchSource {
    file: Arc<File>,
    folder: PathBuf,
    offset: u64,
    size: Size,
    planes: usize,
}

impl Source for ScratchSource {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> Access {
        Access::Rows
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        let width = self.size.width;
        check_rows(&self.folder, (self.size, self.planes), plane, &rows, out.len())?;
        scratch.resize(out.len() * 4, 0);
        let first = plane as u64 * self.size.pixels() as u64 + (rows.start * width) as u64;
        let at = self.offset + 4 * first;
        platform::read_exact_at(&self.file, scratch, at)
            .map_err(|e| Error::io(&self.folder, "reading unpacked frames", e))?;
        for (v, b) in out.iter_mut().zip(scratch.chunks_exact(4)) {
            *v = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source whose sample at (x, y) is x + 100 y.
    struct Ramp(Size);

    impl Source for Ramp {
        fn size(&self) -> Size {
            self.0
        }
        fn planes(&self) -> usize {
            1
        }
        fn access(&self) -> Access {
            Access::Whole
        }
        fn read_rows(
            &self,
            _: usize,
            rows: Range<usize>,
            _: &mut Vec<u8>,
            out: &mut [f32],
        ) -> Result<()> {
            for (row, y) in out.chunks_exact_mut(self.0.width).zip(rows) {
                row.iter_mut().enumerate().for_each(|(x, v)| *v = (x + 100 * y) as f32);
            }
            Ok(())
        }
    }

    #[test]
    fn unpacked_frames_read_back_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create_in(folder.path()).unwrap();
        let a = scratch.add(&Ramp(Size::new(7, 5))).unwrap();
        let b = scratch.add(&Ramp(Size::new(3, 4))).unwrap();
        let mut out = vec![0.0; 14];
        a.read_rows(0, 1..3, &mut Vec::new(), &mut out).unwrap();
        assert_eq!((out[0], out[13]), (100.0, 206.0));
        let mut out = vec![0.0; 12];
        b.read_rows(0, 0..4, &mut Vec::new(), &mut out).unwrap();
        assert_eq!(out[11], 302.0);
        assert!(b.read_rows(0, 0..5, &mut Vec::new(), &mut out).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
