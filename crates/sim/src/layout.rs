//! Names, folders and headers as capture programs write them.

use photosite_pix::{Card, FrameKind, Header};

use crate::{FramePlan, Night};

/// A capture program, or the folders that another program wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// N.I.N.A.: a folder a night and target, tokens in names, every card.
    Nina,
    /// ASIAIR: a folder a kind, names that say all, headers that leave out offset and gain in electrons.
    Asiair,
    /// SharpCap: a folder a capture, numbered names, a kind in FRAMETYP.
    SharpCap,
    /// Siril's folders, filled from a camera that writes no kinds.
    Siril,
}

/// What several targets, filters and nights of one tree are called.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The number of the night, from 0.
    pub night: usize,
    /// Its evening.
    pub date: String,
    /// The target.
    pub object: String,
    /// The filter, where there is one.
    pub filter: Option<String>,
}

impl Layout {
    /// Where a frame lies in the tree, with `/` between folders; `number` counts it in its folder, from 1.
    pub fn path(self, night: &Night, plan: &FramePlan, session: &Session, number: usize) -> String {
        let Session { date, object, filter, .. } = session;
        let exposure_s = plan.exposure_s;
        let temp_c = night.set_temp_c;
        let time = clock(plan.start_s);
        let light = plan.kind == FrameKind::Light;
        let filtered = matches!(plan.kind, FrameKind::Light | FrameKind::Flat);
        let filter = filter.as_deref().filter(|_| filtered);
        match self {
            Self::Nina => {
                let kind = match plan.kind {
                    FrameKind::Light => "LIGHT",
                    FrameKind::Dark => "DARK",
                    FrameKind::Flat => "FLAT",
                    FrameKind::DarkFlat => "DARKFLAT",
                    FrameKind::Bias => "BIAS",
                };
                let folder = if light { format!("{object}/{date}") } else { date.clone() };
                let filter = filter.map_or_else(String::new, |f| format!("{f}_"));
                format!(
                    "{folder}/{kind}/{date}_{}_{filter}{temp_c:.2}_{exposure_s:.2}s_{:04}.fits",
                    time.replace(':', "-"),
                    number - 1
                )
            }
            Self::Asiair => {
                let (folder, name) = match plan.kind {
                    FrameKind::Light => (format!("Light/{object}"), format!("Light_{object}")),
                    FrameKind::Dark => ("Dark".to_owned(), "Dark".to_owned()),
                    FrameKind::Flat => ("Flat".to_owned(), "Flat".to_owned()),
                    // It takes dark flats as darks.
                    FrameKind::DarkFlat => ("Dark".to_owned(), "Dark".to_owned()),
                    FrameKind::Bias => ("Bias".to_owned(), "Bias".to_owned()),
                };
                let exposure = match exposure_s {
                    s if s < 1.0 => format!("{:.1}ms", 1000.0 * s),
                    s => format!("{s:.1}s"),
                };
                let filter = filter.map_or_else(String::new, |f| format!("_{f}"));
                format!(
                    "Autorun/{folder}/{name}_{exposure}_Bin1{filter}_gain{}_{}-{}_{temp_c:.1}C_{number:04}.fit",
                    night.sensor.gain_setting,
                    date.replace('-', ""),
                    time.replace(':', "")
                )
            }
            Self::SharpCap => {
                let folder = match plan.kind {
                    FrameKind::Light => object.clone(),
                    FrameKind::Dark => "darks".to_owned(),
                    FrameKind::Flat => "flats".to_owned(),
                    FrameKind::DarkFlat => "darkflats".to_owned(),
                    FrameKind::Bias => "bias".to_owned(),
                };
                let filter = filter.map_or_else(String::new, |f| format!("/{f}"));
                format!(
                    "{date}/{folder}{filter}/{exposure_s:.3}s/rawframes/Capture_{number:05}.fits"
                )
            }
            Self::Siril => {
                let folder = match plan.kind {
                    FrameKind::Light => "lights",
                    FrameKind::Dark => "darks",
                    FrameKind::Flat => "flats",
                    FrameKind::DarkFlat => "darkflats",
                    FrameKind::Bias => "biases",
                };
                format!("{folder}/img_{number:05}.fit")
            }
        }
    }

