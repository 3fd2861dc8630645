//! Pixels that are not like their neighbours, and how they are spread over a sensor.

use photosite_pix::Size;
use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, Stream};
use crate::{Effects, Sensor};

/// How many pixels of which faults a sensor has; each kind has a switch in [`Effects`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaultRates {
    /// Share of the pixels that respond too little.
    pub cold_fraction: f64,
    /// Most that such a pixel responds: it responds between nothing and this.
    pub cold_response: f64,
    /// Share of the pixels that are warm.
    pub warm_fraction: f64,
    /// What warm pixels add at the reference temperature, from and to, in electrons a second.
    pub warm_e_s: (f64, f64),
    /// Share of the pixels that jump between levels.
    pub telegraph_fraction: f64,
    /// How far they jump, from and to, in electrons.
    pub telegraph_e: (f64, f64),
    /// Share of the time that they spend in the upper level, from and to.
    pub telegraph_share: (f64, f64),
    /// Columns that are hot, dead, hot in half of their rows, and so on in turn.
    pub columns: usize,
    /// What a pixel of a hot column adds at the reference temperature, in electrons a second.
    pub column_e_s: f64,
    /// What a pixel of a dead column responds.
    pub column_response: f64,
    /// Clusters of hot pixels, squares of 2 to 5 pixels to a side in turn.
    pub clusters: usize,
    /// Pixels whose response bends.
    pub bent: usize,
    /// What such a pixel loses at the full well, as a share.
    pub bend: f64,
    /// Share of the pixels that hold charge after they were full.
    #[serde(default)]
    pub holding_fraction: f64,
    /// What such a pixel holds, from and to, in electrons.
    #[serde(default)]
    pub holding_e: (f64, f64),
    /// Seconds in which it lets go of all but 1 / e of that.
    #[serde(default)]
    pub holding_tau_s: f64,
}

impl Default for FaultRates {
    /// Those of a sensor some years old.
    fn default() -> Self {
        Self {
            cold_fraction: 5e-4,
            cold_response: 0.6,
            warm_fraction: 5e-3,
            warm_e_s: (0.02, 0.08),
            telegraph_fraction: 5e-3,
            telegraph_e: (6.0, 40.0),
            telegraph_share: (0.15, 0.85),
            columns: 3,
            column_e_s: 0.5,
            column_response: 0.4,
            clusters: 20,
            bent: 100,
            bend: 0.5,
            holding_fraction: 0.0,
            holding_e: (50.0, 500.0),
            holding_tau_s: 300.0,
        }
    }
}

/// What is wrong with a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelFault {
    /// It responds this share.
    Cold(f64),
    /// It adds so many electrons a second at the reference temperature.
    Warm(f64),
    /// It stands so many electrons higher for a share of the time.
    Telegraph {
        /// How much higher, in electrons.
        e: f64,
        /// The share.
        share: f64,
    },
    /// It lies in a column that adds so many electrons a second.
    HotColumn(f64),
    /// It lies in a column that responds this share.
    DeadColumn(f64),
    /// It lies in a cluster and adds so many electrons a second.
    Cluster(f64),
    /// It loses this share of its electrons at the full well, less in proportion below.
    Bent(f64),
    /// After it was full it holds so many electrons, which it lets go of by and by.
    Holding(f64),
}

/// A pixel and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaultyPixel {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// What is wrong.
    pub fault: PixelFault,
}

/// The faulty pixels of a sensor, those of a kind together; a pixel has one fault of them at most.
pub(crate) fn faulty_pixels(sensor: &Sensor, effects: Effects, seed: u64) -> Vec<FaultyPixel> {
    let rates = &sensor.faults;
    let Size { width, height } = sensor.size;
    let mut taken = vec![false; width * height];
    let mut out = Vec::new();
    let mut add = |x: usize, y: usize, fault: PixelFault| {
        if x < width && y < height && !std::mem::replace(&mut taken[y * width + x], true) {
            out.push(FaultyPixel { x, y, fault });
        }
    };
    // Lines first: what is scattered over them is theirs.
    if effects.contains(Effects::BAD_COLUMNS) {
        let mut random = Stream::new(seed, 0, Purpose::BadColumns);
        for i in 0..rates.columns {
            let x = random.between(0.05, 0.95) * width as f64;
            let start = (random.between(0.1, 0.4) * height as f64) as usize;
            let rows = if i % 3 == 2 { start..start + height / 2 } else { 0..height };
            for y in rows {
                let fault = match i % 3 {
                    1 => PixelFault::DeadColumn(rates.column_response),
                    _ => PixelFault::HotColumn(rates.column_e_s * random.between(0.7, 1.3)),
                };
                add(x as usize, y, fault);
            }
        }
    }
    if effects.contains(Effects::CLUSTERS) {
        let mut random = Stream::new(seed, 0, Purpose::Clusters);
        for i in 0..rates.clusters {
            let side = 2 + i % 4;
            let x0 = (random.between(0.02, 0.98) * width as f64) as usize;
            let y0 = (random.between(0.02, 0.98) * height as f64) as usize;
            for (dx, dy) in (0..side * side).map(|i| (i % side, i / side)) {
                let e_s = sensor.hot_min_e_s * random.between(1.0, 10.0);
                add(x0 + dx, y0 + dy, PixelFault::Cluster(e_s));
            }
        }
    }
    if effects.contains(Effects::BENT_PIXELS) {
        let mut random = Stream::new(seed, 0, Purpose::BentPixels);
        for _ in 0..rates.bent {
            let (x, y) = (random.uniform() * width as f64, random.uniform() * height as f64);
            add(x as usize, y as usize, PixelFault::Bent(rates.bend));
        }
    }
    let mut scatter = |on, purpose, fraction: f64, fault: &dyn Fn(&mut Stream) -> PixelFault| {
        if !effects.contains(on) {
            return;
        }
        let mut random = Stream::new(seed, 0, purpose);
        for (x, y) in (0..width * height).map(|i| (i % width, i / width)) {
            if random.uniform() < fraction {
                let fault = fault(&mut random);
                add(x, y, fault);
            }
        }
    };
    scatter(Effects::COLD_PIXELS, Purpose::ColdPixels, rates.cold_fraction, &|random| {
        PixelFault::Cold(random.between(0.0, rates.cold_response))
    });
    scatter(Effects::WARM_PIXELS, Purpose::WarmPixels, rates.warm_fraction, &|random| {
        PixelFault::Warm(random.between(rates.warm_e_s.0, rates.warm_e_s.1))
    });
    scatter(Effects::TELEGRAPH, Purpose::Telegraph, rates.telegraph_fraction, &|random| {
        PixelFault::Telegraph {
            e: random.between(rates.telegraph_e.0, rates.telegraph_e.1),
            share: random.between(rates.telegraph_share.0, rates.telegraph_share.1),
        }
    });
    scatter(Effects::HOLDING_PIXELS, Purpose::HoldingPixels, rates.holding_fraction, &|random| {
        PixelFault::Holding(random.between(rates.holding_e.0, rates.holding_e.1))
    });
    out
}

impl FaultyPixel {
    /// What it adds to its dark current, in electrons a second.
    pub(crate) fn dark_e_s(&self) -> f64 {
        match self.fault {
            PixelFault::Warm(e) | PixelFault::HotColumn(e) | PixelFault::Cluster(e) => e,
            _ => 0.0,
        }
    }

    /// The factor on its response.
    pub(crate) fn response(&self) -> f64 {
        match self.fault {
            PixelFault::Cold(share) | PixelFault::DeadColumn(share) => share,
            _ => 1.0,
        }
    }
}
