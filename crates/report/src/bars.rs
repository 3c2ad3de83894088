//! Horizontal bars in groups.

use askama::Template;

use crate::axis::{Scale, Span};
use crate::drawing::{
    Area, Axes, Drawing, LINE, Label, Legend, Swatch, WIDTH, called, fill_class, nothing,
};
use crate::number::{column, short};
use crate::path::Px;
use crate::text::{Cut, ROOM, SIZE, width};

/// Horizontal bars, one group for each name: importances, the balance of the classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// What the values are.
    pub label: String,
    /// Names of the groups, from the top.
    pub names: Vec<String>,
    /// In each group one bar for each series; a legend names them if there are several.
    pub series: Vec<BarSeries>,
}

/// One bar for each name.
#[derive(Debug, Clone, PartialEq)]
pub struct BarSeries {
    /// What the legend calls it.
    pub name: String,
    /// In the order of the names; what is missing or not finite has no bar.
    pub values: Vec<f64>,
    /// How far a value may lie to either side, at least 0: drawn as a whisker.
    pub spread: Option<Vec<f64>>,
}

#[derive(Template)]
#[template(path = "bars.svg", whitespace = "minimize")]
struct View {
    axes: Axes,
    legend: Legend,
    bars: Vec<Bar>,
    whiskers: String,
    zero: String,
    labels: Vec<Label>,
}

struct Bar {
    path: String,
    class: String,
    title: String,
}

/// The widest name, in pixels.
const NAME_WIDTH: f64 = 170.0;

impl BarSeries {
    fn value(&self, i: usize) -> Option<f64> {
        self.values.get(i).copied().filter(|&value| Scale::Linear.shows(value))
    }

    /// The ends of the whisker of a bar.
    fn ends(&self, i: usize) -> Option<(f64, f64)> {
        let (value, spread) = (self.value(i)?, *self.spread.as_ref()?.get(i)?);
        let ends = (value - spread, value + spread);
        (spread >= 0.0 && Scale::Linear.shows(ends.0) && Scale::Linear.shows(ends.1))
            .then_some(ends)
    }
}

/// What all bars of a chart have in common, in pixels.
struct Row {
    zero: f64,
    left: f64,
    right: f64,
    thick: f64,
    span: Span,
}

impl Row {
    fn x(&self, value: f64) -> f64 {
        self.left + self.span.at(value) * (self.right - self.left)
    }

    /// The bar of the `i`-th value of a series, whose top is at `y`, and where it ends on the right,
    /// with its whisker.
    fn bar(
        &self,
        name: &str,
        i: usize,
        colour: usize,
        series: &BarSeries,
        y: f64,
        whiskers: &mut String,
    ) -> Option<(Bar, f64)> {
        let value = series.value(i)?;
        let (zero, x, thick) = (Px(self.zero), self.x(value), self.thick - 1.0);
        let path = format!("M{zero} {}H{}v{}H{zero}z", Px(y), Px(x), Px(thick));
        let mut title = format!("{}: {}", Cut::name(called(name), SIZE, 300.0).shown, short(value));
        let mut end = x.max(self.zero);
        if let Some((lo, hi)) = series.ends(i) {
            title += &format!(" ± {}", short(hi - value));
            let (lo, hi, middle) = (self.x(lo), self.x(hi), y + thick / 2.0);
            *whiskers += &format!("M{} {}H{}", Px(lo), Px(middle), Px(hi));
            for x in [lo, hi] {
                *whiskers += &format!("M{} {}v6", Px(x), Px(middle - 3.0));
            }
            end = end.max(hi);
        }
        Some((Bar { path, class: fill_class(colour), title }, end))
    }
}

