//! What is known of a user, and which profiles are accepted.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::ApiError;

/// What a client says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    pub(super) name: String,
    pub(super) email: String,
}

impl Profile {
    pub(super) fn checked(self) -> Result<Self, ApiError> {
        let fits = |text: &str, most: usize| !text.trim().is_empty() && text.len() <= most;
        if !fits(&self.name, 200) {
            return Err(ApiError::invalid("name must be 1 to 200 bytes and not blank"));
        }
        if self.name.contains(char::is_control) {
            return Err(ApiError::invalid("name must have no control characters"));
        }
        if !self.username.as_deref().is_none_or(|username| fits(username, 64)) {
            return Err(ApiError::invalid("username must be 1 to 64 bytes and not blank"));
        }
        let well_formed = self
            .email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !well_formed || self.email.len() > 254 || self.email.contains(char::is_whitespace) {
            return Err(ApiError::invalid("email must be local@domain, at most 254 bytes"));
        }
        Ok(self)
    }
}

/// A user as it is answered.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct User {
    pub(super) id: Uuid,
    #[serde(flatten)]
    pub(super) profile: Profile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_needs_a_name_and_an_email_of_the_right_form() {
        let profile = |username: Option<&str>, name: &str, email: &str| Profile {
            username: username.map(str::to_owned),
            name: name.to_owned(),
            email: email.to_owned(),
        };
        assert!(profile(None, "Ada", "ada@example.org").checked().is_ok());
        assert!(profile(Some("ada"), "Ada", "ada@example.org").checked().is_ok());
        for (username, name, email) in [
            (None, " ", "ada@example.org"),
            (Some(""), "Ada", "ada@example.org"),
            (None, "Ada", "ada"),
            (None, "Ada", "@example.org"),
            (None, "Ada", "ada@"),
            (None, "Ada", "a@b@c"),
            (None, "Ada", "a da@example.org"),
        ] {
            assert!(profile(username, name, email).checked().is_err(), "{username:?} {name:?} {email:?}");
        }
    }
}
