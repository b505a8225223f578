//! What each service must be told, and reading it from the environment.
//!
//! The environment is given as a function, read once, and nothing else of the process is looked at.

use std::time::Duration;

use url::Url;

use crate::command::ServiceName;
use crate::notification::NotificationConfig;
use crate::secret::Secret;

const SHORTEST_SIGNING_KEY_BYTES: usize = 16;

/// A service and its configuration.
#[derive(Debug, Clone)]
pub enum ServiceConfig {
    /// The API gateway.
    Gateway(Box<GatewayConfig>),
    /// Registration, login, tokens.
    Auth(AuthConfig),
    /// User records.
    User(StoreServiceConfig),
    /// Rooms over WebSocket.
    Chat(StoreServiceConfig),
    /// Notifications and the Alertmanager webhook.
    Notification(Box<NotificationConfig>),
}

/// Configuration of a service that needs its store only.
#[derive(Debug, Clone)]
pub struct StoreServiceConfig {
    /// `redis://` or `redis+unix://`; may hold a password.
    pub redis_url: Secret,
    /// The fault switch.
    pub faults: FaultSwitchConfig,
}

/// Configuration of the auth service.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// `redis://` or `redis+unix://`; may hold a password.
    pub redis_url: Secret,
    /// The key that tokens are signed with.
    pub token_signing_key: Secret,
    /// The fault switch.
    pub faults: FaultSwitchConfig,
}

/// Configuration of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The auth service.
    pub auth: UpstreamConfig,
    /// The user service.
    pub user: UpstreamConfig,
    /// The chat service.
    pub chat: UpstreamConfig,
    /// The notification service.
    pub notification: UpstreamConfig,
    /// The fault switch.
    pub faults: FaultSwitchConfig,
}

/// A service behind the gateway.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// `http://host:port`, without a path.
    pub url: Url,
    /// From a request to the head of its answer, and between two pieces of its body.
    pub timeout: Duration,
}

/// Configuration of the fault switch that every service has.
#[derive(Debug, Clone, Default)]
pub struct FaultSwitchConfig {
    /// Without a token there is no switch.
    pub token: Option<Secret>,
    /// The switch answers as if it worked, and injects nothing.
    pub inert: bool,
}

/// A variable of the environment that cannot be used. It never repeats a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// It must be set.
    #[error("{variable} is not set: it must be {expected}")]
    Missing {
        /// Its name.
        variable: String,
        /// What it must be.
        expected: &'static str,
    },
    /// It is set to something else.
    #[error("{variable} is wrong: it must be {expected}")]
    Wrong {
        /// Its name.
        variable: String,
        /// What it must be.
        expected: &'static str,
    },
}

impl ServiceConfig {
    /// Reads what the service needs.
    pub fn from_environment(
        service: ServiceName,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let environment = Environment(lookup);
        let faults = environment.faults()?;
        Ok(match service {
            ServiceName::Gateway => Self::Gateway(Box::new(GatewayConfig {
                auth: environment.upstream("AUTH", ServiceName::Auth)?,
                user: environment.upstream("USER", ServiceName::User)?,
                chat: environment.upstream("CHAT", ServiceName::Chat)?,
                notification: environment.upstream("NOTIFICATION", ServiceName::Notification)?,
                faults,
            })),
            ServiceName::Auth => Self::Auth(AuthConfig {
                redis_url: environment.redis_url()?,
                token_signing_key: environment.token_signing_key()?,
                faults,
            }),
            ServiceName::User => Self::User(environment.store_service(faults)?),
            ServiceName::Chat => Self::Chat(environment.store_service(faults)?),
            ServiceName::Notification => {
                let service = environment.store_service(faults)?;
                Self::Notification(Box::new(NotificationConfig::from_environment(service, lookup)?))
            }
        })
    }
}

