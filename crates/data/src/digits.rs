use std::path::Path;

use crate::idx::{Idx, read_idx_from};
use crate::images::{ImageDataset, digit_images};

static IMAGES: &[u8] = include_bytes!("../digits/images-idx3-ubyte.gz");
static LABELS: &[u8] = include_bytes!("../digits/labels-idx1-ubyte.gz");

/// The value of a full pixel.
const FULL: u8 = 16;
const TEST_FRACTION: f64 = 0.2;
/// Any number would do; it is fixed so that results on the test part can be compared.
const SPLIT_SEED: u64 = 0;

/// 1,797 handwritten digits of 8x8 pixels, small enough to be part of this crate.
///
/// Pixels are scaled from 0..=16 to [0, 1]. 1,438 images are for training and 359 for testing: a
/// split of 80 to 20 with the same share of every digit, the same in every run
/// ([`split_stratified`](crate::Dataset::split_stratified) with seed 0).
///
/// Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine
/// Learning Repository, 1998, <https://doi.org/10.24432/C50P49>, licensed CC BY 4.0: the images
/// that scikit-learn's `load_digits` returns. `digits/README.md` in this crate says how they were
/// packed.
///
/// # Examples
///
/// ```
/// let digits = kiln_data::digits();
/// assert_eq!((digits.train.rows(), digits.test.rows()), (1438, 359));
/// assert_eq!((digits.height, digits.width, digits.train.d_input()), (8, 8, 64));
/// ```
pub fn digits() -> ImageDataset {
    let read = |bytes: &[u8], path| -> Idx {
        read_idx_from(bytes, path).expect("the bundled files are valid IDX")
    };
    let images_path = Path::new("digits/images-idx3-ubyte.gz");
    let labels_path = Path::new("digits/labels-idx1-ubyte.gz");
    let images = read(IMAGES, images_path);
    let labels = read(LABELS, labels_path);
    let (dataset, [height, width]) = digit_images(&images, images_path, &labels, labels_path, FULL)
        .expect("the bundled images and labels belong together");
    let (train, test) = dataset
        .split_stratified(TEST_FRACTION, SPLIT_SEED)
        .expect("every digit has rows for both parts");
    ImageDataset { name: "digits".to_owned(), height, width, train, test }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, Targets};

    fn counts(dataset: &Dataset) -> [usize; 10] {
        let Targets::Classes { indices, .. } = dataset.targets() else {
            panic!("class targets expected");
        };
        let mut counts = [0; 10];
        for &class in indices {
            counts[class as usize] += 1;
        }
        counts
    }

    // from sklearn.datasets import load_digits; import numpy as np
    // d = load_digits(); d.images.shape, np.bincount(d.target), d.images.sum(), d.images[0, 0]
    #[test]
    fn bundled_digits_are_those_of_scikit_learn() {
        let images = read_idx_from(IMAGES, "images").expect("valid IDX");
        let labels = read_idx_from(LABELS, "labels").expect("valid IDX");
        assert_eq!(images.dims, [1797, 8, 8]);
        assert_eq!(labels.values[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        assert_eq!(images.values[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
        assert_eq!(images.values.iter().map(|&pixel| u32::from(pixel)).sum::<u32>(), 561_718);

        let digits = digits();
        let (train, test) = (counts(&digits.train), counts(&digits.test));
        let all: Vec<usize> = train.iter().zip(test).map(|(a, b)| a + b).collect();
        assert_eq!(all, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn split_keeps_the_share_of_every_digit() {
        assert_eq!(counts(&digits().test), [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]);
    }

    #[test]
    fn pixels_reach_from_0_to_1() {
        let digits = digits();
        for part in [&digits.train, &digits.test] {
            assert_eq!(part.features().iter().copied().fold(f32::INFINITY, f32::min), 0.0);
            assert_eq!(part.features().iter().copied().fold(0.0, f32::max), 1.0);
        }
    }

    // Results on the test part are only comparable while it stays the same.
    #[test]
    fn split_never_changes() {
        let digits = digits();
        let Targets::Classes { indices, .. } = digits.test.targets() else {
            panic!("class targets expected");
        };
        assert_eq!(indices[..12], [1, 3, 9, 0, 5, 9, 9, 9, 1, 2, 3, 6]);
        assert_eq!(digits.test.features().iter().sum::<f32>(), 6993.3125);
    }
}