    /// The header as the program writes it: what it does not say is taken out, what it calls otherwise renamed.
    pub fn header(self, plan: &FramePlan, session: &Session, mut header: Header) -> Header {
        let light = plan.kind == FrameKind::Light;
        if light {
            header.set_text("OBJECT", &session.object, "Name of the object of interest");
        }
        if matches!(plan.kind, FrameKind::Light | FrameKind::Flat) {
            match &session.filter {
                Some(filter) => header.set_text("FILTER", filter, "Active filter name"),
                None => header.remove("FILTER"),
            }
        }
        // What only the simulator knows.
        let gone: &[&str] = match self {
            Self::Nina => &["RDNOISE", "DATAMAX", "SATURATE"],
            Self::Asiair => &["RDNOISE", "DATAMAX", "SATURATE", "EGAIN", "OFFSET", "READOUTM"],
            Self::SharpCap => &[
                "RDNOISE", "DATAMAX", "SATURATE", "EGAIN", "IMAGETYP", "EXPOSURE", "SET-TEMP",
                "READOUTM",
            ],
            Self::Siril => &[
                "RDNOISE", "DATAMAX", "SATURATE", "EGAIN", "IMAGETYP", "EXPOSURE", "SET-TEMP",
                "CCD-TEMP", "READOUTM", "GAIN", "OFFSET", "OBJECT", "FILTER", "TELESCOP",
                "FOCALLEN",
            ],
        };
        let offset = header.get_i64("OFFSET");
        gone.iter().for_each(|key| header.remove(key));
        let software = match self {
            Self::Nina => {
                let kind = header.get_text("IMAGETYP").unwrap_or_default().to_uppercase();
                header.set_text("IMAGETYP", kind.trim_end_matches(" FRAME"), "Type of exposure");
                "N.I.N.A. 3.1.2.9001"
            }
            Self::Asiair => {
                let kind = match plan.kind {
                    FrameKind::DarkFlat => "Dark",
                    kind => kind_word(kind),
                };
                header.set_text("IMAGETYP", kind, "Type of exposure");
                header.set_text("CREATOR", "ZWO ASIAIR", "Capture software");
                "ZWO ASIAIR"
            }
            Self::SharpCap => {
                header.set_text("FRAMETYP", kind_word(plan.kind), "Type of frame");
                if let Some(offset) = offset {
                    header.remove("OFFSET");
                    header.set(Card::integer("BLKLEVEL", offset, "Black level setting"));
                }
                "SharpCap v4.1.12736.0, 64 bit"
            }
            Self::Siril => {
                header.set(Card::integer("ISOSPEED", 800, "ISO camera setting"));
                "Siril 1.2.6"
            }
        };
        let key = if self == Self::Siril { "PROGRAM" } else { "SWCREATE" };
        header.remove("SWCREATE");
        header.set_text(key, software, "Software that created this file");
        header
    }
}

fn kind_word(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Light => "Light",
        FrameKind::Dark => "Dark",
        FrameKind::Flat => "Flat",
        FrameKind::DarkFlat => "DarkFlat",
        FrameKind::Bias => "Bias",
    }
}

/// The time of day of a moment, counted from the evening at 20:00.
fn clock(start_s: f64) -> String {
    let s = (start_s.max(0.0) as u64 + 20 * 3600) % 86_400;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::*;
    use crate::{Preset, Simulation};

    #[test]
    fn each_program_has_its_names_and_cards() {
        let night = Night::preset(Preset::CmosMono, Size::new(32, 32), 1);
        let simulation = Simulation::new(night.clone());
        let plan = simulation.frames().into_iter().find(|p| p.kind == FrameKind::Light).unwrap();
        let header = simulation.render(&plan).header;
        let session = Session {
            night: 0,
            date: "2026-01-15".into(),
            object: "M 31".into(),
            filter: Some("Ha".into()),
        };
        for (layout, path, has, lacks) in [
            (Layout::Nina, "M 31/2026-01-15/LIGHT/2026-01-15_", "EGAIN", "RDNOISE"),
            (
                Layout::Asiair,
                "Autorun/Light/M 31/Light_M 31_60.0s_Bin1_Ha_gain",
                "CREATOR",
                "EGAIN",
            ),
            (
                Layout::SharpCap,
                "2026-01-15/M 31/Ha/60.000s/rawframes/Capture_00001",
                "FRAMETYP",
                "IMAGETYP",
            ),
            (Layout::Siril, "lights/img_00001.fit", "ISOSPEED", "IMAGETYP"),
        ] {
            let at = layout.path(&night, &plan, &session, 1);
            assert!(at.starts_with(path), "{at}");
            let told = layout.header(&plan, &session, header.clone());
            assert!(told.get(has).is_some() && told.get(lacks).is_none(), "{layout:?}");
        }
    }
}
