//! Nights with typical cameras.
//!
//! The numbers are round ones of each class of camera, not measurements of any: CMOS after the
//! 16-bit APS-C sensors of about 2020, CCD after the front-illuminated ones before, DSLR after a
//! 14-bit camera at ISO 800.

use photosite_pix::{CfaPattern, Size};
use serde::{Deserialize, Serialize};

use crate::{Counts, Effects, FaultRates, Night, Sensor, Sky};

/// A class of camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// A cooled monochrome CMOS camera with a corner glow.
    CmosMono,
    /// The same with a Bayer array.
    CmosOsc,
    /// A cooled monochrome CCD camera.
    Ccd,
    /// An uncooled digital reflex camera.
    Dslr,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 4] = [Self::CmosMono, Self::CmosOsc, Self::Ccd, Self::Dslr];

    /// The preset's name as commands write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CmosMono => "cmos-mono",
            Self::CmosOsc => "cmos-osc",
            Self::Ccd => "ccd",
            Self::Dslr => "dslr",
        }
    }

    /// The preset of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    pub(crate) fn night(self, size: Size, seed: u64) -> Night {
        let sensor = self.sensor(size);
        let without = match self {
            Self::CmosMono | Self::CmosOsc | Self::Ccd => Effects::BLACK_CLAMP,
            Self::Dslr => Effects::none(),
        } | Effects::DISTORTION
            | Effects::ROTATION
            | Effects::FLIP
            | Effects::FAULTY;
        let colour = sensor.cfa.is_some();
        let effects =
            Effects::all() - without - if colour { Effects::none() } else { Effects::BAYER };
        // A third of what the smaller of well and converter holds.
        let range_e = (sensor.max_adu() - sensor.offset_adu) * sensor.gain_e_per_adu;
        Night {
            camera: self.name().to_owned(),
            flat_level_e: range_e.min(sensor.full_well_e) / 3.0,
            sky: self.sky(),
            effects,
            seed,
            counts: match self {
                Self::Dslr => Counts { bias: 20, darks: 10, flats: 15, dark_flats: 0, lights: 16 },
                _ => Counts { bias: 20, darks: 15, flats: 15, dark_flats: 15, lights: 12 },
            },
            light_exposure_s: 60.0,
            dark_exposure_s: 60.0,
            flat_exposure_s: 2.0,
            bias_exposure_s: match self {
                Self::CmosMono | Self::CmosOsc => 0.0001,
                Self::Ccd => 0.0,
                Self::Dslr => 1.0 / 4000.0,
            },
            set_temp_c: sensor.dark_ref_c,
            dark_temp_c: None,
            flat_optics: None,
            filter: (!colour).then(|| "L".to_owned()),
            object: "M00".to_owned(),
            telescope: "Photosite 480 f/6".to_owned(),
            focal_length_mm: 480.0,
            sensor,
        }
    }

    fn sensor(self, size: Size) -> Sensor {
        let rggb = CfaPattern::parse("RGGB");
        let cmos = Sensor {
            size,
            cfa: None,
            pixel_um: 3.76,
            gain_e_per_adu: 0.8,
            gain_setting: 100,
            offset_setting: Some(50),
            read_noise_e: 1.6,
            offset_adu: 500.0,
            bits: 16,
            full_well_e: 55_000.0,
            bias_column_adu: 0.8,
            bias_row_adu: 0.4,
            bias_gradient_adu: 3.0,
            dark_e_s: 0.003,
            dark_log_sd: 0.4,
            dark_ref_c: -10.0,
            t_double_c: 6.5,
            hot_fraction: 5e-4,
            faults: FaultRates::default(),
            hot_min_e_s: 0.1,
            glow_e: 300.0,
            glow_reach: 0.16,
            glow_tau_s: 120.0,
            glow_power: None,
            prnu: 0.008,
            corner_light: 0.72,
            dust_count: 7,
            distortion_px: 10.0,
            axis_px: (25.0, -15.0),
            clamp_ratio: 1.1,
            temp_jitter_c: 0.15,
            temp_rise_c: 0.0,
            cooled: true,
            tone_e: 0.0,
            tone_per_px: (0.0, 0.0),
            bend: 0.0,
            shutter: None,
            outputs: None,
        };
        match self {
            Self::CmosMono => cmos,
            Self::CmosOsc => Sensor { cfa: rggb, ..cmos },
            Self::Ccd => Sensor {
                pixel_um: 5.4,
                gain_e_per_adu: 1.5,
                gain_setting: 0,
                offset_setting: None,
                read_noise_e: 8.0,
                offset_adu: 1000.0,
                full_well_e: 90_000.0,
                bias_column_adu: 1.5,
                bias_row_adu: 0.3,
                bias_gradient_adu: 6.0,
                dark_e_s: 0.02,
                dark_log_sd: 0.3,
                dark_ref_c: -20.0,
                hot_min_e_s: 0.5,
                glow_e: 60.0,
                prnu: 0.012,
                ..cmos
            },
            Self::Dslr => Sensor {
                cfa: rggb,
                pixel_um: 4.3,
                gain_e_per_adu: 0.6,
                gain_setting: 800,
                offset_setting: None,
                read_noise_e: 3.0,
                offset_adu: 2048.0,
                bits: 14,
                full_well_e: 30_000.0,
                bias_column_adu: 0.7,
                bias_row_adu: 0.7,
                bias_gradient_adu: 2.0,
                dark_e_s: 0.3,
                dark_log_sd: 0.6,
                dark_ref_c: 18.0,
                hot_fraction: 1e-3,
                hot_min_e_s: 3.0,
                glow_e: 120.0,
                prnu: 0.01,
                corner_light: 0.6,
                temp_jitter_c: 0.4,
                temp_rise_c: 5.0,
                cooled: false,
                ..cmos
            },
        }
    }

    fn sky(self) -> Sky {
        Sky {
            background_e_s: if self == Self::Ccd { 8.0 } else { 5.0 },
            gradient_e_s: 1.0,
            nebula_e_s: 0.0,
            stars_per_mpx: 900.0,
            star_min_e_s: 4.0,
            star_max_e_s: 2.0e4,
            star_slope: 0.75,
            fwhm_px: 2.8,
            dither_px: 6.0,
            rotation_deg: 1.0,
            trail_e_s: 12.0,
            trail_fraction: 0.1,
            // Some ten times what sea level and a camera's glass give, so that small frames show it.
            cosmic_per_cm2_s: 0.5,
            sky_rgb: [0.85, 1.0, 0.7],
            star_rgb: [0.75, 1.0, 0.8],
            lamp_rgb: [0.6, 1.0, 0.55],
        }
    }
}
