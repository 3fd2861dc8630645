//! The file of a dark model: planes as named extensions, laws as a table.

use std::path::Path;

use photosite_file::atomic::Existing;
use photosite_file::fits::{Column, FitsWriter, ImageSpec, Sample, Table, mask_bits, read_table};
use photosite_file::{Source, keyword, open_image, probe};
use photosite_pix::{Card, Header, MaskBits, Plane, Size};
use serde::{Deserialize, Serialize};

use super::model::{DarkModel, Doubt, MODEL_SCHEMA};
use crate::calibrate::dark::model::{
    GlowLaw, GlowMap, Grid, HeldOut, Known, Laws, LevelLaw, Measured, Planes, Term,
};
use crate::header::{DARK_MODEL, round};
use crate::product::write::{room_for, whole};
use crate::provenance::{self, key_of};
use crate::{Error, Result};

/// The table of a model's laws.
const TABLE: &str = "MODEL";

/// Extensions of the sensor's size, the first the primary.
const PLANES: [(&str, &str, &str); 6] = [
    ("", "adu", "a dark without exposure"),
    ("BIASERR", "adu", "one standard deviation"),
    ("RATE", "adu/s", "dark current at the reference temperature"),
    ("RATEERR", "adu/s", "one standard deviation"),
    ("COVAR", "", "correlation of the errors of bias and rate"),
    ("R2", "", "share of the differences between masters that is explained"),
];

/// Rows written at a time.
const STRIP: usize = 256;

/// What the table of a model holds, as JSON.
#[derive(Serialize, Deserialize)]
struct Facts {
    schema: String,
    terms: Vec<Term>,
    variance: Vec<f64>,
    ref_temp_c: f64,
    doubling_c: Option<Measured>,
    longest_s: f64,
    glow: Option<GlowLaw>,
    side: usize,
    step: usize,
    level: LevelLaw,
    held_out: Vec<HeldOut>,
    saturation_adu: Option<f64>,
    #[serde(default)]
    doubts: Vec<Doubt>,
}

impl DarkModel {
    /// Puts the model's main numbers into its header.
    pub(super) fn describe(&mut self) {
        let laws = &self.known.laws;
        let h = &mut self.header;
        h.set(Card::string("PSMSCHEM", MODEL_SCHEMA, "schema of table MODEL"));
        h.set(Card::real("PSMREFT", laws.ref_temp_c, "[C] temperature of RATE"));
        if let Some(Measured { value, error }) = laws.doubling_c {
            h.set(Card::real("PSMDBL", round(value), "[C] degrees that double dark current"));
            h.set(Card::real("PSMDBLE", round(error), "[C] its standard error"));
        }
        if let Some((law, _)) = &laws.glow {
            h.set(Card::real(
                "PSMGPOW",
                round(law.power.value),
                "glow grows with this power of time",
            ));
            h.set(Card::real("PSMGPOWE", round(law.power.error), "its standard error"));
            h.set(Card::real("PSMGTIME", laws.longest_s, "[s] exposure that GLOW is given for"));
            h.set(Card::integer("PSMGSIDE", law_side(laws), "[pix] side of a pixel of GLOW"));
        }
        h.set(Card::real("PSMLVERR", round(laws.level.error_adu), "[adu] error of levels"));
    }

