//! What was done so far, for each frame, master and light of the plan.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use crate::calibrate::dark::DarkChoice;
use crate::calibrate::flat_fit::FlatFit;
use crate::diagnose::Verdict;
use crate::inventory::{FrameId, Id};
use crate::plan::{LightId, MasterId};
use crate::product::{LightResult, MasterResult};
use crate::raw::RawFrame;
use crate::report::{LightRow, RegisteredReport, StackReport, StarsReport};

/// A raw frame for each frame of the inventory; `None` where it could not be read.
pub(super) type RawFrames = Results<FrameId, RawFrame>;

/// A result for each planned light; `None` where there is none.
pub(super) type LightResults = Results<LightId, LightResult>;

/// What is done with the dark of each planned light; `None` for one that has a matched dark which its
/// hot pixels do not contradict, or none.
pub(super) type DarkChoices = Results<LightId, DarkChoice>;

/// Darks that a model made, by the lights that take them: results of masters beside the planned ones.
pub(super) type MadeDarks = BTreeMap<LightId, MasterId>;

/// A result for each planned master; `None` where it could not be made.
pub(super) type MasterResults = Results<MasterId, MasterResult>;

/// Which flat a light gets, and what the light says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FlatChoice {
    /// The flat; `None` where the light is better without.
    pub flat: Option<MasterId>,
    /// What the light says of it, or of the planned one where it gets none.
    pub fit: FlatFit,
    /// What decided: the same, or what several faint lights say together.
    pub by: FlatFit,
}

/// The share of a light's noise, and what beside it in ADU, by which its sky may lie below zero: faint
/// skies do, where the black level drifts.
const BELOW_ZERO: (f64, f64) = (0.5, 2.0);

/// How far the sky of a light lies below zero once bias and dark are gone, in ADU; `None` where it does not.
pub(super) fn below_zero_adu(done: &LightResult) -> Option<f64> {
    let level_adu = done.after.median;
    let (share, adu) = BELOW_ZERO;
    (level_adu < -(share * done.after.noise + adu)).then_some(-level_adu)
}

/// Whether a light was calibrated right, as far as that is seen on the way: what a flat that was not applied
/// would have done is no fault of the light.
pub(super) fn verdict(
    done: &LightResult,
    dark: Option<&DarkChoice>,
    flat: Option<FlatChoice>,
) -> Verdict {
    let did = |step: &str| done.steps.iter().any(|s| s == step);
    let takes_dark = did("dark") && !dark.is_some_and(|of| of.is_absent());
    let fit = flat.map(|c| c.fit).filter(|_| did("flat"));
    match Verdict::of(done.left_of_dark, fit, &done.patterns) {
        // More was taken than its camera adds.
        _ if below_zero_adu(done).is_some() => Verdict::Wrong,
        // What keeps its hot pixels or its vignetting is not as it should be.
        Verdict::Good if !(takes_dark && did("flat")) => Verdict::Usable,
        told => told,
    }
}

/// The flat of each planned light that was looked at; `None` for one that has none.
pub(super) type FlatChoices = Results<LightId, FlatChoice>;

/// What came of each of many things, by their names.
#[derive(Debug)]
pub(super) struct Results<I, T> {
    all: Vec<Option<T>>,
    named_by: PhantomData<I>,
}

impl<I: Id, T> Results<I, T> {
    /// These, in the order of their names.
    pub fn new(all: impl IntoIterator<Item = Option<T>>) -> Self {
        Self { all: all.into_iter().collect(), named_by: PhantomData }
    }

    /// Nothing yet for so many.
    pub fn none(count: usize) -> Self {
        Self::new((0..count).map(|_| None))
    }

    /// Adds a result that was not planned; gives its name.
    pub fn push(&mut self, result: T) -> I {
        self.all.push(Some(result));
        I::at(self.all.len() - 1)
    }

    /// Makes room for so many that are planned from now on, before those that were not planned.
    pub fn make_room(&mut self, at: usize, count: usize) {
        self.all.splice(at..at, (0..count).map(|_| None));
    }

    /// The same with results, after all others.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Option<T>>) {
        self.all.extend(more);
    }

    /// True where there is nothing to have results of.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Option<&T>> {
        self.all.iter().map(Option::as_ref)
    }

    /// What came of one; `None` where nothing was done at all.
    pub fn get(&self, id: I) -> Option<&Option<T>> {
        self.all.get(id.place())
    }
}

impl<I: Id, T> Index<I> for Results<I, T> {
    type Output = Option<T>;

    fn index(&self, id: I) -> &Option<T> {
        &self.all[id.place()]
    }
}

impl<I: Id, T> IndexMut<I> for Results<I, T> {
    fn index_mut(&mut self, id: I) -> &mut Option<T> {
        &mut self.all[id.place()]
    }
}

/// What came of a night's pictures.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// The pictures.
    pub stacks: Vec<StackReport>,
    /// The stars of each light.
    pub stars: Vec<StarsReport>,
    /// Where each light lies.
    pub registered: Vec<RegisteredReport>,
    /// The table of lights.
    pub table: Vec<LightRow>,
}
