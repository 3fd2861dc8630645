//! Properties of XISF files, which their reader carries as cards `HIERARCH XISF <id>`.
//!
//! They are asked after every keyword: programs that write both make properties from keywords.
//!
//! # Source
//! XISF1: XISF 1.0, section 11.5.3: reserved properties of instrument and observation, and their
//! units.

use photosite_pix::{Gain, Header};

use super::{Rule, name, number, text};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "xisf-exposure",
        field: "exposure_s",
        about: "Property Instrument:ExposureTime holds seconds.",
        read: |h, m, _| {
            m.exposure_s = value(h, "XISF INSTRUMENT:EXPOSURETIME").filter(|v| *v >= 0.0);
            m.exposure_s.is_some()
        },
    },
    Rule {
        name: "xisf-date",
        field: "date_obs",
        about: "Property Observation:Time:Start holds date and time.",
        read: |h, m, _| {
            m.date_obs =
                text(h, &["XISF OBSERVATION:TIME:START"]).and_then(|t| super::time::parse_date(&t));
            m.date_obs.is_some()
        },
    },
    Rule {
        name: "xisf-camera",
        field: "camera",
        about: "Property Instrument:Camera:Name names the camera.",
        read: |h, m, _| {
            m.camera = text(h, &["XISF INSTRUMENT:CAMERA:NAME"]);
            m.camera.is_some()
        },
    },
    Rule {
        name: "xisf-temperature",
        field: "temp_c",
        about: "Property Instrument:Sensor:Temperature holds degrees Celsius.",
        read: |h, m, _| {
            m.temp_c =
                value(h, "XISF INSTRUMENT:SENSOR:TEMPERATURE").and_then(super::camera::plausible_c);
            m.temp_c.is_some()
        },
    },
    Rule {
        name: "xisf-set-point",
        field: "set_temp_c",
        about: "Property Instrument:Sensor:TargetTemperature holds degrees Celsius.",
        read: |h, m, _| {
            m.set_temp_c = value(h, "XISF INSTRUMENT:SENSOR:TARGETTEMPERATURE")
                .and_then(super::camera::plausible_c);
            m.set_temp_c.is_some()
        },
    },
    Rule {
        name: "xisf-conversion-gain",
        field: "gain_e_per_adu",
        about: "Property Instrument:Camera:Gain holds e-/ADU where it has decimals and lies \
                under 20; programs that put the setting there write whole numbers.",
        read: |h, m, _| {
            m.gain_e_per_adu = value(h, "XISF INSTRUMENT:CAMERA:GAIN")
                .filter(|v| v.fract() != 0.0 && *v < 20.0)
                .and_then(Gain::new);
            m.gain_e_per_adu.is_some()
        },
    },
    Rule {
        name: "xisf-gain-setting",
        field: "gain_setting",
        about: "Property Instrument:Camera:ISOSpeed holds the ISO number, or \
                Instrument:Camera:Gain a whole number from 20 up, the setting.",
        read: |h, m, _| {
            m.gain_setting = value(h, "XISF INSTRUMENT:CAMERA:ISOSPEED")
                .or_else(|| {
                    value(h, "XISF INSTRUMENT:CAMERA:GAIN")
                        .filter(|v| v.fract() == 0.0 && *v >= 20.0)
                })
                .filter(|v| *v > 0.0);
            m.gain_setting.is_some()
        },
    },
    Rule {
        name: "xisf-read-noise",
        field: "read_noise_e",
        about: "Property Instrument:Camera:ReadoutNoise holds electrons.",
        read: |h, m, _| {
            m.read_noise_e = value(h, "XISF INSTRUMENT:CAMERA:READOUTNOISE").filter(|v| *v > 0.0);
            m.read_noise_e.is_some()
        },
    },
    Rule {
        name: "xisf-filter",
        field: "filter",
        about: "Property Instrument:Filter:Name names the filter.",
        read: |h, m, _| {
            m.filter =
                text(h, &["XISF INSTRUMENT:FILTER:NAME"]).filter(|f| super::geometry::is_filter(f));
            m.filter.is_some()
        },
    },
    Rule {
        name: "xisf-binning",
        field: "binning",
        about: "Properties Instrument:Camera:XBinning and :YBinning hold the binning.",
        read: |h, m, _| {
            let along = |id| value(h, id).filter(|v| (1.0..=64.0).contains(v)).map(|v| v as u32);
            m.binning = along("XISF INSTRUMENT:CAMERA:XBINNING")
                .zip(along("XISF INSTRUMENT:CAMERA:YBINNING"));
            m.binning.is_some()
        },
    },
    Rule {
        name: "xisf-telescope",
        field: "telescope",
        about: "Property Instrument:Telescope:Name names the telescope.",
        read: |h, m, _| {
            m.telescope = text(h, &["XISF INSTRUMENT:TELESCOPE:NAME"]);
            m.telescope.is_some()
        },
    },
    Rule {
        name: "xisf-focal-length",
        field: "focal_length_mm",
        about: "Property Instrument:Telescope:FocalLength holds metres.",
        read: |h, m, _| {
            m.focal_length_mm = value(h, "XISF INSTRUMENT:TELESCOPE:FOCALLENGTH")
                .map(|v| v * 1000.0)
                .filter(|v| *v > 0.0);
            m.focal_length_mm.is_some()
        },
    },
    Rule {
        name: "xisf-pixel-size",
        field: "pixel_um",
        about: "Properties Instrument:Sensor:XPixelSize and :YPixelSize hold micrometres.",
        read: |h, m, _| {
            m.pixel_um = value(h, "XISF INSTRUMENT:SENSOR:XPIXELSIZE")
                .zip(value(h, "XISF INSTRUMENT:SENSOR:YPIXELSIZE"))
                .filter(|(x, y)| *x > 0.0 && *y > 0.0);
            m.pixel_um.is_some()
        },
    },
    Rule {
        name: "xisf-object",
        field: "object",
        about: "Property Observation:Object:Name names the target.",
        read: |h, m, _| {
            m.object = name(h, &["XISF OBSERVATION:OBJECT:NAME"]);
            m.object.is_some()
        },
    },
];

