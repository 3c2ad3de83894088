//! Rows to predict, as CSV or JSON, with a classifier that is all right: an answer or an error for each.

#![no_main]

use std::io::Cursor;

use burn_flex::Flex;
use kiln::{
    classifier::Classifier,
    table::{ReadOptions, TableReader},
};
use kiln_fuzz::{MANIFEST, check, classifier};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

thread_local! {
    /// One that the CPU kernels predict with, and one that Burn does.
    static CLASSIFIERS: [Classifier<Flex>; 2] = [
        classifier(MANIFEST),
        classifier(&MANIFEST.replace("\"normalization\": \"none\"", "\"normalization\": \"batch\"")),
    ];
}

// One byte says with which classifier and whether the others are CSV or a list of JSON objects.
fuzz_target!(|bytes: &[u8]| {
    let [choice, rows @ ..] = bytes else { return };
    CLASSIFIERS.with(|classifiers| {
        let classifier = &classifiers[usize::from(choice & 1)];
        if choice & 2 == 0 {
            csv(classifier, rows);
        } else {
            json(classifier, rows);
        }
    });
});

fn csv(classifier: &Classifier<Flex>, bytes: &[u8]) {
    let input = Cursor::new(bytes.to_vec());
    let Ok(reader) = TableReader::from_reader(input, "fuzz.csv", &ReadOptions::default()) else {
        return;
    };
    let Ok(binding) = classifier.bind("fuzz.csv", reader.columns()) else { return };
    for rows in reader {
        let Ok(rows) = rows else { return };
        check(classifier, &rows, &classifier.predict_rows(&binding, &rows));
    }
}

fn json(classifier: &Classifier<Flex>, bytes: &[u8]) {
    let Ok(rows) = serde_json::from_slice::<Vec<Map<String, Value>>>(bytes) else { return };
    if let Ok(predictions) = classifier.predict(&rows[..]) {
        assert_eq!(predictions.len(), rows.len());
    }
}
