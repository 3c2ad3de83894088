//! Rows that are read anew in every epoch are those that would be in memory, whatever the file looks like.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use kiln_data::{Dataset, Portion, RowStream, Share, Targets};
use kiln_table::{
    HoldOut, Location, PreprocessConfig, Preprocessor, ReadOptions, Scaling, ScanOptions, Scanned,
    SchemaOptions, StreamedRows, Table, TableError, TableFile, TargetEncoder, TargetKind,
    read_weights, scan,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

const HOLD_OUT: HoldOut = HoldOut { fraction: 0.2, seed: 5 };

fn columns() -> SchemaOptions {
    SchemaOptions {
        target: vec!["kind".to_owned()],
        weight: Some("weight".to_owned()),
        ignore: vec!["note".to_owned()],
        ..SchemaOptions::default()
    }
}

fn options<'a>(columns: &'a SchemaOptions, preprocess: &'a PreprocessConfig) -> ScanOptions<'a> {
    let target = TargetKind::Auto;
    ScanOptions { columns, target, positive: None, preprocess, hold_out: Some(HOLD_OUT) }
}

fn scanned(path: &Path) -> Scanned {
    let file = TableFile::open(path, &ReadOptions::default()).unwrap();
    scan(file, options(&columns(), &PreprocessConfig::default())).unwrap()
}

fn refused(path: &Path, columns: &SchemaOptions) -> String {
    let file = TableFile::open(path, &ReadOptions::default());
    let found = file.and_then(|file| scan(file, options(columns, &PreprocessConfig::default())));
    found.unwrap_err().to_string()
}

/// The values of row `i`; an empty text is missing.
fn row(i: usize) -> [String; 7] {
    let size =
        if i % 17 == 3 { String::new() } else { format!("{}", (i * 37 % 1009) as f64 / 8.0) };
    let colour = ["red", "green", "blue, dark", ""][i * 7 % 4];
    // More than are one-hot, and one that only one row has.
    let place = if i == 11 { "only once".to_owned() } else { format!("place {}", i * i % 23) };
    let fresh = if i.is_multiple_of(3) { "yes" } else { "no" };
    let note = if i.is_multiple_of(29) { "two\nlines, \"quoted\"" } else { "" };
    let kind = if i % 41 == 8 { "" } else { ["a", "b", "c"][(i * 5 + i / 100) % 3] };
    let texts = [&size, colour, &place, fresh, note, kind];
    let [size, colour, place, fresh, note, kind] = texts.map(str::to_owned);
    [size, colour, place, fresh, note, format!("{}", 0.5 + (i % 4) as f64), kind]
}

const NAMES: [&str; 7] = ["size", "colour", "place", "fresh", "note", "weight", "kind"];

fn csv(rows: usize, line_end: &str) -> String {
    let mut text = NAMES.join(",") + line_end;
    for i in 0..rows {
        let fields = row(i).map(|field| match field.contains(['"', ',', '\n']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field,
        });
        write!(text, "{}{line_end}", fields.join(",")).unwrap();
        if i % 1000 == 999 {
            text += line_end;
        }
    }
    text
}

fn parquet(path: &Path, rows: usize, row_group: usize) {
    let texts = |column: usize| -> ArrayRef {
        let values =
            (0..rows).map(|i| Some(row(i)[column].clone()).filter(|text| !text.is_empty()));
        Arc::new(values.collect::<StringArray>())
    };
    let numbers = |column: usize| -> ArrayRef {
        Arc::new((0..rows).map(|i| row(i)[column].parse().ok()).collect::<Float64Array>())
    };
    let fresh: ArrayRef =
        Arc::new((0..rows).map(|i| Some(row(i)[3] == "yes")).collect::<BooleanArray>());
    let arrays = [numbers(0), texts(1), texts(2), fresh, texts(4), numbers(5), texts(6)];
    let batch = RecordBatch::try_from_iter(NAMES.into_iter().zip(arrays)).unwrap();
    write_parquet(path, &batch, row_group);
}

fn write_parquet(path: &Path, batch: &RecordBatch, row_group: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(row_group))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(64)
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// Files of the same rows, more than one chunk of them.
fn files(folder: &TempDir, rows: usize) -> Vec<PathBuf> {
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("plain.csv"), csv(rows, "\n")).unwrap();
    std::fs::write(path("windows.csv"), "\u{feff}".to_owned() + &csv(rows, "\r\n")).unwrap();
    parquet(&path("one-group.parquet"), rows, rows);
    parquet(&path("groups.parquet"), rows, 3001);
    let names = ["plain.csv", "windows.csv", "one-group.parquet", "groups.parquet"];
    names.map(path).to_vec()
}

/// A row as the network sees it, so that rows can be sorted.
type Row = (Vec<u32>, u32, u32);

