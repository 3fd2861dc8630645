//! Against astropy.wcs 8.0.2; `oracle/wcs.py` prints the table.

use super::*;
use crate::header::Card;

struct Case {
    name: &'static str,
    ctype: [&'static str; 2],
    cards: &'static [(&'static str, f64)],
    /// Right ascension and declination in degrees of [`PIXELS`].
    sky: [(f64, f64); 3],
}

const PIXELS: [(f64, f64); 3] = [(0.0, 0.0), (1500.25, 100.5), (321.0, 1250.75)];

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "tan with CD, mirrored",
        ctype: ["RA---TAN", "DEC--TAN"],
        cards: &[
            ("CRPIX1", 1024.5), ("CRPIX2", 768.25), ("CRVAL1", 10.68458), ("CRVAL2", 41.26917),
            ("CD1_1", -0.00031), ("CD1_2", 1.2e-05), ("CD2_1", 1.4e-05), ("CD2_2", 0.00032),
        ],
        sky: [
            (11.092833997331569, 41.00860258040307),
            (10.477957820736204, 41.06230087082481),
            (10.98269936435282, 41.41366993279974),
        ],
    },
    Case {
        name: "tan with PC and CDELT, beside the pole",
        ctype: ["RA---TAN", "DEC--TAN"],
        cards: &[
            ("CRPIX1", 500.0), ("CRPIX2", 400.0), ("CRVAL1", 359.5), ("CRVAL2", 89.2),
            ("CDELT1", -0.0006), ("CDELT2", 0.0006), ("PC1_1", 0.8), ("PC1_2", -0.6),
            ("PC2_1", 0.6), ("PC2_2", 0.8), ("LONPOLE", 180.0),
        ],
        sky: [
            (4.1804750005800315, 88.82492771444221),
            (314.24384219597624, 89.17207161743909),
            (40.235808294175, 89.3992067471759),
        ],
    },
    Case {
        name: "tan with CROTA2, uneven pixels",
        ctype: ["RA---TAN", "DEC--TAN"],
        cards: &[
            ("CRPIX1", 300.0), ("CRPIX2", 200.0), ("CRVAL1", 201.25), ("CRVAL2", -43.5),
            ("CDELT1", -0.002), ("CDELT2", 0.0015), ("CROTA2", 33.0),
        ],
        sky: [
            (202.1643081286787, -43.42100687598313),
            (198.52045100069674, -44.89958971609684),
            (200.04078819131985, -42.194729037057954),
        ],
    },
    Case {
        name: "axes the other way, another LONPOLE",
        ctype: ["DEC--TAN", "RA---TAN"],
        cards: &[
            ("CRPIX1", 640.0), ("CRPIX2", 512.0), ("CRVAL1", -5.4), ("CRVAL2", 83.8),
            ("CD1_1", 0.0005), ("CD1_2", 2e-05), ("CD2_1", -1e-05), ("CD2_2", 0.00051),
            ("LONPOLE", 150.0),
        ],
        sky: [
            (83.74441467453104, -5.812646044638579),
            (83.39842084376484, -5.14303770003486),
            (84.20332407749723, -5.334527562662834),
        ],
    },
    Case {
        name: "SIP of third order",
        ctype: ["RA---TAN-SIP", "DEC--TAN-SIP"],
        cards: &[
            ("CRPIX1", 1024.0), ("CRPIX2", 1024.0), ("CRVAL1", 120.0), ("CRVAL2", -60.0),
            ("CD1_1", -0.0008), ("CD1_2", 1e-05), ("CD2_1", 1e-05), ("CD2_2", 0.0008),
            ("A_ORDER", 3.0), ("A_2_0", 1.1e-06), ("A_1_1", -2.3e-06), ("A_0_2", 4e-07),
            ("A_3_0", 6e-09), ("A_1_2", 6e-09), ("B_ORDER", 3.0), ("B_2_0", 3e-07),
            ("B_1_1", 1e-06), ("B_0_2", -9e-07), ("B_2_1", 6e-09), ("B_0_3", 6e-09),
        ],
        sky: [
            (121.68011492309293, -60.8281653503426),
            (119.19231143973762, -60.736398971351456),
            (121.12383591700893, -59.81949579454489),
        ],
    },
    Case {
        name: "TPV",
        ctype: ["RA---TPV", "DEC--TPV"],
        cards: &[
            ("CRPIX1", 1000.0), ("CRPIX2", 900.0), ("CRVAL1", 45.0), ("CRVAL2", 20.0),
            ("CD1_1", -0.0007), ("CD1_2", 0.0), ("CD2_1", 0.0), ("CD2_2", 0.0007),
            ("PV1_0", 0.0001), ("PV1_1", 1.0003), ("PV1_2", -0.0002), ("PV1_4", 0.0001),
            ("PV1_7", -0.008), ("PV1_9", -0.008), ("PV1_11", 0.0001), ("PV2_1", 0.9998),
            ("PV2_2", 0.0003), ("PV2_5", 0.0002), ("PV2_7", -0.008), ("PV2_9", -0.008),
        ],
        sky: [
            (45.73655156714738, 19.373946348173845),
            (44.62938115265495, 19.44268459776126),
            (45.504924768562624, 20.245054552477814),
        ],
    },
];

