//! goose with users who send nothing.

use std::sync::Mutex as SyncMutex;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::phase::PhaseControl;

/// goose runs one attack at a time in a process: tests take turns.
static ONE_ATTACK: Mutex<()> = Mutex::const_new(());

/// What the users of a test did.
#[derive(Default)]
struct Diary {
    recruited: SyncMutex<Vec<usize>>,
    rounds: AtomicU64,
}

struct Dummy {
    diary: Arc<Diary>,
    panics_in_set_up: bool,
    panics_in_step: bool,
}

#[async_trait]
impl UserScript for Dummy {
    async fn set_up(&mut self, _: &Client) -> Result<(), LoadError> {
        assert!(!self.panics_in_set_up, "no set-up today");
        Ok(())
    }

    async fn step(&mut self, _: usize, _: &Client) -> Result<(), LoadError> {
        assert!(!self.panics_in_step, "no step today");
        self.diary.rounds.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn crew(users: usize, diary: &Arc<Diary>, panics: fn(usize) -> (bool, bool)) -> Crew {
    let diary = Arc::clone(diary);
    Crew {
        name: "dummies".to_owned(),
        steps: vec!["one".to_owned(), "two".to_owned()],
        users,
        recruit: Arc::new(move |user| {
            diary.recruited.lock().unwrap().push(user);
            let (panics_in_set_up, panics_in_step) = panics(user);
            Box::new(Dummy { diary: Arc::clone(&diary), panics_in_set_up, panics_in_step })
        }),
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

#[tokio::test]
async fn every_crew_gets_its_users_and_all_of_them_end_when_told() {
    let _turn = ONE_ATTACK.lock().await;
    let (control, phase) = PhaseControl::new();
    let diaries: Vec<Arc<Diary>> = (0..3).map(|_| Arc::default()).collect();
    let sizes = [1, 6, 4];
    let crews =
        diaries.iter().zip(sizes).map(|(diary, size)| crew(size, diary, |_| (false, false))).collect();
    let (mut attack, started) = Attack::start(crews, phase, Failures::default()).await;
    started.unwrap();
    for (diary, size) in diaries.iter().zip(sizes) {
        let mut recruited = diary.recruited.lock().unwrap().clone();
        recruited.sort_unstable();
        assert_eq!(recruited, (0..size).collect::<Vec<_>>());
        assert_eq!(diary.rounds.load(Ordering::Relaxed), 0);
    }
    control.enter(Phase::Running);
    until("every crew went round", || diaries.iter().all(|diary| diary.rounds.load(Ordering::Relaxed) > 100))
        .await;
    control.enter(Phase::Stopping);
    attack.ended().await;
    let rounds = |diary: &Arc<Diary>| diary.rounds.load(Ordering::Relaxed);
    let ended: Vec<u64> = diaries.iter().map(rounds).collect();
    tokio::task::yield_now().await;
    assert_eq!(diaries.iter().map(rounds).collect::<Vec<_>>(), ended);
}

#[tokio::test]
async fn a_panic_of_a_user_is_reported_and_the_others_go_on() {
    let _turn = ONE_ATTACK.lock().await;
    let (control, phase) = PhaseControl::new();
    let (diary, failures) = (Arc::<Diary>::default(), Failures::default());
    let crews = vec![crew(2, &diary, |user| (false, user == 1))];
    let (mut attack, started) = Attack::start(crews, phase, failures.clone()).await;
    started.unwrap();
    control.enter(Phase::Running);
    until("the panic is reported", || failures.first().is_some()).await;
    let before = diary.rounds.load(Ordering::Relaxed);
    until("the other goes on", || diary.rounds.load(Ordering::Relaxed) > before + 100).await;
    control.enter(Phase::Stopping);
    attack.ended().await;
    let why = "no step today".to_owned();
    assert_eq!(failures.first(), Some(LoadError::Panicked { load: "dummies".to_owned(), why }));
}

#[tokio::test]
async fn a_panic_in_a_set_up_fails_the_start() {
    let _turn = ONE_ATTACK.lock().await;
    let (control, phase) = PhaseControl::new();
    let crews = vec![crew(3, &Arc::default(), |user| (user == 2, false))];
    let (mut attack, started) = Attack::start(crews, phase, Failures::default()).await;
    let why = "no set-up today".to_owned();
    assert_eq!(started, Err(LoadError::Panicked { load: "dummies".to_owned(), why }));
    drop(control);
    attack.ended().await;
}
