//! The windows of what Alertmanager does: a group's first notification and its ticks.

use super::budget::{CLOCK, REQUEST_TAKES, TICK_DRIFT, TIMER_LATE};
use super::clockwork::Clockwork;
use super::window::Window;

/// After more ticks than these nobody tells one from the next.
const TICKS_TOLD_APART: f64 = 8.0;

/// When a group was, or will be, flushed first: between these two, in seconds after the event that a step begins with.
/// All later flushes are ticks of `group_interval` after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstFlush {
    /// Not before.
    pub earliest: f64,
    /// Not after.
    pub latest: f64,
}

impl FirstFlush {
    /// That of a group which an alert opens when it comes to Alertmanager between 0 and `late` seconds after the step's
    /// begin, having started `age` seconds before that begin: `group_wait` after it came, or at once when it started
    /// longer ago than that (`aggrGroup.insert` in dispatch.go), which is when the dispatcher gets to it.
    pub fn of_a_new_group(clockwork: &Clockwork, age: f64, late: f64) -> Self {
        let wait = clockwork.group_wait;
        Self {
            earliest: if age + late + TIMER_LATE > wait - CLOCK { (wait - age).max(0.0) } else { wait },
            latest: late + if age > wait + CLOCK { 0.0 } else { wait },
        }
    }
}

/// The notification group that an alert comes into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Group {
    /// It opens the group: the first flush tells of it.
    New(FirstFlush),
    /// It was there before: the next flush after it came tells of it.
    Alive(FirstFlush),
}

impl Clockwork {
    /// When a receiver is told of something that comes to Alertmanager between `arrives.0` and `arrives.1`: at the first
    /// flush of the group after it. What comes close to a tick is told at that one or at the next.
    fn told(&self, flush: FirstFlush, arrives: (f64, f64)) -> Vec<(f64, f64)> {
        let interval = self.group_interval;
        let soonest = arrives.0 - CLOCK;
        if interval <= 0.0 || arrives.1 - arrives.0 > TICKS_TOLD_APART * interval {
            return vec![(soonest, arrives.1.max(flush.latest) + interval + REQUEST_TAKES + TIMER_LATE)];
        }
        let mut spans = Vec::new();
        let mut tick = ((soonest - TIMER_LATE - flush.latest) / interval - 1.0).floor().max(0.0);
        loop {
            let earliest = flush.earliest + tick * interval - CLOCK;
            let latest = flush.latest + tick * (interval + TICK_DRIFT) + TIMER_LATE;
            if latest >= soonest {
                spans.push((earliest.max(soonest), latest + REQUEST_TAKES));
                if earliest > arrives.1 {
                    return spans;
                }
            }
            tick += 1.0;
        }
    }

    /// From Alertmanager having the alert to the receiver having the notification. `groups` are those that it may have
    /// come into; `late` is how much later than the step's begin it may really have come; `told_before` is when the
    /// receiver was last told that this same alert fires, without its end: the group does not tell it again before
    /// `repeat_interval` has passed, unless something else changes. `terms` says which of these there are.
    pub fn received_to_delivered(
        &self,
        groups: &[Group],
        late: f64,
        told_before: Option<f64>,
        terms: &str,
    ) -> Window {
        let again = told_before.map_or(0.0, |told| (told + self.repeat_interval).max(0.0));
        let spans = groups.iter().flat_map(|group| match group {
            Group::New(flush) => vec![(flush.earliest - CLOCK, flush.latest + REQUEST_TAKES + TIMER_LATE)],
            Group::Alive(flush) => self.told(*flush, (0.0, late + again)),
        });
        let mut text = format!(
            "{terms}: group_wait {:.3}s, group_interval {}s + webhook {REQUEST_TAKES}s + timer {TIMER_LATE}s",
            self.group_wait, self.group_interval
        );
        if late > 0.0 {
            text = format!("{text}; + {late:.3}s as only a resend was seen, not the first time");
        }
        if again > 0.0 {
            text = format!(
                "{text}; told before, again after repeat_interval {}s at the latest",
                self.repeat_interval
            );
        }
        Window::any_of(spans, text)
    }

