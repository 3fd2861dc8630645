//! A test that skips is heard past the harness, is listed, and fails where nothing may be skipped.

#[path = "common/skip.rs"]
mod skip;

use std::path::Path;
use std::process::{Command, Output};

/// What is run below, as a program of its own; by itself it would count as a skipped test.
#[test]
#[ignore = "run by the other tests here"]
fn one_that_lacks_something() {
    skip::skip("a-thing", "there is no such thing");
}

/// Runs the test above with everything printed kept by the harness, as `cargo test` has it.
fn run(require: Option<&str>, list: Option<&Path>, threads: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "one_that_lacks_something", "--ignored", "--test-threads", threads]);
    command.env_remove("PHOTOSITE_REQUIRE").env_remove("PHOTOSITE_SKIPPED");
    command.envs(require.map(|r| ("PHOTOSITE_REQUIRE", r)));
    command.envs(list.map(|l| ("PHOTOSITE_SKIPPED", l)));
    command.output().unwrap()
}

#[test]
fn a_skip_is_heard_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("skipped.txt");
    for (require, list, threads) in
        [(None, None, "2"), (Some("data, astropy"), Some(&*list), "2"), (None, Some(&*list), "1")]
    {
        let output = run(require, list, threads);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(said.starts_with("SKIPPED [a-thing] "), "{said}");
        assert!(said.trim_end().ends_with("there is no such thing"), "{said}");
        assert!(said.contains("skipping.rs:"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let listed = std::fs::read_to_string(&list).unwrap();
    assert_eq!(listed.lines().filter(|l| l.starts_with("SKIPPED [a-thing] ")).count(), 2);
}

#[test]
fn what_is_required_is_not_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("skipped.txt");
    for require in ["all", "a-thing", "data, a-thing", "a-thing,data"] {
        let output = run(Some(require), Some(&list), "2");
        assert_eq!(output.status.code(), Some(101), "{require}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("there is no such thing"), "{require}: {said}");
    }
    assert!(!list.exists());
}
