//! Steps of a journey and the requests they imply.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firedrill_record::Route;

use super::fan_out::SERVER_ERROR;
use super::problems::{Checked, Problems, all, optional};
use crate::journey::{Body, Capture, FanOut, FanOutStatus, Step};
use crate::placeholders::{BUILT_IN_PLACEHOLDERS, is_name, placeholders};
use crate::source::{Place, SourceText};
use crate::spelling;
use crate::written::{FanOutText, StepText};
use crate::yaml::At;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The steps of the set-up and of a round, in this order: what one captures, those after it can use.
pub(super) fn check_steps(
    setup: Vec<StepText>,
    steps: Vec<StepText>,
    source: &SourceText,
    problems: &mut Problems<'_>,
) -> Checked<(Vec<Step>, Vec<Step>)> {
    let mut captured = BTreeSet::new();
    let mut check = |texts: Vec<StepText>| {
        all(texts.into_iter().map(|text| check_step(text, source, &mut captured, problems)).collect())
    };
    let (setup, steps) = (check(setup), check(steps));
    Ok((setup?, steps?))
}

fn check_step(
    text: StepText,
    source: &SourceText,
    captured: &mut BTreeSet<String>,
    problems: &mut Problems<'_>,
) -> Checked<Step> {
    let mut usage = Usage { source, captured, problems, result: Ok(()) };
    usage.of(&text.request.value, text.request.place);
    for value in text.headers.values() {
        usage.of(&value.value, value.place);
    }
    if let Some(body) = &text.body {
        usage.of_json(&body.value, body.place);
    }
    let usable = usage.result;

    let name = problems.filled(&text.step, "step");
    let request = check_request(&text.request, problems);
    let template = optional(text.route, |route| check_template(&route, problems));
    let headers = check_headers(text.headers, problems);
    let expect = check_statuses(text.expect, problems);
    // Also what is refused: later steps that use it have no problem of their own.
    captured.extend(text.capture.keys().cloned());
    let capture = check_captures(text.capture, problems);
    let timeout = optional(text.timeout, |timeout| problems.positive_duration(&timeout));
    let default_when = expect.as_ref().map(|expect| with_server_error(expect)).unwrap_or_default();
    let fan_out = text.fan_out.into_iter().map(|one| check_fan_out(one, &default_when, problems));
    let fan_out = all(fan_out.collect());

    usable?;
    let (mut route, path) = request?;
    if let Some(template) = template? {
        route.route = template;
    }
    Ok(Step {
        name: name?,
        route,
        path,
        headers: headers?,
        body: text.body.map(|body| Body::Json(body.value)),
        expect: expect?,
        capture: capture?,
        fan_out: fan_out?,
        timeout: timeout?.unwrap_or(DEFAULT_TIMEOUT),
    })
}

/// The placeholders a step uses; each must have a value by then.
struct Usage<'a, 'p> {
    source: &'a SourceText,
    captured: &'a BTreeSet<String>,
    problems: &'a mut Problems<'p>,
    result: Checked<()>,
}

impl Usage<'_, '_> {
    fn of(&mut self, text: &str, place: Place) {
        for name in placeholders(text) {
            if BUILT_IN_PLACEHOLDERS.contains(&name) || self.captured.contains(name) {
                continue;
            }
            let known = self.captured.iter().map(String::as_str).chain(BUILT_IN_PLACEHOLDERS);
            let help = format!(
                "{}; a step before this one can `capture: {{{name}: /POINTER}}`",
                spelling::hint(name, known)
            );
            let place = self.source.find_from(place, &format!("{{{name}}}"));
            let message = format!("nothing gives `{{{name}}}` a value");
            self.result = Err(self.problems.report(place, message, "not captured before this step", help));
        }
    }

    fn of_json(&mut self, value: &serde_json::Value, place: Place) {
        match value {
            serde_json::Value::String(text) => self.of(text, place),
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.of_json(item, place)),
            serde_json::Value::Object(fields) => fields.values().for_each(|field| self.of_json(field, place)),
            _ => {}
        }
    }
}

/// `METHOD SERVICE PATH` as the route it names by default, and its path.
fn check_request(text: &At<String>, problems: &mut Problems<'_>) -> Checked<(Route, String)> {
    let mut words = text.value.split_ascii_whitespace();
    let (Some(method), Some(service), Some(path), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        let message = format!("`{}` is not a request", text.value);
        let help = "write METHOD SERVICE PATH, like `GET gateway /api/users/{id}`";
        return Err(problems.report(text.place, message, "three words are needed", help));
    };
    let after_method = method.len() + text.value.find(method).unwrap_or_default();
    let service_index = after_method + text.value[after_method..].find(service).unwrap_or_default();
    let path_index = text.value.rfind(path).unwrap_or_default();
    if !METHODS.contains(&method) {
        let help = spelling::hint(&method.to_ascii_uppercase(), METHODS);
        let place = problems.part(text, 0, method.len());
        return Err(problems.report(place, format!("unknown method `{method}`"), "not a method", help));
    }
    let service_place = problems.part(text, service_index, service.len());
    let service = problems.name(&At { value: service.to_owned(), place: service_place });
    let well_formed = path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
        && path.matches(['{', '}']).count() == 2 * placeholders(path).count();
    if !well_formed {
        let message = format!("`{path}` is not a path");
        let help =
            "a path begins with `/`, is plain ASCII without `#`, and its braces enclose names: `/users/{id}`";
        let place = problems.part(text, path_index, path.len());
        return Err(problems.report(place, message, "not a path", help));
    }
    let template = path.split('?').next().unwrap_or(path).to_owned();
    Ok((Route { service: service?, method: method.to_owned(), route: template }, path.to_owned()))
}

