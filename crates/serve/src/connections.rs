//! From a listening socket to requests.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_io_timeout::TimeoutStream;

use crate::Event;
use crate::app::App;

/// Before a connection is accepted again where the system has no room for one.
const PAUSE: Duration = Duration::from_millis(50);

/// Most bytes of the head of a request, and of what is read of a body at once.
const BUFFER: usize = 64 << 10;

/// Most header lines of a request.
const MAX_HEADERS: usize = 64;

/// Open files that are none of its connections: the model, the standard streams, the runtime's.
#[cfg(unix)]
const OTHER_FILES: usize = 32;

/// Accepts connections for as long as it is polled.
pub(crate) struct Connections {
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    room: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    /// Each connection from before the stop holds one of its senders.
    alive: Option<mpsc::Sender<()>>,
    ended: mpsc::Receiver<()>,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener, router: Router, app: Arc<App>) -> Self {
        let most = app.limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        let most = match connections_for_open_files(most) {
            fewer if fewer < most => {
                app.tell(Event::FewerConnections(fewer));
                fewer
            }
            _ => most,
        };
        let (alive, ended) = mpsc::channel(1);
        Self {
            listener,
            router,
            app,
            room: Arc::new(Semaphore::new(most)),
            stopping: watch::channel(false).0,
            alive: Some(alive),
            ended,
        }
    }

    /// Never ends. Connections over the limit wait in the system's backlog.
    pub(crate) async fn accept(&self) {
        loop {
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => self.spawn(stream, permit),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.app.tell(Event::AcceptFailed(&error));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let alive = self.alive.clone();
        let (app, router) = (Arc::clone(&self.app), self.router.clone());
        let stopping = self.stopping.subscribe();
        tokio::spawn(async move {
            app.metrics.connections.inc();
            connection(&app, stream, router, stopping).await;
            app.metrics.connections.dec();
            drop((permit, alive));
        });
    }

    /// Ends idle connections, and waits for the others. Goes on accepting meanwhile, to say on new ones
    /// that the server is not ready.
    pub(crate) async fn drain(&mut self) {
        self.stopping.send_replace(true);
        self.alive = None;
        let mut ended = std::mem::replace(&mut self.ended, mpsc::channel(1).1);
        tokio::select! {
            () = self.accept() => {}
            _ = ended.recv() => {}
        }
    }
}

async fn connection(
    app: &App,
    stream: TcpStream,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are whole when they are written. Where it can't be set, they come later.
    let _ = stream.set_nodelay(true);
    let timeout = app.limits.timeout;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeout));
    let is_late = *stopping.borrow();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(BUFFER)
        .max_headers(MAX_HEADERS)
        .keep_alive(!is_late);
    let service = TowerToHyperService::new(router);
    let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(connection);
    // What goes wrong with a connection concerns its client, who knows.
    if is_late {
        let _ = connection.await;
        return;
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Waits until the server is stopping.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // The sender is dropped with the server.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// So many of the connections asked for as the limit on open files allows, which is raised if need be.
#[cfg(unix)]
fn connections_for_open_files(most: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = (most + OTHER_FILES) as u64;
    let Some(current) = current.filter(|current| *current < needed) else { return most };
    let raised = maximum.map_or(needed, |maximum| needed.min(maximum));
    let limit = Rlimit { current: Some(raised), maximum };
    let current = setrlimit(Resource::Nofile, limit).map_or(current, |()| raised);
    usize::try_from(current).unwrap_or(most).saturating_sub(OTHER_FILES).clamp(1, most)
}

#[cfg(not(unix))]
fn connections_for_open_files(most: usize) -> usize {
    most
}
