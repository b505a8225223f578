//! Services as processes of their own, for what is a property of a process: its memory, CPU time and log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::metric;
use crate::running::{FAULT_TOKEN, until};

pub(crate) struct ServiceProcess {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl ServiceProcess {
    pub(crate) async fn start(service: &str, environment: &[(&str, String)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = std::fs::File::create(folder.path().join("log")).expect("created");
        let child = Command::new(env!("CARGO_BIN_EXE_firedrill-services"))
            .env_clear()
            .arg(service)
            .env("FIREDRILL_LISTEN", "127.0.0.1:0")
            .env("TOKEN_SIGNING_KEY", "a key of more than sixteen bytes")
            .env("FAULT_TOKEN", FAULT_TOKEN)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("it runs");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { address, folder, child };
        let mut listening = None;
        until("the service listens", async || {
            listening =
                process.lines("listening").first().and_then(|line| line["address"].as_str()?.parse().ok());
            listening.is_some()
        })
        .await;
        process.address = listening.expect("it listens");
        process
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The log, standard error included.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).expect("UTF-8")
    }

    /// The lines of the log with this message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    pub(crate) async fn resident_bytes(&self) -> f64 {
        metric(&self.url("/metrics"), "process_resident_memory_bytes").await
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}
