//! Medians, ratios, and the tables in Markdown.

use std::{fmt, thread};

use anyhow::{Context, ensure};

use super::{
    cases::{Case, PREDICT_ROWS, THREADS},
    peer::{Predicted, Trained},
};

/// Runs of Kiln and a peer on one case, in pairs with Kiln first.
pub(super) struct Training {
    pub(super) case: &'static Case,
    pub(super) peer: &'static str,
    pub(super) pairs: Vec<[Trained; 2]>,
}

pub(super) struct Inference {
    pub(super) peer: &'static str,
    pub(super) network: String,
    pub(super) pairs: Vec<[Predicted; 2]>,
}

#[derive(Default)]
pub(super) struct Report {
    pub(super) pairs: u32,
    pub(super) training: Vec<Training>,
    pub(super) inference: Option<Inference>,
}

impl Report {
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        if !self.training.is_empty() {
            text += "| training | peer | Kiln, rows/s | peer, rows/s | Kiln / peer (range) \
                     | test accuracy, Kiln and peer | Kiln, GFLOP/s |\n\
                     |---|---|--:|--:|--:|--:|--:|\n";
            self.training.iter().for_each(|training| text += &training.line());
            text += &self.means();
            text += "\n";
        }
        if let Some(inference) = &self.inference {
            text += &inference.table();
            text += "\n";
        }
        if !text.is_empty() {
            text += &self.circumstances();
        }
        text
    }

    /// Over the cases, for each peer.
    fn means(&self) -> String {
        let mut peers: Vec<&str> = self.training.iter().map(|training| training.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        let line = |peer| {
            let of_peer = self.training.iter().filter(|training| training.peer == peer);
            let logs: Vec<f64> = of_peer.map(|training| training.ratio().median.ln()).collect();
            let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
            format!("| geometric mean of {} | {peer} | | | {mean:.2} | | |\n", logs.len())
        };
        peers.into_iter().map(line).collect()
    }

    fn circumstances(&self) -> String {
        let mut versions: Vec<String> = Vec::new();
        let mut add = |name: &str, version: &str| {
            let version = format!("{name} {version}");
            if !versions.contains(&version) {
                versions.push(version);
            }
        };
        for Training { peer, pairs, .. } in &self.training {
            add("Kiln", &pairs[0][0].version);
            add(peer, &pairs[0][1].version);
        }
        if let Some(Inference { peer, pairs, .. }) = &self.inference {
            add("Kiln", &pairs[0][0].version);
            add(peer, &pairs[0][1].version);
        }
        format!(
            "Medians over {} pairs of processes that ran in turn, {THREADS} threads each, on {} cores. {}.\n",
            self.pairs,
            thread::available_parallelism().map_or(0, usize::from),
            versions.join(", ")
        )
    }
}

impl Training {
    fn ratio(&self) -> Spread {
        ratio(&self.pairs, |run| run.rows_per_second)
    }

    fn line(&self) -> String {
        let case = self.case;
        let [kiln, peer] = medians(&self.pairs, |run| run.rows_per_second);
        let [kiln_accuracy, accuracy] =
            medians(&self.pairs, |run| run.test_accuracy).map(|share| 100.0 * share);
        format!(
            "| {}: {}, batches of {} | {} | {} | {} | {} | {kiln_accuracy:.1} %, {accuracy:.1} % | {:.0} |\n",
            case.name,
            case.problem().network(),
            case.batch_size,
            self.peer,
            thousands(kiln),
            thousands(peer),
            self.ratio(),
            kiln * case.flop_per_row() / 1e9,
        )
    }
}

impl Inference {
    fn table(&self) -> String {
        let Self { peer, network, pairs } = self;
        let rows = medians(pairs, |run| run.rows_per_second).map(thousands);
        let one_row = medians(pairs, |run| run.one_row_microseconds).map(thousands);
        let difference = pairs.iter().map(|[_, theirs]| theirs.difference).fold(0.0, f64::max);
        format!(
            "| inference: {network} | Kiln | {peer} | Kiln / {peer} (range) |\n\
             |---|--:|--:|--:|\n\
             | {} rows at once, rows/s | {} | {} | {} |\n\
             | one row, µs | {} | {} | {} |\n\n\
             Logits differ by at most {difference:.1e}.\n",
            thousands(PREDICT_ROWS as f64),
            rows[0],
            rows[1],
            ratio(pairs, |run| run.rows_per_second),
            one_row[0],
            one_row[1],
            ratio(pairs, |run| 1.0 / run.one_row_microseconds),
        )
    }
}

/// Median, least and greatest.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}..{:.2})", self.median, self.min, self.max)
    }
}

/// How many times better Kiln was in each pair, where more is better.
fn ratio<T>(pairs: &[[T; 2]], value: impl Fn(&T) -> f64) -> Spread {
    let ratios: Vec<f64> = pairs.iter().map(|[kiln, theirs]| value(kiln) / value(theirs)).collect();
    Spread {
        min: ratios.iter().copied().fold(f64::INFINITY, f64::min),
        max: ratios.iter().copied().fold(0.0, f64::max),
        median: median(ratios),
    }
}

fn medians<T>(pairs: &[[T; 2]], value: impl Fn(&T) -> f64) -> [f64; 2] {
    [0, 1].map(|side| median(pairs.iter().map(|pair| value(&pair[side])).collect()))
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

/// `12,345`: a whole number.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const BEGIN: &str = "<!-- compare -->\n";
const END: &str = "<!-- /compare -->";

/// The text with the tables in place of what stands between the markers.
pub(super) fn between_markers(text: &str, tables: &str) -> anyhow::Result<String> {
    ensure!(!tables.is_empty(), "nothing was compared");
    let missing = || format!("no line `{}` with a line `{END}` below it", BEGIN.trim_end());
    let (before, rest) = text.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{BEGIN}{tables}{END}{after}"))
}
