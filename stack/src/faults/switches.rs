//! Where the services' fault switches are, and the token they ask for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use firedrill_record::{Secret, ServiceName};

/// The fault switches of a stack's services.
#[derive(Debug)]
pub(crate) struct Switches {
    pub(super) services: BTreeMap<ServiceName, SocketAddr>,
    pub(super) token: Secret,
    pub(super) client: reqwest::Client,
}

impl Switches {
    pub(crate) fn new(services: BTreeMap<ServiceName, SocketAddr>, token: Secret) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .build()
            .expect("a client without TLS and proxy can always be built");
        Self { services, token, client }
    }
}
