//! Which address answers what.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::predict::{broken, predict};
use crate::problem::Problem;
use crate::{Event, page};

const SECURITY: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

const PREDICT: &str = "/v1/predict";
const MODEL: &str = "/v1/model";
const METRICS: &str = "/metrics";
const OPENAPI: &str = "/openapi.json";
const HEALTH: &str = "/healthz";
const READY: &str = "/readyz";
const ROUTES: [&str; 6] = [PREDICT, MODEL, METRICS, OPENAPI, HEALTH, READY];

pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route(PREDICT, post(predict))
        .route(MODEL, get(model))
        .route(METRICS, get(metrics))
        // Those above need the token.
        .route_layer(from_fn_with_state(Arc::clone(&app), authorized))
        .route(OPENAPI, get(openapi))
        .route(HEALTH, get(|| async { "ok" }))
        .route(READY, get(ready));
    for file in &page::FILES {
        router = router.route(file.path, get(|| async { file.answer() }));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| broken().into_response()))
        .layer(from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

/// What holds for every request: refused where the server is stopping, counted, told, with the headers
/// that keep browsers safe.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = match path {
        Some(path) => ROUTES.into_iter().find(|route| *route == path).unwrap_or("page"),
        None => "other",
    };
    let line = app.access_log.then(|| (request.method().clone(), request.uri().clone()));
    let stopping = app.is_stopping.load(Ordering::Relaxed);
    let mut response = if stopping && ![HEALTH, READY].contains(&route) {
        Problem::overloaded("the server is stopping").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.extend(SECURITY);
    if stopping {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let (status, time) = (response.status(), start.elapsed());
    app.metrics.request(route, status, time);
    if let Some((method, uri)) = line {
        let (method, path, status) = (method.as_str(), uri.path(), status.as_u16());
        app.tell(Event::Request { method, path, status, time });
    }
    response
}

async fn authorized(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match &app.token {
        Some(token) if !token.is_borne_by(request.headers()) => {
            let detail =
                "expected the header `Authorization: Bearer TOKEN` with the server's token";
            Problem::new(StatusCode::UNAUTHORIZED, detail).into_response()
        }
        _ => next.run(request).await,
    }
}

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

async fn model(State(app): State<Arc<App>>) -> Response {
    (JSON, app.served().description.clone()).into_response()
}

async fn openapi(State(app): State<Arc<App>>) -> Response {
    (JSON, app.served().openapi.clone()).into_response()
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.is_stopping.load(Ordering::Relaxed) {
        return Problem::overloaded("the server is stopping").into_response();
    }
    "ok".into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = app.metrics.text(app.predictor.waiting());
    ([(header::CONTENT_TYPE, form)], text).into_response()
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let expected = if uri.path() == PREDICT { "POST" } else { "GET" };
    let detail = format!("{} does not answer {method}, expected {expected}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
