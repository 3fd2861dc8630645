//! Running the command and looking at what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::common::skip::skip;

/// The command, with nothing of the environment that changes what it prints, and a library of its
/// own that no other command has seen.
pub fn photosite() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_photosite"));
    command.env("PHOTOSITE_LIBRARY", fresh_library());
    for settings in ["XDG_CONFIG_HOME", "APPDATA"] {
        command.env(settings, env!("CARGO_TARGET_TMPDIR"));
    }
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

/// A folder that is not there yet, below one that each run of the tests empties first.
pub fn fresh_library() -> PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let root = ROOT.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libraries");
        let _ = std::fs::remove_dir_all(&root);
        root
    });
    root.join(COUNT.fetch_add(1, Ordering::Relaxed).to_string())
}

/// Runs the command to its end.
pub fn run(args: &[&str]) -> Output {
    photosite().args(args).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs the command, which must end with `status`.
pub fn expect(status: i32, args: &[&str]) -> Output {
    let output = run(args);
    let (out, err) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(status), "{args:?}\n{out}\n{err}");
    assert!(!err.contains("panicked"), "{err}");
    output
}

/// Runs the command, which must fail with a message that holds these words.
pub fn refused(args: &[&str], words: &[&str]) {
    let message = stderr(&expect(2, args));
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

/// What the command printed, as JSON.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)))
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file below `folder`, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The visible files below `folder`: what a person sees.
pub fn visible(folder: &Path) -> Vec<PathBuf> {
    let hidden = |p: &PathBuf| {
        let below = p.strip_prefix(folder).unwrap();
        below.iter().any(|part| part.to_string_lossy().starts_with('.'))
    };
    files(folder).into_iter().filter(|p| !hidden(p)).collect()
}

/// Simulates a small night into `folder`.
pub fn simulate(folder: &Path, more: &[&str]) {
    let mut args = vec!["simulate", "-o", text(folder)];
    let usual = [
        ("--width", "96"),
        ("--height", "64"),
        ("--bias", "4"),
        ("--darks", "4"),
        ("--flats", "4"),
        ("--dark-flats", "4"),
        ("--lights", "3"),
    ];
    for (name, value) in usual {
        if !more.contains(&name) {
            args.extend([name, value]);
        }
    }
    args.extend(more);
    expect(0, &args);
}

/// Writes a file that a test needs.
#[allow(clippy::disallowed_methods, reason = "not a product")]
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Cuts a file in half.
pub fn cut(path: &Path) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
}

/// Whether Python has what `modules` imports; tells of a skip where it has not.
pub fn python_has(peer: &str, modules: &str) -> bool {
    let found = Command::new("python3").args(["-c", modules]).output();
    let has = found.is_ok_and(|o| o.status.success());
    if !has {
        skip(peer, format!("one of these is not here: {modules}"));
    }
    has
}