fn rows_of(data: &Dataset) -> Vec<Row> {
    let Targets::Classes { indices, .. } = data.targets() else { panic!("classes expected") };
    let weights = data.weights().expect("rows have weights");
    let bits = |row: usize| data.row(row).iter().map(|value| value.to_bits()).collect();
    (0..data.rows()).map(|row| (bits(row), indices[row], weights[row].to_bits())).collect()
}

/// Of [`Share::WHOLE`].
fn whole(portion: Portion) -> Dataset {
    assert!(portion.places.iter().copied().eq(0..portion.rows as u32));
    portion.data.expect("a batch has rows")
}

/// The rows of one epoch.
fn epoch(
    rows: &StreamedRows,
    seed: u64,
    epoch: u64,
    batches: usize,
    batch_size: usize,
) -> Vec<Row> {
    let (mut all, left) = (Vec::new(), rows.rows() - batches * batch_size);
    for portion in rows.batches(seed, epoch, batches, batch_size, Share::WHOLE) {
        all.extend(rows_of(&whole(portion.unwrap())));
        if all.len() == left {
            break;
        }
    }
    all
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_unstable();
    rows
}

/// The rows of a file that are not held out, as they are in memory, and the preprocessing fitted on them.
fn in_memory(path: &Path, found: &Scanned) -> (Vec<Row>, Preprocessor) {
    let table = Table::read(path, &ReadOptions::default()).unwrap();
    let held_out = found.held_out.as_ref().unwrap();
    let locations = |table: &Table| -> Vec<Location> {
        let chunks = table.chunks().iter();
        chunks.flat_map(|c| (0..c.batch.num_rows()).map(|row| c.location(row))).collect()
    };
    let held_out = locations(held_out);
    let encoder = TargetEncoder::fit(
        &table,
        &columns().target,
        TargetKind::Auto,
        None,
        &columns().missing_texts(),
    );
    let encoder = encoder.unwrap();
    assert_eq!(encoder, found.encoder);
    let encoded = encoder.encode(&table).unwrap();
    assert_eq!((table.num_rows(), found.num_rows), (found.num_rows, encoded.kept.len()));
    let training: Vec<bool> = locations(&table)
        .iter()
        .zip(&encoded.kept)
        .map(|(location, kept)| *kept && !held_out.contains(location))
        .collect();
    let config = PreprocessConfig::default();
    let preprocessor = Preprocessor::fit(&table, &found.schema, &config, &training).unwrap();
    let binding = preprocessor.bind(table.name(), table.columns()).unwrap();
    let features: Vec<f32> = table
        .chunks()
        .iter()
        .flat_map(|rows| preprocessor.transform(&binding, rows).features)
        .collect();
    let kept: Vec<usize> = (0..training.len()).filter(|row| encoded.kept[*row]).collect();
    let width = preprocessor.d_input();
    let of_kept = kept.iter().flat_map(|row| &features[row * width..][..width]).copied().collect();
    let weights = read_weights(&table, "weight").unwrap();
    let dataset = Dataset::new(of_kept, width, encoded.targets)
        .and_then(|data| data.with_weights(kept.iter().map(|row| weights[*row]).collect()));
    let chosen: Vec<usize> = (0..kept.len()).filter(|at| training[kept[*at]]).collect();
    (rows_of(&dataset.unwrap().select(&chosen).unwrap()), preprocessor)
}

#[test]
fn every_row_comes_once_in_an_epoch_as_it_would_be_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    // With up to 8191 training rows, quantiles are exact.
    for path in files(&folder, 10_000) {
        let found = scanned(&path);
        let (expected, preprocessor) = in_memory(&path, &found);
        assert_eq!(found.train.preprocessor(), &preprocessor, "{path:?}");
        assert_eq!(
            (found.train.rows(), found.class_rows.iter().sum()),
            (expected.len(), expected.len())
        );
        let held_out = found.held_out.as_ref().unwrap().num_rows();
        assert_eq!(found.num_with_target, expected.len() + held_out);
        assert!((1800..2200).contains(&held_out), "{held_out}");
        for batch_size in [1, 100, 5000] {
            let rows = epoch(&found.train, 1, 0, 0, batch_size);
            assert!(sorted(rows) == sorted(expected.clone()), "{path:?}, {batch_size}");
        }
    }
}

