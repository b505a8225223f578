//! A Redis of the test's own, on a socket in a folder of its own, ended with the test.

use std::process::{Child, Command, Stdio};

use firedrill_services::Secret;
use tempfile::TempDir;

use crate::running::until;

pub(crate) struct RedisServer {
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let mut server = Self { folder: TempDir::new().expect("a temporary folder"), process: None };
        server.start_again().await;
        server
    }

    /// On the same socket, empty.
    pub(crate) async fn start_again(&mut self) {
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.process = Some(process);
        let client = redis::Client::open(self.url().expose()).expect("valid url");
        until("redis is ready", async || client.get_multiplexed_async_connection().await.is_ok()).await;
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is our child");
            process.wait().expect("it is our child");
        }
    }

    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis+unix://{}/redis.sock", self.folder.path().display()))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
