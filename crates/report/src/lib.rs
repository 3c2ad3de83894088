//! Charts, and an HTML page that holds them, from plain numbers.
//!
//! A [`Page`] is data: titles, facts, tables and charts. [`Page::html`] makes one file of it that loads
//! nothing and runs nothing; [`Chart::svg`] and [`Chart::png`] make files of single charts. The same
//! input is the same file, byte for byte, on every machine.
//!
//! | [`Plot`] | |
//! |---|---|
//! | [`Lines`] | loss curves, ROC curves, reliability diagrams |
//! | [`Matrix`] | confusion matrices |
//! | [`Bars`] | importances with their spread, the balance of classes |
//! | [`Histograms`] | distributions of probabilities |
//! | [`Pictures`] | rows of pixels, small |
//! | [`Parallel`] | the trials of a search, across the settings |
//!
//! Any text may be anything: it is escaped, and cut where space is limited. Any number may be anything:
//! one that is not finite (or beyond ±1e300) is left out.
//!
//! ```
//! use kiln_report::{Axis, Block, Chart, Line, LineStyle, Lines, Mark, Page, Plot, Scale, Section};
//!
//! let axis = |label: &str| Axis { label: label.into(), range: None, scale: Scale::Linear };
//! let losses = [0.69, 0.41, 0.32, 0.33];
//! let points = losses.iter().enumerate().map(|(i, &loss)| (i as f64 + 1.0, loss)).collect();
//! let chart = Chart {
//!     id: "loss".into(),
//!     title: "Loss".into(),
//!     text: "Lower is better.".into(),
//!     plot: Plot::Lines(Lines {
//!         x: axis("epoch"),
//!         y: axis("mean cross-entropy (nats per row)"),
//!         lines: vec![Line { name: "valid".into(), points, style: LineStyle::Solid }],
//!         marks: vec![Mark { x: 3.0, label: "best epoch 3".into() }],
//!     }),
//! };
//! let page = Page {
//!     title: "Iris <species>".into(),
//!     subtitle: String::new(),
//!     facts: vec![("rows".into(), "150".into())],
//!     warnings: Vec::new(),
//!     sections: vec![Section {
//!         id: "training".into(),
//!         title: "Training".into(),
//!         text: String::new(),
//!         blocks: vec![Block::Chart(chart)],
//!     }],
//! };
//!
//! assert!(page.html().contains("<h1>Iris &#60;species&#62;</h1>"));
//! for chart in page.charts() {
//!     assert!(chart.svg().starts_with("<svg"));
//!     assert!(chart.png().starts_with(b"\x89PNG"));
//! }
//! ```

mod axis;
mod bars;
mod chart;
mod drawing;
mod histograms;
mod lines;
mod matrix;
mod number;
mod page;
mod palette;
mod parallel;
mod path;
mod pictures;
mod png;
mod table;
mod text;
mod ticks;

pub use axis::{Axis, Scale};
pub use bars::{BarSeries, Bars};
pub use chart::{Chart, Plot};
pub use histograms::{HistogramSeries, Histograms, Panel};
pub use lines::{Line, LineStyle, Lines, Mark};
pub use matrix::{CellFormat, Matrix};
pub use page::{Block, Page, Section};
pub use parallel::{Parallel, ParallelAxis, ParallelLine, ParallelStyle, ParallelValues};
pub use pictures::{Picture, Pictures};
pub use table::{Column, Table};
