//! Which way up masters of other programs lie beside the lights: as raw frames do, by their pixels, else by
//! what headers say, else as the masters of the same program that tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::changed;
use photosite_file::keyword::adu_per_sample;
use photosite_pix::{CfaPattern, FrameKind, Header, Rect, RowOrder, Size};

use super::examined::order_name;
use crate::evidence::{Fixed, Glance, LOOKED_AT, RowsVerdict};
use crate::finding::Severity;
use crate::header::Relaid;
use crate::inventory::Frame;
use crate::library::{Adopted, same_camera};
use crate::open::{UNIT_ADU, in_adu, open_stored, turned_over};
use crate::raw::{RawFrame, runs_from_zero_to_one};
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// The level to which a flat is brought for a look, in ADU: its noise is then above the steps of a converter.
const FLAT_ADU: f64 = 20_000.0;

/// How a master is laid, and what is told of it; nothing where it lies as the lights do by all that is known.
pub(super) type Lie = (Option<Relaid>, Option<Finding>);

/// A light that masters are held against.
pub(super) struct LightSeen<'a> {
    path: &'a Path,
    active: Rect,
    turned: bool,
    order: Option<RowOrder>,
    array: Option<CfaPattern>,
    camera: Option<&'a str>,
    header: &'a Header,
}

impl<'a> From<&'a Frame> for LightSeen<'a> {
    fn from(frame: &'a Frame) -> Self {
        let Frame { path, detector, turned, metadata, header, .. } = frame;
        let (active, camera) = (detector.active, metadata.camera.as_deref());
        let (order, array) = (metadata.row_order, metadata.cfa);
        Self { path, active, turned: *turned, order, array, camera, header }
    }
}

impl<'a> From<&'a RawFrame> for LightSeen<'a> {
    fn from(frame: &'a RawFrame) -> Self {
        let RawFrame { path, turned, metadata, header, .. } = frame;
        let (active, camera) = (frame.region(), metadata.camera.as_deref());
        let (order, array) = (metadata.row_order, metadata.cfa);
        Self { path, active, turned: *turned, order, array, camera, header }
    }
}

impl LightSeen<'_> {
    fn glance(&self) -> Result<Glance> {
        let adu = match runs_from_zero_to_one(self.path, self.header)? {
            true => UNIT_ADU,
            false => adu_per_sample(self.header).unwrap_or(1.0),
        };
        let source = in_adu(open_stored(self.path)?, adu);
        let source = if self.turned { turned_over(source) } else { source };
        Glance::of(&*source, self.active)
    }
}

/// A master that is held against lights.
pub(super) struct MasterSeen<'a> {
    /// Its file.
    pub path: &'a Path,
    /// What it is used as.
    pub kind: FrameKind,
    /// Its width and height.
    pub size: Size,
    /// How its rows run by its header.
    pub order: Option<RowOrder>,
    /// Its camera.
    pub camera: Option<&'a str>,
    /// The program that made it.
    pub software: Option<&'a str>,
}

impl MasterSeen<'_> {
    fn glance(&self) -> Result<Glance> {
        let whole = Rect::new(0, 0, self.size.width, self.size.height);
        let seen = Glance::of(&*open_stored(self.path)?, whole)?;
        let factor = match self.kind {
            FrameKind::Flat => FLAT_ADU / seen.median_adu,
            _ if seen.highest_adu <= 1.0 => UNIT_ADU,
            _ => return Ok(seen),
        };
        let scale = move |_, out: &mut [f32]| out.iter_mut().for_each(|v| *v *= factor as f32);
        Glance::of(&*changed(open_stored(self.path)?, scale), whole)
    }

    /// Whether one program is likely to have written both.
    fn is_of_one_program(&self, other: &Self) -> bool {
        let way = |m: &Self| {
            (m.order, m.software.map(str::to_owned), m.path.extension().map(<_>::to_owned))
        };
        way(self) == way(other)
    }
}

/// How the masters of other programs among the frames of a night lie.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn lie_of_masters(
    frames: &[Frame],
    masters: &[(PathBuf, Adopted)],
    context: &Context<'_>,
) -> Result<Vec<Lie>> {
    let lights = frames.iter().filter(|f| f.kind == FrameKind::Light);
    let lights: Vec<LightSeen<'_>> = lights.map(LightSeen::from).collect();
    let foreign = masters.iter().filter(|(_, m)| !m.is_ours());
    let seen = foreign.map(|(path, m)| MasterSeen {
        path,
        kind: m.kind,
        size: m.traits.size,
        order: m.traits.row_order,
        camera: m.traits.camera.as_deref(),
        software: m.software.as_deref(),
    });
    let mut found = lies(&lights, &seen.collect::<Vec<_>>(), context)?.into_iter();
    let lie = |(_, m): &(PathBuf, Adopted)| match m.is_ours() {
        true => (None, None),
        false => found.next().unwrap_or_default(),
    };
    Ok(masters.iter().map(lie).collect())
}

