//! What the library offers to choose from.

use std::path::PathBuf;

use photosite_pix::FrameKind;
use photosite_pix::unit::NoiseModel;

use super::rules::{Outcome, Tolerance, compare, rules};
use super::{
    Adopted, Aliases, Candidate, DarkCurrent, DarkPoint, Field, Level, Library, Life, Record,
    Traits,
};
use crate::Result;
use crate::finding::{Finding, Severity};
use crate::header::Relaid;
use crate::inventory::{Frame, KindOverrides, take};
use crate::provenance::FileMark;

/// A master, or raw frames of one batch that would make one.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// Its name in the library.
    pub id: String,
    /// What people know it by: its file, or how many frames there are.
    pub name: String,
    /// What it is.
    pub kind: FrameKind,
    /// It is a master.
    pub is_master: bool,
    /// How many frames it is made of, or would be.
    pub frames: usize,
    /// What matching looks at.
    pub traits: Traits,
    /// Its state: proposed, certified or retired.
    pub life: Life,
    /// Its file was there when the shelf was looked over.
    pub there: bool,
    /// The file of a master.
    pub path: Option<PathBuf>,
    /// The program that made it.
    pub software: Option<String>,
    /// The key of inputs and parameters, for masters of Photosite's.
    pub key: Option<String>,
    /// The level of a master's samples.
    pub level: Option<Level>,
    /// How far a flat's frames stood above the bias, in ADU.
    pub flat_level_adu: Option<f64>,
    /// How it is laid beside the lights of its night, where headers do not say it.
    pub relaid: Option<Relaid>,
    /// What its samples are to be divided by to be ADU, where they are electrons or count a second.
    pub per_adu: Option<f64>,
    /// The batch of raw frames.
    pub(super) batch: String,
}

impl Shelved {
    /// A master that lies among the frames of a night.
    pub fn of_night(record: Record, master: &Adopted) -> Self {
        let name = record.path.file_name().unwrap_or_default();
        Self {
            id: record.id(),
            name: name.to_string_lossy().into_owned(),
            kind: record.kind,
            is_master: true,
            frames: record.frames,
            traits: record.traits,
            life: Life::Proposed,
            there: true,
            path: Some(record.path),
            software: record.software,
            key: record.key,
            level: record.level,
            flat_level_adu: record.flat_level_adu,
            relaid: master.relaid,
            per_adu: master.per_adu,
            batch: String::new(),
        }
    }

    /// As a candidate for choosing.
    pub fn candidate(&self, there: bool) -> Candidate<'_> {
        Candidate {
            traits: &self.traits,
            frames: self.frames,
            life: &self.life,
            there: there && self.there,
            ready: self.is_master,
        }
    }

    /// The name of its copy among a night's own masters: one that holds its identity.
    pub fn file_name(&self) -> String {
        let stem = self.name.strip_suffix(".fits").unwrap_or(&self.name);
        // Those in the library's own folder hold their key's first digits already.
        let named =
            self.key.as_deref().and_then(|k| k.get(..12)).is_some_and(|k| stem.ends_with(k));
        if named { format!("{stem}.fits") } else { format!("{stem}_{}.fits", self.id) }
    }
}

/// All masters and batches of a library, and masters of a night, by kind.
#[derive(Debug)]
pub struct Shelf<'a> {
    library: Option<&'a Library>,
    aliases: Aliases,
    by_kind: [Vec<Shelved>; FrameKind::ALL.len()],
    /// Dark current measured on masters.
    darks: Vec<(Traits, DarkPoint)>,
}

impl<'a> Shelf<'a> {
    /// What a library offers, and masters that lie among the frames of a night; `None` where there is neither.
    ///
    /// # Errors
    /// When the library cannot be read.
    pub fn of(library: Option<&'a Library>, masters: &[Shelved]) -> Result<Option<Self>> {
        let mut all = library.map(Library::shelved).transpose()?.unwrap_or_default();
        all.extend_from_slice(masters);
        let any = library.is_some() || !masters.is_empty();
        Ok(any.then(|| Self::new(library, all)))
    }

    pub(super) fn new(library: Option<&'a Library>, all: Vec<Shelved>) -> Self {
        let darks = measured_darks(&all);
        let aliases = library.map(|l| l.aliases().clone()).unwrap_or_default();
        let mut by_kind: [Vec<Shelved>; FrameKind::ALL.len()] = Default::default();
        for mut shelved in all {
            aliases.name(&mut shelved.traits);
            by_kind[shelved.kind as usize].push(shelved);
        }
        Self { library, aliases, by_kind, darks }
    }

    /// Names of filters that a person added.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// What there is of a kind.
    pub fn of_kind(&self, kind: FrameKind) -> &[Shelved] {
        &self.by_kind[kind as usize]
    }

    /// What has this name.
    pub fn get(&self, id: &str) -> Option<&Shelved> {
        self.by_kind.iter().flatten().find(|s| s.id == id)
    }

