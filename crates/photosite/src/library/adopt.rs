//! Masters, ours and other programs': what is known of them by header and name.

use std::path::Path;

use photosite_file::{Probe, keyword};
use photosite_pix::{FrameKind, Header, Metadata};

use super::Traits;
use crate::finding::{Finding, Severity};
use crate::header::Relaid;
use crate::inventory::MasterName;
use crate::product::{FREED_BY_UNIT, LightsUnit, freed_by_unit, samples_per_adu};
use crate::provenance::key_of;

/// The header keyword of a converted copy of another program's master.
pub const ADOPTED_KEYWORD: &str = "PSADOPT";

/// The code of the finding that nothing says whether a master holds its bias.
pub const CONTENT_ASSUMED: &str = "master-content-assumed";

/// A master that can be used.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// What it is.
    pub kind: FrameKind,
    /// What matching looks at.
    pub traits: Traits,
    /// How many frames it was made of; 1 where nobody says.
    pub frames: usize,
    /// The program that made it.
    pub software: Option<String>,
    /// Its header.
    pub header: Header,
    /// What is doubtful about it.
    pub findings: Vec<Finding>,
    /// How it is laid beside the lights, where that is not as its header says or they do.
    pub relaid: Option<Relaid>,
    /// What its samples are to be divided by to be ADU, where they are electrons or count a second.
    pub per_adu: Option<f64>,
}

impl Adopted {
    /// Photosite made it, so what it holds is known.
    pub fn is_ours(&self) -> bool {
        key_of(&self.header).is_some()
    }

    /// The same beside lights of this unit: electrons are to be divided by the lights' gain, or by the master's own, and
    /// what counts a second is to be multiplied by its exposure.
    ///
    /// # Errors
    /// A Finding where gain or exposure are not known.
    pub fn in_adu(mut self, path: &Path, beside: LightsUnit) -> Result<Self, Box<Finding>> {
        if self.is_ours() {
            return Ok(self);
        }
        match samples_per_adu(&self.header, &keyword::read(&self.header).metadata, beside) {
            Ok(per_adu) => self.per_adu = per_adu,
            // The response of pixels has no unit.
            Err(_) if self.kind == FrameKind::Flat => {}
            Err((why, hint)) => {
                let subject = path.display().to_string();
                let finding = Finding::new("master-in-electrons", Severity::Error, subject, why);
                return Err(Box::new(finding.hint(hint)));
            }
        }
        Ok(self)
    }

    /// The same laid beside the lights.
    #[must_use]
    pub fn laid(mut self, relaid: Option<Relaid>) -> Self {
        if let Some(relaid) = relaid {
            let array = relaid.write(&mut self.header);
            self.traits.cfa = array.or(self.traits.cfa);
            self.traits.row_order = relaid.order;
        }
        Self { relaid, ..self }
    }
}

/// Adopts the file at `path` where it is a master; `None` where it is not one.
///
/// A file is a master where its header says so, where it is a calibration frame combined of
/// several, or where its name begins or ends as those of PixInsight, ASIAIR, DeepSkyStacker, ASTAP
/// and Siril do; and where it is called one of a kind `by_hand`. What the header does not tell is read from
/// the name; what neither tells stays unknown.
///
/// # Errors
/// A Finding where it is a master that cannot be used.
pub fn adopt(
    path: &Path,
    probe: &Probe,
    by_hand: Option<FrameKind>,
) -> Option<Result<Adopted, Finding>> {
    let metadata = keyword::read(&probe.header).metadata;
    let name = MasterName::of(path);
    let ours = key_of(&probe.header).is_some();
    let combined = metadata.combined_count.is_some_and(|n| n > 1);
    let said = metadata.is_master || combined || (name.is_master && !ours);
    if !said && by_hand.is_none() {
        return None;
    }
    let kind = metadata.kind.filter(|_| ours || name.kind.is_none()).or(name.kind);
    let kind = by_hand.or(kind);
    let kind = kind.filter(|k| *k != FrameKind::Light)?;
    let subject = path.display().to_string();
    if probe.planes != 1 {
        return Some(Err(Finding::new(
            "master-not-one-plane",
            Severity::Error,
            subject,
            format!(
                "this master has {} planes; a master on the sensor's own grid has one",
                probe.planes
            ),
        )
        .hint("Make it from raw frames that were not debayered.")));
    }
    let mut findings = Vec::new();
    let filled = name.fill(metadata);
    if !filled.1.is_empty() {
        findings.push(
            Finding::new(
                "master-by-name",
                Severity::Info,
                &subject,
                format!(
                    "the header does not give {}; it is taken from the file name",
                    filled.1.join(", ")
                ),
            )
            .with("fields", filled.1.clone()),
        );
    }
    let metadata = filled.0;
    let mut traits = Traits::of(&metadata, probe.size);
    if freed_by_unit(kind, &probe.header, traits.bias_removed) {
        traits.bias_removed = true;
        findings.push(
            Finding::new(CONTENT_ASSUMED, Severity::Warning, &subject, FREED_BY_UNIT)
                .hint("If its bias is in it, make it again in ADU."),
        );
    }
    let assumed = match kind {
        FrameKind::Dark => Some(("dark; it is assumed to include bias", "If bias was subtracted")),
        FrameKind::Flat => Some((
            "flat; it is assumed that it was, unless lights show that it was not",
            "If it was",
        )),
        _ => None,
    };
    if let Some((what, when)) = assumed.filter(|_| !ours && !traits.bias_removed) {
        let message = format!("nothing says whether bias was subtracted from this {what}");
        findings.push(
            Finding::new(CONTENT_ASSUMED, Severity::Info, &subject, message)
                .hint(format!("{when}, set BIASSUB = T in its header.")),
        );
    }
    let frames = metadata.combined_count.map_or(1, |n| n as usize);
    let adopted = probe.header.get(ADOPTED_KEYWORD).is_some();
    let software =
        if ours && !adopted { Some("Photosite".to_owned()) } else { program(&metadata, &name) };
    let header = probe.header.clone();
    Some(Ok(Adopted {
        kind,
        traits,
        frames,
        software,
        header,
        findings,
        relaid: None,
        per_adu: None,
    }))
}

/// The program that made a master, by its header or the manner of its name.
fn program(metadata: &Metadata, name: &MasterName) -> Option<String> {
    metadata.software.clone().or_else(|| name.program.map(str::to_owned))
}