/// How masters of other programs lie beside lights.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn lies(
    lights: &[LightSeen<'_>],
    masters: &[MasterSeen<'_>],
    context: &Context<'_>,
) -> Result<Vec<Lie>> {
    // Lights of one master are mostly those of all.
    let mut glances: BTreeMap<Vec<usize>, Vec<Glance>> = BTreeMap::new();
    let mut of_masters: Vec<Option<(Glance, Vec<usize>)>> = Vec::with_capacity(masters.len());
    for master in masters {
        let is_its = |l: &LightSeen<'_>| {
            let cameras = l.camera.zip(master.camera);
            l.active.size() == master.size && cameras.is_none_or(|(a, b)| same_camera(a, b))
        };
        let of: Vec<usize> = (0..lights.len()).filter(|i| is_its(&lights[*i])).collect();
        if of.is_empty() {
            of_masters.push(None);
            continue;
        }
        if !glances.contains_key(&of) {
            let some = of.len().min(LOOKED_AT);
            let look = |k: usize| lights[of[k * of.len() / some]].glance();
            // One that cannot be read is found out later.
            let seen = on_each(some, context, look)?.into_iter().filter_map(Result::ok).collect();
            glances.insert(of.clone(), seen);
        }
        of_masters.push(master.glance().ok().map(|glance| (glance, of)));
    }
    let verdicts: Vec<RowsVerdict> = masters
        .iter()
        .zip(&of_masters)
        .map(|(master, seen)| {
            let Some((glance, of)) = seen else { return RowsVerdict::Unclear };
            let lights: Vec<&Glance> = glances.get(of).into_iter().flatten().collect();
            Fixed::of(&[glance], master.kind == FrameKind::Flat).lie(&lights)
        })
        .collect();
    let laid = masters.iter().zip(&of_masters).zip(&verdicts).map(|((master, seen), verdict)| {
        let Some((_, of)) = seen else { return (None, None) };
        let light = &lights[of[0]];
        let company = masters.iter().zip(&verdicts);
        let company = company.filter(|(m, _)| master.is_of_one_program(m)).map(|(_, v)| *v);
        let (turn, told) = decide(master, light.order, *verdict, &company.collect::<Vec<_>>());
        let relaid =
            Relaid { turn, order: light.order, array: light.array, height: master.size.height };
        (told.is_some().then_some(relaid), told)
    });
    Ok(laid.collect())
}

/// Whether a master is turned over, and what is told of that; `company` is what masters of its program show,
/// itself among them.
fn decide(
    master: &MasterSeen<'_>,
    wanted: Option<RowOrder>,
    verdict: RowsVerdict,
    company: &[RowsVerdict],
) -> (bool, Option<Finding>) {
    let labels = master.order.zip(wanted).filter(|(own, lights)| own != lights);
    let by_label = labels.map(|(own, lights)| {
        let [own, lights] = [own, lights].map(|order| order_name(Some(order)));
        format!("by ROWORDER its rows lie {own} and those of the lights {lights}")
    });
    let by = match master.kind {
        FrameKind::Flat => "the bright and dim pixels",
        _ => "the hot pixels and the fixed pattern",
    };
    let alike = company.contains(&RowsVerdict::Alike);
    let turned = company.contains(&RowsVerdict::TurnedOver);
    let (turn, severity, message) = match (by_label, verdict) {
        (Some(labels), RowsVerdict::Alike) => (
            false,
            Severity::Warning,
            format!("{labels}, but {by} stand at the same places in both: it is used as it is"),
        ),
        (Some(labels), RowsVerdict::Unclear) if alike && !turned => (
            false,
            Severity::Warning,
            format!(
                "{labels}, but masters of the same program lie as the lights do, whatever it says: it is used as it is"
            ),
        ),
        (Some(labels), RowsVerdict::TurnedOver) => {
            (true, Severity::Info, format!("{labels}, as {by} show: it is turned over"))
        }
        (Some(labels), RowsVerdict::Unclear) => {
            (true, Severity::Info, format!("{labels}: it is turned over"))
        }
        (None, RowsVerdict::TurnedOver) => (
            true,
            Severity::Warning,
            format!("{by} of the lights stand in it upside down: it is turned over"),
        ),
        (None, RowsVerdict::Unclear) if turned && !alike => (
            true,
            Severity::Warning,
            "masters of the same program lie upside down beside the lights, and its pixels and the lights' do not tell: \
             it is turned over with them"
                .to_owned(),
        ),
        (None, _) => return (false, None),
    };
    let finding = Finding::new("rows-turned", severity, master.path.display().to_string(), message)
        .hint("Save frames and masters with one order of rows.")
        .with("turned", turn);
    (turn, Some(finding))
}

#[cfg(test)]
mod tests {
    use RowsVerdict::{Alike, TurnedOver, Unclear};

    use super::*;

    #[test]
    fn pixels_decide_then_headers_then_company() {
        let (up, down) = (Some(RowOrder::TopDown), Some(RowOrder::BottomUp));
        for (own, lights, verdict, company, expected) in [
            (None, None, Unclear, [Unclear, Unclear], None),
            (None, up, Alike, [Alike, Unclear], None),
            (None, up, TurnedOver, [TurnedOver, Unclear], Some((true, Severity::Warning))),
            (None, None, Unclear, [TurnedOver, Unclear], Some((true, Severity::Warning))),
            (None, None, Unclear, [TurnedOver, Alike], None),
            (down, up, Unclear, [Unclear, Unclear], Some((true, Severity::Info))),
            (down, up, TurnedOver, [TurnedOver, Unclear], Some((true, Severity::Info))),
            (down, up, Alike, [Alike, Unclear], Some((false, Severity::Warning))),
            (down, up, Unclear, [Alike, Unclear], Some((false, Severity::Warning))),
            (down, None, Unclear, [Unclear, Unclear], None),
        ] {
            let master = MasterSeen {
                path: Path::new("m.xisf"),
                kind: FrameKind::Bias,
                size: Size::new(4, 4),
                order: own,
                camera: None,
                software: None,
            };
            let (turn, told) = decide(&master, lights, verdict, &company);
            let seen = told.map(|f| (turn, f.severity));
            assert_eq!(seen, expected, "{own:?} {lights:?} {verdict:?} {company:?}");
        }
    }
}
