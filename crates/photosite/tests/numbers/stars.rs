//! Numbers of stars.

use photosite::measure::find_stars;
use photosite::params::Integration;
use photosite::run::stars_of;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FrameSpec, Sample, write_frame};
use photosite_pix::stars::Criteria;
use photosite_pix::{Plane, stat};
use photosite_sim::{Purpose, Stream};

use crate::camera::{Bench, working};
use crate::stacks::{PLAIN, Seen, Sky, gain, unregistered};
use crate::{Effort, Row, mean};

/// A7: fluxes of stars on stacks against their errors.
pub fn errors_on_stacks(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut cases = vec![
        (false, 4usize, 1e5, 3.0),
        (false, 16, 1e5, 3.0),
        (false, 16, 2e3, 3.0),
        (true, 8, 1e5, 3.0),
        (true, 8, 2e3, 3.0),
    ];
    if effort == Effort::Long {
        // Off: sharp stars have fluxes that depend on how pixels cut them, which no error knows yet.
        cases.push((true, 8, 1e5, 1.8));
    }
    for (registered, count, flux_e, fwhm_px) in cases {
        let sky = Sky { flux_e, fwhm_px, ..Sky::new(effort.of(480, 1440)) };
        let seen = |i: usize| {
            let mut random = Stream::new(70, i as u64, Purpose::Dither);
            let mut by = || if i == 0 || !registered { 0.0 } else { random.between(-5.0, 5.0) };
            Seen { shift: (by(), by()), ..PLAIN }
        };
        let lights: Vec<Plane<f32>> =
            (0..count).map(|i| sky.light(seen(i), 700 + flux_e as u64 + i as u64)).collect();
        let bench = Bench::new();
        let how = if registered { Integration::default() } else { unregistered() };
        let (_, frames, header) = bench.stack(&lights, gain, how);
        let path = bench.path("again");
        let spec =
            FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
        write_frame(&path, &[&frames[0]], spec, Existing::Refuse).unwrap();
        let found = working(|context| stars_of(&path, None, 5.5, context)).unwrap();
        // Of the sky without noise, the same aperture.
        let mut truth = sky.truth(PLAIN);
        let mut random = Stream::new(71, count as u64, Purpose::ReadNoise);
        truth.as_mut_slice().iter_mut().for_each(|v| *v += 0.05 * random.gaussian() as f32);
        let mask = Plane::zeroed(sky.size);
        let known = working(|context| {
            find_stars(&truth, &mask, None, Criteria::default(), context).unwrap()
        });
        let mut pulls = Vec::new();
        for star in &known.stars {
            let same = found.stars.iter().find(|s| (s.x - star.x).hypot(s.y - star.y) < 1.0);
            if let Some(seen) = same {
                pulls.push((seen.flux - star.flux) / seen.flux_error);
            }
        }
        // What all have in common is the aperture of another width, and the scale.
        let middle = stat::median_f64(&pulls);
        let squares: Vec<f64> = pulls.iter().map(|p| (p - middle).powi(2)).collect();
        let (square, error) = mean(&squares);
        let value = (square.sqrt(), 0.5 * error / square.sqrt());
        let how = if registered { "registered" } else { "unregistered" };
        let what = format!(
            "{count} {how} lights, stars of {flux_e:.0} e-, FWHM {fwhm_px} px: scatter of pulls"
        );
        rows.push(Row::new("A7", what, value, (0.9, 1.1)));
    }
    rows
}
