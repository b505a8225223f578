//! The HTTP API of Alertmanager, version 2.

mod alerts;
mod client;
mod silences;
mod status;

pub use alerts::{AlertFilter, AlertGroup, AlertStatus, GettableAlert, ReceiverName, SuppressionState};
pub use client::Alertmanager;
pub use silences::{GettableSilence, Matcher, PostableSilence, SilenceId, SilenceState, SilenceStatus};
pub use status::{ClusterStatus, ConfigOriginal, Status, VersionInfo};
