//! Many frames into one, tile by tile. It never knows what kind of frame it stacks.
//!
//! ```
//! use std::ops::Range;
//!
//! use photosite::stack::{Buffers, Layer, ReadBuffers, Room, Terms, Stacked, stack_tile};
//! use photosite_pix::Size;
//! use photosite_pix::combine::{Combine, Recipe};
//! use photosite_pix::reject::Reject;
//!
//! /// A frame that is the same everywhere.
//! struct Even(f32);
//!
//! impl Layer for Even {
//!     fn size(&self) -> Size {
//!         Size::new(6, 4)
//!     }
//!
//!     fn read(
//!         &self,
//!         _: Range<usize>,
//!         _: Range<usize>,
//!         _: &mut ReadBuffers,
//!         room: &mut [Room<'_>],
//!     ) -> photosite::Result<()> {
//!         room[0].samples.fill(self.0);
//!         Ok(())
//!     }
//! }
//!
//! let layers = [Even(10.0), Even(11.0), Even(90.0)];
//! let how = (Recipe { reject: Reject::None, combine: Combine::Median }, Terms::default());
//! let mut buffers = Buffers::default();
//! let tiles = stack_tile(&layers, 0..4, 0..6, how, &mut buffers)?;
//! let mut stacked = Stacked::empty(Size::new(6, 4), false);
//! stacked.bands(4).for_each(|mut band| band.place(0..6, &tiles[0]));
//! assert_eq!(stacked.value.get(5, 3), 11.0);
//! # Ok::<(), photosite::Error>(())
//! ```

mod blanked;
mod guides;
mod laid;
mod layer;
mod prepared;
mod stacked;

use std::ops::Range;

use photosite_pix::combine::{Allowance, Recipe, Samples, Workspace, combine};
use photosite_pix::normalise::Affine;

use self::guides::Guides;
use crate::Result;

pub use blanked::blanked;
pub use guides::Stars;
pub use laid::{Laid, Laying, Masked};
pub use layer::{Layer, RawLayer, ReadBuffers, Room};
pub use prepared::{Additive, Prepared};
pub use stacked::{Band, Maps, Stacked, Tile};

/// What a worker keeps from tile to tile, so that it allocates once.
#[derive(Debug, Default)]
pub struct Buffers {
    /// For reading.
    pub read: ReadBuffers,
    samples: Vec<f32>,
    coverage: Vec<f32>,
    raw_samples: Vec<u16>,
    guides: Guides,
    tiles: Vec<Tile>,
    workspace: Workspace,
}

/// Raw samples are never missing: the level from which they would be is out of their reach.
const ALL_THERE: u32 = 1 << 16;

/// What is known of frames beside their samples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Weights, one a frame.
    pub weights: Option<&'a [f32]>,
    /// What was applied to each frame only for its samples to be judged, and is taken back; plane
    /// by plane.
    pub judged_only: Option<&'a [Vec<Affine>]>,
    /// How much frames may differ on stars; none where there are no stars.
    pub stars: Option<Stars>,
    /// Pixels along a line from one to the next of its colour, where frames under a filter array are
    /// combined as they are; `None` where all pixels are of one kind.
    pub period: Option<usize>,
}

/// Combines one tile of all frames, which have one size and as many planes; gives a tile a plane.
///
/// # Errors
/// When a frame cannot be read; the error names it.
pub fn stack_tile<'b, L: Layer>(
    layers: &[L],
    rows: Range<usize>,
    columns: Range<usize>,
    (recipe, terms): (Recipe, Terms<'_>),
    buffers: &'b mut Buffers,
) -> Result<&'b [Tile]> {
    let pixels = columns.len() * rows.len();
    let planes = layers.first().map_or(1, L::planes);
    let covered = layers.iter().any(L::has_coverage);
    let Buffers { read, samples, coverage, raw_samples, guides, tiles, workspace } = buffers;
    tiles.resize_with(planes, Tile::default);
    tiles.iter_mut().for_each(|t| t.resize(pixels));
    let mut combined = |plane: usize, samples: Samples<'_>| {
        let mut samples = samples.in_lines(columns.len()).alike_every(terms.period.unwrap_or(1));
        if let Some(weights) = terms.weights {
            samples = samples.with_weights(weights);
        }
        if let Some(applied) = terms.judged_only {
            samples = samples.judged_only(&applied[plane]);
        }
        combine(samples, recipe, workspace, &mut tiles[plane].outcome());
    };
    let raw: Option<Vec<&dyn RawLayer>> = layers.iter().map(L::raw).collect();
    if let Some(raw) = raw.filter(|_| planes == 1) {
        raw_samples.resize(pixels * layers.len(), 0);
        for (layer, out) in raw.into_iter().zip(raw_samples.chunks_exact_mut(pixels)) {
            layer.read_raw(rows.clone(), columns.clone(), read, out)?;
        }
        combined(0, Samples::raw(raw_samples, pixels, ALL_THERE));
        return Ok(tiles);
    }
    let of_plane = pixels * layers.len();
    samples.resize(of_plane * planes, 0.0);
    coverage.resize(if covered { of_plane * planes } else { 0 }, 0.0);
    if let (Some(stars), Some(layer)) = (terms.stars, layers.first()) {
        guides.begin(stars, layer.size(), (&rows, &columns), (planes, covered));
    }
    for (i, layer) in layers.iter().enumerate() {
        let here = i * pixels..(i + 1) * pixels;
        let mut beside = coverage.chunks_exact_mut(of_plane);
        let mut room: Vec<Room<'_>> = samples
            .chunks_exact_mut(of_plane)
            .map(|plane| Room {
                samples: &mut plane[here.clone()],
                coverage: beside.next().map_or(&mut [], |c| &mut c[here.clone()]),
            })
            .collect();
        match terms.stars.and_then(|stars| stars.guide(i)) {
            Some(turn) => guides.read(turn, layer, read, &mut room)?,
            None => layer.read(rows.clone(), columns.clone(), read, &mut room)?,
        }
    }
    let mut beside = coverage.chunks_exact(of_plane);
    for (plane, samples) in samples.chunks_exact(of_plane).enumerate() {
        let mut samples = Samples::new(samples, pixels);
        if let Some(own) = beside.next() {
            samples = samples.with_own_weights(own);
        }
        if let Some(Stars { share, .. }) = terms.stars {
            let range = guides.range(plane);
            samples = samples.allowing(Allowance { range, share });
        }
        combined(plane, samples);
    }
    Ok(tiles)
}
