//! One part of the stack as a child process: started after its intent is on disk, stopped by signal, always waited for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::deadline::{Deadline, Probe};
use crate::failure::UpError;
use crate::processes::ProcessIdentity;
use crate::undo::{UndoEntry, UndoLedger};

/// The time from SIGKILL to the process being gone: only one stuck in the kernel takes it.
const KILLED_WITHIN: Duration = Duration::from_secs(5);
const TAIL_LINES: usize = 10;
const TAIL_BYTES: u64 = 8 * 1024;

/// How a part shows that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadyWhen {
    /// `GET` of the path answers 200.
    Http(&'static str),
    /// It answers `PING` with `+PONG`.
    Redis,
}

/// A part to start.
#[derive(Debug)]
pub(super) struct PartPlan {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The whole environment.
    pub(super) environment: BTreeMap<String, String>,
    /// Working directory; the log lies in it.
    pub(super) folder: PathBuf,
    pub(super) address: SocketAddr,
    pub(super) ready_when: ReadyWhen,
    /// From SIGTERM to SIGKILL.
    pub(super) grace: Duration,
}

/// A part that was started. Dropped, its process group is killed and waited for.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) ready_when: ReadyWhen,
    pub(super) pid: u32,
    log: PathBuf,
    grace: Duration,
    ledger: Arc<UndoLedger>,
    child: Mutex<Child>,
    /// It did not even end on SIGKILL: nobody may wait for it any more.
    stuck: AtomicBool,
}

