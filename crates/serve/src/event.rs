use std::net::SocketAddr;
use std::time::Duration;

use kiln_classifier::ClassifierError;

/// What a server tells its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It answers from now on.
    Listening(SocketAddr),
    /// A request was answered; only where the config asks for it.
    Request {
        /// `POST`, say.
        method: &'a str,
        /// Without the query.
        path: &'a str,
        /// Of the answer.
        status: u16,
        /// From the end of the head of the request to the start of the answer.
        time: Duration,
    },
    /// The model was loaded again.
    Reloaded(&'a str),
    /// The model could not be loaded again; the one before stays.
    ReloadFailed(&'a ClassifierError),
    /// The system has no room for one more connection: the server goes on when it has.
    AcceptFailed(&'a std::io::Error),
    /// Fewer connections than asked for fit in the limit on open files.
    FewerConnections(usize),
    /// It was asked to stop, and waits for the requests in flight.
    Stopping,
    /// That took longer than allowed.
    CutOff,
}
