//! Where in the sky the pixels of an image lie, as its header says.
//!
//! The gnomonic projection that every plate solver writes (TAN), its matrix in any of the three
//! spellings, and the two distortions in use: polynomials of pixels (SIP) and of degrees (TPV).
//!
//! # Source
//! Calabretta2002, sections 2, 5.1.3 and 6.1; Greisen2002, sections 2 and 6; Shupe2005 for SIP; the
//! registered convention TPV.

use crate::align::Point;
use crate::header::Header;

/// A direction in the sky: a unit vector, x to right ascension 0, z to the pole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Direction([f64; 3]);

impl Direction {
    /// From right ascension and declination in degrees.
    pub fn new(ra_deg: f64, dec_deg: f64) -> Self {
        let ((sa, ca), (sd, cd)) = (ra_deg.to_radians().sin_cos(), dec_deg.to_radians().sin_cos());
        Self([cd * ca, cd * sa, sd])
    }

    /// Right ascension in degrees, from 0 to 360.
    pub fn ra_deg(self) -> f64 {
        self.0[1].atan2(self.0[0]).to_degrees().rem_euclid(360.0)
    }

    /// Declination in degrees.
    pub fn dec_deg(self) -> f64 {
        self.0[2].atan2(self.0[0].hypot(self.0[1])).to_degrees()
    }

    /// The angle to another direction in degrees.
    pub fn separation_deg(self, other: Self) -> f64 {
        let apart = [0, 1, 2].map(|i| self.0[i] - other.0[i]);
        2.0 * (0.5 * dot(apart, apart).sqrt()).min(1.0).asin().to_degrees()
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Why a header does not say where its image lies.
#[derive(Debug, Clone, PartialEq)]
pub enum NoWcs {
    /// It has no world coordinates.
    Missing,
    /// It has some that are not understood: what was found.
    NotUnderstood(String),
}

impl std::fmt::Display for NoWcs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("its header has no world coordinates (CTYPE1, CTYPE2)"),
            Self::NotUnderstood(what) => {
                write!(f, "its world coordinates are not understood: {what}")
            }
        }
    }
}

impl std::error::Error for NoWcs {}

/// World coordinates of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Wcs {
    /// The reference pixel, 0-based.
    origin: Point,
    /// Pixels from the origin to degrees in the tangent plane: rows for longitude and latitude.
    matrix: [[f64; 2]; 2],
    inverse: [[f64; 2]; 2],
    distortion: Distortion,
    /// Where longitude and latitude of the tangent plane grow, and where it touches the sphere.
    plane: [[f64; 3]; 3],
    /// The equinox of its equator in years.
    pub equinox: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Distortion {
    None,
    /// What is added to x and y from the origin, in pixels.
    Sip([Polynomial; 2]),
    /// Longitude and latitude in the plane, in degrees.
    Tpv([Vec<f64>; 2]),
}

/// Terms c uᵖ vᑫ.
#[derive(Debug, Clone, PartialEq)]
struct Polynomial(Vec<(i32, i32, f64)>);

impl Polynomial {
    fn at(&self, [u, v]: [f64; 2]) -> f64 {
        self.0.iter().map(|(p, q, c)| c * u.powi(*p) * v.powi(*q)).sum()
    }
}

/// The highest order of SIP, by its convention.
const SIP_ORDER: i64 = 9;

/// Terms of TPV, by their numbers, as powers of its own axis, the other axis, and the radius.
const TPV_TERMS: [(i32, i32, i32); 40] = [
    (0, 0, 0),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (2, 0, 0),
    (1, 1, 0),
    (0, 2, 0),
    (3, 0, 0),
    (2, 1, 0),
    (1, 2, 0),
    (0, 3, 0),
    (0, 0, 3),
    (4, 0, 0),
    (3, 1, 0),
    (2, 2, 0),
    (1, 3, 0),
    (0, 4, 0),
    (5, 0, 0),
    (4, 1, 0),
    (3, 2, 0),
    (2, 3, 0),
    (1, 4, 0),
    (0, 5, 0),
    (0, 0, 5),
    (6, 0, 0),
    (5, 1, 0),
    (4, 2, 0),
    (3, 3, 0),
    (2, 4, 0),
    (1, 5, 0),
    (0, 6, 0),
    (7, 0, 0),
    (6, 1, 0),
    (5, 2, 0),
    (4, 3, 0),
    (3, 4, 0),
    (2, 5, 0),
    (1, 6, 0),
    (0, 7, 0),
    (0, 0, 7),
];

