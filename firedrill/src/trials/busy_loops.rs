//! Busy loops beside a trial: a child process that keeps processors busy, to see whether a busy host changes a verdict.
//!
//! They are bounded twice: each ends after a time, and all end when their standard input does, which the kernel closes
//! when the harness ends, however it ends. So nothing is left to undo, and they still carry the run's id.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firedrill_record::RunId;
use tokio::time::Instant;

use crate::cli::BUSY_LOOPS;
use crate::run::Beside;

/// The name under which a trial's record has what the loops used.
pub(super) const PART: &str = "busy-loops";

/// No trial needs them longer.
const LONGEST: Duration = Duration::from_hours(2);

/// Iterations between two looks at the clock: some milliseconds.
const STRIDE: u64 = 1_000_000;

/// Busy loops that run.
#[derive(Debug)]
pub(crate) struct BusyLoops {
    child: Child,
}

impl BusyLoops {
    /// Starts so many of them for the run `run`.
    ///
    /// # Errors
    /// A sentence, when the process cannot be started.
    pub(crate) fn start(loops: u32, run: &RunId) -> Result<Self, String> {
        // This program, whatever lies at its path by now.
        let child = Command::new("/proc/self/exe")
            .args([BUSY_LOOPS, "--loops", &loops.to_string()])
            .args(["--most", &format!("{}s", LONGEST.as_secs())])
            .env("FIREDRILL_RUN", run.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's Ctrl-C: the harness ends them.
            .process_group(0)
            .spawn();
        child.map(|child| Self { child }).map_err(|error| format!("failed to start busy loops: {error}"))
    }
}

impl Beside for BusyLoops {
    fn name(&self) -> &'static str {
        PART
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn end(mut self: Box<Self>) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the busy loops ended before the trial did: {status}")),
            Err(error) => Err(format!("failed to look after the busy loops: {error}")),
        }
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the child does: `loops` threads count for `most` at the longest, and until standard input ends.
pub(crate) fn spin(loops: u32, most: Duration) {
    let end = Instant::now() + most;
    for _ in 0..loops {
        std::thread::spawn(move || {
            let mut count = 0_u64;
            while Instant::now() < end {
                for _ in 0..STRIDE {
                    count = std::hint::black_box(count.wrapping_add(1));
                }
            }
            // The others have the same end.
            std::process::exit(0);
        });
    }
    // Nothing is ever sent: it ends when the other side is gone. What cannot be read is at its end as well.
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
}
