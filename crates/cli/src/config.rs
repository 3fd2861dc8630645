//! Defaults that a person keeps in files: `photosite.toml` of the user, and of the folder of a project.
//!
//! What is typed counts most, then the project's file, then the user's, then what is built in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, ValueEnum};
use photosite::params::{RecipeChoice, Setting, SettingFrom, noise_model};
use photosite::work::Context;
use photosite_pix::reject::Thresholds;
use photosite_pix::unit::NoiseModel;
use serde::{Deserialize, Deserializer, Serialize};

use crate::args::{NormalizeName, WeightName, memory_size};

/// The file's name.
pub const NAME: &str = "photosite.toml";

/// What a file may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the library.
    pub library: Option<PathBuf>,
    /// Threads.
    pub threads: Option<u16>,
    /// The memory limit of stacking, as on the command line.
    pub memory: Option<String>,
    /// The rejection of stacks.
    pub reject: Option<String>,
    /// Its low threshold.
    pub sigma_low: Option<f32>,
    /// Its high threshold.
    pub sigma_high: Option<f32>,
    /// The weights of lights.
    #[serde(deserialize_with = "named")]
    pub weight: Option<WeightName>,
    /// How lights are normalised.
    #[serde(deserialize_with = "named")]
    pub normalize: Option<NormalizeName>,
    /// Cameras, by the name in their headers.
    pub camera: BTreeMap<String, Camera>,
}

/// What holds for one camera where its headers do not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Gain in electrons an ADU.
    pub gain: f64,
    /// Read noise in electrons.
    pub read_noise: f64,
}

/// Reads a word as the command line does.
fn named<'de, T: ValueEnum, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let word = String::deserialize(from)?;
    T::from_str(&word, false).map(Some).map_err(|_| {
        let known: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|v| Some(v.to_possible_value()?.get_name().to_owned()))
            .collect();
        serde::de::Error::custom(format!("{word:?} is not one of {}", known.join(", ")))
    })
}

/// The settings in force, and what each comes from.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// All files together.
    pub config: Config,
    /// Each value.
    pub origins: Vec<Setting>,
}

/// The settings of this process.
static CURRENT: OnceLock<Settings> = OnceLock::new();

/// What was typed for this process's command, and its own defaults.
static TYPED: OnceLock<Vec<Setting>> = OnceLock::new();

/// Notes the options of the command that was typed.
pub fn note_typed(program: &Command, typed: &ArgMatches) {
    let Some((name, typed)) = typed.subcommand() else { return };
    let arguments = program.get_arguments().filter(|a| a.is_global_set());
    let own = program.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
    let setting = |argument: &clap::Arg| {
        // Frames are named by place; the report has them all.
        argument.get_long()?;
        let id = argument.get_id().as_str();
        let values = typed.try_get_raw(id).ok()??.map(|v| v.to_string_lossy());
        let value = values.collect::<Vec<_>>().join(", ");
        let from = match typed.value_source(id)? {
            ValueSource::CommandLine => SettingFrom::CommandLine,
            // A switch that nobody set is none.
            _ if value == "false" || value.is_empty() => return None,
            _ => SettingFrom::BuiltIn,
        };
        Some(Setting { name: id.replace('-', "_"), value, from, file: None })
    };
    let _ = TYPED.set(arguments.chain(own).filter_map(setting).collect());
}

/// Every value in force and where it is from: what was typed, else what a file says, else what is built in.
pub fn in_force(context: &Context<'_>, library: Option<&Path>) -> Vec<Setting> {
    let typed = TYPED.get().map_or(&[][..], Vec::as_slice);
    let by_hand = typed.iter().filter(|s| s.from == SettingFrom::CommandLine);
    let mut all: Vec<Setting> = by_hand.cloned().collect();
    let has = |all: &[Setting], name: &str| all.iter().any(|s| s.name == name);
    let without_library = has(&all, "no_library");
    let own_method = has(&all, "reject");
    for kept in &current().origins {
        // Thresholds are in the unit of their method.
        let of_method = own_method && kept.name.starts_with("sigma_");
        let of_library = without_library && kept.name == "library";
        if !(has(&all, &kept.name) || of_method || of_library) {
            all.push(kept.clone());
        }
    }
    let built_in = |name: &str, value: String| {
        let name = name.to_owned();
        Setting { name, value, from: SettingFrom::BuiltIn, file: None }
    };
    let usual = [
        library.map(|l| built_in("library", l.display().to_string())),
        Some(built_in("threads", context.threads.to_string())),
        Some(built_in("memory", format!("{}MiB", context.memory_bytes >> 20))),
        Some(built_in("reject", "auto".to_owned())),
        Some(built_in("weight", "quality".to_owned())),
        Some(built_in("normalize", "additive-scale".to_owned())),
    ];
    let defaults = typed.iter().filter(|s| s.from == SettingFrom::BuiltIn).cloned();
    for setting in usual.into_iter().flatten().chain(defaults) {
        if !has(&all, &setting.name) {
            all.push(setting);
        }
    }
    all
}

