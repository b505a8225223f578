//! Hashing passwords with argon2id, off the threads that serve, and only so many at once.
//!
//! The cost is low on purpose: logins here are a load to be measured, not an account to be guarded.

use argon2::password_hash::{self, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::num::NonZero;
use std::sync::Arc;
use tokio::sync::Semaphore;
use uuid::Uuid;

const MEMORY_KIB: u32 = 1024;
const PASSES: u32 = 1;
const LANES: u32 = 1;

/// How many may wait for their turn: a second's work or less on one processor.
const MOST_WAITING: usize = 512;

/// Hashes and verifies, as many at once as there are processors; clones share the bound and are cheap.
#[derive(Clone)]
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    /// Verified when there is no such account, so that an unknown name takes as long as a wrong password.
    nobody: Arc<str>,
    /// A permit for each that works or waits.
    admitted: Arc<Semaphore>,
    /// A permit for each that works; each needs [`MEMORY_KIB`].
    working: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    #[error("a password could not be hashed: {0}")]
    Hash(password_hash::Error),
    #[error("hashing was interrupted")]
    Interrupted,
    #[error("too many passwords are waiting to be hashed")]
    Busy,
}

impl Passwords {
    /// None when argon2 refuses the parameters.
    pub(super) fn new() -> Option<Self> {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::bounded(processors, MOST_WAITING)
    }

    fn bounded(most_working: usize, most_waiting: usize) -> Option<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, "the password of nobody").ok()?.into();
        let admitted = Arc::new(Semaphore::new(most_working + most_waiting));
        let working = Arc::new(Semaphore::new(most_working));
        Some(Self { argon2, nobody, admitted, working })
    }

    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        self.work(move || hash(&argon2, &password)).await
    }

    /// Whether the password is the one of `stored`; never when there is none.
    pub(super) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let (argon2, nobody) = (self.argon2.clone(), Arc::clone(&self.nobody));
        self.work(move || {
            let parsed = PasswordHash::new(stored.as_deref().unwrap_or(&nobody))?;
            match argon2.verify_password(password.as_bytes(), &parsed) {
                Ok(()) => Ok(stored.is_some()),
                Err(password_hash::Error::Password) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, password_hash::Error> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let working = Arc::clone(&self.working).acquire_owned();
        let working = working.await.map_err(|_| PasswordError::Interrupted)?;
        let worked = tokio::task::spawn_blocking(move || {
            // Work goes on when the client has left; so the permits end with the work, not with the request.
            let _permits = (admitted, working);
            work()
        });
        worked.await.map_err(|_| PasswordError::Interrupted)?.map_err(PasswordError::Hash)
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

    #[tokio::test]
    async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
        let passwords = Passwords::new().expect("valid parameters");
        let stored = passwords.hash("correct horse".to_owned()).await.expect("hashes");
        let mut took = [Vec::new(), Vec::new()];
        // In turns, so that whatever else the machine does slows both alike.
        for _ in 0..41 {
            for (took, stored) in took.iter_mut().zip([Some(stored.clone()), None]) {
                let begun = tokio::time::Instant::now();
                assert!(!passwords.verify("wrong horse".to_owned(), stored).await.expect("verifies"));
                took.push(begun.elapsed());
            }
        }
        let [wrong, unknown] = took.map(|mut took| {
            took.sort_unstable();
            took[took.len() / 2].as_secs_f64()
        });
        let ratio = unknown / wrong;
        assert!((0.5..2.0).contains(&ratio), "{unknown} s unknown, {wrong} s wrong");
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_told_at_once_and_the_others_have_their_turn() {
        let passwords = Passwords::bounded(1, 1).expect("valid parameters");
        let at_work = Arc::clone(&passwords.working).acquire_owned().await.expect("open");
        let hash = || passwords.hash("correct horse".to_owned());
        let (first, second, third) = tokio::join!(hash(), hash(), async {
            let third = hash().await;
            drop(at_work);
            third
        });
        assert!(matches!(third, Err(PasswordError::Busy)), "{third:?}");
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        assert!(hash().await.is_ok());
    }
}
