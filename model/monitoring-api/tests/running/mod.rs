//! A real server on a port of its own choice, ended when the test ends.

mod server;

pub(crate) use server::{Running, until};
