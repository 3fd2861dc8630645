//! The one order of steps.

use photosite_pix::{MaskBits, Unit};

/// One step of calibration.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The step's name in reports and headers.
    pub name: &'static str,
    /// The unit of the samples that go in.
    pub unit_in: Unit,
    /// The unit of the samples that come out.
    pub unit_out: Unit,
    /// The mask bits it may set.
    pub sets: MaskBits,
    /// Why it stands where it stands.
    pub why: &'static str,
    /// Where the arithmetic is from: a key of REFERENCES.md, or ARCHITECTURE.md.
    pub source: &'static str,
}

const fn step(name: &'static str, sets: MaskBits, why: &'static str, source: &'static str) -> Step {
    Step { name, unit_in: Unit::Adu, unit_out: Unit::Adu, sets, why, source }
}

/// The steps in the order in which they are done; a step without its master is left out.
pub const STEPS: &[Step] = &[
    step(
        "saturation",
        MaskBits::SATURATED.union(MaskBits::NO_DATA),
        "only the raw sample tells whether the converter was at its end",
        "Janesick2001",
    ),
    step(
        "overscan",
        MaskBits::empty(),
        "the bias level of this very frame, before any master that lost its own",
        "IRAFccdred",
    ),
    step(
        "bias",
        MaskBits::empty(),
        "only where the dark is free of bias, else the dark takes the bias with it",
        "Janesick2001",
    ),
    step(
        "variance",
        MaskBits::empty(),
        "Poisson noise follows the electrons above bias, dark ones included, so it is made before \
         the dark goes",
        "Janesick2001",
    ),
    step(
        "dark",
        MaskBits::HOT.union(MaskBits::COLD).union(MaskBits::NO_DATA),
        "what is added must be gone before what is multiplied",
        "Janesick2001",
    ),
    step(
        "flat",
        MaskBits::HOT.union(MaskBits::COLD).union(MaskBits::NO_DATA),
        "only light is left, so only now does a division mean anything",
        "Janesick2001",
    ),
    step(
        "defects",
        MaskBits::INTERPOLATED.union(MaskBits::NO_DATA),
        "neighbours can stand in only once they are calibrated themselves",
        "ARCHITECTURE",
    ),
];
