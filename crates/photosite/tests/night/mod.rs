//! Simulated nights, written to a folder and calibrated there.
#![allow(dead_code, reason = "no test uses all of it")]

pub mod stored;

use std::path::{Path, PathBuf};

use photosite::event::{Cancel, Silent};
use photosite::master::channel_means;
use photosite::report::RunReport;
use photosite::run::{NightRequest, run_night};
use photosite::work::Context;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FitsWriter, ImageSpec, Sample, read_frame};
use photosite_pix::{Frame, FrameKind, Header, MaskBits, Plane};
use photosite_sim::{Effects, FramePlan, Night, Scale, SimFrame, Simulation};
use tempfile::TempDir;

/// The folders of a simulated night.
pub const FOLDERS: [&str; 5] = ["bias", "darks", "flats", "darkflats", "lights"];

/// Writes one plane as a FITS file; a missing folder is made.
pub fn write_plane(path: &Path, plane: &Plane<f32>, sample: Sample, header: Header) {
    let spec = ImageSpec { name: None, size: plane.size(), planes: 1, sample, header };
    let writer = FitsWriter::create(path, vec![spec], Vec::new(), Existing::Refuse).unwrap();
    writer.write_rows(0, 0, 0, plane.as_slice()).unwrap();
    writer.finish().unwrap();
}

/// Writes the raw frames of a night below `folder`.
pub fn write_night(simulation: &Simulation, folder: &Path) {
    write_as(simulation, folder, |plan| (plan.clone(), simulation.render(plan)));
}

/// Writes the raw frames of a night below `folder`, each as a function renders it.
pub fn write_as(
    simulation: &Simulation,
    folder: &Path,
    render: impl Fn(&FramePlan) -> (FramePlan, SimFrame),
) {
    let integers = simulation.night().effects.contains(Effects::QUANTISATION);
    let sample = if integers { Sample::U16 { pedestal_adu: 0.0 } } else { Sample::F32 };
    for plan in simulation.frames() {
        let (plan, frame) = render(&plan);
        let path = folder.join(plan.folder).join(&plan.file_name);
        write_plane(&path, &frame.adu, sample, frame.header);
    }
}

/// A request for the night of the frames at `paths`, calibrated lights kept.
pub fn request(paths: Vec<PathBuf>, output: &Path) -> NightRequest {
    with(NightRequest::new(paths, output.to_owned()), |night| night.keep.calibrated = true)
}

/// The same with a change.
pub fn with<T>(mut what: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut what);
    what
}

/// Does some work on so many threads.
pub fn run_context<T>(threads: usize, work: impl FnOnce(&Context<'_>) -> T) -> T {
    let cancel = Cancel::default();
    work(&Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel })
}

/// Calibrates a night on so many threads.
pub fn run(request: &NightRequest, threads: usize) -> RunReport {
    run_context(threads, |context| run_night(request, context).unwrap().report)
}

/// A simulated night, calibrated.
pub struct Calibrated {
    pub simulation: Simulation,
    pub folder: TempDir,
    pub report: RunReport,
}

/// Renders, writes and calibrates a night; findings of other codes than these are faults.
pub fn calibrate(night: Night, expected: &[&str]) -> Calibrated {
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    write_night(&simulation, folder.path());
    let output = folder.path().join("out");
    let request = with(request(vec![folder.path().to_owned()], &output), |n| n.stack = false);
    let report = run(&request, 2);
    // Twenty darks and more give a map, which is told, and so are biases without noise.
    let usual = ["defects-mapped", "frame-without-signal"];
    for finding in report.findings.iter().filter(|f| !usual.contains(&&*f.code)) {
        assert!(expected.contains(&&*finding.code), "{finding:?}");
    }
    Calibrated { simulation, folder, report }
}

impl Calibrated {
    /// The lights: what came out, and what went in.
    pub fn lights(&self) -> Vec<(FramePlan, Frame, SimFrame)> {
        let plans = self.simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
        plans
            .map(|plan| {
                let path = self.folder.path().join("out/calibrated").join(&plan.file_name);
                let (frame, _) = read_frame(&path).unwrap();
                let raw = self.simulation.render(&plan);
                (plan, frame, raw)
            })
            .collect()
    }