fn value(header: &Header, keyword: &'static str) -> Option<f64> {
    number(header, &[keyword]).map(|(v, _)| v)
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};

    #[test]
    fn properties_answer_where_keywords_do_not() {
        let lines = [
            "HIERARCH XISF Instrument:ExposureTime = 30",
            "HIERARCH XISF Instrument:Camera:Name = 'Cam'",
            "HIERARCH XISF Instrument:Camera:Gain = 0.25",
            "HIERARCH XISF Instrument:Camera:ISOSpeed = 800",
            "HIERARCH XISF Instrument:Camera:XBinning = 2",
            "HIERARCH XISF Instrument:Camera:YBinning = 2",
            "HIERARCH XISF Instrument:Sensor:Temperature = -10.5",
            "HIERARCH XISF Instrument:Telescope:FocalLength = 0.53",
            "HIERARCH XISF Instrument:Filter:Name = 'Ha'",
            "HIERARCH XISF Observation:Time:Start = '2026-11-20T21:00:00.000Z'",
        ];
        let r = read(&header(&lines));
        let m = &r.metadata;
        assert_eq!((m.exposure_s, m.temp_c), (Some(30.0), Some(-10.5)));
        assert_eq!(m.gain_e_per_adu.map(|g| g.e_per_adu()), Some(0.25));
        assert_eq!((m.gain_setting, m.binning), (Some(800.0), Some((2, 2))));
        assert_eq!((m.camera.as_deref(), m.filter.as_deref()), (Some("Cam"), Some("Ha")));
        assert_eq!(m.focal_length_mm, Some(530.0));
        assert_eq!(m.date_obs.as_deref(), Some("2026-11-20T21:00:00"));
        let both = [lines[0], "EXPTIME =                 10.0"];
        let r = read(&header(&both));
        assert_eq!(r.metadata.exposure_s, Some(10.0));
        assert!(r.rules.contains(&("exposure_s", "exposure-seconds")));
    }
}
