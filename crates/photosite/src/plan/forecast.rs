//! What a plan will take of the machine.

use photosite_file::Access;
use photosite_pix::Size;

use super::Plan;
use crate::budget::{Budget, Need, budget};
use crate::inventory::Inventory;

/// What a plan will take, before anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Forecast {
    /// Bytes read, at most: every frame twice.
    pub read_bytes: u64,
    /// Bytes of masters and calibrated lights.
    pub write_bytes: u64,
    /// Bytes on disk for packed frames, unpacked while a master is made.
    pub scratch_bytes: u64,
    /// Peak memory in bytes, about.
    pub memory_bytes: u64,
}

/// Bytes a pixel of a frame in memory or in a product: data, ERR and DQ.
const FRAME_BYTES: u64 = 4 + 4 + 2;

/// What a forecast reckons with.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// Threads.
    pub threads: usize,
    /// Memory that stacking may take, in bytes.
    pub memory_bytes: u64,
    /// Files that may be open at once.
    pub open_files: usize,
}

/// Forecasts the work of `plan`.
pub fn forecast(plan: &Plan, inventory: &Inventory, means: Means) -> Forecast {
    let pixels = |size: Size| size.pixels() as u64;
    let frame_pixels = |i: usize| pixels(inventory.frames[i].detector.active.size());
    let masters: Vec<u64> = plan.masters.iter().map(|m| pixels(m.traits.size)).collect();
    let lights: Vec<u64> = plan.lights.iter().map(|l| frame_pixels(l.frame)).collect();
    let largest = |sizes: &[u64]| sizes.iter().copied().max().unwrap_or(0);
    let budgets: Vec<Budget> = plan
        .masters
        .iter()
        .filter(|m| m.ready.is_none())
        .filter_map(|m| {
            let packed = |i: &&usize| inventory.frames[**i].access == Access::Whole;
            let need = Need {
                frames: m.frames.len(),
                size: m.traits.size,
                planes: 1,
                coverage: false,
                packed: m.frames.iter().filter(packed).count(),
                maps: false,
                least_rows: 1,
                worker_bytes: 0,
                threads: means.threads,
                memory_bytes: means.memory_bytes,
                open_files: means.open_files,
            };
            // A budget that is too small is told of when the work begins; here it counts in full.
            budget(need).or_else(|t| budget(Need { memory_bytes: t.needed_bytes, ..need })).ok()
        })
        .collect();
    let stacking = budgets.iter().map(|b| b.memory_bytes).max().unwrap_or(0);
    // Masters, and for each thread a light with the file it is read from.
    let per_light = largest(&lights) * (2 * FRAME_BYTES + 8);
    let calibrating = largest(&masters) * 3 * FRAME_BYTES + means.threads as u64 * per_light;
    Forecast {
        read_bytes: 2 * inventory.frames.iter().map(|f| f.file_bytes).sum::<u64>(),
        write_bytes: FRAME_BYTES * (masters.iter().sum::<u64>() + lights.iter().sum::<u64>()),
        scratch_bytes: budgets.iter().map(|b| b.scratch_bytes).max().unwrap_or(0),
        memory_bytes: if lights.is_empty() { stacking } else { stacking.max(calibrating) },
    }
}
