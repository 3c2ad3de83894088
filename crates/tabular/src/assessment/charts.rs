//! The charts of a report, each from an assessment.

use kiln_classifier::Epoch;
use kiln_model::Task;
use kiln_report::{
    Axis, BarSeries, Bars, CellFormat, Chart, HistogramSeries, Histograms, Line, LineStyle, Lines,
    Mark, Matrix, Panel, Picture, Pictures, Plot, Scale,
};
use kiln_train::{
    CALIBRATION_BINS, ConfusionMatrix, Evaluation, Scores, pr_auc, pr_curve, reliability, roc_auc,
    roc_curve,
};

use super::{Assessment, Mistake};

/// Classes that can be told apart as lines, or looked at as panels.
const MOST_LINES: usize = 10;
/// Classes whose matrix can still be read.
pub(crate) const MOST_CELLS: usize = 50;
/// Bars of a histogram of probabilities.
const BINS: usize = 20;
/// Columns whose importance is drawn.
const MOST_BARS: usize = 20;

pub(crate) fn axis(label: &str) -> Axis {
    Axis { label: label.to_owned(), range: None, scale: Scale::Linear }
}

fn unit_axis(label: &str) -> Axis {
    Axis { range: Some((0.0, 1.0)), ..axis(label) }
}

pub(crate) fn chart(id: &str, title: &str, text: impl Into<String>, plot: Plot) -> Chart {
    Chart { id: id.to_owned(), title: title.to_owned(), text: text.into(), plot }
}

fn line(name: impl Into<String>, points: Vec<(f64, f64)>, style: LineStyle) -> Line {
    Line { name: name.into(), points, style }
}

fn diagonal(name: &str) -> Line {
    line(name, vec![(0.0, 0.0), (1.0, 1.0)], LineStyle::Reference)
}

/// A number of each epoch, where there is one.
pub(crate) fn by_epoch(history: &[Epoch], of: impl Fn(&Epoch) -> Option<f64>) -> Vec<(f64, f64)> {
    let numbered = history.iter().enumerate();
    numbered.filter_map(|(i, epoch)| Some((i as f64 + 1.0, of(epoch)?))).collect()
}

/// Loss, accuracy and learning rate against epochs.
pub(super) fn training(history: &[Epoch], kept_epoch: usize) -> Vec<Chart> {
    if history.is_empty() {
        return Vec::new();
    }
    let kept = |history: &[Epoch]| match history.iter().any(|epoch| epoch.valid_loss.is_some()) {
        true => vec![Mark { x: kept_epoch as f64, label: format!("kept: epoch {kept_epoch}") }],
        false => Vec::new(),
    };
    let plot = |label: &str, lines: Vec<Line>, marks| {
        let lines = lines.into_iter().filter(|line| !line.points.is_empty()).collect();
        Plot::Lines(Lines { x: axis("epoch"), y: axis(label), lines, marks })
    };
    let train = by_epoch(history, |epoch| Some(epoch.train_loss));
    let valid = by_epoch(history, |epoch| epoch.valid_loss);
    let losses =
        vec![line("train", train, LineStyle::Solid), line("valid", valid, LineStyle::Solid)];
    let mut charts = vec![chart(
        "loss",
        "Loss",
        "Lower is better. Where the validation loss rises while the training loss falls, the network \
         learns its rows by heart; the epoch that is kept lies before.",
        plot("nats per row", losses, kept(history)),
    )];
    let train = by_epoch(history, |epoch| Some(epoch.train_accuracy));
    let valid = by_epoch(history, |epoch| epoch.valid_accuracy);
    let accuracies =
        vec![line("train", train, LineStyle::Solid), line("valid", valid, LineStyle::Solid)];
    charts.push(chart(
        "accuracy",
        "Accuracy",
        "The share of rows that are right: training rows as they were learned from, with dropout; \
         validation rows after the epoch.",
        plot("share of rows", accuracies, kept(history)),
    ));
    let rate = by_epoch(history, |epoch| Some(epoch.learning_rate));
    charts.push(chart(
        "learning-rate",
        "Learning rate",
        "The size of an update at the end of each epoch.",
        plot("learning rate", vec![line("learning rate", rate, LineStyle::Solid)], Vec::new()),
    ));
    charts
}

