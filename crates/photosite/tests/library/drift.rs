//! An uncooled camera whose warmth drifts by 8 C over the night, with darks taken at six
//! temperatures: each light gets the darks nearest to it.

use photosite::report::RunReport;
use photosite_file::fits::{Sample, read_image};
use photosite_pix::{FrameKind, Plane, Size};
use photosite_sim::{FramePlan, Night, Preset, Simulation};

use crate::night::{request, run, write_plane};

const LIGHTS: usize = 9;
const DRIFT_C: f64 = 8.0;
const DARK_TEMPS: usize = 6;
const DARKS_EACH: usize = 6;
const COLDEST_C: f64 = 14.0;

fn plan_of(night: &Night, kind: FrameKind, index: usize, temp_c: f64) -> FramePlan {
    let folder = if kind == FrameKind::Dark { "darks" } else { "lights" };
    FramePlan {
        kind,
        index,
        exposure_s: night.light_exposure_s,
        temp_c,
        start_s: 120.0 * index as f64,
        folder,
        file_name: format!("{folder}_{index:03}.fits"),
    }
}

fn plans(night: &Night) -> Vec<FramePlan> {
    let light = |i: usize| {
        let temp_c = COLDEST_C + DRIFT_C * i as f64 / (LIGHTS - 1) as f64;
        plan_of(night, FrameKind::Light, i, temp_c)
    };
    let dark = |i: usize| {
        let step = DRIFT_C / (DARK_TEMPS - 1) as f64;
        plan_of(night, FrameKind::Dark, i, COLDEST_C + step * (i / DARKS_EACH) as f64)
    };
    (0..LIGHTS).map(light).chain((0..DARK_TEMPS * DARKS_EACH).map(dark)).collect()
}

/// The mean square of light less dark less truth over the hot pixels, and their number.
fn hot_residual(simulation: &Simulation, plan: &FramePlan, dark: &Plane<f32>) -> (f64, usize) {
    let frame = simulation.render(plan);
    let sensor = &simulation.night().sensor;
    let (light_e, response) = (frame.truth.light_e.unwrap(), &simulation.maps().response);
    let (mut sum, mut n) = (0.0, 0);
    for h in &simulation.maps().hot {
        let raw = frame.adu.get(h.x, h.y);
        // Saturated pixels have lost what the dark would take off, and cosmic rays are not its work.
        if f64::from(raw) >= 0.9 * sensor.max_adu() || frame.truth.cosmic_e.get(h.x, h.y) > 0.0 {
            continue;
        }
        let lit = f64::from(light_e.get(h.x, h.y)) * f64::from(response.get(h.x, h.y));
        let left = f64::from(raw - dark.get(h.x, h.y)) - lit / sensor.gain_e_per_adu;
        sum += left * left;
        n += 1;
    }
    (sum, n)
}

fn rms(simulation: &Simulation, dark_of: impl Fn(&FramePlan) -> Plane<f32>) -> f64 {
    let lights = plans(simulation.night()).into_iter().filter(|p| p.kind == FrameKind::Light);
    let (sum, n) = lights.fold((0.0, 0), |(sum, n), plan| {
        let (more, of) = hot_residual(simulation, &plan, &dark_of(&plan));
        (sum + more, n + of)
    });
    assert!(n > 200, "only {n} hot pixels");
    (sum / n as f64).sqrt()
}

#[test]
fn each_light_gets_the_darks_of_its_own_warmth() {
    let mut night = Night::preset(Preset::Dslr, Size::new(192, 160), 11);
    // Enough hot pixels for so small a sensor.
    night.sensor.hot_fraction = 4e-3;
    let simulation = Simulation::new(night);
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("night");
    for plan in plans(simulation.night()) {
        let frame = simulation.render(&plan);
        let path = raw.join(plan.folder).join(&plan.file_name);
        write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
    }
    let report: RunReport = run(&request(vec![raw], &dir.path().join("out")), 2);
    let darks: Vec<_> = report.lights.iter().filter_map(|l| l.dark.clone()).collect();
    assert_eq!(darks.len(), LIGHTS, "every light has a dark");
    let distinct: std::collections::BTreeSet<_> = darks.iter().collect();
    assert!(distinct.len() >= DARK_TEMPS - 1, "only {} darks for the drift", distinct.len());
    let own = rms(&simulation, |plan| {
        let light = report.lights.iter().find(|l| l.path.ends_with(&plan.file_name)).unwrap();
        read_image(light.dark.as_ref().unwrap()).unwrap().0
    });
    // One master of all darks of the night, as a program makes it that looks at no temperature.
    let mut all = Plane::filled(simulation.night().sensor.size, 0.0f32);
    let of_darks: Vec<FramePlan> =
        plans(simulation.night()).into_iter().filter(|p| p.kind == FrameKind::Dark).collect();
    for plan in &of_darks {
        let adu = simulation.render(plan).adu;
        for (sum, v) in all.as_mut_slice().iter_mut().zip(adu.as_slice()) {
            *sum += v / of_darks.len() as f32;
        }
    }
    let one = rms(&simulation, |_| all.clone());
    println!("hot pixels: {own:.1} ADU rms with a dark a light, {one:.1} with one dark a night");
    assert!(own <= one / 3.0, "{own:.1} ADU against {one:.1}");
}
