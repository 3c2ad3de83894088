//! Lines across several vertical axes.

use askama::Template;

use crate::axis::{Scale, Span};
use crate::drawing::{
    Area, Axes, Drawing, LINE, Label, Legend, Swatch, WIDTH, called, nothing, stroke_class,
};
use crate::number::short;
use crate::path::{path, runs};
use crate::text::{Cut, ROOM, SIZE, clean};

/// One line for each of many things, across vertical axes that stand side by side: the trials of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// From the left.
    pub axes: Vec<ParallelAxis>,
    /// Those drawn later lie over those drawn earlier.
    pub lines: Vec<ParallelLine>,
}

/// A vertical axis among others.
#[derive(Debug, Clone, PartialEq)]
pub struct ParallelAxis {
    /// What it shows.
    pub label: String,
    /// What stands on it.
    pub values: ParallelValues,
}

/// What stands on a vertical axis among others.
#[derive(Debug, Clone, PartialEq)]
pub enum ParallelValues {
    /// Numbers, laid out so.
    Numbers(Scale),
    /// Names, of which a line has one by its index.
    Names(Vec<String>),
}

/// One line across all axes.
#[derive(Debug, Clone, PartialEq)]
pub struct ParallelLine {
    /// What it stands for.
    pub name: String,
    /// One for each axis; what is missing, or what the axis can't show, is a gap.
    pub values: Vec<f64>,
    /// How it is drawn.
    pub style: ParallelStyle,
}

/// How a line across axes is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParallelStyle {
    /// The stronger, the higher the share in [0, 1].
    Shade(f64),
    /// Faint and dashed.
    Faint,
    /// In a colour of its own; the legend names it.
    Marked,
}

/// The distance from one axis to the next, in pixels, which a tick's text has to fit into.
const STEP: f64 = 92.0;

/// The height of the axes, in pixels.
const HEIGHT: f64 = 260.0;

/// The most axes that are drawn.
const MOST_AXES: usize = 24;

/// Of the colours of a matrix's cells, those that can be seen as lines, from the faintest.
const SHADES: [usize; 5] = [3, 4, 6, 8, 10];

#[derive(Template)]
#[template(path = "parallel.svg", whitespace = "minimize")]
struct View {
    legend: Legend,
    strokes: Vec<Stroke>,
    axes: Axes,
    ticks: Vec<Label>,
}

struct Stroke {
    name: String,
    classes: String,
    path: String,
}

/// Where the values of an axis lie.
enum Layout<'a> {
    Numbers(Scale, Span),
    Names(&'a [String]),
}

impl Layout<'_> {
    /// From 0 at the bottom to 1 at the top; `None` where it can't be shown.
    fn at(&self, value: f64) -> Option<f64> {
        match self {
            Self::Numbers(scale, span) => scale.shows(value).then(|| span.at(value)),
            Self::Names(names) => {
                let known = value >= 0.0 && value.fract() == 0.0 && value < names.len() as f64;
                known.then(|| name_place(value as usize, names.len()))
            }
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Numbers(_, span) => span.ticks(5),
            Self::Names(names) => {
                // Names closer than a line would lie over each other.
                let every = (names.len() as f64 * LINE / HEIGHT).ceil().max(1.0) as usize;
                let place = |i| name_place(i, names.len());
                let shown = names.iter().enumerate().step_by(every);
                shown.map(|(i, name)| (place(i), name.clone())).collect()
            }
        }
    }

    fn text(&self, value: f64) -> String {
        match self {
            Self::Numbers(..) => short(value),
            Self::Names(names) => names.get(value as usize).cloned().unwrap_or_default(),
        }
    }
}

/// The places of names, with as much room above the last as below the first.
fn name_place(index: usize, count: usize) -> f64 {
    (index as f64 + 0.5) / count as f64
}

impl Parallel {
    pub(crate) fn draw(&self) -> Drawing {
        let axes = &self.axes[..self.axes.len().min(MOST_AXES)];
        let layouts: Vec<Layout<'_>> =
            axes.iter().enumerate().map(|(i, axis)| self.layout(i, axis)).collect();
        let marked = self.lines.iter().filter(|line| line.style == ParallelStyle::Marked);
        let keys = marked.map(|line| (Swatch::Line(classes(line.style)), line.name.as_str()));
        let legend = Legend::new(keys.collect(), WIDTH);
        // The labels of neighbours stand in two rows, each with the room of two.
        let top = legend.height() + 2.0 * LINE + 6.0;
        let area = Area { left: 10.0, top, right: WIDTH, bottom: top + HEIGHT };
        let x = |i: usize| area.left + STEP * i as f64;

        let mut view =
            View { legend, strokes: Vec::new(), axes: Axes::default(), ticks: Vec::new() };
        let mut end = WIDTH;
        for (i, (axis, layout)) in axes.iter().zip(&layouts).enumerate() {
            let row = label_row(i, &view.legend);
            let text = Cut::name(called(&axis.label), SIZE, (2.0 * STEP - 12.0) * SIZE / ROOM);
            end = end.max(x(i) - 4.0 + text.width(ROOM)).max(x(i) + STEP / 2.0);
            view.axes.label(Label::new(x(i) - 4.0, row, "ink", text));
            view.axes.upright(x(i), area, row + 5.0);
            for (at, text) in layout.ticks() {
                let (y, text) = (area.y(at), Cut::name(&text, SIZE, (STEP - 14.0) * SIZE / ROOM));
                end = end.max(x(i) + 7.0 + text.width(ROOM));
                view.axes.notch(x(i), y);
                view.ticks.push(Label::new(x(i) + 7.0, y + 4.5, "tick halo", text));
            }
        }
        view.strokes = self
            .lines
            .iter()
            .filter_map(|line| {
                let places = layouts
                    .iter()
                    .enumerate()
                    .map(|(i, layout)| Some((x(i), area.y(layout.at(*line.values.get(i)?)?))));
                let path = path(&runs(places));
                let (name, classes) = (clean(&line.name), classes(line.style));
                (!path.is_empty()).then_some(Stroke { name, classes, path })
            })
            .collect();
        if view.strokes.is_empty() {
            return nothing();
        }
        let (width, height) = (end.ceil(), area.bottom + 12.0);
        let summary = self.summary(&layouts);
        Drawing { width, height, body: view.to_string(), summary }
    }

