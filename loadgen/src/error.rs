//! Why a load could not be started, or what went wrong in one that was running.

use std::net::SocketAddr;

use firedrill_record::ServiceName;
use thiserror::Error;

/// A load could not start, or one of its users broke.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// A load talks to a service whose address the plan does not give.
    #[error("the plan gives no address for service {service}")]
    NoAddress {
        /// The service.
        service: ServiceName,
    },
    /// An address is not of this machine: load goes to loopback only.
    #[error("the address {address} of service {service} is not loopback")]
    NotLoopback {
        /// The service.
        service: ServiceName,
        /// The refused address.
        address: SocketAddr,
    },
    /// A load would do nothing.
    #[error("{load} has nothing to do: {why}")]
    EmptyLoad {
        /// The load, as [`firedrill_drill::Load::describe`] tells it.
        load: String,
        /// What it lacks.
        why: &'static str,
    },
    /// A step cannot be turned into a request.
    #[error("step `{step}` of journey {journey} cannot be sent: {why}")]
    InvalidStep {
        /// The journey.
        journey: String,
        /// The step.
        step: String,
        /// What is wrong with it.
        why: String,
    },
    /// A set-up request found nobody listening.
    #[error("set-up step `{step}` of journey {journey} could not reach {service}: {why}")]
    Refused {
        /// The journey.
        journey: String,
        /// The step.
        step: String,
        /// The service.
        service: ServiceName,
        /// What the system said.
        why: String,
    },
    /// A set-up request was not answered as it must be.
    #[error("set-up step `{step}` of journey {journey} failed{}: {why}", status_note(*.status))]
    SetUpFailed {
        /// The journey.
        journey: String,
        /// The step.
        step: String,
        /// The status of the answer, if there was one.
        status: Option<u16>,
        /// What was missing.
        why: String,
    },
    /// A chat member could not join its room.
    #[error("member {member} could not join room {room} of {service}{}: {why}", status_note(*.status))]
    MemberCouldNotJoin {
        /// The service.
        service: ServiceName,
        /// The room.
        room: String,
        /// The member.
        member: String,
        /// The status with which the upgrade was refused, if it was answered.
        status: Option<u16>,
        /// What happened.
        why: String,
    },
    /// Another attack runs: goose allows one at a time in a process.
    #[error("another closed-model load runs in this process")]
    AttackRunning,
    /// goose refused the attack, or it ended before it should.
    #[error("goose could not run the attack: {why}")]
    Attack {
        /// What goose said.
        why: String,
    },
    /// A user, an arrival or a chat member panicked.
    #[error("{load} panicked: {why}")]
    Panicked {
        /// The load.
        load: String,
        /// The panic's message.
        why: String,
    },
}

fn status_note(status: Option<u16>) -> String {
    status.map(|status| format!(" with status {status}")).unwrap_or_default()
}

/// The message of a caught panic.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