    /// The master of a kind, the first where there are several.
    pub fn master(&self, kind: FrameKind) -> Frame {
        let found = self.report.masters.iter().find(|m| m.kind == kind);
        read_frame(&found.expect("a master of that kind").path).unwrap().0
    }

    /// How the truth becomes calibrated ADU, by the robust mean of the response, as flats have it.
    pub fn scale(&self) -> Scale {
        let night = self.simulation.night();
        let cfa = night.sensor.cfa.filter(|_| night.effects.contains(Effects::BAYER));
        let response = &self.simulation.maps().response;
        Scale {
            gain_e_per_adu: night.sensor.gain_e_per_adu,
            response: channel_means(response.as_slice(), response.width(), cfa),
            cfa,
        }
    }

    /// The same by the factor that this very flat was divided by.
    ///
    /// Which pixels count for a robust mean is a convention: a dust shadow may, or may not.
    pub fn scale_of_flat(&self) -> Scale {
        let mut scale = self.scale();
        if !self.report.masters.iter().any(|m| m.kind == FrameKind::Flat) {
            return scale;
        }
        let flat = self.master(FrameKind::Flat);
        let response = &self.simulation.maps().response;
        let (mut of_response, mut of_flat) = ([0.0f64; 3], [0.0f64; 3]);
        for y in 0..flat.size().height {
            for x in (0..flat.size().width).filter(|&x| flat.mask.get(x, y).is_good()) {
                let channel = scale.cfa.map_or(0, |c| c.color(x, y).channel());
                of_response[channel] += f64::from(response.get(x, y));
                of_flat[channel] += f64::from(flat.data.get(x, y));
            }
        }
        for channel in (0..3).filter(|&c| of_flat[c] > 0.0) {
            scale.response[channel] = of_response[channel] / of_flat[channel];
        }
        scale
    }

    /// Calibrated minus true, pixel by pixel, in ADU; NaN where any mask bit is set, and where a
    /// cosmic ray hit.
    pub fn residual(&self, frame: &Frame, raw: &SimFrame) -> Plane<f32> {
        let (scale, truth) = (self.scale_of_flat(), &raw.truth);
        let light = truth.light_e.as_ref().expect("a light");
        Plane::from_fn(frame.size(), |x, y| {
            if frame.mask.get(x, y) != MaskBits::empty() || truth.cosmic_e.get(x, y) > 0.0 {
                return f32::NAN;
            }
            let response = scale.response[scale.cfa.map_or(0, |c| c.color(x, y).channel())];
            let expected = f64::from(light.get(x, y)) * response / scale.gain_e_per_adu;
            (f64::from(frame.data.get(x, y)) - expected) as f32
        })
    }
}

/// The mean of some pixels with its standard error.
#[derive(Debug, Clone, Copy)]
pub struct Mean {
    pub n: usize,
    pub mean: f64,
    pub error: f64,
    pub rms: f64,
    pub largest: f64,
}

/// The mean of the finite samples of `plane` where `which` says so.
pub fn mean_where(plane: &Plane<f32>, which: impl Fn(usize, usize) -> bool) -> Mean {
    let (mut n, mut sum, mut squares, mut largest) = (0usize, 0.0f64, 0.0f64, 0.0f64);
    for y in 0..plane.height() {
        for x in (0..plane.width()).filter(|&x| which(x, y)) {
            let v = f64::from(plane.get(x, y));
            if v.is_finite() {
                n += 1;
                sum += v;
                squares += v * v;
                largest = largest.max(v.abs());
            }
        }
    }
    let count = n as f64;
    let mean = sum / count;
    let sd = (squares / count - mean * mean).max(0.0).sqrt();
    Mean { n, mean, error: sd / count.sqrt(), rms: (squares / count).sqrt(), largest }
}
