use std::{
    fs,
    num::NonZeroUsize,
    path::Path,
    sync::{Mutex, atomic::AtomicBool},
};

use burn::backend::Autodiff;
use burn_flex::Flex;
use kiln_table::{ReadOptions, SchemaOptions, Table, TableReader};
use kiln_train::BatchSize;
use serde_json::json;

use super::{
    Found, Hyperparameter, Journal, Limits, Range, Search, Searched, Space, Stopped, Trial,
    TrialState, TuneError, Value, best, importance,
    propose::{Behind, propose},
    search,
};
use crate::{Prepared, Preset, Recipe, Settings, Validation};

fn settings() -> Settings {
    let columns = SchemaOptions { target: vec!["y".to_owned()], ..SchemaOptions::default() };
    Recipe::new(Preset::Fast, 1000, 3).settings(columns)
}

/// Rows `x,c,y` of a number and a name.
fn prepared(settings: &Settings) -> Prepared {
    let rows: String =
        (0..40).map(|i| format!("{}.5,n{},{}\n", i * 7 % 11, i % 3, i % 2)).collect();
    let csv = std::io::Cursor::new(format!("x,c,y\n{rows}"));
    let reader = TableReader::from_reader(csv, "t.csv", &ReadOptions::default()).unwrap();
    Prepared::new(Table::from_reader(reader).unwrap(), settings).unwrap()
}

fn space(given: &[&str]) -> Space {
    let settings = settings();
    let schema = prepared(&settings).schema;
    Space::new(&settings, &schema, |option| given.contains(&option)).unwrap()
}

fn trial(number: usize, values: Vec<Value>, loss: f64) -> Trial {
    let losses = vec![2.0 * loss, loss, 1.5 * loss];
    let state = TrialState::Complete;
    Trial { trial: number, state, loss: Some(loss), values, losses, seconds: 0.5 }
}

/// A search for the learning rate 0.003 with two layers; of the other settings nothing matters.
fn simulated(space: &Space, trials: usize, distance: usize) -> Vec<Trial> {
    let base = settings();
    let mut done: Vec<Trial> = Vec::new();
    for number in 0..trials {
        let seen = &done[..(number + 1).saturating_sub(distance)];
        let values = propose(space, &base, number, seen);
        let found = space.apply(&base, &values);
        let rate = (found.train.learning_rate / 0.003).log10().powi(2);
        let layers = if found.network.hidden.len() == 2 { 0.0 } else { 1.0 };
        done.push(trial(number, values, 0.3 + rate + layers));
    }
    done
}

#[test]
fn the_first_trial_is_the_run_without_a_search() {
    let (space, base) = (space(&[]), settings());
    let first = propose(&space, &base, 0, &[]);
    assert_eq!(space.apply(&base, &first), base);
    let mut uneven = base.clone();
    uneven.network.hidden = vec![256, 64];
    assert_eq!(space.apply(&uneven, &space.values(&uneven)), uneven);
}

#[test]
fn what_is_given_is_not_searched() {
    let names = |given: &[&str]| -> Vec<&str> {
        space(given).settings().iter().map(|setting| setting.name.name()).collect()
    };
    assert_eq!(names(&[]), Hyperparameter::ALL.map(Hyperparameter::name));
    let few = names(&["hidden", "learning_rate", "target", "epochs"]);
    let expected =
        ["activation", "dropout", "weight_decay", "batch_size", "numeric_bins", "scaling"];
    assert_eq!(few, expected);

    let all = Hyperparameter::ALL.map(Hyperparameter::option);
    let base = settings();
    let error = Space::new(&base, &prepared(&base).schema, |of| all.contains(&of)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is nothing to search: all of hidden, activation, dropout, learning_rate, weight_decay, \
         batch_size, numeric_bins, scaling are given"
    );
}

#[test]
fn names_and_numbers_alone_have_settings_of_their_own() {
    let base = settings();
    let mut schema = prepared(&base).schema;
    schema.columns.retain(|column| column.name != "x");
    let space = Space::new(&base, &schema, |_| false).unwrap();
    let name = |of: Hyperparameter| space.settings().iter().any(|setting| setting.name == of);
    assert!(!name(Hyperparameter::Scaling) && !name(Hyperparameter::NumericBins));
}

