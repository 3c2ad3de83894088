use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::cells::{Cell, Cells};
use crate::number::parse_number;
use crate::preprocess::boolean_pair;
use crate::rows::{Location, Rows};

/// The texts that mean a missing value unless others are given: those of pandas, and `?`.
pub const MISSING: [&str; 19] = [
    "?", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Distinct values that are told apart, over all columns of a table.
const DISTINCT: usize = 4_000_000;
/// Bytes of these values, over all columns of a table.
const BYTES: usize = 256 << 20;
/// How many of the most frequent values are given.
const MOST_COMMON: usize = 10;
/// How many different texts that are no numbers are kept.
const NOT_NUMBERS: usize = 11;

/// What the values of a column are, blanks around them aside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// The name in the header.
    pub name: String,
    /// Rows seen, without those that could not be split into columns.
    pub rows: usize,
    /// Rows without a value, or with a text that means none.
    pub missing: usize,
    /// Values that are numbers, finite or not.
    pub numbers: usize,
    /// Numbers that are whole.
    pub integers: usize,
    /// Numbers that are infinite, or NaN where that does not mean a missing value.
    pub not_finite: usize,
    /// Values that are booleans of Arrow, or a text like `true` or `no`.
    pub booleans: usize,
    /// Different values among the first `distinct_of`.
    pub distinct: usize,
    /// Values until telling them apart took too much memory; usually all, `rows - missing`.
    pub distinct_of: usize,
    /// The least finite number.
    pub min: Option<f64>,
    /// The greatest finite number.
    pub max: Option<f64>,
    /// The most frequent values with their counts, up to 10, the most frequent first.
    pub most_common: Vec<(String, usize)>,
    /// The first different values that are no numbers, up to 11.
    pub not_numbers: Vec<String>,
    /// Where the first value that is no number stands.
    pub first_not_number: Option<(Location, String)>,
    /// Where the first number that is not finite stands.
    pub first_not_finite: Option<(Location, String)>,
    /// Values such as `1,5`.
    pub decimal_commas: usize,
    /// Values such as `0x1F`.
    pub hexadecimals: usize,
}

impl ColumnProfile {
    /// How many rows have a value.
    pub fn values(&self) -> usize {
        self.rows - self.missing
    }
}

/// Profiles the columns of a table chunk by chunk, in bounded memory.
#[derive(Debug)]
pub struct Profiler {
    columns: Vec<ColumnProfiler>,
    missing: MissingTexts,
}

/// Profiles one column.
#[derive(Debug)]
pub(crate) struct ColumnProfiler {
    profile: ColumnProfile,
    counts: HashMap<Box<str>, usize>,
    counts_room: usize,
    bytes_room: usize,
    /// Different values that are told apart where all are numbers; with more they are not even counted.
    numbers_room: usize,
    full: bool,
    gave_up: bool,
    hash: u64,
}

/// What a column that was profiled holds.
#[derive(Debug)]
pub(crate) struct Profiled {
    pub(crate) profile: ColumnProfile,
    /// How often each value occurs: of the first different ones, where there are more than can be kept.
    pub(crate) counts: HashMap<Box<str>, usize>,
    /// Whether there are no counts, for the values were numbers for long.
    pub(crate) gave_up: bool,
    /// Of all values in their order, to tell one column from another; not against those who try.
    pub(crate) hash: u64,
}

/// The texts that mean a missing value, beside the empty one.
#[derive(Debug)]
pub(crate) struct MissingTexts {
    texts: Vec<String>,
    longest: usize,
    /// Those of them that are numbers, which mean the number however it is written.
    numbers: Vec<f64>,
    nan: bool,
}

impl MissingTexts {
    pub(crate) fn new(texts: &[String]) -> Self {
        Self {
            longest: texts.iter().map(String::len).max().unwrap_or(0),
            numbers: texts.iter().filter_map(|text| parse_number(text)).collect(),
            nan: texts.iter().any(|text| text == "NaN"),
            texts: texts.to_vec(),
        }
    }

    fn has_text(&self, text: &str) -> bool {
        text.len() <= self.longest && self.texts.iter().any(|missing| missing == text)
    }

    fn has_number(&self, number: f64) -> bool {
        self.numbers.contains(&number) || (self.nan && number.is_nan())
    }
}

impl Profiler {
    /// A profiler of the named columns. `missing` are the texts that mean a missing value, beside
    /// the empty one.
    pub fn new(columns: &[String], missing: &[String]) -> Self {
        let column = |name: &String| ColumnProfiler::new(name, columns.len());
        Self { columns: columns.iter().map(column).collect(), missing: MissingTexts::new(missing) }
    }

