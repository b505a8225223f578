//! Loads: who sends how much.

use crate::{Journey, Rate};

/// One load of a drill.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Closed model: so many users, each waiting for its answers.
    Journey {
        /// What each user does.
        journey: Journey,
        /// How many users.
        users: u32,
    },
    /// Open model: one round of the journey's steps starts at each arrival, whether or not earlier ones were answered.
    Arrivals {
        /// What each arrival does.
        journey: Journey,
        /// Arrivals per second.
        rate: Rate,
    },
    /// Chat over WebSockets: members join rooms and messages are sent over all rooms at a rate.
    Chat {
        /// Rooms.
        rooms: u32,
        /// Members of each room.
        members: u32,
        /// Messages per second over all rooms.
        messages: Rate,
    },
}

impl Load {
    /// What it is, for people: `browse-and-chat × 5 users`.
    pub fn describe(&self) -> String {
        match self {
            Self::Journey { journey, users } => format!("{} × {users} users", journey.name),
            Self::Arrivals { journey, rate } => format!("{} at {rate}", journey.name),
            Self::Chat { rooms, members, messages } => {
                format!("{rooms} rooms × {members} members at {messages}")
            }
        }
    }
}
