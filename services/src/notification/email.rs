//! The channel `email`: a plain mail for each delivery, over a connection of its own.

use std::fmt::Write;
use std::time::Duration;

use lettre::message::Message;
use lettre::message::header::{self, ContentType};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::channel::{Again, SendError};
use super::config::EmailConfig;
use super::delivery::{Delivery, labels, nested, text};
use super::queue::Job;

/// A mail server and who writes to whom.
pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    config: EmailConfig,
}

impl Email {
    pub(super) fn new(config: &EmailConfig, timeout: Duration) -> Self {
        let transport = config.server.clone().timeout(Some(timeout)).build();
        Self { transport, config: config.clone() }
    }

    pub(super) async fn send(&self, job: &Job) -> Result<(), SendError> {
        let mail = self.mail(job).map_err(|error| SendError {
            reason: format!("no mail can be made of it: {error}"),
            again: Again::Never,
        })?;
        self.transport.send(mail).await.map(drop).map_err(|error| refused(&error))
    }

    fn mail(&self, job: &Job) -> Result<Message, lettre::error::Error> {
        Message::builder()
            .from(self.config.from.clone())
            .mailbox(header::To::from(self.config.to.clone()))
            .subject(job.notification.headline())
            // The same in every attempt: a mail server may tell that it has it already.
            .message_id(Some(format!("<{}@firedrill.invalid>", job.id)))
            .header(ContentType::TEXT_PLAIN)
            .body(body(&job.notification))
    }
}

fn refused(error: &smtp::Error) -> SendError {
    let again = if error.is_permanent() { Again::Never } else { Again::Later(None) };
    SendError { reason: format!("the mail server: {error}"), again }
}

fn body(delivery: &Delivery) -> String {
    let mut body = format!("{}\n", delivery.headline());
    for alert in &delivery.alerts {
        let (status, name) = (text(alert, "status"), nested(alert, "labels", "alertname"));
        // Writing to a string cannot fail.
        let _ = write!(body, "\n{name} is {status} since {}\n", text(alert, "startsAt"));
        for annotation in ["summary", "description"] {
            match nested(alert, "annotations", annotation) {
                "" => {}
                said => {
                    let _ = writeln!(body, "  {said}");
                }
            }
        }
        let _ = writeln!(body, "  {}", labels(alert));
    }
    body
}
