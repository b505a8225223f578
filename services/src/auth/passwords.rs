//! Hashing passwords with argon2id, off the threads that serve.
//!
//! The cost is low on purpose: logins here are a load to be measured, not an account to be guarded.

use argon2::password_hash::{self, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::sync::Arc;
use uuid::Uuid;

const MEMORY_KIB: u32 = 1024;
const PASSES: u32 = 1;
const LANES: u32 = 1;

/// Hashes and verifies; clones are cheap.
#[derive(Clone)]
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    /// Verified when there is no such account, so that an unknown name takes as long as a wrong password.
    nobody: Arc<str>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    #[error("a password could not be hashed: {0}")]
    Hash(password_hash::Error),
    #[error("hashing was interrupted")]
    Interrupted,
}

impl Passwords {
    /// None when argon2 refuses the parameters.
    pub(super) fn new() -> Option<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, "the password of nobody").ok()?.into();
        Some(Self { argon2, nobody })
    }

    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        let hashed = tokio::task::spawn_blocking(move || hash(&argon2, &password)).await;
        hashed.map_err(|_| PasswordError::Interrupted)?.map_err(PasswordError::Hash)
    }

    /// Whether the password is the one of `stored`; never when there is none.
    pub(super) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let (argon2, nobody) = (self.argon2.clone(), Arc::clone(&self.nobody));
        let verified = tokio::task::spawn_blocking(move || {
            let parsed = PasswordHash::new(stored.as_deref().unwrap_or(&nobody))?;
            match argon2.verify_password(password.as_bytes(), &parsed) {
                Ok(()) => Ok(stored.is_some()),
                Err(password_hash::Error::Password) => Ok(false),
                Err(error) => Err(error),
            }
        });
        verified.await.map_err(|_| PasswordError::Interrupted)?.map_err(PasswordError::Hash)
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, password_hash::Error> {
    let salt = SaltString::encode_b64(Uuid::new_v4().as_bytes())?;
    Ok(argon2.hash_password(password.as_bytes(), &salt)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_an_account_verifies() {
        let passwords = Passwords::new().expect("valid parameters");
        let stored = passwords.hash("correct horse".to_owned()).await.expect("hashes");
        assert!(stored.starts_with("$argon2id$v=19$m=1024,t=1,p=1$"), "{stored}");
        let verify = |password: &str, stored| passwords.verify(password.to_owned(), stored);
        assert!(verify("correct horse", Some(stored.clone())).await.expect("verifies"));
        assert!(!verify("wrong horse", Some(stored)).await.expect("verifies"));
        assert!(!verify("the password of nobody", None).await.expect("verifies"));
    }
}
