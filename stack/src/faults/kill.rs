//! A part is killed, and started again when the fault ends.
//!
//! Nothing keeps a lease of it: a part that was killed stays away until the fault is undone, or the stack is gone. How
//! a part is killed and started is the backend's.

use std::time::Duration;

use async_trait::async_trait;

use super::driver::{FaultDriver, Mended};
use crate::failure::FaultError;

/// What can kill the parts of a stack, and start them again.
#[async_trait]
pub(crate) trait Killing: Send + Sync {
    /// Whether there is such a part, and it runs.
    fn check(&self, part: &str) -> Result<(), FaultError>;

    /// Kills the part and waits for its end. Returns what the kernel or the daemon said of it.
    async fn kill(&self, part: &str) -> Result<String, FaultError>;

    /// Starts a part again that was killed, and waits until it is ready; one that runs again already is only waited
    /// for. Returns what the kernel or the daemon said of it.
    async fn start_again(&self, part: &str) -> Result<String, FaultError>;
}

pub(super) struct Kill<'a> {
    part: &'a str,
    parts: &'a dyn Killing,
}

impl<'a> Kill<'a> {
    pub(super) fn new(part: &'a str, parts: &'a dyn Killing) -> Self {
        Self { part, parts }
    }
}

#[async_trait]
impl FaultDriver for Kill<'_> {
    fn held_by(&self) -> &str {
        self.part
    }

    fn check(&self, _lasts: Duration) -> Result<(), FaultError> {
        self.parts.check(self.part)
    }

    async fn inject(&self, _lasts: Duration) -> Result<Option<String>, FaultError> {
        self.parts.kill(self.part).await.map(Some)
    }

    async fn undo(&self) -> Result<Mended, FaultError> {
        let witnessed = self.parts.start_again(self.part).await?;
        Ok(Mended { how: "its being started again".to_owned(), witnessed: Some(witnessed), ended: None })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::host_cpu::Burning;
    use super::*;

    /// A stack that has no part, and nothing that burns.
    pub(in crate::faults) struct NoParts;

    #[async_trait]
    impl Burning for NoParts {
        fn check(&self, _processors: Option<u32>, _lasts: Duration) -> Result<(), FaultError> {
            Err(FaultError::NoBurner)
        }

        async fn burn(&self, _processors: Option<u32>, _lasts: Duration) -> Result<String, FaultError> {
            panic!("it burns unchecked")
        }

        async fn put_out(&self) -> Result<Option<String>, FaultError> {
            panic!("it never burnt")
        }
    }

    #[async_trait]
    impl Killing for NoParts {
        fn check(&self, part: &str) -> Result<(), FaultError> {
            Err(FaultError::NoSuchPart { part: part.to_owned() })
        }

        async fn kill(&self, part: &str) -> Result<String, FaultError> {
            panic!("{part} was killed unchecked")
        }

        async fn start_again(&self, part: &str) -> Result<String, FaultError> {
            panic!("{part} was never killed")
        }
    }

    #[test]
    fn a_part_that_is_not_there_is_refused_before_anything_is_done() {
        let error = Kill::new("postgres", &NoParts).check(Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "kill postgres: this stack has no such part");
    }
}
