//! Maps of single pixels.

use std::collections::BTreeMap;

use photosite_pix::{Plane, Size};

use super::grid::{Grid, Patch};

/// What a map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapKind {
    /// Standard deviation of a pixel's samples over the frames of a set, in ADU.
    Noise,
    /// Their mean in ADU, an overscan taken off.
    Signal,
    /// How far the brightest flat lies beside the straight line of the pixel, as a share.
    Bend,
    /// Reduced chi-square of a cubic through a pixel's flats.
    Misfit,
}

/// A map for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelMap {
    /// Its name: `READNOISE`, `DARK`, `BEND`, `MISFIT`, `SHUTTER`.
    pub name: &'static str,
    /// What it shows.
    pub what: String,
    /// Its unit, as FITS writes it; empty of a share.
    pub unit: &'static str,
    /// The values, NaN where there is no whole block.
    pub plane: Plane<f32>,
}

/// Maps of one row of blocks; nothing where none were asked for.
#[derive(Debug, Default)]
pub struct StripMaps {
    /// The number of each sample, from which is seen where a gathered one lies.
    places: Vec<f32>,
    maps: BTreeMap<MapKind, Vec<f32>>,
    gathered: Vec<f32>,
}

impl StripMaps {
    /// Empty maps of a row of blocks.
    pub fn new(grid: &Grid) -> Self {
        // Numbers up to 2^24 are exact; rows of blocks are far smaller.
        let places = (0..grid.size.width * grid.block).map(|i| i as f32).collect();
        Self { places, ..Self::default() }
    }

    /// Draws the values of a patch's pixels, in the order of its samples.
    pub fn draw(&mut self, kind: MapKind, patch: &Patch<'_>, values: &[f32]) {
        if self.places.is_empty() {
            return;
        }
        let map = self.maps.entry(kind).or_insert_with(|| vec![f32::NAN; self.places.len()]);
        patch.grid.gather(&self.places, patch.column, patch.lane, &mut self.gathered);
        self.gathered.iter().zip(values).for_each(|(at, v)| map[*at as usize] = *v);
    }

    /// Puts the row of blocks of a number into whole maps, which are NaN where there is no whole block.
    pub fn put_into(self, maps: &mut BTreeMap<MapKind, Plane<f32>>, (grid, strip): (&Grid, usize)) {
        let Size { width, .. } = grid.size;
        for (kind, rows) in self.maps {
            let map = maps.entry(kind).or_insert_with(|| Plane::filled(grid.size, f32::NAN));
            map.as_mut_slice()[strip * grid.block * width..][..rows.len()].copy_from_slice(&rows);
        }
    }
}
