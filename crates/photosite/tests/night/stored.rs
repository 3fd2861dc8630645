//! Frames of several outputs, written as observatories write them.

use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_pix::{Card, Header, Plane};
use photosite_sim::{SimFrame, Simulation, Stored, store};

/// One unit of a FITS file, 16 bits without sign; without a plane only its header.
fn unit(header: &Header, plane: Option<&Plane<f32>>, first: bool, extensions: bool) -> Vec<u8> {
    let mut cards = vec![match first {
        true => Card::logical("SIMPLE", true, ""),
        false => Card::string("XTENSION", "IMAGE", ""),
    }];
    cards.push(Card::integer("BITPIX", if plane.is_some() { 16 } else { 8 }, ""));
    cards.push(Card::integer("NAXIS", if plane.is_some() { 2 } else { 0 }, ""));
    if let Some(plane) = plane {
        cards.push(Card::integer("NAXIS1", plane.width() as i64, ""));
        cards.push(Card::integer("NAXIS2", plane.height() as i64, ""));
    }
    if !first {
        cards.push(Card::integer("PCOUNT", 0, ""));
        cards.push(Card::integer("GCOUNT", 1, ""));
    }
    if first && extensions {
        cards.push(Card::logical("EXTEND", true, ""));
    }
    if plane.is_some() {
        cards.push(Card::integer("BZERO", 32_768, ""));
        cards.push(Card::integer("BSCALE", 1, ""));
    }
    cards.extend(header.cards());
    let mut bytes: Vec<u8> = cards.iter().flat_map(|c| *c.as_bytes()).collect();
    bytes.extend(format!("{:<80}", "END").bytes());
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    if let Some(plane) = plane {
        let stored =
            plane.as_slice().iter().flat_map(|v| ((*v as i32 - 32_768) as i16).to_be_bytes());
        bytes.extend(stored);
        bytes.resize(bytes.len().next_multiple_of(2880), 0);
    }
    bytes
}

/// The bytes of a file of such units.
fn file_of(units: &[(Header, Option<Plane<f32>>)]) -> Vec<u8> {
    let several = units.len() > 1;
    let one = |(i, (header, plane)): (usize, &(Header, Option<Plane<f32>>))| {
        unit(header, plane.as_ref(), i == 0, several)
    };
    units.iter().enumerate().flat_map(one).collect()
}

/// Writes such units to a file in a folder that is made where it is missing.
pub fn write_units(path: &Path, units: &[(Header, Option<Plane<f32>>)]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_bytes(path, &file_of(units), Existing::Refuse).unwrap();
}

/// Writes a frame that was read through the outputs of its sensor.
pub fn write_stored(path: &Path, simulation: &Simulation, frame: &SimFrame, stored: Stored) {
    let outputs = simulation.night().sensor.outputs.as_ref().expect("a sensor with outputs");
    write_units(path, &store(frame, outputs, stored));
}
