//! `photosite simulate`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use photosite::inventory::TRUTH_KEYWORD;
use photosite::work::{Context, for_each};
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{FitsWriter, ImageSpec, Sample};
use photosite_pix::{Card, FrameKind, Header, Plane, Size};
use photosite_sim::{
    Conditions, Effects, Fault, FramePlan, Layout, Night, Preset, Session, Simulation,
};

use crate::args::{Limits, PresetName, SimulateArgs};
use crate::show::Progress;
use crate::{Done, resolve};

/// Writes a simulated night.
pub fn run(args: SimulateArgs, limits: Limits) -> anyhow::Result<Done> {
    let preset = match args.preset {
        PresetName::CmosMono => Preset::CmosMono,
        PresetName::CmosOsc => Preset::CmosOsc,
        PresetName::Ccd => Preset::Ccd,
        PresetName::Dslr => Preset::Dslr,
    };
    let size = Size::new(args.width as usize, args.height as usize);
    let mut night = Night::preset(preset, size, args.seed);
    let counts = &mut night.counts;
    for (slot, asked) in [
        (&mut counts.bias, args.bias),
        (&mut counts.darks, args.darks),
        (&mut counts.flats, args.flats),
        (&mut counts.dark_flats, args.dark_flats),
        (&mut counts.lights, args.lights),
    ] {
        *slot = asked.unwrap_or(*slot);
    }
    for exposure_s in [args.exposure, args.dark_exposure].into_iter().flatten() {
        if !(exposure_s.is_finite() && exposure_s > 0.0) {
            bail!("an exposure of {exposure_s} s is impossible; it must be above 0");
        }
    }
    night.light_exposure_s = args.exposure.unwrap_or(night.light_exposure_s);
    night.dark_exposure_s = args.dark_exposure.or(args.exposure).unwrap_or(night.dark_exposure_s);
    for temp_c in [args.temp, args.dark_temp].into_iter().flatten() {
        if !(-150.0..=80.0).contains(&temp_c) {
            bail!("no sensor works at {temp_c} C");
        }
    }
    night.set_temp_c = args.temp.unwrap_or(night.set_temp_c);
    night.dark_temp_c = args.dark_temp;
    if let Some(power) = args.glow_power {
        if !(power > 0.0 && power <= 4.0) {
            bail!(
                "a glow does not grow with the power {power} of the exposure; 0 to 4 is possible"
            );
        }
        night.sensor.glow_power = Some(power);
    }
    if args.black_clamp {
        night.effects |= Effects::BLACK_CLAMP;
    }
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let simulation = Simulation::new(night);
    match args.layout {
        Some(layout) => write_tree(&simulation, layout.into(), &args.output, &context)?,
        None => write_night(&simulation, args.fault, &args.output, &context)?,
    }
    println!("{}", args.output.display());
    Ok(Done::Well)
}

/// Writes every frame of a night below `folder`, which must be new or empty; with a fault, where one
/// is asked for.
pub fn write_night(
    simulation: &Simulation,
    fault: Option<Fault>,
    folder: &Path,
    context: &Context<'_>,
) -> anyhow::Result<()> {
    if folder.exists() && std::fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; choose a new folder with -o", folder.display());
    }
    let truth = folder.join("truth");
    let plans = simulation.frames();
    let record = simulation.truth_record();
    let integers = simulation.night().effects.contains(Effects::QUANTISATION);
    // Whole numbers are stored as a camera stores them, anything else as it is.
    let sample = if integers { Sample::U16 { pedestal_adu: 0.0 } } else { Sample::F32 };
    for_each(
        plans.len(),
        context,
        || (),
        |(), i| {
            let (plan, frame) = match fault {
                Some(fault) => fault.render(simulation, &plans[i]),
                None => (plans[i].clone(), simulation.render(&plans[i])),
            };
            let path = folder.join(plan.folder).join(&plan.file_name);
            write_plane(&path, &frame.adu, sample, frame.header)?;
            if let (Some(light), Some(name)) = (&frame.truth.light_e, &record.frames[i].light_file)
            {
                let mut header = truth_header();
                header.set(Card::string("BUNIT", "electron", "from the sky, before response"));
                write_plane(&truth.join(name), light, Sample::F32, header)?;
            }
            Ok(())
        },
    )?;
    for (name, plane) in simulation.truth_maps() {
        write_plane(&truth.join(name), plane, Sample::F32, truth_header())?;
    }
    let json = serde_json::to_vec_pretty(&record)?;
    write_bytes(&truth.join("truth.json"), &json, Existing::Refuse)?;
    Ok(())
}

