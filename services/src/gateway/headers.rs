//! Which headers pass the gateway, and which it adds: those of one connection stay on it (RFC 9110, 7.6.1).

use std::net::SocketAddr;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The headers to pass on: those that are not of one connection.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let passes =
        |name: &HeaderName| !HOP_BY_HOP.contains(name) && !lists(headers, &CONNECTION, name.as_str());
    headers
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The headers of a request as an upstream sees it. `client` is who sent it, where that is known.
pub(super) fn forwarded(headers: &HeaderMap, client: Option<SocketAddr>) -> HeaderMap {
    let mut forwarded = end_to_end(headers);
    // The host and the length are those of the gateway's own request; `expect` has been answered.
    for own in [HOST, CONTENT_LENGTH, EXPECT] {
        forwarded.remove(own);
    }
    forwarded.append(VIA, HeaderValue::from_static("1.1 gateway"));
    forwarded.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    if let Some(client) = client.and_then(|client| client.ip().to_string().parse().ok()) {
        forwarded.append(FORWARDED_FOR, client);
    }
    forwarded
}

/// The headers of a question of the gateway's own on behalf of a request: may this token be used?
pub(super) fn of_verification(headers: &HeaderMap, request_id: &HeaderValue) -> HeaderMap {
    let token = headers.get(AUTHORIZATION).map(|token| (AUTHORIZATION, token.clone()));
    token.into_iter().chain([(REQUEST_ID, request_id.clone())]).collect()
}

/// The request's own identifier, or a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let new = || Uuid::new_v4().to_string().parse().expect("an identifier is visible ASCII");
    headers.get(REQUEST_ID).cloned().unwrap_or_else(new)
}

/// Whether a head asks for, or agrees to, a WebSocket.
pub(super) fn speak_websocket(headers: &HeaderMap) -> bool {
    lists(headers, &CONNECTION, UPGRADE.as_str()) && lists(headers, &UPGRADE, "websocket")
}

/// Says what [`speak_websocket`] asks.
pub(super) fn insert_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Whether the comma-separated `list` has the word, in any case.
fn lists(headers: &HeaderMap, list: &HeaderName, word: &str) -> bool {
    headers
        .get_all(list)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn headers_of_one_connection_are_dropped() {
        let kept = end_to_end(&headers(&[
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("content-type", "application/json"),
            ("etag", "\"7\""),
            ("x-request-id", "7"),
        ]));
        assert_eq!(names(&kept), ["content-type", "etag", "x-request-id"]);
    }

    #[test]
    fn an_upstream_is_told_for_whom_and_through_whom_it_is_asked() {
        let client = "192.0.2.7:4711".parse().expect("an address");
        let asked = headers(&[
            ("host", "gateway"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("x-forwarded-for", "198.51.100.1"),
            ("if-match", "\"7\""),
        ]);
        let forwarded = forwarded(&asked, Some(client));
        assert_eq!(names(&forwarded), ["if-match", "via", "x-forwarded-for", "x-forwarded-proto"]);
        let addresses: Vec<_> = forwarded.get_all(FORWARDED_FOR).iter().collect();
        assert_eq!(addresses, ["198.51.100.1", "192.0.2.7"]);
        assert_eq!(
            (&forwarded[VIA], &forwarded[FORWARDED_PROTO]),
            (&"1.1 gateway".parse().expect("ASCII"), &"http".parse().expect("ASCII"))
        );
    }

    #[test]
    fn only_an_upgrade_to_websocket_is_one() {
        for (connection, upgrade, asked) in [
            ("Upgrade", "websocket", true),
            ("keep-alive, upgrade", "WebSocket", true),
            ("keep-alive", "websocket", false),
            ("upgrade", "h2c", false),
        ] {
            let headers = headers(&[("connection", connection), ("upgrade", upgrade)]);
            assert_eq!(speak_websocket(&headers), asked, "{connection}: {upgrade}");
        }
    }
}
