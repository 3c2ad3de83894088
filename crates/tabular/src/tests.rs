use burn::backend::Autodiff;
use burn_flex::Flex;
use kiln_table::{ReadOptions, SchemaOptions, Table, TableReader};
use kiln_train::{Evaluation, Hooks};

use crate::{
    Calibration, ClassWeights, Folds, Outcome, Prepared, Preset, Recipe, Settings, TabularError,
    Validation, cross_validate, evaluate, train,
};

type B = Autodiff<Flex>;

/// `kind` follows from `x`, but for the ends of its range; `fold` counts 0, 1, 2.
fn text(rows: usize) -> String {
    let mut text = "x,colour,fold,kind\n".to_owned();
    for row in 0..rows {
        let x = row as f64 * 0.37 % 2.0;
        let colour = ["red", "green", ""][row % 3];
        let kind = if x > 1.0 { "big" } else { "small" };
        text += &format!("{x},{colour},{},{kind}\n", row % 3);
    }
    text
}

fn table(text: String) -> Table {
    let input = std::io::Cursor::new(text);
    let options = ReadOptions::default();
    Table::from_reader(TableReader::from_reader(input, "t.csv", &options).unwrap()).unwrap()
}

fn settings() -> Settings {
    let columns = SchemaOptions {
        target: vec!["kind".to_owned()],
        fold: Some("fold".to_owned()),
        ..SchemaOptions::default()
    };
    let mut settings = Recipe::new(Preset::Fast, 60, 4).settings(columns);
    settings.train.num_epochs = 40;
    settings.calibration = Calibration::None;
    settings
}

fn run(
    table: Table,
    settings: &Settings,
    validation: Validation<'_>,
) -> Result<Outcome<Flex>, TabularError> {
    let prepared = Prepared::new(table, settings)?;
    let rows: Vec<usize> = (0..prepared.num_rows()).collect();
    train::<B>(
        &prepared,
        settings,
        &rows,
        validation,
        "flex",
        &Default::default(),
        Hooks::default(),
    )
}

#[test]
fn a_rule_is_learned_and_the_file_keeps_it() {
    let outcome = run(table(text(120)), &settings(), Validation::HeldOut).unwrap();
    let (valid, bytes) = (outcome.valid.unwrap(), outcome.classifier.to_bytes());
    assert_eq!((outcome.train_rows, valid.rows()), (102, 18));
    let device = Default::default();
    let read = kiln_classifier::Classifier::<Flex>::from_bytes(&bytes, "m", &device).unwrap();
    let new = evaluate(&read, &table(text(200)), None, &device).unwrap();
    assert!(new.accuracy > 0.9, "{}", new.accuracy);
    let again = evaluate(&outcome.classifier, &table(text(200)), None, &device).unwrap();
    assert_eq!(new, again);
}

#[test]
fn one_seed_is_one_file() {
    let bytes = |seed| {
        let mut settings = settings();
        settings.train.num_epochs = 3;
        settings.train.seed = seed;
        let outcome = run(table(text(60)), &settings, Validation::HeldOut).unwrap();
        outcome.classifier.to_bytes()
    };
    assert!(bytes(1) == bytes(1));
    assert!(bytes(1) != bytes(2));
}

#[test]
fn validation_rows_move_no_constant() {
    let mut settings = settings();
    settings.train.num_epochs = 2;
    let constants = |valid: &str| {
        let valid = table(format!("x,colour,fold,kind\n{valid}"));
        let outcome = run(table(text(60)), &settings, Validation::Table(&valid)).unwrap();
        outcome.classifier.manifest().preprocessor.clone()
    };
    let plain = constants("0.5,red,0,small\n1.5,green,0,big\n");
    assert_eq!(constants("1e9,violet,0,small\n,violet,0,big\n"), plain);
}

#[test]
fn every_row_is_measured_in_one_fold() {
    let mut settings = settings();
    settings.train.num_epochs = 2;
    let prepared = Prepared::new(table(text(60)), &settings).unwrap();
    for (folds, names) in
        [(Folds::Random(3), ["1", "2", "3"]), (Folds::Column("fold".to_owned()), ["0", "1", "2"])]
    {
        let mut heard = 0;
        let device = Default::default();
        let results =
            cross_validate::<B>(&prepared, &settings, &folds, "flex", &device, |_| heard += 1)
                .unwrap();
        let found: Vec<&str> = results.iter().map(|result| result.fold.as_str()).collect();
        assert_eq!((found.as_slice(), heard), (names.as_slice(), 3));
        let rows = |evaluation: &Evaluation| evaluation.rows;
        assert_eq!(results.iter().map(|result| rows(&result.evaluation)).sum::<usize>(), 60);
    }
    let one = Folds::Column("colour".to_owned());
    let error =
        cross_validate::<B>(&prepared, &settings, &one, "flex", &Default::default(), |_| {});
    assert_eq!(error.unwrap_err().to_string(), "t.csv line 4, column \"colour\": names no fold");
}

#[test]
fn class_weights_fit_the_classes() {
    let mut settings = settings();
    settings.train.num_epochs = 1;
    let mut loss = |weights| {
        settings.class_weights = weights;
        let outcome = run(table(text(60)), &settings, Validation::HeldOut)?;
        Ok::<_, TabularError>(outcome.classifier.manifest().loss.class_weights.clone().unwrap())
    };
    assert_eq!(loss(ClassWeights::Given(vec![1.0, 3.0])).unwrap(), [1.0, 3.0]);
    assert_eq!(
        loss(ClassWeights::Given(vec![1.0])).unwrap_err().to_string(),
        "found 1 class weights, expected one for each of big, small"
    );
    let [big, small] = loss(ClassWeights::Balanced).unwrap().try_into().unwrap();
    // rows / (2 · rows of the class): the harmonic mean of the two is 1.
    assert!((2.0 / (1.0 / big + 1.0 / small) - 1.0).abs() < 1e-12, "{big} {small}");
}

#[test]
fn rows_without_a_target_are_left_out() {
    let text = text(60) + "0.1,red,0,\n0.2,red,0,NA\n";
    let prepared = Prepared::new(table(text), &settings()).unwrap();
    assert_eq!((prepared.num_rows(), prepared.num_without_target()), (60, 2));
}
