//! What a drill's text refers to outside itself: journeys and an overlay of the configuration.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where the journeys and overlays of a drill are looked for.
///
/// [`FolderSurroundings`] looks on disk; a catalog that is part of a program looks in itself.
pub trait Surroundings {
    /// The journey `name`; `Err` when it is there and cannot be read.
    fn journey(&self, name: &str) -> io::Result<FoundJourney>;

    /// The folder that `config: FOLDER` means, if it exists.
    fn config(&self, folder: &str) -> Option<PathBuf>;
}

/// What was found of a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundJourney {
    /// It is there.
    Text {
        /// The file, whose name without extension is the journey's; shown in problems.
        file: PathBuf,
        /// What stands in it.
        text: String,
    },
    /// It is not there.
    Absent {
        /// The journeys that are there, for a hint.
        known: Vec<String>,
    },
}

/// The folders around a drill file.
///
/// Journeys are `NAME.yaml` in the first folder `journeys` found beside the drill or, going up, above it. Overlays are
/// relative to the drill file.
#[derive(Debug, Clone)]
pub struct FolderSurroundings {
    folder: PathBuf,
    journeys: Option<PathBuf>,
}

impl FolderSurroundings {
    /// Those of the drill file `drill`.
    pub fn of(drill: &Path) -> Self {
        let folder = drill.parent().unwrap_or(Path::new("")).to_owned();
        let mut above = Some(folder.clone());
        let folders = std::iter::from_fn(|| {
            let next = above.as_deref().and_then(parent);
            std::mem::replace(&mut above, next)
        });
        let journeys = folders.map(|folder| folder.join("journeys")).find(|journeys| journeys.is_dir());
        Self { folder, journeys }
    }

    fn known(&self) -> Vec<String> {
        let Some(entries) = self.journeys.as_ref().and_then(|journeys| journeys.read_dir().ok()) else {
            return Vec::new();
        };
        let files = entries.flatten().map(|entry| entry.path());
        let yaml = files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        let stems = yaml.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
        let mut known: Vec<String> = stems.collect();
        known.sort();
        known
    }
}

impl Surroundings for FolderSurroundings {
    fn journey(&self, name: &str) -> io::Result<FoundJourney> {
        // A name is never a path, so that a drill cannot read files elsewhere.
        let known = self.known();
        match &self.journeys {
            Some(journeys) if known.iter().any(|one| one == name) => {
                let file = journeys.join(format!("{name}.yaml"));
                let text = std::fs::read_to_string(&file)?;
                Ok(FoundJourney::Text { file, text })
            }
            _ => Ok(FoundJourney::Absent { known }),
        }
    }

    fn config(&self, folder: &str) -> Option<PathBuf> {
        let path = self.folder.join(folder);
        path.is_dir().then_some(path)
    }
}

/// The folder above, written as `folder` is: what is found relative to the working directory is shown so.
fn parent(folder: &Path) -> Option<PathBuf> {
    match folder.components().next_back() {
        Some(Component::Normal(_)) => folder.parent().map(Path::to_owned),
        // A path that only goes up has no end of its own.
        _ => folder.join(".").canonicalize().ok()?.parent().map(|_| folder.join("..")),
    }
}
