//! The verbs, one file each.

pub mod calibrate;
pub mod colour;
pub mod convert;
pub mod dark_model;
pub mod defects;
pub mod demo;
pub mod diagnose;
pub mod explain;
pub mod extras;
pub mod inspect;
pub mod library;
pub mod master;
pub mod matching;
pub mod pixels;
pub mod plan;
pub mod preview;
pub mod register;
pub mod report;
pub mod run;
pub mod sensor;
pub mod simulate;
pub mod stack;
pub mod stars;
pub mod stats;
pub mod verify;

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use crate::args::FilesArgs;
use crate::{Done, resolve, show};

/// A path as it is shown: without the working directory.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Does `look` for each file; one that fails is reported and the others go on.
fn each(
    kind: &str,
    args: &FilesArgs,
    look: impl Fn(&Path) -> photosite::Result<serde_json::Result<Value>>,
    tell: impl Fn(&Value),
) -> anyhow::Result<Done> {
    let mut values = Vec::new();
    let mut failures = 0;
    let files = resolve::files(&args.files, None, None)?;
    for path in &files {
        match look(path) {
            Ok(value) => {
                let value = value?;
                if !args.json {
                    tell(&value);
                }
                values.push(value);
            }
            Err(e) => {
                failures += 1;
                values.push(failed(path, &e));
                show::error(&e.into());
            }
        }
    }
    if args.json {
        show::json(kind, &values)?;
    }
    match failures {
        0 => Ok(Done::Well),
        n if n == files.len() && n > 1 => bail!("none of {n} files could be read"),
        1 if files.len() == 1 => std::process::exit(2),
        _ => Ok(Done::WithFindings),
    }
}

/// Does `make` for each file and its target; one that fails is reported, and the others go on.
fn each_target<T>(
    targets: Vec<(PathBuf, PathBuf)>,
    mut make: impl FnMut(&Path, &Path) -> anyhow::Result<T>,
) -> anyhow::Result<(Vec<T>, Done)> {
    let count = targets.len();
    let (mut made, mut failures) = (Vec::new(), Vec::new());
    for (file, target) in targets {
        match make(&file, &target) {
            Ok(one) => made.push(one),
            Err(e) if stopped(&e) => return Err(e),
            Err(e) => failures.push(e),
        }
    }
    match (failures.len(), count) {
        (0, _) => Ok((made, Done::Well)),
        (1, 1) => Err(failures.remove(0)),
        (n, count) => {
            failures.iter().for_each(show::error);
            if n == count {
                bail!("none of {count} files could be used");
            }
            Ok((made, Done::WithFindings))
        }
    }
}

/// Whether the work was stopped: then nothing more is begun.
fn stopped(e: &anyhow::Error) -> bool {
    e.downcast_ref::<photosite::Error>()
        .is_some_and(|e| e.kind() == photosite::ErrorKind::Cancelled)
}

/// A file that could not be read.
#[derive(Debug, Serialize)]
struct Failed {
    path: String,
    error: String,
}

/// What is printed of a file that could not be read.
fn failed(path: &Path, error: &photosite::Error) -> Value {
    serde_json::to_value(Failed { path: shown(path), error: error.to_string() })
        .unwrap_or(Value::Null)
}
