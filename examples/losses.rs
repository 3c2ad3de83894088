//! The three cross-entropies side by side on the same small numbers.
//!
//! Sparse and categorical are one loss, whose targets are written as 0, 1, 2 or as 100, 010, 001:
//! of all classes, exactly one is right. Binary asks of each class by itself whether it is right.

use burn::tensor::{Tensor, activation};
use burn_ndarray::NdArray;
use kiln::model::{LossConfig, weighted_mean};

fn main() -> anyhow::Result<()> {
    let device = Default::default();
    let config = LossConfig::default();
    let binary = config.init_binary::<NdArray>(3, &device)?;
    let categorical = config.init_categorical::<NdArray>(3, &device)?;
    let sparse = config.init_sparse::<NdArray>(3, &device)?;

    // What a network says about four rows: right, undecided, wrong, and very wrong.
    let rows = [[1.0, 2.0, 4.0], [0.0, 0.0, 0.0], [3.0, -1.0, 0.5], [0.0, 0.0, 12.0]];
    let classes = [2, 1, 1, 0];
    let one_hot = classes.map(|class| [0, 1, 2].map(|other| f32::from(u8::from(other == class))));

    let logits = Tensor::<NdArray, 2>::from_floats(rows, &device); // [4, 3]
    let indices = Tensor::from_ints(classes, &device); // [4]
    let targets = Tensor::from_floats(one_hot, &device); // [4, 3]
    let sparse = sparse.forward(logits.clone(), indices); // [4]
    let categorical = categorical.forward(logits.clone(), targets.clone()); // [4]
    let binary = binary.forward(logits.clone(), targets); // [4]
    let softmax: Vec<f32> = activation::softmax(logits, 1).into_data().iter().collect();

    let values = |losses: &Tensor<NdArray, 1>| losses.to_data().iter::<f32>().collect::<Vec<_>>();
    let [s, c, b] = [values(&sparse), values(&categorical), values(&binary)];
    println!("{:<16} {:<20} class  one-hot   sparse  categorical   binary", "logits", "softmax");
    for (row, p) in softmax.chunks(3).enumerate() {
        let z = rows[row].map(|z| format!("{z:>4}")).join(" ");
        let p = p.iter().map(|p| format!("{p:.4}")).collect::<Vec<_>>().join(" ");
        let (y, bits) = (classes[row], one_hot[row].map(|t| t.to_string()).concat());
        println!("{z:<16} {p} {y:>5} {bits:>8} {:>8.4} {:>12.4} {:>8.4}", s[row], c[row], b[row]);
    }
    let [s, c, b] = [sparse, categorical, binary].map(|l| weighted_mean(l, None).into_scalar());
    println!("{:<52} {s:>8.4} {c:>12.4} {b:>8.4}", "mean over the rows");
    println!("\nlosses in nats; 1.0986 = ln 3 is what not knowing costs among three classes");
    Ok(())
}
