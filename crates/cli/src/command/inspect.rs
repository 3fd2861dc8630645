//! `photosite inspect`.

use photosite::run::inspect;
use serde_json::Value;

use crate::args::FilesArgs;
use crate::{Done, show};

/// Shows what files are.
pub fn run(args: FilesArgs) -> anyhow::Result<Done> {
    super::each("inspect", &args, |path| inspect(path).map(|i| serde_json::to_value(&i)), tell)
}

fn tell(value: &Value) {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        Value::Null => "not known".to_owned(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), show::number),
        Value::Array(a) => a.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    println!(
        "{}: {}, {} x {} pixels{}, {}",
        text(&value["path"]),
        text(&value["format"]),
        value["width"],
        value["height"],
        match value["planes"].as_u64() {
            Some(n) if n > 1 => format!(" in {n} planes"),
            _ => String::new(),
        },
        show::bytes(value["file_bytes"].as_u64().unwrap_or(0)),
    );
    let mut rows = vec![vec!["kind".to_owned(), text(&value["kind"]), String::new()]];
    let rule_of = |field: &str| {
        value["rules"]
            .as_array()
            .and_then(|r| r.iter().find(|r| r[0] == field))
            .map_or_else(String::new, |r| text(&r[1]))
    };
    if let Some(fields) = value["metadata"].as_object() {
        let telling = |v: &Value| !(v.is_null() || v == "" || v == false);
        for (field, v) in fields.iter().filter(|(f, v)| telling(v) && *f != "kind") {
            rows.push(vec![field.clone(), text(v), rule_of(field)]);
        }
    }
    show::table(&["FIELD", "value", "by rule"], &[], rows);
    let hdus = value["hdus"].as_array().map_or(&[][..], Vec::as_slice);
    if hdus.len() > 1 {
        let rows = hdus
            .iter()
            .map(|h| ["index", "kind", "name"].iter().map(|k| text_or_dash(&h[*k])).collect())
            .collect();
        show::table(&["HDU", "kind", "name"], &[], rows);
    }
    for note in value["notes"].as_array().into_iter().flatten() {
        println!("note: {}", text(note));
    }
    for finding in value["findings"].as_array().into_iter().flatten() {
        println!("{}: {}", text(&finding["severity"]), text(&finding["message"]));
    }
    println!();
}

/// A cell's text.
fn text_or_dash(value: &Value) -> String {
    match value {
        Value::String(s) if !s.is_empty() => s.clone(),
        Value::Number(n) => n.to_string(),
        _ => "-".to_owned(),
    }
}