    /// Takes in the next rows. Those that could not be split into columns are passed over.
    pub fn push(&mut self, rows: &Rows) {
        let bad: HashSet<usize> = rows.problems.iter().map(|problem| problem.row).collect();
        let taken = |row: &usize| bad.is_empty() || !bad.contains(row);
        for (index, column) in self.columns.iter_mut().enumerate() {
            let chosen = (0..rows.batch.num_rows()).filter(taken);
            column.push(rows, index, chosen, &self.missing, |_| {});
        }
    }

    /// The profiles, one per column.
    pub fn finish(self) -> Vec<ColumnProfile> {
        self.columns.into_iter().map(|column| column.finish().profile).collect()
    }
}

impl ColumnProfiler {
    /// `columns`: how many there are, which share the memory.
    pub(crate) fn new(name: &str, columns: usize) -> Self {
        Self {
            profile: empty(name),
            counts: HashMap::new(),
            counts_room: (DISTINCT / columns.max(1)).clamp(1000, 1_000_000),
            bytes_room: (BYTES / columns.max(1)).max(1 << 16),
            numbers_room: usize::MAX,
            full: false,
            gave_up: false,
            hash: 0,
        }
    }

    /// Stops telling values apart when there are so many different ones, all of them numbers.
    pub(crate) fn with_numbers_room(mut self, numbers_room: usize) -> Self {
        self.numbers_room = numbers_room;
        self
    }

    /// Takes in the values of some of the next rows, in column `index`. `on_number` is called for each
    /// number that is finite and does not mean a missing value, and for booleans of Arrow.
    pub(crate) fn push(
        &mut self,
        rows: &Rows,
        index: usize,
        chosen: impl Iterator<Item = usize>,
        missing: &MissingTexts,
        mut on_number: impl FnMut(f64),
    ) {
        let cells = Cells::new(rows.batch.column(index));
        let mut scratch = String::new();
        for row in chosen {
            self.profile.rows += 1;
            let cell = cells.get(row);
            let (number, is_missing) = match cell {
                Cell::Missing => (None, true),
                Cell::Text(text) => (number_or_infinity(text), missing.has_text(text)),
                Cell::Integer(value) => (Some(value as f64), missing.has_number(value as f64)),
                Cell::Number(value) => (Some(value), missing.has_number(value)),
                Cell::Boolean(value) => {
                    on_number(f64::from(u8::from(value)));
                    (None, missing.has_text(if value { "true" } else { "false" }))
                }
            };
            if is_missing {
                self.profile.missing += 1;
                self.add_to_hash(u64::MAX);
                continue;
            }
            if let Some(number) = number {
                self.add_to_hash(number.to_bits());
                self.number(number, || (rows.location(row), text(cell, &mut String::new()).into()));
                // A text may be another way to write a number that means a missing value.
                if number.is_finite() && !missing.has_number(number) {
                    on_number(number);
                }
                if self.gave_up {
                    continue;
                }
            }
            let text = text(cell, &mut scratch);
            if number.is_none() {
                self.name(text, || rows.location(row));
                for bytes in text.as_bytes().chunks(8) {
                    let word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
                    self.add_to_hash(word);
                }
            }
            self.count(text);
        }
    }

    /// As rustc's FxHash.
    fn add_to_hash(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn number(&mut self, number: f64, place: impl FnOnce() -> (Location, String)) {
        let profile = &mut self.profile;
        profile.numbers += 1;
        if number.is_finite() {
            profile.integers += usize::from(number.fract() == 0.0);
            profile.min = Some(profile.min.map_or(number, |min| min.min(number)));
            profile.max = Some(profile.max.map_or(number, |max| max.max(number)));
        } else {
            profile.not_finite += 1;
            profile.first_not_finite.get_or_insert_with(place);
        }
    }

    /// A value that is no number.
    fn name(&mut self, text: &str, location: impl Fn() -> Location) {
        let profile = &mut self.profile;
        profile.first_not_number.get_or_insert_with(|| (location(), text.to_owned()));
        if profile.not_numbers.len() < NOT_NUMBERS
            && !profile.not_numbers.iter().any(|other| other == text)
        {
            profile.not_numbers.push(text.to_owned());
        }
        profile.booleans += usize::from(boolean_pair(text).is_some());
        profile.decimal_commas += usize::from(has_decimal_comma(text));
        profile.hexadecimals += usize::from(is_hexadecimal(text));
    }

    fn count(&mut self, text: &str) {
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
        } else if !self.full {
            self.full = self.counts.len() >= self.counts_room || self.bytes_room < text.len();
            if !self.full {
                self.bytes_room -= text.len();
                self.counts.insert(text.into(), 1);
                self.profile.distinct += 1;
            }
        }
        if !self.full {
            self.profile.distinct_of += 1;
            if self.counts.len() >= self.numbers_room
                && self.profile.numbers == self.profile.values()
            {
                (self.full, self.gave_up, self.counts) = (true, true, HashMap::new());
            }
        }
    }

