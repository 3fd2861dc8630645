//! The camera and its settings.

use photosite_pix::{Gain, Header, Metadata};

use super::{Note, Rule, name, number, text, writer};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "camera",
        field: "camera",
        about: "INSTRUME, CAMERA, DETNAM, DETECTOR or CAMID names the camera.",
        read: |h, m, _| {
            m.camera = text(h, &["INSTRUME", "CAMERA", "DETNAM", "DETECTOR", "CAMID"]);
            m.camera.is_some()
        },
    },
    Rule {
        name: "camera-id",
        field: "camera_id",
        about: "CAMERAID, CAMSN, CAM-SN, CAMSERNO, CCDSN, CCD-SN, DETSERNO, DET-SN, SERIALNO or SERNUM \
                parts one camera from another of its model. SERIAL is not asked: MaxIm writes its \
                licence there.",
        read: |h, m, _| {
            let keys = [
                "CAMERAID", "CAMSN", "CAM-SN", "CAMSERNO", "CCDSN", "CCD-SN", "DETSERNO", "DET-SN",
                "SERIALNO", "SERNUM",
            ];
            m.camera_id = name(h, &keys);
            m.camera_id.is_some()
        },
    },
    Rule {
        name: "software",
        field: "software",
        about: "SWCREATE, CREATOR, PROGRAM or SOFTWARE names the program that wrote the file.",
        read: |h, m, _| {
            m.software = text(h, &["SWCREATE", "CREATOR", "PROGRAM", "SOFTWARE"]);
            m.software.is_some()
        },
    },
    Rule {
        name: "temperature",
        field: "temp_c",
        about: "CCD-TEMP, CCD_TEMP, CCDTEMP, TEMPERAT, CAMTCCD, DET-TEMP, CAMTEMP or SENSTEMP \
                holds degrees Celsius, a string such as '11 C', or kelvin (by the comment, or \
                above 150).",
        read: temperature,
    },
    Rule {
        name: "set-point",
        field: "set_temp_c",
        about: "SET-TEMP, SETTEMP, CCD-TSET or COOL-SET holds the cooler's set point in degrees \
                Celsius.",
        read: |h, m, _| {
            m.set_temp_c =
                ["SET-TEMP", "SETTEMP", "CCD-TSET", "COOL-SET"].iter().find_map(|k| celsius(h, k));
            m.set_temp_c.is_some()
        },
    },
    Rule {
        name: "conversion-gain",
        field: "gain_e_per_adu",
        about: "EGAIN, E-GAIN or CVF holds e-/ADU.",
        read: |h, m, _| {
            m.gain_e_per_adu =
                number(h, &["EGAIN", "E-GAIN", "CVF"]).and_then(|(v, _)| Gain::new(v));
            m.gain_e_per_adu.is_some()
        },
    },
    Rule {
        name: "conversion-gain-in-gain",
        field: "gain_e_per_adu",
        about: "GAIN holds e-/ADU where its comment says so, or where it has decimals, lies under \
                20 and the writer is MaxIm, IRAF, an observatory or unnamed.",
        read: conversion_gain_in_gain,
    },
    Rule {
        name: "gain-written",
        field: "gain_written",
        about: "GAIN holds a number; frames in which it differs differ in their setting, whatever \
                it means.",
        read: |h, m, _| {
            m.gain_written = number(h, &["GAIN"]).map(|(v, _)| v).filter(|v| *v >= 0.0);
            m.gain_written.is_some()
        },
    },
    Rule {
        name: "gain-setting",
        field: "gain_setting",
        about: "GAIN holds the camera's register where it is whole and the comment does not \
                speak of electrons; 0 is a register's value, never e-/ADU. What may be either is \
                taken as a register, for equal numbers are equal in both meanings.",
        read: gain_setting,
    },
    Rule {
        name: "iso",
        field: "gain_setting",
        about: "ISOSPEED, ISO, ISOSPEEDRATINGS or ISO-VAL holds the ISO number.",
        read: |h, m, _| {
            m.gain_setting = number(h, &["ISOSPEED", "ISO", "ISO-VAL"]).map(|(v, _)| v);
            m.gain_setting.is_some()
        },
    },
    Rule {
        name: "offset-setting",
        field: "offset_setting",
        about: "OFFSET, CCDOFFST, BLKLEVEL, BLACKLVL or BRIGHTNESS holds the camera's offset \
                register.",
        read: |h, m, _| {
            let keys = ["OFFSET", "CCDOFFST", "BLKLEVEL", "BLACKLVL", "BRIGHTNESS", "BRIGHTNE"];
            m.offset_setting = number(h, &keys).map(|(v, _)| v).filter(|v| *v >= 0.0);
            m.offset_setting.is_some()
        },
    },
    Rule {
        name: "read-noise",
        field: "read_noise_e",
        about: "RDNOISE, READNOIS, RON or ENOISE holds the read noise in electrons.",
        read: |h, m, _| {
            m.read_noise_e = number(h, &["RDNOISE", "READNOIS", "RON", "ENOISE"])
                .map(|(v, _)| v)
                .filter(|v| *v > 0.0);
            m.read_noise_e.is_some()
        },
    },
    Rule {
        name: "readout-mode",
        field: "readout_mode",
        about: "READOUTM, READMODE, READOUT or CONFMODE names the read-out mode.",
        read: |h, m, _| {
            m.readout_mode = text(h, &["READOUTM", "READMODE", "READOUT", "CONFMODE"]);
            m.readout_mode.is_some()
        },
    },
    Rule {
        name: "data-max",
        field: "data_max_adu",
        about: "DATAMAX as it stands, whatever was meant by it.",
        read: |h, m, _| {
            m.data_max_adu = number(h, &["DATAMAX"]).map(|(v, _)| v);
            m.data_max_adu.is_some()
        },
    },
    Rule {
        name: "saturation",
        field: "saturation_adu",
        about: "SATURATE, SATLEVEL or MAXLIN, or a DATAMAX that is an ADC's full scale, holds \
                the saturation level in ADU.",
        read: saturation,
    },
];

