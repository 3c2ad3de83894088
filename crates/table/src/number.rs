/// The number that a text stands for, blanks around it aside.
///
/// Decimal digits with a sign, a point and an exponent, all as in Rust's `f64`; one too large for an
/// `f64` is infinite. The words `inf`, `infinity` and `nan` are not numbers here, and neither are
/// `0x10`, `1,5` and `1_000`.
pub fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    // Of the words, each starts with a letter that no number starts with.
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    match digits.bytes().next() {
        Some(b'0'..=b'9' | b'.') => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_rust_without_the_words() {
        for (text, number) in [
            ("12", 12.0),
            (" -1.5 ", -1.5),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1e-3", 0.001),
            ("1E3", 1000.0),
            ("-1e400", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_number(text), Some(number), "{text:?}");
        }
        for text in [
            "",
            " ",
            "-",
            ".",
            "e5",
            "inf",
            "-inf",
            "+Infinity",
            "nan",
            "NaN",
            "-nan",
            "0x10",
            "1,5",
            "1_000",
            "1 000",
            "--1",
            "1e",
            "5 cm",
            "'1'",
            "٣",
        ] {
            assert_eq!(parse_number(text), None, "{text:?}");
        }
    }
}
