/// Panics unless `values` is `[rows, num_classes]` and every actual class is one of them.
#[track_caller]
pub(super) fn check_matrix(values: &[f64], actual: &[u32], num_classes: usize) {
    assert!(num_classes > 0, "num_classes must be at least 1");
    assert_eq!(
        values.len(),
        actual.len() * num_classes,
        "expected {} rows of {num_classes} values",
        actual.len()
    );
    for &class in actual {
        assert!((class as usize) < num_classes, "class {class} of {num_classes}");
    }
}
