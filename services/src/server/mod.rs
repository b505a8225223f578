//! Serving HTTP/1.1: taking connections within limits, ending those that are too slow, refusing them when
//! told to, and stopping without cutting off what is in flight.
//!
//! Knows nothing of routes, metrics or faults but the three handles in [`Application`].

mod connection;
mod door;
mod malformed;
mod refusal;
mod serving;
mod stop;
mod stream;

pub(crate) use connection::ConnectionId;
pub(crate) use malformed::Malformed;
pub(crate) use refusal::{RefusalSwitch, Refusing, refusal};
pub use serving::ServeError;
pub(crate) use serving::{Application, serve};
pub(crate) use stop::{Stop, Stopping};
