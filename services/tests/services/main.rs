//! The services over real sockets, with a real Redis of each test's own.

mod auth;
mod chat;
mod client;
mod command;
mod exposition;
mod faults;
mod gateway;
mod hygiene;
mod notification;
mod redis_server;
mod running;
mod user;
