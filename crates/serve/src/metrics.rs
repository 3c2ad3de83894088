use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What `/metrics` counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    latency: Family<Labels<1>, Histogram, fn() -> Histogram>,
    pub(crate) rows: Counter,
    pub(crate) batch_rows: Histogram,
    pub(crate) connections: Gauge,
    queued_rows: Gauge,
    reloads: Family<Labels<1>, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // 0.1 ms to 13 s.
        let latency: fn() -> Histogram = || Histogram::new(exponential_buckets(1e-4, 2.0, 18));
        let mut metrics = Self {
            registry: Registry::with_prefix("kiln"),
            requests: Family::default(),
            latency: Family::new_with_constructor(latency),
            rows: Counter::default(),
            batch_rows: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            connections: Gauge::default(),
            queued_rows: Gauge::default(),
            reloads: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Answered requests", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From the end of a request's head to the start of its answer",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register("rows", "Rows predicted", metrics.rows.clone());
        registry.register(
            "batch_rows",
            "Rows that went through the network at once",
            metrics.batch_rows.clone(),
        );
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register(
            "queued_rows",
            "Rows that wait for the network",
            metrics.queued_rows.clone(),
        );
        registry.register(
            "reloads",
            "Times that the model was to be loaded again",
            metrics.reloads.clone(),
        );
        for result in ["ok", "failed"] {
            drop(metrics.reloads.get_or_create(&[("result", result)]));
        }
        metrics
    }

    pub(crate) fn request(&self, route: &'static str, status: StatusCode, time: Duration) {
        self.requests.get_or_create(&[("route", route), ("status", status_text(status))]).inc();
        self.latency.get_or_create(&[("route", route)]).observe(time.as_secs_f64());
    }

    pub(crate) fn reload(&self, ok: bool) {
        let result = if ok { "ok" } else { "failed" };
        self.reloads.get_or_create(&[("result", result)]).inc();
    }

    /// All of it in the OpenMetrics format.
    pub(crate) fn text(&self, queued_rows: usize) -> String {
        self.queued_rows.set(queued_rows as i64);
        let mut text = String::new();
        // Writing to a `String` can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A status that this server answers with.
fn status_text(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        400 => "400",
        401 => "401",
        404 => "404",
        405 => "405",
        406 => "406",
        408 => "408",
        413 => "413",
        415 => "415",
        422 => "422",
        500 => "500",
        503 => "503",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let metrics = Metrics::new();
        metrics.request("/v1/predict", StatusCode::OK, Duration::from_micros(150));
        metrics.request("/v1/predict", StatusCode::OK, Duration::from_micros(50));
        metrics.reload(false);
        let text = metrics.text(3);
        for line in [
            "kiln_requests_total{route=\"/v1/predict\",status=\"200\"} 2",
            "kiln_request_duration_seconds_count{route=\"/v1/predict\"} 2",
            "kiln_request_duration_seconds_bucket{le=\"0.0001\",route=\"/v1/predict\"} 1",
            "kiln_reloads_total{result=\"failed\"} 1",
            "kiln_reloads_total{result=\"ok\"} 0",
            "kiln_queued_rows 3",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in:\n{text}");
        }
    }
}
