//! `photosite library`.

use std::path::Path;

use photosite::library::{DateRange, Entry, Field, Library, Life};
use photosite::run::{Collected, add_to_library, export_library, rebuild_library, verify_library};
use photosite::work::Context;
use serde::Serialize;

use crate::args::{LibraryArgs, LibraryVerb, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Keeps calibration frames and masters in order.
pub fn run(args: LibraryArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let folder = resolve::library_needed(&args.place)?;
    let json = args.json;
    if let LibraryVerb::Rebuild { paths } = &args.verb {
        let mut library = Library::open_for_rebuild(&folder)?;
        return collected(&rebuild_library(&mut library, paths, &context)?, &folder, json);
    }
    let mut library = Library::open(&folder)?;
    match args.verb {
        LibraryVerb::Add { paths } => {
            return collected(&add_to_library(&mut library, &paths, &context)?, &folder, json);
        }
        LibraryVerb::List { kind } => {
            let entries = library.list(kind.map(Into::into))?;
            tell(json, &entries, || list(&entries))?;
        }
        LibraryVerb::Show { id } => {
            let entry = library.show(&id)?;
            tell(json, &entry, || show_one(&entry))?;
        }
        LibraryVerb::Certify { id, from, to } => {
            let life = Life::Certified(DateRange::parse(from.as_deref(), to.as_deref())?);
            live(&mut library, &id, life, json)?;
        }
        LibraryVerb::Retire { id } => live(&mut library, &id, Life::Retired, json)?,
        LibraryVerb::Verify { full } => return verify(&library, full, json, &context),
        LibraryVerb::Rebuild { .. } => unreachable!("done above"),
        LibraryVerb::Export { folder } => {
            let exported = export_library(&library, &folder)?;
            tell(json, &exported, || {
                println!("{} masters in {}", exported.masters.len(), folder.display());
                for path in &exported.damaged {
                    println!("not written: {} is damaged", path.display());
                }
            })?;
            if !exported.damaged.is_empty() {
                return Ok(Done::WithFindings);
            }
        }
        LibraryVerb::Prune { dry_run } => {
            let pruned = library.prune(dry_run)?;
            tell(json, &pruned, || {
                let would = if dry_run { "would be " } else { "" };
                for path in &pruned.missing {
                    println!("{would}removed from the index: {} (missing)", path.display());
                }
                for path in &pruned.retired {
                    println!("{would}deleted: {} (retired)", path.display());
                }
                println!(
                    "{would}removed from the index: {}; {would}deleted: {} masters and {} \
                     unfinished files",
                    pruned.missing.len(),
                    pruned.retired.len(),
                    pruned.unfinished
                );
            })?;
        }
    }
    Ok(Done::Well)
}

/// Prints JSON, or words.
fn tell(json: bool, value: &impl Serialize, words: impl FnOnce()) -> anyhow::Result<()> {
    if json {
        show::json("library", value)?;
    } else {
        words();
    }
    Ok(())
}

fn collected(collected: &Collected, folder: &Path, json: bool) -> anyhow::Result<Done> {
    show::findings(&collected.findings);
    tell(json, collected, || {
        let a = collected.added;
        println!(
            "{}: {} files; {} new, {} known, {} known at a new path, {} unchanged",
            folder.display(),
            collected.files,
            a.new,
            a.known,
            a.renamed,
            collected.unchanged
        );
    })?;
    let severe = |f: &photosite::Finding| f.severity == photosite::finding::Severity::Error;
    Ok(if collected.findings.iter().any(severe) { Done::WithFindings } else { Done::Well })
}

fn live(library: &mut Library, id: &str, life: Life, json: bool) -> anyhow::Result<()> {
    let entry = library.show(id)?;
    let before = library.set_life(&entry, life)?;
    let entry = library.show(id)?;
    tell(json, &entry, || {
        println!("{} was {}, is {}", entry.id, before.name(), state(&entry.life));
    })
}

fn state(life: &Life) -> String {
    match life {
        Life::Certified(range) => format!("certified, {range}"),
        other => other.name().to_owned(),
    }
}

fn verify(
    library: &Library,
    full: bool,
    json: bool,
    context: &Context<'_>,
) -> anyhow::Result<Done> {
    let verified = verify_library(library, full, context)?;
    tell(json, &verified, || {
        for line in &verified.index {
            println!("index: {line}");
        }
        for p in &verified.problems {
            println!("{}: {}: {}", p.id, p.path.display(), p.problem);
        }
        println!(
            "{} files, {} of them read completely: {}",
            verified.files,
            verified.read,
            match verified.problems.len() + verified.index.len() {
                0 => "no problems".to_owned(),
                n => format!("{n} problems"),
            }
        );
    })?;
    if !verified.index.is_empty() {
        eprintln!("`photosite library rebuild` rebuilds the index from the files");
    }
    let well = verified.problems.is_empty() && verified.index.is_empty();
    Ok(if well { Done::Well } else { Done::WithFindings })
}

fn list(entries: &[Entry]) {
    let rows = entries
        .iter()
        .map(|e| {
            let t = &e.traits;
            let show = |f| t.show(f).unwrap_or_else(|| "-".to_owned());
            let name = e.paths.first().and_then(|p| p.file_name());
            vec![
                e.id.clone(),
                if e.is_master { format!("master {}", e.kind) } else { e.kind.to_string() },
                if e.is_master { state(&e.life) } else { String::new() },
                e.frames.to_string(),
                show(Field::Exposure),
                show(Field::Temperature),
                show(Field::GainSetting),
                show(Field::OffsetSetting),
                show(Field::Filter),
                show(Field::Age),
                name.map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            ]
        })
        .collect();
    let heading = [
        "ID", "kind", "state", "frames", "exposure", "temp", "gain", "offset", "filter", "date",
        "file",
    ];
    show::table(&heading, &[3, 4, 5, 6, 7], rows);
    println!("{} in the library", entries.len());
}

fn show_one(entry: &Entry) {
    println!("{} {}", entry.hash, if entry.is_master { "master" } else { "raw" });
    let mut rows = vec![
        vec!["kind".to_owned(), entry.kind.to_string()],
        vec!["frames".to_owned(), entry.frames.to_string()],
    ];
    if entry.is_master {
        rows.push(vec!["state".to_owned(), state(&entry.life)]);
    }
    rows.extend(entry.software.iter().map(|s| vec!["made by".to_owned(), s.clone()]));
    rows.extend(entry.level.iter().map(|l| {
        let hot = show::number(l.hot_adu);
        let told =
            format!("{} ADU; hottest 0.1 % of pixels {hot} ADU above", show::number(l.median_adu));
        vec!["median".to_owned(), told]
    }));
    let fields = [
        Field::Camera,
        Field::Size,
        Field::Binning,
        Field::Region,
        Field::ReadoutMode,
        Field::GainSetting,
        Field::OffsetSetting,
        Field::Cfa,
        Field::Temperature,
        Field::Exposure,
        Field::Filter,
        Field::Telescope,
        Field::FocalLength,
        Field::Rotator,
        Field::Age,
    ];
    for field in fields {
        let name = if field == Field::Age { "date" } else { field.name() };
        let value = entry.traits.show(field).unwrap_or_else(|| "not known".to_owned());
        rows.push(vec![name.to_owned(), value]);
    }
    rows.extend(entry.paths.iter().map(|p| vec!["file".to_owned(), p.display().to_string()]));
    show::table(&["FIELD", "value"], &[], rows);
}
