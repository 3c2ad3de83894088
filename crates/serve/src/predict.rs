//! `POST /v1/predict`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::app::App;
use crate::budget::Share;
use crate::media::Media;
use crate::problem::Problem;
use crate::request::{Outcome, Reading, Rows, read};
use crate::served::Served;
use crate::{answer, predictor::Chunk};
use kiln_classifier::logit_problem;

/// Bytes of a body that is read on the spot; a larger one, on a thread for such work, keeps no other
/// request waiting.
const SMALL: usize = 16 << 10;

/// Rows of an answer that is written on the spot.
const FEW_ROWS: usize = 256;

/// Bytes of an answer that counts among those in memory.
const LARGE_ANSWER: usize = 64 << 10;

pub(crate) async fn predict(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let media = Media::of_body(&head.headers)?;
    let answer = Media::of_answer(&head.headers)?;
    let keep = keep(head.uri.query(), media, answer)?;
    let limit = app.limits.timeout;
    let (body, share) =
        timeout(limit, whole(&app, &head.headers, body)).await.map_err(|_| {
            let detail = format!("the body took more than {} s", limit.as_secs_f64());
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
        })??;
    let reading = Reading { media, max_rows: app.limits.rows, keep };
    let answered = timeout(limit, respond(&app, body, share, reading, answer)).await;
    answered.map_err(|_| {
        let detail = format!("there was no answer within {} s", limit.as_secs_f64());
        Problem::overloaded(detail)
    })?
}

/// Whether the answer is to hold the columns of the request.
fn keep(query: Option<&str>, media: Media, answer: Media) -> Result<bool, Problem> {
    match query {
        None | Some("") => Ok(false),
        Some("keep=all") if media == Media::Csv && answer != Media::Json => Ok(true),
        Some("keep=all") => {
            Err(Problem::bad_request("keep=all is for CSV requests whose answer is CSV or Arrow"))
        }
        Some(query) => {
            Err(Problem::bad_request(format!("the query is {query:?}, expected keep=all")))
        }
    }
}

/// The whole body, and its share of the memory for bodies.
async fn whole(app: &App, headers: &HeaderMap, mut body: Body) -> Result<(Bytes, Share), Problem> {
    let limit = app.limits.body_bytes;
    let too_large = || {
        let detail = format!("the body has more than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|n| n > limit as u64) {
        return Err(too_large());
    }
    let mut share = app.budget.share();
    // Most bodies come in one piece, which need not be copied.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::bad_request("the body ends early, or its chunks are malformed")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > limit {
            return Err(too_large());
        }
        if !share.extend(data.len()) {
            return Err(Problem::overloaded("too many bodies are in memory, try again later"));
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, share))
}

async fn respond(
    app: &Arc<App>,
    body: Bytes,
    share: Share,
    reading: Reading,
    media: Media,
) -> Result<Response, Problem> {
    let served = app.served();
    let small = body.len() <= SMALL;
    let on_the_spot = if small { predict_small(app, &served, &body, reading).await? } else { None };
    let (rows, logits) = match on_the_spot {
        Some(predicted) => predicted,
        None => predict_large(app, &served, body, reading).await?,
    };
    let few = rows.count <= FEW_ROWS;
    let answer = move || {
        let model = served.model();
        let d_output = model.manifest().task.d_output();
        let problems = logits.chunks_exact(d_output).enumerate().filter_map(|(row, logits)| {
            logit_problem(logits).map(|message| rows.problem(row, message))
        });
        let problems: Vec<_> = problems.take(crate::problem::MAX_LISTED).collect();
        if !problems.is_empty() {
            return Err(Problem::rows(problems));
        }
        let probabilities = model.manifest().probabilities(&logits);
        answer::write(model, &served.names, media, &probabilities, &rows.kept)
    };
    let bytes = if few { answer()? } else { blocking(answer).await?? };
    drop(share);
    let body = if bytes.len() < LARGE_ANSWER {
        Body::from(bytes)
    } else {
        let mut share = app.budget.share();
        if !share.extend(bytes.len()) {
            return Err(Problem::overloaded("too many answers are in memory, try again later"));
        }
        // The share is held until the last byte is sent.
        Body::from(Bytes::from_owner(Held { bytes, _share: share }))
    };
    Ok(([(header::CONTENT_TYPE, media.content_type())], body).into_response())
}

/// An answer in memory, and its share of that.
struct Held {
    bytes: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

type Predicted = (Rows, Vec<f32>);

/// What a request of few rows comes to; `None` if it has more than one chunk of them.
async fn predict_small(
    app: &App,
    served: &Arc<Served>,
    body: &Bytes,
    reading: Reading,
) -> Result<Option<Predicted>, Problem> {
    let mut only = None;
    let outcome = read(served.model(), body, reading, &mut |chunk| {
        let is_first = only.is_none();
        only = Some(chunk);
        is_first
    })?;
    match (outcome, only) {
        (Outcome::Unwanted, _) => Ok(None),
        (Outcome::Rows(rows), None) => Ok(Some((rows, Vec::new()))),
        (Outcome::Rows(rows), Some(chunk)) => {
            Ok(Some((rows, app.predictor.first(served, chunk).await?)))
        }
    }
}

/// The same for any request, read on a thread of its own while its first rows are predicted.
async fn predict_large(
    app: &Arc<App>,
    served: &Arc<Served>,
    body: Bytes,
    reading: Reading,
) -> Result<Predicted, Problem> {
    // As many at once as there are processors: each takes one, and memory for a few chunks.
    let turn = Arc::clone(&app.large_requests).acquire_owned().await;
    let (sender, mut chunks) = mpsc::channel::<Chunk>(1);
    let model = Arc::clone(served);
    let reader = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        read(model.model(), &body, reading, &mut |chunk| sender.blocking_send(chunk).is_ok())
    });
    let mut logits = Vec::new();
    while let Some(chunk) = chunks.recv().await {
        if logits.is_empty() {
            logits = app.predictor.first(served, chunk).await?;
        } else {
            logits.extend(app.predictor.next(served, chunk).await?);
        }
    }
    match reader.await.map_err(|_| broken())?? {
        Outcome::Rows(rows) => Ok((rows, logits)),
        // Only who listens no more wants no more.
        Outcome::Unwanted => Err(broken()),
    }
}

/// Work that takes long, where it keeps no other request waiting.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| broken())
}

pub(crate) fn broken() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed at this request")
}
