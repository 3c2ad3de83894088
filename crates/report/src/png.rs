//! SVG to PNG, with the same font everywhere.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// The most pixels of an image: 256 MB while it is drawn.
const MOST_PIXELS: f32 = 64e6;

/// DejaVu Sans alone: no font of the system decides what an image looks like.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Renders a file that [`crate::Chart::svg`] made, two pixels for each of its own.
pub(crate) fn render(svg: &str) -> Vec<u8> {
    let options = Options {
        fontdb: FONTS.clone(),
        font_family: "DejaVu Sans".to_owned(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).expect("charts are well-formed SVG");
    let size = tree.size();
    let scale = (MOST_PIXELS / (size.width() * size.height())).sqrt().min(2.0);
    let pixels = |length: f32| (length * scale).ceil().max(1.0) as u32;
    let mut image = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .expect("an image of this many pixels fits into memory");
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut image.as_mut());
    image.encode_png().expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use resvg::usvg::Node;

    use super::*;
    use crate::text::width;

    fn drawn_width(text: &str) -> f64 {
        let svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>\
             <text font-size='100' font-family='Nowhere, sans-serif'>{text}</text></svg>"
        );
        let options = Options { fontdb: FONTS.clone(), ..Options::default() };
        let tree = Tree::from_str(&svg, &options).unwrap();
        let Some(Node::Text(text)) = tree.root().children().first() else {
            panic!("no text in {svg}");
        };
        f64::from(text.flattened().bounding_box().width())
    }

    #[test]
    fn texts_are_no_wider_than_measured() {
        let ascii = (b'!'..=b'~').map(char::from).filter(|c| !matches!(c, '<' | '&'));
        let mut texts: Vec<String> = ascii.map(|c| c.to_string()).collect();
        texts.extend(
            ["mean cross-entropy (nats per row)", "10⁻⁵", "−1.25×10⁻³", "Größe …", "Ошибка класса"]
                .map(str::to_owned),
        );
        for text in texts {
            let (drawn, measured) = (drawn_width(&text), width(&text, 100.0));
            assert!(drawn > 0.0, "{text} is not drawn");
            // A letter may lean out of its advance, and kerning may part two.
            assert!(drawn <= measured + 10.0, "{text}: {drawn}, measured {measured}");
        }
    }
}
