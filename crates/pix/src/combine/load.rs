//! Samples in frame order into blocks of lanes, missing ones as the greatest key.

use multiversion::multiversion;

use crate::reject::lanes::{Keys, LANES, Line};

/// Adding and taking off 1.5 * 2^23 leaves no number as it was that is not an integer.
const TO_INTEGER: f32 = 12_582_912.0;

/// Loads `lanes` pixels from `x` on; gives the samples that are there, a lane each, and whether
/// all are integers.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn load_f32(
    data: &[f32],
    width: usize,
    x: usize,
    lanes: usize,
    rows: &mut [Keys],
) -> ([i32; LANES], bool) {
    let mut count = [0i32; LANES];
    let mut odd = [0u32; LANES];
    let mut padded = [f32::NAN; LANES];
    for (frame, row) in data.chunks_exact(width).zip(rows) {
        let from: &[f32; LANES] = match frame[x..x + lanes].try_into() {
            Ok(full) => full,
            Err(_) => {
                padded[..lanes].copy_from_slice(&frame[x..x + lanes]);
                &padded
            }
        };
        for lane in 0..LANES {
            let v = from[lane];
            let there = v.abs() < f32::INFINITY;
            // Adding 0 makes −0 a 0, so that equal samples are equal to the last bit.
            row[lane] = if there { v + 0.0 } else { f32::INFINITY };
            count[lane] += i32::from(there);
            let rounded = (row[lane] + TO_INTEGER) - TO_INTEGER;
            odd[lane] |= rounded.to_bits() ^ row[lane].to_bits();
        }
    }
    let any = odd.iter().fold(0, |any, odd| any | odd);
    (count, any == 0)
}

/// The same of raw 16-bit samples, of which those from `missing` on are not there.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn load_u16(
    data: &[u16],
    width: usize,
    x: usize,
    lanes: usize,
    missing: u32,
    rows: &mut [Line<u16>],
) -> [i32; LANES] {
    let mut count = [0i32; LANES];
    let highest = missing.saturating_sub(1).min(u32::from(u16::MAX)) as u16;
    let none = missing == 0;
    let mut padded = [u16::MAX; LANES];
    for (frame, row) in data.chunks_exact(width).zip(rows) {
        let from: &[u16; LANES] = match frame[x..x + lanes].try_into() {
            Ok(full) => full,
            Err(_) => {
                padded[..lanes].copy_from_slice(&frame[x..x + lanes]);
                &padded
            }
        };
        for lane in 0..LANES {
            let v = from[lane];
            let there = (v <= highest) & !none;
            row[lane] = if there { v } else { u16::MAX };
            count[lane] += i32::from(there);
        }
    }
    count[lanes..].fill(0);
    count
}

/// Sorted integers as the samples they are; +infinity beyond the `count` of each lane.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn widen(from: &[Line<u16>], count: &[i32; LANES], to: &mut [Keys]) {
    let whole = count.iter().all(|n| *n as usize == from.len());
    for (i, (from, to)) in from.iter().zip(to).enumerate() {
        for lane in 0..LANES {
            let v = f32::from(from[lane]);
            let there = whole | ((i as i32) < count[lane]);
            to[lane] = if there { v } else { f32::INFINITY };
        }
    }
}
