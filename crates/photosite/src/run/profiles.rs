//! Profiles of cameras in a library: kept, found, and used where headers are silent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_pix::FrameKind;
use photosite_pix::unit::NoiseModel;

use super::pairs::alike;
use crate::detector::Linearity;
use crate::finding::{Severity, first_and_more};
use crate::inventory::{Frame, Inventory};
use crate::library::{Field, Traits, camera_key, frame_traits};
use crate::sensor::Profile;
use crate::{Error, Finding, Result};

/// The folder of profiles in a library.
pub const PROFILES_NAME: &str = "cameras";

/// Settings that must agree where both a profile and a frame name them.
const AGREE: [Field; 4] =
    [Field::GainSetting, Field::OffsetSetting, Field::Binning, Field::ReadoutMode];

/// Reads a profile.
///
/// # Errors
/// When the file cannot be read, or is no profile.
pub fn read_profile(path: &Path) -> Result<Profile> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "cannot be read", e))?;
    Profile::parse(&text).map_err(|e| Error::parameters(format!("{}: {e}", path.display())))
}

/// Keeps a profile in a library, in the place of an earlier one of that set-up; gives its path.
///
/// # Errors
/// When it cannot be written, or what stands there is no profile.
pub fn keep_profile(profile: &Profile, library: &Path) -> Result<PathBuf> {
    let [make, model, stem] = profile.place();
    let path = library.join(PROFILES_NAME).join(make).join(model).join(format!("{stem}.toml"));
    if path.symlink_metadata().is_ok() && read_profile(&path).is_err() {
        return Err(Error::foreign(&path));
    }
    write_bytes(&path, profile.text()?.as_bytes(), Existing::Replace)?;
    Ok(path)
}

/// The profiles of a library, by path; what cannot be read is told.
fn profiles(library: &Path, findings: &mut Vec<Finding>) -> Vec<(PathBuf, Profile)> {
    let mut found = Vec::new();
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|e| e.path()).collect();
        paths.sort();
        paths
    };
    let makes = below(&library.join(PROFILES_NAME));
    for path in makes.iter().flat_map(|m| below(m)).flat_map(|m| below(&m)) {
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        match read_profile(&path) {
            Ok(profile) => found.push((path, profile)),
            Err(e) => findings.push(Finding::new(
                "profile-unreadable",
                Severity::Warning,
                path.display().to_string(),
                format!("{e}; it is not used"),
            )),
        }
    }
    found
}

/// Whether a profile is of the camera and settings of a frame.
fn fits(profile: &Profile, traits: &Traits) -> bool {
    let camera = profile.camera.as_deref().zip(traits.camera.as_deref());
    let serials = profile.set_up.get("serial").zip(traits.camera_id.as_ref());
    camera.is_some_and(|(a, b)| camera_key(a) == camera_key(b))
        && serials.is_none_or(|(a, b)| a == b)
        && AGREE.iter().all(|f| {
            match (profile.set_up.get(f.name()), traits.show(*f)) {
                (Some(a), Some(b)) => *a == b,
                (None, None) => true,
                // A gain that one of them does not name may be any.
                _ => *f != Field::GainSetting,
            }
        })
}

/// Gives frames whose headers lack gain or read noise those that a person's settings hold for their camera.
pub fn noise_by_settings(inventory: &mut Inventory, cameras: &[(String, NoiseModel)]) {
    let Inventory { frames, findings, .. } = inventory;
    for (name, noise) in cameras {
        let of_camera = |f: &Frame| {
            let own = f.metadata.camera.as_deref();
            own.is_some_and(|own| camera_key(own) == camera_key(name))
        };
        let mut used = Vec::new();
        for frame in frames.iter_mut().filter(|f| is_silent(f) && of_camera(f)) {
            frame.set_noise(*noise, "by the settings of the user");
            used.push(frame.path.display().to_string());
        }
        let Some(first) = used.first() else { continue };
        let message = format!(
            "the headers give no gain and read noise; those of {name} in the settings are used: {:.4} e-/ADU, \
             {:.2} e-",
            noise.gain_e_per_adu.e_per_adu(),
            noise.read_noise_e
        );
        let subject = first_and_more(first, used.len());
        findings.push(
            Finding::new("noise-by-settings", Severity::Info, subject, message)
                .with("frames", used.len()),
        );
    }
}

