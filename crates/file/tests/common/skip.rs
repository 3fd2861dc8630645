//! Tests that skip say so where people and `.ci/run` see it.

use std::fmt::Display;
use std::io::Write;
use std::panic::Location;

/// Says that the running test, or a part of it, is skipped because `need` is not here.
///
/// The line goes to the process's own standard error, past the harness, which shows nothing that a
/// passing test prints; and to the end of the file that `PHOTOSITE_SKIPPED` names, if it does.
///
/// # Panics
///
/// If `PHOTOSITE_REQUIRE` is `all` or names `need` (names are separated by commas): the test fails.
#[track_caller]
#[allow(clippy::disallowed_methods)] // Tests may ask the environment.
pub fn skip(need: &str, why: impl Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // The whole path, as dependents include this file by paths with dots in them.
    let at = Location::caller();
    let required = std::env::var("PHOTOSITE_REQUIRE").unwrap_or_default();
    if required.split(',').map(str::trim).any(|r| r == need || r == "all") {
        panic!("{test} would be skipped, but PHOTOSITE_REQUIRE={required}: {why}");
    }
    let line = format!("SKIPPED [{need}] {test} ({at}): {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("PHOTOSITE_SKIPPED") {
        // One write at the end of the file: test programs may run side by side.
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut f| f.write_all(line.as_bytes())).unwrap();
    }
}
