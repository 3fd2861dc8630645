//! What comes of a stack, plane by plane, filled band by band.

use std::ops::Range;

use photosite_pix::combine::Outcome;
use photosite_pix::{MaskBits, Plane, Rect, Size};

/// The combined samples of one tile, row after row.
#[derive(Debug, Default)]
pub struct Tile {
    pub(super) value: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) kept: Vec<u16>,
    pub(super) low: Vec<u16>,
    pub(super) high: Vec<u16>,
}

impl Tile {
    /// Room for `pixels` of them.
    pub(super) fn resize(&mut self, pixels: usize) {
        self.value.resize(pixels, 0.0);
        self.variance.resize(pixels, 0.0);
        for counts in [&mut self.kept, &mut self.low, &mut self.high] {
            counts.resize(pixels, 0);
        }
    }

    /// Where a kernel puts what it combines.
    pub(super) fn outcome(&mut self) -> Outcome<'_> {
        Outcome {
            value: &mut self.value,
            variance: &mut self.variance,
            kept: &mut self.kept,
            low: &mut self.low,
            high: &mut self.high,
        }
    }
}

/// Samples counted at each pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// Kept.
    pub kept: Plane<u16>,
    /// Rejected below.
    pub low: Plane<u16>,
    /// Rejected above.
    pub high: Plane<u16>,
}

/// A finished stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacked {
    /// Combined values, NaN where no source had a sample.
    pub value: Plane<f32>,
    /// Their variance from the scatter of the samples; NaN below two samples.
    pub variance: Plane<f32>,
    /// NO_DATA where no source had a sample, SATURATED where the combined value is that high.
    pub mask: Plane<MaskBits>,
    /// The level in ADU from which a combined value counts as saturated.
    pub saturated_from_adu: Option<f32>,
    /// So many rejected samples make a pixel UNSTABLE; none do where this is `None`.
    pub unstable_from: Option<u16>,
    /// Samples rejected below, in all.
    pub rejected_low: u64,
    /// Samples rejected above, in all.
    pub rejected_high: u64,
    /// Samples counted at each pixel, where that was asked for.
    pub maps: Option<Maps>,
}

impl Stacked {
    /// Planes of `size`, to be filled [band](Self::bands) by band.
    pub fn empty(size: Size, with_maps: bool) -> Self {
        let counts = || Plane::zeroed(size);
        let maps = || Maps { kept: counts(), low: counts(), high: counts() };
        Self {
            value: Plane::zeroed(size),
            variance: Plane::zeroed(size),
            mask: Plane::zeroed(size),
            saturated_from_adu: None,
            unstable_from: None,
            rejected_low: 0,
            rejected_high: 0,
            maps: with_maps.then(maps),
        }
    }

    /// A part of it.
    #[must_use]
    pub fn crop(self, part: Rect) -> Self {
        let maps = self.maps.map(|m| Maps {
            kept: m.kept.crop(part),
            low: m.low.crop(part),
            high: m.high.crop(part),
        });
        Self {
            value: self.value.crop(part),
            variance: self.variance.crop(part),
            mask: self.mask.crop(part),
            maps,
            ..self
        }
    }

    /// Bands of `rows` rows, to be filled by workers side by side.
    pub fn bands(&mut self, rows: usize) -> impl Iterator<Item = Band<'_>> {
        let width = self.value.width();
        let part = width * rows;
        let saturated_from_adu = self.saturated_from_adu.unwrap_or(f32::INFINITY);
        let unstable_from = self.unstable_from;
        let mut maps = self.maps.as_mut().map(|m| {
            [&mut m.kept, &mut m.low, &mut m.high].map(|p| p.as_mut_slice().chunks_mut(part))
        });
        let planes = self.value.as_mut_slice().chunks_mut(part);
        let planes = planes.zip(self.variance.as_mut_slice().chunks_mut(part));
        let planes = planes.zip(self.mask.as_mut_slice().chunks_mut(part));
        planes.map(move |((value, variance), mask)| {
            let maps = maps.as_mut().map(|m| m.each_mut().map(|c| c.next().unwrap_or_default()));
            let (rejected_low, rejected_high) = (0, 0);
            Band {
                width,
                value,
                variance,
                mask,
                maps,
                saturated_from_adu,
                unstable_from,
                rejected_low,
                rejected_high,
            }
        })
    }
}

/// Whole rows of a stack, as a worker fills them.
#[derive(Debug)]
pub struct Band<'a> {
    width: usize,
    value: &'a mut [f32],
    variance: &'a mut [f32],
    mask: &'a mut [MaskBits],
    maps: Option<[&'a mut [u16]; 3]>,
    saturated_from_adu: f32,
    unstable_from: Option<u16>,
    /// Samples rejected below, in all of the tiles that were placed.
    pub rejected_low: u64,
    /// Samples rejected above, in all of the tiles that were placed.
    pub rejected_high: u64,
}

impl Band<'_> {
    /// Copies a tile as high as the band to its columns.
    pub fn place(&mut self, columns: Range<usize>, tile: &Tile) {
        fn put<T, U: Copy>(
            to: &mut [T],
            (width, columns): (usize, &Range<usize>),
            from: &[U],
            make: impl Fn(U) -> T,
        ) {
            let rows = to.chunks_exact_mut(width).zip(from.chunks_exact(columns.len()));
            for (to, from) in rows {
                to[columns.clone()].iter_mut().zip(from).for_each(|(to, v)| *to = make(*v));
            }
        }
        let sum = |counts: &[u16]| counts.iter().map(|v| u64::from(*v)).sum::<u64>();
        self.rejected_low += sum(&tile.low);
        self.rejected_high += sum(&tile.high);
        let at = (self.width, &columns);
        put(self.value, at, &tile.value, |v| v);
        put(self.variance, at, &tile.variance, |v| v);
        let level = self.saturated_from_adu;
        put(self.mask, at, &tile.value, |v: f32| {
            if !v.is_finite() {
                MaskBits::NO_DATA
            } else if v >= level {
                MaskBits::SATURATED
            } else {
                MaskBits::empty()
            }
        });
        if let Some(least) = self.unstable_from {
            let rows = self.mask.chunks_exact_mut(self.width);
            let counts =
                tile.low.chunks_exact(columns.len()).zip(tile.high.chunks_exact(columns.len()));
            for (bits, (low, high)) in rows.zip(counts) {
                for (bits, (low, high)) in
                    bits[columns.clone()].iter_mut().zip(low.iter().zip(high))
                {
                    if low + high >= least {
                        *bits |= MaskBits::UNSTABLE;
                    }
                }
            }
        }
        for (map, counts) in self.maps.iter_mut().flatten().zip([&tile.kept, &tile.low, &tile.high])
        {
            put(map, at, counts, |v| v);
        }
    }
}
