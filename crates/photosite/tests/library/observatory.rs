//! Nights whose headers disagree about telescope, focal length and filter, as simulated cameras write
//! them: each light gets its flat, and what is in doubt is told once a group.

use std::collections::BTreeSet;
use std::path::Path;

use photosite::finding::Finding;
use photosite::inventory::Inventory;
use photosite::library::{ALIASES_NAME, Field, Library};
use photosite::plan::{LightPlan, Plan, Share, plan, shooting_list};
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::Sample;
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Counts, Night, Preset, Simulation};

use crate::hard_night::inventory;
use crate::index::add;
use crate::night::{request, run, with, write_plane};

const BOTH: [Preset; 2] = [Preset::CmosMono, Preset::CmosOsc];
const NONE: Counts = Counts { bias: 0, darks: 0, flats: 0, dark_flats: 0, lights: 0 };

/// Frames of one kind, as their headers tell of them.
#[derive(Clone, Copy)]
struct Take {
    kind: FrameKind,
    count: usize,
    exposure_s: f64,
    filter: Option<&'static str>,
    telescope: &'static str,
    focal_length_mm: f64,
}

const FLATS: Take = Take {
    kind: FrameKind::Flat,
    count: 3,
    exposure_s: 2.0,
    filter: Some("L"),
    telescope: "Photosite 480 f/6",
    focal_length_mm: 480.0,
};
const LIGHT: Take = Take { kind: FrameKind::Light, count: 1, exposure_s: 60.0, ..FLATS };
const BIASES: Take = Take { kind: FrameKind::Bias, exposure_s: 0.0, filter: None, ..FLATS };
const DARKS: Take = Take { kind: FrameKind::Dark, exposure_s: 60.0, filter: None, ..FLATS };

/// Writes frames into one folder.
fn write(folder: &Path, preset: Preset, takes: &[Take]) {
    for (n, take) in takes.iter().enumerate() {
        let mut night = Night::preset(preset, Size::new(64, 48), 7);
        let count = take.count;
        night.counts = match take.kind {
            FrameKind::Bias => Counts { bias: count, ..NONE },
            FrameKind::Dark => Counts { darks: count, ..NONE },
            FrameKind::Flat => Counts { flats: count, ..NONE },
            FrameKind::DarkFlat => Counts { dark_flats: count, ..NONE },
            FrameKind::Light => Counts { lights: count, ..NONE },
        };
        (night.light_exposure_s, night.dark_exposure_s) = (take.exposure_s, take.exposure_s);
        night.filter = take.filter.map(str::to_owned);
        night.telescope = take.telescope.to_owned();
        night.focal_length_mm = take.focal_length_mm;
        let simulation = Simulation::new(night);
        for plan in simulation.frames() {
            let frame = simulation.render(&plan);
            let path = folder.join(format!("{n:02}_{}_{:02}.fits", plan.kind.slug(), plan.index));
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
        }
    }
}

/// A night with these frames, planned.
fn planned(preset: Preset, takes: &[Take], library: Option<&Library>) -> (Plan, Inventory) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), preset, takes);
    let mut inventory = inventory(dir.path());
    let shelf = library.map(|l| l.shelf().unwrap());
    (plan(&mut inventory, shelf.as_ref(), usize::MAX), inventory)
}

/// What is in doubt about a light's flat.
fn doubts(light: &LightPlan) -> Vec<Field> {
    let (_, flat) = light.choices.iter().find(|(k, _)| *k == FrameKind::Flat).unwrap();
    flat.choice.doubts().map(|c| c.field).collect()
}

fn of_code<'a>(plan: &'a Plan, code: &str) -> Vec<&'a Finding> {
    plan.findings.iter().filter(|f| f.code == code).collect()
}

/// The filters as the flats spell them, and as the lights do.
const FILTERS: [(&str, &str); 4] =
    [("L", "Lum"), ("Red", "R"), ("H-alpha 7nm", "Ha"), ("OIII", "O3")];

/// Biases, darks of 60 s, flats of four filters, and lights of four exposures into which a plate
/// solver wrote a focal length of 576 mm, and another program the telescope's name.
fn observatory() -> Vec<Take> {
    let flats = FILTERS.map(|(flat, _)| Take { filter: Some(flat), ..FLATS });
    let lights = FILTERS.into_iter().flat_map(|(_, light)| {
        [30.0, 60.0, 120.0, 300.0].map(|exposure_s| Take {
            exposure_s,
            filter: Some(light),
            telescope: "PHOTOSITE-480 F6",
            focal_length_mm: 576.0,
            ..LIGHT
        })
    });
    [BIASES, DARKS].into_iter().chain(flats).chain(lights).collect()
}

