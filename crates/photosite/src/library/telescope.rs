//! One telescope under the names that programs give it, and names that tell of no telescope.

/// Words of drivers, simulators, mounts and their makers. Capture programs write them as TELESCOP
/// where nobody named the telescope, and any telescope may stand on such a mount.
const NO_TELESCOPE: &[&str] = &[
    "advanced",
    "vx",
    "alpaca",
    "am3",
    "am5",
    "am5n",
    "ascom",
    "astrophysics",
    "avx",
    "azeq5",
    "azeq6",
    "azgti",
    "celestron",
    "cem120",
    "cem25",
    "cem26",
    "cem40",
    "cem60",
    "cem70",
    "cgem",
    "cgemii",
    "cgx",
    "cgxl",
    "default",
    "driver",
    "eq3",
    "eq5",
    "eq6",
    "eq6r",
    "eq8",
    "r",
    "eqmod",
    "gem28",
    "gem45",
    "gemini",
    "generic",
    "10micron",
    "gm1000",
    "gm1000hps",
    "gm2000",
    "gm2000hps",
    "gm3000",
    "gm3000hps",
    "gps",
    "green",
    "greenswamp",
    "gs",
    "heq5",
    "hem15",
    "hem27",
    "hem44",
    "indi",
    "ioptron",
    "ioptronv3",
    "losmandy",
    "mount",
    "mx",
    "myt",
    "neq6",
    "none",
    "onstep",
    "onstepx",
    "paramount",
    "pmc8",
    "pro",
    "scope",
    "server",
    "simulated",
    "simulator",
    "sky",
    "skywatcher",
    "swamp",
    "synscan",
    "telescope",
    "temma",
    "temma2",
    "the",
    "unknown",
    "watcher",
    "zwo",
];

/// A telescope's name reduced to what tells telescopes apart: case, blanks and dashes do not.
/// `None` where it is only the name of a mount, a driver or a simulator.
pub(super) fn telescope_key(name: &str) -> Option<String> {
    let words = || name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let tells = |w: &str| {
        let w = w.to_lowercase();
        !NO_TELESCOPE.contains(&&*w) && !w.chars().all(|c| c.is_ascii_digit())
    };
    // `Telescope 2` is no name either.
    words().any(tells).then(|| words().collect::<String>().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_one_and_mounts_say_nothing() {
        for (a, b) in [
            ("PlaneWave CDK24", "Planewave CDK-24"),
            ("FSQ 106", "fsq_106"),
            ("RASA 8", "RASA8"),
            ("Photosite 480 f/6", "photosite-480-f6"),
        ] {
            assert!(telescope_key(a).is_some());
            assert_eq!(telescope_key(a), telescope_key(b), "{a} is {b}");
        }
        for (a, b) in [
            ("FSQ 106", "FSQ 85"),
            ("C11 on CGX", "RASA 8 on CGX"),
            ("C8", "C11"),
            ("Star 71", "EQMOD"),
        ] {
            assert_ne!(telescope_key(a), telescope_key(b), "{a} is not {b}");
        }
        for name in [
            "Telescope Simulator",
            "Simulator",
            "EQMOD",
            "EQMod Mount",
            "EQMOD ASCOM HEQ5/6",
            "iOptron CEM60",
            "ZWO AM5",
            "Celestron GPS",
            "Sky-Watcher EQ6-R Pro",
            "GS Sky Telescope",
            "telescope 2",
            "Unknown",
            " ",
        ] {
            assert_eq!(telescope_key(name), None, "{name} tells of no telescope");
        }
    }
}
