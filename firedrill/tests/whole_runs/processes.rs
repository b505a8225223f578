//! Which processes carry a run's mark, read from the kernel and not from firedrill.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// The processes of the run, by number. The remains of ended ones have no environment and do not count.
pub(crate) fn of_run(run: &str) -> Vec<u32> {
    let mark = format!("FIREDRILL_RUN={run}");
    let mut found: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let environment = fs::read(Path::new("/proc").join(pid.to_string()).join("environ"));
            environment.is_ok_and(|it| it.split(|byte| *byte == 0).any(|one| one == mark.as_bytes()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Sends `signal` to `pid`; that it is gone already is nobody's fault.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}
