//! What a product was made of, from its own header, as far back as its inputs are found.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::beside::{Beside, folders_beside};
use crate::Result;
use crate::open::probe;
use crate::provenance::{self, ContentHash, Input, key_of};

/// What a product says of its making.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Lineage {
    /// The product.
    pub path: PathBuf,
    /// What it is: `master dark`, `stacked light`.
    pub product: String,
    /// The program that made it, and its version.
    pub software: String,
    /// The version of its arithmetic.
    pub algorithm_version: u32,
    /// Same key, same bytes.
    pub key: String,
    /// What was done, in sentences.
    pub steps: Vec<String>,
    /// What was chosen.
    pub parameters: Value,
    /// What it was made of.
    pub inputs: Vec<LineageInput>,
}

/// One input of a product.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LineageInput {
    /// What it was used as, what it was called, what it holds.
    #[serde(flatten)]
    pub input: Input,
    /// Where it lies; `None` where it is not found beside the product.
    pub found: Option<PathBuf>,
    /// What it was made of, where it is a product itself and found.
    pub made_of: Option<Box<Lineage>>,
}

/// How far back products are followed: a light's flat's dark flat is the third.
const DEEPEST: usize = 4;

/// Reads what a product says of its making, and what its inputs say where they are found.
///
/// # Errors
/// When it is no product, or says what does not give its key.
pub fn lineage(path: &Path) -> Result<Lineage> {
    lineage_by(path, &mut Beside::default())
}

/// The same of one of several products, with the inputs of the others known.
pub(super) fn lineage_by(path: &Path, beside: &mut Beside) -> Result<Lineage> {
    back(path, DEEPEST, beside)
}

fn back(path: &Path, deeper: usize, beside: &mut Beside) -> Result<Lineage> {
    let told = provenance::told(path)?;
    let key = told.key();
    let product = told.product.clone();
    let mut inputs: Vec<(Input, Option<PathBuf>)> = told
        .inputs
        .into_iter()
        .map(|input| {
            let made = ["defect map", "dark model"].contains(&input.role.as_str());
            let is_product = made || input.role.starts_with("master");
            let at = if is_product { beside.find(path, &input) } else { None };
            (input, at)
        })
        .collect();
    inputs.extend(masters_by_key(path, &told.parameters));
    let inputs = inputs
        .into_iter()
        .map(|(input, found)| {
            let made_of = found
                .as_deref()
                .filter(|_| deeper > 1)
                .and_then(|f| back(f, deeper - 1, beside).ok());
            LineageInput { input, found, made_of: made_of.map(Box::new) }
        })
        .collect();
    Ok(Lineage {
        path: path.to_owned(),
        steps: steps(path, &format!("{}: {product}", told.software))?,
        product,
        software: told.software.into_owned(),
        algorithm_version: told.algorithm_version,
        key,
        parameters: told.parameters,
        inputs,
    })
}

/// What a header's history says was done, without its title and the names of inputs.
fn steps(path: &Path, title: &str) -> Result<Vec<String>> {
    let mut steps = photosite_file::probe(path)?.header.history_texts();
    // What was there before Photosite is the raw frame's.
    if let Some(at) = steps.iter().rposition(|s| s == title) {
        steps.drain(..=at);
    }
    steps.retain(|s| !s.starts_with("input ") && !s.is_empty());
    Ok(steps)
}

/// Masters of the lights of a stack, which names them by their keys.
fn masters_by_key(path: &Path, parameters: &Value) -> Vec<(Input, Option<PathBuf>)> {
    let keys = parameters.get("masters").and_then(Value::as_array);
    let keys: Vec<&str> = keys.into_iter().flatten().filter_map(Value::as_str).collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<(Input, Option<PathBuf>)> = Vec::new();
    for dir in folders_beside(path) {
        let Ok(entries) = std::fs::read_dir(dir.join("masters")) else { continue };
        let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        files.sort();
        for file in files {
            let key = probe(&file).ok().and_then(|p| key_of(&p.header));
            if !key.is_some_and(|k| keys.contains(&k.as_str())) {
                continue;
            }
            if let (Ok(hash), Ok(told)) = (ContentHash::of_file(&file), provenance::told(&file)) {
                all.push((Input::new(told.product, &file, hash), Some(file)));
            }
        }
    }
    all
}
