//! The file of a defect map: mask bits as the image, scores beside them, tables.

use std::path::{Path, PathBuf};

use photosite_file::atomic::Existing;
use photosite_file::fits::{Column, FitsWriter, ImageSpec, Sample, Table, mask_bits, read_table};
use photosite_file::{keyword, open_image, probe};
use photosite_pix::{Card, Header, MaskBits};

use crate::defects::{Cluster, DefectMap, Line, MAP_SCHEMA, Seen, Unsteady};
use crate::header::DEFECT_MAP;
use crate::product::write::{room_for, whole};
use crate::provenance::{ContentHash, Provenance, key_of};
use crate::{Error, Result};

/// A map that was read.
#[derive(Debug, Clone)]
pub struct LoadedMap {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// The map.
    pub map: DefectMap,
    /// Its header.
    pub header: Header,
}

/// Writes a map whole, in place of an outdated one: mask bits (16-bit whole numbers) as the image, SCORE (the
/// sigmas that a pixel stands off, without sign), tables PIXELS, LINES, CLUSTERS, TELEGRAPH, FACTS,
/// PROVENANCE.
///
/// # Errors
/// When a file that Photosite did not make stands there, or the operating system refuses.
pub fn write_defect_map(
    map: &DefectMap,
    mut header: Header,
    provenance: &Provenance,
    path: &Path,
) -> Result<()> {
    room_for(path, provenance).map_err(Error::of_product)?;
    header.set(Card::string("IMAGETYP", DEFECT_MAP, "kind of file"));
    header.set(Card::string("PSDSCHEM", MAP_SCHEMA, "schema of the tables"));
    let facts = &map.facts;
    if let Some(last) = &facts.last {
        header.set(Card::string("DATE-OBS", last, "start of the last frame, UTC"));
    }
    header.push_comment("Each pixel is a sum of bits; 0 means good.");
    for (name, bit) in MaskBits::all().iter_names() {
        let more = if bit == MaskBits::SUSPECT { " (here: its response bends)" } else { "" };
        header.push_comment(&format!("{:>5} {name}{more}", bit.bits()));
    }
    let counts = map.counts();
    let steps = [format!(
        "{} pixels of {} darks, {} flats, {} biases: {} hot, {} warm, {} cold, {} unstable",
        counts.pixels,
        facts.darks,
        facts.flats,
        facts.biases,
        counts.hot,
        counts.warm,
        counts.cold,
        counts.unstable
    )];
    provenance.write_history(&mut header, &steps);
    let spec = |name: Option<&str>, sample, header| ImageSpec {
        name: name.map(str::to_owned),
        size: map.size,
        planes: 1,
        sample,
        header,
    };
    let mut scores = Header::new();
    scores.push_comment("Sigmas that a pixel stands off its surroundings, rounded, without sign.");
    let specs = vec![
        spec(None, Sample::Mask, header),
        spec(Some("SCORE"), Sample::U16 { pedestal_adu: 0.0 }, scores),
    ];
    let tables = vec![
        pixels(map),
        lines(map),
        clusters(map),
        telegraph(map),
        told(map)?,
        provenance.table(),
    ];
    let refused = |e: photosite_file::Error| Error::from(e).of_product();
    let writer = FitsWriter::create(path, specs, tables, Existing::Replace).map_err(refused)?;
    let mut rest = &map.seen[..];
    for y in 0..map.size.height {
        let (here, beyond) = rest.split_at(rest.partition_point(|s| s.y <= y));
        rest = beyond;
        let mut bits = vec![MaskBits::empty(); map.size.width];
        let mut score = vec![0.0f32; map.size.width];
        for s in here {
            bits[s.x] = s.bits;
            score[s.x] = s.score.abs().min(65_535.0);
        }
        writer.write_mask_rows(0, 0, y, &bits).map_err(refused)?;
        writer.write_rows(1, 0, y, &score).map_err(refused)?;
    }
    writer.finish().map_err(refused).map(drop)
}

fn table(name: &str, columns: Vec<(&str, Column)>) -> Table {
    let columns = columns.into_iter().map(|(n, c)| (n.to_owned(), c)).collect();
    Table { name: name.to_owned(), columns }
}

fn whole_numbers<T>(of: &[T], f: impl Fn(&T) -> usize) -> Column {
    Column::Integer(of.iter().map(|v| f(v) as i64).collect())
}

fn pixels(map: &DefectMap) -> Table {
    let s = &map.seen;
    let real = |f: &dyn Fn(&Seen) -> f64| Column::Real(s.iter().map(f).collect());
    let mut columns = vec![
        ("X", whole_numbers(s, |s| s.x)),
        ("Y", whole_numbers(s, |s| s.y)),
        ("BITS", whole_numbers(s, |s| usize::from(s.bits.bits()))),
        ("SIGMAS", real(&|s| f64::from(s.score))),
        ("SHARE", real(&|s| f64::from(s.share))),
        ("EXCESS", real(&|s| f64::from(s.excess))),
    ];
    let rate = real(&|s| map.rate(s).unwrap_or(f64::NAN));
    columns.push((if map.rate_unit() == "e-/s" { "RATE_E_S" } else { "RATE_ADU_S" }, rate));
    table("PIXELS", columns)
}

