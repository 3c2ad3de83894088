//! The page that holds the charts.

use std::collections::HashSet;

use askama::Template;

use crate::chart::{Chart, html_id};
use crate::drawing::{Drawing, WIDTH};
use crate::palette::{CHART_CSS, properties};
use crate::path::Px;
use crate::table::{Table, TableView};
use crate::text::clean;

/// A report: one HTML page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The heading.
    pub title: String,
    /// One line under it.
    pub subtitle: String,
    /// Names and values that stand at the top.
    pub facts: Vec<(String, String)>,
    /// What the reader must not miss.
    pub warnings: Vec<String>,
    /// The sections, listed in the navigation.
    pub sections: Vec<Section>,
}

/// A part of the page with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its id on the page, of lower-case letters, digits and hyphens.
    pub id: String,
    /// The heading.
    pub title: String,
    /// One line: what it shows.
    pub text: String,
    /// What stands in it, in order.
    pub blocks: Vec<Block>,
}

/// What stands in a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A chart; two stand side by side where there is room.
    Chart(Chart),
    /// A table; its rows are folded away if they are more than 20.
    Table(Table),
    /// A paragraph.
    Text(String),
}

#[derive(Template)]
#[template(path = "page.html")]
struct View {
    light: String,
    dark: String,
    page_css: &'static str,
    chart_css: &'static str,
    title: String,
    subtitle: String,
    facts: Vec<(String, String)>,
    warnings: Vec<String>,
    sections: Vec<SectionView>,
}

struct SectionView {
    id: String,
    title: String,
    text: String,
    blocks: Vec<BlockView>,
}

enum BlockView {
    Chart(Box<Figure>),
    Table(TableView),
    Text(String),
}

/// A chart on the page.
#[derive(Template)]
#[template(path = "figure.html", whitespace = "minimize")]
struct Figure {
    id: String,
    title: String,
    text: String,
    description: String,
    body: String,
    width: Px,
    height: Px,
    /// In pixels: how large and how small it is drawn.
    widest: Px,
    narrowest: Px,
    wide: bool,
}

impl Page {
    /// The page as one HTML file. It loads nothing, runs nothing, and is the same, byte for byte, for the
    /// same input.
    pub fn html(&self) -> String {
        let mut ids = Ids::default();
        // Sections first: the navigation's links are the ids that were asked for.
        let section_ids: Vec<_> =
            self.sections.iter().map(|section| ids.next(&section.id, "section")).collect();
        let sections = self.sections.iter().zip(section_ids);
        let warnings = self.warnings.iter().map(|warning| clean(warning));
        let view = View {
            light: properties(false),
            dark: properties(true),
            page_css: include_str!("../templates/page.css"),
            chart_css: CHART_CSS,
            title: clean(&self.title),
            subtitle: clean(&self.subtitle),
            facts: self.facts.iter().map(|(name, value)| (clean(name), clean(value))).collect(),
            warnings: warnings.filter(|warning| !warning.is_empty()).collect(),
            sections: sections
                .map(|(section, id)| SectionView {
                    id,
                    title: clean(&section.title),
                    text: clean(&section.text),
                    blocks: section.blocks.iter().map(|b| BlockView::new(b, &mut ids)).collect(),
                })
                .collect(),
        };
        view.to_string()
    }

    /// The charts of all sections, in order.
    pub fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.sections.iter().flat_map(|section| &section.blocks).filter_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            Block::Table(_) | Block::Text(_) => None,
        })
    }
}

impl BlockView {
    fn new(block: &Block, ids: &mut Ids) -> Self {
        match block {
            Block::Chart(chart) => {
                Self::Chart(Box::new(Figure::new(chart, ids.next(&chart.id, "chart"))))
            }
            Block::Table(table) => Self::Table(TableView::new(table, ids.next("table", "table"))),
            Block::Text(text) => Self::Text(clean(text)),
        }
    }
}

impl Figure {
    fn new(chart: &Chart, id: String) -> Self {
        let Drawing { width, height, body, summary } = chart.plot.draw(&id);
        let wide = width > WIDTH;
        Self {
            id,
            title: clean(&chart.title),
            text: clean(&chart.text),
            description: summary,
            body,
            width: Px(width),
            height: Px(height),
            widest: Px(width * 1.15),
            narrowest: Px(if wide { width * 0.85 } else { 0.0 }),
            wide,
        }
    }
}

/// Ids of one page, none twice. What belongs to an id is that id, an underscore and a word.
#[derive(Default)]
struct Ids(HashSet<String>);

impl Ids {
    fn next(&mut self, wanted: &str, otherwise: &str) -> String {
        let id = html_id(wanted, otherwise);
        let numbered = (2..).map(|n| format!("{id}-{n}"));
        let free = std::iter::once(id.clone()).chain(numbered).find(|id| !self.0.contains(id));
        let free = free.unwrap_or(id);
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_never_the_same() {
        let mut ids = Ids::default();
        let wanted = ["roc", "roc", "roc-2", "<ROC curve>", "", "é", "roc"];
        let got = wanted.map(|id| ids.next(id, "chart"));
        assert_eq!(got, ["roc", "roc-2", "roc-2-2", "roc-curve", "chart", "chart-2", "roc-3"]);
    }
}
