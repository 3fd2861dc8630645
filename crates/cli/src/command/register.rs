//! `photosite register`.

use anyhow::bail;
use photosite::finding::Severity;
use photosite::measure::{offer_files, reference, survey};
use photosite::register::{best_reference, lay_over};
use photosite_pix::FrameKind;
use photosite_pix::align::{Point, Registration};
use serde_json::json;

use crate::args::{Limits, RegisterArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Registers frames and prints how; writes nothing.
pub fn run(args: RegisterArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let (offered, mut findings) =
        offer_files(&resolve::files(&args.files, Some(FrameKind::Light), None)?, &context)?;
    let (lights, refused) = survey(&offered, false, None, &context)?;
    findings.extend(refused);
    if lights.is_empty() {
        show::findings(&findings);
        bail!("no frame is left that can be registered");
    }
    let reference = match &args.reference {
        None => lights[best_reference(lights.iter(), args.align.into())].clone(),
        Some(path) => reference(path, &lights, false, &context)?,
    };
    let (placed, told) = lay_over(&lights, &reference, args.align.into(), &context)?;
    findings.extend(told);
    let frames: Vec<_> = lights.iter().zip(&placed).collect();
    let size = reference.size();
    let middle = Point::new(size.width as f64 / 2.0, size.height as f64 / 2.0);
    if args.json {
        let list: Vec<_> = frames
            .iter()
            .map(|(light, found)| {
                json!({
                    "path": light.path(),
                    "stars": light.field.stars.len(),
                    "fwhm_px": light.field.fwhm_px,
                    "used": found.is_some(),
                    "by": found.as_ref().map(|r| r.by),
                    "n_matched": found.as_ref().map(|r| r.matched),
                    "residual_px": found.as_ref().map(|r| r.residual_px),
                    "model": found.as_ref().map(|r| r.transform.model),
                    "transform": found.as_ref().map(|r| r.transform),
                    "shift_px": found.as_ref().map(|r| shift(r, middle)),
                    "rotation_deg": found.as_ref().map(|r| r.transform.rotation_deg(middle)),
                    "scale": found.as_ref().map(|r| r.transform.magnification(middle)),
                })
            })
            .collect();
        let account =
            json!({ "reference": reference.path(), "frames": list, "findings": findings });
        show::json("register", &account)?;
    } else {
        println!("reference: {}", reference.path().display());
        let rows = frames
            .iter()
            .map(|(light, found)| {
                let mut row = vec![light.path().display().to_string()];
                let cell = |v: Option<f64>| show::number(v.unwrap_or(f64::NAN));
                row.push(light.field.stars.len().to_string());
                row.push(cell(light.field.fwhm_px));
                let Some(r) = found else {
                    row.resize(9, "-".to_owned());
                    return row;
                };
                let [dx, dy] = shift(r, middle);
                row.push(r.matched.to_string());
                row.push(format!("{:.4}", r.residual_px));
                row.push(format!("{dx:.2}"));
                row.push(format!("{dy:.2}"));
                row.push(format!("{:.4}", r.transform.rotation_deg(middle)));
                row.push(format!("{:?}", r.transform.model).to_lowercase());
                row
            })
            .collect();
        let heading = [
            "FRAME",
            "stars",
            "FWHM px",
            "matched",
            "residual px",
            "dx",
            "dy",
            "rotation deg",
            "model",
        ];
        show::table(&heading, &[1, 2, 3, 4, 5, 6, 7], rows);
    }
    show::findings(&findings);
    let severe = findings.iter().any(|f| f.severity == Severity::Error);
    Ok(if severe { Done::WithFindings } else { Done::Well })
}

/// How far the middle of the reference has moved in the frame, in pixels.
fn shift(found: &Registration, middle: Point) -> [f64; 2] {
    let at = found.transform.apply(middle);
    [at.x - middle.x, at.y - middle.y]
}
