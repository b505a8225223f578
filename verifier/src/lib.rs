//! The judge: pure checks over the evidence of a drill, and the collecting of that evidence.
//!
//! Everything but `collect` is a function of a [`Plan`] and [`Evidence`], so that a run can be judged again later. It
//! knows nothing of how the stack is started or the load is made, and never takes a service's word for what the
//! generator itself did.

mod alert_plan;
mod cause;
mod checks;
mod collect;
mod counters;
mod deadline;
mod diagnosis;
mod enough_events;
mod evaluations;
mod evidence;
mod growth;
mod host;
mod judge;
mod life_cycle;
mod plan;
mod proof;
mod resources;

pub use alert_plan::{AlertPlan, Baseline, Muting, Processors, longest_history_of_all};
pub use checks::alert::Outlook;
pub use collect::{Watch, WatchPlan, Witness};
pub use deadline::{Clockwork, Crossing, FirstFlush, Group, SteppingMean, Window};
pub use evidence::{EndedBecause, Evidence, LiveConfiguration, LiveRule, PartSample};
pub use growth::growth;
pub use judge::{judge, judge_again, outlook, progress};
pub use plan::Plan;
pub use proof::{Unproved, proof_of_effect};
