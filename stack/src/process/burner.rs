//! The burner: a child process that keeps processors of the host busy, at the lowest priority.
//!
//! It cannot outlive the harness: it ends when its standard input does, when its time is over, and it carries the mark
//! by which `restore` finds what is the run's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;
use rustix::process::{Pid, getpriority_process};

use crate::burn::{LOWEST_PRIORITY, burn_arguments};
use crate::deadline::{Deadline, Probe};
use crate::failure::FaultError;
use crate::faults::Burning;
use crate::processes::ProcessIdentity;
use crate::undo::{UndoEntry, UndoLedger};

/// The undo comes first unless the harness is gone.
const MARGIN: Duration = Duration::from_secs(15);
/// From its start to its having lowered its priority; a busy host may take its time.
const LOWERED_WITHIN: Duration = Duration::from_secs(5);
/// From SIGKILL to its end.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What is started to burn: a program that ends up in [`crate::burn`].
#[derive(Debug, Clone)]
pub struct BurnerProgram {
    /// The program.
    pub program: PathBuf,
    /// Its arguments before those that say how much and how long.
    pub arguments: Vec<OsString>,
}

/// The place of the burner in a stack, with its process while there is one. Dropped, that is killed and waited for.
#[derive(Debug)]
pub(super) struct Burner {
    program: Option<BurnerProgram>,
    /// The whole environment of the process.
    environment: BTreeMap<String, String>,
    /// Its working directory, made when it is needed.
    folder: PathBuf,
    ledger: Arc<UndoLedger>,
    burning: Mutex<Option<Child>>,
}

impl Burner {
    pub(super) fn new(
        program: Option<BurnerProgram>,
        environment: BTreeMap<String, String>,
        folder: PathBuf,
        ledger: Arc<UndoLedger>,
    ) -> Self {
        Self { program, environment, folder, ledger, burning: Mutex::new(None) }
    }

    /// The number of its process while that runs.
    pub(super) fn pid(&self) -> Option<u32> {
        let mut burning = self.burning();
        let child = burning.as_mut()?;
        matches!(child.try_wait(), Ok(None)).then(|| child.id())
    }

    fn burning(&self) -> MutexGuard<'_, Option<Child>> {
        self.burning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, processors: u32, lasts: Duration) -> Result<u32, FaultError> {
        let fail = |source| FaultError::Burner { doing: "start", source };
        let program = self.program.as_ref().ok_or(FaultError::NoBurner)?;
        fs::create_dir_all(&self.folder).map_err(fail)?;
        let log = fs::File::create(self.folder.join("log")).map_err(fail)?;
        self.ledger.append(UndoEntry::PartStarting { part: Fault::BURNER.to_owned() })?;
        let child = Command::new(&program.program)
            .args(&program.arguments)
            .args(burn_arguments(processors, lasts + MARGIN))
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(fail)?;
        let pid = child.id();
        // From here on it is ended when something fails.
        *self.burning() = Some(child);
        if let Some(process) = ProcessIdentity::of(pid) {
            self.ledger.append(UndoEntry::PartStarted { part: Fault::BURNER.to_owned(), process })?;
        }
        Ok(pid)
    }

    /// Whether it runs at the lowest priority by now: what it does to the host otherwise nobody has asked for.
    async fn has_lowered_itself(&self, pid: u32) -> Result<(), FaultError> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let look = || async move {
            match getpriority_process(number) {
                Ok(LOWEST_PRIORITY) => Probe::Ready(()),
                Ok(other) => Probe::NotYet(format!("nice {other}")),
                Err(error) => Probe::NotYet(error.to_string()),
            }
        };
        let what = format!("the burner runs at nice {LOWEST_PRIORITY}");
        Ok(Deadline::after(LOWERED_WITHIN).until(&what, look).await?)
    }
}

#[async_trait]
impl Burning for Burner {
    fn check(&self, processors: Option<u32>, lasts: Duration) -> Result<(), FaultError> {
        if self.program.is_none() {
            return Err(FaultError::NoBurner);
        }
        let (there, limit) = (processors_here(), Fault::LONGEST_HOST_CPU);
        let wanted = processors.unwrap_or(there);
        if wanted > there {
            return Err(FaultError::TooFewProcessors { wanted, there });
        }
        if lasts > limit {
            return Err(FaultError::BurnsTooLong { seconds: lasts.as_secs(), limit: limit.as_secs() });
        }
        Ok(())
    }

    async fn burn(&self, processors: Option<u32>, lasts: Duration) -> Result<String, FaultError> {
        let processors = processors.unwrap_or_else(processors_here);
        let pid = self.spawn(processors, lasts)?;
        self.has_lowered_itself(pid).await?;
        Ok(format!("the burner (process {pid}) runs at nice {LOWEST_PRIORITY} on {processors} processors"))
    }

