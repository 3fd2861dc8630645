//! The sensor laboratory against simulated cameras, whose truth is known, and real ones.

#[path = "../night/mod.rs"]
mod night;
#[path = "../../../file/tests/common/mod.rs"]
mod common;

mod camera;
mod many;
mod one;
mod profile;
mod real;
