//! Several processes, here threads, train on streamed rows what one trains.

#[path = "../../train/tests/training/threads.rs"]
mod threads;

use std::path::Path;

use kiln_model::{MlpConfig, Normalization};
use kiln_table::{
    PreprocessConfig, ReadOptions, ScanOptions, SchemaOptions, TableFile, TargetKind, scan,
};
use kiln_train::{Recorder, TrainData};

use crate::threads::{alone, config, ends_as, on_ranks};

/// The same rows in a file, without weights.
fn streamed(path: &Path) -> TrainData {
    let file = TableFile::open(path, &ReadOptions::default()).unwrap();
    let columns = SchemaOptions { target: vec!["class".to_owned()], ..SchemaOptions::default() };
    let options = ScanOptions {
        columns: &columns,
        target: TargetKind::Auto,
        positive: None,
        preprocess: &PreprocessConfig::default(),
        hold_out: None,
    };
    TrainData::streamed(scan(file, options).unwrap().train)
}

#[test]
fn streamed_rows_are_trained_on_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let mut text = "a,b,c,class\n".to_owned();
    for i in 0..400 {
        let [a, b] = [(f64::from(i) * 0.37).sin(), (f64::from(i) * 0.61).cos()];
        text += &format!("{a},{b},{},{}\n", i % 4, ["x", "y", "z"][(i * i % 7 % 3) as usize]);
    }
    std::fs::write(&path, text).unwrap();
    for normalization in [Normalization::None, Normalization::Layer] {
        let model = MlpConfig::new(3, 3)
            .with_hidden(vec![9])
            .with_dropout(0.2)
            .with_normalization(normalization);
        let train = |_| streamed(&path);
        let expected = alone(&model, &config(), train(0));
        for size in [2, 3] {
            let found = on_ranks(size, &model, &config(), &train, None, &mut Recorder::new());
            ends_as(&expected, &found, 1e-5);
        }
    }
}
