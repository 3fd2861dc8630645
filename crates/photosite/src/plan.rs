//! What will be done to a night, and why: pure data, no pixel read.

use std::collections::BTreeMap;
use std::path::Path;

use photosite_file::Access;
use photosite_pix::combine::Recipe;
use photosite_pix::{FrameKind, Size};

use crate::budget::{Budget, Need, budget};
use crate::calibrate::RemovedBy;
use crate::finding::{Finding, Severity};
use crate::inventory::{Frame, Inventory, used_region};
use crate::library::{Choice, Field, Group, Traits, choose, filter_key, groups, show_seconds};
use crate::master::default_recipe;

/// Fields whose absence from a header a person is told of: those that spoil a calibration when
/// they differ. The account of the run lists the others too.
const TELLING: &[Field] = &[
    Field::GainSetting,
    Field::OffsetSetting,
    Field::Temperature,
    Field::Exposure,
    Field::Filter,
    Field::Cfa,
];

/// One master to be made.
#[derive(Debug, Clone)]
pub struct MasterPlan {
    /// Its kind.
    pub kind: FrameKind,
    /// What its frames have in common.
    pub traits: Traits,
    /// The frames, as indices into the inventory.
    pub frames: Vec<usize>,
    /// For a flat: the master that takes its additive part out, as an index into the masters.
    pub additive: Option<(usize, RemovedBy)>,
    /// For a dark: the bias that tells its zero level, as an index into the masters.
    pub zero: Option<usize>,
    /// How samples are combined.
    pub recipe: Recipe,
    /// The name of the file, in the folder of masters.
    pub file_name: String,
}

/// One light to be calibrated.
#[derive(Debug, Clone)]
pub struct LightPlan {
    /// The frame, as an index into the inventory.
    pub frame: usize,
    /// The name of the group of lights of its set-up and filter.
    pub group: String,
    /// The name of the file, in the folder of calibrated lights.
    pub file_name: String,
    /// The chosen masters, as indices into the plan's masters.
    pub bias: Option<usize>,
    /// The matched dark.
    pub dark: Option<usize>,
    /// The flat of the light's filter.
    pub flat: Option<usize>,
    /// How each kind was chosen.
    pub choices: Vec<(FrameKind, Explained)>,
}

/// A choice among masters, with the masters' indices instead of the candidates'.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The choice.
    pub choice: Choice,
    /// The candidates' indices in the plan's masters.
    pub candidates: Vec<usize>,
}

impl Explained {
    fn chosen(&self) -> Option<usize> {
        self.choice.chosen.map(|i| self.candidates[i])
    }
}

/// The work of a night.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Masters in the order in which they are made: a flat comes after what it needs.
    pub masters: Vec<MasterPlan>,
    /// Lights, in the order of the inventory.
    pub lights: Vec<LightPlan>,
    /// What is missing or doubtful.
    pub findings: Vec<Finding>,
}

/// Plans a night.
pub fn plan(inventory: &Inventory) -> Plan {
    let frames = &inventory.frames;
    let traits: Vec<(FrameKind, Traits)> =
        frames.iter().map(|f| (f.kind, frame_traits(f))).collect();
    let mut out = Plan::default();
    let mut flats: Vec<Group> = Vec::new();
    let (mut light_names, mut light_groups) = (BTreeMap::new(), BTreeMap::new());
    for group in groups(&traits) {
        match group.kind {
            FrameKind::Flat => flats.push(group),
            FrameKind::Light => {
                let name = group_name(group.kind, &group.traits, &mut light_names);
                light_groups.extend(group.members.iter().map(|&i| (i, name.clone())));
            }
            FrameKind::Bias => out.masters.push(master_plan(group, None)),
            // Biases come first in the order of groups.
            FrameKind::Dark | FrameKind::DarkFlat => {
                let bias = pick(FrameKind::Bias, FrameKind::Bias, &group.traits, &out.masters);
                out.masters.push(MasterPlan { zero: bias.chosen(), ..master_plan(group, None) });
            }
        }
    }
    for group in flats {
        plan_flat(group, frames, &mut out);
    }
    name_masters(&mut out.masters);
    for (index, frame) in frames.iter().enumerate().filter(|(_, f)| f.kind == FrameKind::Light) {
        let light = plan_light(index, frame, &traits[index].1, &mut out);
        let group = light_groups.get(&index).cloned().unwrap_or_default();
        out.lights.push(LightPlan { group, ..light });
    }
    let paths = out.lights.iter().map(|l| frames[l.frame].path.as_path());
    for (light, name) in product_names(paths).into_iter().enumerate() {
        out.lights[light].file_name = name;
    }
    out
}

