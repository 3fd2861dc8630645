//! What the pictures of a colour picture are called, and what it is made of.

use std::collections::BTreeMap;

use super::{ComposeRequest, NamedPicture};
use crate::colour::compose::{Formula, Palette};
use crate::finding::Severity;
use crate::inventory::{KindOverrides, take};
use crate::library::filter_key;
use crate::measure::SurveyedLight;
use crate::open::probe;
use crate::{Error, Finding, Result};

/// Which picture, and which of its planes, a name means.
pub(super) type Names = BTreeMap<String, (usize, usize)>;

/// What a colour picture is made of.
pub(super) struct Recipe {
    /// What it is called.
    pub name: String,
    /// Red, green and blue.
    pub rgb: [Formula; 3],
    /// What gives the light, where that is not the three.
    pub luminance: Option<Formula>,
}

/// The names by which palettes know filters.
const KNOWN: [&str; 7] = ["L", "R", "G", "B", "Ha", "OIII", "SII"];

/// The name by which palettes know a filter, or the filter as it is written.
fn known_name(filter: &str) -> String {
    let key = filter_key(filter);
    let known = KNOWN.into_iter().find(|name| filter_key(name) == key);
    known.map_or_else(|| filter.trim().to_owned(), str::to_owned)
}

/// The filter that the name of a file or its folder tells, as for the lights of a night.
fn filter_by_name(light: &SurveyedLight) -> Option<String> {
    let path = light.path();
    let taken = take(path, path, probe(path).ok()?, &KindOverrides::default());
    taken.ok().and_then(|(frame, _)| frame.metadata.filter)
}

/// What pictures are called: as it was said, else by the filter in the header or in the name; the planes of a colour
/// picture are R, G and B. Where no header names a filter the order of the palette is taken, and told.
pub(super) fn names(
    pictures: &[NamedPicture],
    lights: &[SurveyedLight],
    palette: Option<Palette>,
) -> Result<(Names, Option<Finding>)> {
    let mut names = Names::new();
    let mut add = |name: String, at: (usize, usize)| match names.insert(name.clone(), at) {
        None => Ok(()),
        Some((other, _)) => Err(Error::mismatch(format!(
            "{} and {} are both called {name}; say which is which: R=FILE G=FILE",
            lights[other].path().display(),
            lights[at.0].path().display()
        ))),
    };
    let mut nameless = Vec::new();
    for (i, (picture, light)) in pictures.iter().zip(lights).enumerate() {
        let told = picture.name.clone().or_else(|| light.metadata.filter.clone());
        match (light.planes(), told.or_else(|| filter_by_name(light))) {
            (3, _) => {
                for (plane, name) in ["R", "G", "B"].into_iter().enumerate() {
                    add(name.to_owned(), (i, plane))?;
                }
            }
            (_, Some(filter)) => add(known_name(&filter), (i, 0))?,
            (_, None) => nameless.push(i),
        }
    }
    let Some(&first) = nameless.first() else { return Ok((names, None)) };
    let by_count = || Palette::ALL.into_iter().find(|p| p.filters().len() == nameless.len());
    let order = palette
        .or_else(by_count)
        .filter(|p| p.filters().len() == nameless.len() && nameless.len() == pictures.len());
    let Some(order) = order else {
        return Err(Error::mismatch("its header names no filter; say what it is: L=FILE, Ha=FILE")
            .about(lights[first].path()));
    };
    for (i, name) in nameless.into_iter().zip(order.filters()) {
        names.insert((*name).to_owned(), (i, 0));
    }
    let message = format!(
        "no header names a filter; the pictures are taken to be {}, in the order in which they were named",
        order.filters().join(", ")
    );
    let subject = lights[first].path().display().to_string();
    let finding = Finding::new("compose-by-order", Severity::Warning, subject, message)
        .hint("Say what each is, R=FILE G=FILE B=FILE, or write FILTER into the headers.");
    Ok((names, Some(finding)))
}

/// What the colour picture is made of: formulas, else the palette, else the one of just these filters.
pub(super) fn recipe(request: &ComposeRequest<'_>, names: &Names) -> Result<Recipe> {
    let all = || names.keys().map(String::as_str).collect::<Vec<_>>();
    let known = |formula: &Formula| {
        let terms = formula.terms().iter().map(|(factor, name)| (*factor, known_name(name)));
        let formula = Formula::sum(terms.collect());
        match formula.terms().iter().find(|(_, name)| !names.contains_key(name)) {
            None => Ok(formula),
            Some((_, name)) => Err(Error::parameters(format!(
                "no picture is called {name}; there are {}",
                all().join(", ")
            ))),
        }
    };
    if let Some(rgb) = &request.formulas {
        let [r, g, b] = rgb;
        let rgb = [known(r)?, known(g)?, known(b)?];
        let luminance = request.luminance.as_ref().map(known).transpose()?;
        return Ok(Recipe { name: "formula".into(), rgb, luminance });
    }
    let Some(palette) = request.palette.or_else(|| Palette::of(&all())) else {
        return Err(Error::parameters(format!(
            "pictures of {} make no palette by themselves; choose one (lrgb: L R G B; rgb: R G B; hoo: \
             Ha OIII; sho: SII Ha OIII), or say --red, --green and --blue",
            all().join(", ")
        )));
    };
    if let Some(lost) = palette.filters().iter().find(|f| !names.contains_key(**f)) {
        return Err(Error::parameters(format!(
            "{} needs a picture of {lost}; there are {}",
            palette.name(),
            all().join(", ")
        )));
    }
    if let Some(more) = names.keys().find(|n| !palette.filters().contains(&n.as_str())) {
        return Err(Error::parameters(format!(
            "{} has no use for {more}; leave it out, or say --red, --green and --blue",
            palette.name()
        )));
    }
    let (rgb, luminance) = palette.channels();
    Ok(Recipe {
        name: palette.name().into(),
        rgb: rgb.map(Formula::of),
        luminance: luminance.map(Formula::of),
    })
}
