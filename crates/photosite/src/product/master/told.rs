//! What is doubtful about a master.

use photosite_pix::FrameKind;
use photosite_pix::stat::Summary;

use super::asked::MasterResult;
use crate::Finding;
use crate::finding::Severity;
use crate::master::{FAINT_NOISE, FLAT_NOISE_LIMIT, FlatColour};

impl MasterResult {
    /// What is doubtful about it.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        let faint = self.faint();
        // A flat that is noise in all colours is not told of for one of them.
        let weak = self.weak_colour().filter(|_| faint.is_none());
        [self.parted(), self.wanders(), self.without_signal(), self.starry(), weak, faint]
            .into_iter()
            .flatten()
    }

    /// A Finding where the level of the frames wanders.
    fn wanders(&self) -> Option<Finding> {
        let message = format!("{}; the master lies between them", self.drift.as_ref()?);
        let subject = self.path.display().to_string();
        let hint = "If it is light that leaks in, cover the camera and take them again; if the camera's level \
                    drifts, let it settle first, and take darks and biases close to the lights.";
        Some(Finding::new("set-drifts", Severity::Warning, subject, message).hint(hint))
    }

    /// A Finding where stars stood in a flat.
    fn starry(&self) -> Option<Finding> {
        let stars = Some(self.stars).filter(|stars| *stars > 0)?;
        let message = format!(
            "{stars} stars stand at one place in the flats, so that rejection keeps them; where they stand \
             the flat is made of its surroundings"
        );
        let subject = self.path.display().to_string();
        let hint = "Take twilight flats with tracking off, or move the telescope between them.";
        Some(
            Finding::new("flat-holds-stars", Severity::Warning, subject, message)
                .hint(hint)
                .with("stars", stars),
        )
    }

    /// A Finding where biases are one number: a level, perhaps, and no exposure.
    fn without_signal(&self) -> Option<Finding> {
        let Summary { min, max, .. } = self.stats;
        // The level of a dark that stands in for a bias is one number by its making.
        let made = self.how[0].as_deref().is_some_and(|how| how != "level");
        if self.kind != FrameKind::Bias || min != max || !made {
            return None;
        }
        let message = format!(
            "every sample of these biases is {min} ADU, without the noise that any sensor has: no exposure \
             made them; they are used as a level, which stays in lights and flats where it is wrong"
        );
        let subject = self.path.display().to_string();
        let hint = "Take biases again, and look whether the camera's driver writes empty frames.";
        Some(Finding::new("frame-without-signal", Severity::Warning, subject, message).hint(hint))
    }

    /// A Finding where parts of the set differ by little.
    fn parted(&self) -> Option<Finding> {
        let apart = self.apart.as_ref()?;
        let message = format!(
            "the frames fall into parts that differ, by less than would forbid to combine them: \
             {apart}; the master is between them"
        );
        let subject = self.path.display().to_string();
        let hint = "Inspect the frames; if they are of two nights, trains or filters, keep the two \
                    in folders of their own.";
        Some(Finding::new("set-parted", Severity::Warning, subject, message).hint(hint))
    }

    /// A Finding where a flat holds so little light that dividing by it adds noise.
    fn faint(&self) -> Option<Finding> {
        let noise = self.flat_noise.filter(|noise| *noise > FAINT_NOISE)?;
        let message = format!(
            "a pixel of this flat is known to {:.1} % only: dividing by it adds that to every light \
             alike, more than it removes",
            100.0 * noise
        );
        let subject = self.path.display().to_string();
        let hint = "Take brighter flats (a third to a half of full scale), or more of them.";
        Some(
            Finding::new("flat-faint", Severity::Warning, subject, message)
                .hint(hint)
                .with("noise", noise)
                .with("noise_limit", FAINT_NOISE),
        )
    }

    /// A Finding where one colour of a flat is noise.
    fn weak_colour(&self) -> Option<Finding> {
        let colours = self.colours?;
        let weak = FlatColour::weak(&colours)?;
        let FlatColour { level_adu, noise } = colours[weak.channel()];
        let brightest = colours.iter().map(|c| c.level_adu).fold(f64::NAN, f64::max);
        let known = match noise.is_finite() {
            true => format!("the noise of a pixel is {:.1} %", 100.0 * noise),
            false => "it holds no signal".to_owned(),
        };
        Some(
            Finding::new(
                "flat-colour-weak",
                Severity::Warning,
                self.path.display().to_string(),
                format!(
                    "{} in this flat is at {level_adu:.0} ADU, the brightest colour at \
                     {brightest:.0}: {known}, and dividing by it adds more noise to {} than it \
                     removes",
                    weak.name(),
                    weak.name()
                ),
            )
            .hint(
                "Use a light source of more even colour, expose longer without saturating the \
                 brightest colour, or take more flats.",
            )
            .with("colour", weak.name())
            .with("level_adu", level_adu)
            .with("noise", noise)
            .with("noise_limit", FLAT_NOISE_LIMIT),
        )
    }
}