/// The traits of a frame as it will be used: cut to the part that sees light.
fn frame_traits(frame: &Frame) -> Traits {
    let region = used_region(frame);
    let mut traits = Traits::of(&frame.metadata, region.size());
    traits.cfa = traits.cfa.map(|c| c.shifted(region.x0, region.y0));
    traits
}

fn master_plan(group: Group, additive: Option<(usize, RemovedBy)>) -> MasterPlan {
    MasterPlan {
        kind: group.kind,
        recipe: default_recipe(group.kind, group.members.len(), group.traits.cfa),
        traits: group.traits,
        frames: group.members,
        additive,
        zero: None,
        file_name: String::new(),
    }
}

fn pick(kind: FrameKind, of: FrameKind, wanted: &Traits, masters: &[MasterPlan]) -> Explained {
    let candidates: Vec<usize> = (0..masters.len()).filter(|&i| masters[i].kind == of).collect();
    let pool: Vec<(&Traits, usize)> =
        candidates.iter().map(|&i| (&masters[i].traits, masters[i].frames.len())).collect();
    Explained { choice: choose(kind, wanted, &pool), candidates }
}

/// Finds what takes a flat's additive part out: a dark flat, a dark of its exposure, a bias.
fn plan_flat(group: Group, frames: &[Frame], out: &mut Plan) {
    let order = [
        (FrameKind::DarkFlat, RemovedBy::DarkFlat),
        (FrameKind::Dark, RemovedBy::Dark),
        (FrameKind::Bias, RemovedBy::Bias),
    ];
    let found = order.into_iter().find_map(|(kind, by)| {
        let explained = pick(kind, kind, &group.traits, &out.masters);
        Some((explained.chosen()?, by))
    });
    let subject = describe_group(&group, frames);
    let wanted = group.traits.describe(&[
        Field::Exposure,
        Field::Temperature,
        Field::GainSetting,
        Field::OffsetSetting,
        Field::Binning,
    ]);
    match found {
        // The frames came without their bias: nothing is left to take off.
        _ if group.traits.bias_removed => out.masters.push(master_plan(group, None)),
        None => {
            out.findings.push(
                Finding::new(
                    "flat-without-bias",
                    Severity::Error,
                    subject,
                    "these flats still hold the bias and nothing at hand takes it out; dividing \
                     by them would brighten the corners, so no master flat is made",
                )
                .hint(format!("Take 20 or more dark flats ({wanted}), or biases.")),
            );
        }
        Some((_, by)) => {
            let exposure = group.traits.exposure_max_s.unwrap_or(0.0);
            if by == RemovedBy::Bias && exposure >= 5.0 {
                out.findings.push(
                    Finding::new(
                        "flat-by-bias",
                        Severity::Warning,
                        subject,
                        "no dark flat and no dark has these flats' exposure; the bias is taken \
                         off, their dark signal stays in",
                    )
                    .hint(format!("Take 20 or more dark flats: {wanted}."))
                    .with("exposure_s", exposure),
                );
            }
            out.masters.push(master_plan(group, found));
        }
    }
}

fn describe_group(group: &Group, frames: &[Frame]) -> String {
    let first = frames[group.members[0]].path.display();
    match group.members.len() {
        1 => first.to_string(),
        n => format!("{first} and {} more", n - 1),
    }
}

fn plan_light(index: usize, frame: &Frame, wanted: &Traits, out: &mut Plan) -> LightPlan {
    let bias = pick(FrameKind::Bias, FrameKind::Bias, wanted, &out.masters);
    let dark = pick(FrameKind::Dark, FrameKind::Dark, wanted, &out.masters);
    let flat = pick(FrameKind::Flat, FrameKind::Flat, wanted, &out.masters);
    let subject = frame.path.display().to_string();
    let have_level = dark.chosen().is_some() || bias.chosen().is_some();
    if dark.chosen().is_none() {
        out.findings.push(missing_dark(&subject, wanted, &dark, &bias, &out.masters));
    }
    if flat.chosen().is_none() {
        out.findings.push(missing_flat(&subject, wanted, &flat, &out.masters));
    } else if !have_level {
        out.findings.push(
            Finding::new(
                "flat-not-used",
                Severity::Warning,
                &subject,
                "neither a dark nor a bias takes the bias off this light, so it is not divided by \
                 the flat: that would divide the bias too",
            )
            .hint("Take biases of this gain and offset, or darks of this exposure."),
        );
    }
    for (kind, explained) in [("dark", &dark), ("flat", &flat)] {
        let unknown: Vec<&str> =
            explained.choice.unknown().filter(|f| TELLING.contains(f)).map(Field::name).collect();
        if explained.chosen().is_some() && !unknown.is_empty() {
            out.findings.push(
                Finding::new(
                    "match-unknown",
                    Severity::Info,
                    &subject,
                    format!(
                        "the {kind} fits as far as the headers tell; not known on both sides: {}",
                        unknown.join(", ")
                    ),
                )
                .with("fields", unknown.clone()),
            );
        }
    }
    LightPlan {
        frame: index,
        group: String::new(),
        file_name: String::new(),
        bias: bias.chosen(),
        dark: dark.chosen(),
        flat: flat.chosen().filter(|_| have_level),
        choices: vec![(FrameKind::Bias, bias), (FrameKind::Dark, dark), (FrameKind::Flat, flat)],
    }
}