    fn layout<'a>(&'a self, i: usize, axis: &'a ParallelAxis) -> Layout<'a> {
        match &axis.values {
            ParallelValues::Names(names) => Layout::Names(names),
            ParallelValues::Numbers(scale) => {
                let values = self.lines.iter().filter_map(|line| line.values.get(i).copied());
                let values = values.filter(|value| scale.shows(*value));
                Layout::Numbers(*scale, Span::new(None, *scale, values).rounded(5))
            }
        }
    }

    fn summary(&self, layouts: &[Layout<'_>]) -> String {
        let name = |text: &str| Cut::new(called(text), SIZE, 300.0).shown;
        let labels: Vec<String> =
            self.axes.iter().take(layouts.len()).map(|axis| name(&axis.label)).collect();
        let mut summary = format!("{} lines across {}.", self.lines.len(), labels.join(", "));
        let marked = self.lines.iter().filter(|line| line.style == ParallelStyle::Marked);
        for line in marked.take(3) {
            let values = labels.iter().zip(layouts).zip(&line.values);
            let values = values.filter(|((_, layout), value)| layout.at(**value).is_some());
            let values: Vec<String> = values
                .map(|((label, layout), value)| format!("{label} {}", name(&layout.text(*value))))
                .collect();
            summary += &format!(" {}: {}.", name(&line.name), values.join(", "));
        }
        summary
    }
}

/// The baseline of the label of an axis.
fn label_row(i: usize, legend: &Legend) -> f64 {
    legend.height() + 13.0 + LINE * (i % 2) as f64
}

fn classes(style: ParallelStyle) -> String {
    match style {
        ParallelStyle::Marked => format!("line {}", stroke_class(1)),
        ParallelStyle::Faint => "across d2 l3".to_owned(),
        ParallelStyle::Shade(share) => {
            let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
            let shade = (share * SHADES.len() as f64) as usize;
            format!("across l{}", SHADES[shade.min(SHADES.len() - 1)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[&[f64]]) -> Parallel {
        let axis = |label: &str, values| ParallelAxis { label: label.into(), values };
        let line = |values: &&[f64]| ParallelLine {
            name: "a".into(),
            values: values.to_vec(),
            style: ParallelStyle::Shade(1.0),
        };
        Parallel {
            axes: vec![
                axis("rate", ParallelValues::Numbers(Scale::Log)),
                axis("kind", ParallelValues::Names(vec!["x".into(), "y".into()])),
                axis("loss", ParallelValues::Numbers(Scale::Linear)),
            ],
            lines: values.iter().map(line).collect(),
        }
    }

    #[test]
    fn equal_ratios_are_equally_far_apart_and_names_have_their_places() {
        let chart = chart(&[&[0.1, 0.0, 1.0], &[1.0, 1.0, 2.0], &[10.0, 1.0, 3.0]]);
        let layouts: Vec<_> =
            chart.axes.iter().enumerate().map(|(i, axis)| chart.layout(i, axis)).collect();
        let at = |value| layouts[0].at(value).unwrap();
        assert!((at(10.0) - at(1.0) - (at(1.0) - at(0.1))).abs() < 1e-12);
        assert_eq!((layouts[1].at(0.0), layouts[1].at(1.0)), (Some(0.25), Some(0.75)));
        assert_eq!(
            (layouts[1].at(2.0), layouts[1].at(0.5), layouts[0].at(0.0)),
            (None, None, None)
        );
    }

    #[test]
    fn what_an_axis_cannot_show_is_a_gap() {
        let body = chart(&[&[0.1, 7.0, 1.0], &[1.0, 0.0, f64::NAN], &[0.5]]).draw().body;
        assert_eq!(body.matches("class=\"across").count(), 1, "{body}");
        assert!(chart(&[&[0.1, 7.0, 1.0], &[0.5]]).draw().body.contains("no data"));
    }

    #[test]
    fn a_marked_line_is_named_and_told() {
        let mut chart = chart(&[&[0.1, 1.0, 1.0], &[1.0, 0.0, 2.0]]);
        chart.lines[0].style = ParallelStyle::Marked;
        let drawing = chart.draw();
        assert_eq!(
            drawing.summary,
            "2 lines across rate, kind, loss. a: rate 0.100, kind y, loss 1."
        );
        assert_eq!(drawing.body.matches("class=\"line s2\"").count(), 2, "line and key");
    }

    #[test]
    fn stronger_shades_are_of_higher_shares() {
        let shades = [f64::NAN, -1.0, 0.3, 0.5, 0.99, 1.0, 7.0];
        let classes = shades.map(|share| classes(ParallelStyle::Shade(share)));
        let expected = ["l3", "l3", "l4", "l6", "l10", "l10", "l10"];
        assert_eq!(classes, expected.map(|class| format!("across {class}")));
    }
}
