//! Simulated nights against their truth, and the arithmetic against independent arithmetic.

#[path = "../night/mod.rs"]
mod night;

mod ageing;
mod algebra;
mod array;
mod colour;
mod compose;
mod cosmic;
mod crop;
mod dark_model;
mod dark_scaling;
mod defect_map;
mod doubtful_outputs;
mod every_effect;
mod flags;
mod flat_fit;
mod flats;
mod foreign;
mod in_rows;
mod levels;
mod linearity;
mod mapped;
mod monte_carlo;
mod noise_of_stacks;
mod one_effect;
mod outputs;
mod own_darks;
mod parted;
mod purpose;
mod rejection;
mod repair;
mod rigs;
mod scant;
mod seeing;
mod stacking;
mod star_field;
mod star_flux;
mod stars;
mod still;
mod trails;
mod traps;
mod two_rigs;
mod units;
mod verdict;
mod wide_field;
