//! What a plan lacks or doubts, as Findings.

use photosite_pix::FrameKind;

use super::{Explained, LightPlan, MasterId, MasterPlan, Plan};
use crate::calibrate::RemovedBy;
use crate::finding::{Finding, Severity, first_and_more};
use crate::inventory::Frame;
use crate::library::{Field, Group, Refusal, Traits, count_nights};

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

/// From this exposure on the dark signal of flats is worth a word, in seconds.
const LONG_FLAT_S: f64 = 5.0;

/// Whether the dark signal of flats is worth a word.
pub(super) fn is_long(group: &Group) -> bool {
    group.traits.exposure_max_s.unwrap_or(0.0) >= LONG_FLAT_S
}

/// What is to be said of what takes the additive part out of a group of flats.
pub(super) fn additive(group: &Group, frames: &[Frame], by: Option<RemovedBy>) -> Option<Finding> {
    let subject = first_and_more(frames[group.members[0]].path.display(), group.members.len());
    let wanted = group.traits.describe(&[
        Field::Exposure,
        Field::Temperature,
        Field::GainSetting,
        Field::OffsetSetting,
        Field::Binning,
    ]);
    let exposure_s = group.traits.exposure_max_s.unwrap_or(0.0);
    match by {
        None => Some(
            Finding::new(
                "flat-without-bias",
                Severity::Error,
                subject,
                "these flats still contain bias and nothing on hand removes it; dividing by them \
                 would under-correct vignetting, so no master flat is made",
            )
            .hint(format!("Take 20 or more dark flats ({wanted}), or biases.")),
        ),
        Some(RemovedBy::Bias) if is_long(group) => Some(
            Finding::new(
                "flat-by-bias",
                Severity::Warning,
                subject,
                "no dark flat or dark matches the exposure of these flats; only bias is \
                 subtracted, their dark signal remains",
            )
            .hint(format!("Take 20 or more dark flats: {wanted}."))
            .with("exposure_s", exposure_s),
        ),
        Some(_) => None,
    }
}

/// What is to be said of a group of frames that make one master.
pub(super) fn of_group(
    group: &Group,
    traits: &[(FrameKind, Traits)],
    frames: &[Frame],
) -> Option<Finding> {
    let subject = first_and_more(frames[group.members[0]].path.display(), group.members.len());
    if matches!(group.kind, FrameKind::Dark | FrameKind::DarkFlat)
        && group.traits.exposure_s.is_none()
    {
        let kind = group.kind;
        let message = format!(
            "neither header nor name gives the exposure of this {kind}; by its label it matches nothing"
        );
        return Some(
            Finding::new("exposure-not-known", Severity::Warning, subject, message).hint(
                "Write EXPTIME into the headers, or the exposure into the names: dark_60s_1.",
            ),
        );
    }
    let nights = count_nights(group.members.iter().map(|&i| &traits[i].1));
    (group.kind == FrameKind::Flat && nights > 1).then(|| {
        let message = format!(
            "flats of {nights} nights make one master, because one night has fewer than 3; dust \
             that moved between them is not corrected"
        );
        Finding::new("flats-joined", Severity::Warning, subject, message)
            .hint("Take 3 or more flats a filter every night.")
            .with("nights", nights)
    })
}

/// A master that would fit, were its rows not the other way round.
fn upside_down(kind: FrameKind, explained: &Explained, subject: &str) -> Option<Finding> {
    if explained.chosen().is_some() {
        return None;
    }
    let only_rows = |r: &&Refusal| matches!(&r.differs[..], [c] if c.field == Field::RowOrder);
    let refusal = explained.choice.refused.iter().find(only_rows)?;
    let name = &explained.candidates.get(&refusal.candidate)?.name;
    let [check] = &refusal.differs[..] else { return None };
    let (found, wanted) = (check.found.as_deref()?, check.wanted.as_deref()?);
    let message = format!(
        "the {kind} {name} would fit, but its rows are {found} and the light's {wanted}; \
         applied as it is it would lie upside down, so it is not used"
    );
    let hint = "Take both with one setting of the capture program, or turn one over and correct \
                ROWORDER.";
    Some(Finding::new("row-order-differs", Severity::Warning, subject, message).hint(hint))
}

