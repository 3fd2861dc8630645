//! Doing: the order of work, and of reading and writing.
//!
//! ```
//! # use photosite_file::{atomic::Existing, fits::{FrameSpec, Sample, write_frame}};
//! # use photosite_pix::{Card, Frame, Header, Plane, Size, Unit};
//! use photosite::Workplace;
//! use photosite::run::{NightRequest, run_night};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let night = dir.path().join("night");
//! # let frames = [("Dark Frame", 100.0), ("Dark Frame", 100.0), ("Light Frame", 900.0)];
//! # let mut state = 1u64;
//! # for (i, (kind, adu)) in frames.into_iter().enumerate() {
//! #     let cards = vec![Card::string("IMAGETYP", kind, ""), Card::real("EXPTIME", 60.0, "")];
//! #     let mut noise = || {
//! #         state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
//! #         10.0 * ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
//! #     };
//! #     let samples = Plane::from_fn(Size::new(64, 64), |_, _| adu + noise());
//! #     let (header, frame) = (Header::from_cards(cards), Frame::new(samples, Unit::Adu));
//! #     let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
//! #     write_frame(&night.join(format!("{i}.fits")), &[&frame], spec, Existing::Refuse)?;
//! # }
//! // Two darks of 100 ADU and a light of 900.
//! let work = Workplace::new();
//! let request = NightRequest::new(vec![night], dir.path().join("out"));
//! let outcome = run_night(&request, &work.context())?;
//! let report = &outcome.report;
//! assert_eq!((report.masters.len(), report.lights.len()), (1, 1));
//! assert!((report.masters[0].stats.unwrap().mean - 100.0).abs() < 0.3);
//! assert!((report.lights[0].stats_after.unwrap().mean - 800.0).abs() < 0.3);
//! assert!(report.findings.iter().any(|f| f.code == "flat-missing"));
//! # Ok::<(), photosite::Error>(())
//! ```

mod account;
mod adopt;
mod afterglow;
mod beside;
mod budgeted;
mod collect;
mod combined;
mod composed;
mod dark_model;
mod defect_map;
mod diagnosed;
mod earlier;
mod examined;
mod frames;
mod hot;
mod identity;
mod integrate;
mod keep;
mod kept_maps;
mod lie;
mod lineage;
mod looked;
mod mixed;
mod named;
mod night;
mod odd_pixels;
mod page;
mod pairs;
mod planned;
mod profiles;
mod request;
mod results;
mod sensor;
mod shadow;
mod verified;

pub use collect::{
    Collected, Exported, add_to_library, export_library, rebuild_library, verify_library,
};
pub use composed::{COMPOSE_SCHEMA, ComposeRequest, Composed, ComposedPart, NamedPicture, compose};
pub use dark_model::{BuiltDarkModel, build_dark_model};
pub use defect_map::{
    Aged, BuiltDefectMap, DefectMap, Exchange, age_of_maps, build_map_of_named, defects_report,
    draw_map, export_defects, import_defects,
};
pub use diagnosed::{DiagnosisRequest, LightVerdict, MastersUsed, VERDICT_SCHEMA, diagnose_lights};
pub use earlier::Earlier;
pub use frames::{raw_frame, take_inventory, take_night};
pub use integrate::{Integrated, IntegrationRequest, integrate};
pub use lineage::{Lineage, LineageInput, lineage};
pub use looked::{
    Channel, Described, Inspected, describe_samples, inspect, mean_response, places_of_stars,
    read_plane, stars_of,
};
pub use named::{
    NamedBias, NamedCalibrated, NamedLights, NamedMaster, calibrate_named, dark_of_flats,
    master_of_named, named_frames,
};
pub use night::{run_night, run_plan};
pub use page::write_page;
pub use planned::{AskedNight, PlannedNight, read_plan};
pub use profiles::{
    PROFILES_NAME, keep_profile, linearity_by_profile, noise_by_profile, read_profile,
};
pub use request::{DefectsChoice, Keep, NightOutcome, NightRequest};
pub use sensor::{SensorRequest, measure_sensor};
pub use verified::{Answer, LostInput, VERIFY_SCHEMA, Verified, verify_products};