impl Bars {
    pub(crate) fn draw(&self) -> Drawing {
        let cells = || {
            let names = 0..self.names.len();
            names
                .flat_map(|i| self.series.iter().enumerate().map(move |(s, series)| (i, s, series)))
        };
        let values = cells().filter_map(|(i, _, series)| series.value(i));
        let ends = cells().filter_map(|(i, _, series)| series.ends(i));
        if values.clone().next().is_none() {
            return nothing();
        }
        let reach = values.chain(ends.flat_map(|(lo, hi)| [lo, hi])).chain([0.0]);
        // Bars of no length still start at the left.
        let range = reach.clone().all(|value| value == 0.0).then_some((0.0, 1.0));
        let span = Span::new(range, Scale::Linear, reach);

        let names = self.names.iter().map(|name| Cut::name(called(name), SIZE, NAME_WIDTH));
        let names: Vec<_> = names.collect();
        let left = names.iter().map(|name| name.width(ROOM)).fold(20.0, f64::max) + 10.0;
        let legend = Legend::new(self.legend(), WIDTH);
        let top = legend.height() + 4.0;
        let alone = self.series.len() == 1;
        let (thick, gap) = if alone { (15.0, 9.0) } else { (11.0, 12.0) };
        let group = thick * self.series.len() as f64 + gap;
        let numbers = if alone { self.numbers() } else { Vec::new() };
        let room = numbers.iter().map(|text| width(text, ROOM)).fold(8.0, f64::max) + 6.0;
        let bottom = top + group * names.len() as f64;
        let area = Area { left, top, right: WIDTH - room, bottom };

        let mut axes = Axes::default();
        axes.columns(area, &span, 5);
        axes.horizontal(area, &span, &self.label, 5);
        let zero = area.x(span.at(0.0));
        let mut view = View {
            axes,
            legend,
            bars: Vec::new(),
            whiskers: String::new(),
            zero: format!("M{} {}V{}", Px(zero), Px(area.top), Px(area.bottom)),
            labels: Vec::new(),
        };
        for (i, name) in names.into_iter().enumerate() {
            let y = area.top + group * (i as f64 + 0.5) + 4.5;
            view.labels.push(Label::new(left - 10.0, y, "ink end", name));
        }
        let row = Row { zero, left: area.left, right: area.right, thick, span };
        for (i, s, series) in cells() {
            let y = area.top + group * i as f64 + gap / 2.0 + thick * s as f64;
            let Some((bar, end)) = row.bar(&self.names[i], i, s, series, y, &mut view.whiskers)
            else {
                continue;
            };
            view.bars.push(bar);
            if let Some(text) = numbers.get(i) {
                let text = Cut::whole(text);
                view.labels.push(Label::new(end + 6.0, y + thick / 2.0 + 4.0, "tick", text));
            }
        }
        let height = area.bottom + 24.0 + if self.label.is_empty() { 0.0 } else { LINE };
        Drawing { width: WIDTH, height, body: view.to_string(), summary: self.summary() }
    }

    /// The texts of the only series' values.
    fn numbers(&self) -> Vec<String> {
        let series = &self.series[0];
        // A value without a bar has no text either, and no say in the others' decimals.
        column(&(0..self.names.len()).map(|i| series.value(i).unwrap_or(0.0)).collect::<Vec<_>>())
    }

    fn legend(&self) -> Vec<(Swatch, &str)> {
        if self.series.len() < 2 {
            return Vec::new();
        }
        let series = self.series.iter().enumerate();
        series.map(|(i, series)| (Swatch::Square(fill_class(i)), series.name.as_str())).collect()
    }

    fn summary(&self) -> String {
        let series = self.series.iter().map(|series| {
            let values = self.names.iter().take(30).enumerate().filter_map(|(i, name)| {
                let name = Cut::new(called(name), SIZE, 300.0).shown;
                Some(format!("{name} {}", short(series.value(i)?)))
            });
            let name = Cut::new(called(&series.name), SIZE, 300.0).shown;
            format!("{name}: {}.", values.collect::<Vec<_>>().join(", "))
        });
        series.take(10).collect::<Vec<_>>().join(" ")
    }
}
