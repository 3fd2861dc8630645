//! The schemas in docs/ are those of the types, and what is really written follows them.

#![allow(clippy::disallowed_methods, reason = "it writes the docs when asked, and a bad frame")]

mod night;

use std::path::{Path, PathBuf};

use jsonschema::{Registry, Validator};
use photosite::event::{Cancel, Event, Observer, Stage};
use photosite::report::RunReport;
use photosite::run::{PlannedNight, run_night};
use photosite::work::Context;
use photosite_pix::Size;
use photosite_sim::{Night, Preset, Simulation};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use night::{request, run, with, write_night};

/// The file names of the schemas; one refers to the other.
const RUN: &str = "run.schema.json";
const PLAN: &str = "plan.schema.json";

/// Calls `change` with every object in `value`.
fn each_object(value: &mut Value, change: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            change(map);
            map.values_mut().for_each(|v| each_object(v, change));
        }
        Value::Array(all) => all.iter_mut().for_each(|v| each_object(v, change)),
        _ => {}
    }
}

/// The schema of a type, for people who do not read Rust.
fn schema<T: JsonSchema>(id: &str, title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = serde_json::to_value(schema).unwrap();
    each_object(&mut schema, &mut |map| {
        let Some(Value::String(told)) = map.get_mut("description") else { return };
        let plain = told.replace("`None`", "null").replace("[`", "`").replace("`]", "`");
        *told = plain.replace("\n\n", "\n").replace("\n", " ");
    });
    schema["$id"] = id.into();
    schema["title"] = title.into();
    schema
}

fn schemas() -> [(&'static str, Value); 2] {
    [
        (RUN, schema::<RunReport>(RUN, "The report of a run of Photosite: run.json")),
        (PLAN, schema::<PlannedNight>(PLAN, "A night as Photosite plans it: run --dry-run --json")),
    ]
}

#[test]
fn the_schemas_in_the_docs_are_those_of_the_types() {
    for (name, schema) in schemas() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("PHOTOSITE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written.replace("\r\n", "\n") == wanted,
            "docs/{name} is not what the types say; PHOTOSITE_WRITE_DOCS=1 cargo test -p photosite \
             --test schema writes it anew"
        );
    }
}

#[test]
fn every_key_is_described() {
    let mut keys = 0;
    for (name, mut schema) in schemas() {
        each_object(&mut schema, &mut |map| {
            let Some(Value::Object(properties)) = map.get("properties") else { return };
            for (key, value) in properties {
                keys += 1;
                // A type's own words do where the key has none.
                let told = value.get("description").or(value.get("$ref"));
                assert!(told.is_some(), "{name}: {key} is not described");
            }
        });
    }
    assert!(keys > 150, "only {keys} keys were seen");
}

/// A validator of reports that, unlike the published schema, allows no key that is not in it.
fn strict() -> [Validator; 2] {
    let closed = schemas().map(|(name, mut schema)| {
        each_object(&mut schema, &mut |map| {
            if map.contains_key("properties") {
                map.insert("additionalProperties".into(), false.into());
            }
        });
        (format!("json-schema:///{name}"), schema)
    });
    let mut registry = Registry::new();
    for (name, schema) in &closed {
        registry = registry.add(name, schema.clone()).unwrap();
    }
    let registry = registry.prepare().unwrap();
    closed.map(|(_, schema)| jsonschema::options().with_registry(&registry).build(&schema).unwrap())
}

/// What the validator objects to.
fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|e| format!("{} at {}", e, e.instance_path())).collect()
}

fn simulated(preset: Preset, folder: &Path) {
    let mut night = Night::preset(preset, Size::new(256, 256), 5);
    night.counts.bias = 4;
    night.counts.darks = 4;
    night.counts.flats = 4;
    night.counts.dark_flats = 4;
    night.counts.lights = 3;
    write_night(&Simulation::new(night), folder);
}

/// Asks the work to stop where a stage begins.
struct StopsAt<'a>(Stage, &'a Cancel);

impl Observer for StopsAt<'_> {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Started { stage, .. } if stage == self.0) {
            self.1.request();
        }
    }
}

fn json_of(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_is_written_follows_the_schemas() {
    let [report, plan] = strict();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    simulated(Preset::CmosMono, &at("mono"));
    simulated(Preset::CmosOsc, &at("osc"));
    // A frame that cannot be read, and one that is nothing known.
    std::fs::write(at("mono/darks/cut.fits"), b"SIMPLE  =").unwrap();

    let asked = with(request(vec![at("mono")], &at("out")), |n| n.library = Some(at("library")));
    run(&asked, 2);
    let mono = json_of(at("out/run.json"));
    assert!(!mono["stacks"].as_array().unwrap().is_empty());
    assert!(!mono["findings"].as_array().unwrap().is_empty());
    // A second night takes its masters from the library.
    let again = with(asked.clone(), |n| (n.output, n.stack) = (at("again"), false));
    run(&again, 2);
    let colour = request(vec![at("osc")], &at("colour"));
    run(&colour, 2);
    let written = ["out", "again", "colour"].map(|n| json_of(at(n).join("run.json")));
    for value in written {
        assert_eq!(faults(&report, &value), [""; 0]);
    }

    // A run that is stopped on its way writes its report all the same.
    for stage in [Stage::Identify, Stage::Masters, Stage::Survey, Stage::Stacking] {
        let cancel = Cancel::default();
        let observer = StopsAt(stage, &cancel);
        let context =
            Context { threads: 2, memory_bytes: 1 << 30, observer: &observer, cancel: &cancel };
        let output = at("stopped").join(stage.name());
        let stopped = with(colour.clone(), |n| n.output = output.clone());
        assert!(run_night(&stopped, &context).unwrap().failure.is_some());
        assert_eq!(faults(&report, &json_of(output.join("run.json"))), [""; 0]);
    }

    for asked in [asked, colour] {
        let dry = with(asked, |n| (n.dry_run, n.graph, n.output) = (true, true, at("dry")));
        let told = serde_json::to_value(run(&dry, 2)).unwrap();
        assert!(told["plan"]["steps"].as_array().unwrap().len() > 4);
        assert_eq!(faults(&report, &told), [""; 0]);
        assert_eq!(faults(&plan, &told["plan"]), [""; 0]);
        let mut other = told["plan"].clone();
        other["steps"][0]["cost"]["minutes"] = json!(1);
        assert_eq!(faults(&plan, &other).len(), 1, "a key that is not in the schema is seen");
        let other = json!({ "plan": other });
        assert!(faults(&report, &other).iter().any(|f| f.contains("minutes")));
    }

    // What a schema must not let pass.
    for (key, wrong) in [("stacks", json!(3)), ("schema", json!("photosite.run/2"))] {
        let mut other = mono.clone();
        other[key] = wrong;
        assert_eq!(faults(&report, &other).len(), 1, "{key}");
    }
    let mut other = mono;
    other["frames"][0]["metadata"]["exposure"] = json!(3.0);
    assert_eq!(faults(&report, &other).len(), 1, "a key that is not in the schema is seen");
}
