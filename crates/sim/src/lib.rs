//! A forward model of sky and sensor: frames as a camera would write them, and the truth in them.
//!
//! A [`Night`] says what is taken with which [`Sensor`] under which [`Sky`]; a [`Simulation`] of it
//! renders any of its frames, each a pure function of the night and the frame's [`FramePlan`], so
//! frames may be made in any order and on any thread, and come out byte for byte the same. Every
//! [`Effects`] switch that is off leaves its contribution out exactly.
//!
//! One pixel, in electrons and then in ADU:
//!
//! ```text
//! light_e  = (sky + gradient + stars + trail) * colour throughput * exposure
//! e        = Poisson(light_e * response + dark_e(x; t, T) + glow_e(x; t)) + cosmic_e
//! adu      = offset + bias(x) + (min(e, full well) + read noise) / gain - black clamp
//! sample   = adu, rounded and clipped by the converter
//! ```
//!
//! Only additions, multiplications, divisions and square roots of IEEE 754 are used (the crate
//! brings its own exponential and logarithm), so that every platform writes the same bytes.
//!
//! ```
//! use photosite_pix::Size;
//! use photosite_sim::{Effects, Night, Preset, Simulation};
//!
//! let mut night = Night::preset(Preset::CmosMono, Size::new(64, 48), 1);
//! night.effects.remove(Effects::COSMIC_RAYS);
//! night.counts.lights = 2;
//! let simulation = Simulation::new(night);
//! let plans = simulation.frames();
//! let frame = simulation.render(&plans[0]);
//! assert_eq!(plans[0].file_name, "Light_M00_60.0s_0001.fits");
//! assert_eq!(frame.adu.size(), Size::new(64, 48));
//! assert!(frame.truth.light_e.is_some());
//! ```

mod card;
mod compare;
mod conditions;
mod cosmic;
mod effects;
mod fault;
mod faulty;
mod layout;
mod math;
mod night;
mod outputs;
mod pointing;
mod preset;
mod rng;
mod sensor;
mod shutter;
mod simulation;
mod sky;

pub use compare::{Residual, Scale, residual};
pub use conditions::Conditions;
pub use effects::Effects;
pub use fault::Fault;
pub use faulty::{FaultRates, FaultyPixel, PixelFault};
pub use layout::{Layout, Session};
pub use night::{Counts, FramePlan, Night};
pub use outputs::{Output, Outputs, Stored, store};
pub use pointing::Pointing;
pub use preset::Preset;
pub use rng::{Purpose, Stream};
pub use sensor::{FlatOptics, HotPixel, Maps, Sensor};
pub use shutter::Shutter;
pub use simulation::{FrameRecord, FrameTruth, SimFrame, Simulation, TruthRecord};
pub use sky::{Sky, Star};
