use jiff::Timestamp;

use super::Coverage::{self, All, None, Part};
use crate::alertmanager::AlertmanagerConfig;
use crate::labels::Labels;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn config(intervals: &str) -> AlertmanagerConfig {
    let routes = "route: {receiver: a, routes: [{mute_time_intervals: [i], active_time_intervals: []}]}\n";
    AlertmanagerConfig::parse(&format!("{routes}receivers: [{{name: a}}]\ntime_intervals:\n{intervals}\n"))
        .unwrap()
}

/// The coverage of an hour that begins then, by an interval of one period.
fn hour_from(period: &str, begin: &str) -> Coverage {
    let from = at(begin);
    config(&format!("- {{name: i, time_intervals: [{{{period}}}]}}"))
        .coverage("i", from, from + jiff::Span::new().minutes(59))
        .unwrap()
}

#[test]
fn times_of_the_day_end_before_their_end() {
    let night = "times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]";
    assert_eq!(hour_from(night, "2026-11-22T23:30:00Z"), All, "over midnight");
    assert_eq!(hour_from(night, "2026-11-22T05:00:59Z"), All);
    assert_eq!(hour_from(night, "2026-11-22T05:01:00Z"), Part, "its last moment is 06:00");
    assert_eq!(hour_from(night, "2026-11-22T06:00:00Z"), None);
    assert_eq!(hour_from(night, "2026-11-22T21:00:59Z"), None);
}

#[test]
fn weekdays_are_names_and_ranges_from_sunday() {
    // 22 November 2026 is a Sunday.
    assert_eq!(hour_from("weekdays: ['Monday:friday']", "2026-11-22T12:00:00Z"), None);
    assert_eq!(hour_from("weekdays: ['monday:friday']", "2026-11-23T12:00:00Z"), All);
    assert_eq!(hour_from("weekdays: ['sunday', 'saturday']", "2026-11-22T12:00:00Z"), All);
    assert_eq!(hour_from("weekdays: ['sunday']", "2026-11-22T23:30:00Z"), Part);
}

#[test]
fn days_of_the_month_count_from_either_end() {
    assert_eq!(hour_from("days_of_month: ['22']", "2026-11-22T12:00:00Z"), All);
    assert_eq!(hour_from("days_of_month: [1, '20:25']", "2026-11-22T12:00:00Z"), All);
    assert_eq!(hour_from("days_of_month: ['-3:-1']", "2026-02-26T12:00:00Z"), All);
    assert_eq!(hour_from("days_of_month: ['-3:-1']", "2026-02-25T12:00:00Z"), None);
    assert_eq!(hour_from("days_of_month: ['30:31']", "2026-02-28T12:00:00Z"), None, "February has no 30th");
    assert_eq!(hour_from("days_of_month: ['27:31']", "2026-02-28T12:00:00Z"), All, "cut at its end");
}

#[test]
fn months_have_names_and_numbers() {
    for months in ["'november'", "11", "'october:december'", "'10:12'", "'January', 'nOvember'"] {
        assert_eq!(hour_from(&format!("months: [{months}]"), "2026-11-22T12:00:00Z"), All, "{months}");
    }
    assert_eq!(hour_from("months: ['january:october']", "2026-11-22T12:00:00Z"), None);
}

#[test]
fn years_are_numbers_and_ranges() {
    assert_eq!(hour_from("years: ['2025:2027']", "2026-11-22T12:00:00Z"), All);
    assert_eq!(hour_from("years: [2026]", "2026-12-31T23:30:00Z"), Part);
}

#[test]
fn a_location_moves_the_day() {
    let morning = "times: [{start_time: '00:00', end_time: '06:00'}], location: 'Asia/Tokyo'";
    assert_eq!(hour_from(morning, "2026-11-22T15:00:00Z"), All, "midnight in Tokyo");
    assert_eq!(hour_from(morning, "2026-11-22T00:00:00Z"), None);
    assert_eq!(
        hour_from(
            "times: [{start_time: '00:00', end_time: '06:00'}], location: 'No/Where'",
            "2026-11-22T00:00:00Z"
        ),
        Part
    );
}

