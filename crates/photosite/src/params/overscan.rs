//! Overscans, given by hand.

use photosite_pix::overscan::{HIGHEST_ORDER, OverscanMethod};
use photosite_pix::{Detector, Overscan, Rect};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Most overscans of one frame.
const MOST: usize = 16;

/// Which pixels tell the level of which, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OverscanChoice {
    /// How the level is found.
    pub method: OverscanMethod,
    /// (overscan, pixels whose level it tells) in pixels of the file, 0-based, in place of what headers
    /// say; without a target, all that sees light.
    pub regions: Vec<(Rect, Option<Rect>)>,
    /// The masked columns beside the light tell the level of frames that have no overscan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optical_black: bool,
}

/// What `--overscan` is given for the masked columns of a sensor.
const OPTICAL_BLACK: &str = "optical-black";

/// The most of a frame that regions given by hand may leave over, neither overscan nor light.
const LEFT_OVER: f64 = 0.1;

/// Fewest masked columns that tell a level.
const FEWEST_MASKED: usize = 8;

/// The masked columns beside the pixels that see light, on the side that has more of them; `None` where there are
/// too few.
pub fn masked_columns(detector: &Detector) -> Option<Rect> {
    let (lit, size) = (detector.active, detector.size);
    let left = Rect { x0: 0, x1: lit.x0, ..lit };
    let right = Rect { x0: lit.x1, x1: size.width, ..lit };
    let wider = if left.width() >= right.width() { left } else { right };
    (wider.width() >= FEWEST_MASKED).then_some(wider)
}

impl OverscanChoice {
    /// Reads regions, each `X,Y,W,H` or `X,Y,W,H:X,Y,W,H`, or `optical-black` alone, and the name of a method.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn new(regions: &[String], method: &str) -> Result<Self> {
        if regions.len() > MOST {
            return Err(Error::parameters(format!(
                "{} overscans are more than {MOST}",
                regions.len()
            )));
        }
        let (method, optical_black) = (method_of(method)?, regions == [OPTICAL_BLACK]);
        let regions = if optical_black { &[] } else { regions };
        let regions = regions.iter().map(|text| region(text)).collect::<Result<_>>()?;
        Ok(Self { method, regions, optical_black })
    }

    /// The names of the methods.
    pub fn methods() -> [&'static str; 6] {
        ["auto", "mean", "median", "clipped", "row", "fit"]
    }

    /// Puts the choice in place of what the header told of a detector; what is wrong with it, where it does
    /// not fit the frame.
    pub fn apply(&self, detector: &mut Detector) -> std::result::Result<(), String> {
        detector.overscan_method = self.method;
        if self.optical_black && detector.overscan.is_empty() {
            let Some(source) = masked_columns(detector) else {
                return Err(format!(
                    "the frame has no {FEWEST_MASKED} masked columns beside the pixels that see light ({})",
                    detector.active
                ));
            };
            detector.overscan = vec![Overscan { source, target: detector.active }];
            detector.amplifiers.iter_mut().for_each(|a| a.overscan = None);
        }
        if self.regions.is_empty() {
            return Ok(());
        }
        let size = detector.size;
        let named = self.regions.iter().flat_map(|(source, target)| [Some(*source), *target]);
        if let Some(outside) = named.flatten().find(|r| !r.fits(size)) {
            return Err(format!("the overscan region {outside} lies outside the frame of {size}"));
        }
        let lit = detector.active;
        let in_light = |(source, _): &&(Rect, Option<Rect>)| sees_light(*source, lit);
        if lit != size.rect()
            && let Some((source, _)) = self.regions.iter().find(in_light)
        {
            return Err(format!(
                "the overscan region {source} lies among the pixels that see light ({lit})"
            ));
        }
        if detector.active == size.rect() {
            detector.active = match self.regions.iter().map(|(_, target)| *target).collect() {
                Some::<Vec<Rect>>(targets) => around(&targets),
                None => self.regions.iter().fold(size.rect(), |rest, (s, _)| without(rest, *s)),
            };
            self.leave_the_light(detector)?;
        }
        let active = detector.active;
        let overscan = |(source, target): &(Rect, Option<Rect>)| Overscan {
            source: *source,
            target: target.unwrap_or(active),
        };
        detector.overscan = self.regions.iter().map(overscan).collect();
        detector.amplifiers.iter_mut().for_each(|a| a.overscan = None);
        if active.is_empty() || !detector.is_levelled() {
            return Err(format!(
                "the overscans leave some of the pixels that see light ({active}) without a level, or give \
                 some two"
            ));
        }
        Ok(())
    }

    /// What is wrong with regions that would throw a part of the picture away: one in the midst of it, or targets
    /// that are a part of it alone.
    fn leave_the_light(&self, detector: &Detector) -> std::result::Result<(), String> {
        let (size, lit) = (detector.size, detector.active);
        let beside = |r: &Rect| r.size().pixels() - r.common(lit).size().pixels();
        let told = lit.size().pixels() + self.regions.iter().map(|(s, _)| beside(s)).sum::<usize>();
        let share = 1.0 - told as f64 / size.pixels().max(1) as f64;
        if share <= LEFT_OVER {
            return Ok(());
        }
        Err(format!(
            "with these overscans {:.0} % of the frame of {size} is neither overscan nor light ({lit}): give regions \
             at the edges of the frame, and with targets one for each part of the light",
            100.0 * share
        ))
    }
}

