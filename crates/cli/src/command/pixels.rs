//! `photosite pixels`.

use photosite::Error;
use photosite_pix::Rect;

use crate::args::PixelsArgs;
use crate::{Done, show};

/// Prints a table of samples: columns across, rows down, both from 0.
pub fn run(args: PixelsArgs) -> anyhow::Result<Done> {
    let source = photosite::open::open(&args.file)?;
    let size = source.size();
    let region = Rect::new(args.x, args.y, args.w, args.h);
    if !region.fits(size) {
        return Err(Error::parameters(format!(
            "{}: the region {region} is not inside the image of {size} pixels",
            args.file.display()
        ))
        .into());
    }
    for plane in 0..source.planes() {
        if source.planes() > 1 {
            println!("plane {plane}");
        }
        let mut samples = vec![0.0f32; size.width * region.height()];
        source.read_rows(plane, region.y0..region.y1, &mut Vec::new(), &mut samples)?;
        let mut heading = vec!["y\\x".to_owned()];
        heading.extend((region.x0..region.x1).map(|x| x.to_string()));
        let rows = samples
            .chunks_exact(size.width)
            .zip(region.y0..)
            .map(|(row, y)| {
                let mut cells = vec![y.to_string()];
                cells.extend(row[region.x0..region.x1].iter().map(|v| show::number(f64::from(*v))));
                cells
            })
            .collect();
        let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
        let right: Vec<usize> = (0..=region.width()).collect();
        show::table(&heading, &right, rows);
    }
    Ok(Done::Well)
}