/// Counts, and shares of each actual class; one pair for each label.
pub(super) fn confusion(assessment: &Assessment) -> Vec<Chart> {
    let (classes, matrices) = (&assessment.classes, &assessment.evaluation.confusion);
    let of_label = |label: usize| match &matrices[..] {
        [_] => (String::new(), String::new(), classes.clone()),
        _ => {
            let name = &classes[label];
            (
                format!("-{}", label + 1),
                format!(": {name}"),
                vec![format!("not {name}"), name.clone()],
            )
        }
    };
    let mut charts = Vec::new();
    for (label, confusion) in matrices.iter().enumerate().take(MOST_LINES) {
        let (suffix, title, names) = of_label(label);
        if names.len() > MOST_CELLS {
            continue;
        }
        charts.push(chart(
            &format!("confusion{suffix}"),
            &format!("Confusion matrix{title}"),
            "How many rows of each class (down) were taken for which (across); what lies on the \
             diagonal is right.",
            confusion_plot(confusion, names.clone(), CellFormat::Count),
        ));
        charts.push(chart(
            &format!("confusion-shares{suffix}"),
            &format!("Confusion matrix{title}, shares"),
            "The same as a share of each actual class: the diagonal is the recall.",
            confusion_plot(confusion, names, CellFormat::Percent),
        ));
    }
    charts
}

/// What was taken for what: as counts, or as shares of each actual class.
pub(crate) fn confusion_plot(
    confusion: &ConfusionMatrix,
    names: Vec<String>,
    format: CellFormat,
) -> Plot {
    let classes = confusion.num_classes();
    let cells = (0..classes).flat_map(|row| (0..classes).map(move |column| (row, column)));
    let value = |(row, column)| {
        let count = confusion.count(row, column) as f64;
        match format {
            CellFormat::Count => count,
            CellFormat::Percent => count / confusion.support(row) as f64,
        }
    };
    Plot::Matrix(Matrix {
        rows: names.clone(),
        columns: names,
        row_label: "actual".to_owned(),
        column_label: "decided".to_owned(),
        values: cells.map(value).collect(),
        format,
    })
}

/// The classes, or labels, that have a curve of their own: of two the positive one.
fn curve_classes(assessment: &Assessment) -> Vec<usize> {
    match assessment.scores.task() {
        Task::Binary => vec![1],
        _ => (0..assessment.classes.len()).collect(),
    }
}

