//! The parts of a sensor that are measured apart: blocks of pixels, and in each the places of a filter
//! array.

use std::ops::Range;

use photosite_pix::{CfaColor, CfaPattern, Rect, Size};

/// The first and the second frame of a pair, and whether it is spare.
pub type Paired = (usize, usize, bool);

/// Sides of blocks in pixels, the largest first.
const SIDES: [usize; 5] = [64, 32, 16, 8, 4];
/// Fewer blocks than this tell no error.
const FEW_BLOCKS: usize = 40;
/// Parts that blocks are dealt into, to see how much an answer depends on each.
const MOST_PARTS: usize = 40;

/// Blocks over the part of a sensor that sees light.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Width and height in pixels.
    pub size: Size,
    /// Side of a block in pixels.
    pub block: usize,
    /// Blocks along x; columns behind the last whole block are not used.
    pub across: usize,
    /// Blocks along y.
    pub down: usize,
    /// The colours that are measured apart in each block: the four places of a Bayer array, the three
    /// colours of another, one of none.
    pub lanes: Vec<Option<CfaColor>>,
    /// What each amplifier reads, where there are several.
    pub amplifiers: Vec<Rect>,
    cfa: Option<CfaPattern>,
}

impl Grid {
    /// Blocks as large as leave enough of them.
    pub fn new(size: Size, cfa: Option<CfaPattern>) -> Self {
        Self::with_amplifiers(size, cfa, Vec::new())
    }

    /// Blocks as large as leave enough of them to each amplifier, where there are several.
    pub fn with_amplifiers(size: Size, cfa: Option<CfaPattern>, amplifiers: Vec<Rect>) -> Self {
        let amplifiers = if amplifiers.len() > 1 { amplifiers } else { Vec::new() };
        let smallest = amplifiers.iter().map(|r| r.size()).min_by_key(|s| s.pixels());
        let Size { width, height } = smallest.unwrap_or(size);
        let count = |side: usize| (width / side) * (height / side);
        let smallest = SIDES[SIDES.len() - 1];
        let block = SIDES.into_iter().find(|s| count(*s) >= FEW_BLOCKS).unwrap_or(smallest);
        let lanes = match cfa {
            None => vec![None],
            Some(cfa) if cfa.period() == 2 => {
                [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| Some(cfa.color(x, y))).to_vec()
            }
            Some(_) => CfaColor::ALL.map(Some).to_vec(),
        };
        let (across, down) = (size.width / block, size.height / block);
        Self { size, block, across, down, lanes, amplifiers, cfa }
    }

    /// The blocks along x and y that lie in a region as a whole.
    fn within(&self, region: Rect) -> (Range<usize>, Range<usize>) {
        let range = |from: usize, to: usize, most: usize| {
            from.div_ceil(self.block)..(to / self.block).min(most)
        };
        (range(region.x0, region.x1, self.across), range(region.y0, region.y1, self.down))
    }

    /// The amplifier that reads a block; `None` where there is one for all, or several read it.
    pub fn amplifier_of(&self, column: usize, strip: usize) -> Option<usize> {
        self.amplifiers.iter().position(|region| {
            let (columns, strips) = self.within(*region);
            columns.contains(&column) && strips.contains(&strip)
        })
    }

    /// The grid of one amplifier alone, and its blocks as they are counted in this one; `None` where it reads
    /// no whole block.
    pub fn of_amplifier(&self, amplifier: usize) -> Option<(Self, Vec<usize>)> {
        let (columns, strips) = self.within(*self.amplifiers.get(amplifier)?);
        let blocks = || strips.clone().flat_map(|s| columns.clone().map(move |c| (c, s)));
        let blocks: Vec<usize> = blocks().map(|(c, s)| s * self.across + c).collect();
        let (across, down) = (columns.len(), strips.len());
        let size = Size::new(across * self.block, down * self.block);
        let (first, block) = ((columns.start, strips.start), self.block);
        let cfa = self.cfa.map(|c| c.shifted(first.0 * block, first.1 * block));
        let grid = Self { size, across, down, amplifiers: Vec::new(), cfa, ..self.clone() };
        (!blocks.is_empty()).then_some((grid, blocks))
    }

    /// Blocks in all.
    pub fn blocks(&self) -> usize {
        self.across * self.down
    }

    /// Parts that the blocks are dealt into.
    pub fn parts(&self) -> usize {
        self.blocks().min(MOST_PARTS)
    }

