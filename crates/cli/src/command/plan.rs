//! `photosite plan`.

use anyhow::{Context as _, bail};
use photosite::inventory::KindOverrides;
use photosite::library::Shelf;
use photosite::plan::{Share, Shot, shooting_list};
use photosite::run::{noise_by_profile, take_night};

use super::matching;
use crate::args::{Limits, PlanArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Says which frames to shoot next.
pub fn run(args: PlanArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let share = share(&args.share)?;
    let (mut inventory, found) = take_night(&args.paths, &KindOverrides::default(), &context)?;
    let place = resolve::library(&args.place);
    if let Some(place) = &place {
        noise_by_profile(&mut inventory, place);
    }
    let library = matching::open(place)?;
    let shelf = Shelf::of(library.as_ref(), &found)?;
    let list = shooting_list(&inventory, shelf.as_ref(), share);
    show::findings(&inventory.findings);
    if list.lights == 0 {
        bail!("there is no light among {} frames", inventory.frames.len());
    }
    if args.json {
        show::json("plan", &list)?;
        return Ok(Done::Well);
    }
    let heading = |first: &'static str, last: &'static str| {
        [
            "", first, "temp", "exposure", "gain", "offset", "filter", "have", "need", last,
            "typical", "time",
        ]
    };
    let right = [0, 2, 3, 4, 5, 7, 8, 9, 11];
    if list.shots.is_empty() {
        println!("nothing is missing for {} lights", list.lights);
    } else {
        show::table(&heading("TO SHOOT", "shoot"), &right, list.shots.iter().map(row).collect());
        println!();
        for shot in &list.shots {
            println!("{:>2}. {}", shot.order, shot.note());
        }
        println!();
        let unknown = list.shots.iter().any(|s| s.total_s.is_none());
        println!(
            "{}{} in total, readout not counted; a master of `need` frames adds less than {} % to \
             the noise of one light",
            duration(list.total_s),
            if unknown { " plus the time for flats and their darks" } else { "" },
            show::number(share.value() * 100.0)
        );
    }
    if !list.have.is_empty() {
        println!();
        show::table(&heading("ON HAND", ""), &right, list.have.iter().map(row).collect());
    }
    Ok(Done::Well)
}

/// Reads `--share`: `5%` and `5` are per cent, a number below 1 is the share itself.
fn share(text: &str) -> anyhow::Result<Share> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    let value: f64 = number.parse().with_context(|| format!("--share {text:?} is not a number"))?;
    let per_cent = text.ends_with('%') || value >= 1.0;
    Share::new(if per_cent { value / 100.0 } else { value })
        .with_context(|| format!("--share {text} must be between 0 and 100 %; 5 is typical"))
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    match seconds {
        s if s < 90.0 => format!("{} s", show::number((s * 10.0).round() / 10.0)),
        s if s < 5400.0 => format!("{minutes} min"),
        _ => format!("{} h {:02} min", (minutes / 60.0).floor(), minutes % 60.0),
    }
}

fn row(shot: &Shot) -> Vec<String> {
    let dash = || "-".to_owned();
    let number = |v: Option<f64>| v.map_or_else(dash, show::number);
    vec![
        if shot.order == 0 { String::new() } else { shot.order.to_string() },
        if shot.optional { format!("({})", shot.kind) } else { shot.kind.to_string() },
        shot.temp_c.map_or_else(dash, |c| format!("{c:.1} C")),
        shot.exposure_s.map_or_else(dash, |s| format!("{} s", show::number(s))),
        number(shot.gain_setting),
        number(shot.offset_setting),
        shot.filter.clone().unwrap_or_else(dash),
        shot.have.to_string(),
        shot.need.to_string(),
        if shot.count == 0 { String::new() } else { shot.count.to_string() },
        format!("{} to {}", shot.folk[0], shot.folk[1]),
        if shot.count == 0 { String::new() } else { shot.total_s.map_or_else(dash, duration) },
    ]
}
