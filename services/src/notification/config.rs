//! What the notification service must be told: its store and its channels, each of which may be absent.

use std::fmt;
use std::time::Duration;

use http::Uri;
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::{AsyncSmtpTransport, Tokio1Executor};

use crate::config::{ConfigError, StoreServiceConfig};
use crate::secret::Secret;

/// Configuration of the notification service.
#[derive(Debug, Clone)]
pub struct NotificationConfig {
    /// The store and the fault switch.
    pub service: StoreServiceConfig,
    /// Whether alerts are logged.
    pub log: bool,
    /// Where deliveries are posted as JSON.
    pub webhook: Option<Endpoint>,
    /// A Slack incoming webhook.
    pub slack: Option<Endpoint>,
    /// Where, from whom and to whom mails are sent.
    pub email: Option<EmailConfig>,
    /// How channels are sent through.
    pub sending: SendingConfig,
    /// For so long a delivery that comes again is taken for the same: longer than a sender takes to try again,
    /// shorter than the shortest interval at which it repeats itself on purpose. Zero: every delivery is new.
    pub duplicate_window: Duration,
}

/// How channels are sent through.
#[derive(Debug, Clone)]
pub struct SendingConfig {
    /// For one attempt, from connecting to the answer.
    pub timeout: Duration,
    /// A job is given up after so many attempts; at least 1.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles from attempt to attempt, up to a minute.
    pub first_retry: Duration,
    /// Jobs of one channel that may wait; at least 1.
    pub queue_length: usize,
}

impl Default for SendingConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            attempts: 10,
            first_retry: Duration::from_millis(500),
            queue_length: 1000,
        }
    }
}

/// An HTTP or HTTPS URL that may hold a secret. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// None when the text is no absolute `http://` or `https://` URL, or has a user.
    pub fn parse(url: &Secret) -> Option<Self> {
        let uri: Uri = url.expose().parse().ok()?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        (known && plain).then_some(Self(uri))
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Endpoint(redacted)")
    }
}

/// A mail server, and the mails' ends.
#[derive(Clone)]
pub struct EmailConfig {
    pub(super) server: AsyncSmtpTransportBuilder,
    pub(super) from: Mailbox,
    pub(super) to: Mailboxes,
}

impl EmailConfig {
    /// `url` is `smtp://` or `smtps://`, with `?tls=required` or `?tls=opportunistic` for STARTTLS, and may hold a
    /// user and a password.
    pub fn parse(url: &Secret, from: &str, to: &str) -> Result<Self, WrongEmail> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose());
        let to: Mailboxes = to.parse().map_err(|_| WrongEmail::To)?;
        Ok(Self {
            server: server.map_err(|_| WrongEmail::Url)?,
            from: from.parse().map_err(|_| WrongEmail::From)?,
            to: Some(to).filter(|to| to.iter().next().is_some()).ok_or(WrongEmail::To)?,
        })
    }
}

impl fmt::Debug for EmailConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EmailConfig")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// What of an [`EmailConfig`] cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongEmail {
    /// The server.
    #[error("not the URL of a mail server")]
    Url,
    /// The sender.
    #[error("the sender is no mail address")]
    From,
    /// The recipients.
    #[error("the recipients are no mail addresses")]
    To,
}

impl NotificationConfig {
    /// Only the channel `log`, and the defaults.
    pub fn new(service: StoreServiceConfig) -> Self {
        Self {
            service,
            log: true,
            webhook: None,
            slack: None,
            email: None,
            sending: SendingConfig::default(),
            duplicate_window: Duration::from_secs(5),
        }
    }

    pub(crate) fn from_environment(
        service: StoreServiceConfig,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let environment = Environment(lookup);
        let defaults = Self::new(service);
        let sending = &defaults.sending;
        let milliseconds = "whole milliseconds, 1 to 600000";
        let log = match environment.get("NOTIFICATION_LOG").as_deref() {
            None | Some("1") => true,
            Some("0") => false,
            Some(_) => return Err(wrong("NOTIFICATION_LOG", "0 or 1")),
        };
        Ok(Self {
            log,
            webhook: environment.endpoint("NOTIFICATION_WEBHOOK_URL")?,
            slack: environment.endpoint("NOTIFICATION_SLACK_URL")?,
            email: environment.email()?,
            sending: SendingConfig {
                timeout: environment
                    .number("NOTIFICATION_SEND_TIMEOUT_MS", 1..=600_000, milliseconds)?
                    .map_or(sending.timeout, Duration::from_millis),
                attempts: environment
                    .number("NOTIFICATION_ATTEMPTS", 1..=100, "a number, 1 to 100")?
                    .unwrap_or(sending.attempts),
                first_retry: environment
                    .number("NOTIFICATION_RETRY_MS", 1..=600_000, milliseconds)?
                    .map_or(sending.first_retry, Duration::from_millis),
                queue_length: environment
                    .number("NOTIFICATION_QUEUE_LENGTH", 1..=100_000, "a number, 1 to 100000")?
                    .unwrap_or(sending.queue_length),
            },
            duplicate_window: environment
                .number("NOTIFICATION_DUPLICATE_WINDOW_MS", 0..=600_000, "whole milliseconds, 0 to 600000")?
                .map_or(defaults.duplicate_window, Duration::from_millis),
            ..defaults
        })
    }
}

