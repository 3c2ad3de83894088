//! How a CSV file is written, found from its first part.

use std::collections::HashSet;

use super::records::Records;
use crate::number::parse_number;
use crate::profile::MISSING;

/// The delimiters tried. Where two of them split all lines equally well the first is taken: a comma
/// in every line may be a decimal comma or stand between names, the others hardly occur in values.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// A column counts as one of numbers when at least this share of its values are.
const MOSTLY: f64 = 0.9;

/// The delimiter that splits the greatest share of the records into one number of fields, two at
/// least; a comma where none does, as in a file of one column.
pub(super) fn delimiter(sample: &[u8]) -> u8 {
    let mut best = (0.0, b',');
    for delimiter in DELIMITERS {
        let share = consistency(sample, delimiter);
        if share > best.0 {
            best = (share, delimiter);
        }
    }
    best.1
}

fn consistency(sample: &[u8], delimiter: u8) -> f64 {
    let mut records = Records::new(sample, delimiter);
    let mut counts: Vec<usize> = Vec::new();
    // The sample may end inside quotes; what was split until there will do.
    while let Ok(true) = records.advance() {
        counts.push(records.len());
    }
    counts.sort_unstable();
    let (run, width) =
        counts.chunk_by(|a, b| a == b).map(|run| (run.len(), run[0])).max().unwrap_or((0, 0));
    if width < 2 { 0.0 } else { run as f64 / counts.len() as f64 }
}

/// Whether the first record looks like names rather than values.
///
/// It does not if any field of it is a number or, but for the first, empty. It does if it stands above
/// a column of numbers, or else if its fields are all different and none occurs again below it.
pub(super) fn has_header(sample: &[u8], delimiter: u8) -> bool {
    let mut records = Records::new(sample, delimiter);
    if !matches!(records.advance(), Ok(true)) {
        return false;
    }
    let first: Vec<String> = texts(&records);
    let blank = first.iter().skip(1).any(String::is_empty) || first.iter().all(String::is_empty);
    if blank || first.iter().any(|text| parse_number(text).is_some()) {
        return false;
    }

    let mut numbers = vec![0_usize; first.len()];
    let mut values = vec![0_usize; first.len()];
    let mut recurs = false;
    while let Ok(true) = records.advance() {
        if records.len() != first.len() {
            continue;
        }
        for (column, text) in texts(&records).iter().enumerate() {
            recurs |= !text.is_empty() && *text == first[column];
            if !is_missing(text) {
                values[column] += 1;
                numbers[column] += usize::from(parse_number(text).is_some());
            }
        }
    }
    let above_numbers = (0..first.len()).any(|column| {
        !is_missing(&first[column])
            && numbers[column] > 0
            && numbers[column] as f64 >= MOSTLY * values[column] as f64
    });
    let distinct = first.iter().collect::<HashSet<_>>().len() == first.len();
    above_numbers || (distinct && !recurs)
}

fn texts(records: &Records<&[u8]>) -> Vec<String> {
    records.fields().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect()
}

fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_splits_all_lines_alike() {
        let found = |text: &str| char::from(delimiter(text.as_bytes()));
        assert_eq!(found("a,b\n1,2\n"), ',');
        assert_eq!(found("a;b\n1,5;2,5\n1,5;3\n"), ';');
        assert_eq!(found("1,5;2,5\n1,5;3,5\n"), ';');
        assert_eq!(found("a\tb\n1, 2\t3\n"), '\t');
        assert_eq!(found("a|b\n1|2\n"), '|');
        assert_eq!(found("\"a;b\",c\n\"d;e\",f\n"), ',');
        assert_eq!(found("a\nb\n"), ',');
        assert_eq!(found("one, two\nthree\nfour\n"), ',');
        assert_eq!(found("\"\n;\n;\n"), ',');
        assert_eq!(found(""), ',');
    }

    #[test]
    fn names_stand_above_numbers_or_values_that_recur() {
        let found = |text: &str| has_header(text.as_bytes(), b',');
        assert!(found("a,b\n1,x\n2,y\n"));
        assert!(found(",a\n0,x\n1,y\n"));
        assert!(found("a,a\n1,2\n"));
        assert!(found("colour,size\nred,big\nblue,big\n"));
        assert!(found("a,b"));
        assert!(!found("1,x\n2,y\n"));
        assert!(!found("red,big\nblue,big\n"));
        assert!(!found("?,x\n2,x\n"));
        assert!(!found("a,,b\n1,2,3\n"));
        assert!(!found("same,same\nx,y\n"));
        assert!(!found(""));
    }
}
