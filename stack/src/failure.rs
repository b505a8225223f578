//! Why a stack could not be brought up or broken.

use std::io;
use std::path::PathBuf;

use firedrill_rulebook::{ConfigError, FolderError, WireError};
use thiserror::Error;

use crate::deadline::DeadlinePassed;
use crate::process::{PortError, ToolError};
use crate::run_folder::RunFolderError;
use crate::undo::UndoLedgerError;

/// A stack could not be brought up. Nothing of it is left running.
#[derive(Debug, Error)]
pub enum UpError {
    /// A program is missing or too old.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// No free ports could be had.
    #[error(transparent)]
    Ports(#[from] PortError),
    /// Parts found their ports taken at every try.
    #[error("start {part}: its port {address} was taken, and so it was with {tries} sets of ports")]
    PortsTaken {
        /// The part of the last try.
        part: String,
        /// The address it could not have.
        address: String,
        /// How many sets of ports were tried.
        tries: usize,
    },
    /// The configuration could not be fitted to this host.
    #[error("fit the configuration to this host")]
    Wire(#[from] WireError),
    /// The configuration could not be read.
    #[error("read the configuration")]
    Configuration(#[from] ConfigError),
    /// The configuration could not be written into the run folder.
    #[error("write the configuration into the run folder")]
    WriteConfiguration(#[from] FolderError),
    /// Prometheus or Alertmanager would refuse the configuration.
    #[error("use the configuration: {tool} refuses {file}: {said}")]
    ConfigurationRefused {
        /// The tool that was asked: `promtool`, `amtool`.
        tool: String,
        /// The file it was asked about, relative to the configuration's folder.
        file: String,
        /// Its words.
        said: String,
    },
    /// A file or folder of the stack could not be made or removed.
    #[error("prepare {}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The run folder cannot be used.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// What is about to be done could not be written down, and so was not done.
    #[error(transparent)]
    Ledger(#[from] UndoLedgerError),
    /// A part could not be started.
    #[error("start {part} ({})", program.display())]
    Spawn {
        /// The part.
        part: String,
        /// Its program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A part ended while the stack was starting.
    #[error("start {part}: it ended with {how}, and its log with:\n{log_tail}")]
    PartDied {
        /// The part.
        part: String,
        /// How it ended.
        how: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// The stack was not ready in time.
    #[error(transparent)]
    NotReady(#[from] DeadlinePassed),
}

impl UpError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tool(error) => Some(error.hint()),
            Self::Ports(error) => error.hint(),
            Self::Spawn { part, .. } => Some(format!("is the program of {part} built and executable?")),
            Self::NotReady(_) => {
                Some("is the host very busy? the logs are in the run folder, stack/*/<part>/log".to_owned())
            }
            Self::ConfigurationRefused { .. } | Self::Configuration(_) | Self::Wire(_) => {
                Some("mend the configuration; nothing was started".to_owned())
            }
            _ => None,
        }
    }
}

/// A fault could not be injected or undone.
#[derive(Debug, Error)]
pub enum FaultError {
    /// The stack has no such service.
    #[error("break {service}: this stack has no such service")]
    NoSuchService {
        /// The service.
        service: String,
    },
    /// The stack has no such part.
    #[error("kill {part}: this stack has no such part")]
    NoSuchPart {
        /// The part.
        part: String,
    },
    /// The part had ended before it could be killed.
    #[error("kill {part}: it has ended already with {how}")]
    EndedBefore {
        /// The part.
        part: String,
        /// How it ended.
        how: String,
    },
    /// The part did not end.
    #[error("kill {part}: process {pid} outlived SIGKILL")]
    OutlivedSigkill {
        /// The part.
        part: String,
        /// Its process.
        pid: u32,
    },
    /// The part does not answer as it did before the fault.
    #[error("bring {part} back")]
    NotBack {
        /// The part.
        part: String,
        /// Why not.
        #[source]
        source: UpError,
    },
    /// The fault would last longer than a service grants.
    #[error("break {service} for {seconds} s: a service grants {limit} s at most")]
    TooLong {
        /// The service.
        service: String,
        /// What was asked for, in wall seconds.
        seconds: u64,
        /// What is granted, in seconds.
        limit: u64,
    },
    /// The backend was given no program that keeps processors busy.
    #[error("keep processors of the host busy: this stack has no burner")]
    NoBurner,
    /// The host has fewer processors than shall be busy.
    #[error("keep {wanted} processors of the host busy: it has {there}")]
    TooFewProcessors {
        /// What was asked for.
        wanted: u32,
        /// What there is.
        there: u32,
    },
    /// Processors would be busy for too long.
    #[error("keep processors of the host busy for {seconds} s: {limit} s are the most")]
    BurnsTooLong {
        /// What was asked for, in wall seconds.
        seconds: u64,
        /// What is granted, in seconds.
        limit: u64,
    },
    /// The burner could not be started or ended.
    #[error("{doing} the burner")]
    Burner {
        /// `start` or `end`.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The burner did not get where it should in time.
    #[error(transparent)]
    BurnerNotThere(#[from] DeadlinePassed),
    /// The fault switch said no.
    #[error("{doing} on {service}: its fault switch answered {status}: {said}")]
    Refused {
        /// What was asked: `inject errors`.
        doing: String,
        /// The service.
        service: String,
        /// The HTTP status.
        status: u16,
        /// The reply, shortened.
        said: String,
    },
    /// The fault switch did not answer.
    #[error("{doing} on {service}: its fault switch did not answer")]
    Unreachable {
        /// What was asked.
        doing: String,
        /// The service.
        service: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// What is about to be done could not be written down, and so was not done.
    #[error(transparent)]
    Ledger(#[from] UndoLedgerError),
}
