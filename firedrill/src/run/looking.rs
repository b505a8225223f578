//! Looks that go on while something else takes its time: what nobody looked at proves no silence.

use std::pin::pin;
use std::time::Duration;

use firedrill_record::EvidenceError;
use firedrill_verifier::Watch;
use tokio::time::{Instant, timeout};

use super::drill_run::DrillRun;
use super::schedule::SOON;

/// From one look to the next.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);

impl DrillRun<'_> {
    /// What `work` gives, with looks until it is done, and whether they could be written. At `next` something else is
    /// due, which no look may delay.
    pub(super) async fn looking_on<T>(
        &self,
        watch: &mut Watch,
        next: Option<Instant>,
        work: impl Future<Output = T>,
    ) -> (T, Result<(), EvidenceError>) {
        looking_on(work, next, async || {
            watch.look(self.witness).await?;
            watch.look_at_processes(&self.processes());
            Ok(())
        })
        .await
    }
}

/// What `work` gives. Unless it is done at once, `look` is called again and again beside it; a look that was begun is
/// ended, because a call whose answer nobody waited for is in no count; so none begins shortly before `next`. The first
/// error ends the looks and not the work.
async fn looking_on<T, E>(
    work: impl Future<Output = T>,
    next: Option<Instant>,
    mut look: impl AsyncFnMut() -> Result<(), E>,
) -> (T, Result<(), E>) {
    let mut work = pin!(work);
    loop {
        if let Ok(done) = timeout(LOOK_EVERY, &mut work).await {
            return (done, Ok(()));
        }
        let now = Instant::now();
        if next.is_some_and(|next| (now..now + SOON).contains(&next)) {
            continue;
        }
        let mut looking = pin!(look());
        tokio::select! {
            done = &mut work => return (done, looking.await),
            looked = &mut looking => if looked.is_err() {
                return (work.await, looked);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Looks that a work of so many milliseconds has beside it, each taking 100 ms and as `looked` says.
    async fn looks(work_ms: u64, looked: Result<(), &str>) -> (u32, Result<(), &str>) {
        looks_before(None, work_ms, looked).await
    }

    /// The same where something is due after so many milliseconds.
    async fn looks_before(
        next_ms: Option<u64>,
        work_ms: u64,
        looked: Result<(), &str>,
    ) -> (u32, Result<(), &str>) {
        let next = next_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let (mut begun, mut ended) = (0, 0);
        let work = async {
            sleep(Duration::from_millis(work_ms)).await;
            "done"
        };
        let (done, seen) = looking_on(work, next, async || {
            begun += 1;
            sleep(Duration::from_millis(100)).await;
            ended += 1;
            looked
        })
        .await;
        assert_eq!((done, begun), ("done", ended), "no look is left half done");
        (begun, seen)
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_its_time_is_looked_at_meanwhile() {
        // At 200, 500, 800 ms and so on.
        assert_eq!(looks(2_950, Ok(())).await, (10, Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn no_look_begins_shortly_before_something_is_due() {
        // At 200 ms; then at 700 ms, when what was due at 650 ms is late anyway.
        assert_eq!(looks_before(Some(650), 850, Ok(())).await, (2, Ok(())));
        assert_eq!(looks_before(Some(350), 390, Ok(())).await, (0, Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_at_once_has_no_look_beside_it() {
        assert_eq!(looks(150, Ok(())).await, (0, Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_does_not_end_the_work() {
        assert_eq!(looks(2_950, Err("the disk is full")).await, (1, Err("the disk is full")));
    }
}
