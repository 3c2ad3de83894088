//! A page with every kind of chart, in realistic sizes, and each chart as SVG and PNG:
//! `cargo run -p kiln-report --example gallery -- FOLDER`

use std::path::PathBuf;
use std::{env, fs, io};

use kiln_report::{
    Axis, BarSeries, Bars, Block, CellFormat, Chart, Column, HistogramSeries, Histograms, Line,
    LineStyle, Lines, Mark, Matrix, Page, Panel, Parallel, ParallelAxis, ParallelLine,
    ParallelStyle, ParallelValues, Plot, Scale, Section, Table,
};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let page = page();
    fs::write(folder.join("gallery.html"), page.html())?;
    for chart in page.charts() {
        fs::write(folder.join(&chart.id).with_extension("svg"), chart.svg())?;
        fs::write(folder.join(&chart.id).with_extension("png"), chart.png())?;
    }
    Ok(())
}

fn page() -> Page {
    let facts = [
        ("task", "multiclass, 3 classes"),
        ("rows", "5,620 train, 1,204 valid, 1,204 test"),
        ("network", "64 → 256 → 128 → 10"),
        ("test accuracy", "97.9%"),
        ("test loss", "0.071 nats per row"),
        ("expected calibration error", "0.012"),
        ("training time", "4.2 s"),
        ("seed", "42"),
    ];
    Page {
        title: "Species of penguins".into(),
        subtitle: "penguins.csv, trained on 25 November 2026".into(),
        facts: facts.map(|(name, value)| (name.into(), value.into())).into(),
        warnings: vec![
            "Class “Chinstrap” has 41 rows in test: its recall is known to ±9 points only.".into(),
        ],
        sections: vec![
            section("training", "Training", "How the network learned, epoch by epoch.", training()),
            section("quality", "Quality on test", "Rows that chose nothing.", quality()),
            section("confusion", "Which classes are confused", "", confusion()),
            section("features", "Features and data", "What the network looks at.", features()),
            section("search", "Search", "Which settings were tried.", vec![search()]),
        ],
    }
}

fn section(id: &str, title: &str, text: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.into(), title: title.into(), text: text.into(), blocks }
}

fn chart(id: &str, title: &str, text: &str, plot: Plot) -> Block {
    Block::Chart(Chart { id: id.into(), title: title.into(), text: text.into(), plot })
}

fn axis(label: &str, range: Option<(f64, f64)>, scale: Scale) -> Axis {
    Axis { label: label.into(), range, scale }
}

fn line(name: &str, style: LineStyle, points: impl Iterator<Item = (f64, f64)>) -> Line {
    Line { name: name.into(), points: points.collect(), style }
}

/// Noise in [-1, 1] that is the same each time.
fn noise(i: usize) -> f64 {
    let bits = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / 8_388_608.0 - 1.0
}

fn training() -> Vec<Block> {
    let epochs = || (1..=40).map(f64::from);
    let train = |e: f64| 0.04 + 2.2 * (-e / 4.0).exp() + 0.008 * noise(e as usize);
    let valid = |e: f64| 0.11 + 2.1 * (-e / 3.8).exp() + 0.0025 * (e - 12.0).max(0.0);
    let valid = move |e: f64| valid(e) + 0.012 * noise(e as usize + 100);
    let rate = |i: usize| 1e-3 * (1.0 - i as f64 / 60_000.0).powi(2) + 1e-6;
    let iterations = (0..60_000).map(|i| (i as f64, rate(i) * (1.0 + 0.2 * noise(i))));
    vec![
        chart(
            "loss",
            "Loss",
            "Where the dashed line turns up, the network learns its training rows by heart.",
            Plot::Lines(Lines {
                x: axis("epoch", None, Scale::Linear),
                y: axis("mean cross-entropy (nats per row)", None, Scale::Linear),
                lines: vec![
                    line("train", LineStyle::Solid, epochs().map(|e| (e, train(e)))),
                    line("valid", LineStyle::Dashed, epochs().map(|e| (e, valid(e)))),
                ],
                marks: vec![Mark { x: 19.0, label: "best epoch 19".into() }],
            }),
        ),
        chart(
            "learning-rate",
            "Learning rate",
            "60,000 iterations; the axis is logarithmic.",
            Plot::Lines(Lines {
                x: axis("iteration", None, Scale::Linear),
                y: axis("learning rate", None, Scale::Log),
                lines: vec![line("rate", LineStyle::Solid, iterations)],
                marks: Vec::new(),
            }),
        ),
    ]
}

