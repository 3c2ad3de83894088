//! The colours, for a light and for a dark page.

use std::fmt::Write;

/// Levels of the cells of a matrix, besides that of 0.
pub(crate) const LEVELS: usize = 10;

/// How many series have a colour of their own; the next ones have the same again, dashed.
pub(crate) const SERIES: usize = 7;

/// Name, light and dark colour. The series are Okabe and Ito's colours for the colour-blind
/// (<https://jfly.uni-koeln.de/color/>), darkened or lightened to 3:1 against the page.
const COLOURS: [(&str, [u8; 3], [u8; 3]); 13] = [
    ("page", [0xff, 0xff, 0xff], [0x14, 0x17, 0x1a]),
    ("soft", [0xf5, 0xf6, 0xf7], [0x1d, 0x21, 0x26]),
    ("rule", [0xe2, 0xe5, 0xe9], [0x32, 0x38, 0x3f]),
    ("axis", [0x8b, 0x93, 0x9d], [0x7c, 0x85, 0x90]),
    ("muted", [0x57, 0x5e, 0x68], [0xa3, 0xab, 0xb5]),
    ("ink", [0x1b, 0x1f, 0x24], [0xe8, 0xea, 0xed]),
    ("s1", [0x00, 0x72, 0xb2], [0x56, 0xb4, 0xe9]),
    ("s2", [0xd5, 0x5e, 0x00], [0xf2, 0x8c, 0x3f]),
    ("s3", [0x00, 0x8a, 0x65], [0x2f, 0xc7, 0x9a]),
    ("s4", [0xb5, 0x54, 0x8c], [0xe0, 0x9c, 0xc4]),
    ("s5", [0xa8, 0x74, 0x00], [0xe8, 0xc5, 0x3c]),
    ("s6", [0x3d, 0x97, 0xcf], [0xa9, 0xd8, 0xf4]),
    ("s7", [0x4a, 0x4f, 0x57], [0xc3, 0xc8, 0xce]),
];

/// The colours of the lowest and highest level of a cell.
const CELLS: [[[u8; 3]; 2]; 2] =
    [[[0xee, 0xf3, 0xf8], [0x06, 0x46, 0x7e]], [[0x1f, 0x27, 0x30], [0x7d, 0xc4, 0xf5]]];

/// The page's styles of charts; each colour is a custom property.
pub(crate) const CHART_CSS: &str = include_str!("../templates/chart.css");

/// The custom properties of the colours: `--ink:#1b1f24;…`.
pub(crate) fn properties(dark: bool) -> String {
    let mut css = String::new();
    for (name, value) in colours(dark) {
        let _ = write!(css, "--{name}:{value};");
    }
    css
}

/// The styles of charts in light colours, without custom properties.
pub(crate) fn light_chart_css() -> String {
    let css = colours(false).into_iter().fold(CHART_CSS.to_owned(), |css, (name, value)| {
        css.replace(&format!("var(--{name})"), &value)
    });
    css.trim().to_owned()
}

fn colours(dark: bool) -> Vec<(String, String)> {
    let scheme = usize::from(dark);
    let named = COLOURS.iter().map(|c| (c.0.to_owned(), hex(if dark { c.2 } else { c.1 })));
    let cells = (0..=LEVELS).flat_map(|level| {
        let [low, high] = CELLS[scheme];
        let share = level as f64 / LEVELS as f64;
        let fill: [u8; 3] = std::array::from_fn(|i| {
            let (low, high) = (f64::from(low[i]), f64::from(high[i]));
            (low + (high - low) * share).round() as u8
        });
        [(format!("h{level}"), hex(fill)), (format!("t{level}"), hex(text_on(fill)))]
    });
    named.chain(cells).collect()
}

/// Black or white, whichever stands out more: at least 4.58:1, for their own contrast is 21:1.
fn text_on(fill: [u8; 3]) -> [u8; 3] {
    let [black, white] = [[0; 3], [0xff; 3]];
    if contrast(fill, black) > contrast(fill, white) { black } else { white }
}

/// WCAG 2's contrast ratio, in 1..=21.
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG 2's relative luminance, in [0, 1].
fn luminance(colour: [u8; 3]) -> f64 {
    let linear = colour.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(name: &str, dark: bool) -> [u8; 3] {
        let (_, light, night) = COLOURS.into_iter().find(|c| c.0 == name).unwrap();
        if dark { night } else { light }
    }

    #[test]
    fn texts_and_series_stand_out_from_the_page() {
        for dark in [false, true] {
            for page in ["page", "soft"] {
                let page = colour(page, dark);
                for text in ["ink", "muted"] {
                    assert!(contrast(colour(text, dark), page) >= 4.5, "{text} {dark}");
                }
            }
            for series in 1..=SERIES {
                let ratio = contrast(colour(&format!("s{series}"), dark), colour("page", dark));
                assert!(ratio >= 3.0, "s{series} {dark}: {ratio}");
            }
        }
    }

    #[test]
    fn texts_stand_out_from_their_cells() {
        for dark in [false, true] {
            let colours = colours(dark);
            let get = |name: String| {
                let value = &colours.iter().find(|c| c.0 == name).unwrap().1;
                [1, 3, 5].map(|i| u8::from_str_radix(&value[i..i + 2], 16).unwrap())
            };
            for level in 0..=LEVELS {
                let ratio = contrast(get(format!("h{level}")), get(format!("t{level}")));
                assert!(ratio >= 4.5, "{level} {dark}: {ratio}");
            }
        }
    }

    #[test]
    fn each_colour_of_the_charts_is_one_of_the_palette() {
        assert!(CHART_CSS.contains("var(--ink)"));
        assert!(!light_chart_css().contains("var("), "{}", light_chart_css());
    }
}