fn lines(map: &DefectMap) -> Table {
    let l = &map.lines;
    let kind = |l: &Line| if l.is_row { "row" } else { "column" }.to_owned();
    table(
        "LINES",
        vec![
            ("KIND", Column::Text(l.iter().map(kind).collect())),
            ("AT", whole_numbers(l, |l| l.at)),
            ("FROM", whole_numbers(l, |l| l.from)),
            ("TO", whole_numbers(l, |l| l.to)),
            ("SEEN", whole_numbers(l, |l| l.seen)),
            ("BITS", whole_numbers(l, |l| usize::from(l.bits.bits()))),
        ],
    )
}

fn clusters(map: &DefectMap) -> Table {
    let c = &map.clusters;
    table(
        "CLUSTERS",
        vec![
            ("X0", whole_numbers(c, |c| c.x0)),
            ("Y0", whole_numbers(c, |c| c.y0)),
            ("WIDTH", whole_numbers(c, |c| c.width)),
            ("HEIGHT", whole_numbers(c, |c| c.height)),
            ("PIXELS", whole_numbers(c, |c| c.pixels)),
            ("BITS", whole_numbers(c, |c| usize::from(c.bits.bits()))),
            ("WORST", Column::Real(c.iter().map(|c| f64::from(c.worst)).collect())),
        ],
    )
}

/// Up to three levels of each pixel; NaN where there are fewer.
fn telegraph(map: &DefectMap) -> Table {
    let u: Vec<&Unsteady> = map.unsteady.iter().collect();
    let level = |i: usize, share: bool| {
        let of = |u: &&Unsteady| {
            u.levels.get(i).map_or(f64::NAN, |l| if share { l.share } else { l.adu })
        };
        Column::Real(u.iter().map(of).collect())
    };
    table(
        "TELEGRAPH",
        vec![
            ("X", whole_numbers(&u, |u| u.x)),
            ("Y", whole_numbers(&u, |u| u.y)),
            ("SIGMAS", Column::Real(u.iter().map(|u| f64::from(u.score)).collect())),
            ("SHARE", Column::Real(u.iter().map(|u| f64::from(u.share)).collect())),
            ("LEVEL1", level(0, false)),
            ("LEVEL2", level(1, false)),
            ("LEVEL3", level(2, false)),
            ("TIME1", level(0, true)),
            ("TIME2", level(1, true)),
            ("TIME3", level(2, true)),
        ],
    )
}

fn told(map: &DefectMap) -> Result<Table> {
    let json = serde_json::to_string(&map.facts)
        .map_err(|e| Error::bug(format!("a map could not be written as JSON: {e}")))?;
    Ok(table("FACTS", vec![("JSON", Column::Text(vec![json]))]))
}

/// Reads a map, or a mask that another program wrote as an image: what is not 0 is defective.
///
/// # Errors
/// When the file cannot be read, is no mask, or is damaged.
pub fn read_defect_map(path: &Path) -> Result<LoadedMap> {
    let probe = probe(path)?;
    let ours = probe.header.get_text("IMAGETYP").as_deref() == Some(DEFECT_MAP)
        && key_of(&probe.header).is_some();
    if !ours {
        return Err(Error::unsupported(format!(
            "{} is no defect map: photosite defects build makes one, defects import reads those of other \
             programs",
            path.display()
        )));
    }
    whole(path)?;
    let hash = ContentHash::of_file(path)?;
    let damaged = |why: &str| -> Error {
        photosite_file::Error::damaged(path, format!("as a defect map: {why}")).into()
    };
    let size = probe.size;
    let source = open_image(path, probe.image)?;
    let mut marked: Vec<(usize, usize, MaskBits)> = Vec::new();
    let (mut row, mut scratch) = (vec![0.0f32; size.width], Vec::new());
    for y in 0..size.height {
        source.read_rows(0, y..y + 1, &mut scratch, &mut row)?;
        for (x, v) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            marked.push((x, y, mask_bits(*v).ok_or_else(|| damaged("a sample is no mask"))?));
        }
    }
    let named = |name: &str| -> Result<Table> {
        read_table(path, name)?.ok_or_else(|| damaged(&format!("table {name} is not there")))
    };
    let facts = match named("FACTS")?.column("JSON") {
        Some(Column::Text(cells)) if cells.len() == 1 => {
            serde_json::from_str(&cells[0]).map_err(|e| damaged(&format!("table FACTS: {e}")))?
        }
        _ => return Err(damaged("table FACTS has no column JSON of one row")),
    };
    let pixels = named("PIXELS")?;
    let (x, y) = (integers(&pixels, "X"), integers(&pixels, "Y"));
    let real = |name: &str| reals(&pixels, name);
    let (score, share, excess) = (real("SIGMAS"), real("SHARE"), real("EXCESS"));
    let mut about = std::collections::BTreeMap::new();
    for i in 0..x.len().min(y.len()) {
        let of = |v: &[f64]| v.get(i).copied().unwrap_or(f64::NAN) as f32;
        about.insert((y[i], x[i]), (of(&score), of(&share), of(&excess)));
    }
    let seen = marked
        .into_iter()
        .map(|(x, y, bits)| {
            let known = about.get(&(y as i64, x as i64)).copied();
            let (score, share, excess) = known.unwrap_or((0.0, 0.0, f32::NAN));
            Seen { x, y, bits, score, share, excess }
        })
        .collect();
    let unsteady = read_telegraph(&named("TELEGRAPH")?);
    let cfa = keyword::read(&probe.header).metadata.cfa;
    let (lines, clusters) = (read_lines(&named("LINES")?), read_clusters(&named("CLUSTERS")?));
    let map = DefectMap { size, cfa, seen, lines, clusters, unsteady, facts };
    if let Some(share) = map.too_many() {
        return Err(Error::unsupported(format!(
            "{}: {:.0} % of the pixels are defects in this map, and no light would be left; build one of darks and \
             flats, or go without (--defects none)",
            path.display(),
            100.0 * share
        )));
    }
    Ok(LoadedMap { path: path.to_owned(), hash, map, header: probe.header })
}

