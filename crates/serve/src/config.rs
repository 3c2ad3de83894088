use std::net::SocketAddr;
use std::time::Duration;

use crate::Token;

/// Where a server listens, who may ask, and how much it takes on.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// The address; port 0 is any free one.
    pub listen: SocketAddr,
    /// What requests must bear; `None`: all may ask.
    pub token: Option<Token>,
    /// What is too much.
    pub limits: Limits,
    /// Whether each request is an [`Event`](crate::Event).
    pub access_log: bool,
}

/// What a server takes on before it refuses: of one request, and of all at once.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `body_bytes` | 16 MiB | of the body of a request |
/// | `rows` | 100,000 | of a request |
/// | `timeout` | 30 s | for the head of a request, for its body, for its answer, and for a client that does not read that |
/// | `connections` | 16,384 | at once; more wait until one ends |
/// | `queued_rows` | 16,384 | that wait for the network, of all requests |
/// | `buffered_bytes` | 256 MiB | of all bodies in memory, and of large answers |
/// | `drain` | 30 s | for the requests in flight when the server is stopped |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body of a request.
    pub body_bytes: usize,
    /// Rows of a request.
    pub rows: usize,
    /// For each step of a request.
    pub timeout: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Rows that wait for the network.
    pub queued_rows: usize,
    /// Bytes of all bodies in memory.
    pub buffered_bytes: usize,
    /// For the requests in flight at the end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            rows: 100_000,
            timeout: Duration::from_secs(30),
            connections: 16_384,
            queued_rows: 16_384,
            buffered_bytes: 256 << 20,
            drain: Duration::from_secs(30),
        }
    }
}
