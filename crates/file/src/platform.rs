//! The only place where operating systems differ.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::Duration;
use std::time::SystemTime;

/// Reads at most `buf.len()` bytes at `offset` without moving a shared file position.
#[cfg(unix)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

/// Reads at most `buf.len()` bytes at `offset`. Windows moves the file position, which nothing here
/// relies on, and takes offset and length in one call, so that threads do not disturb each other.
#[cfg(windows)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

#[cfg(unix)]
fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, buf, offset)
}

#[cfg(windows)]
fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, buf, offset)
}

/// Fills `buf` from `offset`; several threads may read one handle.
///
/// # Errors
/// `UnexpectedEof` when the file ends first, else what the operating system says.
pub(crate) fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match read_at(file, buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buf = &mut buf[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Writes all of `buf` at `offset`; several threads may write one handle.
///
/// # Errors
/// What the operating system says, a full disk among it.
pub(crate) fn write_all_at(file: &File, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match write_at(file, buf, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                buf = &buf[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Makes a rename in `folder` durable.
///
/// # Errors
/// What the operating system says; file systems that cannot sync a folder are forgiven.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network and FUSE file systems know no such thing; the data are synced already.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        other => other,
    }
}

/// Windows has no way to sync a folder; the rename is journalled by the file system.
#[cfg(windows)]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes an opening refuse a path whose last part is a symbolic link.
#[cfg(unix)]
pub(crate) fn follow_no_link(options: &mut std::fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    // A pipe in the place of a file must not keep us waiting either.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits() as i32);
}

/// Windows opens the link itself, which then is no ordinary file.
#[cfg(windows)]
pub(crate) fn follow_no_link(options: &mut std::fs::OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
}

/// A file without a name in `folder`, which goes with the process unless it is given one; `None`
/// where the system or the file system has no such thing.
#[cfg(target_os = "linux")]
pub(crate) fn nameless_in(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    // The rights of any new file; the umask is taken off by the system.
    let file = File::from(rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)).ok()?);
    own_path(&file).exists().then_some(file)
}

/// Other systems have no files without a name that can be given one.
#[cfg(not(target_os = "linux"))]
pub(crate) fn nameless_in(_folder: &Path) -> Option<File> {
    None
}

/// Where the system shows an open file without a name.
#[cfg(target_os = "linux")]
fn own_path(file: &File) -> std::path::PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Gives a file of [`nameless_in`] the name `path`, which must be free.
///
/// # Errors
/// `AlreadyExists` where it is not, else what the operating system says.
#[cfg(target_os = "linux")]
pub(crate) fn give_name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, own_path(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// Never asked where there are no such files.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_name(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets a temporary file be made with the rights of any new file: by itself it would be private,
/// and a product would stay so.
#[cfg(unix)]
pub(crate) fn ordinary_rights(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    // The umask is taken off by the system.
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

/// Windows inherits the rights of the folder.
#[cfg(windows)]
pub(crate) fn ordinary_rights(_builder: &mut tempfile::Builder<'_, '_>) {}

/// Whether `folder` lies on a disk of this machine, where all processes see the same memory; where
/// that cannot be told, it does not.
///
/// # Source
/// LinuxMagic, the numbers of file systems.
#[cfg(target_os = "linux")]
pub fn is_local_folder(folder: &Path) -> bool {
    /// ext2 to ext4, XFS, btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs, NTFS, exFAT, FAT, eCryptfs.
    const LOCAL: [u32; 12] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x794c_7630,
        0x2fc1_2fc1,
        0xf2f5_2010,
        0xca45_1a4e,
        0x7366_746e,
        0x2011_bab0,
        0x4d44,
        0xf15f,
    ];
    // The type is as wide as the machine's words; the numbers have 32 bits.
    rustix::fs::statfs(folder).is_ok_and(|s| LOCAL.contains(&(s.f_type as u32)))
}

/// Whether `folder` lies on a disk of this machine, as the system's own flag tells.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub fn is_local_folder(folder: &Path) -> bool {
    /// MNT_LOCAL of sys/mount.h.
    const LOCAL: u64 = 0x1000;
    rustix::fs::statfs(folder).is_ok_and(|s| u64::from(s.f_flags) & LOCAL != 0)
}

/// Other systems are not asked, so nothing is taken to be local.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))))]
pub fn is_local_folder(_folder: &Path) -> bool {
    false
}

/// Windows names shares in whole paths by their server, drive letters of shares too.
#[cfg(windows)]
pub fn is_local_folder(folder: &Path) -> bool {
    use std::path::{Component, Prefix};
    let Ok(whole) = folder.canonicalize() else { return false };
    let first = whole.components().next();
    matches!(first, Some(Component::Prefix(p)) if matches!(p.kind(), Prefix::VerbatimDisk(_) | Prefix::Disk(_)))
}

/// What the file system of this machine's own disk notes of a file and lets no program choose: device and
/// number, length, and when content and entry last changed, in nanoseconds. Two looks that agree found the
/// same bytes. `None` where there is no such thing, and where it is `now` within seconds of a change,
/// behind which another one could hide.
#[cfg(unix)]
pub fn settled_stamp(path: &Path, now: SystemTime) -> Option<[u64; 5]> {
    use std::os::unix::fs::MetadataExt;
    let path = path.canonicalize().ok()?;
    let meta = std::fs::metadata(&path).ok()?;
    let since_1970 =
        |s: i64, ns: i64| Some(Duration::new(u64::try_from(s).ok()?, u32::try_from(ns).ok()?));
    let modified = since_1970(meta.mtime(), meta.mtime_nsec())?;
    let changed = since_1970(meta.ctime(), meta.ctime_nsec())?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let settled = now.checked_sub(modified.max(changed))? > SETTLING;
    if !settled || !is_local_folder(path.parent()?) {
        return None;
    }
    let ns = |t: Duration| u64::try_from(t.as_nanos()).ok();
    Some([meta.dev(), meta.ino(), meta.len(), ns(modified)?, ns(changed)?])
}

/// Times of the coarsest file systems are even seconds.
#[cfg(unix)]
const SETTLING: Duration = Duration::from_secs(3);

/// The times that Windows tells are those that programs set.
#[cfg(windows)]
pub fn settled_stamp(_path: &Path, _now: SystemTime) -> Option<[u64; 5]> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_disk_of_this_machine_is_not_local() {
        assert!(!is_local_folder(Path::new("/proc")));
        assert!(!is_local_folder(Path::new("/nowhere/at/all")));
    }

    #[test]
    fn a_change_is_stamped_whatever_date_a_program_gives_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("light.fits");
        let write = |bytes: &[u8]| {
            crate::atomic::write_bytes(&path, bytes, crate::atomic::Existing::Replace).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        };
        write(b"one");
        // A name in the folder changes with the file.
        let first = std::fs::metadata(dir.path()).unwrap().modified().unwrap();
        assert_eq!(settled_stamp(&path, first), None, "a file just written");
        let later = first + SETTLING + Duration::from_secs(60);
        let stamp = settled_stamp(&path, later);
        // A folder that is no disk of this machine has no stamps at all.
        if is_local_folder(dir.path()) {
            assert!(stamp.is_some() && settled_stamp(&path, later) == stamp);
            write(b"two");
            assert_ne!(settled_stamp(&path, later), stamp);
        }
        assert_eq!(settled_stamp(&dir.path().join("none.fits"), later), None);
    }
}
