use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use kiln::{
    report::Page,
    store::{check_writable, write_atomically},
    tabular::assessment::{About, Assessment},
};
use serde::{Deserialize, Serialize};

use crate::write_file::refuse_overwriting;

/// What a run reads and writes beside its table and its model.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RunFiles {
    /// Write one row per epoch to this file: JSON lines if it ends in .jsonl, else CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Write the run into this folder as TensorBoard shows it
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorboard: Option<PathBuf>,
    /// A file of rows to measure the model on, at the end: they choose nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) test: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

impl RunFiles {
    /// What is said here, and where nothing is said, what was said when the run began.
    pub(crate) fn or(self, begun: Self) -> Self {
        Self {
            history: self.history.or(begun.history),
            tensorboard: self.tensorboard.or(begun.tensorboard),
            test: self.test.or(begun.test),
            report: ReportArgs {
                report: self.report.report.or(begun.report.report),
                plots: self.report.plots.or(begun.report.plots),
            },
        }
    }

    /// With every path changed.
    pub(crate) fn map<E>(&self, change: impl Fn(&Path) -> Result<PathBuf, E>) -> Result<Self, E> {
        let change = |path: &Option<PathBuf>| path.as_deref().map(&change).transpose();
        Ok(Self {
            history: change(&self.history)?,
            tensorboard: change(&self.tensorboard)?,
            test: change(&self.test)?,
            report: ReportArgs {
                report: change(&self.report.report)?,
                plots: change(&self.report.plots)?,
            },
        })
    }

    /// Before the work, whose result would be lost: whether all can be written, over no other file of the
    /// command.
    pub(crate) fn check(&self, output: &PathBuf, inputs: &[&PathBuf]) -> anyhow::Result<()> {
        check_writable(output).with_context(|| format!("cannot write {}", output.display()))?;
        let inputs = || inputs.iter().copied().chain(&self.test);
        refuse_overwriting(output, inputs().chain(&self.history))?;
        if let Some(history) = &self.history {
            refuse_overwriting(history, inputs())?;
        }
        self.report.check(inputs().chain(&self.history).chain([output]))
    }
}

/// What a command draws.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Report")]
pub(crate) struct ReportArgs {
    /// Write a report with charts: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write each chart of the report into this folder, as SVG and PNG
    #[arg(long, value_name = "DIR")]
    pub(crate) plots: Option<PathBuf>,
}

impl ReportArgs {
    /// Whether anything is to be drawn.
    pub(crate) fn is_asked(&self) -> bool {
        self.report.is_some() || self.plots.is_some()
    }

    /// Before the work, whose result would be lost: whether it can be written, over no other file of the
    /// command.
    pub(crate) fn check<'a>(
        &self,
        others: impl IntoIterator<Item = &'a PathBuf>,
    ) -> anyhow::Result<()> {
        if let Some(report) = &self.report {
            check_writable(report).with_context(|| format!("cannot write {}", report.display()))?;
            refuse_overwriting(report, others)?;
        }
        if let Some(plots) = &self.plots {
            fs::create_dir_all(plots)
                .with_context(|| format!("cannot make the folder {}", plots.display()))?;
        }
        Ok(())
    }

    /// Writes what was asked for; where, for the user to read.
    pub(crate) fn write(
        &self,
        assessment: &Assessment,
        about: &About,
    ) -> anyhow::Result<Vec<String>> {
        if self.is_asked() { self.write_page(&assessment.page(about)) } else { Ok(Vec::new()) }
    }

    /// Writes a page, and its charts.
    pub(crate) fn write_page(&self, page: &Page) -> anyhow::Result<Vec<String>> {
        let mut written = Vec::new();
        if let Some(report) = &self.report {
            write(report, page.html().as_bytes())?;
            written.push(report.display().to_string());
        }
        if let Some(plots) = &self.plots {
            let mut count = 0;
            for chart in page.charts() {
                let path = plots.join(&chart.id);
                write(&path.with_extension("svg"), chart.svg().as_bytes())?;
                write(&path.with_extension("png"), &chart.png())?;
                count += 1;
            }
            written.push(format!("{} ({count} charts, each as SVG and PNG)", plots.display()));
        }
        Ok(written)
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_atomically(path, |to| to.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
