//! What is decided before anything starts: which drills share a stack, at which speed, under which configuration.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use firedrill_drill::{Backend, Drill, Fault};
use firedrill_record::NotRun;
use firedrill_rulebook::{
    CompressError, Compressed, ConfigFolder, FiredrillConfig, compress, faithful_speed,
};
use firedrill_stack::default_configuration;

use crate::failure::{Failure, INVALID};
use crate::speed::Speed;

/// The speed when neither the command line nor the drill says one.
const DEFAULT_SPEED: u32 = 60;

/// What a run is asked for besides its drills.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Where its stacks run.
    pub(crate) backend: Backend,
    /// By how much time is compressed; the drill or the default says otherwise.
    pub(crate) speed: Option<Speed>,
    /// Seed of all randomness; drawn when absent.
    pub(crate) seed: Option<u64>,
    /// Monitoring configuration laid out as stack/config; the built-in one without it.
    pub(crate) config: Option<PathBuf>,
    /// The run folder itself; one under `.firedrill/runs` without it.
    pub(crate) out: Option<PathBuf>,
    /// Whether a drill that is not run counts as one that cannot tell.
    pub(crate) strict: bool,
}

/// Drills that run on one stack, one after the other.
#[derive(Debug)]
pub(crate) struct Group {
    /// Name of the configuration, for the record.
    pub(crate) configuration_name: String,
    /// By how much time is compressed.
    pub(crate) speed: u32,
    /// The configuration, compressed.
    pub(crate) compressed: Compressed,
    /// What the harness has to know about it.
    pub(crate) firedrill: FiredrillConfig,
    /// The drills, in the order they were named.
    pub(crate) drills: Vec<Drill>,
}

/// Groups `drills` by configuration and speed; drills that cannot run on this backend are listed instead.
pub(crate) fn prepare(setting: &Setting, drills: Vec<Drill>) -> Result<(Vec<Group>, Vec<NotRun>), Failure> {
    let base = base_configuration(setting.config.as_deref())?;
    let backend = setting.backend;
    let mut configurations: BTreeMap<Option<PathBuf>, Configuration> = BTreeMap::new();
    let mut groups: Vec<(Option<PathBuf>, Group)> = Vec::new();
    let mut not_run = Vec::new();
    for drill in drills {
        if !drill.requires.is_empty() && !drill.requires.contains(&backend) {
            let why = format!("it cannot run on the {} backend", backend.as_str());
            not_run.push(NotRun { drill: drill.name, why });
            continue;
        }
        let configuration = match configurations.entry(drill.config.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Configuration::of(setting, &base, drill.config.as_deref())?),
        };
        let speed = configuration.speed(setting.speed, drill.speed)?;
        check_burning(&drill, speed)?;
        let known =
            groups.iter_mut().find(|(overlay, group)| *overlay == drill.config && group.speed == speed);
        match known {
            Some((_, group)) => group.drills.push(drill),
            None => groups.push((drill.config.clone(), configuration.group(speed, drill)?)),
        }
    }
    Ok((groups.into_iter().map(|(_, group)| group).collect(), not_run))
}

/// Nobody's processors are kept busy for long, whatever the speed makes of a drill's minutes.
fn check_burning(drill: &Drill, speed: u32) -> Result<(), Failure> {
    let burns = drill.faults().filter(|fault| matches!(fault, Fault::HostCpu { .. }));
    let longest = burns.map(|fault| fault.lasts() / speed).max().unwrap_or_default();
    let limit = Fault::LONGEST_HOST_CPU;
    if longest <= limit {
        return Ok(());
    }
    let problem = format!(
        "{} would keep the processors of this host busy for {} s at speed {speed}: {} s are the most\nhint: give a larger --speed, or let the fault be shorter",
        drill.name,
        longest.as_secs(),
        limit.as_secs()
    );
    Err(Failure::plain(INVALID, &problem))
}

/// The configuration in `folder`; the built-in one without it.
pub(crate) fn base_configuration(folder: Option<&Path>) -> Result<ConfigFolder, Failure> {
    match folder {
        Some(folder) => ConfigFolder::from_dir(folder).map_err(|error| Failure::told(INVALID, &error, None)),
        None => Ok(default_configuration()),
    }
}

