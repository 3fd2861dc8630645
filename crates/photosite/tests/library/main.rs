//! The library: identity, matching, and what it leaves in the light.

#[path = "../night/mod.rs"]
mod night;
mod rows;

mod drift;
mod flat_fit;
mod hard_night;
mod index;
mod instead;
mod known_noise;
mod observatory;
mod rules;