/// Whether a frame's header lacks gain or read noise.
fn is_silent(f: &Frame) -> bool {
    f.metadata.gain_e_per_adu.is_none() || f.metadata.read_noise_e.is_none()
}

/// Gives frames whose headers lack gain or read noise those of the camera's profile, and the level of
/// saturation that was measured where neither headers nor samples say a lower one; tells so.
pub fn noise_by_profile(inventory: &mut Inventory, library: &Path) {
    if !inventory.frames.iter().any(is_silent) {
        return;
    }
    let Inventory { frames, findings, .. } = inventory;
    let profiles = profiles(library, findings);
    let mut used: Vec<(usize, NoiseModel, Vec<String>)> = Vec::new();
    for frame in frames.iter_mut().filter(|f| is_silent(f)) {
        let traits = frame_traits(frame);
        let found = profiles
            .iter()
            .enumerate()
            .filter(|(_, (_, p))| fits(p, &traits))
            .find_map(|(i, (_, p))| Some((i, p.noise()?)));
        let Some((i, noise)) = found else { continue };
        frame.set_noise(noise, "by the camera's profile");
        let level = profiles[i].1.saturation_adu().map(|v| v as f32);
        let level = level.filter(|_| frame.metadata.saturation_adu.is_none());
        if let Some(level) = level.filter(|l| frame.detector.saturation_adu.is_none_or(|s| *l < s))
        {
            frame.detector.saturation_adu = Some(level);
        }
        let name = frame.path.display().to_string();
        match used.iter_mut().find(|u| u.0 == i) {
            Some(u) => u.2.push(name),
            None => used.push((i, noise, vec![name])),
        }
    }
    for (i, noise, names) in used {
        let path = &profiles[i].0;
        let message = format!(
            "the headers give no gain and read noise; those of the camera's profile {} are used: {:.4} \
             e-/ADU, {:.2} e-{}",
            path.display(),
            noise.gain_e_per_adu.e_per_adu(),
            noise.read_noise_e,
            profiles[i].1.saturation_adu().map_or_else(String::new, |v| {
                format!("; samples from {v:.0} ADU on are saturated")
            })
        );
        findings.push(
            Finding::new(
                "noise-by-profile",
                Severity::Info,
                first_and_more(&names[0], names.len()),
                message,
            )
            .with("gain_e_per_adu", noise.gain_e_per_adu.e_per_adu())
            .with("read_noise_e", noise.read_noise_e)
            .with("frames", names.len()),
        );
    }
}

/// Gives frames that came later, from the place `first` on, the curves of the lights of their set-up: those of the
/// library know nothing of what was given for the night.
pub(super) fn linearity_of_others(inventory: &mut Inventory, first: usize) {
    for i in first..inventory.frames.len() {
        let traits = frame_traits(&inventory.frames[i]);
        let alike = |f: &&Frame| {
            f.kind == FrameKind::Light && f.linearity.is_some() && alike(&traits, &frame_traits(f))
        };
        let of_light = inventory.frames[..first].iter().find(alike);
        let curves = of_light.and_then(|f| f.linearity.clone());
        let frame = &mut inventory.frames[i];
        frame.linearity = frame.linearity.take().or(curves);
    }
}

/// Gives frames the curves of the camera's profile that straighten its response, where none were given by
/// hand; tells so.
pub fn linearity_by_profile(inventory: &mut Inventory, library: &Path) {
    if inventory.frames.iter().any(|f| f.linearity.is_some()) {
        return;
    }
    let Inventory { frames, findings, .. } = inventory;
    // What cannot be read is told where noise is looked for.
    let mut bent = profiles(library, &mut Vec::new());
    bent.retain(|(_, p)| !p.curves.is_empty());
    for (path, profile) in bent {
        let curves = Arc::new(Linearity::new(profile.camera.clone(), profile.curves.clone()));
        let mut names: Vec<String> = Vec::new();
        let without = frames.iter_mut().filter(|f| f.linearity.is_none());
        for frame in without.filter(|f| fits(&profile, &frame_traits(f))) {
            frame.linearity = Some(curves.clone());
            names.push(frame.path.display().to_string());
        }
        if let Some(first) = names.first() {
            let message = format!(
                "the response of this camera bends, by its profile {}; samples are straightened",
                path.display()
            );
            let subject = first_and_more(first, names.len());
            let finding = Finding::new("linearity-by-profile", Severity::Info, subject, message);
            findings.push(finding.with("frames", names.len()));
        }
    }
}