/// What no sensor reads: below absolute zero, or a program's sign for "not known".
pub(super) fn plausible_c(temp_c: f64) -> Option<f64> {
    (temp_c > -200.0 && temp_c < 100.0).then_some(temp_c)
}

fn celsius(header: &Header, keyword: &str) -> Option<f64> {
    let value = header.get(keyword)?;
    let comment = header.comment(keyword).to_lowercase();
    let (number, unit) = match value.as_f64() {
        Some(v) => (v, String::new()),
        None => {
            // '11 C', '-10,5 C', '283 K'
            let (number, unit) = super::measured(&value.as_text()?)?;
            (number, unit.to_uppercase())
        }
    };
    // MicroObservatory writes -1 K for "no data"; no sensor is within 50 K of absolute zero.
    let kelvin = unit.contains('K') || comment.contains("kelvin") || number > 150.0;
    if kelvin {
        return if number > 50.0 { plausible_c(number - 273.15) } else { None };
    }
    plausible_c(number)
}

fn temperature(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    let keys = [
        "CCD-TEMP", "CCD_TEMP", "CCDTEMP", "TEMPERAT", "CAMTCCD", "DET-TEMP", "CAMTEMP", "SENSTEMP",
    ];
    for key in keys {
        if let Some(t) = celsius(header, key) {
            m.temp_c = Some(t);
            return true;
        }
        if let Some(value) = header.get(key) {
            notes.push(Note {
                code: "temperature-unreadable",
                message: format!("{key} = {value:?} is no temperature a sensor can have"),
            });
        }
    }
    false
}

/// What GAIN holds: `Ok` e-/ADU, `Err` a setting, `None` when it may be either.
fn gain_keyword(header: &Header) -> Option<Result<f64, f64>> {
    let (value, _) = number(header, &["GAIN"])?;
    let comment = header.comment("GAIN").to_lowercase();
    // No sensor gives an ADU for no electron.
    if value == 0.0 {
        return Some(Err(value));
    }
    let electrons =
        comment.contains("e-") || comment.contains("electron") || comment.contains("/adu");
    if electrons {
        return Some(Ok(value));
    }
    if value.fract() != 0.0 {
        let writer = writer(header);
        let setting_writer =
            ["n.i.n.a", "nina", "asiair", "sharpcap", "firecapture", "indi", "ekos", "kstars"]
                .iter()
                .any(|w| writer.contains(w));
        return if setting_writer || value >= 20.0 { Some(Err(value)) } else { Some(Ok(value)) };
    }
    let camera_words = ["sensor", "camera", "setting", "unity", "0.1"];
    let beside =
        ["OFFSET", "EGAIN", "BLKLEVEL", "BLACKLVL"].iter().any(|k| header.get(k).is_some());
    let setting = value >= 10.0 || beside || camera_words.iter().any(|w| comment.contains(w));
    setting.then_some(Err(value))
}

fn conversion_gain_in_gain(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    m.gain_e_per_adu = gain_keyword(header).and_then(Result::ok).and_then(Gain::new);
    m.gain_e_per_adu.is_some()
}

fn gain_setting(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    match gain_keyword(header) {
        Some(Err(v)) if v >= 0.0 => m.gain_setting = Some(v),
        Some(_) => {}
        None => {
            if let Some((v, _)) = number(header, &["GAIN"]) {
                if v >= 0.0 {
                    m.gain_setting = Some(v);
                }
                notes.push(Note {
                    code: "gain-ambiguous",
                    message: format!(
                        "GAIN = {v} may be a setting or e-/ADU; it is taken as a setting, and noise \
                         is not derived from it. A comment on the card, or EGAIN, would tell"
                    ),
                });
            }
        }
    }
    m.gain_setting.is_some()
}

