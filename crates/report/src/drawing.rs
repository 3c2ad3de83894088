//! What the charts are made of: texts, axes, a legend.

use std::fmt::Write;

use askama::Template;

use crate::axis::Span;
use crate::palette::SERIES;
use crate::path::Px;
use crate::text::{Cut, ROOM, SIZE, clean};

/// Width of a chart, in pixels, where its content does not need more.
pub(crate) const WIDTH: f64 = 520.0;

/// Room at the right of an axis that ends with the chart: half of the last tick's text stands there.
pub(crate) const END: f64 = 14.0;

/// Height of a line of text, in pixels.
pub(crate) const LINE: f64 = 20.0;

/// A chart as SVG elements.
pub(crate) struct Drawing {
    /// In pixels.
    pub(crate) width: f64,
    /// In pixels.
    pub(crate) height: f64,
    /// The elements.
    pub(crate) body: String,
    /// What the chart shows, in words, for those who don't see it.
    pub(crate) summary: String,
}

/// A rectangle to draw in, in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Area {
    /// The pixel at a share of the width, from the left.
    pub(crate) fn x(&self, share: f64) -> f64 {
        self.left + share * (self.right - self.left)
    }

    /// The pixel at a share of the height, from the bottom.
    pub(crate) fn y(&self, share: f64) -> f64 {
        self.bottom - share * (self.bottom - self.top)
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }
}

/// A text; `y` is its baseline.
#[derive(Template)]
#[template(path = "label.svg", whitespace = "minimize")]
pub(crate) struct Label {
    pub(crate) x: Px,
    pub(crate) y: Px,
    /// Classes of chart.css: `mid` and `end` align it at `x`.
    pub(crate) class: &'static str,
    pub(crate) text: Cut,
    /// Degrees clockwise.
    pub(crate) turn: i32,
    /// In pixels, where it isn't the usual size.
    pub(crate) size: Option<Px>,
}

impl Label {
    pub(crate) fn new(x: f64, y: f64, class: &'static str, text: Cut) -> Self {
        Self { x: Px(x), y: Px(y), class, text, turn: 0, size: None }
    }

    pub(crate) fn turned(self, degrees: i32) -> Self {
        Self { turn: degrees, ..self }
    }

    pub(crate) fn sized(self, size: f64) -> Self {
        Self { size: Some(Px(size)), ..self }
    }
}

/// The drawing of a chart with nothing in it.
pub(crate) fn nothing() -> Drawing {
    let label = Label::new(WIDTH / 2.0, 3.2 * LINE, "muted mid", Cut::whole("no data"));
    let (body, summary) = (label.to_string(), "No data.".to_owned());
    Drawing { width: WIDTH, height: 6.0 * LINE, body, summary }
}

/// Grid, axes and their texts.
#[derive(Default, Template)]
#[template(path = "axes.svg", whitespace = "minimize")]
pub(crate) struct Axes {
    grid: String,
    line: String,
    labels: Vec<Label>,
}

impl Axes {
    /// Adds the horizontal axis under `area`, with ticks as dense as their texts allow.
    pub(crate) fn horizontal(&mut self, area: Area, span: &Span, label: &str, count: usize) {
        let _ = write!(self.line, "M{} {}H{}", Px(area.left), Px(area.bottom), Px(area.right));
        for (at, text) in sparse_ticks(area, span, count) {
            let x = area.x(at);
            let _ = write!(self.line, "M{} {}v4", Px(x), Px(area.bottom));
            let y = area.bottom + 18.0;
            self.labels.push(Label::new(x, y, "tick mid", Cut::whole(text)));
        }
        if !label.is_empty() {
            let text = Cut::new(label, SIZE, area.width());
            let (x, y) = (area.x(0.5), area.bottom + 18.0 + LINE);
            self.labels.push(Label::new(x, y, "muted mid", text));
        }
    }

    /// Adds vertical grid lines over the ticks of [`Axes::horizontal`].
    pub(crate) fn columns(&mut self, area: Area, span: &Span, count: usize) {
        for (at, _) in sparse_ticks(area, span, count) {
            let _ = write!(self.grid, "M{} {}V{}", Px(area.x(at)), Px(area.top), Px(area.bottom));
        }
    }

    /// Adds the vertical axis, left of `area`, with grid lines.
    pub(crate) fn vertical(&mut self, area: Area, ticks: &[(f64, String)]) {
        for (at, text) in ticks {
            let y = area.y(*at);
            let _ = write!(self.grid, "M{} {}H{}", Px(area.left), Px(y), Px(area.right));
            let text = Cut::new(text, SIZE, TICK_WIDTH);
            self.labels.push(Label::new(area.left - 8.0, y + 4.5, "tick end", text));
        }
    }

