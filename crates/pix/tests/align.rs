//! Registration of random pairs of star lists whose transform is known.

use photosite_pix::align::{Model, Point, Registration, Rules, Transform, register};

/// Random numbers from 0 to 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn gaussian(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

const WIDTH: f64 = 4000.0;
const HEIGHT: f64 = 3000.0;

fn inside(p: Point) -> bool {
    (0.0..WIDTH).contains(&p.x) && (0.0..HEIGHT).contains(&p.y)
}

/// Two lists, the truth between them, and how many stars they share.
struct Pair {
    reference: Vec<Point>,
    frame: Vec<Point>,
    truth: Transform,
    common: usize,
}

/// Shift up to 40 %, any rotation, scale 0.5 to 2, 60 % of the stars common, 30 % of the frame's
/// spurious, centres good to 0.1 px and brightness to 20 %.
fn pair(random: &mut Random, stars: usize, mirrored: bool) -> Pair {
    let scale = 2.0f64.powf(random.between(-1.0, 1.0));
    let angle = random.between(0.0, std::f64::consts::TAU);
    let (shift_x, shift_y) =
        (random.between(-0.4, 0.4) * WIDTH, random.between(-0.4, 0.4) * HEIGHT);
    let (c, s) = (scale * angle.cos(), scale * angle.sin());
    let sign = if mirrored { -1.0 } else { 1.0 };
    // About the middle of the frame.
    let at = |a: f64, b: f64, shift: f64, to: f64| to + shift - a * 0.5 * WIDTH - b * 0.5 * HEIGHT;
    let truth = Transform::affine(
        c,
        -sign * s,
        at(c, -sign * s, shift_x, 0.5 * WIDTH),
        s,
        sign * c,
        at(s, sign * c, shift_y, 0.5 * HEIGHT),
    );
    // A frame of finer scale sees fewer of the stars, one of coarser scale sees beyond the edges.
    let sky = 1.5 / scale.min(1.0);
    let (mut reference, mut frame) = (Vec::new(), Vec::new());
    let mut common = 0;
    for _ in 0..(stars as f64 * sky * sky) as usize {
        let p = Point::new(
            0.5 * WIDTH + random.between(-0.5, 0.5) * WIDTH * sky,
            0.5 * HEIGHT + random.between(-0.5, 0.5) * HEIGHT * sky,
        );
        let flux = (1.0 - random.next() * 0.999).powf(-1.0);
        let noisy = |random: &mut Random, p: Point| {
            Point::new(p.x + 0.1 * random.gaussian(), p.y + 0.1 * random.gaussian())
        };
        let seen = inside(p);
        if seen {
            let f = flux * (1.0 + 0.2 * random.gaussian());
            reference.push((f, noisy(random, p)));
        }
        let q = truth.apply(p);
        if inside(q) && random.next() < 0.6 {
            let f = flux * (1.0 + 0.2 * random.gaussian());
            frame.push((f, noisy(random, q)));
            common += usize::from(seen);
        }
    }
    for _ in 0..(frame.len() as f64 * 0.3 / 0.7) as usize {
        let p = Point::new(random.between(0.0, WIDTH), random.between(0.0, HEIGHT));
        frame.push(((1.0 - random.next() * 0.999).powf(-1.0), p));
    }
    let sorted = |mut list: Vec<(f64, Point)>| {
        list.sort_by(|a, b| b.0.total_cmp(&a.0));
        list.into_iter().map(|(_, p)| p).collect()
    };
    Pair { reference: sorted(reference), frame: sorted(frame), truth, common }
}

/// The furthest that a registration is off at the stars that both lists see.
fn error_px(pair: &Pair, found: &Registration) -> f64 {
    let seen = pair.reference.iter().filter(|p| inside(pair.truth.apply(**p)));
    seen.map(|p| found.transform.apply(*p).distance(pair.truth.apply(*p))).fold(0.0, f64::max)
}

#[test]
fn a_hundred_random_pairs() {
    random_pairs(100);
}

/// The full form: `cargo test --release -p photosite-pix --test align -- --ignored`.
#[test]
#[ignore = "takes 20 s; a hundred pairs are always tried"]
fn five_hundred_random_pairs() {
    random_pairs(500);
}

