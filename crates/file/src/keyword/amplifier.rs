//! Outputs of a sensor: the sections and numbers of each, in the dialects of observatories.

use photosite_pix::{Amplifier, Gain, Header, Metadata};

use super::geometry::{Section, section};
use super::{Note, Rule};

/// The keyword that says of how many outputs a frame was put together on reading.
pub const AMPLIFIERS: &str = "PSAMPS";

/// Most outputs that have cards.
const MOST: i64 = 99;

pub(super) const RULES: &[Rule] = &[Rule {
    name: "amplifiers",
    field: "amplifiers",
    about: "Where the outputs of a sensor were put side by side on reading, PSAMPS is their number and \
            PSAnnR, O, G, N and S hold region, overscan, gain, read noise and saturation of each.",
    read,
}];

/// The keyword of something of output `i`.
pub fn amplifier_card(i: usize, of: char) -> String {
    format!("PSA{:02}{of}", i + 1)
}

fn read(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let count = header.get_i64(AMPLIFIERS).filter(|n| (1..=MOST).contains(n)).unwrap_or(0);
    let one = |i: usize| {
        let region = |of| Some(section(&header.get_text(&amplifier_card(i, of))?)?.region);
        let number = |of| header.get_f64(&amplifier_card(i, of));
        Some(Amplifier {
            region: region('R')?,
            overscan: region('O'),
            gain: number('G').and_then(Gain::new),
            read_noise_e: number('N'),
            saturation_adu: number('S'),
        })
    };
    let all: Option<Vec<Amplifier>> = (0..count as usize).map(one).collect();
    m.amplifiers = all.unwrap_or_default();
    !m.amplifiers.is_empty()
}

/// Whether a keyword is one of those by which outputs that were put together are told apart.
pub fn tells_amplifier(keyword: &str) -> bool {
    let of_one = |rest: &str| {
        let (number, of) = rest.split_at_checked(2).unwrap_or_default();
        number.bytes().all(|b| b.is_ascii_digit()) && of.len() == 1 && "ROGNS".contains(of)
    };
    keyword == AMPLIFIERS || keyword.strip_prefix("PSA").is_some_and(of_one)
}

/// The endings of keywords by which a header tells the outputs of one image apart: A to D of DECam, 1 to 9 of
/// Keck, 11 to 22 of CTIO's and Apache Point's controllers.
pub fn amplifier_suffixes(header: &Header) -> Vec<String> {
    let letters = ('A'..='D').map(String::from);
    let digits = (1..=9).map(|n: u32| n.to_string());
    let pairs = [11, 12, 21, 22].map(|n| n.to_string());
    let has = |suffix: &String| {
        ["DATASEC", "TRIMSEC", "DSEC", "TSEC"]
            .iter()
            .any(|stem| section_of(header, stem, suffix).is_some())
    };
    letters.chain(digits).chain(pairs).filter(has).collect()
}

/// A section of one output.
pub fn section_of(header: &Header, stem: &str, suffix: &str) -> Option<Section> {
    section(&header.get_text(&format!("{stem}{suffix}"))?)
}

/// A number of one output: the first of `stems` that has one; without an ending, of the image.
pub fn amplifier_value(header: &Header, stems: &[&str], suffix: &str) -> Option<f64> {
    let whole = |stem: &str| match (stem, suffix) {
        ("SATURAT", "") => "SATURATE".to_owned(),
        ("SATLEVE", "") => "SATLEVEL".to_owned(),
        ("READNOI", "") => "READNOIS".to_owned(),
        _ => format!("{stem}{suffix}"),
    };
    stems.iter().find_map(|s| header.get_f64(&whole(s))).filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use photosite_pix::Rect;

    use super::super::{read, tests::header};
    use super::*;

    #[test]
    fn outputs_are_read_back_and_taken_out() {
        let h = header(&[
            "PSAMPS  = 2",
            "PSA01R  = '[1:100,1:50]'",
            "PSA01O  = '[201:210,1:50]'",
            "PSA01G  = 1.5",
            "PSA02R  = '[101:200,1:50]'",
            "PSA02S  = 60000.",
        ]);
        let amplifiers = read(&h).metadata.amplifiers;
        assert_eq!(amplifiers.len(), 2);
        assert_eq!(amplifiers[0].overscan, Some(Rect::new(200, 0, 10, 50)));
        assert_eq!(amplifiers[1].region, Rect::new(100, 0, 100, 50));
        assert_eq!((amplifiers[0].gain, amplifiers[1].gain), (Gain::new(1.5), None));
        assert_eq!(amplifiers[1].saturation_adu, Some(60_000.0));
        assert!(h.cards().iter().all(|c| tells_amplifier(&c.keyword())));
        assert!(["PSADD", "PSA1R", "PSA01X", "PSA", "PSA01"].iter().all(|k| !tells_amplifier(k)));
        assert!(
            read(&header(&["PSAMPS  = 2", "PSA01R  = '[1:100,1:50]'"]))
                .metadata
                .amplifiers
                .is_empty()
        );
    }

    #[test]
    fn endings_of_several_dialects() {
        let of = |lines: &[&str]| amplifier_suffixes(&header(lines));
        assert_eq!(of(&["DATASECA= '[1:9,1:9]'", "DATASECB= '[10:18,1:9]'"]), ["A", "B"]);
        assert_eq!(of(&["DSEC1   = '[1:9,1:9]'", "DSEC2   = '[10:18,1:9]'"]), ["1", "2"]);
        assert_eq!(of(&["DSEC11  = '[1:9,1:9]'", "DSEC22  = '[10:18,1:9]'"]), ["11", "22"]);
        assert!(of(&["DATASEC = '[1:9,1:9]'", "DETSIZE = '[1:9,1:9]'"]).is_empty());
    }
}
