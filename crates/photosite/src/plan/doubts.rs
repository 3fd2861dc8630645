//! Masters that are used although a header speaks against them: one Finding a group of lights.

use std::collections::BTreeMap;

use photosite_pix::FrameKind;

use super::missing::rounded;
use super::{LightPlan, Plan};
use crate::finding::{Finding, Severity, first_and_more};
use crate::inventory::Inventory;
use crate::library::{Check, Field};

/// Lights of one group that got one master in spite of the same properties.
struct Doubt<'a> {
    kind: FrameKind,
    lights: Vec<&'a LightPlan>,
    checks: Vec<&'a Check>,
    name: &'a str,
    share: f64,
}

/// What is to be said of the doubtful masters of a plan.
pub(super) fn doubts(plan: &Plan, inventory: &Inventory) -> Vec<Finding> {
    let mut all: BTreeMap<(&str, FrameKind, &str, Vec<Field>), Doubt<'_>> = BTreeMap::new();
    for light in &plan.lights {
        for (kind, explained) in &light.choices {
            let checks: Vec<&Check> = explained.choice.doubts().collect();
            let (Some(chosen), Some(cost)) = (explained.chosen(), explained.choice.cost()) else {
                continue;
            };
            if checks.is_empty() {
                continue;
            }
            let prices = checks.iter().filter_map(|c| cost.of(c.field));
            let share = prices.fold(0.0, f64::hypot);
            let (name, fields) = (chosen.name.as_str(), checks.iter().map(|c| c.field).collect());
            let doubt = all.entry((light.group.as_str(), *kind, name, fields)).or_insert(Doubt {
                kind: *kind,
                lights: Vec::new(),
                checks,
                name,
                share,
            });
            doubt.lights.push(light);
            doubt.share = doubt.share.max(share);
        }
    }
    all.into_values().map(|doubt| finding(&doubt, inventory)).collect()
}

fn finding(doubt: &Doubt<'_>, inventory: &Inventory) -> Finding {
    let first = inventory[doubt.lights[0].frame].path.display();
    let subject = first_and_more(first, doubt.lights.len());
    let who = if doubt.lights.len() == 1 { "this light" } else { "these lights" };
    let told = |c: &&Check| {
        let show = |v: &Option<String>| v.clone().unwrap_or_default();
        format!("{} {} instead of {}", c.field.name(), show(&c.found), show(&c.wanted))
    };
    let told: Vec<String> = doubt.checks.iter().map(told).collect();
    let cards: Vec<&str> = doubt.checks.iter().filter_map(|c| card(c.field)).collect();
    // A camera under another name costs nothing if it is the same.
    let left = match doubt.share > 0.0 {
        true => format!(
            ", and if the headers are right it leaves about {} % of the signal",
            rounded(doubt.share * 100.0)
        ),
        false => String::new(),
    };
    let message = format!(
        "the best {} for {who}, {}, has {}; it is used{left}",
        doubt.kind,
        doubt.name,
        told.join(" and ")
    );
    Finding::new("match-doubtful", Severity::Warning, subject, message)
        .hint(format!(
            "If camera and optics were the same, the headers are wrong: correct {}. If not, take {}s with \
             those of {who}.",
            cards.join(" and "),
            doubt.kind
        ))
        .with("group", doubt.lights[0].group.clone())
        .with("lights", doubt.lights.len())
        .with("fields", doubt.checks.iter().map(|c| c.field.name()).collect::<Vec<_>>())
        .with("share", doubt.share)
}

/// The keyword that holds a property that headers often get wrong.
fn card(field: Field) -> Option<&'static str> {
    match field {
        Field::Telescope => Some("TELESCOP"),
        Field::FocalLength => Some("FOCALLEN"),
        Field::Rotator => Some("ROTATANG"),
        Field::Filter => Some("FILTER"),
        Field::Camera => Some("INSTRUME"),
        _ => None,
    }
}
