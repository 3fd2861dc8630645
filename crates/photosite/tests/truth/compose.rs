//! Colour pictures against the sky that was put into the pictures of their filters.

use std::path::{Path, PathBuf};

use photosite::colour::compose::{Formula, Palette};
use photosite::event::{Cancel, Silent};
use photosite::run::{ComposeRequest, Composed, NamedPicture, compose};
use photosite::work::Context;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FrameSpec, Sample, write_frame};
use photosite_file::read_frames;
use photosite_pix::{Card, Frame, Header, Plane, Rect, Size, Unit, stat};
use photosite_sim::{Purpose, Stream};

/// Where hardly anything of the nebula is left.
const CORNER: Rect = Rect::new(4, 4, 90, 70);

const SIZE: Size = Size::new(900, 700);
/// Usual seeing.
const SIGMA_PX: f64 = 1.7;
/// Electrons of one ADU.
const GAIN: f64 = 1.5;

/// A star: where, its flux in ADU through green, and what it has through the others by that.
struct Put {
    x: f64,
    y: f64,
    flux: f64,
    tint: [f64; 3],
}

fn sky(seed: u64) -> Vec<Put> {
    let mut random = Stream::new(seed, 0, Purpose::Stars);
    let star = |_| {
        let (x, y) = (random.between(30.0, 870.0), random.between(30.0, 670.0));
        let flux = 20_000.0 * (1.0 - 0.97 * random.uniform()).powf(-0.8);
        let warm = random.between(-0.4, 0.4);
        Put { x, y, flux, tint: [(warm).exp(), 1.0, (-warm).exp()] }
    };
    (0..160).map(star).collect()
}

/// What a filter sees: how much of each star, how much of a nebula, the sky, and where it lies.
struct Filter {
    name: &'static str,
    of: fn(&[f64; 3]) -> f64,
    nebula_adu: f64,
    sky_adu: f64,
    shift: (f64, f64),
    sigma_px: f64,
}

fn write(folder: &Path, stars: &[Put], filter: &Filter, seed: u64, named: bool) -> PathBuf {
    let mut random = Stream::new(seed, 7, Purpose::Dither);
    let mut mean = Plane::from_fn(SIZE, |x, y| {
        let d2 = (x as f64 - 450.0 + filter.shift.0).powi(2)
            + (y as f64 - 350.0 + filter.shift.1).powi(2);
        (filter.sky_adu + filter.nebula_adu * (-d2 / 2.0 / 150.0f64.powi(2)).exp()) as f32
    });
    let sigma_px = filter.sigma_px;
    for star in stars {
        let (cx, cy) = (star.x - filter.shift.0, star.y - filter.shift.1);
        let peak = star.flux * (filter.of)(&star.tint)
            / (2.0 * std::f64::consts::PI * sigma_px * sigma_px);
        for y in (cy as usize).saturating_sub(13)..(cy as usize + 14).min(SIZE.height) {
            for x in (cx as usize).saturating_sub(13)..(cx as usize + 14).min(SIZE.width) {
                let d2 = (x as f64 - cx).powi(2) + (y as f64 - cy).powi(2);
                mean.row_mut(y)[x] += (peak * (-0.5 * d2 / (sigma_px * sigma_px)).exp()) as f32;
            }
        }
    }
    let mut variance = mean.clone();
    variance.as_mut_slice().iter_mut().for_each(|v| *v = *v / GAIN as f32 + 25.0);
    for (v, s2) in mean.as_mut_slice().iter_mut().zip(variance.as_slice()) {
        *v += (f64::from(*s2).sqrt() * random.gaussian()) as f32;
    }
    let mut frame = Frame::new(mean, Unit::Adu);
    frame.variance = Some(variance);
    let mut header = Header::new();
    header.set(Card::real("EXPTIME", 600.0, ""));
    if named {
        header.set(Card::string("FILTER", filter.name, ""));
    }
    let path = folder.join(format!("{}.fits", filter.name));
    let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
    write_frame(&path, &[&frame], spec, Existing::Refuse).unwrap();
    path
}

