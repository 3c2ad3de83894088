//! A matrix of numbers as coloured cells.

use std::fmt::Write;

use askama::Template;

use crate::axis::Scale;
use crate::drawing::{Drawing, LINE, Label, WIDTH, called, nothing};
use crate::number::{fixed, percent, short};
use crate::palette::LEVELS;
use crate::path::Px;
use crate::text::{Cut, ROOM, SIZE, clean, width};

/// A matrix of numbers as coloured cells: a confusion matrix.
///
/// The cells hold their numbers while those are large enough to read. In HTML and SVG a cell that is
/// not 0 has a tooltip, up to 5,000 of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Names of the rows, from the top.
    pub rows: Vec<String>,
    /// Names of the columns, from the left.
    pub columns: Vec<String>,
    /// What the rows are.
    pub row_label: String,
    /// What the columns are.
    pub column_label: String,
    /// Row by row; what is missing or not finite leaves its cell empty.
    pub values: Vec<f64>,
    /// What the values are.
    pub format: CellFormat,
}

/// What the values of a matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellFormat {
    /// Counts of at least 0, coloured by their share of the row.
    Count,
    /// Shares in [0, 1], coloured as they are.
    Percent,
}

#[derive(Template)]
#[template(path = "matrix.svg", whitespace = "minimize")]
struct View {
    back: String,
    cells: Vec<Cell>,
    grid: String,
    labels: Vec<Label>,
    numbers: Vec<Number>,
    size: Px,
    ramp: Vec<(Px, Px, usize)>,
}

struct Cell {
    x: Px,
    y: Px,
    width: Px,
    height: Px,
    level: usize,
    title: String,
}

struct Number {
    x: Px,
    y: Px,
    level: usize,
    text: String,
}

/// Where the cells lie, in pixels.
struct Layout {
    left: f64,
    top: f64,
    cell: (f64, f64),
    /// Size of the numbers; 0 where they would be too small to read.
    size: f64,
}

/// The widest name of a row, in pixels.
const NAME_WIDTH: f64 = 140.0;

/// With more cells than this the tooltips would be most of the file, and each cell hard to point at.
const TOOLTIPS: usize = 5000;

/// The smallest number that is drawn, in pixels.
const READABLE: f64 = 8.5;

impl Matrix {
    pub(crate) fn draw(&self) -> Drawing {
        if self.rows.is_empty() || self.columns.is_empty() {
            return nothing();
        }
        let layout = self.layout();
        let Layout { left, top, cell: (w, h), size } = layout;
        let (right, bottom) =
            (left + w * self.columns.len() as f64, top + h * self.rows.len() as f64);
        let mut labels = self.row_labels(&layout);
        let (column_labels, room) = self.column_labels(&layout, bottom);
        labels.extend(column_labels);
        let mut height = bottom + room;
        if !clean(&self.column_label).is_empty() {
            height += LINE;
            let text = Cut::new(&self.column_label, SIZE, (right - left).max(120.0));
            let half = text.width(SIZE) / 2.0;
            let x = ((left + right) / 2.0).max(half);
            labels.push(Label::new(x, height - 6.0, "muted mid", text));
        }
        let mut ramp = Vec::new();
        if size == 0.0 {
            height += LINE + 6.0;
            let (x, y) = (left + width("0%", ROOM) + 6.0, height - 16.0);
            ramp.extend((0..=LEVELS).map(|level| (Px(x + 14.0 * level as f64), Px(y), level)));
            let end = x + 14.0 * (LEVELS + 1) as f64 + 6.0;
            let of = if self.format == CellFormat::Count { "100% of the row" } else { "100%" };
            labels.push(Label::new(x - 6.0, height - 5.0, "tick end", Cut::whole("0%")));
            labels.push(Label::new(end, height - 5.0, "tick", Cut::whole(of)));
        }
        let view = View {
            back: format!("M{} {}H{}V{}H{}z", Px(left), Px(top), Px(right), Px(bottom), Px(left)),
            cells: self.cells(&layout),
            grid: self.grid(&layout),
            labels,
            numbers: self.numbers(&layout),
            size: Px(size),
            ramp,
        };
        let width = WIDTH.max(right + 4.0);
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let summary = format!("{rows} rows, {columns} columns. {}", self.diagonal());
        Drawing { width, height: height + 2.0, body: view.to_string(), summary }
    }