    /// From the resolving evaluation to the receiver having the notification, at the next tick after one of `flushes`,
    /// those that the group's first may have been. None when a flush took longer than `group_interval`, which moves all
    /// later ticks. `unsure` is by how many seconds the resolving evaluation may have been before the step's begin.
    pub fn resolved_to_delivered(&self, flushes: &[FirstFlush], unsure: f64) -> Window {
        let (soonest, latest) = self.sent();
        let arrives = (soonest - unsure, latest);
        let Some(first) = flushes.first() else {
            return Window::between(
                arrives.0,
                arrives.1 + self.group_interval + REQUEST_TAKES + TIMER_LATE,
                format!(
                    "some tick, outer bound: sent within {:.3}s + group_interval {}s; an earlier notification took longer \
                     than that and moved the ticks",
                    arrives.1, self.group_interval
                ),
            );
        };
        let spans: Vec<(f64, f64)> = flushes.iter().flat_map(|flush| self.told(*flush, arrives)).collect();
        let close = if spans.len() > flushes.len() {
            "; so close to a tick that the next one may be meant"
        } else {
            ""
        };
        let text = format!(
            "next tick of group_interval {}s, {:.2}s after the group's first flush + webhook {REQUEST_TAKES}s + timer \
             {TIMER_LATE}s{close}",
            self.group_interval, -first.earliest
        );
        let unsure = if unsure > 0.0 {
            format!("; resolved up to {unsure:.2}s before, as no look saw whether there was an evaluation")
        } else {
            String::new()
        };
        Window::any_of(spans, text + &unsure)
    }
}

#[cfg(test)]
mod tests {
    use super::super::clockwork::tests::clockwork;
    use super::*;

    fn at(seconds: f64) -> FirstFlush {
        FirstFlush { earliest: seconds, latest: seconds }
    }

    #[test]
    fn a_new_group_waits_and_an_alert_older_than_that_is_told_at_once() {
        let told = |age| {
            let flush = FirstFlush::of_a_new_group(&clockwork(), age, 0.0);
            clockwork().received_to_delivered(&[Group::New(flush)], 0.0, None, "new group")
        };
        // group_wait is 0.167 s.
        assert!(
            told(0.03).holds(0.17) && told(0.03).holds(0.29) && !told(0.03).holds(0.31),
            "{:?}",
            told(0.03)
        );
        assert!(!told(0.03).holds(0.1));
        assert!(told(0.3).holds(0.01) && !told(0.3).holds(0.17) && !told(0.3).holds(5.0), "{:?}", told(0.3));
        assert!(told(0.17).holds(0.01) && told(0.17).holds(0.17));
    }

    #[test]
    fn an_alert_that_the_dispatcher_gets_to_after_group_wait_is_told_at_once() {
        // It came 0.1 s after it fired, so that 0.067 s are left of group_wait: a timer may be so late.
        let flush = FirstFlush::of_a_new_group(&clockwork(), 0.1, 0.0);
        let told = clockwork().received_to_delivered(&[Group::New(flush)], 0.0, None, "new group");
        assert!(told.holds(0.07) && told.holds(0.17) && !told.holds(0.04), "{told:?}");
    }

    #[test]
    fn a_group_that_is_alive_tells_at_its_next_tick() {
        // First flushed 7 s ago, every 5 s: in 3 s.
        let alive = Group::Alive(at(-7.0));
        let told = clockwork().received_to_delivered(&[alive], 0.0, None, "group alive");
        assert!(told.holds(3.0) && told.holds(3.1) && !told.holds(2.9) && !told.holds(3.3), "{told:?}");
        // It was empty for less than 30 s: it may be gone, and the alert opens a new one.
        let new = Group::New(FirstFlush::of_a_new_group(&clockwork(), 0.0, 0.0));
        let either = clockwork().received_to_delivered(&[alive, new], 0.0, None, "group empty");
        assert!(either.holds(3.0) && either.holds(0.2) && !either.holds(1.0), "{either:?}");
    }