pub(super) fn check_template(text: &At<String>, problems: &mut Problems<'_>) -> Checked<String> {
    if text.value.starts_with('/') && !text.value.contains([' ', '?']) {
        return Ok(text.value.clone());
    }
    let message = format!("`{}` is not a route template", text.value);
    let help = "write it as the service's metrics name it, like `/users/{id}`";
    Err(problems.report(text.place, message, "has to begin with `/` and has no query", help))
}

fn check_headers(
    headers: BTreeMap<String, At<String>>,
    problems: &mut Problems<'_>,
) -> Checked<BTreeMap<String, String>> {
    let checked = headers.into_iter().map(|(name, value)| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let valid_value = value.value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !name.is_empty() && name.bytes().all(token) && valid_value {
            return Ok((name, value.value));
        }
        let message = format!("`{name}: {}` is not a header", value.value);
        let help = "a header has a name without spaces and a value of visible ASCII characters";
        Err(problems.report(value.place, message, "the value of that header", help))
    });
    Ok(all(checked.collect())?.into_iter().collect())
}

fn check_statuses(statuses: At<Vec<At<u16>>>, problems: &mut Problems<'_>) -> Checked<Vec<u16>> {
    if statuses.value.is_empty() {
        return Err(problems.report(
            statuses.place,
            "no status",
            "an empty list",
            "name at least one, like [200]",
        ));
    }
    let checked = statuses.value.into_iter().map(|status| check_status(status.value, status.place, problems));
    all(checked.collect())
}

fn check_status(status: u16, place: Place, problems: &mut Problems<'_>) -> Checked<u16> {
    if (100..=599).contains(&status) {
        return Ok(status);
    }
    let message = format!("{status} is not an HTTP status");
    Err(problems.report(place, message, "out of range", "write 100 to 599"))
}

fn check_captures(
    captures: BTreeMap<String, At<String>>,
    problems: &mut Problems<'_>,
) -> Checked<Vec<Capture>> {
    let checked = captures.into_iter().map(|(name, pointer)| {
        if !is_name(&name) || BUILT_IN_PLACEHOLDERS.contains(&name.as_str()) {
            let message = format!("`{name}` cannot be captured");
            let help =
                "a name has letters, digits, underscores and hyphens, and is neither `unique` nor `user`";
            return Err(problems.report(pointer.place, message, "captured under that name", help));
        }
        if !is_pointer(&pointer.value) {
            let message = format!("`{}` is not a JSON pointer", pointer.value);
            let help = "write where the value stands in the answer, like `/id` or `/items/0/id`";
            return Err(problems.report(pointer.place, message, "not a JSON pointer", help));
        }
        Ok(Capture { name, pointer: pointer.value })
    });
    all(checked.collect())
}

/// RFC 6901: tokens begin with `/`, and `~` only stands in `~0` and `~1`.
fn is_pointer(text: &str) -> bool {
    let escapes = text.match_indices('~').all(|(at, _)| text[at + 1..].starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

fn check_fan_out(text: FanOutText, default_when: &[u16], problems: &mut Problems<'_>) -> Checked<FanOut> {
    let request = check_request(&text.request, problems);
    let status = check_fan_out_status(&text.status, problems);
    let when = optional(text.when, |when| check_statuses(when, problems));
    let (route, path) = request?;
    if path != route.route {
        let help = "write the route template as the service's metrics name it, like `/users/{id}`";
        return Err(problems.report(text.request.place, "a fan-out with a query", "only a template", help));
    }
    Ok(FanOut { route, status: status?, when: when?.unwrap_or_else(|| default_when.to_vec()) })
}

fn check_fan_out_status(text: &At<String>, problems: &mut Problems<'_>) -> Checked<FanOutStatus> {
    match text.value.as_str() {
        "same" => Ok(FanOutStatus::Same),
        number => {
            if let Ok(status) = number.parse() {
                return check_status(status, text.place, problems).map(FanOutStatus::Fixed);
            }
            let message = format!("`{number}` is not a status");
            Err(problems.report(text.place, message, "neither", "write `same` or a number like 200"))
        }
    }
}

fn with_server_error(expect: &[u16]) -> Vec<u16> {
    let mut when = expect.to_vec();
    if !when.contains(&SERVER_ERROR) {
        when.push(SERVER_ERROR);
    }
    when
}
