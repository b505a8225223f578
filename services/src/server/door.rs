//! The listening socket, which can stop listening and listen again on the same port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

const BACKLOG: u32 = 1024;
const RETRY: Duration = Duration::from_millis(20);
/// After an error that is not about one connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in.
pub(super) struct Door {
    address: SocketAddr,
    state: State,
}

enum State {
    Open(TcpListener),
    /// Bound, so that nobody else takes the port, and not listening: the kernel refuses connections.
    Shut(TcpSocket),
    /// Neither: the port could not be bound again yet.
    Lost,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> io::Result<Self> {
        Ok(Self { address: listener.local_addr()?, state: State::Open(listener) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; never while the door is shut.
    pub(super) async fn accept(&self) -> TcpStream {
        let State::Open(listener) = &self.state else { return std::future::pending().await };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) if of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "failed to accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// From here on connections are refused, those too that were waiting to be accepted.
    pub(super) fn shut(&mut self) {
        if let State::Open(_) = self.state {
            // Only a socket that does not exist any more leaves the port to be bound.
            self.state = State::Lost;
            match bound(self.address) {
                Ok(socket) => self.state = State::Shut(socket),
                Err(error) => tracing::warn!(%error, "the port is refused, but not held"),
            }
        }
    }

    /// Listens again, as soon as the port can be had. Cancelled, it can be called again.
    pub(super) async fn open(&mut self) {
        loop {
            let socket = match std::mem::replace(&mut self.state, State::Lost) {
                State::Open(listener) => {
                    self.state = State::Open(listener);
                    return;
                }
                State::Shut(socket) => Ok(socket),
                State::Lost => bound(self.address),
            };
            match socket.and_then(|socket| socket.listen(BACKLOG)) {
                Ok(listener) => self.state = State::Open(listener),
                Err(error) => {
                    tracing::warn!(%error, "failed to listen again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of before are still around.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
