mod cell;
mod order;
mod syntax;

use std::collections::HashSet;
use std::fmt;

use kiln_table::Cell;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::collector::{Collector, Stop};
use crate::problem::{Problem, TABLE};
use cell::CellSeed;
use order::Order;
use syntax::plain;

/// Names of other columns that are remembered, for suggestions.
const MAX_OTHERS: usize = 100;

/// Bytes of such a name.
const LONGEST_OTHER: usize = 200;

/// The parts of a request, each of them checked to be JSON, and not looked at any further.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    #[serde(borrow)]
    rows: &'a RawValue,
    #[serde(borrow)]
    columns: Option<&'a RawValue>,
}

/// Reads `{"rows": [{"age": 3}, …]}` or `{"rows": [[3], …], "columns": ["age"]}`.
///
/// Numbers and booleans count as the text that a CSV file would hold. Values go to their features as
/// they are met, without a tree or a table in between.
pub(super) fn read(body: &[u8], collector: &mut Collector) -> Result<(), Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        Problem::bad_request(format!("byte {at} of the body (counted from 0) is not UTF-8"))
    })?;
    // As serde has it, a list of the parts would do too.
    if !text.trim_start().starts_with('{') {
        let detail = "the body is no JSON object, expected {\"rows\": [...]}";
        return Err(Problem::bad_request(detail));
    }
    let Parts { rows, columns } = serde_json::from_str(text)
        .map_err(|error| Problem::bad_request(format!("the body: {error}")))?;
    let model = collector.model;
    let order = columns.map(|columns| Order::read(columns, model)).transpose()?;
    let mut reader =
        Reader { seen: vec![0; model.columns().len()], order, others: HashSet::new(), collector };
    let mut json = serde_json::Deserializer::from_str(rows.get());
    if let Err(error) = RowsSeed(&mut reader).deserialize(&mut json) {
        let Reader { collector, .. } = reader;
        if collector.has_stopped() {
            return Ok(());
        }
        let message = plain(&error);
        return Err(match collector.count() {
            0 => Problem::bad_request(format!("\"rows\": {message}")),
            row => Problem::bad_request(format!("row {row}: {message}")).at_row(row),
        });
    }
    reader.check_columns()
}

struct Reader<'r, 'c> {
    collector: &'r mut Collector<'c>,
    /// The last row, counted from 1, that had each column.
    seen: Vec<usize>,
    order: Option<Order>,
    /// Columns that are not the model's.
    others: HashSet<String>,
}

impl Reader<'_, '_> {
    /// A column that no row names is not there, rather than always missing.
    fn check_columns(self) -> Result<(), Problem> {
        let model = self.collector.model;
        let mut columns = model.columns().iter().zip(&self.seen);
        let lacks = columns.any(|(column, seen)| *seen == 0 && column.feature.is_some());
        if self.order.is_some() || self.collector.count() == 0 || !lacks {
            return Ok(());
        }
        let known = model.columns().iter().zip(&self.seen).filter(|(_, seen)| **seen > 0);
        let mut others: Vec<String> = self.others.into_iter().collect();
        others.sort_unstable();
        let names: Vec<String> =
            known.map(|(column, _)| column.name.clone()).chain(others).collect();
        model.manifest().preprocessor.rebind(model.binding(), TABLE, &names)?;
        Ok(())
    }

    /// The values that the current row has not.
    fn fill_missing(&mut self) {
        let row = self.collector.count();
        for (column, seen) in self.seen.iter().enumerate() {
            if *seen != row {
                self.collector.write(column, Cell::Missing);
            }
        }
    }
}

struct RowsSeed<'a, 'r, 'c>(&'a mut Reader<'r, 'c>);

impl<'de> DeserializeSeed<'de> for RowsSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(RowSeed(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct RowSeed<'a, 'r, 'c>(&'a mut Reader<'r, 'c>);

impl RowSeed<'_, '_, '_> {
    fn begin<E: Error>(&mut self) -> Result<(), E> {
        self.0.collector.begin_row().map_err(stopped)
    }

    fn end<E: Error>(&mut self) -> Result<(), E> {
        self.0.collector.end_row().map_err(stopped)
    }
}

/// Ends the reading; why is in the collector.
fn stopped<E: Error>(why: Stop) -> E {
    E::custom(format_args!("{why:?}"))
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        self.begin()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object by column name, or a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let mut next = 0;
        while let Some(key) = entries.next_key_seed(KeySeed { reader: &mut *self.0, next })? {
            let Some(column) = key else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            next = column + 1;
            let row = self.0.collector.count();
            if std::mem::replace(&mut self.0.seen[column], row) == row {
                self.0.collector.problem(Some(column), "it is there twice".to_owned());
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            entries.next_value_seed(CellSeed { collector: self.0.collector, column })?;
        }
        self.0.fill_missing();
        self.end()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        let Reader { collector, order, seen, .. } = &mut *self.0;
        let width = order.as_ref().map_or(collector.model.columns().len(), |order| order.0.len());
        let mut found = 0;
        loop {
            let column = match order {
                Some(order) => order.0.get(found).copied().flatten(),
                None => (found < width).then_some(found),
            };
            let more = match column {
                Some(column) => {
                    seen[column] = collector.count();
                    values.next_element_seed(CellSeed { collector, column })?.is_some()
                }
                None => values.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
            found += 1;
        }
        if found != width {
            let plural = if found == 1 { "" } else { "s" };
            collector.problem(None, format!("{found} value{plural}, expected {width}"));
        }
        if order.is_some() {
            self.0.fill_missing();
        }
        self.end()
    }
}

/// The column that a key names; `None` for one that is not the model's.
struct KeySeed<'a, 'r, 'c> {
    reader: &'a mut Reader<'r, 'c>,
    /// The column that comes next where they come in order.
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_, '_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a column")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let Reader { collector, others, .. } = self.reader;
        let model = collector.model;
        let found = match model.columns().get(self.next) {
            Some(column) if column.name == name => Some(self.next),
            _ => model.column(name),
        };
        let is_new = found.is_none() && others.len() < MAX_OTHERS && name.len() <= LONGEST_OTHER;
        if is_new && !others.contains(name) {
            others.insert(name.to_owned());
        }
        Ok(found)
    }
}