#[test]
fn the_order_depends_on_seed_and_epoch_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder, 20_000);
    let (plain, windows) = (scanned(&files[0]), scanned(&files[1]));
    let rows = epoch(&plain.train, 1, 3, 0, 64);
    assert!(rows == epoch(&plain.train, 1, 3, 0, 1000));
    assert!(rows == epoch(&windows.train, 1, 3, 0, 64));
    for (seed, other) in [(1, 4), (2, 3)] {
        let others = epoch(&plain.train, seed, other, 0, 64);
        assert!(rows != others && sorted(rows.clone()) == sorted(others));
    }
    // An epoch that is begun in its middle.
    for batches in [1, 77, 200] {
        assert!(rows[batches * 64..] == epoch(&plain.train, 1, 3, batches, 64), "{batches}");
    }
    // And the epochs that follow by themselves.
    let all: Vec<Row> = plain
        .train
        .batches(1, 2, 30, 500, Share::WHOLE)
        .flat_map(|portion| rows_of(&whole(portion.unwrap())))
        .take(3 * plain.train.rows() - 15_000)
        .collect();
    assert!(all[plain.train.rows() - 15_000..][..plain.train.rows()] == rows);
}

#[test]
fn batches_are_never_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, csv(20_000, "\n")).unwrap();
    let train = scanned(&path).train;
    for batch_size in [3, 7000, train.rows()] {
        let mut left = train.rows();
        for portion in train.batches(0, 0, 0, batch_size, Share::WHOLE) {
            let rows = portion.unwrap().rows;
            left -= rows;
            assert!(rows % batch_size == 0 || left == 0, "{rows} of {batch_size}");
            if left == 0 {
                break;
            }
        }
    }
}

#[test]
fn shares_make_up_each_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    // The second has rows in a few shards only.
    for rows in [20_000, 40] {
        std::fs::write(&path, csv(rows, "\n")).unwrap();
        let train = scanned(&path).train;
        let batch_size = train.rows() / 3;
        let expected = epoch(&train, 1, 2, 1, batch_size);
        for ranks in [2, 3, 32] {
            let mut all = vec![None; expected.len()];
            for rank in 0..ranks {
                let mut first = 0;
                for portion in train.batches(1, 2, 1, batch_size, Share { rank, ranks }) {
                    let Portion { rows, data, places } = portion.unwrap();
                    let own = data.map_or_else(Vec::new, |data| rows_of(&data));
                    assert_eq!(own.len(), places.len());
                    for (row, place) in own.into_iter().zip(places) {
                        assert!(all[first + place as usize].replace(row).is_none());
                    }
                    first += rows;
                    if first == expected.len() {
                        break;
                    }
                }
            }
            assert!(all.into_iter().map(Option::unwrap).eq(expected.iter().cloned()), "{ranks}");
        }
    }
}

#[test]
fn another_value_is_another_identity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let text = csv(500, "\n");
    let identity = |text: &str| {
        std::fs::write(&path, text).unwrap();
        scanned(&path).train.identity()
    };
    let first = identity(&text);
    assert_eq!(first, identity(&text));
    assert_ne!(first, identity(&text.replace(".5,", ".25,")));
    assert_ne!(first, identity(&text.replace("place 4", "place 5")));
}

#[test]
fn scaling_by_mean_and_deviation_is_that_of_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let x: ArrayRef =
        Arc::new((0..50_000).map(|i| Some(1e6 + (i % 1000) as f64)).collect::<Float64Array>());
    let kind: ArrayRef = Arc::new((0..50_000).map(|i| Some(i % 2)).collect::<Int64Array>());
    write_parquet(&path, &RecordBatch::try_from_iter([("x", x), ("kind", kind)]).unwrap(), 7000);
    let columns = SchemaOptions { target: vec!["kind".to_owned()], ..SchemaOptions::default() };
    let preprocess = PreprocessConfig { scaling: Scaling::Standard, ..PreprocessConfig::default() };
    let file = TableFile::open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(file.estimated_rows().unwrap(), 50_000);
    let options = ScanOptions { hold_out: None, ..options(&columns, &preprocess) };
    let found = scan(file, options).unwrap();
    assert!(found.held_out.is_none());
    let table = Table::read(&path, &ReadOptions::default()).unwrap();
    let fitted = Preprocessor::fit(&table, &found.schema, &preprocess, &[true; 50_000]).unwrap();
    let scale = |of: &Preprocessor| match &of.features()[0].transform {
        kiln_table::Transform::Numeric(numeric) => numeric.scale.unwrap(),
        other => panic!("{other:?}"),
    };
    let (found, fitted) = (scale(found.train.preprocessor()), scale(&fitted));
    assert!((found.center / fitted.center - 1.0).abs() < 1e-14, "{found:?} {fitted:?}");
    assert!((found.spread / fitted.spread - 1.0).abs() < 1e-9, "{found:?} {fitted:?}");
}

#[test]
fn rows_of_a_csv_file_are_estimated_by_their_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    for rows in [10, 30_000] {
        std::fs::write(&path, csv(rows, "\n")).unwrap();
        let file = TableFile::open(&path, &ReadOptions::default()).unwrap();
        let estimated = file.estimated_rows().unwrap();
        assert!(estimated.abs_diff(rows) <= rows / 100, "{estimated} {rows}");
    }
}

