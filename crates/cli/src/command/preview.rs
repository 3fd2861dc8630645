//! `photosite preview`.

use photosite::preview::{Linked, preview_file};

use super::each_target;
use crate::args::{PreviewArgs, StretchName};
use crate::{Done, resolve};

/// Writes a preview.
pub fn run(args: &PreviewArgs) -> anyhow::Result<Done> {
    let linked = match args.stretch {
        StretchName::Unlinked => Linked::No,
        StretchName::Linked => Linked::Yes,
    };
    let files = resolve::files(&args.files, None, None)?;
    let targets = resolve::targets(files, &args.output, ".png")?;
    let (_, done) = each_target(targets, |file, png| {
        preview_file(file, png, args.width.map(|w| w as usize), linked)?;
        println!("{}", png.display());
        Ok(())
    })?;
    Ok(done)
}
