//! Refresh tokens: the session they belong to and 256 random bits. Redis knows their hashes only.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a client shows, once, for a new pair of tokens.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RefreshToken {
    session: Uuid,
    text: String,
}

impl RefreshToken {
    pub(super) fn random(session: Uuid) -> Self {
        let [high, low]: [u128; 2] = rand::random();
        Self { session, text: format!("{session}.{high:032x}{low:032x}") }
    }

    /// None when it names no session. Whether it was ever issued is another question.
    pub(super) fn parse(text: String) -> Option<Self> {
        let (session, _) = text.split_once('.')?;
        Some(Self { session: Uuid::parse_str(session).ok()?, text })
    }

    pub(super) fn session(&self) -> Uuid {
        self.session
    }

    /// What the client gets and shows.
    pub(super) fn expose(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the whole token, in hexadecimal. A fast hash will do: there is no guessing 256 random bits.
    pub(super) fn hash(&self) -> String {
        format!("{:x}", Sha256::digest(&self.text))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RefreshToken").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_has_256_random_bits_and_names_its_session() {
        let session = Uuid::new_v4();
        let (one, other) = (RefreshToken::random(session), RefreshToken::random(session));
        let secret = one.expose().rsplit_once('.').expect("two parts").1;
        assert!(secret.len() == 64 && secret.chars().all(|digit| digit.is_ascii_hexdigit()), "{secret}");
        assert_ne!(one, other);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(RefreshToken::parse(one.expose().to_owned()), Some(one.clone()));
        assert!(!format!("{one:?}").contains(secret));
    }

    #[test]
    fn what_names_no_session_is_no_refresh_token() {
        for text in ["", ".", "a.b", "3d0ca315-aff9-4fc2-be61-3b76b9a2d798"] {
            assert_eq!(RefreshToken::parse(text.to_owned()), None, "{text}");
        }
    }
}
