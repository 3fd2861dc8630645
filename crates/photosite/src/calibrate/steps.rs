//! The one table of steps, which drives calibration.

use photosite_pix::{Applied, MaskBits, Unit};

/// One step of calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Raw samples at the end of the converter's range are marked.
    Saturation,
    /// A constant that was added on writing is subtracted.
    Pedestal,
    /// The level of the overscan is subtracted.
    Overscan,
    /// A response that bends is straightened.
    Linearity,
    /// The variance of raw samples is made.
    Variance,
    /// The bias is subtracted.
    Bias,
    /// The dark is subtracted.
    Dark,
    /// Amplifiers of unequal gain are brought to one.
    Gain,
    /// The frame is divided by the flat.
    Flat,
    /// Defective pixels are replaced.
    Defects,
}

/// The facts of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepRow {
    /// The step.
    pub step: Step,
    /// The step's name in reports and headers.
    pub name: &'static str,
    /// The unit of the samples that go in.
    pub unit_in: Unit,
    /// The unit of the samples that come out.
    pub unit_out: Unit,
    /// The mask bits it may set.
    pub sets: MaskBits,
    /// What a frame carries afterwards.
    pub applies: Applied,
    /// Why it comes at this point.
    pub why: &'static str,
    /// Where the arithmetic is from: a key of REFERENCES.md, or ARCHITECTURE.md.
    pub source: &'static str,
}

const fn row(
    step: Step,
    name: &'static str,
    sets: MaskBits,
    applies: Applied,
    why: &'static str,
    source: &'static str,
) -> StepRow {
    StepRow { step, name, unit_in: Unit::Adu, unit_out: Unit::Adu, sets, applies, why, source }
}

/// The bits that a master brings along.
const OF_MASTER: MaskBits =
    MaskBits::HOT.union(MaskBits::COLD).union(MaskBits::UNSTABLE).union(MaskBits::NO_DATA);

/// The steps in the order in which they are done; one without its master is left out.
pub const STEPS: &[StepRow] = &[
    row(
        Step::Saturation,
        "saturation",
        MaskBits::SATURATED.union(MaskBits::NO_DATA),
        Applied::empty(),
        "only the raw sample shows whether the converter was saturated",
        "Janesick2001",
    ),
    row(
        Step::Pedestal,
        "pedestal",
        MaskBits::empty(),
        Applied::empty(),
        "a recorded pedestal is not signal and must not be divided by the flat",
        "ARCHITECTURE",
    ),
    row(
        Step::Overscan,
        "overscan",
        MaskBits::empty(),
        Applied::OVERSCAN,
        "the bias level of this very frame; the masters had their own subtracted",
        "IRAFccdred",
    ),
    row(
        Step::Linearity,
        "linearity",
        MaskBits::SUSPECT,
        Applied::LINEARITY,
        "samples bend by what they are above the bias; all that follows takes them to be \
         proportional to the light",
        "Janesick2001",
    ),
    row(
        Step::Variance,
        "variance",
        MaskBits::empty(),
        Applied::empty(),
        "Poisson noise follows all electrons above bias, dark current included, so it is computed \
         before the dark is subtracted",
        "Janesick2001",
    ),
    row(
        Step::Bias,
        "bias",
        MaskBits::empty(),
        Applied::BIAS,
        "only where the dark is bias-subtracted; otherwise the dark removes bias as well",
        "Janesick2001",
    ),
    row(
        Step::Dark,
        "dark",
        OF_MASTER,
        Applied::DARK.union(Applied::BIAS),
        "additive signal must be subtracted before anything is divided",
        "Janesick2001",
    ),
    row(
        Step::Gain,
        "gain",
        MaskBits::empty(),
        Applied::empty(),
        "only without a flat, which holds the gains of amplifiers as it holds the response of pixels",
        "Janesick2001",
    ),
    row(
        Step::Flat,
        "flat",
        OF_MASTER,
        Applied::FLAT,
        "only light is left, so the division is meaningful",
        "Janesick2001",
    ),
    row(
        Step::Defects,
        "defects",
        MaskBits::INTERPOLATED.union(MaskBits::NO_DATA),
        Applied::DEFECTS,
        "neighbours can replace a pixel only once they are calibrated themselves",
        "ARCHITECTURE",
    ),
];
