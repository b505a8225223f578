//! One part of the stack as a child process: started after its intent is on disk, stopped by signal, always waited for.
//! A part that a fault kills can be started again: it is the same part then, with another process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::deadline::{Deadline, Probe};
use crate::failure::{FaultError, UpError};
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
    pub(super) plan: PartPlan,
    ledger: Arc<UndoLedger>,
    life: Mutex<Life>,
}

/// The process of a part.
#[derive(Debug)]
struct Life {
    child: Child,
    /// A fault has killed it, and it was not started again since.
    killed: bool,
    /// It did not even end on SIGKILL: nobody may wait for it any more.
    stuck: bool,
    /// The process groups of the part, this one's last.
    groups: Vec<u32>,
}

impl Part {
    pub(super) fn start(plan: PartPlan, ledger: &Arc<UndoLedger>) -> Result<Self, UpError> {
        let child = spawn(&plan, ledger)?;
        let groups = vec![child.id()];
        let life = Mutex::new(Life { child, killed: false, stuck: false, groups });
        // From here on the part stops itself when something fails.
        let part = Self { plan, ledger: Arc::clone(ledger), life };
        part.write_started(part.pid())?;
        Ok(part)
    }

    /// Kills the part's process group for a fault and waits for its end, which is not a loss until it is started again.
    /// Returns the number of the process that the kernel has ended by that signal.
    pub(super) async fn kill(&self) -> Result<u32, FaultError> {
        let part = || self.plan.name.clone();
        let pid = {
            let mut life = self.life();
            if let Some(how) = life.ended() {
                return Err(FaultError::EndedBefore { part: part(), how: how.to_string() });
            }
            // First, so that at no instant its end looks like a loss.
            life.killed = true;
            life.signal_group(Signal::KILL);
            life.child.id()
        };
        match self.gone_within(KILLED_WITHIN).await {
            Some(how) if how.signal() == Some(Signal::KILL.as_raw()) => {
                self.written(how.to_string());
                Ok(pid)
            }
            // In the same instant, by itself.
            Some(how) => {
                self.life().killed = false;
                Err(FaultError::EndedBefore { part: part(), how: how.to_string() })
            }
            None => {
                self.life().killed = false;
                Err(FaultError::OutlivedSigkill { part: part(), pid })
            }
        }
    }

    /// Starts a part anew that a fault has killed, by the same plan. One that runs, or ended by itself, is left alone.
    pub(super) fn start_again(&self) -> Result<(), UpError> {
        let pid = {
            let mut life = self.life();
            if !life.killed {
                return Ok(());
            }
            let started = spawn(&self.plan, &self.ledger);
            // From here on its end is a loss, and so is that it could not be started.
            life.killed = false;
            life.child = started?;
            let pid = life.child.id();
            life.groups.push(pid);
            pid
        };
        self.write_started(pid)
    }

    /// The number of its process, or of its last one.
    pub(super) fn pid(&self) -> u32 {
        self.life().child.id()
    }

    /// The numbers of the process groups it has had.
    pub(super) fn groups(&self) -> Vec<u32> {
        self.life().groups.clone()
    }

    /// How the process ended; none while it lives.
    pub(super) fn ended(&self) -> Option<String> {
        self.life().ended().map(|how| how.to_string())
    }

