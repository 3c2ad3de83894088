//! A chart, and the files it makes.

use askama::Template;

use crate::bars::Bars;
use crate::drawing::{Drawing, Label};
use crate::histograms::Histograms;
use crate::lines::Lines;
use crate::matrix::Matrix;
use crate::palette::light_chart_css;
use crate::parallel::Parallel;
use crate::path::Px;
use crate::pictures::Pictures;
use crate::png;
use crate::text::{Cut, SIZE, clean, wrap};

/// A chart with its title.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Stem of its file's name and its id on the page, of lower-case letters, digits and hyphens.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// One line: how to read it.
    pub text: String,
    /// What is drawn.
    pub plot: Plot,
}

/// What a chart draws.
#[derive(Debug, Clone, PartialEq)]
pub enum Plot {
    /// Lines over a common axis.
    Lines(Lines),
    /// A matrix of numbers as coloured cells.
    Matrix(Matrix),
    /// Horizontal bars.
    Bars(Bars),
    /// Distributions side by side.
    Histograms(Histograms),
    /// Small pictures.
    Pictures(Pictures),
    /// Lines across several vertical axes.
    Parallel(Parallel),
}

/// A chart as a file of its own.
#[derive(Template)]
#[template(path = "chart.svg", whitespace = "minimize")]
struct View {
    width: Px,
    height: Px,
    /// Where the plot starts, from the top.
    top: Px,
    id: String,
    title: String,
    description: String,
    css: String,
    texts: Vec<Label>,
    body: String,
}

/// The margin of a file, in pixels.
const MARGIN: f64 = 16.0;

/// Size of the title of a file, in pixels.
const TITLE: f64 = 16.0;

impl Chart {
    /// An SVG file of its own, in light colours on white. Its text needs no font file: it names DejaVu
    /// Sans first and then whatever sans-serif font is there.
    pub fn svg(&self) -> String {
        let id = html_id(&self.id, "chart");
        let Drawing { width, height, body, summary } = self.plot.draw(&id);
        let mut texts = Vec::new();
        let title = Cut::new(&self.title, TITLE, width);
        let mut top = MARGIN;
        if !title.shown.is_empty() {
            texts.push(Label::new(MARGIN, top + 15.0, "ink", title).sized(TITLE));
            top += 22.0;
        }
        for line in wrap(&self.text, SIZE, width, 3) {
            texts.push(Label::new(MARGIN, top + 13.0, "muted", line));
            top += 18.0;
        }
        if !texts.is_empty() {
            top += 12.0;
        }
        let view = View {
            width: Px(width + 2.0 * MARGIN),
            height: Px(top + height + MARGIN),
            top: Px(top),
            id,
            title: clean(&self.title),
            description: clean(&format!("{} {summary}", self.text)),
            css: light_chart_css(),
            texts,
            body,
        };
        view.to_string()
    }

    /// The same as [`Chart::svg`] as a PNG file of twice as many pixels either way; of fewer where
    /// those would be more than 64 million. Latin, Greek, Cyrillic, Arabic and other letters of
    /// DejaVu Sans are drawn, others as boxes.
    pub fn png(&self) -> Vec<u8> {
        png::render(&self.svg())
    }
}

impl Plot {
    /// `id` starts the ids of the drawing's elements.
    pub(crate) fn draw(&self, id: &str) -> Drawing {
        match self {
            Self::Lines(lines) => lines.draw(id),
            Self::Matrix(matrix) => matrix.draw(),
            Self::Bars(bars) => bars.draw(),
            Self::Histograms(histograms) => histograms.draw(),
            Self::Pictures(pictures) => pictures.draw(),
            Self::Parallel(parallel) => parallel.draw(),
        }
    }
}

/// An id of lower-case letters, digits and hyphens like `wanted`; `otherwise` if nothing is left.
pub(crate) fn html_id(wanted: &str, otherwise: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let id: String = wanted.chars().take(64).map(allowed).collect();
    let id = id.trim_matches('-');
    if id.is_empty() { otherwise.to_owned() } else { id.to_owned() }
}
