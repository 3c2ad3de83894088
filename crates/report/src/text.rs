//! Texts that come from anywhere, made safe to draw, measured and cut.

/// Size of the texts of a chart, in pixels.
pub(crate) const SIZE: f64 = 13.0;

/// The size for which room is left: the page's styles draw the texts as large as this on a narrow
/// screen and on paper, where charts are made small.
pub(crate) const ROOM: f64 = 15.0;

/// Advance widths of the printable ASCII characters in DejaVu Sans 2.37, in hundredths of an em,
/// rounded up. It is wider than the other fonts that a browser may choose, so what fits here fits there.
const ADVANCES: [u8; 95] = [
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 54, 100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75,
    79, 61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36,
    64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
];

/// A text that may have been cut to fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cut {
    /// What is drawn.
    pub(crate) shown: String,
    /// The whole text, where it was cut.
    pub(crate) full: Option<String>,
}

/// The text on one line, without characters that XML forbids or that change how what follows is read:
/// control characters, non-characters and the marks that embed or override a direction.
pub(crate) fn clean(text: &str) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => None,
        c if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') => Some(' '),
        c if c.is_control() => None,
        c => Some(c),
    });
    let mut line = String::with_capacity(text.len());
    for c in kept {
        if c != ' ' || !(line.is_empty() || line.ends_with(' ')) {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Width of a text at `size` pixels a em, in pixels: at least what DejaVu Sans takes for Latin, Greek,
/// Cyrillic, Hebrew and Arabic in common use, an estimate for the rest.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size / 100.0
}

fn advance(c: char) -> f64 {
    match c {
        ' '..='~' => f64::from(ADVANCES[c as usize - 32]),
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
        '\u{2070}'..='\u{209f}' => 44.0,
        '…' => 100.0,
        '\u{0}'..='\u{10ff}' => 80.0,
        '\u{2000}'..='\u{2bff}' => 90.0,
        _ => 105.0,
    }
}

impl Cut {
    /// Cuts a text to `max` pixels at `size`; an ellipsis stands for what is left out.
    pub(crate) fn new(text: &str, size: f64, max: f64) -> Self {
        let text = clean(text);
        if width(&text, size) <= max {
            return Self { shown: text, full: None };
        }
        let mut left = max - width("…", size);
        let fits = text.chars().take_while(|&c| {
            left -= advance(c) * size / 100.0;
            left >= 0.0
        });
        let mut shown: String = fits.collect();
        shown.truncate(shown.trim_end().len());
        shown.push('…');
        Self { shown, full: Some(text) }
    }

    /// Cuts a name to `max` pixels at `size`. What is left out is in the middle: names of columns and
    /// classes often differ in their last characters only.
    pub(crate) fn name(text: &str, size: f64, max: f64) -> Self {
        let text = clean(text);
        let start = Self::new(&text, size, max);
        if start.full.is_none() {
            return start;
        }
        let mut left = max * 0.4;
        let fits = text.char_indices().rev().take_while(|&(_, c)| {
            left -= advance(c) * size / 100.0;
            left >= 0.0
        });
        let end = fits.last().map_or("", |(i, _)| &text[i..]).trim_start();
        let start = Self::new(&text, size, max - width(end, size));
        Self { shown: start.shown + end, full: Some(text) }
    }

    /// A text that is short already.
    pub(crate) fn whole(text: impl Into<String>) -> Self {
        Self { shown: text.into(), full: None }
    }

    /// Width of what is drawn, in pixels.
    pub(crate) fn width(&self, size: f64) -> f64 {
        width(&self.shown, size)
    }
}

/// Breaks a text between words into at most `lines` lines of `max` pixels at `size`; the last one is cut.
pub(crate) fn wrap(text: &str, size: f64, max: f64, lines: usize) -> Vec<Cut> {
    let text = clean(text);
    let mut wrapped = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = if wrapped.len() + 1 == lines { rest.len() } else { line_end(rest, size, max) };
        wrapped.push(Cut::new(&rest[..end], size, max));
        rest = rest[end..].trim_start();
    }
    wrapped
}

/// Where the first line of `text` ends: before the last space at which it fits, or else after the word.
fn line_end(text: &str, size: f64, max: f64) -> usize {
    let ends = text.match_indices(' ').map(|(i, _)| i).chain([text.len()]);
    let mut end = None;
    for candidate in ends {
        if end.is_some() && width(&text[..candidate], size) > max {
            break;
        }
        end = Some(candidate);
    }
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_leaves_one_line_that_xml_allows() {
        assert_eq!(clean(" a\r\n\tb\u{0}\u{1b}\u{202e}c\u{ffff} \u{2028}"), "a bc");
        assert_eq!(clean("שלום 👍🏽 <b>"), "שלום 👍🏽 <b>");
    }

    #[test]
    fn a_cut_text_fits_and_keeps_the_whole() {
        let long = "word ".repeat(100);
        let cut = Cut::new(&long, SIZE, 100.0);
        assert!(cut.shown.ends_with("word…") || cut.shown.ends_with('…'));
        assert!(cut.width(SIZE) <= 100.0);
        assert_eq!(cut.full.as_deref(), Some(long.trim_end()));
        assert_eq!(Cut::new("short", SIZE, 100.0), Cut::whole("short"));
        assert_eq!(Cut::new("anything", SIZE, 0.0).shown, "…");
    }

    #[test]
    fn a_cut_name_keeps_its_end() {
        let cut = Cut::name("a class of a rather long name 17", SIZE, 120.0);
        assert_eq!(cut.shown, "a class of…me 17");
        assert!(cut.width(SIZE) <= 120.0);
    }

    #[test]
    fn wrapping_breaks_between_words_and_cuts_the_last_line() {
        let shown = |text: &str, lines| -> Vec<String> {
            wrap(text, 10.0, 60.0, lines).into_iter().map(|cut| cut.shown).collect()
        };
        assert_eq!(shown("the quick brown fox", 3), ["the quick", "brown fox"]);
        assert_eq!(shown("the quick brown fox", 1), ["the quick…"]);
        assert_eq!(shown("incomprehensibilities a", 3), ["incompre…", "a"]);
        assert_eq!(shown("", 3), [""; 0]);
    }
}
