//! Starting the owner of a stack in the background: this program again, waited for until it says that it is ready.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use firedrill_record::ExitOutcome;
use firedrill_stack::ProcessIdentity;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::{Failure, NOT_SET_UP};
use crate::run::{Interrupts, START_DEADLINE};

/// The owner gives up by itself after the deadline of the start, and says why; this is for one that does not.
const OWNER_DEADLINE: Duration = START_DEADLINE.saturating_add(Duration::from_secs(30));

/// Starts the owner with this command line and `flag`, and waits until its stack is up. Its progress and its errors are
/// on this program's stderr. Gives the run folder, or the exit code of an owner that has failed and said why.
pub(crate) async fn detach(flag: &str, interrupts: &Interrupts) -> Result<Result<PathBuf, u8>, Failure> {
    let fail = |what: &str, error: &dyn std::fmt::Display| {
        Failure::plain(NOT_SET_UP, &format!("failed to {what}: {error}"))
    };
    let own = std::env::current_exe().map_err(|error| fail("find firedrill's own program", &error))?;
    let mut owner = Command::new(own)
        .args(std::env::args_os().skip(1))
        .arg(flag)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| fail("start the owner of the stack", &error))?;
    let mut said = owner.stdout.take().expect("its stdout was piped above");
    let mut text = String::new();
    // It ends when the owner is ready and turns its outputs to its log, and when it has ended.
    let listening = said.read_to_string(&mut text);
    let heard = tokio::select! {
        heard = timeout(OWNER_DEADLINE, listening) => heard,
        () = interrupts.wait() => {
            ended(&mut owner).await.map_err(|error| fail("wait for the owner of the stack", &error))?;
            return Ok(Err(ExitOutcome::Interrupted.code()));
        }
    };
    match heard {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(fail("listen to the owner of the stack", &error)),
        Err(_) => {
            ended(&mut owner).await.map_err(|error| fail("wait for the owner of the stack", &error))?;
            let why = format!("not ready within {} s", OWNER_DEADLINE.as_secs());
            return Err(fail("bring the stack up", &why));
        }
    }
    if let Some(folder) = text.strip_suffix('\n') {
        return Ok(Ok(PathBuf::from(folder)));
    }
    let status = owner.wait().await.map_err(|error| fail("wait for the owner of the stack", &error))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) if code != 0 => Ok(Err(code)),
        Some(_) | None => Err(fail("bring the stack up", &format!("its owner ended with {status}"))),
    }
}

/// Tells the owner to end, and waits until it has taken down what it had started.
async fn ended(owner: &mut Child) -> std::io::Result<ExitStatus> {
    if let Some(identity) = owner.id().and_then(ProcessIdentity::of) {
        identity.tell_to_end();
    }
    owner.wait().await
}
