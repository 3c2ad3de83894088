//! Numbers as people read them.

use std::fmt::Write;

/// A number as a person reads it, with `decimals` decimal places: `1,234.5`, `−3`.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let negative = value < 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9'));
    let mut out = String::from(if negative { "−" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        let _ = write!(out, ".{fraction}");
    }
    out
}

/// A number as a mantissa with `decimals` decimal places and a power of ten: `2×10⁻⁵`.
pub(crate) fn scientific(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    if value == 0.0 {
        return "0".to_owned();
    }
    let mantissa = mantissa.replace('-', "−");
    let exponent: String = exponent.chars().map(superscript).collect();
    match mantissa.as_str() {
        "1" => format!("10{exponent}"),
        "−1" => format!("−10{exponent}"),
        _ => format!("{mantissa}×10{exponent}"),
    }
}

fn superscript(c: char) -> char {
    match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => c.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(c),
    }
}

/// A share in [0, 1] in percent: `98%`, `0.5%`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.abs() >= 1e6 {
        return format!("{}%", short(percent));
    }
    let decimals = if percent.fract() == 0.0 || percent.abs() >= 9.95 { 0 } else { 1 };
    format!("{}%", fixed(percent, decimals))
}

/// Numbers that stand below each other: all with as many decimals as give the largest three digits.
pub(crate) fn column(values: &[f64]) -> Vec<String> {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if !(1e-3..1e6).contains(&largest) {
        return values.iter().map(|&value| short(value)).collect();
    }
    let whole = values.iter().all(|value| value.fract() == 0.0);
    let decimals = if whole { 0.0 } else { (2.0 - largest.log10().floor()).max(0.0) };
    values.iter().map(|&value| fixed(value, decimals as usize)).collect()
}

/// A number to about three significant digits.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e6).contains(&size) {
        scientific(value, 2)
    } else if value.fract() == 0.0 {
        fixed(value, 0)
    } else {
        // From 999.5 on no decimals, from 1e-4 on six: three digits wherever the point is.
        fixed(value, (2.0 - size.log10().floor()).clamp(0.0, 6.0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.12345, "0.123"),
            (-1.5, "−1.50"),
            (12.0, "12"),
            (1234567.0, "1.23×10⁶"),
            (123456.0, "123,456"),
            (-0.000012, "−1.20×10⁻⁵"),
            (1234.5, "1,234"),
            (0.00012, "0.000120"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(scientific(-1e10, 0), "−10¹⁰");
    }

    #[test]
    fn shares_are_in_percent() {
        let cases = [
            (1.0, "100%"),
            (0.0, "0%"),
            (0.987, "99%"),
            (0.0049, "0.5%"),
            (0.12, "12%"),
            (1e300, "1.00×10³⁰²%"),
        ];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn numbers_of_a_column_have_the_same_decimals() {
        assert_eq!(column(&[0.306, 0.0652, -0.0006]), ["0.306", "0.065", "−0.001"]);
        assert_eq!(column(&[1234.0, 5.0]), ["1,234", "5"]);
        assert_eq!(column(&[43.91, 5.0]), ["43.9", "5.0"]);
        assert_eq!(column(&[2e7, 0.0]), ["2.00×10⁷", "0"]);
        assert_eq!(column(&[]), [""; 0]);
    }
}
