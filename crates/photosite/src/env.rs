//! The machine: its clock, its cores, its memory, its limits.
//!
//! ```
//! use photosite::env::{Stopwatch, default_memory_bytes, default_threads, open_file_limit};
//!
//! let watch = Stopwatch::start();
//! assert!(default_threads() >= 1 && open_file_limit() >= 16);
//! // A quarter of what is free.
//! assert!(default_memory_bytes() > 1 << 20);
//! assert!(watch.seconds() < 60.0);
//! ```
#![allow(clippy::disallowed_methods, reason = "this is the one place that meets them")]

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

/// The time of day, for the question whether a file was changed a moment ago; no result depends on it.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// A stopwatch, for the report of a run; no result depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// The time of day in UTC, to the second, for logs; no product holds it.
pub fn now_utc() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How many threads to use when nobody says: one a core.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The folder for files that nobody keeps.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// The folder of the library that PHOTOSITE_LIBRARY names.
pub fn named_library() -> Option<PathBuf> {
    std::env::var_os("PHOTOSITE_LIBRARY").filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The folder of the library when nobody names one: PHOTOSITE_LIBRARY, or `photosite` in the user's
/// folder of data; `None` where the system knows of no such folder.
///
/// # Source
/// XDG08; on macOS and Windows the folders that their vendors name.
pub fn library_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(named) = named_library() {
        return Some(named);
    }
    let home = || std::env::home_dir().filter(|h| h.is_absolute());
    let data = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|h| h.join("Library/Application Support"))
    } else {
        let named = folder("XDG_DATA_HOME").filter(|d| d.is_absolute());
        named.or_else(|| home().map(|h| h.join(".local/share")))
    };
    data.map(|d| d.join("photosite"))
}

/// The folder of a user's settings for this program; `None` where the system knows of no such folder.
///
/// # Source
/// XDG08; on macOS and Windows the folders that their vendors name.
pub fn config_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || std::env::home_dir().filter(|h| h.is_absolute());
    let settings = if cfg!(windows) {
        folder("APPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|h| h.join("Library/Application Support"))
    } else {
        let named = folder("XDG_CONFIG_HOME").filter(|d| d.is_absolute());
        named.or_else(|| home().map(|h| h.join(".config")))
    };
    settings.map(|d| d.join("photosite"))
}

/// How much memory to use when nobody says: a quarter of what is free, in bytes.
pub fn default_memory_bytes() -> u64 {
    let free = sysinfo::System::new().ok().and_then(|mut system| {
        system.refresh_memory();
        Some(system.available_memory()).filter(|n| *n > 0)
    });
    // A system that does not say is taken to have 4 GiB free.
    free.unwrap_or(4 << 30) / 4
}

/// Descriptors that are left to the rest of the program: terminal, libraries, products, locks.
const OTHER_FILES: u64 = 48;

/// How many frames may be open at once; the soft limit is raised to the hard one first.
pub fn open_file_limit() -> usize {
    // Windows has no such limit worth knowing; the crate says what its C library allows.
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(256);
    usize::try_from(limit.saturating_sub(OTHER_FILES).clamp(16, 1 << 20)).unwrap_or(16)
}
