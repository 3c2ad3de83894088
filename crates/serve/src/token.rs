use std::fmt;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

/// A secret that requests must bear: `Authorization: Bearer TOKEN`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token from a text, blanks and line ends around it aside.
    ///
    /// # Errors
    ///
    /// If it is empty or holds what no header can: anything but visible ASCII.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        match text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true if text.is_empty() => Err(TokenError::Empty),
            true => Ok(Self(text.to_owned())),
            false => Err(TokenError::NotVisible),
        }
    }

    /// Whether a request bears it; the time that takes tells nothing of it but its length.
    pub(crate) fn is_borne_by(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
        let mut parts = value.as_bytes().splitn(2, |byte| *byte == b' ');
        let (Some(scheme), Some(token)) = (parts.next(), parts.next()) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer") && token.trim_ascii().ct_eq(self.0.as_bytes()).into()
    }
}

/// Shows nothing of it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing there.
    #[error("the token is empty")]
    Empty,
    /// Something that can't stand in a header.
    #[error("the token holds blanks or characters beyond ASCII, expected visible ASCII only")]
    NotVisible,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_borne_by_its_header_alone() {
        let token = Token::new(" s3cret\n").unwrap();
        let borne = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token.is_borne_by(&headers)
        };
        assert!(borne("Bearer s3cret") && borne("bearer  s3cret"));
        for other in ["s3cret", "Basic s3cret", "Bearer s3cre", "Bearer s3crets", "Bearer ", ""] {
            assert!(!borne(other), "{other:?}");
        }
        assert!(!token.is_borne_by(&HeaderMap::new()));
    }

    #[test]
    fn what_no_header_can_hold_is_no_token() {
        assert_eq!(Token::new(" \n").unwrap_err().to_string(), "the token is empty");
        let message =
            "the token holds blanks or characters beyond ASCII, expected visible ASCII only";
        assert_eq!(Token::new("a b").unwrap_err().to_string(), message);
        assert_eq!(format!("{:?}", Token::new("a").unwrap()), "Token(…)");
    }
}
