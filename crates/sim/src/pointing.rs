//! Where a light looks, and where its stars fall on the sensor.

use photosite_pix::{Card, Header};
use serde::{Deserialize, Serialize};

use crate::math::sin_cos;
use crate::{Effects, Night};

/// Where the target lies: right ascension and declination in degrees, those of Messier 31.
const TARGET_DEG: (f64, f64) = (10.6847, 41.2687);

/// Arc seconds of a pixel: 206.265 times micrometres over millimetres, in degrees.
const DEG_PER_UM_MM: f64 = 180.0 / std::f64::consts::PI / 1000.0;

/// How one light sees the star field.
///
/// Where the night's effects neither bend, turn nor flip lights, they are shifted and nothing else,
/// as if the sky were flat. Otherwise the field is a plane that touches the sphere at the target,
/// and a light the projection of the sphere on a plane that touches it where the telescope points,
/// turned, and bent about the optical axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pointing {
    /// How far the field is moved along x and y, in pixels.
    pub dither_px: (f64, f64),
    /// How far it is turned, from x to y, in degrees.
    pub rotation_deg: f64,
    wide: bool,
    /// The middle of the sensor.
    middle: (f64, f64),
    /// Where the optical axis meets the sensor.
    axis: (f64, f64),
    turn: (f64, f64),
    /// What an undistorted place is further out than its pixel, over the cube of the pixel's
    /// distance to the axis.
    bend: f64,
    deg_per_px: f64,
    /// Where the telescope points, in degrees.
    sky_deg: (f64, f64),
}

/// Directions to the east and to the north of a place in the sky, and the place.
fn plane((ra_deg, dec_deg): (f64, f64)) -> [[f64; 3]; 3] {
    let ((sa, ca), (sd, cd)) = (sin_cos(ra_deg.to_radians()), sin_cos(dec_deg.to_radians()));
    [[-sa, ca, 0.0], [-sd * ca, -sd * sa, cd], [cd * ca, cd * sa, sd]]
}

impl Pointing {
    /// A light moved by `dither_px` and turned by `rotation_deg`.
    pub(crate) fn new(night: &Night, dither_px: (f64, f64), rotation_deg: f64) -> Self {
        let Night { sensor, effects, .. } = night;
        let wide = effects.intersects(Effects::DISTORTION | Effects::ROTATION | Effects::FLIP);
        let middle =
            ((sensor.size.width as f64 - 1.0) * 0.5, (sensor.size.height as f64 - 1.0) * 0.5);
        let bent = effects.contains(Effects::DISTORTION);
        let (ax, ay) = if bent { sensor.axis_px } else { (0.0, 0.0) };
        let corner = (middle.0 * middle.0 + middle.1 * middle.1).sqrt();
        let bend = if bent { sensor.distortion_px / (corner * corner * corner) } else { 0.0 };
        let deg_per_px = DEG_PER_UM_MM * sensor.pixel_um / night.focal_length_mm;
        let turn = sin_cos(rotation_deg.to_radians());
        let mut sky_deg = TARGET_DEG;
        if wide {
            // The target comes to lie `dither_px` beside the axis.
            let ((s, c), (dx, dy)) = (turn, dither_px);
            let (_, cos) = sin_cos(TARGET_DEG.1.to_radians());
            sky_deg.0 += (c * dx + s * dy) * deg_per_px / cos;
            sky_deg.1 += (c * dy - s * dx) * deg_per_px;
        }
        let axis = (middle.0 + ax, middle.1 + ay);
        Self { dither_px, rotation_deg, wide, middle, axis, turn, bend, deg_per_px, sky_deg }
    }

    /// Where a place of the star field falls on the sensor, both in pixels.
    pub fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        if !self.wide {
            return (x + self.dither_px.0, y + self.dither_px.1);
        }
        let per_px = self.deg_per_px.to_radians();
        // Columns grow to the west, rows to the south.
        let (west, south) = ((x - self.middle.0) * per_px, (y - self.middle.1) * per_px);
        let [east, north, out] = plane(TARGET_DEG);
        let star = [0, 1, 2].map(|i| out[i] - west * east[i] - south * north[i]);
        let [x, y, z] =
            plane(self.sky_deg).map(|a| a[0] * star[0] + a[1] * star[1] + a[2] * star[2]);
        let (u, v) = (-x / z / per_px, -y / z / per_px);
        let (s, c) = self.turn;
        let (u, v) = (c * u - s * v, s * u + c * v);
        let factor = self.bent(u * u + v * v);
        (self.axis.0 + u * factor, self.axis.1 + v * factor)
    }

    /// What the distance to the axis shrinks by, for its square before: the root of
    /// f + bend r² f³ = 1.
    fn bent(&self, square: f64) -> f64 {
        let q = self.bend * square;
        let mut f = 1.0;
        for _ in 0..20 {
            f -= (f + q * f * f * f - 1.0) / (1.0 + 3.0 * q * f * f);
        }
        f
    }

    /// Writes the world coordinates of the light, exact to the arithmetic.
    pub(crate) fn cards(&self, header: &mut Header) {
        let bent = self.bend != 0.0;
        let at = if self.wide {
            self.axis
        } else {
            (self.middle.0 + self.dither_px.0, self.middle.1 + self.dither_px.1)
        };
        let kind = if bent { "TAN-SIP" } else { "TAN" };
        header.set_text("CTYPE1", &format!("RA---{kind}"), "Right ascension, gnomonic");
        header.set_text("CTYPE2", &format!("DEC--{kind}"), "Declination, gnomonic");
        let (s, c) = self.turn;
        let real = [
            ("CRPIX1", at.0 + 1.0, "Reference pixel"),
            ("CRPIX2", at.1 + 1.0, "Reference pixel"),
            ("CRVAL1", self.sky_deg.0, "[deg] Right ascension of the reference pixel"),
            ("CRVAL2", self.sky_deg.1, "[deg] Declination of the reference pixel"),
            ("CD1_1", -self.deg_per_px * c, "[deg] Right ascension a column"),
            ("CD1_2", -self.deg_per_px * s, "[deg] Right ascension a row"),
            ("CD2_1", self.deg_per_px * s, "[deg] Declination a column"),
            ("CD2_2", -self.deg_per_px * c, "[deg] Declination a row"),
            ("EQUINOX", 2000.0, "Equinox of the coordinates"),
        ];
        real.into_iter().for_each(|(key, v, comment)| header.push(Card::real(key, v, comment)));
        if bent {
            header.push(Card::integer("A_ORDER", 3, "Distortion along columns"));
            header.push(Card::integer("B_ORDER", 3, "Distortion along rows"));
            for key in ["A_3_0", "A_1_2", "B_2_1", "B_0_3"] {
                header.push(Card::real(key, self.bend, ""));
            }
        }
    }
}
