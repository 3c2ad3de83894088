//! Lines over a common axis.

use askama::Template;

use crate::axis::{Axis, Span};
use crate::drawing::{
    Area, Axes, Drawing, END, LINE, Label, Legend, Swatch, WIDTH, called, fill_class, nothing,
    stroke_class, tick_room,
};
use crate::number::short;
use crate::palette::SERIES;
use crate::path::{Px, path, runs, thin};
use crate::text::{Cut, ROOM, SIZE, clean};

/// Lines over a common axis: a loss curve, a ROC curve, a reliability diagram.
///
/// Where both axes have the same range and scale, the chart is square.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines; a legend names them if there are several.
    pub lines: Vec<Line>,
    /// Vertical markers.
    pub marks: Vec<Mark>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// In the order in which they are joined. At a point that the axes can't show there is a gap.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: LineStyle,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineStyle {
    /// A solid line.
    Solid,
    /// A dashed line.
    Dashed,
    /// A thin grey line to compare the others with, such as the diagonal of a ROC chart.
    Reference,
    /// Dots joined by a line.
    Points,
}

/// A vertical marker, such as the best epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where it stands on the horizontal axis; outside of what the axis spans it is left out.
    pub x: f64,
    /// What it marks.
    pub label: String,
}

/// More dots than this are drawn as a line alone.
const DOTS: usize = 200;

#[derive(Template)]
#[template(path = "lines.svg", whitespace = "minimize")]
struct View {
    clip: String,
    clip_area: String,
    axes: Axes,
    legend: Legend,
    marks: String,
    mark_labels: Vec<Label>,
    strokes: Vec<Stroke>,
}

struct Stroke {
    name: String,
    classes: String,
    path: String,
    dots: Vec<Dot>,
    dot_class: String,
}

struct Dot {
    x: Px,
    y: Px,
    title: String,
}

impl Lines {
    pub(crate) fn draw(&self, id: &str) -> Drawing {
        let (xs, ys) = (self.x.scale, self.y.scale);
        let shown = |line: &Line| line.points.iter().any(|p| xs.shows(p.0) && ys.shows(p.1));
        if !self.lines.iter().any(shown) {
            return nothing();
        }
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let points = || points().filter(|p| xs.shows(p.0) && ys.shows(p.1));
        let x = Span::new(self.x.range, xs, points().map(|p| p.0));
        let y = Span::new(self.y.range, ys, points().map(|p| p.1));
        let y = if self.y.range.is_none() { y.rounded(5) } else { y };

        let y_ticks = y.ticks(5);
        let room = tick_room(&y_ticks);
        let square = self.x.range.is_some() && (self.x.range, xs) == (self.y.range, ys);
        let (side, height) = if square { (380.0, 380.0) } else { (WIDTH - END - room, 250.0) };
        let legend = Legend::new(self.legend(), WIDTH);
        let y_label = Cut::new(&self.y.label, SIZE, WIDTH);
        let mut top = legend.height();
        if !y_label.shown.is_empty() {
            top += LINE;
        }
        let marks: Vec<_> = self.marks.iter().filter(|mark| xs.shows(mark.x)).collect();
        let marks = marks.into_iter().map(|mark| (x.at(mark.x), mark.label.as_str()));
        let marks: Vec<_> = marks.filter(|(at, _)| (0.0..=1.0).contains(at)).collect();
        let across = Area { left: room, top: 0.0, right: room + side, bottom: 0.0 };
        let (mut mark_labels, rows) = place_marks(&marks, across);
        for label in &mut mark_labels {
            label.y.0 += top;
        }
        top += if rows == 0 { 8.0 } else { rows as f64 * LINE };
        let area = Area { top, bottom: top + height, ..across };

        let mut axes = Axes::default();
        axes.vertical(area, &y_ticks);
        if square {
            axes.columns(area, &x, 5);
        }
        axes.horizontal(area, &x, &self.x.label, if square { 5 } else { 7 });
        if !y_label.shown.is_empty() {
            axes.label(Label::new(0.0, legend.height() + 14.0, "muted", y_label));
        }
        let view = View {
            clip: format!("{id}_clip"),
            clip_area: rectangle(area),
            axes,
            legend,
            marks: marks.iter().fold(String::new(), |path, (at, _)| {
                format!("{path}M{} {}V{}", Px(area.x(*at)), Px(area.top), Px(area.bottom))
            }),
            mark_labels,
            strokes: self.strokes(area, &x, &y),
        };
        let height = area.bottom + 24.0 + if self.x.label.is_empty() { 0.0 } else { LINE };
        Drawing { width: WIDTH, height, body: view.to_string(), summary: self.summary() }
    }