/// ROC and precision–recall curves, with their areas.
pub(super) fn curves(assessment: &Assessment) -> Vec<Chart> {
    struct Class {
        name: String,
        roc: Vec<(f64, f64)>,
        roc_auc: f64,
        pr: Vec<(f64, f64)>,
        pr_auc: f64,
    }
    let class = |class: usize| {
        let (p, positive) = assessment.scores.of_class(class);
        Some(Class {
            name: assessment.classes[class].clone(),
            roc: roc_curve(&p, &positive),
            roc_auc: roc_auc(&p, &positive)?,
            pr: pr_curve(&p, &positive),
            pr_auc: pr_auc(&p, &positive)?,
        })
    };
    let mut classes: Vec<Class> = curve_classes(assessment).into_iter().filter_map(class).collect();
    let all = classes.len();
    if all == 0 {
        return Vec::new();
    }
    let mut note = String::new();
    if all > MOST_LINES {
        // Those that do worst are those to look at.
        classes.sort_by(|a, b| a.roc_auc.total_cmp(&b.roc_auc));
        classes.truncate(MOST_LINES);
        note = format!(" Of {all} classes the {MOST_LINES} with the smallest areas are drawn.");
    }
    let against = match assessment.scores.task() {
        Task::Binary => "",
        _ => " Each class against all others.",
    };
    let plot = |x: &str, y: &str, lines| {
        Plot::Lines(Lines { x: unit_axis(x), y: unit_axis(y), lines, marks: Vec::new() })
    };
    let label = |class: &Class, area: f64| format!("{} (area {area:.3})", class.name);
    // A single line has no legend.
    let area = |of: fn(&Class) -> f64| match &classes[..] {
        [class] => format!(" The area is {:.3}.", of(class)),
        _ => String::new(),
    };
    let mut roc: Vec<Line> = Vec::new();
    let mut pr: Vec<Line> = Vec::new();
    for class in &classes {
        roc.push(line(label(class, class.roc_auc), class.roc.clone(), LineStyle::Solid));
        // A precision holds from the recall before: the area is that of the steps.
        let mut steps = Vec::with_capacity(2 * class.pr.len());
        let mut before = 0.0;
        for (recall, precision) in &class.pr {
            steps.extend([(before, *precision), (*recall, *precision)]);
            before = *recall;
        }
        pr.push(line(label(class, class.pr_auc), steps, LineStyle::Solid));
    }
    roc.push(diagonal("chance"));
    vec![
        chart(
            "roc",
            "ROC curve",
            format!(
                "The share of positive rows found against the share of negative rows taken for \
                 positive, over all thresholds; 0.5 of the area is chance.{}{against}{note}",
                area(|class| class.roc_auc)
            ),
            plot("false positive rate", "true positive rate", roc),
        ),
        chart(
            "precision-recall",
            "Precision–recall curve",
            format!(
                "How many of the rows called positive are so, against the share of positive rows that \
                 are found; chance is the share of positive rows.{}{against}{note}",
                area(|class| class.pr_auc)
            ),
            plot("recall", "precision", pr),
        ),
    ]
}

/// Confidence beside accuracy, before and after the temperature.
pub(super) fn calibration(assessment: &Assessment) -> Chart {
    let points = |scores: &Scores| -> Vec<(f64, f64)> {
        let (confidence, right) = scores.confidence();
        let bins = reliability(&confidence, &right, CALIBRATION_BINS).into_iter();
        let with_rows = bins.filter(|bin| bin.rows > 0);
        with_rows
            .map(|bin| (bin.confidence / bin.rows as f64, bin.right / bin.rows as f64))
            .collect()
    };
    let error = |evaluation: &Evaluation| evaluation.calibration_error;
    let mut lines = Vec::new();
    if let Some(before) = &assessment.uncalibrated {
        let name = format!("before (error {:.3})", error(&before.evaluation));
        lines.push(line(name, points(&before.scores), LineStyle::Dashed));
    }
    let name = match lines.is_empty() {
        true => format!("error {:.3}", error(&assessment.evaluation)),
        false => format!("after (error {:.3})", error(&assessment.evaluation)),
    };
    lines.push(line(name, points(&assessment.scores), LineStyle::Points));
    lines.push(diagonal("as it should be"));
    let temperature = match assessment.uncalibrated {
        Some(_) => {
            format!(" Before and after dividing logits by {:.3}.", assessment.temperature)
        }
        None => String::new(),
    };
    chart(
        "reliability",
        "Reliability",
        format!(
            "Of the decisions made with a probability of 0.8, say, 80 % should be right: below the \
             diagonal the network is surer than it should be. The expected calibration error is the \
             mean distance.{temperature}"
        ),
        Plot::Lines(Lines {
            x: unit_axis("probability of the decision"),
            y: unit_axis("share that is right"),
            lines,
            marks: Vec::new(),
        }),
    )
}

