//! Starting it, finding its address in its log, ending it.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);

/// A running server and its folder.
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
    address: Option<Url>,
}

impl Running {
    /// Starts the first of `binaries` that is installed, in a folder holding `files`.
    pub(crate) async fn start(binaries: &[&str], files: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("the temporary folder is writable");
        }
        let log = File::create(folder.path().join("log")).expect("the temporary folder is writable");
        let child = binaries.iter().find_map(|binary| {
            let log = log.try_clone().expect("a file can be shared");
            Command::new(binary)
                .args(arguments)
                .arg("--web.listen-address=127.0.0.1:0")
                .current_dir(folder.path())
                .stderr(log)
                .spawn()
                .ok()
        });
        let Some(child) = child else { panic!("none of {binaries:?} is installed") };
        let mut running = Self { child, folder, address: None };
        until("the server listens", async || {
            running.address = running.logged_address();
            running.address.is_some()
        })
        .await;
        running
    }

    pub(crate) fn address(&self) -> Url {
        self.address.clone().expect("the server listens once it is started")
    }

    /// Replaces a file of the server's folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("the temporary folder is writable");
    }

    fn logged_address(&mut self) -> Option<Url> {
        let log = fs::read_to_string(self.folder.path().join("log")).expect("the log is there");
        let exit = self.child.try_wait().expect("the child is ours");
        assert!(exit.is_none(), "the server ended by itself: {log}");
        let line = log.lines().find(|line| line.contains("Listening on"))?;
        let address = line.split_once("address=")?.1.split_whitespace().next()?;
        format!("http://{address}/").parse().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let killed = self.child.kill();
        let ended = self.child.wait();
        assert!(
            std::thread::panicking() || (killed.is_ok() && ended.is_ok()),
            "the server could not be ended"
        );
    }
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(GLANCE).await;
    }
}
