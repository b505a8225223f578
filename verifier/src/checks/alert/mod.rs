//! `alert`: the right alert lives its whole life in time and reaches its receiver, or is kept from it by the alert that
//! should inhibit it.

#[cfg(test)]
mod busy_host;
mod followed;
mod group;
mod inhibited;
mod judge;
mod lateness;
mod notified;
mod steps;

pub use judge::Outlook;
pub(crate) use judge::{judge, outlook, seen_so_far};
