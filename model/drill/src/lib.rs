//! What is asked: drills and journeys, parsed with positions and checked.
//!
//! Text becomes a [`Drill`] only when every problem in it is solved; nothing else can be run. It knows nothing of the
//! running configuration: whether an alert exists is judged later, not here.

mod check;
mod fault;
mod journey;
mod load;
mod placeholders;
mod plan;
mod problem;
mod read;
mod schema;
mod source;
mod spelling;
mod surroundings;
mod units;
mod written;
mod yaml;

pub use fault::{BadMetrics, Fault};
pub use journey::{Body, Capture, FanOut, FanOutStatus, Journey, Pace, Step};
pub use load::Load;
pub use plan::{
    Action, AlertExpectation, AlertOutcome, Backend, Drill, Expectation, LabelMatcher, LoadExpectation,
    MetricExpectation, QuietExpectation, Timed, TruthExpectation,
};
pub use problem::{DrillProblem, DrillProblems};
pub use read::{load_drill, load_journey, parse_drill, parse_journey};
pub use schema::{drill_schema, journey_schema};
pub use surroundings::{FolderSurroundings, FoundJourney, Surroundings};
pub use units::{ByteSize, ParseUnitError, Rate, Ratio, parse_drill_duration};
