use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kiln_classifier::ClassifierError;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;

use crate::app::App;
use crate::connections::Connections;
use crate::served::Served;
use crate::signals::{Signal, Signals};
use crate::{Event, Model, ServeConfig, ServeError, routes};

/// Connections that the system keeps until they are accepted, if it may: one beyond them waits a second
/// for its next try.
const BACKLOG: u32 = 4096;

/// For work that no one waits for any more.
const LAST_WORK: Duration = Duration::from_millis(100);

/// Serves a model over HTTP until SIGINT or SIGTERM; SIGHUP loads it again, by `load`.
///
/// A stop answers the requests in flight, for as long as the config allows; a second signal ends it at
/// once. What `load` can't load leaves the model before in place.
///
/// # Errors
///
/// [`ServeError`], all of them before the first request.
pub fn serve(
    model: Model,
    load: impl Fn() -> Result<Model, ClassifierError> + Send + Sync + 'static,
    config: ServeConfig,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let address = config.listen;
    let served = Served::new(model, &config.limits, config.token.is_some());
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_name("kiln-serve")
        .build()
        .map_err(ServeError::Start)?;
    let app = App::new(config, served, Box::new(on_event)).map_err(ServeError::Start)?;
    let app = Arc::new(app);
    let load: Arc<Load> = Arc::new(load);
    let result = runtime.block_on(async {
        // Before anyone knows that there is a server to send one to.
        let mut signals = Signals::new().map_err(ServeError::Start)?;
        let cannot_listen = |source| ServeError::Listen { address, source };
        let listener = listen(address).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let router = routes::router(Arc::clone(&app));
        let mut connections = Connections::new(listener, router, Arc::clone(&app));
        app.tell(Event::Listening(address));
        until_stopped(&connections, &mut signals, &app, &load).await;
        app.is_stopping.store(true, Ordering::Relaxed);
        app.tell(Event::Stopping);
        tokio::select! {
            () = connections.drain() => {}
            () = tokio::time::sleep(app.limits.drain) => app.tell(Event::CutOff),
            () = signals.stop() => app.tell(Event::CutOff),
        }
        Ok(())
    });
    runtime.shutdown_timeout(LAST_WORK);
    result
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows this would let others take the address over.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

type Load = dyn Fn() -> Result<Model, ClassifierError> + Send + Sync;

async fn until_stopped(
    connections: &Connections,
    signals: &mut Signals,
    app: &Arc<App>,
    load: &Arc<Load>,
) {
    let signals = async {
        loop {
            match signals.next().await {
                Signal::Stop => return,
                Signal::Reload => reload(app, load).await,
            }
        }
    };
    tokio::select! {
        () = connections.accept() => {}
        () = signals => {}
    }
}

async fn reload(app: &Arc<App>, load: &Arc<Load>) {
    let (app, load) = (Arc::clone(app), Arc::clone(load));
    let done = tokio::task::spawn_blocking(move || {
        let loaded = load();
        app.metrics.reload(loaded.is_ok());
        match loaded {
            Ok(model) => {
                let name = model.name().to_owned();
                app.serve(Served::new(model, &app.limits, app.token.is_some()));
                app.tell(Event::Reloaded(&name));
            }
            Err(error) => app.tell(Event::ReloadFailed(&error)),
        }
    });
    // A panic of `load` is told by its message.
    let _ = done.await;
}
