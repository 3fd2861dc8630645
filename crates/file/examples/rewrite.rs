//! Reads a frame and writes it again with variance, mask and a table: `rewrite IN OUT [u16]`.
//!
//! `tests/oracle/check_output.py` looks at what comes out with other people's programs.

use std::path::Path;
use std::process::ExitCode;

use photosite_file::atomic::Existing;
use photosite_file::fits::{Column, FrameSpec, Sample, Table, read_frame, write_frame};
use photosite_pix::Plane;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, from, to, rest @ ..] = &args[..] else {
        eprintln!("usage: rewrite IN OUT [u16]");
        return ExitCode::from(2);
    };
    let sample = match rest.first().map(String::as_str) {
        Some("u16") => Sample::U16 { pedestal_adu: 100.0 },
        _ => Sample::F32,
    };
    let run = || -> photosite_file::Result<()> {
        let (mut frame, header) = read_frame(Path::new(from))?;
        let gain_e_per_adu = 1.5;
        let variance = frame.data.as_slice().iter().map(|v| v.max(0.0) / gain_e_per_adu + 4.0);
        frame.variance = Plane::from_vec(frame.size(), variance.collect());
        let table = Table {
            name: "PROVENANCE".into(),
            columns: vec![
                ("key".into(), Column::Text(vec!["input".into(), "mean".into()])),
                ("text".into(), Column::Text(vec![from.clone(), String::new()])),
                ("value".into(), Column::Real(vec![f64::NAN, 0.1])),
                ("count".into(), Column::Integer(vec![1, -2])),
            ],
        };
        let to = Path::new(to);
        let spec = FrameSpec { header: &header, sample, beside: Vec::new(), tables: vec![table] };
        let clipped = write_frame(to, &[&frame], spec, Existing::Replace)?;
        println!("{to:?}: {clipped:?}");
        Ok(())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
