//! `photosite preview`.

use photosite::preview::{Linked, preview_file};

use crate::Done;
use crate::args::{PreviewArgs, StretchName};

/// Writes a preview.
pub fn run(args: &PreviewArgs) -> anyhow::Result<Done> {
    let linked = match args.stretch {
        StretchName::Unlinked => Linked::No,
        StretchName::Linked => Linked::Yes,
    };
    preview_file(&args.file, &args.output, args.width.map(|w| w as usize), linked)?;
    println!("{}", args.output.display());
    Ok(Done::Well)
}
