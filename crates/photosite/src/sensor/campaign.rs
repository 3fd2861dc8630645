//! All sets of frames of one sensor, looked at and ready to be asked.

use photosite_pix::spectrum::Tone;
use photosite_pix::{CfaColor, FrameKind};

use super::afterglow::Afterglow;
use super::codes::Codes;
use super::flats::Zero;
use super::grid::{Grid, Parts};
use super::hot::HotPixels;
use super::set::{FrameSet, Pair, SensorFrame, SignedSum};

/// Darks of one temperature differ by at most this, in degrees Celsius.
pub const SAME_TEMP_C: f64 = 1.0;

/// What the frames of one sensor showed.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The blocks.
    pub grid: Grid,
    /// The sets.
    pub sets: Vec<FrameSet>,
    /// Tones in differences of biases: amplitudes in ADU of one frame.
    pub tones: Vec<Tone>,
    /// Names of the frames whose spectra were looked at.
    pub tone_frames: Vec<String>,
    /// Their noise in ADU of one frame by cycles a pixel, along x and along y.
    pub spectra: [Vec<(f64, f64)>; 2],
    /// Single pixels are looked at as well.
    pub with_pixels: bool,
    /// Maps of them are drawn.
    pub with_maps: bool,
    /// Pixels that count neither for levels nor for noise.
    pub hot: HotPixels,
    /// Darks that were taken after saturated frames.
    pub afterglow: Vec<Afterglow>,
    /// The shortest exposure of the lights that were named, in seconds.
    pub shortest_light_s: Option<f64>,
    /// The numbers that samples take.
    pub codes: Codes,
    /// Electrons per ADU and read noise in electrons as the headers give them.
    pub header_noise: (Option<f64>, Option<f64>),
}

/// Noise below this share of the step between numbers hides between them (EMVA 1288: a variance of 0.24).
const HIDDEN_STEPS: f64 = 0.49;

/// The scatter of levels from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelScatter {
    /// One standard deviation in ADU.
    pub sd_adu: f64,
    /// Its degrees of freedom.
    pub freedom: f64,
}

impl Campaign {
    /// Nothing seen yet, of a sensor whose headers give this gain and read noise.
    pub fn new(grid: Grid, header_noise: (Option<f64>, Option<f64>)) -> Self {
        Self {
            grid,
            sets: Vec::new(),
            tones: Vec::new(),
            tone_frames: Vec::new(),
            spectra: Default::default(),
            with_pixels: false,
            with_maps: false,
            hot: HotPixels::default(),
            afterglow: Vec::new(),
            shortest_light_s: None,
            codes: Codes::default(),
            header_noise,
        }
    }

    /// What the frames showed of the pixels that one amplifier reads; `None` where it reads no whole block.
    ///
    /// Lines, single pixels and tones are those of the whole sensor and stay with it.
    pub fn of_amplifier(&self, amplifier: usize) -> Option<Self> {
        let (grid, blocks) = self.grid.of_amplifier(amplifier)?;
        let lanes = grid.lanes.len();
        let frame = |f: &SensorFrame| SensorFrame {
            overscan_adu: f
                .amplifier_overscans_adu
                .get(amplifier)
                .copied()
                .unwrap_or(f.overscan_adu),
            amplifier_overscans_adu: Vec::new(),
            ..f.clone()
        };
        let pair = |p: &Pair| Pair {
            a: p.a,
            b: p.b,
            spare: p.spare,
            cells: of_blocks(&p.cells, &blocks, lanes),
            shape: None,
        };
        let signed = |sums: &SignedSum| SignedSum {
            frames: sums.frames,
            cells: of_blocks(&sums.cells, &blocks, lanes),
        };
        let set = |s: &FrameSet| FrameSet {
            kind: s.kind,
            exposure_s: s.exposure_s,
            temp_c: s.temp_c,
            filter: s.filter.clone(),
            frames: s.frames.iter().map(frame).collect(),
            pairs: s.pairs.iter().map(pair).collect(),
            alternating: s.alternating.iter().map(signed).collect(),
            contrasts: s.contrasts.iter().map(signed).collect(),
            lines: Vec::new(),
            profiles: Default::default(),
            pixels: None,
            flats: None,
            maps: Default::default(),
        };
        let sets = self.sets.iter().map(set).collect();
        let codes = self.codes.clone();
        Some(Self { sets, codes, ..Self::new(grid, self.header_noise) })
    }

    /// The variance of rounding to the converter's numbers, in ADU squared.
    pub fn rounding_adu2(&self) -> f64 {
        (self.codes.step() as f64).powi(2) / 12.0
    }

    /// Whether noise of that variance in ADU squared hides between the converter's numbers.
    pub fn hides(&self, variance_adu2: f64) -> bool {
        variance_adu2 < (HIDDEN_STEPS * self.codes.step() as f64).powi(2)
    }

