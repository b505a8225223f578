//! Text and files to checked drills and journeys.

use std::path::Path;

use crate::check::{Problems, check_drill, check_journey};
use crate::journey::Journey;
use crate::plan::Drill;
use crate::problem::{DrillProblem, DrillProblems};
use crate::source::SourceText;
use crate::surroundings::{FolderSurroundings, Surroundings};
use crate::yaml;

/// Reads and checks the drill in the file `path`, with the journeys and the overlay it names.
pub fn load_drill(path: &Path) -> Result<Drill, DrillProblems> {
    parse_drill(&text_of(path)?, path, &FolderSurroundings::of(path))
}

/// Checks the drill in `text`. `file` gives it its name and is shown in problems; it is not read.
///
/// Every problem of the drill and of the journeys it names is in the error, but for a text that is not YAML or not of a
/// drill's shape: there reading stops at the first.
pub fn parse_drill(text: &str, file: &Path, surroundings: &dyn Surroundings) -> Result<Drill, DrillProblems> {
    let source = SourceText::new(file, text);
    let written = yaml::read(&source)?;
    let mut problems = Problems::new(&source);
    let drill = check_drill(written, &source, surroundings, &mut problems);
    drill.map_err(|_| DrillProblems::new(file, problems.into_found()))
}

/// Reads and checks the journey in the file `path`.
pub fn load_journey(path: &Path) -> Result<Journey, DrillProblems> {
    parse_journey(&text_of(path)?, path)
}

/// Checks the journey in `text`. `file` gives it its name and is shown in problems; it is not read.
pub fn parse_journey(text: &str, file: &Path) -> Result<Journey, DrillProblems> {
    let source = SourceText::new(file, text);
    let written = yaml::read(&source)?;
    let mut problems = Problems::new(&source);
    let journey = check_journey(written, &source, &mut problems);
    journey.map_err(|_| DrillProblems::new(file, problems.into_found()))
}

fn text_of(path: &Path) -> Result<String, DrillProblems> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        let problem =
            DrillProblem::of_file(path, message, "name a drill or journey file, UTF-8 text in YAML");
        DrillProblems::new(path, vec![problem])
    })
}
