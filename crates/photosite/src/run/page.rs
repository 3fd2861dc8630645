//! The account of a run as a page: `report.html`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::{Source, keyword};
use photosite_pix::{CfaPattern, FrameKind, Metadata, Plane, Rect, RowOrder, Size, stat};

use super::defect_map::{MAPPED, draw_map};
use super::looked::read_plane;
use crate::html::is_ours;
use crate::open::{open, probe};
use crate::plan::MASTERS_SHOWN;
use crate::preview::{Linked, preview_file, superpixels, write_preview, write_response};
use crate::product::read_defect_map;
use crate::report::{
    Detail, Histogram, MapPicture, MasterPicture, Pictures, RunReport, StackPictures, StackReport,
    page,
};
use crate::{Error, Result};

/// Columns of the pictures in a page.
const WIDTH: usize = 1000;
/// Stacks that are shown with one of their raw lights: a page is no archive.
const COMPARED: usize = 4;
/// Columns of the pictures of masters.
const MASTER_WIDTH: usize = 400;
/// Columns and rows of a part that is shown pixel by pixel.
const DETAIL: (usize, usize) = (360, 240);

/// Writes the page of the run whose products are in `folder` to `page_path`; an older page of ours is
/// replaced. Pictures that cannot be read are left out.
///
/// # Errors
/// When there is no account of a run, or the page cannot be written: something else stands there, or the
/// operating system refuses.
pub fn write_page(folder: &Path, page_path: &Path) -> Result<PathBuf> {
    let report = RunReport::read(&folder.join("run.json"))?;
    page_of(&report, folder, page_path)?;
    Ok(page_path.to_owned())
}

/// The same of an account at hand.
pub(super) fn page_of(report: &RunReport, folder: &Path, page_path: &Path) -> Result<()> {
    let stands = page_path.symlink_metadata().is_ok();
    if stands && !std::fs::read(page_path).is_ok_and(|bytes| is_ours(&bytes)) {
        return Err(Error::foreign(page_path));
    }
    let masters = report.masters.iter().enumerate();
    let masters: Vec<Option<SeenMaster>> = masters
        .map(|(i, master)| {
            let path = there(&master.path, folder, "masters").filter(|_| i < MASTERS_SHOWN)?;
            SeenMaster::of(&path, master.kind)
        })
        .collect();
    let stacks = report.stacks.iter().enumerate();
    let stacks = stacks
        .map(|(i, stack)| stack_pictures(report, (stack, i < COMPARED), &masters, folder))
        .collect();
    let masters = masters.into_iter().map(|seen| Some(seen?.picture)).collect();
    let maps = maps(report, folder);
    let pictures = Pictures { stacks, masters, maps };
    let html = page(report, &pictures);
    Ok(write_bytes(page_path, html.as_bytes(), Existing::Replace)?)
}

/// The defect maps that lights were calibrated with.
fn maps(report: &RunReport, folder: &Path) -> Vec<MapPicture> {
    let told = report.findings.iter().filter(|f| f.code == MAPPED);
    let drawn = told.take(MASTERS_SHOWN).filter_map(|f| {
        let path = PathBuf::from(&f.subject);
        let map = read_defect_map(&there(&path, folder, "masters")?).ok()?;
        let picture = encoded(|png| draw_map(&map, png, MASTER_WIDTH))?;
        Some(MapPicture { path, picture })
    });
    drawn.collect()
}

/// Where a product lies now: a folder that was moved still holds its products.
fn there(path: &Path, folder: &Path, within: &str) -> Option<PathBuf> {
    match path.exists() {
        true => Some(path.to_owned()),
        false => Some(folder.join(within).join(path.file_name()?)).filter(|p| p.exists()),
    }
}

/// What `write` makes of a file that is to be shown, in base 64.
fn encoded(write: impl FnOnce(&Path) -> Result<()>) -> Option<String> {
    let room = tempfile::tempdir().ok()?;
    let png = room.path().join("picture.png");
    write(&png).ok()?;
    Some(STANDARD.encode(std::fs::read(&png).ok()?))
}

fn shown(path: PathBuf) -> Option<String> {
    encoded(|png| preview_file(&path, png, Some(WIDTH), Linked::default()))
}

/// FITS counts rows from the bottom unless the header says otherwise.
fn is_top_down(metadata: &Metadata) -> bool {
    metadata.row_order == Some(RowOrder::TopDown)
}

/// A master that was looked at.
struct SeenMaster {
    size: Size,
    picture: MasterPicture,
    /// Where it has most to do.
    most: Rect,
}

impl SeenMaster {
    fn of(path: &Path, kind: FrameKind) -> Option<Self> {
        let plane = &read_plane(path, 0).ok()?;
        let top_down = is_top_down(&keyword::read(&probe(path).ok()?.header).metadata);
        let histogram = Histogram::of(plane.as_slice());
        let is_flat = kind == FrameKind::Flat;
        let picture = encoded(|png| match is_flat {
            true => write_response(plane, top_down, png, MASTER_WIDTH),
            false => write_preview(&[plane], top_down, png, Some(MASTER_WIDTH), Linked::default()),
        })?;
        let share = |of: fn(&f32) -> bool| {
            let known = plane.as_slice().iter().filter(|v| v.is_finite());
            let (n, those) =
                known.fold((0u64, 0u64), |(n, those), v| (n + 1, those + u64::from(of(v))));
            those as f64 / n.max(1) as f64
        };
        let response = is_flat.then(|| [share(|v| *v < 0.9), share(|v| *v > 1.1)]);
        let most = extreme(plane, if is_flat { -1.0 } else { 1.0 });
        let picture = MasterPicture { picture, histogram, response };
        Some(Self { size: plane.size(), picture, most })
    }
}

