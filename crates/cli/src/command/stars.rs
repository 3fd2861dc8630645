//! `photosite stars`.

use photosite::run::{places_of_stars, stars_of};
use photosite_pix::stars::Star;
use serde_json::json;

use crate::args::{Limits, StarsArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Lists the stars of a frame.
pub fn run(args: StarsArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let field =
        stars_of(&args.file, resolve::defects(args.defects.as_deref()), args.snr, &context)?;
    let sky = places_of_stars(&args.file, &field)?;
    if args.json {
        let mut stars = serde_json::to_value(&field.stars)?;
        for (star, place) in stars.as_array_mut().into_iter().flatten().zip(sky.iter().flatten()) {
            (star["ra_deg"], star["dec_deg"]) = (json!(place.0), json!(place.1));
        }
        let account = json!({
            "path": args.file,
            "count": field.stars.len(),
            "in_rows": field.in_rows,
            "fwhm_px": field.fwhm_px,
            "roundness": field.roundness,
            "background": field.background,
            "noise": field.noise,
            "stars": stars,
        });
        show::json("stars", &account)?;
    } else if args.csv {
        let of_sky = if sky.is_some() { ",ra_deg,dec_deg" } else { "" };
        println!("{}{of_sky}", COLUMNS.map(|(name, _)| name).join(","));
        for (i, star) in field.stars.iter().enumerate() {
            let cells = COLUMNS.map(|(_, of)| of(star).to_string());
            let place =
                sky.as_ref().map_or_else(String::new, |sky| format!(",{},{}", sky[i].0, sky[i].1));
            println!("{}{place}", cells.join(","));
        }
    } else {
        println!(
            "{}: {} stars, FWHM {} px, roundness {}, background {}, noise {}",
            args.file.display(),
            field.stars.len(),
            show::number(field.fwhm_px.unwrap_or(f64::NAN)),
            show::number(field.roundness.unwrap_or(f64::NAN)),
            show::number(field.background),
            show::number(field.noise),
        );
        if field.in_rows > 0 {
            println!(
                "{} more stand in rows, as blinks and pieces of satellites and aircraft do, and are none",
                field.in_rows
            );
        }
        let rows = field.stars.iter().take(SHOWN);
        let rows = rows.map(|s| COLUMNS.map(|(_, of)| show::number(of(s))).to_vec()).collect();
        show::table(&COLUMNS.map(|(name, _)| name), &[0, 1, 2, 3, 4, 5, 6, 7], rows);
        if field.stars.len() > SHOWN {
            println!("and {} fainter ones; --csv and --json list all", field.stars.len() - SHOWN);
        }
    }
    Ok(Done::Well)
}

/// Stars of the table for people.
const SHOWN: usize = 20;

/// A column's name and what it shows of a star.
type Column = (&'static str, fn(&Star) -> f64);

const COLUMNS: [Column; 8] = [
    ("x", |s| s.x),
    ("y", |s| s.y),
    ("flux", |s| s.flux),
    ("flux_error", |s| s.flux_error),
    ("snr", |s| s.snr),
    ("peak", |s| s.peak),
    ("fwhm_px", |s| s.fwhm_px),
    ("roundness", |s| s.roundness),
];