fn composed(
    paths: &[PathBuf],
    output: &Path,
    how: impl Fn(&mut ComposeRequest<'_>),
) -> photosite::Result<Composed> {
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let pictures: Vec<NamedPicture> =
        paths.iter().map(|path| NamedPicture { name: None, path: path.clone() }).collect();
    let mut request = ComposeRequest::new(&pictures, output);
    how(&mut request);
    compose(&request, &context)
}

/// The flux of a star at a place that is known, above the sky about it.
fn flux(data: &Plane<f32>, (x, y): (f64, f64)) -> f64 {
    let (mut sum, mut area, mut around) = (0.0, 0.0, Vec::new());
    for row in (y as usize - 16)..(y as usize + 17) {
        for column in (x as usize - 16)..(x as usize + 17) {
            let d = (column as f64 - x).hypot(row as f64 - y);
            if d < 6.5 {
                sum += f64::from(data.get(column, row));
                area += 1.0;
            } else if d > 10.0 && d < 15.0 {
                around.push(data.get(column, row));
            }
        }
    }
    sum - area * f64::from(stat::median(&around))
}

/// Stars that stand alone, and bright enough to have a colour known to 1 %.
fn alone(stars: &[Put]) -> Vec<&Put> {
    let apart = |a: &Put, b: &Put| (a.x - b.x).hypot(a.y - b.y);
    let far = |s: &&Put| stars.iter().filter(|o| apart(s, o) < 25.0).count() == 1;
    let bright = |s: &&Put| s.flux > 60_000.0;
    stars.iter().filter(far).filter(bright).collect()
}

const RED: Filter = Filter {
    name: "R",
    of: |t| 0.8 * t[0],
    nebula_adu: 80.0,
    sky_adu: 300.0,
    shift: (0.0, 0.0),
    sigma_px: SIGMA_PX,
};
const GREEN: Filter = Filter {
    name: "Green",
    of: |t| t[1],
    nebula_adu: 20.0,
    sky_adu: 420.0,
    shift: (3.0, -5.0),
    sigma_px: SIGMA_PX,
};
const BLUE: Filter = Filter {
    name: "B",
    of: |t| 0.6 * t[2],
    nebula_adu: 30.0,
    sky_adu: 200.0,
    shift: (-2.37, 4.61),
    sigma_px: SIGMA_PX,
};
const LUMINANCE: Filter = Filter {
    name: "Lum",
    of: |t| 0.8 * t[0] + t[1] + 0.6 * t[2],
    nebula_adu: 130.0,
    sky_adu: 900.0,
    shift: (0.4, 0.7),
    sigma_px: SIGMA_PX,
};

fn check_stars(made: &Composed, stars: &[Put], at: (f64, f64), parts: [f64; 3]) -> f64 {
    let (frames, _) = read_frames(&made.path).unwrap();
    let scales: Vec<f64> =
        made.channels.iter().take(3).map(|c| c.balance.map_or(1.0, |b| b.scale)).collect();
    let stars = alone(stars);
    assert!(stars.len() > 15, "{}", stars.len());
    let mut squares = 0.0;
    for star in &stars {
        let f = [0, 1, 2].map(|c: usize| flux(&frames[c].data, (star.x - at.0, star.y - at.1)));
        for c in [0, 2] {
            // Injected colour, times what the filter lets through, times the balance.
            let injected = star.tint[c] * parts[c] * scales[c] / scales[1];
            let off = f[c] / f[1] / injected - 1.0;
            assert!(off.abs() < 0.03, "channel {c} of the star at {}, {}: {off}", star.x, star.y);
            squares += off * off / 2.0 / stars.len() as f64;
        }
    }
    squares.sqrt()
}

/// Each star keeps its colour, to 1 % rms, with and without luminance; the sky is grey; ERR is the
/// scatter.
#[test]
fn stars_keep_their_colours_and_the_sky_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let stars = sky(5);
    let all = [&RED, &GREEN, &BLUE, &LUMINANCE];
    let paths: Vec<PathBuf> = all
        .iter()
        .enumerate()
        .map(|(i, f)| write(dir.path(), &stars, f, 40 + i as u64, true))
        .collect();
    for (count, palette, at) in [(3, "RGB", (0.0, 0.0)), (4, "LRGB", (0.4, 0.7))] {
        let output = dir.path().join(format!("{palette}.fits"));
        let made = composed(&paths[..count], &output, |_| ()).unwrap();
        assert_eq!(made.palette, palette);
        assert!(made.findings.is_empty(), "{:?}", made.findings);
        let rms = check_stars(&made, &stars, at, [0.8, 1.0, 0.6]);
        eprintln!("{palette}: colours of stars {:.3} % rms", 100.0 * rms);
        assert!(rms < 0.01, "{palette}: {rms}");
        let (frames, header) = read_frames(&output).unwrap();
        assert_eq!(header.get_text("FILTER").as_deref(), Some(palette));
        assert_eq!(header.get_f64("EXPTIME"), Some(600.0 * count as f64));
        for frame in &frames {
            let corner = frame.data.crop(CORNER);
            let sky = f64::from(stat::median(corner.as_slice()));
            assert!((sky - made.background_adu).abs() < 1.0, "{sky} {}", made.background_adu);
            let samples: Vec<f64> = corner.as_slice().iter().map(|v| f64::from(*v)).collect();
            let (_, scatter) = stat::median_scatter(&samples);
            let said = frame.variance.as_ref().unwrap().crop(CORNER);
            let said = f64::from(stat::median(said.as_slice())).sqrt();
            assert!((scatter / said - 1.0).abs() < 0.12, "{palette}: {scatter} {said}");
        }
        let again = composed(&paths[..count], &output, |_| ()).unwrap();
        assert!(again.reused);
        assert!(made.preview.unwrap().exists());
    }
}

