use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kiln_classifier::ClassifierError;
use kiln_table::{Location, RowProblem, TableError};
use serde::Serialize;

/// The name of the table that a request is, in messages.
pub(crate) const TABLE: &str = "the request";

/// Most problems that an answer lists.
pub(crate) const MAX_LISTED: usize = 100;

/// An error as RFC 9457 has it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    location: Option<Location>,
    column: Option<String>,
    /// Of several rows, each with its own.
    rows: Vec<RowProblem>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), location: None, column: None, rows: Vec::new() }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Too much at once; later there may be room.
    pub(crate) fn overloaded(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// One row or more, the first of them first.
    pub(crate) fn rows(problems: Vec<RowProblem>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let Some(first) = problems.first() else {
            return Self::new(status, "a row can't be used");
        };
        Self {
            status,
            detail: first.to_string(),
            location: Some(first.location),
            column: first.column.clone(),
            rows: if problems.len() > 1 { problems } else { Vec::new() },
        }
    }

    pub(crate) fn too_many_rows(limit: usize) -> Self {
        let detail = format!("more than {limit} rows, send them in several requests");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// The same in a row that could not be read to its end.
    pub(crate) fn at_row(self, row: usize) -> Self {
        Self { location: Some(Location::Row(row)), ..self }
    }

    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    fn body(&self) -> Body<'_> {
        Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            location: self.location,
            column: self.column.as_deref(),
            errors: self.rows.iter().map(Entry::new).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// As `row` or `line`.
    #[serde(flatten)]
    location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'a>>,
}

/// One of several bad rows.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    location: Location,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    detail: &'a str,
}

impl<'a> Entry<'a> {
    fn new(problem: &'a RowProblem) -> Self {
        let column = problem.column.as_deref();
        Self { location: problem.location, column, detail: &problem.message }
    }
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        let detail = error.to_string();
        match error {
            TableError::Row { problem, .. } => Self::rows(vec![problem]),
            TableError::NoColumns { missing, .. } => Self {
                column: missing.into_iter().next().map(|(column, _)| column),
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
            },
            TableError::Record { line, .. } => {
                Self { location: Some(Location::Line(line)), ..Self::bad_request(detail) }
            }
            _ => Self::bad_request(detail),
        }
    }
}

impl From<ClassifierError> for Problem {
    fn from(error: ClassifierError) -> Self {
        match error {
            ClassifierError::Data(error) => error.into(),
            error => Self::bad_request(error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_static("application/problem+json");
        let body = serde_json::to_string(&self.body()).expect("texts and numbers alone");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // The rest of a body that is too large or too slow is not waited for.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_it_is() {
        let problem = |row, column: &str| RowProblem {
            row,
            location: Location::Row(row + 1),
            column: Some(column.to_owned()),
            message: "\"x\" is not a number".to_owned(),
        };
        let body = |problem: Problem| serde_json::to_string(&problem.body()).unwrap();
        assert_eq!(
            body(Problem::rows(vec![problem(2, "age")])),
            r#"{"type":"about:blank","title":"Unprocessable Entity","status":422,"#.to_owned()
                + r#""detail":"row 3, column \"age\": \"x\" is not a number","row":3,"column":"age"}"#
        );
        let two = body(Problem::rows(vec![problem(2, "age"), problem(4, "b")]));
        let errors = r#""errors":[{"row":3,"column":"age","detail":"\"x\" is not a number"},"#
            .to_owned()
            + r#"{"row":5,"column":"b","detail":"\"x\" is not a number"}]}"#;
        assert!(two.ends_with(&errors), "{two}");
        assert_eq!(
            body(Problem::bad_request("no")),
            r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"no"}"#
        );
    }
}
