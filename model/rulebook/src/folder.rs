//! A folder of configuration held in memory: path to text.
//!
//! Knows the names of the files that have a meaning, not what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::alertmanager::AlertmanagerConfig;
use crate::firedrill_yaml::FiredrillConfig;
use crate::prometheus::PrometheusConfig;
use crate::rules::{LoadedRules, RuleFile};
use crate::yaml::ConfigError;

/// Path of Prometheus' configuration in a folder.
pub(crate) const PROMETHEUS: &str = "prometheus.yml";
/// Path of Alertmanager's configuration in a folder.
pub(crate) const ALERTMANAGER: &str = "alertmanager.yml";
/// Path of what the harness itself needs to know.
pub(crate) const FIREDRILL: &str = "firedrill.yaml";

/// A folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
}

/// The files of a configuration, by their path relative to its folder, with `/` between its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigFolder {
    /// Path to text.
    pub files: BTreeMap<String, String>,
}

impl ConfigFolder {
    /// Reads every text file below `folder`. Files that are not UTF-8 are no configuration and are left out.
    pub fn from_dir(folder: &Path) -> Result<Self, FolderError> {
        let mut files = BTreeMap::new();
        let mut pending = vec![(folder.to_owned(), String::new())];
        while let Some((path, prefix)) = pending.pop() {
            let failed = |source| FolderError::Read { path: path.clone(), source };
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let relative = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let path = entry.path();
                if path.is_dir() {
                    pending.push((path, format!("{relative}/")));
                    continue;
                }
                match fs::read_to_string(&path) {
                    Ok(text) => drop(files.insert(relative, text)),
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                    Err(source) => return Err(FolderError::Read { path, source }),
                }
            }
        }
        Ok(Self { files })
    }

    /// A folder of the given files: relative path and text.
    pub fn from_files<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        Self { files: files.into_iter().map(|(path, text)| (path.into(), text.into())).collect() }
    }

    /// This folder with the files of `upper` in place of those with the same path, and in addition.
    #[must_use]
    pub fn overlay(&self, upper: &Self) -> Self {
        let mut files = self.files.clone();
        files.extend(upper.files.clone());
        Self { files }
    }

    /// Writes every file below `folder`, which is made when absent.
    pub fn write_to(&self, folder: &Path) -> Result<(), FolderError> {
        for (relative, text) in &self.files {
            let path = folder.join(relative);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent)
                .map_err(|source| FolderError::Write { path: parent.to_owned(), source })?;
            fs::write(&path, text).map_err(|source| FolderError::Write { path: path.clone(), source })?;
        }
        Ok(())
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Result<&str, ConfigError> {
        self.files.get(path).map(String::as_str).ok_or_else(|| ConfigError {
            file: path.to_owned(),
            line: 1,
            problem: "there is no such file in the configuration".to_owned(),
        })
    }

    /// `prometheus.yml`, read.
    pub fn prometheus(&self) -> Result<PrometheusConfig, ConfigError> {
        PrometheusConfig::parse(self.text(PROMETHEUS)?)
    }

    /// `alertmanager.yml`, read.
    pub fn alertmanager(&self) -> Result<AlertmanagerConfig, ConfigError> {
        AlertmanagerConfig::parse(self.text(ALERTMANAGER)?)
    }

    /// `firedrill.yaml`, read; its defaults when there is none.
    pub fn firedrill(&self) -> Result<FiredrillConfig, ConfigError> {
        self.files
            .get(FIREDRILL)
            .map_or_else(|| Ok(FiredrillConfig::default()), |text| FiredrillConfig::parse(text))
    }

    /// The rule files that `prometheus.yml` names, read, in the order of their paths.
    pub fn rules(&self) -> Result<LoadedRules, ConfigError> {
        let mut files = Vec::new();
        for path in self.rule_paths()? {
            let rules = RuleFile::parse_named(&path, self.text(&path)?)?;
            files.push((path, rules));
        }
        Ok(LoadedRules { files })
    }

    /// The paths of this folder that `rule_files` of `prometheus.yml` match.
    pub(crate) fn rule_paths(&self) -> Result<Vec<String>, ConfigError> {
        let patterns = self.prometheus()?.rule_files;
        Ok(self
            .files
            .keys()
            .filter(|path| {
                patterns
                    .iter()
                    .any(|pattern| glob_matches(pattern.strip_prefix("./").unwrap_or(pattern), path))
            })
            .cloned()
            .collect())
    }
}

/// Prometheus' globs: `*` and `?`, neither of which matches a `/`.
fn glob_matches(pattern: &str, path: &str) -> bool {
    fn matches(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern.first(), path.first()) {
            (None, None) => true,
            (Some(b'*'), _) => {
                matches(&pattern[1..], path)
                    || path.first().is_some_and(|byte| *byte != b'/') && matches(pattern, &path[1..])
            }
            (Some(b'?'), Some(byte)) => *byte != b'/' && matches(&pattern[1..], &path[1..]),
            (Some(expected), Some(byte)) => expected == byte && matches(&pattern[1..], &path[1..]),
            _ => false,
        }
    }
    matches(pattern.as_bytes(), path.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{ConfigFolder, glob_matches};

    #[test]
    fn a_folder_is_written_and_read_back() {
        let folder = ConfigFolder::from_files([("a.yml", "a: 1"), ("rules/b.yml", "b: 2")]);
        let place = tempfile::tempdir().unwrap();
        folder.write_to(place.path()).unwrap();
        assert_eq!(ConfigFolder::from_dir(place.path()).unwrap(), folder);
    }

    #[test]
    fn an_absent_folder_is_an_error_that_names_it() {
        let error = ConfigFolder::from_dir("nowhere/at/all".as_ref()).unwrap_err();
        assert_eq!(error.to_string(), "cannot read nowhere/at/all");
    }

    #[test]
    fn an_overlay_replaces_files_of_the_same_path_only() {
        let lower = ConfigFolder::from_files([("a.yml", "1"), ("b.yml", "2")]);
        let upper = ConfigFolder::from_files([("b.yml", "3"), ("c.yml", "4")]);
        let expected = ConfigFolder::from_files([("a.yml", "1"), ("b.yml", "3"), ("c.yml", "4")]);
        assert_eq!(lower.overlay(&upper), expected);
    }

    #[test]
    fn globs_stay_inside_a_folder() {
        assert!(glob_matches("rules/*.yml", "rules/services.yml"));
        assert!(glob_matches("rules/?.yml", "rules/a.yml"));
        assert!(!glob_matches("rules/*.yml", "rules/more/services.yml"));
        assert!(!glob_matches("rules/*.yml", "rules/services.yaml"));
    }
}
