//! Maps from the pixels of one frame to those of another.

use serde::{Deserialize, Serialize};

use super::Point;

/// What a transform can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Shift, rotation, scale; and a mirror where one is needed.
    Similarity,
    /// Any map that keeps parallels.
    Affine,
    /// Any map that keeps straight lines.
    Homography,
    /// A polynomial of third degree: distortion of the optics.
    Cubic,
    /// A polynomial of fifth degree: distortion of camera lenses, far beside each other.
    Quintic,
}

impl Model {
    /// Every model, the simplest first.
    pub const ALL: [Self; 5] =
        [Self::Similarity, Self::Affine, Self::Homography, Self::Cubic, Self::Quintic];

    /// Free numbers.
    pub fn parameters(self) -> usize {
        match self {
            Self::Similarity => 4,
            Self::Affine => 6,
            Self::Homography => 8,
            Self::Cubic => 2 * CUBIC_TERMS,
            Self::Quintic => 2 * TERMS,
        }
    }
}

/// Terms of a polynomial of third degree in two variables.
pub(super) const CUBIC_TERMS: usize = 10;

/// Terms of one of fifth degree.
pub(super) const TERMS: usize = 21;

/// 1, u, v, u², uv, v², u³, u²v, uv², v³, and so on.
pub(super) fn terms(u: f64, v: f64) -> [f64; TERMS] {
    let mut out = [1.0; TERMS];
    let mut first = 1;
    for degree in 1..=5 {
        // Each of the degree before times u, then the last of them times v.
        for i in 0..degree {
            out[first + i] = out[first - degree + i] * u;
        }
        out[first + degree] = out[first - 1] * v;
        first += degree + 1;
    }
    out
}

/// Terms of a polynomial, in accounts: those of third degree, or all where there are more.
mod written {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{CUBIC_TERMS, TERMS};

    pub fn serialize<S: Serializer>(all: &[f64; TERMS], to: S) -> Result<S::Ok, S::Error> {
        let (usual, rest) = all.split_at(CUBIC_TERMS);
        if rest.iter().all(|c| *c == 0.0) { usual.serialize(to) } else { all[..].serialize(to) }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[f64; TERMS], D::Error> {
        let given = Vec::<f64>::deserialize(from)?;
        let mut all = [0.0; TERMS];
        all.iter_mut().zip(given).for_each(|(c, v)| *c = v);
        Ok(all)
    }
}

/// A map from positions of one frame to positions of another.
///
/// With u = (x − x₀) / s and v = (y − y₀) / s, both coordinates are polynomials of u and v, over
/// 1 + p u + q v for a homography. Coefficients stand in the order 1, u, v, u², uv, v², u³, u²v, uv²,
/// v³, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transform {
    /// What it can do.
    pub model: Model,
    /// x₀ and y₀, in pixels of the first frame.
    pub(super) centre: Point,
    /// s, in pixels of the first frame.
    pub(super) scale: f64,
    /// Coefficients of the column, in pixels of the second frame: 10, or 21 for the fifth degree.
    #[serde(with = "written")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<f64>"))]
    pub(super) x: [f64; TERMS],
    /// Coefficients of the row.
    #[serde(with = "written")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<f64>"))]
    pub(super) y: [f64; TERMS],
    /// p and q; 0 but for a homography.
    pub(super) perspective: [f64; 2],
}

impl Transform {
    /// Leaves every position where it is.
    pub const IDENTITY: Self = {
        let (mut x, mut y) = ([0.0; TERMS], [0.0; TERMS]);
        x[1] = 1.0;
        y[2] = 1.0;
        Self {
            model: Model::Similarity,
            centre: Point::new(0.0, 0.0),
            scale: 1.0,
            x,
            y,
            perspective: [0.0; 2],
        }
    };

    /// x' = a x + b y + c, y' = d x + e y + f.
    pub fn affine(a: f64, b: f64, c: f64, d: f64, e: f64, f: f64) -> Self {
        let mut out = Self { model: Model::Affine, ..Self::IDENTITY };
        out.x[..3].copy_from_slice(&[c, a, b]);
        out.y[..3].copy_from_slice(&[f, d, e]);
        out
    }

