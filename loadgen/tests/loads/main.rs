//! Loads against a real server that keeps its own count.

#![expect(clippy::unwrap_used, reason = "what these helpers unwrap fails the test that calls them")]

mod breaking;
mod chat;
mod closed;
mod journeys;
mod locked_out;
mod open;
mod reconnecting;
mod rooms;
mod starting;
mod target;
mod together;
