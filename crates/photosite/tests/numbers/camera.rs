//! A camera of known truth, and the work done with its frames.

use std::path::{Path, PathBuf};

use photosite::event::{Cancel, Silent};
use photosite::params::Integration;
use photosite::product::AdditivePart;
use photosite::run::{
    Integrated, IntegrationRequest, NamedBias, NamedLights, NamedMaster, calibrate_named,
    integrate, master_of_named,
};
use photosite::work::Context;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FitsWriter, ImageSpec, Sample, read_frame, read_frames};
use photosite_pix::{Card, Frame, FrameKind, Header, Plane, Size};
use photosite_sim::{Purpose, Stream};
use tempfile::TempDir;

/// A camera.
#[derive(Debug, Clone, Copy)]
pub struct Camera {
    pub size: Size,
    pub gain: f64,
    pub read_e: f64,
    pub bias_adu: f64,
    /// Samples are integers.
    pub whole: bool,
    pub cfa: Option<&'static str>,
    /// Pixels stand at all parts of a step of the converter.
    pub phases: bool,
}

impl Camera {
    /// Of so many pixels a side: 1 e-/ADU, read noise 5 e-.
    pub fn new(side: usize) -> Self {
        let size = Size::new(side, side);
        Self {
            size,
            gain: 1.0,
            read_e: 5.0,
            bias_adu: 500.0,
            whole: true,
            cfa: None,
            phases: false,
        }
    }

    pub fn with(self, gain: f64, read_e: f64) -> Self {
        Self { gain, read_e, ..self }
    }

    /// A frame of so many expected electrons a pixel.
    pub fn shoot(&self, key: u64, electrons: &dyn Fn(usize, usize) -> f64) -> Plane<f32> {
        let mut random = Stream::new(key, 1, Purpose::Electrons);
        Plane::from_fn(self.size, |x, y| {
            let e = random.poisson(electrons(x, y)) + self.read_e * random.gaussian();
            let phase = if self.phases { ((x * 7 + y * 13) % 16) as f64 / 16.0 } else { 0.0 };
            let adu = self.bias_adu + phase + e / self.gain;
            if self.whole { adu.round().clamp(0.0, 65_535.0) as f32 } else { adu as f32 }
        })
    }

    fn header(&self, kind: &str, exposure_s: f64) -> Header {
        let mut header = Header::new();
        header.set(Card::string("IMAGETYP", kind, ""));
        header.set(Card::real("EXPTIME", exposure_s, ""));
        header.set(Card::real("EGAIN", self.gain, ""));
        header.set(Card::real("RDNOISE", self.read_e, ""));
        if let Some(cfa) = self.cfa {
            header.set(Card::string("BAYERPAT", cfa, ""));
        }
        header
    }
}

/// A folder of frames and products.
pub struct Bench {
    folder: TempDir,
    made: std::cell::Cell<usize>,
}

/// Does some work on all of two threads.
pub fn working<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let cancel = Cancel::default();
    work(&Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel })
}

pub fn write(path: &Path, plane: &Plane<f32>, sample: Sample, header: Header) {
    let spec = ImageSpec { name: None, size: plane.size(), planes: 1, sample, header };
    let writer = FitsWriter::create(path, vec![spec], Vec::new(), Existing::Refuse).unwrap();
    writer.write_rows(0, 0, 0, plane.as_slice()).unwrap();
    writer.finish().unwrap();
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), made: std::cell::Cell::new(0) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.made.set(self.made.get() + 1);
        self.folder.path().join(format!("{:04}_{name}.fits", self.made.get()))
    }

    /// Puts planes into files as frames of the camera.
    pub fn frames(&self, camera: &Camera, kind: &str, planes: &[Plane<f32>]) -> Vec<PathBuf> {
        let sample = if camera.whole { Sample::U16 { pedestal_adu: 0.0 } } else { Sample::F32 };
        let put = |plane| {
            let path = self.path(&kind.replace(' ', ""));
            write(&path, plane, sample, camera.header(kind, 60.0));
            path
        };
        planes.iter().map(put).collect()
    }

    /// A master of so many frames of the camera; keys of random numbers from `key` on.
    pub fn master(
        &self,
        camera: &Camera,
        (kind, count, key): (FrameKind, usize, u64),
        electrons: &dyn Fn(usize, usize) -> f64,
    ) -> (PathBuf, Frame) {
        let planes: Vec<Plane<f32>> =
            (0..count).map(|i| camera.shoot(key * 1000 + i as u64, electrons)).collect();
        self.master_of(camera, kind, &planes)
    }

    /// A master of planes; flats lose the camera's bias level.
    pub fn master_of(
        &self,
        camera: &Camera,
        kind: FrameKind,
        planes: &[Plane<f32>],
    ) -> (PathBuf, Frame) {
        let name = match kind {
            FrameKind::Bias => "Bias Frame",
            FrameKind::Flat => "Flat Frame",
            _ => "Dark Frame",
        };
        let files = self.frames(camera, name, planes);
        let path = self.path("master");
        let mut asked = NamedMaster::new(kind, &files, &path);
        if kind == FrameKind::Flat {
            asked.additive = AdditivePart::Level(camera.bias_adu as f32);
        }
        working(|context| master_of_named(&asked, context)).unwrap();
        let frame = read_frame(&path).unwrap().0;
        (path, frame)
    }

    /// Lights of a camera, calibrated.
    pub fn calibrate(
        &self,
        camera: &Camera,
        lights: &[Plane<f32>],
        (bias, dark, flat): (Option<NamedBias>, Option<&Path>, Option<&Path>),
    ) -> Vec<Frame> {
        let files = self.frames(camera, "Light Frame", lights);
        let output = self.folder.path().join(format!("out{}", self.made.get()));
        let mut asked = NamedLights::new(&files, &output);
        (asked.bias, asked.dark, asked.flat) = (bias, dark, flat);
        let done = working(|context| calibrate_named(&asked, context)).unwrap();
        let made = done.lights.iter().map(|(_, light)| light.path.clone().unwrap());
        made.map(|path| read_frame(&path).unwrap().0).collect()
    }

    /// Calibrated lights, as floating point, stacked.
    pub fn stack(
        &self,
        lights: &[Plane<f32>],
        header: impl Fn(&mut Header),
        how: Integration,
    ) -> (Integrated, Vec<Frame>, Header) {
        let put = |plane| {
            let path = self.path("light");
            let mut own = Header::new();
            own.set(Card::real("EXPTIME", 60.0, ""));
            header(&mut own);
            write(&path, plane, Sample::F32, own);
            path
        };
        let paths: Vec<PathBuf> = lights.iter().map(put).collect();
        let output = self.path("stack");
        let mut request = IntegrationRequest::new(&paths, &output);
        request.how = how;
        request.reference = Some(&paths[0]);
        let done = working(|context| integrate(&request, context)).unwrap();
        let (frames, header) = read_frames(&output).unwrap();
        (done, frames, header)
    }
}
