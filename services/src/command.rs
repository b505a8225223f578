//! The command line: which service, where it listens, how it logs, and when it stops.

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;

use http::Uri;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::{EnvFilter, fmt as log};

use crate::config::{ConfigError, ServiceConfig};
use crate::healthcheck;
use crate::server::ServeError;
use crate::{auth, chat, gateway, notification, user};

const USAGE: &str = "usage: firedrill-services <gateway|auth|user|chat|notification>\n       \
                     firedrill-services healthcheck <url>";
const EXIT_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 2;

/// The name of one of the five services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceName {
    /// The API gateway.
    Gateway,
    /// Registration, login, tokens.
    Auth,
    /// User records.
    User,
    /// Rooms over WebSocket.
    Chat,
    /// Notifications and the Alertmanager webhook.
    Notification,
}

impl ServiceName {
    /// The port it listens on unless told otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Gateway => 3000,
            Self::Auth => 3001,
            Self::User => 3002,
            Self::Chat => 3003,
            Self::Notification => 3004,
        }
    }

    /// As it is written on the command line, in logs and in `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Auth => "auth",
            Self::User => "user",
            Self::Chat => "chat",
            Self::Notification => "notification",
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such service")]
pub struct NoSuchService;

impl FromStr for ServiceName {
    type Err = NoSuchService;

    fn from_str(text: &str) -> Result<Self, NoSuchService> {
        [Self::Gateway, Self::Auth, Self::User, Self::Chat, Self::Notification]
            .into_iter()
            .find(|service| service.as_str() == text)
            .ok_or(NoSuchService)
    }
}

/// Runs the command line: exit code 0 when the service stopped as it was told (or is healthy), 1 when it
/// could not serve (or is not), 2 when the arguments or the environment are wrong.
pub fn run(arguments: impl Iterator<Item = String>, lookup: impl Fn(&str) -> Option<String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments, &lookup) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to tell it to when stderr is closed.
            let _ = writeln!(std::io::stderr(), "{}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self { code: EXIT_USAGE, message: message.into() }
    }

    fn failed(message: impl Into<String>) -> Self {
        Self { code: EXIT_FAILED, message: message.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::failed(format!("{error}{cause}"))
    }
}

fn command(arguments: &[&str], lookup: &dyn Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let runtime = || {
        tokio::runtime::Runtime::new()
            .map_err(|error| Failure::failed(format!("failed to start the runtime: {error}")))
    };
    match arguments {
        ["-h" | "--help"] => {
            let _ = writeln!(std::io::stdout(), "{USAGE}");
            Ok(())
        }
        ["healthcheck", url] => {
            let url = Uri::from_str(url)
                .ok()
                .filter(|url| url.scheme_str() == Some("http") && url.host().is_some())
                .ok_or_else(|| Failure::usage("the URL to check must be http://host:port/path"))?;
            runtime()?
                .block_on(healthcheck::check(url))
                .map_err(|unhealthy| Failure::failed(unhealthy.to_string()))
        }
        [name] => {
            let service = ServiceName::from_str(name).map_err(|_| Failure::usage(USAGE))?;
            let address = listen_address(service, lookup)?;
            let config = ServiceConfig::from_environment(service, lookup)?;
            log_to_stdout(lookup)?;
            runtime()?.block_on(serve(address, config))
        }
        _ => Err(Failure::usage(USAGE)),
    }
}

fn listen_address(
    service: ServiceName,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<SocketAddr, ConfigError> {
    let text = lookup("FIREDRILL_LISTEN").filter(|text| !text.is_empty());
    let Some(text) = text else { return Ok(SocketAddr::from(([127, 0, 0, 1], service.default_port()))) };
    text.parse().map_err(|_| ConfigError::Wrong {
        variable: "FIREDRILL_LISTEN".to_owned(),
        expected: "an address and a port such as 127.0.0.1:3002",
    })
}

fn log_to_stdout(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
    let level = lookup("LOG_LEVEL").filter(|level| !level.is_empty()).unwrap_or_else(|| "info".to_owned());
    let level = LevelFilter::from_str(&level).map_err(|_| ConfigError::Wrong {
        variable: "LOG_LEVEL".to_owned(),
        expected: "one of off, error, warn, info, debug, trace",
    })?;
    // The log is a notification channel too: a quieter service still delivers to it.
    let channel = notification::LOG_CHANNEL_TARGET;
    let filter = EnvFilter::new(format!("{level},{channel}=info"));
    log::fmt()
        .json()
        .flatten_event(true)
        // The span that a line was written in holds the request's id; it has no parents.
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .init();
    Ok(())
}

async fn serve(address: SocketAddr, config: ServiceConfig) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::failed(format!("failed to listen on {address}: {error}")))?;
    let failed = |error| Failure::failed(format!("failed to listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match config {
        ServiceConfig::Gateway(config) => gateway::serve(listener, *config, shutdown).await,
        ServiceConfig::Auth(config) => auth::serve(listener, config, shutdown).await,
        ServiceConfig::User(config) => user::serve(listener, config, shutdown).await,
        ServiceConfig::Chat(config) => chat::serve(listener, config, shutdown).await,
        ServiceConfig::Notification(config) => notification::serve(listener, *config, shutdown).await,
    }?;
    Ok(())
}
