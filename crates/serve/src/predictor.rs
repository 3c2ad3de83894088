//! The thread that runs the network, for all requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::served::Served;

/// Rows of a batch from which on no more are added to it.
const BATCH_ROWS: usize = 4096;

/// Features of some rows of one request.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Row-major `[rows, d_input]`.
    pub(crate) features: Vec<f32>,
    pub(crate) rows: usize,
}

struct Job {
    served: Arc<Served>,
    chunk: Chunk,
    answer: oneshot::Sender<Vec<f32>>,
    /// The rows' place among those that wait.
    waiting: OwnedSemaphorePermit,
}

/// The way to the predicting thread.
#[derive(Debug)]
pub(crate) struct Predictor {
    jobs: mpsc::Sender<Job>,
    /// One permit for each row that may wait.
    room: Arc<Semaphore>,
    queued_rows: usize,
}

impl Predictor {
    /// Starts the thread, which ends when the predictor is dropped.
    pub(crate) fn start(queued_rows: usize, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel();
        let thread = std::thread::Builder::new().name("kiln-predict".to_owned());
        thread.spawn(move || work(&jobs, &metrics))?;
        let queued_rows = queued_rows.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Ok(Self { jobs: sender, room: Arc::new(Semaphore::new(queued_rows)), queued_rows })
    }

    /// Rows that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queued_rows - self.room.available_permits()
    }

    /// The logits of a request's first rows, row-major `[rows, d_output]`.
    ///
    /// Refused where the queue is full.
    pub(crate) async fn first(
        &self,
        served: &Arc<Served>,
        chunk: Chunk,
    ) -> Result<Vec<f32>, Problem> {
        match Arc::clone(&self.room).try_acquire_many_owned(self.permits(&chunk)) {
            Ok(waiting) => self.submit(served, chunk, waiting).await,
            Err(TryAcquireError::NoPermits) => {
                Err(Problem::overloaded("too many rows wait already, try again later"))
            }
            Err(TryAcquireError::Closed) => Err(stopped()),
        }
    }

    /// Those of its further rows, which wait until there is room.
    pub(crate) async fn next(
        &self,
        served: &Arc<Served>,
        chunk: Chunk,
    ) -> Result<Vec<f32>, Problem> {
        let waiting = Arc::clone(&self.room).acquire_many_owned(self.permits(&chunk)).await;
        self.submit(served, chunk, waiting.map_err(|_| stopped())?).await
    }

    /// A chunk larger than the whole queue takes all of it.
    fn permits(&self, chunk: &Chunk) -> u32 {
        chunk.rows.min(self.queued_rows) as u32
    }

    async fn submit(
        &self,
        served: &Arc<Served>,
        chunk: Chunk,
        waiting: OwnedSemaphorePermit,
    ) -> Result<Vec<f32>, Problem> {
        let (answer, logits) = oneshot::channel();
        let job = Job { served: Arc::clone(served), chunk, answer, waiting };
        self.jobs.send(job).map_err(|_| stopped())?;
        logits.await.map_err(|_| {
            let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, "the network could not be run")
        })
    }
}

fn stopped() -> Problem {
    Problem::overloaded("the server is stopping")
}