fn region(text: &str) -> Result<(Rect, Option<Rect>)> {
    let one = |text: &str| {
        let numbers: Option<Vec<usize>> =
            text.split(',').map(|n| n.trim().parse().ok().filter(|n| *n < 1 << 24)).collect();
        match numbers.as_deref() {
            Some(&[x, y, w, h]) if w > 0 && h > 0 => Some(Rect::new(x, y, w, h)),
            _ => None,
        }
    };
    let read = match text.split_once(':') {
        None => one(text).map(|source| (source, None)),
        Some((source, target)) => one(source).zip(one(target).map(Some)),
    };
    read.ok_or_else(|| {
        Error::parameters(format!(
            "{text:?} is no overscan; write X,Y,W,H in pixels from 0, and a target behind a colon if it is \
             for a part of the frame, or {OPTICAL_BLACK} alone"
        ))
    })
}

fn method_of(name: &str) -> Result<OverscanMethod> {
    Ok(match name {
        "auto" => OverscanMethod::Auto,
        "mean" => OverscanMethod::Mean,
        "median" => OverscanMethod::Median,
        "clipped" => OverscanMethod::Clipped,
        "row" => OverscanMethod::Row,
        "fit" => OverscanMethod::Fit(1),
        other => {
            let order = other.strip_prefix("fit:").and_then(|n| n.parse().ok());
            let order = order.filter(|n: &u8| *n <= HIGHEST_ORDER).ok_or_else(|| {
                Error::parameters(format!(
                    "{other:?} is no way to find the level of an overscan; there are {}, and fit:N up to \
                     fit:{HIGHEST_ORDER}",
                    OverscanChoice::methods().join(", ")
                ))
            })?;
            OverscanMethod::Fit(order)
        }
    })
}

/// What a method is called.
pub fn method_name(method: OverscanMethod) -> String {
    match method {
        OverscanMethod::Auto => "auto".to_owned(),
        OverscanMethod::Mean => "mean".to_owned(),
        OverscanMethod::Median => "median".to_owned(),
        OverscanMethod::Clipped => "clipped".to_owned(),
        OverscanMethod::Row => "row".to_owned(),
        OverscanMethod::Fit(order) => format!("fit:{order}"),
    }
}

/// Whether an overscan lies among the pixels that see light; a column or two of sections that were counted
/// differently do not make it so.
pub fn sees_light(source: Rect, lit: Rect) -> bool {
    10 * source.common(lit).size().pixels() > source.size().pixels()
}

/// The smallest region that holds all.
fn around(regions: &[Rect]) -> Rect {
    let fold = |of: fn(&Rect) -> usize, better: fn(usize, usize) -> usize| {
        regions.iter().map(of).reduce(better).unwrap_or(0)
    };
    Rect {
        x0: fold(|r| r.x0, usize::min),
        y0: fold(|r| r.y0, usize::min),
        x1: fold(|r| r.x1, usize::max),
        y1: fold(|r| r.y1, usize::max),
    }
}

