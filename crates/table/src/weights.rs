use crate::cells::{Cell, Cells};
use crate::error::TableError;
use crate::number::parse_number;
use crate::preprocess::shown;
use crate::table::Table;

/// The row weights in a column of a table, one per row.
///
/// # Errors
///
/// [`TableError::NoColumns`]; [`TableError::Row`] for the first row whose weight is missing, or is not
/// a finite number, 0 or more, and for one that could not be split into columns.
pub fn read_weights(table: &Table, column: &str) -> Result<Vec<f32>, TableError> {
    let index = table.column(column)?;
    let mut weights = Vec::with_capacity(table.num_rows());
    for rows in table.chunks() {
        let refuse = |problem| TableError::Row { table: table.name().to_owned(), problem };
        let cells = Cells::new(rows.batch.column(index).as_ref());
        for row in 0..rows.batch.num_rows() {
            if let Some(problem) = rows.problems.first().filter(|problem| problem.row == row) {
                return Err(refuse(problem.clone()));
            }
            let cell = cells.get(row);
            let weight = match cell {
                Cell::Missing | Cell::Boolean(_) => None,
                Cell::Text(text) => parse_number(text),
                Cell::Integer(value) => Some(value as f64),
                Cell::Number(value) => Some(value),
            };
            match weight.map(|weight| weight as f32) {
                Some(weight) if weight.is_finite() && weight >= 0.0 => weights.push(weight),
                _ => {
                    let message =
                        format!("weight is {}, expected a finite number, 0 or more", shown(cell));
                    return Err(refuse(rows.problem(row, Some(column), message)));
                }
            }
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::RowProblem;
    use crate::table::text_table;
    use expect_test::expect;

    #[test]
    fn weights_are_finite_and_0_or_more() {
        let table = text_table("data.csv", &["w"], &[&["1"], &["0"], &["2.5"]]);
        assert_eq!(read_weights(&table, "w").expect("valid weights"), [1.0, 0.0, 2.5]);
        for (text, found) in
            [("-1", "\"-1\""), ("1e39", "\"1e39\""), ("nan", "\"nan\""), ("", "a missing value")]
        {
            let table = text_table("data.csv", &["w"], &[&["1"], &[text]]);
            assert_eq!(
                read_weights(&table, "w").expect_err("must be refused").to_string(),
                format!(
                    "data.csv line 3, column \"w\": weight is {found}, expected a finite number, 0 \
                     or more"
                )
            );
        }
        expect![r#"data.csv: no column "W"; did you mean "w"?"#]
            .assert_eq(&read_weights(&table, "W").expect_err("must be refused").to_string());
    }

    #[test]
    fn row_that_could_not_be_split_has_no_weight() {
        let mut table = text_table("data.csv", &["w"], &[&["1"], &[""]]);
        let mut rows = table.chunks()[0].clone();
        rows.problems = vec![RowProblem {
            row: 1,
            location: rows.location(1),
            column: None,
            message: "found 3 values, expected 1".to_owned(),
        }];
        table.set_chunks(vec![rows]);
        expect!["data.csv line 3: found 3 values, expected 1"]
            .assert_eq(&read_weights(&table, "w").expect_err("must be refused").to_string());
    }
}