#[test]
fn what_can_be_read_from_its_start_only_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, csv(10, "\n").as_bytes()).unwrap();
    std::fs::write(&path, encoder.finish().unwrap()).unwrap();
    let refused =
        |path: &Path| TableFile::open(path, &ReadOptions::default()).unwrap_err().to_string();
    let expected = "which can be read from its start only; expected a CSV file that is not compressed, \
                    or a Parquet file";
    assert_eq!(refused(Path::new("-")), format!("- is standard input, {expected}"));
    assert_eq!(refused(&path), format!("{} is compressed by gzip, {expected}", path.display()));
    assert_eq!(
        refused(folder.path()),
        format!("{} is a folder, expected a file", folder.path().display())
    );
}

#[test]
fn a_file_that_changes_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, csv(2000, "\n")).unwrap();
    let train = scanned(&path).train;
    std::fs::write(&path, csv(2001, "\n")).unwrap();
    let error = train.batches(0, 0, 0, 10, Share::WHOLE).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("{} was changed while it was in use", path.display()));
    std::fs::remove_file(&path).unwrap();
    let mut batches = train.batches(0, 0, 0, 10, Share::WHOLE);
    let error = batches.next().unwrap().unwrap_err();
    assert!(matches!(error, TableError::Read { .. }), "{error}");
    assert!(batches.next().is_none());
}

#[test]
fn bad_rows_are_named_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let (columns, name) = (columns(), path.display());
    let with = |text: String| std::fs::write(&path, text).unwrap();

    with(csv(9000, "\n") + "1,2\n");
    let lines = csv(9000, "\n").matches('\n').count();
    assert_eq!(
        refused(&path, &columns),
        format!("{name} line {}: 2 fields, expected 7 as in the header", lines + 1)
    );
    with(csv(10, "\n") + "1,red,place 1,yes,,-1,a\n");
    let lines = csv(10, "\n").matches('\n').count();
    let expected = "weight is \"-1\", expected a finite number, 0 or more";
    assert_eq!(
        refused(&path, &columns),
        format!("{name} line {}, column \"weight\": {expected}", lines + 1)
    );
    with(csv(40, "\n"));
    let numeric = SchemaOptions { numeric: vec!["colour".to_owned()], ..columns.clone() };
    let error = refused(&path, &numeric);
    assert!(error.ends_with("column \"colour\": \"blue, dark\" is not a number"), "{error}");
    let none = SchemaOptions { target: vec!["colou".to_owned()], ..columns };
    let error = refused(&path, &none);
    assert!(error.starts_with(&format!("{name}: no column \"colou\"")), "{error}");
}

#[test]
fn numbers_that_turn_out_to_be_names_have_to_be_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let mut text = "code,size,kind\n".to_owned();
    for i in 0..20_000 {
        writeln!(text, "{i},{},{}", i % 7, i % 2).unwrap();
    }
    for i in 0..5000 {
        writeln!(text, "X{},{},{}", i % 500, i % 7, i % 2).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let mut columns = SchemaOptions { target: vec!["kind".to_owned()], ..SchemaOptions::default() };
    assert_eq!(
        refused(&path, &columns),
        format!(
            "{}, column \"code\": the first values are numbers, and many of those that follow are not; \
             say whether all are names (categorical) or numbers (numeric), or leave it out (ignore)",
            path.display()
        )
    );
    columns.categorical = vec!["code".to_owned()];
    let file = TableFile::open(&path, &ReadOptions::default()).unwrap();
    let found = scan(file, options(&columns, &PreprocessConfig::default())).unwrap();
    // Those that only one row has are not told apart.
    assert_eq!(found.train.preprocessor().embeddings()[0].num_categories, 501);
}

#[test]
fn labels_and_distributions_are_streamed_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let mut text = "x,a,b\n".to_owned();
    for i in 0..1000 {
        writeln!(text, "{},{},{}", i * 7 % 100, i % 2, (i + i / 500) % 2).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let columns =
        SchemaOptions { target: vec!["a".to_owned(), "b".to_owned()], ..SchemaOptions::default() };
    let file = TableFile::open(&path, &ReadOptions::default()).unwrap();
    let preprocess = PreprocessConfig::default();
    let options = ScanOptions { hold_out: None, ..options(&columns, &preprocess) };
    let found = scan(file, options).unwrap();
    assert_eq!(found.class_rows, [500, 500]);
    let data = whole(found.train.batches(0, 0, 0, 1000, Share::WHOLE).next().unwrap().unwrap());
    let Targets::Dense { values, width: 2 } = data.targets() else {
        panic!("{:?}", data.targets())
    };
    let both = values.chunks(2).filter(|row| row[0] == row[1]).count();
    assert_eq!((both, values.iter().sum::<f32>()), (500, 1000.0));
}
