use kiln_classifier::{Epoch, Manifest};
use kiln_model::Task;
use kiln_report::{Block, Column, Page, Section, Table};
use kiln_train::{EpochRecord, Evaluation, Metric};

use super::{Assessment, charts};

/// What a report says beside the assessment.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// What the report is about.
    pub title: String,
    /// Which rows were measured.
    pub subtitle: String,
    /// What is to be known of the model and its training, by name.
    pub facts: Vec<(String, String)>,
    /// What the reader should look at first.
    pub warnings: Vec<String>,
    /// One for each epoch; empty if not known.
    pub history: Vec<Epoch>,
    /// The epoch whose weights were kept, counted from 1.
    pub kept_epoch: usize,
    /// Training rows of each class; empty if not known.
    pub class_rows: Vec<usize>,
    /// Training rows.
    pub train_rows: usize,
    /// Pixels in a row, where rows are pictures.
    pub picture_width: usize,
}

impl About {
    /// What a model file says of itself.
    pub fn model(manifest: &Manifest) -> Self {
        let training = &manifest.training;
        let network = &manifest.network;
        let hidden: Vec<String> = network.hidden.iter().map(usize::to_string).collect();
        let layers = match hidden.is_empty() {
            true => "linear".to_owned(),
            false => format!("{}, {}", hidden.join("-"), network.activation.name()),
        };
        let task = match manifest.task {
            Task::Binary => "two classes".to_owned(),
            Task::Multiclass { num_classes } => format!("{num_classes} classes"),
            Task::MultiLabel { num_labels } => format!("{num_labels} labels"),
        };
        let imported = training.is_imported();
        let trained = match imported {
            true => format!("other software, imported from {}", training.source),
            false => format!("{} rows of {}", training.rows, training.source),
        };
        let made_by = match imported {
            true => manifest.kiln_version.clone(),
            false => format!("{}, {}", manifest.kiln_version, training.backend),
        };
        let facts = [
            ("target", format!("{} ({task})", manifest.target.columns().join(", "))),
            ("columns", manifest.preprocessor.features().len().to_string()),
            (
                "network",
                match manifest.members {
                    1 => format!("{layers}; {} parameters", manifest.num_parameters()),
                    members => format!(
                        "{members} of {layers}; {} parameters in all",
                        manifest.num_parameters()
                    ),
                },
            ),
            (if imported { "trained by" } else { "trained on" }, trained),
            (
                "validation rows",
                match training.bag_folds {
                    0 => training.valid_rows.to_string(),
                    folds => format!(
                        "{}, each by the networks that left out its fold of {folds}",
                        training.valid_rows
                    ),
                },
            ),
            (
                "epochs",
                format!(
                    "{}, weights of epoch {} ({})",
                    training.epochs, training.kept_epoch, training.stop_reason
                ),
            ),
            ("temperature", format!("{:.4}", manifest.temperature)),
            ("threshold", format!("{:.4}", manifest.threshold)),
            ("seed", training.seed.to_string()),
            ("Kiln", made_by),
        ];
        let applies = |(name, _): &(&str, String)| match *name {
            // Several classes have none.
            "threshold" => !matches!(manifest.task, Task::Multiclass { .. }),
            "validation rows" | "epochs" | "seed" => !imported,
            _ => true,
        };
        Self {
            facts: facts.into_iter().filter(applies).map(|(n, v)| (n.to_owned(), v)).collect(),
            history: training.history.clone(),
            kept_epoch: training.kept_epoch,
            class_rows: training.class_rows.clone(),
            train_rows: training.rows,
            ..Self::default()
        }
    }
}

/// A history as a report shows it.
pub fn epochs(history: &[EpochRecord]) -> Vec<Epoch> {
    let epoch = |record: &EpochRecord| Epoch {
        learning_rate: record.learning_rate,
        train_loss: record.train_loss,
        train_accuracy: record.train_accuracy,
        valid_loss: record.valid_loss,
        valid_accuracy: record.valid_accuracy,
    };
    history.iter().map(epoch).collect()
}