    /// The dark current of a frame's camera and setting, as far as masters of the library tell.
    pub fn dark_current(&self, of: &Traits) -> DarkCurrent {
        let points = self.darks.iter().filter(|(t, _)| same_setup(of, t)).map(|(_, p)| *p);
        DarkCurrent::measured(points.collect())
    }

    /// Gain and read noise of a frame's camera and setting by Photosite's own master that is nearest in date, and
    /// its name; `None` where none names both.
    pub fn noise(&self, of: &Traits) -> Option<(NoiseModel, &str)> {
        let told = |s: &'_ Shelved| {
            let t = &s.traits;
            let alike =
                same_setup(of, t) && of.show(Field::GainSetting) == t.show(Field::GainSetting);
            let ours = s.key.is_some() && s.there && s.life != Life::Retired;
            NoiseModel::new(t.gain_e_per_adu?, t.read_noise_e?).filter(|_| alike && ours)
        };
        let days = |s: &Shelved| match of.day().zip(s.traits.day()) {
            Some((a, b)) => (a - b).abs(),
            None => f64::INFINITY,
        };
        self.by_kind
            .iter()
            .flatten()
            .filter_map(|s| Some((s, told(s)?)))
            .min_by(|(a, _), (b, _)| days(a).total_cmp(&days(b)).then(a.id.cmp(&b.id)))
            .map(|(s, noise)| (noise, s.name.as_str()))
    }

    /// The frames of a batch, their headers read again; what is missing or changed is left out with a
    /// Finding.
    pub fn frames_of(&self, shelved: &Shelved) -> (Vec<Frame>, Vec<Finding>) {
        let files = self.library.map(|library| library.batch_files(&shelved.batch)).transpose();
        let files = match files {
            Ok(files) => files.unwrap_or_default(),
            Err(e) => {
                let finding =
                    Finding::new("library-unreadable", Severity::Warning, "", e.to_string());
                return (Vec::new(), vec![finding]);
            }
        };
        let (mut frames, mut findings) = (Vec::new(), Vec::new());
        for (path, mark) in files {
            let subject = path.display().to_string();
            let gone = |what: String| {
                Finding::new("library-frame-gone", Severity::Warning, subject.clone(), what)
                    .hint("photosite library verify lists all such files.")
            };
            match FileMark::of(&path) {
                Ok(now) if now == mark => {}
                Ok(_) => {
                    findings.push(gone("this library frame has changed since it was added".into()));
                    continue;
                }
                Err(e) => {
                    findings.push(gone(e.to_string()));
                    continue;
                }
            }
            let root = path.parent().unwrap_or(&path).to_owned();
            // What it is was decided when it was added, by a folder perhaps.
            let paths = vec![(path.clone(), shelved.kind)];
            let kinds = KindOverrides { paths, ..KindOverrides::default() };
            match crate::open::probe(&path) {
                Ok(probe) => match take(&path, &root, probe, &kinds) {
                    Ok((frame, _)) => frames.push(frame),
                    Err(_) => {
                        findings.push(gone(format!("this is no longer a raw {}", shelved.kind)));
                    }
                },
                Err(e) => findings.push(gone(e.to_string())),
            }
        }
        (frames, findings)
    }
}

/// Whether the exact rules of a dark hold; what is not known on one side holds.
fn same_setup(a: &Traits, b: &Traits) -> bool {
    let exact = rules(FrameKind::Dark).iter().filter(|r| r.tolerance == Tolerance::Exact);
    exact.into_iter().all(|r| compare(*r, a, b).0 != Outcome::Differs)
}

/// Dark current by the level of each master dark over a bias of its set-up.
///
/// A dark that is no brighter than the bias, as with sensors that correct their own black level,
/// still tells of its hot pixels.
fn measured_darks(all: &[Shelved]) -> Vec<(Traits, DarkPoint)> {
    let level_of = |kind| {
        all.iter()
            .filter(move |s: &&Shelved| s.kind == kind && s.is_master && s.life != Life::Retired)
            .filter_map(|s| Some((s, s.level?)))
    };
    level_of(FrameKind::Dark)
        .filter_map(|(dark, level)| {
            let t = &dark.traits;
            let (exposure_s, temp_c) = (t.exposure_s.filter(|s| *s > 0.0)?, t.temp_c?);
            let zero = if t.bias_removed {
                Level { median_adu: 0.0, hot_adu: 0.0 }
            } else {
                let apart = |b: &Traits| b.temp_c.map_or(f64::INFINITY, |c| (c - temp_c).abs());
                level_of(FrameKind::Bias)
                    .filter(|(b, _)| same_setup(t, &b.traits))
                    .min_by(|(a, _), (b, _)| apart(&a.traits).total_cmp(&apart(&b.traits)))?
                    .1
            };
            let adu_s = ((level.median_adu - zero.median_adu) / exposure_s).max(0.0);
            // What stands out of the bias is no dark signal.
            let hot_adu2 = level.hot_adu.max(0.0).powi(2) - zero.hot_adu.max(0.0).powi(2);
            let hot_adu_s = hot_adu2.max(0.0).sqrt() / exposure_s;
            Some((t.clone(), DarkPoint { temp_c, adu_s, hot_adu_s }))
        })
        .collect()
}
