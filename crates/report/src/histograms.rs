//! Distributions side by side.

use askama::Template;

use crate::axis::{Scale, Span};
use crate::drawing::{
    Area, Axes, Drawing, END, LINE, Label, Legend, Swatch, WIDTH, called, fill_class, nothing,
    stroke_class, tick_room,
};
use crate::path::{path, thin};
use crate::text::{Cut, SIZE, clean};

/// Distributions over one axis, in panels side by side whose axes are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Histograms {
    /// What the horizontal axis shows.
    pub label: String,
    /// The start of the first bin and the end of the last one; a range without width counts as (0, 1).
    pub range: (f64, f64),
    /// From the left, then from the top.
    pub panels: Vec<Panel>,
}

/// One panel: distributions drawn over each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Stands over it.
    pub title: String,
    /// A series has the same colour in each panel that holds one of its name.
    pub series: Vec<HistogramSeries>,
}

/// How often the values of a series fall into each bin; bins are equally wide.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSeries {
    /// What the legend calls it.
    pub name: String,
    /// Drawn as shares of their sum; what is not a positive number counts as 0.
    pub counts: Vec<f64>,
}

#[derive(Template)]
#[template(path = "histograms.svg", whitespace = "minimize")]
struct View {
    legend: Legend,
    panels: Vec<PanelView>,
}

struct PanelView {
    axes: Axes,
    title: Label,
    series: Vec<SeriesView>,
}

struct SeriesView {
    name: String,
    area: String,
    outline: String,
    fill: String,
    stroke: String,
}

impl HistogramSeries {
    /// Shares of the bins; none if all counts are 0.
    fn shares(&self) -> Vec<f64> {
        let count = |&count: &f64| if count.is_finite() { count.max(0.0) } else { 0.0 };
        let largest = self.counts.iter().map(count).fold(0.0, f64::max);
        if largest == 0.0 {
            return Vec::new();
        }
        // Relative to the largest one, so that the sum is finite.
        let total: f64 = self.counts.iter().map(|c| count(c) / largest).sum();
        self.counts.iter().map(|c| count(c) / largest / total).collect()
    }
}