    fn layout(&self) -> Layout {
        let names =
            self.rows.iter().map(|name| Cut::name(called(name), SIZE, NAME_WIDTH).width(ROOM));
        let left = names.fold(20.0, f64::max) + 8.0 + self.row_label_room();
        let columns = self.columns.len() as f64;
        // A chart grows with its classes, to a limit: then the cells shrink.
        let smallest = (1400.0 / columns).clamp(0.5, 14.0);
        let w = ((WIDTH - left - 4.0) / columns).clamp(smallest, 120.0);
        let h = w.min(if self.columns.len() <= 4 { 56.0 } else { 44.0 });
        let h = h.min((1400.0 / self.rows.len() as f64).max(0.5));
        let texts = self.values.iter().take(self.rows.len() * self.columns.len());
        let widest = texts.map(|&v| width(&self.text(v), 1.0)).fold(0.5, f64::max);
        let size = ((w - 4.0) / widest).min(h - 4.0).min(SIZE);
        let size = if size < READABLE { 0.0 } else { size };
        Layout { left, top: 4.0, cell: (w, h), size }
    }

    fn row_label_room(&self) -> f64 {
        if clean(&self.row_label).is_empty() { 0.0 } else { LINE }
    }

    fn row_labels(&self, layout: &Layout) -> Vec<Label> {
        let h = layout.cell.1;
        let every = (11.0 / h).ceil().max(1.0) as usize;
        let size = SIZE.min(h.max(11.0) - 2.0).max(9.0);
        let label = |(i, name): (usize, &String)| {
            let y = layout.top + h * (i as f64 + 0.5) + size * 0.35;
            let text = Cut::name(called(name), size, NAME_WIDTH);
            let label = Label::new(layout.left - 8.0, y, "ink end", text);
            if size < SIZE { label.sized(size) } else { label }
        };
        let mut labels: Vec<_> = self.rows.iter().enumerate().step_by(every).map(label).collect();
        let tall = h * self.rows.len() as f64;
        let text = Cut::new(&self.row_label, SIZE, tall.max(60.0));
        if !text.shown.is_empty() {
            let y = layout.top + (tall / 2.0).max(text.width(SIZE) / 2.0);
            labels.push(Label::new(13.0, y, "muted mid", text).turned(-90));
        }
        labels
    }

    /// The names of the columns, under the cells, and the room they take.
    fn column_labels(&self, layout: &Layout, bottom: f64) -> (Vec<Label>, f64) {
        let w = layout.cell.0;
        let every = (11.0 / w).ceil().max(1.0) as usize;
        let size = SIZE.min(w.max(11.0) - 2.0).max(9.0);
        let widest = self.columns.iter().map(|name| width(&clean(called(name)), ROOM));
        let widest = widest.fold(0.0, f64::max);
        let turn = match () {
            () if widest <= w - 8.0 => 0,
            // Names at a slant need about 20 pixels from one to the next, and room on the left.
            () if w >= 22.0 && layout.left >= 70.0 => -45,
            () => -90,
        };
        let most = if turn == -45 { (layout.left * 1.3).min(110.0) } else { 110.0 };
        let names = self.columns.iter().enumerate().step_by(every);
        let mut room = 0.0_f64;
        let mut labels = Vec::new();
        for (i, name) in names {
            let x = layout.left + w * (i as f64 + 0.5);
            let text = Cut::name(called(name), size, if turn == 0 { w } else { most });
            let long = text.width(size);
            let label = match turn {
                0 => Label::new(x, bottom + 18.0, "ink mid", text),
                -45 => Label::new(x + 5.0, bottom + 14.0, "ink end", text).turned(turn),
                _ => Label::new(x + size * 0.35, bottom + 8.0, "ink end", text).turned(turn),
            };
            room = room.max(match turn {
                0 => 26.0,
                -45 => long * 0.71 + 24.0,
                _ => long + 14.0,
            });
            labels.push(if size < SIZE { label.sized(size) } else { label });
        }
        (labels, room)
    }