/// What is to be said of a light's masters; `flat` is the one that fits, used or not.
pub(super) fn of_light(
    light: &LightPlan,
    subject: &str,
    wanted: &Traits,
    flat: Option<MasterId>,
    plan: &Plan,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let [_, (_, dark), (_, flat_choice)] = &light.choices[..] else { return out };
    if light.dark.is_none() {
        out.push(missing_dark(subject, wanted, dark, light.bias.is_some()));
    }
    if flat.is_none() {
        out.push(missing_flat(subject, wanted, flat_choice));
    } else if light.flat.is_none() {
        out.push(
            Finding::new(
                "flat-not-used",
                Severity::Warning,
                subject,
                "no bias or dark can be subtracted from this light, so the flat is not applied: \
                 it would divide the bias as well",
            )
            .hint("Take biases of this gain and offset, or darks of this exposure."),
        );
    }
    for (kind, explained) in [(FrameKind::Dark, dark), (FrameKind::Flat, flat_choice)] {
        out.extend(upside_down(kind, explained, subject));
        out.extend(unknown(kind, explained, subject));
        out.extend(costly(kind, explained, subject));
    }
    let used = [light.bias.filter(|_| light.dark.is_none()), light.dark, light.flat];
    out.extend(mixed_software(&used.map(|id| id.map(|id| &plan[id])), subject));
    out
}

/// Properties of the chosen master that no header tells.
fn unknown(kind: FrameKind, explained: &Explained, subject: &str) -> Option<Finding> {
    let unknown: Vec<&str> =
        explained.choice.unknown().filter(|f| TELLING.contains(f)).map(Field::name).collect();
    // Where several fit as well, only the unknown could have parted them.
    let parted = |f: &&str| [Field::GainSetting.name(), Field::OffsetSetting.name()].contains(f);
    let doubtful = explained.choice.ranked.len() > 1 && unknown.iter().any(parted);
    let severity = if doubtful { Severity::Warning } else { Severity::Info };
    (explained.chosen().is_some() && !unknown.is_empty()).then(|| {
        Finding::new(
            "match-unknown",
            severity,
            subject,
            format!(
                "the {kind} matches as far as the headers say; not given in both headers: {}",
                unknown.join(", ")
            ),
        )
        .with("fields", unknown.clone())
    })
}

/// A chosen master whose price is seen in the light.
fn costly(kind: FrameKind, explained: &Explained, subject: &str) -> Option<Finding> {
    let cost = explained.choice.cost()?;
    let (floor, sign) = (cost.floor?, cost.unit.sign());
    // What is in doubt about a flat is told for all lights of its group together.
    let value = if kind == FrameKind::Flat { cost.age.unwrap_or(0.0) } else { cost.value };
    if value <= floor {
        return None;
    }
    let name = &explained.chosen()?.name;
    let told = if kind == FrameKind::Flat {
        format!(
            "the best flat, {name}, was taken at another time; expect dust residuals of about {} \
             {sign}",
            rounded(value)
        )
    } else {
        let assumed = cost.measured == Some(false);
        let known = if assumed { " (dark current assumed)" } else { "" };
        format!(
            "the best {kind}, {name}, is within the matching rules but would leave a residual of \
             about {} {sign}{known}; the light's own noise without sky is {} {sign}",
            rounded(value),
            rounded(floor)
        )
    };
    let assumed = cost.measured == Some(false);
    let severity = if assumed { Severity::Info } else { Severity::Warning };
    let hint = match kind {
        FrameKind::Flat => "Take flats with the optics as they are now.",
        _ => "Take darks at this light's temperature and exposure.",
    };
    Some(
        Finding::new("match-costly", severity, subject, told)
            .hint(hint)
            .with("cost", value)
            .with("floor", floor)
            .with("unit", sign),
    )
}

/// One significant digit: what a forecast is good for.
pub(super) fn rounded(value: f64) -> String {
    let scale = 10f64.powf(value.abs().max(1e-9).log10().floor());
    let digits = if scale < 1.0 { (-scale.log10()).round() as usize } else { 0 };
    format!("{:.digits$}", (value / scale).round() * scale)
}