fn random_pairs(count: usize) {
    let mut random = Random(11);
    let (mut right, mut wrong, mut made) = (0, 0, 0);
    while made < count {
        let stars = 60.0 * 20.0f64.powf(random.next());
        let mirrored = random.next() < 0.2;
        let pair = pair(&mut random, stars as usize, mirrored);
        if pair.common < 12 {
            continue;
        }
        made += 1;
        match register(&pair.reference, &pair.frame, Rules::default()) {
            Some(found) if error_px(&pair, &found) < 1.5 => right += 1,
            Some(found) => {
                wrong += 1;
                println!("wrong by {} px: {found:?}", error_px(&pair, &found));
            }
            None => println!(
                "not found: {} stars, {} of {} common",
                pair.reference.len(),
                pair.common,
                pair.frame.len()
            ),
        }
    }
    println!("{right} right, {wrong} wrong of {made}");
    assert!(right * 1000 >= made * 995, "{right} of {made}");
    assert_eq!(wrong, 0);
}

#[test]
fn fields_that_share_nothing_are_not_matched() {
    let mut random = Random(12);
    for stars in [6, 10, 30, 100, 300, 1000] {
        for _ in 0..5 {
            let mut list = || -> Vec<Point> {
                let point = |random: &mut Random| {
                    Point::new(random.between(0.0, WIDTH), random.between(0.0, HEIGHT))
                };
                (0..stars).map(|_| point(&mut random)).collect()
            };
            let found = register(&list(), &list(), Rules::default());
            assert!(found.is_none(), "{stars}: {found:?}");
        }
    }
}

#[test]
fn few_stars_are_enough_and_two_are_not() {
    let mut random = Random(13);
    let turned = Transform::affine(-1.0, 0.0, WIDTH, 0.0, -1.0, HEIGHT);
    for n in [2, 4, 5, 6, 7] {
        for _ in 0..20 {
            let points: Vec<Point> = (0..n)
                .map(|_| Point::new(random.between(0.0, WIDTH), random.between(0.0, HEIGHT)))
                .collect();
            let frame: Vec<Point> = points.iter().map(|p| turned.apply(*p)).collect();
            assert_eq!(register(&points, &frame, Rules::default()).is_some(), n > 2, "{n}");
        }
    }
}

/// Barrel distortion of 20 px in the corners, against a shift alone.
#[test]
fn the_model_follows_the_evidence() {
    let mut random = Random(14);
    let points: Vec<Point> = (0..600)
        .map(|_| Point::new(random.between(0.0, WIDTH), random.between(0.0, HEIGHT)))
        .collect();
    let mut seen = |map: &dyn Fn(Point) -> Point| -> Registration {
        let frame: Vec<Point> = points
            .iter()
            .map(|p| map(*p))
            .map(|p| Point::new(p.x + 0.05 * random.gaussian(), p.y + 0.05 * random.gaussian()))
            .collect();
        register(&points, &frame, Rules::default()).unwrap()
    };
    let shifted = seen(&|p| Point::new(p.x + 31.4, p.y - 9.2));
    assert_eq!(shifted.transform.model, Model::Similarity);
    assert!(shifted.residual_px < 0.09);
    let bent = seen(&|p| {
        let (dx, dy) = (p.x - 0.5 * WIDTH, p.y - 0.5 * HEIGHT);
        let share = (dx * dx + dy * dy) / (0.25 * (WIDTH * WIDTH + HEIGHT * HEIGHT));
        Point::new(p.x + 0.008 * share * dx + 12.0, p.y + 0.008 * share * dy)
    });
    assert_eq!(bent.transform.model, Model::Cubic);
    assert!(bent.matched > 590 && bent.residual_px < 0.09, "{bent:?}");
}

/// Of many fields that are moved and turned and nothing else, none is bent.
#[test]
fn richer_models_are_not_chosen_without_need() {
    let mut random = Random(15);
    let mut chosen = [0; Model::ALL.len()];
    for stars in [15, 30, 60, 120, 300] {
        for _ in 0..100 {
            let points: Vec<Point> = (0..stars)
                .map(|_| Point::new(random.between(0.0, WIDTH), random.between(0.0, HEIGHT)))
                .collect();
            let (s, c) = random.between(-3.0, 3.0).sin_cos();
            let frame: Vec<Point> = points
                .iter()
                .map(|p| {
                    // Faint stars, the last ones, are measured worse.
                    let error = 0.02 + 0.3 * random.next().powi(2);
                    let (x, y) = (c * p.x - s * p.y + 9.0, s * p.x + c * p.y);
                    Point::new(x + error * random.gaussian(), y + error * random.gaussian())
                })
                .collect();
            if let Some(found) = register(&points, &frame, Rules::default()) {
                chosen[found.transform.model as usize] += 1;
            }
        }
    }
    println!("{chosen:?}");
    assert!(chosen[0] > 480, "{chosen:?}");
    assert_eq!(chosen[1..], [0; Model::ALL.len() - 1], "{chosen:?}");
}
