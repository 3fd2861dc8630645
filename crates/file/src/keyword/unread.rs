//! Cards that promise something and cannot be read: what is not known is told, with the text found.

use photosite_pix::{Header, Unread};

use super::{Reading, measured};

/// Keywords whose value must be a number, whatever else is known.
const NUMBERS: &[&str] = &[
    "EXPTIME", "EXPOSURE", "XPOSURE", "EXPOINUS", "CCD-TEMP", "CCD_TEMP", "SET-TEMP", "GAIN",
    "EGAIN", "ISOSPEED", "OFFSET", "BLKLEVEL", "RDNOISE", "XBINNING", "YBINNING", "PEDESTAL",
    "XBAYROFF", "YBAYROFF", "SATURATE", "DATAMAX",
];

/// Adds to a reading what could not be read.
pub(super) fn gather(header: &Header, reading: &mut Reading) {
    for keyword in NUMBERS {
        let Some(text) = header.get_text(keyword) else { continue };
        let number = header.get_f64(keyword).filter(|v| v.is_finite());
        if number.is_none() && measured(&text).is_none() {
            push(reading, keyword, text);
        }
    }
    let m = &reading.metadata;
    let doubtful = [
        ("DATE-OBS", m.date_obs.is_none()),
        ("ROWORDER", m.row_order.is_none()),
        ("BINNING", m.binning.is_none()),
        ("CCDSUM", m.binning.is_none()),
        ("BIASSEC", m.overscan.is_none()),
        ("TRIMSEC", m.active_area.is_none()),
    ];
    for (keyword, _) in doubtful.into_iter().filter(|(_, doubtful)| *doubtful) {
        if let Some(text) = header.get_text(keyword) {
            push(reading, keyword, text);
        }
    }
}

fn push(reading: &mut Reading, keyword: &str, text: String) {
    reading.metadata.unread.push(Unread { keyword: keyword.to_owned(), text });
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};

    #[test]
    fn what_cannot_be_read_is_kept_as_text() {
        let r = read(&header(&[
            "EXPTIME = 'one minute'",
            "GAIN    = 'high    '",
            "CCD-TEMP= '-10,5 C '",
            "DATE-OBS= 'last night'",
            "ROWORDER= 'sideways'",
            "OFFSET  = '        '",
        ]));
        let found: Vec<(&str, &str)> =
            r.metadata.unread.iter().map(|u| (u.keyword.as_str(), u.text.as_str())).collect();
        let expected = [
            ("EXPTIME", "one minute"),
            ("GAIN", "high"),
            ("DATE-OBS", "last night"),
            ("ROWORDER", "sideways"),
        ];
        assert_eq!(found, expected);
        assert_eq!(r.metadata.temp_c, Some(-10.5));
        assert!(read(&header(&["EXPTIME = 10", "GAIN = 5"])).metadata.unread.is_empty());
    }
}
