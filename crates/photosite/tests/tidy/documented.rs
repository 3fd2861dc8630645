//! Public modules show what they are for.

use super::{read, root};

/// The code of an example that runs in the documentation at the head of a file, where there is one.
fn example(text: &str) -> Option<String> {
    let head = text.lines().take_while(|l| l.starts_with("//!"));
    let code = head.skip_while(|l| *l != "//! ```").skip(1).take_while(|l| *l != "//! ```");
    let code: Vec<&str> = code.collect();
    (!code.is_empty()).then(|| code.join("\n"))
}

#[test]
fn every_public_module_has_an_example_that_runs() {
    let source = root().join("crates/photosite/src");
    let lib = read(&source.join("lib.rs"));
    let modules: Vec<&str> =
        lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 25, "{modules:?}");
    let mut without = Vec::new();
    for module in modules {
        let file = source.join(format!("{module}.rs"));
        let file = if file.exists() { file } else { source.join(module).join("mod.rs") };
        let code = example(&read(&file)).unwrap_or_default();
        // What is not compared with a number shows nothing.
        if !code.contains("assert") {
            without.push(module);
        }
    }
    assert!(without.is_empty(), "without an example: {without:?}");
    assert_eq!(example("//! A room.\n//!\n//! ```no_run\n//! f();\n//! ```\n"), None);
}