    /// The part that a block belongs to: neighbours belong to different ones.
    pub fn part_of(&self, block: usize) -> usize {
        block % self.parts().max(1)
    }

    /// Whether the neighbours of a block are looked at: of a sensor without a filter array, and of one with
    /// many blocks every third.
    pub fn tells_neighbours(&self, block: usize) -> bool {
        let every = if self.blocks() > 1024 { 3 } else { 1 };
        self.lanes.len() == 1 && block.is_multiple_of(every)
    }

    /// The rows of a row of blocks.
    pub fn rows(&self, strip: usize) -> Range<usize> {
        strip * self.block..(strip + 1) * self.block
    }

    /// The colours of the array, none of a monochrome sensor.
    pub fn colours(&self) -> Vec<CfaColor> {
        let mut colours: Vec<CfaColor> = self.lanes.iter().copied().flatten().collect();
        colours.sort_unstable();
        colours.dedup();
        colours
    }

    /// Whether a lane is asked for: all of them where no colour is named.
    pub fn wanted(&self, lane: usize, colour: Option<CfaColor>) -> bool {
        colour.is_none() || self.lanes[lane] == colour
    }

    /// The lane of a pixel.
    pub fn lane_of(&self, x: usize, y: usize) -> usize {
        match self.cfa {
            None => 0,
            Some(cfa) if cfa.period() == 2 => 2 * (y % 2) + x % 2,
            Some(cfa) => {
                let colour = Some(cfa.color(x, y));
                self.lanes.iter().position(|lane| *lane == colour).unwrap_or(0)
            }
        }
    }

    /// The samples of one lane of one block, line after line, from the rows of its row of blocks; gives
    /// the samples in a line.
    pub fn gather(&self, rows: &[f32], column: usize, lane: usize, out: &mut Vec<f32>) -> usize {
        out.clear();
        let (width, side) = (self.size.width, self.block);
        let x0 = column * side;
        let line = |y: usize| &rows[y * width + x0..][..side];
        match self.cfa {
            None => {
                (0..side).for_each(|y| out.extend_from_slice(line(y)));
                side
            }
            Some(cfa) if cfa.period() == 2 => {
                for y in (lane / 2..side).step_by(2) {
                    let (pairs, _) = line(y).as_chunks::<2>();
                    out.extend(pairs.iter().map(|pair| pair[lane % 2]));
                }
                side / 2
            }
            Some(cfa) => {
                // Rows of blocks begin anywhere in the cell of such an array, lines hold any number.
                for y in 0..side {
                    let of_colour =
                        |(x, _): &(usize, &f32)| Some(cfa.color(x0 + *x, y)) == self.lanes[lane];
                    out.extend(line(y).iter().enumerate().filter(of_colour).map(|(_, v)| *v));
                }
                out.len().max(1)
            }
        }
    }

    /// The same grid as seen from the first row of a row of blocks, so that an array of six rows keeps
    /// its phase.
    #[must_use]
    pub fn at_strip(&self, strip: usize) -> Self {
        let cfa = self.cfa.map(|c| c.shifted(0, strip * self.block));
        Self { cfa, ..self.clone() }
    }
}

/// The samples of one lane of one block in each frame of a set.
#[derive(Debug)]
pub struct Patch<'a> {
    /// The grid as seen from its row of blocks.
    pub grid: &'a Grid,
    /// The block, counted along its row.
    pub column: usize,
    /// The lane.
    pub lane: usize,
    /// Its number among all lanes of all blocks.
    pub at: usize,
    /// Samples in a line.
    pub line: usize,
    /// The samples, frame by frame.
    pub frames: &'a [Vec<f32>],
}

impl Patch<'_> {
    /// Column and row of a sample in the frame.
    pub fn place(&self, sample: usize) -> (usize, usize) {
        let side = self.grid.block;
        let (x0, strip) = (self.column * side, self.at / self.grid.lanes.len() / self.grid.across);
        let (x, y) = match self.grid.cfa {
            None => (sample % side, sample / side),
            Some(cfa) if cfa.period() == 2 => {
                let half = side / 2;
                (2 * (sample % half) + self.lane % 2, 2 * (sample / half) + self.lane / 2)
            }
            Some(cfa) => {
                let all = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
                let colour = self.grid.lanes[self.lane];
                let mut own = all.filter(|(x, y)| Some(cfa.color(x0 + x, *y)) == colour);
                own.nth(sample).unwrap_or_default()
            }
        };
        (x0 + x, strip * side + y)
    }
}

