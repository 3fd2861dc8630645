//! Numbers against known truth: what errors, levels and fluxes say of frames whose truth is known.
//!
//! `docs/numbers.md` is what the long form prints:
//! `cargo test --release -p photosite --test numbers -- --ignored --nocapture`. The usual tests are
//! the same with fewer pixels, and allow for what that leaves to chance.

mod bad_night;
mod camera;
mod lights;
mod masters;
mod nights;
mod plain;
mod stacks;
mod stars;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Some seconds in all.
    Quick,
    /// For the table.
    Long,
}

impl Effort {
    /// One of two numbers.
    pub fn of(self, quick: usize, long: usize) -> usize {
        if self == Self::Quick { quick } else { long }
    }
}

/// A number and the truth.
#[derive(Debug, Clone)]
pub struct Row {
    /// The point: A for those that were off, B for those that were right.
    pub point: &'static str,
    /// What was measured, and where.
    pub what: String,
    /// Its value.
    pub value: f64,
    /// The standard error of the value.
    pub error: f64,
    /// Between what it is right.
    pub bar: (f64, f64),
}

/// Where errors say what they are, real over ERR.
pub const RIGHT: (f64, f64) = (0.95, 1.05);

impl Row {
    /// A number with its error and bar.
    pub fn new(
        point: &'static str,
        what: impl Into<String>,
        (value, error): (f64, f64),
        bar: (f64, f64),
    ) -> Self {
        Self { point, what: what.into(), value, error, bar }
    }

    /// Whether chance may have taken it out of its bar, at 3 standard errors.
    fn right(&self) -> bool {
        let room = 3.0 * self.error;
        self.value >= self.bar.0 - room && self.value <= self.bar.1 + room
    }

    fn line(&self) -> String {
        let Self { point, what, value, error, bar } = self;
        let word = if self.right() { "right" } else { "**off**" };
        format!("| {point} | {what} | {value:.4} ± {error:.4} | {} to {} | {word} |", bar.0, bar.1)
    }
}

/// Errors against what they are of.
#[derive(Debug, Clone)]
pub struct Pulls {
    parts: Vec<[f64; 3]>,
    next: usize,
}

/// Parts from which the error of a ratio is told.
const PARTS: usize = 16;

impl Default for Pulls {
    fn default() -> Self {
        Self { parts: vec![[0.0; 3]; PARTS], next: 0 }
    }
}

impl Pulls {
    /// What a value is off by, and its variance; those that are not known are left out.
    pub fn add(&mut self, off: f64, variance: f64) {
        if off.is_finite() && variance.is_finite() {
            let part = &mut self.parts[self.next % PARTS];
            part[0] += off * off;
            part[1] += variance;
            part[2] += 1.0;
            self.next += 1;
        }
    }

    /// The root of the mean square over the mean variance, and its standard error.
    pub fn ratio(&self) -> (f64, f64) {
        let of = |parts: &[[f64; 3]]| {
            let sum = |i: usize| parts.iter().map(|p| p[i]).sum::<f64>();
            (sum(0) / sum(1)).sqrt()
        };
        let without = |i: usize| {
            let rest: Vec<[f64; 3]> =
                self.parts.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| *p).collect();
            of(&rest)
        };
        let each: Vec<f64> = (0..PARTS).map(without).collect();
        (of(&self.parts), photosite_pix::stat::jackknife(&each))
    }
}

/// The mean of numbers and its standard error.
pub fn mean(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    let squares = of.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, (squares / (n * (n - 1.0))).sqrt())
}

