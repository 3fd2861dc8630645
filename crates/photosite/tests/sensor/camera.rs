//! A simulated camera in a laboratory.

use std::path::{Path, PathBuf};

use crate::night::stored::write_stored;
use crate::night::{run_context, write_plane};
use photosite::run::{SensorRequest, measure_sensor};
use photosite::sensor::{Measure, SensorReport};
use photosite_file::fits::Sample;
use photosite_pix::stat::{MAD_TO_SIGMA, median_mad};
use photosite_pix::{FrameKind, Plane, Size};
use photosite_sim::{Conditions, Effects, FramePlan, Night, Preset, Simulation, Stored};
use tempfile::TempDir;

/// Effects of a plain laboratory: no sky, no cosmic rays, a steady temperature.
pub const PLAIN: Effects = Effects::all().difference(
    Effects::STARS
        .union(Effects::SKY)
        .union(Effects::SKY_GRADIENT)
        .union(Effects::COSMIC_RAYS)
        .union(Effects::TRAIL)
        .union(Effects::AMP_GLOW)
        .union(Effects::BLACK_CLAMP)
        .union(Effects::TEMPERATURE_DRIFT)
        .union(Effects::DISTORTION)
        .union(Effects::FAULTY)
        .union(Effects::BAYER),
);

/// What is done to the samples of a frame, by its number and kind.
pub type Change = Box<dyn Fn(usize, FrameKind, &mut Plane<f32>)>;

/// A camera, and the frames that were taken with it.
pub struct Laboratory {
    pub simulation: Simulation,
    pub folder: TempDir,
    taken: usize,
    waited_s: f64,
    /// The end of a frame in which every pixel was full.
    full_until_s: Option<f64>,
    /// How frames of several outputs are stored.
    pub stored: Option<Stored>,
    /// What is done to samples before they are written.
    pub change: Option<Change>,
}