    /// The values that have a cell: its row, its column, the value and its share.
    fn shares(&self) -> impl Iterator<Item = (usize, usize, f64, f64)> {
        let rows = self.values.chunks(self.columns.len()).take(self.rows.len()).enumerate();
        rows.flat_map(|(i, row)| {
            let total: f64 =
                row.iter().filter(|v| Scale::Linear.shows(**v)).map(|v| v.max(0.0)).sum();
            let of = if self.format == CellFormat::Count { total } else { 1.0 };
            let shares = row.iter().enumerate().filter(|(_, value)| Scale::Linear.shows(**value));
            shares.map(move |(j, &value)| {
                let share = value / of;
                (i, j, value, if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 })
            })
        })
    }

    fn cells(&self, layout: &Layout) -> Vec<Cell> {
        let (w, h) = layout.cell;
        let name = |text: &str| Cut::name(called(text), SIZE, 300.0).shown;
        let [row_label, column_label] = [&self.row_label, &self.column_label].map(|l| name(l));
        let cell = |(i, j, value, share): (usize, usize, f64, f64)| {
            let (row, column) = (name(&self.rows[i]), name(&self.columns[j]));
            let mut title =
                format!("{row_label}: {row}, {column_label}: {column}, {}", self.text(value));
            if self.format == CellFormat::Count {
                let _ = write!(title, " ({} of the row)", percent(share));
            }
            Cell {
                x: Px(layout.left + w * j as f64),
                y: Px(layout.top + h * i as f64),
                width: Px(w),
                height: Px(h),
                level: level(share),
                title,
            }
        };
        // The ground has the colour of a 0: most of a matrix of many classes.
        let mut cells: Vec<_> =
            self.shares().filter(|(_, _, _, share)| *share > 0.0).map(cell).collect();
        if cells.len() > TOOLTIPS {
            cells.iter_mut().for_each(|cell| cell.title.clear());
        }
        cells
    }

    fn numbers(&self, layout: &Layout) -> Vec<Number> {
        if layout.size == 0.0 {
            return Vec::new();
        }
        let (w, h) = layout.cell;
        let number = |(i, j, value, share): (usize, usize, f64, f64)| Number {
            x: Px(layout.left + w * (j as f64 + 0.5)),
            y: Px(layout.top + h * (i as f64 + 0.5) + layout.size * 0.36),
            level: level(share),
            text: self.text(value),
        };
        self.shares().map(number).collect()
    }

    fn grid(&self, layout: &Layout) -> String {
        let (w, h) = layout.cell;
        let mut path = String::new();
        let (wide, tall) = (w * self.columns.len() as f64, h * self.rows.len() as f64);
        if w.min(h) < 4.0 {
            return path;
        }
        for i in 1..self.rows.len() {
            let y = layout.top + h * i as f64;
            let _ = write!(path, "M{} {}h{}", Px(layout.left), Px(y), Px(wide));
        }
        for j in 1..self.columns.len() {
            let x = layout.left + w * j as f64;
            let _ = write!(path, "M{} {}v{}", Px(x), Px(layout.top), Px(tall));
        }
        path
    }

    fn text(&self, value: f64) -> String {
        match self.format {
            CellFormat::Percent => percent(value),
            CellFormat::Count if value.fract() == 0.0 && value.abs() < 1e6 => fixed(value, 0),
            CellFormat::Count => short(value),
        }
    }

    /// In words, what lies on the diagonal of a square matrix.
    fn diagonal(&self) -> String {
        if self.rows != self.columns {
            return String::new();
        }
        let mut cells = self.shares().filter(|(i, j, _, _)| i == j).peekable();
        if cells.peek().is_none() {
            return String::new();
        }
        let cell = |(i, _, _, share): (usize, usize, f64, f64)| {
            format!("{} {}", Cut::new(called(&self.rows[i]), SIZE, 300.0).shown, percent(share))
        };
        let cells: Vec<_> = cells.take(50).map(cell).collect();
        format!("On the diagonal: {}.", cells.join(", "))
    }
}

/// The colour of a share: 0 for nothing, then one for each tenth.
fn level(share: f64) -> usize {
    (share * LEVELS as f64).ceil() as usize
}