/// Reads the files once, for all that asks for [`current`] afterwards.
///
/// # Errors
/// As [`settings`].
pub fn load() -> anyhow::Result<()> {
    let _ = CURRENT.set(settings()?);
    Ok(())
}

/// The settings in force; none before they were loaded.
pub fn current() -> &'static Settings {
    CURRENT.get_or_init(Settings::default)
}

/// Reads the user's file and the project's, which is that of the working folder.
///
/// # Errors
/// When one of them cannot be read, or says what is not known; the message names the line.
pub fn settings() -> anyhow::Result<Settings> {
    let user = photosite::env::config_folder().map(|f| f.join(NAME));
    let files: Vec<PathBuf> =
        user.into_iter().chain([PathBuf::from(NAME)]).filter(|p| p.is_file()).collect();
    let mut all = Settings::default();
    for file in files {
        all.add(read(&file)?, &file);
    }
    if photosite::env::named_library().is_some() {
        all.config.library = None;
        all.origins.retain(|o| o.name != "library");
    }
    Ok(all)
}

fn read(file: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let config: Config =
        toml::from_str(&text).map_err(|e| anyhow::anyhow!("{}: {e}", file.display()))?;
    for (name, camera) in &config.camera {
        if !(camera.gain > 0.0 && camera.gain.is_finite() && camera.read_noise >= 0.0) {
            bail!(
                "{}: camera {name:?} needs a gain above 0 e-/ADU and a read noise of 0 e- or more",
                file.display()
            );
        }
    }
    if let Some(Err(why)) = config.memory.as_deref().map(memory_size) {
        bail!("{}: memory: {why}", file.display());
    }
    if config.threads == Some(0) {
        bail!("{}: threads: 1 is the least", file.display());
    }
    let thresholds = Thresholds { low: config.sigma_low, high: config.sigma_high };
    RecipeChoice::new(config.reject.as_deref().unwrap_or("auto"), thresholds, None)
        .with_context(|| format!("{}", file.display()))?;
    if let Some(library) = &config.library
        && (library.as_os_str().is_empty() || library.starts_with("~"))
    {
        bail!("{}: library: write the whole path of a folder; ~ is the shell's", file.display());
    }
    // A folder is meant from where it is written.
    let beside = |p: PathBuf| file.parent().unwrap_or(Path::new("")).join(p);
    Ok(Config { library: config.library.map(beside), ..config })
}

impl Settings {
    /// Gain and read noise of cameras.
    ///
    /// # Errors
    /// When they mean nothing.
    pub fn noise(&self) -> photosite::Result<Vec<(String, NoiseModel)>> {
        let of =
            |(name, c): (&String, &Camera)| Ok((name.clone(), noise_model(c.gain, c.read_noise)?));
        self.config.camera.iter().map(of).collect()
    }

    /// Puts a file's values in the place of those before it.
    fn add(&mut self, new: Config, file: &Path) {
        let mut note = |name: &str, value: String| {
            self.origins.retain(|o| o.name != name);
            let (name, file) = (name.to_owned(), Some(file.display().to_string()));
            self.origins.push(Setting { name, value, from: SettingFrom::File, file });
        };
        let all = &mut self.config;
        macro_rules! take {
            ($($field:ident),*) => {
                $(if let Some(value) = new.$field {
                    note(stringify!($field), shown(&value));
                    all.$field = Some(value);
                })*
            };
        }
        take!(library, threads, memory, reject, sigma_low, sigma_high);
        let name = |v: Option<clap::builder::PossibleValue>| {
            v.map_or_else(String::new, |v| v.get_name().to_owned())
        };
        if let Some(weight) = new.weight {
            note("weight", name(weight.to_possible_value()));
            all.weight = Some(weight);
        }
        if let Some(normalize) = new.normalize {
            note("normalize", name(normalize.to_possible_value()));
            all.normalize = Some(normalize);
        }
        for (name, camera) in new.camera {
            let Camera { gain, read_noise } = camera;
            note(&format!("camera {name}"), format!("{gain} e-/ADU, {read_noise} e-"));
            all.camera.insert(name, camera);
        }
    }
}

/// A value as text.
fn shown(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_later_file_counts_and_each_value_knows_where_it_is_from() {
        let mut all = Settings::default();
        all.add(
            of("reject = 'winsorized'\nthreads = 4\n[camera.'ASI 1600']\ngain = 5\nread_noise = 3.5"),
            Path::new("user"),
        );
        all.add(of("reject = 'esd'\nsigma_low = 2.5"), Path::new("project"));
        assert_eq!(all.config.reject.as_deref(), Some("esd"));
        assert_eq!((all.config.threads, all.config.sigma_low), (Some(4), Some(2.5)));
        assert_eq!(all.config.camera["ASI 1600"], Camera { gain: 5.0, read_noise: 3.5 });
        let told: Vec<(&str, &str)> = all
            .origins
            .iter()
            .map(|o| (o.name.as_str(), o.file.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(
            told,
            [
                ("threads", "user"),
                ("camera ASI 1600", "user"),
                ("reject", "project"),
                ("sigma_low", "project")
            ]
        );
        assert!(toml::from_str::<Config>("rejcet = 'esd'").is_err());
    }
}