fn tpv(terms: &[f64], own: f64, other: f64) -> f64 {
    let r = own.hypot(other);
    let powers = TPV_TERMS.iter().zip(terms).filter(|(_, c)| **c != 0.0);
    powers.map(|((p, q, s), c)| c * own.powi(*p) * other.powi(*q) * r.powi(*s)).sum()
}

impl Wcs {
    /// Reads the world coordinates of a header.
    ///
    /// # Errors
    /// When there are none, or those that are there are not celestial in the projections named
    /// above.
    pub fn read(header: &Header) -> Result<Self, NoWcs> {
        let no = |what: String| Err(NoWcs::NotUnderstood(what));
        let (Some(first), Some(second)) = (header.get_text("CTYPE1"), header.get_text("CTYPE2"))
        else {
            return Err(NoWcs::Missing);
        };
        // Which axis is longitude.
        let lon = match (&first.get(..4), &second.get(..4)) {
            (Some("RA--"), Some("DEC-")) => 0,
            (Some("DEC-"), Some("RA--")) => 1,
            _ => return no(format!("CTYPE1 is {first:?}, CTYPE2 {second:?}, not RA and DEC")),
        };
        let code = |ctype: &str| {
            ctype.trim_start_matches(char::is_alphabetic).trim_matches('-').to_owned()
        };
        let kind = code(&first);
        if kind != code(&second) || !["TAN", "TAN-SIP", "TPV"].contains(&kind.as_str()) {
            return no(format!(
                "CTYPE1 is {first:?}, CTYPE2 {second:?}; only TAN, TAN-SIP and TPV are read"
            ));
        }
        let number = |key: &str| header.get_f64(key).filter(|v| v.is_finite());
        for key in ["CUNIT1", "CUNIT2"] {
            if let Some(unit) = header.get_text(key).filter(|u| !u.is_empty() && u != "deg") {
                return no(format!("{key} is {unit:?}; degrees (deg) are expected"));
            }
        }
        let need = |key: &str| {
            number(key)
                .ok_or_else(|| NoWcs::NotUnderstood(format!("{key} is missing or not a number")))
        };
        let origin = Point::new(need("CRPIX1")? - 1.0, need("CRPIX2")? - 1.0);
        let value = [need("CRVAL1")?, need("CRVAL2")?];
        let mut matrix = matrix(header)?;
        if lon == 1 {
            matrix.swap(0, 1);
        }
        let Some(inverse) = inverted(matrix) else {
            return no("its pixel matrix (CD, PC, CDELT) is singular".to_owned());
        };
        let (ra_deg, dec_deg) = (value[lon], value[1 - lon]);
        // The native longitude of the celestial pole, which lies elsewhere for a pole on the pole.
        let pole_deg = number("LONPOLE").unwrap_or(if dec_deg >= 90.0 { 0.0 } else { 180.0 });
        let equinox = number("EQUINOX").unwrap_or_else(|| {
            let old = header.get_text("RADESYS").is_some_and(|s| s.starts_with("FK4"));
            if old { 1950.0 } else { 2000.0 }
        });
        let distortion = distortion(header, &kind, lon)?;
        let plane = tangent_plane(ra_deg, dec_deg, pole_deg);
        Ok(Self { origin, matrix, inverse, distortion, plane, equinox })
    }

