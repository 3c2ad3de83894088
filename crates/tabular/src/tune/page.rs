use kiln_report::{
    BarSeries, Bars, Block, Chart, Parallel, ParallelAxis, ParallelLine, ParallelStyle,
    ParallelValues, Plot, Scale, Section, Table,
};

use super::{
    importance::Importance,
    space::{Range, Space},
    trial::{Trial, TrialState, best},
};
use crate::assessment::page::{cell, number, section as section_of, text};

/// The best trials that are listed.
const LISTED: usize = 20;

/// What a search found, for the report.
pub fn section(space: &Space, trials: &[Trial], importance: &[Importance]) -> Section {
    let count = |state| trials.iter().filter(|trial| trial.state == state).count();
    let (complete, pruned) = (count(TrialState::Complete), count(TrialState::Pruned));
    let mut blocks = vec![Block::Chart(parallel(space, trials))];
    if !importance.is_empty() {
        blocks.push(Block::Chart(bars(importance)));
    }
    blocks.push(Block::Table(table(space, trials)));
    section_of(
        "search",
        "How the settings were found",
        &format!(
            "{} trials: {complete} complete, {pruned} given up early, {} diverged. They were compared by \
             their loss on validation rows, which is too good for the one that was chosen.",
            trials.len(),
            count(TrialState::Diverged)
        ),
        blocks,
    )
}

fn parallel(space: &Space, trials: &[Trial]) -> Chart {
    let axis = |label: &str, values| ParallelAxis { label: label.to_owned(), values };
    let mut axes: Vec<ParallelAxis> = space
        .settings()
        .iter()
        .map(|setting| {
            let values = match &setting.range {
                Range::Numbers { log: true, .. } => ParallelValues::Numbers(Scale::Log),
                Range::Numbers { .. } => ParallelValues::Numbers(Scale::Linear),
                Range::Choices(choices) => {
                    ParallelValues::Names(choices.iter().map(ToString::to_string).collect())
                }
            };
            axis(setting.name.name(), values)
        })
        .collect();
    axes.push(axis("validation loss", ParallelValues::Numbers(Scale::Log)));
    let best = best(trials).map(|best| best.trial);
    // The best are drawn last, over the others.
    let mut worst_first: Vec<&Trial> = trials.iter().filter(|trial| trial.loss.is_some()).collect();
    worst_first.sort_by(|a, b| b.rank_by().total_cmp(&a.rank_by()));
    worst_first
        .sort_by_key(|trial| (trial.state == TrialState::Complete, Some(trial.trial) == best));
    let complete = trials.iter().filter(|trial| trial.state == TrialState::Complete).count();
    let faint = worst_first.len() - complete;
    let line = |(place, trial): (usize, &&Trial)| {
        let values = space.settings().iter().zip(&trial.values);
        let values = values.map(|(setting, value)| match &setting.range {
            Range::Numbers { .. } => value.number().unwrap_or(f64::NAN),
            Range::Choices(choices) => {
                choices.iter().position(|of| of == value).map_or(f64::NAN, |place| place as f64)
            }
        });
        let marked = Some(trial.trial) == best;
        ParallelLine {
            name: match marked {
                true => format!("trial {}, the best", trial.trial),
                false => format!("trial {}: {}", trial.trial, cell(trial.loss)),
            },
            values: values.chain(trial.loss).collect(),
            style: match trial.state {
                _ if marked => ParallelStyle::Marked,
                TrialState::Complete => {
                    ParallelStyle::Shade((place - faint) as f64 / complete.max(1) as f64)
                }
                _ => ParallelStyle::Faint,
            },
        }
    };
    let lines = worst_first.iter().enumerate().map(line).collect();
    Chart {
        id: "trials".to_owned(),
        title: "Trials".to_owned(),
        text: "One line for each trial, at what its settings were and what loss it reached: the stronger, \
               the better. Dashed ones were given up early."
            .to_owned(),
        plot: Plot::Parallel(Parallel { axes, lines }),
    }
}

fn bars(importance: &[Importance]) -> Chart {
    let rest = 1.0 - importance.iter().map(|of| of.share).sum::<f64>();
    let names = importance.iter().map(|of| of.name.name().to_owned());
    let shares = importance.iter().map(|of| 100.0 * of.share);
    Chart {
        id: "settings-importance".to_owned(),
        title: "Which settings matter".to_owned(),
        text: "How much of the differences between the ranks of the trials goes back to each setting alone \
               (fANOVA of a random forest). Of few trials, an estimate."
            .to_owned(),
        plot: Plot::Bars(Bars {
            label: "share of the variance (%)".to_owned(),
            names: names.chain(["several together".to_owned()]).collect(),
            series: vec![BarSeries {
                name: "importance".to_owned(),
                values: shares.chain([100.0 * rest.max(0.0)]).collect(),
                spread: None,
            }],
        }),
    }
}

/// The best trials, and the run without a search wherever it stands.
fn table(space: &Space, trials: &[Trial]) -> Table {
    let mut ranked: Vec<&Trial> =
        trials.iter().filter(|of| of.state == TrialState::Complete).collect();
    ranked.sort_by(|a, b| a.rank_by().total_cmp(&b.rank_by()).then(a.trial.cmp(&b.trial)));
    let shown =
        ranked.iter().enumerate().filter(|(place, of)| *place < LISTED - 1 || of.trial == 0);
    let row = |(_, trial): (usize, &&Trial)| {
        let name = match trial.trial {
            0 => "0 (defaults)".to_owned(),
            other => other.to_string(),
        };
        let head = [name, cell(trial.loss), trial.losses.len().to_string()];
        head.into_iter().chain(trial.values.iter().map(ToString::to_string)).collect()
    };
    let mut columns = vec![text("trial"), number("validation loss"), number("epochs")];
    columns.extend(space.settings().iter().map(|setting| match &setting.range {
        Range::Choices(choices) if choices.iter().any(|of| of.number().is_none()) => {
            text(setting.name.name())
        }
        _ => number(setting.name.name()),
    }));
    Table {
        caption: "The best trials, and the one of the defaults".to_owned(),
        columns,
        rows: shown.map(row).collect(),
    }
}