    /// The classes of each line's stroke, and the index of its colour.
    fn classes(&self) -> impl Iterator<Item = (String, usize, &Line)> {
        let mut coloured = 0;
        self.lines.iter().map(move |line| {
            if line.style == LineStyle::Reference {
                return ("ref".to_owned(), 0, line);
            }
            let index = coloured;
            coloured += 1;
            let again = index / SERIES;
            let dashes = match (line.style, again) {
                (LineStyle::Dashed, 0) => " d1",
                (LineStyle::Dashed, _) => " d3",
                (_, 0) => "",
                (_, 1) => " d2",
                (_, _) => " d4",
            };
            (format!("line {}{dashes}", stroke_class(index)), index, line)
        })
    }

    fn legend(&self) -> Vec<(Swatch, &str)> {
        if self.lines.len() < 2 {
            return Vec::new();
        }
        self.classes().map(|(class, _, line)| (Swatch::Line(class), line.name.as_str())).collect()
    }

    fn strokes(&self, area: Area, x: &Span, y: &Span) -> Vec<Stroke> {
        let columns = area.width() as usize;
        // Far outside the chart, which is cut at its edges, a point needs no exact place.
        let near = |share: f64| share.clamp(-100.0, 100.0);
        let place = |&(px, py): &(f64, f64)| {
            let shown = self.x.scale.shows(px) && self.y.scale.shows(py);
            shown.then(|| (area.x(near(x.at(px))), area.y(near(y.at(py)))))
        };
        let stroke = |(classes, index, line): (String, usize, &Line)| {
            let runs = runs(line.points.iter().map(place));
            let dotted = line.style == LineStyle::Points && line.points.len() <= DOTS;
            let within = |&&(x, y): &&(f64, f64)| {
                (area.left - 0.01..=area.right + 0.01).contains(&x)
                    && (area.top - 0.01..=area.bottom + 0.01).contains(&y)
            };
            let dots = if dotted {
                let places = line.points.iter().filter_map(|p| Some((place(p)?, p)));
                let places = places.filter(|(place, _)| within(&place));
                places.map(|(at, p)| dot(at, format!("{}, {}", short(p.0), short(p.1)))).collect()
            } else {
                // A point between two gaps is no line.
                let alone = runs.iter().filter(|run| run.len() == 1).map(|run| &run[0]);
                let alone: Vec<_> = alone.filter(within).copied().collect();
                let alone = thin(&alone, 2 * columns);
                alone.into_iter().map(|at| dot(at, String::new())).collect()
            };
            let thinned: Vec<_> = runs.iter().map(|run| thin(run, 2 * columns)).collect();
            let dot_class = match line.style {
                LineStyle::Reference => "fref".to_owned(),
                _ => fill_class(index),
            };
            Stroke { name: clean(&line.name), classes, path: path(&thinned), dots, dot_class }
        };
        // What the lines are compared with lies behind them.
        let (behind, lines): (Vec<_>, Vec<_>) =
            self.classes().partition(|(_, _, line)| line.style == LineStyle::Reference);
        behind.into_iter().chain(lines).map(stroke).collect()
    }

    fn summary(&self) -> String {
        let lines = self.lines.iter().filter(|line| line.style != LineStyle::Reference);
        let sentence = |line: &Line| {
            let ys = line.points.iter().map(|p| p.1).filter(|&y| self.y.scale.shows(y));
            let (first, last) = (ys.clone().next()?, ys.clone().next_back()?);
            let (low, high) = (ys.clone().fold(first, f64::min), ys.fold(first, f64::max));
            let [first, last, low, high] = [first, last, low, high].map(short);
            let name = Cut::new(called(&line.name), SIZE, 300.0).shown;
            Some(format!("{name}: from {first} to {last}, lowest {low}, highest {high}."))
        };
        lines.take(20).filter_map(sentence).collect::<Vec<_>>().join(" ")
    }
}

fn dot((x, y): (f64, f64), title: String) -> Dot {
    Dot { x: Px(x), y: Px(y), title }
}