#[test]
fn each_range_holds_what_the_run_has() {
    let mut base = settings();
    base.train.learning_rate = 0.5;
    base.train.optimizer = "sgd".parse().unwrap();
    base.network.hidden = vec![100; 5];
    base.network.activation = "mish".parse().unwrap();
    base.preprocess.numeric_bins = 12;
    let space = Space::new(&base, &prepared(&base).schema, |_| false).unwrap();
    for (setting, value) in space.settings().iter().zip(space.values(&base)) {
        assert!(setting.range.holds(&value), "{setting:?} {value}");
    }
    let range = |name| &space.settings().iter().find(|setting| setting.name == name).unwrap().range;
    assert_eq!(range(Hyperparameter::Width).to_string(), "64, 100, 128, 256, 512");
    assert_eq!(range(Hyperparameter::NumericBins).to_string(), "0, 8, 12, 16, 32");
    assert_eq!(range(Hyperparameter::LearningRate).to_string(), "0.001 to 1 (log)");
    // SGD has no decay, which a logarithmic range can't hold: it is at its lower end.
    assert_eq!(range(Hyperparameter::WeightDecay).to_string(), "0.000001 to 0.01 (log)");
}

#[test]
fn warm_up_stays_the_same_share_of_the_run() {
    let base = settings();
    let BatchSize::Rows(rows) = base.train.batch_size else { panic!("{:?}", base.train) };
    let warmup = base.train.schedule.warmup_iterations;
    let with = |given: &[&str]| {
        let space = space(given);
        let mut values = space.values(&base);
        let place = space.settings().iter().position(|of| of.name == Hyperparameter::BatchSize);
        values[place.unwrap()] = Value::Whole(2 * rows);
        space.apply(&base, &values).train
    };
    let train = with(&[]);
    assert_eq!(train.batch_size, BatchSize::Rows(2 * rows));
    assert_eq!(train.schedule.warmup_iterations, (warmup as f64 / 2.0).round() as usize);
    assert_eq!(with(&["warmup"]).schedule.warmup_iterations, warmup);
}

#[test]
fn trials_lie_within_their_ranges_and_are_the_same_each_time() {
    let space = space(&[]);
    let trials = simulated(&space, 40, 4);
    for trial in &trials {
        for (setting, value) in space.settings().iter().zip(&trial.values) {
            assert!(setting.range.holds(value), "{setting:?} {value}");
        }
    }
    assert_eq!(simulated(&space, 40, 4), trials);
    assert_ne!(simulated(&space, 40, 1), trials);
}

#[test]
fn the_search_finds_what_matters() {
    let space = space(&[]);
    let trials = simulated(&space, 60, 4);
    // Without trials to learn from all are drawn at random.
    let random = simulated(&space, 60, 60);
    let late = |of: &[Trial]| of[30..].iter().filter_map(|of| of.loss).sum::<f64>() / 30.0;
    assert!(late(&trials) < 0.8 * late(&random), "{} {}", late(&trials), late(&random));
    assert!(best(&trials).unwrap().loss.unwrap() < 0.35);
    let found = importance(&space, &random);
    let mut names = [&found[0], &found[1]].map(|of| of.name.name());
    names.sort_unstable();
    assert_eq!(names, ["hidden_layers", "learning_rate"], "{found:?}");
    assert!(found[1].share > 2.0 * found[2].share, "{found:?}");
    assert!(found.iter().map(|of| of.share).sum::<f64>() <= 1.0 + 1e-9);
    assert_eq!(importance(&space, &trials[..15]), []);
}