/// Sums over blocks, part by part.
#[derive(Debug, Clone)]
pub struct Parts<const K: usize> {
    parts: Vec<[f64; K]>,
    total: [f64; K],
}

impl<const K: usize> Parts<K> {
    /// Adds up what each lane of each block gives, of one colour or of all.
    pub fn of(
        grid: &Grid,
        colour: Option<CfaColor>,
        mut of: impl FnMut(usize, usize) -> Option<[f64; K]>,
    ) -> Self {
        let mut parts = vec![[0.0; K]; grid.parts()];
        for block in 0..grid.blocks() {
            let part = &mut parts[grid.part_of(block)];
            for lane in (0..grid.lanes.len()).filter(|l| grid.wanted(*l, colour)) {
                if let Some(terms) = of(block, lane) {
                    part.iter_mut().zip(terms).for_each(|(sum, v)| *sum += v);
                }
            }
        }
        let mut total = [0.0; K];
        for part in &parts {
            total.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
        }
        Self { parts, total }
    }

    /// The sums, one part left out where it is named.
    pub fn without(&self, part: Option<usize>) -> [f64; K] {
        match part {
            None => self.total,
            Some(p) => std::array::from_fn(|k| self.total[k] - self.parts[p][k]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_holds_its_own_colour() {
        for (pattern, side) in
            [("RGGB", 32), ("GBRG", 16), ("GGRGGBGGBGGRBRGRBGGGBGGRGGRGGBRBGBRG", 16)]
        {
            let cfa = CfaPattern::parse(pattern).unwrap();
            let size = Size::new(side * 10, side * 8);
            let grid = Grid::new(size, Some(cfa));
            let (strip, mut out) = (3, Vec::new());
            let rows: Vec<f32> = grid
                .rows(strip)
                .flat_map(|y| (0..size.width).map(move |x| cfa.color(x, y).channel() as f32))
                .collect();
            let mut count = 0;
            for lane in 0..grid.lanes.len() {
                for column in 0..grid.across {
                    grid.at_strip(strip).gather(&rows, column, lane, &mut out);
                    let wanted = grid.lanes[lane].unwrap().channel() as f32;
                    assert!(out.iter().all(|v| *v == wanted), "{pattern} lane {lane}");
                    let colour = |x, y| Some(cfa.color(x, y));
                    let own = grid.lanes[grid.lane_of(column + lane, strip + column)];
                    assert_eq!(own, colour(column + lane, strip + column), "{pattern}");
                    // Places lie in the strip and are those of the samples.
                    let here = grid.at_strip(strip);
                    let at = (strip * grid.across + column) * grid.lanes.len() + lane;
                    let patch = Patch { grid: &here, column, lane, at, line: 1, frames: &[] };
                    let y0 = strip * grid.block;
                    let numbers: Vec<f32> =
                        (0..grid.block * size.width).map(|i| i as f32).collect();
                    here.gather(&numbers, column, lane, &mut out);
                    for (i, number) in out.iter().enumerate() {
                        let (x, y) = patch.place(i);
                        assert_eq!((y - y0) * size.width + x, *number as usize, "{pattern}");
                    }
                    count += out.len();
                }
            }
            assert_eq!(count, grid.across * grid.block * grid.block);
        }
    }

    #[test]
    fn blocks_belong_to_the_amplifier_that_reads_all_of_them() {
        let halves = vec![Rect::new(0, 0, 100, 128), Rect::new(100, 0, 156, 128)];
        let grid = Grid::with_amplifiers(Size::new(256, 128), None, halves);
        assert_eq!(grid.block, 16);
        let of: Vec<Option<usize>> = (0..grid.across).map(|c| grid.amplifier_of(c, 0)).collect();
        assert_eq!(of[..6], [Some(0); 6]);
        assert_eq!(of[6..8], [None, Some(1)]);
        let (right, blocks) = grid.of_amplifier(1).unwrap();
        assert_eq!((right.across, right.down, blocks[0], blocks[9]), (9, 8, 7, 23));
    }

    #[test]
    fn sums_without_a_part() {
        let grid = Grid::new(Size::new(128, 128), None);
        let parts = Parts::of(&grid, None, |block, _| Some([1.0, block as f64]));
        let whole = parts.without(None);
        assert_eq!(whole[0], grid.blocks() as f64);
        let rest: f64 = (0..grid.parts()).map(|p| parts.without(Some(p))[1]).sum();
        assert!((rest - whole[1] * (grid.parts() - 1) as f64).abs() < 1e-6);
    }
}
