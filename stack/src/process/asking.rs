//! One look at every part of a stack that somebody else runs: does it answer as it does when it is ready?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::parts::ready_when;
use super::readiness::Readiness;

/// For a part that takes the connection and says nothing, too.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Asks all of `parts` (address by name) at once, and gives by name what was seen instead of an answer, as a fragment:
/// `/health answered 503`. Takes about 2 s at most.
pub async fn ask_parts(parts: &BTreeMap<String, SocketAddr>) -> BTreeMap<String, Result<(), String>> {
    let readiness = &Readiness::new();
    join_all(parts.iter().map(|(name, address)| async move {
        let answer = timeout(ANSWERED_WITHIN, readiness.answers(ready_when(name), *address)).await;
        let seen =
            answer.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWERED_WITHIN.as_secs())));
        (name.clone(), seen)
    }))
    .await
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_refuses_and_one_that_is_silent_are_told_with_what_was_seen() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let parts = BTreeMap::from([
            ("redis".to_owned(), silent.local_addr().unwrap()),
            ("user".to_owned(), closed.local_addr().unwrap()),
        ]);
        drop(closed);
        let seen = ask_parts(&parts).await;
        assert_eq!(seen["redis"], Err("no answer within 2 s".to_owned()));
        assert!(seen["user"].as_ref().unwrap_err().contains("refused"), "{seen:?}");
    }
}
