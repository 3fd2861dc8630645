//! `photosite explain`.

use photosite::run::{Lineage, lineage};
use serde_json::Value;

use crate::args::FilesArgs;
use crate::{Done, show};

/// Inputs of one role that are named before the rest is counted.
const NAMED: usize = 3;

/// Tells what products were made of.
pub fn run(args: FilesArgs) -> anyhow::Result<Done> {
    super::each(
        "explain",
        &args,
        |path| {
            let found = lineage(path)?;
            if !args.json {
                tell(&found, 0, &mut Vec::new());
            }
            Ok(serde_json::to_value(&found))
        },
        |_: &Value| (),
    )
}

/// Tells one product, and those it was made of unless they were `told` before.
fn tell(of: &Lineage, depth: usize, told: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let path = super::shown(&of.path);
    if told.contains(&of.key) {
        show::line(format_args!("{indent}{path}: {}, as above", of.product));
        return;
    }
    told.push(of.key.clone());
    show::line(format_args!(
        "{indent}{path}: {}, made by {} (arithmetic {})",
        of.product, of.software, of.algorithm_version
    ));
    for step in &of.steps {
        show::line(format_args!("{indent}  {step}"));
    }
    let mut roles: Vec<&str> = Vec::new();
    for input in &of.inputs {
        if !roles.contains(&input.input.role.as_str()) {
            roles.push(&input.input.role);
        }
    }
    for role in roles {
        let all: Vec<_> = of.inputs.iter().filter(|i| i.input.role == role).collect();
        let followed = all.iter().any(|i| i.made_of.is_some());
        if !followed {
            let names: Vec<&str> = all.iter().take(NAMED).map(|i| i.input.name.as_str()).collect();
            let more = match all.len().saturating_sub(NAMED) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            show::line(format_args!("{indent}  {} {role}: {}{more}", all.len(), names.join(", ")));
        }
        for input in all {
            match &input.made_of {
                Some(made) => {
                    show::line(format_args!("{indent}  {role}:"));
                    tell(made, depth + 2, told);
                }
                None if followed => {
                    show::line(format_args!("{indent}  {role}: {}, not found", input.input.name));
                }
                None => {}
            }
        }
    }
    if let Some(chosen) = words(&of.parameters) {
        show::line(format_args!("{indent}  chosen: {chosen}"));
    }
    show::line(format_args!(
        "{indent}  key {}: same inputs and choices give the same bytes",
        of.key
    ));
}

/// Parameters in words; `None` where nothing was chosen.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => {
            let said: Vec<String> = all.iter().filter_map(words).collect();
            (!said.is_empty()).then(|| said.join(" "))
        }
        Value::Object(all) => {
            let said: Vec<String> = all
                .iter()
                .filter_map(|(k, v)| Some(format!("{} {}", k.replace('_', " "), words(v)?)))
                .collect();
            (!said.is_empty()).then(|| said.join(", "))
        }
        plain => Some(plain.to_string()),
    }
}
