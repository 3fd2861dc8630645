//! Where the inputs of a product lie: beside it, as runs put them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::atomic::folder_of;

use crate::provenance::{ContentHash, Input};

/// Inputs of products that were looked for: each file is read through once, however many products it went into.
#[derive(Debug, Default)]
pub(super) struct Beside {
    known: BTreeMap<(PathBuf, Input), Option<PathBuf>>,
}

impl Beside {
    /// An input of a product where runs put it: beside the product, or in `masters` of its folder or of one
    /// above.
    pub(super) fn find(&mut self, product: &Path, input: &Input) -> Option<PathBuf> {
        let key = (folder_of(product).to_owned(), input.clone());
        self.known.entry(key).or_insert_with(|| look_for(product, input)).clone()
    }
}

fn look_for(product: &Path, input: &Input) -> Option<PathBuf> {
    let places = folders_beside(product)
        .into_iter()
        .flat_map(|dir| [dir.join(&input.name), dir.join("masters").join(&input.name)]);
    let is_it = |p: &PathBuf| ContentHash::of_file(p).is_ok_and(|h| h == input.hash);
    places.filter(|p| p.is_file()).find(is_it)
}

/// The folder of a product, and those above it that may be its run's.
pub(super) fn folders_beside(product: &Path) -> Vec<PathBuf> {
    let whole = product.canonicalize().unwrap_or_else(|_| product.to_owned());
    whole.ancestors().skip(1).take(4).map(Path::to_owned).collect()
}
