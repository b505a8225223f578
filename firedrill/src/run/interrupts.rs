//! Ctrl-C and SIGTERM: the first one asks the run to stop and clean up, the second one ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firedrill_record::ExitOutcome;
use tokio::sync::watch;

use crate::failure::{Failure, NOT_SET_UP};

/// Whether the run was asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts {
    asked: watch::Receiver<bool>,
}

impl Interrupts {
    /// Installs the handler; whoever installs one later does not get the signals.
    pub(crate) fn install() -> Result<Self, Failure> {
        let (sender, asked) = watch::channel(false);
        let before = Arc::new(AtomicBool::new(false));
        ctrlc::set_handler(move || {
            if before.swap(true, Ordering::SeqCst) {
                give_up();
            }
            // Nobody listens any more when the run is over.
            let _ = sender.send(true);
        })
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to handle signals: {error}")))?;
        Ok(Self { asked })
    }

    /// Whether the run was asked to stop.
    pub(crate) fn asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Ends when the run is asked to stop.
    pub(crate) async fn wait(&self) {
        let mut asked = self.asked.clone();
        // The sender lives in the handler, as long as the process.
        let _ = asked.wait_for(|asked| *asked).await;
    }
}

#[expect(clippy::print_stderr, reason = "the process ends here")]
fn give_up() {
    eprintln!(
        "interrupted twice: processes and faults of this run may be left\nhint: `firedrill restore` ends and undoes them"
    );
    std::process::exit(i32::from(ExitOutcome::Interrupted.code()));
}
