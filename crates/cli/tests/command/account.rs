//! docs/json.md: what every `--json` prints, by what it prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::{expect, json, simulate, text, visible};

/// A verb's account: its command for people, what it is, and something to ask of it.
struct Account {
    command: &'static str,
    about: &'static str,
    jq: &'static str,
    /// Levels of fields that are listed.
    depth: usize,
    printed: Value,
}

/// Kinds of values seen at each place.
type Fields = BTreeMap<String, BTreeSet<&'static str>>;

fn collect(value: &Value, place: &str, depth: usize, fields: &mut Fields) {
    match value {
        Value::Object(all) => {
            for (key, v) in all {
                let below = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                fields.entry(below.clone()).or_default().insert(kind(v));
                if depth > 1 {
                    collect(v, &below, depth - 1, fields);
                }
            }
        }
        Value::Array(all) => {
            all.iter().for_each(|v| collect(v, &format!("{place}[]"), depth, fields));
        }
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// What verbs print of a small simulated night.
fn accounts(folder: &Path) -> Vec<Account> {
    let (night, out) = (folder.join("night"), folder.join("out"));
    simulate(&night, &["--width", "320", "--height", "240", "--lights", "4"]);
    let at = |p: &str| folder.join(p).to_str().unwrap().to_owned();
    let run = json(&expect(
        0,
        &["run", text(&night), "-o", text(&out), "--keep", "calibrated", "--json", "--no-library"],
    ));
    let lights: Vec<String> =
        visible(&out.join("calibrated")).iter().map(|p| text(p).to_owned()).collect();
    let (raw, light) = (at("night/lights"), &lights[0]);
    let stack = visible(&out.join("stacks")).into_iter().find(|p| p.extension().unwrap() == "fits");
    let stack = text(&stack.unwrap()).to_owned();
    let master = at("bias.fits");
    let ask = |args: &[&str]| json(&expect(0, &[args, &["--json"]].concat()));
    let made = |command, about, jq, depth, printed| Account { command, about, jq, depth, printed };
    vec![
        made(
            "run NIGHT -o OUT",
            "The report of a night, the same as `OUT/run.json`; [its schema](run.schema.json) names every field.",
            ".findings[] | select(.severity == \"error\") | .subject + \": \" + .message",
            1,
            run,
        ),
        made(
            "run NIGHT -o OUT --dry-run",
            "What a run would do; `graph` is the plan, [its schema](plan.schema.json).",
            ".pictures[] | \"\\(.name): \\(.lights | length) lights\"",
            1,
            ask(&["run", text(&night), "-o", &at("out3"), "--dry-run", "--no-library"]),
        ),
        made(
            "inspect FILE...",
            "What a header says; a list, one entry a file.",
            ".[] | [.path, .kind, .metadata.exposure_s] | @tsv",
            1,
            ask(&["inspect", light]),
        ),
        made(
            "stats FILE...",
            "Statistics of samples; a list.",
            ".[].channels[] | [.name, .median, .noise] | @tsv",
            2,
            ask(&["stats", light]),
        ),
        made(
            "stars FILE",
            "Stars; `ra_deg` and `dec_deg` where the header has world coordinates.",
            ".stars[] | [.x, .y, .flux, .flux_error] | @csv",
            2,
            ask(&["stars", &stack]),
        ),
        made(
            "register LIGHTS...",
            "Where lights lie on the reference.",
            ".frames[] | [.path, .shift_px, .residual_px] | @json",
            2,
            ask(&["register", &lights[0], &lights[1], &lights[2]]),
        ),
        made(
            "master KIND FILES... -o FILE",
            "A master.",
            ".stats.median",
            2,
            ask(&["master", "bias", &at("night/bias"), "-o", &master]),
        ),
        made(
            "calibrate LIGHTS... -o DIR",
            "Calibrated lights.",
            ".lights[] | [.path, .repaired] | @tsv",
            2,
            ask(&["calibrate", &raw, "-o", &at("cal"), "--bias", &master]),
        ),
        made(
            "stack LIGHTS... -o FILE",
            "A stack.",
            ".lights[] | [.path, .weight] | @tsv",
            2,
            ask(&[
                "stack",
                &lights[0],
                &lights[1],
                &lights[2],
                "-o",
                &at("stack.fits"),
                "--register",
            ]),
        ),
        made(
            "convert FILE -o FILE",
            "An image in another format; a list for several files.",
            ".output",
            1,
            ask(&["convert", light, "-o", &at("light.xisf")]),
        ),
        made(
            "diagnose LIGHT...",
            "Verdicts of calibrated lights ([verdict.md](verdict.md)).",
            ".lights[] | [.path, .verdict, .findings[0].code] | @tsv",
            2,
            ask(&["diagnose", light]),
        ),
        made(
            "explain FILE...",
            "What products were made of; a list.",
            ".[].inputs[] | [.role, .name] | @tsv",
            2,
            ask(&["explain", &stack]),
        ),
        made(
            "verify FILE...",
            "Whether products come out the same again.",
            ".products[] | [.path, .answer] | @tsv",
            2,
            ask(&["verify", &master, "--inputs", &at("night/bias")]),
        ),
        made(
            "sensor measure PATH...",
            "A sensor; low and high bound 95 %.",
            ".measures[] | select(.valid) | [.name, .value, .low, .high, .unit] | @tsv",
            2,
            ask(&["sensor", "measure", text(&night)]),
        ),
        made(
            "plan LIGHTS...",
            "The shooting list.",
            ".shots[] | [.kind, .count, .exposure_s] | @tsv",
            2,
            ask(&["plan", &raw]),
        ),
        made(
            "match LIGHT...",
            "Which master each light gets, and why; a list, one entry a light.",
            ".[] | .path as $light | .masters[] | [$light, .kind, .chosen.name // \"none\"] | @tsv",
            2,
            ask(&["match", &raw]),
        ),
    ]
}

fn page(accounts: &[Account]) -> String {
    let mut out = String::from(
        "# JSON\n\nWhat commands print with `--json`: one value on standard output, messages on standard \
         error. `schema` names the kind of account and its version; within a version fields are added, never \
         renamed or taken away. A list has the schema in each entry. Numbers carry their unit in their name; \
         `null` is not known. The exit status is that without `--json`. The fields were read off a simulated \
         night (`PHOTOSITE_WRITE_DOCS=1 cargo test -p photosite-cli --test command json` writes this page \
         anew), so that an optional field of another night may be missing here.\n",
    );
    for account in accounts {
        let one = account.printed.as_array().map_or(&account.printed, |list| &list[0]);
        let schema =
            one["schema"].as_str().unwrap_or_else(|| panic!("{} has no schema", account.command));
        let verb = account.command;
        let _ = write!(out, "\n## `{schema}`: `{verb}`\n\n{}\n\n", account.about);
        let _ = writeln!(out, "    photosite {verb} --json | jq -r '{}'\n", account.jq);
        out.push_str("| field | holds |\n|---|---|\n");
        let mut fields = Fields::new();
        collect(&account.printed, "", account.depth, &mut fields);
        for (place, kinds) in fields {
            let kinds: Vec<&str> = kinds.into_iter().collect();
            let _ = writeln!(out, "| `{place}` | {} |", kinds.join(", "));
        }
    }
    out.push_str(
        "\n## Findings\n\nEvery `findings` list has entries of `code`, `severity` (`info`, `warning`, `error`), \
         `subject`, `message`, `hint` and `evidence`, the numbers behind it. [findings.md](findings.md) says of \
         each code what was seen and what to do. The codes:\n\n",
    );
    let names: Vec<String> =
        photosite::finding::codes().iter().map(|c| format!("`{}`", c.name)).collect();
    let _ = writeln!(out, "{}.", names.join(", "));
    out
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a page of the docs is no product")]
fn json_is_as_its_page_says() {
    let dir = tempfile::tempdir().unwrap();
    let page = page(&accounts(dir.path()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    if std::env::var_os("PHOTOSITE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let (is, was): (Vec<&str>, Vec<&str>) = (page.lines().collect(), there.lines().collect());
    let differs = is.iter().zip(&was).find(|(a, b)| a != b);
    assert!(
        differs.is_none() && is.len() == was.len(),
        "docs/json.md is not what is printed ({differs:?}); PHOTOSITE_WRITE_DOCS=1 cargo test -p \
         photosite-cli --test command json writes it anew"
    );
}