/// Takes what is there, and never waits for more: a lone request goes through at once, and while its
/// batch is computed the next one gathers.
fn work(jobs: &mpsc::Receiver<Job>, metrics: &Metrics) {
    let mut left_over = None;
    let mut batch = Vec::new();
    let mut features = Vec::new();
    while let Some(job) = left_over.take().or_else(|| jobs.recv().ok()) {
        let mut rows = 0;
        let served = Arc::clone(&job.served);
        let mut next = Some(job);
        while let Some(Job { served: of, chunk, answer, waiting }) = next.take() {
            if !Arc::ptr_eq(&of, &served) {
                // The model was loaded again in between.
                left_over = Some(Job { served: of, chunk, answer, waiting });
                break;
            }
            rows += chunk.rows;
            batch.push((chunk, answer));
            drop(waiting);
            if rows < BATCH_ROWS {
                next = jobs.try_recv().ok();
            }
        }
        let input = match batch.as_slice() {
            [(only, _)] => &only.features,
            several => {
                features.clear();
                several.iter().for_each(|(chunk, _)| features.extend_from_slice(&chunk.features));
                &features
            }
        };
        // Should a network ever panic, its requests fail and not the server.
        let logits = catch_unwind(AssertUnwindSafe(|| served.model().logits(input)));
        metrics.batch_rows.observe(rows as f64);
        metrics.rows.inc_by(rows as u64);
        let mut logits = logits.unwrap_or_default();
        if rows > 0 && !logits.is_empty() {
            let d_output = logits.len() / rows;
            // From the back, so that what is split off is what is sent.
            for (chunk, answer) in batch.drain(..).rev() {
                let part = logits.split_off(logits.len() - chunk.rows * d_output);
                // A request that has timed out listens no more.
                let _ = answer.send(part);
            }
        }
        // Without an answer a request knows that there is none.
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;
    use kiln_classifier::{Classifier, Manifest};
    use serde_json::json;
    use tokio::runtime::Builder;

    use super::*;
    use crate::{Limits, Model};

    /// Its logit is the only feature.
    fn identity() -> Arc<Served> {
        let numeric = json!({
            "median": 0.0, "scale": {"center": 0.0, "spread": 1.0}, "missing_column": false
        });
        let manifest: Manifest = serde_json::from_value(json!({
            "format_version": 1, "kiln_version": "0.1.0", "task": "binary",
            "schema": {"missing": [], "columns": [
                {"name": "x", "kind": "numeric", "reason": "as asked", "missing": []}]},
            "preprocessor": {"missing": [], "features": [
                {"name": "x", "missing": [], "transform": {"numeric": numeric}}]},
            "target": {"columns": ["y"], "form": {"binary": {"classes": ["no", "yes"]}},
                "missing": []},
            "threshold": 0.5, "temperature": 1.0, "loss": {},
            "network": {"d_input": 1, "d_output": 1},
            "training": {"source": "x.csv", "rows": 9, "valid_rows": 0, "seed": 0, "epochs": 1,
                "kept_epoch": 1, "stop_reason": "", "backend": "flex", "config": null},
            "metrics": null
        }))
        .unwrap();
        let weights = |name: &str| {
            Some(if name == "output.weight" { [[1.0_f32]].into() } else { [0.0_f32].into() })
        };
        let device = Default::default();
        let network = manifest.network.from_tensors::<Flex>(weights, &device).unwrap();
        let classifier = Classifier::new(manifest, &[network], &device).unwrap();
        Arc::new(Served::new(Model::new("identity", classifier), &Limits::default(), false))
    }

    fn chunk(features: &[f32]) -> Chunk {
        Chunk { features: features.to_vec(), rows: features.len() }
    }

    #[test]
    fn each_request_gets_its_part_of_a_batch() {
        let metrics = Arc::new(Metrics::new());
        let (sender, jobs) = mpsc::channel();
        let (first, second) = (identity(), identity());
        let room = Arc::new(Semaphore::new(9));
        let mut answers = Vec::new();
        // All of them wait before the work begins; the model changes in between.
        let requests: [(&Arc<Served>, &[f32]); 4] =
            [(&first, &[1.0]), (&first, &[2.0, 3.0]), (&second, &[4.0]), (&second, &[5.0, 6.0])];
        for (served, features) in requests {
            let (answer, logits) = oneshot::channel();
            let (served, chunk) = (Arc::clone(served), chunk(features));
            let waiting = Arc::clone(&room).try_acquire_many_owned(chunk.rows as u32).unwrap();
            sender.send(Job { served, chunk, answer, waiting }).unwrap();
            answers.push((logits, features));
        }
        drop(sender);
        work(&jobs, &metrics);
        for (logits, features) in answers {
            assert_eq!(logits.blocking_recv().unwrap(), features);
        }
        assert_eq!(metrics.rows.get(), 6);
        assert!(metrics.text(0).contains("kiln_batch_rows_count 2\n"));
        assert_eq!(room.available_permits(), 9);
    }

    #[test]
    fn a_full_queue_refuses_new_requests_and_keeps_those_begun_waiting() {
        let predictor = Predictor::start(2, Arc::new(Metrics::new())).unwrap();
        let served = identity();
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let others = Arc::clone(&predictor.room).try_acquire_many_owned(2).unwrap();
            assert_eq!(predictor.waiting(), 2);
            let refused = predictor.first(&served, chunk(&[1.0])).await.unwrap_err();
            assert_eq!(refused.detail(), "too many rows wait already, try again later");
            let begun = predictor.next(&served, chunk(&[1.0, 2.0, 3.0]));
            let (logits, ()) = tokio::join!(begun, async { drop(others) });
            assert_eq!(logits.unwrap(), [1.0, 2.0, 3.0]);
            assert_eq!(predictor.first(&served, chunk(&[1.0])).await.unwrap(), [1.0]);
        });
    }
}
