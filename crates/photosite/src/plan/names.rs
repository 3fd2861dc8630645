//! Names of products: what tells them apart for a person.

use std::collections::BTreeMap;
use std::path::Path;

/// Names products by the frames they are made of; where two frames have one name, their folders
/// part them, and where those agree too, a number.
pub fn product_names<'a>(frames: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let frames: Vec<(&Path, String)> = frames.map(|p| (p, stem(p))).collect();
    // File systems that ignore case would see one name.
    let mut count_of: BTreeMap<String, usize> = BTreeMap::new();
    for (_, stem) in &frames {
        *count_of.entry(stem.to_lowercase()).or_default() += 1;
    }
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::with_capacity(frames.len());
    for (path, stem) in frames {
        let shared = count_of[&stem.to_lowercase()] > 1;
        let folder = path.parent().and_then(|p| p.file_name());
        let mut name = match folder {
            Some(folder) if shared => format!("{}_{stem}", folder.to_string_lossy()),
            _ => stem,
        };
        let count = used.entry(name.to_lowercase()).and_modify(|n| *n += 1).or_insert(1);
        if *count > 1 {
            name = format!("{name}_{count}");
        }
        names.push(format!("{name}.fits"));
    }
    names
}

/// A file's name without its endings: `a.fits.fz` is `a`.
fn stem(path: &Path) -> String {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
    let mut stem = name.as_str();
    let endings = [
        ".gz", ".fz", ".fits", ".fit", ".fts", ".xisf", ".tiff", ".tif", ".cr2", ".cr3", ".nef",
        ".arw", ".dng", ".raf",
    ];
    for ending in endings {
        if stem.len() > ending.len()
            && stem.is_char_boundary(stem.len() - ending.len())
            && stem[stem.len() - ending.len()..].eq_ignore_ascii_case(ending)
        {
            stem = &stem[..stem.len() - ending.len()];
        }
    }
    stem.to_owned()
}
