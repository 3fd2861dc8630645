//! Frames of a night, rendered, with the truth in them.

use photosite_pix::{FrameKind, Header, Metadata, Plane, Rect, Size};
use serde::Serialize;

use crate::math::{pow, sin_cos};
use crate::rng::{Purpose, Stream};
use crate::sensor::Throughput;
use crate::{
    Conditions, Effects, FaultyPixel, FramePlan, HotPixel, Maps, Night, Outputs, Pointing, Star,
    card, cosmic,
};

/// A night with its fixed maps made.
#[derive(Debug, Clone)]
pub struct Simulation {
    night: Night,
    maps: Maps,
}

/// One rendered frame.
#[derive(Debug, Clone)]
pub struct SimFrame {
    /// The samples in ADU: whole numbers where quantisation is on.
    pub adu: Plane<f32>,
    /// The overscan of each output, its first column the one beside the light; rows as on the sensor.
    pub overscans: Vec<Plane<f32>>,
    /// The cards a capture program would write, without structural ones.
    pub header: Header,
    /// The same, typed.
    pub metadata: Metadata,
    /// What is really in the frame.
    pub truth: FrameTruth,
}

/// What is really in a frame.
#[derive(Debug, Clone)]
pub struct FrameTruth {
    /// Noise-free electrons that the light brings to each pixel, colour filters included, before
    /// the response: what a perfect calibration recovers, up to the flat's normalisation and the
    /// gain. `None` in the dark.
    pub light_e: Option<Plane<f32>>,
    /// Expected electrons of dark current and glow.
    pub dark_e: Plane<f32>,
    /// Electrons that cosmic rays left.
    pub cosmic_e: Plane<f32>,
    /// Noise-free electrons of a satellite's trail (contained in `light_e`), where there is one.
    pub trail_e: Option<Plane<f32>>,
    /// What the black-level clamp subtracted, in ADU.
    pub clamp_adu: f64,
    /// The level of each row of each output above the sensor's offset, in ADU; none of a sensor read through
    /// one that has no level of its own.
    pub levels_adu: Vec<Vec<f64>>,
    /// The sensor's true temperature in degrees Celsius.
    pub temp_c: f64,
    /// How far the stars are moved along x and y, in pixels.
    pub dither_px: (f64, f64),
    /// How far they are turned, in degrees.
    pub rotation_deg: f64,
}

/// The truth about one frame that fits in a line of text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameRecord {
    /// The frame.
    #[serde(flatten)]
    pub plan: FramePlan,
    /// What the black-level clamp subtracted, in ADU.
    pub clamp_adu: f64,
    /// How far the stars are moved along x and y, in pixels.
    pub dither_px: (f64, f64),
    /// How far they are turned, in degrees.
    pub rotation_deg: f64,
    /// Whether a satellite crosses the frame.
    pub has_trail: bool,
    /// The file with the frame's `light_e` in the truth folder, for lights.
    pub light_file: Option<String>,
}

/// The content of `truth/truth.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthRecord {
    /// Every parameter of the night.
    pub night: Night,
    /// The level from which samples are saturated, in ADU.
    pub saturation_adu: f64,
    /// Total read noise, that of rounding included, in electrons.
    pub read_noise_e: f64,
    /// The frames, in the order in which they were taken.
    pub frames: Vec<FrameRecord>,
    /// The stars, brightest first.
    pub stars: Vec<Star>,
    /// The hot pixels.
    pub hot: Vec<HotPixel>,
    /// Faulty pixels of other kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faulty: Vec<FaultyPixel>,
}

impl Simulation {
    /// Makes the maps of `night`.
    pub fn new(night: Night) -> Self {
        let maps = Maps::new(&night);
        Self { night, maps }
    }

    /// The night.
    pub fn night(&self) -> &Night {
        &self.night
    }

    /// What is fixed on the sensor and in the sky.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// The frames in the order in which they are taken.
    pub fn frames(&self) -> Vec<FramePlan> {
        self.night.frames()
    }

