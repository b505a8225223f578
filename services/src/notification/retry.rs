//! How long to wait before the next attempt: a random part of a time that doubles, so that senders that failed
//! together do not come back together.

use std::time::Duration;

use super::channel::{Again, SendError};
use super::config::SendingConfig;
use super::queue::Verdict;

/// However often it failed before.
const LONGEST: Duration = Duration::from_mins(1);
/// What the other side may ask for.
const LONGEST_ASKED_FOR: Duration = Duration::from_mins(10);

/// What becomes of a job after an attempt, `attempt` counted from 1. `random` is in [0, 1).
pub(super) fn verdict(
    result: Result<(), SendError>,
    attempt: u32,
    sending: &SendingConfig,
    random: f64,
) -> Verdict {
    match result {
        Ok(()) => Verdict::Finish,
        Err(SendError { reason, again: Again::Never }) => Verdict::Bury(reason),
        Err(SendError { reason, .. }) if attempt >= sending.attempts => Verdict::Bury(reason),
        Err(SendError { again: Again::Later(asked_for), .. }) => {
            let asked_for = asked_for.unwrap_or_default().min(LONGEST_ASKED_FOR);
            let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
            let most = sending.first_retry.saturating_mul(doubled).min(LONGEST);
            Verdict::Postpone(asked_for + most.mul_f64(random))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(attempt: u32, again: Again, random: f64) -> Verdict {
        let error = SendError { reason: "refused".to_owned(), again };
        verdict(Err(error), attempt, &SendingConfig::default(), random)
    }

    #[test]
    fn the_longest_wait_doubles_up_to_a_minute() {
        let longest = |attempt| after(attempt, Again::Later(None), 1.0);
        for (attempt, milliseconds) in [(1, 500), (2, 1000), (3, 2000), (7, 32_000), (8, 60_000), (9, 60_000)]
        {
            assert_eq!(longest(attempt), Verdict::Postpone(Duration::from_millis(milliseconds)), "{attempt}");
        }
        assert_eq!(after(1, Again::Later(None), 0.0), Verdict::Postpone(Duration::ZERO));
    }

    #[test]
    fn the_last_attempt_and_a_final_refusal_end_in_a_dead_letter() {
        assert_eq!(after(10, Again::Later(None), 0.5), Verdict::Bury("refused".to_owned()));
        assert_eq!(after(1, Again::Never, 0.5), Verdict::Bury("refused".to_owned()));
    }

    #[test]
    fn what_the_other_side_asks_for_is_waited_for() {
        let asked_for = Again::Later(Some(Duration::from_secs(3)));
        assert_eq!(after(1, asked_for, 0.0), Verdict::Postpone(Duration::from_secs(3)));
    }
}