    /// Writes the model whole, in place of an outdated one.
    ///
    /// # Errors
    /// When a file that Photosite did not make stands there, or the operating system refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        room_for(path, &self.provenance).map_err(Error::of_product)?;
        let planes = &self.planes;
        let size = planes.rate.size();
        let spec = |name: &str, size, sample, header| ImageSpec {
            name: (!name.is_empty()).then(|| name.to_owned()),
            size,
            planes: 1,
            sample,
            header,
        };
        let mut specs: Vec<ImageSpec> = (PLANES.iter().enumerate())
            .map(|(i, (name, unit, what))| {
                let mut header = if i == 0 { self.signed() } else { Header::new() };
                header.set(Card::string("BUNIT", unit, what));
                spec(name, size, Sample::F32, header)
            })
            .collect();
        specs.push(spec("DQ", size, Sample::Mask, Header::new()));
        let mut more: Vec<(Size, &[f32])> = Vec::new();
        if let Some(own) = &planes.doubling_c {
            specs.push(spec("DOUBLING", size, Sample::F32, Header::new()));
            more.push((size, own.as_slice()));
        }
        let glow = self.known.laws.glow.as_ref().map(|(_, map)| map);
        if let Some(map) = glow {
            let size = Size::new(map.grid.columns(), map.grid.rows());
            specs.push(spec("GLOW", size, Sample::F32, Header::new()));
            more.push((size, &map.blocks));
        }
        let tables = vec![self.table()?, self.provenance.table()];
        let refused = |e: photosite_file::Error| Error::from(e).of_product();
        let writer = FitsWriter::create(path, specs, tables, Existing::Replace).map_err(refused)?;
        let all: [&Plane<f32>; 6] = [
            &planes.bias,
            &planes.bias_error,
            &planes.rate,
            &planes.rate_error,
            &planes.correlation,
            &planes.r2,
        ];
        for y in (0..size.height).step_by(STRIP) {
            let end = (y + STRIP).min(size.height);
            for (hdu, plane) in all.iter().enumerate() {
                writer.write_rows(hdu, 0, y, plane.rows(y, end)).map_err(refused)?;
            }
            writer.write_mask_rows(all.len(), 0, y, planes.mask.rows(y, end)).map_err(refused)?;
        }
        for (i, (_, samples)) in more.iter().enumerate() {
            writer.write_rows(all.len() + 1 + i, 0, 0, samples).map_err(refused)?;
        }
        writer.finish().map_err(refused).map(drop)
    }

    /// The header with the account of what was done.
    fn signed(&self) -> Header {
        let mut header = self.header.clone();
        let darks = self.known.terms.iter().filter(|t| t.exposure_s > 0.0).count();
        let steps = [format!(
            "bias and rate of each pixel by weighted least squares over {darks} master darks and {} \
             biases, levels free",
            self.known.terms.len() - darks
        )];
        self.provenance.write_history(&mut header, &steps);
        header
    }

    fn table(&self) -> Result<Table> {
        let laws = &self.known.laws;
        let grid = laws.glow.as_ref().map(|(_, map)| map.grid);
        let facts = Facts {
            schema: MODEL_SCHEMA.to_owned(),
            terms: self.known.terms.clone(),
            variance: self.known.variance.clone(),
            ref_temp_c: laws.ref_temp_c,
            doubling_c: laws.doubling_c,
            longest_s: laws.longest_s,
            glow: laws.glow.as_ref().map(|(law, _)| *law),
            side: grid.map_or(0, |g| g.side),
            step: grid.map_or(0, |g| g.step),
            level: laws.level.clone(),
            held_out: self.held_out.clone(),
            saturation_adu: self.saturation_adu,
            doubts: self.doubts.clone(),
        };
        let json = serde_json::to_string(&facts)
            .map_err(|e| Error::bug(format!("a model could not be written as JSON: {e}")))?;
        let columns = vec![("JSON".to_owned(), Column::Text(vec![json]))];
        Ok(Table { name: TABLE.to_owned(), columns })
    }

    /// Reads a model that was written.
    ///
    /// # Errors
    /// When the file is no dark model of ours, is damaged or cut, or cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let probe = probe(path)?;
        let is_model = probe.header.get_text("IMAGETYP").as_deref() == Some(DARK_MODEL);
        if !is_model || key_of(&probe.header).is_none() {
            return Err(Error::unsupported(format!(
                "{} is no dark model: photosite dark-model build makes one",
                path.display()
            )));
        }
        whole(path)?;
        let damaged = |why: &str| -> Error {
            photosite_file::Error::damaged(path, format!("as a dark model: {why}")).into()
        };
        let provenance = provenance::read(path)?;
        let table = read_table(path, TABLE)?.ok_or_else(|| damaged("table MODEL is not there"))?;
        let json = match table.column("JSON") {
            Some(Column::Text(cells)) if cells.len() == 1 => &cells[0],
            _ => return Err(damaged("table MODEL has no column JSON of one row")),
        };
        let facts: Facts =
            serde_json::from_str(json).map_err(|e| damaged(&format!("table MODEL: {e}")))?;
        if facts.schema != MODEL_SCHEMA {
            return Err(damaged(&format!("its schema is {}, not {MODEL_SCHEMA}", facts.schema)));
        }
        let n = facts.terms.len();
        if facts.variance.len() != n || facts.level.departures_adu.len() != n {
            return Err(damaged("table MODEL: masters, variances and levels differ in number"));
        }
        let size = probe.size;
        let unit = |name: &str| probe.named(name).map(|h| h.index);
        let read = |name: &str, wanted: Size| -> Result<Plane<f32>> {
            let unit = match name {
                "" => probe.image,
                _ => {
                    unit(name).ok_or_else(|| damaged(&format!("extension {name} is not there")))?
                }
            };
            let source: Box<dyn Source> = open_image(path, unit)?;
            if source.size() != wanted || source.planes() != 1 {
                return Err(damaged(&format!(
                    "extension {name} is {}, not {wanted}",
                    source.size()
                )));
            }
            let mut samples = vec![0.0f32; wanted.pixels()];
            source.read_rows(0, 0..wanted.height, &mut Vec::new(), &mut samples)?;
            Plane::from_vec(wanted, samples).ok_or_else(|| damaged("a plane of another size"))
        };
        let [bias, bias_error, rate, rate_error, correlation, r2] =
            PLANES.map(|(name, ..)| read(name, size));
        let mask = read("DQ", size)?;
        let mask =
            mask.as_slice().iter().map(|v| mask_bits(*v).unwrap_or(MaskBits::NO_DATA)).collect();
        let glow = match facts.glow {
            None => None,
            Some(law) => {
                if facts.side == 0 || facts.step == 0 {
                    return Err(damaged("table MODEL: the glow has blocks of no size"));
                }
                let grid = Grid { size, side: facts.side, step: facts.step };
                let blocks = read("GLOW", Size::new(grid.columns(), grid.rows()))?;
                Some((law, GlowMap { grid, blocks: blocks.into_vec() }))
            }
        };
        let planes = Planes {
            bias: bias?,
            bias_error: bias_error?,
            rate: rate?,
            rate_error: rate_error?,
            correlation: correlation?,
            r2: r2?,
            doubling_c: unit("DOUBLING").map(|_| read("DOUBLING", size)).transpose()?,
            mask: Plane::from_vec(size, mask).ok_or_else(|| damaged("a mask of another size"))?,
        };
        let laws = Laws {
            ref_temp_c: facts.ref_temp_c,
            doubling_c: facts.doubling_c,
            longest_s: facts.longest_s,
            glow,
            level: facts.level,
        };
        Ok(Self {
            known: Known { terms: facts.terms, variance: facts.variance, laws },
            planes,
            held_out: facts.held_out,
            doubts: facts.doubts,
            saturation_adu: facts.saturation_adu,
            cfa: keyword::read(&probe.header).metadata.cfa,
            header: probe.header,
            provenance,
        })
    }
}

fn law_side(laws: &Laws) -> i64 {
    laws.glow.as_ref().map_or(0, |(_, map)| map.grid.side as i64)
}