fn quality() -> Vec<Block> {
    let unit = || Some((0.0, 1.0));
    let diagonal = |name| line(name, LineStyle::Reference, [(0.0, 0.0), (1.0, 1.0)].into_iter());
    let roc = |name: &str, power: f64| {
        let points = (0..=200).map(move |i| (f64::from(i) / 200.0, (f64::from(i) / 200.0)));
        line(name, LineStyle::Solid, points.map(move |(x, t)| (x, t.powf(power))))
    };
    let reliability = (0..10).map(|i| {
        let p = f64::from(i) / 10.0 + 0.05;
        (p, (p + 0.06 * (p * 6.0).sin() + 0.02 * noise(i as usize)).clamp(0.0, 1.0))
    });
    let bell = |mean: f64, width: f64| {
        let count = move |i: i32| (-((f64::from(i) + 0.5) / 20.0 - mean).powi(2) / width).exp();
        (0..20).map(|i| (900.0 * count(i)).round()).collect()
    };
    let panel = |title: &str, of: f64, rest: f64| Panel {
        title: title.into(),
        series: vec![
            HistogramSeries { name: "rows of the class".into(), counts: bell(of, 0.02) },
            HistogramSeries { name: "other rows".into(), counts: bell(rest, 0.01) },
        ],
    };
    let columns = ["class", "rows", "precision", "recall", "F1", "ROC AUC"];
    let names = [
        "Adelie",
        "Chinstrap",
        "Gentoo",
        "Emperor",
        "King",
        "Macaroni",
        "Royal",
        "Rockhopper",
        "Little",
        "African",
        "Humboldt",
        "Magellanic",
    ];
    let row = |(i, name): (usize, &&str)| {
        let share = |k: usize| format!("{:.3}", 0.95 + 0.045 * noise(i * 7 + k));
        let rows = format!("{}", 40 + 31 * i);
        vec![(*name).to_owned(), rows, share(1), share(2), share(3), share(4)]
    };
    vec![
        chart(
            "roc",
            "ROC curves",
            "The closer to the upper left corner, the better.",
            Plot::Lines(Lines {
                x: axis("false positive rate", unit(), Scale::Linear),
                y: axis("true positive rate", unit(), Scale::Linear),
                lines: vec![
                    roc("Adelie (AUC 0.982)", 0.05),
                    roc("Chinstrap (AUC 0.91)", 0.15),
                    roc("Gentoo (AUC 0.96)", 0.09),
                    diagonal("chance"),
                ],
                marks: Vec::new(),
            }),
        ),
        chart(
            "reliability",
            "Reliability",
            "On the diagonal, of the rows predicted with 80% eight in ten are right.",
            Plot::Lines(Lines {
                x: axis("predicted probability", unit(), Scale::Linear),
                y: axis("share that is right", unit(), Scale::Linear),
                lines: vec![diagonal("perfect"), line("test", LineStyle::Points, reliability)],
                marks: Vec::new(),
            }),
        ),
        chart(
            "probabilities",
            "Predicted probabilities",
            "The less the two overlap, the better the class is told apart.",
            Plot::Histograms(Histograms {
                label: "predicted probability of the class".into(),
                range: (0.0, 1.0),
                panels: vec![
                    panel("Adelie", 0.9, 0.1),
                    panel("Chinstrap", 0.7, 0.2),
                    panel("Gentoo", 0.85, 0.05),
                ],
            }),
        ),
        chart(
            "confidence",
            "Confidence",
            "Share of rows by the probability of the predicted class.",
            Plot::Histograms(Histograms {
                label: "probability of the predicted class".into(),
                range: (0.0, 1.0),
                panels: vec![Panel { title: String::new(), ..panel("", 0.97, 0.6) }],
            }),
        ),
        Block::Table(Table {
            caption: "Quality by class".into(),
            columns: (0..6).map(|i| Column { name: columns[i].into(), numeric: i > 0 }).collect(),
            rows: names.iter().enumerate().map(row).collect(),
        }),
        Block::Text("All numbers are of the test rows, without weights.".into()),
    ]
}

