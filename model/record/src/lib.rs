//! What happened: events, verdicts with their reasons, the load ledger, evidence and the run's record.
//!
//! Plain data with serde, and the run folder that stores it. It knows nothing of how load is made, how a stack is
//! started or how a verdict is reached; every report is made from what stands here.

mod comparison;
mod event;
mod evidence;
mod exit;
mod ids;
mod ledger;
mod reason;
mod run;
mod schema;
mod secret;
mod trials;
mod verdict;
mod workflows;

pub use comparison::{ComparedDrill, ComparedSegment, Comparison};
pub use event::{EventLog, EventLogError, RunEvent, RunEventKind};
pub use evidence::{EvidenceError, EvidenceFolder, EvidenceRef};
pub use exit::ExitOutcome;
pub use ids::{AlertName, DrillName, InvalidName, Labels, RunId, ServiceName};
pub use ledger::{
    ArrivalTotals, ChatTotals, LATENCY_BUCKETS_PER_OCTAVE, LatencyHistogram, Ledger, LedgerBin, LedgerEvent,
    LedgerRow, Route,
};
pub use reason::Reason;
pub use run::{
    ArrivalRecord, DrillRecord, ExpectationRecord, FaultRecord, FirstLastMost, LoadRecord, MustBe, NotRun,
    PartUse, RUN_SCHEMA, RunRecord, ScrapedTarget, Segment, StackRecord, TimelinePoint,
};
pub use schema::run_schema;
pub use secret::{Redactor, Secret};
pub use trials::{Spread, TriedDrill, TriedSegment, VerdictCount};
pub use verdict::Verdict;
pub use workflows::{CapacityRecord, CapacityStep, GrowthRecord};
