//! Files that say how a sensor's response bends.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use photosite_file::fits::{Column, read_table};
use photosite_pix::linearity::{Curve, curve_for};
use photosite_pix::{CfaColor, CfaPattern, MaskBits};
use serde::{Deserialize, Serialize};

use super::parts::Parts;
use crate::{Error, Result};

/// The schema of a file of curves.
pub const LINEARITY_SCHEMA: &str = "photosite.linearity/1";

/// What straightens the samples of a sensor, as a file says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linearity {
    /// [`LINEARITY_SCHEMA`].
    pub schema: String,
    /// The camera, as its headers name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// The curves, for all pixels or for colours and amplifiers.
    #[serde(rename = "curve")]
    pub curves: Vec<Curve>,
}

/// The largest file that is read, in bytes: thousands of curves.
const LARGEST: u64 = 1 << 20;

impl Linearity {
    /// These curves of a camera.
    pub fn new(camera: Option<String>, curves: Vec<Curve>) -> Self {
        Self { schema: LINEARITY_SCHEMA.to_owned(), camera, curves }
    }

    /// Reads a file of curves.
    ///
    /// # Errors
    /// When it cannot be read, or its curves are not fit for use.
    pub fn read(path: &Path) -> Result<Self> {
        if photosite_file::is_image(path).is_ok_and(|image| image) {
            return Self::read_table(path);
        }
        let refused = |e| Error::io(path, "cannot be read", e);
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(refused)?;
        file.take(LARGEST).read_to_string(&mut text).map_err(refused)?;
        let unfit = |why: String| Error::parameters(format!("{}: {why}", path.display()));
        let read: Self =
            toml::from_str(&text).map_err(|e| unfit(format!("no file of linearity: {e}")))?;
        if read.schema != LINEARITY_SCHEMA {
            let message = format!("its schema is {:?}, not {LINEARITY_SCHEMA:?}", read.schema);
            return Err(unfit(message));
        }
        let curves: std::result::Result<Vec<Curve>, String> =
            read.curves.into_iter().map(Curve::checked).collect();
        let curves = curves.map_err(unfit)?;
        if curves.is_empty() {
            return Err(unfit("it holds no curve".to_owned()));
        }
        Ok(Self { curves, ..read })
    }

    /// Whether a curve is for a pixel of this array that is read through one of so many outputs.
    pub fn fits(&self, cfa: Option<CfaPattern>, outputs: usize) -> bool {
        let mut colours = CfaColor::ALL.into_iter().map(Some).filter(|_| cfa.is_some());
        let of =
            |colour| (0..outputs).any(|output| curve_for(&self.curves, colour, output).is_some());
        if cfa.is_some() { colours.any(of) } else { of(None) }
    }

    /// Reads the table LINEARITY of a FITS file: the columns MEASURED and TRUE in ADU above the bias, and where
    /// curves are of a colour or an output, CHANNEL (red, green, blue) and AMPLIFIER (counted from 1).
    ///
    /// # Errors
    /// When there is no such table, or its curves are not fit for use.
    fn read_table(path: &Path) -> Result<Self> {
        let unfit = |why: &str| Error::parameters(format!("{}: {why}", path.display()));
        let table = read_table(path, "LINEARITY")?.ok_or_else(|| {
            unfit("a FITS file of linearity has a table LINEARITY, with the columns MEASURED and TRUE in ADU")
        })?;
        let column = |name: &str| table.columns.iter().find(|(n, _)| n == name).map(|(_, c)| c);
        let numbers = |name: &str| match column(name) {
            Some(Column::Real(v)) => Some(v.clone()),
            Some(Column::Integer(v)) => Some(v.iter().map(|v| *v as f64).collect()),
            _ => None,
        };
        let (measured, truth) = numbers("MEASURED")
            .zip(numbers("TRUE"))
            .ok_or_else(|| unfit("its table LINEARITY lacks the numbers MEASURED or TRUE"))?;
        let channels = match column("CHANNEL") {
            Some(Column::Text(names)) => names.clone(),
            _ => vec![String::new(); measured.len()],
        };
        let amplifiers = numbers("AMPLIFIER").unwrap_or_else(|| vec![0.0; measured.len()]);
        let mut parts: BTreeMap<(String, usize), (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for (i, (m, t)) in measured.iter().zip(&truth).enumerate() {
            let key = (channels[i].trim().to_lowercase(), amplifiers[i].max(0.0) as usize);
            let part = parts.entry(key).or_default();
            part.0.push(*m);
            part.1.push(*t);
        }
        let curve = |((channel, amplifier), (measured, truth)): (_, (Vec<f64>, Vec<f64>))| {
            let channel: String = channel;
            let colour = match channel.as_str() {
                "" => None,
                "red" => Some(CfaColor::Red),
                "green" => Some(CfaColor::Green),
                "blue" => Some(CfaColor::Blue),
                other => return Err(unfit(&format!("{other:?} is no channel: red, green, blue"))),
            };
            let limit = measured.last().copied();
            let curve = Curve::table(&measured, &truth, limit).ok_or_else(|| {
                unfit("its curves must rise, from below to above, and correct by less than a factor of two")
            })?;
            Ok(curve.of(colour, Some(amplifier).filter(|a| *a > 0)))
        };
        let curves: Vec<Curve> = parts.into_iter().map(curve).collect::<Result<_>>()?;
        match curves.is_empty() {
            true => Err(unfit("its table LINEARITY is empty")),
            false => Ok(Self::new(None, curves)),
        }
    }

    /// The file as text.
    ///
    /// # Errors
    /// Never for curves that were made here or read.
    pub fn text(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::bug(format!("curves that are no TOML: {e}")))
    }

    /// Straightens samples of row `y`, the first of which is in column `x0`, about a `zero` level; `seen` is
    /// told, by place among the samples, the slope there and whether the sample lies beyond what was
    /// measured. A colour or amplifier without a curve stays as it is.
    pub fn straighten(
        &self,
        (x0, y): (usize, usize),
        (cfa, parts): (Option<CfaPattern>, Option<&Parts>),
        samples: &mut [f32],
        zero: impl Fn(usize) -> f32,
        mut seen: impl FnMut(usize, f32, bool),
    ) {
        let columns = x0..x0 + samples.len();
        let whole = [(0, 0..columns.end)];
        let in_row: Vec<(usize, Range<usize>)> = match parts {
            Some(parts) => parts.amplifiers_in_row(y).collect(),
            None => whole.to_vec(),
        };
        let period = cfa.map_or(1, CfaPattern::period);
        for (amplifier, of) in in_row {
            let (from, to) = (of.start.max(columns.start), of.end.min(columns.end));
            for phase in 0..period.min(to.saturating_sub(from)) {
                let colour = cfa.map(|c| c.color(from + phase, y));
                let Some(curve) = curve_for(&self.curves, colour, amplifier) else { continue };
                for x in (from + phase..to).step_by(period) {
                    let i = x - x0;
                    let level = zero(i);
                    let above = samples[i] - level;
                    seen(i, curve.slope(above), curve.is_beyond(above));
                    samples[i] = level + curve.straight(above);
                }
            }
        }
    }
}

/// The mask of a sample beyond what was measured.
pub const BEYOND: MaskBits = MaskBits::SUSPECT;