impl Assessment {
    /// The report: everything there is to see, as text, tables and charts.
    pub fn page(&self, about: &About) -> Page {
        let mut sections = vec![section(
            "metrics",
            "How good it is",
            "Each metric with the range that other rows of the same kind would most likely give, and \
             what simpler methods reach on the same rows.",
            vec![Block::Table(self.metrics_table())],
        )];
        sections[0].blocks.push(Block::Text(self.intervals_note()));
        sections.push(section(
            "classes",
            "Class by class",
            "Which classes are found, and which are taken for others.",
            self.class_blocks(about),
        ));
        let curves = charts::curves(self);
        if !curves.is_empty() {
            let mut curves: Vec<Block> = curves.into_iter().map(Block::Chart).collect();
            curves.push(Block::Chart(charts::histograms(self)));
            sections.push(section(
                "ranking",
                "How well the classes are told apart",
                "Whatever the threshold: do rows of a class get higher probabilities than others?",
                curves,
            ));
        }
        sections.push(section(
            "calibration",
            "Whether the probabilities can be taken at their word",
            "A probability is right if it comes true as often as it says.",
            self.calibration_blocks(),
        ));
        let mut looked_at: Vec<Block> =
            charts::importance(self).map(Block::Chart).into_iter().collect();
        let pictures = charts::pictures(self, about.picture_width);
        if pictures.is_none() && !self.mistakes.is_empty() {
            looked_at.push(Block::Table(self.mistakes_table()));
        }
        looked_at.extend(pictures.map(Block::Chart));
        if !looked_at.is_empty() {
            sections.push(section(
                "explanation",
                "What it goes by, and where it errs",
                "The columns that matter, and the rows that are wrong with the highest probability: \
                 often the data are wrong there.",
                looked_at,
            ));
        }
        let training = charts::training(&about.history, about.kept_epoch);
        if !training.is_empty() {
            sections.push(section(
                "training",
                "How it was trained",
                "One point for each epoch.",
                training.into_iter().map(Block::Chart).collect(),
            ));
        }
        let mut warnings = about.warnings.clone();
        if let Some(shared) = self.shared_rows.filter(|shared| *shared > 0) {
            let rows = self.scores.rows();
            warnings.push(format!(
                "{shared} of the {rows} rows measured were also trained on, which makes every number \
                 better than it is"
            ));
        }
        Page {
            title: about.title.clone(),
            subtitle: about.subtitle.clone(),
            facts: about.facts.clone(),
            warnings,
            sections,
        }
    }

    fn metrics_table(&self) -> Table {
        let mut columns = vec![text("metric"), number("model"), number("95 % interval")];
        columns.extend(self.baselines.iter().map(|of| number(&of.name)));
        let row = |metric: Metric| {
            let value = |evaluation: &Evaluation| cell(metric.of(evaluation));
            metric.of(&self.evaluation)?;
            let mut row = vec![title(metric), value(&self.evaluation), self.interval(metric)];
            row.extend(self.baselines.iter().map(|of| value(&of.evaluation)));
            Some(row)
        };
        Table {
            caption: format!("Metrics over {} rows", self.scores.rows()),
            columns,
            rows: Metric::ALL.into_iter().filter_map(row).collect(),
        }
    }

    fn interval(&self, metric: Metric) -> String {
        let interval = self.intervals.of.get(&metric);
        interval.map_or_else(String::new, |of| format!("{of:.4}"))
    }

    fn intervals_note(&self) -> String {
        let shared = match self.shared_rows {
            Some(0) => " None of the rows was also trained on.",
            _ => "",
        };
        format!(
            "Log loss, Brier score and calibration error are better the lower they are, all others the \
             higher. Intervals: {} bootstrap resamples of the rows; they say nothing of another seed or \
             other training rows.{shared}",
            self.intervals.resamples
        )
    }

    fn class_blocks(&self, about: &About) -> Vec<Block> {
        let mut blocks = vec![Block::Table(self.class_table())];
        blocks.extend(charts::confusion(self).into_iter().map(Block::Chart));
        if self.classes.len() > charts::MOST_CELLS {
            blocks.push(Block::Table(self.confusions_table()));
        }
        let balance = charts::balance(self, &about.class_rows, about.train_rows);
        blocks.push(Block::Chart(balance));
        blocks
    }