    /// Adds an axis that stands at `x`, from `top` down to the end of `area`.
    pub(crate) fn upright(&mut self, x: f64, area: Area, top: f64) {
        let _ = write!(self.line, "M{} {}V{}", Px(x), Px(top), Px(area.bottom));
    }

    /// Adds the stroke of a tick to an axis at `x`.
    pub(crate) fn notch(&mut self, x: f64, y: f64) {
        let _ = write!(self.line, "M{} {}h4", Px(x), Px(y));
    }

    /// Adds a text.
    pub(crate) fn label(&mut self, label: Label) {
        self.labels.push(label);
    }
}

/// The widest text of a tick of a vertical axis, in pixels.
const TICK_WIDTH: f64 = 92.0;

/// The room that the texts of a vertical axis take, in pixels.
pub(crate) fn tick_room(ticks: &[(f64, String)]) -> f64 {
    let widths = ticks.iter().map(|(_, text)| Cut::new(text, SIZE, TICK_WIDTH).width(ROOM));
    widths.fold(16.0, f64::max) + 10.0
}

fn sparse_ticks(area: Area, span: &Span, count: usize) -> Vec<(f64, String)> {
    let mut ticks = Vec::new();
    for count in (1..=count).rev() {
        ticks = span.ticks(count);
        let widest = ticks.iter().map(|tick| Cut::whole(&tick.1).width(ROOM)).fold(0.0, f64::max);
        if (widest + 14.0) * ticks.len() as f64 <= area.width() + widest {
            break;
        }
    }
    ticks
}

/// How a series looks in the legend.
pub(crate) enum Swatch {
    /// A stroke of these classes.
    Line(String),
    /// A filled square of these classes.
    Square(String),
}

/// What each series is called.
#[derive(Default, Template)]
#[template(path = "legend.svg", whitespace = "minimize")]
pub(crate) struct Legend {
    keys: Vec<Key>,
    /// In pixels.
    height: f64,
}

struct Key {
    classes: String,
    path: String,
    label: Label,
}

impl Legend {
    /// Lays out the names in rows of `width`, from the top left corner of the chart on.
    pub(crate) fn new(entries: Vec<(Swatch, &str)>, width: f64) -> Self {
        let (mut x, mut y) = (0.0, 0.0);
        let mut keys = Vec::new();
        for (swatch, name) in entries {
            let swatch_width = if matches!(swatch, Swatch::Line(_)) { 26.0 } else { 18.0 };
            let text = Cut::name(called(name), SIZE, 220.0);
            let key_width = swatch_width + text.width(ROOM);
            if x > 0.0 && x + key_width > width {
                (x, y) = (0.0, y + LINE);
            }
            let (classes, path) = match swatch {
                Swatch::Line(classes) => (classes, format!("M{} {}h20", Px(x), Px(y + 9.5))),
                Swatch::Square(classes) => {
                    (classes, format!("M{} {}h11v11h-11z", Px(x + 0.5), Px(y + 4.0)))
                }
            };
            let label = Label::new(x + swatch_width, y + 14.0, "ink", text);
            keys.push(Key { classes, path, label });
            x += key_width + 16.0;
        }
        let height = if keys.is_empty() { 0.0 } else { y + LINE + 6.0 };
        Self { keys, height }
    }

    /// In pixels, with the space under it.
    pub(crate) fn height(&self) -> f64 {
        self.height
    }
}

/// A name, also of what has none.
pub(crate) fn called(name: &str) -> &str {
    if clean(name).is_empty() { "(no name)" } else { name }
}

/// The class of the `index`-th colour for lines.
pub(crate) fn stroke_class(index: usize) -> String {
    format!("s{}", index % SERIES + 1)
}

/// The class of the `index`-th colour for areas.
pub(crate) fn fill_class(index: usize) -> String {
    format!("f{}", index % SERIES + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_breaks_into_rows_within_its_width() {
        let entry = || (Swatch::Line("s1".to_owned()), "a long name of a series");
        let legend = Legend::new((0..10).map(|_| entry()).collect(), 500.0);
        assert_eq!(legend.height(), 5.0 * LINE + 6.0);
        for key in &legend.keys {
            assert!(key.label.x.0 + key.label.text.width(SIZE) <= 500.0);
        }
        assert_eq!(Legend::new(Vec::new(), 500.0).height(), 0.0);
    }

    #[test]
    fn texts_are_escaped() {
        let label = Label::new(0.0, 0.0, "ink", Cut::whole("<script>\"&'"));
        let svg = label.to_string();
        assert!(svg.contains("&#60;script&#62;&#34;&#38;&#39;"), "{svg}");
    }
}
