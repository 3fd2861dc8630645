//! The contract of the commands: what people and scripts rely on.

#[path = "../../../file/tests/common/mod.rs"]
mod common;
mod stacking;
mod support;

mod account;
mod again;
mod choosing;
mod colour;
mod damage;
mod dark_model;
mod defects;
mod formats;
mod killed;
mod library;
mod looking;
mod many;
mod masters;
mod opens;
mod oracle;
mod planning;
mod real;
mod running;
mod sensor;
mod verdict;