#[test]
fn all_fields_of_a_period_must_hold() {
    let office = "weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}]";
    assert_eq!(hour_from(office, "2026-11-23T10:00:00Z"), All);
    assert_eq!(hour_from(office, "2026-11-22T10:00:00Z"), None);
    assert_eq!(hour_from(office, "2026-11-23T08:30:00Z"), Part);
}

#[test]
fn one_period_of_an_interval_is_enough_and_none_is_never() {
    let config = config("- {name: i, time_intervals: [{years: [1999]}, {months: [11]}]}\n- {name: never}");
    let (from, to) = (at("2026-11-22T10:00:00Z"), at("2026-11-22T11:00:00Z"));
    assert_eq!(config.coverage("i", from, to), Some(All));
    assert_eq!(config.coverage("never", from, to), Some(None));
    assert_eq!(config.coverage("unknown", from, to), Option::None);
}

#[test]
fn an_interval_that_restricts_nothing_is_always() {
    for period in
        ["", "times: [{start_time: '00:00', end_time: '24:00'}], weekdays: []", "location: 'No/Where'"]
    {
        let config = config(&format!("- {{name: i, time_intervals: [{{{period}}}]}}"));
        assert!(config.is_always("i"), "{period}");
        assert_eq!(hour_from(period, "2026-11-22T10:00:00Z"), All, "{period}");
    }
}

fn muted(mute: &str, active: &str, begin: &str) -> Coverage {
    let text = format!(
        "route: {{receiver: a, routes: [{{mute_time_intervals: {mute}, active_time_intervals: {active}}}]}}\n\
         receivers: [{{name: a}}]\ntime_intervals:\n\
         - {{name: morning, time_intervals: [{{times: [{{start_time: '00:00', end_time: '12:00'}}]}}]}}\n\
         - {{name: noon, time_intervals: [{{times: [{{start_time: '11:30', end_time: '12:30'}}]}}]}}\n"
    );
    let config = AlertmanagerConfig::parse(&text).unwrap();
    let route = &config.routes_for(&Labels::new())[0];
    config.muted(route, at(begin), at(begin) + jiff::Span::new().minutes(20))
}

#[test]
fn a_route_is_muted_inside_of_its_mute_intervals_and_outside_of_its_active_ones() {
    assert_eq!(muted("[]", "[]", "2026-11-22T10:00:00Z"), None);
    assert_eq!(muted("[morning]", "[]", "2026-11-22T10:00:00Z"), All);
    assert_eq!(muted("[morning]", "[]", "2026-11-22T11:50:00Z"), Part);
    assert_eq!(muted("[morning, noon]", "[]", "2026-11-22T11:50:00Z"), All, "one after the other");
    assert_eq!(muted("[]", "[morning]", "2026-11-22T13:00:00Z"), All);
    assert_eq!(muted("[]", "[morning]", "2026-11-22T10:00:00Z"), None);
    assert_eq!(muted("[noon]", "[morning]", "2026-11-22T11:35:00Z"), All);
    assert_eq!(muted("[unknown]", "[]", "2026-11-22T11:35:00Z"), Part, "cannot be told");
    assert_eq!(muted("[unknown, morning]", "[]", "2026-11-22T10:00:00Z"), All, "whatever the other says");
}

#[test]
fn what_is_no_interval_is_an_error_with_its_name() {
    for period in
        ["weekdays: ['someday']", "times: [{start_time: '25:00', end_time: '26:00'}]", "years: ['x']"]
    {
        let text = format!(
            "route: {{receiver: a}}\nreceivers: [{{name: a}}]\ntime_intervals:\n- {{name: i, time_intervals: [{{{period}}}]}}\n"
        );
        let error = AlertmanagerConfig::parse(&text).unwrap_err();
        assert!(error.to_string().contains("time interval i: "), "{error}");
    }
}
