//! What every piece of work needs from outside, and the threads that do it.
//!
//! ```
//! use photosite::Workplace;
//! use photosite::work::on_each;
//!
//! let work = Workplace::new();
//! let squares = on_each(5, &work.context(), |i| Ok(i * i))?;
//! let squares: Vec<usize> = squares.into_iter().map(Result::unwrap).collect();
//! assert_eq!(squares, [0, 1, 4, 9, 16]);
//! work.stop();
//! assert!(on_each(5, &work.context(), |i| Ok(i)).is_err());
//! # Ok::<(), photosite::Error>(())
//! ```

mod context;
mod parallel;
mod workplace;

pub use context::Context;
pub use parallel::{for_each, on_each, on_each_with};
pub use workplace::Workplace;
