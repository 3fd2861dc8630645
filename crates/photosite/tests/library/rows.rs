//! Simulated rows: a hundred thousand frames of some cameras and years, known by their headers.
#![allow(dead_code, reason = "no test and no benchmark uses all of it")]

use std::path::PathBuf;

use photosite::inventory::{Frame, Inventory, KindSource};
use photosite::library::{Choice, FEW_REFUSALS, Record, Shelf, choose, frame_traits};
use photosite::provenance::ContentHash;
use photosite::provenance::FileMark;
use photosite_file::Access;
use photosite_pix::{Detector, FrameKind, Gain, Header, Metadata, Size};

const CAMERAS: [(&str, Size); 5] = [
    ("ZWO ASI2600MM Pro", Size::new(6248, 4176)),
    ("ZWO ASI6200MM Pro", Size::new(9576, 6388)),
    ("QHY268M", Size::new(6280, 4210)),
    ("ZWO ASI1600MM Pro", Size::new(4656, 3520)),
    ("SBIG STL-1001 3 CCD Camera", Size::new(1024, 1024)),
];
const FILTERS: [&str; 7] = ["L", "R", "G", "B", "Ha", "OIII", "SII"];
const EXPOSURES_S: [f64; 4] = [30.0, 60.0, 180.0, 300.0];

/// Sessions in which each camera takes each kind once: then the set-up changes.
const ROUND: usize = 20;

/// The header of the frame of this number: sessions of 100 frames, one kind and set-up each.
fn metadata(n: usize) -> Metadata {
    let session = n / 100;
    let (camera, _) = CAMERAS[session % CAMERAS.len()];
    let kind = [FrameKind::Dark, FrameKind::Flat, FrameKind::Bias, FrameKind::DarkFlat]
        [session / CAMERAS.len() % 4];
    let round = session / ROUND;
    let (year, month, day) = (2021 + round / 12 % 5, round % 12 + 1, session * 7 % 28 + 1);
    let set_temp_c = [-10.0, 0.0, -20.0][round / 4 % 3];
    let lit = kind == FrameKind::Flat;
    Metadata {
        kind: Some(kind),
        camera: Some(camera.to_owned()),
        exposure_s: Some(match kind {
            FrameKind::Bias => 0.0001,
            FrameKind::Flat | FrameKind::DarkFlat => 2.0,
            _ => EXPOSURES_S[round % EXPOSURES_S.len()],
        }),
        temp_c: Some(set_temp_c + (n % 5) as f64 * 0.1 - 0.2),
        set_temp_c: Some(set_temp_c),
        gain_setting: Some([100.0, 0.0][round / 12 % 2]),
        offset_setting: Some(50.0),
        gain_e_per_adu: Gain::new(0.25),
        read_noise_e: Some(1.5),
        filter: lit.then(|| FILTERS[round % FILTERS.len()].to_owned()),
        binning: Some((1, 1)),
        readout_mode: Some("High Gain".to_owned()),
        telescope: Some("RASA 8".to_owned()),
        focal_length_mm: Some(400.0),
        rotator_deg: lit.then_some((round * 30 % 360) as f64),
        date_obs: Some(format!("{year:04}-{month:02}-{day:02}T20:{:02}:00", n % 60)),
        ..Metadata::default()
    }
}

fn frame(n: usize, metadata: Metadata) -> Frame {
    let size = CAMERAS[n / 100 % CAMERAS.len()].1;
    Frame {
        path: PathBuf::from(format!("/frames/{:05}/{n:06}.fits", n / 100)),
        kind: metadata.kind.unwrap(),
        kind_source: KindSource::Header,
        linearity: None,
        turned: false,
        noise_told: false,
        size,
        planes: 1,
        file_bytes: 2 * size.pixels() as u64,
        access: Access::Rows,
        header: Header::new(),
        metadata,
        detector: Detector::whole(Size::new(4656, 3520)),
    }
}

/// The record of the frame of this number.
pub fn record(n: usize) -> Record {
    let mut hash = [0u8; 32];
    // Spread as a hash is: rows do not come in the order of the index.
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash[..8].copy_from_slice(&mixed.to_be_bytes());
    hash[8..16].copy_from_slice(&(n as u64).to_be_bytes());
    let mark = FileMark { file_bytes: 52_182_720, modified_ns: 1_700_000_000_000_000_000 };
    Record::raw(&frame(n, metadata(n)), ContentHash::from_bytes(hash), mark)
}

/// So many lights of the sessions' set-ups, twenty of each, known by their headers.
pub fn lights(count: usize) -> Inventory {
    let frames = (0..count).map(|i| {
        let round = i / 20;
        let of = 100 * (round * ROUND + round % CAMERAS.len());
        let dark = metadata(of);
        let light = Metadata {
            kind: Some(FrameKind::Light),
            filter: Some(FILTERS[round % FILTERS.len()].to_owned()),
            temp_c: dark.set_temp_c.map(|c| c + (i % 7) as f64 * 0.1 - 0.3),
            rotator_deg: Some((round * 30 % 360) as f64),
            date_obs: Some(format!("2025-06-15T22:{:02}:{:02}", i / 60 % 60, i % 60)),
            ..dark
        };
        let mut frame = frame(of, light);
        frame.path = PathBuf::from(format!("/lights/{i:05}.fits"));
        frame
    });
    Inventory { frames: frames.collect(), ..Inventory::default() }
}

/// What a light of the library gets, every refusal in words.
pub fn explain(shelf: &Shelf<'_>, light: &Frame) -> Vec<Choice> {
    choices(shelf, light, usize::MAX)
}

/// The same with the few refusals that a run keeps.
pub fn explain_few(shelf: &Shelf<'_>, light: &Frame) -> Vec<Choice> {
    choices(shelf, light, FEW_REFUSALS)
}

fn choices(shelf: &Shelf<'_>, light: &Frame, keep: usize) -> Vec<Choice> {
    let wanted = frame_traits(light);
    let current = shelf.dark_current(&wanted);
    [FrameKind::Bias, FrameKind::Dark, FrameKind::Flat]
        .into_iter()
        .map(|kind| {
            let pool: Vec<_> = shelf.of_kind(kind).iter().map(|s| s.candidate(true)).collect();
            choose(kind, &wanted, &pool, &current, keep)
        })
        .collect()
}