    /// The maps that belong in the truth folder, with their file names.
    pub fn truth_maps(&self) -> [(&'static str, &Plane<f32>); 4] {
        [
            ("response.fits", &self.maps.response),
            ("bias_adu.fits", &self.maps.bias_adu),
            ("dark_e_s.fits", &self.maps.dark_e_s),
            ("glow_e.fits", &self.maps.glow_e),
        ]
    }

    /// The content of `truth.json`; renders nothing.
    pub fn truth_record(&self) -> TruthRecord {
        let record = |plan: FramePlan| FrameRecord {
            clamp_adu: self.clamp_adu(&plan),
            dither_px: self.pointing(&plan).dither_px,
            rotation_deg: self.pointing(&plan).rotation_deg,
            has_trail: self.trail(&plan).is_some(),
            light_file: (plan.kind == FrameKind::Light)
                .then(|| format!("light_e_{:04}.fits", plan.index + 1)),
            plan,
        };
        TruthRecord {
            saturation_adu: self.night.sensor.saturation_adu(),
            read_noise_e: self.night.sensor.measured_read_noise_e(self.night.effects),
            frames: self.frames().into_iter().map(record).collect(),
            stars: self.maps.stars.clone(),
            hot: self.maps.hot.clone(),
            faulty: self.maps.faulty.clone(),
            night: self.night.clone(),
        }
    }

    /// The frame of `plan`, which may also be one of the caller's own making.
    pub fn render(&self, plan: &FramePlan) -> SimFrame {
        self.render_under(plan, Conditions::CLEAR)
    }

    /// The same of a light under conditions of its own; its noise, dither and trail stay what they are.
    pub fn render_under(&self, plan: &FramePlan, conditions: Conditions) -> SimFrame {
        let Night { sensor, sky, effects, seed, .. } = &self.night;
        let key = self.key(plan);
        let trail_e = self
            .trail(plan)
            .map(|trail| trail.plane(sky, sensor.size, sensor.colors(*effects), plan.exposure_s));
        let light_e = self.light_e(plan, trail_e.as_ref(), conditions);
        let truth = FrameTruth {
            dark_e: self.dark_e(plan),
            cosmic_e: cosmic::plane(sensor, sky, *effects, *seed, key, plan.exposure_s),
            light_e,
            trail_e,
            clamp_adu: self.clamp_adu(plan),
            levels_adu: sensor
                .outputs
                .as_ref()
                .map_or_else(Vec::new, |o| o.levels(sensor.size, (*seed, key))),
            temp_c: plan.temp_c,
            dither_px: self.pointing(plan).dither_px,
            rotation_deg: self.pointing(plan).rotation_deg,
        };
        let metadata = card::metadata(&self.night, plan);
        let mut header = card::header(&self.night, plan, &metadata);
        if plan.kind == FrameKind::Light {
            self.pointing(plan).cards(&mut header);
        }
        let (adu, overscans) = self.expose((plan, conditions), key, &truth);
        SimFrame { adu, overscans, header, metadata, truth }
    }

    fn key(&self, plan: &FramePlan) -> u64 {
        self.night.frame_key(plan.kind, plan.index, plan.exposure_s)
    }

    /// How the frame of `plan` sees the star field; of frames that see none, as if it were the
    /// field itself.
    pub fn pointing(&self, plan: &FramePlan) -> Pointing {
        let Night { sky, effects, seed, counts, .. } = &self.night;
        if plan.kind != FrameKind::Light {
            return Pointing::new(&self.night, (0.0, 0.0), 0.0);
        }
        let key = self.key(plan);
        let late = plan.index >= counts.lights.div_ceil(2);
        let rotation_deg = sky.rotation_deg(*effects, *seed, key, late);
        Pointing::new(&self.night, sky.dither(*effects, *seed, key), rotation_deg)
    }

    fn trail(&self, plan: &FramePlan) -> Option<crate::sky::Trail> {
        let Night { sensor, sky, effects, seed, counts, .. } = &self.night;
        let always = plan.index == counts.lights / 2;
        (plan.kind == FrameKind::Light)
            .then(|| sky.trail(sensor.size, *effects, *seed, self.key(plan), always))
            .flatten()
    }

    fn light_e(
        &self,
        plan: &FramePlan,
        trail_e: Option<&Plane<f32>>,
        conditions: Conditions,
    ) -> Option<Plane<f32>> {
        let Night { sensor, sky, effects, .. } = &self.night;
        let colors = sensor.colors(*effects);
        match plan.kind {
            FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat => None,
            FrameKind::Flat => {
                let share = plan.exposure_s / self.night.flat_exposure_s;
                let level = self.night.flat_level_e * share;
                let pass = Throughput::new(colors, sky.lamp_rgb);
                Some(Plane::from_fn(sensor.size, |x, y| (level * pass.at(x, y)) as f32))
            }
            FrameKind::Light => {
                let mut plane = sky.background(sensor.size, colors, *effects, plan.exposure_s);
                if conditions.sky != 1.0 {
                    plane.as_mut_slice().iter_mut().for_each(|v| *v *= conditions.sky as f32);
                }
                let share = plan.exposure_s / self.night.light_exposure_s;
                let pointing = self.pointing(plan);
                sky.add_stars(&mut plane, &self.maps.stars, colors, (&pointing, conditions), share);
                if let Some(trail) = trail_e {
                    for (v, t) in plane.as_mut_slice().iter_mut().zip(trail.as_slice()) {
                        *v += t;
                    }
                }
                Some(plane)
            }
        }
    }

    fn dark_e(&self, plan: &FramePlan) -> Plane<f32> {
        let seconds = self.night.sensor.dark_factor(plan.temp_c) * plan.exposure_s;
        let share = self.night.sensor.glow_share(plan.exposure_s);
        let mut plane = self.maps.dark_e_s.clone();
        for (v, g) in plane.as_mut_slice().iter_mut().zip(self.maps.glow_e.as_slice()) {
            *v = (f64::from(*v) * seconds + f64::from(*g) * share) as f32;
        }
        plane
    }

    /// The clamp subtracts what the masked pixels see, and those run a little warmer than the
    /// rest: that is how a dark comes out darker than a bias.
    fn clamp_adu(&self, plan: &FramePlan) -> f64 {
        let sensor = &self.night.sensor;
        if !self.night.effects.contains(Effects::BLACK_CLAMP) {
            return 0.0;
        }
        let dark_e = self.maps.mean_dark_e_s * sensor.dark_factor(plan.temp_c) * plan.exposure_s;
        let glow_e = self.maps.mean_glow_e * sensor.glow_share(plan.exposure_s);
        sensor.clamp_ratio * (dark_e + glow_e) / sensor.gain_e_per_adu
    }

    /// The interference of a frame in electrons at a pixel, where there is one.
    fn tone(&self, key: u64) -> Option<impl Fn(usize, usize) -> f64> {
        let sensor = &self.night.sensor;
        let (amplitude, (fx, fy)) = (sensor.tone_e, sensor.tone_per_px);
        let on = self.night.effects.contains(Effects::INTERFERENCE) && amplitude != 0.0;
        on.then(|| {
            let phase = Stream::new(self.night.seed, key, Purpose::Interference).uniform();
            move |x: usize, y: usize| {
                let turns = fx * x as f64 + fy * y as f64 + phase;
                amplitude * sin_cos(std::f64::consts::TAU * (turns - turns.floor())).0
            }
        })
    }

    /// From electrons to samples.
    fn expose(
        &self,
        (plan, conditions): (&FramePlan, Conditions),
        key: u64,
        truth: &FrameTruth,
    ) -> (Plane<f32>, Vec<Plane<f32>>) {
        let Night { sensor, effects, seed, .. } = &self.night;
        let [poisson, read, quantise] =
            [Effects::POISSON, Effects::READ_NOISE, Effects::QUANTISATION]
                .map(|effect| effects.contains(effect));
        let mut electrons = Stream::new(*seed, key, Purpose::Electrons);
        let mut amplifier = Stream::new(*seed, key, Purpose::ReadNoise);
        let full_well = if quantise { sensor.full_well_e } else { f64::INFINITY };
        let max_adu = sensor.max_adu();
        let per_e = 1.0 / sensor.gain_e_per_adu;

        let mut adu = self.maps.bias_adu.clone();
        let of_flats = self.maps.flat_response.as_ref().filter(|_| plan.kind == FrameKind::Flat);
        let response = of_flats.unwrap_or(&self.maps.response).as_slice();
        let (dark, cosmic) = (truth.dark_e.as_slice(), truth.cosmic_e.as_slice());
        let tone = self.tone(key);
        let width = self.night.sensor.size.width;
        let shutter = sensor.shutter.filter(|_| effects.contains(Effects::SHUTTER));
        let light = truth.light_e.as_ref().map(Plane::as_slice);
        // Of each pixel: how much higher it stands, and what it loses at the full well.
        let mut odd: Vec<[f64; 2]> = Vec::new();
        let telegraph = self.maps.telegraph_e(*seed, key);
        let bent = self.maps.bent();
        let held = conditions
            .since_full_s
            .map_or_else(Vec::new, |s| self.maps.held_e(&sensor.faults, s, plan.exposure_s));
        if !telegraph.is_empty() || !bent.is_empty() || !held.is_empty() {
            odd.resize(response.len(), [0.0; 2]);
            telegraph.into_iter().chain(held).for_each(|(i, e)| odd[i][0] = e);
            bent.into_iter().for_each(|(i, loss)| odd[i][1] = loss);
        }
        let outputs = sensor.outputs.as_ref();
        let levels = &truth.levels_adu;
        let regions: Vec<Rect> = outputs.map_or_else(Vec::new, |o| {
            (0..o.each.len()).map(|i| o.region(i, sensor.size)).collect()
        });
        for (i, sample) in adu.as_mut_slice().iter_mut().enumerate() {
            let mut lit = light.map_or(0.0, |l| f64::from(l[i]) * f64::from(response[i]));
            if let Some(shutter) = &shutter {
                lit *= shutter.open((i % width, i / width), sensor.size, plan.exposure_s);
            }
            // Photo-electrons and dark electrons are independent: the sum of two Poisson numbers
            // is one of the summed mean.
            let expected = lit + f64::from(dark[i]);
            let mut e = if poisson { electrons.poisson(expected) } else { expected };
            e += f64::from(cosmic[i]);
            if e > full_well {
                e = full_well;
            }
            if let Some(tone) = &tone {
                e += tone(i % width, i / width);
            }
            if let Some([jump, loss]) = odd.get(i) {
                e += jump - loss * e * e / sensor.full_well_e;
            }
            if sensor.bend != 0.0 {
                e -= sensor.bend * e * e / sensor.full_well_e;
            }
            let (mut per_e, mut noise_e, mut max_adu, mut above) =
                (per_e, sensor.read_noise_e, max_adu, 0.0);
            if let Some(outputs) = outputs {
                let at = (i % width, i / width);
                let of = outputs.of(at, sensor.size);
                let output = outputs.each[of];
                (per_e, noise_e) = (1.0 / output.gain_e_per_adu, output.read_noise_e);
                (max_adu, above) = (output.max_adu, levels[of][at.1 - regions[of].y0]);
            }
            if read {
                e += noise_e * amplifier.gaussian();
            }
            let level = f64::from(*sample) + above + e * per_e - truth.clamp_adu;
            *sample = if quantise {
                // The cast saturates below at 0, and at `max_adu` by the comparison.
                let whole = (level + 0.5) as u32;
                f64::from(whole).min(max_adu) as f32
            } else {
                level as f32
            };
        }
        let overscans =
            outputs.map_or_else(Vec::new, |outputs| self.overscans(key, outputs, levels, &adu));
        (adu, overscans)
    }

    /// What each output reads behind its last pixel: its level, and what its row left behind.
    fn overscans(
        &self,
        key: u64,
        outputs: &Outputs,
        levels: &[Vec<f64>],
        adu: &Plane<f32>,
    ) -> Vec<Plane<f32>> {
        let Night { sensor, effects, seed, .. } = &self.night;
        let mut random = Stream::new(*seed, key, Purpose::Overscan);
        let offset = if effects.contains(Effects::OFFSET) { sensor.offset_adu } else { 0.0 };
        let mut one = |i: usize| {
            let (region, output) = (outputs.region(i, sensor.size), outputs.each[i]);
            let size = Size::new(outputs.overscan, region.height());
            // Every output reads towards the middle, one alone to the right.
            let last = if !i.is_multiple_of(outputs.across) { region.x0 } else { region.x1 - 1 };
            Plane::from_fn(size, |x, y| {
                let level = offset + levels[i][y];
                let signal = f64::from(adu.get(last, region.y0 + y)) - level;
                let mut v = level + signal * pow(outputs.left_behind, x as f64 + 1.0);
                if effects.contains(Effects::READ_NOISE) {
                    v += output.read_noise_e / output.gain_e_per_adu * random.gaussian();
                }
                match effects.contains(Effects::QUANTISATION) {
                    true => f64::from((v + 0.5) as u32).min(output.max_adu) as f32,
                    false => v as f32,
                }
            })
        };
        (0..outputs.each.len()).map(&mut one).collect()
    }
}