fn confusion() -> Vec<Block> {
    let matrix = |names: Vec<String>, format: CellFormat| {
        let n = names.len();
        let value = |k: usize| {
            let (i, j) = (k / n, k % n);
            let near = if i.abs_diff(j) <= 2 { 12.0 } else { 3.0 };
            let errors = (near * noise(k)).max(0.0).floor();
            let count =
                if i == j { 60.0 + (40.0 * noise(k)).round() + 5.0 * i as f64 } else { errors };
            if format == CellFormat::Percent { count / 400.0 } else { count }
        };
        Plot::Matrix(Matrix {
            values: (0..n * n).map(value).collect(),
            rows: names.clone(),
            columns: names,
            row_label: "true class".into(),
            column_label: "predicted class".into(),
            format,
        })
    };
    let digits = (0..10).map(|d| d.to_string()).collect();
    let species = ["Adelie", "Chinstrap", "Gentoo"].map(str::to_owned).into();
    let letters = (0..50).map(|i| format!("class number {i}")).collect();
    let text = "Rows of test; colour is the share of the true class.";
    vec![
        chart("confusion-2", "Two classes", text, {
            matrix(vec!["no".into(), "yes".into()], CellFormat::Count)
        }),
        chart("confusion-3", "Three classes", text, matrix(species, CellFormat::Percent)),
        chart("confusion-10", "Ten classes", text, matrix(digits, CellFormat::Count)),
        chart("confusion-names", "Eight classes with long names", text, {
            let name = |i| format!("Class of a rather long name {i}");
            matrix((1..=8).map(name).collect(), CellFormat::Count)
        }),
        chart("confusion-50", "Fifty classes", text, matrix(letters, CellFormat::Count)),
    ]
}

fn features() -> Vec<Block> {
    let names = [
        "bill_length_mm",
        "flipper_length_mm",
        "bill_depth_mm",
        "body_mass_g",
        "island=Biscoe",
        "island=Dream",
        "a column with a name that is far too long to stand beside a bar",
        "sex",
        "year",
        "island=Torgersen",
    ];
    let importance = |i: usize| 0.31 * (-(i as f64) / 2.0).exp() - 0.004;
    let series = |name: &str, values: &[f64]| BarSeries {
        name: name.into(),
        values: values.into(),
        spread: None,
    };
    let classes = ["Adelie", "Chinstrap", "Gentoo"].map(str::to_owned);
    vec![
        chart(
            "importance",
            "Permutation importance",
            "How much accuracy is lost when a column is shuffled; whiskers are ±1 standard deviation.",
            Plot::Bars(Bars {
                label: "loss of accuracy".into(),
                names: names.map(str::to_owned).into(),
                series: vec![BarSeries {
                    name: "importance".into(),
                    values: (0..10).map(importance).collect(),
                    spread: Some((0..10).map(|i| 0.01 + 0.008 * noise(i).abs()).collect()),
                }],
            }),
        ),
        chart(
            "balance",
            "Balance of the classes",
            "Share of each class in the three parts of the data.",
            Plot::Bars(Bars {
                label: "share of the rows (%)".into(),
                names: classes.into(),
                series: vec![
                    series("train", &[43.9, 19.8, 36.3]),
                    series("valid", &[44.4, 20.1, 35.5]),
                    series("test", &[43.1, 19.6, 37.3]),
                ],
            }),
        ),
    ]
}

fn search() -> Block {
    let number = |label: &str, scale| ParallelAxis {
        label: label.into(),
        values: ParallelValues::Numbers(scale),
    };
    let names = |label: &str, names: &[&str]| ParallelAxis {
        label: label.into(),
        values: ParallelValues::Names(names.iter().map(|&name| name.into()).collect()),
    };
    let axes = vec![
        names("hidden_layers", &["1", "2", "3"]),
        names("width", &["64", "128", "256", "512"]),
        names("activation", &["relu", "gelu", "silu", "leaky_relu"]),
        number("dropout", Scale::Linear),
        number("learning_rate", Scale::Log),
        number("weight_decay", Scale::Log),
        names("batch_size", &["16", "32", "64", "128"]),
        names("scaling", &["robust", "standard"]),
        number("validation loss", Scale::Linear),
    ];
    let line = |i: usize| {
        let draw = |k: usize| (noise(i * 31 + k) + 1.0) / 2.0;
        let pick = |k: usize, of: f64| (draw(k) * of).floor().min(of - 1.0);
        let rate = 1e-4 * 100_f64.powf(draw(5));
        let loss = 0.4 + 0.1 * (rate.log10() + 3.0).powi(2) + 0.05 * draw(9);
        ParallelLine {
            name: format!("trial {i}"),
            values: vec![
                pick(1, 3.0),
                pick(2, 4.0),
                pick(3, 4.0),
                draw(4) * 0.5,
                rate,
                1e-5 * 1e4_f64.powf(draw(6)),
                pick(7, 4.0),
                pick(8, 2.0),
                loss,
            ],
            style: match i {
                49 => ParallelStyle::Marked,
                i if loss > 0.47 && i % 2 == 0 => ParallelStyle::Faint,
                _ => ParallelStyle::Shade(1.0 - (loss - 0.4) / 0.13),
            },
        }
    };
    chart(
        "trials",
        "Trials",
        "One line for each trial; the darker, the better.",
        Plot::Parallel(Parallel { axes, lines: (0..50).map(line).collect() }),
    )
}