/// The environment; a variable that is empty counts as not set.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }

    fn number<T: std::str::FromStr + PartialOrd>(
        &self,
        variable: &str,
        allowed: std::ops::RangeInclusive<T>,
        expected: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        let parse = |text: String| {
            text.parse()
                .ok()
                .filter(|number| allowed.contains(number))
                .ok_or_else(|| wrong(variable, expected))
        };
        self.get(variable).map(parse).transpose()
    }

    fn endpoint(&self, variable: &str) -> Result<Option<Endpoint>, ConfigError> {
        let parse = |url: String| {
            Endpoint::parse(&Secret::new(url))
                .ok_or_else(|| wrong(variable, "a URL such as https://hooks.example/path"))
        };
        self.get(variable).map(parse).transpose()
    }

    fn email(&self) -> Result<Option<EmailConfig>, ConfigError> {
        const URL: (&str, &str) =
            ("NOTIFICATION_SMTP_URL", "a URL such as smtps://user:password@mail.example");
        const FROM: (&str, &str) =
            ("NOTIFICATION_SMTP_FROM", "an address such as Alerts <alerts@example.org>");
        const TO: (&str, &str) = ("NOTIFICATION_SMTP_TO", "addresses with commas between");
        let Some(url) = self.get(URL.0) else { return Ok(None) };
        let required = |(variable, expected): (&str, &'static str)| {
            let variable = variable.to_owned();
            self.get(&variable).ok_or(ConfigError::Missing { variable, expected })
        };
        let (from, to) = (required(FROM)?, required(TO)?);
        EmailConfig::parse(&Secret::new(url), &from, &to).map(Some).map_err(|error| {
            let (variable, expected) = match error {
                WrongEmail::Url => URL,
                WrongEmail::From => FROM,
                WrongEmail::To => TO,
            };
            wrong(variable, expected)
        })
    }
}

fn wrong(variable: &str, expected: &'static str) -> ConfigError {
    ConfigError::Wrong { variable: variable.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FaultSwitchConfig;

    fn read(variables: &[(&str, &str)]) -> Result<NotificationConfig, ConfigError> {
        let service = StoreServiceConfig {
            redis_url: Secret::new("redis://127.0.0.1/"),
            faults: FaultSwitchConfig::default(),
        };
        NotificationConfig::from_environment(service, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_being_told_it_only_logs() {
        let config = read(&[]).expect("valid");
        assert!(config.log && config.webhook.is_none() && config.slack.is_none() && config.email.is_none());
    }

    #[test]
    fn every_channel_is_told_by_its_variables_and_none_shows_its_secret() {
        let config = read(&[
            ("NOTIFICATION_LOG", "0"),
            ("NOTIFICATION_WEBHOOK_URL", "http://127.0.0.1:1/hunter2"),
            ("NOTIFICATION_SLACK_URL", "https://hooks.slack.com/services/hunter2"),
            ("NOTIFICATION_SMTP_URL", "smtp://ada:hunter2@mail.example:25"),
            ("NOTIFICATION_SMTP_FROM", "Alerts <alerts@example.org>"),
            ("NOTIFICATION_SMTP_TO", "ada@example.org, Bob <bob@example.org>"),
            ("NOTIFICATION_ATTEMPTS", "3"),
            ("NOTIFICATION_DUPLICATE_WINDOW_MS", "0"),
        ])
        .expect("valid");
        assert!(!config.log && config.webhook.is_some() && config.slack.is_some());
        assert_eq!(config.email.as_ref().expect("set").to.iter().count(), 2);
        assert_eq!((config.sending.attempts, config.duplicate_window), (3, Duration::ZERO));
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }

    #[test]
    fn a_wrong_variable_is_named_and_not_repeated() {
        let mail = ("NOTIFICATION_SMTP_URL", "smtp://mail.example");
        let (from, to) =
            (("NOTIFICATION_SMTP_FROM", "a@example.org"), ("NOTIFICATION_SMTP_TO", "b@example.org"));
        for (wrong, others) in [
            (("NOTIFICATION_LOG", "hunter2"), &[][..]),
            (("NOTIFICATION_WEBHOOK_URL", "ftp://hunter2/"), &[]),
            (("NOTIFICATION_WEBHOOK_URL", "/hunter2"), &[]),
            (("NOTIFICATION_SLACK_URL", "http://u:hunter2@h/"), &[]),
            (("NOTIFICATION_SMTP_URL", "hunter2"), &[from, to]),
            (("NOTIFICATION_SMTP_FROM", "hunter2"), &[mail, to]),
            (("NOTIFICATION_SMTP_TO", "hunter2"), &[mail, from]),
            (("NOTIFICATION_SMTP_TO", ","), &[mail, from]),
            (("NOTIFICATION_ATTEMPTS", "0"), &[]),
            (("NOTIFICATION_SEND_TIMEOUT_MS", "2s"), &[]),
        ] {
            let variables: Vec<_> = [&[wrong], others].concat();
            let error = read(&variables).expect_err(wrong.0).to_string();
            assert!(error.starts_with(&format!("{} is wrong: it must be ", wrong.0)), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = read(&[mail, from]).expect_err("nobody to send to").to_string();
        assert!(error.starts_with("NOTIFICATION_SMTP_TO is not set"), "{error}");
    }
}
