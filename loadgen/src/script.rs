//! A journey made ready to be sent: templates split, routes resolved, addresses looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use firedrill_drill::{Body, Capture, Journey, Step};
use firedrill_record::ServiceName;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::LoadError;
use crate::recorder::{RecorderBuilder, StepId};
use crate::template::{Identifiers, JsonTemplate, Template, Values};
use crate::transport::OutgoingRequest;

/// A journey ready to be walked.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) setup: Vec<ScriptStep>,
    pub(crate) steps: Vec<ScriptStep>,
}

impl Script {
    /// Resolves everything in `journey` that is the same for each of its requests.
    pub(crate) fn new(
        journey: &Journey,
        targets: &BTreeMap<ServiceName, SocketAddr>,
        recorder: &mut RecorderBuilder,
    ) -> Result<Self, LoadError> {
        if journey.steps.is_empty() {
            return Err(LoadError::EmptyLoad { load: journey.name.clone(), why: "its journey has no steps" });
        }
        let mut known = BTreeSet::new();
        let mut resolve = |step: &Step| {
            let invalid =
                |why| LoadError::InvalidStep { journey: journey.name.clone(), step: step.name.clone(), why };
            let service = &step.route.service;
            let address =
                targets.get(service).ok_or_else(|| LoadError::NoAddress { service: service.clone() })?;
            let id = recorder.step(&step.route, &step.fan_out);
            let ready = ScriptStep::new(step, *address, id).map_err(invalid)?;
            if let Some(name) = ready.needs().into_iter().find(|name| !known.contains(*name)) {
                return Err(invalid(format!("no earlier step captures {{{name}}}")));
            }
            known.extend(step.capture.iter().map(|capture| capture.name.clone()));
            Ok(ready)
        };
        let setup = journey.setup.iter().map(&mut resolve).collect::<Result<_, _>>()?;
        let steps = journey.steps.iter().map(&mut resolve).collect::<Result<_, _>>()?;
        Ok(Self { name: journey.name.clone(), setup, steps })
    }
}

/// A step ready to be sent.
#[derive(Debug)]
pub(crate) struct ScriptStep {
    pub(crate) name: String,
    pub(crate) id: StepId,
    pub(crate) service: ServiceName,
    pub(crate) expect: Vec<u16>,
    pub(crate) timeout: Duration,
    address: SocketAddr,
    method: Method,
    path: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Option<JsonTemplate>,
    capture: Vec<Capture>,
}

impl ScriptStep {
    fn new(step: &Step, address: SocketAddr, id: StepId) -> Result<Self, String> {
        let method = Method::from_bytes(step.route.method.as_bytes())
            .map_err(|_| format!("`{}` is not an HTTP method", step.route.method))?;
        if !step.path.starts_with('/') {
            return Err(format!("its path `{}` does not begin with a slash", step.path));
        }
        let headers = step
            .headers
            .iter()
            .map(|(name, value)| {
                let name =
                    HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header name"))?;
                Ok((name, Template::parse(value)))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            name: step.name.clone(),
            id,
            service: step.route.service.clone(),
            address,
            expect: step.expect.clone(),
            timeout: step.timeout,
            method,
            path: Template::parse(&step.path),
            headers,
            body: step.body.as_ref().map(|Body::Json(value)| JsonTemplate::parse(value)),
            capture: step.capture.clone(),
        })
    }

    /// Whether later steps may need something of its answer.
    pub(crate) fn captures(&self) -> bool {
        !self.capture.is_empty()
    }

    /// The request with its placeholders filled in; the error says what stands in the way.
    pub(crate) fn outgoing(
        &self,
        values: &Values,
        identifiers: &Identifiers,
    ) -> Result<OutgoingRequest, String> {
        let missing = |name: String| format!("the value {{{name}}} is missing");
        let path = self.path.render_in_url(values, identifiers).map_err(missing)?;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 1);
        let body = match &self.body {
            Some(body) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Bytes::from(body.render(values, identifiers).map_err(missing)?.to_string())
            }
            None => Bytes::new(),
        };
        for (name, value) in &self.headers {
            let text = value.render(values, identifiers).map_err(missing)?;
            let value =
                HeaderValue::try_from(text).map_err(|_| format!("the value of header {name} is not text"))?;
            headers.insert(name, value);
        }
        Ok(OutgoingRequest {
            method: self.method.clone(),
            url: format!("http://{}{path}", self.address),
            headers,
            body,
            keep_body: self.captures(),
        })
    }

    /// Takes the step's values from `answer`; returns the pointer of the first that is missing.
    pub(crate) fn capture(&self, answer: &[u8], into: &mut Values) -> Option<&str> {
        if self.capture.is_empty() {
            return None;
        }
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        for capture in &self.capture {
            let text = match answer.pointer(&capture.pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Bool(truth)) => truth.to_string(),
                _ => return Some(&capture.pointer),
            };
            into.captured.insert(capture.name.clone(), text);
        }
        None
    }

    fn needs(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.path.needs().collect();
        names.extend(self.headers.iter().flat_map(|(_, value)| value.needs()));
        names.extend(self.body.iter().flat_map(JsonTemplate::needs));
        names
    }
}
