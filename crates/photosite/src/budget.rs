//! How much of a stack is in memory at once: pure arithmetic, decided before anything is read.
//!
//! ```
//! use photosite::budget::{Need, budget};
//! use photosite_pix::Size;
//!
//! // 200 frames of 16 megapixels in half a gibibyte, on two threads.
//! let need = Need {
//!     frames: 200,
//!     size: Size::new(4656, 3520),
//!     planes: 1,
//!     coverage: false,
//!     guides: 0,
//!     packed: 0,
//!     maps: false,
//!     least_rows: 1,
//!     worker_bytes: 0,
//!     threads: 2,
//!     memory_bytes: 512 << 20,
//!     open_files: 1000,
//! };
//! let plan = budget(need).unwrap();
//! assert_eq!((plan.workers, plan.columns, plan.keep_open), (2, 4656, true));
//! assert!(plan.memory_bytes <= 512 << 20);
//! // Not even the result fits into 100 MiB.
//! assert!(budget(Need { memory_bytes: 100 << 20, ..need }).is_err());
//! ```

use photosite_pix::Size;
use serde::Serialize;

/// Bytes a pixel of the result: value, variance, mask.
const RESULT_BYTES: u64 = 4 + 4 + 2;

/// Bytes a pixel of the counts of kept and rejected samples, where they are wanted.
const MAP_BYTES: u64 = 2 + 2 + 2;

/// What is set aside for the process whatever it does: code, headers, tables, the writer's buffers.
pub const FIXED_BYTES: u64 = 24 << 20;

/// Bytes of samples a worker likes to have: they stay in its core's cache between being read and
/// being combined. 2 MiB is the second-level cache of current server cores.
const CACHE_BYTES: u64 = 2 << 20;

/// Pixels that averaged sigma clipping takes one scale from (`pix::reject`).
const POOL: u64 = 256;

/// Smaller reads are not worth the calls: 200 frames stack as fast with 8 KiB as with 32 KiB a read,
/// and stay in cache.
const SMALL_READ_BYTES: u64 = 8 << 10;

/// Bytes a pixel of a tile while its stars are looked for: their picture, its lows and highs along
/// rows, its ranges.
const RELIEF_BYTES: u64 = 4 * 4;

/// What is to be stacked, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Frames.
    pub frames: usize,
    /// The size of each.
    pub size: Size,
    /// Planes of that size: 1, or 3 for red, green and blue.
    pub planes: usize,
    /// Each sample has a weight of its own.
    pub coverage: bool,
    /// How many of them are read around each tile besides, to show its stars.
    pub guides: usize,
    /// How many of them are packed (gzip, tile compression) and must be unpacked to disk once.
    pub packed: usize,
    /// Counts of rejected samples are kept for each pixel.
    pub maps: bool,
    /// Rows that a tile should have where memory allows: a warp reads rows beyond each tile.
    pub least_rows: usize,
    /// What each worker holds besides, in bytes.
    pub worker_bytes: u64,
    /// Threads at hand.
    pub threads: usize,
    /// Memory allowed, in bytes.
    pub memory_bytes: u64,
    /// Files that may be open at once.
    pub open_files: usize,
}

/// How it will be stacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Budget {
    /// Workers, each with a tile of its own in flight.
    pub workers: usize,
    /// Columns of a tile; less than the frame's only where one row of all frames is too much.
    pub columns: usize,
    /// Rows of a tile.
    pub rows: usize,
    /// True when all frames stay open; otherwise each is opened again for every tile.
    pub keep_open: bool,
    /// Bytes on disk for unpacked frames while the work lasts.
    pub scratch_bytes: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
}

/// The memory allowed is less than the work can be done in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLittle {
    /// What would do, in bytes.
    pub needed_bytes: u64,
}

/// Bytes that a worker takes for each pixel of its tile: one sample a frame, the raw bytes of the
/// frame being read, and the combined planes.
fn tile_bytes_a_pixel(frames: usize) -> u64 {
    let kernel = 4 * frames as u64;
    let outcome = 4 + 4 + 3 * 2;
    4 * frames as u64 + kernel.min(4096) + outcome + 8
}