/// Evenings of a tree of several nights.
const EVENINGS: [&str; 2] = ["2026-01-15", "2026-01-16"];

/// Writes a tree of frames as a capture program would, in a folder that must be new or empty.
fn write_tree(
    simulation: &Simulation,
    layout: Layout,
    folder: &Path,
    context: &Context<'_>,
) -> anyhow::Result<()> {
    if folder.exists() && std::fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; choose a new folder with -o", folder.display());
    }
    let night = simulation.night();
    let (targets, filters, evenings): (&[&str], &[&str], usize) = match layout {
        Layout::Nina => (&["M 31", "NGC 7000"], &["L", "R", "G", "B", "Ha"], EVENINGS.len()),
        _ => (&["M 31"], &[], 1),
    };
    let mono = night.sensor.cfa.is_none() && !filters.is_empty();
    let filters: Vec<Option<String>> = match mono {
        true => filters.iter().map(|f| Some((*f).to_owned())).collect(),
        false => vec![night.filter.clone()],
    };
    // Lights are of every target, filter and night, flats of every filter and night; the rest was taken once.
    let mut frames: Vec<(FramePlan, Session)> = Vec::new();
    for (n, evening) in EVENINGS.iter().take(evenings).enumerate() {
        for (t, target) in targets.iter().enumerate() {
            for (f, filter) in filters.iter().enumerate() {
                let of = |plan: &FramePlan| match plan.kind {
                    FrameKind::Light => true,
                    FrameKind::Flat => t == 0,
                    _ => (n, t, f) == (0, 0, 0),
                };
                let session = Session {
                    night: n,
                    date: (*evening).to_owned(),
                    object: (*target).to_owned(),
                    filter: filter.clone(),
                };
                let place = (n * targets.len() + t) * filters.len() + f;
                for mut plan in simulation.frames().into_iter().filter(of) {
                    // Frames of their own noise, one after another.
                    plan.index += 100 * place;
                    plan.start_s += 86_400.0 * n as f64 + 1_800.0 * (place % 10) as f64;
                    frames.push((plan, session.clone()));
                }
            }
        }
    }
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let paths: Vec<String> = frames
        .iter()
        .map(|(plan, session)| {
            let named = |number| layout.path(night, plan, session, number);
            let folder = named(1).rsplit_once('/').map_or_else(String::new, |(f, _)| f.to_owned());
            let number = numbers.entry(folder).or_default();
            *number += 1;
            named(*number)
        })
        .collect();
    let integers = night.effects.contains(Effects::QUANTISATION);
    let sample = if integers { Sample::U16 { pedestal_adu: 0.0 } } else { Sample::F32 };
    for_each(
        frames.len(),
        context,
        || (),
        |(), i| {
            let (plan, session) = &frames[i];
            // Each target has stars of its own, and a place of its own on the sky.
            let elsewhere = plan.kind == FrameKind::Light && session.object != targets[0];
            let sky = if elsewhere { Conditions::ELSEWHERE } else { Conditions::CLEAR };
            let frame = simulation.render_under(plan, sky);
            let mut header = layout.header(plan, session, frame.header);
            if let Some(ra_deg) = header.get_f64("CRVAL1").filter(|_| elsewhere) {
                let comment = header.comment("CRVAL1");
                header.set(Card::real("CRVAL1", (ra_deg + 30.0) % 360.0, &comment));
            }
            write_plane(&folder.join(&paths[i]), &frame.adu, sample, header)
        },
    )?;
    Ok(())
}

/// A header that keeps the truth from being taken for a frame.
fn truth_header() -> Header {
    let mut header = Header::new();
    header.set(Card::logical(TRUTH_KEYWORD, true, "truth of a simulation, not a frame"));
    header
}

fn write_plane(
    path: &Path,
    plane: &Plane<f32>,
    sample: Sample,
    header: Header,
) -> photosite::Result<()> {
    let size = plane.size();
    let spec = ImageSpec { name: None, size, planes: 1, sample, header };
    let writer = FitsWriter::create(path, vec![spec], Vec::new(), Existing::Refuse)?;
    writer.write_rows(0, 0, 0, plane.as_slice())?;
    writer.finish()?;
    Ok(())
}
