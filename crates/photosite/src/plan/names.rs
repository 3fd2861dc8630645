//! Names of products: what tells them apart for a person.

use std::collections::{BTreeMap, BTreeSet};
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
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut names = Vec::with_capacity(frames.len());
    for (path, stem) in frames {
        let shared = count_of[&stem.to_lowercase()] > 1;
        let folder = path.parent().and_then(|p| p.file_name());
        let mut name = match folder {
            Some(folder) if shared => format!("{}_{stem}", folder.to_string_lossy()),
            _ => stem,
        };
        // A number that parts two names may be another frame's own name.
        let plain = name.clone();
        let mut number = 1;
        while !used.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{plain}_{number}");
        }
        names.push(format!("{name}.fits"));
    }
    names
}

/// A file's name without its endings: `a.fits.fz` is `a`, and the image `a.fits[2]` is `a_2`.
fn stem(path: &Path) -> String {
    let name: String = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
    if let Some((file, unit)) = name.strip_suffix(']').and_then(|n| n.rsplit_once('['))
        && let Ok(unit) = unit.parse::<usize>()
    {
        return format!("{}_{unit}", stem(Path::new(file)));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_frames_share_a_name() {
        let paths = ["n1/a/x.fits", "n2/a/x.fits", "a_x_2.fits", "A_X.fit", "n3/a/x.fits"];
        let names = product_names(paths.iter().map(Path::new));
        let different: BTreeSet<String> = names.iter().map(|n| n.to_lowercase()).collect();
        assert_eq!(different.len(), paths.len(), "{names:?}");
    }
}
