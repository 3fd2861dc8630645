//! A sensor that ages: maps of five years tell how many pixels became hot.

use photosite::defects::aged;
use photosite::inventory::KindOverrides;
use photosite::product::{months_between, read_defect_map};
use photosite::run::build_map_of_named;
use photosite_file::fits::Sample;
use photosite_pix::{Card, FrameKind, Size};
use photosite_sim::{Effects, Night, Preset, Purpose, Simulation, Stream};

use crate::night::{run_context, write_plane};

/// Hot pixels that come and that heal in a year.
const COME: usize = 60;
const HEAL: usize = 12;

#[test]
fn five_years_of_maps_tell_what_was_injected() {
    for (preset, seed) in [(Preset::CmosMono, 3), (Preset::CmosOsc, 4)] {
        let dir = tempfile::tempdir().unwrap();
        let size = Size::new(360, 300);
        let mut random = Stream::new(seed, 0, Purpose::Hot);
        let mut hot: Vec<(usize, usize, f32)> = Vec::new();
        let mut maps = Vec::new();
        for year in 0..5u64 {
            hot.drain(..if year > 0 { HEAL } else { 0 });
            for _ in 0..COME {
                let (x, y) = (random.uniform() * 360.0, random.uniform() * 300.0);
                hot.push((x as usize, y as usize, random.between(60.0, 3000.0) as f32));
            }
            // Another night of noise each year, of one sensor.
            let mut night = Night::preset(preset, size, 7);
            night.effects -= Effects::HOT_PIXELS | Effects::COSMIC_RAYS;
            night.dark_exposure_s = 60.0 + year as f64;
            night.counts.darks = 20;
            let simulation = Simulation::new(night);
            let folder = dir.path().join(format!("darks_{year}"));
            for plan in simulation.frames().iter().filter(|p| p.kind == FrameKind::Dark) {
                let mut frame = simulation.render(plan);
                for &(x, y, adu) in &hot {
                    let v = frame.adu.get(x, y) + adu + (adu.sqrt() * random.gaussian() as f32);
                    frame.adu.set(x, y, v.round());
                }
                let date = format!("{}-06-15T20:{:02}:00", 2021 + year, plan.index);
                frame.header.set(Card::string("DATE-OBS", &date, "start, UTC"));
                let sample = Sample::U16 { pedestal_adu: 0.0 };
                write_plane(&folder.join(&plan.file_name), &frame.adu, sample, frame.header);
            }
            let output = dir.path().join(format!("map_{year}.fits"));
            run_context(2, |context| {
                let kinds = KindOverrides::default();
                build_map_of_named(std::slice::from_ref(&folder), &kinds, &output, context).unwrap()
            });
            maps.push(read_defect_map(&output).unwrap().map);
        }
        for pair in maps.windows(2) {
            let told = aged(&pair[0], &pair[1], months_between(&pair[0], &pair[1]));
            println!("{preset:?}: {told:?}");
            let (new, gone) = told.by_class["HOT"];
            assert!(new.abs_diff(COME) <= 3 && gone.abs_diff(HEAL) <= 3, "{new} {gone}");
            let months = told.months.unwrap();
            assert!((months - 12.0).abs() < 0.05, "{months}");
            let injected = (COME - HEAL) as f64 / months;
            let off = (told.hot_a_month.unwrap() - injected).abs();
            assert!(off < told.hot_a_month_error.unwrap(), "{off} {told:?}");
        }
    }
}
