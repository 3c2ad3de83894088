//! The page at `/`.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(crate) struct File {
    pub(crate) path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! script {
    ($name:literal) => {
        File {
            path: concat!("/", $name),
            content_type: "text/javascript; charset=utf-8",
            text: include_str!(concat!("../page/", $name)),
        }
    };
}

pub(crate) static FILES: [File; 14] = [
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
    script!("page.js"),
    script!("drawing.js"),
    script!("elements.js"),
    script!("file.js"),
    script!("form.js"),
    script!("pen.js"),
    script!("pixels.js"),
    script!("prediction.js"),
    script!("preview.js"),
    script!("problem.js"),
    script!("server.js"),
    script!("words.js"),
];

impl File {
    pub(crate) fn answer(&self) -> Response {
        // A newer server may have another page.
        let headers =
            [(header::CONTENT_TYPE, self.content_type), (header::CACHE_CONTROL, "no-cache")];
        (headers, self.text).into_response()
    }
}
