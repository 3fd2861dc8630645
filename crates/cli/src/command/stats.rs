//! `photosite stats`.

use photosite::run::describe_samples;
use serde_json::Value;

use crate::args::FilesArgs;
use crate::{Done, show};

/// Describes the samples of files.
pub fn run(args: FilesArgs) -> anyhow::Result<Done> {
    super::each(
        "stats",
        &args,
        |path| describe_samples(path).map(|d| serde_json::to_value(&d)),
        tell,
    )
}

fn tell(value: &Value) {
    println!("{}: {} x {}", value["path"].as_str().unwrap_or(""), value["width"], value["height"]);
    let columns =
        ["n", "min", "max", "mean", "median", "sd", "mad", "noise", "clipped_low", "clipped_high"];
    let rows = value["channels"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| {
            let mut row = vec![c["channel"].as_str().unwrap_or("").to_owned()];
            row.extend(columns.iter().map(|k| show::number(c[*k].as_f64().unwrap_or(f64::NAN))));
            row
        })
        .collect();
    let heading = [
        "CHANNEL",
        "n",
        "min",
        "max",
        "mean",
        "median",
        "sd",
        "MAD",
        "noise",
        "clipped low",
        "clipped high",
    ];
    show::table(&heading, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rows);
    println!();
}
