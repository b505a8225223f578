//! `cpu {share}`: a thread computes for nothing, for a share of one processor's time.

use std::hint::black_box;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::ApiError;
use http::StatusCode;

const PAUSE: Duration = Duration::from_millis(5);
/// What a host that was too busy withheld is caught up with, but no more than this.
const LONGEST_DEBT_SECONDS: f64 = 0.5;
const ROUNDS_BETWEEN_LOOKS: u32 = 50_000;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CpuOrder {
    share: f64,
}

/// The thread; it ends when this is dropped.
pub(super) struct BusyThread {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl CpuOrder {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if (0.0..=1.0).contains(&self.share) {
            Ok(())
        } else {
            Err(ApiError::invalid("cpu.share must be 0 to 1"))
        }
    }

    pub(super) fn begin(&self) -> Result<BusyThread, ApiError> {
        let share = self.share;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("cpu-fault".to_owned())
            .spawn(move || burn(share, &stopped))
            .map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no thread could be started"))?;
        Ok(BusyThread { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for BusyThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It looks every millisecond or so; it cannot panic.
            let _ = thread.join();
        }
    }
}

/// Computes while its own CPU time is below `share` of the time that has passed.
fn burn(share: f64, stopped: &mpsc::Receiver<()>) {
    let begun = Instant::now();
    let mut forgiven = 0.0;
    loop {
        let owed = begun.elapsed().as_secs_f64() * share - forgiven - own_cpu_seconds();
        if owed > LONGEST_DEBT_SECONDS {
            forgiven += owed - LONGEST_DEBT_SECONDS;
        }
        if owed > 0.0 {
            for round in 0..ROUNDS_BETWEEN_LOOKS {
                black_box(round);
            }
            match stopped.try_recv() {
                Err(TryRecvError::Empty) => {}
                Ok(()) | Err(TryRecvError::Disconnected) => return,
            }
        } else {
            match stopped.recv_timeout(PAUSE) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

fn own_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
