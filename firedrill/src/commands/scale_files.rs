//! The rule files that `firedrill scale` is given, and where their scaled versions go.
//!
//! It reads and writes files and knows nothing of what is in them but whether it is meant to be rules.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use firedrill_rulebook::RuleFile;

use crate::failure::{Failure, INVALID, NOT_SET_UP};

/// How the names of rule files end, where a folder is given.
const ENDINGS: [&str; 3] = ["yml", "yaml", "rules"];

/// Rule files that were given, each once.
#[derive(Debug, Default)]
pub(crate) struct RuleTexts {
    /// Their texts, by the path they were given by.
    pub(crate) texts: BTreeMap<String, String>,
    /// Files of folders that are no rule files.
    pub(crate) left_aside: Vec<String>,
    /// What cannot be read, a sentence each.
    pub(crate) problems: Vec<String>,
    /// Files that are known, so that one that is named twice is read once.
    known: BTreeSet<PathBuf>,
}

impl RuleTexts {
    /// Reads the files of `paths` and the rule files anywhere below the folders among them.
    pub(crate) fn read(paths: &[PathBuf]) -> Self {
        let mut read = Self::default();
        for path in paths {
            if path.is_dir() {
                let mut files = BTreeSet::new();
                if let Err(problem) = collect(path, &mut files) {
                    read.problems.push(problem);
                }
                let rules = files.iter().filter(|file| read.take(file, true)).count();
                if rules == 0 {
                    let why = "no file *.yml, *.yaml or *.rules below it has `groups`";
                    read.problems.push(format!("no rules found in {}: {why}", path.display()));
                }
            } else {
                let _ = read.take(path, false);
            }
        }
        read
    }

    /// Takes the file at `path`, which was named or found in a folder; gives whether it is one of the rule files.
    fn take(&mut self, path: &Path, found: bool) -> bool {
        let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
        if path.canonicalize().is_ok_and(|file| !self.known.insert(file)) {
            return true;
        }
        match std::fs::read_to_string(path) {
            Ok(text) if RuleFile::is_meant_by(&text) => {
                self.texts.insert(name, text);
                return true;
            }
            Ok(_) if found => self.left_aside.push(name),
            Ok(_) => self.problems.push(format!("{name}:1: it has no `groups`: it is no rule file")),
            Err(error) => self.problems.push(format!("{name} cannot be read: {error}")),
        }
        false
    }
}

/// The files below `folder` whose names end like those of rule files. What is hidden, and folders behind links, which
/// may lead back, are left out.
fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let fail = |error: io::Error| format!("{} cannot be read: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(fail)?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|one| ending == *one))
            && !path.is_dir()
        {
            files.insert(path);
        }
    }
    Ok(())
}

/// A folder for scaled files, and the place of each below it.
#[derive(Debug)]
pub(crate) struct ScaledFolder {
    folder: PathBuf,
    places: BTreeMap<String, PathBuf>,
}

impl ScaledFolder {
    /// Decides where the files named in `names` go. The folder must be absent or empty, so that no input can be
    /// written over.
    pub(crate) fn plan<'a>(folder: &Path, names: impl Iterator<Item = &'a String>) -> Result<Self, Failure> {
        let refuse = |why: &str| {
            let hint = "hint: name a folder that is empty or not there yet";
            Failure::plain(INVALID, &format!("cannot write to {}: {why}\n{hint}", folder.display()))
        };
        match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(refuse("it is not empty")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refuse(&error.to_string())),
        }
        let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut taken: BTreeMap<PathBuf, &String> = BTreeMap::new();
        for name in names {
            let place = below(Path::new(name));
            if let Some(other) = taken.insert(place.clone(), name) {
                let target = folder.join(&place);
                let why = format!("{other} and {name} would both be written to {}", target.display());
                let hint = "hint: scale them one after the other, each into a folder of its own";
                return Err(Failure::plain(INVALID, &format!("{why}\n{hint}")));
            }
            places.insert(name.clone(), place);
        }
        Ok(Self { folder: folder.to_owned(), places })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes the texts to their places.
    pub(crate) fn write(&self, texts: &BTreeMap<String, String>) -> Result<(), Failure> {
        for (name, text) in texts {
            let path = self.folder.join(&self.places[name]);
            let parent = path.parent().unwrap_or(&self.folder);
            std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text)).map_err(|error| {
                Failure::plain(NOT_SET_UP, &format!("failed to write {}: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}

/// `path` as a path below another: without a root, and without steps up that would leave it.
fn below(path: &Path) -> PathBuf {
    let mut place = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => place.push(name),
            Component::ParentDir => drop(place.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::below;

    #[test]
    fn a_place_is_always_below_the_folder() {
        for (path, place) in [
            ("rules/a.yml", "rules/a.yml"),
            ("./rules/a.yml", "rules/a.yml"),
            ("../../other/a.yml", "other/a.yml"),
            ("rules/../a.yml", "a.yml"),
            ("/etc/prometheus/a.yml", "etc/prometheus/a.yml"),
        ] {
            assert_eq!(below(Path::new(path)), PathBuf::from(place), "{path}");
        }
    }
}