/// Narrow bands by palette and by sums; what cannot be meant is refused with a way out.
#[test]
fn colours_that_unlike_seeing_makes_under_a_luminance_are_told() {
    let stars = sky(5);
    for (wider, told) in [(1.0, false), (1.1, false), (1.5, true)] {
        for luminance in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let blue = Filter { sigma_px: wider * SIGMA_PX, ..BLUE };
            let mut filters = vec![&RED, &GREEN, &blue];
            filters.extend(luminance.then_some(&LUMINANCE));
            let paths: Vec<PathBuf> = (11..)
                .zip(filters)
                .map(|(seed, filter)| write(dir.path(), &stars, filter, seed, true))
                .collect();
            let made = composed(&paths, &dir.path().join("colour.fits"), |_| {}).unwrap();
            let found = made.findings.iter().find(|f| f.code == "compose-unlike-seeing");
            println!("{wider} {luminance}: {:?}", found.map(|f| &f.message));
            assert_eq!(found.is_some(), told && luminance, "{wider}");
        }
    }
}

#[test]
fn lines_become_colours_by_palette_and_by_sums() {
    let dir = tempfile::tempdir().unwrap();
    let stars = sky(6);
    let ha = Filter { name: "Ha", nebula_adu: 200.0, ..RED };
    let oiii = Filter { name: "OIII", nebula_adu: 90.0, ..BLUE };
    let paths =
        [write(dir.path(), &stars, &ha, 50, true), write(dir.path(), &stars, &oiii, 51, true)];
    let made = composed(&paths, &dir.path().join("hoo.fits"), |_| ()).unwrap();
    assert_eq!(made.palette, "HOO");
    let (frames, _) = read_frames(&made.path).unwrap();
    assert_eq!(frames[1].data, frames[2].data);
    let f = |text: &str| text.parse::<Formula>().unwrap();
    let sums = [f("H-alpha"), f("0.3*Ha + 0.7*OIII"), f("o3")];
    let made = composed(&paths, &dir.path().join("sums.fits"), |r| {
        r.formulas = Some(sums.clone());
        r.balance = false;
    })
    .unwrap();
    let (frames, _) = read_frames(&made.path).unwrap();
    let level = made.background_adu;
    let mut worst: f32 = 0.0;
    for i in (0..SIZE.pixels()).step_by(97) {
        if frames.iter().any(|f| f.mask.as_slice()[i].is_hole()) {
            continue;
        }
        let v = [0, 1, 2].map(|c: usize| frames[c].data.as_slice()[i] - level as f32);
        worst = worst.max((0.3 * v[0] + 0.7 * v[2] - v[1]).abs());
    }
    assert!(worst < 0.01, "{worst}");
    let refused = |how: &dyn Fn(&mut ComposeRequest<'_>)| {
        composed(&paths, &dir.path().join("no.fits"), how).unwrap_err().to_string()
    };
    let why = refused(&|r| r.palette = Some(Palette::Sho));
    assert!(why.contains("SHO needs a picture of SII; there are Ha, OIII"), "{why}");
    let why = refused(&|r| r.formulas = Some([f("Ha"), f("SII"), f("OIII")]));
    assert!(why.contains("no picture is called SII"), "{why}");
    assert!(!dir.path().join("no.fits").exists());
}

/// Without filters in the headers the order counts, and that is told.
#[test]
fn nameless_pictures_go_by_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let stars = sky(7);
    let paths = [
        write(dir.path(), &stars, &RED, 60, false),
        write(dir.path(), &stars, &GREEN, 61, false),
        write(dir.path(), &stars, &BLUE, 62, false),
    ];
    let made = composed(&paths, &dir.path().join("rgb.fits"), |_| ()).unwrap();
    assert_eq!(made.palette, "RGB");
    assert!(made.findings.iter().any(|f| f.code == "compose-by-order"), "{:?}", made.findings);
}