    #[test]
    fn what_the_receiver_knows_already_is_told_again_after_the_repeat_interval() {
        let slow = Clockwork { repeat_interval: 9.0, ..clockwork() };
        // Told 2 s ago at a tick; again 7 s from now, at the tick after it in 8 s, or before with something else in 3 s.
        let told = slow.received_to_delivered(&[Group::Alive(at(-2.0))], 0.0, Some(-2.0), "group alive");
        assert!(told.holds(3.0) && told.holds(8.0) && !told.holds(5.0) && !told.holds(13.0), "{told:?}");
    }

    #[test]
    fn an_alert_whose_first_coming_nobody_saw_may_have_come_until_it_was_seen() {
        // Started at 0, came until 0.1 s after: told 0.167 s after that, or at once if it came later than group_wait.
        let flush = |late| Group::New(FirstFlush::of_a_new_group(&clockwork(), 0.0, late));
        let told = clockwork().received_to_delivered(&[flush(0.1)], 0.1, None, "new group");
        assert!(told.holds(0.15) && told.holds(0.39) && !told.holds(0.1) && !told.holds(0.41), "{told:?}");
        let later = clockwork().received_to_delivered(&[flush(0.3)], 0.3, None, "new group");
        assert!(
            later.holds(0.17) && !later.holds(0.1),
            "at once, but never before group_wait has passed: {later:?}"
        );
    }

    #[test]
    fn a_resolved_alert_is_told_at_the_next_tick_of_its_group() {
        let window = clockwork().resolved_to_delivered(&[at(-7.0)], 0.0);
        assert!(window.holds(3.0) && !window.holds(2.5) && !window.holds(4.0), "{window:?}");
        assert!(window.latest() - window.earliest() <= 0.2, "{window:?}");
    }

    #[test]
    fn a_resolution_close_to_a_tick_is_told_at_it_or_at_the_next_and_not_between() {
        let close = clockwork().resolved_to_delivered(&[at(-9.7)], 0.0);
        assert!(close.holds(0.31) && close.holds(5.31) && !close.holds(2.0), "{close:?}");
        assert_eq!(close.spans().len(), 2);
        // It came just after one.
        let after = clockwork().resolved_to_delivered(&[at(-10.3)], 0.0);
        assert!(after.holds(4.7) && !after.holds(0.0), "{after:?}");
    }

    #[test]
    fn a_resolution_that_may_have_been_before_a_tick_may_have_been_told_at_it() {
        // A tick 0.3 s before the evaluation that is known to have resolved it.
        let unsure = clockwork().resolved_to_delivered(&[at(-10.3)], 0.5);
        assert!(unsure.holds(-0.29) && unsure.holds(4.7) && !unsure.holds(2.0), "{unsure:?}");
        assert!(unsure.computed_from.contains("resolved up to 0.50s before"), "{}", unsure.computed_from);
    }

    #[test]
    fn ticks_that_moved_leave_an_outer_bound() {
        let window = clockwork().resolved_to_delivered(&[], 0.0);
        assert!(window.holds(0.0) && window.holds(5.4) && !window.holds(5.6), "{window:?}");
    }

    #[test]
    fn many_ticks_are_one_span() {
        let slow = Clockwork { repeat_interval: 14_400.0, ..clockwork() };
        let told = slow.received_to_delivered(&[Group::Alive(at(-2.0))], 0.0, Some(-2.0), "group alive");
        assert_eq!(told.spans().len(), 1);
        assert!(told.holds(14_400.0), "{told:?}");
    }
}
