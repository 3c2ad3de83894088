use std::fmt;

use kiln_table::Cell;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::request::collector::Collector;

/// A value, which goes to its feature; anything at all where there is none.
pub(super) struct CellSeed<'a, 'c> {
    pub(super) collector: &'a mut Collector<'c>,
    pub(super) column: usize,
}

impl CellSeed<'_, '_> {
    fn write<E>(self, cell: Cell) -> Result<(), E> {
        self.collector.write(self.column, cell);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.collector.model.columns()[self.column].feature.is_none() {
            return IgnoredAny::deserialize(deserializer).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write(Cell::Missing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(Cell::Text(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(Cell::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.write(Cell::Integer(value)),
            Err(_) => self.write(Cell::Text(&value.to_string())),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(Cell::Number(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.write(Cell::of_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        let message = "found a list, expected a single value";
        self.collector.problem(Some(self.column), message.to_owned());
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        let message = "found an object, expected a single value";
        self.collector.problem(Some(self.column), message.to_owned());
        Ok(())
    }
}
