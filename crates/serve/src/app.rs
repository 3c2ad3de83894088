use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Semaphore;

use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::predictor::Predictor;
use crate::served::Served;
use crate::{Event, Limits, Token};

/// What all requests share.
pub(crate) struct App {
    pub(crate) limits: Limits,
    pub(crate) token: Option<Token>,
    pub(crate) access_log: bool,
    pub(crate) on_event: Box<dyn Fn(Event) + Send + Sync>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) predictor: Predictor,
    pub(crate) budget: Arc<Budget>,
    /// One permit for each large request that may be read at once.
    pub(crate) large_requests: Arc<Semaphore>,
    /// Whether the server is stopping.
    pub(crate) is_stopping: AtomicBool,
    served: RwLock<Arc<Served>>,
}

impl App {
    pub(crate) fn new(
        config: crate::ServeConfig,
        served: Served,
        on_event: Box<dyn Fn(Event) + Send + Sync>,
    ) -> std::io::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            predictor: Predictor::start(config.limits.queued_rows, Arc::clone(&metrics))?,
            budget: Budget::new(config.limits.buffered_bytes),
            large_requests: Arc::new(Semaphore::new(processors)),
            is_stopping: AtomicBool::new(false),
            served: RwLock::new(Arc::new(served)),
            limits: config.limits,
            token: config.token,
            access_log: config.access_log,
            on_event,
            metrics,
        })
    }

    /// The model as it is now: a request keeps to one, whatever comes after.
    pub(crate) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves another model from now on.
    pub(crate) fn serve(&self, served: Served) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(served);
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.on_event)(event);
    }
}
