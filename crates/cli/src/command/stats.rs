//! `photosite stats`.

use std::path::Path;

use anstream::println;
use photosite::detector;
use photosite::master::one_channel;
use photosite_file::keyword;
use photosite_pix::stat::Summary;
use photosite_pix::{CfaColor, CfaPattern};
use serde::Serialize;
use serde_json::Value;

use crate::args::FilesArgs;
use crate::{Done, show};

/// One channel, described.
#[derive(Debug, Serialize)]
struct Channel {
    channel: String,
    #[serde(flatten)]
    summary: Summary,
}

/// A file, described.
#[derive(Debug, Serialize)]
struct Described {
    path: String,
    width: usize,
    height: usize,
    channels: Vec<Channel>,
}

/// Describes the samples of files.
pub fn run(args: FilesArgs) -> anyhow::Result<Done> {
    super::each(&args, |path| describe(path).map(|d| serde_json::to_value(&d)), tell)
}

fn describe(path: &Path) -> photosite::Result<Described> {
    let probe = photosite::open::probe(path)?;
    let metadata = keyword::read(&probe.header).metadata;
    let ceiling = metadata.saturation_adu.or_else(|| detector::full_scale_adu(&probe.header));
    // A 16-bit camera file cannot go below 0; floating point can.
    let floor = detector::full_scale_adu(&probe.header).map(|_| 0.0);
    let width = probe.size.width;
    let mut channels = Vec::new();
    for plane in 0..probe.planes {
        let data = super::read_plane(path, plane)?;
        let rows = data.as_slice();
        let step = metadata.cfa.map_or(1, CfaPattern::period);
        let name = if probe.planes > 1 { format!("plane {plane}") } else { "all".to_owned() };
        let summary = Summary::of(rows, width, step, floor, ceiling);
        channels.push(Channel { channel: name, summary });
        if let Some(cfa) = metadata.cfa {
            for color in CfaColor::ALL {
                let samples = one_channel(rows, width, cfa, color.channel());
                let mut summary = Summary::of(&samples, width, 1, floor, ceiling);
                summary.noise = colour_noise(rows, width, cfa, color);
                channels.push(Channel { channel: color.name().to_owned(), summary });
            }
        }
    }
    Ok(Described { path: super::shown(path), width, height: probe.size.height, channels })
}

/// The noise of one colour, measured on its own grid.
fn colour_noise(rows: &[f32], width: usize, cfa: CfaPattern, color: CfaColor) -> f64 {
    let only: Vec<f32> = rows
        .chunks_exact(width)
        .enumerate()
        .flat_map(|(y, row)| {
            row.iter()
                .enumerate()
                .map(move |(x, v)| if cfa.color(x, y) == color { *v } else { f32::NAN })
        })
        .collect();
    photosite_pix::stat::noise(&only, width, cfa.period())
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
