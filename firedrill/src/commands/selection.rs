//! Which drills are meant: files as named, folders with every drill below them, each once, in the order of paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use firedrill_drill::{Drill, DrillProblems, load_drill};

use super::built_in::BuiltIn;
use crate::cli::Talk;
use crate::failure::{Failure, INVALID};

/// Drills that were chosen, and the folder that some of them may need until they have run.
pub(crate) struct Selection {
    /// The drills, in the order of their paths.
    pub(crate) drills: Vec<Drill>,
    _built_in: Option<BuiltIn>,
}

/// Loads every drill of `paths`. All problems of all drills are told at once.
pub(crate) fn load(paths: &[PathBuf], talk: &Talk) -> Result<Selection, Failure> {
    let any_built_in = paths.iter().any(|path| BuiltIn::is_meant_by(path));
    let built_in = if any_built_in { Some(BuiltIn::lay_down()?) } else { None };
    let places: Vec<PathBuf> = paths
        .iter()
        .map(|path| match &built_in {
            Some(built_in) if BuiltIn::is_meant_by(path) => built_in.path(path),
            Some(_) | None => path.clone(),
        })
        .collect();
    let files = files(&places)?;
    let mut drills = Vec::new();
    let mut broken = Vec::new();
    for file in &files {
        match load_drill(file) {
            Ok(mut drill) => {
                if let Some(built_in) = &built_in {
                    drill.file = built_in.name(&drill.file);
                }
                drills.push(drill);
            }
            Err(problems) => broken.push(problems),
        }
    }
    let mut names = BTreeMap::new();
    for drill in &drills {
        if let Some(other) = names.insert(&drill.name, &drill.file) {
            let (one, other) = (drill.file.display(), other.display());
            let why =
                format!("{one} and {other} are both named {}: a run keeps one drill of a name", drill.name);
            return Err(Failure::plain(INVALID, &why));
        }
    }
    if !broken.is_empty() {
        return Err(Failure { code: INVALID, text: rendered(&broken, talk) });
    }
    Ok(Selection { drills, _built_in: built_in })
}

/// The one drill that `path` must be.
pub(crate) fn only(drills: Vec<Drill>, path: &Path) -> Result<Drill, Failure> {
    <[Drill; 1]>::try_from(drills).map(|[drill]| drill).map_err(|drills| {
        let why = format!("{} holds {} drills: name the file of one", path.display(), drills.len());
        Failure::plain(INVALID, &why)
    })
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            collect(path, &mut files)?;
            if files.len() == before {
                let why = format!("no drills found in {}: no file *.yaml is below it", path.display());
                return Err(Failure::plain(INVALID, &why));
            }
        } else {
            files.insert(path.clone());
        }
    }
    Ok(files.into_iter().collect())
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let fail = |error: std::io::Error| {
        Failure::plain(INVALID, &format!("failed to read {}: {error}", folder.display()))
    };
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.insert(path);
        }
    }
    Ok(())
}

/// The problems as miette draws them.
fn rendered(broken: &[DrillProblems], talk: &Talk) -> String {
    let theme = if talk.progress.colour {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::unicode_nocolor()
    };
    let handler = miette::GraphicalReportHandler::new_themed(theme)
        .with_width(talk.progress.width.unwrap_or(100))
        .with_links(false);
    let mut text = String::new();
    let mut count = 0;
    for problems in broken {
        for problem in problems {
            count += 1;
            // Writing to a String does not fail.
            let _ = handler.render_report(&mut text, problem);
        }
    }
    let _ = writeln!(
        text,
        "error: {count} {} in {} {}; nothing was started",
        if count == 1 { "problem" } else { "problems" },
        broken.len(),
        if broken.len() == 1 { "drill" } else { "drills" },
    );
    text
}