fn rectangle(area: Area) -> String {
    // Half a stroke and a dot at the edge are whole.
    let edge = 4.0;
    let (left, top) = (Px(area.left - edge), Px(area.top - edge));
    let (right, bottom) = (Px(area.right + edge), Px(area.bottom + edge));
    format!("M{left} {top}H{right}V{bottom}H{left}z")
}

/// Texts of the marks, in as few rows as they need, and how many; those beyond four rows have none.
fn place_marks(marks: &[(f64, &str)], area: Area) -> (Vec<Label>, usize) {
    let mut rows: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut labels = Vec::new();
    for &(at, label) in marks {
        let x = area.x(at);
        // On the right of the mark, unless there is more room on the left and it is needed.
        let wanted = Cut::new(label, SIZE, area.width() * 0.7).width(ROOM);
        let after = x + wanted <= area.right || area.right - x >= x;
        let room = if after { area.right - x } else { x };
        let text = Cut::new(label, SIZE, (room * SIZE / ROOM).min(area.width() * 0.7));
        if text.shown.is_empty() {
            continue;
        }
        let width = text.width(ROOM);
        let place = if after { (x, x + width) } else { (x - width, x) };
        let free = |row: &Vec<(f64, f64)>| {
            row.iter().all(|taken| place.0 > taken.1 + 8.0 || place.1 < taken.0 - 8.0)
        };
        let row = rows.iter().position(free).unwrap_or(rows.len());
        if row == 4 {
            continue;
        }
        if row == rows.len() {
            rows.push(Vec::new());
        }
        rows[row].push(place);
        let class = if after { "ink" } else { "ink end" };
        labels.push(Label::new(x, row as f64 * LINE + 13.0, class, text));
    }
    (labels, rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Scale;

    fn lines(points: &[(f64, f64)], scale: Scale) -> Lines {
        let axis = |scale| Axis { label: String::new(), range: None, scale };
        let line = Line { name: "a".into(), points: points.to_vec(), style: LineStyle::Solid };
        Lines { x: axis(Scale::Linear), y: axis(scale), lines: vec![line], marks: Vec::new() }
    }

    #[test]
    fn a_point_between_gaps_is_a_dot() {
        let nan = f64::NAN;
        let chart = lines(&[(0.0, 1.0), (1.0, 2.0), (2.0, nan), (3.0, 4.0)], Scale::Linear);
        let body = chart.draw("x").body;
        assert_eq!(body.matches("<circle").count(), 1, "{body}");
    }

    #[test]
    fn a_log_axis_leaves_out_what_is_not_positive() {
        let chart = lines(&[(0.0, 0.0), (1.0, -2.0)], Scale::Log);
        assert!(chart.draw("x").body.contains("no data"));
    }

    #[test]
    fn marks_that_would_overlap_are_in_rows_and_those_outside_are_left_out() {
        let area = Area { left: 0.0, top: 0.0, right: 400.0, bottom: 0.0 };
        let marks = [(0.1, "best epoch 12"), (0.12, "stopped"), (0.9, "a text at the right end")];
        let (labels, rows) = place_marks(&marks, area);
        assert_eq!((labels.len(), rows), (3, 2));
        assert_eq!(labels[2].class, "ink end");
        let long = "w".repeat(100);
        let (labels, _) = place_marks(&[(0.6, &long), (0.0, &long)], area);
        assert!(labels[0].text.width(ROOM) <= 240.0 && labels[1].text.width(ROOM) <= 400.0);

        let mut chart = lines(&[(0.0, 1.0), (10.0, 2.0)], Scale::Linear);
        chart.marks = [f64::NAN, -1.0, 11.0, 5.0].map(|x| Mark { x, label: "m".into() }).into();
        assert_eq!(chart.draw("x").body.matches(">m<").count(), 1);
    }

    #[test]
    fn the_eighth_line_has_the_first_colour_with_dashes() {
        let mut chart = lines(&[], Scale::Linear);
        chart.lines = vec![chart.lines[0].clone(); 8];
        chart.lines[2].style = LineStyle::Reference;
        let classes: Vec<_> = chart.classes().map(|c| c.0).collect();
        assert_eq!((&*classes[0], &*classes[2], &*classes[7]), ("line s1", "ref", "line s7"));
        chart.lines.push(chart.lines[0].clone());
        assert_eq!(chart.classes().last().unwrap().0, "line s1 d2");
    }
}
