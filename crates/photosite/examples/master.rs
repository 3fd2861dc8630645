//! Builds a master dark of frames: `master OUT FRAMES...`.

use std::path::PathBuf;

use photosite::Workplace;
use photosite::run::{NamedMaster, master_of_named};
use photosite_pix::FrameKind;

fn main() -> photosite::Result<()> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [output, files @ ..] = &args[..] else {
        eprintln!("master OUT FRAMES...");
        return Ok(());
    };
    let work = Workplace::new();
    let asked = NamedMaster::new(FrameKind::Dark, files, output);
    let (master, recipe, findings) = master_of_named(&asked, &work.context())?;
    let (count, median) = (master.inputs.len(), master.stats.median);
    println!("{count} frames, {}, median {median} ADU", recipe.reject.name());
    findings.iter().for_each(|f| println!("{}: {}", f.subject, f.message));
    Ok(())
}
