//! Real nights, where they are at hand.

#[path = "../../../file/tests/common/mod.rs"]
mod common;
#[path = "../night/mod.rs"]
mod night;

mod arcsat;
mod dark_model;
mod saao;
mod stl;
