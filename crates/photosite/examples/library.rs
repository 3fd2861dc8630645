//! Adds calibration frames to a library and lists it: `library FOLDER FRAMES...`.

use std::path::PathBuf;

use photosite::Workplace;
use photosite::library::Library;
use photosite::run::add_to_library;

fn main() -> photosite::Result<()> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, paths @ ..] = &args[..] else {
        eprintln!("library FOLDER FRAMES...");
        return Ok(());
    };
    let work = Workplace::new();
    let mut library = Library::open(folder)?;
    let added = add_to_library(&mut library, paths, &work.context())?;
    println!("{} files looked at, {} new", added.files, added.added.new);
    for entry in library.list(None)? {
        println!("{} {} {:?} s", entry.id, entry.kind, entry.traits.exposure_s);
    }
    Ok(())
}
