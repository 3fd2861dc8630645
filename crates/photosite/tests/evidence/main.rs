//! Frames of a set compared with each other: clean sets are left alone, odd frames are found.

mod faults;
mod frames;
mod images;
mod masters;
#[path = "../night/mod.rs"]
mod night;
mod sets;