fn stack_pictures(
    report: &RunReport,
    (stack, compared): (&StackReport, bool),
    masters: &[Option<SeenMaster>],
    folder: &Path,
) -> StackPictures {
    let of_stack = there(&stack.path, folder, "stacks");
    let raw = there(&stack.reference, folder, "lights").filter(|_| compared);
    let light = report.lights.iter().find(|l| l.path == stack.reference);
    let calibrated = light.and_then(|l| there(l.output.as_ref()?, folder, "calibrated"));
    let made = || {
        let png = there(&stack.path.with_extension("png"), folder, "stacks")?;
        Some(STANDARD.encode(std::fs::read(png).ok()?))
    };
    let details = raw.as_ref().zip(of_stack.as_ref()).and_then(|(raw, whole)| {
        let master = |path: Option<&PathBuf>| {
            let at = report.masters.iter().position(|m| Some(&m.path) == path)?;
            masters[at].as_ref()
        };
        let flat = light.and_then(|l| master(l.flat.as_ref()));
        let dark = light.and_then(|l| master(l.dark.as_ref()));
        details(raw, whole, (flat, dark))
    });
    StackPictures {
        stack: made().or_else(|| of_stack.and_then(shown)),
        calibrated: calibrated.filter(|_| compared).and_then(shown),
        raw: raw.and_then(shown),
        details: details.unwrap_or_default(),
    }
}

/// The parts of a stack where calibration has most to do, beside those of a raw light.
fn details(
    raw: &Path,
    stack: &Path,
    (flat, dark): (Option<&SeenMaster>, Option<&SeenMaster>),
) -> Option<Vec<Detail>> {
    let (raw, stack) = (Shown::open(raw)?, Shown::open(stack)?);
    let size = stack.source.size();
    // A picture that was cut or drizzled lies on other pixels.
    if raw.source.size() != size || size.width < 2 * DETAIL.0 || size.height < 2 * DETAIL.1 {
        return None;
    }
    let part_of = |m: Option<&SeenMaster>| m.filter(|m| m.size == size).map(|m| m.most);
    let (least, most) = (part_of(flat), part_of(dark));
    let middle = Rect::new(
        (size.width - DETAIL.0) / 4 * 2,
        (size.height - DETAIL.1) / 4 * 2,
        DETAIL.0,
        DETAIL.1,
    );
    let parts = [
        Some(("In the middle", middle)),
        least.map(|part| ("Where least light arrives", part)),
        most.map(|part| ("Where the dark is strongest", part)),
    ];
    let detail = |(told, part): (&str, Rect)| {
        let [raw, stack] = [&raw, &stack].map(|shown| shown.part(part));
        Some(Detail { told: told.to_owned(), raw: raw?, stack: stack? })
    };
    Some(parts.into_iter().flatten().filter_map(detail).collect())
}

/// The part of a plane, of those that tile it, whose median is highest, or lowest for a negative sign.
fn extreme(plane: &Plane<f32>, sign: f32) -> Rect {
    let (width, rows) = DETAIL;
    let tiles = |whole: usize, part: usize| -> Vec<usize> {
        let count = (whole / part).max(1);
        (0..count).map(|k| k * (whole - part) / (count - 1).max(1) / 2 * 2).collect()
    };
    let mut best = (f32::NEG_INFINITY, Rect::new(0, 0, width, rows));
    if plane.width() < width || plane.height() < rows {
        return best.1;
    }
    for y in tiles(plane.height(), rows) {
        for x in tiles(plane.width(), width) {
            let part = Rect::new(x, y, width, rows);
            let middle = sign * stat::median(plane.crop(part).as_slice());
            if middle > best.0 {
                best = (middle, part);
            }
        }
    }
    best.1
}

/// A picture as it is shown: one plane, three colours, or one under a filter array.
struct Shown {
    source: Box<dyn Source>,
    planes: usize,
    cfa: Option<CfaPattern>,
    top_down: bool,
}

impl Shown {
    fn open(path: &Path) -> Option<Self> {
        let found = probe(path).ok()?;
        let metadata = keyword::read(&found.header).metadata;
        let planes = if found.planes == 3 { 3 } else { 1 };
        let cfa = metadata.cfa.filter(|_| planes == 1);
        Some(Self { source: open(path).ok()?, planes, cfa, top_down: is_top_down(&metadata) })
    }

    /// A part of it, in base 64.
    fn part(&self, part: Rect) -> Option<String> {
        let width = self.source.size().width;
        let cut = |plane: usize| -> Option<Plane<f32>> {
            let size = Size::new(width, part.height());
            let mut rows = Plane::zeroed(size);
            let of = part.y0..part.y0 + part.height();
            self.source.read_rows(plane, of, &mut Vec::new(), rows.as_mut_slice()).ok()?;
            Some(rows.crop(Rect::new(part.x0, 0, part.width(), part.height())))
        };
        let cut: Vec<Plane<f32>> = (0..self.planes).map(cut).collect::<Option<_>>()?;
        let cut = match self.cfa {
            Some(cfa) => superpixels(cut.into_iter().next()?, cfa.shifted(part.x0, part.y0)),
            None => cut,
        };
        let planes: Vec<&Plane<f32>> = cut.iter().collect();
        encoded(|png| write_preview(&planes, self.top_down, png, None, Linked::default()))
    }
}
