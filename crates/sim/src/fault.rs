//! Nights with one thing wrong, as they come from real observatories: each names the finding that it
//! should lead to.

use photosite_pix::{Card, FrameKind, Plane};

use crate::{Conditions, FramePlan, SimFrame, Simulation};

/// One thing that is wrong with a night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One bias is black.
    BlackBias,
    /// The lower half of one dark is missing.
    HalfDark,
    /// Four rows of one dark are missing.
    RowsMissing,
    /// Half of the flats were taken through another filter under the same label.
    TwoFilters,
    /// All flats are saturated.
    FlatsSaturated,
    /// The darks were saved upside down, and no header says so.
    DarkUpsideDown,
    /// The darks were saved bottom-up, as their headers say, the lights top-down.
    RowOrder,
    /// DATAMAX is that of a 12-bit converter, the samples are stretched to 16 bits.
    DataMax,
    /// The headers of a monochrome camera name a colour filter array.
    MonoBayer,
    /// The filter stands in the file names only.
    FilterInName,
    /// The exposure of the darks stands in their file names only.
    ExposureInName,
    /// No header, name or folder says what a frame is.
    Unlabelled,
    /// One light was taken with the cap on.
    CapOn,
    /// One light is under a cloud.
    Clouded,
    /// One light is out of focus.
    Defocused,
    /// One light is badly guided.
    Trailed,
    /// One light was taken in twilight.
    Twilit,
    /// One light is of another field.
    OtherField,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 18] = [
        Self::BlackBias,
        Self::HalfDark,
        Self::RowsMissing,
        Self::TwoFilters,
        Self::FlatsSaturated,
        Self::DarkUpsideDown,
        Self::RowOrder,
        Self::DataMax,
        Self::MonoBayer,
        Self::FilterInName,
        Self::ExposureInName,
        Self::Unlabelled,
        Self::CapOn,
        Self::Clouded,
        Self::Defocused,
        Self::Trailed,
        Self::Twilit,
        Self::OtherField,
    ];

    /// Its name as commands write it, what is wrong, and the code of the finding that tells of it.
    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::BlackBias => ("black-bias", "one bias is black", "frame-odd"),
            Self::HalfDark => ("half-dark", "half of one dark is missing", "frame-odd"),
            Self::RowsMissing => ("rows-missing", "four rows of one dark are missing", "frame-odd"),
            Self::TwoFilters => {
                ("two-filters", "flats of two filters under one label", "flats-parted")
            }
            Self::FlatsSaturated => {
                ("flats-saturated", "every flat is saturated", "flats-unusable")
            }
            Self::DarkUpsideDown => {
                ("dark-upside-down", "darks upside down, unlabelled", "rows-turned")
            }
            Self::RowOrder => ("row-order", "darks bottom-up, lights top-down", "rows-turned"),
            Self::DataMax => {
                ("datamax", "DATAMAX of 12 bits over samples of 16", "saturation-doubtful")
            }
            Self::MonoBayer => {
                ("mono-bayer", "BAYERPAT in a monochrome camera's headers", "cfa-not-seen")
            }
            Self::FilterInName => {
                ("filter-in-name", "the filter stands in file names only", "filter-by-name")
            }
            Self::ExposureInName => {
                ("exposure-in-name", "the darks' exposure stands in names only", "exposure-by-name")
            }
            Self::Unlabelled => ("unlabelled", "nothing says what a frame is", "kind-by-pixels"),
            Self::CapOn => ("cap-on", "one light was taken with the cap on", "label-contradicted"),
            Self::Clouded => ("clouded", "one light is under a cloud", "light-outlier"),
            Self::Defocused => ("defocused", "one light is out of focus", "light-outlier"),
            Self::Trailed => ("trailed", "one light is badly guided", "light-outlier"),
            Self::Twilit => ("twilit", "one light was taken in twilight", "light-outlier"),
            Self::OtherField => {
                ("other-field", "one light is of another field", "registration-failed")
            }
        }
    }

    /// Its name as commands write it.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What is wrong.
    pub fn about(self) -> &'static str {
        self.row().1
    }

    /// The code of the finding that tells of it.
    pub fn finding(self) -> &'static str {
        self.row().2
    }

    /// Sky, focus and guiding of the one light that is bad; `None` for faults that are seen before lights are
    /// stacked.
    pub fn conditions(self) -> Option<Conditions> {
        match self {
            Self::Clouded => Some(Conditions::CLOUDED),
            Self::Defocused => Some(Conditions::DEFOCUSED),
            Self::Trailed => Some(Conditions::TRAILED),
            Self::Twilit => Some(Conditions::TWILIT),
            Self::OtherField => Some(Conditions::ELSEWHERE),
            _ => None,
        }
    }

    /// The fault of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// Renders a frame of a night with the fault, to be written under the name and into the folder of
    /// the plan that comes with it.
    pub fn render(self, simulation: &Simulation, plan: &FramePlan) -> (FramePlan, SimFrame) {
        let odd_light = plan.kind == FrameKind::Light && plan.index == 1;
        let conditions = self.conditions().filter(|_| odd_light).unwrap_or(Conditions::CLEAR);
        let (mut plan, mut frame) = (plan.clone(), simulation.render_under(plan, conditions));
        if self == Self::CapOn && plan.kind == FrameKind::Light && plan.index == 1 {
            let dark = FramePlan { kind: FrameKind::Dark, index: usize::MAX, ..plan.clone() };
            frame.adu = simulation.render(&dark).adu;
        }
        self.spoil(&mut plan, &mut frame);
        (plan, frame)
    }

    fn spoil(self, plan: &mut FramePlan, frame: &mut SimFrame) {
        let FramePlan { kind, index, .. } = *plan;
        let is = |wanted: FrameKind| kind == wanted;
        let odd = |wanted: FrameKind| kind == wanted && index == 1;
        let size = frame.adu.size();
        match self {
            Self::BlackBias if odd(FrameKind::Bias) => frame.adu = Plane::filled(size, 0.0),
            Self::HalfDark if odd(FrameKind::Dark) => {
                black(&mut frame.adu, size.height / 2..size.height);
            }
            Self::RowsMissing if odd(FrameKind::Dark) => {
                black(&mut frame.adu, size.height / 3..size.height / 3 + 4);
            }
            Self::TwoFilters if is(FrameKind::Flat) && index % 2 == 1 => {
                let adu = &frame.adu;
                // A filter that is smaller, and dust of its own.
                let share = |x: usize, y: usize| {
                    let (dx, dy) = (x as f32 / size.width as f32, y as f32 / size.height as f32);
                    let dust = (dx - 0.3).powi(2) + (dy - 0.6).powi(2) < 0.003;
                    (1.0 - 0.15 * dx * dy) * if dust { 0.85 } else { 1.0 }
                };
                frame.adu =
                    Plane::from_fn(size, |x, y| (adu.get(x, y) * share(x, y) + 0.5).floor());
            }
            Self::FlatsSaturated if is(FrameKind::Flat) => {
                let top = frame.metadata.saturation_adu.unwrap_or(65_535.0);
                frame.adu = Plane::filled(size, top as f32);
            }
            Self::DarkUpsideDown if is(FrameKind::Dark) => turn(&mut frame.adu),
            Self::RowOrder if is(FrameKind::Dark) => {
                turn(&mut frame.adu);
                frame.header.set_text("ROWORDER", "BOTTOM-UP", "FITS image orientation");
            }
            Self::DataMax => {
                frame.header.remove("SATURATE");
                frame.header.set(Card::integer("DATAMAX", 4095, ""));
            }
            Self::MonoBayer => frame.header.set_text("BAYERPAT", "RGGB", "Sensor Bayer pattern"),
            Self::FilterInName if matches!(kind, FrameKind::Flat | FrameKind::Light) => {
                frame.header.remove("FILTER");
                let filter = frame.metadata.filter.as_deref().unwrap_or("Ha");
                plan.file_name = plan.file_name.replace(&format!("_{filter}_"), "_");
                plan.file_name = plan.file_name.replacen('_', &format!("_{filter}_"), 1);
            }
            Self::ExposureInName if is(FrameKind::Dark) => {
                frame.header.remove("EXPTIME");
                frame.header.remove("EXPOSURE");
            }
            Self::Unlabelled => {
                frame.header.remove("IMAGETYP");
                frame.header.remove("OBJECT");
                frame.header.remove("FILTER");
                plan.folder = "frames";
                plan.file_name = format!("img_{:05}.fits", plan.start_s as u64);
            }
            _ => {}
        }
    }
}

fn black(adu: &mut Plane<f32>, rows: std::ops::Range<usize>) {
    for y in rows {
        adu.row_mut(y).fill(0.0);
    }
}

fn turn(adu: &mut Plane<f32>) {
    let old = adu.clone();
    let last = old.height() - 1;
    for y in 0..old.height() {
        adu.row_mut(y).copy_from_slice(old.row(last - y));
    }
}
