//! Proving which processes belong to a run.
//!
//! Every child of a run carries `FIREDRILL_RUN=<id>` in its environment from its first instruction on. A process is
//! the run's when it is this user's, still the same process (number and start time), and carries that variable; what
//! cannot be proved so is never touched. It does not know which part of the stack a process is.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use firedrill_record::RunId;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// The environment variable that marks a run's processes.
pub(crate) const RUN_VARIABLE: &str = "FIREDRILL_RUN";

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process's number.
    pub pid: u32,
    /// Its start, in the kernel's clock ticks since boot.
    pub started: u64,
}

/// A process proved to belong to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProcess {
    /// Which process it is.
    pub identity: ProcessIdentity,
    /// Its process group.
    pub group: u32,
    /// The name of its program, as the kernel shortens it.
    pub name: String,
}

impl ProcessIdentity {
    /// The identity of a living process; none when there is no such process, or only its remains.
    pub fn of(pid: u32) -> Option<Self> {
        let state = State::of(pid)?;
        (!state.dead).then_some(Self { pid, started: state.started })
    }

    /// Whether this very process still lives.
    pub fn lives(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends SIGTERM to this very process; false when it does not live any more, or may not be told.
    pub fn tell_to_end(self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        self.lives() && pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
    }
}

/// The living processes of this user that carry the mark of `run`, without the calling one.
pub fn processes_of(run: &RunId) -> io::Result<Vec<RunProcess>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if pid != std::process::id()
            && let Some(process) = proved(pid, run)
        {
            found.push(process);
        }
    }
    found.sort_by_key(|process| process.identity);
    Ok(found)
}

/// Sends `signal` to the process if it still is the run's; false when it is not, or not any more.
pub(crate) fn signal(identity: ProcessIdentity, run: &RunId, signal: Signal) -> bool {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return false };
    proved(identity.pid, run).is_some_and(|process| process.identity == identity)
        && kill_process(pid, signal).is_ok()
}

fn proved(pid: u32, run: &RunId) -> Option<RunProcess> {
    let folder = Path::new("/proc").join(pid.to_string());
    if fs::metadata(&folder).ok()?.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let before = State::of(pid)?;
    let environment = fs::read(folder.join("environ")).ok()?;
    let mark = format!("{RUN_VARIABLE}={run}");
    let marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
    let name = fs::read_to_string(folder.join("comm")).unwrap_or_default().trim().to_owned();
    // The environment read in between is this process's only if the number was not given to another meanwhile.
    let after = State::of(pid)?;
    (marked && !after.dead && before.started == after.started).then_some(RunProcess {
        identity: ProcessIdentity { pid, started: after.started },
        group: after.group,
        name,
    })
}

struct State {
    dead: bool,
    group: u32,
    started: u64,
}

impl State {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses and may hold blanks and parentheses itself.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            dead: matches!(*fields.first()?, "Z" | "X" | "x"),
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn run(suffix: u16) -> RunId {
        RunId::new(jiff::Timestamp::now(), suffix)
    }

    fn sleeper(run: &RunId) -> Child {
        Command::new("sleep").arg("600").env(RUN_VARIABLE, run.as_str()).spawn().unwrap()
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a b) c) S 1 40 40 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 987654 10 20";
        let state = State::parse(stat).unwrap();
        assert_eq!((state.group, state.started, state.dead), (40, 987_654, false));
    }

    #[test]
    fn a_process_is_told_to_end_only_while_it_is_the_same() {
        let mut child = sleeper(&run(0x1a03));
        let identity = ProcessIdentity::of(child.id()).unwrap();
        let earlier = ProcessIdentity { started: identity.started - 1, ..identity };
        assert!(!earlier.tell_to_end());
        assert!(identity.lives() && identity.tell_to_end());
        assert_eq!(child.wait().unwrap().code(), None);
        assert!(!identity.tell_to_end());
    }

    #[test]
    fn only_processes_that_carry_the_mark_of_the_run_are_found_and_signalled() {
        let (mine, other) = (run(0x1a01), run(0x1a02));
        let mut marked = sleeper(&mine);
        let mut foreign = sleeper(&other);
        let found = processes_of(&mine).unwrap();
        assert_eq!(found.iter().map(|one| one.identity.pid).collect::<Vec<_>>(), [marked.id()]);

        let identity = found[0].identity;
        let foreign_identity = ProcessIdentity::of(foreign.id()).unwrap();
        assert!(!signal(foreign_identity, &mine, Signal::KILL), "the process of another run");
        let earlier = ProcessIdentity { started: identity.started - 1, ..identity };
        assert!(!signal(earlier, &mine, Signal::KILL), "an earlier process with the same number");
        assert!(identity.lives() && foreign_identity.lives());

        assert!(signal(identity, &mine, Signal::KILL));
        marked.wait().unwrap();
        assert_eq!(processes_of(&mine).unwrap(), []);
        foreign.kill().unwrap();
        foreign.wait().unwrap();
    }
}
