//! The header of stacked lights.

use jiff::civil::DateTime;
use photosite_pix::combine::Recipe;
use photosite_pix::{Card, CfaColor, FrameKind, Header, Metadata};

use super::cards::{combination, consensus, imagetyp, is_world, round};
use super::picture::picture_header;
use crate::master::Rejected;

/// Cards of a light that are not true of a stack of lights.
const OF_ONE_LIGHT: &[&str] = &[
    "PSKEY", "PSSTEPS", "DARKK", "DARKKERR", "PSDARK", "PSREPAIR", "DATE", "MJD-OBS", "JD",
    "DATE-LOC", "TIME-OBS", "DATE-AVG", "DATE-BEG", "MJD-BEG",
];

/// The relative error that the flux scales of the lights leave to all fluxes of a stack alike.
pub const SCALE_ERROR: &str = "PSFLXERR";

/// One light of a stack, as its header tells.
#[derive(Debug, Clone, Copy)]
pub struct StackedHeader<'a> {
    /// The header of the calibrated light.
    pub header: &'a Header,
    /// The header's meaning.
    pub metadata: &'a Metadata,
    /// What its flux is multiplied with to be that of the stack's pixels.
    pub scale: f64,
    /// Its weight in the mean.
    pub weight: f64,
}

/// The header of stacked lights: the cards on which the lights themselves agree, the reference's
/// place in the sky, what is true of all of them together, and what was done.
///
/// The reference may be a light of another filter; only its world coordinates are taken.
pub fn stack_header(
    reference: &Header,
    lights: &[StackedHeader<'_>],
    recipe: Recipe,
    rejected: Rejected,
    finer: f64,
) -> Header {
    let mut header = consensus(&lights.iter().map(|l| l.header).collect::<Vec<_>>());
    let own: Vec<String> = header.cards().iter().map(Card::keyword).collect();
    own.iter().filter(|key| is_world(key)).for_each(|key| header.remove(key));
    // The stack is on the reference's pixels, so its world coordinates are the reference's.
    reference.cards().iter().filter(|c| is_world(&c.keyword())).for_each(|c| header.push(*c));
    for key in OF_ONE_LIGHT {
        header.remove(key);
    }
    header.set(Card::string("IMAGETYP", imagetyp(FrameKind::Light), "kind of frame"));
    for key in ["NCOMBINE", "STACKCNT"] {
        header.set(Card::integer(key, lights.len() as i64, "lights combined"));
    }
    settings(&mut header, lights);
    if header.get_text("FILTER").is_none()
        && let Some(filter) = one_filter(lights)
    {
        header.set_text("FILTER", &filter, "filter");
    }
    exposures(&mut header, lights);
    dates(&mut header, lights);
    conditions(&mut header, lights);
    noise(&mut header, lights);
    combination(&mut header, recipe, rejected);
    // No filter array lies over it, whatever lay over its lights.
    let step = 1.0 / finer;
    let first = 0.5 * step - 0.5;
    picture_header(&header, None, (first, first), step)
}

/// The filter of lights that write one name in several ways.
fn one_filter(lights: &[StackedHeader<'_>]) -> Option<String> {
    let first = lights.first()?.metadata.filter.as_deref()?;
    let same = |l: &StackedHeader<'_>| {
        l.metadata.filter.as_deref().is_some_and(|f| f.trim().eq_ignore_ascii_case(first.trim()))
    };
    lights.iter().all(same).then(|| first.trim().to_owned())
}

fn exposures(header: &mut Header, lights: &[StackedHeader<'_>]) {
    let known: Option<Vec<f64>> = lights.iter().map(|l| l.metadata.exposure_s).collect();
    let Some(known) = known else { return };
    let total: f64 = known.iter().sum();
    let mean = total / lights.len().max(1) as f64;
    for key in ["EXPTIME", "LIVETIME"] {
        header.set(Card::real(key, round(total), "[s] exposure, all lights together"));
    }
    header.set(Card::real("EXPOSURE", round(mean), "[s] exposure of one light, mean"));
}

/// Settings of the camera and the telescope that lights have in common, though they may write the number
/// in several ways, and the steps that all of them went through.
fn settings(header: &mut Header, lights: &[StackedHeader<'_>]) {
    const NUMBERS: [&str; 9] = [
        "GAIN", "OFFSET", "SET-TEMP", "XPIXSZ", "YPIXSZ", "XBINNING", "YBINNING", "FOCALLEN",
        "ISOSPEED",
    ];
    let Some(first) = lights.first() else { return };
    for key in NUMBERS {
        if header.get(key).is_some() {
            continue;
        }
        let value = |l: &StackedHeader<'_>| l.header.get_f64(key);
        if let Some(card) = first.header.cards().iter().find(|c| c.keyword() == key)
            && value(first).is_some()
            && lights.iter().all(|l| value(l) == value(first))
        {
            header.push(*card);
        }
    }
    let steps = |l: &StackedHeader<'_>| l.header.get_text("CALSTAT");
    if let Some(common) =
        steps(first).filter(|own| lights.iter().all(|l| steps(l).as_ref() == Some(own)))
    {
        header.set(Card::string("CALSTAT", &common, "steps done: bias, dark, flat, defects (X)"));
    }
}

/// Days from the Modified Julian Date's zero, 1858-11-17, of a date in UTC.
fn mjd(date: DateTime) -> Option<f64> {
    let zero = DateTime::constant(1858, 11, 17, 0, 0, 0, 0);
    Some(
        date.since((jiff::Unit::Second, zero)).ok()?.get_seconds() as f64
            + f64::from(date.subsec_nanosecond()) * 1e-9,
    )
    .map(|s| s / 86_400.0)
}

/// Days of a date in UTC as headers write it, from the Modified Julian Date's zero on; `None` where it is no
/// date.
pub fn days(date: &str) -> Option<f64> {
    let whole = date.trim().trim_end_matches('Z');
    let parsed = whole.parse::<DateTime>().ok();
    let parsed =
        parsed.or_else(|| whole.parse::<jiff::civil::Date>().ok().map(|d| d.at(0, 0, 0, 0)));
    mjd(parsed?)
}

/// The same of a date that tells the time; `None` of a day alone.
pub fn moment(date: &str) -> Option<f64> {
    days(date).filter(|_| date.contains(':'))
}

/// The date of a Modified Julian Date, to the millisecond.
pub(super) fn date_of(mjd: f64) -> Option<String> {
    let zero = DateTime::constant(1858, 11, 17, 0, 0, 0, 0);
    let ms = (mjd * 86_400_000.0).round() as i64;
    let date = zero.checked_add(jiff::Span::new().try_milliseconds(ms).ok()?).ok()?;
    Some(date.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

/// First and last moment, and the middle weighted by what each light gave.
fn dates(header: &mut Header, lights: &[StackedHeader<'_>]) {
    let start = |l: &StackedHeader<'_>| moment(l.metadata.date_obs.as_deref()?);
    let starts: Vec<(f64, f64, f64)> = lights
        .iter()
        .filter_map(|l| Some((start(l)?, l.metadata.exposure_s.unwrap_or(0.0), l.weight)))
        .collect();
    let texts = || lights.iter().filter_map(|l| l.metadata.date_obs.as_deref());
    if let Some(first) = texts().min() {
        header.set(Card::string("DATE-OBS", first, "start of the first light, UTC"));
    }
    if let Some(last) = texts().max() {
        header.set(Card::string("PSDATE2", last, "start of the last light, UTC"));
    }
    let end = starts.iter().map(|(start, exposure_s, _)| start + exposure_s / 86_400.0);
    if let Some(date) = end.reduce(f64::max).and_then(date_of) {
        header.set(Card::string("DATE-END", &date, "end of the last light, UTC"));
    }
    if starts.len() < lights.len() {
        return;
    }
    // Each light counts with its weight and the time it was open.
    let part = |(_, exposure_s, weight): &(f64, f64, f64)| weight * exposure_s.max(1e-9);
    let whole: f64 = starts.iter().map(part).sum();
    let middle = |l: &(f64, f64, f64)| part(l) * (l.0 + 0.5 * l.1 / 86_400.0);
    let average = starts.iter().map(middle).sum::<f64>() / whole;
    if let Some(date) = date_of(average).filter(|_| average.is_finite()) {
        header.set(Card::string("DATE-AVG", &date, "mean time, weighted, UTC"));
        let mjd = (average * 1e8).round() / 1e8;
        header.set(Card::real("MJD-AVG", mjd, "[d] the same, Modified Julian Date"));
    }
}

/// Airmass and temperature, which differ from light to light.
fn conditions(header: &mut Header, lights: &[StackedHeader<'_>]) {
    let known = |of: &dyn Fn(&StackedHeader<'_>) -> Option<f64>| -> Vec<f64> {
        lights.iter().filter_map(of).filter(|v| v.is_finite()).collect()
    };
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let airmass = known(&|l| l.header.get_f64("AIRMASS"));
    if airmass.len() == lights.len() {
        header.set(Card::real("AIRMASS", round(mean(&airmass)), "airmass, mean of the lights"));
    }
    let temps = known(&|l| l.metadata.temp_c);
    if !temps.is_empty() {
        let low = temps.iter().copied().fold(f64::INFINITY, f64::min);
        let high = temps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        header.set(Card::real("CCD-TEMP", round(mean(&temps)), "[C] sensor temperature, mean"));
        header.set(Card::real("PSTMIN", round(low), "[C] lowest sensor temperature"));
        header.set(Card::real("PSTMAX", round(high), "[C] highest sensor temperature"));
    }
}

/// The share of the pixels that measured green, the others were made of: 1 without a filter array.
fn green_share(lights: &[StackedHeader<'_>]) -> f64 {
    let cfa = lights.first().and_then(|l| l.metadata.cfa);
    cfa.map_or(1.0, |cfa| cfa.share(CfaColor::Green))
}

/// Gain and read noise of the mean: it holds the electrons of all lights in the ADU of one.
fn noise(header: &mut Header, lights: &[StackedHeader<'_>]) {
    let gain = |l: &StackedHeader<'_>| l.metadata.gain_e_per_adu.map(|g| g.e_per_adu());
    let Some(first) = lights.first().and_then(gain) else { return };
    if !lights.iter().all(|l| gain(l) == Some(first)) {
        return;
    }
    let sum: f64 = lights.iter().map(|l| l.weight).sum();
    // Scaled flux has its own variance times the scale, scaled read noise times its square.
    let squares = |power: i32| -> f64 {
        lights.iter().map(|l| l.weight * l.weight * l.scale.powi(power)).sum()
    };
    let share = green_share(lights);
    let effective = sum * sum / squares(1) * share;
    if !effective.is_finite() {
        return;
    }
    let comment = match lights[0].metadata.cfa {
        Some(_) => "[e-/ADU] effective: of the mean of all lights, green",
        None => "[e-/ADU] effective: of the mean of all lights",
    };
    header.set(Card::real("EGAIN", round(first * effective), comment));
    let read = lights[0].metadata.read_noise_e;
    if let Some(read) = read.filter(|r| lights.iter().all(|l| l.metadata.read_noise_e == Some(*r)))
    {
        let comment = "[e-] effective: of the mean of all lights";
        let read = read * effective * (squares(2) / share).sqrt() / sum;
        header.set(Card::real("RDNOISE", round(read), comment));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_days_and_back() {
        // 2000-01-01T12:00:00 is MJD 51544.5.
        let noon = "2000-01-01T12:00:00".parse().unwrap();
        assert_eq!(mjd(noon), Some(51_544.5));
        assert_eq!(date_of(51_544.5).as_deref(), Some("2000-01-01T12:00:00.000"));
        let fraction = mjd("2026-01-15T20:00:30.250".parse().unwrap()).unwrap();
        assert_eq!(date_of(fraction).as_deref(), Some("2026-01-15T20:00:30.250"));
    }
}
