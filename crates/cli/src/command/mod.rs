//! The verbs, one file each.

pub mod calibrate;
pub mod demo;
pub mod extras;
pub mod inspect;
pub mod master;
pub mod pixels;
pub mod preview;
pub mod run;
pub mod simulate;
pub mod stats;

use std::path::Path;

use photosite_pix::Plane;

/// The first plane of a file, whole.
fn read_plane(path: &Path, plane: usize) -> photosite::Result<Plane<f32>> {
    let source = photosite_file::open(path)?;
    let size = source.size();
    let mut samples = vec![0.0f32; size.pixels()];
    source.read_rows(plane, 0..size.height, &mut Vec::new(), &mut samples)?;
    Ok(Plane::from_vec(size, samples).expect("as many samples as pixels"))
}

/// A path as it is shown: without the working directory.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
