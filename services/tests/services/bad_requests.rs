//! Bad requests for any route, made from a seed: each with the statuses that are right for it.
//!
//! Knows of a route what its service's metrics tell: method, template, and the statuses it can answer.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};

/// A route as the service declares it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) statuses: Vec<u16>,
}

/// What to send, and what is to come of it.
pub(crate) struct BadRequest {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// The right statuses.
    pub(crate) right: Vec<u16>,
    /// The service may close instead of answering (or before the answer could be read).
    pub(crate) may_close: bool,
    /// The client ends its side when it has sent this.
    pub(crate) hangs_up: bool,
    /// Sent after an upgrade: what is to come of it is a close code among these.
    pub(crate) frame: Option<(Vec<u8>, &'static [u16])>,
}

/// May come first on a route that declares them: who asks, how often, and what precedes the body.
const CHECKED_BEFORE: [u16; 6] = [401, 403, 404, 412, 428, 429];
/// Larger than any body that a service reads.
const OVER_ANY_LIMIT: usize = 4 * 1024 * 1024 + 1;
const OVER_THE_USUAL_LIMIT: usize = 64 * 1024 + 1;

impl Route {
    fn can(&self, status: u16) -> bool {
        self.statuses.contains(&status)
    }

    fn reads_json(&self) -> bool {
        self.can(415)
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.can(101)
    }

    fn path(&self) -> String {
        let path = self.template.replace("{id}", "9f2c1e52-0000-4000-8000-000000000000");
        let path = path.replace("{room}", "lobby");
        if self.is_websocket() { format!("{path}?member=m") } else { path }
    }

    /// One bad request; `headers` are those that every request carries, each with its line end.
    pub(crate) fn bad_request(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let mut makers: Vec<fn(&Self, &str, &mut StdRng) -> BadRequest> = vec![
            Self::unknown_method,
            Self::malformed_method,
            Self::header_flood,
            Self::huge_header,
            Self::huge_target,
            Self::raw_bytes_in_the_target,
            Self::contradicting_lengths,
            Self::no_length,
            Self::noise,
            Self::half_a_head,
            Self::nothing_at_all,
        ];
        if self.template.contains('{') {
            makers.push(Self::path_that_is_not_utf8);
        }
        if self.can(422) && self.method == "GET" && !self.is_websocket() {
            makers.push(Self::wrong_query);
        }
        if self.reads_json() {
            makers.extend([
                Self::malformed_json as fn(&Self, &str, &mut StdRng) -> BadRequest,
                Self::wrong_type,
                Self::body_that_is_not_utf8,
                Self::another_content_type,
                Self::body_over_the_limit,
                Self::malformed_chunk,
                Self::truncated_chunks,
                Self::truncated_body,
            ]);
        }
        if self.is_websocket() {
            makers
                .extend([Self::bad_upgrade as fn(&Self, &str, &mut StdRng) -> BadRequest, Self::bad_upgrade]);
            // One for each of its kinds.
            makers.extend([Self::bad_frame as fn(&Self, &str, &mut StdRng) -> BadRequest; 8]);
        }
        let maker = makers.choose(random).expect("there are some");
        maker(self, headers, random)
    }

    fn make(&self, name: &'static str, bytes: Vec<u8>, right: &[u16]) -> BadRequest {
        let before = CHECKED_BEFORE.into_iter().filter(|status| self.can(*status));
        let right = right.iter().copied().chain(before).collect();
        BadRequest { name, bytes, right, may_close: false, hangs_up: false, frame: None }
    }

    fn head(&self, headers: &str) -> String {
        format!("{} {} HTTP/1.1\r\nhost: x\r\n{headers}", self.method, self.path())
    }