/// Masters of several programs in one calibration.
fn mixed_software(masters: &[Option<&MasterPlan>], subject: &str) -> Option<Finding> {
    let mut programs: Vec<String> = masters
        .iter()
        .flatten()
        .filter_map(|m| match &m.ready {
            None => Some("Photosite".to_owned()),
            // "Siril 1.2.0" and "Siril 1.2.1" are one program.
            Some(r) => r.software.as_deref()?.split([' ', '/']).next().map(str::to_owned),
        })
        .collect();
    programs.sort();
    programs.dedup();
    (programs.len() > 1).then(|| {
        Finding::new(
            "mixed-software",
            Severity::Warning,
            subject,
            format!(
                "its masters were made by different programs ({}), which may scale, flip and \
                 normalise differently",
                programs.join(", ")
            ),
        )
        .hint("Make all masters of one set-up with one program.")
        .with("programs", programs.clone())
    })
}

/// Why the nearest refused candidate was refused, as words.
fn nearest_refused(explained: &Explained) -> Option<String> {
    let refusal = explained.choice.refused.first()?;
    let name = &explained.candidates.get(&refusal.candidate)?.name;
    let why: Vec<String> = refusal
        .differs
        .iter()
        .map(|c| {
            let show = |v: &Option<String>| v.clone().unwrap_or_else(|| "not known".into());
            if (&c.found, &c.wanted) == (&None, &None) {
                return format!("{} not known, as the light's is not", c.field.name());
            }
            format!("{} {} instead of {}", c.field.name(), show(&c.found), show(&c.wanted))
        })
        .collect();
    Some(format!("the nearest, {name}, has {}", why.join(" and ")))
}

/// What is subtracted from a light without a dark.
const ONLY_BIAS: &str = "only bias is subtracted; hot pixels and amp glow remain";
const NOTHING: &str = "nothing is subtracted; bias, hot pixels and amp glow remain";

/// Corrects what was said of lights whose bias was planned and could not be made.
pub(crate) fn without_bias(finding: &mut Finding) {
    finding.message = finding.message.replace(ONLY_BIAS, NOTHING);
}

fn missing_dark(subject: &str, wanted: &Traits, dark: &Explained, has_bias: bool) -> Finding {
    let shoot = wanted.describe(&[
        Field::Exposure,
        Field::Temperature,
        Field::GainSetting,
        Field::OffsetSetting,
        Field::Binning,
        Field::Size,
    ]);
    if let Some(dark) = dark.chosen() {
        let message = format!(
            "the dark {} fits this light, but its bias was subtracted, and no bias is at hand to subtract beside it: \
             nothing is subtracted; bias, hot pixels and amp glow remain",
            dark.name
        );
        return Finding::new("dark-missing", Severity::Warning, subject, message).hint(
            "Take 20 or more biases of this gain and offset, or use a dark that contains its bias.",
        );
    }
    let nearest = nearest_refused(dark).unwrap_or_else(|| "there are no darks".to_owned());
    let rest = if has_bias { ONLY_BIAS } else { NOTHING };
    Finding::new(
        "dark-missing",
        Severity::Warning,
        subject,
        format!("no dark matches this light: {nearest}; {rest}"),
    )
    .hint(format!("Take 10 or more darks: {shoot}."))
    .with("exposure_s", wanted.exposure_s)
    .with("temp_c", wanted.temp_c)
}

fn missing_flat(subject: &str, wanted: &Traits, flat: &Explained) -> Finding {
    let nearest = nearest_refused(flat).unwrap_or_else(|| "there are no usable flats".to_owned());
    let shoot = wanted.describe(&[Field::Filter, Field::Binning, Field::Size]);
    Finding::new(
        "flat-missing",
        Severity::Warning,
        subject,
        format!("no flat matches this light: {nearest}; vignetting and dust remain"),
    )
    .hint(format!("Take 20 or more flats through the same optics: {shoot}."))
    .with("filter", wanted.filter.clone())
}
