//! The sensor laboratory against simulated cameras, whose truth is known, and real ones.

#[path = "../../../file/tests/common/mod.rs"]
mod common;
#[path = "../night/mod.rs"]
mod night;

mod apart;
mod bad;
mod camera;
mod holding;
mod many;
mod one;
mod profile;
mod real;
mod shutter;