    /// The direction that a pixel sees; not finite where the distortion is not.
    pub fn to_sky(&self, at: Point) -> Direction {
        let mut pixels = [at.x - self.origin.x, at.y - self.origin.y];
        if let Distortion::Sip(polynomials) = &self.distortion {
            pixels = bend(polynomials, pixels);
        }
        let mut degrees = times(self.matrix, pixels);
        if let Distortion::Tpv(terms) = &self.distortion {
            degrees = bend_plane(terms, degrees);
        }
        let [x, y] = degrees.map(f64::to_radians);
        let [along, up, out] = self.plane;
        let v = [0, 1, 2].map(|i| x * along[i] + y * up[i] + out[i]);
        let length = dot(v, v).sqrt();
        Direction(v.map(|c| c / length))
    }

    /// The pixel that sees a direction; `None` for one in the other half of the sky, or where the
    /// distortion cannot be turned back.
    pub fn to_pixel(&self, direction: Direction) -> Option<Point> {
        let [along, up, out] = self.plane.map(|axis| dot(axis, direction.0));
        if out.is_nan() || out <= 0.0 {
            return None;
        }
        let mut degrees = [along / out, up / out].map(f64::to_degrees);
        if let Distortion::Tpv(terms) = &self.distortion {
            degrees = solve(|at| bend_plane(terms, at), degrees, 1e-12)?;
        }
        let mut pixels = times(self.inverse, degrees);
        if let Distortion::Sip(polynomials) = &self.distortion {
            pixels = solve(|at| bend(polynomials, at), pixels, 1e-9)?;
        }
        let at = Point::new(pixels[0] + self.origin.x, pixels[1] + self.origin.y);
        (at.x.is_finite() && at.y.is_finite()).then_some(at)
    }
}

/// Degrees along both axes for a pixel along x and y.
fn matrix(header: &Header) -> Result<[[f64; 2]; 2], NoWcs> {
    let number = |key: &str| header.get_f64(key).filter(|v| v.is_finite());
    let four = |stem: &str| {
        [["1_1", "1_2"], ["2_1", "2_2"]].map(|row| row.map(|k| number(&format!("{stem}{k}"))))
    };
    // What is not said of CD is 0, of PC that of a unit matrix.
    let cd = four("CD");
    if cd.as_flattened().iter().any(Option::is_some) {
        return Ok(cd.map(|row| row.map(|v| v.unwrap_or(0.0))));
    }
    let (Some(dx), Some(dy)) = (number("CDELT1"), number("CDELT2")) else {
        let what = "neither CD1_1 nor CDELT1 and CDELT2 give the pixel scale";
        return Err(NoWcs::NotUnderstood(what.to_owned()));
    };
    let pc = four("PC");
    if pc.as_flattened().iter().any(Option::is_some) {
        let or = |row: usize, column: usize| {
            pc[row][column].unwrap_or(if row == column { 1.0 } else { 0.0 })
        };
        return Ok([[dx * or(0, 0), dx * or(0, 1)], [dy * or(1, 0), dy * or(1, 1)]]);
    }
    let (sin, cos) = number("CROTA2").unwrap_or(0.0).to_radians().sin_cos();
    Ok([[dx * cos, -dy * sin], [dx * sin, dy * cos]])
}

fn distortion(header: &Header, kind: &str, lon: usize) -> Result<Distortion, NoWcs> {
    let no = |what: String| Err(NoWcs::NotUnderstood(what));
    let number = |key: &str| header.get_f64(key).filter(|v| v.is_finite());
    let of_degrees = |axis: usize| -> Vec<Option<f64>> {
        (0..TPV_TERMS.len()).map(|m| number(&format!("PV{}_{m}", axis + 1))).collect()
    };
    if kind == "TPV" {
        let terms = [lon, 1 - lon].map(|axis| {
            let given = of_degrees(axis).into_iter().enumerate();
            // What is not said is that of no distortion.
            given.map(|(m, v)| v.unwrap_or(if m == 1 { 1.0 } else { 0.0 })).collect()
        });
        return Ok(Distortion::Tpv(terms));
    }
    let said = |v: Option<f64>| v.is_some_and(|v| v != 0.0);
    if [0, 1].into_iter().any(|axis| of_degrees(axis).into_iter().any(said)) {
        return no(format!("PV1_m or PV2_m are present with {kind}; they belong to TPV"));
    }
    let order = |key: &str| header.get_i64(key);
    // Some solvers write the terms without saying so in CTYPE.
    let polynomials = match (order("A_ORDER"), order("B_ORDER")) {
        (None, None) if kind == "TAN" => return Ok(Distortion::None),
        (Some(a), Some(b)) => [("A", a), ("B", b)],
        _ => return no("its distortion lacks A_ORDER or B_ORDER".to_owned()),
    };
    if let Some((stem, order)) = polynomials.iter().find(|(_, n)| !(0..=SIP_ORDER).contains(n)) {
        return no(format!("{stem}_ORDER is {order}; orders up to {SIP_ORDER} are read"));
    }
    Ok(Distortion::Sip(polynomials.map(|(stem, order)| {
        let terms = (0..=order as i32).flat_map(|p| (0..=order as i32 - p).map(move |q| (p, q)));
        let given =
            |(p, q)| Some((p, q, number(&format!("{stem}_{p}_{q}")).filter(|c| *c != 0.0)?));
        Polynomial(terms.filter_map(given).collect())
    })))
}

