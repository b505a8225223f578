//! A journey file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::notation;
use crate::yaml::At;

/// What one user does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Journey", rename = "Journey")]
pub(crate) struct JourneyText {
    /// The journey's name; the file has the same name.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) journey: At<String>,
    /// What it stands for.
    pub(crate) about: At<String>,
    /// How long a user waits between steps, in real time; arrivals do not wait.
    pub(crate) pace: At<PaceText>,
    /// Requests before the first round: once for each user, or once in all for arrivals.
    #[serde(default)]
    pub(crate) setup: Vec<StepText>,
    /// The requests of one round.
    #[schemars(length(min = 1))]
    pub(crate) steps: At<Vec<StepText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pace")]
pub(crate) struct PaceText {
    /// Shortest wait.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) at_least: At<String>,
    /// Longest wait.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) at_most: At<String>,
}

/// One request. Path, header values and texts in the body may hold `{name}`: captured before, `{unique}` or `{user}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub(crate) struct StepText {
    /// What it does, for reports.
    pub(crate) step: At<String>,
    /// METHOD SERVICE PATH, like `GET gateway /api/users/{id}?full=1`.
    #[schemars(regex(pattern = notation::REQUEST))]
    pub(crate) request: At<String>,
    /// The route template in the service's metrics; without it the path, with its placeholders and without its query.
    pub(crate) route: Option<At<String>>,
    /// Headers of the request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, At<String>>,
    /// JSON body, written as YAML.
    pub(crate) body: Option<At<serde_json::Value>>,
    /// Statuses that mean success.
    #[schemars(schema_with = "notation::statuses")]
    pub(crate) expect: At<Vec<At<u16>>>,
    /// Values of the answer for later steps: name to JSON pointer.
    #[serde(default)]
    pub(crate) capture: BTreeMap<String, At<String>>,
    /// Requests that the service certainly makes for this one.
    #[serde(default)]
    pub(crate) fan_out: Vec<FanOutText>,
    /// Longest wait for the answer, in real time; 5s without it.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) timeout: Option<At<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FanOut")]
pub(crate) struct FanOutText {
    /// METHOD SERVICE ROUTE-TEMPLATE, like `GET user /users/{id}`.
    #[schemars(regex(pattern = notation::REQUEST))]
    pub(crate) request: At<String>,
    /// The status it ends with: `same` as the step's, or always this one.
    #[schemars(schema_with = "notation::fan_out_status")]
    pub(crate) status: At<String>,
    /// Answers of the step under which it certainly happened; without it those of `expect`, and 500.
    #[schemars(schema_with = "notation::statuses")]
    #[serde(default)]
    pub(crate) when: Option<At<Vec<At<u16>>>>,
}