    /// The sets of a kind.
    pub fn of(&self, kind: FrameKind) -> impl Iterator<Item = &FrameSet> {
        self.sets.iter().filter(move |s| s.kind == kind)
    }

    /// Sets that serve as biases.
    pub fn biases(&self) -> Vec<&FrameSet> {
        self.of(FrameKind::Bias).collect()
    }

    /// The biases nearest to a temperature.
    pub fn bias_near(&self, temp_c: Option<f64>) -> Option<&FrameSet> {
        let apart = |s: &&FrameSet| match (temp_c, s.temp_c) {
            (Some(a), Some(b)) => (a - b).abs(),
            _ => 0.0,
        };
        self.of(FrameKind::Bias).min_by(|a, b| apart(a).total_cmp(&apart(b)))
    }

    /// The bias level of each lane of each block in ADU, over all biases.
    pub fn bias_levels(&self) -> Option<Vec<f64>> {
        let sets = self.biases();
        let frames: f64 = sets.iter().map(|s| s.frames.len() as f64).sum();
        if frames == 0.0 {
            return None;
        }
        let at = |i: usize| -> f64 {
            let sum: f64 =
                sets.iter().filter_map(|s| Some(s.level(i)? * s.frames.len() as f64)).sum();
            sum / frames
        };
        Some((0..self.grid.blocks() * self.grid.lanes.len()).map(at).collect())
    }

    /// The zero above which flats are looked at; `None` without two biases.
    pub fn zero(&self) -> Option<Zero> {
        let [sum, n] = self.noise_parts(self.biases(), None, |_| true).without(None);
        let levels_adu = self.bias_levels().filter(|_| n > 0.0)?;
        Some(Zero { levels_adu, read_adu2: sum / n })
    }

    /// Sums of the noise of one frame in the pairs and contrasts of some sets: pixels times variance, pixels.
    pub fn noise_parts<'a>(
        &self,
        sets: impl IntoIterator<Item = &'a FrameSet>,
        colour: Option<CfaColor>,
        wanted: impl Fn(usize) -> bool,
    ) -> Parts<2> {
        let sets: Vec<&FrameSet> = sets.into_iter().collect();
        let lanes = self.grid.lanes.len();
        Parts::of(&self.grid, colour, |block, lane| {
            let mut sums = [0.0; 2];
            for cell in
                sets.iter().flat_map(|s| s.noise_pairs()).map(|p| p.cells[block * lanes + lane])
            {
                if cell.n > 0.0 && wanted(block) {
                    sums[0] += 0.5 * cell.n * cell.noise(1.0);
                    sums[1] += cell.n;
                }
            }
            for more in sets.iter().flat_map(|s| &s.contrasts) {
                let (n, variance) = more.cells[block * lanes + lane];
                if n > 4.0 && wanted(block) {
                    sums[0] += n * variance / more.frames as f64;
                    sums[1] += n;
                }
            }
            Some(sums)
        })
    }

    /// How much levels differ from frame to frame, over all sets of biases and darks.
    pub fn level_scatter(&self, wanted: impl Fn(usize) -> bool + Copy) -> LevelScatter {
        let (mut squares, mut freedom) = (0.0, 0.0);
        for set in self.sets.iter().filter(|s| s.kind != FrameKind::Flat) {
            let levels: Vec<f64> = set.frame_levels(wanted).into_iter().map(|(_, v)| v).collect();
            if levels.len() < 2 {
                continue;
            }
            let mean = levels.iter().sum::<f64>() / levels.len() as f64;
            squares += levels.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
            freedom += levels.len() as f64 - 1.0;
        }
        let sd_adu = if freedom > 0.0 { (squares / freedom).sqrt() } else { 0.0 };
        LevelScatter { sd_adu, freedom }
    }

    /// Sets of darks by temperature, the coldest first; each by exposure.
    pub fn darks_by_temp(&self) -> Vec<Vec<&FrameSet>> {
        let mut darks: Vec<&FrameSet> = self.of(FrameKind::Dark).collect();
        let key = |s: &FrameSet| s.temp_c.unwrap_or(f64::MAX);
        darks.sort_by(|a, b| key(a).total_cmp(&key(b)));
        let mut out: Vec<Vec<&FrameSet>> = Vec::new();
        for set in darks {
            match out.last_mut() {
                Some(last) if key(set) - key(last[0]) <= 1.5 * SAME_TEMP_C => last.push(set),
                _ => out.push(vec![set]),
            }
        }
        for sets in &mut out {
            sets.sort_by(|a, b| a.exposure_s.total_cmp(&b.exposure_s));
        }
        out
    }
}

/// What some blocks hold, lane after lane.
fn of_blocks<T: Clone>(all: &[T], blocks: &[usize], lanes: usize) -> Vec<T> {
    blocks.iter().flat_map(|b| all[b * lanes..(b + 1) * lanes].iter().cloned()).collect()
}
