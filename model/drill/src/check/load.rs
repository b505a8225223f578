//! Loads and the journeys they name.

use std::collections::BTreeMap;

use super::problems::{Checked, Problems, Reported, all};
use crate::journey::Journey;
use crate::load::Load;
use crate::spelling;
use crate::surroundings::{FoundJourney, Surroundings};
use crate::written::{ArrivalsText, ChatText, LoadText, UsersText};
use crate::yaml::At;

const MOST_USERS: u32 = 1000;
const MOST_MEMBERS: u32 = 2000;

pub(super) fn check_load(
    loads: At<Vec<At<LoadText>>>,
    surroundings: &dyn Surroundings,
    problems: &mut Problems<'_>,
) -> Checked<Vec<Load>> {
    if loads.value.is_empty() {
        let help = "add an item: `- journey: {name: NAME, users: 5}`";
        return Err(problems.report(loads.place, "no load", "an empty list", help));
    }
    let mut journeys = Journeys { surroundings, known: BTreeMap::new() };
    let checked = loads.value.into_iter().map(|load| match load.value {
        LoadText::Journey(users) => check_users(&users, &mut journeys, problems),
        LoadText::Arrivals(arrivals) => check_arrivals(&arrivals, &mut journeys, problems),
        LoadText::Chat(chat) => check_chat(&chat, problems),
    });
    all(checked.collect())
}

fn check_users(text: &UsersText, journeys: &mut Journeys<'_>, problems: &mut Problems<'_>) -> Checked<Load> {
    let journey = journeys.named(&text.name, problems);
    let users = problems.in_range(&text.users, "users", 1..=MOST_USERS);
    Ok(Load::Journey { journey: journey?, users: users? })
}

fn check_arrivals(
    text: &ArrivalsText,
    journeys: &mut Journeys<'_>,
    problems: &mut Problems<'_>,
) -> Checked<Load> {
    let journey = journeys.named(&text.name, problems);
    let rate = problems.quantity(&text.rate);
    Ok(Load::Arrivals { journey: journey?, rate: rate? })
}

fn check_chat(text: &ChatText, problems: &mut Problems<'_>) -> Checked<Load> {
    let place = text.members.place;
    let rooms = problems.in_range(&text.rooms, "rooms", 1..=MOST_MEMBERS);
    let members = problems.in_range(&text.members, "members", 1..=MOST_MEMBERS);
    let messages = problems.quantity(&text.messages);
    let (rooms, members) = (rooms?, members?);
    let total = rooms.saturating_mul(members);
    if total > MOST_MEMBERS {
        let message = format!("{total} chat members in all");
        let label = format!("{rooms} rooms of {members}");
        return Err(problems.report(
            place,
            message,
            label,
            format!("write at most {MOST_MEMBERS} in all rooms"),
        ));
    }
    Ok(Load::Chat { rooms, members, messages: messages? })
}

/// The journeys of one drill, each read once: its problems are reported once, too.
struct Journeys<'a> {
    surroundings: &'a dyn Surroundings,
    known: BTreeMap<String, Checked<Journey>>,
}

impl Journeys<'_> {
    fn named(&mut self, name: &At<String>, problems: &mut Problems<'_>) -> Checked<Journey> {
        if let Some(known) = self.known.get(&name.value) {
            return known.clone();
        }
        let found = match self.surroundings.journey(&name.value) {
            Ok(FoundJourney::Text { file, text }) => crate::read::parse_journey(&text, &file)
                .map_err(|found| problems.adopt(found.iter().cloned())),
            Ok(FoundJourney::Absent { known }) => Err(unknown(name, &known, problems)),
            Err(error) => {
                let message = format!("journey `{}` cannot be read: {error}", name.value);
                Err(problems.report(
                    name.place,
                    message,
                    "named here",
                    "look at the file and its permissions",
                ))
            }
        };
        self.known.insert(name.value.clone(), found.clone());
        found
    }
}

fn unknown(name: &At<String>, known: &[String], problems: &mut Problems<'_>) -> Reported {
    let help = if known.is_empty() {
        "there are none: put NAME.yaml into a folder `journeys` beside the drill or above it".to_owned()
    } else {
        spelling::hint(&name.value, known.iter().map(String::as_str))
    };
    problems.report(name.place, format!("unknown journey `{}`", name.value), "no such journey", help)
}