    /// The same map from a grid with `times` as many pixels along each axis.
    pub fn from_finer_grid(&self, times: f64) -> Self {
        let finer = |c: f64| (c + 0.5) * times - 0.5;
        let centre = Point::new(finer(self.centre.x), finer(self.centre.y));
        Self { centre, scale: self.scale * times, ..*self }
    }

    /// The whole pixels by which it moves every position, where it does nothing else.
    pub fn whole_shift(&self) -> Option<(i64, i64)> {
        let straight = |c: &[f64; TERMS], own: usize| {
            (1..TERMS).all(|i| c[i] == if i == own { self.scale } else { 0.0 })
        };
        let shift = |c: f64| (c.fract() == 0.0 && c.abs() < 1e9).then_some(c as i64);
        let only = straight(&self.x, 1) && straight(&self.y, 2) && self.perspective == [0.0; 2];
        let (dx, dy) = (self.x[0] - self.centre.x, self.y[0] - self.centre.y);
        shift(dx).zip(shift(dy)).filter(|_| only)
    }

    /// Where `at` goes.
    pub fn apply(&self, at: Point) -> Point {
        let (u, v) = self.normalised(at);
        let polynomial = |c: &[f64]| -> f64 {
            let terms = terms(u, v);
            c.iter().zip(&terms).map(|(c, t)| c * t).sum()
        };
        let sum = |c: &[f64; TERMS]| match self.model {
            Model::Cubic => polynomial(&c[..CUBIC_TERMS]),
            Model::Quintic => polynomial(c),
            _ => c[0] + c[1] * u + c[2] * v,
        };
        let below = 1.0 + self.perspective[0] * u + self.perspective[1] * v;
        Point::new(sum(&self.x) / below, sum(&self.y) / below)
    }

    /// The position that goes to `to`, found by iteration; `None` where there is none near.
    pub fn invert(&self, to: Point) -> Option<Point> {
        let mut at = self.centre;
        for _ in 0..50 {
            let here = self.apply(at);
            let (dx, dy) = (to.x - here.x, to.y - here.y);
            if dx.hypot(dy) < 1e-9 {
                return Some(at);
            }
            let [[a, b], [c, d]] = self.slopes(at);
            let determinant = a * d - b * c;
            let step = Point::new((d * dx - b * dy) / determinant, (a * dy - c * dx) / determinant);
            if !(step.x.is_finite() && step.y.is_finite()) {
                return None;
            }
            at = Point::new(at.x + step.x, at.y + step.y);
        }
        (self.apply(at).distance(to) < 1e-6).then_some(at)
    }

    /// How x' and y' change with x and y at a position, by differences over a pixel.
    pub fn slopes(&self, at: Point) -> [[f64; 2]; 2] {
        let along = |dx: f64, dy: f64| {
            let ahead = self.apply(Point::new(at.x + dx, at.y + dy));
            let behind = self.apply(Point::new(at.x - dx, at.y - dy));
            (ahead.x - behind.x, ahead.y - behind.y)
        };
        let ((xx, yx), (xy, yy)) = (along(0.5, 0.0), along(0.0, 0.5));
        [[xx, xy], [yx, yy]]
    }

    /// Pixels of the other frame per pixel of this, at a position.
    pub fn magnification(&self, at: Point) -> f64 {
        let [[a, b], [c, d]] = self.slopes(at);
        (a * d - b * c).abs().sqrt()
    }

    /// The rotation at a position in degrees, counted from x to y; of a mirrored frame that of its x
    /// axis.
    pub fn rotation_deg(&self, at: Point) -> f64 {
        let [[a, _], [c, _]] = self.slopes(at);
        c.atan2(a).to_degrees()
    }

    /// Whether the other frame is mirrored.
    pub fn is_mirrored(&self, at: Point) -> bool {
        let [[a, b], [c, d]] = self.slopes(at);
        a * d - b * c < 0.0
    }

    pub(super) fn normalised(&self, at: Point) -> (f64, f64) {
        ((at.x - self.centre.x) / self.scale, (at.y - self.centre.y) / self.scale)
    }
}
