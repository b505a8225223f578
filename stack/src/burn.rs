//! Keeping processors busy: what the burner's process does.
//!
//! At the lowest priority there is, with one thread a processor and never more, for a time that it keeps itself, and
//! only while somebody holds the other end of its standard input.

use std::ffi::OsString;
use std::fs;
use std::hint::{black_box, spin_loop};
use std::io::{Read as _, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use rustix::process::{setpriority_process, setsid};
use thiserror::Error;
use tokio::time::Instant;

/// The nice value of a burner: everything else comes first.
pub(crate) const LOWEST_PRIORITY: i32 = 19;

/// Longer than the longest fault with its margin: an argument beyond this is a mistake.
const LONGEST_LEASE: Duration = Duration::from_mins(20);

/// Between two looks at the clock: well below a millisecond.
const SPINS: u32 = 10_000;

/// Processors could not be kept busy.
#[derive(Debug, Error)]
pub enum BurnError {
    /// The lease is longer than any fault.
    #[error("keep processors busy for {seconds} s: {limit} s are the most")]
    TooLong {
        /// What was asked for.
        seconds: u64,
        /// What is granted.
        limit: u64,
    },
    /// The priority could not be lowered.
    #[error("lower its own priority")]
    Priority(#[source] std::io::Error),
    /// A thread could not be started.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
}

/// The arguments that tell a program to call [`burn`] with these values: `--processors N --lease-ms N`.
pub(crate) fn burn_arguments(processors: u32, lease: Duration) -> [OsString; 4] {
    let lease = lease.as_millis().to_string();
    ["--processors".into(), processors.to_string().into(), "--lease-ms".into(), lease.into()]
}

/// Keeps `processors` processors busy, at most as many as this process may use, until `lease` is over or standard input
/// ends.
///
/// # Errors
/// When the lease is longer than 20 minutes, or the system refuses the priority or a thread: nothing burns then.
pub fn burn(processors: u32, lease: Duration) -> Result<(), BurnError> {
    if lease > LONGEST_LEASE {
        return Err(BurnError::TooLong { seconds: lease.as_secs(), limit: LONGEST_LEASE.as_secs() });
    }
    // Where the kernel makes scheduling groups of sessions a nice value counts only within one: a session of its own, as
    // low as its process. Where it makes none both do nothing.
    let _ = setsid();
    let _ = fs::write("/proc/self/autogroup", LOWEST_PRIORITY.to_string());
    // Before any thread, as threads inherit it.
    setpriority_process(None, LOWEST_PRIORITY).map_err(|error| BurnError::Priority(error.into()))?;
    let ends = Instant::now() + lease;
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    let watch = move || {
        // What is written there means nothing; only its end counts, and an error is as good.
        let _ = stdin().lock().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    };
    thread::Builder::new().spawn(watch).map_err(BurnError::Thread)?;
    let most = available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
    let threads: Result<Vec<_>, _> = (0..processors.min(most))
        .map(|_| {
            let over = Arc::clone(&over);
            thread::Builder::new().spawn(move || spin(ends, &over)).map_err(BurnError::Thread)
        })
        .collect();
    if threads.is_err() {
        over.store(true, Ordering::Relaxed);
    }
    for thread in threads? {
        // A thread that spins cannot panic.
        let _ = thread.join();
    }
    Ok(())
}

fn spin(ends: Instant, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) && Instant::now() < ends {
        for spin in 0..SPINS {
            black_box(spin);
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_beyond_every_fault_is_refused_before_anything_burns() {
        let error = burn(1, Duration::from_hours(1)).unwrap_err();
        assert!(matches!(error, BurnError::TooLong { seconds: 3600, limit: 1200 }), "{error}");
    }

    #[test]
    fn spinning_ends_with_its_time_and_when_it_is_told() {
        spin(Instant::now() + Duration::from_millis(5), &AtomicBool::new(false));
        spin(Instant::now() + Duration::from_hours(1), &AtomicBool::new(true));
    }
}
