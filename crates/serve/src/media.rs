//! Which form a request has, and which its answer.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::Problem;

/// A form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Csv,
    Arrow,
}

impl Media {
    /// In the order of preference.
    const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Arrow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// The value of `Content-Type` for an answer.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Csv => "text/csv; charset=utf-8",
            _ => self.name(),
        })
    }

    /// What `Content-Type` says that the body is.
    pub(crate) fn of_body(headers: &HeaderMap) -> Result<Self, Problem> {
        let unsupported = |found: String| {
            let [json, csv, arrow] = Self::ALL.map(Self::name);
            let detail = format!("{found}, expected {json}, {csv} or {arrow}");
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        };
        if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
            && !encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")
        {
            let detail = "the body has a Content-Encoding, expected it as it is";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return Err(unsupported("there is no Content-Type".to_owned()));
        };
        let Ok(text) = value.to_str() else {
            return Err(unsupported("Content-Type is no ASCII text".to_owned()));
        };
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let found = Self::ALL.into_iter().find(|media| media.name().eq_ignore_ascii_case(essence));
        let Some(media) = found else {
            return Err(unsupported(format!("Content-Type is {text:?}")));
        };
        let charset = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset").then_some(value.trim().trim_matches('"'))
        });
        match charset {
            Some(charset)
                if !["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|known| charset.eq_ignore_ascii_case(known)) =>
            {
                let detail = format!("the charset is {charset:?}, expected utf-8");
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
            }
            _ => Ok(media),
        }
    }

    /// What `Accept` likes best.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut accept = headers.get_all(header::ACCEPT).iter().peekable();
        if accept.peek().is_none() {
            return Ok(Self::Json);
        }
        // For each form the quality of the most specific range that holds it.
        let mut best = [(0, 0.0); 3];
        for range in accept.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality =
                parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let quality = quality.map_or(1.0, |q| q.parse().unwrap_or(0.0));
            for (media, best) in Self::ALL.into_iter().zip(&mut best) {
                let specific = specificity(name, media.name());
                if specific > best.0 {
                    *best = (specific, quality);
                }
            }
        }
        let mut chosen = None;
        for (media, (_, quality)) in Self::ALL.into_iter().zip(best) {
            if quality > chosen.map_or(0.0, |(_, quality)| quality) {
                chosen = Some((media, quality));
            }
        }
        chosen.map(|(media, _)| media).ok_or_else(|| {
            let [json, csv, arrow] = Self::ALL.map(Self::name);
            let detail = format!("Accept takes none of {json}, {csv} and {arrow}");
            Problem::new(StatusCode::NOT_ACCEPTABLE, detail)
        })
    }
}

/// 3 where a range is the name itself, 2 or 1 where it holds it among others, else 0.
fn specificity(range: &str, name: &str) -> u8 {
    if range.eq_ignore_ascii_case(name) {
        return 3;
    }
    match range.split_once('/') {
        Some(("*", "*")) => 1,
        Some((kind, "*")) => {
            let same = name.split_once('/').is_some_and(|(of, _)| of.eq_ignore_ascii_case(kind));
            u8::from(same) * 2
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_answer_is_what_accept_likes_best() {
        let of = |accept: &str| Media::of_answer(&headers(header::ACCEPT, accept)).ok();
        assert_eq!(Media::of_answer(&HeaderMap::new()).unwrap(), Media::Json);
        for (accept, media) in [
            ("*/*", Some(Media::Json)),
            ("application/*", Some(Media::Json)),
            ("TEXT/CSV", Some(Media::Csv)),
            ("text/*;q=0.5, application/json;q=0.4", Some(Media::Csv)),
            ("application/json;q=0, */*;q=0.1", Some(Media::Csv)),
            ("text/html, application/vnd.apache.arrow.stream", Some(Media::Arrow)),
            ("text/html, */*;q=0.8", Some(Media::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("nonsense", None),
        ] {
            assert_eq!(of(accept), media, "{accept:?}");
        }
    }

    #[test]
    fn the_body_is_what_content_type_says() {
        let of = |value: &str| Media::of_body(&headers(header::CONTENT_TYPE, value)).ok();
        assert_eq!(of("application/json"), Some(Media::Json));
        assert_eq!(of("Text/CSV; charset=\"UTF-8\""), Some(Media::Csv));
        assert_eq!(of("application/vnd.apache.arrow.stream"), Some(Media::Arrow));
        for other in ["text/plain", "text/csv; charset=latin1", "application/jsonp", ""] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