#[test]
fn a_night_with_solved_focal_lengths_gets_its_flats() {
    for preset in BOTH {
        let (plan, inventory) = planned(preset, &observatory(), None);
        assert_eq!(plan.lights.len(), 16);
        for light in &plan.lights {
            let metadata = &inventory[light.frame].metadata;
            let flat = &plan[light.flat.expect("every light gets a flat")];
            let spelled = (flat.traits.filter.as_deref(), metadata.filter.as_deref());
            assert!(FILTERS.contains(&(spelled.0.unwrap(), spelled.1.unwrap())), "{spelled:?}");
            assert_eq!(doubts(light), [Field::FocalLength]);
            // Those of another exposure are to be fitted.
            assert!(light.dark.is_some());
            assert_eq!(light.scaled.is_none(), metadata.exposure_s == Some(60.0));
            assert!(light.bias.is_some());
        }
        assert!(of_code(&plan, "flat-missing").is_empty());
        assert!(of_code(&plan, "dark-missing").is_empty());
        let told = of_code(&plan, "match-doubtful");
        assert_eq!(told.len(), FILTERS.len(), "{told:?}");
        for finding in told {
            for word in ["these lights", "focal length 480 mm instead of 576 mm", "2 %"] {
                assert!(finding.message.contains(word), "{word}: {}", finding.message);
            }
            assert!(finding.hint.contains("FOCALLEN"), "{}", finding.hint);
            assert_eq!(
                (&finding.evidence["lights"], finding.subject.contains("and 3 more")),
                (&4.into(), true)
            );
        }
    }
}

#[test]
fn such_a_night_comes_out_flat_fielded() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), Preset::CmosMono, &observatory());
    let out = dir.path().join("out");
    let request = with(request(vec![dir.path().to_owned()], &out), |n| n.stack = false);
    let report = run(&request, 2);
    assert_eq!(report.lights.len(), 16);
    assert!(report.lights.iter().all(|l| l.flat.is_some() && l.output.is_some()));
    let codes: BTreeSet<&str> = report.findings.iter().map(|f| &*f.code).collect();
    assert!(codes.contains("match-doubtful") && !codes.contains("flat-missing"), "{codes:?}");
}