    /// Precision, recall and F1 of each class, or label.
    fn class_table(&self) -> Table {
        let confusion = &self.evaluation.confusion;
        let row = |class: usize| {
            // A label has a matrix of its own.
            let (matrix, class_in) = match &confusion[..] {
                [matrix] => (matrix, class),
                labels => (&labels[class], 1),
            };
            let (p, positive) = self.scores.of_class(class);
            vec![
                self.classes[class].clone(),
                matrix.support(class_in).to_string(),
                cell(Some(matrix.precision(class_in))),
                cell(Some(matrix.recall(class_in))),
                cell(Some(matrix.f1(class_in))),
                cell(kiln_train::roc_auc(&p, &positive)),
            ]
        };
        Table {
            caption: "Precision, recall and F1 of each class".to_owned(),
            columns: vec![
                text("class"),
                number("rows"),
                number("precision"),
                number("recall"),
                number("F1"),
                number("ROC AUC"),
            ],
            rows: (0..self.classes.len()).map(row).collect(),
        }
    }

    /// The most frequent confusions, where the matrix has too many cells to be looked at.
    fn confusions_table(&self) -> Table {
        const SHOWN: usize = 30;
        let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
        if let [matrix] = &self.evaluation.confusion[..] {
            for actual in 0..matrix.num_classes() {
                for decided in (0..matrix.num_classes()).filter(|decided| *decided != actual) {
                    let count = matrix.count(actual, decided);
                    if count > 0 {
                        pairs.push((count, actual, decided));
                    }
                }
            }
        }
        pairs
            .sort_by_key(|(count, actual, decided)| (std::cmp::Reverse(*count), *actual, *decided));
        let row = |(count, actual, decided): &(u64, usize, usize)| {
            vec![self.classes[*actual].clone(), self.classes[*decided].clone(), count.to_string()]
        };
        Table {
            caption: "The most frequent confusions".to_owned(),
            columns: vec![text("actual"), text("decided"), number("rows")],
            rows: pairs.iter().take(SHOWN).map(row).collect(),
        }
    }

    fn calibration_blocks(&self) -> Vec<Block> {
        let mut blocks = vec![Block::Chart(charts::calibration(self))];
        if let Some(uncalibrated) = &self.uncalibrated {
            let metrics = [Metric::LogLoss, Metric::Brier, Metric::CalibrationError];
            let row = |metric: Metric| {
                let value = |evaluation| cell(metric.of(evaluation));
                vec![title(metric), value(&uncalibrated.evaluation), value(&self.evaluation)]
            };
            blocks.push(Block::Table(Table {
                caption: format!(
                    "Before and after dividing logits by {:.4}, the temperature fitted on the \
                     validation rows",
                    self.temperature
                ),
                columns: vec![text("metric"), number("before"), number("after")],
                rows: metrics.map(row).to_vec(),
            }));
        }
        blocks
    }

    fn mistakes_table(&self) -> Table {
        let mut columns = vec![text("row"), text("actual"), text("decided"), number("probability")];
        let shown = self.mistakes.first().map_or(&[][..], |mistake| &mistake.values);
        columns.extend(shown.iter().map(|(column, _)| text(column)));
        let rows = self.mistakes.iter().map(|mistake| {
            let mut row = vec![
                // In a narrow column the number stays beside its word.
                mistake.location.replace(' ', "\u{a0}"),
                mistake.actual.clone(),
                mistake.decided.clone(),
                format!("{:.4}", mistake.probability),
            ];
            row.extend(mistake.values.iter().map(|(_, value)| value.clone()));
            row
        });
        Table {
            caption: "The most confidently wrong rows, with the columns that matter most"
                .to_owned(),
            columns,
            rows: rows.collect(),
        }
    }
}

pub(crate) fn section(id: &str, title: &str, text: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.to_owned(), title: title.to_owned(), text: text.to_owned(), blocks }
}

pub(crate) fn text(name: &str) -> Column {
    Column { name: name.to_owned(), numeric: false }
}

pub(crate) fn number(name: &str) -> Column {
    Column { name: name.to_owned(), numeric: true }
}

pub(crate) fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// As people write it.
pub(crate) fn title(metric: Metric) -> String {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::BalancedAccuracy => "balanced accuracy",
        Metric::MacroF1 => "macro F1",
        Metric::LogLoss => "log loss",
        Metric::RocAuc => "ROC AUC",
        Metric::PrAuc => "PR AUC",
        Metric::Brier => "Brier score",
        Metric::CalibrationError => "calibration error",
        _ => metric.name(),
    }
    .to_owned()
}