impl Histograms {
    pub(crate) fn draw(&self) -> Drawing {
        let shares = self.panels.iter().flat_map(|panel| &panel.series);
        let highest = shares.flat_map(HistogramSeries::shares).fold(0.0, f64::max);
        if highest == 0.0 {
            return nothing();
        }
        let range = Span::new(Some(self.range), Scale::Linear, [0.0, 1.0].into_iter());
        let columns = match self.panels.len() {
            1 => 1,
            2 | 4 => 2,
            _ => 3,
        };
        let y = Span::new(Some((0.0, highest * 100.0)), Scale::Linear, [0.0, 1.0].into_iter());
        let y = y.rounded(3);
        let y_ticks: Vec<_> = y.ticks(3).into_iter().map(|(at, t)| (at, format!("{t}%"))).collect();
        let room = tick_room(&y_ticks);
        let names = self.names();
        let legend = Legend::new(Self::legend(&names), WIDTH);

        let gap = 36.0;
        let titled = self.panels.iter().any(|panel| !clean(&panel.title).is_empty());
        let title_room = if titled { LINE + 4.0 } else { 8.0 };
        let wide = (WIDTH - room - END - gap * (columns as f64 - 1.0)) / columns as f64;
        let tall = if columns == 1 { 200.0 } else { 110.0 };
        let row_height = tall + title_room + 30.0;
        let rows = self.panels.len().div_ceil(columns);
        let mut panels = Vec::new();
        for (i, panel) in self.panels.iter().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let left = room + (wide + gap) * column as f64;
            let top = legend.height() + row_height * row as f64 + title_room;
            let area = Area { left, top, right: left + wide, bottom: top + tall };
            let mut axes = Axes::default();
            let ticks = y_ticks
                .iter()
                .map(|(at, text)| (*at, if column == 0 { text.clone() } else { String::new() }));
            axes.vertical(area, &ticks.collect::<Vec<_>>());
            axes.horizontal(area, &range, "", if columns == 1 { 7 } else { 3 });
            let title = Cut::name(&panel.title, SIZE, wide);
            let title = Label::new(left, top - 9.0, "ink", title);
            let series = panel.series.iter().filter_map(|series| {
                let colour = names.iter().position(|name| *name == series.name)?;
                series_view(series, colour, area, &y)
            });
            panels.push(PanelView { axes, title, series: series.collect() });
        }
        let mut height = legend.height() + row_height * rows as f64;
        if !clean(&self.label).is_empty() {
            height += LINE;
            if let Some(panel) = panels.last_mut() {
                let text = Cut::new(&self.label, SIZE, WIDTH - room);
                let x = room + (WIDTH - room - END) / 2.0;
                panel.axes.label(Label::new(x, height - 14.0, "muted mid", text));
            }
        }
        let body = View { legend, panels }.to_string();
        Drawing { width: WIDTH, height: height - 6.0, body, summary: self.summary(&names) }
    }

    /// The names of the series, each once.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        names
    }

    fn legend<'a>(names: &[&'a str]) -> Vec<(Swatch, &'a str)> {
        if names.len() < 2 {
            return Vec::new();
        }
        let swatch = |i| Swatch::Square(format!("half {} {}", fill_class(i), stroke_class(i)));
        names.iter().enumerate().map(|(i, name)| (swatch(i), *name)).collect()
    }

    fn summary(&self, names: &[&str]) -> String {
        let short = |text: &&str| Cut::new(called(text), SIZE, 300.0).shown;
        let titles = self.panels.iter().map(|panel| panel.title.as_str()).take(50);
        let titles: Vec<_> = titles.map(|title| short(&title)).collect();
        let names: Vec<_> = names.iter().take(20).map(short).collect();
        format!("Panels: {}. Series: {}.", titles.join(", "), names.join(", "))
    }
}

fn series_view(
    series: &HistogramSeries,
    colour: usize,
    area: Area,
    y: &Span,
) -> Option<SeriesView> {
    let shares = series.shares();
    let bins = shares.len() as f64;
    let steps = shares.iter().enumerate().flat_map(|(i, share)| {
        let at = area.y(y.at(share * 100.0));
        [(area.x(i as f64 / bins), at), (area.x((i + 1) as f64 / bins), at)]
    });
    let mut outline = vec![(area.left, area.bottom)];
    outline.extend(steps);
    outline.push((area.right, area.bottom));
    let outline = path(&[thin(&outline, 2 * area.width() as usize)]);
    (!shares.is_empty()).then(|| SeriesView {
        name: clean(&series.name),
        area: format!("{outline}z"),
        outline,
        fill: fill_class(colour),
        stroke: stroke_class(colour),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(counts: &[f64]) -> Vec<f64> {
        HistogramSeries { name: String::new(), counts: counts.to_vec() }.shares()
    }

    #[test]
    fn shares_sum_to_one_whatever_the_counts() {
        assert_eq!(shares(&[1.0, 3.0]), [0.25, 0.75]);
        assert_eq!(shares(&[1e308, f64::NAN, 1e308, -5.0]), [0.5, 0.0, 0.5, 0.0]);
        assert_eq!(shares(&[0.0, f64::INFINITY]), [0.0; 0]);
    }

    #[test]
    fn a_series_keeps_its_colour_from_panel_to_panel() {
        let series = |name: &str| HistogramSeries { name: name.into(), counts: vec![1.0, 2.0] };
        let panel = |names: &[&str]| Panel {
            title: String::new(),
            series: names.iter().map(|name| series(name)).collect(),
        };
        let panels = vec![panel(&["a", "b"]), panel(&["b"])];
        let histograms = Histograms { label: String::new(), range: (0.0, 1.0), panels };
        let body = histograms.draw().body;
        assert_eq!(body.matches("line s2").count(), 2, "{body}");
    }
}
