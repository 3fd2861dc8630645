//! Outliers that hit all neighbours at once.

use photosite_pix::combine::Workspace;

use super::{Dice, LINE, Night, Scene, contenders, score};

/// What went wrong in a frame, or in a tenth of the frames where there are more than ten.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// All samples are 0.
    Black,
    /// Light that leaks in: 60 to 600 e- along each line.
    Lit,
    /// The lower half is 0.
    HalfMissing,
    /// A quarter of the lines are 0.
    RowsDropped,
    /// A cloud takes 20 to 60 % of the sky over two thirds of each line.
    Cloud,
    /// A band of 100 to 3000 e- over 300 to 700 pixels of each line.
    Trail,
}

const FAULTS: [Fault; 6] =
    [Fault::Black, Fault::Lit, Fault::HalfMissing, Fault::RowsDropped, Fault::Cloud, Fault::Trail];

/// A night with the fault, and no cosmic rays: what is left over is the fault's alone.
fn night(fault: Fault, n: usize, lines: usize) -> Night {
    let scene = match fault {
        Fault::Black | Fault::Lit => Scene::Bias,
        _ => Scene::Light,
    };
    let mut night = Night::with(scene, n, lines, 177 + n as u64, 0.0);
    let mut dice = Dice(99 + n as u64);
    let width = night.level.len();
    let deepest = 0.2 + 0.4 * dice.unit();
    for i in 0..(n / 10).max(1) {
        for line in 0..lines {
            let dropped = dice.unit() < 0.25;
            let begins = (dice.unit() * 300.0) as usize;
            let ends = begins + 300 + (dice.unit() * 400.0) as usize;
            let glare = 100.0 * 30f64.powf(dice.unit());
            for x in line * LINE..(line + 1) * LINE {
                let along = x % LINE;
                let v = &mut night.frames[i * width + x];
                let more = |e: f64, dice: &mut Dice| (e + e.abs().sqrt() * dice.normal()) as f32;
                let hit = match fault {
                    Fault::Black => Some(0.0),
                    Fault::Lit => {
                        Some(*v + more(60.0 + 540.0 * along as f64 / LINE as f64, &mut dice))
                    }
                    Fault::HalfMissing => (line >= lines / 2).then_some(0.0),
                    Fault::RowsDropped => dropped.then_some(0.0),
                    Fault::Cloud => (along < LINE * 2 / 3)
                        .then(|| *v - (deepest * (night.level[x] - 500.0)) as f32),
                    Fault::Trail => {
                        (begins..ends).contains(&along).then(|| *v + more(glare, &mut dice))
                    }
                };
                if let Some(hit) = hit {
                    *v = hit.round();
                    night.hit[i * width + x] = true;
                }
            }
        }
    }
    night
}

/// Each method's name and its noise, the ideal being 1; `auto` last.
fn noises(fault: Fault, n: usize, lines: usize) -> Vec<(String, f64)> {
    let night = night(fault, n, lines);
    let scene = if night.level[0] >= 1000.0 { Scene::Bias } else { Scene::Light };
    let mut workspace = Workspace::default();
    let mut noise = |recipe| score(&night, n, recipe, &mut workspace).noise;
    contenders(scene, n).into_iter().map(|(name, recipe)| (name, noise(recipe))).collect()
}

/// What `auto` gives, and the least of the others: without the detector's noise, which `auto` does
/// not know, and percentile clipping, which goes by where the level happens to be.
fn auto_and_best(noises: &[(String, f64)]) -> (f64, f64) {
    let fair = |name: &str| !["ccd-noise", "percentile"].contains(&name);
    let others = noises.iter().filter(|(name, _)| fair(name) && !name.starts_with("auto"));
    let best = others.map(|(_, noise)| *noise).fold(f64::INFINITY, f64::min);
    (noises.last().map_or(f64::NAN, |(_, noise)| *noise), best)
}

#[test]
fn auto_is_ideal_wherever_a_method_is() {
    for fault in FAULTS {
        for n in [3, 4, 5, 10, 20] {
            let noises = noises(fault, n, 16);
            let (auto, best) = auto_and_best(&noises);
            // Of three nothing is rejected, and what lies within the noise no method finds.
            let allowed = if best <= 1.02 { 1.02 } else { 1.1 * best };
            assert!(auto <= allowed, "{fault:?} of {n}: {noises:?}");
        }
    }
}

#[test]
#[ignore = "prints the tables of docs/rejection.md"]
fn the_tables() {
    const COUNTS: [usize; 8] = [3, 4, 5, 8, 10, 20, 30, 50];
    for fault in FAULTS {
        let columns: Vec<Vec<(String, f64)>> =
            COUNTS.iter().map(|n| noises(fault, *n, 64)).collect();
        println!("\n## {fault:?}\n");
        println!("| method |{}", COUNTS.map(|n| format!(" N = {n} |")).concat());
        println!("|---|{}", "---|".repeat(COUNTS.len()));
        for (row, (name, _)) in columns[0].iter().enumerate() {
            let name = if name.starts_with("auto") { "**auto**" } else { name };
            let cells: String = columns.iter().map(|c| format!(" {:.3} |", c[row].1)).collect();
            println!("| {name} |{cells}");
        }
    }
}
