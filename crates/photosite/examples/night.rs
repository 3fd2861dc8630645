//! Calibrates and stacks a night: `night FOLDER OUT`.

use std::path::PathBuf;

use photosite::Workplace;
use photosite::run::{NightRequest, run_night};

fn main() -> photosite::Result<()> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [night, output] = &args[..] else {
        eprintln!("night FOLDER OUT");
        return Ok(());
    };
    let work = Workplace::new();
    let request = NightRequest::new(vec![night.clone()], output.clone());
    let outcome = run_night(&request, &work.context())?;
    for stack in &outcome.report.stacks {
        println!("{}: {} lights", stack.path.display(), stack.inputs.len());
    }
    println!("{} findings", outcome.report.findings.len());
    Ok(())
}
