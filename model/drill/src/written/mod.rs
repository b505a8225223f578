//! Drills and journeys as they are written: the shape of the files, not yet checked.
//!
//! Every value that a check can refuse keeps its place. The JSON schemas are made from these types, so their comments
//! are what an editor shows.

mod drill;
mod fault;
mod journey;
mod notation;

pub(crate) use drill::{
    AlertText, ArrivalsText, ChatText, DrillText, ExpectationText, LabelsText, LoadText, LoadThresholdsText,
    MetricText, MustBeText, QuietText, TimedText, TruthText, UsersText,
};
pub(crate) use fault::{
    BadMetricsText, CpuText, ErrorsText, FaultText, GaugeText, HangText, HostCpuText, KillText, LatencyText,
    MemoryText, RefuseText, SlowBodyText,
};
pub(crate) use journey::{FanOutText, JourneyText, PaceText, StepText};
