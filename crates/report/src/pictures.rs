//! Small grey pictures in rows.

use std::fmt::Write;

use askama::Template;

use crate::drawing::{Drawing, LINE, Label, WIDTH, nothing};
use crate::palette::LEVELS;
use crate::path::Px;
use crate::text::{Cut, SIZE, clean, wrap};

/// Small pictures of one size, in rows of four: what rows of pixels look like.
#[derive(Debug, Clone, PartialEq)]
pub struct Pictures {
    /// Pixels in a row of each picture.
    pub width: usize,
    /// The pictures, in order.
    pub pictures: Vec<Picture>,
}

/// A picture with a few words below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The words.
    pub title: String,
    /// Pixels from 0 to 1, row by row from the top; 1 is drawn darkest on a light page.
    pub pixels: Vec<f32>,
}

#[derive(Template)]
#[template(path = "pictures.svg", whitespace = "minimize")]
struct View {
    frame: String,
    pictures: Vec<PictureView>,
}

struct PictureView {
    x: Px,
    y: Px,
    /// Level, and the pixels of it.
    levels: Vec<(usize, String)>,
    labels: Vec<Label>,
}

/// Pictures in a row.
const COLUMNS: usize = 4;
/// Pixels between two pictures.
const GAP: f64 = 20.0;
/// Lines of words.
const WORDS: usize = 2;

impl Pictures {
    pub(crate) fn draw(&self) -> Drawing {
        let most = self.pictures.iter().map(|picture| picture.pixels.len()).max().unwrap_or(0);
        if self.width == 0 || most == 0 {
            return nothing();
        }
        let side = (WIDTH - GAP * (COLUMNS as f64 - 1.0)) / COLUMNS as f64;
        let rows = most.div_ceil(self.width);
        let tall = side * rows as f64 / self.width as f64;
        let below = WORDS as f64 * LINE + 14.0;
        let picture = |(at, picture): (usize, &Picture)| {
            let (row, column) = (at / COLUMNS, at % COLUMNS);
            let (x, y) = (column as f64 * (side + GAP), row as f64 * (tall + below));
            let words = wrap(&picture.title, SIZE, side, WORDS).into_iter().enumerate();
            let words = words.map(|(line, text): (usize, Cut)| {
                Label::new(x, y + tall + 17.0 + line as f64 * LINE, "ink", text)
            });
            PictureView {
                x: Px(x),
                y: Px(y),
                levels: levels(&picture.pixels, self.width, side / self.width as f64),
                labels: words.collect(),
            }
        };
        let view = View {
            frame: format!("M0 0H{}V{}H0z", Px(side), Px(tall)),
            pictures: self.pictures.iter().enumerate().map(picture).collect(),
        };
        let titles: Vec<String> = self.pictures.iter().map(|of| clean(&of.title)).collect();
        Drawing {
            width: WIDTH,
            height: self.pictures.len().div_ceil(COLUMNS) as f64 * (tall + below),
            body: view.to_string(),
            summary: format!("{} pictures: {}.", titles.len(), titles.join("; ")),
        }
    }
}

/// The pixels of each level but the lowest, as rectangles: runs of one level in a row are one.
fn levels(pixels: &[f32], width: usize, size: f64) -> Vec<(usize, String)> {
    let level = |pixel: f32| {
        let level = (pixel.clamp(0.0, 1.0) * LEVELS as f32).round();
        if level.is_finite() { level as usize } else { 0 }
    };
    let mut paths = vec![String::new(); LEVELS + 1];
    for (row, pixels) in pixels.chunks(width).enumerate() {
        let mut left = 0;
        for run in pixels.chunk_by(|a, b| level(*a) == level(*b)) {
            let (x, y) = (Px(left as f64 * size), Px(row as f64 * size));
            let (wide, tall) = (Px(run.len() as f64 * size), Px(size));
            // Writing to a `String` doesn't fail.
            let _ = write!(paths[level(run[0])], "M{x} {y}h{wide}v{tall}H{x}z");
            left += run.len();
        }
    }
    let numbered = paths.into_iter().enumerate().skip(1);
    numbered.filter(|(_, path)| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_level_are_one_rectangle() {
        let found = levels(&[0.0, 1.0, 1.0, f32::NAN, 0.5, 0.0], 3, 2.0);
        assert_eq!(found, [(5, "M2 2h2v2H2z".to_owned()), (10, "M2 0h4v2H2z".to_owned())]);
    }

    #[test]
    fn pictures_without_pixels_are_no_data() {
        let empty = Pictures { width: 0, pictures: Vec::new() };
        assert_eq!(empty.draw().summary, "No data.");
        let picture = Picture { title: "a".into(), pixels: vec![1.0; 6] };
        let drawing = Pictures { width: 2, pictures: vec![picture; 5] }.draw();
        assert!(drawing.summary.starts_with("5 pictures: a; a"));
        assert!(drawing.height > 2.0 * 1.5 * 115.0);
    }
}