impl Part {
    pub(super) fn start(plan: PartPlan, ledger: &Arc<UndoLedger>) -> Result<Self, UpError> {
        let PartPlan { name, program, arguments, environment, folder, address, ready_when, grace } = plan;
        let log = folder.join("log");
        let open = || -> std::io::Result<(File, File)> {
            fs::create_dir_all(folder.join("data"))?;
            let file = File::options().create(true).append(true).open(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (stdout, stderr) = open().map_err(|source| UpError::Folder { path: log.clone(), source })?;
        ledger.append(UndoEntry::PartStarting { part: name.clone() })?;
        let child = Command::new(&program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(|source| UpError::Spawn { part: name.clone(), program, source })?;
        let pid = child.id();
        let ledger = Arc::clone(ledger);
        let child = Mutex::new(child);
        let stuck = AtomicBool::new(false);
        // From here on the part stops itself when something fails.
        let part = Self { name, address, ready_when, pid, log, grace, ledger, child, stuck };
        if let Some(process) = ProcessIdentity::of(pid) {
            part.ledger.append(UndoEntry::PartStarted { part: part.name.clone(), process })?;
        }
        Ok(part)
    }

    /// How the process ended; none while it lives.
    pub(super) fn ended(&self) -> Option<String> {
        match self.child().try_wait() {
            Ok(status) => status.map(|status| status.to_string()),
            Err(error) => Some(format!("an unknown end: {error}")),
        }
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        match tail(&self.log) {
            Ok(text) => {
                let lines: Vec<&str> = text.lines().collect();
                lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
            }
            Err(error) => format!("(no log: {error})"),
        }
    }

    /// The part's failure, if it ended; a port that was taken is told apart.
    pub(super) fn death(&self) -> Option<UpError> {
        let how = self.ended()?;
        let part = self.name.clone();
        // In the words of the C library, which Go and Rust have in lower or upper case.
        let port_taken = tail(&self.log).is_ok_and(|text| text.contains("ddress already in use"));
        Some(if port_taken {
            UpError::PortsTaken { part, address: self.address.to_string(), tries: 1 }
        } else {
            UpError::PartDied { part, how, log_tail: self.log_tail() }
        })
    }

    /// Ends the part: SIGTERM, its grace, SIGKILL. Says how it ended, or that it did not.
    pub(super) async fn stop(&self) -> Result<String, String> {
        if let Some(how) = self.ended() {
            return Ok(self.written(format!("had ended before: {how}")));
        }
        self.signal_group(Signal::TERM);
        if let Some(how) = self.gone_within(self.grace).await {
            return Ok(self.written(how));
        }
        self.signal_group(Signal::KILL);
        if let Some(how) = self.gone_within(KILLED_WITHIN).await {
            return Ok(self.written(format!("{how}, as it did not end within {} s", self.grace.as_secs())));
        }
        self.stuck.store(true, Ordering::Relaxed);
        Err(format!("{} (process {}) outlived SIGKILL", self.name, self.pid))
    }

    async fn gone_within(&self, time: Duration) -> Option<String> {
        let look = || async { self.ended().map_or_else(|| Probe::NotYet("alive".to_owned()), Probe::Ready) };
        Deadline::after(time).until(&format!("{} has ended", self.name), look).await.ok()
    }

    fn written(&self, how: String) -> String {
        let entry = UndoEntry::PartEnded { part: self.name.clone(), pid: self.pid, how: how.clone() };
        if let Err(error) = self.ledger.append(entry) {
            // The process is gone, which is what the ledger is for.
            tracing::warn!(part = self.name, %error, "the end of a part could not be written down");
        }
        how
    }

    /// Under the child's lock and only while it is not waited for, so that its number cannot be somebody else's.
    fn signal_group(&self, signal: Signal) {
        let mut child = self.child();
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(group)) = (child.try_wait(), pid) {
            // One that ends in this moment is as good as signalled.
            let _ = kill_process_group(group, signal);
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        if !self.stuck.load(Ordering::Relaxed) {
            let _ = self.child().wait();
        }
    }
}

/// The end of a log.
fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shell {
        folder: tempfile::TempDir,
        ledger: Arc<UndoLedger>,
    }

    impl Shell {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let ledger = Arc::new(UndoLedger::open(&folder.path().join("undo.jsonl")).unwrap());
            Self { folder, ledger }
        }

        fn start(&self, script: &str, grace: Duration) -> Part {
            let plan = PartPlan {
                name: "shell".to_owned(),
                program: "/bin/sh".into(),
                arguments: vec!["-c".into(), script.into()],
                environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
                folder: self.folder.path().join("shell"),
                address: "127.0.0.1:1".parse().unwrap(),
                ready_when: ReadyWhen::Redis,
                grace,
            };
            Part::start(plan, &self.ledger).unwrap()
        }

        async fn log_says(part: &Part, text: &str) {
            Deadline::after(Duration::from_secs(10))
                .until(&format!("the log says {text}"), || async {
                    let tail = part.log_tail();
                    if tail.contains(text) { Probe::Ready(()) } else { Probe::NotYet(tail) }
                })
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_part_that_ignores_sigterm_is_killed_with_its_own_children() {
        let shell = Shell::new();
        let part =
            shell.start("trap '' TERM; sleep 600 & echo child $!; wait; wait", Duration::from_millis(100));
        Shell::log_says(&part, "child ").await;
        let grandchild: u32 = part.log_tail().trim().strip_prefix("child ").unwrap().parse().unwrap();
        let how = part.stop().await.unwrap();
        assert!(how.contains("SIGKILL"), "{how}");
        Deadline::after(Duration::from_secs(10))
            .until("the grandchild is gone", || async {
                if ProcessIdentity::of(grandchild).is_none() {
                    Probe::Ready(())
                } else {
                    Probe::NotYet("alive".into())
                }
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_dead_with_the_last_lines_of_its_log() {
        let shell = Shell::new();
        let part = shell.start("for i in $(seq 30); do echo line $i; done; exit 3", Duration::from_secs(1));
        let deadline = Deadline::after(Duration::from_secs(10));
        deadline
            .until("it ended", || async {
                part.ended().map_or_else(|| Probe::NotYet("alive".into()), Probe::Ready)
            })
            .await
            .unwrap();
        let Some(UpError::PartDied { how, log_tail, .. }) = part.death() else { panic!("not dead") };
        assert_eq!(how, "exit status: 3");
        assert!(log_tail.starts_with("line 21\n") && log_tail.ends_with("line 30"), "{log_tail}");
    }

    #[test]
    fn a_dropped_part_is_killed_and_waited_for() {
        let shell = Shell::new();
        let part = shell.start("sleep 600", Duration::from_secs(1));
        let pid = part.pid;
        drop(part);
        assert_eq!(ProcessIdentity::of(pid), None);
    }

    #[test]
    fn a_part_gets_the_environment_of_its_plan_and_nothing_else() {
        let shell = Shell::new();
        let part = shell.start("env; exit 0", Duration::from_secs(1));
        let _ = part.child().wait().unwrap();
        let said = part.log_tail();
        assert!(
            said.lines().all(|line| ["PATH=", "PWD=", "SHLVL=", "_=", "OLDPWD="]
                .iter()
                .any(|own| line.starts_with(own))),
            "{said}"
        );
    }
}
