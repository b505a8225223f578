//! Plans that cannot start, and why.

use std::sync::atomic::Ordering;
use std::time::Duration;

use firedrill_drill::{Load, Step};
use firedrill_loadgen::{LoadError, RunningLoad};

use super::journeys::{ONE_ATTACK, arrivals, create_user, journey, read_user, step, users};
use super::target::{Target, service};

#[tokio::test]
async fn a_target_outside_this_machine_is_refused() {
    let target = Target::start().await;
    let mut plan = target.plan(vec![]);
    plan.targets.insert(service("user"), "192.0.2.1:80".parse().unwrap());
    let error = RunningLoad::start(plan).await.unwrap_err();
    assert!(matches!(error, LoadError::NotLoopback { .. }), "{error}");
}

#[tokio::test]
async fn a_service_without_an_address_is_named() {
    let target = Target::start().await;
    let mut plan = target.plan(vec![users(1, journey("readers", vec![], vec![create_user()]))]);
    plan.targets.remove(&service("user"));
    let error = RunningLoad::start(plan).await.unwrap_err();
    assert_eq!(error, LoadError::NoAddress { service: service("user") });
}

#[tokio::test]
async fn loads_that_would_do_nothing_are_refused() {
    let target = Target::start().await;
    let chat = |rooms, members| Load::Chat { rooms, members, messages: "1/s".parse().unwrap() };
    for load in [
        users(0, journey("none", vec![], vec![read_user()])),
        users(1, journey("none", vec![create_user()], vec![])),
        chat(0, 1),
        chat(1, 0),
    ] {
        let error = RunningLoad::start(target.plan(vec![load.clone()])).await.unwrap_err();
        assert!(matches!(error, LoadError::EmptyLoad { .. }), "{}: {error}", load.describe());
    }
}

#[tokio::test]
async fn a_placeholder_that_nothing_captures_is_an_error_before_anything_is_sent() {
    let target = Target::start().await;
    let error =
        RunningLoad::start(target.plan(vec![arrivals("1/s", journey("lost", vec![], vec![read_user()]))]))
            .await
            .unwrap_err();
    assert!(error.to_string().contains("no earlier step captures {id}"), "{error}");
    assert!(target.counts().is_empty());
}

#[tokio::test]
async fn a_set_up_that_fails_is_told_with_step_and_status_and_is_not_tried_again() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    target.behaviour.failing.store(true, Ordering::Relaxed);
    for make in [arrivals_of, users_of] {
        target.behaviour.counts.lock().unwrap().clear();
        let load =
            make(journey("unlucky", vec![step("GET", "/fail", "/fail")], vec![step("GET", "/x", "/x")]));
        let error = RunningLoad::start(target.plan(vec![load])).await.unwrap_err();
        assert!(matches!(error, LoadError::SetUpFailed { status: Some(500), .. }), "{error}");
        assert_eq!(target.counts().values().sum::<u64>(), 1);
    }
}

#[tokio::test]
async fn a_set_up_that_nobody_answers_is_told() {
    let _turn = ONE_ATTACK.lock().await;
    let mut target = Target::start().await;
    let hasty = Step { timeout: Duration::from_millis(50), ..step("GET", "/hang", "/hang") };
    for make in [arrivals_of, users_of] {
        let load = make(journey("hung", vec![hasty.clone()], vec![read_user_fixed()]));
        let error = RunningLoad::start(target.plan(vec![load])).await.unwrap_err();
        assert!(matches!(error, LoadError::SetUpFailed { status: None, .. }), "{error}");
    }
    target.stop_listening().await;
    for make in [arrivals_of, users_of] {
        let load = make(journey("gone", vec![create_user()], vec![read_user_fixed()]));
        let error = RunningLoad::start(target.plan(vec![load])).await.unwrap_err();
        assert!(matches!(error, LoadError::Refused { .. }), "{error}");
    }
}

fn read_user_fixed() -> Step {
    step("GET", "/users/{id}", "/users/1")
}

fn arrivals_of(journey: firedrill_drill::Journey) -> Load {
    arrivals("1/s", journey)
}

fn users_of(journey: firedrill_drill::Journey) -> Load {
    users(1, journey)
}