#[test]
fn headers_that_disagree() {
    use Field::{Filter, FocalLength, Telescope};
    let of =
        |telescope, focal_length_mm, filter| Take { telescope, focal_length_mm, filter, ..FLATS };
    // The flats, the light, and what is in doubt; `None` where the flats are refused.
    type Row = (Take, Take, Option<&'static [Field]>);
    let table: &[Row] = &[
        (FLATS, FLATS, Some(&[])),
        (FLATS, of("Photosite 480 f/6", 547.0, Some("L")), Some(&[])),
        (FLATS, of("Photosite 480 f/6", 384.0, Some("L")), Some(&[FocalLength])),
        (FLATS, of("EQMOD ASCOM HEQ5/6", 480.0, Some("L")), Some(&[])),
        (of("Telescope Simulator", 480.0, Some("V")), of("C11", 480.0, Some("V")), Some(&[])),
        (FLATS, of("FSQ 106", 530.0, Some("Luminance")), Some(&[Telescope])),
        (FLATS, of("C11", 2800.0, Some("L")), Some(&[Telescope, FocalLength])),
        (of("C11", 2800.0, Some("Ha 7nm")), of("C11", 2800.0, Some("Halpha 3nm")), Some(&[Filter])),
        (of("C11", 2800.0, Some("SII 7nm")), of("C11", 2800.0, Some("S2")), Some(&[])),
        (of("C11", 2800.0, Some("Clear")), of("C11", 2800.0, Some("Lum")), Some(&[Filter])),
        (of("C11", 2800.0, Some("sdss_g")), of("C11", 2800.0, Some("g'")), Some(&[])),
        (of("C11", 2800.0, Some("sdss_g")), of("C11", 2800.0, Some("G")), None),
        (of("C11", 2800.0, Some("[G0]")), of("C11", 2800.0, Some("Green")), Some(&[])),
        (of("C11", 2800.0, Some("r")), of("C11", 2800.0, Some("Red")), None),
        (of("C11", 2800.0, Some("NoFilter")), of("C11", 2800.0, None), Some(&[])),
        (of("C11", 2800.0, None), of("C11", 2800.0, Some("Empty")), Some(&[])),
        (of("C11", 2800.0, Some("Empty")), of("C11", 2800.0, Some("Ha")), None),
    ];
    for preset in BOTH {
        for (row, (flats, light, expected)) in table.iter().enumerate() {
            let light = Take { kind: FrameKind::Light, count: 1, exposure_s: 60.0, ..*light };
            let (plan, _) = planned(preset, &[BIASES, *flats, light], None);
            let found = &plan.lights[0];
            assert_eq!(found.flat.is_some(), expected.is_some(), "row {row}");
            let expected = expected.unwrap_or_default();
            assert_eq!(doubts(found), expected, "row {row}");
            let told = of_code(&plan, "match-doubtful");
            assert_eq!(told.len(), usize::from(!expected.is_empty()), "row {row}: {told:?}");
            assert!(of_code(&plan, "match-costly").is_empty(), "row {row}");
        }
    }
}

#[test]
fn two_telescopes_in_one_folder_keep_their_flats() {
    let near = Take { telescope: "EQMOD", ..FLATS };
    for (a, b) in [
        (FLATS, Take { telescope: "C11", focal_length_mm: 2800.0, ..FLATS }),
        (FLATS, Take { telescope: "FSQ 85", ..FLATS }),
        (near, Take { focal_length_mm: 540.0, ..near }),
        (near, Take { focal_length_mm: 800.0, ..near }),
        (Take { filter: Some("Ha 7nm"), ..FLATS }, Take { filter: Some("Ha 3nm"), ..FLATS }),
        (FLATS, Take { filter: Some("Clear"), ..FLATS }),
    ] {
        let light = |t: Take| Take { kind: FrameKind::Light, count: 2, exposure_s: 60.0, ..t };
        for preset in BOTH {
            let (plan, inventory) = planned(preset, &[BIASES, a, b, light(a), light(b)], None);
            assert_eq!(plan.lights.len(), 4);
            for light in &plan.lights {
                let (wanted, found) =
                    (&inventory[light.frame].metadata, &plan[light.flat.unwrap()].traits);
                assert_eq!(wanted.telescope, found.telescope);
                assert_eq!(wanted.focal_length_mm, found.focal_length_mm);
                assert_eq!(wanted.filter, found.filter);
            }
            assert!(of_code(&plan, "match-doubtful").is_empty());
        }
    }
}

#[test]
fn where_the_night_is_in_doubt_the_library_is_asked() {
    let of = |focal_length_mm, kind| Take { kind, focal_length_mm, ..FLATS };
    let own = [BIASES, of(480.0, FrameKind::Flat), of(800.0, FrameKind::Light)];
    for (shelved_mm, chosen_mm) in [(800.0, 800.0), (810.0, 810.0), (300.0, 480.0)] {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("kept");
        write(&kept, Preset::CmosMono, &[of(shelved_mm, FrameKind::Flat)]);
        let mut library = Library::open(&dir.path().join("library")).unwrap();
        add(&mut library, &[&kept]);
        let (plan, inventory) = planned(Preset::CmosMono, &own, Some(&library));
        let flat = plan.lights[0].flat.unwrap();
        assert_eq!(plan[flat].traits.focal_length_mm, Some(chosen_mm));
        assert_eq!(doubts(&plan.lights[0]).is_empty(), chosen_mm == shelved_mm);
        // What is in doubt is worth taking anew.
        let shelf = library.shelf().unwrap();
        let list = shooting_list(&inventory, Some(&shelf), Share::default());
        let flats = list.shots.iter().find(|s| s.kind == FrameKind::Flat).unwrap();
        let in_doubt = flats.why.contains("focal length 480 mm instead of 800 mm");
        assert_eq!((flats.have == 0, in_doubt), (chosen_mm != shelved_mm, chosen_mm != shelved_mm));
    }
}

#[test]
fn a_person_names_a_filter_in_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        write_bytes(&dir.path().join(ALIASES_NAME), text.as_bytes(), Existing::Replace).unwrap();
    };
    let takes = [
        BIASES,
        Take { filter: Some("Rot 656"), ..FLATS },
        Take { filter: Some("H-alpha"), count: 2, ..LIGHT },
        Take { filter: Some("rot-656"), count: 2, ..LIGHT },
    ];
    let library = Library::open(dir.path()).unwrap();
    let (plan, _) = planned(Preset::CmosMono, &takes, Some(&library));
    assert_eq!(plan.lights.iter().filter(|l| l.flat.is_some()).count(), 2);
    assert_eq!(plan.stacks.iter().flatten().count(), 2);
    drop(library);

    write("[filters]\nHa = [\"Rot 656\"]\n");
    let library = Library::open(dir.path()).unwrap();
    let (plan, _) = planned(Preset::CmosMono, &takes, Some(&library));
    assert!(plan.lights.iter().all(|l| l.flat.is_some()));
    assert_eq!(plan.stacks.iter().flatten().count(), 1);
    let (_, flat) = &plan.lights[0].choices[2];
    let filter = flat.choice.checks.iter().find(|c| c.field == Field::Filter).unwrap();
    assert!(filter.is_alias(), "{filter:?}");
    drop(library);

    write("[filters]\nHa = \"Rot 656\"\n");
    let told = Library::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("aliases.toml, line 2:"), "{told}");
}
