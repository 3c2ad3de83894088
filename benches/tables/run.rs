//! One table: train, predict and score, fold by fold and seed by seed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use kiln::{
    table::MISSING,
    train::{ConfusionMatrix, log_loss, macro_ovr, roc_auc},
};

use super::{
    baselines::{Table, Target},
    results::{Outcome, Results, Scores},
};

/// Trains on all folds but one, for each of the first `folds` and each seed, but what is there already.
pub(super) fn measure(
    folder: &Path,
    table: &Table,
    folds: usize,
    preset: &str,
    flags: &[String],
    seeds: u64,
    results: &mut Results,
) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let [model, output] = ["model.safetensors", "out.csv"].map(|name| scratch.path().join(name));
    for fold in 0..folds {
        let measured = |seed| {
            results.of(&table.name, preset, flags).any(|of| (of.fold, of.seed) == (fold, seed))
        };
        let missing: Vec<u64> = (0..seeds).filter(|seed| !measured(*seed)).collect();
        if missing.is_empty() {
            continue;
        }
        let [train, test] = write_fold(folder, table, fold, scratch.path())?;
        for seed in missing {
            let mut command = kiln();
            command.arg("train").arg(&train).args(options(table)).arg("-o").arg(&model);
            command.args(["--json", "--preset", preset, "--seed", &seed.to_string()]).args(flags);
            let (seconds, answer) = run(&mut command).with_context(|| table.name.clone())?;
            let answer: serde_json::Value = serde_json::from_str(&answer)?;
            run(kiln().arg("predict").arg(&model).arg(&test).arg("-o").arg(&output))?;
            let scores = score(table, &test, &output).with_context(|| format!("fold {fold}"))?;
            eprintln!(
                "{} {preset} {}fold {fold} seed {seed}: accuracy {:.4}, log loss {:.4}, {seconds:.1} s",
                table.name,
                flags.iter().map(|flag| format!("{flag} ")).collect::<String>(),
                scores.accuracy,
                scores.log_loss,
            );
            results.add(Outcome {
                table: table.name.clone(),
                preset: preset.to_owned(),
                flags: flags.to_vec(),
                fold,
                seed,
                scores,
                promised_log_loss: answer["valid"]["log_loss"].as_f64().context("no log loss")?,
                seconds,
            })?;
        }
    }
    Ok(())
}

/// The rows of all folds but one, and those of this one, as files.
pub(super) fn write_fold(
    folder: &Path,
    table: &Table,
    fold: usize,
    scratch: &Path,
) -> anyhow::Result<[PathBuf; 2]> {
    let text = fs::read(folder.join(&table.file))?;
    let folds: Vec<usize> = fs::read_to_string(folder.join(format!("folds/{}.csv", table.name)))?
        .lines()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let (others, this) = split(&text, table, &folds, fold)?;
    let paths = ["train.csv", "test.csv"].map(|name| scratch.join(name));
    fs::write(&paths[0], others)?;
    fs::write(&paths[1], this)?;
    Ok(paths)
}

/// The rows of the other folds and those of this one, each as it stands in the file, below its
/// header. Blank lines, which count as no row, go to both.
fn split(
    text: &[u8],
    table: &Table,
    folds: &[usize],
    fold: usize,
) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    ensure!(folds.len() == table.rows, "{} folds for {} rows", folds.len(), table.rows);
    let (mut others, mut this) = (Vec::new(), Vec::new());
    let mut quoted = false;
    // A doubled quote inside of quotes ends them and begins them again.
    let records = text.split_inclusive(|byte| {
        quoted ^= *byte == b'"';
        *byte == b'\n' && !quoted
    });
    let mut header = table.header;
    let mut folds = folds.iter();
    for record in records {
        let blank = record.trim_ascii().is_empty();
        if blank || std::mem::take(&mut header) {
            others.extend_from_slice(record);
            this.extend_from_slice(record);
        } else {
            let own = *folds.next().context("more rows than index.json says")? == fold;
            (if own { &mut this } else { &mut others }).extend_from_slice(record);
        }
    }
    ensure!(folds.next().is_none(), "fewer rows than index.json says");
    Ok((others, this))
}

