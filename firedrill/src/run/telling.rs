//! What a configuration and a stack tell, as events of the run.

use std::time::Duration;

use firedrill_record::RunEventKind;
use firedrill_rulebook::ChangeClass;
use firedrill_stack::StackEvent;

/// A change of the configuration as an event.
pub(crate) fn changed(change: &firedrill_rulebook::Change) -> RunEventKind {
    // What is not exact says so, and why.
    let what = match change.class {
        ChangeClass::Exact => change.what.clone(),
        ChangeClass::Adjusted | ChangeClass::Assumed => {
            format!("{} ({}: {})", change.what, change.class, change.note)
        }
    };
    RunEventKind::ConfigurationChanged {
        file: change.file.clone(),
        what,
        from: change.from.clone(),
        to: change.to.clone(),
    }
}

/// What a stack tells as an event of the run.
pub(crate) fn told(event: StackEvent) -> RunEventKind {
    let millis = |after: Duration| u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    match event {
        StackEvent::ConfigurationChanged(change) => changed(&change),
        StackEvent::PartStarted { part, pid, address } => RunEventKind::PartStarted { part, pid, address },
        StackEvent::PartReady { part, after } => RunEventKind::PartReady { part, after_ms: millis(after) },
        StackEvent::PortTaken { part, address } => RunEventKind::Warned {
            text: format!("{part} found {address} taken; all parts are started again on other ports"),
        },
        StackEvent::StackReady { after } => RunEventKind::StackReady { after_ms: millis(after) },
    }
}
