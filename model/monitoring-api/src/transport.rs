//! One HTTP exchange, bounded in time and size.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::excerpt;
use crate::{ApiError, MetricsText, Reply};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A server and how to call it.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    base: Url,
    client: reqwest::Client,
    timeout: Duration,
    max_body_bytes: usize,
    headers: HeaderMap,
}

/// A complete exchange with a status of success or not.
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Transport {
    pub(crate) fn new(base: Url) -> Result<Self, ApiError> {
        if base.scheme() != "http" || base.host().is_none() {
            return Err(ApiError::BadAddress {
                url: base.into(),
                problem: "only http:// addresses are supported".into(),
            });
        }
        let built = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        let client = built
            .map_err(|error| ApiError::BadAddress { url: base.to_string(), problem: error.to_string() })?;
        Ok(Self {
            base,
            client,
            timeout: DEFAULT_TIMEOUT,
            max_body_bytes: MAX_BODY_BYTES,
            headers: HeaderMap::new(),
        })
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(crate) fn set_max_body_bytes(&mut self, max_body_bytes: usize) {
        self.max_body_bytes = max_body_bytes;
    }

    pub(crate) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// The address of `segments` under the base's own path.
    pub(crate) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_query(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(crate) async fn get(&self, url: Url) -> Result<Answer, ApiError> {
        self.exchange(self.client.request(Method::GET, url.clone()), url).await
    }

    pub(crate) async fn send(&self, method: Method, url: Url) -> Result<Answer, ApiError> {
        self.exchange(self.client.request(method, url.clone()), url).await
    }

    pub(crate) async fn post_json(&self, url: Url, body: &impl serde::Serialize) -> Result<Answer, ApiError> {
        self.exchange(self.client.request(Method::POST, url.clone()).json(body), url).await
    }

    async fn exchange(&self, request: RequestBuilder, url: Url) -> Result<Answer, ApiError> {
        let request = request.timeout(self.timeout).headers(self.headers.clone());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return Err(ApiError::Timeout { url: url.into() }),
            Err(error) => return Err(ApiError::Unreachable { url: url.into(), source: error.without_url() }),
        };
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let body = self.body(response, &url).await?;
        Ok(Answer { url, status, content_type, body })
    }

    async fn body(&self, mut response: Response, url: &Url) -> Result<String, ApiError> {
        let mut bytes = Vec::new();
        let malformed = |problem: String, bytes: &[u8]| ApiError::Malformed {
            url: url.to_string(),
            problem,
            excerpt: excerpt(&String::from_utf8_lossy(&bytes[..bytes.len().min(4096)])),
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > self.max_body_bytes => {
                    return Err(malformed(format!("larger than {} bytes", self.max_body_bytes), &bytes));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() => return Err(ApiError::Timeout { url: url.to_string() }),
                Err(error) => {
                    return Err(malformed(format!("cut off after {} bytes: {error}", bytes.len()), &bytes));
                }
            }
        }
        String::from_utf8(bytes).map_err(|error| malformed("not UTF-8".to_owned(), error.as_bytes()))
    }
}

impl Answer {
    /// The answer itself, if its status is a success.
    pub(crate) fn success(self) -> Result<Self, ApiError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(ApiError::Status {
            status: self.status.as_u16(),
            excerpt: excerpt(&self.body),
            url: self.url.into(),
        })
    }

    pub(crate) fn malformed(self, problem: impl Into<String>) -> ApiError {
        ApiError::Malformed { problem: problem.into(), excerpt: excerpt(&self.body), url: self.url.into() }
    }

    /// A successful body of plain JSON.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<Reply<T>, ApiError> {
        let answer = self.success()?;
        match serde_json::from_str(&answer.body) {
            Ok(parsed) => Ok(Reply { parsed, raw: answer.body, warnings: Vec::new() }),
            Err(error) => Err(answer.malformed(error.to_string())),
        }
    }

    /// A success whose body is only evidence.
    pub(crate) fn done(self) -> Result<Reply<()>, ApiError> {
        let answer = self.success()?;
        Ok(Reply { parsed: (), raw: answer.body, warnings: Vec::new() })
    }

    /// A success that says something, as readiness does.
    pub(crate) fn statement(self) -> Result<Reply<()>, ApiError> {
        let answer = self.success()?;
        if answer.body.trim().is_empty() {
            return Err(answer.malformed("empty"));
        }
        answer.done()
    }

    /// A page of metrics. Its lines are not parsed here.
    pub(crate) fn metrics(self) -> Result<Reply<MetricsText>, ApiError> {
        let answer = self.success()?;
        if answer.body.is_empty() {
            return Err(answer.malformed("empty"));
        }
        if !answer.body.ends_with('\n') {
            return Err(answer.malformed("cut off: the last line does not end with a line feed"));
        }
        let parsed = MetricsText { content_type: answer.content_type };
        Ok(Reply { parsed, raw: answer.body, warnings: Vec::new() })
    }
}