/// Why the nearest refused candidate was refused, as words.
fn nearest_refused(explained: &Explained, masters: &[MasterPlan]) -> Option<String> {
    let refusal = explained.choice.refused.first()?;
    let master = &masters[explained.candidates[refusal.candidate]];
    let why: Vec<String> = refusal
        .differs
        .iter()
        .map(|c| {
            let show = |v: &Option<String>| v.clone().unwrap_or_else(|| "not known".into());
            format!("{} {} instead of {}", c.field.name(), show(&c.found), show(&c.wanted))
        })
        .collect();
    Some(format!("the nearest, {}, has {}", master.file_name, why.join(" and ")))
}

fn missing_dark(
    subject: &str,
    wanted: &Traits,
    dark: &Explained,
    bias: &Explained,
    masters: &[MasterPlan],
) -> Finding {
    let shoot = wanted.describe(&[
        Field::Exposure,
        Field::Temperature,
        Field::GainSetting,
        Field::OffsetSetting,
        Field::Binning,
        Field::Size,
    ]);
    let nearest = nearest_refused(dark, masters).unwrap_or_else(|| "there are no darks".to_owned());
    let rest = if bias.chosen().is_some() {
        "only the bias is taken off; hot pixels and glow stay"
    } else {
        "nothing is taken off; bias, hot pixels and glow stay"
    };
    Finding::new(
        "dark-missing",
        Severity::Warning,
        subject,
        format!("no dark fits this light: {nearest}; {rest}"),
    )
    .hint(format!("Take 10 or more darks: {shoot}."))
    .with("exposure_s", wanted.exposure_s)
    .with("temp_c", wanted.temp_c)
}

fn missing_flat(
    subject: &str,
    wanted: &Traits,
    flat: &Explained,
    masters: &[MasterPlan],
) -> Finding {
    let nearest =
        nearest_refused(flat, masters).unwrap_or_else(|| "there are no usable flats".to_owned());
    let shoot = wanted.describe(&[Field::Filter, Field::Binning, Field::Size]);
    Finding::new(
        "flat-missing",
        Severity::Warning,
        subject,
        format!("no flat fits this light: {nearest}; vignetting and dust stay"),
    )
    .hint(format!("Take 20 or more flats through the same optics: {shoot}."))
    .with("filter", wanted.filter.clone())
}

/// Names masters by what tells them apart for a person; a number parts those that still agree.
fn name_masters(masters: &mut [MasterPlan]) {
    let mut used = BTreeMap::new();
    for master in masters {
        let name = group_name(master.kind, &master.traits, &mut used);
        master.file_name = format!("{name}.fits");
    }
}

/// A name for a group that is not among those `used` for others.
fn group_name(kind: FrameKind, t: &Traits, used: &mut BTreeMap<String, usize>) -> String {
    let mut parts = vec![kind.slug().to_owned()];
    let lit = matches!(kind, FrameKind::Flat | FrameKind::Light);
    if lit {
        parts.extend(t.filter.as_deref().map(safe_name));
    } else if kind != FrameKind::Bias {
        parts.extend(t.exposure_s.map(|s| format!("{}s", show_seconds(s))));
    }
    if !lit {
        parts.extend(t.temp_c.map(|c| format!("{c:.1}C").replace("-0.0C", "0.0C")));
    }
    parts.extend(t.gain_setting.map(|g| format!("gain{g}")));
    parts.extend(t.offset_setting.map(|o| format!("offset{o}")));
    parts.extend(t.binning.map(|(x, y)| format!("bin{x}x{y}")));
    let stem = parts.join("_");
    let count = used.entry(stem.clone()).and_modify(|n| *n += 1).or_insert(1);
    if *count == 1 { stem } else { format!("{stem}_{count}") }
}

fn safe_name(filter: &str) -> String {
    let key = filter_key(filter);
    let safe: String = filter.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    if safe.is_empty() { key.chars().filter(char::is_ascii_alphanumeric).collect() } else { safe }
}