    /// How the process ended, if it was not a fault that ended it.
    pub(super) fn lost(&self) -> Option<String> {
        let mut life = self.life();
        if life.killed { None } else { life.ended().map(|how| how.to_string()) }
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        match tail(&self.log()) {
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
        let part = self.plan.name.clone();
        // In the words of the C library, which Go and Rust have in lower or upper case.
        let port_taken = tail(&self.log()).is_ok_and(|text| text.contains("ddress already in use"));
        Some(if port_taken {
            UpError::PortsTaken { part, address: self.plan.address.to_string(), tries: 1 }
        } else {
            UpError::PartDied { part, how, log_tail: self.log_tail() }
        })
    }

    /// Ends the part: SIGTERM, its grace, SIGKILL. Says how it ended, or that it did not.
    pub(super) async fn stop(&self) -> Result<String, String> {
        if let Some(how) = self.ended() {
            let by = if self.life().killed { "had been killed by a fault" } else { "had ended before" };
            return Ok(self.written(format!("{by}: {how}")));
        }
        self.life().signal_group(Signal::TERM);
        if let Some(how) = self.gone_within(self.plan.grace).await {
            return Ok(self.written(how.to_string()));
        }
        self.life().signal_group(Signal::KILL);
        if let Some(how) = self.gone_within(KILLED_WITHIN).await {
            let grace = self.plan.grace.as_secs();
            return Ok(self.written(format!("{how}, as it did not end within {grace} s")));
        }
        self.life().stuck = true;
        Err(format!("{} (process {}) outlived SIGKILL", self.plan.name, self.pid()))
    }

    async fn gone_within(&self, time: Duration) -> Option<ExitStatus> {
        let look =
            || async { self.life().ended().map_or_else(|| Probe::NotYet("alive".to_owned()), Probe::Ready) };
        Deadline::after(time).until(&format!("{} has ended", self.plan.name), look).await.ok()
    }

    fn write_started(&self, pid: u32) -> Result<(), UpError> {
        if let Some(process) = ProcessIdentity::of(pid) {
            let part = self.plan.name.clone();
            self.ledger.append(UndoEntry::PartStarted { part, process })?;
        }
        Ok(())
    }

    fn written(&self, how: String) -> String {
        let part = self.plan.name.clone();
        let entry = UndoEntry::PartEnded { part, pid: self.pid(), how: how.clone() };
        if let Err(error) = self.ledger.append(entry) {
            // The process is gone, which is what the ledger is for.
            tracing::warn!(part = self.plan.name, %error, "the end of a part could not be written down");
        }
        how
    }

    fn log(&self) -> PathBuf {
        self.plan.log()
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    /// How the process ended; none while it lives. Only asking for a process that is not a child can fail.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process is a child of this one, and waited for here only")
    }

    /// Under the lock and only while the process is not waited for, so that its number cannot be somebody else's.
    fn signal_group(&mut self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(group)) = (self.child.try_wait(), pid) {
            // One that ends in this moment is as good as signalled.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut life = self.life();
        life.signal_group(Signal::KILL);
        if !life.stuck {
            let _ = life.child.wait();
        }
    }
}

impl PartPlan {
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// Starts the process of a part, after its intent is on disk. The log of an earlier one is written on.
fn spawn(plan: &PartPlan, ledger: &UndoLedger) -> Result<Child, UpError> {
    let log = plan.log();
    let open = || -> std::io::Result<(File, File)> {
        fs::create_dir_all(plan.folder.join("data"))?;
        let file = File::options().create(true).append(true).open(&log)?;
        Ok((file.try_clone()?, file))
    };
    let (stdout, stderr) = open().map_err(|source| UpError::Folder { path: log.clone(), source })?;
    ledger.append(UndoEntry::PartStarting { part: plan.name.clone() })?;
    let spawned = Command::new(&plan.program)
        .args(&plan.arguments)
        .env_clear()
        .envs(&plan.environment)
        .current_dir(&plan.folder)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn();
    spawned.map_err(|source| UpError::Spawn {
        part: plan.name.clone(),
        program: plan.program.clone(),
        source,
    })
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
        let pid = part.pid();
        drop(part);
        assert_eq!(ProcessIdentity::of(pid), None);
    }

    #[tokio::test]
    async fn a_part_that_a_fault_kills_is_lost_only_when_it_ends_after_it_was_started_again() {
        let shell = Shell::new();
        let part = shell.start("echo started; exec sleep 600", Duration::from_secs(1));
        Shell::log_says(&part, "started").await;
        let first = part.pid();
        assert_eq!(part.kill().await.unwrap(), first);
        assert_eq!((part.ended().as_deref(), part.lost()), (Some("signal: 9 (SIGKILL)"), None));
        let again = part.kill().await.unwrap_err();
        assert!(matches!(again, FaultError::EndedBefore { .. }), "{again}");

        part.start_again().unwrap();
        let second = part.pid();
        assert_eq!((part.ended(), part.lost(), part.groups()), (None, None, vec![first, second]));
        Shell::log_says(&part, "started\nstarted").await;
        part.start_again().unwrap();
        assert_eq!(part.pid(), second, "one that runs is left alone");

        part.life().signal_group(Signal::KILL);
        let look = || async { part.lost().map_or_else(|| Probe::NotYet("alive".into()), Probe::Ready) };
        let how = Deadline::after(Duration::from_secs(10)).until("it is lost", look).await.unwrap();
        assert_eq!(how, "signal: 9 (SIGKILL)");
    }

    #[tokio::test]
    async fn a_part_that_cannot_be_started_again_is_lost() {
        let shell = Shell::new();
        let part = shell.start("exec sleep 600", Duration::from_secs(1));
        part.kill().await.unwrap();
        fs::remove_dir_all(&part.plan.folder).unwrap();
        fs::write(&part.plan.folder, "no folder").unwrap();
        assert!(part.start_again().is_err());
        assert_eq!(part.lost().as_deref(), Some("signal: 9 (SIGKILL)"));
    }

    #[test]
    fn a_part_gets_the_environment_of_its_plan_and_nothing_else() {
        let shell = Shell::new();
        let part = shell.start("env; exit 0", Duration::from_secs(1));
        let _ = part.life().child.wait().unwrap();
        let said = part.log_tail();
        assert!(
            said.lines().all(|line| ["PATH=", "PWD=", "SHLVL=", "_=", "OLDPWD="]
                .iter()
                .any(|own| line.starts_with(own))),
            "{said}"
        );
    }
}
