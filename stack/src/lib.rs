//! Starting, stopping and breaking the monitored system, and cleaning up after runs that could not do it themselves.
//!
//! A [`Backend`] brings a [`Stack`] up from a [`StackPlan`]; the [`RunFolder`] holds the lock that says a run is alive
//! and the ledger that says what would have to be undone; [`restore`] undoes it for runs whose owner is gone. What is
//! done to the stack is written down before it is done. This crate judges nothing, makes no load, and knows of drills
//! only the faults.

mod backend;
mod burn;
mod deadline;
mod default_configuration;
mod failure;
#[cfg(any(test, feature = "fake"))]
mod fake;
mod faults;
mod places;
mod process;
mod processes;
mod restore;
mod run_folder;
mod undo;

pub use backend::{
    Addresses, Backend, DownReport, InjectedFault, LostPart, Stack, StackEvent, StackPlan, StoppedPart,
    Undone,
};
pub use burn::{BurnError, burn};
pub use deadline::{Deadline, DeadlinePassed, Probe};
pub use default_configuration::default_configuration;
pub use failure::{FaultError, UpError};
#[cfg(any(test, feature = "fake"))]
pub use fake::{FakeBackend, FakeCall};
pub use places::{InvalidRunRef, RunPlaces, RunRef, UnfinishedRun};
pub use process::{BurnerProgram, PortChoice, PortError, ProcessBackend, ToolError, ask_parts};
pub use processes::{ProcessIdentity, RunProcess, processes_of};
pub use restore::{
    EndedProcess, RestoreError, RestoreEvent, RestoreReport, RestoredRun, RestoredState, restore, restore_in,
};
pub use run_folder::{RunFolder, RunFolderError};
pub use undo::{UndoEntry, UndoHistory, UndoLedger, UndoLedgerError};
