use std::path::Path;

use crate::dataset::{Dataset, Targets};
use crate::error::DataError;
use crate::idx::Idx;

/// The digits 0 to 9.
const NUM_CLASSES: u8 = 10;

/// A data set of grey images of one size, each of one class.
///
/// Features are the pixels in [0, 1], row by row from the top left, so `d_input` is
/// `height * width`. Targets are class indices.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageDataset {
    /// What the data set is called.
    pub name: String,
    /// Height of an image, in pixels.
    pub height: usize,
    /// Width of an image, in pixels.
    pub width: usize,
    /// The images to learn from.
    pub train: Dataset,
    /// The images to measure the result on. They never choose anything.
    pub test: Dataset,
}

/// Draws grey images side by side with block characters, two by two pixels in each: a 28×28 digit
/// takes 14 columns and 14 lines, and five of them fit into 80 columns.
///
/// Pixels are row-major and in [0, 1]; those of at least ½ are drawn.
///
/// # Panics
///
/// If an image is not `width` pixels wide.
pub fn draw_images(images: &[&[f32]], width: usize) -> String {
    // The bits of an index: upper left, upper right, lower left, lower right.
    const BLOCKS: [char; 16] =
        [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];
    assert!(images.iter().all(|image| image.len().is_multiple_of(width)), "{width} pixels wide");
    let height = images.iter().map(|image| image.len() / width).max().unwrap_or(0);
    let mut text = String::new();
    for y in (0..height).step_by(2) {
        let mut line = String::new();
        for image in images {
            let bit = |x: usize, y: usize| {
                let pixel = if x < width { image.get(y * width + x) } else { None };
                usize::from(pixel.is_some_and(|pixel| *pixel >= 0.5))
            };
            for x in (0..width).step_by(2) {
                let upper = bit(x, y) | bit(x + 1, y) << 1;
                let lower = bit(x, y + 1) | bit(x + 1, y + 1) << 1;
                line.push(BLOCKS[upper | lower << 2]);
            }
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Images of digits and their labels as a dataset, with the height and width of an image.
///
/// `full` is the value of a pixel that becomes 1. The paths name the arrays in errors.
pub(crate) fn digit_images(
    images: &Idx,
    images_path: &Path,
    labels: &Idx,
    labels_path: &Path,
    full: u8,
) -> Result<(Dataset, [usize; 2]), DataError> {
    let [count, height, width] = match images.dims[..] {
        [count, height, width] if count * height * width > 0 => [count, height, width],
        _ => {
            return Err(DataError::idx(
                images_path,
                format_args!(
                    "IDX dimensions are {:?}, expected [images, height, width], none of them 0",
                    images.dims
                ),
            ));
        }
    };
    if labels.dims != [count] {
        return Err(DataError::idx(
            labels_path,
            format_args!(
                "IDX dimensions are {:?}, expected [{count}], one label per image",
                labels.dims
            ),
        ));
    }
    if let Some(row) = labels.values.iter().position(|&label| label >= NUM_CLASSES) {
        return Err(DataError::idx(
            labels_path,
            format_args!(
                "row {row} (counted from 0): label is {}, expected 0 to {}",
                labels.values[row],
                NUM_CLASSES - 1
            ),
        ));
    }
    let full = f32::from(full);
    let features = images.values.iter().map(|&pixel| f32::from(pixel) / full).collect();
    let targets = Targets::Classes {
        indices: labels.values.iter().copied().map(u32::from).collect(),
        num_classes: usize::from(NUM_CLASSES),
    };
    Ok((Dataset::new(features, height * width, targets)?, [height, width]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(image_dims: &[usize], label_dims: &[usize], labels: &[u8]) -> Result<(), String> {
        let images =
            Idx { dims: image_dims.to_vec(), values: vec![255; image_dims.iter().product()] };
        let labels = Idx { dims: label_dims.to_vec(), values: labels.to_vec() };
        digit_images(&images, Path::new("i.idx"), &labels, Path::new("l.idx"), 255)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn pixels_become_fractions_of_full() {
        let images = Idx { dims: vec![2, 1, 3], values: vec![0, 4, 16, 8, 0, 12] };
        let labels = Idx { dims: vec![2], values: vec![9, 0] };
        let (dataset, size) =
            digit_images(&images, Path::new("i.idx"), &labels, Path::new("l.idx"), 16)
                .expect("valid images");
        assert_eq!(size, [1, 3]);
        assert_eq!(dataset.features(), [0.0, 0.25, 1.0, 0.5, 0.0, 0.75]);
        assert_eq!(dataset.targets(), &Targets::Classes { indices: vec![9, 0], num_classes: 10 });
    }

    #[test]
    fn arrays_that_are_not_images_are_errors() {
        for dims in [&[2, 4][..], &[0, 2, 2], &[2, 0, 2], &[1, 2, 2, 1]] {
            assert_eq!(
                convert(dims, &[2], &[0, 0]),
                Err(format!(
                    "i.idx: IDX dimensions are {dims:?}, expected [images, height, width], none of \
                     them 0"
                ))
            );
        }
    }

    #[test]
    fn labels_that_do_not_match_the_images_are_errors() {
        for dims in [&[3][..], &[2, 1]] {
            let labels = vec![0; dims.iter().product()];
            assert_eq!(
                convert(&[2, 1, 1], dims, &labels),
                Err(format!(
                    "l.idx: IDX dimensions are {dims:?}, expected [2], one label per image"
                ))
            );
        }
        assert_eq!(
            convert(&[2, 1, 1], &[2], &[9, 10]),
            Err("l.idx: row 1 (counted from 0): label is 10, expected 0 to 9".to_owned())
        );
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let ring = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        let dot = [0.0, 0.0, 0.0, 0.0, 0.6, 0.4, 0.0, 0.0, 0.0];
        assert_eq!(draw_images(&[&ring, &dot], 3), "▛▌  ▗\n▀▘\n");
        assert_eq!(draw_images(&[], 3), "");
    }
}
