//! Many frames into one, tile by tile. It never knows what kind of frame it stacks.
//!
//! ```
//! use std::ops::Range;
//!
//! use photosite::stack::{Buffers, Layer, ReadBuffers, Room, Shares, Stacked, stack_tile};
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
//! let how = (Recipe { reject: Reject::None, combine: Combine::Median }, Shares::default());
//! let mut buffers = Buffers::default();
//! let tiles = stack_tile(&layers, 0..4, 0..6, how, &mut buffers)?;
//! let mut stacked = Stacked::empty(Size::new(6, 4), false);
//! stacked.bands(4).for_each(|mut band| band.place(0..6, &tiles[0]));
//! assert_eq!(stacked.value.get(5, 3), 11.0);
//! # Ok::<(), photosite::Error>(())
//! ```

mod laid;
mod prepared;
mod stacked;
mod untrailed;

use std::ops::Range;

use photosite_pix::Size;
use photosite_pix::combine::{Recipe, Samples, Workspace, combine};
use photosite_pix::normalise::Affine;
use photosite_pix::warp;

use crate::Result;

pub use laid::{Laid, Laying, Masked};
pub use prepared::{Additive, Prepared};
pub use stacked::{Band, Maps, Stacked, Tile};
pub use untrailed::Untrailed;

/// One frame, as it meets the others in a stack.
pub trait Layer: Send + Sync {
    /// Width and height of the stack.
    fn size(&self) -> Size;

    /// Planes: 1, or 3 for red, green and blue.
    fn planes(&self) -> usize {
        1
    }

    /// Whether each sample has a weight of its own: how much of the pixel it covers.
    fn has_coverage(&self) -> bool {
        false
    }

    /// Reads a part of it, plane by plane.
    ///
    /// # Errors
    /// When the frame cannot be read; the error names it.
    fn read(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        room: &mut [Room<'_>],
    ) -> Result<()>;

    /// Its samples as 16-bit numbers, where nothing is done to them.
    fn raw(&self) -> Option<&dyn RawLayer> {
        None
    }
}

/// A frame whose samples are 16-bit numbers to which nothing is done.
pub trait RawLayer {
    /// Reads a part of it, as [`Layer::read`].
    ///
    /// # Errors
    /// When the frame cannot be read; the error names it.
    fn read_raw(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        out: &mut [u16],
    ) -> Result<()>;
}

/// Where a plane's samples go.
#[derive(Debug)]
pub struct Room<'a> {
    /// The samples; NaN where one is missing.
    pub samples: &'a mut [f32],
    /// How much of its pixel each covers; empty where a layer has no coverage.
    pub coverage: &'a mut [f32],
}

/// Buffers for reading, kept from read to read.
#[derive(Debug, Default)]
pub struct ReadBuffers {
    bytes: Vec<u8>,
    rows: Vec<f32>,
    raw_rows: Vec<u16>,
    warp: warp::Room,
}

impl ReadBuffers {
    /// With bytes that were allocated elsewhere.
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// The bytes, to be used elsewhere.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// What a worker keeps from tile to tile, so that it allocates once.
#[derive(Debug, Default)]
pub struct Buffers {
    /// For reading.
    pub read: ReadBuffers,
    samples: Vec<f32>,
    coverage: Vec<f32>,
    raw_samples: Vec<u16>,
    tiles: Vec<Tile>,
    workspace: Workspace,
}

/// Raw samples are never missing: the level from which they would be is out of their reach.
const ALL_THERE: u32 = 1 << 16;

/// What part each frame has in a weighted mean.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares<'a> {
    /// Weights, one a frame.
    pub weights: Option<&'a [f32]>,
    /// What was applied to each frame only for its samples to be judged, and is taken back; plane
    /// by plane.
    pub judged_only: Option<&'a [Vec<Affine>]>,
}

/// Combines one tile of all frames, which have one size and as many planes; gives a tile a plane.
///
/// # Errors
/// When a frame cannot be read; the error names it.
pub fn stack_tile<'b, L: Layer>(
    layers: &[L],
    rows: Range<usize>,
    columns: Range<usize>,
    (recipe, shares): (Recipe, Shares<'_>),
    buffers: &'b mut Buffers,
) -> Result<&'b [Tile]> {
    let pixels = columns.len() * rows.len();
    let planes = layers.first().map_or(1, L::planes);
    let covered = layers.iter().any(L::has_coverage);
    let Buffers { read, samples, coverage, raw_samples, tiles, workspace } = buffers;
    tiles.resize_with(planes, Tile::default);
    tiles.iter_mut().for_each(|t| t.resize(pixels));
    let mut combined = |plane: usize, samples: Samples<'_>| {
        let mut samples = samples.in_lines(columns.len());
        if let Some(weights) = shares.weights {
            samples = samples.with_weights(weights);
        }
        if let Some(applied) = shares.judged_only {
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
        layer.read(rows.clone(), columns.clone(), read, &mut room)?;
    }
    let mut beside = coverage.chunks_exact(of_plane);
    for (plane, samples) in samples.chunks_exact(of_plane).enumerate() {
        let mut samples = Samples::new(samples, pixels);
        if let Some(own) = beside.next() {
            samples = samples.with_own_weights(own);
        }
        combined(plane, samples);
    }
    Ok(tiles)
}