fn integers(table: &Table, name: &str) -> Vec<i64> {
    match table.column(name) {
        Some(Column::Integer(v)) => v.clone(),
        _ => Vec::new(),
    }
}

fn reals(table: &Table, name: &str) -> Vec<f64> {
    match table.column(name) {
        Some(Column::Real(v)) => v.clone(),
        _ => Vec::new(),
    }
}

fn read_lines(table: &Table) -> Vec<Line> {
    let kinds = match table.column("KIND") {
        Some(Column::Text(v)) => &v[..],
        _ => &[],
    };
    let columns = ["AT", "FROM", "TO", "SEEN", "BITS"].map(|n| integers(table, n));
    let at = |c: usize, i: usize| columns[c].get(i).copied().unwrap_or(0).max(0) as usize;
    let line = |(i, kind): (usize, &String)| Line {
        is_row: kind == "row",
        at: at(0, i),
        from: at(1, i),
        to: at(2, i),
        seen: at(3, i),
        bits: MaskBits::from_bits_retain(at(4, i) as u16),
    };
    kinds.iter().enumerate().map(line).collect()
}

fn read_clusters(table: &Table) -> Vec<Cluster> {
    let columns = ["X0", "Y0", "WIDTH", "HEIGHT", "PIXELS", "BITS"].map(|n| integers(table, n));
    let worst = reals(table, "WORST");
    let at = |c: usize, i: usize| columns[c].get(i).copied().unwrap_or(0).max(0) as usize;
    let cluster = |i: usize| Cluster {
        x0: at(0, i),
        y0: at(1, i),
        width: at(2, i),
        height: at(3, i),
        pixels: at(4, i),
        bits: MaskBits::from_bits_retain(at(5, i) as u16),
        worst: worst.get(i).map_or(0.0, |v| *v as f32),
    };
    (0..columns[0].len()).map(cluster).collect()
}

fn read_telegraph(table: &Table) -> Vec<Unsteady> {
    let (x, y) = (integers(table, "X"), integers(table, "Y"));
    let (score, share) = (reals(table, "SIGMAS"), reals(table, "SHARE"));
    let levels = ["LEVEL1", "LEVEL2", "LEVEL3"].map(|n| reals(table, n));
    let times = ["TIME1", "TIME2", "TIME3"].map(|n| reals(table, n));
    (0..x.len().min(y.len()))
        .map(|i| {
            let at = |v: &[f64]| v.get(i).copied().unwrap_or(f64::NAN);
            let told = levels.iter().zip(&times).map(|(l, t)| (at(l), at(t)));
            Unsteady {
                x: x[i].max(0) as usize,
                y: y[i].max(0) as usize,
                score: at(&score) as f32,
                share: at(&share) as f32,
                levels: told
                    .filter(|(adu, _)| adu.is_finite())
                    .map(|(adu, share)| crate::defects::Level { adu, share })
                    .collect(),
            }
        })
        .collect()
}

/// Months (of 30.44 days) between the last frames of two maps, where both dates are known.
pub fn months_between(old: &DefectMap, new: &DefectMap) -> Option<f64> {
    let day = |map: &DefectMap| crate::header::days(map.facts.last.as_deref()?);
    Some((day(new)? - day(old)?) / 30.44)
}