/// Where longitude and latitude grow at the point of touch, and that point.
fn tangent_plane(ra_deg: f64, dec_deg: f64, pole_deg: f64) -> [[f64; 3]; 3] {
    let (sa, ca) = ra_deg.to_radians().sin_cos();
    let (sd, cd) = dec_deg.to_radians().sin_cos();
    let (east, north) = ([-sa, ca, 0.0], [-sd * ca, -sd * sa, cd]);
    // With the celestial pole at native longitude 180 the plane's axes are east and north.
    let (sin, cos) = (pole_deg - 180.0).to_radians().sin_cos();
    let along = [0, 1, 2].map(|i| cos * east[i] - sin * north[i]);
    let up = [0, 1, 2].map(|i| sin * east[i] + cos * north[i]);
    [along, up, [cd * ca, cd * sa, sd]]
}

fn bend(polynomials: &[Polynomial; 2], at: [f64; 2]) -> [f64; 2] {
    [at[0] + polynomials[0].at(at), at[1] + polynomials[1].at(at)]
}

fn bend_plane(terms: &[Vec<f64>; 2], [x, y]: [f64; 2]) -> [f64; 2] {
    [tpv(&terms[0], x, y), tpv(&terms[1], y, x)]
}

fn times([[a, b], [c, d]]: [[f64; 2]; 2], [x, y]: [f64; 2]) -> [f64; 2] {
    [a * x + b * y, c * x + d * y]
}

fn inverted([[a, b], [c, d]]: [[f64; 2]; 2]) -> Option<[[f64; 2]; 2]> {
    let determinant = a * d - b * c;
    let out = [[d, -b], [-c, a]].map(|row| row.map(|v| v / determinant));
    out.as_flattened().iter().all(|v| v.is_finite()).then_some(out)
}

/// Where `map`, which moves its positions little, takes a position to `to`, to within `near`.
fn solve(map: impl Fn([f64; 2]) -> [f64; 2], to: [f64; 2], near: f64) -> Option<[f64; 2]> {
    let mut at = to;
    let mut last = f64::INFINITY;
    for _ in 0..50 {
        let here = map(at);
        let off = [to[0] - here[0], to[1] - here[1]];
        let away = off[0].hypot(off[1]);
        // Nearer it does not come than the arithmetic lets it.
        if away == 0.0 || (away <= near && away >= last) {
            return Some(at);
        }
        last = away;
        let step = 1e-4 * (at[0].hypot(at[1])).max(1e-4);
        let slope = |dx: f64, dy: f64| {
            let (ahead, behind) = (map([at[0] + dx, at[1] + dy]), map([at[0] - dx, at[1] - dy]));
            [0, 1].map(|i| (ahead[i] - behind[i]) / (2.0 * step))
        };
        let (x, y) = (slope(step, 0.0), slope(0.0, step));
        let [dx, dy] = times(inverted([[x[0], y[0]], [x[1], y[1]]])?, off);
        at = [at[0] + dx, at[1] + dy];
    }
    (last <= near).then_some(at)
}

#[cfg(test)]
mod tests;
