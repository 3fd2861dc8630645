//! Frames of simulated cameras, good and odd, and what is seen of them.

use std::ops::Range;

use photosite::evidence::{FrameSummary, look};
use photosite::stack::{Additive, Prepared, ReadBuffers};
use photosite_file::{Access, Source};
use photosite_pix::{CfaPattern, FrameKind, Plane, Size};
use photosite_sim::{Effects, Night, Preset, Purpose, Simulation, Stream};

/// The size of frames: small, because there are thousands, and with tiles that are all the noisier.
pub const SIZE: Size = Size { width: 360, height: 240 };

/// A frame in memory.
struct InMemory(Plane<f32>);

impl Source for InMemory {
    fn size(&self) -> Size {
        self.0.size()
    }

    fn planes(&self) -> usize {
        1
    }

    fn access(&self) -> Access {
        Access::Rows
    }

    fn read_rows(
        &self,
        _: usize,
        rows: Range<usize>,
        _: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        let width = self.0.width();
        out.copy_from_slice(&self.0.as_slice()[rows.start * width..rows.end * width]);
        Ok(())
    }
}

/// A camera's frames of one kind.
pub struct Camera {
    pub kind: FrameKind,
    pub night: Night,
    pub random: Stream,
    simulation: Simulation,
}

impl Camera {
    pub fn new(preset: Preset, kind: FrameKind, seed: u64) -> Self {
        let mut night = Night::preset(preset, SIZE, seed);
        // Enough hot pixels for so small a sensor, as on a whole one; half of the cameras do not
        // hide their dark signal.
        night.sensor.hot_fraction = night.sensor.hot_fraction.max(1e-3);
        if seed.is_multiple_of(2) {
            night.effects -= Effects::BLACK_CLAMP;
        }
        let random = Stream::new(seed, kind as u64, Purpose::ReadNoise);
        Self { kind, simulation: Simulation::new(night.clone()), night, random }
    }

    fn cfa(&self) -> Option<CfaPattern> {
        self.night.sensor.cfa.filter(|_| self.night.effects.contains(Effects::BAYER))
    }

    /// Renders a frame of number `index`; exposure and temperature as a share and a rise of what
    /// they are planned to be.
    pub fn frame(&self, index: usize, exposure: f64, warmer_c: f64) -> Plane<f32> {
        self.frame_of(&self.simulation, self.kind, index, (exposure, warmer_c))
    }

    fn frame_of(
        &self,
        simulation: &Simulation,
        kind: FrameKind,
        index: usize,
        (exposure, warmer_c): (f64, f64),
    ) -> Plane<f32> {
        let mut plans = simulation.frames().into_iter().filter(|p| p.kind == kind);
        let mut plan = plans.next().expect("a frame of every kind");
        plan.temp_c = self.night.set_temp_c + warmer_c;
        plan.exposure_s *= exposure;
        plan.index = index;
        simulation.render(&plan).adu
    }

    /// The same camera after a change.
    pub fn changed(&self, change: impl Fn(&mut Night)) -> Simulation {
        let mut night = self.night.clone();
        change(&mut night);
        Simulation::new(night)
    }

    /// A frame of a camera that was changed.
    pub fn frame_by(&self, simulation: &Simulation, index: usize) -> Plane<f32> {
        self.frame_of(simulation, self.kind, index, (1.0, 0.0))
    }

    /// What is seen of a frame.
    pub fn look(&self, frame: &Plane<f32>) -> FrameSummary {
        let mut source = Prepared::plain(Box::new(InMemory(frame.clone())));
        source.cfa = self.cfa();
        let additive = match self.kind {
            FrameKind::Flat => Additive::Level(self.night.sensor.offset_adu as f32),
            _ => Additive::Nothing,
        };
        let saturation = Some(self.night.sensor.saturation_adu() as f32);
        look(&source, self.kind, &additive, saturation, &mut ReadBuffers::default()).unwrap()
    }

    /// The scatter of a sample of the frame in ADU.
    pub fn scatter_adu(&self, frame: &Plane<f32>) -> f64 {
        self.look(frame).scatter_adu
    }

    /// The frame in the numbers that its master is made of: of a flat, divided by its level.
    pub fn as_stacked(&self, frame: &Plane<f32>) -> Plane<f32> {
        if self.kind != FrameKind::Flat {
            return frame.clone();
        }
        let offset = self.night.sensor.offset_adu as f32;
        let light = frame.clone();
        let of: Vec<f32> = light.as_slice().iter().map(|v| v - offset).collect();
        let means = photosite::master::channel_means(&of, light.width(), self.cfa());
        let cfa = self.cfa();
        Plane::from_fn(light.size(), |x, y| {
            let c = cfa.map_or(0, |c| c.color(x, y).channel());
            (frame.get(x, y) - offset) / means[c] as f32
        })
    }
}

/// Thirty good frames, and how they came to differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Course {
    /// Nothing drifts.
    Steady,
    /// A camera without a cooler warms up by 8 degrees.
    Warming,
    /// The sky darkens to a twelfth, and its gradient turns by 1 %.
    Twilight,
    /// A panel's light falls by 2 %.
    Panel,
}

impl Course {
    pub fn of(kind: FrameKind, preset: Preset) -> &'static [Self] {
        match (kind, preset) {
            (FrameKind::Flat, _) => &[Self::Twilight, Self::Panel],
            (FrameKind::Dark, Preset::Dslr) => &[Self::Warming, Self::Steady],
            _ => &[Self::Steady],
        }
    }
}

/// `count` good frames of a camera.
pub fn good(camera: &Camera, course: Course, count: usize) -> Vec<Plane<f32>> {
    let one = |i: usize| {
        let t = i as f64 / (count - 1).max(1) as f64;
        match course {
            Course::Steady => camera.frame(i, 1.0, 0.0),
            Course::Warming => camera.frame(i, 1.0, 8.0 * (1.0 - (-(i as f64) / 6.0).exp())),
            Course::Panel => camera.frame(i, 1.0 - 0.02 * t, 0.0),
            Course::Twilight => {
                let mut frame = camera.frame(i, 1.5 * 12f64.powf(-t), 0.0);
                let offset = camera.night.sensor.offset_adu as f32;
                let turn = (0.01 * (t - 0.5)) as f32;
                let (width, height) = (frame.width(), frame.size().height);
                for y in 0..height {
                    for (x, v) in frame.row_mut(y).iter_mut().enumerate() {
                        let along = x as f32 / width as f32 - 0.5;
                        *v = ((*v - offset) * (1.0 + turn * along) + offset).round();
                    }
                }
                frame
            }
        }
    };
    (0..count).map(one).collect()
}
