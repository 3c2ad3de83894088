//! What is predicted: the same as by `kiln predict`, bit for bit.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use arrow_array::{ArrayRef, RecordBatch, StringArray, cast::AsArray, types::Float32Type};
use kiln::table::{ReadOptions, Table};
use serde_json::{Value, json};

use crate::common::{Folder, shared};
use crate::server::{Server, predict};

const ARROW: &str = "application/vnd.apache.arrow.stream";

fn tables() -> Option<(PathBuf, Vec<Value>)> {
    let folder = shared("KILN_TABULAR_DIR", "tabular")?;
    let index = fs::read_to_string(folder.join("index.json")).expect("an index");
    let index: Vec<Value> = serde_json::from_str(&index).expect("an index");
    Some((folder, index))
}

/// A table as texts, with a name for each column.
struct Texts {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Texts {
    fn read(path: &Path, header: bool) -> Self {
        let options = ReadOptions { header: Some(header), ..ReadOptions::default() };
        let table = Table::read(path, &options).expect("a table");
        let row = |batch: &RecordBatch, row: usize| -> Vec<String> {
            batch.columns().iter().map(|c| c.as_string::<i32>().value(row).to_owned()).collect()
        };
        let chunks = table.chunks().iter().map(|rows| &rows.batch);
        let rows = chunks.flat_map(|batch| (0..batch.num_rows()).map(|at| row(batch, at)));
        Self { columns: table.columns().to_vec(), rows: rows.collect() }
    }

    fn csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns).expect("writes");
        self.rows.iter().for_each(|row| writer.write_record(row).expect("writes"));
        writer.into_inner().expect("writes")
    }

    fn json(&self) -> String {
        let object = |row: &Vec<String>| -> Value {
            self.columns.iter().cloned().zip(row.iter().map(|text| json!(text))).collect()
        };
        json!({"rows": self.rows.iter().map(object).collect::<Vec<_>>()}).to_string()
    }

    fn lists(&self) -> String {
        json!({"rows": self.rows, "columns": self.columns}).to_string()
    }

    fn arrow(&self) -> Vec<u8> {
        let column = |index: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(self.rows.iter().map(|row| &row[index])))
        };
        let columns = self.columns.iter().enumerate().map(|(i, name)| (name, column(i)));
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        let mut writer =
            arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).expect("writes");
        // In parts, whose edges are nowhere in particular.
        for start in (0..batch.num_rows()).step_by(1000) {
            let rows = (batch.num_rows() - start).min(1000);
            writer.write(&batch.slice(start, rows)).expect("writes");
        }
        writer.into_inner().expect("writes")
    }
}

/// The decision and the bits of the probabilities of each row.
type Bits = Vec<(String, Vec<u32>)>;

fn of_csv(text: &str) -> Bits {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let row = |record: csv::StringRecord| {
        let numbers = record.iter().skip(1).map(|p| p.parse::<f32>().expect("a number").to_bits());
        (record[0].to_owned(), numbers.collect())
    };
    reader.records().map(|record| row(record.expect("a record"))).collect()
}

fn of_json(answer: &Value) -> Bits {
    let row = |row: &Value| {
        let bits = |p: &Value| (p.as_f64().expect("a number") as f32).to_bits();
        let numbers = row["probabilities"].as_array().expect("a list").iter().map(bits);
        (row["class"].as_str().expect("a class").to_owned(), numbers.collect())
    };
    answer["predictions"].as_array().expect("a list").iter().map(row).collect()
}

fn of_arrow(bytes: &[u8]) -> Bits {
    let reader = arrow_ipc::reader::StreamReader::try_new(Cursor::new(bytes), None);
    let mut rows = Vec::new();
    for batch in reader.expect("a stream") {
        let batch = batch.expect("a batch");
        for row in 0..batch.num_rows() {
            let numbers = batch.columns()[1..].iter();
            let bits = numbers.map(|c| c.as_primitive::<Float32Type>().value(row).to_bits());
            rows.push((batch.column(0).as_string::<i32>().value(row).to_owned(), bits.collect()));
        }
    }
    rows
}

#[test]
fn every_form_of_request_and_answer_says_what_kiln_predict_says() {
    let Some((tables, index)) = tables() else { return };
    assert_eq!(index.len(), 13);
    for entry in index {
        let file = entry["file"].as_str().expect("a name");
        let header = entry["header"].as_bool().expect("yes or no");
        let texts = Texts::read(&tables.join(file), header);
        let folder = Folder::new();
        folder.write("table.csv", texts.csv());
        let target = match &entry["target"] {
            Value::String(name) => name,
            index => &texts.columns[index.as_u64().expect("an index") as usize],
        };
        // Eight networks on so many rows would take most of the test's time.
        let preset = if texts.rows.len() > 5_000 { "fast" } else { "default" };
        folder.succeeds(&format!(
            "train table.csv --header --target {target} -o model.safetensors --preset {preset} \
             --epochs 1 -q"
        ));
        let expected = folder.succeeds("predict model.safetensors table.csv --header");
        let bits = of_csv(&expected);
        assert_eq!(bits.len(), texts.rows.len(), "{file}");

        let server = Server::start(&folder, "");
        let of = |request: &str, body: &[u8], answer: &str| {
            let response = server.send(&predict(request, body).header("Accept", answer));
            assert_eq!(
                response.status,
                200,
                "{file}: {:?}",
                String::from_utf8_lossy(&response.body)
            );
            response
        };
        let csv = texts.csv();
        assert_eq!(of("text/csv", &csv, "text/csv").text(), expected, "{file}");
        for (media, body) in [
            ("text/csv", csv),
            ("application/json", texts.json().into_bytes()),
            ("application/json", texts.lists().into_bytes()),
            (ARROW, texts.arrow()),
        ] {
            let answer = of(media, &body, "application/json").json();
            assert!(of_json(&answer) == bits, "{file}: {media} to JSON");
            let answer = of(media, &body, ARROW);
            assert!(of_arrow(&answer.body) == bits, "{file}: {media} to Arrow");
        }
        // One by one, as most requests are.
        let mut connection = server.connect();
        for (row, bits) in texts.rows.iter().zip(&bits).take(50) {
            let one = Texts { columns: texts.columns.clone(), rows: vec![row.clone()] };
            let answer = connection.send(&predict("application/json", one.json())).json();
            assert_eq!(of_json(&answer), std::slice::from_ref(bits), "{file}");
        }
    }
}

