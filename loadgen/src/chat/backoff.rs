//! How long a member waits before it tries again to connect.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::schedule::seeded;

const SHORTEST: Duration = Duration::from_millis(50);
/// Longest wait, and how long a connection must last for the next wait to be short again.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

/// Waits drawn from a range whose upper end doubles with each: members who lost their connections together do not all
/// come back together. The same for the same seed, load and member.
#[derive(Debug)]
pub(super) struct Backoff {
    random: StdRng,
    upper: Duration,
}

impl Backoff {
    pub(super) fn new(seed: u64, load: usize, seat: usize) -> Self {
        Self { random: seeded(seed, load, seat), upper: SHORTEST * 2 }
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.random.random_range(SHORTEST..=self.upper);
        self.upper = (self.upper * 2).min(LONGEST);
        wait
    }

    pub(super) fn reset(&mut self) {
        self.upper = SHORTEST * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_a_twentieth_of_a_second_to_at_most_one_and_start_again() {
        let mut backoff = Backoff::new(1, 0, 0);
        for upper in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next();
            assert!((SHORTEST..=Duration::from_millis(upper)).contains(&wait), "{wait:?} of {upper}");
        }
        backoff.reset();
        assert!(backoff.next() <= SHORTEST * 2);
    }

    #[test]
    fn members_wait_differently_and_repeat_with_the_seed() {
        let first = |seed, seat| Backoff::new(seed, 0, seat).next();
        assert_eq!(first(7, 1), first(7, 1));
        assert_ne!(first(7, 1), first(7, 2));
    }
}
