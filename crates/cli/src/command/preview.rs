//! `photosite preview`.

use photosite::preview::{Linked, preview_file};

use crate::args::{PreviewArgs, StretchName};
use crate::{Done, resolve};

/// Writes a preview.
pub fn run(args: &PreviewArgs) -> anyhow::Result<Done> {
    let linked = match args.stretch {
        StretchName::Unlinked => Linked::No,
        StretchName::Linked => Linked::Yes,
    };
    let files = resolve::files(&args.files, None, None)?;
    for (file, png) in resolve::targets(files, &args.output, ".png")? {
        preview_file(&file, &png, args.width.map(|w| w as usize), linked)?;
        println!("{}", png.display());
    }
    Ok(Done::Well)
}
