//! What the harness runs beside a drill on purpose, for as long as the drill takes.

use firedrill_drill::Drill;
use firedrill_record::RunId;

/// A process beside one drill. It ends when it is dropped, too.
pub(crate) trait Beside: Send + Sync {
    /// The name under which the drill's record has what it used.
    fn name(&self) -> &'static str;

    /// Its process.
    fn pid(&self) -> u32;

    /// Ends it when the drill has ended.
    ///
    /// # Errors
    /// A sentence, when it was not there until now: the drill did not run beside it, then.
    fn end(self: Box<Self>) -> Result<(), String>;
}

/// Starts what runs beside a drill of a run; nothing for most.
///
/// # Errors
/// A sentence, when it cannot be started: the drill does not run, then.
pub(crate) type Company = Box<dyn FnMut(&Drill, &RunId) -> Result<Option<Box<dyn Beside>>, String> + Send>;