impl Laboratory {
    pub fn new(night: Night) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            simulation: Simulation::new(night),
            folder,
            taken: 0,
            waited_s: 0.0,
            full_until_s: None,
            stored: None,
            change: None,
        }
    }

    /// A preset's camera in the plain laboratory, changed.
    pub fn of(preset: Preset, size: Size, seed: u64, change: impl FnOnce(&mut Night)) -> Self {
        let mut night = Night::preset(preset, size, seed);
        let bayer = night.effects & Effects::BAYER;
        night.effects = PLAIN | bayer;
        night.set_temp_c = night.sensor.dark_ref_c;
        change(&mut night);
        Self::new(night)
    }

    /// Takes frames without gain and read noise in their headers.
    pub fn take(&mut self, kind: FrameKind, exposure_s: f64, temp_c: f64, count: usize) {
        for _ in 0..count {
            self.taken += 1;
            let plan = FramePlan {
                kind,
                index: 1000 + self.taken,
                exposure_s,
                temp_c,
                start_s: self.waited_s + self.taken as f64 * 60.0,
                folder: "any",
                file_name: format!("{:04}_{}.fits", self.taken, kind.slug()),
            };
            let since_full_s = self.full_until_s.map(|end| plan.start_s - end);
            let conditions = Conditions { since_full_s, ..Conditions::CLEAR };
            let mut frame = self.simulation.render_under(&plan, conditions);
            if let Some(change) = &self.change {
                change(self.taken, kind, &mut frame.adu);
            }
            for key in ["EGAIN", "RDNOISE", "READNOIS", "DATAMAX", "SATURATE"] {
                frame.header.remove(key);
            }
            let path = self.path().join(&plan.file_name);
            if let Some(stored) = self.stored {
                write_stored(&path, &self.simulation, &frame, stored);
                continue;
            }
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
        }
    }

    /// How many frames were taken.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Waits before the next frame.
    pub fn wait_s(&mut self, seconds: f64) {
        self.waited_s += seconds;
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("frames")
    }

    /// Flats of a share of what fills pixels or the converter.
    pub fn flats(&mut self, share: f64, count: usize) {
        let night = self.simulation.night();
        let exposure_s = night.flat_exposure_s * share * self.range_e() / night.flat_level_e;
        self.take(FrameKind::Flat, exposure_s, night.set_temp_c, count);
    }

    /// Takes a flat in which every pixel is full.
    pub fn saturate(&mut self) {
        self.flats(4.0, 1);
        let night = self.simulation.night();
        let exposure_s = night.flat_exposure_s * 4.0 * self.range_e() / night.flat_level_e;
        self.full_until_s = Some(self.waited_s + self.taken as f64 * 60.0 + exposure_s);
    }

    /// Electrons that fill pixels or the converter.
    pub fn range_e(&self) -> f64 {
        let sensor = &self.simulation.night().sensor;
        let range = (sensor.max_adu() - sensor.offset_adu) * sensor.gain_e_per_adu;
        range.min(sensor.full_well_e)
    }

    /// Mean dark electrons a second of ordinary pixels.
    pub fn dark_e_s(&self, exposure_s: f64, temp_c: f64) -> f64 {
        self.dark_of_ordinary_e_s((exposure_s, temp_c), f64::INFINITY)
    }

    /// The same, without the pixels that are hot by the laboratory's own rule: 8 robust sigmas above the
    /// median in the darks of `warmest`, exposure and temperature.
    pub fn dark_within_e_s(&self, (exposure_s, temp_c): (f64, f64), warmest: (f64, f64)) -> f64 {
        let sensor = &self.simulation.night().sensor;
        let held = self.dark_e(warmest);
        let (middle, mad) = median_mad(held.as_slice());
        // Two frames are averaged.
        let noise = (sensor.read_noise_e.powi(2) + f64::from(middle)) / 2.0;
        let sigma = noise.sqrt().hypot(MAD_TO_SIGMA * f64::from(mad));
        let most = f64::from(middle) + 8.0 * sigma;
        let share = warmest.0 * sensor.dark_factor(warmest.1);
        let here = exposure_s * sensor.dark_factor(temp_c);
        self.dark_of_ordinary_e_s((exposure_s, temp_c), most * here / share)
    }

    fn dark_of_ordinary_e_s(&self, at: (f64, f64), most_e: f64) -> f64 {
        let maps = self.simulation.maps();
        let mut hot = vec![false; maps.dark_e_s.as_slice().len()];
        let width = maps.dark_e_s.width();
        maps.hot.iter().for_each(|h| hot[h.y * width + h.x] = true);
        let dark = self.dark_e(at);
        let all = dark.as_slice().iter().map(|v| f64::from(*v)).zip(hot);
        let ordinary = all.filter(|(v, hot)| !hot && *v <= most_e);
        let (sum, n) = ordinary.fold((0.0, 0.0), |(s, n), (v, _)| (s + v, n + 1.0));
        sum / n / at.0
    }

    fn dark_e(&self, (exposure_s, temp_c): (f64, f64)) -> Plane<f32> {
        let plan = FramePlan {
            kind: FrameKind::Dark,
            index: 0,
            exposure_s,
            temp_c,
            start_s: 0.0,
            folder: "any",
            file_name: String::new(),
        };
        self.simulation.render(&plan).truth.dark_e
    }

    pub fn measure(&self) -> SensorReport {
        measure_at(&self.path(), 2)
    }
}

pub fn measure_at(path: &Path, threads: usize) -> SensorReport {
    let request = SensorRequest { paths: vec![path.to_owned()], ..SensorRequest::default() };
    run_context(threads, |context| measure_sensor(&request, context).unwrap())
}

/// The first measure of a name and unit, of all pixels.
pub fn named<'a>(report: &'a SensorReport, name: &str, unit: &str) -> Option<&'a Measure> {
    report.measures.iter().find(|m| m.name == name && m.unit == unit && m.channel.is_none())
}

/// Whether the truth lies in the stated interval.
pub fn holds(m: &Measure, truth: f64) -> bool {
    m.low.unwrap() <= truth && truth <= m.high.unwrap()
}