#[test]
fn settings_of_equal_ranges_are_told_apart() {
    // Both have three choices: the sampler alone would take one's trials for the other's.
    let space = space(&["dropout", "learning_rate", "weight_decay", "batch_size", "numeric_bins"]);
    let choices = |setting: &super::Setting| match &setting.range {
        Range::Choices(choices) => choices.len(),
        Range::Numbers { .. } => 0,
    };
    let [layers, activation] = [0, 2].map(|i| &space.settings()[i]);
    assert_eq!((choices(layers), choices(activation)), (3, 3));
    let base = settings();
    let mut done: Vec<Trial> = Vec::new();
    for number in 0..80 {
        let values = propose(&space, &base, number, &done);
        let good = values[0] == Value::Whole(1) && values[2] == Value::Name("selu".to_owned());
        done.push(trial(number, values, if good { 0.1 } else { 1.0 }));
    }
    let wanted = |of: &&Trial| of.loss == Some(0.1);
    let (early, late) = done.split_at(40);
    let counts = [early, late].map(|of| of.iter().filter(wanted).count());
    assert!(counts[1] > counts[0], "{counts:?}");
}

#[test]
fn what_is_above_the_median_is_behind() {
    let space = space(&[]);
    let values = space.values(&settings());
    let loss_of = |number: usize| 0.1 * (number + 1) as f64;
    let trials: Vec<Trial> =
        (0..5).map(|number| trial(number, values.clone(), loss_of(number))).collect();
    // After two epochs the lowest are 0.1 to 0.5; the third epoch is worse, and changes nothing.
    let behind = Behind::new(&trials, 20);
    for epoch in [2, 3] {
        assert!(behind.is_at(epoch, 0.31) && !behind.is_at(epoch, 0.29));
    }
    assert!(!behind.is_at(1, 9.0), "within the grace of a tenth of all epochs");
    assert!(!behind.is_at(4, 9.0), "no other came so far");
    assert!(!Behind::new(&trials[..4], 20).is_at(2, 9.0), "of too few");
}

#[test]
fn only_complete_trials_are_the_best() {
    let values = space(&[]).values(&settings());
    let [low, high] = [0.1, 0.2].map(|loss| trial(1, values.clone(), loss));
    let pruned = Trial { state: TrialState::Pruned, ..low };
    let diverged = Trial { state: TrialState::Diverged, loss: None, ..pruned.clone() };
    assert_eq!(best(&[pruned.clone(), diverged.clone(), high.clone()]), Some(&high));
    assert_eq!(best(&[pruned, diverged]), None);
}

fn searched(epochs: usize) -> Searched {
    let searched = json!({"epochs": epochs, "table": "3 rows"});
    searched.as_object().unwrap().clone()
}

/// The message, with the path made short.
fn message(path: &Path, opened: Result<Journal, TuneError>) -> String {
    let text = opened.unwrap_err().to_string();
    text.replace(&path.display().to_string(), "j.jsonl")
}

#[test]
fn a_journal_goes_on_after_the_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.jsonl");
    let space = space(&[]);
    let trials = simulated(&space, 3, 1);
    let mut journal = Journal::open(&path, &searched(5), &space, 4).unwrap();
    assert_eq!((journal.num_trials(), journal.distance(), path.exists()), (0, 4, false));
    let mut late = Journal::open(&path, &searched(5), &space, 4).unwrap();
    trials.iter().for_each(|trial| journal.append(trial).unwrap());
    for in_use in
        [Journal::open(&path, &searched(5), &space, 4), late.append(&trials[0]).map(|()| late)]
    {
        assert_eq!(message(&path, in_use), "another search is writing the journal j.jsonl");
    }
    drop(journal);

    let whole = fs::read(&path).unwrap();
    for cut in [1, 20] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let mut journal = Journal::open(&path, &searched(5), &space, 9).unwrap();
        assert_eq!(journal.trials, trials[..2]);
        assert_eq!(journal.distance(), 4, "as the search began");
        journal.append(&trials[2]).unwrap();
        assert!(fs::read(&path).unwrap() == whole);
    }
}