/// Decides how to stack.
///
/// Tiles are as small as keeps them in cache and reading efficient, and never larger than memory
/// allows; where files cannot all stay open they are as large as memory allows, so that each is
/// opened as seldom as can be.
///
/// # Errors
/// When not even 256 pixels of all frames fit beside the result.
pub fn budget(need: Need) -> Result<Budget, TooLittle> {
    let planes = need.planes.max(1) as u64;
    let a_result = planes * (RESULT_BYTES + if need.maps { MAP_BYTES } else { 0 });
    let result = need.size.pixels() as u64 * a_result + FIXED_BYTES;
    let own_weights = if need.coverage { 4 * need.frames as u64 } else { 0 };
    let around = 4 * need.guides as u64 * if need.coverage { 2 } else { 1 };
    let relief = if need.guides > 0 { RELIEF_BYTES } else { 0 };
    let a_pixel = planes * (tile_bytes_a_pixel(need.frames) + own_weights + around) + relief;
    let width = need.size.width as u64;
    let left = need.memory_bytes.saturating_sub(result);
    // Rows that a worker may hold, for as many workers as get a whole row.
    let whole_rows = |workers: u64| {
        (left / workers).saturating_sub(need.worker_bytes) / (a_pixel * width).max(1)
    };
    let mut workers = (need.threads as u64).clamp(1, need.size.height.max(1) as u64);
    while workers > 1 && whole_rows(workers) == 0 {
        workers -= 1;
    }
    let keep_open = need.frames <= need.open_files;
    let affordable = whole_rows(workers);
    let (columns, rows) = if affordable == 0 {
        // One row of all frames is too much: parts of a row, read again for each part. Whole pools,
        // so that a pooled scale does not depend on the budget.
        (left.saturating_sub(need.worker_bytes) / a_pixel.max(1) / POOL * POOL, 1)
    } else {
        let cached = CACHE_BYTES / (4 * planes * need.frames.max(1) as u64 * width).max(1);
        let readable = SMALL_READ_BYTES.div_ceil((2 * width).max(1));
        let fair = (need.size.height as u64).div_ceil(workers);
        let wanted = match keep_open {
            true => cached.max(readable).max(need.least_rows as u64),
            false => u64::MAX,
        };
        (width, wanted.min(affordable).min(fair).max(1))
    };
    if columns == 0 {
        // What a whole row takes is a number that is sure to do.
        let needed_bytes = result + need.worker_bytes + a_pixel * width.max(POOL);
        return Err(TooLittle { needed_bytes });
    }
    let columns = columns.min(width);
    Ok(Budget {
        workers: workers as usize,
        columns: columns as usize,
        rows: rows as usize,
        keep_open,
        scratch_bytes: need.packed as u64 * need.size.pixels() as u64 * 4,
        memory_bytes: result + workers * (need.worker_bytes + columns * rows * a_pixel),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need() -> Need {
        Need {
            frames: 20,
            size: Size::new(4656, 3520),
            planes: 1,
            coverage: false,
            guides: 0,
            packed: 0,
            maps: false,
            least_rows: 1,
            worker_bytes: 0,
            threads: 2,
            memory_bytes: 512 << 20,
            open_files: 1000,
        }
    }

    #[test]
    fn the_forecast_stays_within_what_is_allowed() {
        for frames in [1, 3, 20, 200, 5_000, 20_000] {
            for threads in [1, 2, 16, 64] {
                for memory_mib in [200u64, 256, 512, 4096] {
                    for size in [Size::new(256, 256), Size::new(4656, 3520)] {
                        let memory_bytes = memory_mib << 20;
                        let need = Need { frames, threads, memory_bytes, size, ..need() };
                        match budget(need) {
                            Ok(b) => {
                                assert!(b.memory_bytes <= memory_bytes, "{need:?} {b:?}");
                                assert!(b.rows >= 1 && b.columns >= 1 && b.workers >= 1);
                                assert!(b.rows <= size.height && b.columns <= size.width);
                            }
                            Err(t) => assert!(t.needed_bytes > memory_bytes),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn two_hundred_large_frames_fit_in_half_a_gibibyte() {
        let b = budget(Need { frames: 200, ..need() }).unwrap();
        assert_eq!((b.workers, b.columns, b.keep_open), (2, 4656, true));
    }

    #[test]
    fn few_files_open_means_large_tiles() {
        let small = Need { frames: 5_000, size: Size::new(256, 256), open_files: 200, ..need() };
        let b = budget(Need { memory_bytes: 8 << 30, ..small }).unwrap();
        assert!(!b.keep_open);
        assert_eq!(b.rows, 128);
    }

    #[test]
    fn a_row_of_all_frames_may_be_too_much() {
        let b = budget(Need { frames: 100_000, memory_bytes: 300 << 20, ..need() }).unwrap();
        assert!(b.columns < 4656 && b.rows == 1 && b.workers == 1);
    }

    #[test]
    fn too_little_says_what_would_do() {
        let err = budget(Need { memory_bytes: 100 << 20, ..need() }).unwrap_err();
        assert!(budget(Need { memory_bytes: err.needed_bytes, ..need() }).is_ok());
    }
}