    fn with_body(&self, headers: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let length = body.len();
        let head = self.head(headers);
        let head = format!("{head}content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    fn unknown_method(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let method = ["BREW", "get", "PROPFIND", "X", "TRACE", "LINK"].choose(random).expect("some");
        let head = format!("{method} {} HTTP/1.1\r\nhost: x\r\n{headers}\r\n", self.path());
        self.make("unknown method", head.into_bytes(), &[405])
    }

    fn malformed_method(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let method = ["G@T", "(GET)", "G\0T", "P\u{f6}ST"].choose(random).expect("some");
        let head = format!("{method} {} HTTP/1.1\r\nhost: x\r\n{headers}\r\n", self.path());
        self.make("malformed method", head.into_bytes(), &[400])
    }

    fn header_flood(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let flood = "x-one-more: 1\r\n".repeat(random.random_range(101..400));
        let head = self.head(headers) + &flood;
        let closes = BadRequest { may_close: true, ..self.make("header flood", Vec::new(), &[431]) };
        BadRequest { bytes: (head + "\r\n").into_bytes(), ..closes }
    }

    fn huge_header(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let value = "v".repeat(random.random_range(17_000..200_000));
        let head = format!("{}x-huge: {value}\r\n\r\n", self.head(headers));
        BadRequest { may_close: true, ..self.make("huge header", head.into_bytes(), &[431]) }
    }

    fn huge_target(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let query = "q".repeat(random.random_range(17_000..100_000));
        let head = format!("{} /?{query} HTTP/1.1\r\nhost: x\r\n{headers}\r\n", self.method);
        BadRequest { may_close: true, ..self.make("huge target", head.into_bytes(), &[414, 431]) }
    }

    fn raw_bytes_in_the_target(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let byte = random.random_range(0x80..=0xff_u8);
        let mut bytes = format!("{} {}", self.method, self.path()).into_bytes();
        bytes.extend([byte, b'\x01']);
        bytes.extend(format!(" HTTP/1.1\r\nhost: x\r\n{headers}\r\n").bytes());
        self.make("raw bytes in the target", bytes, &[400])
    }

    fn contradicting_lengths(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let lengths = ["-1", "1\r\ncontent-length: 2", "99999999999999999999", "x", "1, 2"];
        let length = lengths.choose(random).expect("some");
        let head = format!("{}content-length: {length}\r\n\r\n", self.head(headers));
        self.make("contradicting lengths", head.into_bytes(), &[400])
    }

    fn no_length(&self, headers: &str, _: &mut StdRng) -> BadRequest {
        let head = format!("{}transfer-encoding: gzip\r\n\r\n", self.head(headers));
        self.make("transfer encoding without an end", head.into_bytes(), &[400])
    }

    fn noise(&self, _: &str, random: &mut StdRng) -> BadRequest {
        let mut bytes = vec![0; random.random_range(1..3000)];
        random.fill_bytes(&mut bytes);
        // No method begins with it, so that it is noise from the first byte on.
        bytes[0] = 0xff;
        self.make("noise", bytes, &[400])
    }

    fn half_a_head(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let head = self.head(headers);
        let end = random.random_range(1..head.len());
        let bytes = head.as_bytes()[..end].to_vec();
        BadRequest { may_close: true, hangs_up: true, ..self.make("half a head", bytes, &[400]) }
    }

    fn nothing_at_all(&self, _: &str, _: &mut StdRng) -> BadRequest {
        BadRequest { may_close: true, hangs_up: true, ..self.make("nothing at all", Vec::new(), &[]) }
    }

    fn path_that_is_not_utf8(&self, headers: &str, _: &mut StdRng) -> BadRequest {
        let path = self.template.replace("{id}", "%FF%FE").replace("{room}", "%C3%28");
        let head = format!("{} {path}?member=m HTTP/1.1\r\nhost: x\r\n{headers}\r\n", self.method);
        self.make("path that is not UTF-8", head.into_bytes(), &[400, 415])
    }

    fn wrong_query(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let limits = ["abc", "-1", "0", "1e9", "99999999999999999999", "%FF", "1&limit=2"];
        let limit = limits.choose(random).expect("some");
        let head =
            format!("{} {}?limit={limit} HTTP/1.1\r\nhost: x\r\n{headers}\r\n", self.method, self.template);
        self.make("wrong query", head.into_bytes(), &[422])
    }

    fn malformed_json(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let nested = "[".repeat(random.random_range(200..20_000));
        let bodies = ["", "{", "{\"a\":", "{\"a\" 1}", "nul", "[1,]", "{'a': 1}", "\u{feff}{}", &nested];
        let body = bodies.choose(random).expect("some");
        let bytes = self.with_body(headers, "application/json", body.as_bytes());
        // A name that is not known, or a shape that is wrong, may be seen before the end is.
        self.make("malformed JSON", bytes, &[400, 422])
    }

    fn wrong_type(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let bodies = ["7", "\"text\"", "true", "null", "[[]]", "-0.5e300", "[{}, {}, {}, {}, {}, {}, {}]"];
        let body = bodies.choose(random).expect("some");
        let bytes = self.with_body(headers, "application/json", body.as_bytes());
        self.make("wrong type", bytes, &[422])
    }

    fn body_that_is_not_utf8(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let mut body = b"{\"username\": \"..........\", \"password\": \"a password\"}".to_vec();
        for byte in &mut body[14..20] {
            *byte = random.random_range(0xf8..=0xff);
        }
        let bytes = self.with_body(headers, "application/json", &body);
        self.make("body that is not UTF-8", bytes, &[400, 422])
    }

    fn another_content_type(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let types = ["text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense"];
        let bytes = self.with_body(headers, types.choose(random).expect("some"), b"{}");
        self.make("another content type", bytes, &[415])
    }

    fn body_over_the_limit(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let webhook = self.template.contains("webhook");
        let size = if webhook { OVER_ANY_LIMIT } else { OVER_THE_USUAL_LIMIT };
        let body = vec![b' '; size + random.random_range(0..1000)];
        let bytes = self.with_body(headers, "application/json", &body);
        BadRequest { may_close: true, ..self.make("body over the limit", bytes, &[413]) }
    }

    fn chunked(&self, headers: &str, body: &str) -> Vec<u8> {
        let head = self.head(headers);
        format!("{head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{body}")
            .into_bytes()
    }

    fn malformed_chunk(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let chunks = ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n", "fffffffffffffffff\r\n", "2\r\n{}xx", "\r\n\r\n"];
        let bytes = self.chunked(headers, chunks.choose(random).expect("some"));
        BadRequest { may_close: true, ..self.make("malformed chunk", bytes, &[400]) }
    }

    fn truncated_chunks(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let chunks = ["5\r\n{\"a\"", "2\r\n{}\r\n", "400\r\n{", "2"];
        let bytes = self.chunked(headers, chunks.choose(random).expect("some"));
        BadRequest { may_close: true, hangs_up: true, ..self.make("truncated chunks", bytes, &[400]) }
    }

    fn truncated_body(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let mut bytes = self.with_body(headers, "application/json", &[b' '; 500]);
        bytes.truncate(bytes.len() - random.random_range(1..500));
        BadRequest { may_close: true, hangs_up: true, ..self.make("truncated body", bytes, &[400]) }
    }

    fn upgrade(&self, headers: &str, changed: &str) -> Vec<u8> {
        format!("{}connection: upgrade\r\nupgrade: websocket\r\n{changed}\r\n", self.head(headers))
            .into_bytes()
    }

    fn bad_upgrade(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let without_member = self.template.replace("{room}", "lobby");
        let bytes = match random.random_range(0..5) {
            0 => self.upgrade(headers, key),
            1 => self.upgrade(headers, "sec-websocket-version: 13\r\n"),
            2 => self.upgrade(headers, &format!("sec-websocket-version: 7\r\n{key}")),
            3 => format!("{}\r\n", self.head(headers)).into_bytes(),
            _ => format!("GET {without_member} HTTP/1.1\r\nhost: x\r\n{headers}\r\n").into_bytes(),
        };
        self.make("bad WebSocket upgrade", bytes, &[400, 422, 426])
    }

    fn bad_frame(&self, headers: &str, random: &mut StdRng) -> BadRequest {
        let key = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let (fin_text, fin_binary) = (0x81, 0x82);
        let (frame, right): (Vec<u8>, &'static [u16]) = match random.random_range(0..8) {
            0 => (masked(fin_text, &vec![b'x'; 64 * 1024 + 1]), &[1009]),
            1 => (masked(fin_text, &vec![b'x'; 1024 * 1024 + 1]), &[1009]),
            2 => (masked(fin_binary, b"{}"), &[1003]),
            3 => (masked(fin_text, b"{\"id\": 1"), &[1007]),
            4 => (masked(fin_text, b"\xff\xfe"), &[1007]),
            // Not masked, a reserved operation, a control frame in pieces: no WebSocket any more.
            5 => (vec![fin_text, 2, b'{', b'}'], &[1002]),
            6 => (masked(0x83, b"{}"), &[1002]),
            _ => (masked(0x09, b"ping"), &[1002]),
        };
        let bad = self.make("bad WebSocket frame", self.upgrade(headers, key), &[101]);
        BadRequest { frame: Some((frame, right)), may_close: true, ..bad }
    }
}

/// A client's frame, with a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | 0x7e);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 0x7f);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