/// Measures points one after the other; those that are off fail, all of them told.
fn check(points: &[fn(Effort) -> Vec<Row>]) {
    let rows: Vec<Row> = points.iter().flat_map(|point| point(Effort::Quick)).collect();
    rows.iter().for_each(|row| println!("{}", row.line()));
    let off: Vec<String> = rows.iter().filter(|row| !row.right()).map(Row::line).collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// Every point, in the order of the table.
const ALL: &[fn(Effort) -> Vec<Row>] = &[
    stacks::unregistered_levels,
    stacks::weighted_errors,
    plain::good_samples_stay,
    stacks::weights_of_equal_noise,
    stars::errors_on_stacks,
    stacks::correlation,
    lights::repaired_pixels,
    masters::clipped_flats,
    masters::coarse_converters,
    masters::unstable_pixels,
    lights::faint_sky,
    lights::one_dark,
    plain::noise_of_integers,
    stacks::scale_errors,
    masters::biases_and_darks,
    masters::flats,
    lights::calibrated,
    stacks::equal_lights,
    stacks::colour_and_drizzle,
];

#[test]
fn wide_stars_that_crowd_leave_weights_right() {
    nights::weights_where_wide_stars_crowd();
}

#[test]
fn sharp_lights_among_noisy_ones_keep_their_stars() {
    nights::fluxes_in_mixed_seeing();
}

#[test]
fn lights_that_share_little_with_the_reference_are_scaled_by_what_they_show() {
    nights::scales_of_lights_that_share_little();
}

#[test]
fn few_stars_are_told_from_knots_of_a_nebula() {
    nights::few_stars_before_a_nebula();
}

#[test]
fn larger_pixels_weigh_by_their_noise() {
    nights::weights_of_unlike_pixels();
}

#[test]
fn undersampled_arrays_weigh_by_their_noise() {
    nights::weights_of_undersampled_arrays();
}

#[test]
fn gradients_leave_fluxes_right() {
    nights::fluxes_under_gradients();
}

#[test]
fn a_smoothed_light_weighs_as_it_did() {
    nights::weight_of_a_smoothed_light();
}

/// The table of random bad nights, which takes longer than all others.
#[test]
#[ignore = "a quarter of an hour; its table stands in docs/numbers.md"]
fn five_hundred_bad_nights() {
    println!("| point | what | value | right | |\n|---|---|---|---|---|");
    nights::bad_nights(Effort::Long).iter().for_each(|row| println!("{}", row.line()));
}

#[test]
#[ignore = "writes nights that bench/nights.py gives to other programs"]
fn nights_as_files() {
    nights::as_files();
}

#[test]
#[ignore = "minutes; its table stands in docs/numbers.md"]
fn the_table() {
    let mut off = 0;
    println!("| point | what | value | right | |\n|---|---|---|---|---|");
    for point in ALL {
        for row in point(Effort::Long) {
            println!("{}", row.line());
            off += usize::from(!row.right());
        }
    }
    println!("\n{off} off");
}

/// A test for each point, named alike.
macro_rules! points {
    ($($name:ident: $($point:path),+;)*) => {
        $(#[test] fn $name() { check(&[$($point),+]); })*
    };
}

points! {
    lights_of_other_levels_keep_the_flux: stacks::unregistered_levels;
    weighted_means_know_their_noise: stacks::weighted_errors;
    rejection_keeps_good_samples_at_any_level: plain::good_samples_stay;
    equal_lights_weigh_the_same: stacks::weights_of_equal_noise;
    fluxes_of_stacks_know_their_errors: stars::errors_on_stacks;
    what_neighbours_share_is_told: stacks::correlation;
    repaired_pixels_know_how_little_they_know: lights::repaired_pixels;
    flats_under_an_array_know_their_noise: masters::clipped_flats;
    coarse_converters_show_their_hot_pixels: masters::coarse_converters;
    unstable_pixels_are_told: masters::unstable_pixels;
    faint_skies_know_their_noise: lights::faint_sky;
    one_dark_counts_its_electrons: lights::one_dark;
    noise_of_integers_is_theirs: plain::noise_of_integers;
    scales_are_in_the_errors: stacks::scale_errors;
    biases_and_darks_know_their_noise: masters::biases_and_darks;
    flats_know_their_noise: masters::flats;
    calibrated_lights_know_their_noise: lights::calibrated;
    stacks_of_equal_lights_know_their_noise: stacks::equal_lights;
    colours_and_drizzles_know_their_noise: stacks::colour_and_drizzle;
    bad_nights_are_right: nights::bad_nights;
}
