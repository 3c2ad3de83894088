//! What holds for all classifiers, tried on random ones.

mod common;

use burn::tensor::TensorData;
use burn_flex::Flex;
use common::manifest;
use kiln_classifier::Classifier;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_file_read_and_written_again_is_the_same_bytes(
        // Every number that a weight can be.
        bits in proptest::collection::vec(any::<u32>(), 64),
        threshold in 1e-9..1.0,
        temperature in prop::num::f64::POSITIVE.prop_filter("finite", |t| t.is_finite()),
        metric in prop::num::f64::NORMAL,
        source in ".*",
    ) {
        let mut manifest = manifest();
        (manifest.threshold, manifest.temperature) = (threshold, temperature);
        manifest.metrics = serde_json::json!({"accuracy": metric});
        manifest.training.source = source;
        let numbers = bits.iter().map(|bits| f32::from_bits(*bits));
        let numbers: Vec<f32> = numbers.filter(|number| number.is_finite()).collect();
        prop_assume!(!numbers.is_empty());
        let shapes = manifest.network.tensor_shapes();
        let tensor = |name: &str| {
            let (_, shape) = shapes.iter().find(|(known, _)| known == name)?;
            let values = numbers.iter().cycle().take(shape.iter().product());
            // A variance is not negative.
            let is_variance = name.ends_with("var");
            let values = values.map(|v| if is_variance { v.abs() } else { *v });
            Some(TensorData::new(values.collect::<Vec<f32>>(), shape.clone()))
        };
        let device = Default::default();
        let network = manifest.network.from_tensors::<Flex>(tensor, &device).unwrap();
        let bytes = Classifier::new(manifest.clone(), &[network], &device).unwrap().to_bytes();
        let read = Classifier::<Flex>::from_bytes(&bytes, "m", &device).unwrap();
        prop_assert_eq!(read.manifest(), &manifest);
        prop_assert!(read.to_bytes() == bytes);
    }
}
