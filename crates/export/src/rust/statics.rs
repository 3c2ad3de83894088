//! Tables of numbers and texts as source text.

use std::fmt::Debug;

use crate::network::Table;

/// Characters of a line, where one item does not need more.
const LINE: usize = 100;

/// `[rows, width]` as an array of arrays.
pub(super) fn matrix(name: &str, table: &Table) -> String {
    let Table { values, width } = table;
    let rows = values.chunks_exact(*width).map(|row| format!("[\n{}    ]", lines(row, 8)));
    let rows: String = rows.map(|row| format!("    {row},\n")).collect();
    format!("static {name}: [[f32; {width}]; {}] = [\n{rows}];", values.len() / width)
}

pub(super) fn vector(name: &str, values: &[f32]) -> String {
    format!("static {name}: [f32; {}] = [\n{}];", values.len(), lines(values, 4))
}

pub(super) fn places(name: &str, places: &[(&str, usize)]) -> String {
    format!("static {name}: [(&str, usize); {}] = [\n{}];", places.len(), lines(places, 4))
}

pub(super) fn texts(name: &str, texts: &[String]) -> String {
    format!("static {name}: [&str; {}] = [\n{}];", texts.len(), lines(texts, 4))
}

/// As Rust writes them: the shortest digits that give the same number again.
fn lines(items: &[impl Debug], indent: usize) -> String {
    let mut text = String::new();
    let mut line = String::new();
    let mut end = |line: &mut String| {
        if !line.is_empty() {
            text += &format!("{:indent$}{}\n", "", line.trim_end());
            line.clear();
        }
    };
    for item in items {
        let item = format!("{item:?}, ");
        if indent + line.len() + item.len() > LINE {
            end(&mut line);
        }
        line += &item;
    }
    end(&mut line);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        let values = [0.1, -1.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, 16_777_216.0, -0.0, 1.0 / 3.0];
        let text = vector("A", &values);
        assert_eq!(
            text,
            "static A: [f32; 8] = [\n    0.1, -1.0, 1.1754944e-38, 1e-45, 3.4028235e38, 16777216.0, \
             -0.0, 0.33333334,\n];"
        );
        let digits = text.split_once("= [").unwrap().1.trim_end_matches(",\n];");
        let found: Vec<f32> = digits.split(',').map(|text| text.trim().parse().unwrap()).collect();
        assert_eq!(found.map_bits(), values.to_vec().map_bits());
    }

    trait Bits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl Bits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|value| value.to_bits()).collect()
        }
    }

    #[test]
    fn texts_are_escaped() {
        let text = places("A", &[("a\"\n\u{202e}", 3)]);
        assert_eq!(text, "static A: [(&str, usize); 1] = [\n    (\"a\\\"\\n\\u{202e}\", 3),\n];");
    }
}