    pub(crate) fn finish(self) -> Profiled {
        let mut profile = self.profile;
        let mut counts: Vec<(&str, usize)> =
            self.counts.iter().map(|(text, count)| (&**text, *count)).collect();
        let order = |a: &(&str, usize), b: &(&str, usize)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
        if counts.len() > MOST_COMMON {
            counts.select_nth_unstable_by(MOST_COMMON, order);
            counts.truncate(MOST_COMMON);
        }
        counts.sort_unstable_by(order);
        profile.most_common =
            counts.into_iter().map(|(text, count)| (text.to_owned(), count)).collect();
        Profiled { profile, counts: self.counts, gave_up: self.gave_up, hash: self.hash }
    }
}

/// A value as a category has it.
fn text<'a>(cell: Cell<'a>, scratch: &'a mut String) -> &'a str {
    match cell {
        Cell::Number(value) if value.is_nan() => "NaN",
        cell => cell.text(scratch).unwrap_or(""),
    }
}

fn empty(name: &str) -> ColumnProfile {
    ColumnProfile {
        name: name.to_owned(),
        rows: 0,
        missing: 0,
        numbers: 0,
        integers: 0,
        not_finite: 0,
        booleans: 0,
        distinct: 0,
        distinct_of: 0,
        min: None,
        max: None,
        most_common: Vec::new(),
        not_numbers: Vec::new(),
        first_not_number: None,
        first_not_finite: None,
        decimal_commas: 0,
        hexadecimals: 0,
    }
}

/// A number, or the words for an infinite one, so that they are reported as such.
fn number_or_infinity(text: &str) -> Option<f64> {
    parse_number(text).or_else(|| {
        let word = text.trim_start_matches(['+', '-']);
        let infinite = ["inf", "infinity"].iter().any(|known| word.eq_ignore_ascii_case(known));
        infinite.then_some(f64::INFINITY)
    })
}

fn has_decimal_comma(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    text.split_once(',').is_some_and(|(whole, rest)| digits(whole) && digits(rest))
}

fn is_hexadecimal(text: &str) -> bool {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{ReadOptions, TableReader};

    fn profiles(text: &str) -> Vec<ColumnProfile> {
        let input = std::io::Cursor::new(text.to_owned());
        let reader = TableReader::from_reader(input, "t.csv", &ReadOptions::default()).unwrap();
        let mut profiler = Profiler::new(reader.columns(), &MISSING.map(str::to_owned));
        for rows in reader {
            profiler.push(&rows.unwrap());
        }
        profiler.finish()
    }

    #[test]
    fn every_value_is_counted_as_what_it_is() {
        let columns = profiles(
            "a,b\n1, x \n2.5,x\nNA,\n-3,y\ninf,yes\n1e400,\"1,5\"\nbad,0xF\nragged\n1,?\n",
        );
        let a = &columns[0];
        assert_eq!((a.rows, a.missing, a.values()), (8, 1, 7));
        assert_eq!((a.numbers, a.integers, a.not_finite), (6, 3, 2));
        assert_eq!((a.min, a.max), (Some(-3.0), Some(2.5)));
        assert_eq!((a.distinct, a.distinct_of), (6, 7));
        assert_eq!(a.most_common[0], ("1".to_owned(), 2));
        assert_eq!(a.first_not_finite, Some((Location::Line(6), "inf".to_owned())));
        assert_eq!(a.first_not_number, Some((Location::Line(8), "bad".to_owned())));
        let b = &columns[1];
        // `y` too is a text for true.
        assert_eq!((b.missing, b.numbers, b.booleans), (2, 0, 2));
        assert_eq!((b.decimal_commas, b.hexadecimals), (1, 1));
        assert_eq!(b.not_numbers, ["x", "y", "yes", "1,5", "0xF"]);
        assert_eq!(b.most_common[0], ("x".to_owned(), 2));
    }

    #[test]
    fn telling_values_apart_stops_when_it_takes_too_much() {
        let names: Vec<String> = (0..4000).map(|column| format!("c{column}")).collect();
        let mut text = names.join(",") + "\n";
        for row in 0..1100 {
            text += &row.to_string();
            text += &",7".repeat(3999);
            text += "\n";
        }
        let columns = profiles(&text);
        assert_eq!((columns[0].distinct, columns[0].distinct_of), (1000, 1000));
        assert_eq!((columns[1].distinct, columns[1].distinct_of), (1, 1100));
    }
}
