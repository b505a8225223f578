//! Signed tokens. A token alone proves nothing: its session must be in the store too.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::Secret;

/// How long a token is valid, if its session lasts.
pub(super) const LIFETIME: Duration = Duration::from_hours(1);

/// Signs and checks.
pub(super) struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

/// What a token says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    #[serde(rename = "sub")]
    pub(super) subject: Uuid,
    #[serde(rename = "sid")]
    pub(super) session: Uuid,
    /// Seconds since the epoch.
    exp: i64,
}

impl Tokens {
    pub(super) fn new(key: &Secret) -> Self {
        let key = key.expose().as_bytes();
        Self {
            signing: EncodingKey::from_secret(key),
            checking: DecodingKey::from_secret(key),
            validation: Validation::new(Algorithm::HS256),
        }
    }

    pub(super) fn issue(&self, subject: Uuid, session: Uuid) -> errors::Result<String> {
        let exp = jiff::Timestamp::now().as_second() + i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX);
        encode(&Header::new(Algorithm::HS256), &Claims { subject, session, exp }, &self.signing)
    }

    /// None when the signature is not ours, the token has expired, or it is no token.
    pub(super) fn check(&self, token: &str) -> Option<Claims> {
        decode(token, &self.checking, &self.validation).ok().map(|decoded| decoded.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_under_its_own_key_only() {
        let tokens = Tokens::new(&Secret::new("the key of this service"));
        let (subject, session) = (Uuid::new_v4(), Uuid::new_v4());
        let token = tokens.issue(subject, session).expect("signs");
        let claims = tokens.check(&token).expect("valid");
        assert_eq!((claims.subject, claims.session), (subject, session));
        let others = Tokens::new(&Secret::new("the key of another service"));
        assert_eq!(others.check(&token), None);
        assert_eq!(tokens.check("not.a.token"), None);
    }

    #[test]
    fn an_expired_token_is_not_valid() {
        let tokens = Tokens::new(&Secret::new("the key of this service"));
        let exp = jiff::Timestamp::now().as_second() - 3600;
        let claims = Claims { subject: Uuid::new_v4(), session: Uuid::new_v4(), exp };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &tokens.signing).expect("signs");
        assert_eq!(tokens.check(&token), None);
    }
}