#[test]
fn numbers_booleans_and_texts_mean_what_a_csv_file_would() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "");
    let ask = |row: &str| of_json(&server.predict(&format!("{{\"rows\": [{row}]}}")).json());
    let three = ask(r#"{"a": 3, "b": 1.5}"#);
    for same in [
        r#"{"b": "1.50", "a": "3"}"#,
        r#"{"a": 3.0, "b": " 1.5 ", "id": [1, {"x": []}], "": null}"#,
        r#"{"\u0061": 3e0, "b": 15e-1}"#,
        r#"[3, 1.5]"#,
    ] {
        assert_eq!(ask(same), three, "{same}");
    }
    folder.write("new.csv", "a,b\n3,1.5\n,1.5\n");
    let predicted = of_csv(&folder.succeeds("predict model.safetensors new.csv"));
    assert_eq!(predicted[0], three[0]);
    for missing in [r#"{"a": null, "b": 1.5}"#, r#"{"a": "", "b": 1.5}"#, r#"[null, 1.5]"#] {
        assert_eq!(ask(missing), [predicted[1].clone()], "{missing}");
    }
    // In a row among others, no entry is a missing value too.
    let answer = server.predict(r#"{"rows": [{"b": 1.5}, {"a": 3, "b": 1.5}]}"#).json();
    assert_eq!(of_json(&answer), [predicted[1].clone(), predicted[0].clone()]);
    let none = server.predict(r#"{"rows": []}"#).json();
    assert_eq!(none, json!({"model": "model", "classes": ["x", "y"], "predictions": []}));
}

#[test]
fn the_columns_of_a_csv_request_come_first_where_they_are_asked_for() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "");
    let rows = "id,a,b\n\"x, y\",3,1.5\n2,,\n";
    folder.write("new.csv", rows);
    let expected = folder.succeeds("predict model.safetensors new.csv --keep id,a,b");
    let mut request = crate::server::Request::new("POST", "/v1/predict?keep=all");
    request = request.header("Content-Type", "text/csv").body(rows);
    let answer = server.send(&request.clone().header("Accept", "text/csv"));
    assert_eq!(answer.text(), expected);
    let detail = server.send(&request).problem(400);
    assert_eq!(detail, "keep=all is for CSV requests whose answer is CSV or Arrow");
}

#[test]
fn labels_are_a_list() {
    let folder = Folder::new();
    let row = |row: usize| format!("{},{},{}\n", row % 10, row / 5 % 2, usize::from(row % 10 > 5));
    folder.write("labels.csv", "a,p,q\n".to_owned() + &(0..60).map(row).collect::<String>());
    folder.succeeds("train labels.csv --target p,q -o model.safetensors --epochs 3 -q");
    let server = Server::start(&folder, "");
    assert_eq!(server.get("/v1/model").json()["task"], "multi_label");
    let answer = server.predict(r#"{"rows": [{"a": 0}, {"a": 9}]}"#).json();
    folder.write("new.csv", "a\n0\n9\n");
    let predicted = of_csv(&folder.succeeds("predict model.safetensors new.csv"));
    for (row, (labels, bits)) in answer["predictions"].as_array().unwrap().iter().zip(predicted) {
        let of = |value: &Value| value.as_str().unwrap().to_owned();
        let found: Vec<String> = row["labels"].as_array().unwrap().iter().map(of).collect();
        assert_eq!(found.join(", "), labels);
        let p = row["probabilities"].as_array().unwrap().iter();
        let found: Vec<u32> = p.map(|p| (p.as_f64().unwrap() as f32).to_bits()).collect();
        assert_eq!(found, bits);
    }
}

#[test]
fn clients_at_once_each_get_the_answers_to_their_own_rows() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "");
    let ask = |connection: &mut crate::server::Connection, a: usize| {
        let body = json!({"rows": [{"a": a, "b": 1}]}).to_string();
        of_json(&connection.send(&predict("application/json", body)).json())
    };
    let alone: Vec<Bits> = (0..40).map(|a| ask(&mut server.connect(), a)).collect();
    thread::scope(|scope| {
        for client in 0..16 {
            let (alone, server) = (&alone, &server);
            scope.spawn(move || {
                let mut connection = server.connect();
                for round in 0..100 {
                    let a = (client * 7 + round) % 40;
                    assert_eq!(ask(&mut connection, a), alone[a], "client {client}, row {a}");
                }
            });
        }
        // And one with very many.
        let mut rows = "a,b\n".to_owned();
        (0..100_000).for_each(|row| rows += &format!("{},1\n", row % 40));
        let (alone, server) = (&alone, &server);
        scope.spawn(move || {
            let answer = server.send(&predict("text/csv", rows).header("Accept", "text/csv"));
            let bits = of_csv(answer.text());
            assert_eq!(bits.len(), 100_000);
            let mut rows = bits.iter().enumerate();
            assert!(rows.all(|(row, bits)| *bits == alone[row % 40][0]));
        });
    });
}