fn header(case: &Case) -> Header {
    let mut header = Header::new();
    header.push(Card::string("CTYPE1", case.ctype[0], ""));
    header.push(Card::string("CTYPE2", case.ctype[1], ""));
    case.cards.iter().for_each(|(key, v)| header.push(Card::real(key, *v, "")));
    header
}

#[test]
fn pixels_lie_where_astropy_says_and_are_found_again() {
    for case in CASES {
        let wcs = Wcs::read(&header(case)).unwrap();
        for ((x, y), (ra_deg, dec_deg)) in PIXELS.into_iter().zip(case.sky) {
            let at = Point::new(x, y);
            let seen = wcs.to_sky(at);
            let known = Direction::new(ra_deg, dec_deg);
            assert!(seen.separation_deg(known) < 1e-11, "{}: {seen:?}", case.name);
            assert!((seen.ra_deg() - ra_deg).abs() < 1e-9 / known.dec_deg().to_radians().cos());
            let back = wcs.to_pixel(known).unwrap();
            assert!(back.distance(at) < 1e-6, "{}: {back:?}", case.name);
        }
        let opposite = [0, 1, 2].map(|i| -wcs.plane[2][i]);
        assert_eq!(wcs.to_pixel(Direction(opposite)), None);
    }
}

#[test]
fn what_is_not_understood_is_named() {
    let changed = |key: &str, text: &str| {
        let mut header = header(&CASES[4]);
        header.set(Card::string(key, text, ""));
        Wcs::read(&header).unwrap_err().to_string()
    };
    assert!(changed("CTYPE1", "RA---ZPN").contains("RA---ZPN"));
    assert!(changed("CTYPE1", "GLON-TAN").contains("not RA and DEC"));
    assert!(changed("CUNIT2", "arcsec").contains("CUNIT2"));
    assert!(changed("CRVAL1", "north").contains("CRVAL1"));
    assert!(changed("A_ORDER", "2000000000").contains("orders up to 9"));
    let mut bent = header(&CASES[0]);
    bent.push(Card::real("PV2_1", 1.0, ""));
    assert!(Wcs::read(&bent).unwrap_err().to_string().contains("TPV"));
    assert_eq!(Wcs::read(&Header::new()), Err(NoWcs::Missing));
    let mut flat = header(&CASES[0]);
    ["CD1_1", "CD1_2"].into_iter().for_each(|key| flat.set(Card::real(key, 0.0, "")));
    assert!(Wcs::read(&flat).unwrap_err().to_string().contains("is singular"));
}

#[test]
fn distortion_beyond_measure_has_no_way_back() {
    let mut wild = header(&CASES[4]);
    wild.set(Card::real("A_2_0", 1e300, ""));
    wild.set(Card::real("B_3_0", -1e300, ""));
    let wcs = Wcs::read(&wild).unwrap();
    assert_eq!(wcs.to_pixel(Direction::new(121.0, -60.5)), None);
    assert!(!wcs.to_sky(Point::new(1e30, 1e30)).ra_deg().is_finite());
}