/// What `index.json` says of the table and the command can't find out by itself.
pub(super) fn options(table: &Table) -> Vec<String> {
    let mut options = vec![match &table.target {
        Target::Name(name) => format!("--target={name}"),
        Target::Index(index) => format!("--target={}", index + 1),
    }];
    let mut list = |flag: &str, values: &[String]| {
        if !values.is_empty() {
            options.push(format!("--{flag}={}", values.join(",")));
        }
    };
    list("ignore", &table.ignore);
    list("categorical", table.categorical.as_deref().unwrap_or_default());
    let by_default = |text: &String| text.is_empty() || MISSING.contains(&text.as_str());
    if !table.missing.iter().all(by_default) {
        list("missing", &table.missing);
    }
    if let Some(class) = &table.positive_class {
        options.push(format!("--positive={class}"));
    }
    options
}

pub(super) fn kiln() -> Command {
    let built = || env!("CARGO_BIN_EXE_kiln").into();
    let mut command = Command::new(env::var_os("KILN_BIN").unwrap_or_else(built));
    command.arg("--quiet");
    command
}

/// Seconds that the command took, and what it printed.
pub(super) fn run(command: &mut Command) -> anyhow::Result<(f64, String)> {
    let start = Instant::now();
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok((seconds, String::from_utf8(output.stdout)?))
}

/// How good the predictions in `output` are for the rows of `test`, which stand in the same order.
fn score(table: &Table, test: &Path, output: &Path) -> anyhow::Result<Scores> {
    let (names, rows) = read_csv(output, b',', true)?;
    let prefix = |name: &String| name.strip_prefix("probability_").map(str::to_owned);
    ensure!(names[0] == "prediction", "expected `prediction`, found {names:?}");
    let classes: Vec<String> =
        names[1..].iter().map(prefix).collect::<Option<_>>().context("not all probabilities")?;
    let index = |class: &str| -> anyhow::Result<u32> {
        let found = classes.iter().position(|known| known == class);
        Ok(found.with_context(|| format!("class {class:?} is not among {classes:?}"))? as u32)
    };

    let (header, actual) = read_csv(test, u8::try_from(table.delimiter)?, table.header)?;
    let target = match &table.target {
        Target::Name(name) => {
            header.iter().position(|column| column == name).context("no target in the header")?
        }
        Target::Index(index) => *index,
    };
    ensure!(rows.len() == actual.len(), "{} predictions of {} rows", rows.len(), actual.len());
    let actual: Vec<u32> =
        actual.iter().map(|row| index(&row[target])).collect::<anyhow::Result<_>>()?;

    let mut predicted = Vec::new();
    let mut probabilities = Vec::new();
    for row in &rows {
        predicted.push(index(&row[0])?);
        probabilities.extend(
            row[1..].iter().map(|text| text.parse::<f64>()).collect::<Result<Vec<_>, _>>()?,
        );
    }
    let num_classes = classes.len();
    let auc = match &table.positive_class {
        Some(class) => {
            let positive = index(class)?;
            let of_class: Vec<f64> =
                probabilities.chunks(num_classes).map(|row| row[positive as usize]).collect();
            roc_auc(&of_class, &actual.iter().map(|class| *class == positive).collect::<Vec<_>>())
        }
        None => macro_ovr(&probabilities, &actual, num_classes, roc_auc),
    };
    // The protocol of baselines.json.
    for row in probabilities.chunks_mut(num_classes) {
        row.iter_mut().for_each(|p| *p = p.clamp(1e-7, 1.0));
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
    }
    let confusion = ConfusionMatrix::from_classes(&actual, &predicted, num_classes);
    Ok(Scores {
        accuracy: confusion.accuracy(),
        balanced_accuracy: confusion.balanced_accuracy(),
        log_loss: log_loss(&probabilities, &actual, num_classes),
        auc: auc.context("a fold of one class")?,
    })
}

/// The header, empty where there is none, and the rows, blanks around values trimmed.
fn read_csv(
    path: &Path,
    delimiter: u8,
    header: bool,
) -> anyhow::Result<(Vec<String>, Vec<Vec<String>>)> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(header)
        .trim(csv::Trim::All)
        .from_path(path)?;
    let names = if header { reader.headers()?.iter().map(str::to_owned).collect() } else { vec![] };
    let rows = reader.deserialize().collect::<Result<_, _>>()?;
    Ok((names, rows))
}