/// How probable each class is said to be, for its own rows and for the others.
pub(super) fn histograms(assessment: &Assessment) -> Chart {
    let counts = |values: &mut dyn Iterator<Item = f64>| {
        let mut counts = vec![0.0; BINS];
        values.for_each(|p| counts[((p * BINS as f64) as usize).min(BINS - 1)] += 1.0);
        counts
    };
    let panel = |class: usize| {
        let (p, positive) = assessment.scores.of_class(class);
        let of = |is: bool| {
            let rows = p.iter().zip(&positive).filter(|(_, positive)| **positive == is);
            counts(&mut rows.map(|(p, _)| *p))
        };
        let name = &assessment.classes[class];
        let (title, others, own) = match assessment.scores.task() {
            Task::Binary => {
                (format!("probability of {name}"), &assessment.classes[0][..], &name[..])
            }
            _ => (name.clone(), "other rows", "rows of the class"),
        };
        let series = |name: &str, counts| HistogramSeries { name: name.to_owned(), counts };
        Panel { title, series: vec![series(others, of(false)), series(own, of(true))] }
    };
    let classes = curve_classes(assessment);
    let note = match classes.len() {
        ..=MOST_LINES => String::new(),
        all => format!(" Of {all} classes the first {MOST_LINES} are drawn."),
    };
    chart(
        "scores",
        "Probabilities by class",
        format!(
            "How the probability of a class is spread over its own rows and over the others: the less \
             the two overlap, the better they are told apart.{note}"
        ),
        Plot::Histograms(Histograms {
            label: "probability of the class".to_owned(),
            range: (0.0, 1.0),
            panels: classes.into_iter().take(MOST_LINES).map(panel).collect(),
        }),
    )
}

/// The share of each class, among the rows trained on and among those measured.
pub(super) fn balance(assessment: &Assessment, class_rows: &[usize], train_rows: usize) -> Chart {
    let measured = assessment.scores.class_rows();
    let shares = |rows: &[usize], all: usize| -> Vec<f64> {
        rows.iter().take(MOST_CELLS).map(|of| *of as f64 / all.max(1) as f64).collect()
    };
    let series = |name: &str, values| BarSeries { name: name.to_owned(), values, spread: None };
    let mut all = Vec::new();
    if !class_rows.is_empty() {
        all.push(series("rows trained on", shares(class_rows, train_rows)));
    }
    all.push(series("rows measured", shares(&measured, assessment.scores.rows())));
    let note = match assessment.classes.len() {
        ..=MOST_CELLS => String::new(),
        many => format!(" Of {many} classes the first {MOST_CELLS} are drawn."),
    };
    chart(
        "balance",
        "Class balance",
        format!(
            "Where one class has most of the rows, accuracy says little. Unlike shares mean that what is \
             measured is not what was learned.{note}"
        ),
        Plot::Bars(Bars {
            label: "share of rows".to_owned(),
            names: assessment.classes.iter().take(MOST_CELLS).cloned().collect(),
            series: all,
        }),
    )
}

/// What each column is worth.
pub(super) fn importance(assessment: &Assessment) -> Option<Chart> {
    let all = &assessment.importance;
    if all.is_empty() {
        return None;
    }
    let shown = &all[..all.len().min(MOST_BARS)];
    let note = match all.len() {
        ..=MOST_BARS => String::new(),
        many => format!(" Of {many} columns the first {MOST_BARS} are drawn."),
    };
    Some(chart(
        "importance",
        "Importance of columns",
        format!(
            "How much the log loss rises when the values of one column are dealt anew over the rows; the \
             whisker is the standard deviation over five deals. Columns that tell the same share their \
             worth.{note}"
        ),
        Plot::Bars(Bars {
            label: "rise of the log loss (nats per row)".to_owned(),
            names: shown.iter().map(|of| of.column.clone()).collect(),
            series: vec![BarSeries {
                name: "rise of the log loss".to_owned(),
                values: shown.iter().map(|of| of.importance.mean).collect(),
                spread: Some(shown.iter().map(|of| of.importance.deviation).collect()),
            }],
        }),
    ))
}

/// What the mistakes look like, where rows are pictures.
pub(super) fn pictures(assessment: &Assessment, width: usize) -> Option<Chart> {
    let picture = |mistake: &Mistake| {
        let Mistake { actual, decided, probability, picture, .. } = mistake;
        let title = format!("{actual} taken for {decided} ({probability:.3})");
        Some(Picture { title, pixels: picture.clone()? })
    };
    let pictures: Vec<Picture> = assessment.mistakes.iter().filter_map(picture).collect();
    (!pictures.is_empty()).then(|| {
        chart(
            "mistakes",
            "The most confidently wrong rows",
            "What each is, what it was taken for, and how probable that was said to be.",
            Plot::Pictures(Pictures { width, pictures }),
        )
    })
}
