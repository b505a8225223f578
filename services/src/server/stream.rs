//! The byte stream of one connection: it ends a client that is too slow to say what it wants, and can be
//! closed from elsewhere, also when it has become a WebSocket.
//!
//! Knows nothing of HTTP but the [`Phase`] that it is told.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

/// From the first byte of a request, or from the connection's beginning, to the end of the head.
const LONGEST_HEAD: Duration = Duration::from_secs(10);
/// Longer than clients commonly keep an unused connection, so that it is they who end it.
const LONGEST_IDLE: Duration = Duration::from_secs(75);

/// What the connection is doing, as far as the reading of bytes goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for the end of a head.
    Head,
    /// A request is being answered, or the connection was upgraded.
    Request,
    /// All was answered; nothing of another request has come.
    Idle,
}

/// The side of a connection that can be held elsewhere.
#[derive(Debug)]
pub(super) struct Control {
    socket: TcpStream,
    phase: AtomicU8,
    /// It may be idle for as long as it likes.
    kept: AtomicBool,
    /// It was ended in the middle of a head.
    head_too_slow: AtomicBool,
}

impl Control {
    pub(super) fn request_begins(&self) {
        self.set(Phase::Request);
    }

    pub(super) fn request_ended(&self) {
        self.set(Phase::Idle);
    }

    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    pub(super) fn head_was_too_slow(&self) -> bool {
        self.head_too_slow.load(Ordering::Relaxed)
    }

    /// Ends the connection for both sides, whatever is in flight.
    pub(super) fn close(&self) {
        // It may be closed already.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }
}

/// The stream itself.
pub(super) struct Stream {
    control: Arc<Control>,
    /// Since when it is idle, or waits for the end of a head.
    waiting: Option<Waiting>,
    alarm: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    phase: Phase,
    until: Instant,
    /// Whether a byte of the head has come.
    begun: bool,
}

impl Waiting {
    fn head(begun: bool) -> Self {
        Self { phase: Phase::Head, until: Instant::now() + LONGEST_HEAD, begun }
    }

    fn idle() -> Self {
        Self { phase: Phase::Idle, until: Instant::now() + LONGEST_IDLE, begun: false }
    }
}

impl Stream {
    pub(super) fn new(socket: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        let control = Arc::new(Control {
            socket,
            phase: AtomicU8::new(Phase::Head as u8),
            kept: AtomicBool::new(false),
            head_too_slow: AtomicBool::new(false),
        });
        let waiting = Waiting::head(false);
        let alarm = Box::pin(tokio::time::sleep_until(waiting.until));
        Self { control, waiting: Some(waiting), alarm, _permit: permit }
    }

    pub(super) fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// What is being waited for, after what was told since the last time.
    fn follow(&mut self) -> Option<Waiting> {
        if self.control.is(Phase::Request) {
            self.waiting = None;
        } else if self.control.is(Phase::Idle)
            && self.waiting.is_none_or(|waiting| waiting.phase != Phase::Idle)
        {
            self.waiting = Some(Waiting::idle());
        }
        self.waiting
    }

    fn came(&mut self) {
        match &mut self.waiting {
            Some(waiting) if waiting.phase == Phase::Head => waiting.begun = true,
            Some(_) => {
                self.waiting = Some(Waiting::head(true));
                self.control.set(Phase::Head);
            }
            None => {}
        }
    }

    /// Ready when the client has taken too long: an end for an idle connection, an error in a head.
    fn poll_too_slow(&mut self, waiting: Waiting, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let idle = waiting.phase == Phase::Idle;
        // An alarm that is too early is looked at when it goes off: resetting it at every request costs more.
        if self.alarm.deadline() > waiting.until {
            self.alarm.as_mut().reset(waiting.until);
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let now = Instant::now();
            let kept = idle && self.control.kept.load(Ordering::Relaxed);
            if kept || now < waiting.until {
                self.alarm.as_mut().reset(if kept { now + LONGEST_IDLE } else { waiting.until });
                continue;
            }
            if waiting.begun {
                self.control.head_too_slow.store(true, Ordering::Relaxed);
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let waiting = self.follow();
        loop {
            if self.control.socket.poll_read_ready(context)?.is_pending() {
                return match waiting {
                    Some(waiting) => self.poll_too_slow(waiting, context),
                    None => Poll::Pending,
                };
            }
            match self.control.socket.try_read(buffer.initialize_unfilled()) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(read) => {
                    buffer.advance(read);
                    self.came();
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_try(context, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try(context, |socket| socket.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(
            rustix::net::shutdown(&self.control.socket, rustix::net::Shutdown::Write).map_err(Into::into),
        )
    }
}

impl Stream {
    fn poll_try(
        &self,
        context: &mut Context<'_>,
        mut attempt: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.control.socket.poll_write_ready(context))?;
            match attempt(&self.control.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}