/// The largest part of a region beside another.
fn without(rest: Rect, taken: Rect) -> Rect {
    let sides = [
        Rect { x1: taken.x0.min(rest.x1), ..rest },
        Rect { x0: taken.x1.max(rest.x0), ..rest },
        Rect { y1: taken.y0.min(rest.y1), ..rest },
        Rect { y0: taken.y1.max(rest.y0), ..rest },
    ];
    sides.into_iter().max_by_key(|r| r.size().pixels()).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::*;

    fn choice(regions: &[&str]) -> OverscanChoice {
        let regions: Vec<String> = regions.iter().map(|r| (*r).to_owned()).collect();
        OverscanChoice::new(&regions, "auto").unwrap()
    }

    #[test]
    fn what_is_left_beside_an_overscan_sees_light() {
        for (regions, active) in [
            (&["90,0,10,50"][..], Rect::new(0, 0, 90, 50)),
            (&["0,0,10,50"], Rect::new(10, 0, 90, 50)),
            (&["0,0,10,50", "95,0,5,50"], Rect::new(10, 0, 85, 50)),
            (&["0,45,100,5"], Rect::new(0, 0, 100, 45)),
            (&["0,0,5,50:10,0,40,50", "95,0,5,50:50,0,40,50"], Rect::new(10, 0, 80, 50)),
        ] {
            let mut detector = Detector::whole(Size::new(100, 50));
            choice(regions).apply(&mut detector).unwrap();
            assert_eq!(detector.active, active, "{regions:?}");
            assert_eq!(detector.overscan.len(), regions.len());
        }
        // What the header says of the light stays.
        let mut detector = Detector::whole(Size::new(100, 50));
        detector.active = Rect::new(0, 0, 80, 50);
        choice(&["90,0,10,50"]).apply(&mut detector).unwrap();
        assert_eq!(detector.active, Rect::new(0, 0, 80, 50));
    }

    #[test]
    fn masked_columns_serve_where_there_is_no_overscan() {
        let mut detector = Detector::whole(Size::new(100, 50));
        assert!(choice(&["optical-black"]).apply(&mut detector).unwrap_err().contains("masked"));
        detector.active = Rect::new(12, 4, 80, 46);
        choice(&["optical-black"]).apply(&mut detector).unwrap();
        assert_eq!(detector.overscan[0].source, Rect::new(0, 4, 12, 46));
        assert_eq!(detector.overscan[0].target, detector.active);
        let own = Overscan { source: Rect::new(92, 4, 8, 46), target: detector.active };
        detector.overscan = vec![own];
        choice(&["optical-black"]).apply(&mut detector).unwrap();
        assert_eq!(detector.overscan, [own]);
        assert!(OverscanChoice::new(&["optical-black".into(), "0,0,4,50".into()], "row").is_err());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let refused = |regions: &[&str]| {
            choice(regions).apply(&mut Detector::whole(Size::new(100, 50))).unwrap_err()
        };
        assert!(refused(&["95,0,10,50"]).contains("outside"));
        // In the midst of the picture; and only for its left half.
        assert!(refused(&["40,0,10,50"]).contains("40 % of the frame"));
        assert!(refused(&["95,0,5,50:0,0,47,50"]).contains("48 % of the frame"));
        assert!(refused(&["0,0,100,50"]).contains("without a level"));
        assert!(refused(&["90,0,5,50:0,0,40,50", "95,0,5,50:30,0,50,50"]).contains("two"));
        for bad in ["", "1,2,3", "1,2,0,4", "a,b,c,d", "1,2,3,4:", "1,2,3,4,5", "-1,0,5,5"] {
            assert!(OverscanChoice::new(&[bad.to_owned()], "auto").is_err(), "{bad}");
        }
        for bad in ["", "fit:9", "fit:x", "Row", "spline"] {
            assert!(OverscanChoice::new(&[], bad).is_err(), "{bad}");
        }
        for name in ["auto", "mean", "median", "clipped", "row", "fit:3"] {
            assert_eq!(method_name(method_of(name).unwrap()), name);
        }
    }
}
