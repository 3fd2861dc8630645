//! Simulated nights against their truth, and the arithmetic against independent arithmetic.

#[path = "../night/mod.rs"]
mod night;

mod algebra;
mod array;
mod colour;
mod dark_model;
mod dark_scaling;
mod every_effect;
mod flat_fit;
mod levels;
mod monte_carlo;
mod one_effect;
mod own_darks;
mod purpose;
mod rejection;
mod stacking;
mod star_field;
mod star_flux;
mod stars;
mod trails;
mod traps;
mod verdict;
mod wide_field;