#[test]
fn a_journal_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.jsonl");
    let (open, space) =
        (|epochs, space: &Space| Journal::open(&path, &searched(epochs), space, 4), space(&[]));
    let any = trial(0, space.values(&settings()), 0.5);
    open(5, &space).unwrap().append(&any).unwrap();
    assert_eq!(
        message(&path, open(6, &space)),
        "the search in j.jsonl can't go on: `epochs` is 6, and it began with 5"
    );
    let text = fs::read_to_string(&path).unwrap();
    let head = text.lines().next().unwrap();
    let mut ours = trial(0, space.values(&settings()), 0.5);
    let line = |trial: &Trial| serde_json::to_string(trial).unwrap();
    let once = line(&ours);
    ours.values[1] = Value::Whole(63);
    let other = line(&ours);
    ours.values.pop();
    let short = line(&ours);
    for (lines, expected) in [
        (format!("{once}\n{once}\n"), "j.jsonl line 3: trial 0 is there twice"),
        (format!("{other}\n"), "j.jsonl line 2: `width` is 63, expected 64, 128, 256, 512"),
        (format!("{short}\n"), "j.jsonl line 2: 8 settings, expected 9"),
        (
            "{}\n".to_owned(),
            "j.jsonl line 2: not a trial: missing field `trial` at line 1 column 2",
        ),
    ] {
        fs::write(&path, format!("{head}\n{lines}")).unwrap();
        assert_eq!(message(&path, open(5, &space)), expected);
    }
    for other in ["", "x,y\n1,2\n", "{\"kiln_tune\":2,\"distance\":4,\"searched\":{}}\n"] {
        fs::write(&path, other).unwrap();
        assert_eq!(
            message(&path, open(5, &space)),
            "j.jsonl line 1: not the first line of a journal of `kiln tune`, version 1"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), other, "it is left as it is");
    }
}

/// The trials of a search on forty rows, in few epochs; clocks at 0.
fn found(path: &Path, trials: usize, jobs: usize, interrupted: bool) -> (Vec<Trial>, Stopped) {
    let mut base = settings();
    base.train.num_epochs = 12;
    let prepared = prepared(&base);
    let space = Space::new(&base, &prepared.schema, |of| of == "hidden").unwrap();
    let (validation, backend) = (Validation::HeldOut, "flex");
    let what = Search { prepared: &prepared, base: &base, validation, space: &space, backend };
    let interrupted = AtomicBool::new(interrupted);
    let limits =
        Limits { trials, jobs: NonZeroUsize::new(jobs), deadline: None, interrupted: &interrupted };
    let journal = Journal::open(path, &searched(12), &space, 4).unwrap();
    let told = Mutex::new(0);
    let over = journal.num_trials();
    let done = |_: &Trial| *told.lock().unwrap() += 1;
    let Found { mut trials, stopped } =
        search::<Autodiff<Flex>>(what, limits, journal, &Default::default(), done).unwrap();
    assert_eq!(told.into_inner().unwrap(), trials.len().saturating_sub(over));
    trials.iter_mut().for_each(|trial| trial.seconds = 0.0);
    (trials, stopped)
}

#[test]
fn neither_jobs_nor_a_break_change_what_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let [one, three, broken] = ["one", "three", "broken"].map(|name| folder.path().join(name));
    let (alone, stopped) = found(&one, 16, 1, false);
    assert_eq!((alone.len(), stopped), (16, Stopped::Trials));
    assert!(alone.iter().any(|trial| trial.state == TrialState::Pruned), "{alone:?}");
    assert_eq!(found(&three, 16, 3, false).0, alone);
    assert_eq!(found(&one, 16, 1, false).0, alone, "all of it from the journal");
    assert_eq!(found(&one, 5, 1, false).0, alone[..5], "what there is to be");

    // As a search in parallel leaves it that is cut off: with a gap, and in the middle of a line.
    let text = fs::read_to_string(&one).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(4);
    let cut = lines[..10].join("\n");
    fs::write(&broken, &cut[..cut.len() - 7]).unwrap();
    assert_eq!(found(&broken, 16, 2, false).0, alone);
}

#[test]
fn an_interrupted_search_trains_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    assert_eq!(found(&path, 3, 2, true), (Vec::new(), Stopped::Interrupted));
    let (two, _) = found(&path, 2, 1, false);
    assert_eq!(found(&path, 3, 2, true), (two, Stopped::Interrupted));
}
