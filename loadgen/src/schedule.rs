//! When things start: pure functions of the plan and its seed.

use std::time::Duration;

use firedrill_drill::{Pace, Rate};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// When arrival `index` should start, from the beginning of the load: `index / rate`.
pub(crate) fn intended_start(index: u64, rate: Rate) -> Duration {
    Duration::from_secs_f64(index as f64 / rate.per_second())
}

/// How many arrivals should have started once `elapsed` has passed.
pub(crate) fn intended_by(elapsed: Duration, rate: Rate) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 100,000/s for days")]
    let mut count = (elapsed.as_secs_f64() * rate.per_second()).floor() as u64;
    // The product of two roundings may be off by one; the starts themselves decide.
    while count > 0 && intended_start(count - 1, rate) > elapsed {
        count -= 1;
    }
    while intended_start(count, rate) <= elapsed {
        count += 1;
    }
    count
}

/// Draws of one participant of a load, the same for the same three numbers.
pub(crate) fn seeded(seed: u64, load: usize, participant: usize) -> StdRng {
    let mut whole = [0; 32];
    for (place, part) in whole.chunks_exact_mut(8).zip([seed, load as u64, participant as u64]) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    StdRng::from_seed(whole)
}

/// The waits of one closed-model user between its steps: the same for the same seed, load and user.
#[derive(Debug)]
pub(crate) struct PaceDraws {
    pace: Pace,
    random: StdRng,
}

impl PaceDraws {
    pub(crate) fn new(pace: Pace, seed: u64, load: usize, user: usize) -> Self {
        Self { pace, random: seeded(seed, load, user) }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let Pace { at_least, at_most } = self.pace;
        if at_most <= at_least { at_least } else { self.random.random_range(at_least..=at_most) }
    }
}

/// The room and the member that say message `index`: rooms take turns, and in each room its members do.
pub(crate) fn speaker(index: u64, rooms: usize, members: usize) -> (usize, usize) {
    let (rooms, members) = (rooms as u64, members as u64);
    let place = |number| usize::try_from(number).expect("a remainder of a usize is one");
    (place(index % rooms), place(index / rooms % members))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32) -> Rate {
        format!("{per_second}/s").parse().unwrap()
    }

    proptest! {
        #[test]
        fn as_many_arrivals_are_intended_as_have_their_start_behind_them(per_second in 1u32..100_000, millis in 0u64..100_000) {
            let elapsed = Duration::from_millis(millis);
            let count = intended_by(elapsed, rate(per_second));
            prop_assert!(count > 0);
            prop_assert!(intended_start(count - 1, rate(per_second)) <= elapsed);
            prop_assert!(intended_start(count, rate(per_second)) > elapsed);
        }

        #[test]
        fn arrivals_come_at_even_distances(per_second in 1u32..100_000, index in 0u64..10_000_000) {
            let starts = [index, index + 1].map(|index| intended_start(index, rate(per_second)).as_secs_f64());
            let gap = starts[1] - starts[0];
            prop_assert!((gap * f64::from(per_second) - 1.0).abs() < 0.01, "{gap}");
        }

        #[test]
        fn waits_stay_within_the_pace_and_repeat_with_the_seed(
            seed: u64, load in 0usize..8, user in 0usize..100, least in 0u64..5000, more in 0u64..5000,
        ) {
            let pace = Pace {
                at_least: Duration::from_millis(least),
                at_most: Duration::from_millis(least + more),
            };
            let draw = || {
                let mut draws = PaceDraws::new(pace, seed, load, user);
                (0..20).map(|_| draws.next()).collect::<Vec<_>>()
            };
            prop_assert_eq!(draw(), draw());
            prop_assert!(draw().iter().all(|wait| (pace.at_least..=pace.at_most).contains(wait)));
        }

        #[test]
        fn every_member_of_every_room_speaks_equally_often(rooms in 1usize..8, members in 1usize..8) {
            let mut said = vec![vec![0; members]; rooms];
            for index in 0..(rooms * members * 3) as u64 {
                let (room, member) = speaker(index, rooms, members);
                said[room][member] += 1;
            }
            prop_assert!(said.iter().flatten().all(|count| *count == 3));
        }
    }

    #[test]
    fn users_of_one_load_wait_differently() {
        let pace = Pace { at_least: Duration::ZERO, at_most: Duration::from_secs(1) };
        let first = |load, user| PaceDraws::new(pace, 7, load, user).next();
        assert_ne!(first(0, 0), first(0, 1));
        assert_ne!(first(0, 1), first(1, 0));
    }
}