    async fn put_out(&self) -> Result<Option<String>, FaultError> {
        let Some(pid) = self.burning().as_mut().map(|child| child.id()) else { return Ok(None) };
        let look = || async {
            let mut burning = self.burning();
            let Some(child) = burning.as_mut() else { return Probe::Ready(Ok("it was gone".to_owned())) };
            // Of one that has ended already it says so, which is as good.
            let _ = child.kill();
            match child.try_wait() {
                Ok(Some(how)) => {
                    *burning = None;
                    Probe::Ready(Ok(how.to_string()))
                }
                Ok(None) => Probe::NotYet("alive".to_owned()),
                Err(source) => Probe::Ready(Err(source)),
            }
        };
        let how = Deadline::after(GONE_WITHIN)
            .until("the burner has ended", look)
            .await?
            .map_err(|source| FaultError::Burner { doing: "end", source })?;
        self.ledger.append(UndoEntry::PartEnded { part: Fault::BURNER.to_owned(), pid, how: how.clone() })?;
        Ok(Some(format!("the burner (process {pid}) ended with {how}")))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        if let Some(mut child) = self.burning().take()
            && child.kill().is_ok()
        {
            let _ = child.wait();
        }
    }
}

/// Those that a process of this host may use.
fn processors_here() -> u32 {
    available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        burner: Burner,
    }

    /// A burner that is this shell script.
    fn place(script: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let program = BurnerProgram {
            program: "/bin/sh".into(),
            arguments: ["-c", script, "burner"].map(OsString::from).into(),
        };
        let ledger = Arc::new(UndoLedger::open(&folder.path().join("undo.jsonl")).unwrap());
        let path = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())]);
        let burner = Burner::new(Some(program), path, folder.path().join("burner"), ledger);
        Place { folder, burner }
    }

    const LASTS: Duration = Duration::from_secs(8);
    const WELL_BEHAVED: &str = "echo \"$@\" > said; exec nice -n 19 cat";

    #[tokio::test]
    async fn the_burner_is_told_how_much_and_how_long_and_is_put_out() {
        let Place { folder, burner } = place(WELL_BEHAVED);
        let witnessed = burner.burn(Some(1), LASTS).await.unwrap();
        let pid = burner.pid().unwrap();
        assert_eq!(witnessed, format!("the burner (process {pid}) runs at nice 19 on 1 processors"));
        let said = fs::read_to_string(folder.path().join("burner/said")).unwrap();
        assert_eq!(said, "--processors 1 --lease-ms 23000\n");
        let ended = burner.put_out().await.unwrap().unwrap();
        assert!(ended.ends_with("ended with signal: 9 (SIGKILL)"), "{ended}");
        assert_eq!(burner.pid(), None);
        assert_eq!(burner.put_out().await.unwrap(), None, "putting out what does not burn is well");
        let written = fs::read_to_string(folder.path().join("undo.jsonl")).unwrap();
        let kinds: Vec<bool> = ["part-starting", "part-started", "part-ended"]
            .iter()
            .zip(written.lines())
            .map(|(kind, line)| line.contains(kind) && line.contains("burner"))
            .collect();
        assert_eq!(kinds, [true; 3], "{written}");
    }

    #[tokio::test]
    async fn a_burner_that_has_ended_by_itself_says_how() {
        let Place { burner, folder: _folder } = place("renice -n 19 -p $$ >/dev/null; read line");
        burner.burn(Some(1), LASTS).await.unwrap();
        // What it would see of a harness that is gone.
        drop(burner.burning().as_mut().unwrap().stdin.take());
        let gone = || async { burner.pid().map_or(Probe::Ready(()), |_| Probe::NotYet("alive".into())) };
        Deadline::after(LASTS).until("it ended", gone).await.unwrap();
        let ended = burner.put_out().await.unwrap().unwrap();
        assert!(ended.ends_with("ended with exit status: 1"), "{ended}");
    }

    #[tokio::test]
    async fn a_dropped_burner_is_killed() {
        let Place { burner, folder: _folder } = place(WELL_BEHAVED);
        burner.burn(Some(1), LASTS).await.unwrap();
        let process = ProcessIdentity::of(burner.pid().unwrap()).unwrap();
        drop(burner);
        assert!(!process.lives());
    }

    #[test]
    fn too_many_processors_too_long_a_time_and_no_program_are_refused() {
        let Place { burner, folder } = place(WELL_BEHAVED);
        let refused = |processors, lasts| burner.check(processors, lasts).unwrap_err();
        assert!(matches!(refused(Some(4096), LASTS), FaultError::TooFewProcessors { wanted: 4096, .. }));
        let hour = Duration::from_hours(1);
        assert!(matches!(refused(None, hour), FaultError::BurnsTooLong { seconds: 3600, limit: 900 }));
        assert!(burner.check(None, LASTS).is_ok());
        let ledger = Arc::clone(&burner.ledger);
        let none = Burner::new(None, BTreeMap::new(), folder.path().to_owned(), ledger);
        assert!(matches!(none.check(None, LASTS).unwrap_err(), FaultError::NoBurner));
    }
}
