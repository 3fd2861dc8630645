//! Progress events of long work, and the request to stop it.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use photosite::event::{Cancel, Event, Observer, Stage};
//!
//! struct Count(AtomicU64);
//!
//! impl Observer for Count {
//!     fn event(&self, event: Event<'_>) {
//!         if let Event::Advanced { by, .. } = event {
//!             self.0.fetch_add(by, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let count = Count(AtomicU64::new(0));
//! count.event(Event::Started { stage: Stage::Masters, total: 20 });
//! count.event(Event::Advanced { by: 3, what: "stacking" });
//! assert_eq!(count.0.into_inner(), 3);
//! let cancel = Cancel::default();
//! assert!(cancel.check().is_ok());
//! cancel.request();
//! assert!(cancel.check().is_err());
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Finding, Result};

/// A stage of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading headers.
    Inventory,
    /// Reading files to know them by content.
    Identify,
    /// Building masters.
    Masters,
    /// Calibrating lights.
    Lights,
    /// Finding stars, levels and noise.
    Survey,
    /// Stacking lights.
    Stacking,
    /// Measuring a sensor.
    Sensor,
}

impl Stage {
    /// The stage as a person reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inventory => "reading headers",
            Self::Identify => "identifying frames",
            Self::Masters => "building masters",
            Self::Lights => "calibrating lights",
            Self::Survey => "finding stars",
            Self::Stacking => "stacking lights",
            Self::Sensor => "measuring the sensor",
        }
    }
}

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A stage begins, with so many units of work.
    Started {
        /// Which stage.
        stage: Stage,
        /// Units of work in it.
        total: u64,
    },
    /// So many units of the stage were done.
    Advanced {
        /// Units since the last such event.
        by: u64,
        /// What is being worked on.
        what: &'a str,
    },
    /// The stage is over.
    Finished,
    /// So many units of each stage lie ahead, about.
    Ahead(&'a [(Stage, u64)]),
    /// The stages that follow are of one stack of several.
    Picture {
        /// What it is called: target and filter.
        name: &'a str,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Something was found.
    Found(&'a Finding),
}

/// Receives events; called from several threads.
pub trait Observer: Sync {
    /// Takes note of an event; returns at once.
    fn event(&self, event: Event<'_>);
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// A request to stop, polled once a region of work.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Asks the work to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// When stopping was asked for.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Error::cancelled()) } else { Ok(()) }
    }
}
