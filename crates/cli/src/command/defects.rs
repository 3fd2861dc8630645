//! `photosite defects`.

use anyhow::{Context as _, bail};
use photosite::inventory::KindOverrides;
use photosite::product::read_defect_map;
use photosite::run::{
    Aged, BuiltDefectMap, DefectMap, Exchange, age_of_maps, build_map_of_named, defects_report,
    draw_map, export_defects, import_defects,
};
use photosite_pix::FrameKind;
use serde_json::json;

use crate::args::{DefectsArgs, DefectsVerb, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Pixels of the list of the worst.
const LISTED: usize = 20;

/// Columns of a picture of a map.
const PICTURE_WIDTH: usize = 1600;

/// Builds, shows, compares or exchanges defect maps.
pub fn run(args: DefectsArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let json = args.json;
    match args.verb {
        DefectsVerb::Build { mut paths, darks, flats, biases, lights, output } => {
            let mut kinds = KindOverrides::default();
            let lists = [
                (darks, FrameKind::Dark),
                (flats, FrameKind::Flat),
                (biases, FrameKind::Bias),
                (lights, FrameKind::Light),
            ];
            for (list, kind) in lists {
                resolve::of_kind(&list, kind, &mut kinds, &mut paths)?;
            }
            if paths.is_empty() {
                bail!("name darks, flats or biases, or folders of them");
            }
            let built = build_map_of_named(&paths, &kinds, &output, &context)?;
            report(&built, json)?;
            Ok(Done::of(&built.findings))
        }
        DefectsVerb::Import { file, like, zero_is_bad, output } => {
            let built = import_defects(&file, like.as_deref(), zero_is_bad, &output)?;
            report(&built, json)?;
            Ok(Done::Well)
        }
        DefectsVerb::Show { map, output } => {
            let loaded = read_defect_map(&map)?;
            if let Some(png) = &output {
                draw_map(&loaded, png, PICTURE_WIDTH)?;
            }
            if json {
                let report = defects_report(&loaded.map, LISTED);
                show::json("defects", &report)?;
            } else {
                tell(&loaded.map);
            }
            Ok(Done::Well)
        }
        DefectsVerb::Diff { old, new } => {
            let aged = age_of_maps(&old, &new)?;
            if json {
                show::json("defects-diff", &aged)?;
            } else {
                tell_aged(&aged);
            }
            Ok(Done::Well)
        }
        DefectsVerb::Export { map, to, output } => {
            let to = to.map(Exchange::from).or_else(|| Exchange::of_name(&output));
            let to = to.with_context(|| {
                format!("{} does not tell the format: name it with --to", output.display())
            })?;
            let pixels = export_defects(&read_defect_map(&map)?.map, to, &output)?;
            if json {
                let report = json!({ "path": output, "pixels": pixels });
                show::json("defects-exchange", &report)?;
            } else {
                println!("{} written: {pixels} pixels", output.display());
            }
            Ok(Done::Well)
        }
    }
}

fn report(built: &BuiltDefectMap, json: bool) -> anyhow::Result<()> {
    show::findings(&built.findings);
    if json {
        let mut report = defects_report(&built.map, LISTED);
        report["path"] = json!(built.path);
        report["findings"] = json!(built.findings);
        show::json("defects", &report)?;
    } else {
        println!("{} written", built.path.display());
        tell(&built.map);
    }
    Ok(())
}

/// Prints what a map holds.
fn tell(map: &DefectMap) {
    let (c, f) = (map.counts(), &map.facts);
    match &f.imported {
        Some(format) => println!("{} pixels, imported ({format})", map.size),
        None => println!(
            "{} pixels; {} darks, {} flats, {} biases",
            map.size, f.darks, f.flats, f.biases
        ),
    }
    let all = map.size.pixels().max(1) as f64;
    let rows = [
        ("hot", c.hot),
        ("warm", c.warm),
        ("cold", c.cold),
        ("unstable", c.unstable),
        ("bent", c.bent),
        ("no data", c.no_data),
        ("repaired in lights", c.repaired),
    ];
    let rows = rows.into_iter().map(|(name, n)| {
        vec![name.to_owned(), n.to_string(), format!("{:.4} %", 100.0 * n as f64 / all)]
    });
    show::table(&["CLASS", "pixels", "share"], &[1, 2], rows.collect());
    println!(
        "{} columns and {} rows, whole or in part; {} clusters; levels of {} telegraph pixels",
        c.columns, c.rows, c.clusters, c.telegraph
    );
    let worst = map.worst(LISTED);
    let rows = worst.iter().filter(|s| s.score != 0.0).map(|s| {
        let names: Vec<&str> = s.bits.iter_names().map(|(n, _)| n).collect();
        let rate = map.rate(s).map_or_else(|| "-".to_owned(), show::number);
        let (sigmas, share) = (show::number(f64::from(s.score)), f64::from(s.share));
        vec![s.x.to_string(), s.y.to_string(), names.join("|"), sigmas, show::number(share), rate]
    });
    show::table(
        &["x", "y", "WORST", "sigmas", "share", map.rate_unit()],
        &[0, 1, 3, 4, 5],
        rows.collect(),
    );
}

/// Prints how a sensor aged.
fn tell_aged(a: &Aged) {
    println!("{} new, {} healed, {} worse", a.new, a.healed, a.worse);
    let rows = a
        .by_class
        .iter()
        .map(|(name, (new, gone))| vec![name.clone(), new.to_string(), gone.to_string()]);
    show::table(&["CLASS", "new", "gone"], &[1, 2], rows.collect());
    match (a.months, a.hot_a_month, a.hot_a_month_error) {
        (Some(months), Some(growth), Some(error)) => println!(
            "{:+} hot pixels in {} months: {} +- {} a month",
            a.hot_growth,
            show::number(months),
            show::number(growth),
            show::number(error)
        ),
        _ => println!("{:+} hot pixels; the maps give no dates", a.hot_growth),
    }
}
