//! The services over real sockets, with a real Redis of each test's own.

mod auth;
mod bad_input;
mod bad_requests;
mod chat;
mod client;
mod command;
mod exposition;
mod faults;
mod gateway;
mod hygiene;
mod metrics_reference;
mod notification;
mod processes;
mod redis_server;
mod running;
mod user;
mod wire;