fn saturation(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    m.saturation_adu = number(header, &["SATURATE", "SATLEVEL", "MAXLIN"])
        .map(|(v, _)| v)
        // PixInsight and IRAF write the largest sample into DATAMAX; only a full-scale value is a
        // level.
        .or_else(|| header.get_f64("DATAMAX").filter(|v| [4095.0, 16383.0, 65535.0].contains(v)))
        .filter(|v| *v > 0.0);
    m.saturation_adu.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};
    use photosite_pix::Metadata;

    fn meta(lines: &[&str]) -> Metadata {
        read(&header(lines)).metadata
    }

    #[test]
    fn temperatures() {
        let temp = |line: &str| meta(&[line]).temp_c;
        assert_eq!(temp("CCD-TEMP=  -25.5 / C"), Some(-25.5));
        assert_eq!(temp("CAMTEMP = '11 C    '"), Some(11.0));
        assert_eq!(temp("CCD-TEMP= '-10.0C'"), Some(-10.0));
        assert!(
            (temp("CAMTEMP = 271.0 / CCD Camera Temperature in Kelvin").unwrap() + 2.15).abs()
                < 1e-9
        );
        assert!(
            (temp("CCD-TEMP=    180.2 / CCD Cu block temperature").unwrap() + 92.95).abs() < 1e-9
        );
        assert_eq!(temp("CAMTEMP = -1 / in Kelvin, =-1 if no data"), None);
        assert_eq!(temp("CCD-TEMP= 999."), None);
        assert_eq!(temp("CCD-TEMP= -300."), None);
        assert_eq!(temp("CCD-TEMP= NaN"), None);
        assert_eq!(meta(&["SET-TEMP= -1.79769313486232E+308"]).set_temp_c, None);
        assert_eq!(meta(&["SET-TEMP= -10."]).set_temp_c, Some(-10.0));
    }

    #[test]
    fn gain_is_a_setting_or_a_conversion_never_both() {
        let gains = |lines: &[&str]| {
            let m = meta(lines);
            (m.gain_setting, m.gain_e_per_adu.map(|g| g.e_per_adu()))
        };
        assert_eq!(gains(&["GAIN    = 100 / Sensor gain"]), (Some(100.0), None));
        assert_eq!(gains(&["GAIN    = 0 / Sensor gain", "OFFSET  = 10"]), (Some(0.0), None));
        assert_eq!(gains(&["GAIN    = 1.9 / e-/ADU"]), (None, Some(1.9)));
        assert_eq!(gains(&["GAIN    = 2 / electrons per ADU"]), (None, Some(2.0)));
        assert_eq!(gains(&["GAIN    = 2.3"]), (None, Some(2.3)));
        assert_eq!(gains(&["GAIN    = 100.", "EGAIN   = 0.8"]), (Some(100.0), Some(0.8)));
        // Either, and different from 5 in both meanings.
        assert_eq!(gains(&["GAIN    = 2"]), (Some(2.0), None));
        assert_eq!(gains(&["GAIN    = 0"]), (Some(0.0), None));
        assert_eq!(gains(&["GAIN    = 0 / [e-/ADU]"]), (Some(0.0), None));
        assert_eq!(gains(&["GAIN    = -1"]), (None, None));
        for (line, written) in [
            ("GAIN    = 1.9 / e-/ADU", Some(1.9)),
            ("GAIN    = 0", Some(0.0)),
            ("GAIN    = -1", None),
        ] {
            assert_eq!(meta(&[line]).gain_written, written, "{line}");
        }
        assert_eq!(read(&header(&["GAIN    = 2"])).notes[0].code, "gain-ambiguous");
        assert_eq!(gains(&["ISO     = 800"]), (Some(800.0), None));
    }

    #[test]
    fn other_settings() {
        assert_eq!(meta(&["BLKLEVEL= 30"]).offset_setting, Some(30.0));
        assert_eq!(meta(&["RDNOISE = 5.0"]).read_noise_e, Some(5.0));
        assert_eq!(meta(&["READMODE= 'High Gain'"]).readout_mode.as_deref(), Some("High Gain"));
        assert_eq!(meta(&["DATAMAX = 60224."]).saturation_adu, None);
        assert_eq!(meta(&["DATAMAX = 60224."]).data_max_adu, Some(60224.0));
        let id = |line: &str| meta(&[line]).camera_id;
        assert_eq!(id("CAMERAID= 'QHY268M-1234'").as_deref(), Some("QHY268M-1234"));
        assert_eq!(id("CCD-SN  = 83022").as_deref(), Some("83022"));
        assert_eq!(id("SERIAL  = '1AJSF-V5KK5-K3H21'"), None);
        assert_eq!(id("CAMERAID= 'unknown'"), None);
        assert_eq!(meta(&["DATAMAX = 65535"]).saturation_adu, Some(65535.0));
        assert_eq!(meta(&["SATURATE= 60000"]).saturation_adu, Some(60000.0));
    }
}
