//! `firedrill status`: which parts of the stack that is up answer.

use firedrill_record::ExitOutcome;
use firedrill_stack::ask_parts;
use jiff::{SignedDuration, Timestamp};

use super::report::say;
use crate::cli::Talk;
use crate::failure::{Failure, NOT_SET_UP};
use crate::up::{Standing, standing, states};

pub(crate) fn status(talk: &Talk) -> Result<u8, Failure> {
    let standing = standing()?;
    if standing.is_empty() {
        say("nothing is up\n")?;
        return Ok(NOT_SET_UP);
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to start the runtime: {error}")))?;
    let mut all_answer = true;
    for one in &standing {
        let parts = &one.announcement.parts;
        let seen = runtime.block_on(ask_parts(parts));
        all_answer &= one.owner().is_some() && !seen.is_empty() && seen.values().all(Result::is_ok);
        if !parts.is_empty() {
            say(&states(parts, &seen, talk.results.colour))?;
        }
        say(&format!("{}; run folder {}\n", standing_for(one), one.run.folder.display()))?;
    }
    Ok(if all_answer { 0 } else { ExitOutcome::CannotTell.code() })
}

fn standing_for(one: &Standing) -> String {
    if one.owner().is_none() {
        return "its owner was killed: `firedrill down` ends what is left".to_owned();
    }
    match one.announcement.ready {
        None => "it is starting".to_owned(),
        Some(ready) => {
            let whole = SignedDuration::from_secs(Timestamp::now().duration_since(ready).as_secs());
            format!("up for {whole:#}")
        }
    }
}
