//! The page at `/`.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(crate) struct File {
    pub(crate) path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

pub(crate) static FILES: [File; 4] = [
    File {
        path: "/",
        content_type: "text/html; charset=utf-8",
        text: include_str!("../page/index.html"),
    },
    File {
        path: "/page.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("../page/page.css"),
    },
    File {
        path: "/page.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("../page/page.js"),
    },
    File {
        path: "/drawing.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("../page/drawing.js"),
    },
];

impl File {
    pub(crate) fn answer(&self) -> Response {
        // A newer server may have another page.
        let headers =
            [(header::CONTENT_TYPE, self.content_type), (header::CACHE_CONTROL, "no-cache")];
        (headers, self.text).into_response()
    }
}
