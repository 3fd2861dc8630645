//! What can be asked for, decided once: doors map words to these, rooms below take nothing else.

mod integration;

pub use integration::{Drizzle, Integration, Weight};