/// A configuration under its overlay, if any.
struct Configuration {
    name: String,
    folder: ConfigFolder,
    /// The largest faithful factor, once it is known.
    faithful: Option<u32>,
}

impl Configuration {
    fn of(setting: &Setting, base: &ConfigFolder, overlay: Option<&Path>) -> Result<Self, Failure> {
        let base_name = setting
            .config
            .as_ref()
            .map_or_else(|| "default".to_owned(), |folder| folder.display().to_string());
        let (folder, name) = match overlay {
            Some(overlay) => {
                let upper =
                    ConfigFolder::from_dir(overlay).map_err(|error| Failure::told(INVALID, &error, None))?;
                let name = overlay.file_name().map_or_else(
                    || overlay.display().to_string(),
                    |name| name.to_string_lossy().into_owned(),
                );
                (base.overlay(&upper), format!("{base_name} + {name}"))
            }
            None => (base.clone(), base_name),
        };
        Ok(Self { name, folder, faithful: None })
    }

    /// The speed that was typed, that the drill says, or the default, in this order. The largest faithful one never
    /// exceeds the drill's own: its author knows what the drill bears.
    fn speed(&mut self, typed: Option<Speed>, of_drill: Option<u32>) -> Result<u32, Failure> {
        match typed {
            Some(Speed::Factor(factor)) => Ok(factor),
            Some(Speed::Auto) => {
                let faithful = self.faithful()?;
                Ok(of_drill.map_or(faithful, |speed| speed.min(faithful)))
            }
            None => Ok(of_drill.unwrap_or(DEFAULT_SPEED)),
        }
    }

    fn faithful(&mut self) -> Result<u32, Failure> {
        if let Some(known) = self.faithful {
            return Ok(known);
        }
        let found = faithful_speed(&self.folder).map_err(|error| Failure::told(INVALID, &error, None))?;
        self.faithful = Some(found);
        Ok(found)
    }

    fn group(&self, speed: u32, drill: Drill) -> Result<Group, Failure> {
        let compressed = compress(&self.folder, speed).map_err(|error| {
            let too_fast = matches!(error, CompressError::TooFast { .. });
            let hint =
                too_fast.then_some("give a smaller --speed or `--speed auto`, or change the drill's `speed`");
            Failure::told(INVALID, &error, hint)
        })?;
        let firedrill = self.folder.firedrill().map_err(|error| Failure::told(INVALID, &error, None))?;
        Ok(Group { configuration_name: self.name.clone(), speed, compressed, firedrill, drills: vec![drill] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(rules: &str) -> Configuration {
        let folder =
            default_configuration().overlay(&ConfigFolder::from_files([("rules/services.yml", rules)]));
        Configuration { name: "default".to_owned(), folder, faithful: None }
    }

    #[test]
    fn a_typed_factor_counts_before_the_drills_and_the_default() {
        let mut configuration = configuration("");
        assert_eq!(configuration.speed(Some(Speed::Factor(5)), Some(7)).unwrap(), 5);
        assert_eq!(configuration.speed(None, Some(7)).unwrap(), 7);
        assert_eq!(configuration.speed(None, None).unwrap(), 60);
    }

    #[test]
    fn auto_is_the_largest_faithful_factor_and_never_above_the_drills() {
        let mut slow = configuration("groups: [{name: g, interval: 5s, rules: []}]");
        assert_eq!(slow.speed(Some(Speed::Auto), None).unwrap(), 20);
        assert_eq!(slow.speed(Some(Speed::Auto), Some(7)).unwrap(), 7);
        assert_eq!(slow.speed(Some(Speed::Auto), Some(30)).unwrap(), 20);
    }

    #[test]
    fn auto_needs_rules_that_can_be_read() {
        let broken = "groups: [{name: g, rules: [{alert: A, expr: 'rate('}]}]";
        let failure = configuration(broken).speed(Some(Speed::Auto), None).unwrap_err();
        assert!(failure.code == INVALID && failure.text.contains("rules/services.yml:1"), "{failure:?}");
    }
}