/// Names products by the frames they are made of; where two frames have one name, their folders
/// part them, and where those agree too, a number.
pub fn product_names<'a>(frames: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let frames: Vec<(&Path, String)> = frames.map(|p| (p, stem(p))).collect();
    // File systems that ignore case would see one name.
    let mut count_of: BTreeMap<String, usize> = BTreeMap::new();
    for (_, stem) in &frames {
        *count_of.entry(stem.to_lowercase()).or_default() += 1;
    }
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::with_capacity(frames.len());
    for (path, stem) in frames {
        let shared = count_of[&stem.to_lowercase()] > 1;
        let folder = path.parent().and_then(|p| p.file_name());
        let mut name = match folder {
            Some(folder) if shared => format!("{}_{stem}", folder.to_string_lossy()),
            _ => stem,
        };
        let count = used.entry(name.to_lowercase()).and_modify(|n| *n += 1).or_insert(1);
        if *count > 1 {
            name = format!("{name}_{count}");
        }
        names.push(format!("{name}.fits"));
    }
    names
}

/// A file's name without its endings: `a.fits.fz` is `a`.
fn stem(path: &Path) -> String {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
    let mut stem = name.as_str();
    let endings = [
        ".gz", ".fz", ".fits", ".fit", ".fts", ".xisf", ".tiff", ".tif", ".cr2", ".cr3", ".nef",
        ".arw", ".dng", ".raf",
    ];
    for ending in endings {
        if stem.len() > ending.len()
            && stem.is_char_boundary(stem.len() - ending.len())
            && stem[stem.len() - ending.len()..].eq_ignore_ascii_case(ending)
        {
            stem = &stem[..stem.len() - ending.len()];
        }
    }
    stem.to_owned()
}

/// What a plan will take, before anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Forecast {
    /// Bytes read, at most: every frame twice.
    pub read_bytes: u64,
    /// Bytes of masters and calibrated lights.
    pub write_bytes: u64,
    /// Bytes on disk for packed frames, unpacked while a master is made.
    pub scratch_bytes: u64,
    /// Peak memory in bytes, about.
    pub memory_bytes: u64,
}

/// Bytes a pixel of a frame in memory or in a product: data, ERR and DQ.
const FRAME_BYTES: u64 = 4 + 4 + 2;

/// What a forecast reckons with.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// Threads.
    pub threads: usize,
    /// Memory that stacking may take, in bytes.
    pub memory_bytes: u64,
    /// Files that may be open at once.
    pub open_files: usize,
}

/// Forecasts the work of `plan`.
pub fn forecast(plan: &Plan, inventory: &Inventory, means: Means) -> Forecast {
    let pixels = |size: Size| size.pixels() as u64;
    let frame_pixels = |i: usize| pixels(used_region(&inventory.frames[i]).size());
    let masters: Vec<u64> = plan.masters.iter().map(|m| pixels(m.traits.size)).collect();
    let lights: Vec<u64> = plan.lights.iter().map(|l| frame_pixels(l.frame)).collect();
    let largest = |sizes: &[u64]| sizes.iter().copied().max().unwrap_or(0);
    let budgets: Vec<Budget> = plan
        .masters
        .iter()
        .filter_map(|m| {
            let packed = |i: &&usize| inventory.frames[**i].access == Access::Whole;
            let need = Need {
                frames: m.frames.len(),
                size: m.traits.size,
                packed: m.frames.iter().filter(packed).count(),
                maps: false,
                least_rows: 1,
                worker_bytes: 0,
                threads: means.threads,
                memory_bytes: means.memory_bytes,
                open_files: means.open_files,
            };
            // A budget that is too small is told of when the work begins; here it counts in full.
            budget(need).or_else(|t| budget(Need { memory_bytes: t.needed_bytes, ..need })).ok()
        })
        .collect();
    let stacking = budgets.iter().map(|b| b.memory_bytes).max().unwrap_or(0);
    // Masters, and for each thread a light with the file it is read from.
    let per_light = largest(&lights) * (2 * FRAME_BYTES + 8);
    let calibrating = largest(&masters) * 3 * FRAME_BYTES + means.threads as u64 * per_light;
    Forecast {
        read_bytes: 2 * inventory.frames.iter().map(|f| f.file_bytes).sum::<u64>(),
        write_bytes: FRAME_BYTES * (masters.iter().sum::<u64>() + lights.iter().sum::<u64>()),
        scratch_bytes: budgets.iter().map(|b| b.scratch_bytes).max().unwrap_or(0),
        memory_bytes: if lights.is_empty() { stacking } else { stacking.max(calibrating) },
    }
}