/// The environment; a variable that is empty counts as not set.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }

    fn store_service(&self, faults: FaultSwitchConfig) -> Result<StoreServiceConfig, ConfigError> {
        Ok(StoreServiceConfig { redis_url: self.redis_url()?, faults })
    }

    fn redis_url(&self) -> Result<Secret, ConfigError> {
        let url = self.get("REDIS_URL").unwrap_or_else(|| "redis://127.0.0.1:6379/".to_owned());
        if redis::Client::open(url.as_str()).is_err() {
            return Err(wrong("REDIS_URL", "a URL such as redis://127.0.0.1:6379/ or redis+unix:///path"));
        }
        Ok(Secret::new(url))
    }

    fn token_signing_key(&self) -> Result<Secret, ConfigError> {
        let (variable, expected) = ("TOKEN_SIGNING_KEY", "at least 16 bytes of random text");
        match self.get(variable) {
            None => Err(ConfigError::Missing { variable: variable.to_owned(), expected }),
            Some(key) if key.len() < SHORTEST_SIGNING_KEY_BYTES => Err(wrong(variable, expected)),
            Some(key) => Ok(Secret::new(key)),
        }
    }

    fn upstream(&self, prefix: &str, service: ServiceName) -> Result<UpstreamConfig, ConfigError> {
        let variable = format!("{prefix}_URL");
        let text =
            self.get(&variable).unwrap_or_else(|| format!("http://127.0.0.1:{}", service.default_port()));
        let url = Url::parse(&text)
            .ok()
            .filter(|url| url.scheme() == "http" && url.has_host() && url.path() == "/")
            .filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty())
            .ok_or_else(|| wrong(&variable, "a URL such as http://127.0.0.1:3001, without a path"))?;
        let own = format!("{prefix}_TIMEOUT_MS");
        let timeout = match self.milliseconds(&own)? {
            Some(timeout) => timeout,
            None => self.milliseconds("UPSTREAM_TIMEOUT_MS")?.unwrap_or(Duration::from_secs(2)),
        };
        Ok(UpstreamConfig { url, timeout })
    }

    fn milliseconds(&self, variable: &str) -> Result<Option<Duration>, ConfigError> {
        let parse = |text: String| match text.parse() {
            Ok(milliseconds @ 1..=600_000) => Ok(Duration::from_millis(milliseconds)),
            _ => Err(wrong(variable, "whole milliseconds, 1 to 600000")),
        };
        self.get(variable).map(parse).transpose()
    }

    fn faults(&self) -> Result<FaultSwitchConfig, ConfigError> {
        let inert = match self.get("FAULTS_INERT").as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(wrong("FAULTS_INERT", "0 or 1")),
        };
        Ok(FaultSwitchConfig { token: self.get("FAULT_TOKEN").map(Secret::new), inert })
    }
}

fn wrong(variable: &str, expected: &'static str) -> ConfigError {
    ConfigError::Wrong { variable: variable.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(service: ServiceName, variables: &[(&str, &str)]) -> Result<ServiceConfig, ConfigError> {
        ServiceConfig::from_environment(service, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_upstream_has_its_own_timeout_or_the_common_one() {
        let variables =
            [("UPSTREAM_TIMEOUT_MS", "500"), ("USER_TIMEOUT_MS", "70"), ("USER_URL", "http://u:1")];
        let Ok(ServiceConfig::Gateway(gateway)) = read(ServiceName::Gateway, &variables) else {
            panic!("a valid gateway");
        };
        assert_eq!(gateway.user.timeout, Duration::from_millis(70));
        assert_eq!(gateway.user.url.as_str(), "http://u:1/");
        assert_eq!(gateway.chat.timeout, Duration::from_millis(500));
        assert_eq!(gateway.chat.url.as_str(), "http://127.0.0.1:3003/");
    }

    #[test]
    fn a_wrong_variable_is_named_and_a_secret_is_not_repeated() {
        for (service, variable, value) in [
            (ServiceName::Gateway, "USER_URL", "https://u"),
            (ServiceName::Gateway, "USER_URL", "http://u/path"),
            (ServiceName::Gateway, "UPSTREAM_TIMEOUT_MS", "0"),
            (ServiceName::Gateway, "CHAT_TIMEOUT_MS", "2s"),
            (ServiceName::User, "REDIS_URL", "http://hunter2"),
            (ServiceName::User, "FAULTS_INERT", "yes"),
            (ServiceName::Auth, "TOKEN_SIGNING_KEY", "hunter2"),
        ] {
            let error = read(service, &[(variable, value)]).expect_err(variable).to_string();
            assert!(error.starts_with(&format!("{variable} is wrong: it must be ")), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = read(ServiceName::Auth, &[]).expect_err("no key").to_string();
        assert!(error.starts_with("TOKEN_SIGNING_KEY is not set"), "{error}");
    }

    #[test]
    fn no_configuration_shows_a_secret() {
        let variables = [
            ("REDIS_URL", "redis://:hunter2@127.0.0.1/"),
            ("TOKEN_SIGNING_KEY", "hunter2hunter2hunter2"),
            ("FAULT_TOKEN", "hunter2"),
        ];
        let config = read(ServiceName::Auth, &variables).expect("valid");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
