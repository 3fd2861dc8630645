//! Products on disk: masters and calibrated lights, made or found made.
//!
//! ```
//! # use photosite_file::{atomic::Existing, fits::{FrameSpec, Sample, write_frame}};
//! # use photosite_pix::{Card, Frame, Header, Plane, Size, Unit};
//! # let write = |path: &std::path::Path, size: Size, adu: f32, cards: &[Card]| {
//! #     let header = Header::from_cards(cards.to_vec());
//! #     let frame = Frame::new(Plane::filled(size, adu), Unit::Adu);
//! #     let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
//! #     write_frame(path, &[&frame], spec, Existing::Refuse).unwrap();
//! # };
//! # let dir = tempfile::tempdir().unwrap();
//! use photosite::product::{Standing, standing};
//! use photosite::{Calibration, RawFrame, provenance};
//!
//! # let (raw, out) = (dir.path().join("light.fits"), dir.path().join("calibrated.fits"));
//! # write(&raw, Size::new(8, 8), 1000.0, &[]);
//! // A light of 1000 ADU, calibrated with a bias level of 100.
//! let light = Calibration::new().bias_level(100.0).calibrate(&RawFrame::from_file(&raw)?)?;
//! assert_eq!(light.frame.data.get(3, 3), 900.0);
//! light.write(&out)?;
//! // What stands there is known by its key, and says what it was made of.
//! let told = provenance::read(&out)?;
//! assert_eq!(standing(&out, &told.key())?, Standing::Current);
//! assert_eq!((told.product.as_str(), told.inputs[0].role.as_str()), ("calibrated light", "light"));
//! # Ok::<(), photosite::Error>(())
//! ```

mod against;
mod calibration;
mod compared;
mod dark_model;
mod defect_map;
mod flats;
mod kept;
mod known;
mod light;
mod loaded;
mod master;
mod offered;
mod pedestal;
mod scaling;
mod sensor;
mod stacking;
mod write;

pub use against::against;
pub use calibration::{CalibratedFrame, Calibration};
pub use compared::{Beside, compare_frames};
pub use dark_model::{DarkModel, Doubt, MODEL_SCHEMA, ModelSummary, Synthesized};
pub use defect_map::{
    FrameSet, LoadedMap, build_defect_map, defect_map_at, draw_defects, looking_bytes,
    months_between, read_defect_map, write_defect_map,
};
pub use flats::{flat_template, light_blocks};
pub use kept::Kept;
pub use known::Known;
pub use light::{BiasChoice, LightRequest, LightResult, Masters, calibrate_light};
pub use loaded::{FREED, LightsUnit, LoadedMaster, load_master, load_named, load_samples};
pub(crate) use loaded::{FREED_BY_UNIT, brought_by, freed_by_unit, reaches_bias, samples_per_adu};
pub use master::{
    AdditivePart, MasterRequest, MasterResult, build_master, dark_at_level, found_master,
    level_of_dark, take_master, work_units,
};
pub use offered::{Offered, Opened};
pub use pedestal::pedestal_for;
pub use scaling::{DarkStrip, FittedDark, OWN_DARKS_ASKED};
pub use sensor::write_sensor;
pub use stacking::{
    MEAN_SAMPLES, equalise, glance_bytes, open_all, plan_stack, stack, summarise, within_memory,
};
pub use write::{
    Product, Standing, changed_since, fits_name, is_product, kept_aside, replaced, room_for,
    standing, sums_of, whole,
};
